"""The kinds of torture: one function each, that does one round by its seed and returns a tally."""

from __future__ import annotations

import errno
import json
import random
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from torture import jobs, shim
from torture.driver import MODELS
from torture.facts import settle
from torture.flips import flip_and_mend
from torture.jobs import Command, Job, Ran
from torture.look import hold, look_at, problems_of
from torture.oracle import Problem
from torture.powercut import Disk
from torture.shim import Fault, read_log
from torture.tally import Tally
from torture.work import World

_CALLS = {"add": 160, "import_vectors": 60, "add_model": 90, "export": 20, "thumbnails": 150, "remove": 45}
"""About how many calls a command makes; others make up to 20."""

_REPAIR: Command = {"do": "verify", "repair": True}


def kills(seed: int, root: Path) -> Tally:
    """Kill processes at, within or after the n-th change of a file."""

    def fault(dice: random.Random, calls: int) -> Fault:
        action = dice.choice([shim.KILL_BEFORE, shim.KILL_TORN, shim.KILL_AFTER])
        return Fault(action, dice.randrange(1, calls))

    return _sequence(seed, root, fault)


def errors(seed: int, root: Path) -> Tally:
    """Let the disk fail at the n-th call, once or from then on; sometimes reading fails, too."""

    def fault(dice: random.Random, calls: int) -> Fault:
        mask = shim.CHANGES if dice.random() < 0.6 else shim.CHANGES | shim.READ
        return Fault(dice.choice([shim.FAIL_ONCE, shim.FAIL_ON]), dice.randrange(1, calls), mask, errno.EIO)

    return _sequence(seed, root, fault)


def full(seed: int, root: Path) -> Tally:
    """Let the disk be full at the n-th write or new file, once or from then on."""

    def fault(dice: random.Random, calls: int) -> Fault:
        action = dice.choice([shim.FAIL_ONCE, shim.FAIL_ON])
        return Fault(action, dice.randrange(1, calls), shim.WRITE | shim.NAME, errno.ENOSPC)

    return _sequence(seed, root, fault)


def _sequence(seed: int, root: Path, fault: Callable[[random.Random, int], Fault]) -> Tally:
    """Do commands one after the other, many with a fault, and look after each."""
    dice, world, exact_up_to, tally = begin(seed, root)
    if dice.random() < 0.7:  # else it is made under torture
        step(world, tally, Job(world.folder, world.kind, [world.add_all()], exact_up_to=exact_up_to))
        check(world, tally, exact_up_to, dice)
    for _ in range(dice.randrange(4, 10)):
        world.churn()
        crew = []
        for _ in range(1 if dice.random() < 0.8 else 2):
            commands = [world.command() for _ in range(dice.choice([1, 1, 1, 2]))]
            calls = sum(_CALLS.get(each["do"], 20) for each in commands)
            chosen = fault(dice, calls) if dice.random() < 0.8 else None
            crew.append(Job(world.folder, world.kind, commands, chosen, exact_up_to=exact_up_to))
        step(world, tally, *crew)
        check(world, tally, exact_up_to, dice)
        if not tally.problems and world.oracle.ids() and dice.random() < 0.2:
            rescue(world, tally, fault(dice, 150), exact_up_to, dice)
        if tally.problems:
            return tally
    finish(world, tally, exact_up_to, dice)
    return tally


def rescue(world: World, tally: Tally, fault: Fault, exact_up_to: int, dice: random.Random) -> None:
    """Make a rescue necessary, sometimes of a store with a log; it has a fault, then it is tried again."""
    mend = Job(world.folder, world.kind, [_REPAIR], exact_up_to=exact_up_to)
    item = dice.choice(world.oracle.ids())
    step(world, tally, replace(mend, commands=[{"do": "spoil", "item": item}]))
    if dice.random() < 0.5:
        world.churn()
        vote = {"do": "vote", "query": "last", "item": item, "value": 1}
        step(world, tally, replace(mend, commands=[vote, world.add_all(), {"do": "die"}]), may_refuse=True)
    step(world, tally, replace(mend, fault=fault))
    step(world, tally, mend)
    check(world, tally, exact_up_to, dice)


