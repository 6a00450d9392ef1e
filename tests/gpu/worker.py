"""A process that runs the checks of one module: a line of JSON for each as it ends.

The first line of the file has the names of all that are to be run, so that it can be told from the
file alone which one a process died of.
"""

from __future__ import annotations

import argparse
import gc
import json
import sys
import tempfile
import time
import traceback
from importlib import import_module
from pathlib import Path
from typing import Any

from tests.gpu.check import CHECKS, Machine, Skipped


def outcome(name: str, machine: Machine) -> dict[str, Any]:
    """What came of a check: good is None where it was skipped; why names what was wrong."""
    begun = time.monotonic()
    told: dict[str, Any] = {"name": name, "good": True}
    try:
        told["figures"] = CHECKS[name](machine)
    except Skipped as reason:
        told |= {"good": None, "why": str(reason)}
    except Exception as error:
        traceback.print_exc()
        text = " ".join(str(error).split())
        plain = isinstance(error, AssertionError) and text
        told |= {"good": False, "why": text if plain else f"{type(error).__name__}: {text}"[:2000]}
    return {**told, "seconds": round(time.monotonic() - begun, 1)}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("module")
    parser.add_argument("lines", type=Path)
    parser.add_argument("--tiny", action="store_true")
    parser.add_argument("--skip", default="")
    asked = parser.parse_args()
    import_module(asked.module)
    names = [name for name in CHECKS if name not in asked.skip.split(",")]
    with open(asked.lines, "a", encoding="utf-8") as file:

        def write(told: Any) -> None:
            file.write(f"{json.dumps(told, default=str)}\n")
            file.flush()

        write({"planned": names})
        for name in names:
            print(f"-- {name}", file=sys.stderr, flush=True)
            with tempfile.TemporaryDirectory(prefix="sbtools-gpu-") as folder:
                write(outcome(name, Machine(asked.tiny, Path(folder))))
            _let_go(asked.tiny)


def _let_go(tiny: bool) -> None:
    """What a check held is not the next one's."""
    gc.collect()
    torch = sys.modules.get("torch")
    if torch is not None and not tiny and torch.cuda.is_available():
        try:
            torch.cuda.set_per_process_memory_fraction(1.0)
            torch.cuda.empty_cache()
        except RuntimeError as error:  # the check before has broken the device for this process
            print(error, file=sys.stderr)


if __name__ == "__main__":
    main()
