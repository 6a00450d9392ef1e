"""`sbtools segment`."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import Any

import click

from sbtools.backends import BackendSpec
from sbtools.cli import backends, messages, options, run
from sbtools.cli.options import Common
from sbtools.errors import UsageError
from sbtools.job import Job
from sbtools.records import Record


@click.command(
    "segment",
    short_help="Find their shapes, and keep them in a store.",
    context_settings=options.CONTEXT,
)
@click.option("-o", "--output", metavar="STORE", type=click.Path(path_type=str, file_okay=False),
              default="masks", show_default=True, help="The store.")  # fmt: skip
@backends.SEGMENTER
@backends.weights("--weights", "segmenter: a .pth file of segment-anything")
@backends.DETECTOR
@backends.weights("--detector-weights", "detector: a HuggingFace folder, or a name on the hub")
@backends.DOWNLOAD
@backends.PERSON
@backends.OBJECT
@backends.DEVICE
@backends.BATCH_FRAMES
@click.option("--frames", type=backends.Frames(),
              help="Frames to mask: 8, segments:8x4, all, or every:K.  [default: those that were "
              "looked at, else 8]")  # fmt: skip
@click.option("--from-png", metavar="DIR", type=click.Path(path_type=str),
              help="Masks from DIR/ID/NUMBER.png: 0 none, 2 object, else person.")  # fmt: skip
@click.option("--first-frame", metavar="N", type=click.IntRange(0), default=0, show_default=True,
              help="The number of the first frame in the names of --from-png.")  # fmt: skip
@click.option("--threshold", metavar="VALUE", type=click.IntRange(0, 65535),
              help="Of --from-png, what is above it is person, and nothing is object.")  # fmt: skip
@click.option("--from-rle", is_flag=True, help="Take the masks from the records' COCO RLE.")
@click.option("--from-boxes", is_flag=True, help="Fill the records' boxes; nothing is detected.")
@click.option("--from-mat", metavar="DIR", type=click.Path(path_type=str),
              help="Masks of JHMDB, from DIR/CLASS/ID/puppet_mask.mat.")  # fmt: skip
@click.option("--set", "settings", multiple=True, metavar="NAME=VALUE",
              help="A setting of the segmenter; repeatable.")  # fmt: skip
@click.option("--set-detector", "detector_settings", multiple=True, metavar="NAME=VALUE",
              help="A setting of the detector; repeatable.")  # fmt: skip
@click.option("--detect-again", is_flag=True, help="Detect even where the records hold boxes.")
@click.option("--boxes", type=click.Choice(["move", "keep"]), default="move", show_default=True,
              help="Move boxes to the store, or keep them in the records too.")  # fmt: skip
@options.store_options
@options.stage_options
def command(
    common: Common,
    parts: dict[str, Any],
    output: str,
    segmenter: str,
    weights: str | None,
    detector: str,
    detector_weights: str | None,
    download: bool,
    person: str | None,
    objects: tuple[str, ...],
    device: str | None,
    batch_frames: str | None,
    frames: str | None,
    from_png: str | None,
    first_frame: int,
    threshold: int | None,
    from_rle: bool,
    from_boxes: bool,
    from_mat: str | None,
    settings: tuple[str, ...],
    detector_settings: tuple[str, ...],
    detect_again: bool,
    boxes: str,
) -> int:
    """Find the shapes of people and objects, and keep them in a store of masks.

    Videos and folders are indexed on the way, and clips without boxes are detected on the way, for
    a segmenter that wants boxes.

    \b
    Examples:
      sbtools segment clips/ | sbtools mask --mode bg+obj --records masked.jsonl
      sbtools segment --frames all -o all-frames/ clips/ --records all-frames.jsonl
      sbtools segment --from-png annotations/ -o given/ clips/ --records given.jsonl
      sbtools segment --from-boxes -o boxed/ boxes.jsonl --records boxed.jsonl
    """
    messages.begin_command(common.verbose, common.quiet)
    named = _named(from_png, first_frame, threshold)
    given = _given(
        {
            "--from-png": _lookup("png", from_png, folder=from_png, **named),
            "--from-rle": _lookup("rle", from_rle),
            "--from-boxes": _lookup("boxes", from_boxes),
            "--from-mat": _lookup("mat", from_mat, folder=from_mat),
        },
        segmenter,
        weights,
    )
    computing = {"device": device, "batch_frames": batch_frames}

    def stage(incoming: Iterator[Record], job: Job) -> Iterator[Record]:
        from sbtools.segment.base import wants
        from sbtools.segment.stage import Segmentation, segment

        chosen = given or backends.segmenter(
            common, segmenter, settings, weights=weights, person=person, **computing
        )
        finder = None
        if "boxes" in wants(chosen.type):
            finder = backends.detector(
                common, detector, detector_settings, weights=detector_weights, person=person,
                download=download, warn=False, **computing,
            )  # fmt: skip
            incoming = backends.warned(incoming, finder, detector, detect_again)
        else:
            backends.warn_of_unused(chosen, {
                "--detector": detector != "auto", "--detector-weights": detector_weights,
                "--set-detector": detector_settings, "--download": download,
                "--detect-again": detect_again,
                "--person": person and "person" not in chosen.settings,
            })  # fmt: skip
        plan = Segmentation(
            finder,
            chosen,
            frames=frames,
            prompts=objects,
            afresh=detect_again,
            keep_boxes=boxes == "keep",
            seed=common.seed,
        )
        return segment(incoming, job, plan, output, run=run.provenance(job), **parts)

    made = f"masks in {os.path.join(output, '')}"
    return run.filter_records(common, stage, made=made, done=lambda: run.ids_in(
        output, common.shard, parts["overwrite"], parts["retry_failed"]
    ))  # fmt: skip


def _lookup(name: str, asked: object, **settings: Any) -> BackendSpec | None:
    """What looks up masks that the user has; None where that was not asked for."""
    return BackendSpec("segmenter", name, settings) if asked else None


def _given(
    lookups: Mapping[str, BackendSpec | None], segmenter: str, weights: str | None
) -> BackendSpec | None:
    asked = {flag: choice for flag, choice in lookups.items() if choice}
    flags = [*asked]
    if asked and weights:
        flags.append("--weights")
    if segmenter != "auto":
        flags.append("--segmenter")
    if len(flags) > 1:
        raise UsageError(f"give one of {' and '.join(flags)}")
    return next(iter(asked.values()), None)


def _named(from_png: str | None, first: int, threshold: int | None) -> dict[str, int]:
    """How the images of --from-png are read, where that is not as by default."""
    found = {"first": first} if first else {}
    if threshold is not None:
        found["threshold"] = threshold
    if found and not from_png:
        raise UsageError("--first-frame and --threshold go with --from-png")
    return found
