"""The rules, by what they look at. Each is a function from the graph to its findings."""
