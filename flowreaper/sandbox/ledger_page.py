"""``GET /ledger``: what was called, as JSON."""

import asyncio
import contextlib
import json
from collections.abc import Iterator, Mapping

from aiohttp import web

from flowreaper.sandbox.ledger import Ledger
from flowreaper.sandbox.operations import DELETE_FLOW

LEDGER_PATH = "/ledger"
_PAGE_CALLS = 1000
_EVERY = "*"


class LedgerPage:
    """Shows the ledgers, by the names of their operations."""

    def __init__(self, ledgers: Mapping[str, Ledger]) -> None:
        self._ledgers = ledgers

    async def show(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer ``?action=NAME&since=N`` with that operation's calls after number N.

        Without an action it is DeleteFlow, without a number all of them; ``action=*`` counts the calls of each
        operation. It goes page by page, so that calls get through.
        """
        action = request.query.get("action", DELETE_FLOW)
        if action == _EVERY:
            totals = {name: ledger.total for name, ledger in self._ledgers.items()}
            return web.json_response({"calls": totals})
        ledger = self._ledgers.get(action)
        if ledger is None:
            names = ", ".join((_EVERY, *self._ledgers))
            return web.Response(status=400, text=f"action must be one of {names}\n")
        since = request.query.get("since", "0")
        if not (since.isascii() and since.isdigit() and len(since) < 16):  # noqa: PLR2004 -- no such ledger
            return web.Response(status=400, text="since must be a call's number\n")
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        await response.prepare(request)
        with contextlib.suppress(ConnectionError):
            for piece in _pieces(ledger, int(since)):
                await response.write(piece.encode())
                await asyncio.sleep(0)
        return response


def _pieces(ledger: Ledger, since: int) -> Iterator[str]:
    # What arrives while it is written belongs to the next reader.
    total = ledger.total
    heading = {"total": total, "redirects_followed": ledger.redirects_followed}
    yield f'{json.dumps(heading)[:-1]}, "calls": ['
    comma = ""
    while since < total:
        calls = ledger.page(since, min(_PAGE_CALLS, total - since))
        if not calls:
            break
        yield comma + ",\n".join(json.dumps(call.as_dict()) for call in calls)
        since, comma = calls[-1].number, ",\n"
    yield "]}\n"
