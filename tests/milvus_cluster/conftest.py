"""These tests run where they are asked for: `make cluster-test`."""

from __future__ import annotations

import os

collect_ignore_glob = [] if os.environ.get("LOOKALIKE_CLUSTER_TEST") else ["test_*.py"]
