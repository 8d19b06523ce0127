"""A collection's vectors and items as files that other programs read."""
