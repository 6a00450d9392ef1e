"""Records a second, read, checked and written; memory of the columns of 1,000,000 records.

One JSON line per figure. `json_ratio` compares with plain json.loads and json.dumps in one run.
"""

from __future__ import annotations

import io
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Iterator

from sbtools.records import Columns, Writer, dump, read

FIELDS = ("id", "video", "label", "source", "masks", "start", "end")


def record(number: int, boxes: int) -> dict[str, object]:
    """A record as long as Kinetics' are; `boxes` of them on eight frames."""
    youtube = f"{number:011x}"
    label = f"class number {number % 400}"
    clip = f"{label}/{youtube}_000020_000030"
    found = {
        "id": clip,
        "video": f"kinetics400/train/{clip}.mp4",
        "label": label,
        "source": youtube,
        "start": 20.0,
        "end": 30.0,
        "frames": 300,
        "fps": 29.97,
        "width": 340,
        "height": 256,
    }
    if boxes:
        corners = [101.5, 33.25, 187.125, 240.75]
        box = {"xyxy": corners, "score": 0.8731, "role": "person", "prompt": "person"}
        found["sampled"] = list(range(18, 300, 37))
        found["boxes"] = [{"frame": 18 + 37 * (k // 2), **box} for k in range(boxes)]
    return found


def throughput(count: int, boxes: int) -> dict[str, object]:
    lines = b"".join(dump(record(number, boxes)) for number in range(count))
    rates, plain = [], []
    with open(os.devnull, "wb") as sink:
        writer = Writer(sink)
        for _ in range(5):
            begin = time.perf_counter()
            for item in read(io.BytesIO(lines), "bench"):
                writer.write(item)
            rates.append(count / (time.perf_counter() - begin))
            begin = time.perf_counter()
            for line in io.BytesIO(lines):
                sink.write(json.dumps(json.loads(line)).encode())
            plain.append(count / (time.perf_counter() - begin))
    best = max(rates)
    return {
        "figure": "read, check and write",
        "boxes": boxes,
        "bytes_a_record": len(lines) // count,
        "records_a_second": round(best),
        "json_ratio": round(best / max(plain), 2),
    }


def columns(count: int) -> dict[str, object]:
    produce = f"import sys; sys.argv[1:] = ['produce', '{count}']; import runpy; runpy.run_path"
    command = [sys.executable, "-c", f"{produce}({__file__!r}, run_name='__main__')"]
    kept = Columns(FIELDS)
    begin = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE) as source:
        assert source.stdout is not None
        for item in read(source.stdout, "bench"):
            kept.append(item)
    seconds = time.perf_counter() - begin
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {
        "figure": "columns",
        "records": len(kept),
        "peak_mib": round(peak),
        "seconds": round(seconds, 1),
    }


def produced(count: int) -> Iterator[bytes]:
    for number in range(count):
        item = record(number, 0)
        part = f"masks/{number // 15625:03d}of064-{number // 64 % 245:05d}.h5"
        key = str(item["id"]).replace("/", "%2F").replace(" ", "%20")
        item["masks"] = f"{part}::clips/{key}"
        yield dump(item)


if __name__ == "__main__":
    if sys.argv[1:2] == ["produce"]:
        sys.stdout.buffer.writelines(produced(int(sys.argv[2])))
    else:
        print(json.dumps(columns(1_000_000)), flush=True)
        print(json.dumps(throughput(30_000, 0)), flush=True)
        print(json.dumps(throughput(6_000, 16)), flush=True)
