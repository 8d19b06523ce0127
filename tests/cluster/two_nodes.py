"""Run as a program: a Ray cluster of two nodes on this machine, for as long as standard input is open.

The first node, to which drivers attach, has the machine's own address, the second another one. It prints one
JSON line: the cluster's address, and of each node the ids of its processes, its raylet's first. With cores
as arguments, each node has just that one.
"""

import json
import os
import sys

import psutil
from ray.cluster_utils import Cluster

SECONDS = 120  # to start in, on a machine that is busy
ATTEMPTS = 3
CPUS = 2  # of a node: with one, an actor may keep all else from running


def processes(node):
    named = node.all_processes
    first = [each.process.pid for each in named.get("raylet", [])]
    return first + [each.process.pid for name in named if name != "raylet" for each in named[name]]


def pin(pids, core):
    for pid in pids:
        for each in [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]:
            each.cpu_affinity([core])


def started(count):
    """A cluster of so many nodes; Ray itself gives up after 30 s, which is little on a busy machine."""
    cluster = Cluster()
    for attempt in range(ATTEMPTS):
        try:
            while len(cluster.list_all_nodes()) < count:
                more = (
                    {"node_ip_address": "127.0.0.2"}
                    if cluster.list_all_nodes()
                    else {"include_dashboard": False}
                )
                cluster.add_node(num_cpus=CPUS, object_store_memory=100 << 20, wait=False, **more)
            cluster.wait_for_nodes(timeout=SECONDS)
            return cluster
        except Exception:
            if attempt == ATTEMPTS - 1:
                raise
            cluster.shutdown()
            cluster = Cluster()
    return cluster


def main():
    cores = [int(each) for each in sys.argv[1:]]
    cluster = started(1 if len(cores) == 1 else 2)
    nodes = cluster.list_all_nodes()
    for node, core in zip(nodes, cores, strict=False):
        pin(processes(node), core)
    print(json.dumps({"address": cluster.address, "nodes": [processes(node) for node in nodes]}), flush=True)
    sys.stdin.read()
    cluster.shutdown()


if __name__ == "__main__":
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    main()
