"""What a file system or a file claims and no store can hold: nothing about one file stops the others."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers import numbers
from lookalike.decode import worker
from lookalike.records import FileStamp, Skipped
from lookalike.store.rows import decode_item, encode_metadata

pytest_plugins = ["store_fixtures"]

SECONDS = 10**9
FAR = {  # seconds since 1970
    "2300": 10_413_792_000,
    "1601": -11_644_473_600,
    "year 9999": 253_402_300_799,
    "1677": -9_250_000_000,
}


class Claim:
    """The facts of a file, with some of them as a strange file system would give them."""

    def __init__(self, facts: os.stat_result, **claimed: int) -> None:
        self._facts, self._claimed = facts, claimed

    def __getattr__(self, name: str) -> object:
        return self._claimed.get(name, getattr(self._facts, name))


def claim(monkeypatch: pytest.MonkeyPatch, name: str, **claimed: int) -> None:
    """Let files of that name have these facts, for the walk and for who reads them."""
    true_stat, true_fstat = os.stat, os.fstat

    def stat(path, *args, **kwargs):
        facts = true_stat(path, *args, **kwargs)
        return Claim(facts, **claimed) if isinstance(path, str) and Path(path).name == name else facts

    def fstat(handle):
        facts = true_fstat(handle)
        where = Path(f"/proc/self/fd/{handle}")
        return Claim(facts, **claimed) if where.exists() and where.resolve().name == name else facts

    monkeypatch.setattr(os, "stat", stat)
    monkeypatch.setattr(worker.os, "fstat", fstat)


@pytest.mark.parametrize("seconds", FAR.values(), ids=FAR.keys())
def test_a_time_far_from_now_stops_nothing_and_is_told_again(photos, watched, seconds, monkeypatch):
    claim(monkeypatch, "2.png", st_mtime_ns=seconds * SECONDS)
    assert numbers(watched.add(photos)) == {"added": 6}
    assert numbers(watched.add(photos)) == {"unchanged": 6}
    assert watched.decoder.read == []
    assert watched.collection.verify().sound


def test_a_real_file_of_the_year_2300_becomes_an_item(photos, watched):
    os.utime(photos / "2.png", ns=(0, FAR["2300"] * SECONDS))
    if (photos / "2.png").stat().st_mtime_ns < 2**63:
        pytest.skip("this file system knows no such times")
    assert numbers(watched.add(photos)) == {"added": 6}
    assert numbers(watched.add(photos)) == {"unchanged": 6}


@pytest.mark.parametrize("facts", [{"st_size": 2**63}, {"st_size": 2**70, "st_ino": 2**90}, {"st_size": -1}])
def test_a_size_beyond_64_bits_stops_nothing(photos, watched, facts, monkeypatch):
    claim(monkeypatch, "2.png", **facts)
    report = watched.add(photos)
    assert report.added >= 5
    assert report.added + report.skipped == 6


@given(st.integers(), st.integers())
def test_stamps_fit_into_64_bits_and_keep_what_fits(size, mtime_ns):
    stamp = FileStamp(size, mtime_ns)
    assert 0 <= stamp.size < 2**63 and -(2**63) <= stamp.mtime_ns < 2**63
    if 0 <= size < 2**63:
        assert stamp.size == size
    if abs(mtime_ns) < 2**63:
        assert stamp.mtime_ns == mtime_ns


ANYTHING = st.text(st.characters()) | st.integers(-(10**40), 10**40) | st.floats()


@given(st.dictionaries(st.text(st.characters(), max_size=5), ANYTHING, max_size=4))
def test_whatever_a_file_says_of_itself_can_be_stored_and_read(metadata):
    encoded = encode_metadata(metadata)
    encoded.encode()
    facts = decode_item((1, "/a.jpg", b"", 1, 1, encoded, 0)).metadata
    assert len(facts) <= len(metadata)
    for name, value in metadata.items():
        sound = name.isprintable() and (not isinstance(value, str) or value.isprintable())
        if isinstance(value, float) and value - value != 0:
            assert name not in facts or not sound
        elif sound and isinstance(value, int) and not -(2**63) <= value < 2**63:
            assert facts[name] == str(value)
        elif sound:
            assert facts[name] == value


def test_a_number_of_ten_thousand_digits_can_be_stored():
    encoded = encode_metadata({"a": 10**10_000, "b": -(10**10_000), "width": 3})
    assert decode_item((1, "/a.jpg", b"", 1, 1, encoded, 0)).metadata["width"] == 3


FACTS = {
    "camera": "half \ud800 a letter",
    "lat": float("nan"),
    "lon": float("inf"),
    "width": 2**64,
    "n": 10**30,
}


def test_facts_that_no_store_can_hold_stop_nothing(photos, watched, monkeypatch):
    true_photos = watched.decoder.photos

    def claiming(requests):
        for photo in true_photos(requests):
            yield (
                photo
                if not photo.uri.endswith("2.png")
                else type(photo)(photo.uri, photo.stamp, photo.content_hash, photo.pixels, FACTS)
            )

    monkeypatch.setattr(watched.decoder, "photos", claiming)
    assert numbers(watched.add(photos)) == {"added": 6}
    item = watched.collection.item(watched.ids()["2.png"])
    odd = {"camera": "half � a letter", "width": str(2**64), "n": str(10**30)}
    assert item.metadata == odd
    assert [each.id for each in watched.collection.items(where="camera=half*")] == [item.id]
    assert watched.collection.verify().sound


def test_a_reason_that_quotes_half_a_letter_stops_nothing(photos, watched, monkeypatch):
    true_photos = watched.decoder.photos

    def refusing(requests):
        for photo in true_photos(requests):
            yield (
                photo
                if not photo.uri.endswith("2.png")
                else Skipped(photo.uri, "no \udcff photo", photo.stamp)
            )

    monkeypatch.setattr(watched.decoder, "photos", refusing)
    assert numbers(watched.add(photos)) == {"added": 5, "skipped": 1}
    assert watched.skipped() == {"2.png": "no � photo"}


ODD_NAMES = [
    b"n" * 251 + b".png",
    b"\xff\xfe.png",
    b"caf\xe9.png",
    b"new\nline.png",
    b"\x01\x1b[31m\x7f.png",
    b"\xed\xa0\x80.png",  # half a letter, as UTF-8 would not have it
    "\u202egnp.exe.png".encode(),
]


def test_any_names_in_one_folder_become_items(tmp_path, watched, make_photo):
    folder = tmp_path / "names"
    for seed, name in enumerate(ODD_NAMES):
        plain = make_photo(folder / "plain.png", seed)
        os.rename(os.fsencode(plain), os.fsencode(folder) + b"/" + name)  # noqa: PTH104
    assert numbers(watched.add(folder)) == {"added": len(ODD_NAMES)}
    assert numbers(watched.add(folder)) == {"unchanged": len(ODD_NAMES)}
    assert watched.collection.verify().sound
