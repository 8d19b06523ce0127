"""A thousand clients at once get what one alone gets; an `add` meanwhile disturbs none."""

from __future__ import annotations

import asyncio
import json
import re
import resource
import threading
from collections import Counter
from io import BytesIO

import pytest
from PIL import Image
from served import served

from lookalike import Collection
from lookalike.embedders.fake import FakeEmbedder

CLIENTS, TURNS, PHOTOS = 1_000, 10, 60


@pytest.fixture
def collection(tmp_path, make_photo):
    for seed in range(PHOTOS):
        make_photo(tmp_path / "photos" / f"{seed}.png", seed)
    collection = Collection(tmp_path / "c.lookalike", embedder=FakeEmbedder())
    collection.add(tmp_path / "photos")
    return collection


@pytest.fixture
def many_files():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 2 * CLIENTS + 500  # both ends of each connection are in this process
    if soft < wanted:
        if hard != resource.RLIM_INFINITY and hard < wanted:
            pytest.skip(f"this process may open {hard} files only")
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def request(port, kind, body):
    head = f"POST /api/search HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: {kind}\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


def requests(port):
    """Searches by every item, with conditions, by several examples, and by uploaded photos."""
    asked = [{"examples": [{"item": item}], "k": 7} for item in range(1, PHOTOS + 1)]
    asked += [{"examples": [{"item": item}], "where": ["id<=30"]} for item in range(1, 20)]
    asked += [{"examples": [{"item": 1}, {"item": item, "weight": -0.5}]} for item in range(2, 20)]
    made = [request(port, "application/json", json.dumps(each).encode()) for each in asked]
    for shade in range(0, 250, 50):
        out = BytesIO()
        Image.new("RGB", (64, 48), (shade, 100, 250 - shade)).save(out, "PNG")
        part = b'--b\r\nContent-Disposition: form-data; name="photo"; filename="a.png"\r\n\r\n'
        body = part + out.getvalue() + b"\r\n--b--\r\n"
        made.append(request(port, "multipart/form-data; boundary=b", body))
    return made


async def ask(streams, asked):
    reader, writer = streams
    writer.write(asked)
    head = await reader.readuntil(b"\r\n\r\n")
    return int(head[9:12]), await reader.readexactly(int(re.search(rb"content-length: (\d+)", head)[1]))


async def crowd(port, asked):
    alone = await asyncio.open_connection("127.0.0.1", port)
    serial = [await ask(alone, each) for each in asked]
    assert {status for status, _ in serial} == {200}
    statuses, wrong = Counter(), []

    async def client(number):
        streams = await asyncio.open_connection("127.0.0.1", port)
        for turn in range(TURNS):
            at = (number * TURNS + turn) * 7 % len(asked)
            answer = await ask(streams, asked[at])
            statuses[answer[0]] += 1
            if answer[0] == 200 and answer != serial[at]:
                wrong.append(at)
        streams[1].close()

    await asyncio.gather(*(client(number) for number in range(CLIENTS)))
    alone[1].close()
    return statuses, wrong


@pytest.mark.slow
def test_a_thousand_clients_get_what_one_gets(collection, many_files):
    with served(collection) as address:
        port = int(address.rsplit(":", 1)[1])
        statuses, wrong = asyncio.run(crowd(port, requests(port)))
    assert wrong == []
    assert sum(statuses.values()) == CLIENTS * TURNS
    assert set(statuses) <= {200, 503} and statuses[503] <= CLIENTS * TURNS / 100


@pytest.mark.slow
def test_answers_do_not_wait_for_an_add(collection, tmp_path, make_photo):
    """Searches go on, and see what is committed, while another program is held up in an `add`."""
    for seed in range(100, 140):
        make_photo(tmp_path / "more" / f"{seed}.png", seed)
    held, go_on = threading.Event(), threading.Event()

    def hold(_):
        held.set()
        assert go_on.wait(30)

    def add():
        with Collection(collection.path, embedder=FakeEmbedder()) as other:
            other.add(tmp_path / "more", on_commit=hold)

    adding = threading.Thread(target=add)
    with served(collection) as address:
        port = int(address.rsplit(":", 1)[1])
        adding.start()
        try:
            assert held.wait(30)

            async def search():
                streams = await asyncio.open_connection("127.0.0.1", port)
                body = json.dumps({"examples": [{"item": 1}], "k": 200}).encode()
                answer = await asyncio.wait_for(ask(streams, request(port, "application/json", body)), 10)
                streams[1].close()
                return answer

            status, body = asyncio.run(search())
            assert adding.is_alive()  # in the middle of its first batch's report
        finally:
            go_on.set()
            adding.join()
        assert status == 200
        assert len(json.loads(body)["hits"]) == PHOTOS + 32 - 1  # a batch is there as a whole
        status, body = asyncio.run(search())
        assert len(json.loads(body)["hits"]) == PHOTOS + 40 - 1
