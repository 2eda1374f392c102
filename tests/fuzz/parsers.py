"""What must hold for any bytes at all in the three places where foreign bytes come in.

Each function takes bytes and raises for what must never happen: any error that is not flowreaper's own, and
anything that could steer a terminal, forge a line or not be stored.
"""

import contextlib
import json
import re
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from flowreaper.client import actions
from flowreaper.client.codes import classify, explain
from flowreaper.client.messages import read_answer
from flowreaper.errors import FlowreaperError
from flowreaper.escaping import printable
from flowreaper.model import AnyEntry, Entry, Flow, ReplyClass, Requeue, Retry, State
from flowreaper.producer.flow_ids import why_invalid, why_invalid_space
from flowreaper.producer.formats import Format, InputSettings, parse_entries
from flowreaper.sink.formats import RecordFormat, writer_for
from flowreaper.store.records import record_of
from flowreaper.store.sqlite.checkpoint import open_checkpoint
from flowreaper.store.sqlite.reader import read_records, read_status
from tests.samples import IDENTITY, REFUSAL, claim, invalid, outcome
from tests.samples import entries as some_entries

_FORMATS = (None, *Format)
_ID = re.compile(r"(?=.*[0-9])[0-9A-Za-z][0-9A-Za-z_.:-]{0,255}")
_STATUSES = (200, 200, 200, 204, 302, 307, 400, 403, 404, 429, 500, 502, 503, 599)
_KEPT = (State.REFUSED, State.GAVE_UP)


def check_input(data: bytes) -> None:
    """Read an input: the first byte chooses format and fields, the second where the rest is cut."""
    choice, cut, content = (*data[:2], 0, 0)[0], (*data[1:2], 0)[0], data[2:]
    settings = InputSettings(
        _FORMATS[choice % len(_FORMATS)],
        id_field="id" if choice & 64 else None,
        space_field="s" if choice & 128 else None,
    )
    whole = _read([content], settings)
    at = len(content) * cut // 256
    cut_in_two = _read([content[:at], content[at:]], settings)
    # Nothing of a chunk with a NUL byte is read.
    assert cut_in_two == whole or b"\0" in content
    for entry in whole:
        if isinstance(entry, Entry):
            assert _ID.fullmatch(entry.flow.flow_id)
            assert not why_invalid(entry.flow.flow_id)
            assert not entry.flow.cust_space_id or not why_invalid_space(entry.flow.cust_space_id)
        else:
            assert _harmless(entry.text)
            assert _harmless(entry.reason)
        json.dumps(entry).encode()


def _read(chunks: list[bytes], settings: InputSettings) -> list[AnyEntry]:
    found: list[AnyEntry] = []
    with _own_errors():
        # What comes before an error stays in the list.
        found.extend(parse_entries(chunks, source="s", settings=settings))
    return found


def _check_content(content: Mapping[str, object]) -> None:
    """Read an answer's content in every way: whatever it holds becomes text that can be stored."""
    flow = Flow("1")
    texts = [
        actions.read_flow_json(content, flow) or "",
        actions.read_created(content),
        *actions.read_identity(content),
    ]
    texts += [actions.read_flow(content, flow).name, actions.read_flow(content, flow).status]
    texts += [
        text for listed in actions.read_listed(content, "") for text in (listed.flow.flow_id, listed.name)
    ]
    texts += [text for space in actions.read_spaces(content) for text in space]
    texts += [text for template in actions.read_templates(content).templates for text in template]
    "".join([*texts, *(actions.read_flow_buttons(content) or ())]).encode()


