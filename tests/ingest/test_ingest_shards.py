"""Photos in tar shards and in tables become the items that they would become from a folder."""

from __future__ import annotations

import json
import random
import tarfile

import pytest
from test_ingest_remote import Bucket

from helpers import Watched, execute, numbers, vectors_of
from hostile_http import HostileServer, file
from lookalike.errors import NotFoundError
from shard_files import packed, parquet_of, special, tar_of


@pytest.fixture
def watched(tmp_path):
    made = Watched(tmp_path / "far.lookalike")
    yield made
    made.collection.close()


@pytest.fixture
def pictures(tmp_path, make_photo):
    """The bytes of eight photos by name."""
    paths = [make_photo(tmp_path / "photos" / f"{seed}.png", seed) for seed in range(8)]
    return {path.name: path.read_bytes() for path in paths}


def contents(collection):
    """Facts and vector of each item by its content, sidecar facts aside."""
    vectors = vectors_of(collection)
    return {item.content_hash: (item.metadata["width"], vectors[item.id]) for item in collection.items()}


def uris(collection):
    return [item.uri for item in collection.items(limit=1000)]


@pytest.fixture
def near(tmp_path, pictures):
    """The same photos from a folder."""
    collection = Watched(tmp_path / "near.lookalike")
    collection.add(tmp_path / "photos")
    yield contents(collection.collection)
    collection.collection.close()


@pytest.mark.parametrize("name", ["shard-000.tar", "shard-000.tar.gz", "shard-000.tgz", "misnamed.tar"])
def test_a_shard_gives_what_a_folder_gives(tmp_path, watched, pictures, near, name):
    content = tar_of(list(pictures.items()))
    shard = tmp_path / name
    shard.write_bytes(content if name.endswith("000.tar") else packed(content))
    assert numbers(watched.add(shard)) == {"added": 8}
    assert contents(watched.collection) == near
    assert uris(watched.collection) == [f"{shard}#{each}" for each in pictures]
    assert numbers(watched.add(shard)) == {"unchanged": 8} and not watched.decoder.read
    for item in watched.collection.items():
        assert watched.collection.original(item) == pictures[item.uri.partition("#")[2]]


def test_what_lies_beside_a_picture_becomes_its_facts(tmp_path, watched, pictures):
    one, two, *_ = pictures.values()
    told = {"license": "CC0", "width": 9, "nested": {"a": 1}, "score": 0.5, "id": 7, "ok": True}
    members = [
        *(("a/0.jpg", one), ("a/0.json", json.dumps(told).encode()), ("a/0.txt", b"ein Hund\n")),
        *(
            ("a/1.jpg", two),
            ("a/1.cls", b"12"),
            ("a/1.json", b"{broken"),
            ("a/1.npy", b"x"),
            ("b/1.txt", b"no"),
        ),
    ]
    shard = tmp_path / "x.tar"
    shard.write_bytes(tar_of(members))
    report = watched.add(shard)
    assert numbers(report) == {"added": 2} and report.aside == {"shard part": 1}
    first, second = (item.metadata for item in watched.collection.items())
    assert first["license"] == "CC0" and first["caption"] == "ein Hund" and first["score"] == 0.5
    assert (first["id_"], first["ok"], first["width"]) == (7, True, 96)  # the photo knows best
    assert second["cls"] == 12 and "caption" not in second


def test_members_may_come_in_any_order(tmp_path, watched, pictures):
    members = [(name, content) for name, content in pictures.items()]
    members += [(f"{name[:-4]}.txt", f"caption {name}".encode()) for name in pictures]
    random.Random(7).shuffle(members)
    (tmp_path / "x.tar").write_bytes(tar_of(members))
    assert numbers(watched.add(tmp_path / "x.tar")) == {"added": 8}
    for item in watched.collection.items():
        assert item.metadata["caption"] == f"caption {item.uri.partition('#')[2]}"


