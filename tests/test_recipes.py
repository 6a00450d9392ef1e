"""The recipes of the published tables, run on small stand-ins of the official layout."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.making import figure_frames, write_video
from tests.test_examples import HERE, bash, executable, path

__all__ = ["path"]
RECIPES = HERE / "examples" / "recipes"
SLURM = HERE / "examples" / "slurm"
CLASSES = ["archery", "bowling", "clapping", "crying"]
"""The first two have most clips, and are those of Mimetics' stand-in."""
COUNTS = {"train": (3, 3, 2, 2), "val": (2, 2, 2, 2)}
TEMPLATES = ["Holding [something]", "Moving [something] down", "Tearing [something]", "[Something]"]
QUICK = {
    "DETECTOR": "classic",
    "SEGMENTER": "grabcut",
    "SEEDS": "1",
    "TRIAL": "--epochs 1 --batch 4 --frames 2 --warmup 0",
    "WORKERS": "0",
    "OMP_NUM_THREADS": "1",
    "SERVED_LEAN": "1",
}


def video(place: Path, seed: int, frames: int = 20) -> Path:
    return write_video(place, figure_frames(frames, 72, 96, seed))


def csv(place: Path, rows: list[tuple[str, str, str]]) -> None:
    """Rows of (label, YouTube id, split), with their videos beside."""
    lines = ["label,youtube_id,time_start,time_end,split"]
    for number, (label, name, split) in enumerate(rows):
        lines.append(f"{label},{name},0,10,{split}")
        video(place.parent / split / label / f"{name}_000000_000010.mp4", number)
    place.write_text("\n".join(lines) + "\n")


