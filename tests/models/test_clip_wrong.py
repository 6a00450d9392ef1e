"""Files that are not what they should be."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from sbtools.errors import DamagedError, SbtoolsError, UsageError
from sbtools.models import clip
from sbtools.models.arch import ARCHES
from sbtools.models.archive import Archive
from tests.models import towers_made as made

torch.set_num_threads(1)


def test_each_missing_and_unexpected_tensor_is_named(tmp_path: Path) -> None:
    state = made.state()
    for key in ("ln_final.bias", "visual.transformer.resblocks.1.ln_2.weight"):
        del state[key]
    state["visual.odd"] = torch.zeros(1)
    state["visual.proj"] = state["visual.proj"][1:].clone()
    torch.save(state, tmp_path / "wrong.pt")
    with pytest.raises(UsageError) as caught:
        clip.load(str(tmp_path / "wrong.pt"), gelu="quick")
    told = str(caught.value)
    assert "missing: visual.transformer.resblocks.1.ln_2.weight, ln_final.bias;" in told
    assert "unexpected: visual.odd" in told and "\n" not in told
    assert "of another shape: visual.proj [127, 48] for [128, 48]" in told


WRONG: dict[str, tuple[Any, str]] = {
    "another model": ({"conv1.weight": torch.zeros(2)}, "holds no CLIP: it begins with conv1"),
    "transformers": ({"vision_model.x": torch.zeros(2)}, "the layout of transformers"),
    "a ResNet": (
        {"visual.attnpool.positional_embedding": torch.zeros(2, 2)},
        "a CLIP with a ResNet, which sbtools does not have",
    ),
    "a list": ([torch.zeros(2)], "it is not a table of tensors by name"),
    "numbers for names": ({1: torch.zeros(2)}, "there are no tensors by name in it"),
    "no blocks": (
        {
            "visual.conv1.weight": torch.zeros(2, 3, 4, 4),
            "visual.positional_embedding": torch.zeros(5, 2),
            "visual.class_embedding": torch.zeros(2),
            "token_embedding.weight": torch.zeros(9, 2),
            "text_projection": torch.zeros(2, 2),
        },
        r"it has no visual.transformer.resblocks.0",
    ),
    "prompts of two sizes": (
        {
            "image_encoder.VPT": torch.zeros(2, 4),
            "image_encoder.transformer.resblocks.1.VPT_shallow": torch.zeros(3, 4),
            "image_encoder.proj": torch.zeros(4, 4),
        },
        "prompts of different sizes",
    ),
    "nothing": ({}, "there are no tensors by name in it"),
    "half a CLIP": ({"visual.conv1.weight": torch.zeros(2, 3, 4, 4)}, "it has no visual.pos"),
    "odd axes": ({"visual.conv1.weight": torch.zeros(2)}, "has 1 axes, not 4"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_file_is_one_clear_line(tmp_path: Path, name: str) -> None:
    content, message = WRONG[name]
    torch.save(content, tmp_path / "x.pt")
    with pytest.raises(UsageError, match=message) as caught:
        clip.load(str(tmp_path / "x.pt"), gelu="quick")
    assert "x.pt" in str(caught.value) and "\n" not in str(caught.value)


def test_other_files_are_no_weights(tmp_path: Path) -> None:
    (tmp_path / "x.pt").write_text("<html>not found</html>")
    with pytest.raises(UsageError, match="neither a file of torch nor safetensors"):
        clip.load(str(tmp_path / "x.pt"))
    with pytest.raises(UsageError, match=r"without open_clip_model.safetensors"):
        clip.load(str(tmp_path))
    with zipfile.ZipFile(tmp_path / "y.pt", "w") as file:
        file.writestr("readme", "x")
    with pytest.raises(DamagedError, match="torch did not write it"):
        clip.load(str(tmp_path / "y.pt"))


@pytest.mark.parametrize("change", [{"layers": 10**9}, {"width": "96"}, {"odd": 1}])
def test_a_header_that_lies_is_refused(tmp_path: Path, change: dict[str, Any]) -> None:
    model = clip.random(ARCHES["tiny"])
    told = {"sbtools": json.dumps({"format": "sbtools-clip", "arch": {**model.arch, **change}})}
    state = {key: value.contiguous() for key, value in model.state_dict().items()}
    save_file(state, tmp_path / "x.safetensors", told)
    with pytest.raises(SbtoolsError, match=r"header|not known|damaged"):
        clip.load(str(tmp_path / "x.safetensors"))


def test_the_same_weights_are_the_same_bytes(tmp_path: Path) -> None:
    write = "import sys; from sbtools.models import clip; from sbtools.models.arch import ARCHES; "
    write += "clip.save(clip.random(ARCHES['tiny'], 3), sys.argv[1])"
    for name in "ab":
        subprocess.run([sys.executable, "-c", write, tmp_path / name], check=True)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


class Bomb:
    """What a hostile pickle asks for."""

    def __init__(self, call: Any, *given: Any) -> None:
        self.asked = (call, given)

    def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
        return self.asked


@pytest.mark.parametrize("zipped", [True, False])
def test_a_bomb_does_not_go_off(tmp_path: Path, zipped: bool) -> None:
    mark = tmp_path / "mark"
    for bomb in (Bomb(os.mkdir, str(mark)), Bomb(eval, f"open({str(mark)!r}, 'w')")):
        held = {**made.state(), "config": bomb}
        torch.save(held, tmp_path / "x.pt", _use_new_zipfile_serialization=zipped)
        with pytest.raises(DamagedError, match="convert it to safetensors"):
            clip.load(str(tmp_path / "x.pt"))
        assert not mark.exists()


@pytest.mark.parametrize(
    "content",
    [
        b"\x80\x02ctorch\nload\n.",
        b"\x80\x02ctorch\nhub\n.",
        b"\x80\x02cbuiltins\ngetattr\n.",
        b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\n)R.",
        b"\x80\x02ccollections\nOrderedDict\n(K\x01K\x02tR.",
        b"\x80\x02]q\x00(h\x00h\x00e.",
        b"\x80\x02}",
        b"",
    ],
)
def test_odd_pickles_are_damaged_files(tmp_path: Path, content: bytes) -> None:
    with zipfile.ZipFile(tmp_path / "x.pt", "w") as file:
        file.writestr("x/data.pkl", content)
    with pytest.raises(SbtoolsError) as caught:
        clip.load(str(tmp_path / "x.pt"))
    assert "\n" not in str(caught.value)


def test_a_program_of_endless_modules_is_refused(tmp_path: Path) -> None:
    path = made.scripted(tmp_path / "jit.pt", True)
    endless = b"\x80\x02c__torch__\nA\n)\x81q\x00}X\x01\x00\x00\x00xh\x00sb."
    with zipfile.ZipFile(path) as file, zipfile.ZipFile(tmp_path / "x.pt", "w") as other:
        for info in file.infolist():
            change = info.filename.endswith("/data.pkl")
            other.writestr(info, endless if change else file.read(info))
    with pytest.raises(DamagedError, match="more than 10000 tables"):
        clip.load(str(tmp_path / "x.pt"))


def _small(path: Path) -> Path:
    """A file of one tensor, [2, 3]."""
    torch.save({"visual.x": torch.arange(6.0).view(2, 3)}, path)
    return path


@pytest.mark.parametrize("shape", [(2, 4), (7,), (10**9, 10**9)])
def test_a_tensor_beyond_its_storage_is_refused(tmp_path: Path, shape: tuple[int, ...]) -> None:
    path = _small(tmp_path / "x.pt")
    with Archive(str(path)) as archive:
        (stored,) = archive.content.values()
        whole = archive.tensors({"a": stored})["a"]
        assert torch.equal(whole, torch.arange(6.0).view(2, 3))
        strides = tuple(int(torch.tensor(shape[i + 1 :]).prod()) for i in range(len(shape)))
        wrong = type(stored)(stored.key, stored.dtype, 0, shape, strides)
        with pytest.raises(DamagedError, match="larger than its storage"):
            archive.tensors({"a": wrong})
        for offset in (-1, 1):
            moved = type(stored)(stored.key, stored.dtype, offset, (2, 3), (3, 1))
            with pytest.raises(DamagedError, match="larger than its storage"):
                archive.tensors({"a": moved})
        wide = type(stored)(stored.key, stored.dtype, 0, (10**6, 10**6), (0, 0))
        with pytest.raises(DamagedError, match="larger than its storage"):
            archive.tensors({"a": wide})


def test_cut_files_are_told(tmp_path: Path) -> None:
    path = _small(tmp_path / "x.pt")
    data = path.read_bytes()
    for part in range(1, 10):
        path.write_bytes(data[: len(data) * part // 10])
        with pytest.raises(SbtoolsError):
            clip.load(str(path))


@pytest.mark.parametrize("kind", ["pt", "safetensors"])
def test_flipped_bits_never_crash(tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"x.{kind}"
    state = {"visual.x": torch.arange(64.0)}
    torch.save(state, path) if kind == "pt" else save_file(state, path)
    data, drawn = path.read_bytes(), random.Random(5)
    for _ in range(300):
        place = drawn.randrange(len(data))
        changed = bytearray(data)
        changed[place] ^= 1 << drawn.randrange(8)
        path.write_bytes(changed)
        with pytest.raises(SbtoolsError):
            clip.load(str(path), gelu="quick")


def test_a_flipped_weight_in_a_torch_file_is_seen(tmp_path: Path) -> None:
    path = _small(tmp_path / "x.pt")
    with zipfile.ZipFile(path) as file:
        start = next(i for i in file.infolist() if i.filename.endswith("/data/0")).header_offset
    data = bytearray(path.read_bytes())
    place = data.index(torch.arange(6.0).numpy().tobytes(), start)
    data[place + 9] ^= 1
    path.write_bytes(data)
    with Archive(str(path)) as archive, pytest.raises(DamagedError, match="CRC"):
        archive.tensors(archive.content)


def test_what_training_code_keeps_beside_weights_is_read_past(tmp_path: Path) -> None:
    import argparse
    from collections import defaultdict

    import numpy as np

    held = {
        **made.vifi(made.state()),
        "args": argparse.Namespace(lr=1.0),
        "best": np.float64(70.5),
        "seen": defaultdict(None, {1: 2}),
    }
    torch.save(held, tmp_path / "x.pth")
    torch.save(made.state(), tmp_path / "base.pt")
    model = clip.load(str(tmp_path / "x.pth"), base=str(tmp_path / "base.pt"))
    assert model.source["format"] == "vificlip"
