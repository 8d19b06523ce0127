"""The WordPiece tokenizer of uncased BERT models, for the text model in the box.

Brought models are read by the library `tokenizers`; with all that it installs it takes 50 MB, a sixth of the
whole installation, where this takes a page. Words are split as in Devlin et al. 2019, "BERT", and into the
longest pieces of the vocabulary from the left (Wu et al. 2016).
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from functools import lru_cache

from lookalike.embedders.known import SPELLED

_LONGEST_WORD = 100  # letters; longer ones are one unknown token
_SPELLED_PIECES = 0.75  # for each letter
_CACHED_WORDS = 50_000
_CJK = (
    (0x4E00, 0x9FFF),
    (0x3400, 0x4DBF),
    (0x20000, 0x2A6DF),
    (0x2A700, 0x2B73F),
    (0x2B740, 0x2B81F),
    (0x2B920, 0x2CEAF),
    (0xF900, 0xFAFF),
    (0x2F800, 0x2FA1F),
)


class WordPiece:
    """Turns texts into the ids of `vocab.txt`: one piece a line, its number the id."""

    def __init__(self, vocab: bytes) -> None:
        lines = vocab.decode("utf-8").splitlines()
        self._ids = {piece: number for number, piece in enumerate(lines)}
        self._unknown, self._first, self._last = (self._ids[name] for name in ("[UNK]", "[CLS]", "[SEP]"))
        self._pieces = lru_cache(_CACHED_WORDS)(self._split)

    def encode(self, text: str, limit: int) -> list[int]:
        """Return at most `limit` ids, the first and last of them the special ones."""
        ids = [self._first]
        for word in _plain(text).split():
            ids += self._pieces(word)
            if len(ids) >= limit:
                break
        return [*ids[: limit - 1], self._last]

    def reach(self, text: str, limit: int) -> int:
        """Return how many letters of `text`, from the first on, `encode` reads: whole words only."""
        if text.isascii() and len(text) + 2 <= limit:  # no letter is more than one piece
            return len(text)
        count = 2
        for start, end in _spans(text):
            count += sum(len(self._pieces(word)) for word in _plain(text[start:end]).split())
            if count > limit:
                return start
        return len(text)

    def known(self, text: str) -> tuple[float, float]:
        """Return how many words are of known pieces, and how many are not; punctuation is neither.

        Of a word of another script that is read letter by letter, little is known.
        """
        if text.isascii() and max(map(len, text.split()), default=0) <= _LONGEST_WORD:
            return 1, 0  # each of its letters is a piece
        known = unknown = 0.0
        for word in _plain(text).split():
            pieces = self._pieces(word)
            if pieces == (self._unknown,):
                unknown += 1
            elif len(word) > 1 and len(pieces) > _SPELLED_PIECES * len(word) and not word.isascii():
                known, unknown = known + SPELLED, unknown + 1 - SPELLED
            elif not _is_punctuation(word[0]):
                known += 1
        return known, unknown

    def _split(self, word: str) -> tuple[int, ...]:
        """Return the ids of the pieces of a plain word."""
        if len(word) > _LONGEST_WORD:
            return (self._unknown,)
        ids: list[int] = []
        start = 0
        while start < len(word):
            for end in range(len(word), start, -1):
                piece = word[start:end] if start == 0 else f"##{word[start:end]}"
                if piece in self._ids:
                    ids.append(self._ids[piece])
                    start = end
                    break
            else:
                return (self._unknown,)
        return tuple(ids)


def _spans(text: str) -> Iterator[tuple[int, int]]:
    """Yield where the words of a text, as white space parts them, begin and end."""
    start = None
    for at, letter in enumerate(text):
        if letter.isspace():
            if start is not None:
                yield start, at
            start = None
        elif start is None:
            start = at
    if start is not None:
        yield start, len(text)


def _plain(text: str) -> str:
    """Return a text in lower case, without accents and control letters, with space around punctuation."""
    if text.isascii():
        return text.translate(_ASCII)
    # One by one: `str.lower` also looks at the neighbours of a final sigma. It may give accents, too.
    lower = "".join(map(str.lower, _bare("".join(map(_spaced, text)))))
    return "".join(f" {letter} " if _is_punctuation(letter) else letter for letter in _bare(lower))


def _bare(text: str) -> str:
    """Return a text without accents."""
    return "".join(c for c in unicodedata.normalize("NFD", text) if unicodedata.category(c) != "Mn")


@lru_cache(maxsize=4096)
def _spaced(letter: str) -> str:
    """Drop what is no letter at all; put space around an ideograph, which is a word of its own."""
    code = ord(letter)
    if letter in "\t\n\r" or unicodedata.category(letter) == "Zs" or letter in "\u2028\u2029":
        return " "
    if code in (0, 0xFFFD) or unicodedata.category(letter) in ("Cc", "Cf", "Co"):
        return ""
    return f" {letter} " if any(low <= code <= high for low, high in _CJK) else letter


@lru_cache(maxsize=4096)
def _is_punctuation(letter: str) -> bool:
    code = ord(letter)
    if 33 <= code <= 47 or 58 <= code <= 64 or 91 <= code <= 96 or 123 <= code <= 126:
        return True
    return unicodedata.category(letter)[0] == "P"


def _ascii_letter(letter: str) -> str:
    if letter in "\t\n\r ":
        return " "
    if ord(letter) < 32 or ord(letter) == 127:
        return ""
    return f" {letter} " if _is_punctuation(letter) else letter.lower()


_ASCII = {code: _ascii_letter(chr(code)) for code in range(128)}
