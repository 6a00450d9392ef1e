"""`sbtools weights`."""

from __future__ import annotations

import json
import logging
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sbtools.cli import complete, messages, options
from sbtools.errors import SbtoolsError, UsageError

if TYPE_CHECKING:
    from sbtools.weights.catalogue import File
    from sbtools.weights.download import Tell
    from sbtools.weights.fetch import Checked

log = logging.getLogger("sbtools")


@click.command("weights", context_settings=options.CONTEXT)
@click.argument("action", metavar="list|fetch|get|verify",
                type=click.Choice(["list", "fetch", "get", "verify"]))  # fmt: skip
@click.argument(
    "inputs",
    metavar="[NAME|PATH]...",
    nargs=-1,
    type=click.Path(path_type=str),
    shell_complete=complete.names("weights"),
)
@click.option("--url", help="Fetch it from here: a mirror, or a file that is in no list.")
@click.option("--sha256", metavar="HEX", help="The SHA-256 that the file must have.")
@click.option("-o", "--output", metavar="DIR", type=click.Path(path_type=Path),
              help="Folder to fetch into.  [default: the cache, ~/.cache/sbtools]")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="list: one JSON object a line.")
@options.talk_options
def command(
    action: str,
    inputs: tuple[str, ...],
    url: str | None,
    sha256: str | None,
    output: Path | None,
    as_json: bool,
    quiet: bool,
    verbose: int,
) -> int:
    """List, fetch and verify the weights of the learned detectors and segmenters, and of CLIP.

    fetch, or get, also takes hf:ORG/NAME[@REVISION], a model of the HuggingFace hub, for its cache:
    safetensors, JSON and .txt alone.

    What fetch has fetched is found by --detector auto, by --segmenter auto, and under its name by
    train --weights, as is what lies in $SBTOOLS_WEIGHTS. Nothing else is ever fetched that was not
    asked for.

    Exit status: 5 when a file is not what it should be, 6 for a full disk.

    \b
    Examples:
      sbtools weights list
      sbtools weights fetch sam-vit-b grounding-dino-tiny
      sbtools weights fetch clip-vit-b-32 -o .
      sbtools weights verify
    """
    messages.begin_command(verbose, quiet)
    action = "fetch" if action == "get" else action
    if action != "fetch" and (url or output):
        raise UsageError(f"--url and --output are for fetch, not for {action}")
    if (action == "list" and inputs) or (action == "fetch" and not inputs):
        words = "takes no NAME" if inputs else "needs the NAME of weights, see sbtools weights list"
        raise UsageError(f"{action} {words}")
    if (url or sha256) and len(inputs) != 1:
        raise UsageError("--url and --sha256 are for one NAME at a time")
    if (url or sha256 or output) and any(name.startswith("hf:") for name in inputs):
        raise UsageError("--url, --sha256 and --output are not for hf:ORG/NAME, whose place is the "
                         "HuggingFace cache: HF_HOME, and HF_ENDPOINT for a mirror")  # fmt: skip
    if action == "list":
        return _list(as_json)
    return _fetch(inputs, url, sha256, output, quiet) if action == "fetch" else _verify(
        inputs, sha256)  # fmt: skip


def _list(as_json: bool) -> int:
    from sbtools.weights.catalogue import CATALOGUE
    from sbtools.weights.find import find

    for name, entry in CATALOGUE.items():
        found = find(name)
        if as_json:
            files = [vars(file) for file in entry.files]
            click.echo(json.dumps({"name": name, "family": entry.family, "licence": entry.licence,
                                   "size": entry.size, "files": files,
                                   "found": str(found) if found else None}))  # fmt: skip
        else:
            line = f"{name:20} {_bytes(entry.size):>7}  {entry.licence:10}  {found or '-'}"
            messages.show(line)
    return 0


