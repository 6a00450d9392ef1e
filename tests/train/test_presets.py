"""Published settings by name: what they set, what is given besides, what they say of themselves."""

from __future__ import annotations

import logging
import shlex
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import click
import pytest

from sbtools import __version__, models, presets
from sbtools.cli import train_help
from sbtools.cli.group import group
from sbtools.errors import UsageError
from sbtools.models import MODELS
from sbtools.presets import PARTS, PRESETS, Preset
from sbtools.train import plan
from sbtools.train.folder import read_run, require_same
from sbtools.train.groups import grouped
from sbtools.train.prepare import Request, prepared
from sbtools.train.settings import Settings
from sbtools.train.stage import dry_run
from sbtools.train.train_flags import TrainFlags, field_of, with_preset
from tests.train import faking

STILL = {"bank": "", "p": 0.75, "alpha": 200.0, "beta": 200.0, "frames": "bank"}
SDN = {"alpha": 0.5, "w_entropy": 1.0, "layers": 3, "scene": "scores", "min_score": 0.3,
       "least": 0.5}  # fmt: skip
KNOWN = {field.name for field in fields(Settings)}


def flags_of(lines: list[str]) -> dict[str, Any]:
    """What `sbtools train` makes of the options that a preset prints."""
    options = [line.strip().split("  ")[0] for line in lines if line.startswith("  --")]
    words = [word for option in options for word in shlex.split(option)]
    command = group.get_command(click.Context(group), "train")
    assert command is not None
    return command.make_context("train", words).params


@pytest.mark.parametrize("name", [*PRESETS, "plain-hmdb51-swin3d_t:intended"])
def test_what_a_preset_prints_sets_what_it_sets(name: str) -> None:
    """Typed on the command line, the printed options are the same training."""
    usual = "\n".join(train_help.preset(name)).partition("\nOtherwise in ")[0]
    printed = flags_of(usual.splitlines())
    asked = with_preset(TrainFlags(preset=name))
    assert printed["model"] == asked.model and printed["objective"] == asked.objective
    for part in ("model", "objective", "optimiser", "schedule"):
        assert list(printed[f"{part}_pairs"]) == list(getattr(asked, f"{part}_pairs"))
    for key, value in asked.values.items():
        assert key in KNOWN and printed[key] == value, key
    assert presets.find(name).settings.keys() > {"model", "frames", "lr", "schedule", "batch"}


@pytest.mark.parametrize("name", PRESETS)
def test_every_setting_has_a_name_that_there_is_and_a_source(name: str) -> None:
    preset = presets.find(name)
    for key, (_, source) in preset.settings.items():
        part, dot, _ = key.partition(".")
        assert source
        assert part in PARTS if dot else field_of(key) in KNOWN, key
        if dot:
            assert part in preset.settings, f"{key} without {part}"
    assert " as " in preset.about and name == name.lower()


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("vificlip", {"epochs": 30, "batch": 512, "lr": 2.2e-5, "frames": 16, "schedule": "vifi",
                      "objective": "class_ce", "weight_decay": 0.001, "betas": (0.9, 0.98)}),
        ("plain-hmdb51-swin3d_t", {"model": "linear", "frames": 32, "lr": 3.75e-4, "eps": 1e-8,
                                   "weight_decay": 0.05, "betas": (0.9, 0.999), "epochs": 30,
                                   "schedule": "mmcv", "lr_floor": 0.0, "warmup": 2.5}),
        ("actionclip", {"epochs": 50, "batch": 128, "lr": 5e-6, "frames": 8, "weight_decay": 0.2,
                        "objective": "kl", "groups": ("head:lr_scale=10",), "lr_floor": 0.0}),
        ("stillmix-hmdb51-swin3d_t", {"lr": 3.75e-4, "weight_decay": 0.05, "method": "stillmix",
                                      "method_settings": STILL}),
        ("stillmix-ucf101-swin3d_t", {"lr": 3.75e-4, "weight_decay": 0.01,
                                      "method_settings": {**STILL, "p": 0.25}}),
        ("stillmix-hmdb51-swin3d_t-in", {"lr": 3.75e-3, "weight_decay": 0.02,
                                         "method_settings": {**STILL, "p": 0.5}}),
        ("stillmix-ucf101-swin3d_t-in", {"lr": 1.5e-3, "weight_decay": 0.01,
                                         "method_settings": STILL}),
        ("stillmix-k400-swin3d_t-in", {"lr": 7.5e-4, "weight_decay": 0.02, "batch": 12,
                                       "method_settings": {**STILL, "p": 0.25, "alpha": 20.0,
                                                           "beta": 60.0}}),
        ("sdn-adversary-k200-r3d_18", {"batch": 32, "epochs": 100, "lr": 1e-4, "frames": 16,
                                       "weight_decay": 1e-5, "groups": ("sdn.head:lr_scale=100",),
                                       "method_settings": {**SDN, "alpha": 1.0, "w_entropy": 0.0}}),
        ("sdn-k200-r3d_18", {"lr": 1e-4, "groups": (), "method_settings": SDN}),
        ("mixup-hmdb51-swin3d_t", {"method": "mixup", "lr": 3.75e-4, "weight_decay": 0.05,
                                   "method_settings": {"p": 0.75, "alpha": 0.2}}),
        ("cutmix-ucf101-swin3d_t", {"lr": 1.5e-4, "weight_decay": 0.01,
                                    "method_settings": {"p": 0.5, "alpha": 1.0}}),
        ("be-k400-swin3d_t-in", {"lr": 7.5e-4, "weight_decay": 0.02, "batch": 12,
                                 "method_settings": {"p": 0.5, "gamma": 0.3}}),
        ("actorcutmix-k400-swin3d_t-in", {"lr": 3.75e-4, "weight_decay": 0.02, "batch": 24,
                                          "method_settings": {"p": 0.25, "min_score": 0.4}}),
        ("fame-ucf101-swin3d_t-in", {"lr": 3.75e-3, "weight_decay": 0.01,
                                     "method_settings": {"p": 0.25, "beta": 0.5,
                                                         "hue": "official"}}),
    ],
)  # fmt: skip
def test_a_preset_settles(name: str, wanted: dict[str, Any]) -> None:
    settings, _ = plan.settle(TrainFlags(preset=name))
    assert {key: getattr(settings, key) for key in wanted} == wanted
    assert settings.model_settings["flip"] == "always"


