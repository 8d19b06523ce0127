"""What listings tell of buckets and other places, and reading what they list."""

from __future__ import annotations

import uuid

import pytest

from lookalike.errors import UsageError
from lookalike.sources.exclusions import Exclusions
from lookalike.sources.remote.addresses import is_address, is_remote, normal, split_member
from lookalike.sources.remote.reading import ObjectRequest, read_object, read_objects
from lookalike.sources.remote.troubles import RemoteError
from lookalike.sources.remote.walk import RemoteWalk

ODD = [
    *("a.jpg", "b c.png", "p/#1.jpg", "p/100%.jpg", "p/%20.jpg", "ü/😀.jpg", "p/é.jpg", "p/e\u0301.jpg"),
    *("/lead.jpg", "x//y.jpg", "q?.jpg", "a+b&c=d.jpg", "x?versionId=1.jpg", "a::b.jpg", "[1]*.jpg", "~.jpg"),
]


@pytest.fixture
def bucket(s3):
    """Make a bucket of its own with these objects; returns its address."""

    def make(objects: dict[str, bytes]) -> str:
        name = f"b{uuid.uuid4().hex}"
        s3.bucket(name, objects)
        return f"s3://{name}"

    return make


def walked(address, **how):
    walk = RemoteWalk([address], wanted="photo", **how)
    return walk, {each.uri.removeprefix(address): each for each in walk.files()}


def test_every_object_is_found_and_read_by_its_own_key(bucket):
    address = bucket({f"photos/{key}": key.encode() for key in ODD})
    walk, found = walked(f"{address}/photos")
    assert sorted(found) == sorted(f"/{key}" for key in ODD)
    requests = [ObjectRequest(each.uri, each.stamp) for each in found.values()]
    for request, content in zip(requests, read_objects(requests), strict=True):
        assert content == request.uri.removeprefix(f"{address}/photos/").encode()
        assert request.size == len(content)
    assert walk.roots and not walk.closed and not walk.empty


def test_what_no_one_means_as_a_photo_is_left_out_and_counted(bucket):
    keys = [
        "a.jpg",
        ".hidden/x.jpg",
        ".hidden/y.jpg",
        "f.mp4",
        "raw/1.jpg",
        "raw/2.jpg",
        "@eaDir/t.jpg",
        "dir/",
    ]
    walk, found = walked(bucket(dict.fromkeys(keys, b"x")), rules=Exclusions.of(["raw/"]))
    assert [name for name, each in found.items() if not each.is_left_out] == ["/a.jpg", "/dir/"]
    assert found["/dir/"].problem == "its name ends with /, as a folder's does"
    assert walk.excluded == {"hidden": 1, "patterns": 1, "defaults": 1}
    assert walk.aside == {"video": 1}


def test_the_placeholder_of_a_folder_is_no_object(bucket):
    _, found = walked(bucket({"dir/": b"", "dir/a.jpg": b"x"}))
    assert list(found) == ["/dir/a.jpg"]


def test_ignore_files_are_told(bucket):
    _, found = walked(bucket({".lookalikeignore": b"*", "a.jpg": b"x"}))
    assert "--exclude" in found["/.lookalikeignore"].problem and found["/a.jpg"].stamp


@pytest.mark.slow
def test_listings_of_many_pages_are_read_to_their_end(bucket, s3):
    address = bucket({f"{n:04}.jpg": b"x" for n in range(1_050)})
    before = s3.requests().total()
    walk, found = walked(address)
    assert len(found) == 1_050 and walk.roots
    assert s3.requests().total() - before == 2  # pages, and no question about any object


def test_one_object_is_asked_for_by_itself(bucket):
    address = bucket({"photos/a.jpg": b"content", "photos/b.jpg": b"x"})
    _, found = walked(f"{address}/photos/a.jpg")
    assert list(found) == [""] and found[""].stamp.size == 7
    assert read_object(f"{address}/photos/a.jpg") == b"content"


def test_a_stamp_changes_with_the_content_alone(bucket, s3):
    address = bucket({"a.jpg": b"one"})
    before = walked(address)[1]["/a.jpg"].stamp
    client, name = s3.client(), address.removeprefix("s3://")
    client.put_object(Bucket=name, Key="a.jpg", Body=b"one")
    assert walked(address)[1]["/a.jpg"].stamp == before
    client.put_object(Bucket=name, Key="a.jpg", Body=b"two")
    assert walked(address)[1]["/a.jpg"].stamp != before


