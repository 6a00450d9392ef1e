from __future__ import annotations

import hashlib
import itertools

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from sbtools.rng import generator, shard_of


def test_the_key_is_the_hash_of_the_length_prefixed_fields() -> None:
    state = hashlib.sha256()
    for field in (b"7", b"a/b", b"fill", b"2"):
        state.update(len(field).to_bytes(8, "little") + field)
    key = np.frombuffer(state.digest()[:16], "<u8")
    wanted = np.random.Generator(np.random.Philox(key=key)).random(5)
    assert generator(7, "a/b", "fill", epoch=2).random(5).tolist() == wanted.tolist()


def test_every_field_counts_and_none_runs_into_the_next() -> None:
    keys = [(0, "a", "b", 0), (1, "a", "b", 0), (0, "ab", "", 0), (0, "", "ab", 0)]
    keys += [(0, "a", "b0", 0), (0, "a", "b", 1), (-1, "a", "b", 0), (10, "a", "b", 0)]
    draws = [
        generator(seed, id, purpose, epoch).integers(1 << 62) for seed, id, purpose, epoch in keys
    ]
    assert len(set(draws)) == len(keys)


@given(st.text(st.characters()), st.integers(), st.integers(0, 1000))
def test_any_id_has_its_own_repeatable_draws(id: str, seed: int, epoch: int) -> None:
    first = generator(seed, id, "fill", epoch).normal(size=3)
    assert (generator(seed, id, "fill", epoch).normal(size=3) == first).all()
    assert 0 <= shard_of(id, 7) < 7


def test_shards_follow_sha1() -> None:
    for id, count in itertools.product(("a", "juggle/g23_c01", "\U0001f480"), (1, 2, 64)):
        wanted = int(hashlib.sha1(id.encode()).hexdigest(), 16) % count
        assert shard_of(id, count) == wanted


def test_half_characters_have_a_shard() -> None:
    assert shard_of("\udcff", 1 << 160) == int(hashlib.sha1(b"\xed\xb3\xbf").hexdigest(), 16)


def test_shards_are_even() -> None:
    counts = np.bincount([shard_of(f"clip{number}", 8) for number in range(8000)], minlength=8)
    assert counts.min() > 880
    assert counts.max() < 1120
