"""Commands as a user types them: digests of what they write."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import h5py

SECTIONS = ("protocol", "classes", "clips", "metrics", "views", "differences", "ratios", "groups",
            "pairs", "per_clip", "bootstrap", "warnings", "examples")  # fmt: skip
"""Of a result: the others tell of the machine, of the day, and of the run."""

DEMO = ["--scale", "0.01", "--size", "32", "--frames", "6", "--seed", "5", "--workers", "0"]
MODES = ("none", "bg", "obj-box", "obj-shape", "bg+obj", "person-box")
EVAL = ["--workers", "0", "--device", "cpu", "--bootstrap", "50", "--seed", "1"]
TINY = ["--set-model", "arch=tiny", "--frames", "4"]
TESTED = "demo/s90c00-test-iid.jsonl"


class Failed(Exception):
    """A command that ended with another exit status than 0."""


def sbtools(folder: Path, *words: str) -> bytes:
    """What the command prints; Failed with what it said where its exit status is not 0."""
    say(f"sbtools {' '.join(words)}")
    done = subprocess.run(
        [sys.executable, "-m", "sbtools", *words],
        cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, check=False, env=environment(),
    )  # fmt: skip
    if done.returncode:
        raise Failed(f"sbtools {' '.join(words)}: {done.stderr.decode(errors='replace')}")
    return done.stdout


def environment() -> dict[str, str]:
    """One thread, and nothing that changes what is resolved."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("SBTOOLS_", "SLURM_"))}
    return {**kept, "OMP_NUM_THREADS": "1"}


def digests(folder: Path) -> dict[str, str]:
    """Of demo, detect, segment, mask and eval, by the name of what is digested."""
    return dict([*_demo(folder), *_masks(folder), *_scores(folder)])


def of_result(name: str, result: bytes) -> Iterator[tuple[str, str]]:
    """Of each section of a result, by "result NAME: SECTION"."""
    told: Mapping[str, Any] = json.loads(result)
    for section in SECTIONS:
        yield f"result {name}: {section}", _sha(json.dumps(told.get(section)).encode())


def of_scores(store: Path) -> str:
    """Of the scores in a store, without what it says of the run that made them."""
    state = hashlib.sha256()

    def add(name: str, held: Any) -> None:
        if isinstance(held, h5py.Dataset):
            state.update(f"{name} {held.dtype} {held.shape}".encode() + held[()].tobytes())

    for part in sorted(store.glob("*.h5")):
        with h5py.File(part) as file:
            file["views"].visititems(add)
    return state.hexdigest()


def of_store(folder: Path, store: str) -> str:
    """What `sbtools check --digest` says of a store's content."""
    return sbtools(folder, "check", "--digest", store).decode().split()[0]


def say(text: str) -> None:
    """Progress, on stderr."""
    print(text, file=sys.stderr, flush=True)


def _demo(folder: Path) -> Iterator[tuple[str, str]]:
    splits = ["--splits", "train,val-iid,test-iid,plates,do-scene,test-unbiased"]
    yield "demo records", _sha(sbtools(folder, "demo", "demo", "--cell", ".9,0", *splits, *DEMO))
    yield "demo masks", of_store(folder, "demo/masks")
    yield "demo clips", _files(folder / "demo" / "clips")
    words = ["--zero-shot", "--captions", "--splits", "zs-train,captions", *DEMO]
    yield "demo zero-shot records", _sha(sbtools(folder, "demo", "zs", *words))
    yield "demo zero-shot masks", of_store(folder, "zs/masks")


def _masks(folder: Path) -> Iterator[tuple[str, str]]:
    few = ["--limit", "3", "--workers", "0"]
    words = ["big", "--splits", "test-unbiased", "--size", "96", "--frames", "6", *few]
    (folder / "big.jsonl").write_bytes(sbtools(folder, "demo", *words))
    found = sbtools(folder, "index", *few, "big/clips")
    (folder / "found.jsonl").write_bytes(found)
    yield "index", _sha(found)
    yield "detect", _sha(sbtools(folder, "detect", "--detector", "classic", *few, "found.jsonl"))
    how = ["--detector", "motion", "--segmenter", "grabcut", "--frames", "4"]
    segmented = sbtools(folder, "segment", *how, *few, "-o", "masks", "found.jsonl")
    yield "segment records", _sha(segmented)
    yield "segment masks", of_store(folder, "masks")
    (folder / "masks.jsonl").write_bytes(segmented)
    for source, mode in [*(("big", mode) for mode in MODES), ("masks", "bg")]:
        store = f"{source}-{mode}"
        words = ["--mode", mode, *few, "-o", store, f"{source}.jsonl"]
        yield f"mask records {store}", _sha(sbtools(folder, "mask", *words))
        yield f"mask pixels {store}", of_store(folder, store)
    words = ["--mode", "bg+obj", "--fill", "mean", *few, "-o", "mean", "big.jsonl"]
    yield "mask records, mean", _sha(sbtools(folder, "mask", *words))
    yield "mask pixels, mean", of_store(folder, "mean")


def _scores(folder: Path) -> Iterator[tuple[str, str]]:
    classes = ",".join(sorted({json.loads(x)["label"] for x in open(folder / TESTED)}))
    given = [*TINY, *EVAL, "--classes", classes, TESTED]
    for model in ("vificlip", "actionclip"):
        for name, more in (("plain", []), ("controls", ["--controls", "--clips", "2"])):
            store = f"scores-{model}-{name}"
            words = ["eval", "--model", model, *more, "--scores", store, *given]
            yield from of_result(f"{model} {name}", sbtools(folder, *words))
            yield f"scores {model} {name}", of_store(folder, store)
        again = sbtools(folder, "eval", "--from-scores", store, "--bootstrap", "50")
        yield from of_result(f"from scores, {model}", again)


def _files(folder: Path) -> str:
    found = sorted(path for path in folder.rglob("*") if path.is_file())
    return _sha(b"".join(f"{p.relative_to(folder)}".encode() + p.read_bytes() for p in found))


def _sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
