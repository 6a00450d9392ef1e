"""Which SAM a .pth file holds, and files that hold none."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from segment_anything import sam_model_registry

from sbtools.errors import DamagedError, SbtoolsError, UsageError
from sbtools.segment.sam_weights import OFFICIAL, Anatomy, anatomy, build, load
from tests.cli.running import environment
from tests.segment import small_sam


@pytest.fixture(scope="module")
def state() -> dict[str, torch.Tensor]:
    return small_sam.small().state_dict()


def refused(path: Path, content: Any) -> str:
    """The message with which a file is refused; it is one line."""
    torch.save(content, path)
    with pytest.raises(SbtoolsError) as caught:
        load(str(path))
    damaged = "is damaged" in str(caught.value)
    assert type(caught.value) is (DamagedError if damaged else UsageError)
    assert "\n" not in str(caught.value) and str(path) in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("name", ["vit_b", "vit_l", "vit_h"])
def test_official_types_are_told_from_shapes(name: str) -> None:
    with torch.device("meta"):
        theirs = sam_model_registry[name]()
        ours = build(OFFICIAL[name])
    found = anatomy(theirs.state_dict())
    assert found == OFFICIAL[name] and found.name == name
    shapes = [{k: v.shape for k, v in model.state_dict().items()} for model in (theirs, ours)]
    assert shapes[0] == shapes[1]
    assert found.heads == theirs.image_encoder.blocks[0].attn.num_heads
    windows = [block.window_size for block in theirs.image_encoder.blocks]
    assert windows == [block.window_size for block in ours.image_encoder.blocks]


@pytest.mark.parametrize(
    "body", [Anatomy(24, 3, 2, (0, 2), 5, 8, 8), Anatomy(16, 1, 4, (0,), 14, 6), small_sam.SMALL]
)
def test_other_sizes_are_told_from_shapes(body: Anatomy) -> None:
    with torch.device("meta"):
        assert anatomy(build(body).state_dict()) == body
    assert body.name == f"vit_{body.dim}x{body.depth}"


def test_the_model_holds_what_the_file_holds(tmp_path: Path) -> None:
    model = small_sam.official()
    loaded, body = load(small_sam.save(model, tmp_path / "sam.pth"))
    assert body == Anatomy(32, 2, 2, (1,))
    wanted = {**model.state_dict(), **dict(model.named_buffers())}
    found = {**loaded.state_dict(), **dict(loaded.named_buffers())}
    assert found.keys() == wanted.keys()
    for name, value in wanted.items():
        assert torch.equal(found[name], value), name
    assert not loaded.training


def test_half_precision_files_are_widened(state: dict[str, Any], tmp_path: Path) -> None:
    torch.save({key: value.half() for key, value in state.items()}, tmp_path / "half.pth")
    loaded, _ = load(str(tmp_path / "half.pth"))
    assert {value.dtype for value in loaded.state_dict().values()} == {torch.float32}


def test_keys_that_differ_are_named(state: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "sam.pth"
    less = {key: value for key, value in state.items() if "iou_token" not in key}
    assert "missing: mask_decoder.iou_token.weight" in refused(path, less)
    more = {**state, "head.bias": torch.zeros(2)}
    assert "unexpected: head.bias" in refused(path, more)
    bent = {**state, "mask_decoder.iou_token.weight": torch.zeros(1, 9)}
    assert "of another shape: mask_decoder.iou_token.weight [1, 9]" in refused(path, bent)
    decoder = {key: value for key, value in state.items() if "decoder" not in key}
    assert " more" in refused(path, decoder)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"image_encoder.pos_embed": None}, "it has no image_encoder.pos_embed"),
        ({"image_encoder.pos_embed": torch.zeros(4)}, "has 1 axes, not 4"),
        ({"image_encoder.blocks.1.attn.rel_pos_h": None}, "it has no image_encoder.blocks.1"),
        ({"image_encoder.blocks.0.attn.rel_pos_h": torch.zeros(13, 5)}, "its blocks are not"),
        ({"image_encoder.blocks.0.attn.rel_pos_h": torch.zeros(13, 0)}, "its blocks are not"),
    ],
)
def test_encoders_that_are_none(
    state: dict[str, Any], change: dict[str, Any], message: str, tmp_path: Path
) -> None:
    changed = {k: v for k, v in {**state, **change}.items() if v is not None}
    assert message in refused(tmp_path / "sam.pth", changed)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"visual.conv1.weight": torch.zeros(1)}, "holds no SAM: it has no image_encoder"),
        ({}, "holds no SAM: it has no image_encoder"),
        ({"model": {"a": torch.zeros(1)}}, "not a plain table of tensors"),
        ({1: torch.zeros(1)}, "not a plain table of tensors"),
        ([1, 2], "not a plain table of tensors"),
        (Path("x"), "is damaged, or holds more than weights"),
    ],
)
def test_other_torch_files(content: Any, message: str, tmp_path: Path) -> None:
    assert message in refused(tmp_path / "other.pth", content)


class Trap:
    """Runs a command when unpickled by something careless."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.path),)


def test_code_in_a_file_does_not_run(tmp_path: Path) -> None:
    sprung = tmp_path / "sprung"
    assert "is damaged, or holds" in refused(tmp_path / "trap.pth", {"a": Trap(sprung)})
    (tmp_path / "plain.pth").write_bytes(pickle.dumps(Trap(sprung)))
    with pytest.raises(DamagedError, match="is damaged, or holds"):
        load(str(tmp_path / "plain.pth"))
    assert not sprung.exists()


def test_files_that_are_not_torch(state: dict[str, Any], tmp_path: Path) -> None:
    whole = tmp_path / "whole.pth"
    torch.save(state, whole)
    cut = tmp_path / "cut.pth"
    for data in (whole.read_bytes()[:-5000], b"", b"text", b"\x80\x02}"):
        cut.write_bytes(data)
        with pytest.raises(DamagedError, match=r"cut\.pth is damaged, or holds"):
            load(str(cut))
    with pytest.raises(UsageError, match=r"there are no weights at .*absent"):
        load(str(tmp_path / "absent.pth"))
    with pytest.raises(UsageError, match="is a folder"):
        load(str(tmp_path))


def test_a_torchvision_of_another_build_is_named(tmp_path: Path) -> None:
    (tmp_path / "torchvision").mkdir()
    broken = "raise RuntimeError('operator torchvision::nms does not exist\\nmore')\n"
    (tmp_path / "torchvision" / "__init__.py").write_text(broken)
    env = environment()
    env["PYTHONPATH"] = f"{tmp_path}{os.pathsep}{env['PYTHONPATH']}"
    code = (
        "from sbtools.segment.sam import SamSegmenter\n"
        "from sbtools.errors import UsageError\n"
        "try: SamSegmenter('x.pth', device='cpu')\n"
        "except UsageError as error: print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, check=True)
    (line,) = done.stdout.decode().splitlines()
    assert "operator torchvision::nms does not exist" in line
    assert f"belongs to torch {torch.__version__}: pip install" in line
    code = "import sys, sbtools.segment.sam; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, check=True)
    assert done.stdout.split() == [b"False"]
