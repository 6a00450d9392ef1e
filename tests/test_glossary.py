"""The glossary of sbtools(1) has the words that messages and pages use in a sense of their own."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from sbtools.evaluate import of_features
from sbtools.evaluate.catalogue import METRICS

PAGE = Path(__file__).resolve().parent.parent / "man" / "sbtools.1"
WORDS = """record store part view control shard source recipe floor counterpart variant band style
chance seed stage run result protocol preset method plate cue probe bank cell fill""".split()


def entries() -> list[tuple[list[str], str]]:
    """The words that stand together, and what is said of them."""
    text = PAGE.read_text("utf-8").partition(".SH GLOSSARY\n")[2].partition("\n.SH ")[0]
    found = []
    for entry in text.replace("\\-", "-").split(".TP\n")[1:]:
        head, _, told = entry.partition("\n")
        macro, _, rest = head.partition(" ")
        words = [quoted or bare for quoted, bare in re.findall(r'"([^"]*)"|(\S+)', rest)]
        found.append(([rest] if macro == ".B" else [w for w in words if w != ", "], told))
    return found


GLOSSARY = {word: told for words, told in entries() for word in words}


@pytest.mark.parametrize("word", WORDS)
def test_a_word_of_ours_is_told(word: str) -> None:
    assert len(GLOSSARY[word].split()) > 4


def test_the_words_are_in_the_order_of_the_alphabet() -> None:
    found = [re.sub("[^a-z]", "", words[0].lower()) for words, _ in entries()]
    assert len(found) > 50 and found == sorted(found)
    assert len(GLOSSARY) == sum(len(words) for words, _ in entries())


def test_every_short_name_at_the_head_of_a_column_is_told() -> None:
    rows = [*METRICS.values(), *of_features.ROWS.values()]
    short = {row.title for row in rows if re.search("[A-Z]", row.title)}
    assert {"P-top1", "B-top1", "SHAcc", "SBErr", "HOR", "BOR", "SCUBA", "ConflFG"} <= short
    assert [title for title in short if not {title, title.partition(",")[0]} & set(GLOSSARY)] == []
