"""Items that lie in a bucket, as the server shows them, also while the store hangs."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest
from served import served

from hostile_http import HostileServer, silent
from lookalike import Collection
from lookalike.embedders.fake import FakeEmbedder
from lookalike.sources.remote.patience import Patience


def get(address):
    try:
        with urllib.request.urlopen(address, timeout=60) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


@pytest.fixture
def collection(s3, tmp_path, make_photo):
    """Six photos in a bucket, and where they lie here."""
    name = f"b{uuid.uuid4().hex}"
    paths = [make_photo(tmp_path / f"{n}.png", n) for n in range(6)]
    s3.bucket(name, {path.name: path.read_bytes() for path in paths})
    with Collection(tmp_path / "c.lookalike", embedder=FakeEmbedder()) as made:
        made.add(f"s3://{name}")
        yield made


def test_pictures_come_from_the_bucket(collection, tmp_path):
    with served(collection) as address:
        assert get(f"{address}/api/items/1/photo") == (200, (tmp_path / "0.png").read_bytes())
        code, picture = get(f"{address}/api/items/1/thumbnail?size=320")
        assert code == 200 and picture.startswith(b"\xff\xd8")


def test_a_store_that_hangs_holds_nothing_up(collection, monkeypatch):
    hasty = Patience(attempts=1, seconds=1.0)
    monkeypatch.setattr("lookalike.sources.remote.patience.IMPATIENT", hasty)
    with HostileServer({}) as hanging, served(collection) as address, ThreadPoolExecutor(12) as pool:
        everything = silent(30)
        hanging.answers = _Always(everything)
        monkeypatch.setenv("AWS_ENDPOINT_URL", hanging.url)
        started = time.monotonic()
        pictures = [pool.submit(get, f"{address}/api/items/{n}/thumbnail?size=320") for n in range(1, 7)]
        assert get(f"{address}/api/items?limit=3")[0] == 200  # meanwhile
        assert {each.result()[0] for each in pictures} == {404}
        assert time.monotonic() - started < 25  # six one after the other, at worst; else 30 s each


class _Always(dict):
    """The same answer to everything."""

    def __init__(self, answer):
        super().__init__()
        self._answer = answer

    def get(self, *_):
        return self._answer


@pytest.mark.parametrize("member", ["item", "words"])
def test_no_address_that_a_client_sends_is_asked(collection, member):
    with HostileServer({}) as other, served(collection) as address:
        body = json.dumps({"examples": [{member: f"{other.url}/a.jpg"}], "k": 1}).encode()
        request = urllib.request.Request(
            f"{address}/api/search", body, {"Content-Type": "application/json"}, method="POST"
        )
        with pytest.raises(urllib.error.HTTPError):
            urllib.request.urlopen(request, timeout=30)
        assert get(f"{address}/api/items/{other.url}/photo")[0] in (400, 404, 422)
        assert other.asked == []