KEYS = {"relative_position_bias_table": {"weight_decay": 0.0}, "norm": {"weight_decay": 0.0},
        "backbone": {"lr_scale": 0.1}}  # fmt: skip
"""Of the configuration, as its paramwise_cfg has them."""


def by_mmcv(name: str) -> dict[str, float]:
    """mmcv 1.3.18, default_constructor.py: of the keys in a name the longest, and no other."""
    return next((KEYS[key] for key in sorted(KEYS, key=len, reverse=True) if key in name), {})


def by_each(name: str) -> dict[str, float]:
    return {what: value for key, own in KEYS.items() if key in name for what, value in own.items()}


@pytest.mark.parametrize(("variant", "told"), [("", by_mmcv), (":intended", by_each)])
@pytest.mark.parametrize("name", ["plain-hmdb51-swin3d_t", "stillmix-k400-swin3d_t-in"])
def test_each_parameter_has_the_rate_and_decay_of_its_keys(
    name: str, variant: str, told: Callable[[str], dict[str, float]]
) -> None:
    settings, _ = plan.settle(TrainFlags(preset=name + variant))
    made = models.build("linear", ["run", "sit"], backbone="swin3d_t", frames=2, size=32)
    found = {}
    for own in grouped(made, made.groups(), settings.groups):
        for parameter in own["params"]:
            found[id(parameter)] = [own.get(what) for what in ("lr_scale", "weight_decay")]
    assert len(found) == len(list(made.parameters()))
    for parameter_name, parameter in made.named_parameters():
        where = "cls_head" if parameter_name.startswith("head.") else "backbone"
        wanted = told(f"{where}.{parameter_name}")
        rate, decay = found[id(parameter)]
        assert ((rate or 1.0), decay) == (wanted.get("lr_scale", 1.0), wanted.get("weight_decay"))
    assert len({str(values) for values in found.values()}) == 3


def test_a_variant_is_named_and_told() -> None:
    name = "stillmix-hmdb51-swin3d_t"
    one, other = (plan.settle(TrainFlags(preset=each))[0] for each in (name, f"{name}:intended"))
    assert one.groups != other.groups and replace(other, groups=one.groups) == one
    told = "\n".join(train_help.preset(name))
    assert f"Otherwise in {name}:intended:\n" in told and "--group norms:weight_decay=0" in told
    assert "Otherwise" not in "\n".join(train_help.preset(f"{name}:intended"))
    with pytest.raises(UsageError, match=f"no variant 'meant'; there are: {name}:intended"):
        presets.find(f"{name}:meant")
    with pytest.raises(UsageError, match="no variant 'x'; there are: none"):
        presets.find("vificlip:x")


def test_what_is_given_wins() -> None:
    asked = TrainFlags(
        objective="infonce", model_pairs=["crop=centre"], values={"lr": 0.5, "seed": 4},
        preset="vificlip",
    )  # fmt: skip
    settings, _ = plan.settle(asked)
    assert (settings.lr, settings.seed, settings.epochs) == (0.5, 4, 30)
    assert settings.objective == "infonce" and "smoothing" not in settings.objective_settings
    assert settings.model_settings["crop"] == "centre"
    assert settings.model_settings["jitter_per"] == "frame"
    other, _ = plan.settle(TrainFlags("actionclip", preset="vificlip"))
    assert (other.model, other.batch) == ("actionclip", 512)
    assert set(other.model_settings) == {"seed"}
    other, _ = plan.settle(TrainFlags(values={"optimiser": "sgd"}, preset="vificlip"))
    assert other.optimiser_settings == {} and other.schedule == "vifi"


