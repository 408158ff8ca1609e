"""The Client API: read what runs left."""
