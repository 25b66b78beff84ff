"""The log: one line a record, the event first, and never a customer's words."""

import io
import json
import logging
from collections.abc import Iterator
from typing import Any, Literal

import pytest

from broker_bridge.daemon import log as logs
from tests.canary import CANARY
from tests.daemon.kept_logging import kept_logging

OURS = logging.getLogger("broker_bridge.daemon.test")
THEIRS = logging.getLogger("somelibrary.client")


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    with kept_logging():
        yield


def opened(format: Literal["text", "json"] = "json", level: str = "info") -> io.StringIO:
    stream = io.StringIO()
    logs.setup(level, format, stream)
    return stream


def rows(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_record_is_one_json_line_with_its_fields() -> None:
    stream = opened()
    OURS.info("reply accepted", extra={"conversation": "01k", "ms": 12, "tries": [1, 2]})
    (row,) = rows(stream)
    assert (row["event"], row["level"], row["conversation"], row["ms"]) == ("reply accepted", "info", "01k", 12)
    assert row["time"].endswith("Z") and row["logger"] == "broker_bridge.daemon.test"


def test_text_has_the_event_first_and_then_the_fields() -> None:
    stream = opened("text")
    OURS.warning("channel down", extra={"channel": "chat", "reason": "no answer", "empty": ""})
    line = stream.getvalue()
    assert line.endswith('warning channel down  channel=chat reason="no answer" empty=""\n')


@pytest.mark.parametrize("format", ["text", "json"])
def test_no_value_can_break_out_of_its_line(format: Literal["text", "json"]) -> None:
    stream = opened(format)
    OURS.info("a\nfake line", extra={"field": "b\nfake\x1b[2J\u202e\x9b"})
    written = stream.getvalue()
    assert written.count("\n") == 1
    assert written.rstrip("\n").isascii() and written.rstrip("\n").isprintable()


def test_an_exception_is_told_by_type_and_place_without_its_message() -> None:
    stream = opened()
    try:
        raise ValueError(CANARY.text)
    except ValueError:
        OURS.exception("item failed", extra={"seq": 7})
    (row,) = rows(stream)
    assert row["exception"] == "ValueError"
    assert row["trace"][-1].endswith("test_an_exception_is_told_by_type_and_place_without_its_message")
    assert CANARY.found_in(stream.getvalue()) == []


def test_the_reason_of_the_system_is_told_without_the_address() -> None:
    assert logs.describe(ConnectionRefusedError(111, f"Connect call failed {CANARY.address}")) == (
        "ConnectionRefusedError: Connection refused"
    )
    group = ExceptionGroup("two", [ValueError(CANARY.text), OSError(28, CANARY.text)])
    assert logs.describe(group) == "ExceptionGroup: ValueError, OSError: No space left on device"


def test_other_libraries_are_heard_from_warnings_on_as_templates() -> None:
    stream = opened(level="debug")
    THEIRS.info("%s signed in", CANARY.address)
    THEIRS.warning("%s was refused", CANARY.address)
    THEIRS.warning(f"{CANARY.address} was refused")
    told, hidden = rows(stream)
    assert told["event"] == "somelibrary.client: %s was refused"
    assert hidden["event"] == "somelibrary.client has a notice" and hidden["line"].startswith("test_log:")
    assert CANARY.found_in(stream.getvalue()) == []


def test_bytes_are_a_size_exceptions_a_type_and_long_words_are_cut() -> None:
    stream = opened()
    OURS.info("x", extra={"body": CANARY.text.encode(), "error": ValueError(CANARY.text), "long": "a" * 9000})
    (row,) = rows(stream)
    assert (row["body"], row["error"], len(row["long"])) == (f"<{len(CANARY.text)} bytes>", "ValueError", 501)


def test_the_level_is_that_of_the_configuration() -> None:
    stream = opened(level="warning")
    OURS.info("no")
    OURS.warning("yes")
    assert [row["event"] for row in rows(stream)] == ["yes"]


def test_setting_it_up_again_does_not_write_twice() -> None:
    opened()
    stream = opened()
    OURS.info("once")
    assert len(rows(stream)) == 1


@pytest.mark.parametrize(
    "written",
    [
        CANARY.text,
        CANARY.address.upper(),
        json.dumps(CANARY.secret),
        f"GET /?q={CANARY.text.replace(' ', '%20')}",
        f"q={CANARY.text.replace(' ', '+')}",
        CANARY.text.encode().hex(),
        "AHp3aXRzY2hlci1nZWhlaW0tNDFjNw==",
    ],
)
def test_the_canary_is_found_in_every_spelling(written: str) -> None:
    assert CANARY.found_in(f"a line\n{written}\nanother")


def test_the_canary_is_not_found_where_it_is_not() -> None:
    assert CANARY.found_in("reply accepted conversation=01k2zw ms=12") == []
