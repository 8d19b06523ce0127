"""Vectors in pages and blocks, what changed since, checksums."""

from __future__ import annotations

import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lookalike.records import FileStamp, Photo, Skipped, Space
from lookalike.store import PhotoBatch, Store, items, vectors
from lookalike.store.checksums import place_key, row_checksum
from lookalike.store.rows import (
    decode_item,
    decode_vectors,
    encode_metadata,
    encode_vector,
    item_checksum,
    item_is_sound,
    vector_checksum,
    vector_is_sound,
)

DIM = 4


class Shelf:
    """A store of one space, filled without files."""

    def __init__(self, folder: Path) -> None:
        self.store = Store(folder, create=True)
        self.space = self.store.ensure_space("fake", "f" * 64, DIM)
        self.vectors = self.store.vectors(self.space)

    def put(self, **content: int) -> dict[str, str]:
        """Commit photos in one batch, by name and number of their content."""
        photos = [
            (Photo(name, FileStamp(1, 1), b"%032d" % number, None, {"width": number}), row(number))
            for name, number in content.items()
        ]
        done = self.store.commit(self.space, PhotoBatch(photos), reader="r", is_gone=lambda _: False)
        assert done.lost == []
        return {each.uri: each.outcome for each in done.committed}


def row(number: int) -> np.ndarray:
    """One vector per number."""
    return np.random.default_rng(number).standard_normal(DIM).astype(np.float32)


@pytest.fixture
def shelf(tmp_path) -> Shelf:
    shelf = Shelf(tmp_path / "v.lookalike")
    yield shelf
    shelf.store.close()


@pytest.mark.parametrize("count", [0, 1, 6, 7, 8, 13, 14, 15])
def test_pages_and_blocks_are_complete_at_their_borders(shelf, monkeypatch, count):
    monkeypatch.setattr(vectors, "_PAGE", 7)
    monkeypatch.setattr(items, "_PAGE", 7)
    shelf.put(**{f"p{n}": n for n in range(count)})
    ids = list(range(1, count + 1))
    expected = np.array([row(n) for n in range(count)], np.float32).reshape(count, DIM)
    assert shelf.vectors.ids().tolist() == ids
    for rows in (1, 7, 1000):
        blocks = list(shelf.vectors.blocks(rows))
        assert all(len(block.ids) == rows for block in blocks[:-1])
        assert [n for block in blocks for n in block.ids.tolist()] == ids
        if count:
            np.testing.assert_array_equal(np.concatenate([block.rows for block in blocks]), expected)
    fetched = shelf.vectors.fetch([*ids, 999])
    assert fetched.ids.tolist() == ids
    np.testing.assert_array_equal(fetched.rows, expected)
    assert fetched.rows.dtype == np.float32 and fetched.rows.shape == (count, DIM) and fetched.damaged == ()
    of = list(shelf.vectors.blocks_of(np.array(ids[::2], np.int64)))
    assert [n for block in of for n in block.ids.tolist()] == ids[::2]
    assert [item.id for page in shelf.store.items.pages() for item in page] == ids
    assert list(shelf.store.items.get([*ids, 999])) == ids
    assert shelf.vectors.count() == shelf.store.items.count() == count


def test_blocks_go_on_behind_gaps(shelf):
    shelf.put(**{f"p{n}": n for n in range(30)})
    shelf.store.items.remove(list(range(5, 25)))
    assert [b.ids.tolist() for b in shelf.vectors.blocks(4)] == [[1, 2, 3, 4], [25, 26, 27, 28], [29, 30]]


names = st.sampled_from(["a", "b", "c", "d", "e"])
steps = st.lists(
    st.one_of(
        st.tuples(st.just("put"), st.dictionaries(names, st.integers(0, 6), min_size=1, max_size=4)),
        st.tuples(st.just("remove"), st.sets(names, min_size=1, max_size=3)),
        st.tuples(st.just("skip"), names),
    ),
    max_size=12,
)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(steps)
def test_changes_tell_exactly_what_happened(tmp_path_factory, history):
    """From every moment of a random history, the changes lead to the state at its end."""
    shelf = Shelf(tmp_path_factory.mktemp("history") / "v.lookalike")
    try:
        states = [(0, {})]
        for kind, what in history:
            if kind == "put":
                shelf.put(**what)
            elif kind == "remove":
                found = [item.id for name in sorted(what) if (item := shelf.store.items.by_uri(name))]
                assert shelf.store.items.remove(found) == len(found)
            else:
                batch = PhotoBatch(skipped=[Skipped(what, "garbage")])
                shelf.store.commit(shelf.space, batch, reader="r", is_gone=lambda _: False)
            block = shelf.vectors.fetch(shelf.vectors.ids().tolist())
            states.append(
                (shelf.vectors.seq(), dict(zip(block.ids.tolist(), map(bytes, block.rows), strict=True)))
            )
        assert [seq for seq, _ in states] == sorted({seq for seq, _ in states})  # every step moves the clock
        last_seq, last = states[-1]
        for seq, state in states:
            changes = shelf.vectors.changes(seq)
            assert changes.seq == last_seq
            caught_up = {n: r for n, r in state.items() if n not in changes.removed}
            written = shelf.vectors.fetch(changes.written.tolist())
            caught_up |= dict(zip(written.ids.tolist(), map(bytes, written.rows), strict=True))
            assert caught_up == last
            touched = {n for n in last if state.get(n) != last[n]}
            assert touched <= set(changes.written.tolist())
            assert set(changes.removed.tolist()).isdisjoint(last)
            if seq == last_seq:
                assert (len(changes.written), len(changes.removed)) == (0, 0)
        held = shelf.vectors.ids().tolist()
        assert held == [item.id for page in shelf.store.items.pages() for item in page]
    finally:
        shelf.store.close()


