"""What goes wrong at a remote place, as one readable line that quotes nothing of what the place says.

The texts of foreign errors may hold keys and signed addresses, so none is shown.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from itertools import chain
from typing import Any

from lookalike.errors import LookalikeError, MissingExtraError

_PASSING_CODES = frozenset(
    (
        *("SlowDown", "Throttling", "ThrottlingException", "RequestLimitExceeded", "RequestTimeout"),
        *("RequestTimeTooSkewed", "InternalError", "ServiceUnavailable", "503 Slow Down"),
    )
)
_OWN_WORDS = {
    "NoSuchBucket": "there is no such bucket",
    "InvalidObjectState": "it lies in an archive, from which it must be restored first (InvalidObjectState)",
    "ExpiredToken": "the credentials of the environment have expired (ExpiredToken)",
}
_PASSING_STATUS = frozenset((408, 425, 429, 500, 502, 503, 504))
_NO_CREDENTIALS = frozenset(("NoCredentialsError", "PartialCredentialsError", "DefaultCredentialsError"))
_UNREACHABLE = frozenset(
    (
        *("EndpointConnectionError", "ConnectTimeoutError", "ConnectionClosedError", "ProxyConnectionError"),
        *("ClientConnectorError", "ClientConnectorDNSError", "ClientProxyConnectionError"),
        *("ServerDisconnectedError", "ConnectionRefusedError", "ConnectionResetError", "ClientOSError"),
        *("ConnectionTimeoutError", "ServerTimeoutError", "gaierror"),
    )
)
_CUT = frozenset(
    ("ClientPayloadError", "IncompleteReadError", "IncompleteRead", "ResponseStreamingError", "CutShortError")
)
_TIMES = frozenset(("TimeoutError", "ReadTimeoutError", "SocketTimeoutError", "FSTimeoutError"))


class CutShortError(Exception):
    """A body that is shorter than what was announced."""


class TooLargeError(Exception):
    """A body that is longer than what may be read."""

    def __init__(self, most_bytes: int) -> None:
        super().__init__(most_bytes)
        self.most_bytes = most_bytes


@dataclass(frozen=True, slots=True)
class Trouble:
    """What went wrong: one line, whether to try at once again, and what it means.

    `is_passing`: it may be over in a moment. `is_gone`: nothing lies there. `is_lasting`: it will be so until
    the object changes. `is_unreachable`: nobody answers at all.
    """

    reason: str
    is_passing: bool = False
    is_gone: bool = False
    is_lasting: bool = False
    is_unreachable: bool = False


class RemoteError(LookalikeError):
    """A remote place, or one object of it, that cannot be read; the message is `trouble.reason`."""

    def __init__(self, trouble: Trouble) -> None:
        super().__init__(trouble.reason)
        self.trouble = trouble


def trouble_of(error: BaseException) -> Trouble:  # noqa: PLR0911  # one per kind of trouble
    """Return what an error of any library means."""
    if isinstance(error, RemoteError):
        return error.trouble
    if isinstance(error, MissingExtraError):
        return Trouble(str(error))
    if isinstance(error, TooLargeError):
        return Trouble(f"larger than {error.most_bytes >> 20:,} MiB", is_lasting=True)
    names = {kind.__name__ for kind in type(error).__mro__}
    if "TooManyRedirects" in names:
        return Trouble("it is redirected too often")
    status, code = _status_of(error), _code_of(error)
    if status is not None or code:
        return _answered(status, code)
    if names & _NO_CREDENTIALS:
        return Trouble(
            "no credentials are in the environment, such as AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY or "
            "GOOGLE_APPLICATION_CREDENTIALS; for a public bucket set FSSPEC_S3_ANON=true"
        )
    if names & _CUT:
        return Trouble("its body was cut short", is_passing=True)
    if names & _UNREACHABLE:
        return Trouble("nobody can be reached at that address", is_passing=True, is_unreachable=True)
    if names & _TIMES or isinstance(error, asyncio.TimeoutError):
        return Trouble("it took too long to answer", is_passing=True)
    return _of_other(error, names)


def _of_other(error: BaseException, names: set[str]) -> Trouble:
    if isinstance(error, FileNotFoundError):
        return Trouble("nothing lies there", is_gone=True)
    if isinstance(error, PermissionError):
        return Trouble("access is denied")
    if isinstance(error, ImportError):
        needed = getattr(error.__cause__, "name", None) or error.name or "see fsspec"
        return Trouble(f"a further package is needed for such addresses: {needed}")
    if "InvalidURL" in names or isinstance(error, ValueError):
        return Trouble("it is no valid address there")
    reason = error.strerror if isinstance(error, OSError) and error.errno is not None else None
    return Trouble(f"it cannot be read ({reason or type(error).__name__})", isinstance(error, OSError))


def _answered(status: int | None, code: str) -> Trouble:
    told = " ".join(
        str(each) for each in (status, code if code.isalnum() and code != str(status) else "") if each
    )
    if code in _OWN_WORDS:
        return Trouble(_OWN_WORDS[code])
    if status in (404, 410) or code in ("NoSuchKey", "404"):
        return Trouble(f"nothing lies there ({told})", is_gone=True)
    if status in (401, 403, 407) or code in ("AccessDenied", "403"):
        return Trouble(f"access is denied ({told}); credentials are taken from the environment alone")
    passing = status in _PASSING_STATUS or code in _PASSING_CODES
    return Trouble(f"the other side answers {told}", is_passing=passing)


def _status_of(error: BaseException) -> int | None:
    response = _response(error)
    found = response.get("ResponseMetadata", {}).get("HTTPStatusCode") if response else None
    named = (getattr(error, name, None) for name in ("status", "code"))  # the last one warns where both are
    for each in chain([found], named):
        if isinstance(each, int) and 100 <= each < 600:
            return each
        if isinstance(each, str) and each.isdigit():
            return int(each)
    return None


def _code_of(error: BaseException) -> str:
    response = _response(error)
    code = response.get("Error", {}).get("Code") if response else None
    return code if isinstance(code, str) else ""


def _response(error: BaseException) -> dict[str, Any] | None:
    found = getattr(error, "response", None)
    return found if isinstance(found, dict) else None
