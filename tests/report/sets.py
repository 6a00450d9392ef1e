"""Results on a data set and on the sets made of its clips, of which it is told what is right."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from sbtools.evaluate import from_scores
from sbtools.evaluate.scores import from_records
from sbtools.records import Record

RIGHT = {
    "iid": "1110",
    "scuba places365": "1100",
    "scuba stripe": "1000",
    "scufo places365": "1010",
    "scufo stripe": "0001",
    "conflfg stripe": "0100",
}
"""Which of four clips are answered right: by hand, top1 is 3/4; SCUBA (1/2 + 1/4) / 2, as SCUFO is;
contrasted (1/4 + 1/4) / 2, the second clip before places365 and the first before stripes;
ConflFG 1/4."""
BY_HAND = {"top1": 3 / 4, "scuba_avg": 3 / 8, "scufo_avg": 3 / 8, "conflfg": 1 / 4,
           "contrasted": 1 / 4}  # fmt: skip
EXACT, FREE = "sam weights=0123", "grabcut weights=none"


def _records(
    right: Mapping[str, str], classes: list[str], dataset: str, masks: str
) -> Iterator[Record]:
    for what, answers in right.items():
        variant, _, kind = what.partition(" ")
        for place, answer in enumerate(answers):
            original = f"clip{place}"
            made: dict[str, Any] = {}
            if variant != "iid":
                made = {"variant": variant, "background_kind": kind, "pair_of": original}
                made["made"] = {"segment": masks, "mask": f"mask; mode={variant}; kind={kind}"}
            if variant == "scufo":
                made["pair_of"] = f"scuba-{kind}/{original}"
            scores = [0.0] * len(classes)
            scores[place if answer == "1" else place + 1] = 1.0
            yield {
                "id": original if variant == "iid" else f"{variant}-{kind}/{original}",
                "label": classes[place], "source": original, "dataset": dataset, "split": "test",
                "scores": {"plain": scores}, **made,
            }  # fmt: skip


def result_on(
    *sets: str,
    name: str = "plain",
    method: str = "none",
    seed: int | None = 0,
    right: Mapping[str, str] = RIGHT,
    classes: int = 5,
    dataset: str = "hmdb51",
    pairs: bool = True,
    masks: str = EXACT,
    by: str = "",
    hour: int = 1,
    weights: str | None = "",
) -> dict[str, Any]:
    """One eval of a training on some of the sets: on all of `right`, or on those named."""
    chosen = {
        what: answers
        for what, answers in right.items()
        if not sets or {what, what.partition(" ")[0]} & {*sets}
    }
    names = [f"class {number}" for number in range(classes)]
    found = from_scores(from_records(_records(chosen, names, dataset, masks), names), draws=10,
                        pairs=pairs)  # fmt: skip
    training = {"run": f"runs/{name}", "which": "last", "select": "last", "seed": seed,
                "settings": {"method": method, "seed": seed}, "log": []}  # fmt: skip
    sha = f"{method} {seed}" if weights == "" else weights
    return {
        **found,
        "name": name,
        "time": f"2026-11-23T{hour:02}:00:00",
        "model": {"name": "linear", "kind": "logits", "settings": {"backbone": "swin3d_t"},
                  "weights_sha256": sha, "frames": 32},
        "method": {"name": method, "settings": {}},
        "training": None if seed is None else training,
        "protocol": {**found["protocol"], **({"name": by} if by else {})},
    }  # fmt: skip
