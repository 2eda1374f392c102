"""The page: its structure, what it says, and that nothing foreign gets into its markup."""

import base64
import hashlib
import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowreaper.model import Ending, Flow, State
from flowreaper.report.page import render
from flowreaper.report.report import Report
from flowreaper.report.result_list import Kind
from flowreaper.store.verification import CheckResult, Remaining, Verification, VerificationMethod
from tests.report.samples import (
    BEGIN_MS,
    COMMANDS,
    CONFIRMED,
    HOUR_MS,
    PENDING,
    History,
    histories,
    minutes_of,
    report,
    run,
)

NOTHING = Remaining()
VERIFICATION = Verification(
    at_ms=BEGIN_MS,
    method=VerificationMethod.LOOK,
    complete=True,
    known=3000,
    wanted=10,
    counts={
        CheckResult.GONE: 8,
        CheckResult.REMAINS: 1,
        CheckResult.UNKNOWN: 1,
        CheckResult.KEPT: 2,
        CheckResult.KEPT_GONE: 1,
    },
)
VOID = {"meta", "link", "br"}
SEPARATE = {"td", "th", "li", "p", "caption", "h1", "h2", "h3"}
HOSTILE = [
    "<script>alert(1)</script>",
    "\"' onload=alert(1) x='",
    "\u202egnp.exe",
    "\x1b[2J",
    "{{ 7 * 7 }}",
    "]]><!--",
]


