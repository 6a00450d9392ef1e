"""An audit as one page that needs no network, no script and no other file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from sbtools.report.page import template
from sbtools.report.plots import GRID, MUTED, SERIES, SURFACE, axes, styled, svg
from sbtools.words import short

Found = Mapping[str, Any]
NOTHING = "\N{EN DASH}"
READING = (
    "Right is the share of clips whose label a linear probe gets right from the cue alone. It was "
    "fitted to clips of other sources: no clip is answered by a probe that has seen its recording.",
    "Most frequent is what is right when every clip is given the most frequent class. Shuffled is "
    "what the same probe gets right when the labels are shuffled.",
    "A cue gives labels away when its interval, corrected for the number of cues by Holm's rule, "
    "begins above the most frequent class and, where it has a floor, when it gets more right than "
    "a probe of that: of what the same picture shows beside the cue. The floor of background and "
    "objects is the holes that people leave in them, of clothes the same in drawn colours. Only "
    "then does it name clips: those that it gets right.",
    "About as many of the named clips as the column by chance says would be right without the cue. "
    "Nobody can say which ones, so all of them are left out of the debiased list.",
    "What a probe of this model's features cannot read may still be there: an audit finds the "
    "least that a cue gives away.",
)


def page(found: Found, examples: Mapping[str, Sequence[Mapping[str, str]]]) -> str:
    """HTML of what `described` gives; examples: by cue, {"id", "label", "picture"} of clips."""
    cues = [{"name": name, **cue} for name, cue in found["cues"].items()]
    with styled():
        picture = Markup(_picture(found, cues))
    return template("sbtools.audit:page.html", False).render(
        version=found["sbtools"],
        title=f"Static cues in {_set(found)}",
        summary=_summary(found),
        verdict=verdict(found),
        picture=picture,
        floors=any(cue["floor"] for cue in cues),
        head=["cue", "right", "most frequent", "shuffled", "floor", "Holm p", "gives away", "named",
              "by chance"],
        rows=[_row(cue, found) for cue in cues],
        classes=_classes(found, cues),
        class_head=["class", "clips", *(cue["name"] for cue in cues), "left"],
        left_out=[(name, why) for name, why in found["left_out"].items()],
        lists=_lists(found),
        examples=[(found["cues"][name]["title"], seen) for name, seen in examples.items() if seen],
        failed=found["clips"]["failed"][:20],
        failed_more=max(0, len(found["clips"]["failed"]) - 20),
        made=_made(found),
        reading=READING,
    )  # fmt: skip


def verdict(found: Found) -> str:
    """One or two sentences: what tells the label, and how much is left without it."""
    majority = f"{percent(found['majority'])} %"
    telling = [cue for cue in found["cues"].values() if cue["tells"]]
    if not telling:
        return (f"No cue gives away more labels than the most frequent class, {majority}: no "
                "clip is named.")  # fmt: skip
    telling.sort(key=lambda cue: -cue["accuracy"])
    first, *rest = (f"from {cue['title']}" for cue in telling)
    shares = [f"{percent(cue['accuracy'])} %" for cue in telling]
    said = f"{first[0].upper()}{first[1:]} alone {shares[0]} of labels can be named"
    said += "".join(f", {text} {share}" for text, share in zip(rest, shares[1:], strict=True))
    kept, full = found["lists"]["debiased"], found["lists"]["full"]
    return (f"{said} (the most frequent class: {majority}). {kept} of {full} clips are left when "
            "those that a cue names are taken out.")  # fmt: skip


def percent(share: float | None) -> str:
    """A share in percent with one digit."""
    return NOTHING if share is None else f"{100 * share:.1f}"


def _set(found: Found) -> str:
    return "these clips" if found["set"] == "clips" else str(found["set"])


def _summary(found: Found) -> str:
    clips = found["clips"]
    told = [f"{clips['audited']} clips of {found['sources']} sources",
            f"{len(found['classes'])} classes"]  # fmt: skip
    told += [f"{len(clips['failed'])} failed"] if clips["failed"] else []
    told += [f"{clips['unlabelled']} without a label"] if clips["unlabelled"] else []
    return f"{', '.join(told)}; sbtools {found['sbtools']}"


def _spread(interval: Sequence[float] | None) -> str:
    return f"[{percent(interval[0])}, {percent(interval[1])}]" if interval else ""


def _row(cue: Found, found: Found) -> dict[str, Any]:
    floor = cue["floor"] or {"accuracy": None, "interval": None}
    cells = [
        (percent(cue["accuracy"]), _spread(cue["interval"])),
        (percent(found["majority"]), ""),
        (percent(cue["shuffled"]), ""),
        (percent(floor["accuracy"]), _spread(floor["interval"])),
        ("< 0.001" if cue["holm"] < 0.001 else f"{cue['holm']:.3f}", ""),
        ("yes" if cue["tells"] else "no", ""),
        (str(len(cue["named"])), ""),
        (f"{cue['by_chance']:.0f}", ""),
    ]
    return {"name": cue["title"], "what": cue["name"], "cells": cells}


def _classes(found: Found, cues: Sequence[Found]) -> list[dict[str, Any]]:
    """A row a class; those that a telling cue gives away most come first."""
    telling = [cue for cue in cues if cue["tells"]] or cues
    most = [max(cue["per_class"][at]["accuracy"] or 0 for cue in telling)
            for at in range(len(found["classes"]))]  # fmt: skip
    rows = []
    for at in sorted(range(len(most)), key=lambda at: -most[at]):
        each = [cue["per_class"][at] for cue in cues]
        cells = [(str(found["counts"][at]), "")]
        cells += [(percent(one["accuracy"]), _spread(one["interval"])) for one in each]
        rows.append({"name": found["classes"][at],
                     "cells": [*cells, (str(found["lists"]["left"][at]), "")]})  # fmt: skip
    return rows


def _lists(found: Found) -> list[str]:
    lists = found["lists"]
    told = [
        f"full: {lists['full']} clips, all that were audited.",
        f"debiased: {lists['debiased']} clips that no cue names.{_chance(found)}",
        f"debiased-balanced: {lists['debiased-balanced']} of these, {lists['each']} of each class "
        "that has any left.",
    ]
    if lists["lost"]:
        names = ", ".join(lists["lost"][:12]) + (" and others" if len(lists["lost"]) > 12 else "")
        told.append(f"{len(lists['lost'])} of {len(found['classes'])} classes have no clip left: "
                    f"{names}.")  # fmt: skip
    return told


def _chance(found: Found) -> str:
    """How many of the clips that are left out are there by chance."""
    telling = [cue for cue in found["cues"].values() if cue["tells"]]
    if not telling:
        return ""
    told = (f"{len(cue['named'])} by {cue['title']} ({cue['by_chance']:.0f} would be right by "
            "chance)" for cue in telling)  # fmt: skip
    return f" Named: {', '.join(told)}."


def _made(found: Found) -> list[tuple[str, str]]:
    model = found["model"]
    told = [("probe", "linear discriminant analysis, its penalty chosen on clips that it does not "
             f"answer; {found['folds']} folds by source, seed {found['seed']}"),
            ("intervals", f"{100 * found['level']:g} %, over sources")]  # fmt: skip
    if model is None:
        return told
    sha = model["weights_sha256"]
    return [("features of", model["name"]), ("weights", sha[:12] if sha else "none were given"),
            ("shown", f"{model['frames']} frames of {model['recipe']['size']} pixels; what hides: "
             f"{model['fill']}"), *told]  # fmt: skip


def _picture(found: Found, cues: Sequence[Found]) -> str:
    """Every cue with its interval; dotted, the most frequent class; crosses, shuffled labels."""
    made = axes(38 + 34 * len(cues), left=104, bottom=30, top=8)
    for place, cue in enumerate(cues):
        colour = SERIES[0] if cue["tells"] else MUTED
        if cue["interval"]:
            made.plot([100 * end for end in cue["interval"]], [place] * 2, color=colour,
                      linewidth=3, alpha=0.55)  # fmt: skip
        floor = cue["floor"]
        if floor:
            made.plot(100 * floor["accuracy"], place, "s", color=SERIES[1], markersize=5.5,
                      markeredgecolor=SURFACE)  # fmt: skip
        made.plot(100 * cue["shuffled"], place, "x", color=MUTED, markersize=5)
        made.plot(100 * cue["accuracy"], place, "o", color=colour, markersize=7.5,
                  markeredgecolor=SURFACE)  # fmt: skip
    made.axvline(100 * found["majority"], color=MUTED, linewidth=1, linestyle=(0, (1, 2)))
    made.set_yticks(range(len(cues)), [short(cue["title"], 17) for cue in cues])
    made.set_ylim(len(cues) - 0.4, -0.6)
    made.set_xlim(-2, 102)
    made.set_xlabel("% of labels")
    made.grid(True, axis="x", color=GRID)
    return svg(made, f"Labels named right from each of {len(cues)} cues, in percent")
