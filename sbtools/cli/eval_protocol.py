"""`sbtools eval --protocol` and `--help-protocol`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import click
from click.core import ParameterSource

from sbtools import protocols
from sbtools.backends import parse_settings
from sbtools.cli import complete
from sbtools.cli.printing import head, printing, table
from sbtools.errors import UsageError
from sbtools.protocols import SHOWN, Protocol, written
from sbtools.registry import merged

OPTIONS = ("frames", "clips", "crops")
"""Of eval, named as the setting of a protocol that fixes them."""

ALL = "all"


def refuse_fixed(context: click.Context, flags: Mapping[str, Any]) -> None:
    """UsageError for an option that the protocol fixes, in whatever way it was given."""
    name = flags["protocol"]
    if name is None:
        return
    protocol = protocols.find(name)
    usual = (ParameterSource.DEFAULT, None)
    given = [each for each in OPTIONS if context.get_parameter_source(each) not in usual]
    options = [(f"--{each}", each) for each in given]
    options += [(f"--set-model {each}", each) for each in parse_settings(flags["model_pairs"])]
    for option, setting in options:
        value = protocol.value(setting) if setting in SHOWN else None
        if value is not None:
            raise UsageError(f"{option} is fixed by --protocol {name}: {written(value)}")


def lines(name: str) -> Iterator[str]:
    """Lines about a protocol: which test it is, its settings; or about all of them."""
    if name == ALL:
        yield from _all()
        return
    found = protocols.find(name)
    target = merged(protocols.PROTOCOLS, "sbtools.protocols")[name]
    lacks = [f"Otherwise in the original: {'; '.join(found.lacks)}."] if found.lacks else []
    yield from head(
        f"protocol {name}", target, "\n".join(map(click.wrap_text, [f"{found.about}.", *lacks]))
    )
    yield "Settings, each with its source; what is not there is the model's, as normalisation is:"
    yield from table(_rows(found.settings))
    for variant, settings in found.variants.items():
        yield ""
        yield f"Of records with variant {variant}:"
        yield from table(_rows(settings))
    yield ""


def _rows(settings: protocols.Settings) -> Sequence[tuple[str, str]]:
    return [(f"{name} {_shown(name, value)}", source) for name, (value, source) in settings.items()]


def _shown(name: str, value: protocols.Value) -> str:
    return "of the size" if (name, value) == ("short", 0) else written(value)


def _all() -> Iterator[str]:
    yield "Protocols, sbtools eval --protocol NAME; --help-protocol NAME prints one's settings:"
    known = sorted(merged(protocols.PROTOCOLS, "sbtools.protocols"))
    yield from table([(name, _short(protocols.find(name))) for name in known])


def _short(protocol: Protocol) -> str:
    clips, crops, sampling = (protocol.value(name) for name in ("clips", "crops", "sampling"))
    about = protocol.about.partition(", as ")[0].rpartition("): ")[2]
    return f"{clips} x {crops} views, {sampling}: {about}"


OPTION = click.option("--protocol", metavar="NAME", shell_complete=complete.names("protocols"),
                      help="Show clips and count as a published test does; see "
                      "--help-protocol.")  # fmt: skip

HELP = click.option("--help-protocol", metavar="[NAME]",
                    shell_complete=complete.names("protocols"), is_flag=False, flag_value=ALL,
                    is_eager=True, expose_value=False, callback=printing(lines),
                    help="Print what a protocol fixes, each setting with its source; without NAME, "
                    "which there are.")  # fmt: skip
