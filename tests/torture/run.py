"""Runs rounds of all kinds in rotation, keeps what failed, and writes the table of `docs/reliability.md`."""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from itertools import count
from pathlib import Path

from torture.report import table, write
from torture.rounds import KINDS
from torture.tally import Tally

_MEMORY = Path("/dev/shm")
_TIMES = {"kills": 8, "errors": 3, "full": 2, "flips": 5, "logs": 5, "repairs": 8, "crowd": 6}
"""Rounds of a kind to one of the slowest."""


def one_round(kind: str, seed: int, keep: Path) -> Tally:
    """Do one round; its folder is kept below `keep` where something went wrong."""
    root = Path(tempfile.mkdtemp(prefix="torture-", dir=_MEMORY if _MEMORY.is_dir() else None))
    began = time.monotonic()
    try:
        tally = KINDS[kind](seed, root)
        tally.seconds = time.monotonic() - began
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
    parser.add_argument("--jobs", type=int, default=1, help="rounds at once")
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
        write(asked.write, tallies, f"make torture MINUTES={asked.minutes:g} JOBS={asked.jobs}", asked.seed)
    sys.exit(any(tally.problems for tally in tallies.values()))


def rotate(kinds: list[str], asked: argparse.Namespace) -> dict[str, Tally]:
    """Do rounds of all kinds in turns, some at once; quick kinds have more rounds to a turn."""
    tallies = {kind: Tally() for kind in kinds}
    end = time.monotonic() + asked.minutes * 60
    print(f"seeds from {asked.seed}; what fails is kept in {asked.keep}", flush=True)
    with ProcessPoolExecutor(asked.jobs) as pool:
        running: dict[Future[Tally], tuple[str, int]] = {}
        for kind, seed in _plan(kinds, asked):
            if asked.rounds is None and time.monotonic() > end:
                break
            while len(running) >= asked.jobs:
                _gather(running, tallies)
            running[pool.submit(one_round, kind, seed, asked.keep)] = kind, seed
        while running:
            _gather(running, tallies)
    return tallies


def _plan(kinds: list[str], asked: argparse.Namespace) -> Iterator[tuple[str, int]]:
    """Yield kinds and seeds: so many rounds of each, or turns without end."""
    for turn in count() if asked.rounds is None else range(asked.rounds):
        for kind in kinds:
            times = _TIMES.get(kind, 1) if asked.rounds is None else 1
            yield from ((kind, asked.seed + turn * times + at) for at in range(times))


def _gather(running: dict[Future[Tally], tuple[str, int]], tallies: dict[str, Tally]) -> None:
    done, _ = wait(running, return_when=FIRST_COMPLETED)
    for each in done:
        kind, seed = running.pop(each)
        try:
            tally = each.result()
        except Exception as error:  # of the bench itself: it costs this round, not the run
            print(f"{kind}:{seed} the bench failed: {error!r}", flush=True)
            continue
        tell(kind, seed, tally)
        tallies[kind].add(tally)
