"""The write-ahead log after a kill: whatever bit of it is flipped, nothing acknowledged is lost unnamed."""

from __future__ import annotations

import random
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from helpers import CountingDecoder, rows_of
from lookalike import Collection
from lookalike.embedders.fake import FakeEmbedder
from lookalike.errors import DamagedError
from lookalike.store.acknowledged import Acknowledged
from lookalike.store.log import log_of, mend_log, read_log

COUNT = 128
KILLED = """
import os, signal, sys
sys.path.insert(0, sys.argv[3])
from helpers import CountingDecoder
from lookalike import Collection
from lookalike.embedders.fake import FakeEmbedder

told = 0
def tell(each):
    global told
    told += 1
    if told == int(sys.argv[4]):
        print(told, flush=True)
        os.kill(os.getpid(), signal.SIGKILL)

with Collection(sys.argv[1], embedder=FakeEmbedder(), decoder=CountingDecoder()) as collection:
    collection.add(sys.argv[2], on_commit=tell)
"""


def opened(folder: Path) -> Collection:
    return Collection(folder, embedder=FakeEmbedder(), decoder=CountingDecoder())


@pytest.fixture(scope="module")
def photos(tmp_path_factory, make_photo):
    folder = tmp_path_factory.mktemp("photos")
    for seed in range(COUNT + 32):
        make_photo(folder / f"{seed:03}.png", seed, (8, 6))
    return folder


@pytest.fixture(scope="module")
def killed(tmp_path_factory, photos):
    """A collection that was killed when it had acknowledged 128 photos: they are in its log."""
    folder = tmp_path_factory.mktemp("killed") / "c.lookalike"
    arguments = [str(folder), str(photos), str(Path(__file__).parents[1]), str(COUNT)]
    ran = subprocess.run(
        [sys.executable, "-c", KILLED, *arguments], capture_output=True, text=True, check=False
    )
    assert (ran.returncode, ran.stdout.strip()) == (-signal.SIGKILL, str(COUNT)), ran.stderr
    assert log_of(folder / "store.sqlite").stat().st_size > 100_000
    return folder


@pytest.fixture
def copy(killed, tmp_path):
    return Path(shutil.copytree(killed, tmp_path / "c.lookalike"))


def test_a_sound_log_is_read_whole(copy):
    assert read_log(copy / "store.sqlite") == "sound"
    with opened(copy) as collection:
        assert collection.info().items == COUNT
        assert collection.verify().sound
    assert not log_of(copy / "store.sqlite").exists()


def test_a_log_that_ends_in_the_middle_of_a_write_is_sound(copy):
    log = log_of(copy / "store.sqlite")
    with log.open("ab") as file:
        file.write(log.read_bytes()[32:2_000])  # a frame of which not all came to the disk
    with opened(copy) as collection:
        assert collection.info().items == COUNT
        assert collection.verify().sound


@pytest.mark.parametrize("seed", range(24))
def test_a_flipped_bit_is_named_and_costs_nothing_that_cannot_be_read_again(copy, photos, seed):
    log = log_of(copy / "store.sqlite")
    content, chance = bytearray(log.read_bytes()), random.Random(seed)
    at = chance.randrange(32) if seed < 4 else chance.randrange(len(content))
    content[at] ^= 1 << chance.randrange(8)
    log.write_bytes(content)
    kept = None
    with opened(copy) as collection:
        try:
            kept = collection.info().items
        except DamagedError as error:
            assert "verify --repair" in str(error)
        else:
            assert kept == COUNT and collection.verify().sound  # it was in what nothing needs any more
            return
    for _ in range(2):  # asking changes nothing
        with opened(copy) as collection, pytest.raises(DamagedError):
            collection.verify()
    with opened(copy) as collection:
        report = collection.verify(repair=True)
        assert report.sound and report.repaired
        assert collection.add(photos).found == COUNT + 32
        assert len(rows_of(collection)) == COUNT + 32
        assert collection.verify().sound
    assert [*copy.glob("store.damaged*-wal")]


def test_damage_behind_a_later_transaction_is_certain_and_in_the_last_one_it_is_not(copy):
    path = copy / "store.sqlite"
    whole = log_of(path).read_bytes()
    frame = 24 + int.from_bytes(whole[8:12], "big")
    for places, state in (((5,), "damaged"), (((len(whole) - 32) // frame - 1,), "unsure")):
        content = bytearray(whole)
        for place in places:
            content[32 + place * frame + 100] ^= 4
        log_of(path).write_bytes(content)
        assert read_log(path) == state
        mend_log(path)
        assert read_log(path) == "sound"


def test_a_last_transaction_that_was_never_acknowledged_is_dropped_without_alarm(copy):
    """As a power cut leaves it: torn, and not noted."""
    path = copy / "store.sqlite"
    content = bytearray(log_of(path).read_bytes())
    content[-50] ^= 1
    log_of(path).write_bytes(content)
    (copy / "store.acknowledged").unlink()
    with opened(copy) as collection:
        assert collection.info().items == COUNT - 32
        assert collection.verify().sound
    assert not [*copy.glob("*.kept")]


def test_a_store_put_back_from_a_backup_says_so(copy):
    with opened(copy) as collection:
        collection.info()
    backup = (copy / "store.sqlite").read_bytes()
    with opened(copy) as collection:
        collection.remove(1)
        collection.remove(2)
    (copy / "store.sqlite").write_bytes(backup)
    with opened(copy) as collection, pytest.raises(DamagedError, match="lacks the last 2 changes"):
        collection.search(1)
    with opened(copy) as collection:
        report = collection.verify(repair=True)
        assert report.sound and "last 2 changes" in report.repaired[0].detail
    with opened(copy) as collection:
        assert collection.verify().sound


def test_a_note_that_is_damaged_or_of_another_store_is_no_alarm(copy):
    note = copy / "store.acknowledged"
    whole = note.read_bytes()
    for at in range(len(whole)):
        changed = bytearray(whole)
        changed[at] ^= 0x40
        note.write_bytes(changed)
        assert Acknowledged(copy).read() is None
    with opened(copy) as collection:
        assert collection.verify().sound
