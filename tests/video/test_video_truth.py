"""What is said of a clip is what its file yields, whatever its header says."""

from __future__ import annotations

import json
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from av.stream import Disposition
from video_clips import decode_all, encode, opencv_all, pictures

from sbtools.errors import ClipError
from sbtools.video import MAX_PIXELS, FrameRule, open_video, probe

SHARES = (0.1, 0.5, 0.9, 0.99)
STREAMED = (0.3, 0.5, 0.7, 0.9)


def test_a_whole_file(plain: Path) -> None:
    for verify in (False, True):
        clip = probe(plain, verify=verify)
        assert (clip.frames, clip.declared, clip.fps, clip.codec) == (50, 50, 30, "h264")
        assert (clip.width, clip.height, clip.rotation, clip.warnings) == (96, 64, 0, ())
        assert clip.duration == pytest.approx(50 / 30)


def cut(path: Path, share: float, folder: Path) -> Path:
    data = path.read_bytes()
    target = folder / f"cut{path.suffix}"
    target.write_bytes(data[: int(share * len(data))])
    return target


@pytest.mark.parametrize("share", SHARES)
def test_a_cut_file_with_its_index_at_the_end(share: float, plain: Path, tmp_path: Path) -> None:
    for function in (probe, open_video):
        with pytest.raises(ClipError, match="cut or damaged") as error:
            function(cut(plain, share, tmp_path))
        assert error.value.kind == "unreadable"


