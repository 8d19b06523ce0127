"""HTTP for model files: bounded, verified, and going on where it was cut off, in this run or the next.

Hugging Face's own client (`huggingface_hub` 2.4) is not used: it throws away what it has of a file when a
download ends early, so that nothing is resumed, and writes on beyond the announced size.
"""

from __future__ import annotations

import hashlib
import http.client
import json
import os
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlsplit

from lookalike.errors import FetchError, StorageError
from lookalike.files import open_bytes

PAUSES_S = (0.5, 2.0, 5.0, 10.0)
"""How long to wait before each further attempt; whatever brings a file forward starts them anew."""

_TIMEOUT_S = 30
_CHUNK_BYTES = 1 << 20
_MAX_ANSWER_BYTES = 32 << 20
_AGAIN = {408, 429, 500, 502, 503, 504}
_BROKEN = (OSError, http.client.HTTPException)  # URLError and TimeoutError are OSErrors


@dataclass(frozen=True, slots=True)
class Download:
    """A file to fetch: its size, and its sha256 or git's SHA-1 of it."""

    name: str
    url: str
    size: int
    sha256: str | None
    blob_id: str | None


class Client:
    """Asks one server and those it refers to; `token` is shown to the first one only."""

    def __init__(self, token: str | None = None) -> None:
        self._token = token
        self._opener = urllib.request.build_opener(_Redirects)

    def json(self, url: str, what: str) -> dict[str, Any]:
        """Return the object at an address; `what` it is for is named in a `FetchError`."""
        for pause in (*PAUSES_S[:2], None):  # nothing was begun yet: say soon that nobody answers
            try:
                with self._open(url) as response:
                    content = response.read(_MAX_ANSWER_BYTES + 1)
                if len(content) > _MAX_ANSWER_BYTES:
                    raise FetchError(f"{what}: the answer of {_host(url)} is too long")
                facts = json.loads(content)
                if isinstance(facts, dict):
                    return facts
                raise FetchError(f"{what}: {_host(url)} answered something else than an object")
            except _BROKEN as error:
                _wait_or_raise(error, pause, url, what)
            except ValueError as error:
                raise FetchError(f"{what}: {_host(url)} answered no JSON: {error}") from error
        raise AssertionError("the last pause is None")

    def fetch(self, wanted: Download, folder: Path, on_bytes: Callable[[int], None]) -> str:
        """Put a file into a folder, whole or not at all, and return its sha256.

        What is there of it already is kept. `on_bytes` hears how many bytes came, those from before included.
        Raises `FetchError`, `StorageError`.
        """
        path = folder / wanted.name
        part = path.with_name(f"{path.name}.part")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            begun = part.stat().st_size if part.exists() else 0
            if begun > wanted.size:
                part.unlink()
                begun = 0
            on_bytes(begun)
            self._fill(wanted, part, on_bytes)
            found = _digest(part, wanted)
            if found is None and begun:  # what an earlier run left was not the beginning of this file
                part.unlink()
                on_bytes(-wanted.size)
                self._fill(wanted, part, on_bytes)
                found = _digest(part, wanted)
            if found is None:
                part.unlink()
                raise FetchError(f"{wanted.name} from {_host(wanted.url)} is not the file that was announced")
            part.replace(path)
        except OSError as error:
            raise StorageError(f"{path} cannot be written: {error.strerror or error}") from error
        return found

    def _fill(self, wanted: Download, part: Path, on_bytes: Callable[[int], None]) -> None:
        """Append to a file until it has the announced size."""
        pauses = iter(PAUSES_S)
        with part.open("ab") as file:
            while (at := file.tell()) < wanted.size:
                problem: Exception = FetchError("the connection was closed early")
                try:
                    self._append(wanted, file, on_bytes)
                except _ServerError as error:
                    problem = error.problem
                if file.tell() >= wanted.size:
                    break
                if file.tell() > at:
                    pauses = iter(PAUSES_S)
                _wait_or_raise(problem, next(pauses, None), wanted.url, wanted.name)
            file.flush()
            os.fsync(file.fileno())

    def _append(self, wanted: Download, file: IO[bytes], on_bytes: Callable[[int], None]) -> None:
        at = file.tell()
        try:
            response = self._open(wanted.url, {"Range": f"bytes={at}-"} if at else {})
        except _BROKEN as error:
            raise _ServerError(error) from error
        with response:
            if at and not _goes_on(response, at):  # it sends the whole file again
                on_bytes(-at)
                _empty(file)
            while True:
                try:
                    chunk = response.read(_CHUNK_BYTES)
                except _BROKEN as error:
                    raise _ServerError(error) from error
                if not chunk:
                    return
                if file.tell() + len(chunk) > wanted.size:
                    _empty(file)
                    raise FetchError(
                        f"{wanted.name} from {_host(wanted.url)} is larger than its {wanted.size:,} bytes"
                    )
                file.write(chunk)
                file.flush()
                on_bytes(len(chunk))

    def _open(self, url: str, headers: dict[str, str] | None = None) -> http.client.HTTPResponse:
        request = urllib.request.Request(
            url, headers={"User-Agent": "lookalike", "Accept-Encoding": "identity", **(headers or {})}
        )
        if self._token:
            request.add_unredirected_header("Authorization", f"Bearer {self._token}")
        response: http.client.HTTPResponse = self._opener.open(request, timeout=_TIMEOUT_S)
        return response


