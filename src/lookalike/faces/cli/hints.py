"""Commands named in messages, for the collection that the user named.

Whoever says "run: lookalike verify --repair" deep inside knows nothing of the command line; with
`-c FOLDER` in the call, the command that is shown has it, too, and works as it is printed.
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

import click
from click.core import ParameterSource

_COMMAND = re.compile(r"\blookalike((?: [a-z]+)+)")
_HAS_IT = re.compile(r"\s+(-c|--collection|--help)\b")
OPTION = "folder"
"""The parameter of commands that takes the collection."""


@dataclass(slots=True)
class Named:
    """Which collection the user named in this call, by an option and not by the environment."""

    folder: Path | str | None = None


def note_collection(
    context: click.Context, param: click.Parameter, value: Path | str | None
) -> Path | str | None:
    """Note the collection that a command was given; a callback of its option."""
    named = context.find_object(Named)
    if named is not None and context.get_parameter_source(str(param.name)) is ParameterSource.COMMANDLINE:
        named.folder = value
    return value


def for_collection(text: str, root: click.Command, folder: Path | str | None) -> str:
    """Return a message with `-c FOLDER` in each command of `root` that takes a collection."""
    if folder is None:
        return text

    def completed(match: re.Match[str]) -> str:
        command, words, taken = root, match[1].split(), list[str]()
        while isinstance(command, click.Group) and len(taken) < len(words):
            inner = command.commands.get(words[len(taken)])
            if inner is None:
                break
            command = inner
            taken.append(words[len(taken)])
        takes_one = any(each.name == OPTION for each in command.params)
        rest = words[len(taken) :]
        if not taken or not takes_one or (not rest and _HAS_IT.match(text, match.end())):
            return match[0]
        return " ".join(["lookalike", *taken, "-c", shlex.quote(str(folder)), *rest])

    return _COMMAND.sub(completed, text)


def here(text: str) -> str:
    """Return a message of a running command with its collection in the commands that are shown."""
    context = click.get_current_context(silent=True)
    named = None if context is None else context.find_object(Named)
    if context is None or named is None:
        return text
    return for_collection(text, context.find_root().command, named.folder)
