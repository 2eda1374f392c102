"""What the service says: status, code and message, and the JSON that carries them. Pure.

Each text stands here once, graded by its source:

- documented: the vendor's DeleteFlow page, its page of common errors and its pages of the gateway's errors;
- inferred: texts of the vendor's other products, and codes made up in the product's manner where the vendor
  documents none, so that a client which must not guess meets a code that it has never seen.
"""

import json
from typing import NamedTuple

_RECOMMEND = "https://api.aliyun.com/troubleshoot?product=cams"


class Answer(NamedTuple):
    """One answer. `retry_after_ms` is the service's wish in milliseconds, 0 for none."""

    status: int
    code: str
    message: str
    retry_after_ms: int = 0

    def body(self, request_id: str, host: str) -> bytes:
        """Write the JSON: a success or a HTTP 200 in one shape, an error in another (API version 2020-06-06)."""
        if self.status == 200:  # noqa: PLR2004 -- HTTP's own number
            shape = {
                "AccessDeniedDetail": "None",
                "RequestId": request_id,
                "Message": self.message,
                "Code": self.code,
            }
        else:
            shape = {
                "RequestId": request_id,
                "HostId": host,
                "Code": self.code,
                "Message": self.message,
                "Recommend": _RECOMMEND,
            }
        return json.dumps(shape).encode()


# Documented.
OK = Answer(200, "OK", "None")
NO_PERMISSION = Answer(400, "Ram.PermissionDeny", "You are not authorized to perform the operation.")
NOT_SUBSCRIBED = Answer(400, "Product.Unsubscript", "You have not subscribed to the specified product.")
LIMITED = Answer(400, "System.LimitControl", "The system is under flow control.")
FOREIGN = Answer(400, "Unknown.ResourceOwnerId", "The resource does not belong to the current user.")
# Gateways append " server string to sign is:…". Left out: the sandbox never shows what a caller signed.
MISMATCH = Answer(400, "SignatureDoesNotMatch", "Specified signature is not matched with our calculation.")
EXPIRED = Answer(400, "InvalidTimeStamp.Expired", "Specified time stamp or date value is expired.")
BAD_DATE = Answer(400, "InvalidTimeStamp.Format", "Specified time stamp or date value is not well formatted.")
NO_API = Answer(404, "InvalidApi.NotFound", "Specified api is not found,please check your url and method.")
# One page of the vendor says HTTP 404, another 400.
UNKNOWN_KEY = Answer(404, "InvalidAccessKeyId.NotFound", "Specified access key is not found.")

# Inferred.
NONCE_USED = Answer(400, "SignatureNonceUsed", "Specified signature nonce was used already.")
BAD_TOKEN = Answer(400, "InvalidSecurityToken.Expired", "Specified SecurityToken is expired.")
MISSING_FLOW_ID = Answer(400, "MissingFlowId", "FlowId is mandatory for this action.")
INTERNAL_ERROR = Answer(500, "InternalError", "The request processing has failed due to some unknown error.")
UNAVAILABLE = Answer(
    503, "ServiceUnavailable", "The request has failed due to a temporary failure of the server."
)
NOT_EXIST = Answer(400, "Flow.NotExist", "The flow does not exist.")
PUBLISHED = Answer(400, "Flow.StatusInvalid", "Only a flow in the DRAFT state can be deleted.")
LOCKED = Answer(200, "Flow.Locked", "The flow is locked by another operation.")

_BY_CODE = {
    answer.code: answer
    for answer in (
        *(
            OK,
            NO_PERMISSION,
            NOT_SUBSCRIBED,
            LIMITED,
            FOREIGN,
            MISMATCH,
            EXPIRED,
            BAD_DATE,
            NO_API,
            UNKNOWN_KEY,
        ),
        *(NONCE_USED, BAD_TOKEN, MISSING_FLOW_ID, INTERNAL_ERROR, UNAVAILABLE, NOT_EXIST, PUBLISHED),
    )
}


def answer_with(code: str) -> Answer:
    """Return the answer of a code: its known status and text, else HTTP 400 and a plain text."""
    return _BY_CODE.get(code) or Answer(400, code, "The sandbox was asked for this code.")


def incomplete_signature(complaint: str) -> Answer:
    """Return the refusal of a request whose signature cannot be checked; `complaint` says why."""
    return Answer(400, "IncompleteSignature", complaint)


def bad_request(complaint: str, status: int = 400) -> Answer:
    """Return the refusal of a request that cannot be read; `complaint` says why."""
    return Answer(status, "InvalidParameter", complaint)
