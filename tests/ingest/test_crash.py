"""Killed at any moment: nothing acknowledged is lost, nothing half-done stays, and the next run goes on."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from helpers import CountingDecoder, numbers, rows_of
from lookalike import Collection
from lookalike.embedders.fake import FakeEmbedder
from lookalike.index.file import load_index

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="kills by signal, which this system has not"),
]

DRIVER = [sys.executable, str(Path(__file__).with_name("crash_driver.py"))]
CLI = [sys.executable, "-m", "lookalike"]
NEVER, LARGE = "0", "100000"


class Victim:
    """A collection that is added to by processes that die, and a folder that always has new photos for it."""

    def __init__(self, folder: Path, make_photo) -> None:
        self.path = folder / "photos.lookalike"
        self.photos = folder / "photos"
        self._make = make_photo
        self._made = 0
        self.acknowledged: dict[str, str] = {}

    def more(self, count: int) -> None:
        """Put new photos, a copy and a broken file into the folder, and rename an old photo."""
        last = None
        for _ in range(count):
            self._made += 1
            last = self._make(
                self.photos / f"{self._made % 7}" / f"{self._made:05}.png", self._made, (16, 12)
            )
        shutil.copy(last, self.photos / f"copy{self._made:05}.png")
        (self.photos / f"broken{self._made:05}.png").write_bytes(b"no photo")
        if (self.photos / "1" / "00001.png").exists():
            (self.photos / "1" / "00001.png").rename(self.photos / f"moved{self._made:05}.png")
            self.acknowledged.pop(str(self.photos / "1" / "00001.png"), None)

    def run(self, *command: str, kill: tuple[int, float] | None = None) -> int | None:
        """Run until the end, or kill so many seconds after so many lines; return the exit code."""
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
            lines = []
            if kill is not None:
                lines = [process.stdout.readline() for _ in range(kill[0])]
                time.sleep(kill[1])
                process.kill()
            lines += process.stdout.readlines()
        self.note(lines)
        return process.returncode

    def note(self, lines: list[bytes]) -> None:
        """Remember what was acknowledged."""
        for line in lines:
            if line.endswith(b"\n"):  # the last one may be cut
                told = json.loads(line)
                if isinstance(told, dict) and "uri" in told:
                    self.acknowledged[told["uri"]] = told["outcome"]

    def drive(
        self, step: str = NEVER, exact_up_to: str = LARGE, kill: tuple[int, float] | None = None
    ) -> int | None:
        return self.run(*DRIVER, str(self.path), str(self.photos), step, exact_up_to, kill=kill)

    def check(self, embedder: FakeEmbedder | None) -> None:
        """What was acknowledged is there, what is there was found, and all of it is sound."""
        if not (self.path / "store.sqlite").exists() and not self.acknowledged:
            return  # killed before it began
        with Collection(self.path, embedder=embedder) as collection:
            report = collection.verify() if self.acknowledged else None
            assert report is None or report.sound, report.damage
            if not self.acknowledged:
                return
            items = {uri for _, uri in rows_of(collection)}
            skipped = {each.uri for each in collection.skipped()}
        files = {str(path) for path in self.photos.rglob("*.png")}
        assert items - files == set() or all("/1/00001.png" in uri for uri in items - files)
        for uri, outcome in self.acknowledged.items():
            assert uri in (skipped if outcome == "skipped" else items), (uri, outcome)
        assert not items & skipped

    def finish(self, embedder: FakeEmbedder | None) -> None:
        """A run that is left alone completes the collection."""
        files = {str(path) for path in self.photos.rglob("*.png")}
        broken = {uri for uri in files if "broken" in uri}
        with Collection(self.path, embedder=embedder) as collection:
            assert collection.add(self.photos).found == len(files)
            assert {uri for _, uri in rows_of(collection)} == files - broken
            assert {each.uri for each in collection.skipped()} == broken
            again = collection.add(self.photos)
            assert numbers(again) == {"unchanged": len(files - broken), "skipped": len(broken)}
            assert collection.verify().sound
            assert collection.info().spaces[0].vectors == len(files - broken)


@pytest.fixture
def victim(tmp_path, make_photo) -> Victim:
    return Victim(tmp_path, make_photo)


def test_killed_before_each_kind_of_step(victim):
    """Every step of the first run, then steps spread over the runs that go on."""
    dice = random.Random(1)
    victim.more(40)
    for step in [*range(1, 24, 2), *sorted(dice.sample(range(24, 400), 12))]:
        if not victim.path.exists() or step > 24:
            victim.more(10)
        code = victim.drive(str(step))
        assert code in (0, -signal.SIGKILL)
        victim.check(FakeEmbedder())
    victim.finish(FakeEmbedder())


def test_killed_at_random_moments(victim):
    dice = random.Random(2)
    victim.more(100)
    victim.drive()
    killed = runs = 0
    while killed < 100:
        runs += 1
        assert runs < 200, "most runs ended before their moment had come"
        victim.more(25)
        lines = dice.choice([0, 1, dice.randrange(27)])
        pause = dice.uniform(0, 0.01 if lines else 0.4)
        killed += victim.drive(kill=(lines, pause)) == -signal.SIGKILL
        victim.check(FakeEmbedder())
    victim.finish(FakeEmbedder())


def test_the_real_command_line_killed_at_random_moments(victim):
    dice = random.Random(3)
    victim.more(120)
    arguments = ("add", "--json", "-c", str(victim.path), str(victim.photos))
    killed = 0
    for n in range(20):
        victim.more(20)
        kill = (0, dice.uniform(0.3, 1.2)) if n % 2 else (dice.randrange(1, 40), dice.uniform(0, 0.05))
        killed += victim.run(*CLI, *arguments, kill=kill) == -signal.SIGKILL
        victim.check(None)
        if n == 7:
            assert victim.run(*CLI, *arguments) == 0
    assert killed >= 6  # some end before their moment has come
    victim.finish(None)


def test_killed_while_saving_an_index_leaves_the_old_or_the_new_one(victim, monkeypatch):
    """Both an index file and its folder: made, written, synced, renamed."""
    monkeypatch.setattr("lookalike.indexing.live.EXACT_UP_TO", 50)
    victim.more(330)
    assert victim.drive(exact_up_to="50") == 0
    (file,) = (victim.path / "index").glob("*.ivf")
    seen = set()
    for back in range(5, 0, -1):  # the last steps of a run: open, fsync, replace, fsync of the folder
        shutil.copytree(victim.path, victim.path.with_name("before"))
        victim.more(210)  # enough to be worth saving
        steps = int(_last_line(victim, "50"))
        shutil.rmtree(victim.path)
        victim.path.with_name("before").rename(victim.path)
        old = load_index(file)[1].seq
        assert victim.drive(str(steps - back + 1), "50") == -signal.SIGKILL
        seen.add("old" if load_index(file)[1].seq == old else "new")
        victim.check(FakeEmbedder())
        for leftover in file.parent.glob("*.new"):
            os.utime(leftover, (0, 0))  # a young one could be of a process that is writing it
        with Collection(victim.path, embedder=FakeEmbedder(), decoder=CountingDecoder()) as collection:
            collection.add(victim.photos)
            assert list(file.parent.iterdir()) == [file]  # no leftover of the killed process
            ids = [item_id for item_id, _ in rows_of(collection)]
            for result in collection.search_many(ids[:20], 3):
                assert len(result) == 3
    assert seen == {"old", "new"}


def _last_line(victim: Victim, exact_up_to: str) -> bytes:
    command = [*DRIVER, str(victim.path), str(victim.photos), NEVER, exact_up_to]
    return subprocess.run(command, check=True, capture_output=True).stdout.split(b"\n")[-2]


def test_two_killed_at_the_same_moment(victim):
    victim.more(60)
    command = [*DRIVER, str(victim.path), str(victim.photos), NEVER, LARGE]
    for wait in (0.5, 0.6, 0.7):
        victim.more(40)
        both = [subprocess.Popen(command, stdout=subprocess.PIPE) for _ in range(2)]
        time.sleep(wait)
        for process in both:
            os.kill(process.pid, signal.SIGKILL)
        for process in both:
            victim.note(process.communicate()[0].splitlines(keepends=True))
        victim.check(FakeEmbedder())
    victim.finish(FakeEmbedder())
