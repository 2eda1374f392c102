"""A web app that deletes flows in the background: one job for the app's lifetime, which every request feeds.

    python examples/web_background.py 8080
    curl -X POST http://127.0.0.1:8080/flows -d '["346699123", "346699124"]'
    curl http://127.0.0.1:8080/flows/346699123

What is unfinished when the app stops is called when it starts again: the checkpoint web_background.ckpt holds it.

It runs against a sandbox on this machine, which forgets all when the app stops. For the real service leave out
`settings` and `credentials`, and ask who may post: deletion has no undo.
"""

import asyncio
import sys
from collections.abc import AsyncIterator

from aiohttp import web

from flowreaper import Deletion, Job, RunError, Settings, open_job, parse_endpoint
from flowreaper.sandbox import CREDENTIALS, Sandbox, SandboxOptions

JOB = web.AppKey("job", Job)
STATES = web.AppKey("states", dict[str, str])  # your database
TASKS = web.AppKey("tasks", set[asyncio.Task[None]])


async def one_job(app: web.Application) -> AsyncIterator[None]:
    """Open the job before the first request; leave it after the last, once the calls in progress have their replies."""
    app[STATES], app[TASKS] = {}, set()
    async with Sandbox(SandboxOptions()) as sandbox:
        settings = Settings(endpoint=parse_endpoint(sandbox.url), sandbox=True)
        async with open_job("web_background.ckpt", settings=settings, credentials=CREDENTIALS) as job:
            app[JOB] = job
            keep_up(app, job.delete_unfinished())
            yield
        await asyncio.gather(*app[TASKS])  # they write down what came last


def keep_up(app: web.Application, records: Deletion) -> None:
    """Write the outcomes down as they come, in a task of its own."""

    async def write_down() -> None:
        try:
            async for record in records:
                app[STATES][record.flow_id] = record.state.value
        except RunError as error:  # no permission, an outage, a full disk: the job has stopped
            print(f"the job has stopped: {error}", file=sys.stderr)

    task = asyncio.create_task(write_down())
    app[TASKS].add(task)
    task.add_done_callback(app[TASKS].discard)


async def post_flows(request: web.Request) -> web.Response:
    """Begin to delete the flows of a JSON array; answer at once."""
    try:
        flows = await request.json()
    except ValueError:
        flows = None
    if not isinstance(flows, list) or not all(isinstance(flow, str) for flow in flows):
        raise web.HTTPBadRequest(text="send a JSON array of flow ids, as strings\n")
    for flow in flows:
        request.app[STATES].setdefault(flow, "accepted")
    keep_up(request.app, request.app[JOB].delete(flows))
    return web.json_response({"accepted": len(flows)}, status=202)


async def get_flow(request: web.Request) -> web.Response:
    """Answer what became of a flow."""
    flow_id = request.match_info["flow_id"]
    if flow_id not in request.app[STATES]:
        raise web.HTTPNotFound(text="no such flow was posted\n")
    return web.json_response({"flow_id": flow_id, "state": request.app[STATES][flow_id]})


def make_app() -> web.Application:
    """Return the app."""
    app = web.Application()
    app.cleanup_ctx.append(one_job)
    app.add_routes([web.post("/flows", post_flows), web.get("/flows/{flow_id}", get_flow)])
    return app


if __name__ == "__main__":
    web.run_app(make_app(), host="127.0.0.1", port=int(sys.argv[1]))
