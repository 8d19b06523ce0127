"""The way out: queries, what is nearest to them, and what its scores mean."""
