"""A real JupyterLab for tests: its own folders, no questions, no network."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
import urllib.request
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.error import URLError

import nbformat

_SECONDS = 60  # to start, on a machine that is busy with other tests
_TOKEN = "only-for-this-test"
_SETTINGS = {
    "notification": {"fetchNews": "false", "checkForUpdates": False, "doNotDisturbMode": True},
    "themes": {"theme": "JupyterLab Light"},
}


class LabServer:
    """Serves the notebooks in `folder` for as long as the `with` block lasts."""

    def __init__(self, folder: Path, *, dark: bool = False) -> None:
        self.folder = folder / "work"
        self._own = folder / "jupyter"
        self._log = folder / "lab.log"
        self._theme = "JupyterLab Dark" if dark else "JupyterLab Light"
        self._address = ""

    def write(self, name: str, *cells: str) -> str:
        """Write a notebook of code cells; returns the address that opens it alone."""
        book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
        book.metadata["kernelspec"] = {"display_name": "Python 3", "language": "python", "name": "python3"}
        nbformat.write(book, self.folder / name)
        return f"{self._address}lab/workspaces/auto-{Path(name).stem}/tree/{name}?token={_TOKEN}"

    def __enter__(self) -> Self:
        self.folder.mkdir(parents=True)
        self._write_settings()
        command = [
            *(sys.executable, "-m", "jupyterlab", "--no-browser", "--ip=127.0.0.1", "--port=0"),
            *(f"--IdentityProvider.token={_TOKEN}", f"--ServerApp.root_dir={self.folder}"),
            *("--LabApp.news_url=None", "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate"),
            *("--ServerApp.allow_root=True", "--LabApp.extension_manager=readonly"),
        ]
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(command, env=self._environment(), stdout=log, stderr=log)
        try:
            self._wait()
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()

    def _environment(self) -> dict[str, str]:
        """The environment of this process, but with folders of its own for all that Jupyter keeps."""
        own = {"JUPYTER_CONFIG_DIR": "config", "JUPYTER_DATA_DIR": "data", "JUPYTER_RUNTIME_DIR": "runtime"}
        own |= {"JUPYTERLAB_SETTINGS_DIR": "settings", "JUPYTERLAB_WORKSPACES_DIR": "workspaces"}
        own |= {"IPYTHONDIR": "ipython", "JUPYTER_NO_CONFIG": ""}
        return os.environ | {name: str(self._own / folder) if folder else "1" for name, folder in own.items()}

    def _write_settings(self) -> None:
        folder = self._own / "settings" / "@jupyterlab" / "apputils-extension"
        folder.mkdir(parents=True)
        for name, settings in (_SETTINGS | {"themes": {"theme": self._theme}}).items():
            (folder / f"{name}.jupyterlab-settings").write_text(json.dumps(settings), encoding="utf-8")

    def _wait(self) -> None:
        """Wait until it answers, and learn its address from its log."""
        end = time.monotonic() + _SECONDS
        while time.monotonic() < end and self._process.poll() is None:
            said = re.search(r"(http://127\.0\.0\.1:\d+/)lab", self._log.read_text(encoding="utf-8"))
            if said:
                self._address = said[1]
                with (
                    suppress(URLError),  # it names its address a moment before it listens there
                    urllib.request.urlopen(f"{self._address}api/status?token={_TOKEN}", timeout=_SECONDS),
                ):
                    return
            time.sleep(0.1)
        raise AssertionError(f"JupyterLab did not start:\n{self._log.read_text(encoding='utf-8')}")

    def _stop(self) -> None:
        """End it, and with it its kernels, which it ends when it is told politely."""
        self._process.terminate()
        try:
            self._process.wait(_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
