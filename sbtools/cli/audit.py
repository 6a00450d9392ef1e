"""`sbtools audit`."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import click

from sbtools import threads
from sbtools.cli import messages, options
from sbtools.cli.eval import open_inputs, split_paths
from sbtools.cli.eval_options import COMPUTING, LOADING, MODEL
from sbtools.cli.eval_output import make_folder_of, require_writable
from sbtools.cli.process import StopFlag
from sbtools.cli.progress import Progress
from sbtools.errors import UsageError
from sbtools.inputs import is_stream
from sbtools.job import Job, available_cores
from sbtools.records import Lines, dump

log = logging.getLogger("sbtools")

SAME = ("which", "model", "weights", "frames", "classes", "fill", "batch", "device", "precision",
        "seed", "cache")  # fmt: skip
SHARED = (*COMPUTING, *LOADING, options.ROOT, options.SEED, options.LIMIT, options.LABEL_FROM,
          options.MAX_FAILED, *options.TALK)  # fmt: skip


def _options(function: Any) -> Any:
    for option in reversed((*MODEL, *SHARED)):
        function = option(function)
    return function


@click.command("audit", short_help="How much of the labels still pictures give away.",
               context_settings=options.CONTEXT)  # fmt: skip
@click.argument("paths", metavar="[RUN] [INPUT]...", nargs=-1, type=click.Path(path_type=str))
@click.option("-o", "--output", metavar="DIR", type=click.Path(path_type=str, file_okay=False),
              default="audit", show_default=True, help="The folder of the audit.")  # fmt: skip
@click.option("--cues", metavar="A,B", help="What to look at: frame, background, objects, clothes, "
              "scene.  [default: all that the records allow]")  # fmt: skip
@click.option("--fill", default="mean", show_default=True, metavar="FILL",
              help="What hides: mean, normal, R,G,B or R,G,B:R,G,B.")  # fmt: skip
@click.option("--folds", type=click.IntRange(3, 1000), default=5, show_default=True, metavar="N",
              help="Folds of the cross-validation, which keep sources whole.")  # fmt: skip
@click.option("--level", type=click.FloatRange(0.5, 0.9999), default=0.95, show_default=True,
              metavar="P", help="Confidence level of the intervals.")  # fmt: skip
@click.option("--workers", type=click.IntRange(0), metavar="N",
              help="Processes that decode.  [default: the cores at hand]")  # fmt: skip
@click.option("--overwrite", is_flag=True, help="Compute the features again.")
@click.option("--take-over", is_flag=True, help="Take the lock of a writer that is gone.")
@_options
def command(**flags: Any) -> int:
    """Measure how many of a data set's labels can be named without watching what moves.

    Probes of one frame, of the background, the objects, the clothes and the kind of scene, each by
    itself, as the model of RUN or --model sees it. Writes DIR/audit.html, DIR/audit.json, and the
    clips that no cue names: as records, DIR/debiased.jsonl, and in the form of UTD's lists,
    DIR/splits_SET_audit.json. The same command goes on where it was stopped.

    \b
    Examples:
      sbtools audit --model hf:clip/ --classes clip -o audit/ demo.jsonl
      sbtools audit runs/plain --cues frame,background -o audit-plain/ demo.jsonl
    """
    messages.begin_command(flags["verbose"], flags["quiet"])
    from sbtools.allocator import keep_memory
    from sbtools.audit.cues import asked_for

    flags["root"] = Path(os.path.abspath(flags["root"] or "."))
    require_writable(os.path.join(flags["output"], "audit.json"))
    cues = asked_for(flags["cues"])
    run, inputs = _split(flags, cues)
    with StopFlag("finishing this batch").installed() as stop:
        incoming = open_inputs(flags, inputs, stop)
        records = Lines(islice(incoming, flags["limit"]))
        if stop():
            return stop.code or 1
        keep_memory()
        return _audit(records, cues, run, flags, stop)


def _split(flags: Mapping[str, Any], cues: Sequence[str]) -> tuple[str | None, list[str]]:
    """RUN, where there is one, and the INPUTs; scores of scenes need neither run nor model."""
    paths = list(flags["paths"])
    alone = list(cues) == ["scene"] and flags["model"] is None
    if alone and (not paths or is_stream(paths[0])):
        return None, paths
    if flags["model"] is None and not paths:
        raise UsageError("name the model that looks at the clips: RUN, or --model NAME")
    return split_paths({**flags, "paths": paths})


def _audit(
    records: Lines, cues: Sequence[str], run: str | None, flags: dict[str, Any], stop: StopFlag
) -> int:
    from sbtools.audit.result import described
    from sbtools.audit.stage import AuditSettings, audit

    if not len(records):
        raise UsageError("there is no clip to audit: give records, videos or folders")
    asked = AuditSettings(cues, flags["folds"], flags["seed"], flags["level"])
    making = _making(run, flags) if run is not None or flags["model"] is not None else None
    progress = Progress(None, flags["quiet"], flags["batch"], noun="views")
    job = Job(root=flags["root"], seed=flags["seed"], stop=stop, worked=progress.step,
              passed=progress.skip, coming=progress.coming, workers=_workers(flags),
              clip_timeout=flags["clip_timeout"])  # fmt: skip
    parts = {name: flags[name] for name in ("overwrite", "take_over")}
    try:
        made = audit(records, job, asked, making, flags["output"], **parts)
    finally:
        progress.end()
    if made is None:
        log.info("stopped on request; the same command goes on")
        return stop.code or 1
    found = described(made, asked, making)
    write(found, made.lists, records, making, flags)
    for line in table(found):
        messages.show(line)
    return _status(found, flags)


def _workers(flags: Mapping[str, Any]) -> int:
    return available_cores() if flags["workers"] is None else int(flags["workers"])


def _making(run: str | None, flags: Mapping[str, Any]) -> Any:
    """The model as the stage of features knows it."""
    from sbtools.backends import parse_settings
    from sbtools.evaluate.request import Request
    from sbtools.features.making import Making

    request = Request(
        root=str(flags["root"]),
        run=run,
        options=parse_settings(flags["model_pairs"]),
        workers=_workers(flags),
        threads=threads.asked(flags["threads"]),
        cores=available_cores(),
        timeout=flags["clip_timeout"],
        **{name: flags[name] for name in SAME},
    )
    return Making(request)


def write(
    found: Mapping[str, Any], lists: Any, records: Lines, making: Any, flags: Mapping[str, Any]
) -> None:
    """All files of the audit, each whole or not at all; the page last."""
    from sbtools.audit.lists import in_utd_form
    from sbtools.audit.page import page
    from sbtools.audit.pictures import examples
    from sbtools.audit.result import dumps
    from sbtools.files import write_whole

    def put(name: str, data: bytes) -> None:
        write_whole(os.path.join(flags["output"], name), data)

    kept = set(lists.debiased)
    make_folder_of(os.path.join(flags["output"], "audit.json"))
    put("audit.json", dumps(found))
    put(f"splits_{found['set']}_audit.json", in_utd_form(lists))
    put("debiased.jsonl", b"".join(dump(record) for record in records if record["id"] in kept))
    shown = examples(found, records, making, str(flags["root"]))
    put("audit.html", page(found, shown).encode("utf-8"))


def table(found: Mapping[str, Any]) -> Sequence[str]:
    """Every cue, a line each, the most frequent class, and how many clips are left."""
    lines = [f"{'cue':<14}{'right':>7}  {'interval':<16}{'shuffled':>9}{'Holm p':>9}{'named':>7}"]
    for name, cue in found["cues"].items():
        ends = cue["interval"]
        shown = f"[{100 * ends[0]:.2f}, {100 * ends[1]:.2f}]" if ends else ""
        told = f"{100 * cue['shuffled']:>9.2f}{cue['holm']:>9.3f}{len(cue['named']):>7}"
        lines.append(f"{name:<14}{100 * cue['accuracy']:>7.2f}  {shown:<16}{told}")
    lines.append(f"{'most frequent':<14}{100 * found['majority']:>7.2f}")
    left = found["lists"]
    counts = left["debiased"], left["full"], left["debiased-balanced"]
    lines.append("{} of {} clips are named by no cue; balanced over classes: {}".format(*counts))
    return lines


def _status(found: Mapping[str, Any], flags: Mapping[str, Any]) -> int:
    """The exit status: 3 where too many clips failed."""
    clips = found["clips"]
    failed, total = len(clips["failed"]), clips["asked"]
    for clip in clips["failed"]:
        log.warning("%s: %s (%s: %s)", *(clip[k] for k in ("id", "message", "stage", "kind")))
    if clips["unlabelled"]:
        log.warning("%d of %d clips have no label and are left out", clips["unlabelled"], total)
    if failed:
        log.warning("%d of %d clips failed, and are in no list", failed, total)
    return 0 if flags["max_failed"].allows(failed, total) else 3