ROW = (7, "/p/ä.jpg", b"h" * 32, 10, 20, '{"width":1}', 0)


def sound_row() -> tuple:
    checksum = item_checksum(ROW[0], ROW[1], ROW[2], FileStamp(ROW[3], ROW[4]), ROW[5])
    return (*ROW[:-1], checksum)


def test_an_item_is_sound_only_as_written():
    row = sound_row()
    assert item_is_sound(row)
    assert decode_item(row).metadata == {"width": 1}
    others = ["/p/a.jpg", b"i" * 32, 11, 21, '{"width":2}', row[-1] ^ 1]
    for at, other in enumerate(others, 1):
        assert not item_is_sound((*row[:at], other, *row[at + 1 :])), at
        for odd in (None, 1.5, b"\xff", "\udcff", 2**70):
            assert not item_is_sound((*row[:at], odd, *row[at + 1 :])), (at, odd)


def test_checksums_know_where_one_column_ends():
    stamp = FileStamp(1, 23)
    whole = item_checksum(1, "a", b"b", stamp, "c")
    assert whole != item_checksum(1, "ab", b"", stamp, "c")
    assert whole != item_checksum(1, "a", b"b", FileStamp(12, 3), "c")
    assert whole != item_checksum(2, "a", b"b", stamp, "c")
    assert row_checksum("t", "ab", "c") != row_checksum("t", "a", "bc")
    assert row_checksum("t", 1, None) != row_checksum("t", "1", None)
    assert row_checksum("t", b"1") != row_checksum("t", "1")


def test_known_checksums_stay_for_ever():
    """Stored checksums are part of the format."""
    assert place_key("items", 3) == 2005720513
    bound = item_checksum(3, "/p/a.jpg", b"\x01" * 32, FileStamp(5, 6), "{}")
    assert bound == 338502656 ^ 2005720513
    content = encode_vector(np.array([1, 0, -1, 0.5], np.float32))
    assert content == b"\x00\x00\x80?\x00\x00\x00\x00\x00\x00\x80\xbf\x00\x00\x00?"
    assert vector_checksum(2, 3, content) == 1971337869 ^ place_key("vectors_2", 3)
    assert row_checksum("clock", 1, None, "x", b"y") == 2943784349


@pytest.mark.parametrize("bit", range(0, 128, 5))
def test_a_vector_with_a_flipped_bit_is_not_sound(bit):
    content = encode_vector(row(1))
    checksum, space = vector_checksum(2, 5, content), Space(2, "fake", "ab", DIM, True)
    assert vector_is_sound(space, 5, checksum, content)
    flipped = bytearray(content)
    flipped[bit // 8] ^= 1 << bit % 8
    assert not vector_is_sound(space, 5, checksum, bytes(flipped))
    assert not vector_is_sound(space, 5, checksum, content[:-1])
    assert not vector_is_sound(replace(space, dim=DIM + 1), 5, checksum, content)
    assert not vector_is_sound(space, 5, checksum, None)
    assert not vector_is_sound(space, 6, checksum, content)  # it stands in another's place
    assert not vector_is_sound(replace(space, id=3), 5, checksum, content)
    assert not vector_is_sound(space, "5", checksum, content)
    assert vector_is_sound(space, 5, zlib.crc32(content), content)  # as formats before 5 wrote it
    np.testing.assert_array_equal(decode_vectors([content, content], DIM), [row(1), row(1)])


def test_metadata_is_written_one_way():
    assert encode_metadata({"width": 1, "camera": "é"}) == encode_metadata({"camera": "é", "width": 1})
    assert encode_metadata({"b": 1.5, "a": "x"}) == '{"a":"x","b":1.5}'
