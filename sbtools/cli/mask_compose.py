"""The options of `sbtools mask` that compose clips, and what they come to."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from sbtools.cli.renamed import Renamed
from sbtools.errors import UsageError
from sbtools.job import Job
from sbtools.records import Record

if TYPE_CHECKING:
    from sbtools.compose.modes import Composing
    from sbtools.compose.partners import Partners

MODES = ("scuba", "scufo", "conflfg", "swap", "human-only", "bg-only", "self-composite",
         "appearance-free")  # fmt: skip
OPTIONS = {
    "backgrounds": ("scuba", "scufo", "conflfg", "swap"),
    "background_kind": ("scuba", "scufo", "conflfg"),
    "copies": ("scuba", "scufo", "conflfg", "swap", "appearance-free"),
    "pairs": ("swap",),
    "scenes": ("swap",),
    "partners": ("swap", "conflfg"),
    "valid": tuple(mode for mode in MODES if mode != "appearance-free"),
    "area": tuple(mode for mode in MODES if mode != "appearance-free"),
    "area_frames": tuple(mode for mode in MODES if mode != "appearance-free"),
    "noise": ("appearance-free",),
    "frames": ("appearance-free",),
}
"""Which modes each option is for."""
OF_FILLS = ("fill", "normalise", "on_empty")

_FOLDER = click.Path(path_type=str, file_okay=False)

_FLAGS = (
    click.option("--backgrounds", cls=Renamed, was="--behind", metavar="stripes|DIR",
                 help="The backgrounds of scuba, scufo and conflfg: stripes, or the images in a "
                 "folder, such as test_256 of Places365. Of swap: a store of pixels, or a folder "
                 "that has ID, a folder of images, or ID.mp4.  [default: of swap, made on the "
                 "way]"),
    click.option("--background-kind", metavar="NAME",
                 help="What records call them in background_kind.  [default: stripe, or the name "
                 "of the folder]"),
    click.option("--copies", type=click.IntRange(1, 1000), default=1, show_default=True,
                 metavar="N", help="How many clips to make of each, each with draws of its own."),
    click.option("--pairs", type=click.Choice(["random", "same", "close", "far", "records"]),
                 default="random", show_default=True,
                 help="Which clips swap takes backgrounds from: of another class, the same, one "
                 "with close or far scenes, or what background_id of the record names."),
    click.option("--scenes", metavar="STORE", type=_FOLDER,
                 help="The scenes of the clips, for --pairs close and far."),
    click.option("--partners", cls=Renamed, was="--among", metavar="FILE",
                 help="Records that swap and conflfg draw the other clip from.  "
                 "[default: the input]"),
    click.option("--valid", type=click.Choice(["none", "hat", "scuba-k400"]), default="none",
                 show_default=True, help="Leave out clips with few people in them, as a "
                 "benchmark does."),
    click.option("--area", metavar="LEAST:MOST",
                 help="Share of the picture that people must fill, as in 0.05:0.5, instead of that "
                 "of --valid."),
    click.option("--area-frames", type=click.FloatRange(0, 1), metavar="SHARE",
                 help="Share of the frames in which they must; 0: on average over the clip."),
    click.option("--noise", type=click.Choice(["carried", "published"]), default="carried",
                 show_default=True, help="How appearance-free moves its noise."),
    click.option("--frames", default="all", show_default=True, metavar="RULE",
                 help="The frames of appearance-free; the other modes take those with masks."),
)  # fmt: skip


def compose_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add the flags of the modes that compose clips; the command receives them as `asked`."""

    @functools.wraps(function)
    def collected(**values: Any) -> Any:
        asked = {name: values.pop(name) for name in OPTIONS}
        return function(asked=asked, **values)

    made: Callable[..., Any] = collected
    for flag in reversed(_FLAGS):
        made = flag(made)
    return made


def require_fitting(mode: str) -> None:
    """UsageError for an option that the mode has no use for, and where it lacks one."""
    for name in (*OPTIONS, *OF_FILLS):
        modes = OPTIONS.get(name, ())
        flag = "--" + name.replace("_", "-")
        if mode not in modes and _is_given(name) and (mode in MODES or name in OPTIONS):
            for_whom = f"--mode {', '.join(modes)}" if modes else "the modes that hide"
            raise UsageError(f"{flag} goes with {for_whom}, not with {mode}: leave it out")
    if mode in OPTIONS["background_kind"] and not _is_given("backgrounds"):
        raise UsageError(f"--mode {mode} needs --backgrounds: stripes, or a folder of images")


def _is_given(name: str) -> bool:
    context = click.get_current_context()
    usual = (click.core.ParameterSource.DEFAULT, click.core.ParameterSource.DEFAULT_MAP)
    return context.get_parameter_source(name) not in usual


def composing_of(
    mode: str, asked: Mapping[str, Any], seed: int, whole: Callable[[], Iterable[Record]], job: Job,
    allow_missing: bool,
) -> Composing:  # fmt: skip
    """What the options come to; `whole` are the records of all shards."""
    from sbtools.compose.backgrounds import backgrounds_of
    from sbtools.compose.modes import Composing
    from sbtools.compose.rule import rule_of
    from sbtools.compose.task import require_behind
    from sbtools.video import FrameRule

    FrameRule.parse(asked["frames"])
    behind = asked["backgrounds"] if mode == "swap" else None
    if behind is not None:
        require_behind(behind)
    made = Composing(
        mode, seed, asked["copies"],
        rule_of(asked["valid"], asked["area"], asked["area_frames"]),
        behind=behind, noise=asked["noise"], frames=asked["frames"],
    )  # fmt: skip
    if made.needs.image:
        made = replace(made, backgrounds=backgrounds_of(asked["backgrounds"],
                                                        asked["background_kind"]))  # fmt: skip
    if made.needs.partner:
        made = replace(made, partners=_partners(mode, asked, whole, job, allow_missing))
    return made


def _partners(
    mode: str, asked: Mapping[str, Any], whole: Callable[[], Iterable[Record]], job: Job,
    allow_missing: bool,
) -> Partners:  # fmt: skip
    from sbtools.compose.partners import partners_of, require_whole
    from sbtools.compose.scenes import scenes_in
    from sbtools.mask.stage import of_whole_stores
    from sbtools.rng import shard_of

    index, count = job.shard
    found: Iterable[Record]
    if asked["partners"] is None:
        found = require_whole(whole(), job.shard, lambda id: shard_of(id, count) == index)
    else:
        found = _read(asked["partners"])
    everywhere = replace(job, shard=(0, 1))
    found = list(of_whole_stores(found, everywhere, allow_missing, {}))
    pairs = asked["pairs"] if mode == "swap" else "random"
    given = asked["scenes"]
    return partners_of(pairs, found, None if given is None else scenes_in(given))


def _read(path: str) -> list[Record]:
    from sbtools.records import read

    try:
        with open(path, "rb") as stream:
            return list(read(stream, path))
    except OSError as error:
        raise UsageError(f"--partners {path} cannot be read: {error.strerror}") from error


def originals(ids: Iterable[str], copies: int) -> set[str]:
    """The clips of which all copies are there, given the ids of what was composed."""
    counts = Counter(id.partition("//")[0] for id in ids)
    return {id for id, count in counts.items() if count >= copies}
