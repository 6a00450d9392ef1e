"""Places365's scores against torchvision's own ResNet and transforms, from files as released."""

from __future__ import annotations

import pickletools
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from torchvision import models, transforms

from sbtools.errors import DamagedError, SbtoolsError, UsageError
from sbtools.scenes import released
from sbtools.scenes.base import Shown
from sbtools.scenes.places365 import Places365
from sbtools.store import Stores
from tests.scenes import python2
from tests.scenes.made import image_folder, picture, ran, resnet

DEMO = transforms.Compose([
    transforms.Resize((256, 256)), transforms.CenterCrop(224), transforms.ToTensor(),
    transforms.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]),
])  # fmt: skip
"""run_placesCNN_basic.py of CSAILVision/places365."""


def expected(arch: str, frame: np.ndarray) -> np.ndarray:
    with torch.no_grad():
        return resnet(arch)(DEMO(Image.fromarray(frame))[None]).softmax(1)[0].numpy()


@pytest.fixture(scope="module")
def official(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("official") / "resnet18_places365.pth.tar"
    return python2.save(path, resnet("resnet18").state_dict(), "resnet18")


def test_the_file_is_one_of_python_2(official: Path) -> None:
    with open(official, "rb") as file:
        codes = [[(code.name, value) for code, value, _ in pickletools.genops(file)]
                 for _ in range(4)]  # fmt: skip
    assert ("SHORT_BINSTRING", "caf\xe9") in codes[3] and ("PROTO", 2) in codes[3]
    assert not any("UNICODE" in name for part in codes for name, _ in part)
    with (
        pytest.warns(UserWarning, match="pickle_load_args"),
        pytest.raises(UnicodeDecodeError),
    ):
        torch.load(official, map_location="cpu", weights_only=True, encoding="ascii")


def test_scores_of_resnet18_are_those_of_the_demo_script(official: Path, tmp_path: Path) -> None:
    """The middle of five frames and of four, the frames of other shapes than square."""
    shown = {"five": [picture(n, 60, 90) for n in range(5)],
             "four": [picture(9 + n, 300, 260) for n in range(4)]}  # fmt: skip
    records = [{"id": name, "video": str(image_folder(tmp_path / name, frames)), "fps": 5.0}
               for name, frames in shown.items()]  # fmt: skip
    done = ran(records, tmp_path, Places365(str(official), device="cpu"))
    stores = Stores(str(tmp_path))
    for record, frames in zip(done, shown.values(), strict=True):
        found = stores.clip(record["scene_scores"]).features
        assert found.shape == (365,) and found.dtype == np.float32
        wanted = expected("resnet18", frames[len(frames) // 2])
        np.testing.assert_allclose(found, wanted, rtol=2e-4, atol=1e-7)
        assert wanted.max() > 2 * wanted.mean()  # else the softmax alone would pass
        others = expected("resnet18", frames[0])
        assert np.abs(found - others).max() > 0.01 * wanted.max()
    told = stores.part(stores.clip(done[0]["scene_scores"]).path).made["what"]
    assert told["names"][:2] == ["airfield", "airplane_cabin"] and len(told["names"]) == 365
    assert told["names"][8] == "apartment_building/outdoor" and told["names"][364] == "zen_garden"
    assert told["scorer"]["arch"] == "resnet18"


def test_scores_of_resnet50(tmp_path: Path) -> None:
    path = tmp_path / "resnet50_places365.pth.tar"
    python2.save(path, resnet("resnet50").state_dict(), "resnet50")
    frame = picture(3, 240, 320)
    scorer = Places365(str(path), arch="resnet50", device="cpu")
    found = scorer.score([Shown({"id": "a"}, scorer.prepare(frame))])
    np.testing.assert_allclose(found[0], expected("resnet50", frame), rtol=1e-3, atol=1e-7)


def test_safetensors_hold_the_same(official: Path, tmp_path: Path) -> None:
    save_file(dict(resnet("resnet18").state_dict()), tmp_path / "r18.safetensors")
    one, other = (released.read(str(p)) for p in (official, tmp_path / "r18.safetensors"))
    assert one.keys() == {name for name in other if not name.endswith("num_batches_tracked")}
    assert len(one) == 102 and all(torch.equal(one[name], other[name]) for name in one)
    network = released.resnet("resnet18", other, "r18.safetensors")
    assert torch.equal(network.fc.weight, resnet("resnet18").fc.weight)


class Program:
    """What no weights may bring."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return print, ("run",)


def wrong(case: str, official: Path, folder: Path) -> Places365:
    path, more = folder / "w.pth.tar", {}
    if case == "program":
        torch.save({"state_dict": {}, "x": Program()}, path)
    elif case == "cut":
        path.write_bytes(official.read_bytes()[:100000])
    elif case == "other":
        torch.save({"state_dict": {"features.0.weight": torch.zeros(1)}}, path)
    elif case == "no table":
        torch.save([1, 2], path)
    elif case == "wide":
        state = resnet("resnet18").state_dict()
        torch.save({**state, "layer1.0.conv1.weight": torch.zeros(4, 64, 3, 3)}, path)
    elif case == "names":
        (folder / "n").write_text("beach\nalley\n")
        path, more = official, {"names": str(folder / "n")}
    elif case == "arch":
        path, more = official, {"arch": "resnet50"}
    return Places365("" if case == "none" else str(path), **more)


@pytest.mark.parametrize(
    ("case", "kind", "text"),
    [
        ("none", UsageError, "--weights PATH"),
        ("missing", UsageError, "there are no weights at"),
        ("program", DamagedError, "save its state_dict as safetensors"),
        ("cut", DamagedError, "is cut, or"),
        ("other", UsageError, "holds no ResNet of torchvision .*features.0.weight"),
        ("no table", UsageError, "holds no table of tensors"),
        ("wide", UsageError, "does not fit a resnet18: .*layer1.0.conv1.weight"),
        ("names", UsageError, "has 365 outputs, --names .* has 2 names"),
        ("arch", UsageError, "holds a resnet18, not a resnet50"),
    ],
)
def test_what_cannot_be_used_is_told_in_one_line(
    case: str, kind: type[SbtoolsError], text: str, official: Path, tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    with pytest.raises(kind, match=text) as caught:
        wrong(case, official, tmp_path).describe()
    assert "\n" not in str(caught.value) and capsys.readouterr().out == ""


def test_archs_are_told_apart_by_their_blocks() -> None:
    """Blocks of two convolutions as many as resnet50 has of three."""
    with torch.device("meta"):
        state = models.resnet34(weights=None).state_dict()
    assert released.arch_of(state, "w") == "resnet34"
