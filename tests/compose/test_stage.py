"""Composed clips by any way: the same bytes; what cannot be is told in a line, and lost nowhere."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import h5py
import pytest

from sbtools import __version__
from sbtools.rng import shard_of
from tests.cli.running import sbtools, shell
from tests.compose.conftest import LABELS, id_of

STRIPES = ("--mode", "scuba", "--backgrounds", "stripes")
SWAP = ("--mode", "swap", "--copies", "2")


def run(made: Path, *words: Any, code: int = 0) -> list[dict[str, Any]]:
    done = sbtools("mask", *words, cwd=made)
    assert done.returncode == code, done.stderr.decode()
    return [json.loads(line) for line in done.stdout.splitlines()]


def refused(made: Path, *words: Any, code: int = 2) -> str:
    done = sbtools("mask", "-o", "never", *words, cwd=made)
    told = done.stderr.decode().splitlines()
    assert done.returncode == code and len(told) == 1 and not done.stdout, told
    assert not (made / "never").exists()
    return told[0]


def digest(made: Path, store: Path) -> bytes:
    done = sbtools("check", "--digest", store, cwd=made)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()[0]


@pytest.mark.parametrize(
    "words",
    [STRIPES, SWAP, ("--mode", "conflfg", "--backgrounds", "stripes"),
     ("--mode", "appearance-free", "--frames", "3")],
)  # fmt: skip
def test_order_workers_and_shards_change_nothing(
    made: Path, tmp_path: Path, words: tuple[str, ...]
) -> None:
    lines = (made / "masks.jsonl").read_text().splitlines(True)
    random.Random(1).shuffle(lines)
    (tmp_path / "shuffled.jsonl").write_text("".join(lines))
    whole = run(made, *words, "-o", tmp_path / "a", "--workers", "0", "masks.jsonl")
    again = run(made, *words, "-o", tmp_path / "b", "--workers", "2", tmp_path / "shuffled.jsonl")
    for index in range(2):
        part = run(made, *words, "-o", tmp_path / "c", "--shard", f"{index}/2", "masks.jsonl")
        assert {shard_of(record["id"], 2) for record in part} == {index}
    assert {record["id"] for record in again} == {record["id"] for record in whole}
    digests = {digest(made, tmp_path / name) for name in "abc"}
    assert len(digests) == 1
    seeded = run(made, *words, "--seed", "1", "-o", tmp_path / "d", "masks.jsonl")
    assert len(seeded) == len(whole) and digest(made, tmp_path / "d") not in digests


def test_a_composed_clip_goes_where_the_clip_goes() -> None:
    for number in range(6):
        whole = shard_of(id_of(number), 7)
        assert shard_of(f"{id_of(number)}//swap-close-3", 7) == whole
        assert shard_of(f"{id_of(number)}//scufo-stripe-0//x", 7) == whole


def test_shards_go_through_a_pipe(made: Path, tmp_path: Path) -> None:
    """What one stage keeps the next one keeps, and together they have all."""
    ids = []
    for index in range(3):
        line = (f"set -eo pipefail; sbtools mask {' '.join(STRIPES)} -o {tmp_path}/s --shard "
                f"{index}/3 masks.jsonl | sbtools scenes --scorer record --names names.txt "
                f"-o {tmp_path}/f --shard {index}/3")  # fmt: skip
        (made / "names.txt").write_text("wall 0\n")
        done = shell(line, cwd=made)
        ids += [json.loads(row)["id"] for row in done.stdout.splitlines()]
    assert sorted(ids) == [f"{id_of(number)}//scuba-stripe-0" for number in range(len(LABELS))]


def test_the_same_command_continues(made: Path, tmp_path: Path) -> None:
    words = (*SWAP, "-o", tmp_path / "s")
    first = run(made, *words, "--limit", "2", "masks.jsonl")
    done = sbtools("mask", *words, "masks.jsonl", cwd=made)
    assert b"4 clips were done already" in done.stderr
    assert [json.loads(line) for line in done.stdout.splitlines()][:4] == first
    done = sbtools("mask", *words, "--dry-run", "masks.jsonl", cwd=made)
    assert b"1 clips would be worked on, 5 are done already" in done.stderr
    told = refused_in(made, tmp_path / "s", *SWAP[:-1], "3", "masks.jsonl")
    assert " copies 2, not 3" in told and "--overwrite" in told


def refused_in(made: Path, store: Path, *words: Any) -> str:
    done = sbtools("mask", "-o", store, *words, cwd=made)
    assert done.returncode == 2
    (told,) = done.stderr.decode().splitlines()
    return told


def test_other_clips_are_drawn_among_all_of_them(made: Path, tmp_path: Path) -> None:
    lines = (made / "masks.jsonl").read_text().splitlines(True)
    ours = [line for line in lines if shard_of(json.loads(line)["id"], 2) == 1]
    (tmp_path / "half.jsonl").write_text("".join(ours))
    words = ("--mode", "swap", "--shard", "1/2", tmp_path / "half.jsonl")
    told = refused(made, *words, code=2)
    assert "from all 2 shards" in told and "--partners FILE.jsonl" in told
    given = run(made, "-o", tmp_path / "s", "--partners", "masks.jsonl", *words)
    whole = run(made, "-o", tmp_path / "w", "--mode", "swap", "masks.jsonl")
    chosen = {record["id"]: record.get("background_id") for record in whole}
    assert given and all(chosen[record["id"]] == record.get("background_id") for record in given)


def test_one_that_failed_before_fails_in_its_place(made: Path, tmp_path: Path) -> None:
    records = [json.loads(line) for line in (made / "masks.jsonl").read_text().splitlines()]
    error = {"stage": "segment", "kind": "missing", "message": "it is gone"}
    records[2]["error"] = error
    (tmp_path / "some.jsonl").write_text("".join(json.dumps(each) + "\n" for each in records))
    done = sbtools("mask", *SWAP, "-o", tmp_path / "s", tmp_path / "some.jsonl", cwd=made)
    assert done.returncode == 3
    assert b"swap: 12 clips to make, 2 left out (2 without people), 2 failed: N = 8" in done.stderr
    found = [json.loads(line) for line in done.stdout.splitlines()]
    failed = [record for record in found if record.get("error") == error]
    assert [each["id"] for each in failed] == [f"run/2//swap-random-{copy}" for copy in range(2)]
    assert "run/2" not in {record.get("background_id") for record in found}


def test_one_whose_other_fails_is_named(made: Path, tmp_path: Path) -> None:
    records = [json.loads(line) for line in (made / "masks.jsonl").read_text().splitlines()]
    gone = {**records[2], "video": "clips/nowhere"}
    pair = {**records[0], "background_id": gone["id"]}
    (tmp_path / "some.jsonl").write_text(f"{json.dumps(pair)}\n{json.dumps(gone)}\n")
    words = ("--mode", "swap", "--pairs", "records", "-o", tmp_path / "s", tmp_path / "some.jsonl")
    one, other = run(made, *words, code=3)
    assert one["error"]["message"].startswith("the other clip, run/2: there is no ")
    assert other["error"]["message"].startswith("there is no ")
    pair["background_id"] = "run/7"
    (tmp_path / "some.jsonl").write_text(f"{json.dumps(pair)}\n")
    (one,) = run(made, *words, "--overwrite", code=3)
    assert one["error"]["message"] == "its background run/7 is not among the clips with masks"
    one, *_ = run(made, *words[:-1], "--overwrite", "masks.jsonl", code=3)
    assert one["error"]["message"] == "--pairs records needs background_id in every record"


def test_backgrounds_that_are_not_there_are_missed(made: Path, tmp_path: Path) -> None:
    run(made, "--mode", "bg-only", "-o", tmp_path / "b", "--limit", "1", "masks.jsonl")
    (tmp_path / "empty").mkdir()
    for behind, told in (
        ("b", "--backgrounds has no background of "),
        ("empty", "--backgrounds has no video or "),
    ):
        words = (
            "--mode",
            "swap",
            "--backgrounds",
            tmp_path / behind,
            "-o",
            tmp_path / f"{behind}-s",
        )
        found = run(made, *words, "masks.jsonl", code=3)
        lost = [record["error"] for record in found if "error" in record][:-1]
        assert {error["kind"] for error in lost} == {"missing"}
        assert all(error["message"].startswith(told) for error in lost)


def test_what_was_done_is_told_and_kept(made: Path, tmp_path: Path) -> None:
    words = ("--mode", "appearance-free", "--frames", "2", "-o", tmp_path / "s", "masks.jsonl")
    done = sbtools("mask", *words, cwd=made)
    assert done.stderr.decode().splitlines() == [
        "sbtools mask: 6 clips", "sbtools mask: appearance-free: 6 clips to make: N = 6",
    ]  # fmt: skip
    (part,) = (tmp_path / "s").glob("*.h5")
    with h5py.File(part) as file:
        told = json.loads(file.attrs["made"])
    assert "--mode appearance-free" in told["run"]["command"]
    assert told["what"]["noise"] == "carried" and told["what"]["frames"] == "2"
    assert told["what"]["version"] == __version__


def test_pairs_as_the_records_say(made: Path, tmp_path: Path) -> None:
    records = [json.loads(line) for line in (made / "masks.jsonl").read_text().splitlines()]
    for record, other in zip(records, records[1:] + records[:1], strict=True):
        record |= {"background_id": other["id"], "background_label": other["label"]}
    (tmp_path / "pairs.jsonl").write_text("".join(json.dumps(each) + "\n" for each in records))
    words = ("--mode", "swap", "--pairs", "records", "-o", tmp_path / "s", tmp_path / "pairs.jsonl")
    found = run(made, *words)
    good = [record for record in found if "error" not in record]
    assert [record["id"] for record in good] == [f"{id_of(n)}//swap-0" for n in range(4)]
    for record in good:
        assert record["background_id"] == id_of(int(record["pair_of"][-1]) + 1)
    done = sbtools("mask", *words, cwd=made)
    assert b"sbtools mask: 4 clips were done already" in done.stderr
    one, *_ = records
    one |= {"background_id": "run/2", "background_label": "run"}
    (tmp_path / "pairs.jsonl").write_text("".join(json.dumps(each) + "\n" for each in records))
    again = run(made, *words)
    assert [each["background_id"] for each in again[:2]] == ["run/2", "run/2"]
    assert again[0]["composed"] != good[0]["composed"] and again[1] == good[1]
    why = [record["error"]["message"] for record in found[4:]]
    assert why == [
        "none of 1 other clips shows enough of its people",
        "nobody was found in any frame",
    ]


def test_who_has_no_other_clip_is_left_out(made: Path, tmp_path: Path) -> None:
    """The other one of the class wave shows nobody."""
    words = ("--mode", "swap", "--pairs", "same", "-o", tmp_path / "s", "masks.jsonl")
    done = sbtools("mask", *words, cwd=made)
    told = b"swap: 6 clips to make, 2 left out (1 without another clip, 1 without people)"
    assert done.returncode == 0 and told in done.stderr
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert all(record["label"] == record["background_label"] for record in found[:4])


def test_backgrounds_of_close_and_far_scenes(made: Path, tmp_path: Path) -> None:
    """Means over gym, park, sea: jump 1 0 0, run .5 .5 0, wave 0 .5 .5; cosines .7, .5 and 0."""
    records = [json.loads(line) for line in (made / "masks.jsonl").read_text().splitlines()]
    for record, scene in zip(records, ("gym", "gym", "gym", "park", "park", "sea"), strict=True):
        record["scene"] = scene
    (tmp_path / "some.jsonl").write_text("".join(json.dumps(each) + "\n" for each in records))
    scenes = sbtools("scenes", "--scorer", "record", "-o", tmp_path / "scenes",
                     tmp_path / "some.jsonl", cwd=made)  # fmt: skip
    assert scenes.returncode == 0
    others = {"close": {"jump": "run", "run": "jump", "wave": "run"},
              "far": {"jump": "wave", "run": "wave", "wave": "jump"}}  # fmt: skip
    for pairs, wanted in others.items():
        words = ("--mode", "swap", "--pairs", pairs, "--scenes", tmp_path / "scenes")
        found = run(made, *words, "-o", tmp_path / pairs, tmp_path / "some.jsonl")
        for record in found[:5]:
            assert record["background_label"] == wanted[record["label"]]
            assert record["background_kind"] == pairs


def test_few_people_are_left_out_by_rule(made: Path, tmp_path: Path) -> None:
    """Each is 48 of 864 pixels in all frames: 5.6 %."""
    for number, (words, kept) in enumerate([
        (("--valid", "hat"), 5), (("--valid", "scuba-k400"), 0),
        (("--area", "0.06:0.5"), 0), (("--area", "0.05:0.055"), 0), (("--area", "0.055:0.056"), 5),
    ]):  # fmt: skip
        store = tmp_path / str(number)
        found = run(made, *STRIPES, *words, "-o", store, "masks.jsonl")
        assert len(found) == len(LABELS)
        assert sum("error" not in record for record in found) == kept
        assert {record["error"]["kind"] for record in found if "error" in record} == {"dropped"}
    assert "people fill" not in found[-1]["error"]["message"]


def test_what_cannot_be_is_refused(made: Path, tmp_path: Path) -> None:
    masks = "masks.jsonl"
    (tmp_path / "none").mkdir()
    wrong = {
        ("--mode", "scuba"): "--mode scuba needs --backgrounds: stripes, or a folder of images",
        (*STRIPES, "--fill", "mean"): "--fill goes with the modes that hide, not with scuba: leave",
        (*STRIPES, "--pairs", "same"): "--pairs goes with --mode swap, not with scuba",
        ("--mode", "bg", "--copies", "2"): "--copies goes with --mode scuba, scufo, conflfg,",
        ("--mode", "human-only", "--copies", "2"): "--copies goes with --mode scuba, scufo,",
        ("--mode", "scuba", "--backgrounds", str(tmp_path / "no")): "stripes, or a folder of",
        ("--mode", "scuba", "--backgrounds", str(tmp_path / "none")): "the folder has no image",
        ("--mode", "swap", "--pairs", "close"): ": --pairs close needs --scenes STORE, which",
        ("--mode", "swap", "--scenes", "masks", "--pairs", "far"): "is not a store that",
        ("--mode", "swap", "--backgrounds", "masks"): "--backgrounds masks is no store of pixels",
        ("--mode", "swap", "--partners", "gone.jsonl"): "--partners gone.jsonl cannot be read: ",
        (*STRIPES, "--area", "0.5"): "--area is LEAST:MOST",
        (*STRIPES, "--area", "0.5:0.1"): "--area is LEAST:MOST",
        ("--mode", "appearance-free", "--frames", "x"): "frames: 'x' is none of",
        ("--mode", "appearance-free", "--valid", "hat"): "--valid goes with --mode scuba,",
    }  # fmt: skip
    for words, told in wrong.items():
        assert told in refused(made, *words, masks), words


def test_other_backgrounds_are_another_store(made: Path, tmp_path: Path) -> None:
    """A store of bg-only, another of it, and a folder."""
    for name, grown in (("a", ()), ("b", ("--area", "0.01:1"))):
        run(made, "--mode", "bg-only", *grown, "-o", tmp_path / name, "masks.jsonl")
    (tmp_path / "c").mkdir()
    words = ("--mode", "swap", "-o", tmp_path / "s", "--limit", "1", "masks.jsonl")
    run(made, *words, "--backgrounds", tmp_path / "a")
    for other in (("--backgrounds", tmp_path / "b"), ("--backgrounds", tmp_path / "c"), ()):
        assert "behind" in refused_in(made, tmp_path / "s", *words[:2], *words[4:], *other)


def test_noise_of_a_video_that_has_changed_is_refused(made: Path, tmp_path: Path) -> None:
    record = json.loads((made / "rle.jsonl").read_text().splitlines()[0])
    (tmp_path / "old.jsonl").write_text(json.dumps({**record, "digest": "0" * 40}) + "\n")
    words = ("--mode", "appearance-free", "-o", tmp_path / "s", tmp_path / "old.jsonl")
    (failed,) = run(made, *words, code=3)
    assert failed["error"]["kind"] == "changed"


def test_clips_without_masks_or_with_pixels_fail(made: Path, tmp_path: Path) -> None:
    (one, *_) = run(made, *STRIPES, "-o", tmp_path / "s", "rle.jsonl", code=3)
    assert one["error"]["message"] == "the record has no masks: run sbtools segment first"
    done = run(made, *STRIPES, "-o", tmp_path / "t", "--limit", "1", "masks.jsonl")
    (tmp_path / "done.jsonl").write_text(json.dumps(done[0]) + "\n")
    for mode in (STRIPES, ("--mode", "appearance-free")):
        (one,) = run(made, *mode, "-o", tmp_path / mode[1], tmp_path / "done.jsonl", code=3)
        assert "masked or composed already" in one["error"]["message"]


def test_files_to_look_at(made: Path, tmp_path: Path) -> None:
    """A movie lasts as long as the clip, also one of a single frame."""
    from sbtools.video import open_video

    for mode in ("scuba", "scufo"):
        words = ("--mode", mode, "--backgrounds", "stripes", "--limit", "1", "-o", tmp_path / mode)
        run(made, *words, "--video", tmp_path / "out", "masks.jsonl")
    for path in sorted((tmp_path / "out").rglob("*.mp4")):
        with open_video(path) as clip:
            assert (clip.count, round(clip.fps)) == (5, 5)
    assert len([*(tmp_path / "out").rglob("*.mp4")]) == 2


def test_files_of_noise_are_coded_pixel_by_pixel(made: Path, tmp_path: Path) -> None:
    """H.264 as it is mostly written would mix neighbours: errors of 50 and more in noise."""
    from sbtools.store import Stores
    from sbtools.video import open_video

    words = ("--mode", "appearance-free", "--limit", "1", "-o", tmp_path / "s", "masks.jsonl")
    (record,) = run(made, *words, "--video", tmp_path / "out")
    (path,) = (tmp_path / "out").rglob("*.mp4")
    clip = Stores(str(made)).clip(record["pixels"])
    with open_video(path) as movie:
        for at, rgb in movie.read(list(movie.numbers)):
            assert abs(rgb.astype(int) - clip.rgb(at)).max() <= 3


def test_what_has_changed_is_made_again(made: Path, tmp_path: Path) -> None:
    words = (*STRIPES, "-o", tmp_path / "s", "--limit", "3")
    run(made, *words, "masks.jsonl")
    records = [json.loads(line) for line in (made / "masks.jsonl").read_text().splitlines()]
    records[0]["label"] = "leap"
    records[1]["made"] = {**records[1]["made"], "segment": "another way"}
    (tmp_path / "some.jsonl").write_text("".join(json.dumps(each) + "\n" for each in records))
    done = sbtools("mask", *words, tmp_path / "some.jsonl", cwd=made)
    told = done.stderr.decode().splitlines()
    again = [
        line for line in told if line.endswith("the record has changed, the clip is done again")
    ]
    assert len(again) == 2 and "sbtools mask: 1 clips were done already" in told
    assert [json.loads(line)["label"] for line in done.stdout.splitlines()] == [
        "leap",
        "jump",
        "run",
    ]
