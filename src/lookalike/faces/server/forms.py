"""Photos sent along with a request: read into memory, never to disk."""

from __future__ import annotations

import msgspec
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import ClientDisconnect, Request

from lookalike.faces.server.operations import RefusedError, checked, json_body, media_type
from lookalike.faces.server.schema import MAX_EXAMPLES, MAX_UPLOAD_BYTES, Example, SearchRequest

_FORM = "multipart/form-data"
_QUERY, _PHOTO = "query", "photo"
_ONE_UPLOAD = SearchRequest([Example(upload=0)])


class _InMemoryParser(MultiPartParser):
    spool_max_size = MAX_UPLOAD_BYTES + 1  # the default rolls larger files over to disk


async def read_search(request: Request) -> tuple[SearchRequest, list[bytes]]:
    """Return what is asked for and the photos that came along; a form without a query asks for its photo."""
    if media_type(request) != _FORM:
        return await json_body(request, SearchRequest), []
    text, photos = await _read_form(request)
    if text is None:
        return _ONE_UPLOAD, photos
    return checked(lambda: msgspec.json.decode(text, type=SearchRequest)), photos


async def read_photo(request: Request) -> bytes:
    """Return the one photo that a form holds."""
    if media_type(request) != _FORM:
        raise RefusedError(415, "unsupported_media_type", f"send the photo as {_FORM}, in the field {_PHOTO}")
    text, photos = await _read_form(request)
    if text is not None or len(photos) != 1:
        raise RefusedError(400, "bad_request", f"send one photo, in the field {_PHOTO}")
    return photos[0]


async def _read_form(request: Request) -> tuple[str | None, list[bytes]]:
    """Return the text of the field `query`, if there is one, and the photos in their order."""
    parser = _InMemoryParser(request.headers, request.stream(), max_files=MAX_EXAMPLES, max_fields=2)
    try:
        form = await parser.parse()
    except (MultiPartException, KeyError, ValueError, AssertionError) as error:  # what malformed forms raise
        if isinstance(error, ClientDisconnect):
            raise
        raise RefusedError(400, "bad_request", f"the form cannot be read: {error}") from error
    text: str | None = None
    photos: list[bytes] = []
    try:
        for name, value in form.multi_items():
            if name == _PHOTO and isinstance(value, UploadFile):
                photos.append(await value.read())
            elif name == _QUERY and isinstance(value, str) and text is None:
                text = value
            else:
                raise RefusedError(
                    400,
                    "bad_request",
                    f"a form holds one {_QUERY} (JSON) and files in {_PHOTO}; got {name!r:.80}",
                )
    finally:
        await form.close()
    return text, photos
