"""Addresses of collections in Milvus for tests, each of a name of its own, dropped in the end."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator

import pytest

from lookalike.engine.milvus.address import MilvusAddress
from lookalike.engine.milvus.client import MilvusConnection
from milvus_fixture import MilvusServer

__all__ = ["milvus_place", "new_milvus_place", "own_milvus_place"]


def address_at(server: MilvusServer) -> MilvusAddress:
    """The address of a new collection on a server."""
    host, port = server.address.split(":")
    return MilvusAddress(host, int(port), f"test_{uuid.uuid4().hex[:12]}")


def drop(address: MilvusAddress) -> None:
    """Drop all Milvus collections of a collection."""
    connection = MilvusConnection(address)
    for name in connection._open().list_collections():
        if name == address.name or name.startswith(f"{address.name}__"):
            connection.drop(name)
    connection.close()


@pytest.fixture
def new_milvus_place(milvus_server: MilvusServer) -> Iterator[Callable[[], str]]:
    """Make further addresses."""
    made: list[MilvusAddress] = []

    def make() -> str:
        made.append(address_at(milvus_server))
        return str(made[-1])

    yield make
    for address in made:
        drop(address)


@pytest.fixture
def milvus_place(new_milvus_place: Callable[[], str]) -> str:
    """The address of a collection that is not there yet."""
    return new_milvus_place()


@pytest.fixture
def own_milvus_place(own_milvus_server: MilvusServer) -> str:
    """The address of a collection on a server that the test has for itself."""
    return str(address_at(own_milvus_server))
