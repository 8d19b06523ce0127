"""Photo bytes to upright RGB squares, in worker processes with limits.

`pool` is what callers use; `processes` minds the workers, which run `serve`; `wire` is how they talk.
`worker` and what it imports run in the workers and must start fast: Pillow and the standard library only.
"""
