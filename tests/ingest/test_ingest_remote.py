"""Photos in an object store become the items that they would become from a folder."""

from __future__ import annotations

import shutil
import uuid
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from helpers import Watched, execute, numbers, vectors_of
from hostile_http import HostileServer, file
from lookalike.errors import NotFoundError, QueryError, UsageError
from lookalike.records import Box, FileStamp
from lookalike.search.queries import Example


class Bucket:
    """A bucket of its own, filled from folders, and what was asked of it since last asked."""

    def __init__(self, server, name):
        self.server, self.name, self.client = server, name, server.client()
        self.client.create_bucket(Bucket=name)
        self.address = f"s3://{name}"
        self._before = Counter()

    def put(self, folder, prefix="photos"):
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                key = f"{prefix}/{path.relative_to(folder).as_posix()}"
                self.client.put_object(Bucket=self.name, Key=key, Body=path.read_bytes())

    def delete(self, key):
        self.client.delete_object(Bucket=self.name, Key=key)

    def asked(self):
        """How many listings, objects and heads were asked for since the last call."""
        now = self.server.requests()
        new = now - self._before
        self._before = now
        counts = Counter()
        for line, count in new.items():
            method, _, path = line.partition(" ")
            if path.startswith(f"/{self.name}"):
                counts["list" if "list-type" in path else method] += count
        return dict(counts)


@pytest.fixture
def bucket(s3):
    return Bucket(s3, f"b{uuid.uuid4().hex}")


@pytest.fixture
def photos(tmp_path, make_photo):
    for seed in range(6):
        make_photo(tmp_path / "photos" / "sub" / f"{seed}.png", seed)
    return tmp_path / "photos"


@pytest.fixture
def watched(tmp_path):
    made = Watched(tmp_path / "far.lookalike")
    yield made
    made.collection.close()


def by_name(collection):
    """Content, facts and vector of each item by its name."""
    vectors = vectors_of(collection)
    found = {}
    for item in collection.items(limit=1000):
        found[Path(item.uri).name] = (item.content_hash, dict(item.metadata), vectors[item.id])
    return found


def test_from_a_bucket_and_from_a_folder_come_the_same_facts_and_vectors(
    bucket, watched, tmp_path, shared_data
):
    folder = tmp_path / "real"
    folder.mkdir()
    for path in sorted(shared_data.rglob("*.jpg"))[:12]:
        shutil.copy(path, folder / path.name)
    bucket.put(folder)
    near = Watched(tmp_path / "near.lookalike")
    near.add(folder)
    watched.add(f"{bucket.address}/photos")
    assert by_name(watched.collection) == by_name(near.collection) and near.ids()
    near.collection.close()


def test_what_is_unchanged_is_not_fetched_again(bucket, watched, photos):
    bucket.put(photos)
    bucket.asked()
    assert numbers(watched.add(f"{bucket.address}/photos")) == {"added": 6}
    assert bucket.asked() == {"list": 1, "GET": 6, "HEAD": 1}
    assert numbers(watched.add(f"{bucket.address}/photos/")) == {"unchanged": 6}
    assert bucket.asked() == {"list": 2, "HEAD": 2}  # what kind it is, then all of it
    assert watched.decoder.read == []


def test_a_changed_object_is_read_again(bucket, watched, photos, make_photo):
    bucket.put(photos)
    watched.add(bucket.address)
    item_id, vector = watched.ids()["0.png"], watched.vector("0.png")
    make_photo(photos / "sub" / "0.png", 100)
    bucket.put(photos)
    assert numbers(watched.add(bucket.address)) == {"updated": 1, "unchanged": 5}
    assert watched.ids()["0.png"] == item_id and watched.vector("0.png") != vector


def test_a_moved_object_keeps_its_item(bucket, watched, photos):
    bucket.put(photos, "old")
    watched.add(f"{bucket.address}/old")
    before = watched.ids()
    bucket.put(photos, "new")
    for seed in range(6):
        bucket.delete(f"old/sub/{seed}.png")
    assert numbers(watched.add(f"{bucket.address}/new")) == {"moved": 6}
    assert watched.ids() == before and watched.embedder.embedded == 0


