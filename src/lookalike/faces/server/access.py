"""What the server answers to: the names it goes by, and the token that is asked for beyond this machine."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Self

from lookalike.errors import UsageError

LOOPBACK_NAMES = ("127.0.0.1", "localhost", "[::1]")
SHORTEST_TOKEN = 16
_NAME = re.compile(r"(?P<name>\[[0-9a-f:.]+\]|[a-z0-9_-]+(?:\.[a-z0-9_-]+)*)(?::(?P<port>[0-9]{1,5}))?")


def is_loopback(address: str) -> bool:
    """Whether only this machine can reach a server that listens on `address`."""
    try:
        return ipaddress.ip_address(address.strip("[]")).is_loopback
    except ValueError:
        return address.lower() == "localhost"


def is_open(address: str, names: Iterable[str], https: bool) -> bool:
    """Whether others than this machine are meant to reach the server, directly or by a proxy in front."""
    return https or bool(list(names)) or not is_loopback(address)


def is_wildcard(address: str) -> bool:
    """Whether `address` stands for all addresses of this machine."""
    try:
        return ipaddress.ip_address(address.strip("[]")).is_unspecified
    except ValueError:
        return False


def _split(given: str) -> tuple[str, int | None]:
    """The name as browsers write it, and the port if one was given; `UsageError` if it is neither."""
    text = given.strip().lower()
    try:
        address = ipaddress.ip_address(text.strip("[]"))
        return (f"[{address.compressed}]" if address.version == 6 else address.compressed), None
    except ValueError:
        match = _NAME.fullmatch(text)
    if not match:
        raise UsageError(f"not a host name, an address, or one of them with a port: {given!r}")
    port = match["port"]
    return match["name"], int(port) if port else None


def host_names(address: str, port: int, names: Iterable[str] = (), *, https: bool = False) -> frozenset[str]:
    """Every `Host` that a server listening on `address` and `port` goes by, in lower case.

    `names` are further names, each with or without a port of its own. The port may be absent where it is the
    default of the scheme; with `https` (TLS ends at a proxy in front) names without a port mean that default
    as well. A wildcard address is no name: loopback names stand in for it. Raises `UsageError` for what is
    no name.
    """
    default = 443 if https else 80
    own = list(LOOPBACK_NAMES) if is_loopback(address) or is_wildcard(address) else []
    if not is_wildcard(address):
        own.append(address)
    hosts = set()
    for given in [*own, *names]:
        name, its_port = _split(given)
        ports = {its_port} if its_port else {port} | ({443} if https else set())
        hosts |= {f"{name}:{one}" for one in ports} | ({name} if default in ports else set())
    return frozenset(hosts)


@dataclass(frozen=True)
class Access:
    """Who may ask.

    `hosts` as from `host_names`. `https`: TLS ends at a proxy in front, so that origins are https and the
    cookie is for https only. `token`: what must be shown, or None for anyone on this machine. `any_ip_port`:
    the port at which it also goes by any IP address, as it does when it listens on all of them (a name that
    leads here by DNS rebinding is no address); with `https` the default port, which may be absent, as well.
    `cookie_key`: makes the cookie from the token; by default new for each server, with which cookies end.
    """

    hosts: frozenset[str]
    https: bool = False
    token: str | None = field(default=None, repr=False)
    any_ip_port: int | None = None
    cookie_key: bytes = field(default_factory=lambda: secrets.token_bytes(32), repr=False)

    def __post_init__(self) -> None:
        if self.token is not None and not re.fullmatch(rf"[!-~]{{{SHORTEST_TOKEN},}}", self.token):
            raise UsageError(f"a token is {SHORTEST_TOKEN} or more letters, digits or signs without spaces")

    @classmethod
    def listening(
        cls,
        address: str,
        port: int,
        names: Iterable[str] = (),
        *,
        https: bool = False,
        token: str | None = None,
    ) -> Self:
        """The access to a server on `address`; `UsageError` where it needs a token and there is none."""
        names = list(names)
        if token is None and is_open(address, names, https):
            raise UsageError(f"listening on {address} for others lets them in: it needs a token")
        any_ip_port = port if is_wildcard(address) else None
        return cls(host_names(address, port, names, https=https), https, token, any_ip_port)

    @property
    def is_for_this_machine(self) -> bool:
        """Whether it is reached by this machine's own names only."""
        names = (host if host.endswith("]") else host.rpartition(":")[0] or host for host in self.hosts)
        return not self.https and self.any_ip_port is None and all(map(is_loopback, names))

    def goes_by(self, host: str) -> bool:
        """Whether the server goes by a `Host` in lower case."""
        if host in self.hosts:
            return True
        is_bare = ":" not in host or host.endswith("]")
        name, _, port = (f"{host}:443" if self.https and is_bare else host).rpartition(":")
        ports = {str(self.any_ip_port)} | ({"443"} if self.https else set())
        if self.any_ip_port is None or port not in ports or "%" in name:
            return False
        try:
            ip = ipaddress.ip_address(name[1:-1] if name.startswith("[") and name.endswith("]") else name)
        except ValueError:
            return False
        return _split(str(ip))[0] == name and not ip.is_unspecified

    def origin(self, host: str) -> str:
        """The origin of pages from `host`, in the form browsers send it."""
        scheme, default = ("https", ":443") if self.https else ("http", ":80")
        return f"{scheme}://{host.removesuffix(default)}"

    def is_token(self, shown: bytes) -> bool:
        """Whether `shown` is the token, in a time that does not tell how much of it is right."""
        return self.token is not None and hmac.compare_digest(shown, self.token.encode("ascii"))

    def cookie_value(self) -> bytes:
        """What the cookie holds: a digest of the token, of no use without the server's key."""
        digest = hmac.new(self.cookie_key, (self.token or "").encode("ascii"), hashlib.sha256)
        return digest.hexdigest().encode("ascii")