class _ServerError(Exception):
    """Carries what went wrong on the way, as opposed to on the disk."""

    def __init__(self, problem: Exception) -> None:
        super().__init__(str(problem))
        self.problem = problem


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows redirects, never from HTTPS to HTTP; the token goes along only within one server."""

    def redirect_request(
        self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str
    ) -> urllib.request.Request | None:
        """Return what to ask next; urllib calls it."""
        before, after = urlsplit(req.full_url), urlsplit(newurl)
        if after.scheme not in ("http", "https") or (before.scheme, after.scheme) == ("https", "http"):
            raise urllib.error.HTTPError(newurl, code, "redirected to an unsafe address", headers, fp)
        request = super().redirect_request(req, fp, code, msg, headers, newurl)
        if request is not None and before[:2] == after[:2] and req.unredirected_hdrs.get("Authorization"):
            request.add_unredirected_header("Authorization", req.unredirected_hdrs["Authorization"])
        return request


def _empty(file: IO[bytes]) -> None:
    file.seek(0)
    file.truncate()


def _goes_on(response: http.client.HTTPResponse, at: int) -> bool:
    """Whether an answer begins where we stopped."""
    return response.status == 206 and response.headers.get("Content-Range", "").startswith(f"bytes {at}-")


def _digest(path: Path, wanted: Download) -> str | None:
    """Return the sha256 of a file, or None when it is not the announced one."""
    with open_bytes(path) as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        if wanted.sha256 is not None:
            return sha256 if sha256 == wanted.sha256 else None
        file.seek(0)
        blob = hashlib.sha1(b"blob %d\0" % wanted.size + file.read(), usedforsecurity=False).hexdigest()
    return sha256 if blob == wanted.blob_id else None


def _wait_or_raise(error: Exception, pause: float | None, url: str, what: str) -> None:
    """Wait before the next attempt, or say why there is none."""
    if isinstance(error, urllib.error.HTTPError):
        error.close()
    if isinstance(error, urllib.error.HTTPError) and error.code not in _AGAIN:
        raise FetchError(f"{what}: {_refusal(error.code, _host(url))}") from error
    if pause is None:
        reason = error.reason if isinstance(error, urllib.error.URLError) else error
        raise FetchError(
            f"{what}: {_host(url)} cannot be reached: {reason}; run it again to go on"
        ) from error
    time.sleep(pause)


def _refusal(code: int, host: str) -> str:
    if code in (401, 403):
        return (
            f"{host} asks who you are ({code}): there is no such model, or its terms must be accepted there; "
            "HF_TOKEN holds your token"
        )
    if code == 404:
        return f"{host} has no such model or revision (404)"
    return f"{host} answered {code}"


def _host(url: str) -> str:
    return urlsplit(url).netloc
