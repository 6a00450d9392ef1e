"""Pickles of plain data are read; what would run, or fill the memory, is refused in one line."""

from __future__ import annotations

import collections
import os
import pickle
import struct
import sys
from pathlib import Path

import numpy as np
import pytest

from sbtools.errors import UsageError
from sbtools.index import pickles

PLAIN = {
    "abseiling/3caPS4FHFF8_000036_000046": ["archery/_Ygrq3t1bdU_000032_000042", 300, 5],
    "numbers": (0, -1, 255, 65536, 2**63, -(2**40), 1.5, True, False, None),
    "text": ("", "été", b"", b"\x00\xff", [[], {}, ()]),
    7: {(1, "a"): 0.25},
}
ARRAYS = [
    np.array([[0, 1, 1], [1, 0, 1]], dtype)
    for dtype in "b1 i1 i2 i4 i8 u1 u2 u4 u8 f2 f4 f8 >f4 >i8".split()
]


def written(folder: Path, data: bytes) -> Path:
    path = folder / "data.pickle"
    path.write_bytes(data)
    return path


def refusal(folder: Path, data: bytes) -> str:
    path = written(folder, data)
    with pytest.raises(UsageError) as caught:
        pickles.read(path)
    message = str(caught.value)
    assert message.startswith(str(path)) and message.isprintable() and len(message) < 400
    return message[len(str(path)) :]


@pytest.mark.parametrize("protocol", range(6))
def test_plain_data_of_every_protocol(tmp_path: Path, protocol: int) -> None:
    assert pickles.read(written(tmp_path, pickle.dumps(PLAIN, protocol))) == PLAIN


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("array", ARRAYS, ids=lambda array: str(array.dtype))
def test_arrays_of_numbers(tmp_path: Path, protocol: int, array: np.ndarray) -> None:
    for each in (array, np.asfortranarray(array), array[:, 1], array[:0], array[0, 0, None]):
        got = pickles.read(written(tmp_path, pickle.dumps([each, each], protocol)))
        for copy in got:
            assert (copy.dtype, copy.shape) == (each.dtype, each.shape)
            np.testing.assert_array_equal(copy, each)


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("number", [np.float32(0.1), np.int64(-3), np.bool_(True), np.uint8(200)])
def test_scalars_of_numpy_become_numbers(tmp_path: Path, protocol: int, number: np.generic) -> None:
    got = pickles.read(written(tmp_path, pickle.dumps({number: number}, protocol)))
    assert got == {number.item(): number.item()}
    assert type(got[number.item()]) is type(number.item())


@pytest.mark.parametrize("protocol", [0, 2, 3, 4, 5])
@pytest.mark.parametrize("order", "<>")
def test_strings_of_numpy_become_strings(tmp_path: Path, protocol: int, order: str) -> None:
    """As the keys of pyannot.pkl (gurkirt/corrected-UCF101-Annots 5de776b) are."""
    key = np.array(["Skijet/v_Skijet_g10_c04", "été"], f"{order}U23")
    data = pickle.dumps({each: 1 for each in key}, protocol)
    assert pickles.read(written(tmp_path, data)) == {"Skijet/v_Skijet_g10_c04": 1, "été": 1}


def test_strings_of_numpy_in_the_other_order_of_bytes(tmp_path: Path) -> None:
    kind = b"cnumpy\ndtype\n(S'U3'\nI0\nI1\ntR(I3\nS'>'\nNNNI12\nI4\nI8\ntb"
    letters = b"C\x0c" + "ab".encode("utf-32-be") + bytes(4)
    data = b"cnumpy.core.multiarray\nscalar\n(" + kind + letters + b"tR."
    assert pickles.read(written(tmp_path, data)) == "ab"


def test_names_of_numpy_1(tmp_path: Path) -> None:
    data = pickle.dumps(ARRAYS[3], 2).replace(b"numpy._core.", b"numpy.core.")
    np.testing.assert_array_equal(pickles.read(written(tmp_path, data)), ARRAYS[3])


