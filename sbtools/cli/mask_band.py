"""`--mask-band[=STORE]`: an option whose value may be left out."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence

import click
from click.core import ParameterSource

from sbtools.errors import DamagedError, UsageError

FLAG = "--mask-band"


class MaskBandCommand(click.Command):
    """A command with the option. A word behind it is its value only where it is a store of masks:
    else it is RUN or an INPUT."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        return super().parse_args(ctx, once(list(_attached(args))))


def _attached(words: Sequence[str]) -> Iterator[str]:
    """The words, the option with its value behind "=", which is empty where there is none."""
    left = iter(range(len(words)))
    for at in left:
        if words[at] == "--":
            yield from words[at:]
            return
        if words[at] != FLAG:
            yield words[at]
        elif _is_store(words[at + 1 : at + 2]):
            yield f"{FLAG}={words[next(left)]}"
        else:
            yield f"{FLAG}="


def _is_store(words: Sequence[str]) -> bool:
    if not words or not os.path.isdir(words[0]):
        return False
    from sbtools.store import read_made

    try:
        made = read_made(words[0])
    except DamagedError:
        return False
    return made is not None and made["format"] == "sbtools-masks"


def once(words: list[str]) -> list[str]:
    """The words with the option given once; UsageError where it names two stores."""
    given = [word for word in words if word.startswith(f"{FLAG}=")]
    stores = [*dict.fromkeys(word.partition("=")[2] for word in given if word != f"{FLAG}=")]
    if len(stores) > 1:
        raise UsageError(f"{FLAG} takes the masks of one other store, not of {', '.join(stores)}")
    rest = [word for word in words if word not in given]
    return [f"{FLAG}={''.join(stores)}", *rest] if given else words


def _switched(ctx: click.Context, param: click.Parameter, value: str | None) -> str | None:
    """Of a configuration file true is the option without a store, and false is none."""
    if ctx.get_parameter_source("mask_band") is ParameterSource.DEFAULT_MAP:
        return {"true": "", "false": None}.get(value or "", value)
    return value


OPTION = click.option(FLAG, metavar="[=STORE]", callback=_switched,
                      help="Masked views under dilated and eroded masks too, and those of another "
                      "STORE of the same clips: how far numbers move with the masks.")  # fmt: skip