def power(seed: int, root: Path) -> Tally:
    """Cut the power at random moments: unsynced writes are lost, torn or reordered."""
    dice, world, exact_up_to, tally = begin(seed, root)
    log = root / "disk.log"
    log.touch()
    done = 0
    for number in range(dice.randrange(2, 6)):
        command = world.add_all() if number == 0 else world.command()
        job = Job(world.folder, world.kind, [command], log=log, exact_up_to=exact_up_to)
        is_rescue = bool(world.oracle.ids()) and dice.random() < 0.2
        if is_rescue:
            spoil = {"do": "spoil", "item": dice.choice(world.oracle.ids())}
            step(world, tally, replace(job, commands=[spoil]))
            job, done = replace(job, commands=[_REPAIR]), len(list(read_log(log)))
        before = world.oracle.copy()
        (ran,) = step(world, tally, job)
        changes = list(read_log(log))
        for _ in range(6):
            here = world.at(root / "cut")
            here.oracle = before.copy()
            moment = dice.randrange(done, len(changes) + 1)
            told = [json.loads(each.data) for each in changes[done:moment] if each.kind == "n"]
            settle(here, [replace(ran, lines=told)])
            disk = Disk(journaled=dice.random() < 0.5).apply(changes[:moment])
            disk.cut(dice, world.disk, here.disk)
            tally.faults += 1
            tally.history.append(f"cut at {moment} of {done} to {len(changes)}, told {told}")
            if is_rescue:
                step(here, tally, Job(here.folder, here.kind, [_REPAIR], exact_up_to=exact_up_to))
            check(here, tally, exact_up_to, dice)
            if tally.problems:
                return tally
            finish(here, tally, exact_up_to, dice)
            shutil.rmtree(here.disk)
        world.churn()
        check(world, tally, exact_up_to, dice, log=log)
        done = len(list(read_log(log)))
    return tally


def flips(seed: int, root: Path) -> Tally:
    """Flip single bits in all files; look, repair, look again, add again."""
    dice, world, exact_up_to, tally = begin(seed, root)
    build(world, tally, exact_up_to, dice)
    for _ in range(8):
        flip_and_mend(world, root / "flipped", tally, dice, exact_up_to)
    return tally


def logs(seed: int, root: Path) -> Tally:
    """Flip single bits in the log of a process that was killed, which holds what it acknowledged last."""
    dice, world, exact_up_to, tally = begin(seed, root)
    build(world, tally, exact_up_to, dice)
    world.churn()
    vote = {"do": "vote", "query": "last", "item": world.oracle.ids()[0], "value": 1}
    commands = [vote, world.add_all(), {"do": "die"}]
    step(world, tally, Job(world.folder, world.kind, commands, exact_up_to=exact_up_to))
    sound = world.at(root / "sound")
    shutil.copytree(world.disk, sound.disk)
    check(sound, tally, exact_up_to, dice)
    world.oracle = sound.oracle
    for _ in range(8):
        flip_and_mend(world, root / "flipped", tally, dice, exact_up_to, in_log=True)
    return tally


def repairs(seed: int, root: Path) -> Tally:
    """Two repairs at once, sometimes beside an add or a process that serves."""
    dice, world, exact_up_to, tally = begin(seed, root)
    build(world, tally, exact_up_to, dice)
    mend = Job(world.folder, world.kind, [_REPAIR], exact_up_to=exact_up_to)
    step(world, tally, replace(mend, commands=[{"do": "spoil", "item": dice.choice(world.oracle.ids())}]))
    tally.faults += 1
    crew = [mend, mend]
    if dice.random() < 0.5:
        world.churn()
        crew.append(replace(mend, commands=[world.add_all()]))
    if dice.random() < 0.5:
        about = {"items": world.oracle.ids(), "seed": dice.randrange(1 << 30)}
        crew.append(replace(mend, commands=[{"do": "serve", "seconds": 0.6, **about}]))
    dice.shuffle(crew)
    step(world, tally, *crew, may_refuse=True)
    step(world, tally, mend)
    check(world, tally, exact_up_to, dice)
    finish(world, tally, exact_up_to, dice)
    return tally


