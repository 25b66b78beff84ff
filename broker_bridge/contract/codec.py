"""Bytes to words and back: encoders and decoders, built once.

Law: decoding never half-succeeds. An entry with a fact of a later version raises `UnknownFact`, with what could be read.
"""

from __future__ import annotations

from typing import Any

import msgspec

from broker_bridge.contract.commands import AnyRequest
from broker_bridge.contract.envelopes import Envelope, Item, Stored
from broker_bridge.contract.facts import Entry
from broker_bridge.contract.views import Answer, Beat, Feed, ThreadFeed
from broker_bridge.contract.words import Words

encode = msgspec.json.Encoder().encode

_entry = msgspec.json.Decoder(Entry)
_stored = msgspec.json.Decoder(Stored)
_item: msgspec.json.Decoder[Item] = msgspec.json.Decoder(Item)
_words = msgspec.json.Decoder(Words)
_request: msgspec.json.Decoder[AnyRequest] = msgspec.json.Decoder(AnyRequest)
_answer: msgspec.json.Decoder[Answer] = msgspec.json.Decoder(Answer)
_feed = msgspec.json.Decoder(Feed)
_thread_feed = msgspec.json.Decoder(ThreadFeed)
_beat = msgspec.json.Decoder(Beat)


_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""RecursionError: brackets nested a thousand deep, which any sender can write."""


class Malformed(ValueError):
    """The bytes are not what they should be; the message says where."""


class UnknownFact(Malformed):
    """An entry of a later version."""

    def __init__(self, kinds: tuple[str, ...]) -> None:
        super().__init__(f"facts of a later version: {', '.join(kinds)}")
        self.kinds = kinds


def entry(body: bytes) -> Entry:
    """One message of LOG.

    Raises:
        UnknownFact: well-formed, but some fact is of a kind that this version does not know.
        Malformed: anything else.
    """
    try:
        return _entry.decode(body)
    except _UNREADABLE as error:
        kinds = _unknown_kinds(body)
        if kinds:
            raise UnknownFact(kinds) from error
        raise Malformed(str(error)) from error


def _unknown_kinds(body: bytes) -> tuple[str, ...]:
    try:
        loose = msgspec.json.decode(body)
    except _UNREADABLE:
        return ()
    facts = loose.get("facts") if isinstance(loose, dict) else None
    if not isinstance(facts, list):
        return ()
    named = [fact.get("kind") for fact in facts if isinstance(fact, dict)]
    return tuple(kind for kind in named if isinstance(kind, str) and kind not in KINDS)


def _kinds() -> frozenset[str]:
    import typing

    from broker_bridge.contract import facts

    return frozenset(str(kind.__struct_config__.tag) for kind in typing.get_args(facts.AnyFact))


KINDS = _kinds()


def _decoded(decoder: msgspec.json.Decoder[Any], body: bytes) -> Any:
    try:
        return decoder.decode(body)
    except _UNREADABLE as error:
        raise Malformed(str(error)) from error


def stored(body: bytes) -> Stored:
    """One message of IN. Raises Malformed."""
    found: Stored = _decoded(_stored, body)
    return found


def item(body: bytes) -> Item:
    """What a `Stored` carries, unsealed. Raises Malformed."""
    found: Item = _decoded(_item, body)
    return found


def words(body: bytes) -> Words:
    """Raises Malformed."""
    found: Words = _decoded(_words, body)
    return found


def request(body: bytes) -> AnyRequest:
    """Raises Malformed, naming the field."""
    found: AnyRequest = _decoded(_request, body)
    return found


def answer(body: bytes) -> Answer:
    """Raises Malformed."""
    found: Answer = _decoded(_answer, body)
    return found


def feed(body: bytes) -> Feed:
    """Raises Malformed."""
    found: Feed = _decoded(_feed, body)
    return found


def thread_feed(body: bytes) -> ThreadFeed:
    """Raises Malformed."""
    found: ThreadFeed = _decoded(_thread_feed, body)
    return found


def beat(body: bytes) -> Beat:
    """Raises Malformed."""
    found: Beat = _decoded(_beat, body)
    return found


def schema() -> dict[str, Any]:
    """JSON Schema 2020-12 of everything on the wire, by name."""
    roots: dict[str, Any] = {
        "Entry": Entry,
        "Stored": Stored,
        "Envelope": Envelope,
        "Item": Item,
        "Request": AnyRequest,
        "Answer": Answer,
        "Feed": Feed,
        "ThreadFeed": ThreadFeed,
        "Beat": Beat,
    }
    found, components = msgspec.json.schema_components(list(roots.values()), ref_template="#/$defs/{name}")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "properties": dict(zip(roots, found, strict=True)),
        "$defs": components,
    }
