"""``flowreaper report``: the page of a job that ran, and what becomes of it where something is in its way."""

import hashlib
import os
import re
import stat
from collections.abc import Callable

import pytest

from tests.end_to_end.command import Command, Service, ended, wait_for

Ids = Callable[[int], list[str]]
Begin = Callable[..., tuple[Service, Command]]
PAGE = "flows.txt.ckpt.html"


@pytest.fixture
def job(begin: Begin, ids: Ids) -> Command:
    """A job with a flow deleted, one refused, one pending, and an invalid line."""
    _, command = begin("--trouble", "ok-with-error-code:#2")
    command.write("flows.txt", "two <b>words", *ids(3))
    command.delete("--concurrency", "1", "--limit", "2", "flows.txt")
    return command


def test_the_page_says_what_was_deleted_and_its_digest_can_be_made_again(job: Command) -> None:
    made = job.run("report", "flows.txt.ckpt")
    assert (made.status, made.out, made.err) == (0, "", f"Written: {PAGE}\n")
    page = job.folder / PAGE
    assert stat.S_IMODE(page.stat().st_mode) == 0o600
    text = page.read_text(encoding="utf-8")
    assert "Of 3 flows, 1 is deleted, 1 was refused, and 1 has no outcome yet." in text
    assert "two &lt;b&gt;words" in text
    assert "<strong>limit</strong>" in text
    assert 'class="plot wide"' in text
    command = next(found for found in re.findall(r"<code>(.*?)</code>", text) if "sha256sum" in found)
    digest = job.shell(command).out.split()[0]
    assert f"<pre><code>{digest}</code></pre>" in text
    listed = job.run("results", "flows.txt.ckpt").out
    assert digest == hashlib.sha256(listed.encode()).hexdigest()


def test_the_commands_of_the_page_work_as_they_stand_whatever_the_checkpoint_is_named(job: Command) -> None:
    name = "-it's a job.ckpt"
    (job.folder / "flows.txt.ckpt").rename(job.folder / name)
    text = job.run("report", "-o", "-", "--", name).out
    for escaped in re.findall(r"flowreaper results [^<]*", text):
        for line in escaped.replace("&#39;", "'").replace("&#34;", '"').strip().splitlines():
            done = job.shell(line)
            assert (done.status, done.err) == (0, ""), line
    assert (job.folder / "-it's a job.refused.csv").exists()
    assert (job.folder / "-it's a job.results.jsonl").exists()


def test_another_file_stays_as_it_is_and_a_failure_leaves_none(job: Command) -> None:
    (job.folder / PAGE).write_text("mine")
    again = job.run("report", "flows.txt.ckpt")
    assert (again.status, again.out) == (2, "")
    assert f"{PAGE} already exists" in again.err
    assert (job.folder / PAGE).read_text() == "mine"
    (job.folder / "damaged.ckpt").write_bytes((job.folder / "flows.txt.ckpt").read_bytes()[:9000])
    assert job.run("report", "-o", "page.html", "damaged.ckpt").status in (2, 3)
    assert job.run("report", "-o", "page.html", "none.ckpt").status == 2
    assert job.run("report", "-o", "flows.txt.ckpt-wal", "flows.txt.ckpt").status == 2
    assert not (job.folder / "page.html").exists()


def test_a_full_disk_leaves_no_page_and_exits_with_3(job: Command) -> None:
    if not os.path.exists("/dev/full"):  # noqa: PTH110 -- a device, not a path of ours
        pytest.skip("there is no /dev/full here")
    done = job.shell("flowreaper report -o - flows.txt.ckpt > /dev/full")
    assert done.status == 3
    assert "cannot write to standard output" in done.err


def test_while_a_run_goes_on_the_page_is_a_snapshot_whose_numbers_belong_together(
    begin: Begin, ids: Ids
) -> None:
    service, command = begin()
    command.write("flows.txt", *ids(400))
    with command.flowreaper("delete", "--yes", "flows.txt") as process:
        wait_for(lambda: len(service.ledger()) > 4)
        text = command.run("report", "-o", "-", "flows.txt.ckpt").out
        process.terminate()
        ended(process)
    assert "A snapshot:" in text
    assert "In doubt:" not in text
    found = re.search(r"Of 400 flows, (\d+) are deleted", text)
    assert found
    assert 0 < int(found[1]) < 400
    assert "<strong>goes on</strong>" in text
