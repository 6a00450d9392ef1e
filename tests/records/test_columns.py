"""Many records in little memory."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from sbtools.records import (
    Columns,
)

BOX = {"frame": 3, "xyxy": [1, 2.5, 3, 4], "role": "person"}


def many(count: int) -> Iterator[dict[str, Any]]:
    for number in range(count):
        clip = f"class {number % 7}/{number:011x}"
        record: dict[str, Any] = {"id": clip, "label": f"class {number % 7}", "frames": number}
        if number % 3:
            record |= {
                "start": number / 3,
                "video": f"v/{clip}.mp4",
                "extra": [number, {"a": None}],
            }
        if number % 5 == 0:
            record |= {"label": "", "source": "\udcff/\n\U0001f480/"}
        yield record


def test_columns_give_back_the_fields_they_keep() -> None:
    fields = ("id", "video", "label", "source", "start", "frames", "extra")
    kept = Columns(fields)
    for record in many(5000):
        kept.append({**record, "boxes": [BOX]})
    assert len(kept) == 5000
    for found, record in zip(kept, many(5000), strict=True):
        assert found == record
        assert list(found) == [name for name in fields if name in record]
    assert kept[-1] == kept[4999]
    with pytest.raises(IndexError):
        kept[5000]


def test_columns_of_a_clip_take_less_than_300_bytes() -> None:
    code = (
        "import sys; from sbtools.records import Columns\n"
        "def peak():\n"
        "    text = open('/proc/self/status').read()\n"
        "    return int(text.split('VmHWM:')[1].split()[0]) << 10\n"
        "kept = Columns(('id', 'video', 'label', 'source', 'masks', 'start', 'end'))\n"
        "before = peak()\n"
        "for n in range(200_000):\n"
        "    id = f'class number {n % 400}/{n:011x}_000020_000030'\n"
        "    kept.append({'id': id, 'label': id[:16], 'source': id[-25:],\n"
        "        'start': 20., 'end': 30.,\n"
        "        'video': f'kinetics400/train/{id}.mp4',\n"
        "        'masks': f'masks/003of064-{n // 64:05d}.h5::clips/' + id.replace('/', '%2F')})\n"
        "sys.exit(peak() - before > 300 * 200_000)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
