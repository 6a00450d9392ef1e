"""Whatever frames are asked for, they are those of a full decode from the start, bit for bit."""

from __future__ import annotations

import random
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from video_clips import STREAMS, decode_all, encode, opencv_all, pictures

from sbtools.video import index, open_video

SUBSETS = (1, 1, 2, 3, 8, 20)
IN_ONE_PASS = {"h264-fields.mp4", "h264.avi", "mpeg4.avi", "mpeg2.mpg", "wmv2.asf"}


def compare(path: Path, frames: list[np.ndarray], seed: int = 0) -> bool:
    """Assert exactness of all frames and of random subsets; whether the fast way sufficed."""
    rng = random.Random(seed)
    with open_video(path) as video:
        assert video.count == len(frames)
        asked = [list(video.numbers)] + [
            rng.sample(video.numbers, min(size, len(frames))) for size in SUBSETS
        ]
        for numbers in asked:
            got = list(video.read(numbers))
            assert [number for number, _ in got] == sorted(numbers)
            for number, image in got:
                assert np.array_equal(image, frames[number]), f"frame {number} of {numbers}"
        assert video.decoded_frames == len(frames)
        assert video.warnings == []
        return video._strict  # type: ignore[attr-defined,no-any-return]


@pytest.mark.parametrize("kept", [True, False], ids=["kept", "sought"])
@pytest.mark.parametrize("name", STREAMS)
def test_equals_a_full_decode(
    name: str, kept: bool, stream: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    if not kept:
        monkeypatch.setattr(index, "KEEP_BYTES", 0)
    path = stream(name)
    frames = decode_all(path)
    assert len(frames) == 60
    fast = compare(path, frames, seed=len(name))
    assert fast is (name not in IN_ONE_PASS)


@pytest.mark.parametrize(
    "name", sorted(set(STREAMS) - {"h264-fields.mp4"})
)  # OpenCV reads no fields
def test_equals_opencv(name: str, stream: Callable[[str], Path]) -> None:
    path = stream(name)
    frames, times = opencv_all(path)
    with open_video(path) as video:
        assert len(frames) == video.count
        for number, image in video.read(video.numbers):
            assert np.array_equal(image, frames[number])
        for number, time in enumerate(times):
            if time:  # OpenCV gives 0 for frames that come out after the last packet
                assert video.time(number) == pytest.approx(time - times[0], abs=1e-3)


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_variable_frame_rate(suffix: str, tmp_path: Path) -> None:
    steps = np.random.default_rng(3).integers(2, 90, 60)
    stamps = [int(stamp) for stamp in np.cumsum(steps)]
    path = encode(tmp_path / f"vfr{suffix}", pictures(60), stamps=stamps, options={"g": "20"})
    frames = decode_all(path)
    assert compare(path, frames)
    with open_video(path) as video:
        for number, stamp in enumerate(stamps):
            assert video.time(number) == pytest.approx((stamp - stamps[0]) / 1000, abs=2e-3)


def test_frames_cut_away_by_an_edit_list(plain: Path, tmp_path: Path) -> None:
    path = tmp_path / "edit.mp4"
    options = {"avoid_negative_ts": "disabled", "use_editlist": "1"}
    with av.open(str(plain)) as source, av.open(str(path), "w", options=options) as sink:
        stream = sink.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.dts is not None:
                shift = int(0.35 / packet.time_base)
                packet.pts -= shift
                packet.dts -= shift
                packet.stream = stream
                sink.mux(packet)
    frames = decode_all(path)
    assert len(frames) < 45
    assert compare(path, frames)


@pytest.mark.parametrize("turn", [90, 180, 270])
def test_rotation_is_applied_once(turn: int, tmp_path: Path) -> None:
    path = encode(tmp_path / "turned.mp4", pictures(5), rotation=turn)
    upright = decode_all(path)
    frames, _ = opencv_all(path)
    with open_video(path) as video:
        assert (video.width, video.height) == ((96, 64) if turn == 180 else (64, 96))
        assert video.rotation == 360 - turn
        for number, image in video.read(range(5)):
            assert image.shape == (video.height, video.width, 3)
            assert np.array_equal(image, np.rot90(upright[number], k=turn // 90))
            assert np.array_equal(image, frames[number])


def test_time_stamps_that_do_not_tell_the_order(tmp_path: Path) -> None:
    """An intra stream with shuffled stamps: what the decoder gives first is frame 0."""
    path = tmp_path / "shuffled.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mjpeg", rate=30)
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuvj420p"
        packets = []
        for image in pictures(12):
            packets += stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24"))
        packets += stream.encode()
        stamps = [1, 3, 2, 4, 6, 5, 8, 7, 10, 9, 12, 11]
        for i, (packet, stamp) in enumerate(zip(packets, stamps, strict=True)):
            packet.pts, packet.dts = stamp, i
            container.mux(packet)
    frames = decode_all(path)
    assert len(frames) == 12
    assert compare(path, frames) is False


def test_packed_b_frames(tmp_path: Path) -> None:
    """DivX packs a B-frame with the P-frame before it, and adds an empty packet to make up."""
    source = encode(tmp_path / "plain.avi", pictures(30), "mpeg4", {"g": "12", "bf": "1"})
    with av.open(str(source)) as container:
        chunks = [bytes(packet) for packet in container.demux(video=0) if packet.size]
    vop = chunks[0].index(b"\0\0\1\xb6")
    packed = [chunks[0][:vop] + b"\0\0\1\xb2DivX503b1393p" + chunks[0][vop:]]
    for chunk in chunks[1:]:
        if chunk[chunk.index(b"\0\0\1\xb6") + 4] >> 6 == 2:  # a B-frame
            packed[-1] += chunk
            packed.append(b"\0\0\1\xb6\x50\x4f")  # "not coded"
        else:
            packed.append(chunk)
    path = tmp_path / "packed.avi"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=30)
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        for i, chunk in enumerate(packed):
            packet = av.Packet(chunk)
            packet.pts = packet.dts = i
            packet.time_base, packet.stream = Fraction(1, 30), stream
            container.mux(packet)
    frames = opencv_all(path)[0]
    assert len(frames) in (len(chunks) - 1, len(chunks))
    assert all(map(np.array_equal, frames, opencv_all(source)[0]))
    assert compare(path, frames) is False


def test_reading_again_and_out_of_order(plain: Path) -> None:
    frames = decode_all(plain)
    with open_video(plain) as video:
        for numbers in ([40, 3, 3, 12], [0], [49, 48, 47], [], [12]):
            got = list(video.read(numbers))
            assert [number for number, _ in got] == sorted(set(numbers))
            assert all(np.array_equal(image, frames[number]) for number, image in got)


def test_a_new_reading_ends_the_one_before(plain: Path) -> None:
    with open_video(plain) as video:
        first = video.read(range(50))
        next(first)
        assert len(list(video.read([5, 9]))) == 2
        with pytest.raises(RuntimeError, match="later use"):
            next(first)


def test_size_may_be_asked_in_between(plain: Path) -> None:
    frames = decode_all(plain)
    with open_video(plain) as video:
        for number, image in video.read([30, 45]):
            assert (video.height, video.width) == (64, 96)
            assert np.array_equal(image, frames[number])