def test_a_copy_is_an_item_of_its_own(bucket, watched, photos):
    bucket.put(photos, "old")
    watched.add(f"{bucket.address}/old")
    bucket.put(photos, "new")
    assert numbers(watched.add(f"{bucket.address}/new")) == {"added": 6}
    assert watched.embedder.embedded == 0


def test_from_a_folder_to_a_bucket_items_move_where_the_files_are_gone(bucket, watched, photos):
    bucket.put(photos)
    watched.add(photos)
    before = watched.ids()
    shutil.rmtree(photos / "sub")
    (photos / "other.txt").touch()  # the disk is still there
    assert numbers(watched.add(bucket.address)) == {"moved": 6}
    assert watched.ids() == before


def test_folders_and_buckets_are_added_together(bucket, watched, photos, tmp_path, make_photo):
    bucket.put(photos)
    make_photo(tmp_path / "near" / "near.png", 50)
    report = watched.add(tmp_path / "near", bucket.address, photos / "sub" / "0.png")
    assert numbers(report) == {"added": 8}


def test_deleted_objects_vanish_and_are_pruned_without_being_asked_for(bucket, watched, photos):
    bucket.put(photos)
    watched.add(bucket.address)
    bucket.delete("photos/sub/0.png")
    assert numbers(watched.add(bucket.address)) == {"unchanged": 5, "vanished": 1}
    bucket.asked()
    report = watched.add(bucket.address, prune=True)
    assert numbers(report) == {"unchanged": 5, "vanished": 1, "pruned": 1}
    assert bucket.asked() == {"list": 2}
    assert len(watched.ids()) == 5


def test_an_emptied_bucket_takes_nothing_away(bucket, watched, photos):
    bucket.put(photos)
    watched.add(f"{bucket.address}/photos")
    for seed in range(6):
        bucket.delete(f"photos/sub/{seed}.png")
    report = watched.add(f"{bucket.address}/photos", prune=True)
    assert numbers(report) == {} and report.absent == (f"{bucket.address}/photos",)
    assert len(watched.ids()) == 6


def test_a_bucket_that_cannot_be_listed_takes_nothing_away(bucket, watched, photos, monkeypatch):
    bucket.put(photos)
    watched.add(bucket.address)
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    report = watched.add(bucket.address, prune=True)
    assert numbers(report) == {"skipped": 1}
    assert "nobody can be reached" in next(iter(watched.skipped().values()))
    assert len(watched.ids()) == 6
    monkeypatch.setenv("AWS_ENDPOINT_URL", bucket.server.url)
    assert numbers(watched.add(bucket.address)) == {"unchanged": 6} and not watched.skipped()


def test_what_is_no_photo_is_skipped_with_the_reason_of_a_file(bucket, watched, photos):
    (photos / "bad.jpg").write_bytes(b"\xff\xd8 no photo")
    (photos / "empty.jpg").touch()
    (photos / "text.jpg").write_text("words")
    bucket.put(photos)
    assert numbers(watched.add(bucket.address)) == {"added": 6, "skipped": 3}
    far = watched.skipped()
    assert far["empty.jpg"] == "empty file"
    bucket.asked()
    assert numbers(watched.add(bucket.address)) == {"unchanged": 6, "skipped": 3}
    assert "GET" not in bucket.asked()
    near = Watched(photos.parent / "near.lookalike")
    near.add(photos)
    assert near.skipped() == far
    near.collection.close()


def test_nothing_is_made_of_a_bucket_without_photos(bucket, watched, tmp_path):
    for address in (bucket.address, f"{bucket.address}/none", "s3://no-such-bucket-at-all"):
        with pytest.raises(NotFoundError, match="nothing in s3://"):
            watched.add(address)
    assert not (tmp_path / "far.lookalike").exists()


def test_a_path_made_of_an_address_is_refused(watched):
    with pytest.raises(UsageError, match="as text, not as Path"):
        watched.add(Path("s3://bucket/photos"))


