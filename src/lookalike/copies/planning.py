"""What moving copies away would do: looked at beforehand, nothing is touched."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from lookalike.copies.contents import lstat_of_file, reason_of
from lookalike.copies.groups import CopyGroup
from lookalike.copies.trash import home_trash, is_told_where, system_trash
from lookalike.errors import UsageError
from lookalike.records import Item
from lookalike.sources.uris import is_fetched, path_of


@dataclass(frozen=True, slots=True)
class GroupChoice:
    """A group, and the ids of those of its items whose files are to go; the others stay."""

    group: CopyGroup
    going: frozenset[int]


@dataclass(frozen=True, slots=True)
class ToFolder:
    """Move files below a folder, under the paths that they have."""

    folder: Path


@dataclass(frozen=True, slots=True)
class ToTrash:
    """Move files to the trash of the disk that they are on.

    On Windows and macOS it is that of the system, which does not tell where it puts a file: only there can it
    be put back, and `undo` says so.
    """


@dataclass(frozen=True, slots=True)
class PlannedMove:
    """A file that would go from `source` to `target`, None standing for the trash.

    `stays` has, for each group that it goes from, the items that stay, the best first.
    """

    item: Item
    source: Path
    target: Path | None
    stays: tuple[tuple[Item, ...], ...]


@dataclass(frozen=True, slots=True)
class RefusedItem:
    """An item whose file stays where it is, and why."""

    item: Item
    reason: str


@dataclass(frozen=True, slots=True)
class RemovalPlan:
    """What would be moved, and what would not; `bytes_won` is what the files to be moved take."""

    where_to: ToFolder | ToTrash
    moves: tuple[PlannedMove, ...]
    refused: tuple[RefusedItem, ...]
    bytes_won: int

    @property
    def can_be_undone(self) -> bool:
        """Whether `undo` could put the files back."""
        return isinstance(self.where_to, ToFolder) or is_told_where()


def all_but_best(group: CopyGroup) -> GroupChoice:
    """Choose all copies of a group, so that its best member stays."""
    return GroupChoice(group, frozenset(each.item.id for each in group.copies))


def plan_removal(choices: Iterable[GroupChoice], where_to: ToFolder | ToTrash) -> RemovalPlan:
    """Say what would be moved where, and what is refused for which reason; nothing is touched.

    What is planned is checked once more when it is carried out, content by content. Raises `UsageError` for a
    choice of items that are not in their group, and for a target that can be none, and `MissingExtraError`.
    """
    choices = list(choices)
    _check(choices, where_to)
    stays = {item.id: item for each in choices for item in _staying(each)}
    kept_files = {identity: item for item in stays.values() if (identity := _identity(item)) is not None}
    wanted: dict[int, tuple[Item, list[tuple[Item, ...]]]] = {}
    for each in choices:
        staying = _staying(each)
        for item in each.group.items:
            if item.id in each.going:
                wanted.setdefault(item.id, (item, []))[1].append(staying)
    moves, refused = list[PlannedMove](), list[RefusedItem]()
    sizes: dict[tuple[int, int], int] = {}
    names = Names()
    for item, groups in wanted.values():
        source = Path(path_of(item.uri))
        reason = _refused_by_choice(item, groups, stays) or _refused_by_file(item, kept_files, where_to)
        if reason is not None:
            refused.append(RefusedItem(item, reason))
            continue
        target = None
        if isinstance(where_to, ToFolder):
            target = names.free(below(where_to.folder, source))
        facts = os.lstat(source)
        sizes[facts.st_dev, facts.st_ino] = facts.st_size
        moves.append(PlannedMove(item, source, target, tuple(groups)))
    return RemovalPlan(where_to, tuple(moves), tuple(refused), sum(sizes.values()))


def below(folder: Path, source: Path) -> Path:
    """Return where a file goes in a folder: below it, under its whole path."""
    drive = source.drive.replace(":", "").strip("\\/")
    return folder.joinpath(*([drive] if drive else []), *source.parts[1:])


@dataclass(slots=True)
class Names:
    """Names for files: each is given once."""

    _given: set[Path] = field(default_factory=set)
    _numbers: Counter[Path] = field(default_factory=Counter)

    def free(self, path: Path) -> Path:
        """Return a path that nothing has, the name numbered where it has to be: `a (2).jpg`."""
        while True:
            self._numbers[path] += 1
            number = self._numbers[path]
            name = path if number == 1 else path.with_name(f"{path.stem} ({number}){path.suffix}")
            if name not in self._given and not os.path.lexists(name):
                self._given.add(name)
                return name


def _check(choices: Sequence[GroupChoice], where_to: ToFolder | ToTrash) -> None:
    for each in choices:
        unknown = each.going - {item.id for item in each.group.items}
        if unknown:
            raise UsageError(f"item {min(unknown)} is not in the group that it is to go from")
    if isinstance(where_to, ToTrash):
        _ = home_trash() if is_told_where() else system_trash()  # raises where there is none
    elif where_to.folder.exists() and not where_to.folder.is_dir():
        raise UsageError(f"{where_to.folder} is no folder; name one that copies can be moved to")


def _staying(choice: GroupChoice) -> tuple[Item, ...]:
    return tuple(item for item in choice.group.items if item.id not in choice.going)


def _is_file_here(item: Item) -> bool:
    """Whether an item is a file of its own on this machine: no address, and no member of an archive."""
    return Path(path_of(item.uri)).is_absolute() and not is_fetched(item.uri)


def _identity(item: Item) -> tuple[int, int] | None:
    """Tell which file on disk an item's is; None where it is none of its own."""
    if not _is_file_here(item):
        return None
    try:
        facts = os.stat(path_of(item.uri))  # noqa: PTH116  # names may not be UTF-8
    except (OSError, ValueError):
        return None
    return facts.st_dev, facts.st_ino


def _refused_by_choice(item: Item, groups: list[tuple[Item, ...]], stays: dict[int, Item]) -> str | None:
    if item.id in stays:
        return "it is kept in another group"
    if not all(groups):
        return "nothing of its group would be left"
    for best, *_ in groups:
        if not _is_file_here(best):
            return f"what is kept of its group is no file of its own on this machine: {best.uri}"
        try:
            lstat_of_file(Path(path_of(best.uri)))
        except (OSError, ValueError) as error:
            reason = reason_of(error) if isinstance(error, OSError) else str(error)
            return f"what is kept of its group cannot be relied on: {best.uri}: {reason}"
    return None


def _refused_by_file(
    item: Item, kept: dict[tuple[int, int], Item], where_to: ToFolder | ToTrash
) -> str | None:
    if not _is_file_here(item):
        return "it is no file of its own on this machine"
    path = Path(path_of(item.uri))
    try:
        facts = lstat_of_file(path)
    except (OSError, ValueError) as error:
        return reason_of(error) if isinstance(error, OSError) else str(error)
    same = kept.get((facts.st_dev, facts.st_ino))
    if same is not None:
        return f"it is the same file on disk as {same.uri}, which is kept"
    if item.stamp.size not in (facts.st_size, 0):  # 0: an import told no size
        return "it has changed since it was added; read it again with: lookalike add"
    if isinstance(where_to, ToFolder) and _is_below(path, where_to.folder):
        return f"it lies in {where_to.folder} already"
    return None


def _is_below(path: Path, folder: Path) -> bool:
    return Path(os.path.realpath(path)).is_relative_to(os.path.realpath(folder))
