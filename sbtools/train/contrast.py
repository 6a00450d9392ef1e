"""Images against texts: the loss of CLIP, and how often frames find their captions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F
from torch.nn.utils.rnn import pad_sequence

from sbtools.models.base import unit
from sbtools.models.clip import Clip
from sbtools.train.captioned import Captioned, normalised


class Reader:
    """Texts to features [K, D] of length 1; each text is split into tokens once."""

    def __init__(self, model: Clip) -> None:
        self.model = model
        self._tokens: dict[str, Tensor] = {}

    def __call__(self, texts: Sequence[str]) -> Tensor:
        for text in texts:
            if text not in self._tokens:
                self._tokens[text] = self.model.tokenize([text])[0]
        rows = pad_sequence([self._tokens[text] for text in texts], batch_first=True)
        return unit(self.model.encode_text(rows.to(self.model.logit_scale.device)))


def contrast(images: Tensor, texts: Tensor, own: Tensor, scale: Tensor) -> Tensor:
    """CLIP's loss between images [N, D] and the distinct texts [K, D], both of length 1.

    own: int64 [N], the text of each image; every text has one or more, all of them positives:
    the mean over images of -log softmax over texts, and the mean over texts and then over their
    images of -log softmax over images, halved.
    """
    logits = scale * images @ texts.T  # [N, K]
    there = F.one_hot(own, len(texts)).to(logits)
    share = there / there.sum(0)
    to_texts = F.cross_entropy(logits, own)
    to_images = -(share * logits.log_softmax(0)).sum(0).mean()
    return (to_texts + to_images) / 2


@torch.no_grad()
def retrieval(model: Clip, held: Captioned) -> dict[str, Any]:
    """How often a frame is nearest to its own caption, or phrase, among all that occur.

    {"retrieval": {"top1", "texts"}, "phrases": [the same for each place in the caption]}; top1 is
    a share of 1, texts says how many there are to choose among.
    """
    device, reader = model.logit_scale.device, Reader(model)
    images = torch.cat(
        [
            unit(model.encode_image(normalised(part.permute(0, 3, 1, 2).to(device) / 255)))
            for part in held.frames.split(512)
        ]
    )
    found = []
    for part in (None, *range(held.phrases)):
        rows, texts = held.shown(part, range(len(held)))
        known, own = np.unique(texts, return_inverse=True)
        named = (images[rows] @ reader(known.tolist()).T).argmax(1).cpu().numpy()
        found.append({"top1": round(float((named == own).mean()), 4), "texts": len(known)})
    return {"retrieval": found[0], "phrases": found[1:]}
