"""Whether a collection in Milvus is served whole: asked of an engine that plays a node that comes back."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest

from lookalike.engine.milvus.served import (
    FRESH_SECONDS,
    PATIENCE_SECONDS,
    QUIET_SECONDS,
    ServedWatch,
    served_share,
)

pytest.importorskip("pymilvus")


@dataclass
class Engine:
    """What a client of Milvus answers: replicas take turns to count their rows; None stands for no leader."""

    leaders: list[int | None]
    rows: list[int]
    disk: int = 1000
    calls: list[str] = field(default_factory=list)

    def describe_replica(self, name: str, **_: Any) -> list[Any]:
        from pymilvus.exceptions import MilvusException

        self.calls.append("leaders")
        if None in self.leaders:
            raise MilvusException(901, "failed to get shard leader")
        shards = [[SimpleNamespace(channel_name="a", shard_leader=node)] for node in self.leaders]
        return [SimpleNamespace(shards=each) for each in shards]

    def query(self, name: str, **_: Any) -> list[dict[str, int]]:
        self.calls.append("count")
        return [{"count(*)": self.rows[len(self.calls) % len(self.rows)]}]

    def list_persistent_segments(self, name: str, **_: Any) -> list[Any]:
        return [SimpleNamespace(num_rows=self.disk)]


@dataclass
class Clock:
    now: float = 100.0

    def __call__(self) -> float:
        return self.now


def _watch(engine: Engine, clock: Clock, **more: Any) -> ServedWatch:
    watch = ServedWatch(engine, "photos", clock=clock, **more)
    assert watch.share() == 1.0
    return watch


def _later(watch: ServedWatch, clock: Clock, seconds: float) -> float:
    clock.now += seconds
    return watch.share()


def test_many_who_ask_ask_the_engine_once_a_second() -> None:
    engine, clock = Engine([1], [1000]), Clock()
    watch = _watch(engine, clock)
    before = len(engine.calls)
    assert [watch.share() for _ in range(50)] == [1.0] * 50
    assert len(engine.calls) == before
    assert _later(watch, clock, FRESH_SECONDS) == 1.0
    assert len(engine.calls) > before


def test_an_answer_of_a_node_that_has_just_taken_over_is_told_at_once() -> None:
    engine, clock = Engine([1], [1000]), Clock()
    watch = _watch(engine, clock)
    engine.leaders, engine.rows = [2], [0]
    clock.now += FRESH_SECONDS / 100
    assert watch.share() == 1.0, "who has no answer yet is told of it within the second"
    clock.now += FRESH_SECONDS / 100
    assert watch.share_of_answer() == 0.0
    assert watch.share() == 0.0
    engine.rows = [1000]
    clock.now += FRESH_SECONDS
    assert watch.share_of_answer() == 1.0


def test_an_answer_costs_one_look_at_who_leads() -> None:
    engine, clock = Engine([1], [1000]), Clock()
    watch = _watch(engine, clock)
    before = len(engine.calls)
    for _ in range(5):
        clock.now += FRESH_SECONDS / 100
        assert watch.share_of_answer() == 1.0
    assert engine.calls[before:] == ["leaders"] * 5
    assert watch.share_of_answer() == 1.0, "the clock stands: that answer was made before the last look"


def test_a_node_that_took_over_and_has_no_rows_is_told() -> None:
    engine, clock = Engine([1], [1000]), Clock()
    watch = _watch(engine, clock)
    engine.leaders, engine.rows = [2], [0]
    assert _later(watch, clock, 1) == 0.0
    engine.rows = [400]
    assert _later(watch, clock, 1) == pytest.approx(0.4)
    engine.rows = [1000]
    assert _later(watch, clock, 1) == 1.0


def test_one_replica_of_two_without_rows_is_told_and_waited_for() -> None:
    engine, clock = Engine([1, 2], [1000, 1000]), Clock()
    watch = _watch(engine, clock)
    engine.leaders = [1, 3]
    assert _later(watch, clock, 1) < 1.0, "it may not have been asked yet"
    engine.rows = [1000, 0]
    assert _later(watch, clock, 2) == 0.0
    engine.rows = [1000, 1000]
    assert _later(watch, clock, 1) < 1.0
    assert _later(watch, clock, QUIET_SECONDS) == 1.0


def test_a_replica_that_is_missed_takes_nothing_from_the_other() -> None:
    engine, clock = Engine([1, 2], [1000, 1000]), Clock()
    watch = _watch(engine, clock)
    engine.leaders, engine.rows = [1, None], [1000]
    assert _later(watch, clock, 1) == 1.0
    engine.rows = [200]
    assert _later(watch, clock, 1) == pytest.approx(0.2)


def test_rows_that_others_add_and_remove_are_not_missed() -> None:
    engine, clock = Engine([1], [1000]), Clock()
    watch = _watch(engine, clock)
    engine.rows = [600]
    assert _later(watch, clock, 1) == 1.0
    engine.leaders = [2]
    assert _later(watch, clock, 1) == 1.0


def test_what_was_removed_during_a_change_is_not_waited_for_for_ever() -> None:
    engine, clock = Engine([1], [1000]), Clock()
    watch = _watch(engine, clock)
    engine.leaders, engine.rows = [2], [990]
    assert _later(watch, clock, 1) == pytest.approx(0.99)
    assert _later(watch, clock, PATIENCE_SECONDS + 1) == 1.0


def test_a_known_number_of_rows_tells_at_the_first_look() -> None:
    engine = Engine([1], [700])
    assert ServedWatch(engine, "photos", lambda: 1000, Clock()).share() == pytest.approx(0.7)
    assert ServedWatch(engine, "photos", clock=Clock()).share() == 1.0, "deleted rows are on the disk, too"
    engine.rows = [300]
    assert ServedWatch(engine, "photos", clock=Clock()).share() == pytest.approx(0.3)


def test_an_empty_collection_is_served_whole() -> None:
    assert served_share(Engine([1], [0], disk=0), "photos").share == 1.0
