"""What an epoch's line says of what its methods counted."""

from __future__ import annotations

from sbtools.train.epoch_metrics import EpochMetrics


def test_shares_are_of_what_each_method_counted() -> None:
    counted = {"mask.none": 1, "mask.bg": 3, "cutmix.mixed": 4, "cutmix.left": 0, "albar.none": 0}
    told = EpochMetrics({"drawn": counted, "clips": 4}).line()["drawn"]
    assert told == {"mask.none": 0.25, "mask.bg": 0.75, "cutmix.mixed": 1.0, "cutmix.left": 0.0,
                    "albar.none": 0.0}  # fmt: skip
    assert EpochMetrics({"drawn": {"none": 1, "bg": 1}}).line()["drawn"] == {"none": 0.5, "bg": 0.5}
    assert "drawn" not in EpochMetrics({"drawn": {"none": 0}}).line()
