"""The shift of the pictures: rows, threads, profiles and a floor, at 14:02:11 on Saturday 21 November 2026 (UTC).

Snapshots, the window's tests and the benchmarks draw from here, so that what is measured is what is seen.
"""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec

from broker_bridge.contract.views import (
    Case,
    Counts,
    FileLine,
    Identifier,
    Item,
    Me,
    Moment,
    Profile,
    Reach,
    Row,
    ThreadPage,
)
from broker_bridge.contract.words import Address

NOW_MS = int(datetime(2026, 11, 21, 14, 2, 11, tzinfo=UTC).timestamp() * 1000)
SECOND = 1_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR
OWNER_VERBS = ("reply", "note", "transfer", "close", "snooze", "add_task")
SUPERVISOR = Me(agent="ines", name="Ines Holt", role="supervisor", state="ready", since_ms=NOW_MS - HOUR)

ME = Me(
    agent="maya",
    name="Maya Lindqvist",
    state="ready",
    since_ms=NOW_MS - HOUR - 12 * MINUTE - 40 * SECOND,
    capacity=10,
    loads=(("chat", 2, 4), ("mail", 3, 6), ("call", 0, 1)),
)
COUNTS = Counts(mine=12, queue=7, all=148, oldest_ms=NOW_MS - 134 * SECOND, service_level=0.91)
DISPOSITIONS = ("Fee explained", "Fee waived", "Card ordered or blocked", "Dispute opened", "Nothing to do")


def at(clock: str, days_ago: int = 0) -> int:
    """`at("13:59")`: milliseconds of that clock time, today or some days before."""
    hour, minute = clock.split(":")
    day = datetime(2026, 11, 21, int(hour), int(minute), 20, tzinfo=UTC)
    return int(day.timestamp() * 1000) - days_ago * DAY


def _row(conv: str, name: str, channel: str, text: str, **more: object) -> Row:
    known: dict[str, object] = {
        "conv": conv,
        "rev": 100,
        "number": "K7Q2",
        "name": name,
        "channel": channel,
        "text": text,
        "state": "mine",
        "owner": "maya",
        "owner_name": "Maya Lindqvist",
        "epoch": 3,
        "verbs": OWNER_VERBS,
        "last_ms": NOW_MS,
    }
    return msgspec.convert({**known, **more}, Row)


