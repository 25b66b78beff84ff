"""Offers of colleagues, and a state that ends: what stands beside the shift of the pictures."""

from __future__ import annotations

from msgspec.structs import replace

from broker_bridge.contract.views import Case, Identifier, Item, Moment, Profile, ThreadPage
from broker_bridge.contract.words import Packet
from tests.tui import scenes
from tests.tui.scenes import DAY, MINUTE, NOW_MS, SECOND

KOVACS_PROFILE = Profile(
    customer="u-kovacs",
    rev=1,
    name="Kovács Eszter",
    identifiers=(Identifier(word="chat", address="visitor 75be"),),
    was=(Case(conv="c-5519", number="55-19", text="new phone, new app", state="helped", at_ms=NOW_MS - 9 * DAY, word="mail"),),
    moments=(Moment(at_ms=NOW_MS, word="web", text="/app/login", node="event", conv="c-kovacs"),),
)  # fmt: skip
ASKED = replace(
    scenes.KOVACS,
    offer_kind="consult",
    owner="ole",
    owner_name="Ole Nilsen",
    offer_reason="",
    offer_until_ms=NOW_MS + 12 * SECOND,
)
GIVEN = replace(
    scenes.KOVACS,
    conv="c-rosa",
    name="Rosa Iglesias",
    offer_kind="transfer",
    owner="priya",
    owner_name="Priya Rao",
    offer_until_ms=NOW_MS + 50 * SECOND,
)
ASKED_PAGE = ThreadPage(
    row=ASKED,
    upto=100,
    items=(
        Item(id="k-1", seq=1, rev=1, kind="them", at_ms=NOW_MS, text=ASKED.text, name=ASKED.name, page="/app/login"),
        Item(
            id="k-2",
            seq=2,
            rev=2,
            kind="note",
            at_ms=NOW_MS,
            packet=Packet(problem="The app refuses her since the update; rent is due today"),
        ),
    ),
)
WRAPPING = replace(
    scenes.ME,
    state="wrap_up",
    since_ms=NOW_MS - MINUTE,
    until_ms=NOW_MS + 38 * SECOND,
    next_state="away",
    next_reason="lunch",
)
