"""The report as one HTML page: no script, no request, nothing but this text."""

import base64
import hashlib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files

import jinja2
from markupsafe import Markup

from flowreaper.client.meanings import BY_STATE
from flowreaper.durations import duration
from flowreaper.model import FINAL, State
from flowreaper.report import filters
from flowreaper.report.buckets import bucket_step, buckets
from flowreaper.report.outcomes import outcome_rows
from flowreaper.report.plot import plot
from flowreaper.report.report import Commands, Report
from flowreaper.report.run_sum import RunSum
from flowreaper.report.strips import extent
from flowreaper.store.overview import Overview
from flowreaper.store.verification import CheckResult, VerificationMethod, latest_verifications

_WIDE, _NARROW = 900, 358  # the plot's width, the narrow one for telephones
_MOST_ROWS = 40
_MOST_RUNS = 50


def render(report: Report, commands: Commands) -> str:
    """Return the page; it stays below 200 kB whatever the job's size, unless the text in it must be escaped."""
    overview = report.overview
    step = bucket_step(overview.minutes)
    rows = outcome_rows(report.results)
    all_runs = RunSum(overview.runs)
    live_run = overview.live_run
    goes_on = live_run.number if live_run else None
    style = _text("page.css")
    return (
        _environment()
        .get_template("page.html.j2")
        .render(
            report=report,
            commands=commands,
            style=Markup(style),  # noqa: S704 -- a file of the package
            style_hash=base64.b64encode(hashlib.sha256(style.encode()).digest()).decode(),
            State=State,
            meanings=BY_STATE,
            rows=rows[:_MOST_ROWS],
            more_rows=rows[_MOST_ROWS:],
            sources=_most(overview.sources),
            spaces=_most(overview.spaces),
            runs=overview.runs[-_MOST_RUNS:],
            earlier=RunSum(overview.runs[:-_MOST_RUNS]),
            all_runs=all_runs,
            live_run=live_run,
            untold=report.results.count(*FINAL) - sum(all_runs.counts.values()) - _settled(overview),
            verifications=latest_verifications(overview.verifications),
            CheckResult=CheckResult,
            VerificationMethod=VerificationMethod,
            extent=extent(overview.runs, overview.minutes),
            plots={
                "wide": plot(overview.runs, overview.minutes, _WIDE, goes_on),
                "narrow": plot(overview.runs, overview.minutes, _NARROW, goes_on),
            },
            step_s=step,
            buckets=buckets(overview.minutes, step),
        )
    )


def _settled(overview: Overview) -> int:
    """Return how many outcomes no run but a verification gave."""
    return sum(each.count(CheckResult.SETTLED_DELETED) for each in overview.verifications)


def _most(counts: Mapping[str, int]) -> tuple[list[tuple[str, int]], int, int]:
    """Return the largest counts in their order, how many others there are, and what these add up to."""
    if len(counts) <= _MOST_ROWS:
        return list(counts.items()), 0, 0
    least = sorted(counts.values(), reverse=True)[_MOST_ROWS - 1]
    shown = [(name, count) for name, count in counts.items() if count >= least][:_MOST_ROWS]
    return shown, len(counts) - len(shown), sum(counts.values()) - sum(count for _, count in shown)


@cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(_text),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=filters.shown,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "whole": filters.whole,
        "moment": filters.moment,
        "moment_of": filters.moment_of,
        "duration": duration,
        "pace": filters.pace,
        "share": filters.share,
        "steps": filters.steps,
        "areas": filters.areas,
        "bars": filters.bars,
        "crosses": filters.crosses,
        "arrows": filters.arrows,
        "brief": filters.brief,
        "minute": filters.minute,
        "sentence": filters.sentence,
        "words": filters.words,
        "place": filters.place,
        "number": "{:,}".format,
        "decimal": "{:,.2f}".format,
        "plain": "{:,g}".format,
    }
    return environment


def _text(name: str) -> str:
    return files("flowreaper.report").joinpath("templates", name).read_text(encoding="utf-8")
