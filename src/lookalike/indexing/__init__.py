"""Keeps an index in step with the store: builds it, measures it, opens it."""
