"""`sbtools eval`."""

from __future__ import annotations

import logging
import os
import shlex
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import click

from sbtools import threads
from sbtools.allocator import keep_memory
from sbtools.cli import messages, options, shards
from sbtools.cli.eval_answers import from_answers
from sbtools.cli.eval_options import eval_options
from sbtools.cli.eval_output import require_writable, write
from sbtools.cli.eval_protocol import refuse_fixed
from sbtools.cli.eval_scores import from_scores
from sbtools.cli.mask_band import MaskBandCommand
from sbtools.cli.options import Tolerance
from sbtools.cli.process import StopFlag
from sbtools.cli.progress import Progress
from sbtools.cli.run import ids_in, would_be
from sbtools.errors import UsageError
from sbtools.inputs import Inputs, is_stream
from sbtools.job import available_cores
from sbtools.rng import shard_of

log = logging.getLogger("sbtools")

SAME = ("which", "model", "weights", "frames", "classes", "base", "novel", "controls", "p_view",
        "mask_band", "fill", "clips", "protocol", "batch", "group_by", "pairs", "draws", "seed",
        "limit", "device", "precision", "cache", "scores", "overwrite", "take_over",
        "retry_failed", "examples")  # fmt: skip
TOP = 5


@click.command("eval", short_help="Judge a model: accuracy with and without what is static.",
               cls=MaskBandCommand, context_settings=options.CONTEXT)  # fmt: skip
@eval_options
def command(**flags: Any) -> int:
    """Judge a model on clips: as they are, with the background hidden, with the person hidden.

    The result is one JSON object: top1, P-top1, B-top1 and more, each with its interval and chance.

    \b
    Examples:
      sbtools eval runs/bg50 -o results/bg50.json val.jsonl
      sbtools eval runs/bg50 --controls -o results/bg50-controls.json val.jsonl
      sbtools eval runs/bg50 --mask-band=all-frames/ -o results/bg50-other.json val.jsonl
      sbtools eval runs/bg50 juggling.mp4 --classes juggling,archery,golf
      sbtools eval --model torchvision:r3d_18 --weights r3d_18.pth -o r3d.json val.jsonl
      sbtools eval --answers answers.csv --classes names.txt -o answers.json all.jsonl
    """
    messages.begin_command(flags["verbose"], flags["quiet"])
    flags["root"] = Path(os.path.abspath(flags["root"] or "."))
    if flags["output"]:
        require_writable(flags["output"])
    if flags["answers"]:
        return from_answers(flags)
    if flags["from_scores"]:
        return from_scores(flags)
    refuse_fixed(click.get_current_context(), flags)
    flags["shard"] = shards.resolve(flags["shard"], flags["scores"])
    run, inputs = split_paths(flags)
    _require_places(flags)
    with StopFlag("finishing this batch", left_behind(flags["scores"])).installed() as stop:
        incoming = open_inputs(flags, inputs, stop)
        top = _top(flags, inputs)
        if flags["dry_run"]:
            return _dry_run(incoming, flags)
        request = make_request(flags, run, inputs)
        if top:
            return _print_top(request, incoming, top, flags, stop)
        outcome = judge(request, incoming, flags, stop)
        if outcome.stopped:
            log.info("stopped on request; %s", left_behind(flags["scores"]))
            return stop.code or 1
        write(outcome.results, flags["output"], not flags["no_per_clip"])
        return status(outcome, flags)


def split_paths(flags: Mapping[str, Any]) -> tuple[str | None, list[str]]:
    """RUN, where there is no --model, and the INPUTs."""
    paths = list(flags["paths"])
    if flags["model"] is not None:
        if flags["which"]:
            raise UsageError("--which goes with RUN; the weights of --model are those of --weights")
        return None, paths
    wrong = [name for name in ("weights", "model_pairs", "frames") if flags[name]]
    if wrong:
        raise UsageError(f"--{wrong[0].replace('model_pairs', 'set-model')} goes with --model")
    if not paths:
        raise UsageError("name what is judged: RUN, or --model NAME, or --from-scores PATH, or "
                         "--answers FILE")  # fmt: skip
    return paths[0], paths[1:]


def _require_places(flags: Mapping[str, Any]) -> None:
    if flags["shard"][1] > 1 and (flags["output"] or not flags["scores"]):
        raise UsageError(
            "a shard only keeps scores: give --scores DIR without -o, then eval --from-scores DIR"
        )
    if flags["top"] and flags["mask_band"] is not None:
        raise UsageError("--top prints what clips are taken for: it goes without --mask-band")
    if flags["top"] and (flags["output"] or flags["scores"]):
        raise UsageError("--top prints what clips are taken for: it goes without -o and --scores")


