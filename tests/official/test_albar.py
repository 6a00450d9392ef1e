"""ALBAR's loss terms, their gradients and its learning rates against its own code: albar.json."""

from __future__ import annotations

from typing import Any

import pytest

from sbtools import presets
from sbtools.train.schedules import Schedule
from tests.official import figures, ours, seeded
from tests.official.make_albar import network

FIGURES = figures.read("albar")
CASES, PUBLISHED = FIGURES["cases"], FIGURES["settings"]
WEIGHTS = {"w_adv": PUBLISHED["spatial_weight"], "w_ent": PUBLISHED["entropy_weight"],
           "w_gp": PUBLISHED["gradpen_weight"]}  # fmt: skip


def step(name: str, **settings: Any) -> Any:
    given = CASES[name]["input"]
    made = network(given["network"]).double()
    seeded.fill(made, given["seed"])
    told = {"gp_reduction": "column", "frame": str(given["frame_choice"]), **WEIGHTS, **settings}
    return ours.albar_step(made, given, **told)


@pytest.mark.parametrize("name", CASES)
def test_a_step(name: str) -> None:
    figures.check(step(name), CASES[name]["expected"])


def test_the_middle_frame_is_the_official_one() -> None:
    assert CASES["conv"]["input"]["frame_choice"] == CASES["conv"]["input"]["video"][1] // 2
    figures.check(step("conv", frame="middle"), CASES["conv"]["expected"])


@pytest.mark.parametrize(
    "other",
    [{"gp_reduction": "sample"}, {"frame": "1"}, {"adv_cap": "log-k"},
     *({name: value * 1.001} for name, value in WEIGHTS.items())],
    ids=lambda told: next(iter(told)),
)  # fmt: skip
def test_another_setting_is_seen(other: dict[str, Any]) -> None:
    shown = CASES["swin"]["expected"]
    assert figures.differences(figures.seen(step("swin", **other), shown), shown)


def test_rates_of_the_preset() -> None:
    found = presets.find("albar-hmdb51-swin3d_t")
    told = {name: found.value(name) for name in ("epochs", "warmup", "schedule", "lr")}
    plan = Schedule(3, int(told["epochs"]), float(told["warmup"]), 0.0, str(told["schedule"]))
    rates = [float(told["lr"]) * plan.factor(step) for step in range(0, plan.steps, 3)]
    figures.check({"rates": rates}, {"rates": FIGURES["rates"]})


def test_settings_of_the_preset() -> None:
    own = {"w_adv": "spatial_weight", "w_ent": "entropy_weight", "w_gp": "gradpen_weight"}
    named = {**{f"method.{ours}": theirs for ours, theirs in own.items()},
             "method.frame": "frame_choice", "frames": "num_frames", "batch": "batch_size",
             "epochs": "num_epochs", "lr": "learning_rate", "weight-decay": "weight_decay",
             "optimiser": "opt_type"}  # fmt: skip
    found = presets.find("albar-hmdb51-swin3d_t")
    assert {name: found.value(name) for name in named} == {
        name: PUBLISHED[theirs] for name, theirs in named.items()
    }
    assert found.value("method.gp_reduction") == "column"
    assert found.value("model.sampling") == f"dense:{PUBLISHED['num_frames']}x2"
