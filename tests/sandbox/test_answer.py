import json

import pytest

from flowreaper.sandbox.answer import OK
from flowreaper.sandbox.undocumented import answer_with

DOCUMENTED = {
    "OK": (200, "None"),
    "Ram.PermissionDeny": (400, "You are not authorized to perform the operation."),
    "Product.Unsubscript": (400, "You have not subscribed to the specified product."),
    "System.LimitControl": (400, "The system is under flow control."),
    "Unknown.ResourceOwnerId": (400, "The resource does not belong to the current user."),
    "SignatureDoesNotMatch": (400, "Specified signature is not matched with our calculation."),
    "InvalidTimeStamp.Expired": (400, "Specified time stamp or date value is expired."),
    "InvalidTimeStamp.Format": (400, "Specified time stamp or date value is not well formatted."),
    "InvalidApi.NotFound": (404, "Specified api is not found,please check your url and method."),
    "InvalidAccessKeyId.NotFound": (404, "Specified access key is not found."),
}


@pytest.mark.parametrize("code", DOCUMENTED)
def test_a_documented_code_has_its_documented_status_and_text(code: str) -> None:
    answer = answer_with(code)
    assert (answer.status, answer.message) == DOCUMENTED[code]
    assert answer.code == code


def test_an_unknown_code_is_a_plain_http_400() -> None:
    assert answer_with("Some.Code")[:3] == (400, "Some.Code", "The sandbox was asked for this code.")


def test_answers_have_the_documented_shapes() -> None:
    success, error = (json.loads(answer_with(code).body("R", "H")) for code in ("OK", "Some.Code"))
    assert set(success) == {"AccessDeniedDetail", "RequestId", "Message", "Code"}
    assert set(error) == {"RequestId", "HostId", "Code", "Message", "Recommend"}
    assert answer_with("OK") is OK