def test_pickles_of_python_2(tmp_path: Path) -> None:
    """By hand, as cPickle.dumps({'v': numpy.array([1., 2.], 'f4'), u'w': 5L}, 2) writes it."""
    state = b"(K\x03U\x01<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00t"
    kind = b"cnumpy\ndtype\nU\x02f4K\x00K\x01\x87R" + state + b"b"
    made = b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R"
    array = made + b"(K\x01K\x02\x85" + kind + b"\x89U\x08\x00\x00\x80?\x00\x00\x00@tb"
    data = b"\x80\x02}(U\x01v" + array + b"X\x01\x00\x00\x00w\x8a\x01\x05U\x01\xe9S'\\xe8'\nu."
    got = pickles.read(written(tmp_path, data))
    assert got["v"].tolist() == [1.0, 2.0] and got["v"].dtype == np.float32
    assert got["w"] == 5 and got["é"] == "è"


def test_a_file_may_be_arrays_alone_in_every_protocol(tmp_path: Path) -> None:
    """As UCF101v2-GT.pkl is, whose bytes stand in strings: they count once, as a file's do."""
    array = np.arange(50_000, dtype="<f4") % 97
    for protocol in range(6):
        got = pickles.read(written(tmp_path, pickle.dumps([array] * 2, protocol)))
        np.testing.assert_array_equal(got[1], array)
        copies = pickle.dumps([array.copy(), array.copy()], protocol)
        np.testing.assert_array_equal(pickles.read(written(tmp_path, copies))[1], array)


def test_arrays_of_python_2_may_be_all_of_a_file(tmp_path: Path) -> None:
    """By hand, as cPickle.dumps(array, 2) writes it: its bytes are a string of opcode T."""
    state = b"(K\x03U\x01<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00t"
    kind = b"cnumpy\ndtype\nU\x02f4K\x00K\x01\x87R" + state + b"b"
    made = b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R"
    array = np.arange(50_000, dtype="<f4")
    text = b"T" + struct.pack("<I", array.nbytes) + array.tobytes()
    data = b"\x80\x02" + made + b"(K\x01M\x50\xc3\x85" + kind + b"\x89" + text + b"tb."
    np.testing.assert_array_equal(pickles.read(written(tmp_path, data)), array)


def test_arrays_cannot_be_written_to(tmp_path: Path) -> None:
    got = pickles.read(written(tmp_path, pickle.dumps(ARRAYS[3])))
    with pytest.raises(ValueError, match="read-only"):
        got[0] = 1


