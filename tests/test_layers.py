"""Imports go one way, so that each part can be read, tested and replaced without those above it."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import lookalike

ROOT = Path(lookalike.__file__).parent

FLOORS = [
    {"install"},
    {"errors", "records", "cores"},
    {"reports", "durable", "files", "user_folders", "listed", "progress", "decisions"},
    # the stages, which know nothing of each other
    {"sources", "decode", "models", "store", "index", "datasets", "matching"},
    {"embedders"},
    {"indexing"},
    {"engine"},
    {"search", "places"},
    {"open_collection"},
    {"copies"},
    {"ingest"},
    {"cluster"},
    {"upkeep", "transfer"},
    {"searchable", "direct"},
    {"collection"},
    {"evaluate"},
    {"__init__"},
    {"faces"},
    {"notebook", "__main__"},
]
"""The rooms of the package from the ground up: each imports from itself and from the floors below."""

FACES = [{"text", "sheet", "contract"}, {"report", "server"}, {"notebook", "cli"}]
"""The same within `faces`: what all faces share, then the faces."""


def module_of(path: Path) -> str:
    """The dotted name below the package of a file, such as `store.items`; a package's is its folder's."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if len(parts) > 1 and parts[-1] == "__init__" else parts)


def files() -> list[Path]:
    return sorted(ROOT.rglob("*.py"))


MODULES = {module_of(path) for path in files()}


def imports(path: Path) -> Iterator[str]:
    """Every module of the package that a file imports, wherever in the file it does."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: relative import"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        for name in names:
            package, _, below = name.partition(".")
            if package == "lookalike":
                yield below if below in MODULES else below.rpartition(".")[0] or "__init__"


def floor_of(name: str, floors: list[set[str]]) -> int:
    found = [number for number, rooms in enumerate(floors) if name in rooms]
    assert len(found) == 1, f"{name} is new: say in this test on which floor it is"
    return found[0]


def goes_up(own: str, other: str) -> bool:
    """Whether an import leads to a room above, or to another one on the same floor."""
    room, theirs = own.split(".", maxsplit=1)[0], other.split(".", maxsplit=1)[0]
    floors = FLOORS
    if room == theirs == "faces" and own != "faces" != other:
        room, theirs, floors = own.split(".")[1], other.split(".")[1], FACES
    return room != theirs and floor_of(theirs, floors) >= floor_of(room, floors)


@pytest.mark.parametrize("path", files(), ids=module_of)
def test_a_file_imports_only_from_below(path):
    assert not [name for name in imports(path) if goes_up(module_of(path), name)]


def cycles(graph: dict[str, set[str]]) -> set[str]:
    """What is left when everything that imports nothing that is left has been taken away, again and again."""
    left = {name: set(below) - {name} for name, below in graph.items()}
    while lowest := {name for name, below in left.items() if not below & set(left)}:
        left = {name: below for name, below in left.items() if name not in lowest}
    return set(left)


def test_no_two_packages_import_each_other():
    rooms: dict[str, set[str]] = {}
    for path in files():
        own = module_of(path).split(".")[0]
        rooms.setdefault(own, set()).update(name.split(".")[0] for name in imports(path))
    assert not cycles(rooms)


def test_no_two_files_import_each_other():
    assert not cycles({module_of(path): set(imports(path)) for path in files()})


def test_cycles_are_seen():
    assert cycles({"a": {"b"}, "b": {"c"}, "c": {"a", "d"}, "d": set(), "e": {"a"}}) == {"a", "b", "c", "e"}


def test_the_floors_name_only_what_exists():
    assert {name.split(".")[0] for name in MODULES} == set().union(*FLOORS)
    assert {name.split(".")[1] for name in MODULES if name.startswith("faces.")} == set().union(*FACES)


def test_no_file_is_long():
    lines = {module_of(path): len(path.read_text(encoding="utf-8").splitlines()) for path in files()}
    assert not {name: count for name, count in lines.items() if count > 350}


def loaded_by(module: str) -> set[str]:
    code = f"import sys, {module}; print(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(run.stdout.split())


@pytest.mark.parametrize("module", ["lookalike", "lookalike.decode.serve", "lookalike.faces.cli.main"])
def test_what_must_start_fast_loads_nothing_slow(module):
    loaded = loaded_by(module)
    assert module in loaded
    assert not loaded & {"numpy", "faiss", "onnxruntime", "sqlite3", "rich"}


def test_a_worker_loads_no_other_part_of_the_package():
    loaded = (name.split(".") for name in loaded_by("lookalike.decode.serve"))
    parts = {name[1] for name in loaded if name[0] == "lookalike" and len(name) > 1}
    assert parts == {"decode", "records", "errors", "files"}
