"""Which items' files are gone, told apart from those that are only out of reach."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from lookalike.records import FileStamp
from lookalike.sources.everywhere import WideWalk
from lookalike.sources.remote.addresses import Source, is_address
from lookalike.sources.uris import emptied_folder, is_gone, path_of, uri_of
from lookalike.sources.walk import examine
from lookalike.store.scan import Scan


@dataclass(frozen=True, slots=True)
class Vanished:
    """What a walk did not find again.

    `items` maps ids to uris of items whose file is gone, holds no photo any more, is a further way (by a
    link) to a file that was found, or is left out now; `absent` are folders that
    are not there or are empty where items were, more likely an unmounted disk than a deletion, so that
    nothing of theirs is in `items`; `known_roots` are the uris of folders that were seen whole.
    """

    items: dict[int, str]
    absent: tuple[Source, ...]
    known_roots: list[str]
    _refused: dict[str, FileStamp]
    _unwanted: frozenset[str]
    _unlisted: frozenset[str]

    def still(self, uri: str) -> bool:
        """Whether a uri of `items` is vanished at this moment, too; of remote ones, as their listing told."""
        if uri in self._unlisted or (uri in self._refused and is_address(uri)):
            return True
        if uri in self._refused:
            return is_gone(uri) or examine(path_of(uri)).stamp == self._refused[uri]
        return uri in self._unwanted or is_gone(uri)


def find_vanished(
    walk: WideWalk, scan: Scan, *, prune: bool, inside: Mapping[int, str] | None = None
) -> Vanished:
    """Hold the folders that were walked against the items below them; those `inside` shards are given.

    Items whose file was left out of the walk count as vanished only where what has vanished is pruned.
    """
    folders = walk.roots
    missing = {root: scan.vanished(root) for root in folders}
    unlisted = {uri for root in walk.listed_whole for _, uri in missing[root]}
    gone = {
        root: [item for item in items if item[1] in unlisted or is_gone(item[1])]
        for root, items in missing.items()
    }
    absent = {root: folders[root] for root, items in gone.items() if items and not scan.found_below(root)}
    absent.update((root, root) for root in walk.empty)
    for _, uri in (item for items in missing.values() for item in items):
        if (emptied := emptied_folder(uri)) is not None:
            absent[uri_of(emptied)] = folders.get(uri_of(emptied), Path(emptied))
    out_of_reach = scan.below([*absent, *walk.closed])
    items = {item_id: uri for found in gone.values() for item_id, uri in found if item_id not in out_of_reach}
    unwanted = {uri: item_id for item_id, uri in _second_ways(walk, scan, missing)}
    if prune:
        unwanted |= {uri: item_id for root in folders for item_id, uri in scan.left_out(root)}
    items |= {item_id: uri for uri, item_id in unwanted.items() if item_id not in out_of_reach}
    items |= dict(inside or {})
    unlisted.update((inside or {}).values())
    refused = {}
    for item_id, uri, stamp in (each for root in folders for each in scan.refused(root)):
        items[item_id], refused[uri] = uri, stamp
    known = [] if walk.closed else [root for root in folders if root not in absent]
    return Vanished(items, tuple(absent.values()), known, refused, frozenset(unwanted), frozenset(unlisted))


def _second_ways(
    walk: WideWalk, scan: Scan, missing: dict[str, list[tuple[int, str]]]
) -> Iterator[tuple[int, str]]:
    """Yield the items that were not found because a link leads to their file, which was found elsewhere."""
    for item_id, uri in (item for items in missing.values() for item in items):
        if is_address(uri):
            continue
        path = path_of(uri)
        real = uri_of(walk.identities.real(path))
        if real != uri and os.path.lexists(path) and scan.has(real):
            yield item_id, uri
