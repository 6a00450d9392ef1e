"""CLIP: its weights from wherever they are, in towers of the right make."""

from __future__ import annotations

import logging
import os
from dataclasses import replace
from typing import Any

import torch
from torch import nn

from sbtools import rng
from sbtools.errors import DamagedError, UsageError
from sbtools.models import arch as arches
from sbtools.models import checkpoints, tokens
from sbtools.models.arch import Arch
from sbtools.models.towers import Clip
from sbtools.weights.catalogue import CATALOGUE

__all__ = ["Clip", "load", "located", "random", "round_as_official", "save"]
log = logging.getLogger("sbtools")


def random(built: Arch, seed: int = 0) -> Clip:
    """A CLIP with weights drawn by (seed, architecture)."""
    drawn = rng.generator(seed, built.name, "weights")
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(int(drawn.integers(2**63)))
        return Clip(built).eval()


def load(
    weights: str | None = None,
    arch: str | None = None,
    *,
    base: str | None = None,
    gelu: str = "auto",
    seed: int = 0,
) -> Clip:
    """A CLIP in float32, with the weights of a file, ready for tests.

    weights   a file or folder that `sbtools.models.checkpoints.read` knows; a name of `ARCHES` or
              of the catalogue ("clip-vit-b-32"), looked for on this machine and never fetched;
              None draws them by `seed`, with a warning
    arch      ViT-B-32, ViT-B-16, ViT-L-14, ViT-L-14-336 or tiny, with -quickgelu behind it where
              that is not told by the file; the file's shapes must agree. ViT-B-32 where there is
              neither
    base      for a ViFi-CLIP checkpoint, which leaves the embeddings of tokens out: the weights
              that it started from; looked for on this machine where it is not given
    gelu      auto (as the source of the weights tells), quick or plain

    Raises UsageError when there are no such weights, they are no CLIP's, or nothing tells the
    activation; DamagedError when a file is damaged or asks to run something.
    """
    if gelu not in ("auto", "quick", "plain"):
        raise UsageError(f"gelu is auto, quick or plain, not '{gelu}'")
    wanted, quick = arches.named(arch) if arch else (None, None)
    if gelu != "auto":
        quick = gelu == "quick"
    if weights is None:
        return _drawn(wanted or arches.ARCHES["ViT-B-32"], quick, seed)
    path = located(weights)
    found = checkpoints.read(path)
    source: dict[str, Any] = {"file": path, "sha256": found.sha256, "format": found.format}
    source |= _embeddings(found, base)
    source |= _decide(found, quick, weights)
    built = _architecture(found, source["quick_gelu"])
    if wanted is not None and wanted.sizes() != built.sizes():
        raise UsageError(f"{path} holds a {built.name}, not a {wanted.name}: leave arch out")
    return _filled(built, found, source)


def round_as_official(model: Clip) -> None:
    """Round weights to half precision where the official code does; they stay float32.

    build_model of OpenAI's clip/model.py, which ViFi-CLIP and ActionCLIP keep, fills a model whose
    convolutions, linear maps, attention and projections are of half precision, whatever the file
    holds; norms, positions, the class token and the scale are not. Both read embeddings of tokens
    in that precision too. A ViFi-CLIP checkpoint is read after `model.float()`, so that only the
    embeddings, which it leaves out, are rounded; random weights are no official ones.
    """
    kind = model.source["format"]
    if kind == "random":
        return
    rounded: list[torch.Tensor | None] = [model.token_embedding.weight]
    if kind != "vificlip":
        rounded += [model.text_projection, model.visual.proj]
        for part in model.modules():
            if isinstance(part, nn.Conv2d | nn.Linear):
                rounded += [part.weight, part.bias]
            elif isinstance(part, nn.MultiheadAttention):
                rounded += [part.in_proj_weight, part.in_proj_bias]
    for weight in rounded:
        if weight is not None:
            weight.data = weight.data.half().float()


def save(model: Clip, path: str) -> None:
    """Write a CLIP as safetensors that `load` reads, architecture and all, under OpenAI's names.

    The file stands there whole or not at all. Raises OutputError.
    """
    checkpoints.write(path, model.state_dict(), model.arch)


def _drawn(wanted: Arch, quick: bool | None, seed: int) -> Clip:
    log.warning("no weights were given: %s starts from random ones", wanted.name)
    return random(wanted if quick is None else replace(wanted, quick_gelu=quick), seed)


