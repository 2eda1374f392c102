"""Makes JSON values of chunks of bytes that are cut anywhere. Pure.

A value is yielded as soon as it is complete, before the next chunk is asked for. Of an incomplete value, a bounded
part is held.
"""

from collections.abc import Generator, Iterable, Iterator
from decimal import Decimal
from itertools import chain

import ijson  # type: ignore[import-untyped] # it has no stubs; _element checks what it yields

from flowreaper.errors import Advice, InputError
from flowreaper.escaping import printable
from flowreaper.producer.lines import LINE_LIMIT

PLAN_KIND = "flowreaper plan"
"""The `kind` with which every plan begins: a file that is to be read as such, with its checks."""

_MEMBERS_LIMIT = 1000


_Events = Iterator[tuple[str, object]]


class Inexact(str):
    """A JSON number with a fraction or an exponent: it cannot be an id."""

    __slots__ = ()


def parse_elements(chunks: Iterable[bytes], source: str) -> Iterator[object]:
    """Yield the elements of the lists in one or more JSON documents.

    - A document is an array or a ListFlow answer. The service's answers have a list in ``Data``, those that the SDK
      saves have it in the ``Data`` of their ``body``.
    - A whole number is yielded as its digits, another number as Inexact.
    - An object keeps its strings, numbers and nulls; [] stands for any other value.

    Raises:
        InputError: the JSON is broken, or a document is a plan, or neither array nor answer. The message names
            `source`.
    """
    events = _events(chunks, source)
    for number, (kind, _) in enumerate(events, 1):
        inner: Generator[object, None, bool]
        if kind == "start_array":
            inner = _listed(events)
        elif kind == "start_map":
            inner = _answered(events, ("Data", "body"), source)
        else:
            inner = _nothing()
        found = yield from inner
        if not found:
            raise InputError(
                f"{source}: JSON document {number} holds no flows: expected is an array of ids or objects, or a"
                " ListFlow answer with its flows in Data",
                Advice.READ_AS_JSON_LINES,
            )


def is_a_plan(source: str) -> InputError:
    """Return the error of a plan that is given as a source."""
    return InputError(
        f"{source}: is a plan: read as a list of flows, nobody would check its account, digest and expiry",
        Advice.USE_PLAN,
    )


def _events(chunks: Iterable[bytes], source: str) -> _Events:
    events = ijson.sendable_list()
    parser = ijson.basic_parse_coro(events, multiple_values=True)
    size = waiting = 0
    blank = True
    for chunk in chain(chunks, [None]):
        problem = ""
        try:
            if chunk is not None:
                size += len(chunk)
                blank = blank and not chunk.strip()
                parser.send(chunk)
            elif not blank:
                parser.close()
        except SystemError:
            # ijson's C backend: a number has more digits than Python converts. Its event cannot be used.
            events.pop()
            problem = "a number has too many digits"
        except ijson.JSONError as error:
            problem = "it ends too early" if chunk is None else _first_line(error)
        except (ValueError, ArithmeticError) as error:
            problem = _first_line(error)
        waiting = 0 if events or chunk is None else waiting + len(chunk)
        yield from events
        events.clear()
        if waiting > LINE_LIMIT:
            problem = f"a value is over {LINE_LIMIT} bytes"
        if problem:
            raise InputError(f"{source}: broken JSON within the first {size} bytes: {problem}")


def _first_line(error: Exception) -> str:
    said = error.args[0] if error.args else ""
    text = said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)
    return printable(text.partition("\n")[0]) or type(error).__name__


def _listed(events: _Events) -> Generator[object, None, bool]:
    for kind, value in events:
        if kind == "end_array":
            break
        yield _element(kind, value, events)
    return True


def _answered(events: _Events, wanted: tuple[str, ...], source: str) -> Generator[object, None, bool]:
    found = False
    for kind, key in events:
        if kind == "end_map":
            break
        opening, value = next(events)
        if (key, value) == ("kind", PLAN_KIND):
            raise is_a_plan(source)
        if key == "Data" and opening == "start_array":
            found = yield from _listed(events)
        elif key == "body" and key in wanted and opening == "start_map":
            found = (yield from _answered(events, ("Data",), source)) or found
        else:
            _skip(opening, events)
    return found


def _nothing() -> Generator[object, None, bool]:
    return False
    yield


def _element(kind: str, value: object, events: _Events) -> object:
    if kind != "start_map":
        return _scalar(kind, value, events)
    element: dict[str, object] = {}
    for inner, key in events:
        if inner == "end_map":
            break
        member = _scalar(*next(events), events)
        if len(element) < _MEMBERS_LIMIT:
            element[str(key)] = member
    return element


def _scalar(kind: str, value: object, events: _Events) -> object:
    if kind == "number":
        return Inexact(value) if isinstance(value, Decimal) else str(value)
    if kind in ("string", "null"):
        return value
    _skip(kind, events)
    return []


def _skip(kind: str, events: _Events) -> None:
    depth = _depth(kind)
    while depth:
        depth += _depth(next(events)[0])


def _depth(kind: str) -> int:
    return kind.startswith("start_") - kind.startswith("end_")
