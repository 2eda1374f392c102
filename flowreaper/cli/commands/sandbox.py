"""``flowreaper sandbox``: a stand-in for the service, to rehearse against."""

import asyncio
import os
import shlex
import signal
from pathlib import Path

import click

from flowreaper.cli.exit_status import ExitStatus
from flowreaper.cli.help import HelpCommand
from flowreaper.cli.suggestions import Choice
from flowreaper.sandbox import CREDENTIALS, Sandbox, SandboxOptions
from flowreaper.sandbox.assets import FLOW_JSON
from flowreaper.sandbox.flow import FlowStatus
from flowreaper.sandbox.operations import DELETE_FLOW, OPERATIONS
from flowreaper.sandbox.options import ACCOUNT_ID
from flowreaper.sandbox.trouble import Trouble

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_KIND_WIDTH = max(map(len, Trouble))
# click does not wrap a paragraph that begins with a backspace character.
_KINDS = "\b\n" + "\n".join(
    (
        "A SCRIPT is KIND:PROBABILITY, KIND:#CALL, KIND:#FIRST-LAST or KIND:#FIRST-,",
        "or several of these with commas between them. KIND is one of",
        *(f"  {kind:{_KIND_WIDTH}}  {kind.meaning}" for kind in Trouble),
    )
)
_OPERATIONS = (
    f"KIND is about {DELETE_FLOW}. OPERATION/KIND is about another, whose calls are counted by themselves; 'the flow is"
    " deleted' then means that its work is done. OPERATION is one of "
    f"{', '.join(name for name in OPERATIONS if name != DELETE_FLOW)}; or {FLOW_JSON}, the request for the JSON at the"
    " address that GetFlowJSONAssest gives."
)

_EXAMPLES = (
    "flowreaper sandbox --port 8080 --window sliding",
    "flowreaper sandbox --trouble 'reset-after:0.05,html-503:#10-20'",
    "flowreaper sandbox --trouble 'answer:Product.Unsubscript:#3'",
    "flowreaper sandbox --seed-flows 2000 --trouble 'GetFlow/throttle:0.1'",
    "flowreaper sandbox --seed-flows 200 --deny ListChatappTemplate --list-lag 5",
)
_STATUSES = {ExitStatus.DONE: "stopped by SIGINT (Ctrl-C), SIGTERM or SIGHUP", ExitStatus.USAGE: "bad usage"}


@click.command(
    "sandbox", cls=HelpCommand, epilog=f"{_KINDS}\n\n{_OPERATIONS}", examples=_EXAMPLES, statuses=_STATUSES
)
@click.option(
    "--port",
    metavar="PORT",
    type=click.IntRange(0, 65535),
    default=0,
    help="Port on 127.0.0.1; default: a free one.",
)
@click.option(
    "--window",
    type=Choice(["fixed", "sliding", "bucket", "none"]),
    default="bucket",
    show_default=True,
    metavar="KIND",
    help="How calls are counted: in seconds of the clock (fixed), in any second (sliding), by a token bucket (bucket),"
    " or not at all (none).",
)
@click.option(
    "--rate",
    metavar="N",
    type=click.IntRange(1),
    default=5,
    show_default=True,
    help="Calls a second that are admitted, of each operation.",
)
@click.option(
    "--latency",
    metavar="S",
    type=click.FloatRange(0),
    default=0.02,
    show_default=True,
    help="Seconds an answer takes.",
)
@click.option(
    "--jitter",
    metavar="S",
    type=click.FloatRange(0),
    default=0.0,
    help="Calls arrive up to this many seconds late.",
)
@click.option("--published", type=_FILE, help="File of ids that are published, and so cannot be deleted.")
@click.option("--foreign", type=_FILE, help="File of ids that belong to another account.")
@click.option("--known", type=_FILE, help="File of all ids that exist. [default: every id is a draft]")
@click.option(
    "--seed-flows",
    metavar="N",
    type=click.IntRange(0, 1_000_000),
    default=0,
    help="Begin with an account of N flows in mixed states and several spaces, and with templates that name some of"
    " them; --seed makes another. No other flow exists.",
)
@click.option(
    "--list-lag",
    metavar="S",
    type=click.FloatRange(0),
    default=0.0,
    help="ListFlow notices what was created or deleted this many seconds late.",
)
@click.option(
    "--deny",
    metavar="NAMES",
    default="",
    help="Operations, with commas between them, that answer Ram.PermissionDeny, as to a RAM user without the action.",
)
@click.option(
    "--account-id",
    metavar="ID",
    default=ACCOUNT_ID,
    show_default=True,
    help="The account that GetCallerIdentity tells.",
)
@click.option(
    "--trouble",
    default="",
    metavar="SCRIPT",
    help="Trouble to make, such as `reset-after:0.05`; kinds below.",
)
@click.option(
    "--clock-offset",
    type=float,
    default=0.0,
    metavar="S",
    help="Seconds that its clock is ahead. Beyond 900, calls are refused for their date.",
)
@click.option(
    "--seed",
    metavar="N",
    type=int,
    default=0,
    help="Makes --seed-flows and the chances in --trouble and --jitter repeatable.",
)
def command(
    *,
    port: int,
    window: str,
    rate: int,
    latency: float,
    jitter: float,
    published: Path | None,
    foreign: Path | None,
    known: Path | None,
    seed_flows: int,
    list_lag: float,
    deny: str,
    account_id: str,
    trouble: str,
    clock_offset: float,
    seed: int,
) -> None:
    """Serve a sandbox on this machine until it is stopped, and print how to point a client at it.

    It serves the operations on flows, templates and spaces, checks signatures, counts calls against each
    operation's quota and lists them at GET /ledger?action=OPERATION (DeleteFlow's without it). Its access key works
    nowhere else.
    """
    options = SandboxOptions(
        window=window,
        rate=rate,
        latency_s=latency,
        jitter_s=jitter,
        published=_ids(published) or frozenset(),
        foreign=_ids(foreign) or frozenset(),
        known=_ids(known),
        trouble=trouble,
        clock_offset_s=clock_offset,
        seed=seed,
        seed_flows=seed_flows,
        list_lag_s=list_lag,
        deny=frozenset(name.strip() for name in deny.split(",") if name.strip()),
        account_id=account_id,
    )
    asyncio.run(_serve(options, port))