def test_a_killed_run_goes_on(bucket, watched, photos, make_photo):
    for seed in range(100, 200):
        make_photo(photos / f"{seed}.png", seed, (24, 16))
    bucket.put(photos)

    class KilledError(Exception):
        pass

    def die(each):
        if len(watched.committed) == 40:
            raise KilledError

    with pytest.raises(KilledError):
        watched.add(bucket.address, on_commit=die)
    done = len(watched.ids())
    assert 0 < done < 106
    bucket.asked()
    assert numbers(watched.add(bucket.address)) == {"added": 106 - done, "unchanged": done}
    assert bucket.asked()["GET"] < 106  # some were on their way when it ended


def test_pictures_of_remote_items(bucket, watched, photos, tmp_path):
    bucket.put(photos)
    watched.add(bucket.address)
    watched.collection.close()
    from lookalike import Collection
    from lookalike.embedders.fake import FakeEmbedder

    with Collection(tmp_path / "far.lookalike", embedder=FakeEmbedder()) as collection:
        item = collection.items()[0]
        path = photos / "sub" / "0.png"
        assert collection.original(item) == path.read_bytes()
        assert collection.thumbnail(item.id, 64) == collection.thumbnail(path, 64)
        part = [Example(item.id, box=Box(0, 0, 0.5, 0.5)), Example(path, box=Box(0, 0, 0.5, 0.5))]
        far, near = collection.search([part[0]]), collection.search([part[1]])
        assert {hit.id: hit.score for hit in far}.items() <= {hit.id: hit.score for hit in near}.items()
        assert collection.verify(files=True).files == ()
        bucket.client.put_object(Bucket=bucket.name, Key="photos/sub/0.png", Body=b"another")
        bucket.delete("photos/sub/1.png")
        assert collection.thumbnail(item.id, 64) is None
        with pytest.raises(NotFoundError, match="has changed"):
            collection.original(item)
        with pytest.raises(QueryError, match="has changed"):
            collection.search([part[0]])
        told = {Path(each.uri).name: each.detail for each in collection.verify(files=True).files}
        assert "not what was read" in told["0.png"] and "nothing lies there" in told["1.png"]


def test_items_are_removed_and_found_by_their_address(bucket, watched, photos):
    bucket.put(photos, "a")
    bucket.put(photos, "ab")
    watched.add(bucket.address)
    where = f"folder={bucket.address}/a"
    assert len(watched.collection.items(where=where)) == 6
    assert watched.collection.remove(f"{bucket.address}/a/sub/0.png") == 1
    assert watched.collection.remove(f"{bucket.address}/a/") == 5
    assert len(watched.ids()) == 6


def test_relocating_remote_items_is_refused_with_the_way_out(bucket, watched, photos):
    watched.add(photos)
    with pytest.raises(UsageError, match="lookalike add s3://"):
        watched.collection.relocate(photos, f"{bucket.address}/photos")


def test_an_item_without_its_file_is_not_asked_for(bucket, watched, photos):
    """Whoever made an import chose the address."""
    bucket.put(photos)
    watched.add(bucket.address)
    item = watched.collection.items()[0]
    bucket.asked()
    for stamp in (FileStamp(0, 0), FileStamp(1 << 40, 0)):
        with pytest.raises(NotFoundError):
            watched.collection.original(replace(item, stamp=stamp))
    assert bucket.asked() == {}


def test_damaged_items_are_restored_from_a_bucket(bucket, watched, photos):
    bucket.put(photos)
    watched.add(bucket.address)
    vectors = vectors_of(watched.collection)
    watched.collection.close()
    execute(
        watched.collection.path,
        "UPDATE vectors_1 SET vector = zeroblob(length(vector)) WHERE item_id = 1",
    )
    report = watched.collection.verify(repair=True)
    assert report.sound and vectors_of(watched.collection) == vectors


