"""The HTTP server: who may ask, how much, and what it answers."""