def test_what_is_no_plain_file_in_a_shard_is_told_and_leads_nowhere(tmp_path, watched, pictures):
    (tmp_path / "secret.png").write_bytes(pictures["7.png"])
    members = [
        *(("/etc/0.png", pictures["0.png"]), ("../../1.png", pictures["1.png"]), ("2.png", b"")),
        ("link.png", special("link.png", tarfile.SYMTYPE, str(tmp_path / "secret.png"))),
        ("hard.png", special("hard.png", tarfile.LNKTYPE, "../secret.png")),
        ("device.png", special("device.png", tarfile.CHRTYPE)),
        ("pipe.png", special("pipe.png", tarfile.FIFOTYPE)),
        ("folder.png", special("folder.png", tarfile.DIRTYPE)),
        *(("same.png", pictures["3.png"]), ("same.png", pictures["4.png"]), ("bad.png", b"\x89PNG no")),
        *(
            (".hidden.png", pictures["5.png"]),
            ("__MACOSX/6.png", pictures["6.png"]),
            ("x" * 5000 + ".png", b"x"),
        ),
    ]
    shard = tmp_path / "x.tar"
    shard.write_bytes(tar_of(members))
    report = watched.add(shard)
    assert numbers(report) == {"added": 4, "skipped": 7}
    assert report.excluded == {"hidden": 1, "defaults": 1}
    names = [uri.partition("#")[2] for uri in uris(watched.collection)]
    assert names == ["/etc/0.png", "../../1.png", "same.png", "same.png#2"]
    told = {each.uri.partition("#")[2][:12]: each.reason for each in watched.collection.skipped()}
    assert told["link.png"] == told["hard.png"] == "a link, not a file"
    assert told["device.png"] == told["pipe.png"] == "not a regular file"
    assert told["2.png"] == "empty file" and "too long" in told["x" * 12]
    assert numbers(watched.add(shard)) == {"unchanged": 4, "skipped": 7} and not watched.decoder.read


def test_a_shard_that_changes_is_read_again(tmp_path, watched, pictures, make_photo):
    shard = tmp_path / "x.tar"
    names = list(pictures)
    shard.write_bytes(tar_of([(name, pictures[name]) for name in names[:6]]))
    watched.add(shard)
    before = dict(
        zip(uris(watched.collection), [item.id for item in watched.collection.items()], strict=True)
    )
    changed = {**pictures, "1.png": make_photo(tmp_path / "new.png", 77).read_bytes()}
    shard.write_bytes(tar_of([(name, changed[name]) for name in reversed(names[1:])]))
    assert numbers(watched.add(shard)) == {"added": 2, "updated": 1, "unchanged": 4, "vanished": 1}
    assert numbers(watched.add(shard)) == {"unchanged": 7, "vanished": 1}  # which is looked for each time
    assert numbers(watched.add(shard, prune=True)) == {"unchanged": 7, "vanished": 1, "pruned": 1}
    assert numbers(watched.add(shard)) == {"unchanged": 7} and not watched.decoder.read
    for item in watched.collection.items():
        name = item.uri.partition("#")[2]
        assert watched.collection.original(item) == changed[name]
        assert before.get(item.uri, item.id) == item.id


def test_what_is_no_more_in_a_shard_is_pruned_as_it_is_read(tmp_path, watched, pictures):
    shard = tmp_path / "x.tar"
    shard.write_bytes(tar_of(list(pictures.items())))
    watched.add(shard)
    shard.write_bytes(tar_of(list(pictures.items())[:5]))
    assert numbers(watched.add(shard, prune=True)) == {"unchanged": 5, "vanished": 3, "pruned": 3}


@pytest.mark.parametrize("end", [0.9, 0.55, 0.3])
def test_a_shard_that_is_cut_short_gives_what_is_there_and_takes_nothing_away(
    tmp_path, watched, pictures, end
):
    shard = tmp_path / "x.tar"
    whole = tar_of(list(pictures.items()))
    shard.write_bytes(whole)
    watched.add(shard)
    whole = whole.rstrip(b"\0")
    shard.write_bytes(whole[: int(len(whole) * end)])
    report = watched.add(shard, prune=True)
    assert report.pruned == report.vanished == 0 and report.skipped >= 1
    assert "cut short" in watched.skipped()["x.tar"]
    assert len(watched.ids()) == 8
    again = watched.add(shard, prune=True)
    assert again.pruned == again.vanished == 0 and len(watched.ids()) == 8
    assert "x.tar" in watched.skipped()


def test_a_shard_cut_between_two_members_is_not_taken_for_whole(tmp_path, watched, pictures):
    shard = tmp_path / "x.tar"
    shard.write_bytes(tar_of(list(pictures.items())))
    watched.add(shard)
    with tarfile.open(shard) as tar:
        fifth = tar.getmembers()[4]
    shard.write_bytes(shard.read_bytes()[: fifth.offset])
    report = watched.add(shard, prune=True)
    assert report.pruned == 0 and len(watched.ids()) == 8
    assert "without a mark of its end" in watched.skipped()["x.tar"]


