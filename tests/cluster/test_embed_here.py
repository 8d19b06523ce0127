"""What an embedding comes to, run by run, whatever runs it: one actor in this process does."""

from __future__ import annotations

import json
import os
import shutil
import tarfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from helpers_cluster import embed_here, held, how_often, imported, rows, shards

from lookalike import Collection
from lookalike.cluster.layout import begin_run
from lookalike.cluster.place import Folder
from lookalike.cluster.run import EmbedRequest
from lookalike.errors import (
    BusyError,
    DamagedError,
    ModelMismatchError,
    NewerFormatError,
    NotACollectionError,
    NotFoundError,
    UsageError,
)
from lookalike.transfer.importing.embedded import open_embedded
from lookalike.transfer.transfer import ImportRequest


@pytest.fixture
def photos(tmp_path, make_photo) -> Path:
    """A dozen photos, one with a sidecar, one twice, and three files that are none."""
    folder = tmp_path / "photos"
    for number in range(12):
        make_photo(folder / f"{number:02}.png", number)
    shutil.copy(folder / "03.png", folder / "twin.png")
    (folder / "04.xmp").write_text(
        "<x:xmpmeta xmlns:x='adobe:ns:meta/'><rdf:RDF xmlns:rdf='http://www.w3.org/1999/02/22-rdf-syntax-ns#'>"
        "<rdf:Description xmlns:xmp='http://ns.adobe.com/xap/1.0/' xmp:Rating='4'/></rdf:RDF></x:xmpmeta>"
    )
    (folder / "cut.jpg").write_bytes(b"\xff\xd8\xff\xe0 and no more")
    (folder / "empty.jpg").touch()
    (folder / "nothing.jpg").symlink_to(folder / "gone.jpg")
    (folder / "notes.txt").write_text("left aside")
    return folder


def names(uris) -> list[str]:
    return sorted(Path(uri).name for uri in uris)


def vectors(embedded) -> dict[str, list[float]]:
    pairs = (zip(t["uri"].to_pylist(), t["vector"].to_pylist(), strict=True) for t in embedded)
    return {Path(uri).name: vector for some in pairs for uri, vector in some}


def rows_named(out: Path, part: str) -> set[str]:
    return {row["uri"] for row in rows(out) if part in row["uri"] and row["sha256"]}


def add(folder: Path, *paths: Path):
    with Collection(folder) as collection:
        return collection.add(*paths)


def test_it_comes_to_the_same_as_add(photos, tmp_path, monkeypatch):
    report, _ = embed_here(monkeypatch, photos, to=tmp_path / "out")
    assert (report.found, report.embedded, report.skipped) == (16, 13, 3)
    assert dict(report.aside) == dict(add(tmp_path / "added.lookalike", photos).aside)
    assert imported(tmp_path / "imported.lookalike", tmp_path / "out") == {
        "rows": 16,
        "added": 13,
        "skipped": 3,
    }
    ours, theirs = held(tmp_path / "imported.lookalike"), held(tmp_path / "added.lookalike")
    assert {len(each) for each in (ours["items"], ours["vectors"], ours["words"])} == {13}
    assert ours == theirs
    again = add(tmp_path / "imported.lookalike", photos)
    assert (again.unchanged, again.skipped, again.found) == (13, 3, 16)
    assert held(tmp_path / "imported.lookalike") == ours


def test_photos_need_not_be_there_to_be_imported(photos, tmp_path, monkeypatch):
    embed_here(monkeypatch, photos, to=tmp_path / "out")
    photos.rename(tmp_path / "elsewhere")
    assert imported(tmp_path / "c.lookalike", tmp_path / "out")["added"] == 13
    assert imported(tmp_path / "c.lookalike", tmp_path / "out") == {"rows": 16, "unchanged": 13, "skipped": 3}


