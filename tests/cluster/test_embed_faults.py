"""Whatever is killed while a cluster embeds, every photo is there exactly once in the end: ten kills."""

from __future__ import annotations

import random
import time

import pytest
from helpers_cluster import embed, ended, how_often, kill, shards, started, wait_for

pytestmark = [pytest.mark.slow, pytest.mark.timeout(500)]

PHOTOS = 480


def uris(folder):
    return {str(path): 1 for path in folder.iterdir()}


def test_the_driver_is_killed_at_any_moment(two_nodes, real_photos, tmp_path):
    photos, out = real_photos(PHOTOS), tmp_path / "out"
    seed = random.randrange(10**6)
    print("seed", seed)
    moments = random.Random(seed)
    for _ in range(5):
        process = started("embed", photos, "--to", out, "--ray", two_nodes.address)
        there, more = len(shards(out)), moments.randrange(4)
        wait_for(lambda: process.poll() is not None or len(shards(out)) >= there + more)  # noqa: B023
        time.sleep(moments.random() * (0.3 if more else 6))
        kill(process)
    report = embed(photos, out, "--ray", two_nodes.address)
    assert report["found"] == PHOTOS == report["embedded"] + report["unchanged"]
    assert how_often(out) == uris(photos)
    assert embed(photos, out, "--ray", two_nodes.address)["unchanged"] == PHOTOS
    assert not list(out.rglob(".new-*"))


def test_workers_are_killed(two_nodes, real_photos, tmp_path):
    photos, out = real_photos(PHOTOS), tmp_path / "out"
    process = started("embed", photos, "--to", out, "--ray", two_nodes.address, "--json")
    for more in (1, 4):
        wait_for(lambda: len(shards(out)) >= more)  # noqa: B023
        for worker in two_nodes.workers()[:2]:
            worker.kill()
    ended(process)
    assert how_often(out) == uris(photos)


def test_a_node_is_killed(two_nodes, real_photos, tmp_path):
    photos, out = real_photos(PHOTOS), tmp_path / "out"
    process = started("embed", photos, "--to", out, "--ray", two_nodes.address, "--json")
    wait_for(lambda: len(shards(out)) >= 2)
    two_nodes.kill_node(1)
    ended(process)
    assert how_often(out) == uris(photos)
