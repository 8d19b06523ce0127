"""Embedding by a cluster: Ray Data reads, decodes and embeds; what comes of it lies in one place."""
