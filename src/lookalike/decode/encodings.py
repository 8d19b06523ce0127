"""How a file of texts is encoded: by its mark, as UTF-8 even if damaged, else by a guess that is told."""

from __future__ import annotations

import codecs
import difflib
import io
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from encodings.aliases import aliases

from lookalike.decode.packed import open_bytes
from lookalike.errors import QueryError, UsageError

SAMPLE = 64 << 10  # bytes that tell how a file is encoded
DAMAGED = "\udcff"
"""Stands in what is read for bytes that the encoding cannot read."""

ZERO_BYTES = "zero bytes, left out"
_MARK_DAMAGE = "lookalike.mark"  # the name of a way to handle errors of decoding
_BLOCK = 1 << 20
_LONGEST_LINE = 4 << 10  # bytes of a line that are looked at
_LEAST_LINES = 0.2  # of the bytes 10 in wide characters that end lines
_TELLING = 4  # bytes beyond ASCII; of fewer, nothing is to be learned
_MANY_NULS = 0.2
_CONTROLS = re.compile(rb"[\x01-\x08\x0b\x0c\x0e-\x1f]")
_ALIASES = sorted({*aliases, *aliases.values()})
_NO_FILES = ("", "idna", "punycode", "unicode_escape", "raw_unicode_escape", "undefined")
_USUAL = ("utf-8", "cp1252", "cp1251", "shift_jis", "gbk", "big5", "euc_kr", "koi8_r", "utf-16-le")
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


_WIDE = (("utf-32-le", 4, 0), ("utf-32-be", 4, 3), ("utf-16-le", 2, 0), ("utf-16-be", 2, 1))
"""Name, bytes of a letter, and which of them an ASCII letter is in."""


@dataclass(frozen=True, slots=True)
class Encoding:
    """How a file is encoded, and whether that is a guess."""

    name: str
    is_guess: bool = False


def check_encoding(name: str) -> str:
    """Return an encoding by Python's name for it; raises `UsageError` for none, or none of text."""
    try:
        b"text".decode(name, "replace")
        found = codecs.lookup(name).name
    except (LookupError, ValueError, RecursionError):  # none, one that is not of text, or no name at all
        found = ""
    if found in _NO_FILES:
        usual = f"there are {', '.join(_USUAL)} and all others that Python knows"
        plain = name.lower().replace("-", "_")
        near = [each for each in difflib.get_close_matches(plain, _ALIASES, 1) if each != plain]
        hint = f"did you mean {near[0]}? " if near else ""
        raise UsageError(f"no encoding {name!r}: {hint}{usual}")
    return "utf-8-sig" if found == "utf-8" else found


def find_encoding(path: str, given: str | None = None, *, limit: int | None = None) -> Encoding:
    """Return how a text file is encoded; with `limit`, only about so many bytes are looked at.

    An encoding that is `given` (see `check_encoding`) decides; else it is UTF-8 unless more of it is damaged
    than in order. Raises what `open_bytes` and reading raise.
    """
    if given is not None:
        return Encoding(given)
    with open_bytes(path) as file:
        start = b"".join(_blocks(file, SAMPLE))
        for mark, name in _MARKS:
            if start.startswith(mark):
                return Encoding(name)
        if (unmarked := _wide(start) or _escaped(start)) is not None:
            return Encoding(unmarked, is_guess=True)
        if _is_utf8(start, file, limit):
            return Encoding("utf-8")
    return _of_damaged(path, limit)


def encoding_of(path: str, limit: int | None = None) -> str:
    """Return the name of the encoding of a text file; see `find_encoding`."""
    return find_encoding(path, limit=limit).name


def open_text(
    path: str, encoding: Encoding, *, newline: str | None = "", longest_line: int | None = None
) -> io.TextIOWrapper:
    """Open a text file, see `open`; bytes that cannot be read become `DAMAGED`."""
    file = open_bytes(path, longest_line=longest_line)
    return io.TextIOWrapper(file, encoding.name, _MARK_DAMAGE, newline=newline)


def mend_line(line: str, encoding: str, marks: list[str]) -> str:
    """Return a line as it can be kept; `marks` gets what is said of zero bytes and of unreadable ones."""
    if "\0" in line:
        marks.append(ZERO_BYTES)
    if DAMAGED in line:
        marks.append(damage_of(encoding))
    return line.replace("\0", "").replace(DAMAGED, "\ufffd")