def located(weights: str) -> str:
    """The path of a file, or of the weights of a name; UsageError that tells what to do."""
    from sbtools.weights.find import find

    if os.path.exists(weights):
        return weights
    entry = "clip-" + weights.lower().replace("/", "-").replace("@", "-").removesuffix(arches.QUICK)
    entry = weights if weights in CATALOGUE else entry.removesuffix("px")
    if entry not in CATALOGUE or CATALOGUE[entry].family != "clip":
        raise UsageError(
            f"there are no weights at {os.path.abspath(weights)}{_official_file(weights)}"
        )
    found = find(entry)
    if found is None:
        raise UsageError(f"{weights} is not on this machine: sbtools weights fetch {entry}")
    return str(found)


def _official_file(path: str) -> str:
    """How to get a file that is called as an official one is."""
    folder, name = os.path.split(path)
    for entry, told in CATALOGUE.items():
        if told.family == "clip" and told.place == name:
            return f": sbtools weights fetch {entry} -o {folder or '.'}"
    return ""


def _embeddings(found: checkpoints.Read, base: str | None) -> dict[str, Any]:
    """Put in the table of embeddings that the file leaves out, rounded as training had it."""
    if checkpoints.TABLE in found.state:
        return {}
    started = base or _official(found)
    under = checkpoints.read(located(started))
    if checkpoints.TABLE not in under.state:
        raise UsageError(f"{under.path} has no token embeddings either: give OpenAI's weights")
    table = under.state[checkpoints.TABLE].half().float()
    start = found.extra.pop("text_start", None)
    if start is not None and not torch.equal(table[tokens.START], start):
        raise UsageError(f"{found.path} did not start from {under.path}: their embeddings differ")
    found.state[checkpoints.TABLE] = table
    return {"base": under.path, "base_sha256": under.sha256}


def _official(found: checkpoints.Read) -> str:
    """The name of OpenAI's weights that these were fine-tuned from; UsageError where unknown."""
    placeholder = torch.empty(1, 1)
    try:
        built = arches.inferred({checkpoints.TABLE: placeholder, **found.state}, True)
    except ValueError as error:
        raise UsageError(f"{found.path} holds no CLIP: {error}") from None
    known = {**built.sizes(), "vocabulary": tokens.END + 1}
    for name, official in arches.ARCHES.items():
        if official.sizes() == known and "clip-" + name.lower() in CATALOGUE:
            return name
    raise UsageError(
        f"{found.path} has no token embeddings: add base=FILE, the weights that it started from"
    )


def _decide(found: checkpoints.Read, quick: bool | None, weights: str) -> dict[str, Any]:
    """Which activation, and who says so; UsageError where nobody or two do."""
    named = True if weights.endswith(arches.QUICK) else None
    if found.quick_gelu is None:
        told = quick if quick is not None else named
        if told is None:
            raise UsageError(
                f"{found.path} does not say which GELU its weights need: add gelu=quick (OpenAI's "
                "and all fine-tuned from them) or gelu=plain (open_clip's own)"
            )
        return {"quick_gelu": told, "decided_by": "the user"}
    if quick is not None and quick != found.quick_gelu:
        wants = "quick" if found.quick_gelu else "plain"
        raise UsageError(f"{found.path} needs gelu={wants}, by {found.decided_by}: leave gelu= out")
    return {"quick_gelu": found.quick_gelu, "decided_by": found.decided_by}


def _architecture(found: checkpoints.Read, quick: bool) -> Arch:
    try:
        built = arches.inferred(found.state, quick)
    except ValueError as error:
        raise UsageError(f"{found.path} holds no CLIP: {error}") from None
    if found.arch is not None and found.arch.sizes() != built.sizes():
        raise DamagedError(
            f"{found.path} does not hold the tensors that its header lists: copy it again"
        )
    return found.arch or built


def _filled(built: Arch, found: checkpoints.Read, source: dict[str, Any]) -> Clip:
    with torch.device("meta"):
        model = Clip(built, source)
    checkpoints.compare(found.path, model.state_dict(), found.state)
    state = {key: _own(value) for key, value in found.state.items()}
    model.load_state_dict(state, assign=True)
    model.extra = found.extra
    return model.eval()


def _own(value: torch.Tensor) -> torch.Tensor:
    """Float32 in memory of its own, aligned as torch aligns it: a view of a file may lie anywhere.

    Where numbers lie can decide how sums are rounded, and a checkpoint is read into such memory.
    """
    return value.to(torch.float32, copy=True, memory_format=torch.contiguous_format)
