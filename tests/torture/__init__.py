"""The torture bench: kills, failing disks, power cuts, flipped bits, crowds against what was acknowledged.

`work` does random work by seed in processes of its own (`jobs`, `driver`), `shim` makes the faults,
`powercut` and `flips` make damaged disks, `facts` reads what processes say, `oracle` keeps what was
acknowledged, `look` holds it against what is there, and `rounds` has one function for each kind of torture.
`run` is the command line: `python -m torture --help`, from `tests/`.
"""
