"""The local scheduler: what runs next, where, and what became of it."""
