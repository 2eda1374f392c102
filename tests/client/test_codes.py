"""The table of codes, class by class, and what no reply may ever be taken for."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flowreaper.client import messages
from flowreaper.client.codes import TREATABLE, classify, explain
from flowreaper.model import Classification, Reply, ReplyClass

# No test is timed: the first text that Hypothesis draws builds its tables of Unicode.
unhurried = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

META_TEXT = (
    "Unsupported delete request. Object with ID '346699123' does not exist, cannot be loaded due to missing "
    "permissions, or does not support this operation"
)
THROTTLED = ["System.LimitControl", "Throttling", "Throttling.User", "Throttling.Api"]
TRANSIENT = ["InternalError", "ServiceUnavailable", "999999", "ERR-COMMON-001", "System.Error"]
DOUBTFUL = frozenset(TRANSIENT) - {"ServiceUnavailable"}
RENEW = [
    "InvalidSecurityToken.Expired",
    "InvalidSecurityToken.Malformed",
    "InvalidSecurityToken.NotFound",
    "InvalidSecurityToken",
    "MissingSecurityToken",
]
FATAL = [
    "Ram.PermissionDeny",
    "Product.Unsubscript",
    "NoPermission",
    "Forbidden",
    "Forbidden.RAM",
    "Forbidden.NotFound",
    "InvalidAccessKeyId.NotFound",
    "InvalidAccessKeyId.Inactive",
    "SignatureDoesNotMatch",
    "IncompleteSignature",
    "InvalidSignatureMethod",
    "InvalidAction.NotFound",
    "InvalidApi.NotFound",
    "InvalidProduct.NotFound",
    "InvalidProtocol.NeedSsl",
    "UnsupportedHTTPMethod",
    "CHAT.APIError",
]
REFUSED = [
    "Unknown.ResourceOwnerId",
    "MissingFlowId",
    "InvalidFlowId",
    "139004",
    "100",
    "Flow.Published",
    "NeverHeardOf",
    # Near misses: a code is matched whole, its case included.
    "ok",
    "OK.",
    "throttling",
    "ThrottlingUser",
    "ForbiddenFlow",
    "internalerror",
    "NotExisting",
    "notfound",
    # What is missing is not the flow.
    "InvalidCustSpaceId.NotFound",
    "CustSpaceNotExist",
    "User.NotExist",
    "Account.NotExists",
]
ABSENT = ["FlowNotExist", "Flow.NotExists", "InvalidFlowId.NotFound", "NotExist", "NotFound"]
TABLE = [
    *((code, ReplyClass.THROTTLED) for code in THROTTLED),
    *((code, ReplyClass.TRANSIENT) for code in TRANSIENT),
    *((code, ReplyClass.RENEW) for code in RENEW),
    ("InvalidTimeStamp.Expired", ReplyClass.CLOCK),
    *((code, ReplyClass.FATAL) for code in FATAL),
    *((code, ReplyClass.REFUSED) for code in REFUSED),
    *((code, ReplyClass.ABSENT) for code in ABSENT),
]
NAMED = [row for row in TABLE if row[1] not in (ReplyClass.REFUSED, ReplyClass.ABSENT)]
FINAL = [
    row
    for row in TABLE
    if row[1] in (ReplyClass.REFUSED, ReplyClass.ABSENT) and row[0] != "Unknown.ResourceOwnerId"
]

statuses = st.integers(100, 599)
codes = st.sampled_from([code for code, _ in TABLE] + ["OK", "SignatureNonceUsed", "ERR-FB-001"]) | st.text(
    min_size=1
)
replies = st.builds(
    Reply,
    status=st.sampled_from([200, 400, 403, 404, 429, 500, 503]) | statuses,
    code=codes,
    message=st.sampled_from(["", META_TEXT]) | st.text(),
    readable=st.booleans(),
    reached=st.sampled_from([True]),  # the one reply that never left has its own test
    retry_after_ms=st.sampled_from([0, 0, 1, 60_000]),
)
treatments = st.dictionaries(codes, st.sampled_from(TREATABLE))


def test_success_is_http_200_with_code_ok() -> None:
    assert classify(Reply(200, "OK", "None", "R")) == Classification(ReplyClass.DELETED)


def test_success_in_doubt_is_a_success() -> None:
    assert classify(Reply(200, "OK"), in_doubt=True) == Classification(ReplyClass.DELETED)


def test_success_is_a_success_even_where_the_answer_asks_to_slow_down() -> None:
    assert classify(Reply(200, "OK", retry_after_ms=500)) == Classification(ReplyClass.DELETED)


@pytest.mark.parametrize("in_doubt", [False, True])
@pytest.mark.parametrize("status", [200, 400, 403, 404])
@pytest.mark.parametrize(("code", "kind"), TABLE)
def test_code_decides_before_the_status(code: str, kind: ReplyClass, status: int, *, in_doubt: bool) -> None:
    assert classify(Reply(status, code, "m"), in_doubt=in_doubt) == Classification(
        kind, doubt=code in DOUBTFUL
    )


@pytest.mark.parametrize("status", [500, 502, 503, 504])
@pytest.mark.parametrize(("code", "kind"), NAMED)
def test_named_codes_keep_their_meaning_under_a_5xx(code: str, kind: ReplyClass, status: int) -> None:
    assert classify(Reply(status, code)) == Classification(kind, doubt=kind is ReplyClass.TRANSIENT)


@pytest.mark.parametrize("status", [500, 502, 503, 504, 599])
@pytest.mark.parametrize(("code", "_kind"), FINAL)
def test_a_5xx_with_a_code_of_its_own_is_transient_and_in_doubt(
    code: str, _kind: ReplyClass, status: int
) -> None:
    assert classify(Reply(status, code)) == Classification(ReplyClass.TRANSIENT, doubt=True)


def test_somebody_elses_flow_is_refused_under_any_status() -> None:
    assert {classify(Reply(s, "Unknown.ResourceOwnerId")) for s in range(200, 600)} >= {
        Classification(ReplyClass.REFUSED)
    }
    assert classify(Reply(500, "Unknown.ResourceOwnerId")) == Classification(ReplyClass.REFUSED)


def test_404_says_nothing_about_the_flow() -> None:
    assert classify(Reply(404, "NeverHeardOf")).reply_class is ReplyClass.REFUSED
    assert classify(Reply(404, "InvalidAction.NotFound")).reply_class is ReplyClass.FATAL
    assert classify(Reply(404, readable=False)) == Classification(ReplyClass.TRANSIENT, doubt=True)


@pytest.mark.parametrize("status", [201, 202, 204, 301, 400, 403, 404, 500, 503])
def test_ok_that_its_status_contradicts_leaves_the_flow_in_doubt(status: int) -> None:
    assert classify(Reply(status, "OK")) == Classification(ReplyClass.TRANSIENT, doubt=True)


def test_ok_that_its_status_contradicts_slows_down_if_told_so() -> None:
    assert classify(Reply(429, "OK")) == Classification(ReplyClass.THROTTLED, doubt=True)
    assert classify(Reply(503, "OK", retry_after_ms=1)) == Classification(ReplyClass.THROTTLED, doubt=True)


def test_a_users_word_does_not_change_what_ok_means() -> None:
    overrides = {"OK": ReplyClass.REFUSED}
    assert classify(Reply(200, "OK"), overrides=overrides) == Classification(ReplyClass.DELETED)
    assert classify(Reply(500, "OK"), overrides=overrides) == Classification(ReplyClass.TRANSIENT, doubt=True)


@pytest.mark.parametrize("code", [*TRANSIENT, "NeverHeardOf", "FlowNotExist", "ERR-FB-001"])
@pytest.mark.parametrize(("status", "retry_after_ms"), [(429, 0), (400, 1), (200, 1)])
def test_429_or_a_time_to_wait_is_throttling(code: str, status: int, retry_after_ms: int) -> None:
    throttled = Classification(ReplyClass.THROTTLED, doubt=code in DOUBTFUL)
    assert classify(Reply(status, code, retry_after_ms=retry_after_ms)) == throttled


@pytest.mark.parametrize("code", [*TRANSIENT, "NeverHeardOf", "FlowNotExist"])
def test_a_5xx_that_names_a_time_to_wait_is_throttling_that_leaves_doubt(code: str) -> None:
    assert classify(Reply(503, code, retry_after_ms=1)) == Classification(ReplyClass.THROTTLED, doubt=True)


@pytest.mark.parametrize("code", THROTTLED)
def test_a_throttled_call_was_not_made_so_there_is_no_doubt(code: str) -> None:
    assert classify(Reply(503, code, retry_after_ms=1)) == Classification(ReplyClass.THROTTLED)


@pytest.mark.parametrize(
    "code",
    ["Ram.PermissionDeny", "InvalidTimeStamp.Expired", "MissingSecurityToken", "Unknown.ResourceOwnerId"],
)
def test_a_code_that_says_why_is_not_throttling_under_429(code: str) -> None:
    assert classify(Reply(429, code, retry_after_ms=1)) == classify(Reply(400, code))


@pytest.mark.parametrize("status", [200, 400, 500])
def test_a_used_nonce_is_tried_again_in_doubt(status: int) -> None:
    assert classify(Reply(status, "SignatureNonceUsed")) == Classification(ReplyClass.TRANSIENT, doubt=True)


def test_a_used_nonce_stays_in_doubt_where_it_is_throttled() -> None:
    assert classify(Reply(429, "SignatureNonceUsed")) == Classification(ReplyClass.THROTTLED, doubt=True)


@pytest.mark.parametrize(
    "message",
    [
        META_TEXT,
        "The flow does not exist.",
        "FLOW DOES NOT EXIST",
        "the flow 346699123 doesn't exist",
        "(#100) Object does not exist",
    ],
)
def test_metas_text_means_absent_only_for_a_flow_in_doubt(message: str) -> None:
    reply = Reply(400, "ERR-FB-001", message)
    assert classify(reply, in_doubt=True) == Classification(ReplyClass.ABSENT)
    assert classify(reply, in_doubt=False) == Classification(ReplyClass.REFUSED)


@pytest.mark.parametrize(
    "message",
    [
        "",
        "None",
        "(#139004) Flow can't be deleted: it is published",
        "the space does not exist",
        "workflow does not exist",
        "does not exist",
        "the flow does exist",
        "the flow does not existentially matter",
    ],
)
@pytest.mark.parametrize("code", ["ERR-FB-001", "NeverHeardOf"])
def test_another_text_is_a_refusal_even_for_a_flow_in_doubt(code: str, message: str) -> None:
    assert classify(Reply(400, code, message), in_doubt=True) == Classification(ReplyClass.REFUSED)


def test_a_message_alone_means_absent_only_for_a_flow_in_doubt() -> None:
    reply = Reply(400, "NeverHeardOf", "flow 1 does not exist")
    assert classify(reply, in_doubt=True) == Classification(ReplyClass.ABSENT)
    assert classify(reply) == Classification(ReplyClass.REFUSED)


def test_a_text_of_absence_does_not_soften_a_named_code() -> None:
    assert classify(Reply(400, "Ram.PermissionDeny", META_TEXT), in_doubt=True) == Classification(
        ReplyClass.FATAL
    )
    assert classify(Reply(400, "Unknown.ResourceOwnerId", META_TEXT), in_doubt=True) == Classification(
        ReplyClass.REFUSED
    )


@pytest.mark.parametrize("kind", TREATABLE)
@pytest.mark.parametrize(
    "code", ["NeverHeardOf", "FlowNotExist", "Ram.PermissionDeny", "System.LimitControl"]
)
def test_a_users_word_comes_before_the_table(code: str, kind: ReplyClass) -> None:
    assert classify(Reply(400, code, retry_after_ms=1), overrides={code: kind}) == Classification(kind)


def test_a_users_word_comes_before_the_status_but_leaves_its_doubt() -> None:
    overrides = {"Gone": ReplyClass.ABSENT, "Hiccup": ReplyClass.TRANSIENT, "Slow": ReplyClass.THROTTLED}
    assert classify(Reply(500, "Gone"), overrides=overrides) == Classification(ReplyClass.ABSENT)
    assert classify(Reply(500, "Hiccup"), overrides=overrides) == Classification(
        ReplyClass.TRANSIENT, doubt=True
    )
    assert classify(Reply(400, "Hiccup"), overrides=overrides) == Classification(ReplyClass.TRANSIENT)
    assert classify(Reply(500, "Slow"), overrides=overrides) == Classification(ReplyClass.THROTTLED)


def test_a_users_word_holds_for_its_code_alone() -> None:
    assert (
        classify(
            Reply(400, "Other"), overrides={"Oth": ReplyClass.ABSENT, "other": ReplyClass.FATAL}
        ).reply_class
        is ReplyClass.REFUSED
    )


def test_nobody_can_say_deleted_but_the_service() -> None:
    assert ReplyClass.DELETED not in TREATABLE


@pytest.mark.parametrize("status", [0, 200, 302, 403, 404, 500, 502, 504])
def test_an_answer_that_cannot_be_read_leaves_the_flow_in_doubt(status: int) -> None:
    assert classify(Reply(status, readable=False)) == Classification(ReplyClass.TRANSIENT, doubt=True)


def test_a_request_that_never_left_leaves_no_doubt() -> None:
    assert classify(Reply(0, readable=False, reached=False)) == Classification(ReplyClass.TRANSIENT)


def test_an_unreadable_429_turned_the_call_away() -> None:
    assert classify(Reply(429, readable=False)) == Classification(ReplyClass.THROTTLED)


@pytest.mark.parametrize("status", [200, 502, 503])
def test_an_unreadable_answer_that_names_a_time_to_wait_is_throttling_that_leaves_doubt(status: int) -> None:
    assert classify(Reply(status, readable=False, retry_after_ms=1)) == Classification(
        ReplyClass.THROTTLED, doubt=True
    )


def test_explanation_keeps_the_services_words_and_says_what_to_do() -> None:
    text = explain(Reply(403, "Ram.PermissionDeny", "Denied", "R-1"))
    for part in ("Ram.PermissionDeny", "403", "Denied", "R-1", "cams:DeleteFlow"):
        assert part in text


@pytest.mark.parametrize("code", FATAL)
def test_every_fatal_code_has_an_explanation_with_a_next_step(code: str) -> None:
    assert "What to do: " in explain(Reply(403, code))


def test_explanation_escapes_what_the_service_wrote() -> None:
    text = explain(Reply(403, "A\x1b[2J", "b\rc\u202e", "\x07"))
    assert "\\x1b[2J" in text
    assert all(line.isprintable() for line in text.splitlines())
    assert len(text.splitlines()) == 2


@unhurried
@given(reply=replies, in_doubt=st.booleans(), overrides=treatments)
def test_only_a_readable_200_ok_is_deleted(
    reply: Reply, *, in_doubt: bool, overrides: dict[str, ReplyClass]
) -> None:
    classification = classify(reply, in_doubt=in_doubt, overrides=overrides)
    success = reply.readable and reply.status == 200 and reply.code == "OK"
    assert (classification.reply_class is ReplyClass.DELETED) == success


@unhurried
@given(reply=replies, in_doubt=st.booleans(), overrides=treatments)
def test_an_answer_without_words_is_never_final(
    reply: Reply, *, in_doubt: bool, overrides: dict[str, ReplyClass]
) -> None:
    classification = classify(reply._replace(readable=False), in_doubt=in_doubt, overrides=overrides)
    assert classification.reply_class in (ReplyClass.TRANSIENT, ReplyClass.THROTTLED)
    assert classification.doubt or reply.status == 429


@unhurried
@given(reply=replies, in_doubt=st.booleans(), overrides=treatments)
def test_a_classification_that_leaves_doubt_is_never_final(
    reply: Reply, *, in_doubt: bool, overrides: dict[str, ReplyClass]
) -> None:
    classification = classify(reply, in_doubt=in_doubt, overrides=overrides)
    assert not classification.doubt or classification.reply_class in (
        ReplyClass.TRANSIENT,
        ReplyClass.THROTTLED,
    )


@unhurried
@given(reply=replies)
def test_a_5xx_without_a_users_word_never_decides_a_flow_by_an_unknown_code(reply: Reply) -> None:
    classification = classify(reply._replace(status=500, code=f"X{reply.code}"))
    assert classification.doubt
    assert classification.reply_class in (ReplyClass.TRANSIENT, ReplyClass.THROTTLED)


@unhurried
@given(reply=replies, overrides=treatments)
def test_doubt_turns_refused_into_absent_and_changes_nothing_else(
    reply: Reply, overrides: dict[str, ReplyClass]
) -> None:
    sure = classify(reply, in_doubt=False, overrides=overrides)
    unsure = classify(reply, in_doubt=True, overrides=overrides)
    assert sure == unsure or (sure.reply_class, unsure.reply_class) == (ReplyClass.REFUSED, ReplyClass.ABSENT)


@unhurried
@given(body=st.binary(), status=statuses)
def test_noise_from_the_wire_is_in_doubt_or_turned_away(body: bytes, status: int) -> None:
    classification = classify(messages.read_answer(status, {}, body).reply)
    assert classification in (
        Classification(ReplyClass.TRANSIENT, doubt=True),
        Classification(ReplyClass.THROTTLED),
    )
