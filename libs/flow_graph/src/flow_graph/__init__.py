"""Model a workflow as a graph of steps, check it, walk it."""
