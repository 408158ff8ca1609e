"""From the syntax tree of a method to what it does with artifacts."""
