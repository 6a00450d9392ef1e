"""The flags of `sbtools eval` and `sbtools card`."""

from __future__ import annotations

from typing import Any

import click

from sbtools.cli import complete, eval_protocol, mask_band, options

PATHS = click.argument("paths", metavar="[RUN] [INPUT]...", nargs=-1,
                       type=click.Path(path_type=str))  # fmt: skip

JUDGED = click.argument("judged", metavar="MODEL", type=click.Path(path_type=str))

MODEL = (
    click.option("--which", type=click.Choice(["last", "best", "ema"]),
                 help="Which weights of the run.  [default: best where one was selected]"),
    click.option("--model", metavar="NAME", shell_complete=complete.names("models"),
                 help="A model instead of RUN: vificlip, actionclip, "
                 "xclip, dual-encoder, torchvision:NAME, hf:FOLDER, hf:ORG/NAME, "
                 "package.module:factory."),
    click.option("--weights", metavar="FILE", shell_complete=complete.file,
                 help="Weights of --model."),
    click.option("--set-model", "model_pairs", multiple=True, metavar="NAME=VALUE",
                 help="A setting of --model; repeatable."),
    click.option("--frames", type=click.IntRange(1), metavar="N",
                 help="Frames of a clip that --model sees.  [default: the model's, else 8]"),
    click.option("--classes", metavar="FILE|A,B", shell_complete=complete.file,
                 help="The classes to choose among.  [default: those of the run]"),
)  # fmt: skip

FILL = click.option("--fill", default="normal", show_default=True, metavar="FILL",
                    shell_complete=complete.words("normal", "mean"),
                    help="What hides: normal, mean, R,G,B or R,G,B:R,G,B.")  # fmt: skip
CROPS = click.option("--crops", type=click.Choice(["1", "3"]), default="1", show_default=True,
                     help="Crops of each clip, averaged as well.")  # fmt: skip

SHOWN = (
    click.option("--p-view", type=click.Choice(["bg", "bg+obj"]),
                 help="The view of P-top1.  [default: bg]"),
    mask_band.OPTION,
    FILL,
    click.option("--clips", type=click.IntRange(1), default=1, show_default=True, metavar="N",
                 help="Clips of each record, whose probabilities are averaged."),
    CROPS,
    click.option("--group-by", metavar="FIELD",
                 help="Judge the groups of this field of the records too."),
    click.option("--pairs", is_flag=True, help="Clips that are counterparts of others, by "
                 "pair_of or source: compare each with its original."),
    click.option("--bootstrap", "draws", type=click.IntRange(0), default=1000, show_default=True,
                 metavar="N", help="Draws of the intervals that have to be drawn; 0: none."),
)  # fmt: skip

VIEWS = (
    click.option("--views", metavar="A,B", shell_complete=complete.several("views"),
                 help="The views to show.  [default: plain, the P view "
                 "and person-box]"),
    click.option("--controls", is_flag=True, help="Show the controls too, as far as the records "
                 "allow."),
)  # fmt: skip

COMPUTING = (
    click.option("--batch", type=click.IntRange(1), default=16, show_default=True, metavar="N",
                 help="Clips at once."),
    click.option("--device", default="auto", show_default=True, metavar="NAME",
                 shell_complete=complete.DEVICE,
                 help="auto, cpu, cuda or cuda:N."),
    click.option("--precision", type=click.Choice(["auto", "float32", "bfloat16"]),
                 default="auto", show_default=True, help="auto is bfloat16 on a GPU that has it."),
)  # fmt: skip

LOADING = (
    options.THREADS,
    click.option("--cache", metavar="DIR", type=click.Path(path_type=str),
                 help="Keep decoded frames here."),
    click.option("--clip-timeout", type=click.FloatRange(0, min_open=True), default=600.0,
                 show_default=True, metavar="S", help="Seconds to wait for a batch."),
)  # fmt: skip

EXAMPLES, EXAMPLES_OF_CARD = (
    click.option("--examples", type=click.IntRange(0), default=count, show_default=True,
                 metavar="N", help="Clips whose frames the result shows in every view.")
    for count in (4, 2)
)  # fmt: skip

