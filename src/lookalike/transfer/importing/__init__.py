"""Vectors made elsewhere: read without trusting them, and brought into a collection."""
