"""From "module:attribute" to a task, and from an exception to what the caller is to see."""

from __future__ import annotations

import errno
import importlib
import pickle
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from sbtools.errors import ClipError, SbtoolsError, UsageError

_NO_MEMORY = re.compile("can't allocate memory|cannot allocate memory|failed to map segment", re.I)
"""What torch and the loader of libraries say when they get none."""

Task = Callable[[Any], Iterable[Any]]


class WorkerTraceback(Exception):
    """The traceback of an error that was raised in a worker, as text: its `__cause__` here."""


def make(factory: str, kwargs: Mapping[str, Any]) -> Task:
    """The task that a factory, named "module:attribute", makes of its keyword arguments."""
    module, colon, attribute = factory.partition(":")
    if not (module and colon and attribute):
        raise UsageError(f"a task is named module:attribute, not {factory!r}")
    made: Task = getattr(importlib.import_module(module), attribute)(**kwargs)
    return made


def clip_error(error: BaseException) -> SbtoolsError:
    """What an error of a task means: ours as it is, any other a failure of this clip."""
    if isinstance(error, SbtoolsError):
        return error
    if _is_memory(error):
        return ClipError("memory", "out of memory" + (f": {error}" if str(error) else ""))
    return ClipError("failed", describe(error))


def out_of_memory(error: BaseException | None) -> bool:
    """Whether memory did not suffice for a clip, so that it may do once there is more."""
    return isinstance(error, ClipError) and error.kind == "memory"


def twice(error: BaseException | None) -> ClipError:
    """What is told of a clip for which memory was short in its second try too."""
    return ClipError("memory", f"{error} (tried twice, the second time alone)")


def start_error(error: BaseException) -> SbtoolsError:
    """What an error of a factory means: the run cannot begin."""
    if isinstance(error, SbtoolsError):
        return error
    return SbtoolsError(f"a worker cannot start: {describe(error)}")


def portable(error: SbtoolsError) -> SbtoolsError:
    """The error itself where it survives pickling, else its message with its exit status."""
    try:
        if type(pickle.loads(pickle.dumps(error))) is type(error):
            return error
    except Exception:
        pass
    plain = SbtoolsError(str(error))
    plain.exit_code = error.exit_code
    return plain


def describe(error: BaseException) -> str:
    """An exception in one line: its type and what it says."""
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _is_memory(error: BaseException) -> bool:
    opencv_no_memory = -4
    return (
        isinstance(error, MemoryError)
        or (isinstance(error, OSError) and error.errno == errno.ENOMEM)
        or (type(error).__module__ == "cv2" and getattr(error, "code", None) == opencv_no_memory)
        or (isinstance(error, (RuntimeError, ImportError)) and bool(_NO_MEMORY.search(str(error))))
    )
