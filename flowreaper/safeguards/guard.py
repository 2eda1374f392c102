"""Looks at a flow just before its deletion: only what is a draft, in no use and saved goes on to be deleted."""

from collections.abc import Mapping
from typing import Protocol

from flowreaper.client.actions import DRAFT, FlowDetails, TemplateId
from flowreaper.client.codes import classify, explain
from flowreaper.client.operations import Refusal
from flowreaper.errors import FatalReplyError
from flowreaper.escaping import printable
from flowreaper.model import Claim, Finding, Flow, Reply, ReplyClass, State

PASSES = Finding(None)

_SILENT = Reply(0, message="GetFlow's answer does not describe the flow")
_STATUS_LENGTH = 60
_CODE_LENGTH = 100


class FlowReader(Protocol):
    """Looks at a flow; `client.operations.Operations` has the rules."""

    async def get_flow(self, flow: Flow, /) -> FlowDetails | Refusal:
        """Return a flow's name and status."""
        ...


class Uses(Protocol):
    """Knows which flows are in use."""

    async def of(self, flow: Flow, /) -> TemplateId | None:
        """Return a template that opens the flow, None where there is none; raises RunError."""
        ...


class Saver(Protocol):
    """Saves flows."""

    async def save(self, details: FlowDetails, /) -> Finding | None:
        """Save a flow durably; return what it ends with where it cannot be saved. Raises RunError."""
        ...


class Guard:
    """What must be so before a flow is deleted, as far as it was asked for.

    `only_drafts`: its status is DRAFT. `uses`: no template opens it. `backup`: it is saved. `treat` says what codes
    mean, as for deletions.
    """

    def __init__(
        self,
        operations: FlowReader,
        *,
        only_drafts: bool,
        uses: Uses | None,
        backup: Saver | None,
        treat: Mapping[str, ReplyClass],
    ) -> None:
        self._operations = operations
        self._only_drafts = only_drafts
        self._uses = uses
        self._backup = backup
        self._treat = treat

    async def examine(self, claim: Claim) -> Finding:
        """Look at a flow; the first reason against its deletion counts.

        Raises:
            RunError: trouble that concerns every flow.
        """
        template = await self._uses.of(claim.flow) if self._uses else None
        if template and not claim.in_doubt:
            return _used(template)
        if not (template or self._only_drafts or self._backup):
            return PASSES
        details = await self._operations.get_flow(claim.flow)
        if isinstance(details, Refusal):
            return self._refused(details.reply, in_doubt=claim.in_doubt)
        return await self._judge(details, template, in_doubt=claim.in_doubt)

    async def _judge(self, details: FlowDetails, template: TemplateId | None, *, in_doubt: bool) -> Finding:
        # A flow in doubt may be gone, whatever names it: only one that is there is kept.
        if in_doubt and not details.status:
            return Finding(State.GAVE_UP, _SILENT)
        if template:
            return _used(template)
        if self._only_drafts and details.status != DRAFT:
            return _no_draft(details.status) if details.status else Finding(State.GAVE_UP, _SILENT)
        if self._backup and (not_saved := await self._backup.save(details)):
            return not_saved
        return PASSES

    def _refused(self, reply: Reply, *, in_doubt: bool) -> Finding:
        """Return what becomes of a flow that cannot be looked at: it is not deleted."""
        match classify(reply, in_doubt=in_doubt, overrides=self._treat).reply_class:
            case ReplyClass.ABSENT:
                return Finding(State.ABSENT, reply)
            case ReplyClass.FATAL:  # only where the user says so: `Operations` raises for the others
                raise FatalReplyError(explain(reply, "GetFlow"))
            case ReplyClass.REFUSED:
                return Finding(State.REFUSED, reply)
        return Finding(State.GAVE_UP, reply)


def _no_draft(status: str) -> Finding:
    word = status[:_STATUS_LENGTH]
    said = f"GetFlow says that the flow is {word}: only a draft is deleted"
    return Finding(State.KEPT, Reply(0, f"Status.{word}", said))


def _used(template: TemplateId) -> Finding:
    code = template.code[:_CODE_LENGTH]
    known_as = ", ".join(filter(None, (template.name, template.language, template.audit_status)))
    what = f"the template {code} ({known_as})" if known_as else f"the template {code}"
    return Finding(State.KEPT, Reply(0, f"Template.{code}", f"{printable(what)} opens the flow"))
