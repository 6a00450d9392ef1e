"""`python tests/messages.py` finds what the program can say, and what it says can be read."""

from __future__ import annotations

import re

from tests.messages import PACKAGE, by_command, commands, listing

SAID = [each for said in by_command().values() for each in said]


def test_known_messages_are_found_under_their_command() -> None:
    found = {name: {(each.said, each.text) for each in said} for name, said in by_command().items()}
    assert ("UsageError", "--dataset needs --annotations: the file that names its clips") in (
        found["index"]
    )
    assert ("--seed", "Seed of all randomness.") in found["shared"]
    assert ("help", "Find the boxes of people and objects.") in found["detect"]
    missing = "frame {number} has no mask: there is no {expected}"
    assert ("ClipError missing", missing) in found["segment"]
    assert ("warning", "%d of %d clips failed%s") in found["shared"]
    assert ("page", "Clips that are named") in found["audit"]
    assert ("page", "Failed clips") in found["report"]
    (mask,) = (text for said, text in found["mask"] if said == "help" and "MODE" in text)
    assert mask.startswith("Hide the background") and "equation none nothing bg" in mask


def test_each_command_says_something_and_no_message_is_empty() -> None:
    found = by_command()
    assert [*found] == ["sbtools", *commands(), "shared"]
    assert all(said for said in found.values()) and len(SAID) > 1500
    assert all(re.search("[A-Za-z]{2}", each.text) and each.said for each in SAID)
    assert all(each.text == " ".join(each.text.split()) for each in SAID)


def test_every_error_that_is_raised_with_a_text_is_there() -> None:
    told = "\n".join(each.text for each in SAID)
    for path in PACKAGE.rglob("*.py"):
        source = path.read_text("utf-8")
        raised = r'raise (?:Usage|Sbtools|Damaged|Record|Locked|Output)Error\(\s*f?"([^"{\\]+)'
        for text in re.findall(raised, source):
            assert " ".join(text.split()) in told, f"{path.name}: {text}"


def test_a_line_is_printed_for_each() -> None:
    lines = [*listing()]
    assert [line[3:] for line in lines if line.startswith("== ")] == [*by_command()]
    assert len(lines) == len(SAID) + len(by_command())
    assert any(re.match(r"sbtools/cli/index\.py:\d+  --verify: Decode", line) for line in lines)


def test_errors_and_lines_of_the_log_are_clauses_in_one_line() -> None:
    for each in SAID:
        if re.match(r"[A-Z][a-z]+Error|warning|info|error", each.said):
            ends = re.search(r"[^.]\.$|\n", each.text)
            begins = re.match(r"[A-Z][a-z]+ ", each.text.removeprefix("No such command"))
            assert not ends and not begins, each


OURS = r"""\bstands? (twice|under|already)\b|\bto go by\b|\bbegins? anew\b|\bname it too\b
|\bframe model\b|\bhave it said\b|\bpeople enough\b|\bleft no word\b|\bcan be had\b"""


def test_words_that_no_reader_would_look_for_are_in_no_message() -> None:
    ours = re.compile(OURS.replace("\n", ""))
    found = [str(each) for each in SAID if ours.search(each.text)]
    theirs = ("sbtools/evaluate/", "sbtools/report/", "sbtools/presets/", "sbtools/protocols/")
    assert [each for each in found if not each.startswith(theirs)] == []