ANNA = _row(
    "c-anna",
    "Anna Berg",
    "wa",
    "And can I pay 1 万円 in a shop without any fee?",
    tier="gold",
    due_ms=NOW_MS - 42 * SECOND,
    waiting_since_ms=NOW_MS - 3 * MINUTE,
    unread=1,
    typing=("Anna",),
)
PIET = _row(
    "c-piet",
    "Piet de Vries",
    "call",
    "ringing · IVR cards › lost card",
    number="P1E7",
    state="ringing",
    owner="",
    owner_name="",
    verbs=("accept", "decline"),
    offer_until_ms=NOW_MS + 14 * SECOND,
    waiting_since_ms=NOW_MS - 66 * SECOND,
)
KOVACS = _row(
    "c-kovacs",
    "Kovács Eszter",
    "chat",
    "Nem tudok belépni az appba",
    number="E5Z7",
    state="ringing",
    owner="",
    owner_name="",
    verbs=("accept", "decline"),
    offer_until_ms=NOW_MS + 14 * SECOND,
    offer_reason="hungarian, low load",
    waiting_since_ms=NOW_MS - 66 * SECOND,
    due_ms=NOW_MS + 54 * SECOND,
)
TANAKA = _row(
    "c-tanaka",
    "田中 美咲",
    "chat",
    "カードがまだ届きません。追跡番号を教えてください",
    number="T4N8",
    due_ms=NOW_MS + 38 * SECOND,
    waiting_since_ms=NOW_MS - MINUTE,
    unread=1,
    viewers=("Ole",),
)
SOREN = _row(
    "c-soren",
    "Søren Kjær",
    "mail",
    "Re: Charged twice on 18 Nov, order 55-2108",
    number="M4T1",
    due_ms=NOW_MS + 250 * SECOND,
    waiting_since_ms=NOW_MS - 14 * MINUTE,
    unread=1,
    viewers=(),
)
WAITING = (
    _row("c-olga", "Ольга Петрова", "tg", "Спасибо! А когда откроют счёт?", waiting_since_ms=NOW_MS - 12 * MINUTE, unread=1),
    _row("c-marco", "Marco Bianchi", "sms", "Where do I pick up the new card?", waiting_since_ms=NOW_MS - 18 * MINUTE, is_draft=True),
    _row("c-lea", "Léa Fontaine-Dubois de Villiers", "mail", "Change of address, proof attached", waiting_since_ms=NOW_MS - HOUR),
    _row("c-yusuf", "Yusuf Demir", "wa", "[voice 0:21] “about the transfer of last week”", waiting_since_ms=NOW_MS - 2 * HOUR, unread=1),
)  # fmt: skip
ANSWERED = (
    _row("c-hanna", "Hanna Virtanen", "chat", "I have sent the form to your mail", text_by="you",
         delivery="read", last_ms=NOW_MS - 3 * MINUTE),
    _row("c-grace", "Grace O’Neill", "mail", "the refund of 41.20 is on its way", text_by="you",
         delivery="sent", last_ms=NOW_MS - DAY),
    _row("c-jorg", "Jörg Müller", "fb", "could you send a photo of it?", text_by="you",
         delivery="failed", last_ms=NOW_MS - DAY - HOUR),
)  # fmt: skip
SNOOZED = (
    _row("c-ines", "Inês Costa", "tg", "wants a call after her meeting", state="snoozed", text_by="event",
         snoozed_until_ms=at("15:30")),
    _row("c-asa", "Åsa Nyström", "post", "letter: power of attorney, page 2 of 3", state="snoozed", text_by="event",
         snoozed_until_ms=at("09:00", -2)),
)  # fmt: skip
QUEUED = tuple(
    _row(
        f"c-queue-{n}",
        name,
        word,
        text,
        number=f"Q{n}Q{n}",
        state="queued",
        owner="",
        owner_name="",
        epoch=0,
        queue="fees",
        verbs=("accept", "note", "transfer"),
        waiting_since_ms=NOW_MS - wait * SECOND,
        due_ms=NOW_MS + (140 - wait) * SECOND,
        unread=1,
    )
    for n, (name, word, text, wait) in enumerate(
        (
            ("Kim Larsson", "chat", "hello, is somebody there?", 134),
            ("Emil Dahl", "mail", "My card was eaten by the machine", 120),
            ("佐藤 健", "chat", "口座を開きたいです", 90),
            ("Rosa Iglesias", "mail", "¿Puedo cambiar mi dirección?", 70),
            ("Noah Lind", "chat", "limit for transfers?", 50),
            ("Zoë Kraus", "mail", "Kündigung zum Jahresende", 30),
            ("مريم حسن", "chat", "متى تصل البطاقة؟", 12),
        )
    )
)
COLLEAGUES_OWN = (
    _row("c-pauline", "Pauline Roux", "chat", "Three payments this morning are not mine.", number="R3X8", state="other",
         owner="ole", owner_name="Ole Nilsen", verbs=("note", "transfer", "force_transfer"), queue="complaints",
         waiting_since_ms=NOW_MS - 4 * MINUTE),
)  # fmt: skip
MINE = (PIET, ANNA, TANAKA, SOREN, *WAITING, *ANSWERED, *SNOOZED)
ROWS = (*MINE, *QUEUED, *COLLEAGUES_OWN)