def test_only_what_is_new_or_changed_is_read_again(photos, tmp_path, monkeypatch, make_photo):
    out = tmp_path / "out"
    embed_here(monkeypatch, photos, to=out)
    make_photo(photos / "new.png", 50)
    make_photo(photos / "05.png", 51)
    (photos / "06.png").unlink()
    make_photo(photos / "empty.jpg", 52)
    shutil.copyfile(photos / "cut.jpg", photos / "07.png")
    report, read = embed_here(monkeypatch, photos, to=out)
    assert names(read) == ["05.png", "07.png", "empty.jpg", "new.png", "nothing.jpg"]
    assert (report.embedded, report.unchanged, report.skipped, report.gone) == (3, 10, 3, 1)
    assert report.found == report.embedded + report.unchanged + report.skipped == 16
    with open_embedded(out) as embedded:
        uris = [uri for table in embedded for uri in table["uri"].to_pylist()]
        assert len(uris) == len(set(uris)) == embedded.items == 15  # 07.png stays what it was, as after add
        assert names(each.uri for each, _ in embedded.skipped()) == ["07.png", "cut.jpg", "nothing.jpg"]
    assert imported(tmp_path / "c.lookalike", out) == {"rows": 18, "added": 15, "skipped": 3}
    assert add(tmp_path / "c.lookalike", photos).unchanged == 13
    nothing, read = embed_here(monkeypatch, photos, to=out)
    assert names(read) == ["nothing.jpg"] and nothing.embedded == 0  # which may be there next time


def test_without_anything_new_nothing_is_written(photos, tmp_path, monkeypatch):
    (photos / "nothing.jpg").unlink()
    embed_here(monkeypatch, photos, to=tmp_path / "out")
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*")}
    report, read = embed_here(monkeypatch, photos, to=tmp_path / "out")
    assert not read and report.unchanged == 13
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*")} == before
    report, read = embed_here(monkeypatch, photos, to=tmp_path / "out", afresh=True)
    assert len(read) == 15 and report.embedded == 13


@pytest.mark.parametrize("done", [0, 1, 3])
def test_a_run_that_ended_early_is_gone_on_with(tmp_path, monkeypatch, make_photo, done):
    for number in range(150):
        make_photo(tmp_path / "photos" / f"{number:03}.png", number)

    def stop(number):
        if number == done:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        embed_here(monkeypatch, tmp_path / "photos", to=tmp_path / "out", before=stop)
    assert "did not end" in open_embedded(tmp_path / "out").notes[0]
    report, read = embed_here(monkeypatch, tmp_path / "photos", to=tmp_path / "out")
    assert report.unchanged == 32 * done and len(read) == 150 - 32 * done
    assert set(how_often(tmp_path / "out").values()) == {1} and len(how_often(tmp_path / "out")) == 150
    assert not open_embedded(tmp_path / "out").notes


def test_a_run_that_begins_ends_the_one_before(photos, tmp_path, monkeypatch):
    out = tmp_path / "out"
    with pytest.raises(BusyError, match="another lookalike embed has begun"):
        embed_here(monkeypatch, photos, to=out, before=lambda _: begin_run(Folder(out), "0123abcd") and None)
    assert not shards(out)
    embed_here(monkeypatch, photos, to=out)
    assert set(how_often(out).values()) == {1}


def test_a_unit_done_twice_is_the_same_file(photos, tmp_path, monkeypatch):
    embed_here(monkeypatch, photos, to=tmp_path / "one")
    embed_here(monkeypatch, photos, to=tmp_path / "two")
    (one,), (two,) = shards(tmp_path / "one"), shards(tmp_path / "two")
    assert one.read_bytes() == two.read_bytes()


def test_another_model_is_refused_and_nothing_touched(photos, tmp_path, monkeypatch):
    embed_here(monkeypatch, photos, to=tmp_path / "out")
    before = {path: path.read_bytes() for path in (tmp_path / "out").rglob("*") if path.is_file()}
    with pytest.raises(
        ModelMismatchError, match=r"another model: efficientnet-lite0-504 .*name another place"
    ):
        embed_here(monkeypatch, photos, to=tmp_path / "out", model="efficientnet-lite2")
    assert {path: path.read_bytes() for path in (tmp_path / "out").rglob("*") if path.is_file()} == before


