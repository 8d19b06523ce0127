"""Runs the torture bench: `python -m torture --minutes 10`, or one round again with `--replay KIND:SEED`."""

from __future__ import annotations

from torture import shim


def main() -> None:
    """Load the shim first, then everything else."""
    try:
        shim.preload()
    except shim.UnavailableError as error:
        raise SystemExit(f"cannot torture: {error}") from None
    from torture.run import command_line  # only with the shim loaded

    command_line()


main()
