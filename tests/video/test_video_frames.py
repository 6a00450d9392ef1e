from __future__ import annotations

import subprocess
import sys
from fractions import Fraction
from math import floor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sbtools.errors import UsageError
from sbtools.video.frames import FrameRule


@pytest.mark.parametrize("text", ["8", "1", "segments:8x4", "all", "every:2", "every:1"])
def test_text_comes_back(text: str) -> None:
    assert str(FrameRule.parse(text)) == text


@pytest.mark.parametrize("text", ["08", "every:02", "segments:08x04"])
def test_text_is_canonical(text: str) -> None:
    assert str(FrameRule.parse(text)) == text.replace("0", "")


@pytest.mark.parametrize(
    "text",
    (
        "0|-1|8.0||8 | 8|8\n|every:0|every:|every|segments:8|segments:0x4|segments:8x0|segments:8x|"
        "All|8x4|\u0668|1e3|99999999999999999999"
    ).split("|"),
)
def test_other_texts_are_refused(text: str) -> None:
    with pytest.raises(UsageError, match="frames: "):
        FrameRule.parse(text)


def test_eight_of_three_hundred_by_hand() -> None:
    # 300 / 8 = 37.5 a step, 18.75 to begin with
    wanted = [18, 56, 93, 131, 168, 206, 243, 281]
    assert FrameRule.parse("8").choose(range(300)) == wanted


def test_short_clips_by_hand() -> None:
    assert FrameRule.parse("8").choose([]) == []
    assert FrameRule.parse("8").choose([5]) == [5]
    assert FrameRule.parse("8").choose([4, 7, 9]) == [4, 7, 9]
    assert FrameRule.parse("1").choose([4, 7, 9]) == [7]


@given(st.integers(0, 400), st.integers(1, 40), st.integers(0, 1000))
def test_uniform_is_the_published_formula(count: int, frames: int, first: int) -> None:
    numbers = range(first, first + count)
    step = Fraction(count, frames)
    formula = [floor(i * step + step / 2) for i in range(frames)] if count else []
    assert FrameRule.parse(str(frames)).choose(numbers) == [first + i for i in sorted(set(formula))]


@given(st.integers(0, 200), st.integers(1, 50))
def test_every(count: int, step: int) -> None:
    assert FrameRule.parse(f"every:{step}").choose(range(count)) == list(range(0, count, step))
    assert FrameRule.parse("all").choose(range(count)) == list(range(count))


@given(st.integers(0, 200), st.integers(1, 12), st.integers(1, 6), st.integers(0, 9))
def test_segments(count: int, segments: int, each: int, seed: int) -> None:
    rule = FrameRule.parse(f"segments:{segments}x{each}")
    chosen = rule.choose(range(count), np.random.default_rng(seed))
    assert chosen == sorted(set(chosen))
    assert chosen == rule.choose(range(count), np.random.default_rng(seed))
    for i in range(segments):
        segment = range(i * count // segments, (i + 1) * count // segments)
        assert len([n for n in chosen if n in segment]) == min(each, len(segment))


def test_segments_reach_every_frame_and_need_a_generator() -> None:
    rule = FrameRule.parse("segments:2x1")
    seen = {n for seed in range(200) for n in rule.choose(range(8), np.random.default_rng(seed))}
    assert seen == set(range(8))
    assert rule.random and not FrameRule.parse("8").random
    with pytest.raises(ValueError, match="needs a generator"):
        rule.choose(range(8))


def test_rules_and_suffixes_need_no_heavy_module() -> None:
    code = (
        "import sys; from sbtools.video import FrameRule, VIDEO_SUFFIXES, digest, is_frame_folder; "
        "FrameRule.parse('segments:8x4'); is_frame_folder('/'); "
        "sys.exit(bool({'av', 'cv2', 'numpy', 'torch', 'h5py'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_names_are_loaded_on_use() -> None:
    import sbtools.video as video

    for name in video.__all__:
        assert getattr(video, name) is getattr(video, name)
    with pytest.raises(AttributeError, match="nothing"):
        video.nothing  # noqa: B018