@pytest.mark.parametrize(
    "content", [b"", b"no tar at all", b"\x1f\x8bno gzip", b"\0" * 10240, random.Random(1).randbytes(5000)]
)
def test_what_is_no_shard_is_skipped_in_one_line(tmp_path, watched, pictures, content):
    (tmp_path / "x.tar").write_bytes(content)
    assert numbers(watched.add(tmp_path / "x.tar", tmp_path / "photos")) == {"added": 8, "skipped": 1}
    (reason,) = watched.skipped().values()
    assert reason in ("no tar file that can be read", "a shard without pictures")


def test_a_bomb_is_refused(tmp_path, watched, pictures):
    (tmp_path / "x.tar.gz").write_bytes(packed(b"\0" * (200 << 20)))
    with pytest.raises(NotFoundError, match="unpacks to far more"):
        watched.add(tmp_path / "x.tar.gz")


def test_a_photo_with_the_name_of_a_shard_is_a_photo(tmp_path, watched, pictures):
    (tmp_path / "photos" / "really.tar").write_bytes(pictures["0.png"])
    assert numbers(watched.add(tmp_path / "photos")) == {"added": 9}
    assert numbers(watched.add(tmp_path / "photos" / "really.tar")) == {"unchanged": 1}


def test_a_file_whose_name_reads_like_a_member_is_itself(tmp_path, watched, pictures):
    odd = tmp_path / "photos" / "x.tar#1.png"
    odd.write_bytes(pictures["0.png"])
    watched.add(odd)
    (item,) = watched.collection.items()
    assert watched.collection.original(item) == pictures["0.png"]


def table(path, pictures, group=3):
    contents = list(pictures.values())
    columns = {
        "image": [{"bytes": content, "path": name} for name, content in pictures.items()],
        "label": list(range(len(contents))),
        "caption": [f"caption {n}" for n in range(len(contents))],
        "boxes": [[1, 2]] * len(contents),
    }
    return parquet_of(path, columns, group)


def test_a_table_gives_what_a_folder_gives(tmp_path, watched, pictures, near):
    path = table(tmp_path / "train.parquet", pictures)
    assert numbers(watched.add(path)) == {"added": 8}
    assert contents(watched.collection) == near
    for number, (item, content) in enumerate(
        zip(watched.collection.items(), pictures.values(), strict=True), 1
    ):
        assert item.uri == f"{path}#{number}"
        assert (item.metadata["label"], item.metadata["caption"]) == (number - 1, f"caption {number - 1}")
        assert watched.collection.original(item) == content
    assert numbers(watched.add(path)) == {"unchanged": 8} and not watched.decoder.read


def test_tables_of_pictures_are_known_without_being_told(tmp_path, pictures):
    from lookalike.sources.everywhere import kind_of

    assert kind_of([table(tmp_path / "a.parquet", pictures)]) == "photo"
    assert kind_of([parquet_of(tmp_path / "b.parquet", {"text": ["one", "two"]})]) == "text"
    assert (
        kind_of([parquet_of(tmp_path / "c.parquet", {"sound": [{"bytes": b"RIFFxxxxWAVE", "path": "a"}]})])
        == "text"
    )


def test_a_column_of_bytes_does_and_rows_without_a_picture_are_told(tmp_path, watched, pictures):
    one, two, *_ = pictures.values()
    path = parquet_of(
        tmp_path / "x.parquet", {"jpg": [None, one, b"", b"no photo", two], "n": [1, 2, 3, 4, 5]}
    )
    assert numbers(watched.add(path)) == {"added": 2, "skipped": 3}
    told = {each.uri.partition("#")[2]: each.reason for each in watched.collection.skipped()}
    assert told["1"] == "its row has no picture" and told["3"] == "empty file" and "4" in told
    assert numbers(watched.add(path)) == {"unchanged": 2, "skipped": 3}


def test_rows_that_only_name_a_file_are_told(tmp_path, watched, pictures):
    rows = [{"bytes": pictures["0.png"], "path": "a"}, {"bytes": None, "path": "/etc/passwd"}]
    assert numbers(watched.add(parquet_of(tmp_path / "x.parquet", {"image": rows}))) == {
        "added": 1,
        "skipped": 1,
    }
    assert "does not hold it" in next(iter(watched.skipped().values()))


