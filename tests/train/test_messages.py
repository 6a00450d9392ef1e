"""Messages of ranks as lines."""

from __future__ import annotations

import pytest

from sbtools.train import messages
from sbtools.train.messages import KINDS, Message, decode, encode

ONE_OF_EACH: list[Message] = [
    messages.Epoch({"epoch": 1, "losses": {"infonce": 0.5}}),
    messages.Step({"epoch": 1, "step": 2, "steps": 3, "loss": 0.25, "clips": 4}),
    messages.Log(30, "ä\nb"),
    messages.Met(0),
    messages.Ended("done"),
    messages.Failed(1, 4, "the disk is full"),
    messages.Bug(1, "ZeroDivisionError: x", "Traceback\n"),
    messages.Died(1, -9),
]


@pytest.mark.parametrize("message", ONE_OF_EACH, ids=lambda m: type(m).__name__)
def test_a_message_is_one_line_and_comes_back(message: Message) -> None:
    line = encode(message)
    assert line.isascii() and line.count(b"\n") == 1 and line.endswith(b"\n")
    assert decode(line) == message


def test_there_is_one_of_each() -> None:
    assert {type(message).__name__ for message in ONE_OF_EACH} == KINDS.keys()


@pytest.mark.parametrize(
    "line",
    [b"a library prints", b"[1]", b"3", b"{}", b'{"Met": 3}', b'{"Met": {"rnk": 3}}', b"\xff",
     b'{"Else": {}}', b'{"Met": {"rank": 1}, "Ended": {"word": "done"}}', b"null"],
)  # fmt: skip
def test_what_is_no_message_is_none(line: bytes) -> None:
    assert decode(line) is None
