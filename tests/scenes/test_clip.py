"""Zero-shot scores of scenes against open_clip's own model, and transformers'."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import open_clip
import pytest
import torch
from PIL import Image

from sbtools.errors import UsageError
from sbtools.scenes.base import Shown
from sbtools.scenes.clip import ZeroShot
from tests.models.hf_made import dual_folder
from tests.models.towers_made import SIZE, library, openai
from tests.scenes.made import picture, ran, rows

NAMES = ["airfield", "apartment_building/outdoor", "bow_window/indoor", "kitchen"]
READ = ["airfield", "apartment building outdoor", "bow window indoor", "kitchen"]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("clip")
    openai(root / "ViT.pt")
    (root / "names").write_text("\n".join(NAMES))
    return root


def expected(frame: np.ndarray, template: str = "a photo of a {}.") -> np.ndarray:
    """open_clip's forward pass in float64, its transform, its tokens; the softmax by hand."""
    show = open_clip.image_transform(
        SIZE, is_train=False, mean=open_clip.OPENAI_DATASET_MEAN, std=open_clip.OPENAI_DATASET_STD
    )
    texts = open_clip.tokenize([template.replace("{}", text) for text in READ])
    with torch.no_grad():
        found = library()(show(Image.fromarray(frame))[None].double(), texts)
    image, text, scale = found[:3]
    logits = (scale * image @ text.T)[0].numpy()
    exponents = np.exp(logits - logits.max())
    return exponents / exponents.sum()


def test_scores_are_those_of_open_clip(home: Path, tmp_path: Path) -> None:
    frames = [picture(n, 40 + 9 * n, 70 - 7 * n) for n in range(5)]
    for n, frame in enumerate(frames):
        Image.fromarray(frame).save(tmp_path / f"{n}.png")
    records = [{"id": str(n), "video": f"{n}.png"} for n in range(5)]
    scorer = ZeroShot(str(home / "ViT.pt"), str(home / "names"), device="cpu", batch="2")
    found = rows(ran(records, tmp_path, scorer), tmp_path)
    wanted = np.stack([expected(frame) for frame in frames])
    got = np.stack([np.frombuffer(found[str(n)], np.float32) for n in range(5)])
    np.testing.assert_allclose(got, wanted, rtol=1e-4, atol=1e-6)
    assert np.ptp(wanted, axis=0).max() > 0.01 and np.ptp(wanted, axis=1).min() > 0.01


def test_another_template_gives_other_scores(home: Path) -> None:
    template, frame = "a video frame of {}", picture(3, 50, 60)
    scorer = ZeroShot(str(home / "ViT.pt"), str(home / "names"), template, device="cpu")
    found = scorer.score([Shown({"id": "a"}, scorer.prepare(frame))])[0]
    np.testing.assert_allclose(found, expected(frame, template), rtol=1e-4, atol=1e-6)
    assert np.abs(found - expected(frame)).max() > 1e-3
    assert scorer.describe()["template"] == template


def test_the_text_tower_reads_each_of_365_scenes_once(home: Path) -> None:
    scorer = ZeroShot(str(home / "ViT.pt"), device="cpu", batch="2")
    network, plain, read = scorer.towers.network, scorer.towers.network.encode_text, []

    def counted(tokens: Any) -> Any:
        read.append(len(tokens))
        return plain(tokens)

    network.encode_text = counted
    shown = [Shown({"id": str(n)}, scorer.prepare(picture(n))) for n in range(3)]
    first = scorer.score(shown)
    scorer.score(shown)
    assert sum(read) == len(scorer.names) == first.shape[1] == 365
    np.testing.assert_allclose(first.sum(1), 1, rtol=1e-5)


def test_texts_and_scores_are_the_same_bytes_with_several_threads(home: Path) -> None:
    found = []
    for threads in (1, 3):
        scorer = ZeroShot(str(home / "ViT.pt"), device="cpu", batch="4")
        scorer.forward._threads = threads
        shown = [Shown({"id": str(n)}, scorer.prepare(picture(n))) for n in range(4)]
        found.append(scorer.score(shown).tobytes())
    assert found[0] == found[1]


def test_a_folder_of_transformers_scores_as_the_library_does(tmp_path: Path) -> None:
    folder, names = tmp_path / "hf", ["run", "jump_wave", "wave/run"]
    (tmp_path / "names").write_text("\n".join(names))
    network = dual_folder("clip", folder)
    scorer = ZeroShot(str(folder), str(tmp_path / "names"), device="cpu")
    image = scorer.prepare(picture(1, 64, 64))
    found = scorer.score([Shown({"id": "a"}, image)])[0]
    import transformers

    words = transformers.AutoTokenizer.from_pretrained(folder)
    read = [f"a photo of a {text}." for text in ("run", "jump wave", "wave run")]
    texts = words(read, padding=True, return_tensors="pt")
    mean, std = (torch.tensor(v).view(3, 1, 1) for v in (open_clip.OPENAI_DATASET_MEAN,
                                                         open_clip.OPENAI_DATASET_STD))  # fmt: skip
    pixels = (torch.from_numpy(image.copy()).permute(2, 0, 1) / 255 - mean) / std
    with torch.no_grad():
        wanted = network(pixel_values=pixels[None], **texts).logits_per_image.softmax(-1)[0]
    np.testing.assert_allclose(found, wanted.numpy(), rtol=1e-4)
    assert np.ptp(found) > 1e-3


def test_what_cannot_be_used_is_told(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SBTOOLS_WEIGHTS", "")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with pytest.raises(UsageError, match="sbtools weights fetch clip-vit-b-32, or --weights PATH"):
        ZeroShot().describe()
    with pytest.raises(UsageError, match="has no place for the scene"):
        ZeroShot(template="a photo")
    with pytest.raises(UsageError, match="on this machine: sbtools weights fetch clip-vit-b-32"):
        ZeroShot("ViT-B-32").describe()
    with pytest.raises(UsageError, match="there are no weights at"):
        ZeroShot(str(tmp_path / "none")).describe()
