"""clip-retrieval's folder, made here as it makes it."""

from __future__ import annotations

import numpy as np
import pytest
from import_helpers import Imported, random_rows

from lookalike import Collection
from lookalike.errors import LookalikeError, MissingExtraError, UsageError

pyarrow = pytest.importorskip("pyarrow")
from pyarrow import parquet  # noqa: E402

COUNTS = {0: 300, 1: 300, 2: 20, 10: 5}


@pytest.fixture
def clip(tmp_path, make_photo):
    """A folder with several parts; its numbers do not sort as text."""
    folder = tmp_path / "clip-out"
    (folder / "img_emb").mkdir(parents=True)
    (folder / "metadata").mkdir()
    rows = random_rows(sum(COUNTS.values()), 24)
    make_photo(tmp_path / "photos" / "0.png", 1)
    first = 0
    for number, count in COUNTS.items():
        names = [f"{at}.png" for at in range(first, first + count)]
        np.save(folder / "img_emb" / f"img_emb_{number}.npy", rows[first : first + count].astype("f2"))
        columns = {
            "image_path": [str(tmp_path / "photos" / name) for name in names],
            "caption": [f"caption of {name}" for name in names],
            "similarity": np.linspace(0, 1, count),
        }
        parquet.write_table(pyarrow.table(columns), folder / "metadata" / f"metadata_{number}.parquet")
        first += count
    return folder, rows


@pytest.fixture
def imported(tmp_path):
    return Imported(tmp_path / "c.lookalike")


def test_the_folder_becomes_a_collection(tmp_path, clip, imported):
    folder, rows = clip
    report = imported.add(folder)
    assert (report.added, report.without_file, report.space.name) == (625, 624, "clip-out")
    assert not report.space.approximate
    ids, vectors = imported.uris(), imported.vectors("clip-out")
    for row in (0, 299, 300, 601, 624):
        vector = vectors[ids[str(tmp_path / "photos" / f"{row}.png")]]
        assert vector @ rows[row] == pytest.approx(np.linalg.norm(rows[row]), rel=1e-3)
    with Collection(imported.folder) as collection:
        metadata = collection.items(limit=1)[0].metadata
    assert metadata == {
        "caption": "caption of 0.png",
        "similarity": 0,
        "width": 96,
        "height": 64,
        "format": "PNG",
    }
    assert imported.add(folder).unchanged == 625


def test_where_files_are_not_there_the_address_stands(tmp_path, clip, imported):
    folder, _ = clip
    columns = {
        "image_path": ["000000000", str(tmp_path / "photos" / "0.png")],
        "url": ["https://example.org/a.jpg", "https://example.org/b.jpg"],
    }
    for number in (1, 2, 10):
        (folder / "img_emb" / f"img_emb_{number}.npy").unlink()
        (folder / "metadata" / f"metadata_{number}.parquet").unlink()
    np.save(folder / "img_emb" / "img_emb_0.npy", random_rows(2, 24))
    parquet.write_table(pyarrow.table(columns), folder / "metadata" / "metadata_0.parquet")
    imported.add(folder)
    assert set(imported.uris()) == {"https://example.org/a.jpg", str(tmp_path / "photos" / "0.png")}


def shorter(folder):
    np.save(folder / "img_emb" / "img_emb_2.npy", random_rows(19, 24))


def other_dim(folder):
    np.save(folder / "img_emb" / "img_emb_2.npy", random_rows(20, 23))


def no_table(folder):
    (folder / "metadata" / "metadata_10.parquet").unlink()


def no_column(folder):
    table = pyarrow.table({"other": ["x"] * 300, "more": ["y"] * 300})
    parquet.write_table(table, folder / "metadata" / "metadata_1.parquet")


def broken_table(folder):
    path = folder / "metadata" / "metadata_1.parquet"
    path.write_bytes(path.read_bytes()[:1000])


@pytest.mark.parametrize(
    "harm, words",
    [
        (shorter, "19 vectors, but metadata_2.parquet has 20 rows"),
        (other_dim, "23 numbers, but img_emb_0.npy of 24"),
        (no_table, "no file number 10 in metadata"),
        (no_column, "no column 'image_path'"),
        (broken_table, "metadata_1.parquet: not a Parquet file"),
    ],
)
def test_what_does_not_fit_is_refused_and_touches_nothing(clip, imported, harm, words):
    folder, _ = clip
    harm(folder)
    with pytest.raises(LookalikeError, match=words):
        imported.add(folder)
    assert not imported.folder.exists()


def test_another_folder_is_refused(tmp_path, imported):
    with pytest.raises(UsageError, match="holds no vectors: expected img_emb"):
        imported.add(tmp_path)
    with pytest.raises(LookalikeError, match="no such file"):
        imported.add(tmp_path / "absent")


