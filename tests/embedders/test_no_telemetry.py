import os
import subprocess
import sys

SEARCH = """
import numpy as np
from lookalike.embedders.load import load_embedder
embedder = load_embedder("efficientnet-lite0")
embedder.embed(np.zeros((1, 224, 224, 3), np.uint8))
"""


def test_running_a_model_leaves_nothing_in_the_home_folder(tmp_path):
    """The runtime's own telemetry would put a device id and a queue of events there."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("ORT_", "XDG_"))}
    environment = {**kept, "HOME": str(tmp_path), "PYTHONDONTWRITEBYTECODE": "1"}
    subprocess.run([sys.executable, "-c", SEARCH], env=environment, check=True, timeout=120)
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]
