"""`sbtools train`."""

from __future__ import annotations

import io
import logging
import os
import shlex
import stat
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from sbtools import records, threads
from sbtools.allocator import keep_memory
from sbtools.cli import messages, options
from sbtools.cli.options import Tolerance
from sbtools.cli.pace import clock
from sbtools.cli.process import INTERRUPTED, REQUEUE, TERMINATED, ReaderGone, StopFlag
from sbtools.cli.progress import Progress
from sbtools.cli.terminal import foot
from sbtools.cli.train_options import train_options
from sbtools.errors import UsageError
from sbtools.inputs import Inputs
from sbtools.job import available_cores

log = logging.getLogger("sbtools")

STATUS = {"usr1": REQUEUE, "term": TERMINATED, "int": INTERRUPTED}
WORDS = {code: word for word, code in STATUS.items()}


SETTINGS = ("frames", "fixed_frames", "epochs", "batch", "accumulate", "lr", "weight_decay",
            "optimiser", "betas", "eps", "groups", "warmup", "lr_floor", "schedule", "clip_grad",
            "ema", "precision", "checkpoint_activations", "select", "seed", "weights",
            "freeze")  # fmt: skip
GIVEN = ("classes", "val", "expect", "overwrite", "take_over", "rendezvous_timeout",
         "allow_missing")  # fmt: skip
PAIRS = ("model_pairs", "method_pairs", "objective_pairs", "optimiser_pairs",
         "schedule_pairs")  # fmt: skip


@click.command("train", short_help="Train a model on clips.", context_settings=options.CONTEXT)
@train_options
def command(**flags: Any) -> int:
    """Train a model on clips, with a method against static bias.

    The same command goes on from its last checkpoint. Prints a line of JSON for each epoch.

    \b
    Examples:
      sbtools train --weights ViT-B-32.pt -o runs/plain train.jsonl
      sbtools train --weights ViT-B-32.pt --method mask --set ratio=0.5:0.5 -o runs/bg50 train.jsonl
      sbtools train --preset vificlip --epochs 10 --weights ViT-B-16.pt -o runs/vifi clips.jsonl
      sbtools train --gpus 4 --cache cache/ --epochs 30 -o runs/four train.jsonl
      sbtools train --pretrain captions -o tiny.safetensors captions.jsonl
    """
    messages.begin_command(flags["verbose"], flags["quiet"])
    flags["root"] = Path(os.path.abspath(flags["root"] or "."))
    if flags["output"] is None:
        raise UsageError("name the folder to keep the run in: -o RUN")
    if flags["pretrain"] is not None:
        with StopFlag("finishing this step", "nothing was written").installed() as stop:
            return _pretrain(flags, stop)
    with StopFlag("finishing this step and keeping the state").installed() as stop:
        return _train(flags, stop)


def _train(flags: dict[str, Any], stop: StopFlag) -> int:
    from sbtools.train import places
    from sbtools.train.stage import Ears, dry_run, train

    foreign = places.in_torchrun()
    incoming = _inputs(flags, stop, foreign is not None)
    place = foreign or places.on_slurm(flags["nodes"])
    request = _request(flags, foreign is not None)
    if flags["dry_run"]:
        for text in dry_run(request, incoming, request.ranks * place.count):
            log.info("%s", text)
        return 0
    shown = Steps(flags["quiet"], stop)
    ears = Ears(lambda: WORDS.get(stop.code or 0), shown.epoch, shown.step)
    try:
        ended = train(request, incoming, place, ears, torchrun=foreign is not None)
    finally:
        shown.end()
    if ended.word != "done":
        log.info("stopped on request; the same command goes on")
        return STATUS[ended.word]
    failed = ended.failed + shown.failed
    tolerance: Tolerance = flags["max_failed"]
    return 0 if tolerance.allows(failed, ended.clips + ended.failed) else 3


def _inputs(flags: dict[str, Any], stop: StopFlag, foreign: bool) -> Inputs | None:
    """The records; None where there are none in the input, so that those of RUN are meant."""
    if not flags["inputs"] or "-" in flags["inputs"]:
        if foreign:
            raise UsageError("under torchrun the ranks cannot share stdin: name the .jsonl file")
        if not flags["inputs"] and _stdin_is_gone():
            return None
    return Inputs(
        flags["inputs"],
        flags["root"],
        label_from=flags["label_from"],
        limit=flags["limit"],
        stop=stop,
        stage="train",
    )


def _stdin_is_gone() -> bool:
    mode = os.fstat(0).st_mode
    null = stat.S_ISCHR(mode) and os.path.samestat(os.fstat(0), os.stat(os.devnull))
    return null or os.isatty(0)


