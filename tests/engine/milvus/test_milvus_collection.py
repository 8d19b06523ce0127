"""A collection in Milvus goes through the same life as one in a folder, and answers alike."""

from __future__ import annotations

import shutil
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lookalike import Collection
from lookalike.embedders.fake import FakeEmbedder, FakeTextEmbedder, FakeWordsEmbedder
from lookalike.errors import (
    CollectionError,
    ModelMismatchError,
    NewerFormatError,
    NotACollectionError,
    NotFoundError,
    UsageError,
)
from lookalike.models import DEFAULT_MODEL
from lookalike.records import SearchOptions
from lookalike.search.reranking import rerank

sys.path.insert(0, str(Path(__file__).parents[3] / "bench"))
from same_answers import compared

pytest_plugins = ["milvus_fixture", "milvus_places"]
pytestmark = pytest.mark.slow


def contents(collection):
    """What a collection holds, as far as it does not depend on where that is."""
    items = {
        item.uri: (item.content_hash, item.stamp, dict(item.metadata), item.text, item.places)
        for page in collection.engine.items.pages()
        for item in page
    }
    vectors = {}
    uris = {item.id: item.uri for page in collection.engine.items.pages() for item in page}
    for space in collection.spaces():
        for block in collection.engine.vectors(space).blocks():
            vectors |= {
                (space.name, uris[each]): row.tobytes()
                for each, row in zip(block.ids.tolist(), block.rows, strict=True)
            }
    skipped = {(each.uri, each.reason, each.lasting) for each in collection.skipped()}
    return items, vectors, skipped


@pytest.fixture
def both(tmp_path, milvus_place):
    """A collection in a folder and one in Milvus, with models of their own that give the same."""
    with (
        Collection(tmp_path / "c.lookalike", embedder=FakeEmbedder()) as folder,
        Collection(milvus_place, embedder=FakeEmbedder()) as milvus,
    ):
        yield folder, milvus


def test_photos_come_change_move_and_go_alike(both, tmp_path, make_photo):
    photos = tmp_path / "photos"
    for seed in range(40):
        make_photo(photos / f"{seed % 4}" / f"{seed}.png", seed)
    (photos / "broken.jpg").write_bytes(b"\xff\xd8\xff no photo")
    (photos / "empty.png").touch()

    def step(*paths, **how):
        reports = [each.add(*(paths or [photos]), **how) for each in both]
        assert reports[0] == reports[1]
        one, other = map(contents, both)
        assert one == other
        return reports[0]

    first = step()
    assert (first.added, first.skipped) == (40, 2)
    assert step().unchanged == 40
    make_photo(photos / "0" / "0.png", 100)  # changed
    (photos / "3" / "7.png").rename(photos / "2" / "moved.png")
    (photos / "1" / "1.png").rename(photos / "2" / "one.png")
    shutil.copy(photos / "2" / "2.png", photos / "copy.png")
    make_photo(photos / "1" / "1.png", 101)  # another photo where the moved one was
    make_photo(photos / "broken.jpg", 102)
    (photos / "3" / "3.png").unlink()
    second = step()
    assert (second.added, second.moved, second.updated) == (3, 1, 2)
    assert second.vanished == 1
    assert step(prune=True).pruned == 1
    assert step(afresh=True).unchanged == 42
    assert step(exclude=["*.jpg"], prune=True).pruned == 1
    assert step(photos / "2", photos / "copy.png").added == 0
    removed = [each.remove(photos / "1") for each in both]
    assert removed[0] == removed[1] == 10
    assert contents(both[0]) == contents(both[1])
    for each in both:
        with pytest.raises(NotFoundError):
            each.remove(photos / "nothing")
    assert step().added == 11  # and broken.jpg, which is no longer left out


def test_two_writers_at_once_make_one_item_of_a_photo(tmp_path, milvus_place, make_photo):
    for seed in range(64):
        make_photo(tmp_path / "photos" / f"{seed}.png", seed)
    from threading import Thread

    collections = [Collection(milvus_place, embedder=FakeEmbedder()) for _ in range(2)]
    collections[0].add(tmp_path / "photos" / "0.png")
    threads = [Thread(target=each.add, args=(tmp_path / "photos",)) for each in collections]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with Collection(milvus_place) as fresh:
        uris = [item.uri for page in fresh.engine.items.pages() for item in page]
        assert len(uris) == len(set(uris)) == 64
        assert fresh.info().items == 64
    for each in collections:
        each.close()


