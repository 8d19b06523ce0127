"""Which of several encodings a text is in, where all of them can read it: by the letters that come out.

The library charset-normalizer says how much of what an encoding makes of the bytes is no text; of short
texts, it finds no fault with many. What languages usually write decides then: no Russian has a capital in the
middle of a word, no Japanese is without kana.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import charset_normalizer

_MARKS = "‘’“”„‚–—…•·€£§°´«»©®™№\xa0½¼¿¡²³×ªº\u3000-\u303f\uff00-\uff60"
_CYRILLIC = "а-яёіїєґўА-ЯЁІЇЄҐЎ"
_CAPITAL_INSIDE = "(?<=[а-яёА-ЯЁ])[А-ЯЁ]"
_CHAOS = 0.2  # of the library: more is no text
_LEAST_READ = 0.9  # of the lines


@dataclass(frozen=True, slots=True)
class _Script:
    """An encoding: the letters that its languages use, what they never do, and how much rarer it is.

    `letters` is inside a class of characters, `never` a pattern; with `pairs`, pairs of bytes are looked at.
    """

    encoding: str
    letters: str = ""
    never: str = ""
    pairs: bytes = b""
    rarer: float = 0.0


_SCRIPTS = (
    _Script("cp1252", "àâäáãåæçéèêëíìîïñóòôöõøœúùûüßÀÂÄÁÃÅÆÇÉÈÊËÍÎÑÓÔÖÕØŒÚÜ", "(?<=[a-zà-ÿ])[À-ÞŒ]"),
    _Script("cp1251", _CYRILLIC, _CAPITAL_INSIDE),
    _Script("cp932", "ぁ-ヿ一-鿿々"),
    _Script("gb18030", pairs=rb"[\xa1\xa3\xb0-\xd7][\xa1-\xfe]"),
    _Script("cp949", pairs=rb"[\xa1\xa3\xb0-\xc8][\xa1-\xfe]"),
    _Script("big5", pairs=rb"[\xa1-\xc6][\x40-\xfe]"),
    _Script("euc_jp", "ぁ-ヿ一-鿿々"),
    _Script("cp1250", "áčďéěíňóřšťúůýžąćęłńśźżäöüßăâîşţőűđľçëÁČĎÉĚÍŇÓŘŠŤÚŮÝŽĄĆĘŁŃŚŹŻÄÖÜĂÂÎŞŢŐŰĐ", rarer=0.05),
    _Script("cp1254", "âäçéîöùûüßğışÇÖÜĞİŞÂ", r"\bğ|(?<=[a-zà-ÿ])[À-Þ]"),
    _Script("cp1253", "α-ωάέήίόύώϊϋςΑ-ΩΆΈΉΊΌΎΏ", "ς(?=[α-ω])|(?<=[α-ωΑ-Ω])[Α-Ω]", rarer=0.03),
    _Script("cp1256", "ء-يچپگژکیً-ْ،؟؛", rarer=0.05),
    _Script("cp1255", "א-ת"),
    _Script("cp874", "ก-๛", "(?<![ก-๛])[ะ-ฺ็-๎]", rarer=0.12),
    _Script("koi8_r", _CYRILLIC, _CAPITAL_INSIDE, rarer=0.03),
    _Script("cp866", _CYRILLIC, _CAPITAL_INSIDE, rarer=0.03),
)
"""What is tried, the more common first."""

_HEBREW = range(0xE0, 0xFB)  # bytes; Russian in cp1251 is soon beyond


def guess_encoding(lines: list[bytes]) -> str | None:
    """Return the encoding that most likely made these lines, all with bytes beyond ASCII; None: none of ours.

    A few lines that an encoding cannot read are taken for damaged.
    """
    scores = [(_score(script, lines), at) for at, script in enumerate(_SCRIPTS)]
    likely = [(round(score, 2), at) for score, at in scores if score is not None]
    return _SCRIPTS[min(likely)[1]].encoding if likely else None


def _score(script: _Script, lines: list[bytes]) -> float | None:
    """Return how little lines look like texts in an encoding, near 0 for those that do; None: not at all."""
    sound = [line for line in lines if _reads(line, script.encoding)]
    if len(sound) < max(1, _LEAST_READ * len(lines)):
        return None
    content = b"\n".join(sound)
    matches = charset_normalizer.from_bytes(
        content,
        threshold=_CHAOS,
        cp_isolation=[script.encoding],
        enable_fallback=False,
        preemptive_behaviour=False,
    )
    best = matches.best()
    if best is None:
        return None
    return (
        best.chaos
        - best.coherence / 4
        + _unusual(script, content) / 2
        + script.rarer
        - _hints(script.encoding, content)
        + 1
        - len(sound) / len(lines)
    )


def _reads(line: bytes, encoding: str) -> bool:
    try:
        line.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True


def _unusual(script: _Script, content: bytes) -> float:
    """Return the share of what is beyond ASCII that its languages hardly use, 0 to 1."""
    if script.pairs:
        pairs = re.findall(rb"[\x81-\xfe].", content, re.DOTALL)
        return sum(not re.fullmatch(script.pairs, pair) for pair in pairs) / max(1, len(pairs))
    text = content.decode(script.encoding)
    found = len(re.findall(f"[^\0-\x7f{_MARKS}{script.letters}]", text))
    found += len(re.findall(script.never, text)) if script.never else 0
    return found / max(1, len(re.findall(r"[^\0-\x7f]", text)))


def _hints(encoding: str, content: bytes) -> float:
    """Return more where something speaks for an encoding, less where something that must be there is not."""
    beyond = [byte for byte in content if byte > 0x7F]
    if encoding in ("cp932", "euc_jp"):
        text = content.decode(encoding)
        kana = len(re.findall("[ぁ-ヿ]", text))
        return 0.15 if kana * 8 > len(beyond) else -0.15
    is_hebrew = len(beyond) >= 40 and len(set(beyond)) >= 12 and all(byte in _HEBREW for byte in beyond)
    return 0.3 if encoding == "cp1255" and is_hebrew else 0.0
