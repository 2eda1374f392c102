"""The end-to-end tests' fixtures serve here too."""

from tests.end_to_end.conftest import bare, begin, command, ids, service

__all__ = ["bare", "begin", "command", "ids", "service"]
