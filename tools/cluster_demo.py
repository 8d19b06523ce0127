"""The whole way past one machine, on this one: two nodes of Ray, a real Milvus server, and the page.

`make cluster-demo` runs it; PHOTOS=DIR takes photos of one's own, SERVE=no ends before the page is opened.
Ctrl-C ends everything that it has started; what it wrote is in demo/cluster.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

from lookalike.datasets.demo import demo_photos
from lookalike.errors import LookalikeError
from lookalike.sources.kinds import PHOTO_SUFFIXES
from milvus_server import MilvusMissingError, MilvusServer, MilvusStartError

_FOLDER = Path("demo") / "cluster"
_STORE_BYTES = 100 << 20
_START_SECONDS = 120.0
_CPUS_PER_NODE = 2  # with one, the actors that embed leave nothing to the tasks that read


def main() -> int:
    """Run the demo; a failure is one line."""
    options = argparse.ArgumentParser(description="lookalike on a cluster, on this machine")
    options.add_argument("--photos", type=Path, help="a folder of photos; demo photos are fetched without it")
    options.add_argument("--count", type=int, default=300, help="how many demo photos (300)")
    options.add_argument("--no-serve", action="store_true", help="end before the page is opened")
    given = options.parse_args()
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        _run(given.photos, given.count, serve=not given.no_serve)
    except KeyboardInterrupt:
        print("\nended", file=sys.stderr)
        return 130
    except (LookalikeError, MilvusMissingError, MilvusStartError) as error:
        print(error, file=sys.stderr)
        return 1
    except subprocess.CalledProcessError as error:  # it has said why
        return error.returncode
    return 0


def _run(photos: Path | None, count: int, *, serve: bool) -> None:
    if photos is None:
        photos = demo_photos(_FOLDER.parent / "photos", count=count, say=print).path
    out = _FOLDER / "embedded"
    with _ray() as address:
        _lookalike("embed", photos, "--to", out, "--ray", address)
    shutil.rmtree(_FOLDER / "milvus", ignore_errors=True)
    print("starting a Milvus server", flush=True)
    with MilvusServer(_FOLDER / "milvus") as server:
        collection = f"milvus://{server.address}/demo"
        _lookalike("import", out, "-c", collection)
        _lookalike("info", "-c", collection)
        _lookalike("search", _first_photo(photos), "-c", collection, "-k", "5")
        if serve:
            _lookalike("serve", "-c", collection)


@contextlib.contextmanager
def _ray() -> Iterator[str]:
    """Two nodes, as two machines would be; yields HOST:PORT."""
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    os.environ["RAY_raylet_start_wait_time_s"] = str(int(_START_SECONDS))  # noqa: SIM112  # so Ray spells it
    from ray.cluster_utils import Cluster  # takes a second

    print("starting a Ray cluster of two nodes", flush=True)
    node = {"num_cpus": _CPUS_PER_NODE, "object_store_memory": _STORE_BYTES}
    with contextlib.ExitStack() as started:
        try:
            cluster = Cluster(initialize_head=True, head_node_args={**node, "include_dashboard": False})
            started.callback(cluster.shutdown)
            cluster.add_node(**node, node_ip_address="127.0.0.2", wait=False)
            cluster.wait_for_nodes(timeout=_START_SECONDS)
            # who connects first waits for what Ray only then starts
            first = [sys.executable, "-c", "import ray, sys; ray.init(address=sys.argv[1])", cluster.address]
            subprocess.run(first, check=True, capture_output=True, timeout=_START_SECONDS)
        except Exception as error:  # Ray raises no kind of its own
            raise LookalikeError(f"the Ray cluster did not start; is the machine busy? {error}") from error
        yield cluster.address


def _first_photo(folder: Path) -> Path:
    photos = sorted(file for file in folder.rglob("*") if file.suffix.lower() in PHOTO_SUFFIXES)
    if not photos:
        raise LookalikeError(f"no photo in {folder}")
    return photos[0]


def _lookalike(*arguments: object) -> None:
    said = [str(argument) for argument in arguments]
    print("\n$ lookalike " + " ".join(said), flush=True)
    subprocess.run([sys.executable, "-m", "lookalike", *said], check=True)


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
