"""RUN: what it was begun with, its lock, its lines."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sbtools.errors import DamagedError, LockedError, UsageError
from sbtools.train.folder import RunFolder, epoch_lines, read_run, require_same
from sbtools.train.places import Place, alone, in_torchrun, on_slurm
from sbtools.train.settings import Settings

SETTINGS = Settings("vificlip", method_settings={"ratio": "0.5:0.5"}, classes=("a", "b"))


def told(settings: Settings = SETTINGS, **more: Any) -> dict[str, Any]:
    counts = {"sha256": "12ab", "clips": 4, "failed": 0}
    return {"sbtools": "0.1.0", "settings": settings.describe(), "records": counts,
            "val": None, **more}  # fmt: skip


def begin(path: Path, **more: Any) -> None:
    """A run with weights."""
    with RunFolder(str(path)) as run:
        run.take(told(**more), {})
        (path / "last.pt").write_bytes(b"weights")


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"lr": 1.0}, "lr 2e-06, not 1.0"),
        ({"method_settings": {"ratio": "1:0"}}, 'method ratio "0.5:0.5", not "1:0"'),
        ({"classes": ("a", "c")}, r'classes \["a", "b"\], not \["a", "c"\]'),
        ({"betas": (0.9, 0.99)}, "betas"),
        ({"weights": "x.pt"}, 'weights none, not "x.pt"'),
    ],
)
def test_what_was_asked_otherwise_is_named(
    change: dict[str, Any], named: str, tmp_path: Path
) -> None:
    begin(tmp_path)
    with RunFolder(str(tmp_path)) as run:
        run.take(told(), {})
        with pytest.raises(UsageError, match=f"was begun with {named}.*--overwrite"):
            run.take(told(replace(SETTINGS, **change)), {})
        assert run.told == told() == read_run(str(tmp_path))


def test_all_differences_are_named_and_no_others() -> None:
    new = told(replace(SETTINGS, epochs=5, seed=3))
    new["records"] = {"sha256": "34cd", "clips": 5, "failed": 0}
    with pytest.raises(UsageError) as caught:
        require_same("run", told(), new)
    text = str(caught.value)
    assert "epochs 12, not 5; seed 0, not 3; records of 4 clips, not of these 5 clips" in text
    assert "lr" not in text and "batch" not in text


def test_weights_are_known_by_their_sum_and_not_their_path() -> None:
    one = replace(SETTINGS, weights="a.pt", weights_sha256="56")
    require_same("run", told(one), told(replace(one, weights="/elsewhere/a.pt")))
    other = replace(one, weights_sha256="7812345678")
    with pytest.raises(UsageError, match=r"--weights a\.pt of SHA-256 56, not a\.pt of 78123456:"):
        require_same("run", told(one), told(other))
    none = replace(SETTINGS, weights=None, weights_sha256=None)
    with pytest.raises(
        UsageError, match=r"begun with --weights a\.pt, which are not given now: --"
    ):
        require_same("run", told(one), told(none))
    with pytest.raises(UsageError, match=r"begun with no weights, not --weights a\.pt: --over"):
        require_same("run", told(none), told(one))
    named = replace(SETTINGS, weights="openai")
    with pytest.raises(UsageError, match='weights "openai", not none'):
        require_same("run", told(named), told(none))


def test_long_settings_are_cut() -> None:
    long = replace(SETTINGS, classes=tuple("abcdefghijklmnopqrstuvwxyz"))
    with pytest.raises(UsageError, match=r"\.\.\. \(26 entries\), not") as caught:
        require_same("run", told(long), told())
    named = replace(SETTINGS, weights="x" * 80)
    with pytest.raises(UsageError, match=rf'weights "{"x" * 39}\.\.\.", not none'):
        require_same("run", told(named), told())
    assert "entries" in str(caught.value)


def test_a_field_that_the_run_lacks_has_its_default() -> None:
    old = told()
    del old["settings"]["ema"]
    require_same("run", old, told())
    with pytest.raises(UsageError, match=r"ema 0\.0, not 0\.5"):
        require_same("run", old, told(replace(SETTINGS, ema=0.5)))


def test_another_version_goes_on_with_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    require_same("run", {**told(), "sbtools": "0.0.1"}, told())
    assert "begun by sbtools 0.0.1" in caplog.text


def test_settings_may_change_while_there_are_no_weights(tmp_path: Path) -> None:
    records = tmp_path / "beside"
    records.write_text("{}\n")
    run_path = tmp_path / "run"
    with RunFolder(str(run_path)) as run:
        run.take(told(), {"records.jsonl": str(records), "val.jsonl": None})
    assert (run_path / "records.jsonl").read_text() == "{}\n" and not records.exists()
    (run_path / "val.jsonl").write_text("old")
    with RunFolder(str(run_path)) as run:
        run.take(told(replace(SETTINGS, lr=1.0)), {"val.jsonl": None})
        assert read_run(str(run_path)) == run.told == told(replace(SETTINGS, lr=1.0))
    assert not (run_path / "val.jsonl").exists()


def test_records_of_a_run_with_weights_stay(tmp_path: Path) -> None:
    begin(tmp_path)
    (tmp_path / "records.jsonl").write_text("kept")
    other = tmp_path / ".records.jsonl.new"
    other.write_text("other")
    with RunFolder(str(tmp_path)) as run:
        run.take(told(), {"records.jsonl": str(other)})
    assert (tmp_path / "records.jsonl").read_text() == "kept"


def test_two_trainings_in_one_folder(tmp_path: Path) -> None:
    with RunFolder(str(tmp_path)), pytest.raises(LockedError, match="still writing"):
        RunFolder(str(tmp_path))
    with RunFolder(str(tmp_path)):
        pass


def test_an_empty_folder_does_not_stay(tmp_path: Path) -> None:
    with RunFolder(str(tmp_path / "run")):
        assert (tmp_path / "run").is_dir()
    assert not (tmp_path / "run").exists()


def test_a_folder_of_other_things_is_refused(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("")
    with pytest.raises(UsageError, match=r"holds 'thesis.tex' and no run.json, so it is not a run"):
        RunFolder(str(tmp_path), overwrite=True)
    with pytest.raises(UsageError, match="cannot write"):
        RunFolder(str(tmp_path / "thesis.tex" / "run"))


def test_overwrite_drops_the_run_once_another_takes_its_place_and_nothing_else(
    tmp_path: Path,
) -> None:
    begin(tmp_path)
    for name in ("best.pt", "best.pt.sha256", "log.jsonl", "done.json", "notes.txt"):
        (tmp_path / name).write_text("x")
    (tmp_path / "track").mkdir()
    before = {path.name: path.is_dir() or path.read_bytes() for path in tmp_path.iterdir()}
    with RunFolder(str(tmp_path), overwrite=True) as run:
        assert run.told is None and not run.begun and not run.done
    assert {p.name: p.is_dir() or p.read_bytes() for p in tmp_path.iterdir()} == before
    with RunFolder(str(tmp_path), overwrite=True) as run:
        run.take(told(), {})
        assert sorted(os.listdir(tmp_path)) == [".lock-000of001", "notes.txt", "run.json"]
        (tmp_path / "last.pt").write_bytes(b"new")
        run.take(told(), {})
        assert run.begun and run.has("last.pt")


def test_a_requeued_job_does_not_overwrite_its_own_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLURM_JOB_ID", "71")
    begin(tmp_path, slurm={"job": "71", "task": None, "restart": 0})
    monkeypatch.setenv("SLURM_RESTART_COUNT", "1")
    with RunFolder(str(tmp_path), overwrite=True) as run:
        assert run.begun
    monkeypatch.setenv("SLURM_JOB_ID", "72")
    with RunFolder(str(tmp_path), overwrite=True) as run:
        assert not run.begun


COUNTS = '{"settings": {}, "records": {"clips": 1, "failed": 0}'


@pytest.mark.parametrize(
    "text",
    [
        "", "{", "[]", "{}", '{"settings": {}, "records": 3}', "\xff",
        '{"settings": {}, "records": {"clips": "1", "failed": 0}}',
        COUNTS + ', "val": 1.5}', COUNTS + ', "val": 0}', COUNTS + ', "val": {"clips": 1}}',
        COUNTS + ', "facts": []}', COUNTS + ', "resources": 1}',
        COUNTS + ', "resources": {"a": 1}}',
    ],
)  # fmt: skip
def test_a_damaged_run_json_is_named(text: str, tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text(text, encoding="latin-1")
    with pytest.raises(DamagedError, match=r"run.json is damaged: --overwrite"):
        RunFolder(str(tmp_path))
    with RunFolder(str(tmp_path), overwrite=True) as run:
        assert run.told is None


def test_a_run_json_of_before_validation_and_facts_is_read(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text(COUNTS + ', "val": null}')
    with RunFolder(str(tmp_path)) as run:
        assert run.told is not None


def test_what_a_killed_run_left_is_swept(tmp_path: Path) -> None:
    names = [".last.pt.tmp-1-ab", ".launch-9.1-stop", ".launch-8.0-stop", ".hidden"]
    for name in names:
        (tmp_path / name).write_text("x")
    with RunFolder(str(tmp_path), launch="8.0"):
        left = sorted(os.listdir(tmp_path))
    assert left == [".hidden", ".launch-8.0-stop", ".lock-000of001"]


def test_lines_are_told_once_and_torn_ones_not_at_all(tmp_path: Path) -> None:
    begin(tmp_path)
    lines = [{"epoch": 1, "x": 1}, {"epoch": 2}, {"epoch": 2, "x": 2}, {"epoch": 1}, {"epoch": 3}]
    for torn in ('{"epoch": 4', '{"epoch": 4}'):
        text = "\n".join([*map(json.dumps, lines), '{"note": 3}', torn])
        (tmp_path / "log.jsonl").write_text(text)
        with RunFolder(str(tmp_path)) as run:
            assert list(run.lines()) == [lines[0], lines[1], lines[4]]
    assert list(epoch_lines(str(tmp_path / "none"))) == []


def test_done_needs_its_weights(tmp_path: Path) -> None:
    begin(tmp_path)
    with RunFolder(str(tmp_path)) as run:
        assert run.begun and not run.done
        run.finish({"epochs": 2})
        assert run.done
        (tmp_path / "last.pt").unlink()
        assert not run.done


STEP = {"SLURM_JOB_ID": "7", "SLURM_STEP_ID": "2", "SLURM_NTASKS": "3", "SLURM_PROCID": "1"}


def test_a_slurm_step_has_one_process_a_node() -> None:
    assert on_slurm(3, STEP) == Place("7.2.0", 1, 3)
    again = on_slurm(3, {**STEP, "SLURM_RESTART_COUNT": "2", "SLURM_PROCID": "0"})
    assert again == Place("7.2.2", 0, 3) and again.leads
    assert on_slurm(1, STEP).count == 1 and alone().id != alone().id
    with pytest.raises(UsageError, match=r"started 3 processes: srun --nodes=2"):
        on_slurm(2, STEP)
    for name in ("SLURM_JOB_ID", "SLURM_STEP_ID", "SLURM_PROCID"):
        with pytest.raises(UsageError, match="each node starts its own process: srun --nodes=3"):
            on_slurm(3, {key: value for key, value in STEP.items() if key != name})


def test_a_foreign_torchrun_is_known() -> None:
    ranks = {"RANK": "2", "WORLD_SIZE": "4", "LOCAL_RANK": "0", "MASTER_PORT": "29500"}
    assert in_torchrun({**ranks, "TORCHELASTIC_RUN_ID": "x/y"}) == Place("x_y.29500.0", 2, 4)
    assert in_torchrun({}) is None and in_torchrun({"RANK": "2", "WORLD_SIZE": "4"}) is None
