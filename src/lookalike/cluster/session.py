"""A connection to a Ray cluster: the one at an address, or one of this machine's own while it is needed."""

from __future__ import annotations

import logging
import os
import socket
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from lookalike.cores import cpu_count
from lookalike.errors import FetchError, LookalikeError, MissingExtraError, ModelError, UsageError

_REACH_SECONDS = 5.0
_STORE_BYTES = 128 << 20  # of shared memory: only lists of files go through it
_MOST_RETRIES = 8
"""How often one unit is tried again after its actor has died."""

_MOST_DEAD_AT_START = 5
_LOGGERS = ("ray", "ray.data", "ray.serve", "ray.tune", "ray.train")


@dataclass(frozen=True, slots=True)
class Pool:
    """How many actors there are to be, with how many cores and GPUs each."""

    actors: int
    cores: int
    gpus: int = 0


class RaySession:
    """An open connection to a cluster."""

    def __init__(self, ray: Any) -> None:
        self._ray = ray

    def pool(self, device: str) -> Pool:
        """Return the actors that fill the cluster: one for each core, or for each GPU with "cuda".

        With "auto" that is where it has any.

        Raises `ModelError` where there is no GPU.
        """
        found = self._ray.cluster_resources()
        cores, gpus = int(found.get("CPU", 0)), int(found.get("GPU", 0))
        if device == "cuda" and not gpus:
            raise ModelError("device cuda: the cluster has no GPU")
        if device != "cpu" and gpus:
            return Pool(gpus, max(1, cores // gpus), 1)
        return Pool(max(1, cores), 1)

    def map(
        self, worker: type, job: Any, rows: Sequence[dict[str, str]], pool: Pool
    ) -> Iterator[dict[str, Any]]:
        """Yield what actors of a class, made of `job`, return for rows, as they come.

        What is lost with an actor or a machine is done again. Raises `LookalikeError` where that goes on.
        """
        from ray.data import ActorPoolStrategy, DataContext, from_items  # slow to import

        _quiet(DataContext.get_current())
        data = from_items(list(rows), override_num_blocks=len(rows)).map_batches(
            worker,
            batch_size=1,
            compute=ActorPoolStrategy(size=min(pool.actors, len(rows)), max_tasks_in_flight_per_actor=2),
            fn_constructor_args=(job,),
            num_cpus=pool.cores,
            num_gpus=pool.gpus or None,
            ray_remote_args_fn=_lives,
        )
        with _said(self._ray):
            yield from data.iter_rows()


def _lives() -> dict[str, int]:
    return {"max_restarts": -1, "max_task_retries": _MOST_RETRIES}


def _quiet(context: Any) -> None:
    """Let Ray Data show no bars of its own, and bear with machines that are lost while actors start."""
    context.enable_progress_bars = False
    context.print_on_execution_start = False
    context.max_consecutive_actor_init_deaths = _MOST_DEAD_AT_START
    for name in _LOGGERS:
        logging.getLogger(name).setLevel(logging.CRITICAL)


@contextmanager
def ray_session(address: str | None) -> Iterator[RaySession]:
    """Connect to the cluster at `address`, HOST:PORT; None starts one on this machine and ends it.

    Raises `MissingExtraError`, `UsageError` and `FetchError` where there is none, within seconds.
    """
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"  # before it is imported: nothing is reported to anyone
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")  # what it remarks on is not the user's to mend
    try:
        import ray  # an optional package
    except ImportError:
        raise MissingExtraError("embedding on a cluster", "cluster") from None
    if address is not None:
        _check_reach(address)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            _connect(ray, address)
        except LookalikeError:
            raise
        except Exception as error:  # Ray raises what the libraries beneath it raise
            where = "no Ray cluster could be started" if address is None else f"no Ray cluster at {address}"
            raise FetchError(f"{where}: {first_line(error)}") from error
        try:
            yield RaySession(ray)
        finally:
            ray.shutdown()


def _connect(ray: Any, address: str | None) -> None:
    """Attach to a cluster, or start one with this machine's cores and a small object store."""
    common: dict[str, Any] = {
        "log_to_driver": False,
        "logging_level": logging.CRITICAL,
        "configure_logging": True,
    }
    if address is not None:
        ray.init(address=address, **common)
        return
    ray.init(
        address="local",
        num_cpus=cpu_count(),
        object_store_memory=_STORE_BYTES,
        include_dashboard=False,
        **common,
    )


def _check_reach(address: str) -> None:
    """Raise unless something listens at `HOST:PORT`, or ray://HOST:PORT."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not host or not port.isdigit() or not 0 < int(port) < 1 << 16:
        raise UsageError(f"--ray takes HOST:PORT, as ray start --head prints it, not {address}")
    try:
        with socket.create_connection((host.strip("[]"), int(port)), _REACH_SECONDS):
            pass
    except OSError as error:
        reason = error.strerror or str(error) or type(error).__name__
        raise FetchError(f"no Ray cluster at {address}: {reason}") from error


@contextmanager
def _said(ray: Any) -> Iterator[None]:
    """Say in one line what ends a job."""
    try:
        yield
    except ray.exceptions.RayActorError as error:
        raise LookalikeError(
            "workers of the cluster die again and again, and the rest cannot be embedded; what is done is "
            f"kept. Most likely memory runs out: {first_line(error)}"
        ) from error
    except ray.exceptions.RayError as error:
        cause = getattr(error, "cause", None) or error
        raise LookalikeError(f"the cluster could not go on: {first_line(cause)}") from error


def first_line(error: BaseException) -> str:
    """Return the first line that an error says, or its type's name."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0][:300] if lines else type(error).__name__