RECEIPT = FileLine(digest="a" * 64, name="kvitto-tokyo.pdf", media_type="application/pdf", size_bytes=212_000)
LETTER = FileLine(digest="b" * 64, name="note.txt", media_type="text/plain", size_bytes=1_200)


def _item(seq: int, kind: str, clock: str, text: str, **more: object) -> Item:
    known = {"id": f"m-{seq}", "seq": seq, "rev": seq, "kind": kind, "at_ms": at(clock), "text": text, "channel": "wa"}
    return msgspec.convert({**known, **more}, Item)


ANNA_ITEMS = (
    _item(7, "event", "10:02", "11 m with Priya: complaint about the fee", channel="call", at_ms=at("10:02", 344)),
    _item(8, "colleague", "10:31", "We have waived the fee once, as you asked. Order 55-1980.", name="Priya Rao",
          delivery="read", at_ms=at("10:31", 344)),
    _item(9, "event", "09:12", "sent: your new card is ready in Götgatan", channel="sms", at_ms=at("09:12", 1)),
    _item(10, "event", "21:40", "visited /cards/gold, 3 pages", channel="web", at_ms=at("21:40", 1)),
    _item(11, "event", "12:40", "4 m with Ole, helpdesk: old card blocked", channel="call"),
    _item(12, "event", "13:58", "visited /cards/abroad, /cards/tariffs", channel="web"),
    _item(13, "them", "13:59", "Hi! I am in Tokyo next week. Which fee applies if I take out cash there with the gold card?",
          name="Anna Berg"),
    _item(14, "you", "14:00", "Hello Anna, nice to hear from you again. With Gold the first two withdrawals a month are free, "
          "after that 35 kr each. Shall I switch on cash abroad for 7 to 14 December?", name="Maya Lindqvist", delivery="read"),
    _item(15, "note", "14:00", "She asked me the same on the phone at 12:40. The fee was waived last year, see order 55-1980.",
          name="Ole Nilsen", note_to="you", channel="note"),
    _item(16, "them", "14:01", "Yes please 🙂 last year this one was charged twice:", name="Anna Berg", files=(RECEIPT,)),
    _item(17, "them", "14:02", "And can I pay 1 万円 in a shop without any fee?", name="Anna Berg", at_ms=NOW_MS - 5 * SECOND),
)  # fmt: skip
ANNA_REACH = (
    Reach(channel="support-wa", kind="whatsapp", word="wa", address="+46 70 174 06 05", name="Anna Berg",
          to=(Address(address="+46701740605", name="Anna Berg"),), max_chars=4096),
    Reach(channel="support-mail", kind="email", word="mail", address="anna.berg@example.se", name="Anna Berg",
          to=(Address(address="anna.berg@example.se", name="Anna Berg"),), is_mail=True, subject="Your card"),
)  # fmt: skip
ANNA_PAGE = ThreadPage(
    row=ANNA, items=ANNA_ITEMS, has_more=False, upto=100, seen=16, reach=ANNA_REACH, dispositions=DISPOSITIONS
)
ANNA_DRAFT_120 = (
    "In shops you pay no fee with Gold, only the exchange rate of the day. I look at the double charge now and "
)

