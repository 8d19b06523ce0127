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

CPUS = 2  # of a node: with one, an actor may keep all else from running


def processes(node):
    named = node.all_processes
    first = [each.process.pid for each in named.get("raylet", [])]
    return first + [each.process.pid for name in named if name != "raylet" for each in named[name]]


def pin(pids, core):
    for pid in pids:
        for each in [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]:
            each.cpu_affinity([core])


def main():
    cores = [int(each) for each in sys.argv[1:]]
    cluster = Cluster(
        initialize_head=True,
        head_node_args={
            "num_cpus": CPUS,
            "include_dashboard": False,
            "object_store_memory": 100 << 20,
        },
    )
    nodes = [cluster.head_node]
    if len(cores) != 1:
        nodes.append(
            cluster.add_node(
                num_cpus=CPUS, node_ip_address="127.0.0.2", object_store_memory=100 << 20, wait=True
            )
        )
    for node, core in zip(nodes, cores, strict=False):
        pin(processes(node), core)
    print(json.dumps({"address": cluster.address, "nodes": [processes(node) for node in nodes]}), flush=True)
    sys.stdin.read()
    cluster.shutdown()


if __name__ == "__main__":
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    main()
