"""The spaces of a collection in Milvus, as its books have them."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any

from lookalike.engine.milvus.books import Books, Entry
from lookalike.engine.milvus.layout import check_ours, create_books, create_space, space_number, vectors_name
from lookalike.errors import DamagedError, ModelMismatchError, NotFoundError, UsageError
from lookalike.records import Kind, Space

_SPACE, _DEFAULT = "space", "default"


class MilvusSpaces:
    """Makes and finds spaces, and says which one is the default."""

    def __init__(self, books: Books) -> None:
        self._books = books
        self._connection = books.connection

    def exist(self) -> bool:
        """Whether there is a collection; raises `NotACollectionError` where another program has its name."""
        return check_ours(self._connection, self._connection.address.name)

    def make_books(self) -> None:
        """Make the collection, unless it is there; what was killed while it did so is gone on with."""
        if not self.exist() or not self._connection.is_loaded(self._connection.address.name):
            create_books(self._connection)

    def finish(self) -> None:
        """Make whole what was left half-made, and have loaded what is not."""
        if not self._connection.is_loaded(self._connection.address.name):
            create_books(self._connection)
        for space in self.all():
            if not self._connection.is_loaded(vectors_name(self._connection.address.name, space.id)):
                create_space(self._connection, space)

    def all(self) -> list[Space]:
        """Return the spaces, the oldest first."""
        found = [each for page in self._books.pages(_SPACE) for each in page]
        default = next(iter(self._books.get(_DEFAULT, [_DEFAULT])), None)
        chosen = default.data["name"] if default else None
        spaces = [_space(each) for each in sorted(found, key=lambda entry: (entry.seq, entry.name))]
        return [replace(space, is_default=space.name == chosen) for space in spaces]

    def ensure(  # noqa: PLR0913  # what a space is made of
        self, name: str, model_id: str, dim: int, kind: Kind, reference: str, *, approximate: bool, seq: int
    ) -> Space:
        """Return the space of that name, making it; the first one becomes the default."""
        held = self.all()
        found = next((space for space in held if space.name == name), None)
        if found is not None:
            return found
        if held and held[0].kind != kind:
            raise ModelMismatchError(f"{self._connection.address} holds {held[0].kind}s, not {kind}s")
        number = space_number(name, model_id)
        space = Space(number, name, model_id, dim, not held, kind, reference, approximate)
        milvus_name = vectors_name(self._connection.address.name, number)
        if not check_ours(self._connection, milvus_name) or not self._connection.is_loaded(milvus_name):
            create_space(self._connection, space)
        self._books.put([Entry(_SPACE, name, asdict(space), seq=seq)])
        if not held:
            self.use(space)
        return space

    def use(self, space: Space) -> None:
        """Make a space the default one."""
        self._books.put([Entry(_DEFAULT, _DEFAULT, {"name": space.name})])

    def drop(self, space: Space) -> None:
        """Forget a space and its vectors, but the default one."""
        now = {each.id: each for each in self.all()}
        if space.id not in now:
            raise NotFoundError(f"no space named {space.name!r}: it was dropped meanwhile")
        if now[space.id].is_default:
            raise UsageError(f"{space.name} is the default; make another one that first")
        self._connection.drop(vectors_name(self._connection.address.name, space.id))
        self._books.delete([Entry(_SPACE, space.name, {})])  # last, so that it can be done again

    def drop_all(self) -> None:
        """Take back a collection in which nothing is."""
        for space in self.all():
            self._connection.drop(vectors_name(self._connection.address.name, space.id))
        self._connection.drop(self._connection.address.name)


def _space(entry: Entry) -> Space:
    facts: dict[str, Any] = entry.data
    try:
        return Space(**facts)
    except TypeError as error:
        raise DamagedError(f"the books of the collection are damaged: space {entry.name!r}") from error
