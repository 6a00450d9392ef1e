"""Hostile stores: bytes, HDF5 of a strange shape, links that lead out, what stands beside parts."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np

from tests.fuzz.case import Case, Ran, Step, copied, hurt, pick
from tests.fuzz.corpus import EVAL, MASK, SEGMENT
from tests.fuzz.texts import mutated


def masks(corpus: Path, work: Path, draws: np.random.Generator) -> Case:
    """A store of masks that was changed: told, or what is made of it is the same."""
    copied(corpus, work, "clips", "masks", "masks.jsonl", "mine.py")
    what = _changed(work / "masks", draws)
    steps = [
        Step(["check", "-q", "masks"]),
        Step([*MASK, "-o", "pixels", "masks.jsonl"], out="pixels.jsonl"),
        Step([*SEGMENT, "-o", "masks", "clips"], out="again.jsonl"),
        Step([*EVAL, "--model", "mine:mean", "--views", "plain,bg", "--max-failed", "4",
              "-o", "r.json", "masks.jsonl"]),
    ]  # fmt: skip
    wanted = _pixels(corpus / "pixels")
    ids = set(wanted)
    return Case(steps, what, ids, lambda folder, ran: _told(folder, ran, wanted))


def _pixels(store: Path) -> dict[str, str]:
    """The SHA-256 of each clip's frames, read without sbtools."""
    found = {}
    for part in store.glob("*.h5"):
        with h5py.File(part) as file:
            for clip in file["clips"].values():
                data = clip["frame"][()].tobytes() + clip["rgb"][()].tobytes()
                found[_text(clip.attrs["id"])] = hashlib.sha256(data).hexdigest()
    return found


def _text(value: str | bytes) -> str:
    return value if isinstance(value, str) else value.decode()


def _told(folder: Path, ran: list[Ran], wanted: dict[str, str]) -> str | None:
    """Masked clips are those of the sound store, or an error stands in their place."""
    if ran[1].status not in (0, 3):
        return None
    found = _pixels(folder / "pixels")
    for line in ran[1].out.splitlines():
        record = json.loads(line)
        if "error" not in record and found.get(record["id"]) != wanted.get(record["id"]):
            return f"{record['id']} was masked otherwise, and nobody said so"
    return None


def pixels(corpus: Path, work: Path, draws: np.random.Generator) -> Case:
    """A store of masked pixels that was changed: told, or the numbers are the same."""
    copied(corpus, work, "clips", "masks", "masks.jsonl", "pixels", "pixels.jsonl", "mine.py")
    what = _changed(work / "pixels", draws)
    steps = [
        Step(["check", "-q", "pixels"]),
        Step([*EVAL, "--model", "mine:mean", "-o", "r.json", "pixels.jsonl"]),
        Step(["view", "-o", "sheet.png", "pixels.jsonl"], out="seen.jsonl"),
        Step([*MASK, "-o", "pixels", "masks.jsonl"], out="again.jsonl"),
    ]
    clean = json.loads((corpus / "of-pixels.json").read_bytes())
    return Case(steps, what, set(_pixels(corpus / "pixels")),
                lambda folder, ran: _numbers(folder, ran, clean))  # fmt: skip


def scores(corpus: Path, work: Path, draws: np.random.Generator) -> Case:
    """A store of scores that was changed: told, or the numbers are the same."""
    copied(corpus, work, "scores")
    what = _changed(work / "scores", draws)
    steps = [
        Step(["check", "-q", "scores"]),
        Step(["eval", "--bootstrap", "50", "--from-scores", "scores", "-o", "r.json"]),
    ]
    clean = json.loads((corpus / "result.json").read_bytes())
    return Case(steps, what, same=lambda folder, ran: _numbers(folder, ran, clean))


def _numbers(folder: Path, ran: list[Ran], clean: dict[str, object]) -> str | None:
    if ran[1].status != 0:
        return None
    found = json.loads((folder / "r.json").read_bytes())
    if found["views"] != clean["views"]:
        return "a changed store was taken, and gave other numbers"
    return None


