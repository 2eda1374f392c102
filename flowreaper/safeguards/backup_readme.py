"""The text that a backup's folder explains itself with. Pure.

It names a command, as no message of the core does: its reader may have nothing but this folder, years later.
"""

from flowreaper.escaping import printable
from flowreaper.safeguards.backup_entry import Origin

_TEXT = """\
This folder is a backup of WhatsApp flows. flowreaper saved each flow here before it deleted it. Some may
be there all the same: where a run was cut off, or the service refused to delete them.

Account:   {account}
Endpoint:  {endpoint}

  index.jsonl            one line a saved flow: id, space, name, folder, digest
  SPACE/FLOW/            a flow's folder; SPACE is "account" for the account's own flows
    details.json         the service's answer about the flow (GetFlow), and where it comes from
    flow.json            the flow's JSON as it came; not there where the flow had none
  restored.jsonl         which drafts were made of these flows, and their new ids

FLOW~2 is a later copy of FLOW. The last line of a flow in index.jsonl names the copy that counts. In the names of
folders, %xx stands for a byte that is no lower-case letter, digit, - or _; "~" and a long number end a name that
was too long.

To make drafts of these flows again, in the folder above this one:

  flowreaper restore {folder}

It shows what it would do, and asks. A flow that is still there gets no draft. The drafts get new ids, and are empty
unless the service can fetch these files from a URL: the command's help says how. What it cannot bring back: the old ids
and what pointed to them, published states, preview links.

Flows can hold what people were asked, and keys of endpoints: keep this folder as private as the account.
"""


def readme(origin: Origin, folder: str) -> str:
    """Return the text for a folder of this name that holds flows from `origin`."""
    return _TEXT.format(
        account=printable(origin.account) or "not known", endpoint=printable(origin.endpoint), folder=folder
    )
