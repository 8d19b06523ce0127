"""Copies among photos whose items and vectors are in Milvus, and what was decided about them."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime

import pytest
from PIL import Image

from lookalike import Collection
from lookalike.copies.notes_file import notes_path
from lookalike.decisions import Decision

pytest_plugins = ["milvus_fixture", "milvus_places"]
pytestmark = pytest.mark.slow


def test_copies_are_found_and_decided_there_too(milvus_place, shared_data, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    folder = tmp_path / "photos"
    folder.mkdir()
    for source in sorted((shared_data / "coco256" / "images").glob("*.jpg"))[:6]:
        shutil.copy(source, folder)
    with Image.open(source) as photo:
        photo.crop((0, 0, photo.width * 6 // 10, photo.height * 6 // 10)).save(folder / "part.jpg")
    with Collection(milvus_place) as collection:
        collection.add(folder)
        report = collection.copies()
        ((best, part),) = (group.items for group in report.groups)
        assert (best.uri, part.uri) == (str(folder / source.name), str(folder / "part.jpg"))
        assert report.groups[0].copies[0].how == ("cropped",)
        assert report.looked_at == report.photos == 7
        assert notes_path(collection.path).is_relative_to(tmp_path / "data")
        pair = sorted((best.content_hash, part.content_hash))
        collection.decide([Decision(*pair, "different", datetime.now(UTC).isoformat())])
        assert not collection.copies().groups
    with Collection(milvus_place) as again:
        assert not again.copies(look=False).groups