def check_answer(data: bytes) -> None:
    """Read an answer: the first byte chooses status and doubt, the next how much of the rest is a header."""
    choice, length = (*data[:1], 0)[0], (*data[1:2], 0)[0] % 32
    header, body = data[2 : 2 + length].decode("latin-1"), data[2 + length :]
    status, in_doubt = _STATUSES[choice % len(_STATUSES)], choice >= 128
    reply, content = read_answer(
        status, {"x-acs-retry-after": header, "Date": header}, body, complete=choice % 64 != 63
    )
    _check_content(content)
    (reply.code + reply.message + reply.request_id).encode()
    assert len(reply.code) + len(reply.message) + len(reply.request_id) < 4 * 2100
    classification = classify(reply, in_doubt=in_doubt)
    assert classification.reply_class is not ReplyClass.DELETED or (status, reply.code) == (200, "OK")
    assert all(map(_harmless, explain(reply).split("\n")))
    for record_format in RecordFormat:
        line = writer_for(record_format)(record_of(outcome(claim(), State.REFUSED, reply)))
        assert "\x1b" not in line
        line.encode()


def check_checkpoint(data: bytes) -> None:
    """Open, read and write a file that should be a checkpoint; every error is one line that names it."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "c.ckpt")
        path.write_bytes(data)
        with _own_errors():
            read_status(path, IDENTITY)
        with _own_errors():
            for record in read_records(path):
                for record_format in RecordFormat:
                    writer_for(record_format)(record).encode()
        with _own_errors(), contextlib.closing(open_checkpoint(path, IDENTITY)) as checkpoint:
            with _own_errors():
                checkpoint.counts()
            with _own_errors():
                checkpoint.add([*some_entries("1", "8"), invalid("x y")])
            with _own_errors():
                checkpoint.write([], new=3, rows=checkpoint.mark_claimed_in_doubt())
            with _own_errors():
                checkpoint.reopen(Retry(_KEPT))


@contextlib.contextmanager
def _own_errors() -> Iterator[None]:
    try:
        yield
    except FlowreaperError as error:
        said = str(error)
    else:
        return
    assert _harmless(said), repr(said)


def _harmless(text: str) -> bool:
    return printable(text, len(text)) == text


def sound_checkpoint() -> bytes:
    """Return a small checkpoint with a flow in every state."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "c.ckpt")
        with contextlib.closing(open_checkpoint(path, IDENTITY)) as checkpoint:
            checkpoint.add([*some_entries("1", "2", "3", "4", space="cams-a"), invalid("x y")])
            deleted, refused, again, _ = checkpoint.write([], new=4)
            checkpoint.write(
                [
                    outcome(deleted),
                    outcome(refused, State.REFUSED, REFUSAL),
                    Requeue(again.row, 1, in_doubt=True),
                ]
            )
        return path.read_bytes()


CHECKS: dict[str, Callable[[bytes], None]] = {
    "input": check_input,
    "answer": check_answer,
    "checkpoint": check_checkpoint,
}

SEEDS: dict[str, Callable[[], list[bytes]]] = {
    "input": lambda: [
        bytes([number, 99]) + text
        for number in range(len(_FORMATS))
        for text in (
            b"346699123\n# a comment\nflow_001\n",
            b"FlowId,CustSpaceId\n346699123,cams-a\n",
            b'FlowId;"Cust Space Id"\r\n"1""2";3\r\n',
            b'{"FlowId":"1","CustSpaceId":"cams-a"}\n"2"\n3\n',
            b'{"Code":"OK","Data":[{"FlowId":"1","FlowName":"a"},{"FlowId":2}]}',
            b'{"body":{"Data":["1","2"]},"statusCode":200}["3", 4, 9.2e17, null]',
            b'{"Data":[{"FlowId":"1"},null]}\n\xef\xbb\xbf{"body":{"Data":[2,"3"]}}\n',
            b'FlowId,CustSpaceId\n1,"a\n2,b"\n\xef\xbb\xbfFlowId,CustSpaceId\n3,null\n',
        )
    ],
    "answer": lambda: [
        bytes([number, 4]) + b"1500" + body
        for number in (0, 6, 9, 10, 140, 63)
        for body in (
            b'{"Code":"OK","Message":"None","RequestId":"RID-1","AccessDeniedDetail":"None"}',
            b'{"code":"System.LimitControl","message":"m","requestId":"r"}',
            b'{"Code":999999,"Message":"\\ud800\\u202e\\u001b[2J"}',
            b"<html><body>503</body></html>",
        )
    ],
    "checkpoint": lambda: [sound_checkpoint()],
}
"""What the long runs start from."""
