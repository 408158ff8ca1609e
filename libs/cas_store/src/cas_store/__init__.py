"""Keep bytes and Python objects exactly once, by content, and get them back verified."""
