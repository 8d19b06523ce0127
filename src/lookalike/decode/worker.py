"""What runs inside a decode worker: one file in, a small RGB square or a plain refusal out."""

from __future__ import annotations

import hashlib
import os
import stat
import sys
import warnings
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from io import BufferedReader, BytesIO
from typing import TypeVar

from PIL import UnidentifiedImageError

from lookalike.decode import exif, rgb
from lookalike.decode.cost import Limits
from lookalike.decode.files import File
from lookalike.decode.opening import Picture, open_picture
from lookalike.decode.plugins import adjust_plugins
from lookalike.decode.refusal import RefusalError, Refused, one_line
from lookalike.decode.requests import MEMORY_BYTES, PhotoRequest, ThumbnailRequest
from lookalike.decode.sidecars import with_sidecars
from lookalike.files import stamp_of, stamp_with
from lookalike.records import FileStamp

MAX_FILE_BYTES = 1 << 30

_READ_AT_ONCE = 16 << 20
_JPEG = b"\xff\xd8"

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Decoded:
    """What one file holds; `pixels` is RGB bytes of the view's square, or None for known content.

    Behind them come those of the whole frame in grey, 64 × 64.
    Without any `metadata`, known content says nothing new.
    """

    content_hash: bytes
    size: int
    mtime_ns: int
    pixels: bytes | None
    metadata: dict[str, str | int | float]


def prepare_worker(memory_bytes: int) -> None:
    """Limit and quieten this process, once, when it starts."""
    warnings.simplefilter("ignore")
    adjust_plugins()
    if sys.platform != "win32":
        import resource  # absent on Windows, where only the pixel and time limits hold

        with suppress(ValueError, OSError):  # macOS may refuse; the other limits hold
            resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def read_photos(
    requests: tuple[PhotoRequest, ...], memory_bytes: int = MEMORY_BYTES
) -> list[Decoded | Refused]:
    """Read a chunk of files; one answer per request, in order. What takes more memory is refused."""
    return [_guarded(partial(_read_photo, request, memory_bytes)) for request in requests]


def read_thumbnail(request: ThumbnailRequest, memory_bytes: int = MEMORY_BYTES) -> bytes | Refused:
    """Return the upright picture as RGB JPEG bytes."""
    return _guarded(partial(_read_thumbnail, request, memory_bytes))


def _guarded(read: Callable[[], _T]) -> _T | Refused:  # noqa: PLR0911  # one per kind of trouble
    """Turn whatever a hostile file can raise into a refusal."""
    try:
        return read()
    except RefusalError as refusal:
        return refusal.refused
    except MemoryError:
        return Refused("decoding it needs more memory than a worker may use")
    except UnidentifiedImageError:
        return Refused("damaged, or an unsupported variant of its format")
    except FileNotFoundError:
        return Refused("no such file", lasting=False)
    except PermissionError:
        return Refused("no permission to read it", lasting=False)
    except OSError as error:
        if error.errno is not None:
            return Refused(f"cannot be read: {one_line(error.strerror or error)}", lasting=False)
        return Refused(f"damaged: {one_line(error)}")  # Pillow's own, without an errno
    except Exception as error:  # Pillow raises ValueError, SyntaxError, struct.error and more
        return Refused(f"damaged: {one_line(error) or type(error).__name__}")


def _read_photo(request: PhotoRequest, memory: int) -> Decoded:
    with _opened(request.path, request.content) as file:
        before = _stamp(file)
        stamp = stamp_with(before, request.sidecars)  # what changes from here on is read next time
        source, digest = _hashed(file, before.size)
        pixels: bytes | None = None
        metadata: dict[str, str | int | float] = {}
        if digest not in request.known:
            pixels, metadata = _decode(source, request, memory)
        else:
            with suppress(Exception):  # it was read as a whole before
                metadata = _facts_alone(source, request, memory)
        after = _stamp(file)
    if before != after:
        raise RefusalError("changed while it was being read", lasting=False)
    return Decoded(digest, stamp.size, stamp.mtime_ns, pixels, metadata)


def _hashed(file: File, size: int) -> tuple[File, bytes]:
    """Return what to decode and its sha256; what most photos are is read from the disk once."""
    if size > _READ_AT_ONCE or file.read(len(_JPEG)) != _JPEG:
        file.seek(0)
        return file, hashlib.file_digest(file, "sha256").digest()
    file.seek(0)
    content = file.read()
    return BytesIO(content), hashlib.sha256(content).digest()


def _read_thumbnail(request: ThumbnailRequest, memory: int) -> bytes:
    with _opened(request.path, request.content) as file:
        if request.content_hash is not None:
            digest = hashlib.file_digest(file, "sha256").digest()
            if digest != request.content_hash:
                raise RefusalError("the file has changed since it was added", lasting=False)
        file.seek(0)
        with open_picture(file, Limits(request.max_pixels, memory)) as picture:
            out = BytesIO()
            rgb.thumbnail(picture.load(request.longest), request.longest).save(out, "JPEG", quality=85)
    return out.getvalue()


def _opened(path: str, content: bytes | None) -> File:
    return _open(path) if content is None else BytesIO(content)


def _stamp(file: File) -> FileStamp:
    if isinstance(file, BytesIO):
        return FileStamp(file.getbuffer().nbytes, 0)
    facts = os.fstat(file.fileno())
    return stamp_of(facts)


def _open(path: str) -> BufferedReader:
    """Open a regular file of believable size, never blocking on a pipe that took its name."""
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    descriptor = os.open(path, flags)
    facts = os.fstat(descriptor)
    refusal = None
    if stat.S_ISDIR(facts.st_mode):
        refusal = "a folder, not a photo"
    elif not stat.S_ISREG(facts.st_mode):
        refusal = "not a regular file"
    elif facts.st_size == 0:
        refusal = "empty file"
    elif facts.st_size > MAX_FILE_BYTES:
        refusal = f"larger than {MAX_FILE_BYTES >> 20:,} MiB"
    if refusal:
        os.close(descriptor)
        raise RefusalError(refusal)
    return os.fdopen(descriptor, "rb")


def _decode(file: File, request: PhotoRequest, memory: int) -> tuple[bytes, dict[str, str | int | float]]:
    view, box = request.view, request.box
    file.seek(0)
    with open_picture(file, Limits(request.max_pixels, memory)) as picture:
        picture.load(rgb.shortest_side(view, box))
        facts = _facts(picture, request)
        small = rgb.square(picture.image, view, box)
        grey = rgb.grey(picture.image, box)
    return small.tobytes() + grey.tobytes(), facts


def _facts_alone(file: File, request: PhotoRequest, memory: int) -> exif.Facts:
    file.seek(0)
    with open_picture(file, Limits(request.max_pixels, memory)) as picture:
        if picture.format == "PNG":  # facts may stand behind the pixels
            picture.load(rgb.shortest_side(request.view, request.box))
        return _facts(picture, request)


def _facts(picture: Picture, request: PhotoRequest) -> exif.Facts:
    width, height = rgb.upright_size(picture.image, picture.size)
    stated = exif.read_facts(picture.image, picture.container)
    facts = with_sidecars(stated, request.sidecars) if request.sidecars else stated
    if facts != stated:
        facts["sidecar"] = "; ".join(os.path.basename(path) for path in request.sidecars)  # noqa: PTH119
    return {"width": width, "height": height, "format": picture.format, **facts}
