"""Several methods at once: their order, their names, their settings, and what is refused."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from sbtools import methods
from sbtools.errors import UsageError
from sbtools.methods import METHODS, assigned, build
from sbtools.methods.base import Method, Phase
from sbtools.methods.mask import Mask
from sbtools.methods.several import Several, members_of
from sbtools.models.base import Encoded
from sbtools.rng import Draws
from tests.methods.batches import clips
from tests.toys import TOYS


@pytest.fixture(autouse=True)
def known() -> Iterator[None]:
    METHODS.update(TOYS)
    yield
    for name in TOYS:
        del METHODS[name]


def made(name: str, **more: Any) -> Method:
    """A method of that name, with these attributes."""
    method = type("Made", (Method,), {"name": name})()
    for key, value in more.items():
        setattr(method, key, value)
    return method


class Doubles(Method):
    name = "doubles"

    def augment(self, batch: Any, rng: Any) -> Any:
        return {**batch, "video": 2 * batch["video"]}


class Adds(Method):
    name = "adds"

    def augment(self, batch: Any, rng: Any) -> Any:
        return {**batch, "video": batch["video"] + 1}


def test_augmentations_come_in_the_order_of_the_names() -> None:
    batch = clips(2)
    for members, wanted in (
        ([Doubles(), Adds()], 2 * batch["video"] + 1),
        ([Adds(), Doubles()], 2 * (batch["video"] + 1)),
    ):
        assert torch.equal(Several(members).augment(batch, Draws(0))["video"], wanted)


def test_a_lone_method_is_not_wrapped() -> None:
    """So that its weights keep the names that older checkpoints have for them."""
    method = build("mask", ratio="0:1")
    assert type(method) is Mask and members_of(method) == [method]
    together = build("mask+mixing", mask={"ratio": "0:1"})
    assert isinstance(together, Several) and [m.name for m in together.methods] == [
        "mask",
        "mixing",
    ]
    assert together.settings() == {
        "mask": {"ratio": "0:1", "region": "mask", "color_per": "epoch"},
        "mixing": {"share": 0.3},
    }
    assert build("mask+mixing", **together.settings()).settings() == together.settings()


def test_what_members_say_is_said_together() -> None:
    members = [
        made("a", requires=frozenset({"texts"}), needs={"masks": {}}),
        made("b", requires=frozenset({"one_frame"}), needs={"scene": {}}, mixes=True),
    ]
    several = Several(members)
    assert several.requires == {"texts", "one_frame"} and several.mixes
    assert several.needs == {"masks": {}, "scene": {}}
    told = build("fooling+streams")
    assert [phase.name for phase in told.phases()] == ["head", "main"]
    assert [phase.objective for phase in told.phases()] == [False, True]


def test_terms_are_named_by_their_method_and_come_in_their_phases() -> None:
    class One(Method):
        name = "one"

        def losses(self, outputs: Any, phase: Phase) -> Any:
            return {"x": torch.tensor(1.0)}

    class Two(One):
        name = "two"

        def phases(self) -> tuple[Phase, ...]:
            return (Phase("first", objective=False), Phase(texts="batch"))

        def tally(self) -> dict[str, int]:
            return {"drawn": 3}

    several = Several([One(), Two()])
    first, main = several.phases()
    assert several.losses(None, first).keys() == {"two.x"}  # type: ignore[arg-type]
    assert several.losses(None, main).keys() == {"one.x", "two.x"}  # type: ignore[arg-type]
    assert (first.texts, main.texts) == ("none", "batch")
    assert several.tally() == {"two.drawn": 3}


class Represents(Method):
    def represent(self, encoded: Encoded) -> Encoded:
        return Encoded(3 * encoded.features)

    def streams(self, outputs: Any) -> Any:
        return {"u": outputs.features, "b": -outputs.features}


def test_the_one_that_represents_does() -> None:
    own = Represents()
    own.name = "own"  # type: ignore[misc]
    several = Several([made("a"), own])
    assert torch.equal(
        several.represent(Encoded(torch.ones(1, 2))).features, torch.full((1, 2), 3.0)
    )
    shown: Any = SimpleNamespace(features=torch.ones(1, 2))
    assert torch.equal(several.streams(shown)["b"], -torch.ones(1, 2))
    assert "b" not in Several([made("a"), made("c")]).streams(shown)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["mask", "mask"], "--method mask is given twice"),
        (["none", "mask"], "--method none is plain training: leave it out beside another"),
        (["mixing", "mask"], "method mask needs masks of unmixed clips, and mixing mixes them "
                             "before: --method mask --method mixing"),
        (["centred", "streams"], "methods centred and streams both change what the last layer "
                                 "sees"),
        (["fooling", "mask", "other"], "methods fooling and other both change the steps of "
                                       "training"),
    ],
)  # fmt: skip
def test_what_cannot_be_together_is_told_with_the_fix(names: list[str], message: str) -> None:
    class Other(type(methods.build("fooling"))):  # type: ignore[misc]
        name = "other"

    members = [Other() if name == "other" else methods.build(name) for name in names]
    with pytest.raises(UsageError) as caught:
        Several(members)
    assert str(caught.value).startswith(message)


def test_one_need_in_two_settings_is_refused() -> None:
    one, two = (
        made("a", needs={"boxes": {"least": 0.4}}),
        made("b", needs={"boxes": {"least": 0.5}}),
    )
    with pytest.raises(UsageError, match="methods a and b need boxes with different settings"):
        Several([one, two])
    Several([one, made("b", needs={"boxes": {"least": 0.4}})])


def test_settings_are_named_by_their_method_or_bare_where_one_has_them() -> None:
    names = ["mask", "streams", "fooling"]
    told = {"ratio": "0:1", "streams.weight": "0.1", "fooling.weight": "0.2"}
    assert assigned(names, told) == {
        "mask": {"ratio": "0:1"}, "streams": {"weight": "0.1"}, "fooling": {"weight": "0.2"},
    }  # fmt: skip
    assert assigned(["mask"], {"mask.ratio": "0:1", "region": "none"}) == {
        "ratio": "0:1", "region": "none",
    }  # fmt: skip
    for strange, message in (
        ({"weight": "1"}, "write streams.weight or fooling.weight"),
        ({"colour": "1"}, "none of the methods mask, streams, fooling has a setting 'colour'"),
        ({"albar.weight": "1"}, "none of the methods .* has a setting 'albar.weight'"),
    ):
        with pytest.raises(UsageError, match=message):
            assigned(names, strange)
    for methods_, twice in ((["mask"], "ratio"), (["mask", "streams"], "ratio")):
        with pytest.raises(UsageError, match="setting ratio of method mask is given twice"):
            assigned(methods_, {"mask.ratio": "1:0", twice: "0:1"})
    with pytest.raises(UsageError, match="method streams has no setting 'depth'; it has weight"):
        build("mask+streams", streams={"depth": "1"})