@pytest.fixture(scope="module")
def kinetics(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("k 400")
    for split, counts in COUNTS.items():
        csv(
            folder / f"{split}.csv",
            [(label, f"{split}{label[:2]}{n}x00", split)
             for label, count in zip(CLASSES, counts, strict=True) for n in range(count)],
        )  # fmt: skip
    return folder


@pytest.fixture(scope="module")
def mimetics(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("mimetics")
    rows = [(label, f"mime{label[:2]}{n}xxx", "test") for label in CLASSES[:2] for n in range(2)]
    csv(folder / "mimetics_v1.0.csv", rows)
    return folder


@pytest.fixture(scope="module")
def ssv2(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("ssv2")
    names = [template.replace("[", "").replace("]", "") for template in TEMPLATES]
    (folder / "labels.json").write_text(json.dumps({n: str(k) for k, n in enumerate(names)}))
    number = 0
    for split, counts in (("train", (3, 3, 2, 2)), ("validation", (1, 1, 1, 1))):
        listed = []
        for template, count in zip(TEMPLATES, counts, strict=True):
            for _ in range(count):
                number += 1
                video(folder / "videos" / f"{number}.webm.mp4", number).rename(
                    folder / "videos" / f"{number}.webm"
                )
                listed.append(
                    {"id": str(number), "template": template, "placeholders": ["a bat"],
                     "label": template.replace("[something]", "a bat")}
                )  # fmt: skip
        video(folder / "videos" / "9999.mp4", 0, frames=12)
        short = {"id": "9999", "template": TEMPLATES[0], "placeholders": ["bat"], "label": "x"}
        listed += [short] if split == "train" else []
        (folder / f"{split}.json").write_text(json.dumps(listed))
    return folder


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small CLIP with random weights, in place of ViT-B/32."""
    from sbtools.models import clip
    from sbtools.models.arch import named

    place = tmp_path_factory.mktemp("weights") / "tiny.safetensors"
    clip.save(clip.random(named("tiny")[0], 0), str(place))
    return place


def recipe(
    name: str, *arguments: Path | str, cwd: Path, path: Path, env: Mapping[str, str]
) -> subprocess.CompletedProcess[bytes]:
    done = bash(RECIPES / name, *arguments, cwd=cwd, path=path, env={**QUICK, **env})
    assert done.returncode == 0, done.stderr.decode()
    return done


def results(out: Path) -> dict[str, Any]:
    return {file.stem: json.loads(file.read_text()) for file in (out / "results").iterdir()}


def rows(found: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The results of each model, by their names without it."""
    rows: dict[str, dict[str, Any]] = {"vificlip": {}, "actionclip": {}}
    for name, result in found.items():
        model = result["model"]["name"]
        assert f"{model}-" in name
        rows[model][name.replace(f"{model}-", "")] = result
    return rows


def test_table_1(kinetics: Path, clip: Path, tmp_path: Path, path: Path) -> None:
    env = {"CLIP": str(clip), "RATIOS": "0.5:0.5"}
    recipe("table1.sh", kinetics, "out", cwd=tmp_path, path=path, env=env)
    assert (tmp_path / "out" / "report.html").stat().st_size > 1000
    for found in rows(results(tmp_path / "out")).values():
        assert set(found) == {"base-0.5-0.5-s1", "novel-0.5-0.5-s1"}
        base, novel = found["base-0.5-0.5-s1"], found["novel-0.5-0.5-s1"]
        assert base["classes"] == CLASSES[:2] and novel["classes"] == CLASSES[2:]
        assert (base["clips"]["used"], novel["clips"]["used"]) == (4, 4)
        assert {"p_top1", "b_top1"} <= set(base["metrics"])
        settings = base["training"]["settings"]
        assert (settings["lr"], settings["method_settings"]["ratio"]) == (8e-6, "0.5:0.5")
        assert settings["classes"] == CLASSES[:2] and base["training"]["clips"] == 6


@pytest.mark.usefixtures("unhurried")
def test_table_2_and_what_is_done_is_not_done_again(
    kinetics: Path, mimetics: Path, clip: Path, tmp_path: Path, path: Path
) -> None:
    env = {"CLIP": str(clip), "RATIOS": "0:1", "LIMIT": "3"}
    data = kinetics, mimetics
    recipe("table2.sh", *data, "out", cwd=tmp_path, path=path, env=env)
    for found in rows(results(tmp_path / "out")).values():
        assert set(found) == {"mimetics-0-1"}
        result = found["mimetics-0-1"]
        assert result["classes"] == CLASSES[:2] and result["clips"]["used"] == 3
        assert result["training"]["clips"] == 3 and result["dataset"]["name"] == "mimetics"
    before = {file: file.stat().st_mtime_ns for file in (tmp_path / "out" / "results").iterdir()}
    recipe("table2.sh", *data, "out", cwd=tmp_path, path=path, env=env)
    assert before == {file: file.stat().st_mtime_ns for file in before}


@pytest.mark.usefixtures("unhurried")
def test_table_3(kinetics: Path, mimetics: Path, clip: Path, tmp_path: Path, path: Path) -> None:
    env = {"CLIP": str(clip), "RATIOS": "1:0"}
    recipe("table3.sh", kinetics, mimetics, "out", cwd=tmp_path, path=path, env=env)
    for found in rows(results(tmp_path / "out")).values():
        assert set(found) == {"mimetics-1-0", "k50-1-0"}
        for result in found.values():
            assert result["classes"] == CLASSES[:2] and result["clips"]["used"] == 4
            assert result["training"]["settings"]["classes"] == CLASSES[2:]
            assert result["training"]["settings"]["lr"] == 1e-5


def test_table_4(ssv2: Path, clip: Path, tmp_path: Path, path: Path) -> None:
    """With the learned back ends, which find objects; their weights are small and random."""
    from tests.detect.small_dino import save
    from tests.segment import small_sam

    weights = tmp_path / "weights"
    save(weights / "grounding-dino-tiny")
    small_sam.save(small_sam.small(), weights / "sam_vit_b_01ec64.pth")
    env = {
        "CLIP": str(clip), "RATIOS": "0.33:0:0.33:0.33", "LIMIT": "4",
        "DETECTOR": "", "SEGMENTER": "", "SBTOOLS_WEIGHTS": str(weights),
    }  # fmt: skip
    recipe("table4.sh", ssv2, "out", cwd=tmp_path, path=path, env=env)
    for found in rows(results(tmp_path / "out")).values():
        base = found["base-0.33-0-0.33-0.33-s1"]
        assert base["classes"] == ["Holding something", "Moving something down"]
        assert base["protocol"]["p_view"] == "bg+obj" and len(found) == 2
        assert any("grounding-dino" in made for made in base["masks"]["made"])
    kept = (tmp_path / "out" / "train.jsonl").read_text()
    assert '"9999"' in (tmp_path / "out" / "all-train.jsonl").read_text() and '"9999"' not in kept


@pytest.fixture
def slurm(path: Path, tmp_path: Path) -> Path:
    """PATH with an sbatch that runs both tasks of an array, or the job, at once."""
    executable(
        path / "sbatch",
        f'[ "$1" = --wait ] || exit 9\nshift\necho "$@" >> {tmp_path}/sbatch.log\n'
        "export SLURM_JOB_ID=7 SLURM_ARRAY_JOB_ID=7\n"
        'grep -q "#SBATCH --array" "$1" || exec bash "$@"\n'
        "for task in 0 1; do\n"
        '  SLURM_ARRAY_TASK_ID=$task SLURM_ARRAY_TASK_COUNT=2 bash "$@" || exit\ndone',
    )
    executable(path / "srun", 'while [[ $1 == --* ]]; do shift; done; "$@"')
    return path


@pytest.mark.usefixtures("unhurried")
def test_long_stages_become_jobs(
    kinetics: Path, mimetics: Path, clip: Path, tmp_path: Path, slurm: Path
) -> None:
    env = {"CLIP": str(clip), "RATIOS": "0.5:0.5", "SUBMIT": "sbatch --wait"}
    env["MODELS"] = "vificlip"
    recipe("table2.sh", kinetics, mimetics, "out", cwd=tmp_path, path=slurm, env=env)
    asked = [line.split()[0] for line in (tmp_path / "sbatch.log").read_text().splitlines()]
    names = [Path(script).name for script in asked]
    assert names == ["masks.sbatch", "masks.sbatch", "train.sbatch", "eval.sbatch"]
    (result,) = results(tmp_path / "out").values()
    assert result["clips"]["used"] == 4 and "p_top1" in result["metrics"]
    assert result["training"]["settings"]["method"] == "mask"


@pytest.mark.parametrize("script", ["masks", "eval"])
def test_the_array_scripts_ask_slurm_for_what_they_need(script: str) -> None:
    text = (SLURM / f"{script}.sbatch").read_text("utf-8")
    wanted = {"--signal=B:USR1@120", "--requeue", "--open-mode=append", "--gpus-per-task=1"}
    assert wanted <= {line[8:] for line in text.splitlines() if line.startswith("#SBATCH ")}


@pytest.mark.parametrize("status", [0, 1, 3])
def test_a_task_that_failed_ends_a_recipe_only_where_something_is_missing(
    status: int, tmp_path: Path, path: Path
) -> None:
    (path / "sbtools").unlink()
    executable(path / "sbtools", f'[ "$1" != status ] || exit {status}')
    executable(path / "sbatch", "exit 9")
    line = f'. "{RECIPES}/common.sh"; out=o; masks k 8; judge run k result; train run k -'
    env = {"SUBMIT": "sbatch --wait", "CLIP": "clip.pt"}
    done = bash("-c", line, "table1.sh", cwd=tmp_path, path=path, env=env)
    told = done.stderr.decode()
    assert "table1.sh: masks.sbatch: a job ended with 9" in told
    assert done.returncode == (status or 9)
    assert ("table1.sh: stopped at o/masks/k" in told) is bool(status)
    assert ("table1.sh: train.sbatch: a job ended with 9" in told) is not bool(status)


def test_a_recipe_without_its_data_says_what_it_wants(tmp_path: Path, path: Path) -> None:
    scripts = sorted(RECIPES.glob("table*.sh"))
    assert len(scripts) == 4
    for script in scripts:
        done = bash(script, cwd=tmp_path, path=path)
        assert done.returncode != 0 and f"usage: {script.name}".encode() in done.stderr
    assert not list(tmp_path.glob("table*"))


def test_missing_weights_of_clip_are_named(kinetics: Path, tmp_path: Path, path: Path) -> None:
    env = {"HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path)}
    done = bash(RECIPES / "table1.sh", kinetics, cwd=tmp_path, path=path, env=env)
    assert done.returncode == 1 and b"sbtools weights fetch clip-vit-b-32" in done.stderr
