"""The one reader of http and https addresses: what it returns is looked up, connected to and asked for.

It follows RFC 3986 and is strict where readers differ: what two of them read differently leads past a check.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from urllib.parse import quote, urljoin

import idna

from lookalike.errors import FetchError

PORTS = {"http": 80, "https": 443}
MAX_LENGTH = 4096  # characters
_MAX_NAME = 253  # characters: RFC 1035

# Control characters (C0, DEL, C1) and the backslash, which browsers read as a slash.
_NEVER = re.compile(r"[\x00-\x1f\x7f-\x9f\\]")
_URL = re.compile(r"(https?)://([^/?#]*)([^?#]*)(?:\?([^#]*))?(?:#.*)?", re.IGNORECASE | re.ASCII | re.DOTALL)
_AUTHORITY = re.compile(r"(?:\[([0-9a-f:.]+)\]|([^\[\]:@%]+))(?::([0-9]*))?", re.IGNORECASE | re.ASCII)
_NAME = re.compile(r"[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*", re.ASCII)
_PATH_MARKS = "/%:@!$&'()*+,;=-._~"  # stay as they are; other marks are percent-encoded
_QUERY_MARKS = _PATH_MARKS + "?"


@dataclass(frozen=True)
class Url:
    """An http or https address, all ASCII; `host` is a lower-case name, or an IP address without brackets."""

    scheme: str
    host: str
    port: int
    target: str

    @property
    def authority(self) -> str:
        """Host and, unless it is the scheme's own, port: what the Host header says."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == PORTS[self.scheme] else f"{host}:{self.port}"

    def __str__(self) -> str:
        return f"{self.scheme}://{self.authority}{self.target}"

    def joined(self, location: str) -> Url:
        """Return where a redirect from here leads; raises FetchError like `parse_url`."""
        if _NEVER.search(location):  # before `urljoin`, which drops some of them
            raise _unfit(location)
        try:
            return parse_url(urljoin(str(self), location))
        except ValueError:
            raise _unfit(location) from None


def parse_url(text: str) -> Url:
    """Read an address; raises FetchError, with a message for whoever wrote it, when it cannot be fetched."""
    text = text.strip(" \t\r\n")  # as pasted
    if len(text) > MAX_LENGTH:
        raise FetchError(f"the address has {len(text):,} characters; at most {MAX_LENGTH:,} are read")
    match = _URL.fullmatch(text)
    if match is None or _NEVER.search(text):
        raise _unfit(text)
    scheme, authority, path, query = match.groups()
    host, port = _host_and_port(authority, scheme.lower(), text)
    try:
        target = quote(path or "/", _PATH_MARKS) + ("" if query is None else "?" + quote(query, _QUERY_MARKS))
    except UnicodeEncodeError:  # half of a surrogate pair
        raise _unfit(text) from None
    return Url(scheme.lower(), host, port, target)


def _host_and_port(authority: str, scheme: str, text: str) -> tuple[str, int]:
    if "@" in authority:
        raise FetchError("the address must not contain a user name or password")
    match = _AUTHORITY.fullmatch(authority)
    if match is None:
        raise _unfit(text)
    literal, name, port = match.groups()
    if port and port not in {str(allowed) for allowed in PORTS.values()}:
        raise FetchError("the address must not name a port other than 80 and 443")
    try:
        host = str(ipaddress.IPv6Address(literal)) if literal else _ascii_name(name)
    except ValueError:
        raise _unfit(text) from None
    return host, int(port) if port else PORTS[scheme]


def _ascii_name(name: str) -> str:
    """Return a host name in lower-case ASCII without a last dot; raises ValueError when it is none."""
    if len(name) <= _MAX_NAME and not name.isascii():
        name = idna.encode(name, uts46=True).decode("ascii")
    name = name.lower().removesuffix(".")
    if len(name) > _MAX_NAME or not _NAME.fullmatch(name):
        raise ValueError(f"not a host name: {name!r}")
    return name


def _unfit(text: str) -> FetchError:
    shown = text if len(text) <= 80 else text[:79] + "…"
    return FetchError(f"{shown!r} is not an address of a picture; write one that begins with https://")
