"""Which copies go, and where that is noted: what all faces have in common that move copies away."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Set
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from lookalike.copies.actions import carry_out
from lookalike.copies.groups import CopyGroup
from lookalike.copies.journal import JOURNAL_FILE
from lookalike.copies.journaled import MovedFile, OnMoved
from lookalike.copies.planning import GroupChoice, ToTrash, plan_removal
from lookalike.decisions import Decision
from lookalike.durable import make_folder
from lookalike.errors import NotFoundError, StorageError
from lookalike.places import Place
from lookalike.records import Item
from lookalike.user_folders import user_data_folder


@dataclass(frozen=True, slots=True)
class Chosen:
    """The groups of which something goes; `kept` are the copies that stay, since that was decided."""

    choices: tuple[GroupChoice, ...]
    kept: tuple[Item, ...]

    @property
    def going(self) -> tuple[Item, ...]:
        """The items that go, each once: none that is to stay in another group."""
        choices = [(item, item.id in each.going) for each in self.choices for item in each.group.items]
        staying = {item.id for item, goes in choices if not goes}
        return tuple({item.id: item for item, goes in choices if goes and item.id not in staying}.values())


def choose(
    groups: Iterable[CopyGroup], decisions: Iterable[Decision], spared: Set[int] = frozenset()
) -> Chosen:
    """Choose all but the best of each group, less items that are spared and those decided to be kept.

    An item is decided to be kept where it and another content of its group are to be kept both.
    """
    beside = dict[bytes, set[bytes]]()
    for each in decisions:
        if each.verdict == "keep both":
            beside.setdefault(each.first, set()).add(each.second)
            beside.setdefault(each.second, set()).add(each.first)
    choices, kept = list[GroupChoice](), dict[int, Item]()
    for group in groups:
        contents = {item.content_hash for item in group.items}
        going = {copy.item.id: copy.item for copy in group.copies if copy.item.id not in spared}
        decided = {
            id_: item for id_, item in going.items() if beside.get(item.content_hash, set()) & contents
        }
        kept |= decided
        if left := going.keys() - decided.keys():
            choices.append(GroupChoice(group, frozenset(left)))
    return Chosen(tuple(choices), tuple(kept.values()))


def journal_of(place: Place) -> Path:
    """Return where it is noted what was moved of a collection: in its folder, or for Milvus the user's own.

    The user's folder is made. Raises `UsageError` where the user has none, and `StorageError`.
    """
    if isinstance(place, Path):
        return place / JOURNAL_FILE
    folder = user_data_folder("it is noted which copies were moved: set HOME or XDG_DATA_HOME") / "copies"
    try:
        make_folder(folder)
    except OSError as error:
        raise StorageError(f"cannot make {folder}: {error.strerror or error}") from error
    return folder / f"{quote(f'{place.host}:{place.port}', safe='')}-{place.name}-{JOURNAL_FILE}"


def leaving(remove: Callable[[int], object]) -> OnMoved:
    """Return what takes the items of moved files out of a collection by `remove`, if they are still in it."""

    def leave(moved: MovedFile) -> None:
        with suppress(NotFoundError):
            remove(moved.item_id)

    return leave


def trash_copies(
    group: CopyGroup, going: Set[int], journal: Path, remove: Callable[[int], object]
) -> dict[int, str]:
    """Move the files of those members of a group to the trash, and `remove` their items by id.

    Returns why files stayed, by id. Raises as `plan_removal` and `carry_out`.
    """
    plan = plan_removal([GroupChoice(group, frozenset(going))], ToTrash())
    done = carry_out(plan, journal, leaving(remove))
    return {each.item.id: each.reason for each in done.refused}
