from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from video_clips import encode, make, pictures


@pytest.fixture(scope="session")
def stream(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Makes each stream of video_clips.STREAMS once a session."""
    folder = tmp_path_factory.mktemp("streams")
    return lambda name: folder / name if (folder / name).exists() else make(folder, name)


@pytest.fixture(scope="session")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """50 frames of H.264 in mp4, three GOPs, B-frames."""
    path = tmp_path_factory.mktemp("plain") / "plain.mp4"
    return encode(path, pictures(50), options={"g": "20", "bf": "2"})


@pytest.fixture(scope="session")
def real() -> Path:
    """The folder of real clips, which are no part of the project."""
    beside = Path(__file__).parents[3] / "shared" / "clips"
    folder = Path(os.environ.get("SBTOOLS_TEST_CLIPS", beside))
    if not folder.is_dir():
        pytest.skip(f"no real clips: {folder} (set SBTOOLS_TEST_CLIPS)")
    return folder
