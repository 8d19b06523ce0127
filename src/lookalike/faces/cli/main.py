"""The command line. Exit codes: 0, 1 for a failure, 2 for wrong usage, 130 when interrupted."""

from __future__ import annotations

import os
import sys

import click

from lookalike import __version__
from lookalike.errors import LookalikeError, UsageError
from lookalike.faces.cli import options as cli_options
from lookalike.faces.cli.add import add
from lookalike.faces.cli.copies import copies
from lookalike.faces.cli.copy import copy
from lookalike.faces.cli.embed import embed
from lookalike.faces.cli.evaluate import evaluate
from lookalike.faces.cli.hints import Named, for_collection
from lookalike.faces.cli.models import models
from lookalike.faces.cli.search import search
from lookalike.faces.cli.serve import demo, serve, votes
from lookalike.faces.cli.transfer import datasets, export, import_
from lookalike.faces.cli.upkeep import info, relocate, remove, verify


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="lookalike")
def cli() -> None:
    """Bring a photo; get the most similar ones in your collection.

    Everything stays on this machine.
    """


for command in (
    *(add, search, copies, remove, relocate, info, verify, models, import_, export, copy, evaluate),
    *(serve, votes, datasets, demo, embed),
):
    cli.add_command(command)


def main() -> None:
    """Run the command line; every failure is one clear line."""
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]  # a terminal may not know all letters
    named = Named()

    def fail(what: object, code: int) -> int:
        return cli_options.fail(for_collection(str(what), cli, named.folder), code)

    try:
        code = cli.main(prog_name="lookalike", standalone_mode=False, obj=named)
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        code = 2
    except click.UsageError as error:
        command = error.ctx.command_path if error.ctx else "lookalike"
        code = fail(f"{error.format_message()} See: {command} --help", 2)
    except UsageError as error:
        code = fail(error, 2)
    except (LookalikeError, click.ClickException) as error:
        code = fail(error.message if isinstance(error, click.ClickException) else error, 1)
    except (KeyboardInterrupt, click.Abort):
        code = fail("interrupted; what is done is kept, run the same command to go on", 130)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # else Python complains at exit
        code = 1
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = fail(f"cannot write what was found: {error.strerror or error}", 1)
    except Exception as error:
        if os.environ.get("LOOKALIKE_DEBUG"):
            raise
        code = fail(f"unexpected {type(error).__name__}: {error} (set LOOKALIKE_DEBUG=1 for the details)", 1)
    sys.exit(code if isinstance(code, int) else 0)
