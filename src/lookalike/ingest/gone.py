"""Which items' files are gone while a run goes on: remote ones by its listings, or else by asking."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from lookalike.sources.everywhere import WideWalk
from lookalike.sources.remote.addresses import is_address
from lookalike.sources.uris import container_of, is_gone
from lookalike.store.scan import Scan


@dataclass(slots=True)
class Presence:
    """Tells what is gone. Only `ask` asks remote places, not `is_gone`, which a transaction waits for."""

    walk: WideWalk
    scan: Scan
    _told: dict[str, bool] = field(default_factory=dict)

    def is_gone(self, uri: str) -> bool:
        """Whether nothing lies at a uri any more; False where that is not known."""
        place = container_of(uri) or uri
        if not is_address(place):
            return is_gone(uri)
        listed = self._by_listing(place)
        return self._told.get(place, False) if listed is None else listed

    def ask(self, uris: Iterable[str]) -> None:
        """Find out about remote ones of these, of which no listing of this run tells."""
        places = {container_of(uri) or uri for uri in uris}
        unknown = {each for each in places if is_address(each) and each not in self._told}
        wanted = sorted(each for each in unknown if self._by_listing(each) is None)
        if wanted:
            from lookalike.sources.remote.presence import absent_of  # loads much that files do without

            self._told.update(absent_of(wanted))

    def _by_listing(self, uri: str) -> bool | None:
        """Whether a listing of this run lacks an object; None where none tells."""
        if self.scan.has(uri):
            return False
        if not any(uri.startswith(f"{root}/") for root in self.walk.listed_whole):
            return None
        return True
