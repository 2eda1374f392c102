"""The service over HTTP, one account. Nothing is imported here: `--help` must stay fast."""