def test_every_kind_of_query_is_answered_alike(tmp_path, milvus_place, shared_data):
    names = sorted((shared_data / "caltech50").iterdir())[:12]
    folder, milvus = Collection(tmp_path / "c.lookalike"), Collection(milvus_place)
    for each in (folder, milvus):
        each.add(*names)
    photos = sorted((shared_data / "coco256" / "images").iterdir())
    found = compared(folder, milvus, photos, 120)
    assert (found["queries"], found["different"]) == (120, [])
    facets = [each.facets() for each in (milvus, folder)]
    assert dict(facets[0].folders) == dict(facets[1].folders)
    assert facets[0].taken == facets[1].taken and facets[0].cameras == facets[1].cameras
    folder.close()
    milvus.close()


def test_hits_are_reranked_as_in_a_folder(milvus_place, shared_data):
    with Collection(milvus_place) as collection:
        collection.add(*sorted((shared_data / "caltech50").iterdir())[:12])
        (space, *_), items = collection.spaces(), collection.items(limit=1_000)
        for query in [item.id for item in items[::60]]:
            options = SearchOptions(len(items), background=True, rerank=False)
            (plain,) = collection.answer([query], options)
            (reranked,) = collection.answer([query], replace(options, rerank=True))
            ids = [hit.id for hit in plain]
            block = collection.engine.vectors(space).fetch(ids)
            rows = block.rows[np.searchsorted(block.ids, ids)]
            scores = np.array([hit.score for hit in plain], np.float32)
            expected = [ids[at] for at in rerank(scores, rows, plain.background)]
            assert [hit.id for hit in reranked] == expected != ids


def test_further_models_come_and_go(tmp_path, milvus_place, make_photo):
    for seed in range(20):
        make_photo(tmp_path / "photos" / f"{seed}.png", seed)
    with Collection(milvus_place) as collection:
        collection.add(tmp_path / "photos")
        space, left = collection.add_model("efficientnet-lite2")
        assert (space.name, left) == ("efficientnet-lite2", 0)
        item = collection.items(limit=1)[0]
        found = collection.answer([item.id], SearchOptions(3, space="efficientnet-lite2"))[0]
        assert found.space == "efficientnet-lite2" and len(found) == 3
        with pytest.raises(UsageError):
            collection.drop_model(DEFAULT_MODEL)
        collection.use_model("efficientnet-lite2")
        collection.drop_model(DEFAULT_MODEL)
        assert {each.name for each in collection.spaces()} == {
            "efficientnet-lite2",
            "efficientnet-lite2-words",
        }
        assert collection.item(item.id) == item
        make_photo(tmp_path / "photos" / "new.png", 77)
        assert collection.add(tmp_path / "photos").added == 1
        assert [space.missing for space in collection.info().spaces] == [0, 0]


def test_texts_come_change_move_and_go_alike(tmp_path, milvus_place):
    table, other = tmp_path / "texts" / "a.csv", tmp_path / "texts" / "b.txt"
    table.parent.mkdir()
    with (
        Collection(tmp_path / "c.lookalike", embedder=FakeTextEmbedder()) as folder,
        Collection(milvus_place, embedder=FakeTextEmbedder()) as milvus,
    ):

        def step(**how):
            reports = [each.add(table.parent, column="text", **how) for each in (folder, milvus)]
            assert reports[0] == reports[1]
            assert contents(folder) == contents(milvus)
            for where in (["lang=en"], ["n>2"], ["lang!=en"], [f"folder={table}"], ["uri=*#2"], ["n=3"]):
                found = [sorted(item.uri for item in each.items(where=where)) for each in (folder, milvus)]
                assert found[0] == found[1], where
            return reports[0]

        rows = ["quick brown fox,en,1", "lazy dog,en,2", "quick dog,en,3", "bonjour le monde,fr,4"]
        table.write_text("\n".join(["text,lang,n", *rows]))
        other.write_text("A passage.\n\nquick brown fox")
        assert step().added == 5
        assert step().added == 0
        table.write_text("\n".join(["text,lang,n", "a new first line,en,0", rows[2], *rows, rows[1]]))
        assert step().added == 1
        table.write_text("\n".join(["text,lang,n", *rows[1:]]))
        step()
        other.unlink()
        step(prune=True)
        for words in ("quick", "quick dog", "monde"):
            found = [each.engine.having_words(words, 10) for each in (folder, milvus)]
            texts = [
                [each.item(one).text for one in ids]
                for each, ids in zip((folder, milvus), found, strict=True)
            ]
            assert sorted(texts[0]) == sorted(texts[1])
        with pytest.raises(UsageError, match="no text has a column"):
            milvus.items(where=["bogus=1"])
        assert folder.remove(table) == milvus.remove(table) == 3
        assert milvus.info().items == 0
        assert step().added == 3


