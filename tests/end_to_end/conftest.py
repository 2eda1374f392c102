"""A command in a folder of its own, and the sandboxes that it is run against."""

import contextlib
import itertools
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.end_to_end.command import Command, Service, clean_environment, serve

_numbers = itertools.count(926000000000000001)


@pytest.fixture(scope="session")
def ids() -> Callable[[int], list[str]]:
    """Make flow ids that no other test uses."""
    return lambda count: [str(next(_numbers)) for _ in range(count)]


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A sandbox for all tests that need nothing special of it."""
    folder = tmp_path_factory.mktemp("service")
    with serve(Command(folder, clean_environment(folder))) as running:
        yield running


@pytest.fixture
def bare(tmp_path: Path) -> Command:
    """The command without credentials and endpoint."""
    return Command(tmp_path, clean_environment(tmp_path))


@pytest.fixture
def command(bare: Command, service: Service) -> Command:
    """The command pointed at `service`."""
    return Command(bare.folder, bare.environment | service.environment)


@pytest.fixture(scope="module")
def begin_once(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., tuple[Service, Command]]]:
    """Start a sandbox with options for all tests of a file; return it and the command pointed at it."""
    with contextlib.ExitStack() as running:

        def start(*options: str) -> tuple[Service, Command]:
            folder = tmp_path_factory.mktemp("job")
            own = running.enter_context(serve(Command(folder, clean_environment(folder)), *options))
            return own, Command(folder, clean_environment(folder) | own.environment)

        yield start


@pytest.fixture
def copied(tmp_path: Path) -> Callable[[Command], Command]:
    """Copy a command's folder: a job that is read can be made once, and spoilt by each test."""

    def copy(made: Command) -> Command:
        shutil.copytree(made.folder, tmp_path, dirs_exist_ok=True)
        return Command(tmp_path, made.environment | {"HOME": str(tmp_path)})

    return copy


@pytest.fixture
def begin(bare: Command) -> Iterator[Callable[..., tuple[Service, Command]]]:
    """Start a sandbox with options; return it and the command pointed at it."""
    with contextlib.ExitStack() as running:

        def start(*options: str) -> tuple[Service, Command]:
            own = running.enter_context(serve(bare, *options))
            return own, Command(bare.folder, bare.environment | own.environment)

        yield start