def test_a_preset_of_another_package_may_be_of_a_method(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(PRESETS, "masked", "tests.train.test_presets:MASKED")
    settings, method = plan.settle(TrainFlags(preset="masked"))
    assert settings.method == "mask" and settings.method_settings["ratio"] == "1:3"
    assert settings.model == "vificlip" and settings.schedule_settings == {"at": "2,3"}
    assert method.needs
    settings, _ = plan.settle(TrainFlags(method="none", method_pairs=[], preset="masked"))
    assert settings.method_settings == {}
    settings, _ = plan.settle(TrainFlags(values={"schedule": "albar"}, preset="masked"))
    assert settings.schedule_settings == {}


MASKED = Preset(
    "masked training as here",
    {"method": ("mask", "a"), "method.ratio": ("1:3", "b"), "schedule": ("steps", "c"),
     "schedule.at": ("2,3", "d")},
)  # fmt: skip


def test_a_preset_of_a_model_that_is_not_there_prints_and_does_not_train(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delitem(MODELS, "linear", raising=False)
    assert "  --set-model backbone=swin3d_t" in "\n".join(
        train_help.preset("plain-hmdb51-swin3d_t")
    )
    with pytest.raises(UsageError, match="there is no model 'linear'; there are actionclip"):
        plan.settle(TrainFlags(preset="plain-hmdb51-swin3d_t"))
    with pytest.raises(UsageError, match="no preset 'vifi'; there are actionclip, actorcutmix-"):
        plan.settle(TrainFlags(preset="vifi"))


def test_the_sampling_tells_the_frames() -> None:
    asked = TrainFlags("vificlip", model_pairs=["sampling=dense:12x2"])
    assert plan.settle(asked)[0].frames == 12
    with pytest.raises(UsageError, match=r"dense:12x2 shows 12 frames, and the model sees 8"):
        plan.settle(
            TrainFlags("vificlip", model_pairs=["sampling=dense:12x2"], values={"frames": 8})
        )
    with pytest.raises(UsageError, match="not 'dense:12'"):
        plan.settle(TrainFlags("vificlip", model_pairs=["sampling=dense:12"]))


def test_a_dry_run_tells_preset_and_optimiser(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(logging.getLogger("sbtools"), "propagate", True)
    monkeypatch.setitem(PRESETS, "fake", "tests.train.test_presets:FAKE")
    records = faking.make_arrays(tmp_path, 6)
    asked = TrainFlags(preset="fake", values={"lr": 0.25})
    with faking.registered():
        told = list(dry_run(Request(str(tmp_path / "run"), asked, str(tmp_path)), records, 1))
    assert told[0].startswith("preset fake (")
    assert (
        "optimiser sgd (momentum=0.5, nesterov=False), weight decay 0.1; biases:weight_decay=0"
        in told
    )
    assert "lr 0.25, with 0 epochs of warm-up, to 0.025 by schedule steps (at=2)" in told
    assert read_run(str(tmp_path / "run")) is None


def test_run_json_keeps_the_name_and_only_where_there_is_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(PRESETS, "fake", "tests.train.test_presets:FAKE")
    records, kept = faking.make_arrays(tmp_path, 6), []
    with faking.registered():
        for asked in (TrainFlags(preset="fake"), TrainFlags("fake", values={"frames": 3})):
            request = Request(str(tmp_path / "run"), asked, str(tmp_path))
            with prepared(request, records, str(tmp_path), 1) as ready:
                assert ready is not None
                kept.append(ready.told)
    assert kept[0]["preset"] == "fake" and "preset" not in kept[1]
    assert kept[0]["settings"]["groups"] == ["biases:weight_decay=0"]


def test_runs_of_before_are_of_adamw_and_the_same_run() -> None:
    now = Settings("vificlip", lr=0.5)
    later = ("optimiser", "optimiser_settings", "schedule_settings", "groups")
    old = {name: value for name, value in now.describe().items() if name not in later}
    assert Settings.restore(old) == now and now.optimiser == "adamw" and now.groups == ()
    told = {"settings": now.describe(), "records": {}}
    require_same("run", {**told, "settings": old, "sbtools": __version__}, told)
    other = {**told, "settings": replace(now, optimiser="sgd").describe()}
    with pytest.raises(UsageError, match='optimiser "adamw", not "sgd"'):
        require_same("run", {**told, "settings": old}, other)


FAKE = Preset(
    "a fake as here",
    {"model": ("fake", "a"), "frames": (3, "a"), "epochs": (3, "a"), "batch": (3, "a"),
     "optimiser": ("sgd", "a"), "optimiser.momentum": (0.5, "a"), "weight-decay": (0.1, "a"),
     "group": (("biases:weight_decay=0",), "a"), "lr": (0.1, "a"), "schedule": ("steps", "a"),
     "schedule.at": ("2", "a")},
)  # fmt: skip