def open_inputs(flags: Mapping[str, Any], paths: Sequence[str], stop: StopFlag) -> Inputs:
    """The records; shard and limit are for the evaluation to take."""
    return Inputs(paths, flags["root"], label_from=flags["label_from"], stop=stop,
                  stage=click.get_current_context().info_name)  # fmt: skip


def _top(flags: Mapping[str, Any], paths: Sequence[str]) -> int:
    """How many classes to print; a single video is looked at, not judged."""
    single = len(paths) == 1 and not is_stream(paths[0]) and os.path.isfile(paths[0])
    kept = flags["output"] or flags["scores"] or (paths and paths[0].endswith((".txt", ".list")))
    return flags["top"] or (TOP if single and not kept else 0)


def make_request(
    flags: Mapping[str, Any], run: str | None, inputs: Sequence[str], seen: Any = None
) -> Any:
    """The flags as the evaluation knows them; `seen` as it is."""
    from sbtools.backends import parse_settings
    from sbtools.evaluate.request import Request

    views = [name.strip() for name in flags["views"].split(",")] if flags["views"] else None
    workers = flags["workers"]
    return Request(
        root=str(flags["root"]),
        run=run,
        seen=seen,
        options=parse_settings(flags["model_pairs"]),
        views=views,
        crops=int(flags["crops"]),
        shard=flags["shard"],
        workers=available_cores() if workers is None else workers,
        threads=threads.asked(flags["threads"]),
        cores=available_cores(),
        timeout=flags["clip_timeout"],
        told={
            "command": shlex.join([os.path.basename(sys.argv[0]), *sys.argv[1:]]),
            "records": ", ".join(inputs) or "-",
        },
        **{name: flags[name] for name in SAME},
    )


def left_behind(scores: str | None) -> str:
    """What an evaluation that was stopped has left, and how to go on."""
    if scores:
        return f"{scores} keeps what is scored, and the same command goes on"
    return "nothing was written"


def judge(request: Any, incoming: Inputs, flags: Mapping[str, Any], stop: StopFlag) -> Any:
    """The outcome, with progress on stderr."""
    from sbtools.evaluate.stage import evaluate
    from sbtools.train.prepare import read_file

    keep_memory()
    progress = Progress(None, flags["quiet"], flags["batch"])
    expected = read_file(flags["expect"], "--expect") if flags["expect"] else None
    try:
        return evaluate(request, incoming, stop, progress.step, expected, progress.coming)
    finally:
        progress.end()


def _dry_run(incoming: Inputs, flags: Mapping[str, Any]) -> int:
    index, count = shard = flags["shard"]
    done = ids_in(flags["scores"], shard, flags["overwrite"], flags["retry_failed"])
    ours = (record for record in incoming if shard_of(record["id"], count) == index)
    found = Counter(
        "failed" if "error" in record else "done" if record["id"] in done else "left"
        for record in islice(ours, flags["limit"])
    )
    log.info("%s", would_be(found["left"], "judged", found["done"], found["failed"]))
    return 0


def _print_top(
    request: Any, incoming: Inputs, count: int, flags: Mapping[str, Any], stop: StopFlag
) -> int:
    from sbtools.evaluate.one import top

    failed = clips = 0
    for clip in top(request, incoming, count, stop):
        clips += 1
        if "error" in clip:
            failed += 1
            log.warning("%s: %s", clip["id"], clip["error"]["message"])
            continue
        for line in _lines(clip):
            messages.show(line)
    if stop():
        log.info("stopped on request; %s", left_behind(None))
        return stop.code or 1
    return 0 if flags["max_failed"].allows(failed, clips) else 3


def _lines(clip: Mapping[str, Any]) -> Iterator[str]:
    yield clip["id"]
    for view, likely in clip["views"].items():
        for place, (name, share) in enumerate(likely):
            yield f"  {view if not place else '':<14}{100 * share:6.2f}  {name}"


def status(outcome: Any, flags: Mapping[str, Any]) -> int:
    """The exit status: 3 where too many clips failed."""
    tolerance: Tolerance = flags["max_failed"]
    if outcome.failed:
        log.warning("%d of %d clips failed", outcome.failed, outcome.clips)
    # The limit holds for the sum of all shards: sbtools status, or --from-scores, looks at that.
    sharded = flags["shard"][1] > 1
    if sharded:
        counts = outcome.clips, outcome.failed
        log.info("shard %d of %d: %d clips, %d failed", *flags["shard"], *counts)
    return 0 if sharded or tolerance.allows(outcome.failed, outcome.clips) else 3
