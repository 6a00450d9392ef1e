"""The flags of `sbtools train`."""

from __future__ import annotations

from typing import Any

import click

from sbtools.cli import complete, options, train_help


class Betas(click.ParamType):
    """ "B1,B2", two decays."""

    name = "B1,B2"

    def convert(self, value: Any, param: Any, ctx: Any) -> tuple[float, float]:
        if isinstance(value, tuple):
            return value
        try:
            first, second = (float(part) for part in str(value).split(","))
        except ValueError:
            self.fail(f"'{value}' is not two numbers, as in 0.9,0.98", param, ctx)
        return first, second


def _number(flag: str, kind: Any, help: str) -> Any:
    """An option whose default is the model's."""
    return click.option(flag, type=kind, metavar="N", help=help)


WHAT = (
    click.option("-o", "--output", metavar="RUN", type=click.Path(path_type=str),
                 help="The folder of the run; with --pretrain the file to write."),
    click.option("--preset", metavar="NAME", shell_complete=complete.names("presets"),
                 help="A published training: sets what is not given; "
                 "--help-preset prints it."),
    click.option("--model", metavar="NAME", shell_complete=complete.names("models"),
                 help="vificlip, actionclip, xclip, dual-encoder, linear, or one that a package "
                 "adds; hf:FOLDER or hf:ORG/NAME for a model of transformers; torchvision:NAME or "
                 "package.module:factory for a network with a linear head.  "
                 "[default: vificlip]"),
    click.option("--weights", metavar="FILE", shell_complete=complete.file,
                 help="What the model starts from: weights of CLIP, "
                 "or a checkpoint; a file, or a name of open_clip; of xclip and dual-encoder, "
                 "also a folder of transformers, or a run; of linear, its backbone's file, or a "
                 "run.  [default: random]"),
    click.option("--freeze", is_flag=True, help="Train the head (the last layer) alone."),
    click.option("--set-model", "model_pairs", multiple=True, metavar="NAME=VALUE",
                 help="A setting of the model; repeatable."),
    click.option("--method", "methods", multiple=True, metavar="NAME",
                 shell_complete=complete.names("methods"),
                 help="none, mask, albar, or one that a package adds; several are applied in "
                 "order.  [default: none]"),
    click.option("--set", "method_pairs", multiple=True, metavar="NAME=VALUE",
                 help="A setting of the method; of several, METHOD.NAME=VALUE; repeatable."),
    click.option("--objective", metavar="NAME", shell_complete=complete.names("objectives"),
                 help="infonce, class_ce or kl.  [default: the model's]"),
    click.option("--set-objective", "objective_pairs", multiple=True, metavar="NAME=VALUE",
                 help="A setting of the objective; repeatable."),
    click.option("--classes", metavar="FILE|A,B", shell_complete=complete.file,
                 help="The classes, in the order of their "
                 "numbers.  [default: the labels of the records, sorted]"),
    click.option("--val", metavar="FILE", type=click.Path(path_type=str),
                 help="Records to validate on after each epoch."),
    click.option("--select", type=click.Choice(["last", "val", "eval-as-published"]),
                 help="How the best epoch is chosen.  [default: last]"),
    click.option("--expect", metavar="FILE", type=click.Path(path_type=str),
                 help="Records whose clips must all be in the input."),
    options.ALLOW_MISSING,
    click.option("--pretrain", type=click.Choice(["captions"]),
                 help="Train a small CLIP on the frames and captions of the records instead."),
)  # fmt: skip