def _request(flags: dict[str, Any], foreign: bool) -> Any:
    from sbtools.train.plan import TrainFlags
    from sbtools.train.prepare import Request

    device, ranks = _devices(flags, foreign)
    workers = flags["workers"]
    cores = max(1, available_cores() // ranks)
    if workers is None:
        workers = cores
    values = {name: flags[name] for name in SETTINGS if flags[name] != ()}
    given = {name: flags[name] for name in GIVEN}
    return Request(
        folder=os.path.abspath(flags["output"]),
        asked=TrainFlags(flags["model"], "+".join(flags["methods"]) or None, flags["objective"],
                    **{name: flags[name] for name in PAIRS}, values=values,
                    preset=flags["preset"]),
        root=str(flags["root"]),
        device=device,
        ranks=ranks,
        options={
            "workers": workers,
            "cache": flags["cache"],
            "timeout": flags["clip_timeout"],
            "track": flags["track"],
            "root": str(flags["root"]),
            "save_every": flags["save_every"],
            "signal_lead": flags["signal_lead"],
            "threads": threads.asked(flags["threads"]),
            "cores": cores,
        },
        command=shlex.join([os.path.basename(sys.argv[0]), *sys.argv[1:]]),
        level=log.level,
        **given,
    )  # fmt: skip


def _devices(flags: dict[str, Any], foreign: bool) -> tuple[str, int]:
    """What the ranks of this node run on, and how many there are."""
    from sbtools.train.resources import devices

    if foreign and (flags["gpus"] or flags["ranks"] or flags["nodes"] > 1):
        raise UsageError("torchrun sets the number of ranks: leave --gpus, --ranks and --nodes out")
    return devices(flags["device"], flags["gpus"], flags["ranks"])


def _pretrain(flags: dict[str, Any], stop: StopFlag) -> int:
    """`--pretrain captions`: a small CLIP, in the file that -o names."""
    from sbtools.backends import parse_settings
    from sbtools.device import resolve
    from sbtools.train.pretrain import pretrain, would

    keep_memory()
    _require_pretraining(flags)
    incoming = _inputs(flags, stop, False)
    if incoming is None:
        raise UsageError("--pretrain captions: name the .jsonl file, or pipe the records in")
    found = [record for record in incoming if "error" not in record]
    given: dict[str, Any] = dict(parse_settings(flags["model_pairs"]))
    if set(given) - {"arch"}:
        raise UsageError(f"--pretrain has only the setting arch, not {sorted(given)[0]}")
    values = {name: flags[name] for name in ("epochs", "batch", "lr", "frames")}
    given |= {name: value for name, value in values.items() if value is not None}
    if flags["dry_run"]:
        log.info("%s", would(found, flags["output"], seed=flags["seed"], **given))
        return 0
    shown = Steps(flags["quiet"], stop, "frames")
    told = None
    if not stop():
        log.info("%d clips with captions", len(found))
        told = pretrain(
            found, str(flags["root"]), flags["output"], seed=flags["seed"],
            device=str(resolve(flags["device"])), stop=stop, epoch_line=shown.epoch,
            step_line=shown.step, threads=threads.asked(flags["threads"]), cores=available_cores(),
            **given,
        )  # fmt: skip
    shown.end()
    if told is None:
        log.info("stopped on request; nothing was written")
        return stop.code or 1
    shown.epoch(told)
    return 0 if flags["max_failed"].allows(len(told["failed"]), len(found)) else 3


def _require_pretraining(flags: dict[str, Any]) -> None:
    meant = {
        "gpus",
        "ranks",
        "weights",
        "val",
        "cache",
        "method_pairs",
        "objective_pairs",
        "preset",
        "optimiser",
        "optimiser_pairs",
        "groups",
        "schedule_pairs",
    }
    strange = sorted(name for name in meant if flags[name])
    if strange or set(flags["methods"]) - {"none"}:
        raise UsageError(f"--pretrain takes no --{(strange or ['method'])[0]}")
    if os.path.lexists(flags["output"]) and not flags["overwrite"]:
        raise UsageError(f"{flags['output']} is there already: --overwrite, or another -o")


class Steps(Progress):
    """Epochs on stdout, a line of JSON each; steps on stderr, as every progress."""

    def __init__(self, quiet: bool, stop: StopFlag, sees: str = "clips") -> None:
        super().__init__(None, quiet, noun="steps")
        self._stop, self._sees = stop, sees
        self._last: Mapping[str, Any] = {}
        self._before = 0

    def epoch(self, told: Mapping[str, Any]) -> None:
        """Print a line, past stdout's buffer, and count the clips that failed.

        A reader whom Ctrl-C has ended, too, is no reason not to keep the state.
        """
        self.failed = max(self.failed, int(told.get("failed") or 0) if "epoch" in told else 0)
        try:
            with foot.aside():
                records.Writer(io.FileIO(1, "wb", closefd=False)).write(dict(told))
        except BrokenPipeError:
            if self._stop.code != INTERRUPTED:
                raise ReaderGone from None

    def step(self, told: Mapping[str, Any] | None = None) -> None:
        """One step more was done; those of earlier runs are none of this one's."""
        if told is None:
            return
        if self.total is None:
            self._before = told["step"] - 1
        self._last, self.total = told, told["steps"] - self._before
        self.worked = told["step"] - self._before
        self._step()

    def text(self, now: float) -> str:
        """The line: where the run is, its loss, how fast it goes, the time that is left."""
        told, seconds = self._last, self.pace.seconds(now)
        parts = [f"epoch {told['epoch']}, step {told['step']} of {told['steps']}",
                 f"loss {told['loss']:.4f}"]  # fmt: skip
        if seconds:
            parts.append(f"{told['clips'] / seconds:.1f} {self._sees}/s")
            parts.append(f"{clock((self.left or 0) * seconds)} left")
        return ", ".join(parts)
