"""A short run of the torture bench with fixed seeds; and the bench itself notices what it should."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from torture import shim
from torture.oracle import Claim, Oracle
from torture.powercut import Disk
from torture.shim import Change

pytestmark = pytest.mark.slow

ROUNDS = {"kills": 10, "errors": 8, "full": 8, "power": 4, "flips": 4, "logs": 2, "repairs": 6, "crowd": 2}
TESTS = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def library() -> Path:
    try:
        return shim.build()
    except shim.UnavailableError as error:
        pytest.skip(str(error))


@pytest.mark.usefixtures("library")
@pytest.mark.parametrize("kind", ROUNDS)
def test_nothing_is_lost_wrong_or_stuck(kind, tmp_path):
    """What fails says how to do it again."""
    command = [sys.executable, "-m", "torture", "--kinds", kind, "--rounds", str(ROUNDS[kind]), "--seed", "1"]
    ran = subprocess.run(
        [*command, "--keep", str(tmp_path)],
        cwd=TESTS,
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    rounds, faults, checked = _numbers(ran.stdout, kind)
    assert rounds == ROUNDS[kind]
    assert faults >= rounds // 2
    assert checked > 100


def _numbers(said: str, kind: str) -> list[int]:
    (row,) = [line for line in said.splitlines() if line.startswith(f"| {kind} |")]
    return [int(cell.replace(",", "")) for cell in row.split("|")[2:5]]


WRITES = """
import os, sys
from pathlib import Path
from torture import shim
folder, action, at = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
shim.arm(folder, shim.Fault(action, at, error=5), Path(sys.argv[1] + ".log"))
with (folder / "file").open("wb", buffering=0) as file:
    for n in range(4):
        try:
            file.write(bytes([n]) * 1000)
        except OSError as error:
            print(error.errno)
    os.fsync(file.fileno())
os.rename(folder / "file", folder / "renamed")
print("count", shim.count())
"""


def _write(library: Path, folder: Path, action: int, at: int) -> subprocess.CompletedProcess[str]:
    folder.mkdir()
    command = [sys.executable, "-c", WRITES, str(folder), str(action), str(at)]
    environment = {"LD_PRELOAD": str(library), "PYTHONPATH": str(TESTS)}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def test_the_shim_counts_kills_tears_and_fails(library, tmp_path):
    assert _write(library, tmp_path / "all", 0, 0).stdout == "count 7\n"  # create, 4 writes, sync, rename
    assert [path.name for path in (tmp_path / "all").iterdir()] == ["renamed"]
    for action, size in ((shim.KILL_BEFORE, 1000), (shim.KILL_TORN, 1500), (shim.KILL_AFTER, 2000)):
        assert _write(library, tmp_path / f"{action}", action, 3).returncode == -signal.SIGKILL
        assert (tmp_path / f"{action}" / "file").stat().st_size == size
    assert _write(library, tmp_path / "once", shim.FAIL_ONCE, 3).stdout == "5\ncount 7\n"
    assert (tmp_path / "once" / "renamed").stat().st_size == 3000
    assert "5\n5\n5\n" in _write(library, tmp_path / "on", shim.FAIL_ON, 3).stdout


def _cuts(changes: list[Change], tmp_path: Path, *, journaled: bool = False) -> set[tuple[str, bytes]]:
    """What a hundred power cuts leave of the only file."""
    left = set()
    for seed in range(100):
        disk, below = Disk(journaled).apply(changes), tmp_path / f"{seed}"
        below.parent.mkdir(exist_ok=True)
        disk.cut(random.Random(seed), Path("/disk"), below)
        left.update((path.name, path.read_bytes()) for path in below.iterdir())
        left.update({("", b"")} if not [*below.iterdir()] else ())
    return left


def test_a_power_cut_takes_only_what_was_not_synced(library, tmp_path):
    _write(library, tmp_path / "disk", 0, 0)
    changes = [
        Change(each.kind, each.inode, each.offset, *(_moved(p) for p in (each.path, each.target)), each.data)
        for each in shim.read_log(tmp_path / "disk.log")
    ]
    whole = b"".join(bytes([n]) * 1000 for n in range(4))
    assert [each.kind for each in changes] == ["c", "w", "w", "w", "w", "s", "r"]
    assert _cuts(changes, tmp_path / "a") == {("", b""), ("file", whole), ("renamed", whole)}
    synced = [*changes, Change("s", 0, 0, "/disk", "", b"")]
    assert _cuts(synced, tmp_path / "b") == {("renamed", whole)}
    torn = {
        content for name, content in _cuts([changes[0], synced[-1], *changes[1:5]], tmp_path / "c") if name
    }
    assert {b"", whole} < torn
    assert any(content not in (whole[: len(content)], b"") for content in torn)  # out of order


def _moved(path: str) -> str:
    return f"/disk{path.partition('/disk')[2]}" if path else ""


@pytest.mark.parametrize(
    ("claims", "found", "problems"),
    [
        ([[Claim(("item", "a"), "1", acked=True)]], "1", []),
        ([[Claim(("item", "a"), "1", acked=True)]], None, ["lost"]),
        ([[Claim(("item", "a"), "1", acked=True)]], "2", ["wrong"]),
        ([[Claim(("item", "a"), "1")]], None, []),
        ([[Claim(("item", "a"), "1", acked=True), Claim(("item", "a"), None)]], None, []),
        ([[Claim(("item", "a"), "1", acked=True)], [Claim(("item", "a"), None)]], None, []),
        ([[Claim(("item", "a"), "1", acked=True), Claim(("item", "a"), None, acked=True)]], "1", ["wrong"]),
        ([], "1", ["wrong"]),
    ],
)
def test_the_oracle_tells_what_is_possible(claims, found, problems):
    oracle = Oracle("photo")
    oracle.settle(claims)
    seen = {} if found is None else {("item", "a"): found}
    assert [each.what for each in oracle.hold(seen)] == problems
    assert oracle.hold(seen) == []  # what was found is the truth from then on
