"""Events reach a logger of the standard library as records; a structlog logger takes them as they are."""

import logging
from typing import Any

import pytest
import structlog

from flowreaper.events import Log, SilentLog, as_log

NAME = "tests.events"


@pytest.fixture
def logger(caplog: pytest.LogCaptureFixture) -> logging.Logger:
    caplog.set_level(logging.DEBUG, NAME)
    return logging.getLogger(NAME)


def attributes(record: logging.LogRecord) -> dict[str, Any]:
    return vars(record)


def test_an_event_is_a_record_with_its_fields_in_the_message_and_beside_it(
    logger: logging.Logger, caplog: pytest.LogCaptureFixture
) -> None:
    as_log(logger).info("flow.refused", flow_id="1", message="100% no", attempts=2)
    (record,) = caplog.records
    assert record.getMessage() == "flow.refused flow_id='1' message='100% no' attempts=2"
    assert attributes(record)["event"] == "flow.refused"
    assert attributes(record)["fields"] == {"flow_id": "1", "message": "100% no", "attempts": 2}


@pytest.mark.parametrize("level", ["debug", "info", "warning"])
def test_a_record_has_the_level_and_the_place_of_the_call(
    level: str, logger: logging.Logger, caplog: pytest.LogCaptureFixture
) -> None:
    getattr(as_log(logger), level)("run.began")
    (record,) = caplog.records
    assert record.levelname == level.upper()
    assert record.funcName == "test_a_record_has_the_level_and_the_place_of_the_call"
    assert record.getMessage() == "run.began"


def test_the_level_of_the_logger_decides(logger: logging.Logger, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING, NAME)
    log = as_log(logger)
    log.info("run.began")
    assert not caplog.records
    assert not log.is_enabled_for(logging.INFO)
    assert log.is_enabled_for(logging.WARNING)


def test_a_logger_adapter_is_a_logger_too(logger: logging.Logger, caplog: pytest.LogCaptureFixture) -> None:
    log = as_log(logging.LoggerAdapter(logger, {"job": "7"}))
    log.warning("outage.began", http_status=503)
    (record,) = caplog.records
    assert record.getMessage() == "outage.began http_status=503"
    assert attributes(record)["job"] == "7"


def test_nothing_in_a_field_can_steer_a_terminal(
    logger: logging.Logger, caplog: pytest.LogCaptureFixture
) -> None:
    as_log(logger).warning("flow.refused", message="\x1b[2J\u202e\n", code="\u200b\ue000")
    (record,) = caplog.records
    assert record.getMessage().isprintable()


@pytest.mark.parametrize(
    "wrapper", [structlog.make_filtering_bound_logger(logging.DEBUG), structlog.stdlib.BoundLogger]
)
def test_a_structlog_logger_gets_events_and_fields_unchanged(
    wrapper: type, logger: logging.Logger, caplog: pytest.LogCaptureFixture
) -> None:
    taken: list[dict[str, Any]] = []

    def take(_logger: object, _method: str, event: Any) -> Any:
        taken.append(dict(event))
        raise structlog.DropEvent

    own = structlog.wrap_logger(logger, processors=[take], wrapper_class=wrapper)
    log: Log = as_log(own)
    assert log is own
    assert log.is_enabled_for(logging.INFO)
    log.info("flow.refused", flow_id="1", message="no")
    assert taken == [{"event": "flow.refused", "flow_id": "1", "message": "no"}]


def test_no_log_drops_every_event() -> None:
    log = as_log(None)
    assert isinstance(log, SilentLog)
    assert not log.is_enabled_for(logging.CRITICAL)
    log.warning("outage.began")
