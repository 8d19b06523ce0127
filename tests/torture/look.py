"""Looking at a collection as it is, in a process of its own, and holding it against the oracle."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torture import jobs
from torture.driver import exported
from torture.jobs import Job, Ran
from torture.oracle import Key, Problem, Value
from torture.work import World

_COMMANDS = ["items", "count", "given", "search_all", "verify", "cli"]


@dataclass(frozen=True)
class Look:
    """What a collection shows of itself; what could not be told is in `said`, as errors or findings."""

    found: dict[Key, Value]
    items: list[list[Any]]
    spaces: list[list[Any]]
    answers: dict[str, list[dict[str, Any]]]
    damage: list[list[Any]]
    said: list[str] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)

    @property
    def names_damage(self) -> bool:
        """Whether anything was said about damage."""
        told = [answer["damaged"] for answers in self.answers.values() for answer in answers]
        return bool(self.damage or self.said or any(told))


def look_at(world: World, *, exact_up_to: int, seed: int = 0, log: Path | None = None) -> Look:
    """Open the collection and let it show everything."""
    commands = [{"do": do} for do in _COMMANDS]
    commands[3]["seed"] = seed  # type: ignore[assignment]
    commands[5]["words"] = ["verify"]  # type: ignore[assignment]
    job = Job(world.folder, world.kind, commands, log=log, exact_up_to=exact_up_to)
    (ran,) = jobs.run(job, scratch=world.scratch)
    items, count, given, searched, verified, told = (ran.done(number) or {} for number in range(6))
    found: dict[Key, Value] = {}
    for _, name, content in items.get("items", []):
        found["item", name] = name if world.kind == "text" else content
    for query, item_id, value in given.get("votes", []):
        found["vote", query, item_id] = value
    found.update({("skip", uri): True for uri in given.get("skipped", {})})
    for name, is_default, _, _ in count.get("spaces", []):
        found["space", name] = True
        if is_default:
            found[("default",)] = name
    for folder in world.disk.glob("export*"):
        found["export", folder.name] = exported(folder) not in (None, -1) or "not whole"
    damage = verified.get("damage", [])
    problems = problems_of(ran)
    lasting = [each for each in damage if not each[0].startswith("index/")]  # those are made anew meanwhile
    if ran.done(4) and told and (lasting or not damage) and (told["code"] == 0) == bool(lasting):
        problems.append(Problem("wrong", f"verify finds {damage}, the command line ends with {told}"))
    return Look(
        found,
        items.get("items", []),
        count.get("spaces", []),
        searched.get("spaces", {}),
        damage,
        ran.failures,
        problems,
    )


def problems_of(ran: Ran) -> list[Problem]:
    """Return what no process may ever show: that it hangs, or a trace."""
    hangs = [Problem("hang", f"{ran.job.commands}: {ran.errors[-3000:]}")] if ran.hung else []
    return [*hangs, *(Problem("trace", f"{trace[-3000:]}") for trace in ran.traces())]


def hold(world: World, seen: Look, *, collapse: bool = True) -> list[Problem]:
    """Hold a collection that nobody damaged against the oracle."""
    oracle = world.oracle
    problems = [*seen.problems, *oracle.hold(seen.found, collapse=collapse)]
    problems += [Problem("unsound", str(each)) for each in seen.damage]
    is_nothing = not seen.found and all("NotFoundError" in each for each in seen.said)
    problems += [] if is_nothing else [Problem("unsound", each) for each in seen.said]
    return problems or [*oracle.remember_ids(seen.items), *check_answers(world, seen)]


def check_answers(world: World, seen: Look) -> list[Problem]:
    """Hold the answers in all spaces against the exact ones."""
    facts = {name: (missing, index) for name, _, missing, index in seen.spaces}
    problems = []
    for space, answers in seen.answers.items():
        missing, index = facts.get(space, (1, "exact"))
        problems += world.oracle.check_answers(
            space, answers, whole=not missing, approximate=index != "exact"
        )
    return problems