SOREN_TEXT = """Dear Maya,
the shop says that they charged me once. My bank page shows two lines, both 1,249 kr. I attach both papers. Could you \
please answer my wife too, she is in cc?
Kind regards
Søren"""
SOREN_FILES = (
    FileLine(digest="c" * 64, name="receipt-1811.pdf", media_type="application/pdf", size_bytes=88_000),
    FileLine(digest="d" * 64, name="bankside.png", media_type="image/png", size_bytes=412_000),
)
SOREN_QUOTE = "\n".join(f"> line {n} of what you wrote on 18 Nov" for n in range(14))
SOREN_ITEMS = (
    _item(20, "you", "16:20", "Hello Søren, I ask the shop for the receipt and write to you on Friday at the latest.",
          channel="mail", delivery="sent", at_ms=at("16:20", 3)),
    _item(21, "them", "13:48", SOREN_TEXT, name="Søren Kjær", channel="mail", subject="Re: Charged twice on 18 Nov, order 55-2108",
          address="soren.kjaer@example.dk", to=(Address(address="support@example.se"),),
          cc=(Address(address="kirsten.kjaer@example.dk"),), quote=SOREN_QUOTE, files=SOREN_FILES, has_raw=True),
)  # fmt: skip
SOREN_LATER = _item(22, "them", "14:02", "Please wait, I found the second receipt.", name="Søren Kjær", channel="mail")
SOREN_REACH = (
    Reach(channel="support-mail", kind="email", word="mail", address="soren.kjaer@example.dk", name="Søren Kjær",
          to=(Address(address="soren.kjaer@example.dk", name="Søren Kjær"),),
          cc=(Address(address="kirsten.kjaer@example.dk"),), subject="Re: Charged twice on 18 Nov, order 55-2108",
          is_mail=True, in_reply_to="m-21"),
)  # fmt: skip
SOREN_PAGE = ThreadPage(row=SOREN, items=SOREN_ITEMS, upto=100, seen=21, reach=SOREN_REACH, dispositions=DISPOSITIONS)

ANNA_PROFILE = Profile(
    customer="u-anna",
    rev=90,
    name="Anna Berg",
    tier="gold",
    speaks="Swedish, English",
    about="travels to Tokyo in December",
    since_ms=int(datetime(2019, 3, 19, tzinfo=UTC).timestamp() * 1000),
    identifiers=(
        Identifier(word="wa", address="+46 70 174 06 05", is_proved=True),
        Identifier(word="mail", address="anna.berg@example.se", is_proved=True),
        Identifier(word="tg", address="@annab", reason="phone"),
    ),
    open=(
        Case(conv="c-2108", number="55-2108", text="double charge", state="disputed", at_ms=at("13:00", 3)),
        Case(conv="c-4471", number="4471", text="gold card, Götgatan", state="ready", at_ms=at("13:00", 3)),
    ),
    was=(Case(conv="c-1980", number="55-1980", text="fee waived", state="closed", at_ms=at("10:02", 331)),),
    files=(RECEIPT,),
    also_here=("Ole Nilsen", "Priya Rao"),
    moments=(
        Moment(at_ms=at("13:59"), word="wa", text="this case, 5 messages", node="this", conv="c-anna"),
        Moment(at_ms=at("13:58"), word="web", text="/cards/abroad, /cards/tariffs", node="event"),
        Moment(at_ms=at("12:52"), word="mail", text="Re: receipt Tokyo"),
        Moment(at_ms=at("12:40"), word="call", text="4 m with Ole: card blocked"),
        Moment(at_ms=at("12:39"), word="ivr", text="cards › lost card › agent", node="event"),
        Moment(at_ms=at("21:40", 1), word="web", text="/cards/gold, 3 pages", node="event"),
        Moment(at_ms=at("09:12", 1), word="sms", text="your card is ready"),
        Moment(at_ms=at("08:55", 1), word="shop", text="Götgatan: card arrived", node="event"),
        Moment(at_ms=at("10:00", 9), word="app", text="push: travel offer, not opened", node="event"),
        Moment(at_ms=at("10:00", 11), word="ad", text="came from “gold abroad”", node="event"),
        Moment(at_ms=at("10:00", 19), word="atm", text="withdrawal, amount hidden", node="event"),
        Moment(at_ms=at("10:00", 24), word="mail", text="newsletter opened, 2 clicks", node="event"),
        Moment(at_ms=at("10:44", 344), word="chat", text="solved: fee waived once"),
        Moment(at_ms=at("10:02", 344), word="call", text="11 m, complaint about the fee"),
        Moment(at_ms=at("10:00", 612), word="form", text="account opened online", node="event"),
    ),
    upto=100,
)
