"""Checks every byte that can be checked, and puts right what can be."""
