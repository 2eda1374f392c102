"""Where outcomes go: the store, streams, files."""
