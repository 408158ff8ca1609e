"""Run data-science workflows written as Python classes, keep every artifact, find and resume every execution."""
