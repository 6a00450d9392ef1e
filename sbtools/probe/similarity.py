"""How alike two sets of features are: what `sbtools similarity` prints."""

from __future__ import annotations

from typing import Any

import numpy as np

from sbtools import __version__
from sbtools.errors import SbtoolsError
from sbtools.evaluate.intervals import LEVEL, Clusters
from sbtools.evaluate.metrics import Floats, Ints
from sbtools.probe.dependence import (
    LEAST,
    Dependence,
    Gaussian,
    Linear,
    Sums,
    biased_cka,
    dependence,
    jackknife,
    median_width,
    permutation_p,
    sums,
)
from sbtools.probe.streams import Matched, Stream, matched, require_varied
from sbtools.rng import generator

FORMAT = "sbtools-similarity"
BLOCKS, TESTED, PERMUTATIONS = 50, 500, 1000
"""Blocks of sources that the jackknife leaves out, and clips of the test, at most."""

UNDEFINED = "its HSIC with itself is not above 0: too few clips"


def similarity(
    a: Stream, b: Stream, permutations: int = PERMUTATIONS, seed: int = 0
) -> dict[str, Any]:
    """CKA and HSIC of the clips that are in both, with intervals over sources.

    SbtoolsError below 4 clips, and where one of the two tells clips nothing apart.
    """
    found = matched(a, b)
    if len(found.ids) < LEAST:
        raise SbtoolsError(f"{len(found.ids)} clips are in both, and CKA and HSIC need {LEAST}")
    require_varied((a, b), found)
    blocks, order = _blocks(found.groups)
    x, y = found.a[order], found.b[order]
    linear = sums(Linear(x), Linear(y), blocks)
    widths = [median_width(each, generator(seed, "clips", "kernel width")) for each in (x, y)]
    gaussian = sums(Gaussian(x, widths[0]), Gaussian(y, widths[1]), blocks)
    return {
        "format": FORMAT,
        "version": 1,
        "names": [a.name, b.name],
        "metrics": _metrics(
            linear, dependence(linear, blocks), dependence(gaussian, blocks), blocks
        ),
        "independence": _test(found, widths, permutations, seed),
        "n": len(blocks),
        "clusters": len(set(found.groups)),
        "blocks": int(blocks[-1]) + 1,
        "features": [x.shape[1], y.shape[1]],
        "widths": widths,
        "failed": [a.failed, b.failed],
        "left_out": found.left_out,
        "interval": {"level": LEVEL, "method": "jackknife", "unit": "source"},
        "seed": seed,
        "stores": [a.what, b.what],
        "sbtools": __version__,
    }


def _blocks(groups: list[str]) -> tuple[Ints, Ints]:
    """Sources dealt out in turn: the block of each clip, ascending, and the clips in that order."""
    sources = Clusters.of(groups)
    blocks = sources.codes % min(sources.count, BLOCKS)
    order = np.argsort(blocks, kind="stable")
    return blocks[order], order


def _metrics(
    linear: Sums, of_linear: Dependence, of_gaussian: Dependence, blocks: Ints
) -> dict[str, Any]:
    biased = {"value": biased_cka(linear), "interval": None, "count": len(blocks)}
    return {
        "cka": _measure(of_linear.normalised, len(blocks)),
        "cka_biased": biased,
        "hsic": _measure(of_gaussian.hsic, len(blocks)),
        "hsic_normalised": _measure(of_gaussian.normalised, len(blocks)),
    }


def _measure(values: Floats, count: int) -> dict[str, Any]:
    if np.isnan(values[0]):
        return {"value": None, "interval": None, "count": count, "reason": UNDEFINED}
    ends = jackknife(values)
    return {"value": float(values[0]), "interval": list(ends) if ends else None, "count": count}


def _test(found: Matched, widths: list[float], draws: int, seed: int) -> dict[str, Any] | None:
    """Whether the two are independent: of one clip of each source, the first by id."""
    firsts = sorted({group: at for at, group in reversed([*enumerate(found.groups)])}.values())
    draw = generator(seed, "clips", "permutations")
    if len(firsts) > TESTED:
        firsts = sorted(draw.choice(firsts, TESTED, replace=False))
    if not draws or len(firsts) < LEAST:
        return None
    one, other = (
        Gaussian(rows[firsts], width).rows(slice(None))
        for rows, width in zip((found.a, found.b), widths, strict=True)
    )
    p = permutation_p(one, other, draws, draw)
    return {"p": p, "permutations": draws, "clips": len(firsts)}
