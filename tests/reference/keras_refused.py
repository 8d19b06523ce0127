"""Runs in the Keras environment: prints what becomes of many requests, without starting TensorFlow for each.

python keras_refused.py SRC REQUESTS.json
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

sys.path.append(sys.argv[1])

from lookalike.errors import LookalikeError
from lookalike.models.keras.network import build_network
from lookalike.models.keras.wire import ConvertRequest


def outcome(request: ConvertRequest) -> list[str]:
    """Return the error and its message, or the layer and whose preprocessing."""
    try:
        network = build_network(request)
    except LookalikeError as error:
        return [type(error).__name__, str(error)]
    return [network.layer, network.preprocess]


if __name__ == "__main__":
    requests = json.loads(Path(sys.argv[2]).read_text(encoding="utf-8"))
    print(json.dumps([outcome(ConvertRequest(**each)) for each in requests]))