HOW = (
    *COMPUTING,
    click.option("--workers", type=click.IntRange(0), metavar="N",
                 help="Processes that decode.  [default: the cores at hand]"),
    *LOADING,
    EXAMPLES,
    click.option("--expect", metavar="FILE", type=click.Path(path_type=str),
                 help="Records whose clips must all be in the input."),
)  # fmt: skip

STORE = (
    click.option("--scores", metavar="DIR", type=click.Path(path_type=str),
                 help="Keep the scores in a store; what it holds already is not computed again."),
    click.option("--from-scores", multiple=True, metavar="PATH", type=click.Path(path_type=str),
                 help="Judge by scores instead of a model: a store, or records with scores; "
                 "repeatable for stores."),
    click.option("--answers", metavar="FILE", type=click.Path(path_type=str),
                 help="Judge by the answers of any other program, names or ranks without scores: "
                 "csv or .jsonl; INPUTs are the records."),
    click.option("--base", metavar="FILE", shell_complete=complete.file,
                 help="With --novel: base classes, a result of their "
                 "own, and the harmonic mean of both."),
    click.option("--novel", metavar="FILE", shell_complete=complete.file,
                 help="Classes that training has not seen."),
    click.option("--top", type=click.IntRange(1), metavar="N",
                 help="Print the N likeliest classes of each clip in every view instead."),
    click.option("--overwrite", is_flag=True, help="Start the store of --scores over."),
    click.option("--take-over", is_flag=True, help="Take the lock of a writer that is gone."),
    options.RETRY_FAILED,
    options.ALLOW_MISSING,
    click.option("--shard", type=options.Shard(), envvar="SBTOOLS_SHARD",
                 help="Score the clips whose sha1(id) mod N is I, into --scores; N as before "
                 "where it is left out.  [default: $SBTOOLS_SHARD]"),
)  # fmt: skip

SHARED = (options.ROOT, options.SEED, options.LIMIT, options.LABEL_FROM, options.MAX_FAILED,
          options.DRY_RUN, *options.TALK)  # fmt: skip

SMALL = click.option("--no-per-clip", is_flag=True, help="Leave the clips out of the result: a "
                     "small file, which cannot be compared clip by clip.")  # fmt: skip

SHOW_PATHS = click.option("--show-paths", is_flag=True, help="Leave the host's name and absolute "
                          "paths on the page.")  # fmt: skip

OUTPUT = click.option("-o", "--output", metavar="FILE.json",
                      type=click.Path(path_type=str, dir_okay=False),
                      help="The result.  [default: stdout]")  # fmt: skip


def eval_options(function: Any) -> Any:
    """Add those of eval; the command receives them as they are."""
    results, published = (OUTPUT, SMALL), (eval_protocol.OPTION, eval_protocol.HELP)
    shown = (*VIEWS, *published, *SHOWN)
    return _decorated(function, PATHS, *results, *MODEL, *shown, *STORE, *HOW, *SHARED)


def card_options(function: Any) -> Any:
    """Add those of card: what is judged comes first, and the page is named."""
    which, _, *model = MODEL
    page = click.option("-o", "--output", metavar="FILE.html", required=True, help="The page.",
                        type=click.Path(path_type=str, dir_okay=False))  # fmt: skip
    how = [EXAMPLES_OF_CARD if option is EXAMPLES else option for option in HOW]
    shared = [option for option in SHARED if option is not options.DRY_RUN]
    return _decorated(
        function, JUDGED, options.INPUTS, page, SHOW_PATHS, which, *model, *SHOWN, *how, *shared
    )


def features_options(function: Any) -> Any:
    """Add those of features that eval has too, for one view."""
    view = click.option("--view", default="plain", show_default=True, metavar="NAME",
                        shell_complete=complete.names("views"),
                        help="How clips are shown: a view of eval.")  # fmt: skip
    p_view = click.option("--p-view", type=click.Choice(["bg", "bg+obj"]),
                          help="What the views random and other do.  [default: bg]")  # fmt: skip
    clips = click.option("--clips", type=click.IntRange(1), default=1, show_default=True,
                         metavar="N", help="Clips of each record, whose features are "
                         "averaged.")  # fmt: skip
    shown = (view, p_view, FILL, clips, CROPS)
    return _decorated(function, *MODEL, *shown, *COMPUTING, *LOADING)


def _decorated(function: Any, *all: Any) -> Any:
    for option in reversed(all):
        function = option(function)
    return function
