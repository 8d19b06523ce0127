"""Fixtures of tests that need an object store: `pytest_plugins = ["object_store_fixtures"]`."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from object_store import S3Server


@pytest.fixture(scope="session")
def s3_server(tmp_path_factory) -> Iterator[S3Server]:
    """Moto's S3 server, for the whole run."""
    server = S3Server(tmp_path_factory.mktemp("s3") / "log").start()
    yield server
    server.stop()


@pytest.fixture
def s3(s3_server, monkeypatch) -> S3Server:
    """The S3 server, with the environment that points at it."""
    for name, value in s3_server.environment.items():
        monkeypatch.setenv(name, value)
    return s3_server
