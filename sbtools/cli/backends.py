"""The flags that choose a detector and a segmenter."""

from __future__ import annotations

import logging
from typing import Any

import click

from sbtools.backends import Choice, parse_settings
from sbtools.cli.options import Common
from sbtools.cli.run import refuse_auto
from sbtools.detect import AUTO as AUTO_DETECTOR
from sbtools.detect import DETECTORS
from sbtools.errors import UsageError
from sbtools.segment import AUTO as AUTO_SEGMENTER
from sbtools.segment import SEGMENTERS
from sbtools.video.frames import FrameRule

log = logging.getLogger("sbtools")

DETECTOR = click.option(
    "--detector",
    default="auto",
    show_default=True,
    metavar="NAME",
    help=f"{', '.join(DETECTORS)}, or one that a package adds; auto takes classic.",
)
SEGMENTER = click.option(
    "--segmenter",
    default="auto",
    show_default=True,
    metavar="NAME",
    help=f"{', '.join(SEGMENTERS)}, or one that a package adds; auto takes grabcut.",
)
OBJECT = click.option(
    "--object", "objects", multiple=True, metavar="NAME", help="Object to find; repeatable."
)


class Frames(click.ParamType):
    """A frame rule, kept as its canonical text."""

    name = "RULE"

    def convert(self, value: Any, param: Any, ctx: Any) -> str:
        try:
            return str(FrameRule.parse(str(value)))
        except UsageError as error:
            self.fail(str(error), param, ctx)


def detector(common: Common, name: str, settings: tuple[str, ...]) -> Choice:
    """The detector of that name; `auto` is resolved here, once."""
    return _choice(common, "detector", name, AUTO_DETECTOR, settings)


def segmenter(common: Common, name: str, settings: tuple[str, ...]) -> Choice:
    """The segmenter of that name; `auto` is resolved here, once."""
    return _choice(common, "segmenter", name, AUTO_SEGMENTER, settings)


def _choice(common: Common, what: str, name: str, auto: str, settings: tuple[str, ...]) -> Choice:
    if name == "auto":
        refuse_auto(common, f"--{what}", f"--{what} {auto}")
        name = auto
        log.warning("no learned %s: %s needs no weights, and is less exact", what, auto)
    return Choice(what, name, dict(parse_settings(settings)))
