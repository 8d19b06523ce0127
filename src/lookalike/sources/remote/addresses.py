"""Addresses of remote places: which texts are some, how one is written down, and which must never be."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import urlsplit

from lookalike.errors import UsageError

SHARD_SUFFIXES = (".tar", ".tar.gz", ".tgz")
TABLE_SUFFIXES = (".parquet",)
Source = Path | str
"""What callers name: a path on this machine, or the address of a remote place as `normal` writes it."""

_ADDRESS = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://(.*)", re.DOTALL)
_COLLAPSED = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):[/\\][^/\\]")
_SCHEMES = frozenset(
    (
        *("s3", "s3a", "gs", "gcs", "hdfs", "webhdfs", "http", "https"),
        *("abfs", "abfss", "az", "adl", "oci", "oss", "sftp", "ssh", "ftp", "smb", "memory"),
    )
)
_OTHER_NAMES = {"s3a": "s3", "gcs": "gs"}
_WEB = frozenset(("http", "https"))
_MEMBER = re.compile(r"(.+?\.(?:tar|tar\.gz|tgz|parquet))#(.+)", re.DOTALL | re.IGNORECASE)
_SECRET_WORDS = frozenset(
    (
        *("sig", "signature", "token", "key", "apikey", "secret", "password", "passwd", "pwd"),
        *("auth", "credential", "credentials", "sas"),
    )
)
_SECRET_STARTS = ("x-amz-", "x-goog-", "awsaccesskeyid", "googleaccessid")
_SIGNED = re.compile(r"[?&](?:x-amz-\w+|x-goog-\w+|awsaccesskeyid|googleaccessid|signature|sig|token)=", re.I)
_ENVIRONMENT = {
    "s3": "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE",
    "gs": "GOOGLE_APPLICATION_CREDENTIALS",
    "http": "NETRC, the file of names and passwords,",
    "az": "AZURE_STORAGE_CONNECTION_STRING",
}


def is_address(source: str) -> bool:
    """Whether a text is an address of a remote place, whose scheme is one that is served."""
    found = _ADDRESS.match(source)
    return found is not None and found[1].lower() in _SCHEMES


def is_web(address: str) -> bool:
    """Whether an address is one of the web, where each file is asked for by itself."""
    return is_address(address) and scheme_of(address) in _WEB


def is_remote(source: str) -> bool:
    """Whether a source is read otherwise than a plain file or folder: an address, or a shard by its name."""
    return is_address(source) or is_shard(source)


def is_shard(name: str) -> bool:
    """Whether a name is that of a tar shard."""
    return name.lower().endswith(SHARD_SUFFIXES)


def is_picture_table(name: str) -> bool:
    """Whether a name is that of a table that may hold pictures."""
    return name.lower().endswith(TABLE_SUFFIXES)


def scheme_of(address: str) -> str:
    """Return the scheme of an address, in the name it has in uris."""
    scheme = address.partition("://")[0].lower()
    return _OTHER_NAMES.get(scheme, scheme)


def normal(address: str) -> str:
    """Return an address as it is written down: one spelling of scheme and host, no / at its end.

    Raises `UsageError` for one that holds credentials, which it does not repeat, and for one without a place.
    """
    check_open(address)
    scheme, rest = scheme_of(address), address.partition("://")[2]
    host, slash, path = rest.partition("/")
    if scheme in _WEB:
        host, path = host.lower(), path.partition("#")[0]
    if not host and scheme not in ("memory", "hdfs"):
        raise UsageError(
            f"{scheme}:// needs a {'host' if scheme in _WEB else 'bucket'}: {scheme}://NAME/PATH"
        )
    path = path if scheme in _WEB and "?" in path else path.rstrip("/")
    return f"{scheme}://{host}{slash if path else ''}{path}"


def check_open(address: str) -> None:
    """Refuse an address that holds a password or a signature, without repeating it."""
    scheme, rest = scheme_of(address), address.partition("://")[2]
    host, _, path = rest.partition("/")
    host = host.partition("?")[0]
    holds_password = "@" in host and (scheme in _WEB or ":" in host.rpartition("@")[0])
    query = urlsplit(address).query if scheme in _WEB else ""
    names = [part.partition("=")[0].lower() for part in re.split("[&;]", query)]
    signed = bool(_SIGNED.search(f"/{path}")) or any(map(_is_secret, names))
    if holds_password or signed:
        what = "a password" if holds_password else "a signature or key"
        where = _ENVIRONMENT.get("http" if scheme in _WEB else scheme, "its own environment variables")
        raise UsageError(
            f"an address of {scheme}://{host.rpartition('@')[2]} has {what} in it, which would be written "
            f"down: name the place alone; credentials are taken from {where} in the environment"
        )


def _is_secret(name: str) -> bool:
    return name.startswith(_SECRET_STARTS) or bool(_SECRET_WORDS & set(re.split(r"[-_.]|%[0-9a-f]{2}", name)))


def check_uncollapsed(path: Path) -> None:
    """Refuse a `Path` that was made of an address, in which it has merged the two slashes."""
    found = _COLLAPSED.match(str(path))
    if found is not None and found[1].lower() in _SCHEMES and not path.exists():
        raise UsageError(f"name addresses as text, not as Path, which makes {found[1]}:/ of {found[1]}://")


def split_member(uri: str) -> tuple[str, str] | None:
    """Return the shard or table and what of it a uri names, such as `("s3://b/x.tar", "1.jpg")`; or None.

    By its text alone: a file on this machine may have such a name, too.
    """
    found = _MEMBER.fullmatch(uri) if "#" in uri else None
    return (found[1], found[2]) if found is not None else None


def is_container(uri: str) -> bool:
    """Whether a uri is, by its name, one of a shard or table, in which there may be pictures."""
    return is_shard(uri) or is_picture_table(uri)
