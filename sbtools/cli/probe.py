"""`sbtools probe`."""

from __future__ import annotations

import json
import logging
import os
from pathlib import Path
from typing import Any

import click

from sbtools.cli import messages, options
from sbtools.cli.process import StopFlag
from sbtools.cli.progress import Progress, busy
from sbtools.inputs import Inputs

log = logging.getLogger("sbtools")


@click.command("probe", short_help="What a linear probe reads from features.",
               context_settings=options.CONTEXT)  # fmt: skip
@click.option("--target", required=True, metavar="scene|label|FIELD",
              help="What the probe reads: a field of the records; for scene also its "
              "scores.")  # fmt: skip
@click.option("--pool", type=click.Choice(["mean", "max"]), default="mean", show_default=True,
              help="How the features of a clip's frames are joined.")  # fmt: skip
@click.option("--folds", type=click.IntRange(2, 1000), default=5, show_default=True, metavar="N",
              help="Folds of the cross-validation, which keep sources whole.")  # fmt: skip
@click.option("--bootstrap", "draws", type=click.IntRange(0), default=1000, show_default=True,
              metavar="N", help="Bootstrap draws of the interval; 0: none.")  # fmt: skip
@options.SEED
@options.few_options
def command(
    inputs: tuple[str, ...],
    root: Path | None,
    target: str,
    pool: str,
    folds: int,
    draws: int,
    seed: int,
    quiet: bool,
    verbose: int,
) -> int:
    """Print how well a linear probe tells a target from the features of clips, as one JSON object.

    INPUT are records of `sbtools features`. A clip is answered by a probe that was fitted to clips
    of other sources.

    \b
    Examples:
      sbtools probe --target scene demo-features.jsonl
      sbtools probe --target label --folds 10 demo-features.jsonl > label.json
    """
    messages.begin_command(quiet=quiet, verbose=verbose)
    from sbtools.probe.gather import gather
    from sbtools.probe.measure import measure

    place = Path(os.path.abspath(root or "."))
    with StopFlag("stopping", "nothing was written").installed() as stop:
        name = click.get_current_context().info_name
        incoming = Inputs(inputs, place, label_from="none", stop=stop, stage=name)
        progress = Progress(incoming.total, quiet)
        found = gather(progress.counted(incoming), target, pool, str(place))
        progress.end()
        if stop():
            return stop.code or 1
    with busy("fitting the probes", quiet):
        told = measure(found, target, folds, draws, seed)
    warn(told)
    messages.show(json.dumps(told))
    return 0


def warn(told: dict[str, Any]) -> None:
    """What a reader of the numbers has to know."""
    if told["left_out"] or told["failed"]:
        log.warning("%d clips have no %s and are left out, %d failed before",
                    told["left_out"], told["target"], told["failed"])  # fmt: skip
    if told["unseen"]:
        log.warning("%d clips are of classes of which their fold's probe saw none", told["unseen"])
    if not told["converged"]:
        log.warning("a probe did not converge: its accuracy is that of where it stopped")
