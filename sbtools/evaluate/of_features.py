"""Rows of METRICS that are of features: what `sbtools similarity` and `sbtools factors` print.

They are `of` features, and their `group` is the command. No result holds them: they have no view.
"""

from __future__ import annotations

from sbtools.evaluate.metric import HIGHER, LOWER, NUMBER, PAGE, SHARE, Metric

OF = "features"
SIMILARITY, FACTORS = "similarity", "factors"
KORNBLITH = "Kornblith et al. 2019, arXiv 1905.00414"
DEBIASED = "Nguyen et al. 2021, arXiv 2010.15327; Song et al. 2012, equation 4"
KOWAL = "Kowal et al. 2022, arXiv 2206.02846; YorkUCVIL/Static-Dynamic-Interpretability"


def _row(
    title: str, about: str, group: str, source: str, unit: str = NUMBER, direction: str = ""
) -> Metric:
    return Metric(
        title, about, of=OF, group=group, views=(), unit=unit, direction=direction,
        source=source, shown=PAGE,
    )  # fmt: skip


ROWS: dict[str, Metric] = {
    "cka": _row(
        "CKA", "How alike two sets of features of the same clips are, up to a turn and a scale: "
        "debiased linear CKA. 1 for a copy, 0 on average for independent features.",
        SIMILARITY, DEBIASED,
    ),
    "cka_biased": _row(
        "CKA, biased", "Linear CKA as it was first defined, which few clips raise.",
        SIMILARITY, KORNBLITH,
    ),
    "hsic": _row(
        "HSIC", "How dependent they are: the unbiased estimate, kernels as wide as the median "
        "distance.", SIMILARITY, "Song et al. 2012, equation 4",
    ),
    "hsic_normalised": _row(
        "HSIC, normalised", "The same over the root of the product of each one's with itself.",
        SIMILARITY, "Song et al. 2012, equation 4",
    ),
    "rho_dynamic": _row(
        "rho dynamic", "Covariance of features of one clip in two styles, over the variance of "
        "all.", FACTORS, KOWAL, direction=HIGHER,
    ),
    "rho_static": _row(
        "rho static", "Covariance of features of one clip and of its frames in another order, over "
        "the variance of all.", FACTORS, KOWAL, direction=LOWER,
    ),
    "share_dynamic": _row(
        "dynamic", "Its part of the softmax of rho dynamic, rho static and 1.", FACTORS, KOWAL,
        SHARE, HIGHER,
    ),
    "share_static": _row(
        "static", "Its part of the softmax of rho dynamic, rho static and 1.", FACTORS, KOWAL,
        SHARE, LOWER,
    ),
}  # fmt: skip
