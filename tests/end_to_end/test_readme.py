"""Every code block of README.md and of the guide does what it says, against a sandbox."""

import json
import re
import shlex
import shutil
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import PurePath
from typing import NamedTuple

import pytest

from flowreaper.cli.exit_status import ExitStatus
from tests.end_to_end.command import ROOT, Command, Finished, Service
from tests.end_to_end.terminal import Terminal

Ids = Callable[[int], list[str]]

DOCUMENTS = ("README.md", ".github/GUIDE.md")
FLOWS = 30  # as in the block that shows the question
RATES = (
    "FLOWREAPER_DELETE_RATE",
    *(f"FLOWREAPER_{name}_READ_RATE" for name in ("DELETE", "LIST", "SPACES", "VERIFY", "RESTORE")),
)
# Blocks that look for flows need an account that has some.
LISTS = re.compile(r"^(\$ )?flowreaper (list|spaces)\b", re.MULTILINE)
FENCE = re.compile(r"^```(?P<language>[^\n]*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)

# What these do is what .ci/run does.
INSTALLING = {
    "python3 -m venv .venv",
    ".venv/bin/pip install .",
    ".venv/bin/pip install -e '.[dev]'",
    ".venv/bin/pytest",
}

# Programs that need not be on this machine, as Python; `ids` are the flow ids that the test made.
STAND_INS = {
    "aliyun": """
        import json, sys
        assert sys.argv[1:3] == ["cams", "ListFlow"], sys.argv
        print(json.dumps({"Code": "OK", "Data": [{"FlowId": flow, "Status": "DRAFT"} for flow in ids]}))
        """,
    "jq": """
        import json, sys
        assert sys.argv[1:] == ["-r", ".Data[].FlowId"], f"this stand-in knows no {sys.argv}"
        for page in sys.stdin:
            print("\\n".join(flow["FlowId"] for flow in json.loads(page)["Data"]))
        """,
}

# The programs call the service itself; here they must not.
PRELUDE = """
import asyncio, os
import flowreaper.api
from flowreaper.client.endpoint import parse_endpoint
assert flowreaper.api.region_endpoint
flowreaper.api.region_endpoint = lambda _region: parse_endpoint(os.environ["FLOWREAPER_ENDPOINT"])
"""


class Block(NamedTuple):
    """A fenced block: its document, the line where it begins, the word after the fence, what it holds."""

    document: str
    line: int
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.document}, line {self.line} ({self.language})"


def blocks(document: str) -> Iterator[Block]:
    """Yield every code block of a document."""
    text = (ROOT / document).read_text(encoding="utf-8")
    found = list(FENCE.finditer(text))
    assert text.count("```") == 2 * len(found), "a fence is not understood"
    assert "~~~" not in text
    for match in found:
        yield Block(document, text.count("\n", 0, match.start()) + 1, match["language"], match["text"])


def words_of(text: str) -> list[str]:
    return shlex.split(text.replace("\n", " \n "), comments=True)


def read_files(text: str) -> Iterator[str]:
    """Yield the files that a block's commands read: those that it names, less what they write or wrote before."""
    before = ""
    made: set[str] = set()
    for line in text.splitlines():
        for word in words_of(line):
            written = before in ("-o", "--output", "--results") or before.startswith(">")
            begun = before in ("-c", "--checkpoint") and not PurePath(word.removesuffix(".ckpt")).suffix
            if before == "--plan":
                made |= {word, f"{word}.ckpt"}
            elif written or begun:
                made.add(word)
            elif PurePath(word).suffix in (".txt", ".csv", ".jsonl", ".ckpt") and word not in made:
                yield word
            before = word


def prepare(command: Command, text: str, flows: list[str]) -> None:
    """Make what a block's commands read: files of ids, and a checkpoint of a job that has begun."""
    shutil.copytree(ROOT / "examples", command.folder / "examples")
    wanted = [name for name in dict.fromkeys(read_files(text)) if not (command.folder / name).exists()]
    for name in wanted:
        source = name.removesuffix(".ckpt")
        match PurePath(source).suffix:
            case ".csv":
                command.write(source, "FlowId,CustSpaceId", *(f"{flow}," for flow in flows))
            case ".jsonl":
                command.write(source, *(f'{{"FlowId": "{flow}"}}' for flow in flows))
            case _:
                command.write(source, *flows)
        if name != source:
            begun = command.delete("--limit", "3", "-c", name, source)
            assert begun.status == ExitStatus.LEFT, begun.err


@pytest.fixture
def reader(command: Command, ids: Ids) -> tuple[Command, list[str]]:
    """The command as a reader has it, with the programs that the documents name; the ids that these know."""
    flows = ids(FLOWS)
    programs = command.folder.parent / f"{command.folder.name}-bin"
    programs.mkdir()
    for name, body in STAND_INS.items():
        file = programs / name
        file.write_text(f"#!{sys.executable}\nids = {flows!r}\n{textwrap.dedent(body)}")
        file.chmod(0o755)
    path = f"{programs}:{command.environment['PATH']}"
    return Command(command.folder, command.environment | {"PATH": path}), flows


def on_a_terminal(command: Command, script: str, answers: dict[str, str]) -> Finished:
    """Run lines of shell, the first that fails being the last, on a terminal."""
    with Terminal(command, "-euc", script, program=("/bin/sh",)) as terminal:
        return Finished(terminal.wait(answers), terminal.shown.replace("\r\n", "\n"), "")


def shape(line: str) -> str:
    """Return a line without what differs from run to run."""
    line = re.sub(r"https?://[^\s,]+", "URL", line)
    line = re.sub(r"\S+\*\*\*\*\S+", "KEY", line)
    return re.sub(r"\d[\d,.:]*", "0", line).rstrip()


