"""What is installed for users is what was tested, and no more."""

import re
from importlib.metadata import requires
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parent.parent


def locked(name: str) -> dict[str, str]:
    lines = (ROOT / name).read_text(encoding="utf-8").split()
    return {canonical(package): version for package, version in (line.split("==") for line in lines)}


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def needed(package: str, extras: tuple[str, ...] = ()) -> set[str]:
    """All that installing a package brings, by what the installed packages say."""
    found: set[str] = set()
    waiting = [(package, extras)]
    while waiting:
        name, wanted = waiting.pop()
        for line in requires(name) or []:
            requirement = Requirement(line)
            applies = requirement.marker is None or any(
                requirement.marker.evaluate({"extra": extra}) for extra in (*wanted, "")
            )
            if applies and canonical(requirement.name) not in found:
                found.add(canonical(requirement.name))
                waiting.append((requirement.name, tuple(requirement.extras)))
    return found


def test_the_demo_installs_exactly_what_the_package_and_its_extra_need():
    assert set(locked("requirements-demo.lock")) == needed("lookalike", ("demo",))


def test_the_demo_installs_the_versions_that_are_tested():
    tested = locked("requirements.lock")
    assert {name: tested[name] for name in locked("requirements-demo.lock")} == locked(
        "requirements-demo.lock"
    )
