"""Items that a damaged store does not find are missed: a search says how many, whatever lost them."""

from __future__ import annotations

import random
import shutil

import pytest

from helpers import CountingDecoder, execute
from lookalike import Collection
from lookalike.embedders.fake import FakeEmbedder
from lookalike.errors import LookalikeError
from lookalike.faces.cli.main import cli
from lookalike.indexing import live as indexing

pytest_plugins = ["store_fixtures"]


def opened(folder):
    return Collection(folder, embedder=FakeEmbedder(), decoder=CountingDecoder())


@pytest.fixture(params=["exact", "index"])
def many(request, tmp_path, make_photo, monkeypatch):
    """A collection of 198 photos, with an index file or without."""
    if request.param == "index":
        monkeypatch.setattr(indexing, "EXACT_UP_TO", 50)
    for seed in range(198):
        make_photo(tmp_path / "photos" / f"{seed:03}.png", seed, (8, 6))
    with opened(tmp_path / "c.lookalike") as collection:
        collection.add(tmp_path / "photos")
    return tmp_path / "c.lookalike"


def test_nothing_is_missed_in_a_sound_collection(many, tmp_path, make_photo):
    with opened(many) as collection:
        assert collection.search(1, 5).missing == 0
        make_photo(tmp_path / "photos" / "late.png", 500, (8, 6))
        collection.add(tmp_path / "photos")
        collection.remove(7)
        assert collection.search(1, 5).missing == 0


def test_vectors_that_are_gone_are_missed(many, monkeypatch, capsys):
    for path in many.glob("index/*"):
        path.unlink()
    execute(many, "DELETE FROM vectors_1 WHERE item_id IN (5, 6, 150)")
    with opened(many) as collection:
        collection.refresh_index()
        assert collection.search(1, 5).missing == 3
        assert collection.search(1, 5, where="width=8").missing == 3
        assert collection.verify(repair=True).sound
        assert collection.search(1, 5).missing == 0


def test_the_command_line_says_it(many, monkeypatch, capsys):
    execute(many, "DELETE FROM vectors_1 WHERE item_id IN (5, 6, 150)")
    for path in many.glob("index/*"):
        path.unlink()
    cli.main(["search", "1", "-c", str(many)], standalone_mode=False)
    told = capsys.readouterr().err
    assert "left out 3 items that the damaged store does not find" in told or "verify --repair" in told


def test_bits_of_the_tables_pages_cost_no_hit_without_a_word(tmp_path, make_photo):
    for seed in range(60):
        make_photo(tmp_path / "photos" / f"{seed:03}.png", seed, (8, 6))
    source = tmp_path / "c.lookalike"
    with opened(source) as collection:
        collection.add(tmp_path / "photos")
        right = [hit.id for hit in collection.search(1, 59)]
    content = (source / "store.sqlite").read_bytes()
    size = int.from_bytes(content[16:18], "big")
    pages = len(content) // size
    chance, silent = random.Random(7), []
    copy = tmp_path / "copy.lookalike"
    for _ in range(150):
        changed = bytearray(content)
        at = chance.randrange(1, pages) * size + chance.randrange(64)  # a page's own header and list of cells
        changed[at] ^= 1 << chance.randrange(8)
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(source, copy)
        (copy / "store.sqlite").write_bytes(changed)
        with opened(copy) as collection:
            try:
                result = collection.search(1, 59)
            except LookalikeError:
                continue
            if [hit.id for hit in result] != right and not (result.damaged or result.missing):
                silent.append(at)
    assert not silent
