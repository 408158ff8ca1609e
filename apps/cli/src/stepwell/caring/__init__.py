"""Care for a datastore: what it holds, what nobody needs any more, whether it is whole."""
