"""Releases of the packages: what changed since the last one, which version that asks for, and whether what is built is whole."""
