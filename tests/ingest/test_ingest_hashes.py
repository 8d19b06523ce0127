"""Items have the perceptual hash of their photo."""

from __future__ import annotations

from lookalike.records import PHASH

pytest_plugins = ["store_fixtures"]


def test_items_have_it_copies_too_and_a_changed_photo_gets_its_own(shared_data, tmp_path, watched):
    folder = tmp_path / "in"
    folder.mkdir()
    first, second = sorted((shared_data / "coco256" / "images").glob("*.jpg"))[:2]
    (folder / "a.jpg").write_bytes(first.read_bytes())
    (folder / "b.jpg").write_bytes(first.read_bytes())
    watched.add(folder)
    mine, copy = (str(item.metadata[PHASH]) for item in watched.collection)
    assert mine == copy
    assert len(mine) == 64
    (folder / "a.jpg").write_bytes(second.read_bytes())
    watched.add(folder)
    assert {str(item.metadata[PHASH]) for item in watched.collection} - {mine}
