"""What an evaluation is asked for, and what comes of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Request:
    """What is to be judged, and how.

    run: a run's folder or a checkpoint, with `which` of last, best, ema; or model, weights, frames
    and options of one that no run holds. classes: a file, or names with commas; base and novel: the
    same, for two results. views: names, None for those that the records allow, `more` among
    them; p_view: bg or bg+obj. mask_band: show masked views under dilated and eroded masks too, and
    under those of the store that it names; "" for none, None for no band. clips, crops: of each
    record; protocol: a name of `sbtools.protocols`, which fixes them and more. scores: the folder
    of a store. examples: clips whose frames the result shows; flips: of some views, clips that are
    answered otherwise there. seen: told each clip's `sbtools.evaluate.run.Answer`, with
    the features that the view plain has in the same pass. threads and cores: as
    `sbtools.threads.settle` takes them. told: what the result says of run and dataset besides.
    """

    root: str
    run: str | None = None
    which: str | None = None
    model: str | None = None
    weights: str | None = None
    frames: int | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    classes: str | None = None
    base: str | None = None
    novel: str | None = None
    views: Sequence[str] | None = None
    more: Sequence[str] = ()
    controls: bool = False
    p_view: str | None = None
    mask_band: str | None = None
    fill: str = "normal"
    clips: int = 1
    crops: int = 1
    protocol: str | None = None
    batch: int = 32
    group_by: str | None = None
    pairs: bool = False
    draws: int = 1000
    seed: int = 0
    shard: tuple[int, int] = (0, 1)
    limit: int | None = None
    device: str = "auto"
    precision: str = "auto"
    workers: int = 0
    threads: int | None = None
    cores: int = 1
    timeout: float = 600.0
    cache: str | None = None
    scores: str | None = None
    overwrite: bool = False
    take_over: bool = False
    retry_failed: bool = False
    examples: int = 4
    flips: int = 0
    seen: Callable[[Any], None] | None = None
    told: Mapping[str, Any] = field(default_factory=dict)


@dataclass
class Outcome:
    """The results by name ("" where there is one, else base and novel); none under a shard.

    clips were asked for, failed could not be judged. stopped: before the end, on request.
    """

    results: dict[str, dict[str, Any]] = field(default_factory=dict)
    clips: int = 0
    failed: int = 0
    stopped: bool = False
