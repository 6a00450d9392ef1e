"""Real clips, with the faults that real clips have. They stand beside the project."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from sbtools.errors import ClipError
from sbtools.video import FrameRule, open_video, probe

# Frames that decode, counted with OpenCV, but for the last.
COUNTS = {
    "actions/wave/TrumanShow_wave_f_nm_np1_fr_med_26.avi": 48,
    "actions/wave/SchoolRulesHowTheyHelpUs_wave_f_nm_np1_ba_med_0.avi": 74,
    "actions/cartwheel/hmdb51_Turnk_r_Pippi_Michel_cartwheel_f_cm_np2_le_med_6.avi": 83,
    "actions/juggle/v_SoccerJuggling_g23_c01.avi": 240,
    "actions/makeup/test.avi": 164,
    "actions/archery/example.avi": 131,
    "actions/pancake/flipping_a_pancake.mkv": 310,
    "asl/again.mkv": 77,
    "asl/bird.mkv": 63,
    "faults/h264_10bits.mp4": 30,
    "faults/h265_video.mp4": 10,
    "faults/unordered.mov": 4,
    "faults/video_0.mov": 3,
    "faults/video_90.mov": 3,
    "scenes/carphone_pristine.mp4": 120,
    "empty/pool.mp4": 300,
    "faults/nasa_13013.mp4": 390,
}


@pytest.mark.parametrize("name", [name for name in COUNTS if "nasa" not in name])
def test_equals_opencv(name: str, real: Path) -> None:
    path = real / name
    with open_video(path) as video:
        assert video.count == COUNTS[name] and not video.warnings
        chosen = FrameRule.parse("8").choose(video.numbers)
        ours = dict(video.read(chosen))
    capture = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG, [cv2.CAP_PROP_N_THREADS, 1])
    for number in range(COUNTS[name]):
        assert capture.grab()
        if number in ours:
            assert np.array_equal(ours[number], capture.retrieve()[1][..., ::-1]), number
    assert not capture.grab()


def test_the_stream_of_a_file_with_two(real: Path) -> None:
    """FFmpeg's best stream, 480x270; OpenCV takes the first, 320x180, unless it is told."""
    clip = probe(real / "faults/nasa_13013.mp4", verify=True)
    assert (clip.frames, clip.width, clip.height) == (390, 480, 270)


def test_rotated(real: Path) -> None:
    clip = probe(real / "faults/video_90.mov")
    assert (clip.width, clip.height, clip.rotation) == (320, 568, 90)
    assert probe(real / "faults/video_0.mov").width == 568


def test_damaged(real: Path) -> None:
    path = real / "faults/corrupted.mp4"
    clip = probe(path, verify=True)
    assert (clip.frames, clip.declared) == (28, 50)
    assert "after frame 27" in clip.warnings[0]
    with open_video(path) as video:
        assert len(list(video.read(range(28)))) == 28
        with pytest.raises(ClipError, match=r"frame 40 of 50 does not decode: .* after frame 27"):
            list(video.read([5, 40]))