async def _serve(options: SandboxOptions, port: int) -> None:
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, stopped.set)
    async with Sandbox(options, port=port) as sandbox:
        for name, value in (
            ("FLOWREAPER_ENDPOINT", sandbox.url),
            ("ALIBABA_CLOUD_ACCESS_KEY_ID", CREDENTIALS.access_key_id),
            ("ALIBABA_CLOUD_ACCESS_KEY_SECRET", CREDENTIALS.access_key_secret),
        ):
            click.echo(f"export {name}={shlex.quote(value)}")
        click.echo(_for_other_clients(sandbox), err=True)
        await stopped.wait()


def _for_other_clients(sandbox: Sandbox) -> str:
    """Say where the sandbox listens, and how the official SDKs are pointed at it.

    They read the key from the environment, but no endpoint (alibabacloud-tea-openapi 0.4.6 and
    @alicloud/openapi-client 0.4.15): without these lines they call the real service. The official command line
    (aliyun 3.4.11) signs with the older signature 1.0, which the sandbox does not check.
    """
    endpoint = f"127.0.0.1:{sandbox.port}"
    key, secret = CREDENTIALS.access_key_id, CREDENTIALS.access_key_secret
    return f"""The lines above point flowreaper at the sandbox, and no other client.
An official SDK calls the REAL service unless its Config names endpoint and protocol:
  Python:     Config(access_key_id='{key}', access_key_secret='{secret}', endpoint='{endpoint}', protocol='http')
  TypeScript: new Config({{ accessKeyId: '{key}', accessKeySecret: '{secret}', endpoint: '{endpoint}', protocol: 'http' }})
`aliyun cams DeleteFlow` cannot use the sandbox: it signs with version 1.0, the sandbox checks version 3 only.
{_content(sandbox)}The sandbox listens on {sandbox.url} (process {os.getpid()}). Press Ctrl-C to stop it."""


def _content(sandbox: Sandbox) -> str:
    """Say in a line what a seeded account holds; of any other there is nothing to say."""
    flows = sandbox.service.stored
    if not flows:
        return ""
    drafts = sum(stored.status is FlowStatus.DRAFT for stored in flows.values())
    spaces = len({flow.cust_space_id for flow in flows})
    codes = {template.code for template in sandbox.accounts[sandbox.options.account_id].templates}
    return f"It holds {len(flows):,} flows in {spaces} spaces, {drafts:,} of them drafts, and {len(codes):,} template{'' if len(codes) == 1 else 's'}.\n"


def _ids(path: Path | None) -> frozenset[str] | None:
    if path is None:
        return None
    lines = (line.strip() for line in path.read_text(encoding="utf-8-sig").splitlines())
    return frozenset(line for line in lines if line and not line.startswith("#"))
