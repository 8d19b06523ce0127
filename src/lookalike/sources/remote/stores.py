"""The stores that objects are in, opened by fsspec: one page of a listing, the facts of one, its bytes.

`AnyStore` goes by what fsspec has for all; that of Amazon's protocol and that of the web talk to their
libraries below it, since they must stream pages, count bytes while they arrive, and retry in one place only.
"""

from __future__ import annotations

import logging
import os
from functools import lru_cache
from typing import Any, Protocol

from lookalike.errors import LookalikeError, MissingExtraError
from lookalike.sources.remote.addresses import scheme_of
from lookalike.sources.remote.any_store import AnyStore, aside
from lookalike.sources.remote.listed import Listed
from lookalike.sources.remote.s3 import S3Store
from lookalike.sources.remote.troubles import RemoteError, Trouble, trouble_of
from lookalike.sources.remote.web import WebStore

_CONNECT_SECONDS = 4
_OPEN_SECONDS = 15
_NO_HADOOP = "Hadoop's own client cannot be loaded, or does not reach it: JAVA_HOME, HADOOP_HOME, CLASSPATH"
_READ_SECONDS = 30
_CONNECTIONS = 64
_LOGS = ("fsspec", "s3fs", "gcsfs", "aiobotocore", "botocore", "aiohttp", "asyncio", "google")
_ALWAYS = {"use_listings_cache": False, "skip_instance_cache": True}
_ONE_FOR_ALL = frozenset(("s3", "gs", "http", "https", "memory"))  # else each host has its own
_IN_THE_EXTRA = frozenset(("s3", "gs", "http", "https", "hdfs", "memory"))


class ObjectStore(Protocol):
    """A store of objects. All calls run in fsspec's event loop and raise what its library raises."""

    async def page(self, folder: str, mark: Any = None) -> tuple[list[Listed], Any]:
        """Return some of what lies below a folder, and the mark of what follows; None at the end.

        Folders are looked into, not listed.
        """
        ...

    async def is_folder(self, uri: str) -> bool:
        """Whether an address is to be listed; raises what tells that nothing has just this name."""
        ...

    async def look(self, uri: str) -> Listed:
        """Return the facts of one object, without reading it."""
        ...

    async def fetch(self, uri: str, most_bytes: int, start: int = 0, length: int | None = None) -> bytes:
        """Return the bytes of an object, or `length` of them from `start` on; `TooLargeError` beyond."""
        ...


def store_of(address: str) -> ObjectStore:
    """Return the store of an address.

    Raises `MissingExtraError` where fsspec is not installed, `RemoteError` where it cannot be opened.
    """
    scheme = scheme_of(address)
    root = f"{scheme}://" if scheme in _ONE_FOR_ALL else root_of(address)
    given = scheme, root, os.getpid(), os.environ.get("AWS_ENDPOINT_URL")
    try:
        return aside(lambda: _opened(*given)).result(_OPEN_SECONDS)  # some connect at once
    except LookalikeError:
        raise
    except Exception as error:  # of any library
        if scheme == "hdfs" and isinstance(error, OSError):
            raise RemoteError(Trouble(_NO_HADOOP)) from None
        raise RemoteError(trouble_of(error)) from None


def root_of(uri: str) -> str:
    """Return the part of an address that names the store: scheme and host or bucket."""
    scheme, _, rest = uri.partition("://")
    return f"{scheme}://{rest.partition('/')[0]}"


def extra_of(scheme: str) -> str:
    """Return the extra that reads addresses of a scheme; Google has one of its own, being large."""
    return "gs" if scheme in ("gs", "gcs") else "remote"


def _hush() -> None:
    """Have libraries log to nobody who has not asked for it: what they say is told by errors."""
    for name in _LOGS:
        logging.getLogger(name).addHandler(logging.NullHandler())


@lru_cache(32)
def _opened(scheme: str, root: str, _process: int, _endpoint: str | None) -> ObjectStore:
    try:
        import fsspec  # an optional package

        _hush()
        kind = fsspec.get_filesystem_class(scheme)
    except ImportError:
        if scheme in _IN_THE_EXTRA:
            raise MissingExtraError(f"reading {scheme}:// addresses", extra_of(scheme)) from None
        raise
    if scheme == "s3":
        return S3Store(kind(**_ALWAYS, config_kwargs=_s3_config()))
    if scheme in ("http", "https"):
        return WebStore(kind(**_ALWAYS, client_kwargs={"trust_env": True}))
    named = {} if scheme in ("gs", "memory") else kind._get_kwargs_from_urls(root)
    return AnyStore(kind(**_ALWAYS, **named), scheme, root)


def _s3_config() -> dict[str, Any]:
    return {
        "connect_timeout": _CONNECT_SECONDS,
        "read_timeout": _READ_SECONDS,
        "max_pool_connections": _CONNECTIONS,
        "retries": {"total_max_attempts": 1},  # `patience.py` tries again
    }
