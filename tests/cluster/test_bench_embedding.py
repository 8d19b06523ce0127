"""The benchmark of embedding runs, on few photos: its figures mean nothing here."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.slow
@pytest.mark.timeout(400)
@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="nodes are pinned to cores")
def test_the_benchmark_runs(shared_data, tmp_path):
    environment = {
        **os.environ,
        "LOOKALIKE_DATA": str(shared_data),
        "LOOKALIKE_BENCH": str(tmp_path),
        "PYTHONPATH": str(ROOT / "src"),
    }
    words = [sys.executable, ROOT / "bench" / "embedding.py", "96", "1"]
    run = subprocess.run(words, capture_output=True, text=True, env=environment, check=True)
    told = json.loads(run.stdout.splitlines()[-1])
    assert told["photos"] == 96 and {"two_to_one", "two_to_one_cpu", "all_to_add", "all_to_add_cpu"} <= set(
        told
    )
