"""What a need is to the loader."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from sbtools.store import Stores

if TYPE_CHECKING:
    from sbtools.loader.excerpt import Excerpt

Record = Mapping[str, Any]
Brought = dict[str, Any]


class Need:
    """Something that comes with each clip. Settings are the keyword arguments of the class.

    Everything is read from the instance, after __init__: it may depend on settings.
    """

    name: str = ""
    """What the table calls it."""

    fields: tuple[str, ...] = ()
    """Of the records; the ranks keep these."""

    planes: tuple[str, ...] = ()
    """Masks that every excerpt has: person, object, person_box, object_box."""

    others: bool = False
    """Whether it draws among the other clips."""

    def require(self, root: str | None) -> None:
        """UsageError where what the settings name is not there; asked once, before training."""

    def refuse(self, record: Record) -> str | None:
        """Why a clip cannot be trained on, without its id; None where nothing is known."""
        return None

    def collect(self, found: Any, record: Record, stores: Stores) -> Any:
        """What is known of the records so far (None at first), with one more."""
        return None

    def facts(self, found: Any) -> Any:
        """What was collected, as JSON: it is in `facts` of the run, under the need's name, unless
        it is None. Raises UsageError where the records together lack what is needed."""
        return found

    def instead(self, record: Record, draw: np.random.Generator) -> Record:
        """The clip whose frames are taken for this one's; only in training."""
        return record

    def bring(self, clip: Excerpt, facts: Any) -> Brought:
        """What a batch has of this clip, by name: arrays of one shape for all clips, stacked there;
        an excerpt is its video, float [B, T, 3, S, S], in colours of its own and normalised.

        Raises ClipError where the clip does not have it: it fails as if it could not be decoded.
        """
        return {}
