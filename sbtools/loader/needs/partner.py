"""Another clip beside each clip, such as one whose pixels are to be mixed with its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sbtools.errors import ClipError, DamagedError
from sbtools.loader.needs.base import Brought, Need
from sbtools.pool.task import out_of_memory

if TYPE_CHECKING:
    from sbtools.loader.excerpt import Excerpt


class Partner(Need):
    """partner: float [B, T, 3, H, W], another clip of the records, in frames, crop and colours of
    its own; partner_label: int64 [B]; partner_person ...: its masks, where masks or boxes are
    needed besides."""

    others = True

    def bring(self, clip: Excerpt, facts: Any) -> Brought:
        for record in clip.others("partner"):
            try:
                label = clip.reader.label(record)
                found = clip.beside(record, "partner")
            except (ClipError, DamagedError) as error:
                if out_of_memory(error):
                    raise
                continue
            masks = {f"partner_{name}": mask for name, mask in found.masks.items()}
            return {"partner": found, "partner_label": np.int64(label), **masks}
        raise ClipError("missing", "no other clip was found to mix it with")
