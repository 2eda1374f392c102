"""One account's calls of the operations beside DeleteFlow, one typed method an operation.

Each operation has a limiter of its own, so that none of them slows the deletions. A call is repeated while trouble
passes: throttling and outages without end, an expired key and a wrong clock once, a failing service `max_attempts`
times. What concerns every call is an exception, as for deletions; any other refusal is a value.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

from flowreaper.client import actions
from flowreaper.client.actions import Action, CallerIdentity, FlowDetails, ListedFlow, Space, TemplateId
from flowreaper.client.backoff import backoff_s
from flowreaper.client.codes import advice_for, classify, explain, in_words, is_answer
from flowreaper.client.meanings import is_permission
from flowreaper.client.messages import Answer
from flowreaper.client.paced_operation import Limiter, PacedOperation
from flowreaper.client.repair import Repair
from flowreaper.errors import Advice, FatalReplyError, OutageError
from flowreaper.escaping import printable
from flowreaper.events import Log
from flowreaper.model import HELD_BACK, Flow, Reply, ReplyClass

FIRST_ANSWER_S = 60.0
"""The longest wait for a service that has never answered: a mistyped endpoint does not mend itself."""

INCOMPLETE = "Answer.Incomplete"
"""The code of an answer that says OK, but does not hold what was asked for."""
OUTAGE_CALLS = 3
"""An outage is told when this many calls in a row had no answer: one that fails now and then is none."""

_LONGEST_WAIT_S = 300.0

_WITHOUT = {
    "GetFlow": Advice.WITHOUT_STATUS,
    "GetFlowJSONAssest": Advice.WITHOUT_JSON,
    "ListFlow": Advice.WITHOUT_LIST,
    "ListInstance": Advice.WITHOUT_SPACES,
    "ListChatappTemplate": Advice.WITHOUT_TEMPLATES,
    "GetChatappTemplateDetail": Advice.WITHOUT_TEMPLATES,
}

_OF_THE_KEY = ("InvalidAccessKeyId", "SignatureDoesNotMatch", "IncompleteSignature", "InvalidSecurityToken")
# What STS says of a wrong key: DeleteFlow would be refused for the same. No operation of STS needs a permission.


class Sender(Protocol):
    """Sends one account's calls."""

    async def call(
        self,
        action: Action,
        timeout_s: float | None,
        on_sent: Callable[[], None],
        may_send: Callable[[], bool],
        /,
    ) -> Answer:
        """Send a call once, and return the answer, whatever it is; `client.Client` has the rules."""
        ...


class Refusal(NamedTuple):
    """An operation was refused for this flow, space or template: the reply says why, `gone` that it does not exist."""

    reply: Reply
    gone: bool = False