def run_shell(command: Command, flows: list[str], text: str) -> None:
    prepare(command, text, flows)
    parts = [part.strip() for part in re.split(r"\n|&&", text) if part.strip()]
    if any(part in INSTALLING for part in parts):
        # Everything else on these lines is run with what is installed already.
        script = "\n".join(
            part.replace(".venv/bin/flowreaper ", "flowreaper ") for part in parts if part not in INSTALLING
        )
    else:
        script = re.sub(r"\b[A-Z_]+=\.\.\.", "", text)  # where the reader's own key goes
    assert ".venv" not in script, f"no part of what .ci/run does: {script}"
    serves = re.search(r"^flowreaper sandbox", script, re.MULTILINE)
    answers = {"[y/N]": "y\n"} | ({"FLOWREAPER_ENDPOINT": "\x03"} if serves else {})
    fast = Command(command.folder, command.environment | dict.fromkeys(RATES, "200"))
    done = on_a_terminal(fast, script, answers)
    assert done.status in ((0, 130, -2) if serves else (0,)), done.out
    assert "Traceback" not in done.out


def run_console(command: Command, flows: list[str], text: str) -> None:
    typed = [line.removeprefix("$ ") for line in text.splitlines() if line.startswith("$ ")]
    shown = [line for line in text.splitlines() if not line.startswith("$ ")]
    assert typed
    prepare(command, "\n".join(typed), flows)
    done = on_a_terminal(command, "set +e\n" + "\n".join(typed), {"[y/N]": "n\n"})
    lines = iter(done.out.splitlines())
    for line in shown:
        # A question's line goes on with what is typed.
        assert any(shape(found).startswith(shape(line)) for found in lines), f"{line!r} is not in\n{done.out}"


def run_program(command: Command, flows: list[str], text: str) -> None:
    prepare(command, "", flows)
    body = textwrap.indent(text, "    ")
    program = f"{PRELUDE}\nasync def main():\n{body}\nasyncio.run(main())\n"
    # Nothing leaves this machine, even where the prelude misses its mark.
    nowhere = {"HTTPS_PROXY": "http://127.0.0.1:9", "ALL_PROXY": "http://127.0.0.1:9"}
    done = command.finish(sys.executable, "-W", "error", "-c", program, env=nowhere)
    assert done.status == 0, done.err
    assert done.out


KINDS = {"sh": run_shell, "console": run_console, "python": run_program}
BLOCKS = [block for document in DOCUMENTS for block in blocks(document)]


def test_there_are_blocks_of_each_kind() -> None:
    assert {block.language for block in BLOCKS} == set(KINDS)


@pytest.mark.parametrize("block", BLOCKS, ids=str)
def test_a_block_does_what_it_says(
    reader: tuple[Command, list[str]], begin: Callable[..., tuple[Service, Command]], block: Block
) -> None:
    command, flows = reader
    if LISTS.search(block.text):
        service, _ = begin("--seed-flows", "120")
        command = Command(command.folder, command.environment | service.environment)
    assert block.language in KINDS, f"{block}: say in this test how such a block is run"
    KINDS[block.language](command, flows, block.text)


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("sh", "flowreaper delete --no-such-option ids.txt"),
        ("sh", "flowreaper status ids.txt.ckpt nonsense\nflowreaper status ids.txt.ckpt"),
        ("sh", "python3 -m venv .venv && .venv/bin/pip install flowreaper"),
        ("sh", "no-such-program-anywhere"),
        ("console", "$ flowreaper delete ids.txt\nTo delete, if need be: 30 flows"),
        ("python", "raise SystemExit(1)"),
    ],
)
def test_a_block_that_does_not_is_found(reader: tuple[Command, list[str]], language: str, text: str) -> None:
    command, flows = reader
    with pytest.raises(AssertionError):
        KINDS[language](command, flows, f"{text}\n")


def test_each_block_s_files_are_known() -> None:
    text = (
        "flowreaper results --format csv -o out.csv ids.txt.ckpt  # not comment.txt\n"
        "cat examples/flows.txt | flowreaper delete -c new.ckpt -\n"
        "echo 1 > written.txt && flowreaper delete written.txt\n"
        "flowreaper delete -c flows.csv.ckpt flows.csv --results all.jsonl > log.txt\n"
        "flowreaper list --keep keep.csv --plan plan.json && flowreaper status plan.json.ckpt\n"
    )
    names = ["ids.txt.ckpt", "examples/flows.txt", "flows.csv.ckpt", "flows.csv", "keep.csv"]
    assert list(read_files(text)) == names


def names_of(value: object) -> Iterator[str]:
    """Yield the fields of a document, and of the objects in its lists."""
    for name, part in value.items() if isinstance(value, dict) else ():
        yield name
        for item in part if isinstance(part, list) else ():
            yield from names_of(item)


def test_the_guide_names_every_field_of_the_json_documents(
    begin: Callable[..., tuple[Service, Command]], bare: Command, ids: Ids
) -> None:
    flows = ids(2)
    _, command = begin("--published", bare.write("published.txt", flows[0]))
    command.write("ids.txt", *flows)
    assert command.delete("--summary-json", "summary.json", "ids.txt").status == 1
    document = json.loads((command.folder / "summary.json").read_text())
    table = (ROOT / ".github" / "GUIDE.md").read_text().partition("\n| field |")[2].partition("\n\n")[0]
    of_a_flow = {"flow_id", "cust_space_id"}
    assert set(re.findall(r"`([a-z_]+)`", table)) == set(names_of(document)) - of_a_flow
