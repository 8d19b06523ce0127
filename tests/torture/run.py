"""Runs rounds of all kinds in rotation, keeps what failed, and writes the table of `docs/reliability.md`."""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import time
from pathlib import Path

from torture.report import table, write
from torture.rounds import KINDS
from torture.tally import Tally

_MEMORY = Path("/dev/shm")


def one_round(kind: str, seed: int, keep: Path) -> Tally:
    """Do one round; its folder is kept below `keep` where something went wrong."""
    root = Path(tempfile.mkdtemp(prefix="torture-", dir=_MEMORY if _MEMORY.is_dir() else None))
    try:
        tally = KINDS[kind](seed, root)
        if tally.problems:
            place = keep / f"{kind}-{seed}"
            shutil.rmtree(place, ignore_errors=True)
            shutil.copytree(root, place)
            told = "\n".join(f"{each.what}: {each.detail}" for each in tally.problems)
            (place / "problems.txt").write_text(f"{told}\n", encoding="utf-8")
            (place / "history.txt").write_text("\n\n".join(tally.history), encoding="utf-8")
        return tally
    finally:
        shutil.rmtree(root, ignore_errors=True)


def tell(kind: str, seed: int, tally: Tally) -> None:
    """Print what went wrong in a round: of each sort the first two."""
    sorts: dict[str, list[str]] = {}
    for each in tally.problems:
        sorts.setdefault(each.what, []).append(each.detail)
    for what, details in sorts.items():
        for detail in list(dict.fromkeys(details))[:2]:
            print(f"{kind}:{seed} {what} ({len(details)}): {detail[:400]}", flush=True)


def command_line() -> None:
    """Do what the command line asks for; exit with 1 where a promise was broken."""
    parser = argparse.ArgumentParser("torture", description=__doc__)
    parser.add_argument("--minutes", type=float, default=1.0)
    parser.add_argument("--rounds", type=int, help="so many of each kind instead of minutes")
    parser.add_argument("--kinds", default=",".join(KINDS), help="some of them, by commas")
    parser.add_argument("--seed", type=int, default=int(time.time()), help="of the first round")
    parser.add_argument("--replay", metavar="KIND:SEED", help="do one round again")
    parser.add_argument("--write", type=Path, metavar="FILE", help="put the table into this document")
    parser.add_argument("--keep", type=Path, default=Path(tempfile.gettempdir()) / "torture-failures")
    asked = parser.parse_args()
    if asked.replay:
        kind, _, seed = asked.replay.partition(":")
        tally = one_round(kind, int(seed), asked.keep)
        tell(kind, int(seed), tally)
        print(f"{tally.faults} faults, {tally.checked} facts checked, {len(tally.problems)} problems")
        sys.exit(bool(tally.problems))
    tallies = rotate(asked.kinds.split(","), asked)
    print(table(tallies))
    if asked.write:
        write(asked.write, tallies, f"make torture MINUTES={asked.minutes:g}", asked.seed)
    sys.exit(any(tally.problems for tally in tallies.values()))


def rotate(kinds: list[str], asked: argparse.Namespace) -> dict[str, Tally]:
    """Do rounds of all kinds in turns."""
    tallies = {kind: Tally() for kind in kinds}
    end = time.monotonic() + asked.minutes * 60
    seed = asked.seed
    print(f"seeds from {seed}; what fails is kept in {asked.keep}", flush=True)
    while time.monotonic() < end if asked.rounds is None else seed < asked.seed + asked.rounds:
        for kind in kinds:
            tally = one_round(kind, seed, asked.keep)
            tell(kind, seed, tally)
            tallies[kind].add(tally)
        seed += 1
    return tallies