HOW = (
    _number("--frames", click.IntRange(1), "Frames of a clip that the model sees.  [default: 8]"),
    click.option("--fixed-frames", is_flag=True, help="The same frames in every epoch."),
    _number("--epochs", click.IntRange(1), "Times that every clip is seen."),
    _number("--batch", click.IntRange(1), "Clips of a step, of all processes together."),
    _number("--accumulate", click.IntRange(1), "Parts of a batch that gradients are summed over."),
    _number("--lr", float, "Learning rate."),
    click.option("--optimiser", metavar="NAME", shell_complete=complete.names("optimisers"),
                 help="adamw, adam, sgd, or one that a package adds.  [default: adamw]"),
    click.option("--set-optimiser", "optimiser_pairs", multiple=True, metavar="NAME=VALUE",
                 help="A setting of the optimiser, as momentum of sgd; repeatable."),
    _number("--weight-decay", float, "Of the optimiser."),
    click.option("--betas", type=Betas(), help="Of adamw and adam."),
    _number("--eps", float, "Of adamw and adam."),
    click.option("--group", "groups", multiple=True, metavar="WHICH:NAME=VALUE",
                 help="lr_scale and weight_decay of some parameters, as in norms:weight_decay=0; "
                 "repeatable."),
    _number("--warmup", float, "Epochs over which the learning rate rises from 0."),
    _number("--lr-floor", float, "Learning rate at the end, as a share of --lr."),
    click.option("--schedule", metavar="NAME", shell_complete=complete.names("schedules"),
                 help="How the rate goes: vifi, actionclip, cosine, steps, mmcv, albar, or one "
                 "that a package adds.  [default: the model's]"),
    click.option("--set-schedule", "schedule_pairs", multiple=True, metavar="NAME=VALUE",
                 help="A setting of the schedule, as at=20,40 of steps; repeatable."),
    _number("--clip-grad", float, "Largest norm of the gradient; 0 for any."),
    _number("--ema", float, "Decay of averaged weights, as in 0.9999; 0 for none."),
    click.option("--precision", type=click.Choice(["auto", "float32", "bfloat16"]),
                 help="auto is bfloat16 on a GPU that has it."),
    click.option("--checkpoint-activations", is_flag=True,
                 help="Recompute activations, which takes less memory and more time."),
)  # fmt: skip

WHERE = (
    click.option("--device", default="auto", show_default=True, metavar="NAME",
                 shell_complete=complete.DEVICE,
                 help="auto, cpu, cuda or cuda:N."),
    click.option("--gpus", type=click.IntRange(1), metavar="N",
                 help="GPUs of this node.  [default: 1]"),
    click.option("--ranks", type=click.IntRange(1), metavar="N",
                 help="Processes on the CPU, without a GPU.  [default: 1]"),
    click.option("--nodes", type=click.IntRange(1), metavar="N", default=1, show_default=True,
                 help="Nodes of a Slurm step that starts this command on each."),
    click.option("--rendezvous-timeout", type=click.FloatRange(0, min_open=True), default=600.0,
                 show_default=True, metavar="S", help="Seconds that nodes wait for one another."),
    click.option("--signal-lead", type=click.FloatRange(0), default=0.0, metavar="S",
                 help="Seconds between the signal to stop and the end of the job, as in "
                 "sbatch --signal=B:USR1@S.  [default: not known]"),
    click.option("--workers", type=click.IntRange(0), metavar="N",
                 help="Processes that decode, of each rank.  [default: the cores at hand, shared]"),
    options.THREADS,
    click.option("--cache", metavar="DIR", type=click.Path(path_type=str),
                 help="Keep decoded frames here, and decode each video once."),
    click.option("--clip-timeout", type=click.FloatRange(0, min_open=True), default=300.0,
                 show_default=True, metavar="S", help="Seconds to wait for a batch."),
    click.option("--save-every", type=click.IntRange(0), default=0, metavar="STEPS",
                 help="Steps between checkpoints, besides those at the end of each epoch."),
    click.option("--track", metavar="NAME", shell_complete=complete.names("trackers"),
                 help="Also log curves: tensorboard, in RUN/track."),
    click.option("--overwrite", is_flag=True, help="Start the run over, dropping its weights."),
    click.option("--take-over", is_flag=True, help="Take the lock of a training that is gone."),
)  # fmt: skip

SHARED = (options.ROOT, options.SEED, options.LIMIT, options.LABEL_FROM, options.MAX_FAILED,
          options.DRY_RUN, *options.TALK)  # fmt: skip


def train_options(function: Any) -> Any:
    """Add them all; the command receives them as they are."""
    for option in reversed([options.INPUTS, *WHAT, *HOW, *WHERE, *SHARED, *train_help.OPTIONS]):
        function = option(function)
    return function
