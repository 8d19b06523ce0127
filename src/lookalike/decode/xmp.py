"""Facts that programs note in XMP (ISO 16684-1) and IPTC: properties by name, read in bounds."""

from __future__ import annotations

import re
from xml.parsers import expat

_LONGEST = 1 << 20  # bytes that are parsed at all
_DEEPEST = 32
_MOST_VALUES = 500
_LONGEST_VALUE = 4000

_RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
_NAMES = {
    "http://ns.adobe.com/exif/1.0/": "exif",
    "http://ns.adobe.com/exif/1.0/aux/": "aux",
    "http://cipa.jp/exif/1.0/": "exifEX",
    "http://ns.adobe.com/xap/1.0/": "xmp",
    "http://ns.adobe.com/photoshop/1.0/": "photoshop",
    "http://purl.org/dc/elements/1.1/": "dc",
}
_TOLD = re.compile(rb"Rating|subject|title|GPSL|DateTimeOriginal|DateCreated|CreateDate|Lens")

Properties = dict[str, list[str]]
"""The values of each property, as in `{"dc:subject": ["cat", "dog"], "xmp:Rating": ["5"]}`."""


class _TooMuchError(Exception):
    """The text is not what programs write, but what an attacker would."""


def read_xmp(raw: object) -> Properties:
    """Return the properties of an XMP packet; {} where there is none or it is malformed.

    Document types, and with them entities, end the reading.
    """
    data = raw.encode() if isinstance(raw, str) else raw
    if not isinstance(data, bytes) or len(data) > _LONGEST or not _TOLD.search(data):
        return {}
    reader = _Reader()
    try:
        reader.parse(data.strip(b"\0 \n\r\t"))
    except (expat.ExpatError, _TooMuchError, ValueError):
        return {}
    return reader.properties


class _Reader:
    """Follows expat through an RDF tree of two levels: descriptions, and their properties."""

    def __init__(self) -> None:
        self.properties: Properties = {}
        self._path: list[str] = []
        self._text = ""
        self._values = 0

    def parse(self, data: bytes) -> None:
        parser = expat.ParserCreate(namespace_separator=" ")
        parser.StartDoctypeDeclHandler = self._refuse
        parser.EntityDeclHandler = self._refuse
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._characters
        parser.Parse(data, True)

    def _refuse(self, *_: object) -> None:
        raise _TooMuchError

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self._path.append(name)
        if len(self._path) > _DEEPEST:
            raise _TooMuchError
        self._text = ""
        if name == f"{_RDF} Description" and self._property() is None:
            for attribute, value in attributes.items():
                self._note(attribute, value)

    def _characters(self, text: str) -> None:
        if len(self._text) < _LONGEST_VALUE:
            self._text += text

    def _end(self, name: str) -> None:
        owner = self._property()
        if owner is not None and name in (owner, f"{_RDF} li"):
            self._note(owner, self._text)
        self._text = ""
        self._path.pop()

    def _property(self) -> str | None:
        """Return the property that is being read: the element in a description that is in nothing but RDF."""
        for at, name in enumerate(self._path[:-1]):
            if name == f"{_RDF} Description":
                return self._path[at + 1]
        return None

    def _note(self, name: str, value: str) -> None:
        space, _, local = name.rpartition(" ")
        value = value.strip()[:_LONGEST_VALUE]
        if value and space in _NAMES:
            self._values += 1
            if self._values > _MOST_VALUES:
                raise _TooMuchError
            self.properties.setdefault(f"{_NAMES[space]}:{local}", []).append(value)


_IPTC = {5: "title", 25: "keywords", 55: "date", 60: "time"}
_UTF8 = b"\x1b%G"


def read_iptc(raw: object) -> Properties:
    """Return `title`, `keywords`, `date` and `time` of IPTC records (IIM 4.2, 1.6 and 2)."""
    found: Properties = {}
    if not isinstance(raw, bytes):
        return found
    at, letters = 0, "latin-1"
    while at + 5 <= len(raw) and raw[at] == 0x1C and sum(map(len, found.values())) < _MOST_VALUES:
        record, kind, length = raw[at + 1], raw[at + 2], int.from_bytes(raw[at + 3 : at + 5], "big")
        if length & 0x8000:  # an extended one, of megabytes
            break
        data = raw[at + 5 : at + 5 + length]
        if (record, kind) == (1, 90) and data == _UTF8:
            letters = "utf-8"
        elif record == 2 and kind in _IPTC:
            found.setdefault(_IPTC[kind], []).append(_decoded(data, letters))
        at += 5 + length
    return found


def _decoded(data: bytes, letters: str) -> str:
    """Many write UTF-8 without saying so."""
    for encoding in ("utf-8", letters):
        try:
            return data.decode(encoding)
        except UnicodeDecodeError:
            continue
    return data.decode("latin-1")
