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

ALLOWED = {
    "errors": set(),
    "records": set(),
    "durable": set(),
    "cores": set(),
    "sources": {"errors", "records"},
    "decode": {"cores", "errors", "records"},
    "models": {"durable", "errors", "records"},
    "embed": {"cores", "errors", "records", "models"},
    "store": {"durable", "errors", "records"},
    "index": {"durable", "errors", "records"},
    "datasets": {"errors"},
}
STAGES = set(ALLOWED) - {"datasets"}
ALLOWED |= {name: set(STAGES) for name in ("indexing", "ingest", "search", "verify")}
ALLOWED["queries"] = STAGES
ALLOWED["background"] = {"records", "store"}
ALLOWED["fusion"] = ALLOWED["interleaving"] = set()
ALLOWED["search"] |= {"background", "fusion", "indexing", "queries"}
ALLOWED["vanished"] = {"records", "sources", "store"}
ALLOWED["ingest"].add("vanished")
ALLOWED["ingest_texts"] = STAGES | {"ingest", "vanished"}
ALLOWED["filling"] = STAGES | {"ingest"}
ALLOWED["index_keeper"] = STAGES | {"indexing"}
ALLOWED["asked"] = STAGES | {"queries"}
ALLOWED["wiring"] = STAGES | {"background", "indexing", "index_keeper"}
ALLOWED["adding"] = STAGES | {"filling", "ingest", "ingest_texts", "wiring"}
ALLOWED["repair"] = STAGES | {"adding", "ingest", "ingest_texts", "verify", "wiring"}
ALLOWED["importing"] = ALLOWED["exporting"] = STAGES
ALLOWED["moving"] = STAGES | {"adding", "exporting", "importing", "wiring"}
ALLOWED["collection"] = STAGES | {
    "adding",
    "asked",
    "indexing",
    "moving",
    "queries",
    "repair",
    "search",
    "verify",
    "wiring",
}
ALLOWED["evaluate"] = STAGES | {
    "background",
    "collection",
    "exporting",
    "indexing",
    "queries",
    "search",
    "wiring",
}
ALLOWED["faces"] = set(ALLOWED) | {"datasets", "__init__"}
ALLOWED["__init__"] = {"queries", "collection", "errors", "records", "store", "verify"}
ALLOWED["__main__"] = {"faces"}
ALLOWED["notebook"] = {"faces"}


def part_of(module: str) -> str:
    """The part of the package that a dotted name below `lookalike` belongs to."""
    part = module.split(".")[1] if "." in module else "__init__"
    return part if (ROOT / part).is_dir() or (ROOT / f"{part}.py").is_file() else "__init__"


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
        yield from (name for name in names if name.split(".")[0] == "lookalike")


def files() -> list[Path]:
    return sorted(ROOT.rglob("*.py"))


@pytest.mark.parametrize("path", files(), ids=lambda path: str(path.relative_to(ROOT)))
def test_a_file_imports_only_from_below(path):
    own = path.relative_to(ROOT).parts[0].removesuffix(".py")
    assert own in ALLOWED, f"{own} is new: say in this test what it may import"
    wrong = {name for name in imports(path) if part_of(name) not in ALLOWED[own] | {own}}
    assert not wrong


def test_the_rules_contain_no_cycle():
    left = {name: set(below) for name, below in ALLOWED.items() if name != "__init__"}
    while left:
        lowest = {name for name, below in left.items() if not below - {name, "__init__"} & set(left)}
        assert lowest, f"a cycle among {sorted(left)}"
        left = {name: below for name, below in left.items() if name not in lowest}


def test_the_rules_name_only_what_exists():
    assert all((ROOT / name).is_dir() or (ROOT / f"{name}.py").is_file() for name in ALLOWED)


def loaded_by(module: str) -> set[str]:
    code = f"import sys, {module}; print(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(run.stdout.split())


@pytest.mark.parametrize("module", ["lookalike", "lookalike.decode.serve", "lookalike.faces.cli"])
def test_what_must_start_fast_loads_nothing_slow(module):
    loaded = loaded_by(module)
    assert module in loaded
    assert not loaded & {"numpy", "faiss", "onnxruntime", "sqlite3", "rich"}


def test_a_worker_loads_no_other_part_of_the_package():
    parts = {part_of(name) for name in loaded_by("lookalike.decode.serve") if name.startswith("lookalike.")}
    assert parts == {"decode", "records"}