def test_further_spaces_are_filled_from_a_bucket(bucket, photos, tmp_path):
    from lookalike import Collection
    from lookalike.embedders.fake import FakeEmbedder
    from lookalike.ingest.fill import FillContext, fill_photos

    bucket.put(photos)
    with Collection(tmp_path / "c.lookalike", embedder=FakeEmbedder()) as collection:
        collection.add(bucket.address)
        other = FakeEmbedder(16, name="other")
        opened = collection._opened
        space = opened.ensure_space(opened.store(), other)
        bucket.delete("photos/sub/5.png")
        parts = FillContext(opened.store(), space, opened.decoder, other, lambda *_: None)
        assert fill_photos(parts) == 1
        assert opened.store().vectors(space).count_missing() == 1


@pytest.mark.parametrize("name", ["tweets.csv", "tweets.csv.gz", "tweets.jsonl"])
def test_texts_in_a_bucket(bucket, tmp_path, name):
    import gzip
    import json

    from lookalike import Collection
    from lookalike.embedders.fake import FakeTextEmbedder

    rows = ["one text", "another text", "a third"]
    content = "text\n" + "\n".join(rows) + "\n"
    if name.endswith("jsonl"):
        content = "".join(json.dumps({"text": row}) + "\n" for row in rows)
    data = gzip.compress(content.encode()) if name.endswith("gz") else content.encode()
    bucket.client.put_object(Bucket=bucket.name, Key=f"t/{name}", Body=data)
    with Collection(tmp_path / "t.lookalike", embedder=FakeTextEmbedder()) as collection:
        assert numbers(collection.add(f"{bucket.address}/t/{name}", column="text")) == {"added": 3}
        assert [item.text for item in collection.items()] == rows
        assert collection.items()[0].uri.startswith(f"{bucket.address}/t/{name}#")
        bucket.asked()
        assert numbers(collection.add(f"{bucket.address}/t")) == {"unchanged": 3}
        assert "GET" not in bucket.asked()
        assert collection.verify(files=True).files == ()
        bucket.delete(f"t/{name}")
        bucket.client.put_object(Bucket=bucket.name, Key="t/b.csv", Body=b"text\nnew\n")
        assert numbers(collection.add(f"{bucket.address}/t", prune=True)) == {
            "added": 1,
            "vanished": 3,
            "pruned": 3,
        }


def test_large_objects_go_by_a_file_and_are_what_they_are(bucket, watched, photos, monkeypatch, tmp_path):
    monkeypatch.setattr("lookalike.ingest.large.LARGE", 1)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    bucket.put(photos)
    assert numbers(watched.add(bucket.address)) == {"added": 6}
    assert list((tmp_path / "temporary").iterdir()) == []
    assert numbers(watched.add(bucket.address)) == {"unchanged": 6} and not watched.decoder.read
    near = Watched(tmp_path / "near.lookalike")
    near.add(photos)
    assert by_name(near.collection) == by_name(watched.collection)
    near.collection.close()


def test_what_an_index_links_to_no_more_is_gone_only_where_it_is(watched, photos, make_photo):
    contents = {f"/p/{n}.png": (photos / "sub" / f"{n}.png").read_bytes() for n in range(3)}

    def page(*names):
        links = "".join(f'<a href="{name}">x</a>' for name in names)
        return file(links.encode(), **{"Content-Type": "text/html"})

    with HostileServer({path: file(content, ETag='"1"') for path, content in contents.items()}) as server:
        server.answers |= {"/p": page(), "/p/": page("0.png", "1.png", "2.png")}
        assert numbers(watched.add(f"{server.url}/p")) == {"added": 3}
        server.answers["/p/"] = page("0.png")
        del server.answers["/p/2.png"]
        report = watched.add(f"{server.url}/p", prune=True)
        assert numbers(report) == {"unchanged": 1, "vanished": 1, "pruned": 1}
        assert sorted(watched.ids()) == ["0.png", "1.png"]


def test_an_address_where_only_a_path_will_do_is_refused(watched, photos, tmp_path):
    watched.add(photos)
    for ask in (watched.collection.search, watched.collection.thumbnail, watched.collection.export):
        with pytest.raises(UsageError, match="expected a path of this machine, got an address of s3://"):
            ask("s3://key:secret@bucket/x.jpg")