def test_damaged_and_other_tables_are_skipped_in_one_line(tmp_path, watched, pictures):
    whole = table(tmp_path / "a.parquet", pictures).read_bytes()
    (tmp_path / "cut.parquet").write_bytes(whole[:-200])
    (tmp_path / "flipped.parquet").write_bytes(whole[:300] + b"\xff" * 400 + whole[700:])
    (tmp_path / "none.parquet").write_bytes(b"PAR1")
    parquet_of(tmp_path / "text.parquet", {"text": ["a", "b"]})
    others = [tmp_path / f"{name}.parquet" for name in ("cut", "flipped", "none", "text")]
    report = watched.add(tmp_path / "a.parquet", *others, kind="photo")
    assert report.added >= 8
    reasons = watched.skipped()
    assert reasons["text.parquet"] == "a table without pictures"
    assert "Parquet" in reasons["cut.parquet"] and "Parquet" in reasons["none.parquet"]
    assert all("\n" not in reason for reason in reasons.values())


@pytest.fixture
def bucket(s3, request):
    import uuid

    return Bucket(s3, f"b{uuid.uuid4().hex}")


@pytest.mark.parametrize("name", ["x.tar", "x.tar.gz", "x.parquet"])
def test_shards_in_a_bucket_are_read_once(tmp_path, bucket, watched, pictures, near, name):
    folder = tmp_path / "shards"
    folder.mkdir()
    content = tar_of(list(pictures.items()))
    if name == "x.parquet":
        table(folder / name, pictures)
    else:
        (folder / name).write_bytes(packed(content) if name.endswith("gz") else content)
    bucket.put(folder, "shards")
    assert numbers(watched.add(f"{bucket.address}/shards")) == {"added": 8}
    assert contents(watched.collection) == near
    bucket.asked()
    assert numbers(watched.add(f"{bucket.address}/shards")) == {"unchanged": 8}
    assert "GET" not in bucket.asked()
    for item, content in zip(watched.collection.items(), pictures.values(), strict=True):
        assert watched.collection.original(item) == content
    bucket.delete(f"shards/{name}")
    bucket.put(tmp_path / "photos", "shards")
    assert numbers(watched.add(f"{bucket.address}/shards")) == {"moved": 8}


def test_a_shard_that_cannot_be_fetched_takes_nothing_away(tmp_path, bucket, watched, pictures, monkeypatch):
    (tmp_path / "shards").mkdir()
    (tmp_path / "shards" / "x.tar").write_bytes(tar_of(list(pictures.items())))
    bucket.put(tmp_path / "shards", "s")
    watched.add(f"{bucket.address}/s/x.tar")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    report = watched.add(f"{bucket.address}/s/x.tar", prune=True)
    assert numbers(report) == {"skipped": 1} and len(watched.ids()) == 8
    monkeypatch.setenv("AWS_ENDPOINT_URL", bucket.server.url)
    assert numbers(watched.add(f"{bucket.address}/s/x.tar", prune=True)) == {"unchanged": 8}


@pytest.mark.parametrize("name", ["x.tar", "x.tgz", "x.parquet"])
def test_shards_on_a_web_server(tmp_path, watched, pictures, near, name):
    content = tar_of(list(pictures.items()))
    content = packed(content) if name == "x.tgz" else content
    if name == "x.parquet":
        content = table(tmp_path / name, pictures).read_bytes()
    with HostileServer({f"/{name}": file(content, ETag='"1"')}) as server:
        assert numbers(watched.add(f"{server.url}/{name}")) == {"added": 8}
        assert contents(watched.collection) == near
        assert numbers(watched.add(f"{server.url}/{name}")) == {"unchanged": 8}
        server.asked.clear()
        item = watched.collection.items()[3]
        assert watched.collection.original(item) == list(pictures.values())[3]
        if name == "x.tar":
            assert len(server.asked) == 1  # its own bytes, and no more


def test_a_shard_that_changes_while_it_is_read_is_read_again(tmp_path, watched, pictures):
    content, tags = tar_of(list(pictures.items())), iter(range(1000))
    with HostileServer({}) as server:

        def another_each_time(handler):
            file(content, ETag=f'"{next(tags)}"')(handler)

        server.answers["/x.tar"] = another_each_time
        assert numbers(watched.add(f"{server.url}/x.tar", tmp_path / "photos" / "0.png")) == {
            "added": 1,
            "skipped": 1,
        }
        assert watched.skipped() == {"x.tar": "it changed while it was being read"}
        server.answers["/x.tar"] = file(content, ETag='"1"')
        assert numbers(watched.add(f"{server.url}/x.tar")) == {"added": 8} and not watched.skipped()