MARKED = "sbtools_was_run"
CALL = f"import os; os.environ[{MARKED!r}] = '1'".encode()
HOSTILE = {
    "system by REDUCE": b"cos\nsystem\n(S'exit 1'\ntR.",
    "eval": b"c__builtin__\neval\n(S'1'\ntR.",
    "exec": b"\x80\x04\x8c\x08builtins\x8c\x04exec\x93X" + struct.pack("<I", len(CALL)) + CALL
    + b"\x85R.",
    "a method of a name": b"\x80\x04\x8c\x05numpy\x8c\x0endarray.dumps\x93.",
    "numpy.load": b"cnumpy\nload\n(S'x'\ntR.",
    "getattr": b"cbuiltins\ngetattr\n(cnumpy\nndarray\nS'dump'\ntR.",
    "INST": b"(S'exit 1'\nios\nsystem\n.",
    "OBJ": b"(cos\nsystem\nS'exit 1'\no.",
    "OBJ of an allowed name": b"(cnumpy\ndtype\nS'f4'\no.",
    "NEWOBJ": b"\x80\x02cnumpy\nndarray\n(K\x02t\x81.",
    "NEWOBJ_EX": b"\x80\x04cnumpy\nndarray\n)}\x92.",
    "BUILD of a list": b"](S'append'\nK\x01db.",
    "BUILD of a name": b"cnumpy\ndtype\n}S'role'\nS'x'\nsb.",
    "BUILD of a name by slots": b"cnumpy\ndtype\nN}S'role'\nS'x'\ns\x86b.",
    "BUILD of an array":
    b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(K\x00tS'b'\ntR}b.",
    "EXT1": b"\x82\x01.",
    "EXT2": b"\x83\x01\x00.",
    "EXT4": b"\x84\x01\x00\x00\x00.",
    "PERSID": b"Pfile\n.",
    "BINPERSID": b"U\x04fileQ.",
    "a set": pickle.dumps({1}),
    "a frozenset": pickle.dumps(frozenset({1}), 4),
    "an old set": pickle.dumps({1}, 2),
    "a bytearray of protocol 2": pickle.dumps(bytearray(b"1"), 2),
    "NEXT_BUFFER": b"\x80\x05\x97.",
    "READONLY_BUFFER": b"\x80\x05C\x01a\x98.",
    "a class of collections": pickle.dumps(collections.OrderedDict(a=1)),
    "a REDUCE of a list": b"](K\x01tR.",
    "a REDUCE of a string": b"S'os'\n(K\x01tR.",
    "a REDUCE of ndarray": b"cnumpy\nndarray\n(K\x02tR.",
    "a REDUCE without a tuple": b"cnumpy\ndtype\nS'f4'\nR.",
    "an encoding that is none": b"c_codecs\nencode\n(S'a'\nS'zlib'\ntR.",
    "bytes of a size": b"cbuiltins\nbytes\n(J\xff\xff\xff\x7ftR.",
    "a name as value": b"cnumpy\nndarray\n.",
    "a name in a list": b"]cnumpy\nndarray\na.",
    "a type as value": pickle.dumps(np.dtype("f4")),
    "an array that was not filled":
    b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(K\x00tS'b'\ntR.",
    "an array of another kind":
    b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\ndtype\n(K\x00tS'b'\ntR.",
    "objects": pickle.dumps(np.array([{}], dtype=object)),
    "objects of protocol 2": pickle.dumps(np.array([{}], dtype=object), 2),
    "fields": pickle.dumps(np.zeros(2, [("a", "f4"), ("b", "i2")])),
    "dates": pickle.dumps(np.zeros(2, "M8[s]")),
    "strings": pickle.dumps(np.array(["a"])),
    "strings of another length": pickle.dumps(np.str_("a"), 3).replace(b"U1", b"U2"),
    "strings of numbers that are no letters":
    pickle.dumps(np.str_("a"), 3).replace(b"a\0\0\0", b"a\0\0\1"),
    "long doubles": pickle.dumps(np.zeros(2, np.longdouble)),
    "complex numbers": pickle.dumps(np.zeros(2, "c8")),
    "a complex number": pickle.dumps(2j),
    "a masked array": pickle.dumps(np.ma.zeros(2)),
    "a record array": pickle.dumps(np.rec.array([(1, 2)])),
    "an object as scalar": pickle.dumps(np.void(b"1")),
    "a key that is a list": b"}]K\x01s.",
    "a key that is an array": b"}" + pickle.dumps(ARRAYS[0], 2)[2:-1] + b"K\x01s.",
    "a number of 4096 bits": pickle.dumps(1 << 4096),
    "a key of 4096 bits": pickle.dumps({1 << 4096: 1}),
    "deep lists": b"]" * 2000 + b"a" * 1999 + b".",
    "deep tuples": b")" + b"\x85" * 2000 + b".",
    "deep tuples as a key": b"})" + b"\x85" * 300_000 + b"K\x01s.",
    "a list in itself": b"]q\x00h\x00a.",
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_what_is_more_than_data_is_refused(tmp_path: Path, name: str) -> None:
    before = set(sys.modules)
    message = refusal(tmp_path, HOSTILE[name])
    assert "only dicts, lists, tuples, strings, numbers" in message or "no whole pickle" in message
    assert MARKED not in os.environ and set(sys.modules) == before


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("a REDUCE of ndarray", "it calls something"),
        ("an array of another kind", "it calls something"),
        ("an encoding that is none", "it calls something"),
        ("bytes of a size", "it calls something"),
        ("BUILD of a list", "it sets the state of something"),
        ("BUILD of a name", "it sets the state of something"),
        ("deep lists", "it is nested deeper than 50"),
        ("a list in itself", "it is nested deeper than 50"),
        ("deep tuples as a key", "a key of a dict is no string or number"),
        ("a number of 4096 bits", "more than 64 bits"),
        ("an array that was not filled", "an array without bytes"),
        ("INST", "it makes an object of another kind"),
        ("EXT1", "it makes an object of another kind"),
        ("a set", "it makes an object of another kind"),
        ("NEWOBJ", "it makes an object of another kind"),
        ("PERSID", "it makes an object of another kind"),
    ],
)
def test_what_was_refused_is_told(tmp_path: Path, name: str, message: str) -> None:
    assert message in refusal(tmp_path, HOSTILE[name])


def test_the_name_that_is_refused_is_told(tmp_path: Path) -> None:
    assert "it names 'os.system'" in refusal(tmp_path, HOSTILE["system by REDUCE"])
    long = refusal(tmp_path, b"c" + b"\x1b[31m" * 4000 + b"\nx\n.")
    assert "'\\x1b[31m" in long


def test_the_same_lists_again_and_again_are_counted_each_time(tmp_path: Path) -> None:
    laughs = b"]q\x00"
    for level in range(30):
        laughs += b"](" + b"h" + bytes([level]) + (b"h" + bytes([level])) * 9
        laughs += b"eq" + bytes([level + 1])
    assert "more than 100000 objects" in refusal(tmp_path, laughs + b".")


@pytest.mark.parametrize("opcodes", [b"]", b"(", b"}", b"N\x85", b"]\x94", b"NN\x860"])
def test_opcodes_that_take_more_memory_than_they_are_long_are_counted(
    tmp_path: Path, opcodes: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pickles, "MOST", 1000)
    end = b"" if opcodes == b"(" else b"N."
    assert "makes more than 1000 objects" in refusal(tmp_path, opcodes * 1001 + end)


def test_a_shared_list_is_copied(tmp_path: Path) -> None:
    shared = [1]
    got = pickles.read(written(tmp_path, pickle.dumps([shared, shared])))
    assert got == [[1], [1]] and got[0] is not got[1]


def test_the_same_bytes_again_and_again_are_counted_each_time(tmp_path: Path) -> None:
    text = b"X" + struct.pack("<I", 50_000) + b"a" * 50_000 + b"q\x00"
    call = b"c_codecs\nencode\nh\x00X\x06\x00\x00\x00latin1\x86R"
    assert len(pickles.read(written(tmp_path, text + call * 2 + b"."))) == 50_000
    assert "more than 100000 bytes" in refusal(tmp_path, text + call * 3 + b".")


def array_of(shape: bytes, data: bytes) -> bytes:
    kind = b"cnumpy\ndtype\n(S'f4'\nI0\nI1\ntR(I3\nS'<'\nNNNI-1\nI-1\nI0\ntb"
    head = b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I0\ntS'b'\ntR"
    return head + b"(I1\n(" + shape + b"t" + kind + b"I00\n" + data + b"tb."


def test_an_array_by_hand(tmp_path: Path) -> None:
    got = pickles.read(written(tmp_path, array_of(b"I2\n", b"C\x08\0\0\x80?\0\0\0@")))
    assert got.tolist() == [1.0, 2.0]


@pytest.mark.parametrize(
    ("shape", "data"),
    [
        (b"I3\n", b"C\x08\0\0\x80?\0\0\0@"),
        (b"I1\n", b"C\x08\0\0\x80?\0\0\0@"),
        (b"I-2\nI-1\n", b"C\x08\0\0\x80?\0\0\0@"),
        (b"I4611686018427387904\nI4\n", b"C\x00"),
        (b"I4611686018427387904\nI0\n", b"C\x00"),
        (b"I1000000\nI0\n", b"C\x00"),
        (b"F2.0\n", b"C\x08\0\0\x80?\0\0\0@"),
        (b"I01\n" * 2, b"C\x04\0\0\x80?"),
        (b"I1\n" * 40, b"C\x04\0\0\x80?"),
        (b"I1\n", b"]"),
        (b"I1\n", b"N"),
    ],
)
def test_arrays_whose_bytes_are_not_of_their_shape(
    tmp_path: Path, shape: bytes, data: bytes
) -> None:
    message = refusal(tmp_path, array_of(shape, data))
    assert "is not of its shape and type" in message or "has no shape or bytes" in message


def test_a_type_whose_state_says_more_is_refused(tmp_path: Path) -> None:
    whole = array_of(b"I2\n", b"C\x08\0\0\x80?\0\0\0@")
    for changed in (b"'<'\nNNS'a'\n", b"'<'\nN(S'a'\ntN", b"'!'\nNNN", b"''\nNNN"):
        assert "of no numbers" in refusal(tmp_path, whole.replace(b"'<'\nNNN", changed))
    other = whole.replace(b"numpy\nndarray", b"numpy\ndtype")
    assert "it calls something" in refusal(tmp_path, other)


@pytest.mark.parametrize(
    "claim",
    [
        b"\x8d" + struct.pack("<Q", 2**62),
        b"\x8e" + struct.pack("<Q", 2**62),
        b"\x80\x05\x96" + struct.pack("<Q", 2**40),
        b"\x80\x04\x95" + struct.pack("<Q", 2**62),
        b"B" + struct.pack("<I", 2**32 - 1),
        b"\x8b" + struct.pack("<i", 2**31 - 1),
        b"T" + struct.pack("<i", -1),
        b"]r" + struct.pack("<I", 2**32 - 1),
    ],
)
def test_claimed_lengths_are_not_believed(tmp_path: Path, claim: bytes) -> None:
    import tracemalloc

    tracemalloc.start()
    refusal(tmp_path, claim + b"abc")
    assert tracemalloc.get_traced_memory()[1] < 4 << 20
    tracemalloc.stop()


@pytest.mark.parametrize("protocol", range(6))
def test_cut_files_are_damaged(tmp_path: Path, protocol: int) -> None:
    whole = pickle.dumps([*PLAIN.values(), ARRAYS[3], np.float32(1)], protocol)
    for length in range(0, len(whole)):
        message = refusal(tmp_path, whole[:length])
        assert "is no whole pickle" in message or "a pickle may hold only" in message
    assert "copy it again" in refusal(tmp_path, whole[:-1])


def test_any_byte_changed_gives_plain_data_or_one_line(tmp_path: Path) -> None:
    whole = bytearray(pickle.dumps([PLAIN, ARRAYS[4], np.float32(1)], 4))
    draws = np.random.default_rng(0)
    for place in range(len(whole)):
        changed = bytearray(whole)
        changed[place] = draws.integers(256)
        path = written(tmp_path, bytes(changed))
        try:
            pickles.read(path)
        except UsageError as error:
            assert str(path) in str(error)


def test_a_file_that_is_too_large_is_not_read(tmp_path: Path) -> None:
    path = written(tmp_path, pickle.dumps("a" * 100))
    with pytest.raises(UsageError, match=r"data\.pickle: \d+ bytes: .* over 50 "):
        pickles.read(path, limit_bytes=50)


def test_what_is_no_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="gone"):
        pickles.read(tmp_path / "gone.pickle")
    with pytest.raises(UsageError, match="folder"):
        pickles.read(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(UsageError, match="pipe"):
        pickles.read(tmp_path / "pipe")