def _fetch(
    names: tuple[str, ...], url: str | None, sha256: str | None, output: Path | None, quiet: bool
) -> int:
    from sbtools.weights.fetch import asked, fetch
    from sbtools.weights.find import cache

    hosted = [name for name in names if name.startswith("hf:")]
    known = [name for name in names if name not in hosted]
    folder = output or cache()
    if folder is None and known:
        raise UsageError("there is no home to put a cache in: set XDG_CACHE_HOME, or give --output")
    entries = [asked(name, url, sha256) for name in known]
    wrong = sum(_get(name, quiet) for name in hosted)
    for name, entry in zip(known, entries, strict=True):
        assert folder is not None
        if entry.licence:
            log.info("%s: %s, licence %s", name, _bytes(entry.size), entry.licence)
        for found in fetch(entry, folder, lambda file: _follow(file, quiet)):
            _say(found, pin=f"sbtools weights fetch {name} ... --sha256 {found.sha256}")
    return 5 if wrong else 0


def _get(name: str, quiet: bool) -> int:
    """Fetch a model of the hub; how many of its files are not what they should be."""
    from sbtools.weights import hub

    place = hub.get(name, show=sys.stderr.isatty() and not quiet)
    return _tell_all(hub.check(place))


def _tell_all(files: Iterable[Checked]) -> int:
    wrong = 0
    for found in files:
        wrong += found.good is False
        _say(found)
    return wrong


def _verify(names: tuple[str, ...], sha256: str | None) -> int:
    from sbtools.weights import hub
    from sbtools.weights.catalogue import CATALOGUE
    from sbtools.weights.fetch import check_path
    from sbtools.weights.find import find

    places: list[Path] = []
    wrong = 0
    for name in names:
        if hub.is_hub_name(name):
            wrong += _tell_all(hub.check(Path(hub.folder_of(name))))
            continue
        place = find(name) if name in CATALOGUE else Path(name)
        if place is None:
            raise SbtoolsError(f"{name} is not here: sbtools weights fetch {name}")
        places.append(place)
    if not names:
        places = [place for place in map(find, CATALOGUE) if place is not None]
        if not places:
            log.warning("there are no weights here to verify: sbtools weights fetch sam-vit-b")
    if sha256 and places[0].is_dir():
        raise UsageError(f"--sha256 checks one file, and {places[0]} is a folder: name the file")
    for place in places:
        for found in check_path(place):
            good = found.sha256 == sha256.lower() if sha256 else found.good
            wrong += good is False
            _say(found, good)
    return 5 if wrong else 0


def _say(found: Checked, good: bool | None = None, pin: str | None = None) -> None:
    good = found.good if good is None else good
    state = {True: "ok", False: "WRONG", None: "unknown"}[good]
    line = f"{state:7}  {found.sha256}  {found.path}"
    messages.show(line)
    if good is False:
        log.error("%s is not what it should be: remove it and fetch it again", found.path)
    elif good is None and pin:
        log.warning("nothing is known to check %s against; next time pin it: %s", found.path, pin)


def _follow(file: File, quiet: bool) -> Tell:
    """Says how far a download is: on a terminal in one line, else every half minute."""
    live = sys.stderr.isatty() and not quiet
    begun = said = time.monotonic()
    first: int | None = None

    def tell(have: int, total: int | None) -> None:
        nonlocal said, first
        now = time.monotonic()
        first = have if first is None else first
        ended = have == total
        if not (ended and live) and now - said < (0.2 if live else 30.0):
            return
        said = now
        share = f" of {_bytes(total)}, {have / total:.0%}" if total else ""
        rate = (have - first) / max(now - begun, 1e-3)
        text = f"{file.name}: {_bytes(have)}{share}, {_bytes(int(rate))}/s"
        if live:
            sys.stderr.write(f"\r\x1b[K{text}" + ("\n" if ended else ""))
            sys.stderr.flush()
        else:
            log.info("%s", text)

    return tell


def _bytes(count: int | None) -> str:
    if count is None:
        return "?"
    units: Any = iter(("B", "kB", "MB", "GB", "TB"))
    size, unit = float(count), next(units)
    while size >= 1000:
        size, unit = size / 1000, next(units)
    return f"{size:.0f} {unit}" if size >= 10 or unit == "B" else f"{size:.1f} {unit}"
