"""Each file of examples/ is run as its reader would run it."""

import csv
import importlib.util
import json
import signal
import socket
import sys
import urllib.request
from urllib.error import URLError

import pytest

from tests.end_to_end.command import PATIENCE_S, ROOT, Command, ended, wait_for

EXAMPLES = ROOT / "examples"


def test_every_example_is_run_here() -> None:
    found = {path.name for path in EXAMPLES.iterdir() if path.is_file()}
    assert found == {
        "flows.txt",
        "flows.csv",
        "pipe.sh",
        "library.py",
        "pandas_column.py",
        "web_background.py",
    }


def test_the_thirty_flows_of_the_text_file_are_deleted(bare: Command) -> None:
    finished = bare.run("delete", "--sandbox", "--yes", "--rate", "1000", str(EXAMPLES / "flows.txt"))
    assert finished.status == 0
    assert "This run: 30 deleted; 30 calls" in finished.err
    assert bare.states("flows.txt.sandbox.ckpt") == {"deleted": 30}


def test_the_csv_file_brings_its_spaces(bare: Command) -> None:
    finished = bare.run("delete", "--sandbox", "--yes", str(EXAMPLES / "flows.csv"), "--results", "-")
    assert finished.status == 0
    assert [record["cust_space_id"] for record in finished.records] == [
        "cams-awlkj23a09jd",
        "cams-awlkj23a09jd",
        "cams-8f0k2m4q6s1u",
        "393983883",
        None,
    ]


def test_the_pipe_streams_its_five_results(bare: Command) -> None:
    finished = bare.finish("sh", str(EXAMPLES / "pipe.sh"))
    assert finished.status == 0
    assert [record["state"] for record in finished.records] == ["deleted"] * 5


def test_the_program_prints_what_became_of_its_flows(bare: Command) -> None:
    finished = bare.finish(sys.executable, str(EXAMPLES / "library.py"), "346699123", "346699124")
    assert finished.status == 0, finished.err
    assert finished.out.splitlines()[:3] == [
        "346699123 - deleted OK",
        "346699124 - deleted OK",
        "346699999 cams-awlkj23a09jd deleted OK",
    ]
    assert finished.out.splitlines()[3].startswith("3 calls in ")


def test_the_program_says_what_was_not_deleted(bare: Command) -> None:
    finished = bare.finish(sys.executable, str(EXAMPLES / "library.py"), "9.26E+17")
    assert (finished.status, finished.err) == (1, "flows of this run: 1 invalid\n")


@pytest.mark.skipif(importlib.util.find_spec("pandas") is None, reason="pandas is not installed")
def test_the_column_of_outcomes_stands_beside_the_ids(bare: Command) -> None:
    bare.write("flows.csv", "FlowId,CustSpaceId", "346699123,", "346699124,cams-x", ",", "346699123,", "NA,")
    finished = bare.finish(sys.executable, str(EXAMPLES / "pandas_column.py"), "flows.csv", "out.csv")
    assert finished.status == 0, finished.err
    with (bare.folder / "out.csv").open(newline="") as file:
        states = [row["state"] for row in csv.DictReader(file)]
    assert states == ["deleted", "deleted", "invalid", "deleted", "invalid"]


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
        return port


def ask(url: str, data: bytes | None = None) -> tuple[int, object]:
    """Return the HTTP status and the JSON of an answer; status 0 where nobody listens."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, data, timeout=PATIENCE_S) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, None
    except URLError:
        return 0, None


def test_the_web_app_deletes_in_the_background_what_is_posted_to_it(bare: Command) -> None:
    port = free_port()
    url = f"http://127.0.0.1:{port}/flows"
    with bare.start(sys.executable, str(EXAMPLES / "web_background.py"), str(port)) as process:
        wait_for(lambda: ask(f"{url}/1")[0] == 404)
        assert ask(url, b'["346699123", "no id"]') == (202, {"accepted": 2})
        assert ask(url, b'["346699124", "346699123"]') == (202, {"accepted": 2})
        for flow, state in (("346699123", "deleted"), ("346699124", "deleted"), ("no%20id", "invalid")):
            expected = {"flow_id": flow.replace("%20", " "), "state": state}
            wait_for(lambda: ask(f"{url}/{flow}") == (200, expected))  # noqa: B023 -- called in this turn
        assert ask(url, b"{}")[0] == ask(url, b"nothing")[0] == 400
        process.send_signal(signal.SIGTERM)
        finished = ended(process)
    assert (finished.status, finished.err) == (0, "")
    assert bare.states("web_background.ckpt") == {"deleted": 2, "invalid": 1}