def test_without_the_extra_the_install_line_is_given(clip, imported, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    with pytest.raises(MissingExtraError, match=r"\[parquet\]"):
        imported.add(clip[0])


def part(folder, number, rows, columns, kind="img_emb"):
    """Write one part, as clip-retrieval does."""
    for name in (kind, "metadata"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    if rows is not None:
        np.save(folder / kind / f"{kind}_{number}.npy", rows)
    if columns is not None:
        parquet.write_table(pyarrow.table(columns), folder / "metadata" / f"metadata_{number}.parquet")


EMPTY = {
    "no rows": (np.empty((0, 24), "f2"), {"image_path": pyarrow.array([], pyarrow.string())}),
    "no dimension": (np.empty((0,), "f4"), {"image_path": pyarrow.array([], pyarrow.string())}),
    "no columns": (np.empty((0, 24), "f2"), {}),
    "no table": (np.empty((0, 24), "f2"), None),
    "no array": (None, {"image_path": pyarrow.array([], pyarrow.string())}),
}


@pytest.mark.parametrize("empty", EMPTY)
@pytest.mark.parametrize("number", [3, 11])
def test_an_empty_part_is_left_out_and_told(clip, imported, empty, number):
    folder, _ = clip
    part(folder, number, *EMPTY[empty])
    report = imported.add(folder)
    assert report.added == 625
    assert report.notes == (f"left out part {number} of {folder}, which is empty",)


def test_a_part_that_lacks_what_the_other_file_has_is_refused(clip, imported):
    folder, _ = clip
    part(folder, 3, EMPTY["no rows"][0], {"image_path": ["a.jpg"]})
    with pytest.raises(UsageError, match=r"has the shape \(0, 24\)"):
        imported.add(folder)
    part(folder, 3, None, EMPTY["no rows"][1])
    (folder / "img_emb" / "img_emb_3.npy").write_bytes(b"")
    assert imported.add(folder).added == 625


def test_a_folder_of_nothing_but_empty_parts_is_refused(tmp_path, imported):
    for number in range(3):
        part(tmp_path / "out", number, *EMPTY["no rows"])
    with pytest.raises(UsageError, match="all its parts are empty"):
        imported.add(tmp_path / "out")


def test_a_folder_of_texts_alone_becomes_a_collection_of_texts(tmp_path, imported):
    rows = random_rows(7, 24)
    captions = [f"a photo of {at} cats" for at in range(7)]
    part(tmp_path / "out", 0, rows[:4], {"caption": captions[:4]}, "text_emb")
    part(tmp_path / "out", 1, rows[4:], {"caption": captions[4:], "lang": ["en"] * 3}, "text_emb")
    report = imported.add(tmp_path / "out")
    assert (report.added, report.space.kind, report.notes) == (7, "text", ())
    with Collection(imported.folder) as collection:
        items = {item.text: item for item in collection.items(limit=10)}
    assert list(items) == captions
    assert items[captions[5]].metadata == {"lang": "en"}
    assert items[captions[5]].uri == f"{tmp_path / 'out' / 'metadata' / 'metadata_1.parquet'}#2"
    vector = imported.vectors("out")[items[captions[5]].id]
    assert vector @ rows[5] == pytest.approx(np.linalg.norm(rows[5]), rel=1e-3)


def test_of_photos_and_texts_the_photos_come_in_unless_texts_are_wanted(tmp_path, imported):
    columns = {"image_path": ["1.jpg", "2.jpg"], "caption": ["one", "two words"]}
    part(tmp_path / "out", 0, random_rows(2), columns)
    part(tmp_path / "out", 0, random_rows(2, seed=2), None, "text_emb")
    report = imported.add(tmp_path / "out")
    assert (report.added, report.space.kind) == (2, "photo")
    assert report.notes[0].startswith("left out the vectors of texts in ")
    assert "--texts" in report.notes[0]
    texts = Imported(tmp_path / "texts.lookalike")
    report = texts.add(tmp_path / "out", kind="text")
    assert (report.added, report.space.kind, report.notes) == (2, "text", ())
    part(tmp_path / "alone", 0, random_rows(2), columns)
    with pytest.raises(UsageError, match="has no vectors of texts"):
        Imported(tmp_path / "t.lookalike").add(tmp_path / "alone", kind="text")


@pytest.mark.parametrize(
    "columns",
    [
        {"image_path": ["000000000", "000000001"], "url": ["https://a.org/1.jpg", "https://a.org/2.jpg"]},
        {"url": ["https://a.org/1.jpg", "https://a.org/2.jpg"], "key": ["000000000", "000000001"]},
        {
            "image_path": [None, ""],
            "url": ["https://a.org/1.jpg", "https://a.org/2.jpg"],
            "status": ["success"] * 2,
        },
    ],
)
def test_parts_made_of_webdataset_have_their_photos_at_addresses(tmp_path, imported, columns):
    part(tmp_path / "out", 0, random_rows(2), columns)
    part(tmp_path / "out", 1, random_rows(1, seed=3), {"image_path": ["5"], "url": ["https://a.org/5.jpg"]})
    report = imported.add(tmp_path / "out")
    assert (report.added, report.without_file) == (3, 3)
    assert set(imported.uris()) == {f"https://a.org/{at}.jpg" for at in (1, 2, 5)}
