"""Write a CLIP of 4 channels; python small_clip.py FILE. Only the words of the clips' texts have
embeddings: the others are 0, so that the file can be packed small."""

from __future__ import annotations

import sys

import torch

from sbtools.demo.splits import TWELVE
from sbtools.models import clip
from sbtools.models.actionclip import TEMPLATES
from sbtools.models.arch import Arch

SMALL = Arch(
    "small", dim=8, size=16, patch=8, width=4, layers=1, heads=1, text_width=4, text_layers=1,
    text_heads=1,
)  # fmt: skip

if __name__ == "__main__":
    made = clip.random(SMALL)
    templates = [*TEMPLATES, "a photo of a {}."]
    used = made.tokenize([t.replace("{}", name.text) for t in templates for name in TWELVE])
    with torch.no_grad():
        table = made.token_embedding.weight
        kept = table[used.unique()] * 50
        table.zero_()[used.unique()] = kept
    clip.save(made, sys.argv[1])
