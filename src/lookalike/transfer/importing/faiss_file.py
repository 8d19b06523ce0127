"""A Faiss index seen from outside the process that reads it: vectors out, or one line that says why not."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any, cast

import numpy as np
import numpy.typing as npt

from lookalike.errors import DamagedError, UsageError
from lookalike.transfer.importing.arrays import check_dim, check_file, sha256_of

_START = (
    "import sys; sys.path[:] = sys.argv[3:]; "
    "from lookalike.transfer.importing.faiss_child import main; main()"
)
_SECONDS = 120.0  # without a sign of life, and as long again for every GiB that is read at once
_MEMORY = 2 << 30  # bytes, and three times the file's
_LONGEST_LINE = 10_000


class FaissFile:
    """The vectors of a Faiss index, by their row numbers; lossy ones are `approximate`.

    Where its ids are others than row numbers, `ids()` returns those of the rows, int64. Raises
    `NotFoundError`, `UsageError` for an index whose vectors cannot be had back, and `DamagedError`.
    """

    def __init__(self, path: Path, ids: Callable[[], npt.NDArray[np.int64]] | None = None) -> None:
        check_file(path)
        self.path = path
        size = path.stat().st_size
        self._ids = ids
        self._decoding = ""  # the kind of index that Faiss decodes
        self._kept = b""  # read, but not yet yielded
        self._seconds = _SECONDS * (1 + size / (1 << 30))
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-c", _START, str(path), str(_MEMORY + 3 * size), *filter(None, sys.path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,  # it complains in its own words
            start_new_session=True,  # Ctrl-C is this process' to handle
            creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),  # the same on Windows
            env={**os.environ, "OMP_NUM_THREADS": "1"},  # threads take address space
        )
        try:
            facts = self._facts()
            self.rows, self.dim = int(facts["rows"]), int(facts["dim"])
            self.approximate = not facts["exact"]
            check_dim(path, self.dim)
        except BaseException:
            self.close()
            raise

    def identity(self) -> str:
        """See `VectorFile`."""
        return sha256_of(self.path)

    def head(self, size: int) -> npt.NDArray[Any]:
        """See `VectorFile`."""
        content = self._read(min(size, self.rows))
        self._kept = content + self._kept
        return np.frombuffer(content, "<f4").reshape(-1, self.dim)

    def blocks(self, size: int) -> Iterator[npt.NDArray[Any]]:
        """See `VectorFile`."""
        for first in range(0, self.rows, size):
            content = self._read(min(size, self.rows - first))
            yield np.frombuffer(content, "<f4").reshape(-1, self.dim)

    def _read(self, rows: int) -> bytes:
        """Return the bytes of the next vectors."""
        wanted = rows * self.dim * 4
        content, self._kept = self._kept[:wanted], self._kept[wanted:]
        with self._watched():
            content += self._output.read(wanted - len(content))
        if len(content) < wanted:
            raise self._died()
        return content

    def close(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.wait()
        self._output.close()
        with suppress(OSError):
            cast(IO[bytes], self._process.stdin).close()

    @property
    def _output(self) -> IO[bytes]:
        return cast(IO[bytes], self._process.stdout)

    def _facts(self) -> dict[str, Any]:
        """Return what the index is, once all of it was decoded."""
        while True:
            with self._watched():
                line = self._output.readline(_LONGEST_LINE)
            try:
                facts = json.loads(line)
            except ValueError:
                raise self._died() from None
            if "problem" in facts:
                raise UsageError(f"{self.path} cannot be imported: {facts['problem']}")
            self._decoding = str(facts.get("decoding", self._decoding))
            if "ids" in facts:
                self._tell_ids(facts["ids"])
            if "rows" in facts:
                return cast(dict[str, Any], facts)

    def _tell_ids(self, some: list[int]) -> None:
        """Tell the process which ids the rows have."""
        if self._ids is None:
            shown = ", ".join(str(each) for each in some)
            raise UsageError(
                f"{self.path} cannot be imported: its ids ({shown} …) are not the row numbers of a list; "
                f"name the "
                "table that has them: --names TABLE --id-column NAME"
            )
        ids = self._ids()
        with suppress(BrokenPipeError), self._watched():  # what ended it, reading its answer says
            stream = cast(IO[bytes], self._process.stdin)
            stream.write(len(ids).to_bytes(8, "little") + ids.astype("<i8").tobytes())
            stream.flush()

    @contextmanager
    def _watched(self) -> Iterator[None]:
        """End the process when it takes too long."""
        timer = threading.Timer(self._seconds, self._process.kill)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()

    def _died(self) -> DamagedError:
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(5)
        code = self._process.poll()
        how = f"with status {code}"
        if code is not None and code < 0:
            with suppress(ValueError):
                how = f"by {signal.Signals(-code).name}"
        if self._decoding and code is not None and code < 0:
            return DamagedError(
                f"{self.path} is damaged, or an index whose vectors Faiss cannot give back "
                f"({self._decoding}): the "
                f"process decoding it was ended {how}"
            )
        return DamagedError(
            f"{self.path} is damaged, or no Faiss index that this Faiss reads: the process reading it was "
            f"ended {how}"
        )
