"""The example frames that a result carries."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import islice

from sbtools.report.node import Node

PICTURE = re.compile(r"data:image/(?:jpeg|png);base64,[A-Za-z0-9+/]+={0,2}")
LIMIT = 12


@dataclass(frozen=True)
class Example:
    """A clip in its views: pictures as data URIs."""

    id: str
    label: str
    views: dict[str, list[str]]


def examples(node: Node) -> list[Example]:
    """The first clips. What is not a JPEG or PNG data URI is left out: a page loads nothing."""
    found = []
    for clip in islice(node.nodes(), LIMIT):
        views = {name: _pictures(seen) for name, seen in clip["views"].items()}
        found.append(Example(clip["id"].text(), clip["label"].text(), views))
    return [example for example in found if any(example.views.values())]


def _pictures(node: Node) -> list[str]:
    values = [node.value] if isinstance(node.value, str) else node.array()
    return [uri for uri in values if isinstance(uri, str) and PICTURE.fullmatch(uri)]


@dataclass(frozen=True)
class Flip:
    """A clip that is answered otherwise in a view: both answers, and pictures as data URIs."""

    id: str
    label: str
    view: str
    answers: list[str]
    pictures: list[list[str]]

    @property
    def whole(self) -> bool:
        """Whether it has both answers and both pictures."""
        return len(self.answers) == 2 == len(self.pictures) and all(self.pictures)


def flips(node: Node) -> list[Flip]:
    """The first of them, without those that lack a picture or an answer."""
    found = [
        Flip(one["id"].text(), one["label"].text(), one["view"].text(), one["answers"].texts(),
             [_pictures(each) for each in one["pictures"].nodes()])
        for one in islice(node.nodes(), LIMIT)
    ]  # fmt: skip
    return [flip for flip in found if flip.whole]
