"""Addresses of collections in Milvus are read, or refused in one line that repeats no secret."""

from __future__ import annotations

import socket
import time

import pytest

from lookalike import Collection
from lookalike.engine.milvus.address import MilvusAddress, credentials, is_milvus, parse_address
from lookalike.errors import LookalikeError, UnreachableError, UsageError


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("milvus://10.0.0.5:19530/photos", ("10.0.0.5", 19530, "photos")),
        ("milvus://engine.example/photos", ("engine.example", 19530, "photos")),
        ("milvus://engine:1/_a9/", ("engine", 1, "_a9")),
        ("milvus://[::1]:19530/photos", ("[::1]", 19530, "photos")),
    ],
)
def test_addresses_are_read(text, parts):
    address = parse_address(text)
    assert (address.host, address.port, address.name) == parts
    assert parse_address(str(address)) == address


@pytest.mark.parametrize(
    "text",
    [
        "milvus://",
        "milvus://host",
        "milvus://host/",
        "milvus://host:0/photos",
        "milvus://host:99999/photos",
        "milvus://host:x/photos",
        "milvus://host/two/parts",
        "milvus://host/9photos",
        "milvus://host/ph-otos",
        "milvus://host/photos?x=1",
        "milvus://host/" + "a" * 101,
        "milvus://host/фото",
    ],
)
def test_what_is_no_address_is_refused(text):
    with pytest.raises(UsageError):
        parse_address(text)


@pytest.mark.parametrize("text", ["milvus://root:secret@host/photos", "milvus://secret@host:1/photos"])
def test_a_secret_in_an_address_is_not_repeated(text):
    with pytest.raises(UsageError) as refused:
        parse_address(text)
    assert "secret" not in str(refused.value) and "MILVUS_TOKEN" in str(refused.value)


def test_a_folder_is_no_address(tmp_path):
    assert not is_milvus(tmp_path) and not is_milvus("photos.lookalike") and is_milvus("milvus://h/n")
    assert Collection("milvus://h/n").path == MilvusAddress("h", 19530, "n")


def test_token_and_tls_come_from_the_environment_or_files(tmp_path, monkeypatch):
    for name in ("MILVUS_TOKEN", "MILVUS_TOKEN_FILE", "MILVUS_TLS", "MILVUS_CA_FILE"):
        monkeypatch.delenv(name, raising=False)
    assert credentials() == {}
    assert parse_address("milvus://h/n").uri == "http://h:19530"
    monkeypatch.setenv("MILVUS_TOKEN", "root:Milvus")
    assert credentials() == {"token": "root:Milvus"}
    (tmp_path / "token").write_text("from-a-file\n")
    monkeypatch.setenv("MILVUS_TOKEN_FILE", str(tmp_path / "token"))
    assert credentials() == {"token": "from-a-file"}
    (tmp_path / "ca.pem").write_text("certificate")
    monkeypatch.setenv("MILVUS_CA_FILE", str(tmp_path / "ca.pem"))
    assert credentials()["server_pem_path"] == str(tmp_path / "ca.pem")
    assert parse_address("milvus://h/n").uri == "https://h:19530"
    monkeypatch.setenv("MILVUS_CA_FILE", str(tmp_path / "none.pem"))
    with pytest.raises(UsageError, match=r"MILVUS_CA_FILE.*none\.pem"):
        credentials()


def test_a_wrong_address_is_told_soon(tmp_path):
    pytest.importorskip("pymilvus")
    with socket.socket() as silent:  # takes connections and says nothing
        silent.bind(("127.0.0.1", 0))
        silent.listen(64)
        for port in (1, silent.getsockname()[1]):
            begun = time.monotonic()
            with (
                Collection(f"milvus://127.0.0.1:{port}/photos") as it,
                pytest.raises(UnreachableError) as told,
            ):
                it.search(1)
            assert time.monotonic() - begun < 10
            assert "\n" not in str(told.value) and f"127.0.0.1:{port}" in str(told.value)


def test_a_server_of_another_kind_is_told(tmp_path):
    pytest.importorskip("pymilvus")
    from http.server import BaseHTTPRequestHandler, HTTPServer
    from threading import Thread

    server = HTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)
    Thread(target=server.serve_forever, daemon=True).start()
    place = f"milvus://127.0.0.1:{server.server_port}/photos"
    with Collection(place) as collection, pytest.raises(LookalikeError, match="does not answer"):
        collection.info()
    server.shutdown()
    server.server_close()
