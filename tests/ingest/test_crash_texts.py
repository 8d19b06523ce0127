"""Reading texts, killed at any moment: nothing acknowledged is lost, and the next run goes on."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from lookalike.store import Store
from text_helpers import WatchedTexts, write_csv

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="kills by signal, which this system has not"),
]

DRIVER = [sys.executable, str(Path(__file__).with_name("crash_texts_driver.py"))]
BATCH = 64


class Victim:
    """A store that is added to by processes that die, and files that change between them."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.path = folder / "texts.lookalike"
        self.folder = folder / "in"
        self.folder.mkdir()
        self.dice = random.Random(seed)
        self.rows: dict[str, list[str]] = {"a.csv": [], "b.csv": []}
        self.made = 0
        self.embedded = self.killed = 0

    def edit(self) -> None:
        """Put new rows somewhere, repeat some and delete some."""
        for name, rows in self.rows.items():
            at = self.dice.randint(0, len(rows))
            new = [f"a text of its own {self.made + n}" for n in range(self.dice.choice([1, 100]))]
            self.made += len(new)
            rows[at:at] = [*new, *self.dice.sample(rows, min(len(rows), 5))]
            del rows[self.dice.randint(1, len(rows)) :][:20]
            del rows[3:5]
            write_csv(self.folder / name, rows)

    def drive(self, step: int = 0, kill_after: float | None = None) -> int:
        """Run until the end, or the step or moment of death; check that what was told is there."""
        command = [*DRIVER, str(self.path), str(self.folder), str(step)]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
            if kill_after is not None:
                process.stdout.readline()
                time.sleep(kill_after)
                process.kill()
            lines = process.stdout.readlines()
        told = {}
        for line in lines:
            if line.startswith(b"{") and line.endswith(b"\n"):
                event = json.loads(line)
                self.embedded += event.get("embedded", 0)
                if "uri" in event:
                    told[event["uri"].rpartition("/")[2]] = event["outcome"]
        self.killed += process.returncode == -signal.SIGKILL
        if (self.path / "store.sqlite").exists():
            self.check(told)
        return int(lines[-1]) if not process.returncode else 0

    def check(self, told: dict[str, str]) -> None:
        """What was told is there, and all of it is sound."""
        with closing(Store(self.path)) as store:
            assert list(store.texts.damage()) == []
            ids = [row[0] for row in store.database.fetch("SELECT id FROM items")]
            assert store.items.damaged(ids) == ()
            if store.default_space() is not None:
                assert store.vectors(store.default_space()).ids().tolist() == sorted(ids)
            places = dict(store.database.fetch("SELECT uri, text FROM places JOIN texts USING (item_id)"))
        found = {uri.rpartition("/")[2]: text for uri, text in places.items()}
        for place in told:
            name, _, row = place.partition("#")
            assert found[place] == self.rows[name][int(row) - 1]

    def finish(self) -> None:
        """A run that is left alone completes the store; what was stored was not embedded again."""
        self.drive()
        watched = WatchedTexts(self.path)
        texts = {text for rows in self.rows.values() for text in rows}
        assert set(watched.items()) == texts
        assert watched.places() == {
            f"{name}#{n + 1}": text for name, rows in self.rows.items() for n, text in enumerate(rows)
        }
        report = watched.add(self.folder)
        assert (report.unchanged, report.found) == (report.found, sum(map(len, self.rows.values())))
        assert watched.embedder.embedded == []
        watched.close()
        assert self.embedded <= self.made + self.killed * 3 * BATCH


def test_killed_at_any_statement(tmp_path):
    victim = Victim(tmp_path, 1)
    victim.edit()
    victim.drive(1)
    for _ in range(25):
        victim.edit()
        victim.drive(victim.dice.choice([victim.dice.randint(2, 60), victim.dice.randint(60, 2000)]))
    assert victim.killed > 12
    victim.finish()


def test_killed_at_random_moments(tmp_path):
    victim = Victim(tmp_path, 2)
    for _ in range(25):
        victim.edit()
        victim.drive(kill_after=victim.dice.uniform(0, 0.06))
    assert victim.killed > 12
    victim.finish()
