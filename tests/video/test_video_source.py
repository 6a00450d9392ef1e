"""Only the file that was named is opened, and only if it is a regular video file."""

from __future__ import annotations

import os
import socket
import struct
import time
from pathlib import Path

import av
import numpy as np
import pytest
from av.stream import Disposition
from video_clips import decode_all, pictures

from sbtools.errors import ClipError
from sbtools.video import digest, open_video, probe


def refused(path: str | Path) -> ClipError:
    begin = time.monotonic()
    with pytest.raises(ClipError) as error:
        probe(path)
    assert time.monotonic() - begin < 2
    assert str(error.value).isprintable()
    return error.value


def test_a_missing_file_shows_the_absolute_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    error = refused("no/such.mp4")
    assert (error.kind, str(error)) == ("missing", f"no such file: {tmp_path}/no/such.mp4")
    assert str(tmp_path) in str(refused("dangling\n\udcff.mp4"))


def test_what_is_no_regular_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.mp4")
    (tmp_path / "loop.mp4").symlink_to("loop.mp4")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "s.mp4"))
        for path, words in [
            (tmp_path / "pipe.mp4", "a pipe"),
            (tmp_path / "s.mp4", "a socket"),
            ("/dev/zero", "a device"),
            ("/dev/null", "a device"),
            (tmp_path, "a folder"),
            (tmp_path / "loop.mp4", "symbolic links"),
        ]:
            error = refused(path)
            assert error.kind == "unreadable" and words in str(error)


def test_unsafe_paths(plain: Path) -> None:
    assert refused(f"{plain}\0.txt").kind == "unsafe"
    assert refused("\ud800.mp4").kind == "unsafe"
    with pytest.raises(ClipError, match="NUL"):
        digest(f"{plain}\0x")


@pytest.mark.parametrize(
    "prefix", ["concat:", "file:", "subfile,,start,0,end,0,,:", "fd:", "pipe:"]
)
def test_protocol_strings_are_file_names(prefix: str, plain: Path) -> None:
    assert refused(f"{prefix}{plain}").kind == "missing"
    assert refused("http://127.0.0.1:1/a.mp4").kind == "missing"


@pytest.mark.parametrize(
    "text",
    [
        "ffconcat version 1.0\nfile {}\n",
        "#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\n{}\n#EXT-X-ENDLIST\n",
        '<?xml version="1.0"?><MPD><Period><BaseURL>{}</BaseURL></Period></MPD>',
        "v=0\no=- 0 0 IN IP4 127.0.0.1\nm=video 5004 RTP/AVP 96\n",
        "[Reference]\nRef1=http://127.0.0.1/{}\n",
        "<html><body>404 not found</body></html>",
        "",
        "\0" * 5000,
    ],
)
def test_playlists_and_other_texts(text: str, plain: Path, tmp_path: Path) -> None:
    for name in ("list.mp4", "list.m3u8", "frame%d.png"):
        (tmp_path / name).write_text(text.format(plain))
        assert refused(tmp_path / name).kind == "unreadable"


@pytest.mark.parametrize(
    "name",
    [
        b"\xff\xfe.mp4",
        b"a\nb.mp4",
        b"-rf.mp4",
        "🎬 wave.mp4".encode(),
        b"x" * 251 + b".mp4",
        b"100%d.mp4",
        b"a:b.mp4",
        b"no suffix",
    ],
)
def test_any_name_will_do(name: bytes, plain: Path, tmp_path: Path) -> None:
    path = os.fsdecode(os.fsencode(tmp_path) + b"/" + name)
    with open(path, "wb") as file:
        file.write(plain.read_bytes())
    assert probe(path) == probe(plain)
    assert digest(path) == digest(plain)


def test_relative_names(plain: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(plain.parent)
    assert probe(plain.name).frames == 50


def with_external_data(path: Path, target: Path) -> bytes:
    """The mp4 at `path` (index at its end), its data reference pointing to `target`."""
    data = path.read_bytes()
    name = os.fsencode(target)
    alias = b"alis" + bytes(4 + 150)  # the parts of QuickTime's alias record that FFmpeg skips
    alias += struct.pack(">hh", 2, len(name)) + name + b"\0" * (len(name) % 2)
    alias += struct.pack(">hh", -1, 0)
    alias = struct.pack(">I", len(alias) + 4) + alias
    at = data.index(b"url \0\0\0\1") - 4
    grown = len(alias) - 12
    new = bytearray(data[:at] + alias + data[at + 12 :])
    for box in (b"moov", b"trak", b"mdia", b"minf", b"dinf", b"dref"):
        start = data.rindex(box, 0, at) - 4
        struct.pack_into(">I", new, start, struct.unpack_from(">I", new, start)[0] + grown)
    return bytes(new)


def test_references_to_other_files_are_not_followed(plain: Path, tmp_path: Path) -> None:
    """QuickTime files may keep their data elsewhere; the canary is the same file, data intact."""
    crafted = bytearray(with_external_data(plain, tmp_path / "canary.mp4"))
    start = crafted.index(b"mdat") + 4
    end = crafted.index(b"moov") - 4
    crafted[start:end] = bytes(end - start)
    (tmp_path / "canary.mp4").write_bytes(plain.read_bytes())
    (tmp_path / "crafted.mp4").write_bytes(crafted)
    options = {"enable_drefs": "1", "use_absolute_path": "1"}
    with av.open(str(tmp_path / "crafted.mp4"), options=options) as container:
        follows = container.decode(video=0)
        assert np.array_equal(next(follows).to_ndarray(), _first(plain)), "the bait does not work"
    assert refused_or_blank(tmp_path / "crafted.mp4")


def _first(path: Path) -> np.ndarray:
    with av.open(str(path)) as container:
        return next(container.decode(video=0)).to_ndarray()


def refused_or_blank(path: Path) -> bool:
    try:
        with open_video(path) as video:
            return not list(video.read([0]))
    except ClipError as error:
        return error.kind in ("unreadable", "truncated")


def test_the_best_of_two_streams(plain: Path, tmp_path: Path) -> None:
    """The one that the file marks as its default, as FFmpeg and players choose."""
    path = tmp_path / "two.mkv"
    with av.open(str(path), "w") as sink:
        outputs = []
        for width, height in ((48, 32), (96, 64)):
            stream = sink.add_stream("libx264", rate=30)
            stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
            stream.disposition = Disposition.default if width == 96 else Disposition(0)
            outputs.append(stream)
        for image in pictures(5):
            for stream in outputs:
                frame = av.VideoFrame.from_ndarray(image, format="rgb24")
                sink.mux(stream.encode(frame.reformat(stream.width, stream.height, "yuv420p")))
        for stream in outputs:
            sink.mux(stream.encode())
    assert (probe(path).width, probe(path).frames) == (96, 5)


def test_metadata_that_is_no_text(plain: Path, tmp_path: Path) -> None:
    path = tmp_path / "title.mkv"
    with av.open(str(plain)) as source, av.open(str(path), "w") as sink:
        sink.metadata["title"] = "Pippi MARKER"
        stream = sink.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                sink.mux(packet)
    path.write_bytes(path.read_bytes().replace(b"MARKER", b"\xd3\xff\xfe\x80xx"))
    with pytest.raises(UnicodeDecodeError):
        av.open(str(path))
    assert probe(path).frames == len(decode_all(plain))
