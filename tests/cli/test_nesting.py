"""Files nested deeper than Python reads: one line, and no word of a bug."""

from __future__ import annotations

from pathlib import Path

import pytest

from sbtools.cli.process import call
from sbtools.errors import DamagedError
from sbtools.models import checkpoints

DEEP = "[" * 100_000


def test_a_config_file(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "c.toml").write_text(f"limit = {DEEP}")
    assert call(["index", "--config", str(tmp_path / "c.toml"), str(tmp_path)]) == 2
    told = capfd.readouterr().err
    assert "it is nested too deeply" in told and told.count("\n") == 1


@pytest.mark.parametrize("flag", ["--annotations", "--labels"])
def test_annotations(flag: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    deep, flat = tmp_path / "deep.json", tmp_path / "flat.json"
    deep.write_text(f'[{{"id": "1", "label": {DEEP}')
    flat.write_text("[]")
    words = ["index", "--dataset", "ssv2", "--annotations", str(flat), str(tmp_path)]
    given = [*words, flag, str(deep)]
    assert call(given) == 2
    told = capfd.readouterr().err
    assert "deep.json" in told and "bug" not in told and told.count("\n") == 1


def test_the_config_of_a_model(tmp_path: Path) -> None:
    (tmp_path / "open_clip_config.json").write_text(f'{{"model_cfg": {DEEP}')
    with pytest.raises(DamagedError, match=r"open_clip_config\.json cannot be read"):
        checkpoints.read(str(tmp_path))