class Operations:
    """Calls an account's operations through `sender`.

    `limiter_of` makes the limiter of an operation, by its name. `outage_limit_s` is how long nothing may answer before
    OutageError, `max_attempts` how many times a call that meets a failing service is made. `luck` returns 0 to 1.

    Every method raises RunError for what concerns every call: FatalReplyError (a missing permission, an unknown key),
    OutageError, CredentialsError. A method that is cancelled sends no more.
    """

    def __init__(
        self,
        sender: Sender,
        limiter_of: Callable[[str], Limiter],
        repair: Repair,
        *,
        outage_limit_s: float,
        max_attempts: int,
        luck: Callable[[], float],
        log: Log,
    ) -> None:
        self._sender = sender
        self._limiter_of = limiter_of
        self._repair = repair
        self._outage_limit_s = outage_limit_s
        self._max_attempts = max_attempts
        self._luck = luck
        self._log = log
        self._paces: dict[str, PacedOperation] = {}
        self._has_answered = False
        self._unanswered = 0  # calls since the last answer
        self.calls = 0
        """How many calls were made."""
        self.silent_since: float | None = None
        """Since when nothing has answered, on the event loop's clock; None where there is no outage."""

    async def get_flow(self, flow: Flow) -> FlowDetails | Refusal:
        """Return a flow's name and status."""
        answer = await self._call(actions.get_flow(flow))
        return answer if isinstance(answer, Refusal) else actions.read_flow(answer.content, flow)

    async def get_flow_json(self, flow: Flow) -> str | Refusal:
        """Return the URL of a flow's JSON; empty where it has none."""
        answer = await self._call(actions.get_flow_json(flow))
        if isinstance(answer, Refusal):
            return answer
        url = actions.read_flow_json(answer.content, flow)
        return _incomplete(answer, "it does not say where this flow's JSON is") if url is None else url

    async def list_flow(
        self, space: str, *, index: int, size: int, name: str = ""
    ) -> list[ListedFlow] | Refusal | None:
        """Return one page of a space's flows, as `actions.list_flow`; None where the answer holds no list."""
        answer = await self._call(actions.list_flow(space, index=index, size=size, name=name))
        if isinstance(answer, Refusal):
            return answer
        return (
            actions.read_listed(answer.content, space) if actions.has_list(answer.content, "Data") else None
        )

    async def list_instance(self, *, index: int, size: int) -> list[Space] | Refusal:
        """Return one page of the account's instances: a space may have several, an instance none."""
        answer = await self._call(actions.list_instance(index=index, size=size))
        return answer if isinstance(answer, Refusal) else actions.read_spaces(answer.content)

    async def list_template(self, space: str, *, index: int, size: int) -> actions.TemplatePage | Refusal:
        """Return one page of a space's templates."""
        answer = await self._call(actions.list_template(space, index=index, size=size))
        if isinstance(answer, Refusal):
            return answer
        page = actions.read_templates(answer.content)
        # A number of all templates is as good as an empty list; with neither, any flow may be in use.
        said = index > 1 or page.total is not None or actions.has_list(answer.content, "ListTemplate")
        return page if said else _incomplete(answer, "it holds no list (ListTemplate)")

    async def get_template(self, space: str, template: TemplateId) -> list[str] | Refusal | None:
        """Return the ids of the flows that a template's buttons open; None where the answer does not tell."""
        answer = await self._call(actions.get_template(space, template))
        return answer if isinstance(answer, Refusal) else actions.read_flow_buttons(answer.content)

    async def get_caller_identity(self) -> CallerIdentity | Refusal:
        """Return whose access key it is. `sender` must be at the endpoint of STS."""
        answer = await self._call(actions.get_caller_identity())
        return answer if isinstance(answer, Refusal) else actions.read_identity(answer.content)

    async def create_flow(
        self, space: str, name: str, categories: Sequence[str], endpoint_uri: str = ""
    ) -> str | Refusal:
        """Make a draft and return its id. After a lost answer nobody knows whether it was made: that is a Refusal."""
        action = actions.create_flow(space, name, categories, endpoint_uri)
        answer = await self._call(action, repeatable=False)
        return answer if isinstance(answer, Refusal) else actions.read_created(answer.content)

    async def update_flow_json(self, flow: Flow, url: str) -> Refusal | None:
        """Let the service fetch a flow's JSON from a URL; return None where it did."""
        answer = await self._call(actions.update_flow_json(flow, url))
        return answer if isinstance(answer, Refusal) else None

    async def _call(self, action: Action, *, repeatable: bool = True) -> Answer | Refusal:
        """Make a call, again and again while trouble passes; `repeatable`: also where its answer was lost."""
        failures, first_failed_at = 0, float("inf")
        while True:
            generation = self._repair.credentials_generation
            answer, sent_at = await self._send(action)
            reply = answer.reply
            self._record_answer(reply, action)
            reply_class, doubt = classify(reply)
            if reply_class is ReplyClass.DELETED:  # Code OK: the service did what was asked
                self._repair.record_success()
                return answer
            if doubt and not repeatable:  # a reply that asks to slow down can leave doubt, too
                return Refusal(reply)
            if reply_class is ReplyClass.TRANSIENT:
                failures += 1
                first_failed_at = min(first_failed_at, asyncio.get_running_loop().time())
                if self._is_exhausted(failures, first_failed_at):
                    return Refusal(reply)
                await asyncio.sleep(backoff_s(failures, self._luck()))
            elif reply_class is ReplyClass.THROTTLED:
                wait_s = min(reply.retry_after_ms / 1000, _LONGEST_WAIT_S)
                self._pace_of(action).throttled(sent_at, wait_s)
            elif reply_class in (ReplyClass.RENEW, ReplyClass.CLOCK):
                if error := await self._repair.attempt(reply_class, reply, generation):
                    raise error
            elif reply_class is ReplyClass.FATAL:
                raise _fatal(action, reply)
            else:
                return Refusal(reply, gone=reply_class is ReplyClass.ABSENT)

    def _is_exhausted(self, failures: int, first_failed_at: float) -> bool:
        """Return whether a call has failed often enough; not where no other has had an answer meanwhile."""
        nothing_answers = self.silent_since is not None and self.silent_since <= first_failed_at
        return failures >= self._max_attempts and not nothing_answers

    async def _send(self, action: Action) -> tuple[Answer, float]:
        """Make the call once; return the answer, and when it was sent."""
        pace = self._pace_of(action)
        while True:
            permit = await pace.acquire()
            try:
                answer = await self._sender.call(action, None, permit.sent, permit.is_fresh)
            finally:
                permit.sent()
            if answer.reply is not HELD_BACK:
                self.calls += 1
                return answer, permit.granted_at

    def _pace_of(self, action: Action) -> PacedOperation:
        pace = self._paces.get(action.name)
        if pace is None:
            pace = self._paces[action.name] = PacedOperation(self._limiter_of(action.name))
        return pace

    def _record_answer(self, reply: Reply, action: Action) -> None:
        """Follow whether anything answers; raise OutageError where nothing has for too long."""
        now = asyncio.get_running_loop().time()
        if is_answer(reply):
            if self.silent_since is not None and self._unanswered >= OUTAGE_CALLS:
                self._log.info("reading.outage_ended", seconds=round(now - self.silent_since, 1))
            self._has_answered, self.silent_since, self._unanswered = True, None, 0
            return
        if self.silent_since is None:
            self.silent_since = now
        self._unanswered += 1
        if self._unanswered == OUTAGE_CALLS:
            self._log.warning(
                "reading.outage_began", operation=action.name, http_status=reply.status, message=reply.message
            )
        limit_s = self._outage_limit_s if self._has_answered else min(FIRST_ANSWER_S, self._outage_limit_s)
        if now - self.silent_since >= limit_s:
            raise _outage(action, reply, now - self.silent_since)


def _incomplete(answer: Answer, why: str) -> Refusal:
    return Refusal(answer.reply._replace(code=INCOMPLETE, message=why))


def _fatal(action: Action, reply: Reply) -> FatalReplyError:
    if action.version == actions.STS_VERSION and not reply.code.startswith(_OF_THE_KEY):
        return FatalReplyError(f"STS refuses {action.name}: {in_words(reply)}", Advice.WITHOUT_IDENTITY)
    advice = _WITHOUT.get(action.name) if is_permission(reply.code) else advice_for(reply)
    return FatalReplyError(explain(reply, action.name), advice)


def _outage(action: Action, reply: Reply, lasted_s: float) -> OutageError:
    status = f"HTTP {reply.status} " if reply.status else ""
    return OutageError(
        f"{action.name} has had no answer for {lasted_s:.0f} seconds; the last try: {status}{printable(reply.message)}."
        " Check the network, the proxy and the endpoint, then go on",
        Advice.WAIT_LONGER,
    )
