"""A set in shards as its user meets it: status, what is refused, what goes on."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sbtools.rng import shard_of
from sbtools.store import StoreWriter
from sbtools.store.reader import Stores
from tests.cli.conftest import Run

IDS = [f"c{number}" for number in range(12)]


def listed(path: Path | str, ids: Sequence[str], **fields: Any) -> str:
    """A file of records."""
    records = [{"id": id, "video": f"{id}.mp4", "label": "walk", **fields} for id in ids]
    Path(path).write_text("".join(json.dumps(record) + "\n" for record in records))
    return str(path)


def masks(folder: str, indices: Sequence[int], count: int = 4) -> list[dict[str, Any]]:
    """A store of masks of these shards, written by the library; the records of its clips."""
    found: list[dict[str, Any]] = []
    for index in indices:
        with StoreWriter(folder, "masks", {"frames": "8"}, {}, shard=(index, count)) as out:
            for id in (id for id in IDS if shard_of(id, count) == index):
                empty = {"frame": np.arange(1), "time": np.zeros(1),
                         "person": np.zeros((1, 4, 4), np.bool_)}  # fmt: skip
                record = {"id": id, "video": f"{id}.mp4", "label": "walk"}
                found += out.add(record, {"height": 4, "width": 4, "digest": "1-a"}, empty)
            found += out.close(done=True)
    return found


def write(path: str, records: Sequence[dict[str, Any]]) -> str:
    Path(path).write_text("".join(json.dumps(record) + "\n" for record in records))
    return path


def test_status_says_what_to_submit_again(run: Run) -> None:
    masks("m", [0, 2])
    clips = listed("clips.jsonl", IDS)
    sizes = [sum(shard_of(id, 4) == index for id in IDS) for index in range(4)]
    there, left = sizes[0] + sizes[2], sizes[1] + sizes[3]
    code, out, _ = run("status", "m")
    assert code == 1 and "2 done, 2 missing of 4 shards" in out
    assert "SBTOOLS_SHARDS=4 sbatch --array=1,3 ..." in out
    code, out, _ = run("status", "--json", "m", clips)
    assert code == 1 and json.loads(out) == {
        "store": "m", "shards": 4, "done": 2, "failed": 0, "running": 0, "missing": 2,
        "clips_done": there, "clips_failed": 0, "clips_left": left, "array": "1,3",
        "running_shards": "", "joining": False,
    }  # fmt: skip
    masks("m", [1, 3])
    code, out, _ = run("status", "m", clips)
    assert (code, "12 clips done, 0 failed, 0 left" in out, "submit" in out) == (0, True, False)
    listed("clips.jsonl", [*IDS, "new"])
    code, out, _ = run("status", "m", clips)
    assert code == 1 and f"--array={shard_of('new', 4)} " in out


def test_what_reads_a_set_refuses_it_where_shards_are_missing(run: Run) -> None:
    records = write("m.jsonl", masks("m", [0, 2]))
    for words in (
        ["check", "m"],
        ["check", "m.jsonl"],
        ["mask", "--mode", "none", "--workers", "0", records],
        ["train", "--device", "cpu", "-o", "run", records],
    ):
        code, _, err = run(*words)
        assert code == 1, err
        assert "m: 2 of 4 shards are missing: 1,3; submit them again with --array=1,3" in err
    code, _, err = run("check", "--allow-missing", "m")
    assert code == 0 and "2 of 4 shards are missing" in err


def test_mask_goes_on_when_it_is_allowed_to_and_keeps_that(run: Run) -> None:
    records = masks("m", [0, 2])
    write("m.jsonl", [{**record, "frames": 1} for record in records])
    words = ["mask", "--mode", "none", "--workers", "0", "--max-failed", "99", "m.jsonl"]
    code, _, err = run(*words, "--allow-missing")
    assert code == 0 and "m: 2 of 4 shards are missing: 1,3" in err
    # As a shard it needs its own alone.
    assert run(*words, "--shard", "2/4", "-o", "two")[0] == 0
    code, _, err = run(*words, "--shard", "3/4", "-o", "three")
    assert code == 0, "it has no clip"
    assert "missing" not in err


def test_what_was_missing_stands_in_the_parts_of_mask(clips: Path, run: Run) -> None:
    """With clips that decode, so that a part is written."""
    _, out, _ = run("index", str(clips))
    (Path("c.jsonl")).write_text(out)
    how = ["--detector", "haar", "--segmenter", "grabcut", "--frames", "2", "--workers", "0", "-q"]
    ids = [json.loads(line)["id"] for line in out.splitlines()]
    shard = shard_of(ids[0], 2)
    _, made, _ = run("segment", *how, "--shard", f"{shard}/2", "-o", "m", "c.jsonl")
    Path("m.jsonl").write_text(made)
    code, made, _ = run("mask", "-q", "--mode", "none", "--workers", "0", "--allow-missing", "-o",
                        "p", "m.jsonl")  # fmt: skip
    part = Stores(".").part(str(Path(json.loads(made.splitlines()[0])["pixels"].split("::")[0])))
    told = part.made["run"]["missing_shards"]
    assert code == 0 and len(told) == 1
    assert told[0].endswith(f"m: 1 of 2 shards are missing: {1 - shard}")


def test_a_training_keeps_what_was_missing(run: Run, clips: Path) -> None:
    from sbtools.train.plan import TrainFlags
    from sbtools.train.prepare import Request, prepared

    video = next(str(path) for path in clips.rglob("*.mp4"))
    stored = [{**record, "video": video} for record in masks("m", [0, 2])]
    flags = TrainFlags("vificlip", values={"frames": 1})
    asked = Request(folder="run", asked=flags, root=os.getcwd(), allow_missing=True)
    with prepared(asked, iter(stored), os.getcwd(), 1) as ready:
        assert ready is not None
        [told] = ready.told["missing_shards"]
    assert told.endswith("2 of 4 shards are missing: 1,3")


def test_half_of_the_scores_are_no_result(run: Run) -> None:
    from sbtools.store import ScoresWriter
    from tests.evaluate.made import CLASSES, VIEWS, WHAT, record_of, scores_of

    for index in (0, 1, 3):
        with ScoresWriter("s", CLASSES, "logits", VIEWS, WHAT, {}, shard=(index, 4)) as out:
            for id in (id for id in IDS if shard_of(id, 4) == index):
                out.add_scores(record_of(id), scores_of(id))
            out.close(done=True)
    judge = ["eval", "--from-scores", "s", "--bootstrap", "0"]
    code, out, err = run(*judge)
    assert (code, out) == (1, "") and "1 of 4 shards are missing: 2;" in err
    code, out, err = run(*judge, "--allow-missing")
    found = json.loads(out)
    assert code == 0 and found["scores"]["missing_shards"] == ["s: 1 of 4 shards are missing: 2"]
    assert found["warnings"][0]["kind"] == "missing-shards" and found["scores"]["store"] == "s"
    code, out, err = run(*judge, "--allow-missing", "--expect", listed("clips.jsonl", IDS))
    lost = [id for id in IDS if shard_of(id, 4) == 2]
    assert (code, out) == (2, "") and f"{len(lost)} clips of --expect are not" in err
    assert all(repr(id) in err for id in lost[:5])


def test_a_store_is_held_against_clips_without_records(run: Run) -> None:
    masks("m", range(4))
    clips = listed("clips.jsonl", IDS)
    assert run("check", "--against", clips, "m") == (0, "", "")
    listed("clips.jsonl", [*IDS, "new"])
    code, _, err = run("check", "--against", clips, "m")
    assert code == 3 and err.splitlines() == ["sbtools check: ERROR: new: missing"]
    some = write("some.jsonl", [{"id": IDS[0], "error": {"stage": "index", "kind": "missing",
                                                         "message": "gone"}}])  # fmt: skip
    code, _, err = run("check", "--against", clips, "m", some)
    assert code == 3 and f"{IDS[1]}: missing" in err, "records that are named are those asked for"


def test_failed_clips_of_a_shard_are_done_and_the_sum_is_judged(run: Run) -> None:
    for id in IDS:
        Path(f"{id}.mp4").write_text("<html>not found</html>")
    clips = listed("clips.jsonl", IDS)
    how = ["segment", "--detector", "haar", "--segmenter", "grabcut", "--workers", "0", "-o", "m"]
    for index in range(2):
        code, out, _ = run(*how, "--shard", f"{index}/2", clips)
        assert code == 0 and "error" in json.loads(out.splitlines()[0])
    mine = sum(shard_of(id, 2) == 0 for id in IDS)
    again, out, err = run(*how, "--shard", "0/2", clips)
    assert again == 0 and f"{mine} clips had failed already; --retry-failed" in err
    assert len(out.splitlines()) == mine
    assert "had failed already" not in run(*how, "--shard", "0/2", "--retry-failed", clips)[2]
    assert [run("status", "m", *more)[0] for more in ([], ["--max-failed", "11"],
            ["--max-failed", "12"], ["--max-failed", "100%", clips])] == [3, 3, 0, 0]  # fmt: skip
    code, _, err = run("check", "--against", clips, "m")
    assert code == 3 and "c0: segment: " in err and "missing" not in err
    code, _, err = run(*how, clips)
    assert code == 3 and "12 of 12 clips failed" in err and "had failed already" not in err
    Path("c0.mp4").write_text("<html>another page</html>")
    _, _, err = run(*how, "--shard", f"{shard_of('c0', 2)}/2", clips)
    assert "c0: the video has changed, the clip is done again" in err


def test_dry_run_says_what_is_missing(run: Run) -> None:
    masks("m", [0, 2])
    done = sum(shard_of(id, 4) in (0, 2) for id in IDS)
    clips = listed("clips.jsonl", IDS)
    how = ["--detector", "haar", "--segmenter", "grabcut", "--dry-run", "-o", "m", clips]
    _, _, err = run("segment", *how)
    assert f"{12 - done} clips would be worked on, {done} are done already" in err
    assert "12 clips would be worked on\n" in run("segment", "--overwrite", *how)[2]
    mine = sum(shard_of(id, 4) == 3 for id in IDS)
    assert f"{mine} clips would be worked on\n" in run("segment", "--shard", "3/4", *how)[2]
    write("kept.jsonl", [{"id": id} for id in IDS[:5]])
    _, _, err = run("detect", "--detector", "haar", "--dry-run", "-o", "kept.jsonl", clips)
    assert "7 clips would be worked on, 5 are done already" in err
    _, _, err = run("eval", "--model", "x", "--scores", "m", "--dry-run", "--shard", "2/4", clips)
    mine = sum(shard_of(id, 4) == 2 for id in IDS)
    assert f"0 clips would be judged, {mine} are done already" in err


ARRAY = {"SLURM_ARRAY_TASK_COUNT": "3", "SLURM_ARRAY_TASK_MIN": "0", "SLURM_ARRAY_TASK_MAX": "2"}
ODD = {"SLURM_ARRAY_TASK_COUNT": "2", "SLURM_ARRAY_TASK_MIN": "1", "SLURM_ARRAY_TASK_MAX": "2"}
ONE = {"SLURM_ARRAY_TASK_COUNT": "1", "SLURM_ARRAY_TASK_MIN": "2", "SLURM_ARRAY_TASK_MAX": "2"}


@pytest.mark.parametrize(
    ("env", "store", "told"),
    [
        ({"SBTOOLS_SHARD": "2", **ARRAY}, "none", (2, 3)),
        ({"SBTOOLS_SHARD": "2/7", **ARRAY}, "m", (2, 7)),
        ({"SBTOOLS_SHARD": "2", "SBTOOLS_SHARDS": "64", **ODD}, "none", (2, 64)),
        ({"SBTOOLS_SHARD": "2", "SBTOOLS_SHARDS": "8", **ARRAY}, "m", (2, 8)),
        ({"SBTOOLS_SHARD": "2", **ODD}, "m", (2, 4)),
        ({"SBTOOLS_SHARD": "2", **ONE}, "m", (2, 4)),
        ({"SBTOOLS_SHARD": "2", **ARRAY}, "m", (2, 4)),
        ({"SBTOOLS_SHARD": "2", **ODD}, "none", "of how many?"),
        ({"SBTOOLS_SHARD": "2", **ONE}, "none", "set SBTOOLS_SHARDS, as in SBTOOLS_SHARDS=64"),
        ({"SBTOOLS_SHARD": "5", **ODD}, "m", "no shard 5 of 4, they count from 0 as m was begun"),
        ({"SBTOOLS_SHARD": "2", "SBTOOLS_SHARDS": "x"}, "m", "SBTOOLS_SHARDS is 'x'"),
        ({"SBTOOLS_SHARD": "2"}, "none", "of how many?"),
    ],
)
def test_a_task_is_the_shard_of_its_number(
    env: dict[str, str], store: str, told: tuple[int, int] | str, run: Run,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """`--array=3,7` are shards 3 and 7, of as many as there were."""
    masks("m", [0])
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    clips = listed("clips.jsonl", IDS)
    code, _, err = run("segment", "--detector", "haar", "--segmenter", "grabcut", "--dry-run",
                       "-o", store, clips)  # fmt: skip
    if isinstance(told, str):
        assert code == 2 and told in err
        return
    mine = [id for id in IDS if shard_of(id, told[1]) == told[0]]
    there = [id for id in mine if store == "m" and shard_of(id, 4) == 0]
    assert code == 0 and f"{len(mine) - len(there)} clips would be worked on" in err
