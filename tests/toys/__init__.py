"""Methods as another package would write them: each in a file of at most 40 lines."""

from __future__ import annotations

TOYS = {
    "centred": "tests.toys.centred:Centred",
    "streams": "tests.toys.streams:Streams",
    "mixing": "tests.toys.mixing:Mixing",
    "fooling": "tests.toys.fooling:Fooling",
}
