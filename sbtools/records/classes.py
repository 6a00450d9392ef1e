"""What records say of their class."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sbtools.errors import RecordError

SEPARATOR = "|"
"""Between verb and noun."""


Texts = dict[str, str]
"""By label."""


def note_class(record: Mapping[str, Any], texts: Texts, pairs: Texts) -> None:
    """Keep what models read for the record's label, its text or the label itself, and VERB|NOUN
    where it has the fields verb and noun; RecordError where the class has another already."""
    label: str = record["label"]
    _keep(texts, "text", record, record.get("text") or label)
    if record.get("verb") and record.get("noun"):
        _keep(pairs, "verb and noun", record, f"{record['verb']}{SEPARATOR}{record['noun']}")


def _keep(known: Texts, what: str, record: Mapping[str, Any], told: str) -> None:
    label = record["label"]
    if known.setdefault(label, told) != told:
        raise RecordError(
            f"{record['id']!a}: the {what} of class {label!a} is {told!a} here, and "
            f"{known[label]!a} before"
        )
