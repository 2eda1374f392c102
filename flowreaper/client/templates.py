"""Which flows message templates open: a draft among them may be live."""

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Protocol

from flowreaper.client.actions import TemplateId
from flowreaper.client.operations import Refusal
from flowreaper.client.paging import listing_error, named_space, read_pages
from flowreaper.errors import Advice, ListingError
from flowreaper.escaping import printable
from flowreaper.model import Reply

TemplateUse = TemplateId
"""The template that names a flow."""

_AT_ONCE = 20
# At 5 calls a second this covers answers that take up to 4 seconds.


class Templates(Protocol):
    """Asks for templates; `client.operations.Operations` does."""

    async def list_template(self, space: str, *, index: int, size: int) -> Sequence[TemplateId] | Refusal:
        """Return a page of a space's templates."""
        ...

    async def get_template(self, space: str, template: TemplateId) -> Sequence[str] | Refusal | None:
        """Return the ids of the flows that a template opens; None where the answer has no components."""
        ...


async def used_flows(operations: Templates, space: str) -> Mapping[str, TemplateUse]:
    """Return the ids of the flows of a space that a template names, each with the first such template.

    Every template counts, whatever its audit status: one that is rejected may be submitted again. A template that was
    deleted meanwhile names nothing.

    Raises:
        ListingError: a template cannot be read: any flow may be in use.
        RunError: trouble that concerns every call.
    """
    templates = [template async for template in _list_templates(operations, space)]
    waiting = iter(enumerate(templates))
    named: dict[int, Sequence[str]] = {}

    async def read_on() -> None:
        for number, template in waiting:
            named[number] = await _flows_of(operations, space, template)

    try:
        async with asyncio.TaskGroup() as tasks:
            for _ in range(min(_AT_ONCE, len(templates))):
                tasks.create_task(read_on())
    except* Exception as errors:  # noqa: BLE001 -- unwrapped, not swallowed: one task's error stands for all
        raise _first(errors) from None
    uses: dict[str, TemplateUse] = {}
    for number, template in enumerate(templates):
        for flow_id in named[number]:
            uses.setdefault(flow_id, template)
    return uses


async def _flows_of(operations: Templates, space: str, template: TemplateId) -> Sequence[str]:
    answer = await operations.get_template(space, template)
    name = f"the template {printable(template.code)} ({printable(template.language)}) of {named_space(space)}"
    if answer is None:
        raise ListingError(
            f"{name} cannot be read: the service's answer has no components, so nobody knows which flows it opens",
            Advice.WITHOUT_TEMPLATES,
        )
    if not isinstance(answer, Refusal):
        return answer
    if answer.gone:
        return ()
    raise listing_error(name, "GetChatappTemplateDetail", answer.reply, Advice.WITHOUT_TEMPLATES)


def _list_templates(operations: Templates, space: str) -> AsyncGenerator[TemplateId, None]:
    async def fetch(index: int, size: int) -> Sequence[TemplateId] | Refusal:
        return await operations.list_template(space, index=index, size=size)

    def refused(reply: Reply) -> ListingError:
        what = f"the templates of {named_space(space)}"
        return listing_error(what, "ListChatappTemplate", reply, Advice.WITHOUT_TEMPLATES)

    return read_pages(fetch, lambda template: (template.code, template.language), refused=refused)


def _first(errors: BaseExceptionGroup[BaseException]) -> BaseException:
    """Return the first error that is no group."""
    error: BaseException = errors
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
