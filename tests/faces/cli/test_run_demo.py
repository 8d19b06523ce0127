"""The demo: the whole job with the real model, on photos of one's own or on those it fetches."""

from pathlib import Path

import pytest
from PIL import Image

from lookalike.datasets import demo as demo_photos_module
from lookalike.datasets.demo import DemoPhotos
from lookalike.errors import NotFoundError
from lookalike.faces.cli import demo


@pytest.fixture
def photos(tmp_path, make_photo):
    for seed in range(12):
        make_photo(tmp_path / "mine" / f"{seed:02}.jpg", seed, size=(200, 150))
    return tmp_path / "mine"


@pytest.mark.slow
def test_it_indexes_searches_and_draws(tmp_path, photos, capsys):
    demo.run_demo(tmp_path / "demo", photos, count=5)
    told = capsys.readouterr()
    lines = told.out.splitlines()
    assert lines[0] == f"Using your photos in {photos}."
    assert lines[1] == "found 12 = 12 added + 0 unchanged + 0 moved + 0 updated + 0 skipped"
    query = Path(lines[3].removeprefix("most like ").removesuffix(":"))
    assert query.parent == photos
    assert lines[5].startswith("1.000") and lines[5].endswith(str(query))  # itself comes first
    assert len([line for line in lines[5:] if line.endswith(".jpg")]) == 9
    with Image.open(tmp_path / "demo" / "hits.png") as sheet:
        assert sheet.width > 1000 and len(sheet.getcolors(1 << 24)) > 1000
    assert str(tmp_path / "demo" / "demo.lookalike") in lines[-1]


@pytest.mark.slow
def test_it_fetches_photos_where_none_are_given_and_says_which(tmp_path, photos, capsys, monkeypatch):
    def fetched(folder, *, count, on_progress, say):
        assert (folder, count) == (tmp_path / "demo" / "photos", 7)
        on_progress(1, 7)
        say("Using twelve photos from a test.")
        return DemoPhotos(photos, "a test", 12)

    monkeypatch.setattr(demo, "demo_photos", fetched)
    assert demo.demo_photos is not demo_photos_module.demo_photos
    demo.run_demo(tmp_path / "demo", None, count=7)
    assert capsys.readouterr().out.startswith("Using twelve photos from a test.\nfound 12 = 12 added")


def test_a_folder_without_photos_is_said(tmp_path):
    (tmp_path / "none").mkdir()
    (tmp_path / "none" / "notes.dat").write_text("no photo")
    with pytest.raises(NotFoundError, match=r"nothing in .*none could be taken in.*: notes.dat: not a photo"):
        demo.run_demo(tmp_path / "demo", tmp_path / "none", count=5)
