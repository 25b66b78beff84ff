"""A thread reads as two sides, says how far each message came, and wraps only what is in sight."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent_tui.model.file_lines import size
from agent_tui.model.glyphs import UNICODE
from agent_tui.model.rows import Moment
from agent_tui.model.thread import Thread
from agent_tui.model.thread_lines import delivery
from broker_bridge.contract.views import Item

NOW = 1_795_269_731_000  # Saturday 21 November 2026, 14:02:11 UTC
AT = Moment(now_ms=NOW)
MINUTE = 60_000
HI = "Hi! I am in Tokyo next week. Which fee applies if I take out cash there with the gold card?"
HELLO = "Hello Anna, nice to hear from you again. With Gold the first two withdrawals a month are free."


def _item(seq: int, kind: str, minutes_ago: int, text: str, **fields: object) -> Item:
    known = {"id": f"m{seq}", "seq": seq, "rev": seq, "kind": kind, "at_ms": NOW - minutes_ago * MINUTE, "text": text}
    return msgspec.convert({**known, "channel": "wa", **fields}, Item)


def _shown(items: list[Item], cells: int = 52, seen: int = 1_000, **more: object) -> list[str]:
    thread = Thread(items, AT, seen=seen, **more)  # type: ignore[arg-type]
    thread.settle(1 << 30, 1_000, cells)
    slots = thread.page(0, 1_000, cells)
    assert len(slots) == thread.lines(cells)
    return [thread.draw(slot, cells, "").text.rstrip() for slot in slots]


def test_the_customer_stands_left_and_we_stand_right() -> None:
    shown = _shown(
        [_item(1, "them", 3, HI, name="Anna Berg"), _item(2, "you", 2, HELLO, delivery="read")],
    )
    assert shown[:5] == [
        "────────────────────── today ───────────────────────",
        "   Anna Berg  13:59  wa",
        " ┃ Hi! I am in Tokyo next week. Which fee",
        " ┃ applies if I take out cash there with",
        " ┃ the gold card?",
    ]
    assert shown[5:7] == ["", " " * 30 + "you  14:00  ✓✓ read"]
    ours = [text for text in shown if text.endswith("┃") and not text.startswith(" ┃")]
    assert {text.rindex("┃") for text in ours} == {50}
    assert len({len(text) - len(text.lstrip()) for text in ours}) == 1
    assert ours[0].strip(" ┃") == "Hello Anna, nice to hear from you"


def test_messages_within_two_minutes_share_a_header() -> None:
    shown = _shown(
        [
            _item(1, "them", 4, "one", name="A"),
            _item(2, "them", 3, "two", name="A"),
            _item(3, "them", 1, "three", name="A"),
        ]
    )
    assert shown[1:] == ["   A  13:58  wa", " ┃ one", " ┃ two", "", "   A  14:01  wa", " ┃ three"]


def test_what_failed_never_hides_under_a_shared_header() -> None:
    items = [
        _item(1, "you", 4, "one", delivery="read"),
        _item(2, "you", 3, "two", delivery="failed", reason="not on file"),
    ]
    assert any("✗ failed: not on file" in text for text in _shown(items))


def test_what_is_new_begins_with_a_rule_and_its_count() -> None:
    items = [
        _item(1, "them", 9, "old", name="A"),
        _item(2, "them", 8, "new", name="A"),
        _item(3, "them", 8, "er", name="A"),
    ]
    shown = _shown(items, seen=1)
    assert "─ 2 new ─" in shown[4]
    assert shown[5] == "   A  13:54  wa"


def test_a_note_is_marked_as_seen_by_colleagues_only() -> None:
    thread = Thread([_item(1, "note", 2, "She asked before.", name="Ole Nilsen", note_to="you")], AT)
    thread.settle(0, 50, 52)
    lines = [thread.draw(slot, 52, "") for slot in thread.page(0, 50, 52)]
    assert lines[1].text == " ┆ note Ole Nilsen → you  14:00     colleagues only"
    assert {line.ground for line in lines[1:]} == {"notebg"}


def test_events_and_unknown_kinds_are_one_muted_line_each() -> None:
    shown = _shown(
        [_item(1, "event", 4, "visited /cards", channel="web"), _item(2, "hologram", 3, "waves", channel="holo")]
    )
    assert shown[1:] == ["   13:58  web  visited /cards", "   13:59  holo waves"]


def test_mail_shows_to_cc_about_a_folded_quote_and_files() -> None:
    mail = _item(
        1, "them", 14, "Dear Maya,\nplease look.", name="Søren", channel="mail", subject="Charged twice", has_raw=True,
        to=[{"address": "support@example.se"}], cc=[{"address": "kirsten@example.dk"}], quote="\n".join("x" * 14),
        files=[
            {"digest": "d", "name": "receipt-1811.pdf", "media_type": "application/pdf", "size_bytes": 88_000},
            {"digest": "e", "name": "bank.png", "media_type": "image/png", "size_bytes": 412_000},
        ],
    )  # fmt: skip
    shown = _shown([mail])
    assert shown[1].endswith("i raw")
    assert shown[2:] == [
        " ┃ to     support@example.se",
        " ┃ cc     kirsten@example.dk",
        " ┃ about  Charged twice",
        " ┃",
        " ┃ Dear Maya,",
        " ┃ please look.",
        " ┃",
        " ┃ ▸ 14 quoted lines   > unfold",
        " ┃ receipt-1811.pdf  pdf  88 kB   o open  s save",
        " ┃ bank.png          png 412 kB   o open  s save",
    ]
    assert len(_shown([mail], unfolded=("m1",))) == len(shown) + 14


@pytest.mark.parametrize(
    ("state", "words"),
    [("waits", "◌ waits"), ("sending", "◌ waits"), ("sent", "✓ sent"), ("delivered", "✓✓ delivered"), ("read", "✓✓ read"),
     ("link", "◌ waits for the link"), ("failed", "✗ failed"), ("unknown", "? not known if it arrived"), ("", "")],
)  # fmt: skip
def test_delivery_is_a_sign_and_a_word(state: str, words: str) -> None:
    assert delivery(_item(1, "you", 1, "x", delivery=state), UNICODE).text == words


def test_who_types_stands_at_the_end() -> None:
    assert _shown([_item(1, "them", 1, "x", name="Anna")], typing=("Anna",))[-2:] == ["", "   ✎ Anna is typing"]


hostile = st.text(alphabet="ab \x1b[31m\u202e世🙂\n\t\u0301", max_size=60)


@given(
    st.lists(
        st.builds(
            Item,
            id=st.uuids().map(str),
            seq=st.just(5),
            rev=st.just(1),
            kind=st.sampled_from(["them", "you", "colleague", "note", "whisper", "event", "unreadable", "new"]),
            at_ms=st.integers(min_value=NOW - 10**9, max_value=NOW),
            name=hostile, channel=hostile, text=hostile, subject=hostile, quote=hostile, note_to=hostile, reason=hostile,
            delivery=st.sampled_from(["", "read", "failed", "unknown"]),
            has_raw=st.booleans(), is_cut=st.booleans(),
        ),
        max_size=6,
    ),
    st.integers(min_value=30, max_value=100),
)  # fmt: skip
def test_no_line_is_wider_than_the_thread_or_harmful(items: list[Item], cells: int) -> None:
    thread = Thread(items, AT, seen=0)
    thread.settle(1 << 30, 10_000, cells)
    for slot in thread.page(0, 10_000, cells):
        line = thread.draw(slot, cells, "acc")
        assert line.cells <= cells
        assert all(char.isprintable() or char in "\u200c\u200d\u3000\xa0" for char in line.text)


class _Lazy(list[Item]):
    """Items that are made when they are asked for, and counted."""

    made = 0

    def __init__(self, count: int) -> None:
        super().__init__()
        self.amount = count

    def __len__(self) -> int:
        return self.amount

    def __bool__(self) -> bool:
        return True

    def __getitem__(self, at: int) -> Item:  # type: ignore[override]
        self.made += 1
        return _item(at % self.amount, "them", self.amount - at % self.amount, HI, name="Anna Berg")


def test_opening_a_hundred_thousand_messages_touches_a_screenful() -> None:
    items = _Lazy(100_000)
    thread = Thread(items, AT, seen=100_000)
    top = thread.settle(thread.lines(52) - 40, 40, 52)
    assert len(thread.page(top, 40, 52)) == 40
    assert items.made < 500


def test_what_was_measured_keeps_its_lines_when_older_ones_are() -> None:
    items = [_item(n, "them", 5 * (300 - n), HI * (n % 5 + 1), name="A") for n in range(300)]
    thread = Thread(items, AT, seen=300)
    top = thread.settle(1 << 30, 20, 52)
    below = [slot.stamp for slot in thread.page(top, 20, 52)]
    higher = thread.settle(top - 7, 20, 52)
    assert [slot.stamp for slot in thread.page(higher, 20, 52)][7:] == below[:-7]


@pytest.mark.parametrize(("bytes_", "words"), [(5, "5 B"), (88_000, "88 kB"), (1_250_000, "1.2 MB")])
def test_sizes_are_short(bytes_: int, words: str) -> None:
    assert size(bytes_) == words
