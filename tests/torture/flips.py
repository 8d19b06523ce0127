"""Flipped bits: where one flips, and what has to be true of the collection then."""

from __future__ import annotations

import random
import shutil
from pathlib import Path

from torture import jobs
from torture.jobs import Job
from torture.look import Look, check_answers, look_at, problems_of
from torture.oracle import Problem
from torture.tally import Tally
from torture.work import World

_PAGE = 4096


def flip(folder: Path, dice: random.Random, *, in_log: bool) -> str:
    """Flip one bit in one of a collection's files, or in its log where it has one; returns where."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.stat().st_size)
    logs = [path for path in files if path.name.endswith("-wal")]
    others = [path for path in files if not path.name.endswith(("-wal", "-shm"))]
    files = logs if in_log and logs else others
    weights = [3 if path.name.startswith("store") else 1 for path in files]
    (path,) = dice.choices(files, weights)
    size = path.stat().st_size
    at = dice.randrange(size)
    chance = dice.random()
    if chance < 0.15:
        at = dice.randrange(min(size, 100))  # the file's header
    elif chance < 0.5:
        at = min(at - at % _PAGE + dice.randrange(64), size - 1)  # where the structure is dense
    bit = dice.randrange(8)
    content = bytearray(path.read_bytes())
    content[at] ^= 1 << bit
    path.write_bytes(content)
    return f"{path.relative_to(folder)} byte {at} bit {bit}"


def flip_and_mend(
    world: World, disk: Path, tally: Tally, dice: random.Random, exact_up_to: int, in_log: bool = False
) -> None:
    """Flip a bit in a copy of a sound collection; look, repair, look, add, look."""
    shutil.copytree(world.disk, disk)
    here = world.at(disk)
    where = flip(here.folder, dice, in_log=in_log)
    tally.faults += 1
    problems: list[Problem] = []
    seen = look_at(here, exact_up_to=exact_up_to, seed=dice.randrange(1 << 30))
    problems += _judge(here, seen, tally, "flipped")
    if seen.names_damage:
        mend = Job(here.folder, here.kind, [{"do": "verify", "repair": True}], exact_up_to=exact_up_to)
        (ran,) = jobs.run(mend, scratch=here.scratch)
        problems += problems_of(ran)
        beyond = [
            each
            for each in ran.failures
            if each.startswith(("DamagedError", "NotACollection", "NewerFormat"))
        ]
        if beyond:
            problems += [Problem("not restored", f"repair says {each}") for each in beyond]
            tally.problems += [Problem(each.what, f"{where}: {each.detail}") for each in problems]
            shutil.rmtree(disk)
            return
        tally.notes["damage named"] += 1
    add = Job(here.folder, here.kind, [here.add_all()], exact_up_to=exact_up_to)
    (ran,) = jobs.run(add, scratch=here.scratch)
    problems += problems_of(ran)
    problems += [Problem("not restored", f"add says {each}") for each in ran.failures]
    after = look_at(here, exact_up_to=exact_up_to, seed=dice.randrange(1 << 30))
    problems += _restored(here, after, named=seen.names_damage)
    tally.problems += [Problem(each.what, f"{where}: {each.detail}") for each in problems]
    shutil.rmtree(disk)


def _judge(world: World, seen: Look, tally: Tally, when: str) -> list[Problem]:
    """Hold a damaged collection against the oracle: what is not as it was must have been said."""
    before = world.oracle.checked
    changed = world.oracle.hold(seen.found, collapse=False)
    wrong = check_answers(world, seen)
    tally.checked += world.oracle.checked - before
    if seen.names_damage:
        tally.notes["answers that only verify warns of"] += bool(wrong)
        return list(seen.problems)
    said = [Problem(f"{each.what} without a word", f"{when}: {each.detail}") for each in (*changed, *wrong)]
    return [*seen.problems, *said]


def _restored(world: World, seen: Look, *, named: bool) -> list[Problem]:
    """Everything whose file is there is back, sound, and found."""
    lost = []
    for each in world.oracle.hold(seen.found, collapse=False):
        kind, *names = each.key
        if (kind == "item" and world.is_there(names[0])) or (not named and kind != "skip"):
            lost.append(Problem("not restored", each.detail))
    gone = [row for row in seen.damage if row[2] is not None and not _has_file(world, row[2])]
    left = [row for row in seen.damage if row not in gone]
    lost += [Problem("not restored", f"{each}") for each in (*left, *seen.said)]
    world.oracle.hold(seen.found)
    return [*seen.problems, *lost, *world.oracle.remember_ids(seen.items), *check_answers(world, seen)]


def _has_file(world: World, item_id: int) -> bool:
    return any(world.oracle.id_of(name) == item_id and world.is_there(name) for name in world.oracle.names())