@pytest.fixture(scope="module", params=["mp4", "avi", "mkv", "ts"])
def streamable(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """50 frames in a file of which any beginning can be read."""
    path = tmp_path_factory.mktemp("cut") / f"clip.{request.param}"
    if request.param == "avi":
        return encode(path, pictures(50, 192, 128), "mpeg4", {"g": "20"})
    if request.param != "mp4":
        return encode(path, pictures(50, 192, 128), options={"g": "20"})
    whole = encode(path.with_name("slow.mp4"), pictures(50, 192, 128), options={"g": "20"})
    with av.open(str(whole)) as source:
        with av.open(str(path), "w", options={"movflags": "faststart"}) as sink:
            stream = sink.add_stream_from_template(source.streams.video[0])
            for packet in source.demux(video=0):
                if packet.dts is not None:
                    packet.stream = stream
                    sink.mux(packet)
    return path


@pytest.mark.parametrize("share", STREAMED)
def test_a_cut_file_that_can_be_read(share: float, streamable: Path, tmp_path: Path) -> None:
    whole, path = decode_all(streamable), cut(streamable, share, tmp_path)
    decodes = len(opencv_all(path)[0])
    assert 0 < decodes < 50
    clip = probe(path, verify=True)
    assert clip.frames == decodes
    if share < 0.8 and streamable.suffix != ".ts":  # transport streams have no header to compare
        assert any("the header promises 50 frames" in line for line in clip.warnings)
    with open_video(path) as video:
        assert decodes <= video.count < 50
        for number, image in video.read(range(decodes - 2)):
            assert np.array_equal(image, whole[number])
        for number in range(decodes, 50):
            with pytest.raises(ClipError, match=f"frame {number} ") as error:
                list(video.read([number]))
            assert error.value.kind in ("truncated", "mismatch")


def test_damage_in_the_middle(plain: Path, tmp_path: Path) -> None:
    """The last GOP is zeroed: what comes before is exact, what is in it an error."""
    whole, data = decode_all(plain), bytearray(plain.read_bytes())
    with av.open(str(plain)) as container:
        packets = [p for p in container.demux(video=0) if p.size]
    key = [p for p in packets if p.is_keyframe][-1]
    rest = [p for p in packets if p.dts >= key.dts]
    for packet in rest:
        data[packet.pos : packet.pos + packet.size] = bytes(packet.size)
    path = tmp_path / "damaged.mp4"
    path.write_bytes(data)
    first = len(opencv_all(path)[0])
    assert 50 - len(rest) - 2 <= first <= 50 - len(rest)  # two may be held back when it breaks
    clip = probe(path, verify=True)
    assert clip.frames == first
    assert clip.warnings == (
        f"{first} of 50 frames decode: the file is cut or damaged after frame {first - 1}",
    )
    with open_video(path) as video:
        assert video.count == 50
        for number, image in video.read(range(first)):
            assert np.array_equal(image, whole[number])
        reading = video.read([3, first, 49])
        assert np.array_equal(next(reading)[1], whole[3])
        words = f"frame {first} of 50 does not decode: .* after frame {first - 1}$"
        with pytest.raises(ClipError, match=words) as error:
            next(reading)
        assert error.value.kind == "truncated"
        assert video.decoded_frames == first


def test_no_frame_at_all(plain: Path, tmp_path: Path) -> None:
    data = bytearray(plain.read_bytes())
    start, end = data.index(b"mdat") + 4, data.index(b"moov") - 4
    data[start:end] = bytes(end - start)
    (tmp_path / "blank.mp4").write_bytes(data)
    for verify in (False, True):
        with pytest.raises(ClipError, match="no frame decodes") as error:
            probe(tmp_path / "blank.mp4", verify=verify)
        assert error.value.kind == "unreadable"


def test_a_file_of_sound(tmp_path: Path) -> None:
    path = tmp_path / "sound.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=8000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), layout="mono")
        frame.rate = 8000
        container.mux(stream.encode(frame))
    with pytest.raises(ClipError, match="no video stream") as error:
        probe(path)
    assert error.value.kind == "unreadable"


def test_a_cover_picture_is_no_video(tmp_path: Path) -> None:
    path = tmp_path / "song.mp4"
    with av.open(str(path), "w") as container:
        sound = container.add_stream("aac", rate=8000)
        cover = container.add_stream("mjpeg")
        cover.width, cover.height, cover.pix_fmt = 96, 64, "yuvj420p"
        cover.disposition = Disposition.attached_pic
        picture = av.VideoFrame.from_ndarray(next(pictures(1)), format="rgb24")
        container.mux(cover.encode(picture) + cover.encode())
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
        frame.rate = 8000
        container.mux(sound.encode(frame) + sound.encode())
    with pytest.raises(ClipError, match="no video stream"):
        probe(path)


@pytest.mark.parametrize("count", [1, 2])
def test_very_short_clips(count: int, tmp_path: Path) -> None:
    path = encode(tmp_path / "short.mp4", pictures(count))
    assert probe(path, verify=True).frames == count
    with open_video(path) as video:
        chosen = FrameRule.parse("8").choose(video.numbers)
        assert [number for number, _ in video.read(chosen)] == list(range(count))


@pytest.mark.parametrize("size", [(63, 47), (1, 31), (31, 1), (2, 2), (1, 1)])
def test_odd_sizes(size: tuple[int, int], tmp_path: Path) -> None:
    images = [np.full((size[1], size[0], 3), value, np.uint8) for value in (0, 90, 200)]
    path = encode(tmp_path / "odd.mov", images, "png", pixels="rgb24")
    with open_video(path) as video:
        assert (video.width, video.height) == size
        for number, image in video.read(range(3)):
            assert np.array_equal(image, images[number])


@pytest.mark.parametrize(
    ("start", "end", "members"),
    [
        (None, None, range(50)),
        (0.5, 1.0, range(15, 30)),  # frames at 15/30 and later, before 30/30
        (0.51, None, range(16, 50)),
        (None, 0.1, range(3)),
        (-5.0, 99.0, range(50)),
        (2.0, 3.0, range(50, 50)),
        (1.0, 0.5, range(30, 30)),
    ],
)
def test_members_by_time(
    start: float | None, end: float | None, members: range, plain: Path
) -> None:
    with open_video(plain, start, end) as video:
        assert list(video.numbers) == list(members)
        assert video.count == 50
    clip = probe(plain, start, end)
    assert clip.frames == len(members)
    assert clip.duration == pytest.approx(len(members) / 30)


def test_frames_that_are_not_there(plain: Path) -> None:
    with open_video(plain) as video:
        for number in (50, -1):
            with pytest.raises(ClipError, match=f"frame {number} was asked for") as error:
                video.read([0, number])
            assert error.value.kind == "mismatch"


def jpegs(path: Path, images: list[np.ndarray]) -> Path:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mjpeg", rate=30)
        stream.height, stream.width = images[0].shape[:2]
        stream.pix_fmt = "yuvj420p"
        for i, image in enumerate(images):
            packet = av.Packet(cv2.imencode(".jpg", image)[1].tobytes())
            packet.pts = packet.dts = i
            packet.time_base, packet.stream, packet.is_keyframe = Fraction(1, 30), stream, True
            container.mux(packet)
    return path


def test_the_size_changes_within_the_file(tmp_path: Path) -> None:
    path = jpegs(tmp_path / "two.avi", [*pictures(3, 96, 64), *pictures(3, 64, 32)])
    for numbers in (range(6), [0, 4]):
        with open_video(path) as video, pytest.raises(ClipError, match="96x64 to 64x32") as error:
            list(video.read(numbers))
        assert error.value.kind == "mismatch"


def in_child(code: str, *arguments: str) -> dict[str, float]:
    """Run `code` in a fresh process; it fills `out`. Adds `grown`: MiB above the start."""
    program = (
        "import json, resource, sys\n"
        "from sbtools.video import open_video, probe\n"
        "from sbtools.errors import ClipError\n"
        "import sbtools.video.file, sbtools.video.images\n"
        "peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        f"out, begin = {{}}, peak()\n{code}\n"
        "out['grown'] = (peak() - begin) / 1024\nprint(json.dumps(out))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments], capture_output=True, text=True, check=True
    )
    assert not done.stderr
    return json.loads(done.stdout)  # type: ignore[no-any-return]


REFUSED = """
resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))
try:
    probe(sys.argv[1])
except ClipError as error:
    out[error.kind] = str(error)
"""


@pytest.mark.parametrize("codec", ["libx264", "mjpeg"])
def test_huge_frames_are_refused_unseen(codec: str, tmp_path: Path) -> None:
    pixels = {"libx264": "gray", "mjpeg": "yuvj420p"}[codec]
    image = np.zeros((6144, 8192, 3), np.uint8)
    options = {"preset": "ultrafast"} if codec == "libx264" else {}
    path = encode(tmp_path / "huge.mkv", [image], codec, options, pixels)
    assert 6144 * 8192 > MAX_PIXELS
    out = in_child(REFUSED, str(path))
    assert "8192x6144" in str(out["too-large"])
    assert out["grown"] < 40  # one frame is 48 MiB even in grey
    with pytest.raises(ClipError, match="limit of 6143 pixels"):
        probe(encode(tmp_path / "small.mp4", pictures(1)), max_pixels=6143)
    assert probe(tmp_path / "small.mp4", max_pixels=6144).frames == 1


def test_memory_is_bounded(tmp_path: Path) -> None:
    image = np.zeros((360, 640, 3), np.uint8)
    path = encode(tmp_path / "long.mp4", [image] * 900, options={"preset": "ultrafast"})
    code = "with open_video(sys.argv[1]) as v: out['n'] = sum(1 for _ in v.read(v.numbers))"
    out = in_child(code, str(path))
    assert out["n"] == 900
    assert out["grown"] < 60  # all frames together: 593 MiB
