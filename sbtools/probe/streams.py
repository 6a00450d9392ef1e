"""Features of the same clips in two or more ways: read whole, matched by the ids of clips."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sbtools.errors import SbtoolsError, UsageError
from sbtools.evaluate.intervals import clusters
from sbtools.evaluate.metrics import Floats
from sbtools.probe.gather import features_of, require_one_model
from sbtools.records import Record
from sbtools.store import Stores

SHOWN = ("view", "p_view", "fill", "seed", "style_dir")
"""Of what a store tells, how clips were shown; the rest is the model."""


@dataclass
class Stream:
    """Features of clips by id: float64 [D] each. name: as messages call it; what: of their store;
    failed: clips with an error."""

    name: str
    features: dict[str, NDArray[np.float64]] = field(default_factory=dict)
    sources: dict[str, str] = field(default_factory=dict)
    pair_of: dict[str, str] = field(default_factory=dict)
    failed: int = 0
    what: dict[str, Any] | None = None

    @property
    def width(self) -> int:
        """D; 0 where there is no clip."""
        return len(next(iter(self.features.values()), ()))


@dataclass(frozen=True)
class Matched:
    """The clips that two streams share, in the order of their ids: a float64 [N, D], b [N, E].

    groups: the source of each. left_out: clips of either that are not in both.
    """

    ids: list[str]
    groups: list[str]
    a: Floats
    b: Floats
    left_out: int


def stream_of(incoming: Iterable[Record], name: str, pool: str, root: str) -> Stream:
    """All records with features. A record with an error is left out, counted.

    Raises SbtoolsError for a record without features, for features that are not numbers or not as
    many as those before, and UsageError for those of two models; the message begins with `name`.
    """
    found, stores, told = Stream(name), Stores(root), dict[str, Any]()
    try:
        for record in incoming:
            if "error" in record:
                found.failed += 1
                continue
            values = features_of(record, stores, pool)
            require_one_model(record, stores, told)
            _add(found, record, values)
    except (SbtoolsError, UsageError) as fault:
        fault.args = (*fault.args[:-1], f"{name}: {fault.args[-1]}")
        raise
    finally:
        stores.close()
    found.what = next(iter(told.values()), None)
    return found


def _add(found: Stream, record: Record, values: NDArray[Any]) -> None:
    id = record["id"]
    if not np.isfinite(values).all():
        raise SbtoolsError(f"clip {id!a}: its features are not numbers")
    if found.features and len(values) != found.width:
        raise SbtoolsError(f"clip {id!a} has {len(values)} features, others {found.width}")
    found.features[id] = np.asarray(values, np.float64)
    found.sources[id] = record.get("source") or ""
    found.pair_of[id] = record.get("pair_of") or ""


def matched(a: Stream, b: Stream) -> Matched:
    """The clips that are in both; SbtoolsError where there are none."""
    ids = sorted(a.features.keys() & b.features.keys())
    if not ids:
        raise SbtoolsError(
            f"no clip of {a.name} is in {b.name}, and clips are matched by id: give the features "
            "of the same clips"
        )
    groups = clusters(ids, *([each[id] for id in ids] for each in (a.sources, a.pair_of)))
    left_out = len(a.features.keys() ^ b.features.keys())
    return Matched(ids, groups, _rows(a, ids), _rows(b, ids), left_out)


def _rows(stream: Stream, ids: Sequence[str]) -> Floats:
    return np.stack([stream.features[id] for id in ids])


def require_varied(streams: Sequence[Stream], found: Matched) -> None:
    """SbtoolsError where all clips have the same features in one of the two."""
    for stream, rows in zip(streams, (found.a, found.b), strict=True):
        if not (rows != rows[0]).any():
            raise SbtoolsError(
                f"{stream.name}: all {len(rows)} clips have the same features, which are like "
                "nothing: give more clips, or another stream"
            )


def require_two_views(option: str, a: Stream, b: Stream) -> None:
    """UsageError unless two streams are of one model that was shown clips in two ways."""
    one, other = ({**(stream.what or {})} for stream in (a, b))
    if one == other:
        raise UsageError(
            f"{option}: {a.name} and {b.name} are features of one view and one seed: show the "
            "clips in two ways, as sbtools-factors(1) has it"
        )
    differing = {key for key in one.keys() | other.keys() if one.get(key) != other.get(key)}
    apart = sorted(differing - {*SHOWN})
    if apart or a.width != b.width:
        raise UsageError(
            f"{option}: {a.name} and {b.name} are features of two models "
            f"({', '.join(apart) or 'lengths'} differ): give one model's, of two views"
        )
