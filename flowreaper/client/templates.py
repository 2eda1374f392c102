"""Which flows message templates open: a draft among them may be live."""

from collections.abc import Mapping, Sequence
from contextlib import aclosing
from typing import Protocol

from flowreaper.client.actions import TemplateId, TemplatePage
from flowreaper.client.concurrent_calls import in_order
from flowreaper.client.operations import Refusal
from flowreaper.client.paging import listing_error, named_space, read_pages
from flowreaper.errors import Advice, ListingError
from flowreaper.escaping import printable
from flowreaper.model import Reply

TemplateUse = TemplateId
"""The template that names a flow."""


class Templates(Protocol):
    """Asks for templates; `client.operations.Operations` does."""

    async def list_template(self, space: str, *, index: int, size: int) -> TemplatePage | Refusal:
        """Return a page of a space's templates."""
        ...

    async def get_template(self, space: str, template: TemplateId) -> Sequence[str] | Refusal | None:
        """Return the ids of the flows that a template opens; None where the answer does not tell."""
        ...


async def used_flows(operations: Templates, space: str) -> Mapping[str, TemplateUse]:
    """Return the ids of the flows of a space that a template names, each with the first such template.

    Every template counts, whatever its audit status: one that is rejected may be submitted again. A template that was
    deleted meanwhile names nothing.

    Raises:
        ListingError: a template cannot be read: any flow may be in use.
        RunError: trouble that concerns every call.
    """
    templates = await _list_templates(operations, space)

    async def flows_of(template: TemplateId) -> tuple[TemplateId, Sequence[str]]:
        return template, await _flows_of(operations, space, template)

    uses: dict[str, TemplateUse] = {}
    async with aclosing(in_order(templates, flows_of)) as named:
        async for template, flow_ids in named:
            for flow_id in flow_ids:
                uses.setdefault(flow_id, template)
    return uses


async def _flows_of(operations: Templates, space: str, template: TemplateId) -> Sequence[str]:
    answer = await operations.get_template(space, template)
    name = f"the template {printable(template.code)} ({printable(template.language)}) of {named_space(space)}"
    if answer is None:
        raise ListingError(
            f"{name} cannot be read: the service's answer does not tell which flows its buttons open",
            Advice.WITHOUT_TEMPLATES,
        )
    if not isinstance(answer, Refusal):
        return answer
    if answer.gone:
        return ()
    raise listing_error(name, "GetChatappTemplateDetail", answer.reply, Advice.WITHOUT_TEMPLATES)


async def _list_templates(operations: Templates, space: str) -> list[TemplateId]:
    what, total = f"the templates of {named_space(space)}", 0

    async def fetch(index: int, size: int) -> Sequence[TemplateId] | Refusal:
        nonlocal total
        page = await operations.list_template(space, index=index, size=size)
        if isinstance(page, Refusal):
            return page
        total = page.total or total
        return page.templates

    def refused(reply: Reply) -> ListingError:
        return listing_error(what, "ListChatappTemplate", reply, Advice.WITHOUT_TEMPLATES)

    pages = read_pages(fetch, lambda template: (template.code, template.language), refused=refused)
    found = [template async for template in pages]
    if len(found) < total:
        raise ListingError(
            f"{what} cannot be read whole: the service says that there are {total:,}, and lists {len(found):,}, so any"
            " flow may be in use. Begin again later",
            Advice.WITHOUT_TEMPLATES,
        )
    return found