def _changed(store: Path, draws: np.random.Generator) -> str:
    parts = sorted(store.glob("*.h5"))
    part = parts[int(draws.integers(len(parts)))]
    made = store / "made.json"
    how = str(pick(draws, ["bytes", "bytes", "bytes", "shape", "shape", "shape", "made", "lost",
                           "swapped"]))  # fmt: skip
    if how == "bytes":
        return hurt(part, draws)
    if how == "shape":
        name, change = pick(draws, sorted(SHAPES.items()))
        with h5py.File(part, "r+") as file:
            change(file, draws)
        return f"{part.name}: {name}"
    if how == "made":
        if draws.integers(2):
            return hurt(made, draws)
        text, what = mutated(json.loads(made.read_bytes()), draws)
        made.write_bytes(text.encode("utf-8", "surrogatepass"))
        return f"made.json: {what}"
    if how == "swapped" and len(parts) > 1:
        one, two = parts[0].read_bytes(), parts[1].read_bytes()
        parts[0].write_bytes(two)
        parts[1].write_bytes(one)
        return "two parts have changed places"
    part.unlink()
    return f"{part.name} is gone"


def _some(file: h5py.File, kind: type, draws: np.random.Generator) -> str:
    names: list[str] = []
    file.visititems(lambda name, item: names.append(name) if isinstance(item, kind) else None)
    return str(pick(draws, sorted(names) or ["index"]))


def _replace(file: h5py.File, draws: np.random.Generator) -> str:
    name = _some(file, h5py.Dataset, draws)
    if name in file:
        del file[name]
    return name


def _virtual(file: h5py.File, draws: np.random.Generator) -> None:
    layout = h5py.VirtualLayout((4, 4), "u1")
    layout[:] = h5py.VirtualSource("../../outside/secret.txt", "index", (4, 4))
    file.create_virtual_dataset(_replace(file, draws), layout)


def _raw(file: h5py.File, draws: np.random.Generator) -> None:
    place = [("../../outside/secret.txt", 0, 16)]
    file.create_dataset(_replace(file, draws), (16,), "u1", external=place)


def _external(file: h5py.File, draws: np.random.Generator) -> None:
    file[_replace(file, draws)] = h5py.ExternalLink("../../outside/secret.txt", "/")


def _soft(file: h5py.File, draws: np.random.Generator) -> None:
    name = _replace(file, draws)
    file[name] = h5py.SoftLink(str(pick(draws, [f"/{name}", "/", "/nowhere"])))


def _big(file: h5py.File, draws: np.random.Generator) -> None:
    shape = pick(draws, [(1_000_000, 6000, 6000), (1 << 40,), (0, 0, 0), (1, 1 << 33), ()])
    chunks = tuple(min(side, 512) for side in shape) if shape and all(shape) else None
    file.create_dataset(_replace(file, draws), shape, "u1", chunks=chunks,
                        compression="gzip" if chunks else None)  # fmt: skip


def _type(file: h5py.File, draws: np.random.Generator) -> None:
    name = _replace(file, draws)
    dtype = pick(
        draws, ["f8", "S3", h5py.string_dtype(), h5py.vlen_dtype("u1"), "i8", h5py.ref_dtype]
    )
    file.create_dataset(name, (3,), dtype)


def _group(file: h5py.File, draws: np.random.Generator) -> None:
    file.create_group(_replace(file, draws))


def _loop(file: h5py.File, draws: np.random.Generator) -> None:
    file[f"{_some(file, h5py.Group, draws)}/again"] = file["/"]


def _attribute(file: h5py.File, draws: np.random.Generator) -> None:
    place = file[_some(file, h5py.Group if draws.integers(2) else h5py.Dataset, draws)]
    name = str(pick(draws, [*place.attrs, *file.attrs, "format", "version"]))
    place.attrs[name] = pick(
        draws, [0, -1, 1e300, "x\x1b[31m", b"\xff\xfe", [1, 2, 3], 1 << 62, ""]
    )


def _other(file: h5py.File, draws: np.random.Generator) -> None:
    """Other pixels, with all that stands beside them as it was."""
    name = _some(file, h5py.Dataset, draws)
    values = file[name][()]
    if isinstance(values, np.ndarray) and values.dtype.kind in "uif" and values.size:
        flat = values.reshape(-1)
        at = int(draws.integers(flat.size))
        flat[at] = flat[at] + 1
        file[name][...] = values


SHAPES: dict[str, Callable[[h5py.File, np.random.Generator], None]] = {
    "virtual": _virtual, "raw data elsewhere": _raw, "external link": _external, "soft link": _soft,
    "big": _big, "type": _type, "group": _group, "loop": _loop, "attribute": _attribute,
    "other pixels": _other,
}  # fmt: skip
