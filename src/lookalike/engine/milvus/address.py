"""Where a collection in Milvus is: `milvus://HOST:PORT/NAME`, and what the environment says of getting in."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from lookalike.errors import UsageError
from lookalike.files import read_text

SCHEME = "milvus://"
PORT = 19530
"""The port of a Milvus server, unless another is said."""

_ADDRESS = re.compile(r"(?P<host>\[[0-9a-fA-F:.]+\]|[^/:@\[\]]+)(?::(?P<port>\d{1,5}))?/(?P<name>[^/]+)/?")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,99}")
_TOKEN, _TOKEN_FILE = "MILVUS_TOKEN", "MILVUS_TOKEN_FILE"
_TLS, _CA, _CERT, _KEY = "MILVUS_TLS", "MILVUS_CA_FILE", "MILVUS_CERT_FILE", "MILVUS_KEY_FILE"


@dataclass(frozen=True, slots=True)
class MilvusAddress:
    """A collection by host, port and name; its text is what users write."""

    host: str
    port: int
    name: str

    def __str__(self) -> str:
        return f"{SCHEME}{self.host}:{self.port}/{self.name}"

    @property
    def uri(self) -> str:
        """What `pymilvus` is given."""
        return f"{'https' if _wants_tls() else 'http'}://{self.host}:{self.port}"


def is_milvus(text: object) -> bool:
    """Whether a collection is named by an address of Milvus."""
    return isinstance(text, str) and text.startswith(SCHEME)


def parse_address(text: str) -> MilvusAddress:
    """Read `milvus://HOST[:PORT]/NAME`; raises `UsageError`, without repeating what may be a secret."""
    rest = text.removeprefix(SCHEME)
    if "@" in rest:
        raise UsageError(
            f"an address of Milvus has no user or password in it; put the token into {_TOKEN} or into a file "
            f"that {_TOKEN_FILE} names"
        )
    parts = _ADDRESS.fullmatch(rest)
    if parts is None:
        raise UsageError(f"cannot read the address {text!r}; write {SCHEME}HOST:PORT/NAME")
    if not _NAME.fullmatch(parts["name"]):
        raise UsageError(
            f"{parts['name']!r} cannot name a collection in Milvus: up to 100 letters, digits and _ "
            "can, not beginning with a digit"
        )
    port = int(parts["port"] or PORT)
    if not 0 < port < 65_536:
        raise UsageError(f"{port} is no port; write {SCHEME}HOST:PORT/NAME")
    return MilvusAddress(parts["host"], port, parts["name"])


def credentials() -> dict[str, str]:
    """Return what the environment says of token and TLS, as `pymilvus` takes it.

    `MILVUS_TOKEN` is `user:password` or a key, `MILVUS_TOKEN_FILE` a file that holds one. TLS is used where
    `MILVUS_TLS` is 1 or `MILVUS_CA_FILE` names the authority's certificate; `MILVUS_CERT_FILE` and
    `MILVUS_KEY_FILE` are the client's own. Raises `UsageError` where a file cannot be read.
    """
    found = {"token": _token()}
    for variable, name in ((_CA, "ca_pem_path"), (_CERT, "client_pem_path"), (_KEY, "client_key_path")):
        if path := os.environ.get(variable):
            _check_there(variable, path)
            found["server_pem_path" if variable == _CA and not os.environ.get(_CERT) else name] = path
    return {name: value for name, value in found.items() if value}


def _token() -> str:
    if path := os.environ.get(_TOKEN_FILE):
        _check_there(_TOKEN_FILE, path)
        return read_text(path).strip()
    return os.environ.get(_TOKEN, "")


def _check_there(variable: str, path: str) -> None:
    if not Path(path).is_file():
        raise UsageError(f"{variable} names a file that is not there: {path}")


def _wants_tls() -> bool:
    return os.environ.get(_TLS, "") not in ("", "0") or bool(os.environ.get(_CA))
