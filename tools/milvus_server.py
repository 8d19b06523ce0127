"""A real standalone Milvus server from the wheel `milvus`: for tests, the demo and measurements.

The wheel (Linux on x86-64 only) has the server's binary. It is run itself: the wrapper in the wheel takes
a port for busy as long as a connection of the last run is in TIME_WAIT.

Milvus has no setting for the address that its ports listen on: but for etcd's, it is that of all interfaces.
"""

from __future__ import annotations

import base64
import json
import os
import signal
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kept_process import Hold, KeptProcess
from milvus_binary import (
    MilvusMissingError,
    MilvusStartError,
    Settings,
    binaries,
    merged,
    reserve_ports,
    why_it_ended,
)

__all__ = ["MilvusMissingError", "MilvusServer", "MilvusStartError", "answers", "binaries"]

_START_S = 60.0  # a quiet machine needs 3 s
_STOP_S = 3.0
_CALL_S = 2.0
_PORTS = (
    "etcd",
    "etcd_peer",
    "metrics",
    "proxy",
    "proxy_internal",
    "root_coord",
    "query_coord",
    "data_coord",
    "query_node",
    "data_node",
    "index_node",
)
GLOG = "--logtostderr=true\n--minloglevel=2\n"


class MilvusServer:
    """One standalone server with all its data in one folder.

    `settings` are laid over those of `milvus.yaml`, such as {"log": {"level": "debug"}}. A folder that had a
    server before gives the same data on the same ports. The server ends with the last process that holds it
    (`start`, `join`), and `temporary` removes the folder then.
    """

    def __init__(self, data_dir: Path, settings: Settings | None = None, *, temporary: bool = False) -> None:
        self.data_dir = data_dir.absolute()
        self.log = self.data_dir / "server.log"
        self._temporary = temporary
        self._settings = dict(settings or {})
        lock = self.data_dir / "users.lock"
        self._hold = Hold(lock)
        self._reserved: int | None = None
        self._process = KeptProcess([], self.data_dir, self.log, lock)

    @property
    def port(self) -> int:
        """Where it answers, the same after every restart."""
        return self._ports()["proxy"]

    @property
    def address(self) -> str:
        """HOST:PORT."""
        return f"127.0.0.1:{self.port}"

    @property
    def uri(self) -> str:
        """As pymilvus takes it."""
        return f"http://{self.address}"

    @property
    def pid(self) -> int:
        """Process id of the server and of its process group; 0 where this object did not start it."""
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether the process that this object has started is there."""
        return self._process.running

    def __enter__(self) -> MilvusServer:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Start, and return when it answers. Raises MilvusMissingError, MilvusStartError."""
        folder = binaries()
        self.data_dir.mkdir(parents=True, exist_ok=True)
        self._hold.take()
        self._launch(folder)
        end = time.monotonic() + _START_S
        while time.monotonic() < end and self.running:
            if self.answers():
                (self.data_dir / "ready").touch()
                return
            time.sleep(0.1)
        was = f"did not answer within {_START_S:.0f} s of its start" if self.running else "ended at its start"
        self.stop()
        raise MilvusStartError(f"Milvus {was}; {self.log} says:\n{why_it_ended(self._process.said())}")

    def join(self) -> bool:
        """Hold the server that another process has started, to outlive that one; False where none answers."""
        self._hold.take()
        if (self.data_dir / "ready").exists() and self.answers():
            return True
        self._hold.release()
        return False

    def leave(self) -> None:
        """Let go of it: it ends when nobody else holds it."""
        self._process.leave()
        self._let_go()

    def kill(self) -> None:
        """Kill -9, and return when it is gone."""
        self._process.kill()

    def stop(self) -> None:
        """End it as an operator would, kill it where that takes long; one who only joined lets go."""
        self._process.stop(_STOP_S)
        self._let_go()

    def restart(self) -> None:
        """Start again on the same ports and data, after `kill` or `stop` or as it is."""
        self._process.stop(_STOP_S)
        self.start()

    def pause(self) -> None:
        """Let it hang: connections stay, nothing answers. After 10 s it ends itself as soon as it goes on."""
        self._process.signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Go on after `pause`."""
        self._process.signal(signal.SIGCONT)

    def answers(self) -> bool:
        """Whether all its parts say within 2 s that they are well."""
        return answers(self.address)

    def _let_go(self) -> None:
        self._hold.release()
        if self._reserved is not None:
            os.close(self._reserved)
            self._reserved = None

    def _launch(self, folder: Path) -> None:
        self._write_settings()
        environment = {
            "DEPLOY_MODE": "STANDALONE",
            "METRICS_PORT": str(self._ports()["metrics"]),
            "MILVUS_RUN_DIR": str(self.data_dir / "run"),
            "LD_LIBRARY_PATH": str(folder),
        }
        self._process.command = [str(folder / "milvus"), "run", "standalone"]
        self._process.start(environment, remove=self._temporary)

    def _ports(self) -> dict[str, int]:
        """Those of the folder, chosen at the first use."""
        file = self.data_dir / "ports.json"
        if not file.exists():
            file.parent.mkdir(parents=True, exist_ok=True)
            ports, self._reserved = reserve_ports(len(_PORTS))
            file.write_text(json.dumps(dict(zip(_PORTS, ports, strict=True))))
        return {name: int(port) for name, port in json.loads(file.read_text()).items()}

    def _write_settings(self) -> None:
        configs = self.data_dir / "configs"
        configs.mkdir(exist_ok=True)
        ports = self._ports()
        # JSON is YAML, too
        (configs / "etcd.yaml").write_text(json.dumps(etcd_settings(self.data_dir, ports)))
        settings = merged(_milvus_settings(self.data_dir, ports), self._settings)
        (configs / "milvus.yaml").write_text(json.dumps(settings, indent=1))
        (configs / "glog.conf").write_text(GLOG)


def answers(address: str) -> bool:
    """Whether a Milvus at HOST:PORT says within 2 s that all its parts are well."""
    import grpc  # comes with pymilvus; heavy
    from pymilvus.grpc_gen import milvus_pb2, milvus_pb2_grpc

    root = base64.b64encode(b"root:Milvus").decode()  # used where authorization is on
    with grpc.insecure_channel(address) as channel:
        stub = milvus_pb2_grpc.MilvusServiceStub(channel)
        metadata = [("authorization", root)]
        try:
            health = stub.CheckHealth(milvus_pb2.CheckHealthRequest(), timeout=_CALL_S, metadata=metadata)
        except grpc.RpcError:
            return False
    return bool(health.isHealthy)


def etcd_settings(folder: Path, ports: Mapping[str, int]) -> dict[str, Any]:
    client, peer = f"http://127.0.0.1:{ports['etcd']}", f"http://127.0.0.1:{ports['etcd_peer']}"
    return {
        "name": "default",
        "data-dir": str(folder / "etcd"),
        "listen-client-urls": client,
        "advertise-client-urls": client,
        "listen-peer-urls": peer,
        "initial-advertise-peer-urls": peer,
        "initial-cluster": f"default={peer}",
    }


def _milvus_settings(folder: Path, ports: Mapping[str, int]) -> dict[str, Any]:
    def part(name: str) -> dict[str, Any]:
        return {"ip": "127.0.0.1", "port": ports[name]}

    return {
        "etcd": {
            "endpoints": f"127.0.0.1:{ports['etcd']}",
            "rootPath": "lookalike",
            "metaSubPath": "meta",
            "kvSubPath": "kv",
            "log": {"level": "warn", "path": str(folder / "etcd.log")},
            "use": {"embed": True},
            "config": {"path": str(folder / "configs" / "etcd.yaml")},
            "data": {"dir": str(folder / "etcd")},
        },
        "localStorage": {"path": str(folder / "data")},
        "mq": {"type": "rocksmq"},
        "rocksmq": {"path": str(folder / "rocksmq"), "lrucacheratio": 0.01},
        # What a killed server registered is waited for, 30 s by default; one that hangs longer ends itself.
        "common": {"storageType": "local", "session": {"ttl": 10, "retryTimes": 30}},
        "proxy": {**part("proxy"), "internalPort": ports["proxy_internal"], "http": {"enabled": False}},
        "rootCoord": part("root_coord"),
        "queryCoord": part("query_coord"),
        "dataCoord": part("data_coord"),
        "queryNode": part("query_node"),
        "dataNode": part("data_node"),
        "indexNode": part("index_node"),
        "log": {"level": "warn", "stdout": True, "file": {"rootPath": ""}},
    }
