"""From a file to pixels in memory: which reader, how finely, and whether that may be."""

from __future__ import annotations

import struct
from contextlib import suppress
from typing import Any

from PIL import Image, ImageFile
from PIL.ExifTags import Base

from lookalike.decode import raw, tones
from lookalike.decode.cost import Limits
from lookalike.decode.files import File, stretch
from lookalike.decode.formats import EXTRAS, HEAD_BYTES, RAW_FORMATS, jpeg_start, sniff
from lookalike.decode.headers import levels_of_jpeg2000, size_in_header
from lookalike.decode.ifd import Directory, read_directories
from lookalike.decode.plugins import reader_of
from lookalike.decode.refusal import RefusalError, one_line

_MOST_HALVINGS = 3  # what JPEG can do, too


class Picture:
    """One picture of a file, opened; `load` decodes it into `image`.

    `format` is Pillow's name of it, or that of the RAW file it lies in; `size` that of the whole. Use it in a
    `with` block.
    """

    container: Image.Exif | None = None
    """The facts of the RAW file around it."""

    def __init__(self, file: File, name: str, limits: Limits) -> None:
        self.format = name
        self._file, self._name, self._limits = file, name, limits
        self.image = self._open()
        self.size = self.image.size

    def __enter__(self) -> Picture:
        return self

    def __exit__(self, *_: object) -> None:
        self.image.__exit__()  # unlike `close`, leaves the file open

    def load(self, shortest: int | None) -> Image.Image:
        """Decode; at a reduced scale where the sides stay at least `shortest` pixels, if given.

        Without, that is done only where the memory would not do. Raises `RefusalError` where nothing helps.
        """
        image = self.image
        self._reduce(shortest)
        tones.settle(image)
        self._limits.check(image, self.size)
        image.load()
        if tones.is_shallow(image):
            low = self._image()
            tones.low_bytes(low)
            low.load()
            image.paste(tones.deepened(image, low))
        return image

    def _reduce(self, shortest: int | None) -> None:
        """Have a JPEG or JPEG 2000 decoded at 1/2, 1/4 or 1/8 scale."""
        image: Any = self.image
        if self._name not in ("JPEG", "JPEG2000"):
            return
        if shortest is None:
            halvings = self._limits.halvings(image, _MOST_HALVINGS)
            shortest = (min(image.size) >> halvings) if halvings else None
        if self._name == "JPEG2000":
            wanted = (min(image.size) // max(1, shortest or min(image.size))).bit_length() - 1
            image.reduce = max(0, min(wanted, _MOST_HALVINGS, levels_of_jpeg2000(self._file)))
        elif shortest is not None:
            image.draft("RGB", (shortest, shortest))

    def _open(self) -> Image.Image:
        size = size_in_header(self._file, self._name)
        if size is not None:
            self._limits.check_header(self._name, size, self._file)
        image = self._image()
        self._limits.check_size(*image.size)
        if self._name == "JXL" and not getattr(image, "jpeg", False):
            with suppress(Exception):  # as in `rgb.upright_size`
                image.getexif().pop(Base.Orientation, None)  # its decoder has turned it already
        return image

    def _image(self) -> ImageFile.ImageFile:
        """Open by the reader of the format alone; `Image.open` would keep to itself what that has to say."""
        reader = reader_of(self._name)
        self._file.seek(0)
        try:
            return reader(self._file, "")
        except (SyntaxError, IndexError, KeyError, TypeError, struct.error) as error:
            why = f": {one_line(error)}" if str(error) else ""
            raise RefusalError(f"damaged, or an unsupported variant of its format{why}") from error


class RawPicture(Picture):
    """The largest picture in a RAW file that can be decoded, turned and described as the file says."""

    def __init__(self, file: File, kind: str, directories: list[Directory], limits: Limits) -> None:
        self._whole, self._previews = file, raw.previews(file, directories)
        if not self._previews:
            raise RefusalError(raw.NO_PREVIEW)
        self.container = raw.facts_of(file, kind)
        self._kind = kind
        self._take_next(limits)

    def load(self, shortest: int | None) -> Image.Image:
        """Decode, as any picture; one that is damaged gives way to the next smaller one."""
        while True:
            try:
                return super().load(shortest)
            except (OSError, SyntaxError, ValueError) as error:
                if not self._previews:
                    raise RefusalError(raw.BROKEN_PREVIEW) from error
                self._take_next(self._limits)

    def _take_next(self, limits: Limits) -> None:
        preview = self._previews.pop(0)
        super().__init__(stretch(self._whole, preview.start, preview.length), "JPEG", limits)
        self.format = self._kind
        turned = raw.orientation_of(self.container)
        with suppress(Exception):  # as in `rgb.upright_size`
            if turned and Base.Orientation not in self.image.getexif():
                self.image.getexif()[Base.Orientation] = turned


def open_picture(file: File, limits: Limits) -> Picture:
    """Open the picture in a file; raises `RefusalError`, and what Pillow raises on damage."""
    head = file.read(HEAD_BYTES)
    name = sniff(head)
    if name is None and (at := jpeg_start(head)) is not None:
        file, name = stretch(file, at), "JPEG"
    if name is None:
        raise RefusalError("not a photo in a format that is read")
    if name in EXTRAS and not EXTRAS[name].installed:
        raise RefusalError(EXTRAS[name].reason)
    if name == "TIFF" or name in RAW_FORMATS:
        directories = read_directories(file)
        kind = name if name in RAW_FORMATS else raw.raw_kind(directories, file)
        if kind is not None:
            return RawPicture(file, kind, directories, limits)
    return Picture(file, name, limits)
