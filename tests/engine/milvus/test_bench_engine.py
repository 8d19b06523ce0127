"""The benchmarks of a collection in Milvus run, on few rows: their times mean nothing here."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

pytest_plugins = ["milvus_fixture"]
pytestmark = pytest.mark.slow

sys.path.insert(0, str(Path(__file__).parents[3] / "bench"))


def test_the_benchmark_runs_and_finds_what_is_there(milvus_server, tmp_path, monkeypatch):
    import engine
    import report

    rows = np.random.default_rng(1).standard_normal((400, 1280)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    monkeypatch.setattr(engine, "real_vectors", lambda: ([], rows))
    monkeypatch.setattr(engine, "IMPORTED", 300)
    monkeypatch.setattr(engine, "ROUNDS", 1)
    monkeypatch.setattr(engine, "QUERIES", 6)
    found = engine.measure(400, milvus_server.address, tmp_path)
    assert (found["added"], found["all_recall"], found["one_percent_recall"]) == (400, 1.0, 1.0)
    page = report.render({"engine": found | {"machine": "this one"}})
    assert "recall@10" in page and f"re-ranked, median | {found['reranked_ms']:.1f} ms" in page


def test_answers_agree(milvus_server, tmp_path, shared_data, monkeypatch):
    import report
    import same_answers

    monkeypatch.setattr(same_answers, "DATA", shared_data)
    found = same_answers.measure(16, milvus_server.address, tmp_path)
    assert (found["queries"], found["different"]) == (16, [])
    assert "16 queries" in report.render({"answers": found | {"machine": "this one"}})