class Structure(HTMLParser):
    """A page's elements, its text, and what is wrong with their nesting."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text: dict[str, str] = {}
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag
        if tag in SEPARATE:
            self.handle_data(" ")

    def handle_data(self, data: str) -> None:
        for tag in set(self.open):
            self.text[tag] = self.text.get(tag, "") + data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


def full(**fields: object) -> Report:
    past = run(1, BEGIN_MS, HOUR_MS, calls=9, counts={State.DELETED: 3})
    return report((past,), tuple(minutes_of(past)), **fields)  # type: ignore[arg-type]  # the names of its own fields


def words(text: str) -> str:
    return " ".join(Structure(text).text["body"].split())


def test_the_page_is_whole_and_its_parts_are_what_a_reader_without_style_needs() -> None:
    page = Structure(render(full(), COMMANDS))
    assert page.open == []
    assert page.all("html") == [{"lang": "en"}]
    assert {"charset": "utf-8"} in page.all("meta")
    assert any(meta.get("name") == "viewport" for meta in page.all("meta"))
    assert page.text["title"].startswith("job.ckpt: 3 of 3 flows deleted")
    assert len(page.all("h1")) == 1
    assert len(page.all("h2")) == 6
    assert all(head.get("scope") in ("col", "row") for head in page.all("th"))
    identifiers = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(identifiers) == len(set(identifiers))
    named = {name for _, found in page.elements for name in (found.get("aria-labelledby") or "").split()}
    assert named <= set(identifiers)


def test_the_page_holds_no_script_no_style_attribute_and_no_address() -> None:
    page = Structure(render(full(), COMMANDS))
    assert not {"script", "img", "iframe", "object", "form", "base", "a"} & {tag for tag, _ in page.elements}
    for tag, attributes in page.elements:
        assert not any(name == "style" or name.startswith("on") for name in attributes), tag
        assert not {"src", "srcset", "action", "xlink:href"} & set(attributes), tag
    assert page.all("link") == [{"rel": "icon", "href": "data:,"}]
    assert "@import" not in page.text["style"]
    assert set(re.findall(r"url\((.*?)\)", render(full(), COMMANDS))) == {"#wide-silent", "#narrow-silent"}


def test_the_policy_allows_this_style_and_nothing_else() -> None:
    page = Structure(render(full(), COMMANDS))
    (policy,) = (
        meta["content"] for meta in page.all("meta") if meta.get("http-equiv") == "Content-Security-Policy"
    )
    digest = base64.b64encode(hashlib.sha256(page.text["style"].encode()).digest()).decode()
    assert (
        policy
        == f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:; base-uri 'none'; form-action 'none'"
    )


def test_a_plot_is_an_image_with_a_title_and_a_description_and_needs_no_style() -> None:
    page = Structure(render(full(), COMMANDS))
    wide, narrow = (svg for svg in page.all("svg") if svg.get("role") == "img")
    assert wide["aria-labelledby"] == "wide-title wide-desc"
    assert ("display" in wide, narrow["display"]) == (False, "none")  # hidden without a style, too
    assert {"wide-title", "narrow-title"} <= {title.get("id") for title in page.all("title")}
    assert {desc.get("id") for desc in page.all("desc")} == {"wide-desc", "narrow-desc"}
    permitted = next(path for path in page.all("path") if path.get("class") == "permitted")
    assert permitted["stroke"] == "currentColor"
    assert permitted["stroke-dasharray"]  # told apart without colour


@given(histories())
def test_whatever_the_history_the_page_is_whole_and_no_path_has_a_value_that_is_no_number(
    history: History,
) -> None:
    runs, minutes = history
    page = Structure(render(report(runs, minutes), COMMANDS))
    assert page.open == []
    for path in page.all("path"):
        assert re.fullmatch(r"[MLHVZlmhv0-9. -]*", path["d"] or "")


@pytest.mark.parametrize("text", HOSTILE)
def test_foreign_text_is_shown_as_text_and_steers_nothing(text: str) -> None:
    kinds = {
        Kind(State.REFUSED, text, inferred=False, in_doubt=False): 1,
        Kind(State.INVALID, "", inferred=False, in_doubt=False): 1,
    }
    samples = {kind: (Flow(text, text),) for kind in kinds}
    past = run(error=text, host=text, version=text, access_key=text, ending=Ending.STOPPED)
    written = render(report((past,), (), kinds, samples, missing=text, checkpoint=text), COMMANDS)
    harmless = render(
        report((run(error="x", ending=Ending.STOPPED),), (), kinds, samples, missing="x"), COMMANDS
    )
    assert {tag for tag, _ in Structure(written).elements} == {tag for tag, _ in Structure(harmless).elements}
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f\u202a-\u202e\u2066-\u2069]", written)
    shown = words(written)
    assert text.replace("\u202e", "\\u202e").replace("\x1b", "\\x1b") in shown


@given(st.text(max_size=40))
def test_no_text_at_all_changes_the_structure(text: str) -> None:
    def tags(name: str) -> list[str]:
        written = render(report((run(host=name),), (), checkpoint=f"a{name}"), COMMANDS)
        return [tag for tag, _ in Structure(written).elements]

    assert tags(text) == tags("x")


def test_the_totals_name_every_state_and_what_is_in_doubt() -> None:
    kinds = {
        CONFIRMED: 5,
        Kind(State.DELETED, "Unknown.FlowId", inferred=True, in_doubt=True): 2,
        Kind(State.GAVE_UP, "InternalError", inferred=False, in_doubt=True): 3,
        Kind(State.CLAIMED, "", inferred=False, in_doubt=True): 1,
        Kind(State.INVALID, "", inferred=False, in_doubt=False): 4,
        PENDING: 6,
    }
    shown = words(render(full(kinds=kinds), COMMANDS))
    assert "Of 17 flows, 7 are deleted, 3 were given up, and 7 have no outcome yet. 4 pieces" in shown
    assert "4 pieces of the input are no flow id" in shown
    assert "In doubt: it is not known whether 4 flows are deleted" in shown
    assert "of these by inference 2 9.5 %" in shown
    for state in State:
        assert f" {state.value} " in shown


def test_while_a_run_goes_on_the_page_says_that_it_is_a_snapshot_and_blames_no_call_that_is_under_way() -> (
    None
):
    kinds = {CONFIRMED: 5, Kind(State.CLAIMED, "", inferred=False, in_doubt=True): 9}
    past = run(ended_at_ms=None, ending=None)
    shown = words(render(report((past,), (), kinds, live=True), COMMANDS))
    assert (
        "A snapshot: a run was going on when this page was made (pid 4711 on batch-1 since 2025-11-24T16:00:00+00:00)"
        in shown
    )
    assert "In doubt" not in shown
    assert "Run 1: goes on." in shown
    assert "it was cut off the run that goes on" in shown  # the keys of the two marks
    cut = words(render(report((past,), (), kinds), COMMANDS))
    assert "Not complete: 9 flows have no outcome" in cut
    assert "Run 1: cut off (killed, or its machine went down)." in cut
    assert "the run that goes on" not in cut


def test_a_run_that_was_cut_off_does_not_go_on_because_another_has_begun() -> None:
    past = run(begin_ms=BEGIN_MS - HOUR_MS, ended_at_ms=None, ending=None)
    shown = words(render(report((past,), (), live=True), COMMANDS))
    assert "A snapshot: a run was going on" in shown
    assert "Run 1: cut off (killed, or its machine went down)." in shown


def test_an_ending_says_what_it_means_and_why() -> None:
    past = run(ending=Ending.STOPPED, error="nothing answered for 1 h")
    shown = words(render(report((past,)), COMMANDS))
    assert f"stopped ({Ending.STOPPED.meaning}): nothing answered for 1 h." in shown


def test_a_rehearsal_and_what_is_missing_are_said_first() -> None:
    shown = words(render(full(sandbox=True, missing="job.ckpt is not whole: look"), COMMANDS))
    assert "A rehearsal: the calls went to a sandbox. No real flow was deleted." in shown
    assert "Warning: job.ckpt is not whole: look" in shown


def test_a_checkpoint_without_a_history_says_so_and_has_no_plot() -> None:
    written = render(report(), COMMANDS)
    assert "holds no history of its runs" in words(written)
    assert "<svg" not in written


def test_outcomes_that_no_run_tells_of_are_counted() -> None:
    past = run(counts={State.DELETED: 1})
    assert "The history lacks 2 outcomes" in words(render(report((past,)), COMMANDS))
    assert "The history lacks" not in words(render(full(), COMMANDS))


def test_the_digest_stands_beside_the_command_that_makes_it() -> None:
    shown = words(render(full(), COMMANDS))
    assert "ab" * 32 in shown
    assert COMMANDS.digest in shown
    assert "flowreaper results --state refused" not in shown  # nothing is refused here


@pytest.mark.parametrize(("character", "most"), [("x", 200_000), ("<", 300_000)])
def test_the_page_stays_small_whatever_the_history_and_the_codes(character: str, most: int) -> None:
    long = character * 500
    runs = tuple(
        run(n, BEGIN_MS + n * 5 * HOUR_MS, HOUR_MS, ending=None, ended_at_ms=None, error=long)
        for n in range(1, 1001)
    )
    minutes = tuple(
        minute
        for past in runs
        for minute in minutes_of(past, calls=past.number % 300, silent_s=past.number % 2)
    )
    kinds = {Kind(State.REFUSED, f"{n}{long}", inferred=False, in_doubt=False): 1 for n in range(500)}
    samples = {kind: (Flow(long, long),) * 3 for kind in kinds}
    written = render(report(runs, minutes, kinds, samples), COMMANDS)
    assert len(written.encode()) < most
    shown = words(written)
    assert "460 more codes 460 see the full list" in shown
    assert "Runs 1 to 950: see flowreaper status --json job.ckpt" in shown


def verified(*verifications: Verification, remaining: Remaining = NOTHING) -> str:
    """Return the page of a job that was verified, without its markup."""
    plain = report((run(),))
    overview = replace(plain.overview, verifications=verifications, remaining=remaining)
    return re.sub(r"<[^>]*>", "", render(replace(plain, overview=overview), COMMANDS))


def test_the_latest_verification_is_among_the_facts() -> None:
    text = verified(VERIFICATION)
    assert "UTC: 1 of 9 deleted or absent flows remains, a sample of 10 of 3,000; each was looked at" in text
    assert "1 could not be looked at; 2 kept are there; 1 kept is gone, not by this job" in text
    cut = replace(VERIFICATION, complete=False, method=VerificationMethod.LISTING, wanted=30)
    assert "the flows were listed; cut short, so 20 were not checked" in verified(cut)
    assert "Verified" not in render(report((run(),)), COMMANDS)


def test_a_sample_hides_no_earlier_verification_of_all_flows() -> None:
    whole = replace(VERIFICATION, known=42, wanted=42, counts={CheckResult.GONE: 42})
    text = verified(whole, VERIFICATION)
    assert "UTC: 1 of 9 deleted or absent flows remains, a sample of 10 of 3,000" in text
    assert re.search(r"All flows verified.*UTC: 0 of 42 deleted or absent flows remain; each was", text)
    assert "All flows verified" not in verified(VERIFICATION, whole)


def test_the_flows_that_remain_are_listed_and_escaped() -> None:
    text = verified(VERIFICATION, remaining=Remaining(flows=7, sample=(Flow("<b>1", "cams-x"), Flow("2"))))
    assert (
        "A verification found 7 flows there although they are recorded as deleted or absent, the first"
        in text
    )
    assert "&lt;b&gt;1" in text
    assert "flowreaper results --remaining job.ckpt" in text
    assert "What remains" not in verified(VERIFICATION)


def test_an_outcome_that_a_verification_settled_is_not_missing_from_the_runs() -> None:
    plain = report((run(counts={State.DELETED: 1}),))
    settled = replace(VERIFICATION, counts={CheckResult.SETTLED_DELETED: 2})
    assert "The history lacks 2 outcomes" in render(plain, COMMANDS)
    overview = replace(plain.overview, verifications=(settled,))
    assert "The history lacks" not in render(replace(plain, overview=overview), COMMANDS)
