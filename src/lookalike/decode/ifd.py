"""The directories of a TIFF, read in bounds: what RAW files of most makers are made of."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from lookalike.decode.files import File

_MOST_DIRECTORIES = 32
_MOST_ENTRIES = 512
_MOST_VALUES = 4096
_SUB_DIRECTORIES = 330
_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4}  # of the types
_INTEGERS = {1: "B", 3: "H", 4: "I", 13: "I"}


@dataclass(frozen=True, slots=True)
class Field:
    """Where a value lies in the file, its length in bytes, and its numbers, where it is a few whole ones."""

    start: int
    length: int
    numbers: tuple[int, ...]


Directory = dict[int, Field]
"""The fields of one directory by tag."""


def read_directories(file: File) -> list[Directory]:
    """Return the directories of the chain and those below them, at most 32; what is malformed is left out.

    The number that tells TIFF from its relatives (42, 85, 20306 …) is not looked at.
    """
    file.seek(0)
    head = file.read(8)
    order = {b"II": "<", b"MM": ">"}.get(head[:2])
    if order is None or len(head) < 8:
        return []
    waiting, seen = [struct.unpack(order + "I", head[4:])[0]], set[int]()
    found: list[Directory] = []
    while waiting and len(found) < _MOST_DIRECTORIES:
        at = waiting.pop(0)
        if at in seen or at < 8:
            continue
        seen.add(at)
        directory, following = _read_directory(file, order, at)
        found.append(directory)
        below = directory.get(_SUB_DIRECTORIES)
        waiting += [following, *(below.numbers if below else ())]
    return found


def _read_directory(file: File, order: str, at: int) -> tuple[Directory, int]:
    """Return a directory and where the next of its chain is (0: none)."""
    file.seek(at)
    count = int.from_bytes(file.read(2), "little" if order == "<" else "big")
    if not 0 < count <= _MOST_ENTRIES:
        return {}, 0
    raw = file.read(12 * count + 4)
    directory: Directory = {}
    for entry in range(min(count, len(raw) // 12)):
        tag, kind, values = struct.unpack_from(order + "HHI", raw, 12 * entry)
        length = values * _SIZES.get(kind, 0)
        start = at + 2 + 12 * entry + 8
        if length > 4:
            (start,) = struct.unpack_from(order + "I", raw, 12 * entry + 8)
        numbers: tuple[int, ...] = ()
        if kind in _INTEGERS and 0 < values <= _MOST_VALUES:
            file.seek(start)
            data = file.read(length)
            if len(data) == length:
                numbers = struct.unpack(f"{order}{values}{_INTEGERS[kind]}", data)
        directory[tag] = Field(start, length, numbers)
    following = struct.unpack(order + "I", raw[-4:])[0] if len(raw) == 12 * count + 4 else 0
    return directory, following


def first(directory: Directory, tag: int) -> int | None:
    """Return the first number of a field, or None."""
    field = directory.get(tag)
    return field.numbers[0] if field and field.numbers else None
