"""What the sandbox does where the vendor documents nothing: codes, texts, pages, order, transitions. Pure.

All of it is inferred: from the vendor's other products, from Meta's own rules for flows, or made up in the product's
manner, so that a client which must not guess meets a code that it has never seen. The real service may differ in each
point. Beyond the values below, the sandbox assumes that

- ListFlow tells flows in the order in which they were made, and what is deleted moves the rest forward between pages;
- a page after the last one is empty;
- a filter by name finds names that contain its text;
- the account's own space is listed by ListInstance, with an empty CustSpaceId;
- CreateFlow takes a name that another flow has, and PublishFlow a flow that has no JSON;
- UpdateFlowJSONAsset keeps the address, and the JSON is made up from it: the sandbox fetches nothing.
"""

from flowreaper.sandbox.answer import DOCUMENTED, HTTP_OK, Answer

PAGE_SIZE = 20
"""Entries of a page where the caller does not say how many."""

PAGE_CAP = 100
"""Entries of a page at most, however many are asked for."""

ASSET_LIFE_S = 3600.0
"""How long the address of a flow's JSON stays valid."""

PREVIEW_LIFE_S = 30 * 86_400.0
"""How long the address of a preview stays valid. `PreviewUrlExpires` is taken for milliseconds since the epoch."""

JSON_VERSION, DATA_API_VERSION = "6.3", "3.0"

NONCE_USED = Answer(400, "SignatureNonceUsed", "Specified signature nonce was used already.")
BAD_TOKEN = Answer(400, "InvalidSecurityToken.Expired", "Specified SecurityToken is expired.")
INTERNAL_ERROR = Answer(500, "InternalError", "The request processing has failed due to some unknown error.")
UNAVAILABLE = Answer(
    503, "ServiceUnavailable", "The request has failed due to a temporary failure of the server."
)
LOCKED = Answer(HTTP_OK, "Flow.Locked", "The flow is locked by another operation.")

NOT_EXIST = Answer(400, "Flow.NotExist", "The flow does not exist.")
"""Any operation, asked about a flow that is not there."""

NO_TEMPLATE = Answer(400, "Template.NotExist", "The template does not exist in this language.")
PUBLISHED = Answer(400, "Flow.StatusInvalid", "Only a flow in the DRAFT state can be deleted.")
NO_DRAFT = PUBLISHED._replace(message="Only a flow in the DRAFT state can be published.")
NOT_PUBLISHED = PUBLISHED._replace(message="Only a flow in the PUBLISHED state can be deprecated.")
IS_DEPRECATED = PUBLISHED._replace(message="A flow in the DEPRECATED state cannot be edited.")


def missing(parameter: str) -> Answer:
    """Return the refusal of a call that lacks a parameter."""
    return Answer(400, f"Missing{parameter}", f"{parameter} is mandatory for this action.")


def invalid(parameter: str, complaint: str) -> Answer:
    """Return the refusal of a parameter's value; `complaint` says why."""
    return Answer(400, f"Invalid{parameter}", complaint)


def incomplete_signature(complaint: str) -> Answer:
    """Return the refusal of a request whose signature cannot be checked; `complaint` says why."""
    return Answer(400, "IncompleteSignature", complaint)


def bad_request(complaint: str, status: int = 400) -> Answer:
    """Return the refusal of a request that cannot be read; `complaint` says why."""
    return Answer(status, "InvalidParameter", complaint)


MISSING_FLOW_ID = missing("FlowId")

_BY_CODE = {
    answer.code: answer
    for answer in (
        *DOCUMENTED,
        *(NONCE_USED, BAD_TOKEN, INTERNAL_ERROR, UNAVAILABLE),
        *(NOT_EXIST, NO_TEMPLATE, PUBLISHED, MISSING_FLOW_ID),
    )
}


def answer_with(code: str) -> Answer:
    """Return the answer of a code: its known status and text, else HTTP 400 and a plain text."""
    return _BY_CODE.get(code) or Answer(400, code, "The sandbox was asked for this code.")
