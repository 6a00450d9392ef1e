"""The flags that choose a detector, a segmenter and a scorer of scenes."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import click

from sbtools.backends import BackendSpec, parse_settings
from sbtools.cli import complete
from sbtools.cli.options import Common
from sbtools.cli.run import refuse_auto
from sbtools.detect import AUTO as AUTO_DETECTOR
from sbtools.detect import DETECTORS
from sbtools.errors import UsageError
from sbtools.records import Record
from sbtools.segment import AUTO as AUTO_SEGMENTER
from sbtools.segment import SEGMENTERS
from sbtools.video.frames import FrameRule
from sbtools.weights import find

log = logging.getLogger("sbtools")

LEARNED = {"detector": "grounding-dino", "segmenter": "sam"}
"""What auto takes where its weights are found; weights.find knows them by the same names."""

WEIGHT_FREE = {"detector": AUTO_DETECTOR, "segmenter": AUTO_SEGMENTER}
GET = {
    "detector": "sbtools weights fetch grounding-dino-tiny, or --weights PATH "
    "(in segment --detector-weights)",
    "segmenter": "sbtools weights fetch sam-vit-b, or --weights PATH",
}
SHARED = {
    "detector": ("device", "batch_frames"),
    "segmenter": ("device", "batch_frames", "person"),
    "scorer": ("device", "batch"),
}
"""Settings that a back end may leave unread."""

DETECTOR = click.option(
    "--detector",
    shell_complete=complete.names("detectors", "auto"),
    default="auto",
    show_default=True,
    metavar="NAME",
    help=f"{', '.join(DETECTORS)}, or one that a package adds; auto takes grounding-dino where "
    "its weights are found, else classic.",
)
SEGMENTER = click.option(
    "--segmenter",
    shell_complete=complete.names("segmenters", "auto"),
    default="auto",
    show_default=True,
    metavar="NAME",
    help=f"{', '.join(SEGMENTERS)}, or one that a package adds; auto takes sam where its weights "
    "are found, else grabcut.",
)
OBJECT = click.option(
    "--object", "objects", multiple=True, metavar="NAME", help="Object to find; repeatable."
)
PERSON = click.option(
    "--person",
    metavar="NAMES",
    help="What a person is called in prompts, with commas.  [default: person,hand]",
)
DEVICE = click.option(
    "--device", metavar="NAME", shell_complete=complete.DEVICE,
    help="Where learned back ends compute: auto, cpu, cuda or cuda:N.",
)  # fmt: skip
DOWNLOAD = click.option(
    "--download", is_flag=True, help="Fetch a detector that is named as on the HuggingFace hub."
)


def weights(flag: str, of: str) -> Any:
    """The option `flag` for the weights of a back end."""
    return click.option(
        flag, metavar="PATH", shell_complete=complete.file, help=f"Weights of the {of}."
    )


class Frames(click.ParamType):
    """A frame rule, kept as its canonical text."""

    name = "RULE"

    def convert(self, value: Any, param: Any, ctx: Any) -> str:
        try:
            return str(FrameRule.parse(str(value)))
        except UsageError as error:
            self.fail(str(error), param, ctx)


class BatchFrames(click.ParamType):
    """A count of frames, or auto."""

    name = "N|auto"

    def convert(self, value: Any, param: Any, ctx: Any) -> str:
        text = str(value)
        if text != "auto" and not (text.isdecimal() and int(text) > 0):
            self.fail(f"'{text}' is neither a count above 0 nor auto", param, ctx)
        return text


BATCH_FRAMES = click.option(
    "--batch-frames",
    type=BatchFrames(),
    help="Frames of a clip that a learned back end takes at once.  [default: auto]",
)


def detector(
    common: Common, name: str, settings: tuple[str, ...], warn: bool = True, **flags: Any
) -> BackendSpec:
    """The detector of that name; `auto` is resolved here, once.

    `flags` are settings that have options of their own, None or False where not given. Without
    `warn` it is left to `warned` to say that auto has found no weights.
    """
    return _choice(common, "detector", name, settings, flags, warn)


def warned(
    incoming: Iterable[Record], chosen: BackendSpec, asked: str, afresh: bool
) -> Iterator[Record]:
    """The records; before the first that is to be detected, a warning where `asked` is auto and the
    detector needs no weights."""
    due = asked == "auto" and chosen.name == WEIGHT_FREE["detector"]
    for record in incoming:
        if due and "error" not in record and (afresh or "boxes" not in record):
            _warn_of_weight_free("detector")
            due = False
        yield record


def segmenter(common: Common, name: str, settings: tuple[str, ...], **flags: Any) -> BackendSpec:
    """The segmenter of that name; as `detector`.

    `person` is of one that reads prompts, and left unread by others.
    """
    return _choice(common, "segmenter", name, settings, flags)


def scorer(common: Common, name: str, settings: tuple[str, ...], **flags: Any) -> BackendSpec:
    """The scorer of that name; as `detector`, without `auto`."""
    return _choice(common, "scorer", name, settings, flags)


def warn_of_unused(segmenter: BackendSpec, flags: Mapping[str, Any]) -> None:
    """Log which of these flags, by whether each was given, mean nothing without a detector."""
    given = [flag for flag, value in flags.items() if value]
    if given:
        log.warning(
            "segmenter %s needs no boxes, so no detector runs: leave %s out",
            segmenter.name, ", ".join(given),
        )  # fmt: skip


def _choice(
    common: Common,
    what: str,
    name: str,
    settings: tuple[str, ...],
    flags: dict[str, Any],
    warn: bool = True,
) -> BackendSpec:
    given = {flag: value for flag, value in flags.items() if value not in (None, False)}
    own = dict[str, Any](parse_settings(settings))
    if name == "auto" and what in LEARNED:
        refuse_auto(common, f"--{what}", f"--{what} {WEIGHT_FREE[what]}")
        name = _auto(what, {**own, **given}, warn)
    known = _settings_of(BackendSpec(what, name).type, what)
    for flag, value in given.items():
        if flag not in known and flag not in SHARED[what]:
            raise UsageError(f"{what} {name} has no setting '{flag}': name another --{what}")
        if flag in known and flag in own:
            raise UsageError(f"{what} {name}: {flag} is set twice, by an option and by --set")
        if flag in known:
            own[flag] = value
    if name == LEARNED.get(what) and "weights" not in own:
        own["weights"] = _found(what, name)
    return BackendSpec(what, name, own)


def _settings_of(made: Any, what: str) -> set[str]:
    """Names of the settings that options may give."""
    from sbtools.segment.base import wants

    known = set(inspect.signature(made).parameters)
    return known - {"person"} if what == "segmenter" and "prompts" not in wants(made) else known


def _auto(what: str, given: dict[str, Any], warn: bool) -> str:
    learned, free = LEARNED[what], WEIGHT_FREE[what]
    if "weights" in given:
        return learned
    path = find(learned)
    if path is None:
        if warn:
            _warn_of_weight_free(what)
        return free
    log.info("%s %s, of %s", what, learned, path)
    return learned


def _warn_of_weight_free(what: str) -> None:
    free = WEIGHT_FREE[what]
    log.warning("no learned %s: %s needs no weights, and is less exact", what, free)


def _found(what: str, name: str) -> str:
    path = find(name)
    if path is not None:
        return str(path)
    raise UsageError(
        f"{what} {name} needs its weights, and $SBTOOLS_WEIGHTS and the cache have none: "
        f"{GET[what]}"
    )