def test_places_of_something_else_are_refused(photos, tmp_path, monkeypatch):
    with pytest.raises(NotACollectionError, match="holds other files"):
        embed_here(monkeypatch, photos, to=photos)
    with pytest.raises(NotFoundError, match="no such file or folder"):
        embed_here(monkeypatch, tmp_path / "none", to=tmp_path / "out")
    (tmp_path / "empty").mkdir()
    with pytest.raises(NotFoundError, match="so nothing was made: there are no files"):
        embed_here(monkeypatch, tmp_path / "empty", to=tmp_path / "out")
    with pytest.raises(UsageError, match="credentials"):
        embed_here(monkeypatch, photos, to="s3://me:secret@bucket/out")
    assert not (tmp_path / "out").exists()
    embed_here(monkeypatch, photos, to=tmp_path / "out")
    facts = json.loads((tmp_path / "out" / "embedded.json").read_text())
    (tmp_path / "out" / "embedded.json").write_text(json.dumps({**facts, "format": 99}))
    with pytest.raises(NewerFormatError):
        embed_here(monkeypatch, photos, to=tmp_path / "out")


def damage(path: Path, how: str) -> None:
    content = path.read_bytes()
    if how == "cut":
        path.write_bytes(content[: len(content) // 2])
    elif how == "flipped":
        middle = len(content) // 2
        path.write_bytes(content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :])
    else:
        path.unlink()


@pytest.mark.parametrize("how", ["cut", "flipped", "gone"])
def test_a_damaged_shard_is_told_before_anything_is_touched(photos, tmp_path, monkeypatch, how):
    embed_here(monkeypatch, photos, to=tmp_path / "out")
    damage(shards(tmp_path / "out")[0], how)
    with (
        Collection(tmp_path / "c.lookalike") as collection,
        pytest.raises(DamagedError, match=r"remove it, and embed|has 0 of its 1 shards"),
    ):
        collection.import_vectors(ImportRequest(tmp_path / "out"))
    assert not (tmp_path / "c.lookalike").exists()


def test_what_was_read_here_later_stays(photos, tmp_path, monkeypatch, make_photo):
    embed_here(monkeypatch, photos, to=tmp_path / "out")
    make_photo(photos / "00.png", 77)
    add(tmp_path / "c.lookalike", photos / "00.png")
    before = held(tmp_path / "c.lookalike")["items"]
    with Collection(tmp_path / "c.lookalike") as collection:
        report, _ = collection.import_vectors(ImportRequest(tmp_path / "out"))
    assert report.added == 12 and "1 were read here later" in report.notes[0]
    assert before[0] in held(tmp_path / "c.lookalike")["items"]


def test_into_a_collection_of_another_model_known_items_get_vectors(photos, tmp_path, monkeypatch):
    embed_here(monkeypatch, photos, to=tmp_path / "out", model="efficientnet-lite2")
    add(tmp_path / "c.lookalike", photos / "00.png", photos / "01.png")
    with Collection(tmp_path / "c.lookalike") as collection:
        report, problem = collection.import_vectors(ImportRequest(tmp_path / "out"))
        assert problem is None
        assert (report.filled, report.skipped, report.rows) == (2, 11, 13)
        spaces = {space.name: space.vectors for space in collection.info().spaces}
    assert spaces["efficientnet-lite2"] == spaces["efficientnet-lite2-words"] == 2


@pytest.mark.parametrize("more", [{"names": Path("x")}, {"column": "x"}, {"name": "x"}, {"base": Path("x")}])
def test_options_that_say_what_it_says_itself_are_refused(photos, tmp_path, monkeypatch, more):
    embed_here(monkeypatch, photos, to=tmp_path / "out")
    with Collection(tmp_path / "c.lookalike") as collection, pytest.raises(UsageError, match="leave out"):
        collection.import_vectors(ImportRequest(tmp_path / "out", **more))


def test_names_that_are_no_text(tmp_path, make_photo, monkeypatch):
    made = make_photo(tmp_path / "photos" / "x.png", 1)
    made.rename(os.fsdecode(os.fsencode(made.parent) + b"/\xff.png"))
    embed_here(monkeypatch, tmp_path / "photos", to=tmp_path / "out")
    assert [row["uri"] for row in rows(tmp_path / "out")] == [f"file://{tmp_path}/photos/%FF.png"]
    imported(tmp_path / "c.lookalike", tmp_path / "out")
    assert add(tmp_path / "c.lookalike", tmp_path / "photos").unchanged == 1


def pack(folder: Path, shard: Path) -> None:
    with tarfile.open(shard, "w") as tar:
        for path in sorted(folder.iterdir()):
            if path.is_file() and not path.is_symlink():
                tar.add(path, path.name)


def table(folder: Path, path: Path) -> None:
    files = [path for path in sorted(folder.iterdir()) if path.is_file() and not path.is_symlink()]
    rows = [{"image": {"bytes": each.read_bytes(), "path": each.name}, "label": "x"} for each in files]
    pq.write_table(pa.Table.from_pylist(rows), path)


def test_shards_and_tables_of_pictures_come_to_the_same_as_add(photos, tmp_path, monkeypatch, make_photo):
    folder = tmp_path / "packed"
    folder.mkdir()
    pack(photos, folder / "a.tar")
    table(photos, folder / "b.parquet")
    make_photo(folder / "c.png", 60)
    sources = [folder / "a.tar", folder / "b.parquet", folder / "c.png"]
    report, _ = embed_here(monkeypatch, *sources, to=tmp_path / "out")
    added = add(tmp_path / "added.lookalike", *sources)
    assert (report.found, report.embedded, report.skipped) == (added.found, added.added, added.skipped)
    assert dict(report.aside) == dict(added.aside) and dict(report.excluded) == dict(added.excluded)
    imported(tmp_path / "c.lookalike", tmp_path / "out")
    assert held(tmp_path / "c.lookalike") == held(tmp_path / "added.lookalike")
    again = add(tmp_path / "c.lookalike", *sources)
    assert again.added == again.updated == again.moved == 0 and again.unchanged == report.embedded
    report, read = embed_here(monkeypatch, *sources, to=tmp_path / "out")
    assert not read and report.gone == report.embedded == 0
    make_photo(photos / "more.png", 61)
    pack(photos, folder / "a.tar")
    report, read = embed_here(monkeypatch, *sources, to=tmp_path / "out")
    assert names(read) == ["a.tar"] and report.embedded == 14
    with open_embedded(tmp_path / "out") as embedded:
        assert embedded.items == 1 + 14 + len(rows_named(tmp_path / "out", "b.parquet#"))


def test_from_a_bucket_into_a_bucket(s3, photos, tmp_path, monkeypatch):
    objects = {f"in/{path.name}": path.read_bytes() for path in photos.iterdir() if path.exists()}
    client = s3.bucket("embedding", objects)
    to = "s3://embedding/out"
    report, _ = embed_here(monkeypatch, "s3://embedding/in", to=to)
    assert (report.found, report.embedded, report.skipped) == (15, 13, 2)
    client.put_object(Bucket="embedding", Key="in/new.png", Body=objects["in/00.png"])
    report, read = embed_here(monkeypatch, "s3://embedding/in", to=to)
    assert read == ["s3://embedding/in/new.png"]
    embed_here(monkeypatch, photos, to=tmp_path / "out")
    with open_embedded(to) as remote, open_embedded(tmp_path / "out") as local:
        there, here = vectors(remote), vectors(local)
    assert there.pop("new.png") == here["00.png"] and there == here
    assert imported(tmp_path / "c.lookalike", to) == {"rows": 16, "added": 14, "skipped": 2}


def test_a_bucket_that_is_not_there_is_one_line(s3, photos, monkeypatch):
    with pytest.raises(Exception, match=r"s3://absent-one/out.*no such bucket"):
        embed_here(monkeypatch, photos, to="s3://absent-one/out")


def test_requests_have_defaults():
    assert EmbedRequest(("x",), "y").device == "auto"
