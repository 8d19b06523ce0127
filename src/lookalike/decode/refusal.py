"""What a file that cannot be read comes to, as one plain reason."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Refused:
    """Why one file is no photo; `lasting` as in `records.Skipped`."""

    reason: str
    lasting: bool = True


class RefusalError(Exception):
    """Carries a `Refused` out of nested calls."""

    def __init__(self, reason: str, *, lasting: bool = True) -> None:
        super().__init__(reason)
        self.refused = Refused(reason, lasting)


def one_line(error: object) -> str:
    """Make any error's text short, printable and one line."""
    return " ".join(re.sub(r"[^\x20-\x7e\u00a0-\ud7ff]+", " ", str(error)).split())[:160]
