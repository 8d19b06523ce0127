"""`python -m lookalike` is the command line."""

from lookalike.faces.cli.main import main

main()
