"""The operations that flowreaper calls, each as a signed request. Pure; sends nothing.

Source of the parameters: the vendor's DeleteFlow page (API version 2020-06-06).
"""

from flowreaper.client.messages import Request, signed_request
from flowreaper.model import Credentials, Flow


def delete_flow(flow: Flow, credentials: Credentials, *, host: str, now_s: float, nonce: str) -> Request:
    """Build one signed DeleteFlow call; `host`, `now_s` and `nonce` as for `signed_request`."""
    parameters = {"FlowId": flow.flow_id}
    if flow.cust_space_id:
        parameters["CustSpaceId"] = flow.cust_space_id
    return signed_request("DeleteFlow", parameters, credentials, host=host, now_s=now_s, nonce=nonce)
