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
    with pytest.raises(MissingExtraError, match=r"lookalike\[parquet\]"):
        imported.add(clip[0])
