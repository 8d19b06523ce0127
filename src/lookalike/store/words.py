"""Exact words in any script: what SQLite's index of words is given for a text, and is asked.

Its tokenizer splits at what is no letter or number. That leaves out signs (`c++`, an emoji), and takes a run
of a script that writes no spaces (Chinese, Japanese, Thai …) for one word. So each text goes into the index
with terms behind it that say these: a run by each two neighbours in turn (so that any part of it is found
as a phrase), each pictograph as a term of its own, and words that end in signs as a whole.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

_MOST_TERMS = 64  # of a query, that are looked for
_MARK = "\ue000"  # of the private use area, which the tokenizer takes for a letter
_UNSPACED = (
    "\u0e00-\u0eff\u0f00-\u0fff\u1000-\u109f\u1780-\u17ff"  # Thai, Lao, Tibetan, Myanmar, Khmer
    "\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"  # kana, Han
    "\u1100-\u11ff\uac00-\ud7af\U00020000-\U0003ffff"  # Hangul, further Han
)
_RUN = re.compile(f"[{_UNSPACED}]+")
_SIGNED = re.compile(r"(?<!\w)[^\W_]+[+#]+(?!\w)")


def indexed(stored: str | bytes | None) -> str | None:
    """Return what the index of words is given for a text, or for its bytes, which may be damaged."""
    text = stored.decode(errors="replace") if isinstance(stored, bytes) else stored
    if text is None or (text.isascii() and not _SIGNED.search(text)):
        return text
    terms = [term for run in _runs(text) for term in run]
    terms += [_coded(letter) for letter in _pictographs(text)]
    terms += [_coded(word) for word in _signed(text)]
    return f"{text}\n{' '.join(terms)}" if terms else text


def query_terms(words: str) -> list[str]:
    """Return the words of a query as terms of SQLite's full-text search, each of them quoted."""
    terms: list[str] = []
    for part in words.split():
        runs = _RUN.findall(_folded(part))
        signed = list(_signed(part))
        pictographs = list(_pictographs(part))
        rest = _RUN.sub(" ", part)
        terms += [_phrase(run) for run in runs]
        terms += [f'"{_coded(each)}"' for each in (*pictographs, *signed)]
        if not signed:
            terms += [_quoted(word) for word in rest.split() if any(letter.isalnum() for letter in word)]
    return list(dict.fromkeys(terms))[:_MOST_TERMS]


def _runs(text: str) -> Iterator[list[str]]:
    """Yield each run of a script without spaces as terms: each two neighbours, and the last letter."""
    for run in _RUN.findall(_folded(text)):
        yield [*(_coded(run[at : at + 2]) for at in range(len(run) - 1)), _coded(run[-1])]


def _phrase(run: str) -> str:
    if len(run) == 1:
        return f'"{_coded(run)}" *'  # which every pair that begins with it begins with, too
    return '"' + " ".join(_coded(run[at : at + 2]) for at in range(len(run) - 1)) + '"'


def _signed(text: str) -> Iterator[str]:
    """Yield the words that end in signs which are part of them: c++, c#, a+."""
    return (match.casefold() for match in _SIGNED.findall(_folded(text)))


def _pictographs(text: str) -> Iterator[str]:
    """Yield signs that mean something by themselves: emoji and other symbols."""
    return (letter for letter in text if ord(letter) > 0xA9 and unicodedata.category(letter) == "So")


def _folded(text: str) -> str:
    return unicodedata.normalize("NFKC", text)


def _coded(letters: str) -> str:
    """Return letters as one term that the tokenizer leaves whole."""
    return _MARK + "".join(f"{ord(letter):05x}" for letter in letters)


def _quoted(word: str) -> str:
    return '"' + word.replace('"', '""').replace("\0", " ") + '"'
