"""What the service says: status, code and message, the JSON that carries them, and the documented texts. Pure.

Source of the texts: the vendor's DeleteFlow page, its page of common errors and its pages of the gateway's errors.
What stands on no page is in ``flowreaper.sandbox.undocumented``.
"""

import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

HTTP_OK = 200
_RECOMMEND = "https://api.aliyun.com/troubleshoot?product=cams"
_EMPTY: Mapping[str, object] = MappingProxyType({})


class Answer(NamedTuple):
    """One answer. `retry_after_ms` is the service's wish in milliseconds, 0 for none.

    `content` is what a success tells beside its code, by the names of its JSON. An empty `code` is an answer of STS,
    whose successes have neither code nor message.
    """

    status: int
    code: str
    message: str
    retry_after_ms: int = 0
    content: Mapping[str, object] = _EMPTY

    def body(self, request_id: str, host: str) -> bytes:
        """Write the JSON: a success or a HTTP 200 in one shape, an error in another (API version 2020-06-06)."""
        if not self.code:
            shape: dict[str, object] = {"RequestId": request_id}
        elif self.status == HTTP_OK:
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
        if self.content:
            shape.update(self.content)
        return json.dumps(shape).encode()


OK = Answer(HTTP_OK, "OK", "None")
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

DOCUMENTED = (
    *(OK, NO_PERMISSION, NOT_SUBSCRIBED, LIMITED, FOREIGN),
    *(MISMATCH, EXPIRED, BAD_DATE, NO_API, UNKNOWN_KEY),
)


def success(**content: object) -> Answer:
    """Return a success that tells `content`."""
    return OK._replace(content=content)
