"""Verbs and nouns: the head by hand, pairs that were not seen, the objective, and whole runs."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from sbtools import methods, models, objectives
from sbtools.errors import RecordError, SbtoolsError, UsageError
from sbtools.methods.base import Phase
from sbtools.methods.hidden import without
from sbtools.models.outputs import Outputs
from sbtools.models.verb_noun import VerbNoun
from sbtools.records.classes import note_class
from sbtools.train.plan import settle
from sbtools.train.train_flags import TrainFlags

NAMES = ["open|door", "close|door", "open|box", "lift|cup"]


def model(**more: Any) -> Any:
    told = {"backbone": "frame_cnn", "size": 32, "head": "verb-noun", **more}
    made = models.build("linear", ["a", "b", "c", "d"], NAMES, frames=2, **told)
    return made.double()


def video(clips: int = 3) -> torch.Tensor:
    drawn = torch.Generator().manual_seed(2)
    return torch.randn(clips, 2, 3, 32, 32, generator=drawn, dtype=torch.float64)


def test_a_class_is_as_likely_as_its_verb_and_its_noun() -> None:
    made = model().eval()
    features = made.encode(video()).features
    head = made.head
    assert (head.verbs, head.nouns) == (["close", "lift", "open"], ["box", "cup", "door"])
    verbs = torch.softmax(features @ head.verb.weight.T + head.verb.bias, 1)
    nouns = torch.softmax(features @ head.noun.weight.T + head.noun.bias, 1)
    scores = made.scores(video())
    for k, name in enumerate(NAMES):
        verb, noun = name.split("|")
        wanted = verbs[:, head.verbs.index(verb)].log() + nouns[:, head.nouns.index(noun)].log()
        torch.testing.assert_close(scores[:, k], wanted)
    made.set_classes(["lift|door", "close|cup"])
    unseen = made.scores(video())
    torch.testing.assert_close(unseen[:, 0], (verbs[:, 1] * nouns[:, 2]).log())
    made.set_classes(["x"], ["close|cup"])
    torch.testing.assert_close(made.scores(video()), unseen[:, 1:])
    assert made.classes == ["x"] and made.texts == ["close|cup"]


def test_it_is_built_again_with_its_own_classes() -> None:
    made = model(seed=3).eval()
    made.set_classes(["lift|door"])
    again = models.rebuild(made.spec()).double().eval()
    again.load_state_dict(made.state_dict())
    assert again.classes == ["a", "b", "c", "d"] and again.texts == NAMES
    again.set_classes(["lift|door"])
    assert torch.equal(again.scores(video()), made.scores(video()))
    assert torch.equal(model(seed=3).head.verb.weight, model(seed=3).head.verb.weight)
    assert not torch.equal(model(seed=3).head.verb.weight, model(seed=4).head.verb.weight)


@pytest.mark.parametrize(
    ("classes", "told"),
    [(["open"], "'open' is no verb and noun"), (["open|the|door"], "is no verb and noun"),
     (["|door"], "is no verb and noun"), (["throw|door"], "knows 3 verbs, and 'throw' is none"),
     (["open|car"], "knows 3 nouns, and 'car' is none of them")],
)  # fmt: skip
def test_what_it_cannot_tell_is_refused(classes: list[str], told: str) -> None:
    with pytest.raises(UsageError, match=told.replace("|", r"\|")):
        model().set_classes(classes)
    with pytest.raises(UsageError, match="head is classes, verb-noun, not 'both'"):
        model(head="both")
    with pytest.raises(UsageError, match="verb and noun are weights of 0 or more, and not both 0"):
        objectives.build("verb_noun", verb=0, noun=0)


def test_shares_of_classes_are_those_of_their_parts() -> None:
    head = VerbNoun(4, NAMES)
    verbs, nouns = head.targets(torch.tensor([[0.5, 0.0, 0.3, 0.2], [0.0, 1.0, 0.0, 0.0]]))
    torch.testing.assert_close(verbs, torch.tensor([[0.0, 0.2, 0.8], [1.0, 0.0, 0.0]]))
    torch.testing.assert_close(nouns, torch.tensor([[0.3, 0.2, 0.5], [0.0, 0.0, 1.0]]))


@pytest.mark.parametrize("weights", [{}, {"verb": 0.0}, {"noun": 0.5}])
def test_the_objective_and_the_hidden_objects(weights: dict[str, float]) -> None:
    """By cross_entropy of torch, of verbs, of nouns, and of the verbs of clips without objects."""
    made, clips = model().eval(), video()
    label = torch.tensor([3, 0, 2])
    target = torch.nn.functional.one_hot(label, 4).double()
    objects = torch.rand(3, 2, 32, 32, generator=torch.Generator().manual_seed(1)) < 0.3
    batch = {"video": clips, "target": target, "object_box": objects, "id": list("abc")}
    outputs = Outputs(made, batch, texts=frozenset())
    verb, noun = torch.tensor([1, 2, 2]), torch.tensor([1, 2, 0])

    def loss(shown: torch.Tensor, part: str, wanted: torch.Tensor) -> torch.Tensor:
        layer = getattr(made.head, part)
        return torch.nn.functional.cross_entropy(layer(made.encode(shown).features), wanted)

    found = objectives.build("verb_noun", **weights)(outputs, target)
    parts = loss(clips, "verb", verb), loss(clips, "noun", noun)
    wanted = sum(
        weights.get(n, 1.0) * each for n, each in zip(("verb", "noun"), parts, strict=True)
    )
    torch.testing.assert_close(found, wanted)
    term = methods.build("dark", weight=0.7).losses(outputs, Phase())["verb"]
    torch.testing.assert_close(term, 0.7 * loss(without(clips, objects), "verb", verb))
    del batch["object_box"]
    with pytest.raises(SbtoolsError, match=r"^method dark: .* no boxes of objects \(a, b, c\)$"):
        methods.build("dark").losses(outputs, Phase())


def test_records_may_have_verb_and_noun() -> None:
    texts: dict[str, str] = {}
    pairs: dict[str, str] = {}
    note_class({"id": "1", "label": "a", "verb": "open", "noun": "door"}, texts, pairs)
    note_class({"id": "2", "label": "b", "text": "to sit"}, texts, pairs)
    assert (texts, pairs) == ({"a": "a", "b": "to sit"}, {"a": "open|door"})
    with pytest.raises(RecordError, match=r"verb and noun of class 'a' is 'shut\|door' here"):
        note_class({"id": "3", "label": "a", "verb": "shut", "noun": "door"}, texts, pairs)


def test_the_objective_is_that_of_the_head() -> None:
    pairs = ["backbone=frame_cnn", "head=verb-noun"]
    settings, _ = settle(TrainFlags("linear", model_pairs=pairs))
    assert settings.objective == "verb_noun"
    settings, _ = settle(TrainFlags("linear", model_pairs=pairs, objective="class_ce"))
    assert settings.objective == "class_ce"
