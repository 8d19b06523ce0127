"""How an optional package is installed beside this copy of lookalike, as one line that works as it stands.

lookalike is in no package index, so that its name alone installs nothing: the line names the folder, file or
repository that it came from, or the packages themselves.
"""

from __future__ import annotations

import json
import shlex
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

_NAME = "lookalike"


def install_line(extra: str) -> str:
    """Return the command that installs an extra, such as "keras", for the Python that runs this."""
    checkout = Path(__file__).parents[2]
    origin = _origin()
    if (checkout / "pyproject.toml").is_file() and (checkout / "src" / _NAME).is_dir():
        return f"{_pip()} install {_editable(origin)}{shlex.quote(f'{checkout}[{extra}]')}"
    if wanted := _from_origin(origin, extra):
        return f"{_pip()} install {wanted}"
    packages = " ".join(shlex.quote(each) for each in _packages(extra))
    return (
        f"{_pip()} install {packages}" if packages else f"pip install '.[{extra}]' in the folder of lookalike"
    )


def _pip() -> str:
    """Return what runs the pip of this Python: its own `pip` where that is the one found by name."""
    found = shutil.which("pip")
    is_own = found is not None and Path(found).parent == Path(sys.executable).parent
    return "pip" if is_own else f"{shlex.quote(sys.executable)} -m pip"


def _origin() -> Mapping[str, Any]:
    """Return what pip noted of where the package came from (PEP 610); {} where it noted nothing."""
    from importlib import metadata  # takes time to import

    try:
        facts = json.loads(metadata.distribution(_NAME).read_text("direct_url.json") or "{}")
    except (metadata.PackageNotFoundError, OSError, ValueError):
        return {}
    return facts if isinstance(facts, dict) and isinstance(facts.get("url"), str) else {}


def _editable(origin: Mapping[str, Any]) -> str:
    facts = origin.get("dir_info")
    return "-e " if isinstance(facts, dict) and facts.get("editable") else ""


def _from_origin(origin: Mapping[str, Any], extra: str) -> str:
    """Return what to tell pip of the origin, quoted; empty where it is not there any more."""
    url = origin.get("url", "")
    if url.startswith("file:"):
        from urllib.request import url2pathname  # as above

        path = Path(url2pathname(urlsplit(url).path))
        return f"{_editable(origin)}{shlex.quote(f'{path}[{extra}]')}" if path.exists() else ""
    version = origin.get("vcs_info")
    if isinstance(version, dict) and isinstance(version.get("vcs"), str):
        commit = version.get("commit_id")
        url = f"{version['vcs']}+{url}" + (f"@{commit}" if commit else "")
    return shlex.quote(f"{_NAME}[{extra}] @ {url}") if url else ""


def _packages(extra: str) -> list[str]:
    """Return the packages of an extra, with their least versions."""
    from importlib import metadata  # as above

    try:
        named = metadata.requires(_NAME) or []
    except metadata.PackageNotFoundError:
        return []
    parts = (each.partition(";") for each in named)
    return [
        what.strip()
        for what, _, when in parts
        if f"extra=='{extra}'" in when.replace(" ", "").replace('"', "'")
    ]
