"""`sbtools card`."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from sbtools.cli import eval, messages, options
from sbtools.cli.eval_options import card_options
from sbtools.cli.eval_output import make_folder_of, require_writable, tell
from sbtools.cli.mask_band import MaskBandCommand
from sbtools.cli.process import StopFlag
from sbtools.cli.progress import busy
from sbtools.errors import UsageError

log = logging.getLogger("sbtools")
FLIPS = 3

ABSENT = {"base": None, "novel": None, "scores": None, "overwrite": False, "take_over": False,
          "retry_failed": False, "shard": (0, 1), "controls": True, "views": None,
          "protocol": None}  # fmt: skip
"""What eval has flags for, and a card has not."""


@click.command("card", short_help="Every view and control of any model, on one page.",
               cls=MaskBandCommand, context_settings=options.CONTEXT)  # fmt: skip
@card_options
def command(**flags: Any) -> int:
    """Show what a model goes by: every view and control on one page, without any training.

    MODEL is a run, a checkpoint, or what `sbtools eval --model` takes. Views that need masks are
    left out where the records have none. Where records tell their scenes, it also shows how well a
    linear probe reads them from the model's features. Writes the page, and the result beside it as
    FILE.json; prints the verdict, in a sentence, and a table.

    \b
    Examples:
      sbtools card runs/bg50 val.jsonl -o bg50.html
      sbtools card torchvision:r3d_18 --weights r3d_18.pth val.jsonl -o r3d.html
      sbtools card hf:videomae/ clips/ -o videomae.html
      sbtools card my:make --classes names.txt clips/ -o own.html
    """
    messages.begin_command(flags["verbose"], flags["quiet"])
    from sbtools.probe.card import Scenes

    flags["root"] = Path(os.path.abspath(flags["root"] or "."))
    _require_page(flags["output"])
    given = flags["judged"]
    flags |= {**ABSENT, "model": None if os.path.exists(given) else given}
    flags["paths"] = [*([given] if flags["model"] is None else []), *flags["inputs"]]
    with StopFlag("finishing this batch", eval.left_behind(None)).installed() as stop:
        run, inputs = eval.split_paths(flags)
        incoming = eval.open_inputs(flags, inputs, stop)
        scenes = Scenes(str(flags["root"]))
        request = _with_more(eval.make_request(flags, run, inputs, scenes.see))
        outcome = eval.judge(request, incoming, flags, stop)
        if outcome.stopped:
            log.info("stopped on request; %s", eval.left_behind(None))
            return stop.code or 1
    (found,) = outcome.results.values()
    with busy("fitting the scene probe", flags["quiet"]):
        probe = scenes.measured(flags["draws"], flags["seed"])
    _write({**found, **({"scene_probe": probe} if probe else {})}, flags)
    return eval.status(outcome, flags)


def _require_page(output: str) -> None:
    if not output.lower().endswith((".html", ".htm")):
        raise UsageError(f"a card is an HTML page: -o {output!a} must end in .html")
    require_writable(output)


def _with_more(request: Any) -> Any:
    """With the views that the verdict is made of, and clips whose answer flips."""
    from sbtools.evaluate import verdict

    return replace(request, more=verdict.LOOKED_AT, flips=FLIPS)


def _write(found: dict[str, Any], flags: Mapping[str, Any]) -> None:
    """The page, the result beside it, and verdict and table on stdout."""
    from sbtools import report
    from sbtools.evaluate import result, verdict
    from sbtools.report import card, page, runs

    output = flags["output"]
    path = os.path.splitext(output)[0] + ".json"
    found["verdict"] = verdict.of(found)
    make_folder_of(path)
    result.write(path, found)
    run = runs.of(found, path)
    notices = report.notices(report.tables([run]), [], None, False)
    page.write(output, card.page(run, notices, paths=flags["show_paths"]))
    for line in (found["verdict"]["text"], *found["verdict"]["besides"], "", *table(found)):
        messages.show(line)
    tell(found, output)


def table(found: Mapping[str, Any]) -> Sequence[str]:
    """Every view, a line each: top1 with its interval, what is left of that of plain and, where it
    was shown under other masks, its band; then how well a probe tells the scene, where it was told.
    """
    plain = found["views"]["plain"]["top1"]["value"]
    chance = found["views"]["plain"]["top1"]["chance"]
    banded = any("band" in view["top1"] for view in found["views"].values())
    head = "  other masks" if banded else ""
    lines = [f"{'view':<14}{'top1':>7}  {'95 % interval':<16}{'vs plain':>11}{head}"]
    for name, view in found["views"].items():
        value = view["top1"]["value"]
        less = "" if name == "plain" else f"{100 * (value - plain):+.2f}"
        shown = _interval(view["top1"]["interval"])
        band = view["top1"].get("band")
        more = f"  ~{_interval([band['low'], band['high']])}" if band else ""
        lines.append(f"{name:<14}{100 * value:>7.2f}  {shown:<16}{less:>11}{more}".rstrip())
    lines.append(f"{'chance':<14}{100 * chance:>7.2f}")
    probe = found.get("scene_probe")
    if probe:
        value, shown = probe["accuracy"], _interval(probe["interval"])
        told = f"chance {100 * probe['chance']:.2f}, majority {100 * probe['majority']:.2f}"
        lines.append(f"{'scene probe':<14}{100 * value:>7.2f}  {shown:<16}  {told}")
    return lines


def _interval(ends: Sequence[float] | None) -> str:
    return f"[{100 * ends[0]:.2f}, {100 * ends[1]:.2f}]" if ends else ""
