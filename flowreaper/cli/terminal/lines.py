"""How far a run is where nothing can be drawn: a plain line, or an event's fields. Pure."""

from typing import Any

from flowreaper.cli.terminal.progress import View, time_left, why_slow


def line(view: View) -> str:
    """Write a view as one line of text without a line break."""
    more = "+" if view.run.reading else ""
    counts = f"{view.done:,}/{view.total:,}{more}"
    parts = [counts if view.percent is None else f"{counts} ({view.percent}%)"]
    if view.this_run is not None:
        parts.append(f"this run {view.this_run:,}")
    parts.append(f"{view.calls_per_s:.1f}/s")
    parts += [f"{count:,} {word}" for count, word in view.troubles]
    if view.left_s is not None:
        parts.append(f"{time_left(view.left_s)}, {view.end()}")
    if reason := why_slow(view.run):
        parts.append(reason)
    return "  ".join(parts)


def fields(view: View) -> dict[str, Any]:
    """Return a view as the fields of ``run.progress``.

    This run's outcomes by state, then `left`: all flows without an outcome. `done`, `total` and `percent` are those
    that a person sees. Times are in seconds, `ends_at` and `stops_at` are ISO 8601; null where nobody can know. The run
    stops at `stops_at` at the latest, as it was asked to; `left_s` and `ends_at` take that into account.
    """
    run = view.run
    return {
        **{state.value: count for state, count in run.done.items()},
        "left": run.left,
        "calls_per_s": round(view.calls_per_s, 2),
        "silent_s": None if run.silent_s is None else round(run.silent_s),
        "done": view.done,
        "total": view.total,
        "percent": view.percent,
        "reading": run.reading,
        "in_doubt": run.in_doubt,
        "throttled": run.throttled,
        "permitted_per_s": round(run.permitted_per_s, 2),
        "other_clients_per_s": None if run.other_clients_per_s is None else round(run.other_clients_per_s, 2),
        "left_s": None if view.left_s is None else round(view.left_s),
        "ends_at": view.ends_at.isoformat(timespec="seconds") if view.ends_at else None,
        "stops_at": view.stops_at.isoformat(timespec="seconds") if view.stops_at else None,
        "slow_because": why_slow(run) or None,
    }
