"""What the lines of a process say, and what it might have done without a word: as claims."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from torture.driver import serve_turns, serve_vote
from torture.jobs import Command, Ran
from torture.oracle import Claim, Key, Value, default_model
from torture.work import World


def settle(world: World, crew: Sequence[Ran]) -> None:
    """Let the oracle know what processes say that ran at the same time."""
    moved: dict[int, set[str]] = {}
    for line in (line for ran in crew for line in ran.lines):
        if line.get("outcome") == "moved":
            moved.setdefault(line["id"], set()).add(line["uri"])
    world.oracle.settle([_claims(world, ran, moved) for ran in crew])


def _claims(world: World, ran: Ran, moved: dict[int, set[str]]) -> list[Claim]:
    """Return the claims of one process, in order: of each command what is possible, then what is sure."""
    claims: list[Claim] = []
    lines = iter(ran.lines)
    for number, command in enumerate(ran.job.commands):
        possible = list(_possible(world, command, moved))
        claims += possible
        for line in lines:
            claims += _told(world, command, line)
            if line.get("done", -1) == number:
                claims += _sure(world, command, possible)
                break
            if line.get("failed", -1) == number:
                break
        else:
            return claims  # it was killed here
    return claims


def _possible(world: World, command: Command, moved: dict[int, set[str]]) -> Iterator[Claim]:
    """What a command may do, if it is killed; `moved` has further names of items by id."""
    oracle, do = world.oracle, command["do"]
    if do in ("add", "import_vectors"):
        yield from _added(world, command)
    elif do == "remove":
        ids = command["targets"]
        names = {name for name in oracle.names() if oracle.id_of(name) in ids}
        names.update(*(moved.get(item_id, ()) for item_id in ids))
        yield from (Claim(("item", name), None) for name in sorted(names))
    elif do == "export":
        yield Claim(("export", Path(command["folder"]).name), True)
    elif do == "vote":
        yield Claim(("vote", command["query"], command["item"]), command["value"] or None)
    elif do == "serve":  # it tells each once it is on disk
        votes = (serve_vote(number, command["items"]) for number in serve_turns(command["seed"]))
        yield from (Claim(("vote", query, item), value) for query, item, value in votes)
    elif do in ("add_model", "drop_model"):
        yield Claim(("space", command["name"]), True if do == "add_model" else None)
    elif do == "use_model":
        yield Claim(("default",), command["name"])


def _added(world: World, command: Command) -> Iterator[Claim]:
    """What an add or an import may do."""
    oracle = world.oracle
    if not oracle.values(("default",)) - {None}:
        yield Claim(("space", default_model(world.kind)), True)
        yield Claim(("default",), default_model(world.kind))
    if command["do"] == "add":
        yield from (Claim(("item", name), content) for name, content in _in_scope(world, command))
        yield from (Claim(("skip", uri), True) for uri in _broken(world, command))
        yield from (Claim(key, None) for key in oracle.keys("item") if not world.is_there(key[1]))
        yield from (Claim(key, None) for key in oracle.keys("skip") if not Path(key[1]).exists())
        return
    yield Claim(("space", command["name"]), True)
    for name in world.imported(command):  # someone may have removed it meanwhile
        is_there = world.is_there(name) or world.kind == "text"
        content = world.contents.get(name, name)
        yield Claim(("item", name), content) if is_there else Claim(("skip", name), True)


def _told(world: World, command: Command, line: dict[str, Any]) -> Iterator[Claim]:
    """What a line says that was told after it was on disk."""
    if "voted" in line:
        query, item, value = line["voted"]
        yield Claim(("vote", query, item), value or None, acked=True)
    if "uri" not in line or command["do"] != "add":
        return
    uri, outcome = line["uri"], line["outcome"]
    if outcome == "skipped":
        yield Claim(("skip", uri), True, acked=True)
        return
    yield Claim(*_item(world, uri), acked=True)
    if outcome == "moved" and world.kind == "photo":
        for name in world.oracle.names():
            if world.oracle.id_of(name) == line["id"] and name != uri:
                yield Claim(("item", name), None, acked=True)


def _sure(world: World, command: Command, possible: Sequence[Claim]) -> Iterator[Claim]:
    """What is so once a command has come to its end."""
    for claim in possible:
        kind, present = claim.key[0], claim.value is not None
        if command["do"] == "add" and kind in ("item", "skip", "space", "default") and not present:
            continue  # moved, vanished or forgotten: as it may be
        if command["do"] == "serve" or (command["do"] == "import_vectors" and kind != "space"):
            continue
        if kind == "item" and command["do"] == "add" and claim.value in world.removed:
            continue  # a text need not come back while its file stays as it is
        yield Claim(claim.key, claim.value, acked=True)


def _in_scope(world: World, command: Command) -> Iterator[tuple[str, Value]]:
    """Names and contents of what lies below the folders of an add."""
    if world.kind == "text":
        for path, rows in world.rows.items():
            if _is_below(path, command):
                yield from ((text, text) for text in rows)
    else:
        yield from (each for each in world.contents.items() if each[1] and _is_below(each[0], command))


def _broken(world: World, command: Command) -> Iterator[str]:
    yield from (path for path, content in world.contents.items() if not content and _is_below(path, command))


def _is_below(path: str, command: Command) -> bool:
    return any(path.startswith(f"{folder}/") for folder in command["paths"])


def _item(world: World, uri: str) -> tuple[Key, Value]:
    if world.kind == "photo":
        return ("item", uri), world.contents[uri]
    path, _, row = uri.rpartition("#")
    text = world.rows[path][int(row) - 1]
    return ("item", text), text
