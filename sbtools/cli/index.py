"""`sbtools index`."""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import islice

import click

from sbtools.cli import messages, options, run
from sbtools.cli.options import Common
from sbtools.errors import UsageError
from sbtools.index.datasets import DATASETS, WITHOUT_ANNOTATIONS, DatasetQuery, to_records
from sbtools.job import Job
from sbtools.records import Record
from sbtools.rng import shard_of


@click.command(
    "index",
    short_help="List videos, frame folders, zips and images as records.",
    context_settings=options.CONTEXT,
)
@click.option("--verify", is_flag=True, help="Decode every frame, not only count the packets.")
@click.option("--stills", is_flag=True, help="Make each image in a folder a clip of its own.")
@click.option(
    "--dataset",
    type=click.Choice(list(DATASETS)),
    help="Take clips from the --annotations of a data set; INPUT is where its videos are.",
)
@click.option(
    "--annotations",
    metavar="FILE",
    multiple=True,
    type=click.Path(path_type=str),
    help="An official annotation file, or the folder of them; may be repeated; albar needs none.",
)
@click.option(
    "--labels",
    metavar="FILE",
    type=click.Path(path_type=str),
    help="Class names: what numbers stand for, and how they are spelled.",
)
@click.option(
    "--paths",
    "lists",
    metavar="FILE|-",
    multiple=True,
    type=click.Path(path_type=str),
    help="A list of files, whatever its name; - reads it from stdin; may be repeated.",
)
@click.option("--split", metavar="NAME", help="The split to take, or to give, as in train or val.")
@click.option(
    "--fold",
    type=click.IntRange(1, 3),
    default=1,
    show_default=True,
    help="Which official split of HMDB51, UCF101 or JHMDB.",
)
@options.stage_options
def command(
    common: Common,
    verify: bool,
    dataset: str | None,
    annotations: tuple[str, ...],
    split: str | None,
    fold: int,
) -> int:
    """List videos, frame folders, zips and images as records, one for each clip.

    \b
    INPUT is a video, a zip of numbered images, an image, a folder of videos, zips
    or frame folders, of images with --stills, a list (.txt or .csv: a path a line,
    path and class, or columns path and label), a .jsonl file or - for records from
    stdin, which are probed again.
    With --dataset, INPUT is a folder that holds the videos; clips whose file is
    not there leave as records with the error `missing`.

    \b
    Examples:
      sbtools index clips/ --records clips.jsonl
      sbtools index --dataset ssv2 --annotations train.json ssv2/ --records ssv2.jsonl
      sbtools index --dataset albar bias/HMDB51_*/ --records bias.jsonl
      sbtools index --verify k400/train/ k400/val/ --records verified.jsonl
      sbtools index --labels names.txt mine.csv --records mine.jsonl
      find clips/ -name '*.mp4' -print0 | sbtools index --paths - --records found.jsonl
    """  # fmt: skip
    messages.begin_command(common.verbose, common.quiet)
    if dataset is None:
        _refuse_without_dataset(annotations, split)
        return run.filter_records(common, _stage(verify))
    if common.lists:
        raise UsageError("--paths goes without --dataset: name the list by --annotations")
    _look_at(common.inputs, annotations, dataset)
    asked = DatasetQuery(dataset, annotations, common.labels, split, fold, common.stills)
    index, count = common.shard
    listed = to_records(asked, common.inputs, common.root)
    ours = [record for record in listed if count == 1 or shard_of(record["id"], count) == index]
    ours = list(islice(ours, common.limit))
    told = f"{len(ours)} clips would be worked on"
    stage = _stage(verify)
    return run.produce_records(common, lambda job: stage(iter(ours), job), len(ours), told)


def _stage(verify: bool) -> run.Stage:
    def stage(incoming: Iterator[Record], job: Job) -> Iterator[Record]:
        from sbtools.index.stage import index

        return index(incoming, job, verify=verify)

    return stage


def _refuse_without_dataset(annotations: tuple[str, ...], split: str | None) -> None:
    for flag, value in {"annotations": annotations, "split": split}.items():
        if value:
            raise UsageError(f"--{flag} goes with --dataset: {', '.join(DATASETS)}")


def _look_at(inputs: tuple[str, ...], annotations: tuple[str, ...], dataset: str) -> None:
    if not annotations and dataset not in WITHOUT_ANNOTATIONS:
        raise UsageError("--dataset needs --annotations: the file that names its clips")
    if not inputs:
        raise UsageError("--dataset needs an INPUT: the folder that holds the videos")
    for path in inputs:
        if not os.path.isdir(path):
            raise UsageError(f"{path}: with --dataset an INPUT is a folder of videos")
