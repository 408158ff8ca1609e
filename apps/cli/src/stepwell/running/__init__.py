"""Runs started from Python: in tests, in notebooks."""
