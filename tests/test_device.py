"""Devices, precision, and batches that shrink when memory runs out."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import pytest
import torch

from sbtools import device
from sbtools.errors import ClipError, UsageError

CPU = torch.device("cpu")


def test_auto_is_what_there_is() -> None:
    assert device.resolve("auto").type == ("cuda" if torch.cuda.is_available() else "cpu")
    assert device.resolve("cpu") == CPU


@pytest.mark.parametrize("name", ["tpu9", "", "cuda:x"])
def test_a_name_that_is_none_is_a_usage_error(name: str) -> None:
    with pytest.raises(UsageError, match="auto, cpu, cuda"):
        device.resolve(name)


def test_cuda_where_there_is_none_is_a_usage_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert device.resolve("auto") == CPU
    with pytest.raises(UsageError, match=r"0 CUDA devices.*--device cpu"):
        device.resolve("cuda")


def test_a_number_beyond_the_last_gpu_is_a_usage_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert device.resolve("cuda:1").index == 1
    with pytest.raises(UsageError, match="sees 2"):
        device.resolve("cuda:2")


@pytest.mark.parametrize(("has_it", "dtype"), [(True, torch.bfloat16), (False, torch.float32)])
def test_bfloat16_on_a_gpu_that_has_it(
    has_it: bool, dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: has_it)
    assert device.precision(torch.device("cuda")) == dtype


def test_the_cpu_computes_in_float32() -> None:
    with device.autocast(CPU):
        assert not torch.is_autocast_enabled("cpu")
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == torch.float32


def test_how_many_frames_at_once() -> None:
    assert device.batch_size("auto", CPU) == 1
    assert device.batch_size("auto", torch.device("cuda")) == 8
    assert device.batch_size(5, CPU) == device.batch_size("5", CPU) == 5
    for wrong in ("0", "-1", "many", "1.5", 0):
        with pytest.raises(UsageError, match="--batch-frames"):
            device.batch_size(wrong, CPU)


class Memory:
    """A device that holds `room` frames; `tried` are the batches it was given."""

    def __init__(self, room: int) -> None:
        self.room, self.tried = room, []

    def __call__(self, batch: Sequence[int]) -> list[int]:
        self.tried.append(len(batch))
        if len(batch) > self.room:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return [2 * item for item in batch]


def test_enough_memory_leaves_the_batches_alone() -> None:
    memory = Memory(4)
    found = list(device.Halving(4)(range(10), memory))
    assert found == [[0, 2, 4, 6], [8, 10, 12, 14], [16, 18]]
    assert memory.tried == [4, 4, 2]


def test_too_little_memory_halves_them_and_loses_nothing(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging.getLogger("sbtools"), "propagate", True)
    memory, batches = Memory(2), device.Halving(8)
    first = [item for batch in batches(range(11), memory) for item in batch]
    second = [item for batch in batches(range(3), memory) for item in batch]
    assert first == [2 * item for item in range(11)] and second == [0, 2, 4]
    assert memory.tried[:4] == [8, 4, 2, 2] and max(memory.tried[3:]) == 2
    assert caplog.text.count("out of memory") == 1


def test_the_last_short_batch_is_halved_by_its_own_length() -> None:
    memory = Memory(1)
    assert len(list(device.Halving(8)(range(3), memory))) == 3
    assert memory.tried == [3, 1, 1, 1]


def test_what_is_batched_is_named(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging.getLogger("sbtools"), "propagate", True)
    list(device.Halving(2, "clips", "--batch")(range(2), Memory(1)))
    assert "at 2 clips a batch, trying fewer (--batch sets how many)" in caplog.text
    with pytest.raises(ClipError, match="one clip does not fit"):
        list(device.Halving(1, "clips", "--batch")(range(1), Memory(0)))


def test_one_frame_that_does_not_fit_fails_the_clip() -> None:
    with pytest.raises(ClipError, match="one frame") as caught:
        list(device.Halving(2)(range(4), Memory(0)))
    assert caught.value.kind == "memory"


def test_another_error_is_not_hidden() -> None:
    def broken(batch: Sequence[int]) -> None:
        raise RuntimeError("shapes do not match")

    with pytest.raises(RuntimeError, match="shapes"):
        list(device.Halving(2)(range(4), broken))
