"""What segmenters want: prompts instead of boxes, and boxes and tracks of their own."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sbtools.backends import DETECTORS, SEGMENTERS, BackendSpec
from sbtools.cli.segment import command
from sbtools.clip import FrameSelection
from sbtools.detect.base import OBJECT, Box, Clip
from sbtools.detect.motion import MotionDetector
from sbtools.errors import UsageError
from sbtools.index import folder
from sbtools.job import Job
from sbtools.mask.fill import parse_fill
from sbtools.mask.stage import mask
from sbtools.mask.task import Masking
from sbtools.records import Record
from sbtools.segment.base import FrameMasks, wants
from sbtools.segment.stage import Segmentation, segment
from sbtools.segment.task import make
from sbtools.store import StoredClip, Stores, check_store
from tests.making import make_clips


class Named:
    """The person is column 1; the object of prompt p, in a frame, is column p + 5."""

    name = "named"
    wants = frozenset({"prompts", "frames"})
    in_worker = True
    own = True
    given: list[Any] = []  # noqa: RUF012 - what it was called with, in this process

    def __init__(self, person: str = "person") -> None:
        self.person = person

    def describe(self) -> dict[str, Any]:
        return {"name": self.name, "person": self.person}

    @staticmethod
    def context(wanted: Sequence[int], count: int, fps: float) -> Sequence[int]:
        return []

    def segment(
        self, clip: Clip, boxes: Sequence[Box], prompts: Sequence[str]
    ) -> Iterator[FrameMasks]:
        self.given.append((clip.id, list(boxes), list(prompts)))
        for number in clip.wanted:
            assert clip.frame(number).shape == (clip.height, clip.width, 3)
            person, thing = np.zeros((2, clip.height, clip.width), np.bool_)
            person[:, 1] = True
            thing[:, [5 + place for place in range(len(prompts))]] = True
            found = [
                Box(number, (5.0 + p, 0.0, 6.0 + p, clip.height), 0.5, OBJECT, prompt, track=p + 7)
                for p, prompt in enumerate(prompts)
            ]
            yield FrameMasks(number, person, thing, found if self.own else None)


class FarNamed(Named):
    """In the parent, as one on a GPU would be."""

    in_worker = False


class Around(Named):
    """Without boxes of its own."""

    own = False


class Both(Named):
    """With the boxes of a detector, too; its own are theirs with a track."""

    wants = frozenset({"boxes", "prompts", "frames"})

    def segment(
        self, clip: Clip, boxes: Sequence[Box], prompts: Sequence[str]
    ) -> Iterator[FrameMasks]:
        self.given.append((clip.id, list(boxes), list(prompts)))
        for number in clip.wanted:
            mask = np.zeros((clip.height, clip.width), np.bool_)
            yield FrameMasks(number, mask, mask, None if number != 1 else [])


class Earlier:
    """As a package wrote it that knows nothing of `wants`, prompts and tracks."""

    name = "earlier"
    in_worker = True
    describe, context = Named.describe, staticmethod(Named.context)
    person = ""

    def segment(self, clip: Clip, boxes: Sequence[Box]) -> Iterator[FrameMasks]:
        for number in clip.wanted:
            mask = np.zeros((clip.height, clip.width), np.bool_)
            mask[:, 2] = any(box.frame == number for box in boxes)
            yield FrameMasks(number, mask, ~mask)


class Never(MotionDetector):
    """A detector that nobody may make."""

    def __init__(self) -> None:
        raise AssertionError("no detector is needed")


@pytest.fixture(autouse=True)
def added(monkeypatch: pytest.MonkeyPatch) -> None:
    for made in (Named, FarNamed, Around, Both, Earlier):
        monkeypatch.setitem(SEGMENTERS, made.__name__.lower(), f"{__name__}:{made.__name__}")
    monkeypatch.setitem(DETECTORS, "never", f"{__name__}:Never")
    Named.given.clear()


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("clips")
    make_clips(made / "clips", 2, frames=6)
    return made


def records(clips: Path) -> list[Record]:
    return folder.to_records(folder.find([str(clips / "clips")]), clips, "folder")


def stored(
    clips: Path, store: Path, plan: Segmentation, incoming: Sequence[Record]
) -> list[tuple[Record, StoredClip]]:
    done = list(segment(incoming, Job(root=clips), plan, str(store)))
    assert not any("error" in record for record in done), done
    return [(record, Stores(str(clips)).clip(record["masks"])) for record in done]


def plan(segmenter: str, detector: str | None = None, **more: Any) -> Segmentation:
    finder = BackendSpec("detector", detector) if detector else None
    return Segmentation(finder, BackendSpec("segmenter", segmenter), **{"frames": "2", **more})


@pytest.mark.parametrize("name", ["named", "farnamed"])
def test_a_segmenter_that_reads_prompts_needs_no_detector(
    name: str, clips: Path, tmp_path: Path
) -> None:
    """Prompts are those of the command, then of the record, each once; boxes are its own."""
    incoming = records(clips)
    incoming[1]["objects"] = ["ball", "rope"]
    for box in ({}, {"boxes": [{**ROPE, "frame": 1}]}):
        incoming[0].update(box)
        made = plan(name, "never", prompts=["rope"], keep_boxes=True)
        found = stored(clips, tmp_path / f"{len(box)}", made, incoming)
        assert [given[1:] for given in Named.given] == [([], ["rope"]), ([], ["rope", "ball"])]
        Named.given.clear()
        for (record, clip), prompts in zip(found, (["rope"], ["rope", "ball"]), strict=True):
            columns = range(5, 5 + len(prompts))
            for place in range(2):
                assert np.flatnonzero(clip.mask("person", place).all(0)).tolist() == [1]
                assert np.flatnonzero(clip.mask("object", place).all(0)).tolist() == [*columns]
            assert [(b["prompt"], b["track"], b["xyxy"]) for b in clip.boxes] == 2 * [
                (prompt, 7 + p, [5 + p, 0, 6 + p, 72]) for p, prompt in enumerate(prompts)
            ]
            assert record["boxes"] == clip.boxes and record["sampled"] == clip.frames.tolist()
            assert "detect" not in record["made"]
            assert "objects=[rope]" in record["made"]["segment"]


@pytest.mark.parametrize(("name", "follows"), [("named", "masks"), ("farnamed", "frames")])
def test_a_worker_sends_frames_only_where_the_parent_needs_them(
    name: str, follows: str, clips: Path
) -> None:
    task = make(
        BackendSpec("segmenter", name), selection=FrameSelection(str(clips), "1"), detector=None
    )
    first = next(task(records(clips)[0]))
    assert (first["follows"], first["boxes"]) == (follows, None)


ROPE = {"frame": 0, "xyxy": [1, 2, 3, 4], "score": 1, "role": "object", "prompt": "rope"}


def test_boxes_it_does_not_give_are_the_records_else_around_the_shapes(
    clips: Path, tmp_path: Path
) -> None:
    incoming = [{**records(clips)[0], "boxes": [ROPE], "sampled": [0, 5]}, records(clips)[1]]
    made = plan("around", prompts=["x"], frames=None)
    first, second = stored(clips, tmp_path / "s", made, incoming)
    assert first[1].boxes == [ROPE]
    nothing = [{**records(clips)[0], "boxes": [], "sampled": [0, 5]}]
    ((_, none),) = stored(clips, tmp_path / "none", made, nothing)
    assert none.boxes == [] and none.mask("object", 0).any()
    columns = {"person": [1, 0, 2, 72], "object": [5, 0, 6, 72]}
    assert [(b["role"], b["xyxy"]) for b in second[1].boxes] == 6 * [*columns.items()]


def test_tracks_go_from_records_into_stores_and_on(clips: Path, tmp_path: Path) -> None:
    """detect | segment | mask: of boxes with a track and without; between two frames it is that of
    both; the record keeps them where it is asked to."""
    ends = [{**ROPE, "frame": frame, "score": 0.5, "role": "person"} for frame in (0, 4)]
    boxes = [*({**box, "track": 9} for box in ends), *({**box, "prompt": "hand"} for box in ends)]
    incoming = [{**records(clips)[0], "boxes": boxes, "sampled": [0, 4]}]
    made = plan("earlier", "motion", frames="all", keep_boxes=True)
    ((record, clip),) = stored(clips, tmp_path / "s", made, incoming)
    tracks = {(b["frame"], b["prompt"]): b.get("track") for b in clip.boxes}
    assert tracks == {(n, p): t for n in range(6) for p, t in (("rope", 9), ("hand", None))}
    assert record["boxes"] == clip.boxes
    assert list(check_store(str(tmp_path / "s"))) == []
    masking = Masking("person-box", parse_fill("mean", "half"))
    (masked,) = mask([record], Job(root=clips), masking, str(tmp_path / "m"))
    assert masked["boxes"] == Stores(str(clips)).clip(masked["masks"]).boxes == clip.boxes


def test_one_that_wants_both_is_given_both(clips: Path, tmp_path: Path) -> None:
    """Of frame 1 it says that there is no box; those of other frames are the detector's.

    The detector reads no prompts, and need not.
    """
    made = plan("both", "motion", prompts=["rope"])
    found = stored(clips, tmp_path / "s", made, records(clips))
    for (record, clip), (_, boxes, prompts) in zip(found, Named.given, strict=True):
        assert prompts == ["rope"] and {box.frame for box in boxes} == {*clip.frames.tolist()}
        assert 1 in clip.frames and boxes
        assert [b["frame"] for b in clip.boxes] == [b.frame for b in boxes if b.frame != 1]
        assert "detect" in record["made"]


@pytest.mark.parametrize("name", ["earlier", "around"])
def test_detecting_again_is_for_those_that_want_boxes(
    name: str, clips: Path, tmp_path: Path
) -> None:
    incoming = [{**records(clips)[0], "boxes": [ROPE], "sampled": [0, 5]}]
    made = plan(name, "motion", frames=None, afresh=True)
    ((record, clip),) = stored(clips, tmp_path / "s", made, incoming)
    again = name == "earlier"
    assert (clip.boxes != [ROPE]) == again and ("detect" in record["made"]) == again


def test_one_of_an_earlier_version_works_as_it_did(clips: Path, tmp_path: Path) -> None:
    ((record, clip), _) = stored(clips, tmp_path / "s", plan("earlier", "motion"), records(clips))
    assert np.flatnonzero(clip.mask("person", 0).all(0)).tolist() == [2]
    assert clip.boxes and "track" not in clip.datasets and "detect" in record["made"]


def test_what_nobody_reads_or_has_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match="rle reads no prompts, and no detector is used: leave --"):
        plan("rle", prompts=["rope"])
    with pytest.raises(UsageError, match="motion finds people only"):
        plan("grabcut", "motion", prompts=["rope"])
    with pytest.raises(UsageError, match="segmenter grabcut wants boxes: name a detector"):
        plan("grabcut")
    for wrong in ("frames", {"box", "frames"}, {"prompts"}):
        monkeypatch.setattr(Named, "wants", wrong)
        with pytest.raises(UsageError, match="segmenter named: wants is a set of boxes, prompts, "):
            wants(Named)


def test_a_track_that_no_store_holds_fails_the_clip(
    clips: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def segment_wrongly(*given: Any) -> Iterator[FrameMasks]:
        mask = np.zeros((72, 96), np.bool_)
        yield FrameMasks(0, mask, mask, [Box(0, (0.0, 0.0, 1.0, 1.0), 1.0, track=1 << 31)])

    monkeypatch.setattr(Named, "segment", segment_wrongly)
    (done,) = segment(records(clips)[:1], Job(root=clips), plan("named"), str(tmp_path / "s"))
    assert "track 2147483648 of a box of frame 0 is not 0 to" in done["error"]["message"]


@pytest.fixture
def warned(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(logging.getLogger("sbtools"), "propagate", True)
    return caplog


@pytest.mark.parametrize("person", [(), ("--person", "juggler")])
def test_the_command_names_what_is_not_used(
    person: tuple[str, ...], clips: Path, tmp_path: Path, warned: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    """--person is the segmenter's, who reads prompts; --detector is nobody's."""
    monkeypatch.chdir(clips)
    words = ["--segmenter", "named", "--detector", "never", "--set-detector", "a=1", *person,
             "--frames", "1", "--limit", "1", "--workers", "0", "-o", str(tmp_path / "s"),
             "clips"]  # fmt: skip
    assert command.main(words, standalone_mode=False) == 0
    told = [entry.getMessage() for entry in warned.records if entry.levelname == "WARNING"]
    assert told == ["segmenter named needs no boxes, so no detector runs: leave --detector, "
                    "--set-detector out"]  # fmt: skip
    assert f"person={person[1] if person else 'person'};" in capfd.readouterr().out
