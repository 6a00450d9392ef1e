"""`sbtools train --help-model`, `--help-method` and `--help-preset`."""

from __future__ import annotations

import inspect
import shlex
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import click

from sbtools import presets, signatures
from sbtools.cli import complete
from sbtools.cli.printing import head, printing, table
from sbtools.methods import METHODS
from sbtools.models import GIVEN, MODELS, TOWERS
from sbtools.registry import merged, named


def model(name: str) -> Iterator[str]:
    """Lines about a model: what it is, its settings, what it is trained with by default."""
    target = named(MODELS, "sbtools.models", name, "model")
    found = signatures.read(target)
    yield from head(f"model {name}", target, found.doc)
    own = {key: value for key, value in found.arguments.items() if key not in GIVEN}
    towers = {key: value for key, value in TOWERS.items() if key not in own}
    yield from _settings("--set-model", own | (towers if "clip" in found.arguments else {}))
    if found.defaults:
        yield "Trained, where nothing else is asked for, with:"
        flags = {f"--{key.replace('_', '-')}": value for key, value in found.defaults.items()}
        yield from table([(flag, _shown(value)) for flag, value in flags.items()])
        yield ""


def method(name: str) -> Iterator[str]:
    """Lines about a method: what it does, its settings."""
    target = named(METHODS, "sbtools.methods", name, "method")
    found = signatures.read(target)
    yield from head(f"method {name}", target, found.doc)
    yield from _settings("--set", found.arguments)


def preset(name: str) -> Iterator[str]:
    """Lines about a preset: which training it is, its settings, each with its source."""
    found = presets.find(name)
    target = merged(presets.PRESETS, "sbtools.presets")[name.partition(":")[0]]
    lacks = [f"Not in it: {'; '.join(found.lacks)}."] if found.lacks else []
    begins = [f"Begins with {found.start} (--weights)."] if found.start else []
    tested = [f"Published numbers are of sbtools eval --protocol {found.protocol}."]
    about = [f"{found.about}.", *begins, *lacks, *(tested if found.protocol else [])]
    yield from head(f"preset {name}", target, "\n".join(map(click.wrap_text, about)))
    yield "Settings, each with its source; options that are given win over them:"
    yield from table(_rows(found.settings))
    yield ""
    for word, own in found.variants.items():
        yield f"Otherwise in {name}:{word}:"
        yield from table(_rows(own))
        yield ""


def _rows(settings: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [
        (option, source if number == 0 else "")
        for key, (value, source) in settings.items()
        for number, option in enumerate(_options(key, value))
    ]


def _options(key: str, value: Any) -> list[str]:
    """A setting of a preset as it stands on a command line."""
    part, dot, name = key.partition(".")
    if dot:
        return [f"--{presets.PARTS[part]} {shlex.quote(f'{name}={presets.written(value)}')}"]
    values = value if isinstance(value, tuple) else [presets.written(value)]
    return [f"--{key} {shlex.quote(each)}" for each in values]


def _settings(flag: str, values: Mapping[str, Any]) -> Iterator[str]:
    if not values:
        yield "It has no settings."
    else:
        yield f"Settings, {flag} NAME=VALUE, with their defaults:"
        yield from table([(name, _shown(value)) for name, value in values.items()])
    yield ""


def _shown(value: Any) -> str:
    if value is inspect.Parameter.empty:
        return "(must be given)"
    if isinstance(value, (tuple, list)):
        return ",".join(map(str, value))
    return f"{value:g}" if isinstance(value, float) else str(value) or '""'


def _option(flag: str, lines: Callable[[str], Iterator[str]], what: str) -> Any:
    known = complete.names(f"{lines.__name__}s")
    return click.option(flag, metavar="NAME", is_eager=True, expose_value=False,
                        shell_complete=known, callback=printing(lines), help=what)  # fmt: skip


OPTIONS = (
    _option("--help-model", model, "Print what a model is, its settings and their defaults."),
    _option("--help-method", method, "Print what a method does, its settings and their defaults."),
    _option("--help-preset", preset, "Print the settings of a preset, each with its source."),
)
