"""Photo bytes to upright RGB squares, in worker processes with limits.

`worker.py` and what it imports run in the workers and must start fast: Pillow and the standard library only.
"""
