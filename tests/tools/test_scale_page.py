"""The tables of docs/scale.md are those of the figures that were measured, and reckoned as they say."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def table(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(ROOT / "bench"))
    import scale_table

    return scale_table


def test_the_page_has_the_tables_of_its_figures(table: Any) -> None:
    page = (ROOT / "docs" / "scale.md").read_text(encoding="utf-8")
    figures = json.loads((ROOT / "docs" / "scale.json").read_text(encoding="utf-8"))
    assert f"<!-- table: bench/scale.py -->\n{table.render(figures)}<!-- end of the table -->" in page


def _figures() -> dict[str, Any]:
    one = {"memory_bytes": 6e7, "index_bytes": 5e7, "build_cpu_seconds": 36.0, "recall": 1.0}
    one |= {"p50_seconds": 0.004, "query_cpu_seconds": 0.002}
    kinds = ("HNSW", "IVF_FLAT", "IVF_SQ8")
    small = {"log_bytes": 6e6, "segments": 1, **dict.fromkeys(kinds, one)}
    dearer = {**one, "query_cpu_seconds": 0.004, "memory_bytes": 1.2e8}
    large = {"log_bytes": 6e7, "segments": 1, **dict.fromkeys(kinds, dearer)}
    milvus = {
        "rows": [1000, 10_000],
        "dim": 1280,
        "metadata_bytes": 400,
        "sizes": {"1000": small, "10000": large},
    }
    return {"machine": "a machine", "embed": {"photos": 1024, "per_core_second": 100.0}, "milvus": milvus}


def test_what_is_reckoned_follows_from_the_figures(table: Any) -> None:
    page = table.render(_figures())
    rows = [
        [cell.strip() for cell in line.split("|")[1:-1]] for line in page.splitlines() if "million" in line
    ]
    assert rows[0] == ["1 million", "2.8", "0.04", "6,400 photos/s"]
    million = rows[4]
    assert million[:5] == ["1 million", "7 GB", "11 GB", "1.0", "1"]
    assert float(million[5]) == pytest.approx(4 + 2 / 3.3219 * 6.644, abs=0.1), "by the logarithm of the rows"
    assert re.fullmatch(r"[\d,.]+", million[6])