def crowd(seed: int, root: Path) -> Tally:
    """Ten processes at once: adding, removing, voting, searching, verifying; two of them are killed."""
    dice, world, exact_up_to, tally = begin(seed, root)
    build(world, tally, exact_up_to, dice)
    for _ in range(3):
        world.churn()
        crew = []
        for number in range(10):
            commands = [world.command() for _ in range(dice.randrange(2, 8))]
            if number == 0:
                ids = world.oracle.ids()
                commands = [{"do": "serve", "items": ids, "seconds": 1.0, "seed": dice.randrange(1 << 30)}]
            fault = Fault(shim.KILL_BEFORE, dice.randrange(1, 200)) if number > 7 else None
            crew.append(Job(world.folder, world.kind, commands, fault, exact_up_to=exact_up_to))
        step(world, tally, *crew)
        check(world, tally, exact_up_to, dice)
        if tally.problems:
            return tally
    finish(world, tally, exact_up_to, dice)
    return tally


def build(world: World, tally: Tally, exact_up_to: int, dice: random.Random) -> None:
    """Make a sound collection with some of everything."""
    commands: list[list[Command]] = [[world.add_all()], [], []]
    step(world, tally, Job(world.folder, world.kind, commands[0], exact_up_to=exact_up_to))
    check(world, tally, exact_up_to, dice)
    wanted = [{"do": "thumbnails"}]
    if dice.random() < 0.5:
        wanted.append({"do": "add_model", "name": list(MODELS[world.kind])[1]})
    ids = world.oracle.ids()
    wanted += [{"do": "vote", "query": f"q{n}", "item": dice.choice(ids), "value": 1} for n in range(5)]
    wanted.append({"do": "remove", "targets": [ids[0]]})
    world.removed.update(name for name in world.oracle.names() if world.oracle.id_of(name) == ids[0])
    step(world, tally, Job(world.folder, world.kind, wanted, exact_up_to=exact_up_to))
    step(world, tally, Job(world.folder, world.kind, [world.add_all()], exact_up_to=exact_up_to))
    check(world, tally, exact_up_to, dice)


def begin(seed: int, root: Path) -> tuple[random.Random, World, int, Tally]:
    """Return the seed's dice, a world with files to begin with, up to how many items it is exact, a tally."""
    dice = random.Random(seed)
    world = World(root, dice, "text" if dice.random() < 0.25 else "photo")
    world.grow(dice.choice([3, 10, 40, 70]))
    return dice, world, dice.choice([100_000, 100_000, 45]), Tally(rounds=1)


def step(world: World, tally: Tally, *crew: Job, may_refuse: bool = False) -> list[Ran]:
    """Run jobs at once, and take in what they say; they `may_refuse` where there is damage."""
    tally.history.append(f"files: {len(world.contents) or world.rows}")
    ran = jobs.run(*crew, scratch=world.scratch)
    settle(world, ran)
    for each in ran:
        tally.problems += problems_of(each)
        if each.job.fault is None and not may_refuse:
            said = [text for text in each.failures if text.startswith(("DamagedError", "StorageError"))]
            tally.problems += [Problem("refused", f"{text}: {each.job.commands}") for text in said]
        fault = each.job.fault
        tally.history.append(f"{each.job.commands}, {fault}: ended with {each.status}, {each.lines}")
        tally.faults += bool(fault and fault.action and (each.killed or each.calls >= fault.at))
    return ran


def check(
    world: World, tally: Tally, exact_up_to: int, dice: random.Random, *, log: Path | None = None
) -> None:
    """Look at a collection that nobody damaged."""
    before = world.oracle.checked
    seen = look_at(world, exact_up_to=exact_up_to, seed=dice.randrange(1 << 30), log=log)
    world.whole = {name for name, _, missing, _ in seen.spaces if not missing}
    tally.problems += hold(world, seen)
    tally.checked += world.oracle.checked - before


def finish(world: World, tally: Tally, exact_up_to: int, dice: random.Random) -> None:
    """Add everything once more without a fault: all that lies there is in then."""
    command: Command = world.add_all()
    (ran,) = step(world, tally, Job(world.folder, world.kind, [command], exact_up_to=exact_up_to))
    if ran.done(0) is None:
        tally.problems.append(Problem("unsound", f"the last add says {ran.failures}"))
    check(world, tally, exact_up_to, dice)


KINDS: dict[str, Callable[[int, Path], Tally]] = {
    each.__name__: each for each in (kills, errors, full, power, flips, logs, repairs, crowd)
}
"""By name: what it does is in its docstring."""
