"""The script that says what each term teaches finds what teaches something else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from sbtools.methods import METHODS
from tests.slow import contract


def wrongs(name: str, folder: Path, kind: str = "frame_cnn") -> dict[str, str]:
    return {row["term"]: row["wrong"] for row in contract.rows(kind, name, folder)}


def test_no_two_models_are_of_one_kind() -> None:
    kinds = [contract.kind_of(contract.built(name)) for name in contract.KINDS]
    assert len(set(kinds)) == len(kinds) == 6


@pytest.mark.parametrize("name", ["sdn", "disentangle, adversarial"])
def test_terms_teach_what_their_equations_name(name: str, tmp_path: Path) -> None:
    found = wrongs(name, tmp_path)
    assert len(found) > 2 and not any(found.values())


def test_a_way_of_every_method() -> None:
    assert {name for name, _ in contract.WAYS.values()} >= set(METHODS)


def test_a_term_that_teaches_too_little_or_too_much_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def held(x: torch.Tensor, scale: Any) -> torch.Tensor:
        return x.detach()

    monkeypatch.setattr("sbtools.methods.sdn.reverse_gradient", held)
    assert wrongs("sdn", tmp_path)["scene"] == "reaches ['sdn.head'], not ['features', 'sdn.head']"
    monkeypatch.setattr("sbtools.methods.disentangle.reverse_gradient", held)
    told = wrongs("disentangle, adversarial", tmp_path)["independence"]
    assert told == "reaches ['disentangle.heads'], not ['disentangle.heads', 'features']"
    monkeypatch.setattr(torch.Tensor, "detach", lambda self: self)
    told = wrongs("disentangle, adversarial", tmp_path)["independence"]
    assert "'disentangle.network'" in told.partition(", not ")[0]


def test_a_term_that_is_another_the_second_time_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    turns = iter(range(1, 9))
    monkeypatch.setattr(
        "sbtools.methods.sdn.reverse_gradient", lambda x, scale: x * float(next(turns))
    )
    assert "again" in wrongs("sdn", tmp_path)["scene"]
