"""Copies: the same file, the same photo, the same scene."""