def test_what_milvus_cannot_hold_is_skipped_with_the_reason(both, tmp_path, monkeypatch):
    photo = tmp_path / "photos" / "long.png"
    photo.parent.mkdir()
    facts = Image.Exif()
    facts[0x010E] = "x" * 200
    Image.new("RGB", (8, 8)).save(photo, exif=facts)
    from lookalike.engine.milvus import rows

    monkeypatch.setattr(rows, "MOST_BYTES", 20)
    with pytest.raises(NotFoundError, match="longer than 20 bytes"):
        both[1].add(photo)


def test_an_empty_collection_is_taken_back(milvus_place, tmp_path):
    (tmp_path / "note.jpg").write_text("no photo")
    with Collection(milvus_place, embedder=FakeEmbedder()) as collection:
        with pytest.raises(NotFoundError, match="no collection was made"):
            collection.add(tmp_path / "note.jpg")
        with pytest.raises(NotFoundError, match="no collection at milvus://"):
            collection.info()


def test_collections_of_others_are_refused_and_untouched(
    milvus_place, new_milvus_place, make_photo, tmp_path
):
    from pymilvus import MilvusClient

    from lookalike.engine.milvus.address import parse_address

    photo = make_photo(tmp_path / "a.png", 1)
    address = parse_address(milvus_place)
    client = MilvusClient(address.uri)
    client.create_collection(address.name, dimension=8)
    client.insert(address.name, [{"id": 1, "vector": [0.5] * 8}])
    for call in (
        lambda it: it.add(photo),
        lambda it: it.search(1),
        lambda it: it.remove(1),
        lambda it: it.info(),
    ):
        with (
            Collection(milvus_place, embedder=FakeEmbedder()) as collection,
            pytest.raises(NotACollectionError, match="another program's"),
        ):
            call(collection)
    found = client.query(address.name, filter="", output_fields=["count(*)"], consistency_level="Strong")
    assert found[0]["count(*)"] == 1
    newer = parse_address(new_milvus_place())
    schema = client.create_schema(description='{"lookalike": 99}')
    schema.add_field("id", 5, is_primary=True)
    schema.add_field("v", 101, dim=2)
    client.create_collection(newer.name, schema=schema)
    with (
        Collection(str(newer), embedder=FakeEmbedder()) as collection,
        pytest.raises(NewerFormatError, match="update lookalike"),
    ):
        collection.add(photo)
    client.close()


def test_another_model_is_refused(milvus_place, make_photo, tmp_path):
    photo = make_photo(tmp_path / "a.png", 1)
    with Collection(milvus_place, embedder=FakeEmbedder()) as collection:
        collection.add(photo)
    other = FakeEmbedder(16)
    for changed in (other.spec, replace(FakeEmbedder().spec, name="other")):
        other.spec = changed
        with Collection(milvus_place, embedder=other) as collection, pytest.raises(ModelMismatchError):
            collection.add(make_photo(tmp_path / "b.png", 2))
    with Collection(milvus_place, embedder=FakeTextEmbedder()) as collection:
        (tmp_path / "t.txt").write_text("a text")
        with pytest.raises((ModelMismatchError, UsageError)):
            collection.add(tmp_path / "t.txt")
    with Collection(milvus_place, embedder=FakeEmbedder()) as collection:
        assert collection.info().items == 1


