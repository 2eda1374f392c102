"""Listed flows that wait, on disk if they are many."""

import json
import tempfile
from collections.abc import Iterator

from flowreaper.client.actions import ListedFlow
from flowreaper.errors import OutputError
from flowreaper.model import Flow

_IN_MEMORY = 4 * 1024 * 1024


class HeldFlows:
    """Keeps flows in a nameless temporary file: a million of them would take 500 MB of memory. Close it."""

    def __init__(self) -> None:
        # The file lives as long as this object, which is closed.
        self._file = tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY)  # noqa: SIM115
        self.count = 0
        """How many flows it has."""

    def add(self, listed: ListedFlow) -> None:
        """Keep a flow; raises OutputError where there is no room."""
        line = json.dumps([*listed.flow, listed.name, listed.categories])
        try:
            self._file.write(f"{line}\n".encode())
        except OSError as error:
            raise OutputError(
                f"the list cannot be kept in a temporary file in {tempfile.gettempdir()}: {error.strerror}. Make room"
                " there, or name another folder with the variable TMPDIR"
            ) from error
        self.count += 1

    def __iter__(self) -> Iterator[ListedFlow]:
        """Yield the flows in the order in which they came; the last one must have been added."""
        self._file.seek(0)
        for line in self._file:
            flow_id, space, name, categories = json.loads(line)
            yield ListedFlow(Flow(flow_id, space), name, tuple(categories))

    def close(self) -> None:
        """Forget the flows."""
        self._file.close()
