"""The records of an evaluation: what is kept of each, and what is known of all."""

from __future__ import annotations

import hashlib
import json
from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from sbtools import records
from sbtools.errors import SbtoolsError
from sbtools.evaluate import catalogue
from sbtools.job import never
from sbtools.records import Record
from sbtools.records.classes import note_class
from sbtools.rng import shard_of
from sbtools.train.gather import LEFT_OUT, source_of

FIELDS = (
    "id", "label", "text", "video", "start", "end", "fps", "masks", "pixels", "arrays", "plate",
    "mode", "source", "dataset", "split", "scene", "scene_scores", "clothes", "background_label",
    "foreground_label", "pair_of", "variant", "background_kind",
)  # fmt: skip
"""Of records: what the loader looks at, and what metrics go by."""


class EvalRecords:
    """Records of this shard that have not failed, as columns; `failed` are the others.

    labels counts the clips of each class, texts has what is read for a class, pairs its verb and
    noun, of all shards.
    seen counts the records of all shards; masked is the first of them that has masks, pixels
    whether any is itself masked. sources are where frames come from: masks, pixels, video. sha256
    is over the records as a training would keep them. everyone has the records of all shards, of
    a shard alone.
    """

    def __init__(self, group_by: str | None = None, sharded: bool = False) -> None:
        more = [*([group_by] if group_by else []), *catalogue.fields()]
        self.everyone = records.Columns(FIELDS) if sharded else None
        self._columns = records.Columns(dict.fromkeys([*FIELDS, *more]))
        self._made: list[str] = []
        self._codes: dict[str, int] = {}
        self._which = array("i")
        self._digest = hashlib.sha256()
        self.failed: list[Record] = []
        self.labels: Counter[str] = Counter()
        self.texts: dict[str, str] = {}
        self.pairs: dict[str, str] = {}
        self.sources: Counter[str] = Counter()
        self.seen = 0
        self.masked: Record | None = None
        self.pixels = False

    def __getstate__(self) -> dict[str, Any]:
        """For workers, which need the records alone; a digest cannot be copied."""
        return {name: value for name, value in vars(self).items() if name != "_digest"}

    def notice(self, record: Record) -> None:
        """Take note of a record of any shard that has not failed: what all of them bring."""
        self.pixels |= "pixels" in record
        if self.everyone is not None:
            self.everyone.append(record)
        if self.masked is None and "masks" in record:
            self.masked = record

    def append(self, record: Record) -> None:
        """Keep one more record that has not failed."""
        self._columns.append(record)
        made = json.dumps(record.get("made"))
        if made not in self._codes:
            self._codes[made] = len(self._made)
            self._made.append(made)
        self._which.append(self._codes[made])
        line = {name: value for name, value in record.items() if name not in LEFT_OUT}
        self._digest.update(records.dump(line))
        self.sources[source_of(record)] += 1
        if "label" in record:
            self.labels[record["label"]] += 1

    def __len__(self) -> int:
        return len(self._columns)

    def __getitem__(self, place: int) -> Record:
        record = self._columns[place]
        made = json.loads(self._made[self._which[place]])
        return record if made is None else {**record, "made": made}

    @property
    def sha256(self) -> str:
        """Of the records, in hexadecimal digits."""
        return self._digest.hexdigest()

    def label(self, place: int) -> str | None:
        """The label of a record, which is quicker to get than the record."""
        found: str | None = self._columns[place].get("label")
        return found

    def variant(self, place: int) -> str:
        """The variant of a record, empty where it has none."""
        return self._columns[place].get("variant") or ""


class RecordSubset(Sequence[Record]):
    """Some of the records, in order."""

    def __init__(self, kept: EvalRecords, places: Sequence[int] | None = None) -> None:
        self._kept = kept
        self._places = range(len(kept)) if places is None else places

    def __len__(self) -> int:
        return len(self._places)

    def __getitem__(self, place: Any) -> Any:
        return self._kept[self._places[place]]

    def variant(self, place: int) -> str:
        """The variant of a record, empty where it has none."""
        return self._kept.variant(self._places[place])

    def some(self, places: Sequence[int]) -> RecordSubset:
        """Those at some places."""
        return RecordSubset(self._kept, [self._places[place] for place in places])


def read(
    incoming: Iterable[Record],
    shard: tuple[int, int] = (0, 1),
    limit: int | None = None,
    group_by: str | None = None,
    stop: Callable[[], bool] = never,
) -> EvalRecords:
    """Keep the records of a shard, the first `limit` of them; texts are those of all records.

    Raises SbtoolsError where there is no record, unless `stop` turned true and cut the input short,
    RecordError where a class has two texts.
    """
    kept = EvalRecords(group_by, shard[1] > 1)
    for record in incoming:
        kept.seen += 1
        if "error" not in record:
            kept.notice(record)
            if "label" in record:
                note_class(record, kept.texts, kept.pairs)
        if shard[1] > 1 and shard_of(record["id"], shard[1]) != shard[0]:
            continue
        if limit is not None and len(kept) + len(kept.failed) >= limit:
            break
        if "error" in record:
            kept.failed.append({name: record[name] for name in record if name not in LEFT_OUT})
        else:
            kept.append(record)
    if not kept.seen and not stop():
        raise SbtoolsError("there are no records in the input")
    return kept


def require_expected(kept: EvalRecords, expected: Iterator[Record]) -> None:
    """UsageError that names the clips of `expected` that are neither here nor failed."""
    from sbtools.train.gather import Gathered
    from sbtools.train.gather import require_expected as require

    there = {hash(record["id"]) for record in (*RecordSubset(kept), *kept.failed)}
    require(Gathered("", ids=there), expected)
