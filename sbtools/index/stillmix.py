"""StillMix's sets: SCUBA and ConflFG as released, and folders of SCUFO made from them.

Lists and folders as lihaoxin05/StillMix cb32bca has them, benchmark_synthesis/ and
main_network/Video-Swin-Transformer/configs/stillmix/Swin-T/eval/.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sbtools.index import benchmarks
from sbtools.index.annotation import Annotated
from sbtools.index.labels import Labels


def read(places: Sequence[str], labels: Labels | None, folder: str) -> Iterator[Annotated]:
    """The clips of lists, `VIDEO__K frames label` a line, whose frames are in folders of `folder`.

    The folder's name, or else the list's, tells the set: replacebackground_with_mask_for_HMDB51_
    test_stripe, with static in it (SCUFO, by the list of SCUBA), or mix_dynamic_static (ConflFG).
    """
    for place in places:
        variant = benchmarks.variant_of(folder, place)
        kind = benchmarks.kind_of(folder, place)
        yield from benchmarks.composites(place, labels, variant, kind)
