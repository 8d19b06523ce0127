"""Vectors made elsewhere come in, a space goes out as files."""
