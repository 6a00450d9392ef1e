"""Weights of segment-anything: which model a .pth file holds, and that model with them in it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from sbtools.errors import DamagedError, UsageError

if TYPE_CHECKING:
    import torch

State = Mapping[str, "torch.Tensor"]
ENCODER = "image_encoder."
MEAN, DEVIATION = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)
"""Of red, green and blue, 0 to 255: `_build_sam` of segment-anything."""
WIDTH, WINDOW = 256, 14
NAMED = 3


@dataclass(frozen=True)
class Anatomy:
    """What the image encoder of a SAM is: width, depth, heads, and the rest of its sizes.

    `whole` are the blocks that attend to the whole image, the others see windows of `window`
    patches. The image is `grid` patches of `patch` pixels high and wide.
    """

    dim: int
    depth: int
    heads: int
    whole: tuple[int, ...]
    window: int = WINDOW
    grid: int = 64
    patch: int = 16

    @property
    def name(self) -> str:
        """vit_b, vit_l, vit_h; another one is named by its sizes, as vit_32x2."""
        for name, known in OFFICIAL.items():
            if self == known:
                return name
        return f"vit_{self.dim}x{self.depth}"


OFFICIAL = {
    "vit_b": Anatomy(768, 12, 12, (2, 5, 8, 11)),
    "vit_l": Anatomy(1024, 24, 16, (5, 11, 17, 23)),
    "vit_h": Anatomy(1280, 32, 16, (7, 15, 23, 31)),
}


def anatomy(state: State) -> Anatomy:
    """The encoder that these weights are of, from their shapes; ValueError where they are of none.

    A block has 2n - 1 relative positions for each side of n patches that it attends to, each as
    long as a head is wide.
    """
    patches = _shape(state, "patch_embed.proj.weight", 4)
    grid = _shape(state, "pos_embed", 4)[1]
    depth = len({key.split(".")[2] for key in state if key.startswith(f"{ENCODER}blocks.")})
    relative = [_shape(state, f"blocks.{i}.attn.rel_pos_h", 2) for i in range(depth)]
    if not relative or not relative[0][1] or patches[0] % relative[0][1]:
        raise ValueError("its blocks are not those of a SAM")
    whole = tuple(i for i, shape in enumerate(relative) if shape[0] == 2 * grid - 1)
    windows = [(shape[0] + 1) // 2 for i, shape in enumerate(relative) if i not in whole]
    heads = patches[0] // relative[0][1]
    window = windows[0] if windows else WINDOW
    return Anatomy(patches[0], depth, heads, whole, window, grid, patches[2])


def _shape(state: State, name: str, axes: int) -> tuple[int, ...]:
    found = state.get(ENCODER + name)
    if found is None:
        raise ValueError(f"it has no {ENCODER}{name}")
    if found.ndim != axes:
        raise ValueError(f"its {ENCODER}{name} has {found.ndim} axes, not {axes}")
    return tuple(found.shape)


def build(body: Anatomy) -> Any:
    """A `segment_anything` Sam of this anatomy, ready for inference, with random weights."""
    modeling = library()
    from torch import nn

    size = body.grid * body.patch
    encoder = modeling.ImageEncoderViT(
        img_size=size,
        patch_size=body.patch,
        embed_dim=body.dim,
        depth=body.depth,
        num_heads=body.heads,
        out_chans=WIDTH,
        norm_layer=partial(nn.LayerNorm, eps=1e-6),
        use_rel_pos=True,
        window_size=body.window,
        global_attn_indexes=body.whole,
    )
    prompts = modeling.PromptEncoder(
        embed_dim=WIDTH,
        image_embedding_size=(body.grid, body.grid),
        input_image_size=(size, size),
        mask_in_chans=16,
    )
    two_way = modeling.TwoWayTransformer(depth=2, embedding_dim=WIDTH, mlp_dim=2048, num_heads=8)
    decoder = modeling.MaskDecoder(transformer_dim=WIDTH, transformer=two_way)
    return modeling.Sam(encoder, prompts, decoder, list(MEAN), list(DEVIATION)).eval()


def load(path: str) -> tuple[Any, Anatomy]:
    """The model whose weights are in the .pth file at `path`, in float32, and its anatomy.

    Raises UsageError when the file is not there or not of a SAM, DamagedError as `read`.
    """
    import torch

    library()
    state = read(path)
    try:
        body = anatomy(state)
    except ValueError as error:
        raise UsageError(f"{path} holds no SAM: {error}; use sam_vit_b_01ec64.pth") from None
    with torch.device("meta"):
        model = build(body)
    _compare(path, model.state_dict(), state)
    model.load_state_dict(state, assign=True)
    for name, values in (("pixel_mean", MEAN), ("pixel_std", DEVIATION)):
        model.register_buffer(name, torch.tensor(values).view(-1, 1, 1), False)
    return model.float(), body


def read(path: str) -> dict[str, torch.Tensor]:
    """The tensors in a .pth file by name, on the CPU; nothing in it is executed.

    Raises UsageError when the file is not there or holds something else, DamagedError when it
    cannot be read as a table of tensors.
    """
    import torch

    if not os.path.isfile(path):
        if os.path.isdir(path):
            raise UsageError(f"{path} is a folder: sam reads the original .pth file")
        raise UsageError(f"there are no weights at {path}: sbtools weights fetch sam-vit-b")
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from None
    except Exception:
        raise DamagedError(
            f"{path} is damaged, or holds more than weights: sbtools weights fetch sam-vit-b"
        ) from None
    if not isinstance(state, dict) or not all(
        isinstance(key, str) and torch.is_tensor(value) for key, value in state.items()
    ):
        raise UsageError(f"{path} holds no SAM: it is not a plain table of tensors by name")
    return state


def _compare(path: str, wanted: State, found: State) -> None:
    """UsageError that names the keys in which two state dicts differ."""
    differ = [k for k in wanted if k in found and wanted[k].shape != found[k].shape]
    faults = {
        "missing": [key for key in wanted if key not in found],
        "unexpected": [key for key in found if key not in wanted],
        "of another shape": [f"{k} {list(found[k].shape)}" for k in differ],
    }
    told = [f"{what}: {_some(keys)}" for what, keys in faults.items() if keys]
    if told:
        raise UsageError(f"{path} does not fit a SAM; {'; '.join(told)}")


def _some(names: list[str]) -> str:
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more


def library() -> Any:
    """segment_anything.modeling; UsageError that names the fix where it cannot be imported."""
    try:
        from segment_anything import modeling
    except Exception as error:  # a torchvision of another build fails with whatever it likes
        import torch

        reason = next(iter(str(error).splitlines()), type(error).__name__)
        raise UsageError(
            f"segmenter sam cannot start: {reason}; install segment-anything, and the torchvision "
            f"that belongs to torch {torch.__version__}: pip install --force-reinstall torch "
            "torchvision segment-anything"
        ) from None
    return modeling
