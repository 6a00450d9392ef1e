"""Writing H.264 files, whole or not at all."""

from __future__ import annotations

import os
from fractions import Fraction
from io import RawIOBase
from types import TracebackType
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from sbtools.errors import OutputError, UsageError
from sbtools.files import WholeFile
from sbtools.video.source import shown

_BT601, _LIMITED = 6, 1
SLOWEST, FASTEST = 0.001, 1000.0
"""Frames a second that a file is given; encoder and players know no others."""
_LOSSLESS = {"qp": "0", "preset": "ultrafast"}


class _Sink:
    """A file for FFmpeg that keeps the first error and drops all that follows.

    FFmpeg takes an incomplete write for a complete one, and may report an error late or not at all.
    """

    def __init__(self, file: RawIOBase) -> None:
        self.file = file
        self.error: OSError | None = None

    def write(self, data: bytes) -> int:
        rest = memoryview(data)
        try:
            while rest and not self.error:
                rest = rest[self.file.write(rest) :]
        except OSError as error:
            self.error = error
        return len(data)

    def seek(self, offset: int, whence: int = 0) -> int:
        return self.file.seek(offset, whence)

    def tell(self) -> int:
        return self.file.tell()


class FileWriter:
    """An mp4 file of RGB frames; a context manager.

    The file is written under a hidden temporary name in the same folder and takes its own name when
    it is complete; after an exception nothing is left behind. Even sizes become yuv420p, others
    yuv444p, so that no row or column is added or lost (some players do not show the latter). The
    same frames give the same bytes. With `lossless`, yuv444p too, each pixel is coded by itself:
    only its colour is rounded, by up to 2 of 255, and nothing of its neighbours is mixed in.

    write, close: OutputError when the disk is full or the file cannot be written; ValueError for a
    frame of another size or type than the first.
    """

    def __init__(
        self, path: str | os.PathLike[str], fps: float, crf: int = 18, lossless: bool = False
    ) -> None:
        self._path = os.fspath(path)
        self._fps = Fraction(min(max(fps or 25, SLOWEST), FASTEST)).limit_denominator(100_000)
        self._lossless = lossless
        self._quality = _LOSSLESS if lossless else {"crf": str(crf), "preset": "medium"}
        self._count = 0
        self._stream: Any = None
        try:
            self._whole = WholeFile(self._path, buffering=0, durable=False)
        except UsageError as error:
            raise OutputError(str(error)) from error
        except OSError as error:
            raise self._failure(error) from error
        self._sink = _Sink(self._whole.file)  # type: ignore[arg-type]
        self._container = av.open(
            self._sink, "w", format="mp4", container_options={"fflags": "+bitexact"}
        )

    def write(self, image: NDArray[np.uint8]) -> None:
        """Append a frame: RGB uint8 [H, W, 3]."""
        if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
            raise ValueError(f"a frame is uint8 [H, W, 3], not {image.dtype} {image.shape}")
        if self._stream is None:
            self._begin(*image.shape[:2])
        if image.shape[:2] != (self._stream.height, self._stream.width):
            raise ValueError(
                f"the frame is {image.shape[1]}x{image.shape[0]}, those before it "
                f"{self._stream.width}x{self._stream.height}"
            )
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")
        frame.pts, frame.time_base = self._count, 1 / self._fps
        self._count += 1
        self._encode(frame)

    def _begin(self, height: int, width: int) -> None:
        # Without mbtree=0 small frames came out differently from run to run.
        tuning = "threads=1:mbtree=0"
        options = {**self._quality, "x264-params": tuning}
        self._stream = self._container.add_stream("libx264", rate=self._fps, options=options)
        self._stream.width, self._stream.height = width, height
        whole = self._lossless or width % 2 or height % 2
        self._stream.pix_fmt = "yuv444p" if whole else "yuv420p"
        context = self._stream.codec_context
        context.thread_count = 1
        context.colorspace, context.color_range = _BT601, _LIMITED

    def _encode(self, frame: av.VideoFrame | None) -> None:
        try:
            self._container.mux(self._stream.encode(frame))
        except (av.FFmpegError, ValueError) as error:
            size = f"{self._stream.width}x{self._stream.height}"
            reason = getattr(error, "strerror", None) or error
            raise OutputError(f"{self._shown()}: {size} cannot be encoded: {reason}") from error
        if self._sink.error:
            raise self._failure(self._sink.error)

    def close(self) -> None:
        """Complete the file and give it its name; without any frame there is no file."""
        if self._sink.file.closed:
            return
        try:
            if self._count:
                self._encode(None)
                self._finish()
        except OSError as error:
            raise self._failure(error) from error
        finally:
            self.discard()

    def _finish(self) -> None:
        self._container.close()
        if self._sink.error:
            raise self._sink.error
        self._whole.commit()

    def discard(self) -> None:
        """Give the file up: nothing stays behind."""
        if self._sink.file.closed:
            return
        self._container.close()
        self._whole.discard()

    def _failure(self, error: OSError) -> OutputError:
        reason = error.strerror or str(error)
        return OutputError(f"cannot write {self._shown()}: {reason}")

    def _shown(self) -> str:
        return shown(os.path.abspath(self._path))

    def __enter__(self) -> FileWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None:
            self.close()
        else:
            self.discard()
