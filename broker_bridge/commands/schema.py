"""`schema`: the words on the wire, for programs that are not ours."""

from __future__ import annotations

import argparse
import json
from typing import Any

import msgspec

from broker_bridge.commands import exits
from broker_bridge.contract import commands, envelopes, facts, views

PUBLIC: dict[str, Any] = {
    "envelope": envelopes.Envelope,
    "entry": facts.Entry,
    "request": commands.AnyRequest,
    "answer": views.Answer,
    "feed": views.Feed,
    "thread_feed": views.ThreadFeed,
    "beat": views.Beat,
}


def execute(_: argparse.Namespace) -> int:
    roots, definitions = msgspec.json.schema_components(PUBLIC.values(), ref_template="#/$defs/{name}")
    document = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "onewindow contract",
        "version": commands.VERSION,
        "properties": dict(zip(PUBLIC, roots, strict=True)),
        "$defs": definitions,
    }
    print(json.dumps(document, indent=1, sort_keys=True))
    return exits.OK
