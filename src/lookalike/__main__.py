"""`python -m lookalike` is the command line."""

from lookalike.faces.cli import main

main()
