"""Everything on the wire survives the way there and back; what does not belong there is refused in one way."""

import json
import typing
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from broker_bridge.contract import codec, commands, envelopes, facts, views, words
from tests.contract.shapes import any_of, structs_of

STRUCTS = structs_of(commands, envelopes, facts, views, words)
DECODERS = {
    "entry": codec.entry,
    "stored": codec.stored,
    "item": codec.item,
    "words": codec.words,
    "request": codec.request,
    "answer": codec.answer,
    "feed": codec.feed,
    "thread_feed": codec.thread_feed,
    "beat": codec.beat,
}
ROOTS: dict[str, Any] = {
    "entry": facts.Entry,
    "stored": envelopes.Stored,
    "item": envelopes.Item,
    "words": words.Words,
    "request": commands.AnyRequest,
    "answer": views.Answer,
    "feed": views.Feed,
    "thread_feed": views.ThreadFeed,
    "beat": views.Beat,
}


def read(name: str, body: bytes) -> Any:
    """What the decoder makes of it, None if it says Malformed. `Words` needs no field, so any object may be one."""
    try:
        return DECODERS[name](body)
    except codec.Malformed:
        return None


@pytest.mark.parametrize("kind", STRUCTS, ids=lambda kind: f"{kind.__module__.rsplit('.', 1)[1]}.{kind.__name__}")
def test_every_struct_comes_back_as_it_was(kind: type[msgspec.Struct]) -> None:
    @settings(max_examples=15, deadline=None)
    @given(any_of(kind))
    def round_trip(value: msgspec.Struct) -> None:
        assert msgspec.json.decode(codec.encode(value), type=kind) == value

    round_trip()


@pytest.mark.parametrize("name", ROOTS)
def test_every_message_comes_back_through_its_own_decoder(name: str) -> None:
    @settings(max_examples=40, deadline=None)
    @given(any_of(ROOTS[name]))
    def round_trip(value: msgspec.Struct) -> None:
        assert DECODERS[name](codec.encode(value)) == value

    round_trip()


@pytest.mark.parametrize("name", DECODERS)
def test_garbage_is_malformed_and_nothing_else(name: str) -> None:
    pieces = st.sampled_from(
        [b"{", b"}", b"[", b"]", b'"', b":", b",", b'"kind"', b'"facts"', b"\xff", b"\\ud800", b"1e999"]
    )
    anything = st.binary(max_size=60) | st.lists(pieces, max_size=20).map(b"".join)

    @settings(max_examples=150, deadline=None)
    @given(anything)
    def refused(body: bytes) -> None:
        assert read(name, body) in (None, words.NOTHING)

    refused()


@pytest.mark.parametrize("name", DECODERS)
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b'{"x":' + b"[" * 100_000,
        b'{"x":' + b"[" * 5_000 + b"]" * 5_000 + b"}",
        b'{"facts":[{"kind":' + b"[" * 5_000 + b"]" * 5_000 + b"}]}",
        b'{"min":1' + b"0" * 5_000 + b',"verb":"hello"}',
        b'{"verb":"typing","conversation":"\xff","on":true}',
        b'{"verb":"typing","conversation":"\\ud800","on":true}',
    ],
    ids=lambda body: repr(body[:24]),
)
def test_hostile_bytes_are_malformed(name: str, body: bytes) -> None:
    assert read(name, body) in (None, words.NOTHING)


@settings(max_examples=100, deadline=None)
@given(any_of(facts.Entry), st.data())
def test_a_torn_or_bent_entry_is_an_entry_or_malformed(entry: facts.Entry, data: st.DataObject) -> None:
    body = bytearray(codec.encode(entry))
    place = data.draw(st.integers(min_value=0, max_value=len(body) - 1))
    body[place] = data.draw(st.integers(min_value=0, max_value=255))
    torn = bytes(body[: data.draw(st.integers(min_value=0, max_value=len(body)))])
    for bent in (bytes(body), torn):
        assert isinstance(read("entry", bent), facts.Entry | None)


def test_an_entry_of_a_later_version_names_the_kinds_it_does_not_know() -> None:
    body = (
        b'{"at_ms":1,"by":"clerk","facts":[{"kind":"seen","agent":"maya"},{"kind":"sang","song":1},{"kind":"danced"}]}'
    )
    with pytest.raises(codec.UnknownFact) as caught:
        codec.entry(body)
    assert caught.value.kinds == ("sang", "danced")


def test_a_known_kind_with_a_missing_field_is_malformed_and_not_unknown() -> None:
    with pytest.raises(codec.Malformed) as caught:
        codec.entry(b'{"at_ms":1,"by":"clerk","facts":[{"kind":"accepted","agent":"maya"}]}')
    assert not isinstance(caught.value, codec.UnknownFact)
    assert "epoch" in str(caught.value)


def test_a_field_of_a_later_version_is_passed_over() -> None:
    body = b'{"at_ms":1,"by":"clerk","mood":"good","facts":[{"kind":"seen","agent":"maya","where":"desk"}]}'
    assert codec.entry(body).facts == (facts.Seen(agent="maya"),)


def test_kinds_are_the_tags_of_all_facts() -> None:
    defined = {
        str(one.__struct_config__.tag)
        for one in structs_of(facts)
        if issubclass(one, facts.Fact) and one is not facts.Fact
    }
    assert defined == codec.KINDS
    assert len(typing.get_args(facts.AnyFact)) == len(codec.KINDS)


def test_verbs_are_unique_and_every_request_has_one() -> None:
    verbs = [one.__struct_config__.tag for one in typing.get_args(commands.AnyRequest)]
    assert len(set(verbs)) == len(verbs)
    defined = {one for one in structs_of(commands) if issubclass(one, commands.Request)}
    assert defined - {commands.Request, commands.Act} == set(typing.get_args(commands.AnyRequest))


def _references(node: Any) -> set[str]:
    if isinstance(node, dict):
        own = {node["$ref"]} if isinstance(node.get("$ref"), str) else set()
        return own.union(*(_references(one) for one in node.values()))
    if isinstance(node, list):
        return set().union(*(_references(one) for one in node))
    return set()


def test_the_schema_is_json_and_every_reference_leads_somewhere() -> None:
    schema = json.loads(json.dumps(codec.schema()))
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    references = _references(schema)
    assert references
    assert references == {f"#/$defs/{name}" for name in schema["$defs"]}


def test_the_schema_covers_every_fact_every_verb_and_every_answer() -> None:
    written = json.dumps(codec.schema())
    tagged = [*typing.get_args(facts.AnyFact), *typing.get_args(commands.AnyRequest), *typing.get_args(views.Answer)]
    missing = [one.__name__ for one in tagged if f'"{one.__struct_config__.tag}"' not in written]
    assert missing == []
    assert set(codec.schema()["properties"]) >= {
        "Entry",
        "Stored",
        "Item",
        "Request",
        "Answer",
        "Feed",
        "ThreadFeed",
        "Beat",
    }