def guess_of(encoding: str) -> str:
    """Say that an encoding was guessed."""
    return f"read as {encoding}, a guess that --encoding NAME overrides"


def damage_of(encoding: str) -> str:
    """Say that some bytes could not be read."""
    return f"bytes that are not {encoding.removesuffix('-sig')}, read as \ufffd"


def _is_valid(sample: bytes) -> bool:
    """Whether bytes are UTF-8, but for a letter that their end cuts."""
    try:
        codecs.getincrementaldecoder("utf-8")().decode(sample)
    except UnicodeDecodeError:
        return False
    return True


def _is_utf8(start: bytes, file: io.BufferedReader, limit: int | None) -> bool:
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        decoder.decode(start)
        for block in _blocks(file, limit and 0):
            decoder.decode(block)
        decoder.decode(b"", final=limit is None)
    except UnicodeDecodeError:
        return False
    return True


def _of_damaged(path: str, limit: int | None) -> Encoding:
    """Tell UTF-8 with damage from other encodings, in which hardly any letter looks like one of UTF-8."""
    sound = damaged = size = 0
    lines: list[bytes] = []
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    with open_bytes(path) as file:
        for block in _blocks(file, limit):
            text = decoder.decode(block)
            replaced = text.count("\ufffd")
            bad = replaced - block.count("\ufffd".encode())
            damaged += bad
            sound += len(text) - len(text.encode("ascii", "ignore")) - bad
            for line in _beyond_ascii(block):
                if size < SAMPLE:
                    lines.append(line)
                    size += len(line)
    if sound >= damaged:
        return Encoding("utf-8")
    from lookalike.decode.scripts import guess_encoding  # slow to import, and seldom needed

    beyond = len(re.findall(rb"[\x80-\xff]", b"".join(lines)))
    guess = guess_encoding(lines) if beyond >= _TELLING else None
    return Encoding(guess or "cp1252", is_guess=True)


def _blocks(file: io.BufferedReader, limit: int | None) -> Iterator[bytes]:
    """Yield up to about `limit` bytes; what hinders reading on is said by whoever reads the texts."""
    done = 0
    with suppress(QueryError):
        while (limit is None or done < limit) and (block := file.read1(_BLOCK)):
            done += len(block)
            yield block


def _beyond_ascii(block: bytes) -> Iterator[bytes]:
    """Yield the lines with bytes beyond ASCII; of long ones a piece, which ends after an ASCII letter."""
    for found in re.finditer(rb"[^\r\n]*[\x80-\xff][^\r\n]*", block):
        line = found[0]
        if len(line) > _LONGEST_LINE:
            first = re.search(rb"[\x80-\xff]", line)
            at = max(0, (first.start() if first else 0) - 32)
            line = line[at : at + _LONGEST_LINE]
            line = line[: line.rfind(b" ") + 1] or line
        yield line


def _wide(start: bytes) -> str | None:
    """Return UTF-16 or UTF-32 without a mark, by where the zero bytes and the ends of lines are."""
    sample = start[: len(start) // 4 * 4]
    nuls = sample.count(0)
    if not nuls:
        return None
    is_plain = not _CONTROLS.search(sample) and _is_valid(sample.replace(b"\0", b""))
    for name, width, at in _WIDE:
        end = b"\n".rjust(at + 1, b"\0").ljust(width, b"\0")
        units = [sample[each : each + width] for each in range(0, len(sample), width)]
        ends = units.count(end)
        zeros = sum(unit[:at].count(0) + unit[at + 1 :].count(0) for unit in units)
        by_lines = not is_plain and ends and ends >= _LEAST_LINES * sample.count(10)
        by_zeros = zeros >= (0.7 if width == 4 else _MANY_NULS) * len(sample) and zeros >= 0.95 * nuls
        if (by_lines and (width == 2 or zeros >= 0.45 * len(sample))) or by_zeros:
            text = sample.decode(name, "replace")
            if text.count("\0") <= 0.01 * len(text) and text.count("\ufffd") <= 0.01 * len(text) + 1:
                return name
    return None


def _escaped(start: bytes) -> str | None:
    """Return the encoding that says in ASCII which letters follow, as Japanese mail does."""
    return "iso2022_jp_ext" if re.search(rb"\x1b\$(?:B|@|\(D)", start) else None


def _mark(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return DAMAGED, error.end


codecs.register_error(_MARK_DAMAGE, _mark)
