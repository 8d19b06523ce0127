"""Files of texts → clean texts: rows of tables, and passages of .txt and .md files, in steady memory."""

from __future__ import annotations

import hashlib
import os
import re
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from lookalike.decode.encodings import DAMAGED, damage_of, find_encoding, guess_of, open_text
from lookalike.decode.packed import plain_name
from lookalike.decode.passages import WINDOW, passages
from lookalike.decode.remarks import Remarks
from lookalike.decode.tables import AS_FOUND, ReadAs, TableFile
from lookalike.errors import QueryError
from lookalike.files import stamp_of
from lookalike.records import FileStamp, Metadata, Passage

_TABLES = (".csv", ".tsv", ".jsonl", ".ndjson", ".parquet", ".json")
_LARGEST = 1 << 30  # bytes of a .txt or .md file
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\u2028\u2029\ufeff]")
_VISIBLE = re.compile(
    r"[^\s\x00-\x1f\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e\u2060-\u206f"
    r"\u2800\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\U000e0000-\U000e0fff]"
)
"""A letter, or a sign: no space, no control letter, nothing that only changes what stands beside it."""

_SURROGATE = re.compile(r"[\ud800-\udfff]")
_MANY_BLANK = re.compile(r"\n[ \t]*(?:\n[ \t]*)+")
_PARAGRAPHS = 4 * WINDOW  # letters of a document that are looked at together


def is_table(path: str) -> bool:
    """Whether a file has rows and columns, by its name."""
    return Path(plain_name(path)).suffix.lower() in _TABLES


def clean(text: str) -> str:
    """Return a text with plain line ends, without control characters, and without space around it.

    Of one in which nothing can be seen, nothing is left.
    """
    text = _CONTROL.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))
    text = text.strip()
    if text.isascii():
        return text
    return _SURROGATE.sub("\ufffd", text) if _VISIBLE.search(text) else ""


@dataclass(slots=True)
class TextFile:
    """One file of texts; what was found out about it is complete when `passages` has ended.

    `column` is where the texts are in a table (None: the only one, or one named text). `reach(text)` is how
    many letters of a text the model reads; longer ones become several passages.
    """

    path: str
    uri: str
    column: str | None
    reach: Callable[[str], int]
    rows: int = 0
    empty: int = 0
    split: int = 0
    damaged: list[str] = field(default_factory=list)
    encoding: str = ""
    read_as: ReadAs = AS_FOUND
    remarks: Remarks = field(default_factory=Remarks)
    changed: bool = False
    """Whether it was written to while it was read."""

    def passages(self) -> Iterator[Passage]:
        """Yield what there is to embed, in the order of the file.

        Raises `UsageError` for a column that is not there, `QueryError` for a file that is no such table or
        text, `MissingExtraError` for Parquet without its extra, and `OSError`.
        """
        before = _stamp(self.path)
        table = TableFile(self.path, self.column, read_as=self.read_as, uri=self.uri, remarks=self.remarks)
        self.damaged = table.damaged
        for fragment, text, metadata in self._rows(table) if is_table(self.path) else self._document():
            stamp = FileStamp(len(text.encode()), before.mtime_ns)
            digest = hashlib.sha256(text.encode()).digest()
            yield Passage(f"{self.uri}#{fragment}", text, digest, stamp, metadata)
        self.encoding = self.encoding or table.encoding
        self.changed = _stamp(self.path) != before

    def _rows(self, table: TableFile) -> Iterator[tuple[str, str, Metadata]]:
        for number, raw, metadata in table.rows():
            self.rows += 1
            text = clean(raw)
            if not text:
                self.empty += 1
                continue
            if len(text) <= WINDOW and self.reach(text) >= len(text):
                yield str(number), text, metadata
                continue
            self.split += 1
            for part, passage in enumerate(passages(text, self.reach), 1):
                yield f"{number}.{part}", passage, metadata

    def _document(self) -> Iterator[tuple[str, str, Metadata]]:
        """Yield the passages of a whole text, numbered from 1: as many paragraphs together as are read."""
        if os.path.getsize(self.path) > _LARGEST:  # noqa: PTH202  # names may not be UTF-8
            raise QueryError(f"larger than {_LARGEST >> 20:,} MiB")
        number = 0
        rest = ""
        for block in self._blocks():
            rest = _MANY_BLANK.sub("\n\n", rest + block)
            *whole, rest = _held_back(rest)
            for text in whole:
                for passage in passages(text, self.reach):
                    number += 1
                    yield str(number), passage, {}
        for passage in passages(clean(rest), self.reach):
            number += 1
            yield str(number), passage, {}
        self.rows = number
        self.empty += number == 0
        self.split += number > 1

    def _blocks(self) -> Iterator[str]:
        encoding = find_encoding(self.path, self.read_as.encoding)
        self.encoding = encoding.name
        if encoding.is_guess:
            self.remarks.note(guess_of(encoding.name), [self.uri])
        read = damaged = 0
        with open_text(self.path, encoding, newline=None) as file:
            while block := file.read(_PARAGRAPHS):
                if "\0" in block:
                    raise QueryError("not a text: it holds zero bytes")
                read += len(block)
                if read > _LARGEST:
                    raise QueryError(f"larger than {_LARGEST >> 20:,} MiB when it is unpacked")
                if DAMAGED in block and not damaged:
                    self.remarks.note(damage_of(encoding.name), [self.uri])
                damaged += DAMAGED in block
                yield _SURROGATE.sub("\ufffd", _CONTROL.sub("", block))


def _held_back(text: str) -> list[str]:
    """Return what can be cut into passages, and after it what may go on with the next block."""
    if len(text) <= _PARAGRAPHS:
        return [text]
    end = max(text.rfind("\n\n"), text.rfind(" ", 0, len(text) - 1) if "\n\n" not in text else -1)
    end = end if end > 0 else len(text) - 1
    return [clean(text[:end]), text[end:]]


def _stamp(path: str) -> FileStamp:
    facts = os.stat(path)  # noqa: PTH116  # names may not be UTF-8
    if not stat.S_ISREG(facts.st_mode):
        raise QueryError("not a regular file")
    return stamp_of(facts)
