"""What is said and done where the GPU has too little memory."""

from __future__ import annotations

import re
from typing import Any

from tests.gpu.check import Figures, Machine, Skipped, check, command, mib, require, succeeded
from tests.gpu.made import batch_of, model_of, stepping, training, updates_of

ADVICE = re.compile(
    r"(\S+) is out of memory with (\d+) clips at a time; (\d+) at a time fit: "
    r"--accumulate (\d+), --checkpoint-activations, or a smaller --batch"
)
AT_ONCE = 3
"""Clips that the model takes where the CPU stands in for a GPU."""


class Little:
    """Within, this process has `limit` bytes of the GPU; on the CPU the model takes no more than
    AT_ONCE clips at a time."""

    def __init__(self, machine: Machine, model: Any, limit: int) -> None:
        self.machine, self.model, self.limit = machine, model, limit

    def __enter__(self) -> None:
        import torch

        if self.machine.on_gpu:
            torch.cuda.empty_cache()
            total = torch.cuda.get_device_properties(0).total_memory
            torch.cuda.set_per_process_memory_fraction(self.limit / total)
            return
        plain = self.model.encode

        def encode(video: Any) -> Any:
            if len(video) > AT_ONCE:
                raise torch.OutOfMemoryError
            return plain(video)

        self.model.encode = encode

    def __exit__(self, *_: object) -> None:
        import torch

        if self.machine.on_gpu:
            torch.cuda.set_per_process_memory_fraction(1.0)
        else:
            del self.model.encode


def _vificlip(machine: Machine, **settings: Any) -> Any:
    return updates_of(model_of("vificlip", machine), "vificlip", machine, **settings)


def _peak_of(machine: Machine, clips: int, accumulate: int) -> int:
    """Bytes that the process reserves for two steps, and the optimiser's state with them."""
    import torch

    made = _vificlip(machine, accumulate=accumulate)
    step = stepping(made, batch_of(made.step.model, clips, machine))
    with machine.peak():
        step()
        step()
    return torch.cuda.max_memory_reserved() if machine.on_gpu else accumulate


@check("memory/advice")
def advice(machine: Machine) -> Figures:
    """A step that does not fit ends with one line and changes nothing; what that line advises then
    fits, for several steps."""
    import torch

    from sbtools.errors import SbtoolsError

    clips = 8 if machine.tiny else 64
    whole, eighth = (_peak_of(machine, clips, parts) for parts in (1, 8))
    limit = eighth + (whole - eighth) // 3
    told: Figures = {"clips": clips, "mib": [mib(whole), mib(eighth)], "limit_mib": mib(limit)}
    made = _vificlip(machine)
    batch = batch_of(made.step.model, clips, machine)
    before = [p.detach().clone() for p in made.step.parameters()]
    told["said"] = ""
    with Little(machine, made.step.model, limit):
        try:
            stepping(made, batch)()
        except SbtoolsError as error:
            told["said"] = str(error)
    found = ADVICE.fullmatch(told["said"])
    require(found is not None, f"a step that does not fit is told so: {told}")
    assert found is not None
    same = all(torch.equal(a, b) for a, b in zip(before, made.step.parameters(), strict=True))
    require(same, "the step that did not fit has changed weights")
    del made, before
    again = _vificlip(machine, accumulate=int(found[4]))
    step = stepping(again, batch_of(again.step.model, clips, machine))
    with Little(machine, again.step.model, limit):
        for _ in range(3):
            step()
    return told


@check("memory/evaluation")
def evaluation(machine: Machine) -> Figures:
    """An evaluation whose batch does not fit takes fewer clips at once, with the same scores."""
    import numpy as np
    import torch

    from sbtools.evaluate import choice
    from sbtools.evaluate.evaluated_model import EvaluatedModel, predict_of
    from sbtools.evaluate.predictor import Predictor

    model = model_of("vificlip", machine)
    clips = 8 if machine.tiny else 256
    batch = batch_of(model, clips, machine)
    views = choice.build(["plain"], None, "normal", model.recipe.normalise)
    sizes: list[int] = []

    def judge() -> Any:
        evaluated = EvaluatedModel(model, predict_of(model), [model], {}, {})
        made = Predictor(evaluated, views, machine.device, "float32", clips)
        predict = evaluated.predict

        def noted(part: Any, classes: Any) -> Any:
            sizes.append(len(part["video"]))
            return predict(part, classes)

        evaluated.predict = noted
        return made(batch).scores["plain"]

    with machine.peak() as peak:
        wanted = judge()
    held = torch.cuda.memory_allocated() if machine.on_gpu else 0
    require(sizes == [clips], f"the batch was cut without need: {sizes}")
    with Little(machine, model, held + (peak[0] - held) // 3):
        found = judge()
    apart = float(np.abs(found - wanted).max())
    require(sizes[-1] < clips and len(sizes) > 3, f"no fewer clips were taken: {sizes}")
    require(apart < 1e-2, f"scores are {apart:.3g} apart")
    return {"clips_at_once": sizes[1:12], "scores_apart": apart}


@check("memory/command")
def of_command(machine: Machine) -> Figures:
    """`sbtools train` on a GPU that others have nearly filled ends with one line and status 1, and
    with what that line advises it trains."""
    import torch

    if machine.tiny:
        raise Skipped("needs a GPU that can be filled")
    words = training("vificlip", machine, clips=256)
    room = 7 << 30
    count = (torch.cuda.mem_get_info()[0] - room) >> 30
    held = [torch.empty(1 << 30, dtype=torch.uint8, device=machine.device) for _ in range(count)]
    status, _, said = command(*words, folder=machine.folder)
    found = ADVICE.search(said)
    good = status == 1 and found is not None and "Traceback" not in said
    require(good, f"status {status}, and: {said[-600:]}")
    assert found is not None
    again = command(*words, "--accumulate", found[4], "--overwrite", folder=machine.folder)
    succeeded(again, f"with --accumulate {found[4]}")
    return {"filled_mib": mib(len(held) << 30), "said": found[0]}
