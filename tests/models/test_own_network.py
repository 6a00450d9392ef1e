"""Networks of the user's own: every mistake is told in a line, as theirs, with what to do."""

from __future__ import annotations

import itertools
import logging
import re
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from sbtools import models
from sbtools.errors import SbtoolsError, UsageError
from sbtools.models.external import open_model
from sbtools.models.recipe import FIELDS, Recipe

HEAD = """import torch

class Net(torch.nn.Module):
    recipe, frames = {"size": 8}, 2
    def __init__(self):
        super().__init__()
        self.last = torch.nn.Linear(3, 2)
    def forward(self, video):
        return self.scores(self.last(video.mean((1, 3, 4))))
    def scores(self, found):
        return found

"""
Write = Callable[[str], str]
_numbers = itertools.count()


@pytest.fixture
def written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """Writes a module into the working directory; its name."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))

    def write(text: str) -> str:
        name = f"own_{next(_numbers)}"
        Path(f"{name}.py").write_text(HEAD + text)
        return name

    return write


def asked(name: str, classes: list[str] | None = None) -> Any:
    """The scores of two clips, by a model of this name."""
    model = open_model(name, classes or ["a", "b"])
    return model.scores(torch.zeros(2, 2, 3, 8, 8))


RAISED = {
    "import": ("import no_such_library\n", "{0}.py, line 13: ModuleNotFoundError: No module named"),
    "import value": ("int('x')\n", "{0}.py, line 13: ValueError: invalid literal for int"),
    "syntax": ("def make(:\n", "{0}.py, line 13: SyntaxError: "),
    "factory": (
        "def make():\n    return {}['weights']\n",
        "{0}.py, line 14, in make: KeyError: 'weights'$",
    ),
    "forward": (
        "class Sure(Net):\n    def scores(self, found):\n        assert found is None\n"
        "def make():\n    return Sure()\n",
        r"{0}.py, line 15, in scores: AssertionError \(the network is called with "
        r"\[clips, frames, 3, H, W\] = \[2, 2, 3, 8, 8\]: transpose\(1, 2\) for torchvision's",
    ),
    "axes": (
        "class First(Net):\n    def forward(self, video):\n"
        "        return torch.nn.functional.conv3d(video, torch.zeros(1, 3, 1, 1, 1))\n"
        "def make():\n    return First()\n",
        r"{0}.py, line 15, in forward: RuntimeError: .*to have 3 channels, but got 2 channels "
        r".*\(the network is called with",
    ),
    "predict": (
        "class Asked(Net):\n    def predict(self, batch):\n        return batch['masks']\n"
        "def make():\n    return Asked()\n",
        "{0}.py, line 15, in predict: KeyError: 'masks'$",
    ),
    "library": (
        "def make():\n    return torch.nn.Linear(4, 2)\n", r"{0}:make: RuntimeError: .*mat1",
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", RAISED)
def test_what_the_users_code_raises_is_theirs(what: str, written: Write) -> None:
    text, expected = RAISED[what]
    name = written(text)
    with pytest.raises(SbtoolsError, match=f"^{expected.format(name)}") as caught:
        if what == "predict":
            model: Any = open_model(f"{name}:make", ["a", "b"])
            model.predict({"id": ["x"], "video": None})
        asked(f"{name}:make")
    assert caught.value.exit_code == 1
    assert caught.value.__cause__ is not None


WRONG = {
    "return None": (
        "    Net()\n", "{0}:make returns nothing: end it in return, and the network"),
    "a number": ("    return 3\n", "{0}:make returns a int, which takes no video: return the "),
    "a tuple": (
        "    return lambda video: (video, video)\n",
        "{0}:make gives a tuple of 2, not scores [clips, classes]: return one of them, as in "
        "found[0]"),
    "a dict": (
        "    return lambda video: {'scores': video, 'loss': 0}\n",
        "{0}:make gives a dict of scores, loss, not scores [clips, classes]: return one of its "
        "values, as in found['scores']"),
    "nothing of videos": (
        "    return lambda video: None\n",
        "{0}:make gives nothing, not scores [clips, classes]: end its forward in return"),
    "frames as clips": (
        "    return lambda video: video.flatten(0, 1).mean((2, 3))[:, :2]\n",
        "{0}:make gives a tensor [4, 2] of 2 clips, not scores [clips, classes]: return a row"),
    "three dimensions": (
        "    return lambda video: video[:, :, :2, 0, 0]\n", "{0}:make gives a tensor [2, 2, 2] of"),
    "another number of classes": (
        "    return lambda video: video.mean((1, 3, 4))\n",
        "{0}:make gives 3 scores for 2 classes: name its own, in their order, --classes FILE"),
    "typo in a recipe": (
        "    net = Net()\n    net.recipe = {'normalize': 'clip'}\n    return net\n",
        "{0}:make: recipe has no field 'normalize': did you mean normalise?"),
    "strange field": (
        "    net = Net()\n    net.recipe = {'colour': 'clip'}\n    return net\n",
        f"{{0}}:make: recipe has no field 'colour'; it has {', '.join(FIELDS)}"),
    "unknown constants": (
        "    net = Net()\n    net.recipe = {'normalise': 'mine'}\n    return net\n",
        "{0}:make: recipe: normalise is imagenet, clip, kinetics, slowfast, half, not 'mine'"),
    "size as text": (
        "    net = Net()\n    net.recipe = {'size': '112'}\n    return net\n",
        "{0}:make: recipe: size is a whole number, not '112'"),
    "size as a pair": (
        "    net = Net()\n    net.recipe = {'size': [112, 112]}\n    return net\n",
        "{0}:make: recipe: size is a whole number, not [112, 112]"),
    "recipe of another kind": (
        "    net = Net()\n    net.recipe = 'kinetics'\n    return net\n",
        "{0}:make: recipe is a dict, as in {{\"normalise\": \"kinetics\", \"size\": 112}}, or an "
        "object that has such fields, not a str"),
    "frames": (
        "    net = Net()\n    net.frames = '16'\n    return net\n",
        "{0}:make: frames is a whole number above 0, not '16'"),
    "classes": (
        "    net = Net()\n    net.classes = 'walk'\n    return net\n",
        "{0}:make: classes are a list of names, not 'walk'"),
    "a number of classes": (
        "    net = Net()\n    net.classes = 2\n    return net\n",
        "{0}:make: classes are a list of names, not 2"),
}  # fmt: skip


@pytest.mark.parametrize("what", WRONG)
def test_what_a_factory_gives_that_is_no_model(what: str, written: Write) -> None:
    body, expected = WRONG[what]
    name = written(f"def make():\n{body}")
    with pytest.raises(UsageError) as caught:
        asked(f"{name}:make")
    assert str(caught.value).startswith(expected.replace("{{", "{").replace("}}", "}")
                                        .replace("{0}", name))  # fmt: skip


def test_what_a_name_names_is_told(written: Write) -> None:
    name = written("def make():\n    return Net()\n\nnet = Net()\n")
    for text, expected in {
        f"{name}:mak": f"--model {name}:mak: {name} has no 'mak'; it has Net, make",
        f"{name}:": f"{name} has no 'such'; it has Net, make",
        f"{name}:net": f"{name}:net is a Net, not a function: name one that makes the network, "
        "as in def make(): return net",
        f"{name}.py:make": f"names a file: cd to its folder, and --model {name}:make",
        f"folder/{name}.py:make": f"names a file: cd to its folder, and --model {name}:make",
        "no_such_module:make": "cannot be imported (No module named 'no_such_module')",
        ":make": "it is module:factory, looked for in the working directory",
    }.items():
        with pytest.raises(UsageError, match=re.escape(expected)):
            open_model(text, ["a", "b"])


def test_settings_of_a_factory_name_their_option(written: Write) -> None:
    name = written("def make(width):\n    return Net()\n")
    with pytest.raises(UsageError, match=r"needs the setting width: --set-model width=\.\.\."):
        open_model(f"{name}:make", ["a", "b"])


KINETICS = {"normalise": "kinetics", "size": 112, "short": 128}


@pytest.mark.parametrize(
    "given", [KINETICS, Recipe(**KINETICS), SimpleNamespace(**KINETICS), type("R", (), KINETICS)]
)  # fmt: skip
def test_a_recipe_is_a_dict_or_an_object(given: Any) -> None:
    assert Recipe.told(given) == Recipe("kinetics", 112, 128)


def test_an_object_with_a_strange_field_is_refused() -> None:
    with pytest.raises(UsageError, match="no field 'crops': did you mean crop"):
        Recipe.told(SimpleNamespace(size=112, crops=3))


def test_every_field_of_a_recipe_is_in_the_table() -> None:
    assert list(FIELDS) == list(Recipe().describe())


def test_without_a_recipe_it_is_said_how_clips_are_shown(
    written: Write, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    name = written("def make():\n    return lambda video: video.mean((1, 3, 4))[:, :2]\n")
    model = open_model(f"{name}:make", ["a", "b"])
    assert model.recipe == Recipe() and model.frames == 8
    assert "shown to it at 224 pixels, normalised as for imagenet" in caplog.text


BACKBONES = {
    "return None": ("    Net()\n", UsageError, "returns nothing: only an nn.Module is trained"),
    "a function": ("    return len\n", UsageError, "returns a builtin_function_or_method: only an"),
    "forward": (
        "    return torch.nn.Linear(4, 2)\n", SbtoolsError,
        r"^{0}:make: RuntimeError: .* \(the network is called with \[clips, frames, 3, H, W\] = "
        r"\[1, 2, 3, 224, 224\]: transpose"),
    "a tuple": (
        "    class Two(Net):\n        def scores(self, found):\n            return found, found\n"
        "    return Two()\n", UsageError,
        r"gives a tuple of 2, not features \[clips, D\] or scores \[clips, classes\]: return one"),
}  # fmt: skip


@pytest.mark.parametrize("what", BACKBONES)
def test_a_backbone_of_the_users_is_told_alike(what: str, written: Write) -> None:
    body, kind, expected = BACKBONES[what]
    name = written(f"def make():\n{body}")
    with pytest.raises(SbtoolsError, match=expected.format(name)) as caught:
        models.build("linear", ["a", "b"], frames=2, backbone=f"{name}:make")
    assert type(caught.value) is kind


def test_running_out_of_memory_stays_what_it_is(written: Write) -> None:
    """The evaluation takes fewer clips at once then."""
    full = "def full(video):\n    raise torch.OutOfMemoryError('full')\n"
    name = written(f"{full}def make():\n    return full\n")
    with pytest.raises(torch.OutOfMemoryError):
        asked(f"{name}:make")