@pytest.mark.parametrize("address", ["s3://no-such-bucket-here", "s3://no-such-bucket-here/photos"])
def test_what_cannot_be_listed_is_closed(s3, address):
    walk, found = walked(address)
    assert [each.problem for each in found.values()] == ["there is no such bucket"]
    assert walk.closed == [address] and not walk.roots


def test_an_empty_place_is_told_from_one_that_cannot_be_listed(bucket):
    walk, found = walked(f"{bucket({'a.jpg': b'x'})}/none")
    assert not found and walk.empty and walk.roots and not walk.closed


def test_an_object_that_is_not_there_is_told(bucket):
    address = bucket({"a.jpg": b"x"})
    with pytest.raises(RemoteError, match=r"nothing lies there \(404 NoSuchKey\)"):
        read_object(f"{address}/b.jpg")
    (result,) = read_objects([ObjectRequest(f"{address}/b.jpg")])
    assert not result.lasting


def test_too_large_ones_are_refused_before_anything_is_fetched(bucket, s3):
    address = bucket({"a.jpg": b"x" * 3_000})
    _, found = walked(address)
    before = s3.requests()
    (result,) = read_objects([ObjectRequest(found["/a.jpg"].uri, found["/a.jpg"].stamp)], most_bytes=2_000)
    assert (result.reason, result.lasting) == ("larger than 0 MiB", True)
    assert s3.requests() == before
    with pytest.raises(RemoteError, match="larger than"):
        read_object(f"{address}/a.jpg", most_bytes=2_000)


def test_nobody_at_the_address_is_one_line(s3, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    walk, found = walked("s3://bucket/photos")
    assert [each.problem for each in found.values()] == [
        "nobody can be reached at that address, 3 times in a row"
    ]
    assert walk.closed


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        *((each, True) for each in ("s3://b", "S3://b/k", "gs://b", "hdfs://h/p", "http://h", "memory://x")),
        *(
            (each, False)
            for each in ("/a/b", "a.jpg", "C:\\x", "c:/x", "file:///x", "milvus://h/n", "s3:/b", "")
        ),
    ],
)
def test_addresses_are_told_from_paths(text, is_one):
    assert is_address(text) is is_one


def test_shards_are_read_otherwise_than_files():
    assert is_remote("/x/shard-000.tar") and is_remote("x.TGZ") and not is_remote("/x/photo.jpg")


def test_addresses_have_one_spelling():
    assert normal("S3A://Bucket/a//") == "s3://Bucket/a"
    assert normal("HTTP://Host:80/A/?x=1/") == "http://host:80/A/?x=1/"
    assert normal("gcs://b") == "gs://b"
    with pytest.raises(UsageError):
        normal("s3:///key")


SECRET = "hunter2secret"


@pytest.mark.parametrize(
    "address",
    [
        f"s3://key:{SECRET}@bucket/x",
        f"http://me:{SECRET}@host/x.jpg",
        f"https://{SECRET}@host/x.jpg",
        f"https://host/x.jpg?X-Amz-Signature={SECRET}",
        f"https://host/x.jpg?a=1&x-amz-security-token={SECRET}",
        f"https://host/x.jpg?sv=1&sig={SECRET}",
        f"https://host/x.jpg?access_token={SECRET}",
        f"https://host/x.jpg?api-key={SECRET}",
        f"https://host?token={SECRET}",
        f"s3://bucket/x.jpg?X-Amz-Signature={SECRET}",
        f"gs://bucket/x.jpg?X-Goog-Signature={SECRET}",
        f"sftp://me:{SECRET}@host/x",
    ],
)
def test_addresses_with_credentials_are_refused_and_not_repeated(address):
    with pytest.raises(UsageError, match="environment") as refusal:
        normal(address)
    assert SECRET not in str(refusal.value) and "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    "address", ["http://host/x.jpg?id=12&size=large", "s3://b/a@b/token=1.jpg", "s3://b/c:d@e"]
)
def test_addresses_without_credentials_are_taken(address):
    assert normal(address) == address


def test_members_are_told_from_their_shard():
    assert split_member("s3://b/x.tar#a/1.jpg") == ("s3://b/x.tar", "a/1.jpg")
    assert split_member("/d/x.parquet#12") == ("/d/x.parquet", "12")
    assert split_member("s3://b/x.tar") is None and split_member("s3://b/x#1.jpg") is None
