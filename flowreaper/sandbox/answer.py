"""What the service says: status, code and message, and the JSON that carries them. Pure."""

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


OK = Answer(200, "OK", "None")
LIMITED = Answer(400, "System.LimitControl", "The system is under flow control.")