def test_a_run_that_ends_in_the_middle_of_a_shard_goes_on(tmp_path, watched, make_photo):
    made = {f"{n:03}.png": make_photo(tmp_path / f"{n:03}.png", n, (24, 16)).read_bytes() for n in range(100)}
    shard = tmp_path / "x.tar"
    shard.write_bytes(tar_of(list(made.items())))

    class KilledError(Exception):
        pass

    def die(each):
        if len(watched.committed) == 40:
            raise KilledError

    with pytest.raises(KilledError):
        watched.add(shard, on_commit=die)
    done = len(uris(watched.collection))
    assert 0 < done < 100
    assert numbers(watched.add(shard)) == {"added": 100 - done, "unchanged": done}
    assert watched.embedder.embedded == 100 - done
    assert numbers(watched.add(shard)) == {"unchanged": 100} and not watched.decoder.read


def test_a_removed_member_comes_back_as_a_removed_file_does(tmp_path, watched, pictures):
    shard = tmp_path / "x.tar"
    shard.write_bytes(tar_of(list(pictures.items())))
    watched.add(shard)
    assert watched.collection.remove(f"{shard}#3.png") == 1
    assert numbers(watched.add(shard)) == {"added": 1, "unchanged": 7}
    assert watched.collection.items(where=f"folder={shard}", limit=20) == watched.collection.items(limit=20)
    assert watched.collection.remove(shard) == 8


def test_checks_and_repairs_reach_into_shards(tmp_path, watched, pictures):
    shard, parquet = tmp_path / "x.tar", table(tmp_path / "x.parquet", pictures)
    shard.write_bytes(tar_of(list(pictures.items())[:4]))
    watched.add(shard, parquet)
    assert watched.collection.verify(files=True).files == ()
    vectors = vectors_of(watched.collection)
    watched.collection.close()
    damage = "UPDATE vectors_1 SET vector = zeroblob(length(vector)) WHERE item_id IN (1, 7)"
    execute(watched.collection.path, damage)
    assert watched.collection.verify(repair=True).sound
    assert vectors_of(watched.collection) == vectors
    shard.write_bytes(tar_of(list(pictures.items())[3::-1]))
    told = watched.collection.verify(files=True).files
    assert len(told) == 4 and all(each.uri.startswith(f"{shard}#") for each in told)
    shard.unlink()
    assert len(watched.collection.verify(files=True).files) == 4
    items = watched.collection.items(where=f"folder={shard}")
    assert (
        watched.collection.thumbnail(items[0].id) is None if hasattr(watched.decoder, "thumbnail") else True
    )
    with pytest.raises(NotFoundError, match="No such file"):
        watched.collection.original(items[0])


def test_photos_that_leave_a_shard_for_a_folder_keep_their_items(tmp_path, watched, pictures):
    shard = tmp_path / "s" / "x.tar"
    shard.parent.mkdir()
    shard.write_bytes(tar_of(list(pictures.items())))
    (tmp_path / "s" / "else.txt").touch()
    watched.add(shard)
    before = {item.content_hash: item.id for item in watched.collection.items()}
    shard.unlink()
    assert numbers(watched.add(tmp_path / "photos")) == {"moved": 8}
    assert {item.content_hash: item.id for item in watched.collection.items()} == before


def test_equal_pictures_keep_what_is_said_of_each(tmp_path, watched, pictures):
    one = pictures["0.png"]
    columns = {"image": [one, one, one], "caption": ["a dog", None, "a cat"], "n": [1, None, None]}
    watched.add(parquet_of(tmp_path / "x.parquet", columns))
    said = [
        {name: item.metadata.get(name) for name in ("caption", "n")} for item in watched.collection.items()
    ]
    assert said == [
        {"caption": "a dog", "n": 1},
        {"caption": None, "n": None},
        {"caption": "a cat", "n": None},
    ]
    watched.add(tmp_path / "photos" / "0.png")
    (*_, plain) = watched.collection.items()
    assert set(plain.metadata) == {"width", "height", "format"}
