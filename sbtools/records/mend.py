"""A record with an id and bad fields: it goes on without them, as a clip that failed."""

from __future__ import annotations

from sbtools.errors import RecordError
from sbtools.records.fields import Refused
from sbtools.records.parse import Record, parsed, require_right

KIND = "invalid"


def mended_line(line: bytes, where: str, stage: str) -> Record:
    """The record of a line that `parse` refuses, as `mended`; `where` ("stdin:12") begins messages.

    Raises RecordError for a line that is no JSON object, or has no id that can be one.
    """
    try:
        return mended(parsed(line), where, stage)
    except Refused as fault:
        raise RecordError(f"{where}: {fault}") from None


def mended(record: Record, where: str, stage: str) -> Record:
    """The fields that are right alone, with an `error` of the kind "invalid" that names the others.

    An error that the clip had before stays. Refused where there is no id.
    """
    faults: list[str] = []
    found = {name: record[name] for name in ("id",) if name in record}
    require_right(found)
    for name, value in record.items():
        beside = {other: found[other] for other in ("id", "start", "end") if other in found}
        try:
            require_right({**beside, name: value})
            found[name] = value
        except Refused as fault:
            faults.append(str(fault))
    more = f" (and {len(faults) - 1} fields more)" if len(faults) > 1 else ""
    told = {"stage": stage, "kind": KIND, "message": f"{where}: {faults[0]}{more}"}
    return {**found, "error": found.get("error", told)}


def sound(record: Record, stage: str) -> Record:
    """The record as the next stage takes it: itself, or what `mended` leaves of it."""
    try:
        require_right(record)
    except Refused:
        return mended(record, "what came out", stage)
    return record