@pytest.mark.parametrize("call", ["verify", "relocate"])
def test_what_only_a_folder_can_do_is_refused_with_what_to_do_instead(
    call, milvus_place, make_photo, tmp_path
):
    with Collection(milvus_place, embedder=FakeEmbedder()) as collection:
        collection.add(make_photo(tmp_path / "a.png", 1))
        with pytest.raises(UsageError, match=r"is for collections in folders; .*Milvus"):
            collection.verify(repair=True) if call == "verify" else collection.relocate("/a", "/b")


def test_damaged_rows_are_left_out_and_named(milvus_place, make_photo, tmp_path):
    for seed in range(12):
        make_photo(tmp_path / "photos" / f"{seed}.png", seed)
    with Collection(milvus_place, embedder=FakeEmbedder()) as collection:
        collection.add(tmp_path / "photos")
        engine, items = collection.engine, collection.items()
        name, fields = engine.items.name, ["*"]
        rows = engine.connection.query(name, f"id in [{items[0].id}, {items[1].id}]", fields)
        rows[0]["metadata"] = '{"width":1}'
        rows[1]["vector"] = (np.array(rows[1]["vector"], np.float32) * -1).tolist()
        engine.connection.upsert(name, [dict(row) for row in rows])
        bad_item, bad_vector = rows[0]["id"], rows[1]["id"]
        assert engine.items.damaged([item.id for item in items]) == (bad_item,)
        assert set(engine.items.get([item.id for item in items])) == {each.id for each in items} - {bad_item}
        assert engine.vectors(collection.spaces()[0]).fetch([bad_vector]).damaged == (bad_vector,)
        found = collection.search(items[5].id, 12)
        assert bad_item in found.damaged and bad_item not in {hit.id for hit in found}
        with pytest.raises(CollectionError, match="damaged"):
            collection.item(bad_item)
        (torn,) = (dict(row) for row in engine.connection.query(name, f"id in [{bad_item}]", fields))
        engine.connection.upsert(name, [torn | {"metadata": '{"width":'}])
        assert len(collection.search(bad_item, 12, where=["width>1"])) == 10  # its vector is sound
        collection.add(tmp_path / "photos", afresh=True)  # the files tell what it was
        assert engine.items.damaged([item.id for item in items]) == ()


def test_votes_credits_and_export_are_there(milvus_place, make_photo, tmp_path):
    for seed in range(12):
        make_photo(tmp_path / "photos" / f"{seed}.png", seed)
    with Collection(milvus_place, embedder=FakeWordsEmbedder()) as collection:
        collection.add(tmp_path / "photos")
        found = collection.search(collection.items()[0].id, 3)
        collection.vote(found.key, found[0].id, 1)
        with Collection(milvus_place, embedder=FakeWordsEmbedder()) as other:  # another server
            until = time.monotonic() + 10  # others see what was written a moment later
            while not other.votes() and time.monotonic() < until:
                time.sleep(0.05)
            assert [vote.item_id for vote in other.votes()] == [found[0].id]
        report = collection.export(tmp_path / "out")
        assert report.rows == 12
        exported = np.load(Path(report.folder) / "vectors.npy")
        ids = [item.id for item in collection.items()]
        assert np.array_equal(exported, collection.engine.vectors(collection.spaces()[0]).fetch(ids).rows)


def test_shards_are_read_once_and_follow_their_file(both, tmp_path, make_photo):
    import tarfile

    def pack(*seeds):
        with tarfile.open(tmp_path / "photos" / "a.tar", "w") as tar:
            for seed in seeds:
                tar.add(make_photo(tmp_path / "made" / f"{seed}.png", seed), f"{seed}.png")

    (tmp_path / "photos").mkdir()
    make_photo(tmp_path / "photos" / "loose.png", 50)
    for seeds, added in (((1, 2, 3), 4), ((1, 2, 3), 0), ((2, 3, 4), 1)):
        if added:
            pack(*seeds)
        names = tmp_path / "photos" / "a.tar", tmp_path / "photos" / "loose.png"
        reports = [each.add(*names, prune=True) for each in both]
        assert reports[0] == reports[1] and reports[0].added == added
        assert contents(both[0]) == contents(both[1])
    assert {uri.rpartition("#")[2] for uri in contents(both[1])[0]} >= {"2.png", "3.png", "4.png"}
