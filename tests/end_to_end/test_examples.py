"""Each file of examples/ is run as its reader would run it."""

import sys

from tests.end_to_end.command import ROOT, Command

EXAMPLES = ROOT / "examples"


def test_every_example_is_run_here() -> None:
    found = {path.name for path in EXAMPLES.iterdir() if path.is_file()}
    assert found == {"flows.txt", "flows.csv", "pipe.sh", "library.py"}


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
