"""Profile and timeline: columns, proof, and no line wider than its pane."""

from hypothesis import given
from hypothesis import strategies as st

from agent_tui.model.profile_lines import identifier, profile
from agent_tui.model.rows import Moment as Now
from agent_tui.model.source import Plain
from agent_tui.model.timeline_lines import timeline
from broker_bridge.contract.views import Case, FileLine, Identifier, Moment, Profile

NOW = 1_795_269_731_000  # Saturday 21 November 2026, 14:02:11 UTC
AT = Now(now_ms=NOW)
DAY = 86_400_000


def _texts(source: Plain, cells: int) -> list[str]:
    return [source.draw(slot, cells, "").text for slot in source.page(0, 999, cells)]


def test_the_timeline_has_heads_nodes_and_columns() -> None:
    moments = (
        Moment(at_ms=NOW, word="wa", text="this case, 5 messages", node="this", conv="c"),
        Moment(at_ms=NOW - 600_000, word="web", text="/cards", node="event"),
        Moment(at_ms=NOW - DAY, word="sms", text="your card is ready"),
        Moment(at_ms=NOW - 9 * DAY, word="app", text="push: travel offer", node="event"),
        Moment(at_ms=NOW - 344 * DAY, word="chat", text="solved: fee waived"),
    )
    assert _texts(timeline(moments, 31, AT), 31) == [
        " today",
        " ▌ 14:02 wa   this case, 5 me…",
        " · 13:52 web  /cards",
        "",
        " Friday",
        " │ 14:02 sms  your card is re…",
        "",
        " November",
        " · 12 Nov app  push: travel o…",
        "",
        " before",
        " │ Dec 25 chat solved: fee wa…",
    ]
    assert [slot.item for slot in timeline(moments, 31, AT).page(0, 99, 31)] == [
        -1,
        0,
        1,
        -1,
        -1,
        2,
        -1,
        -1,
        3,
        -1,
        -1,
        4,
    ]


def test_the_profile_shows_proof_and_guesses() -> None:
    proved = Identifier(word="wa", address="+46 70 174 06 05", is_proved=True)
    assert identifier(proved, 31, AT).text == " wa      +46 70 174 06 05 ✓"
    guess = Identifier(word="tg", address="@annab", reason="phone")
    assert identifier(guess, 31, AT).text == " maybe   @annab tg ? phone"


def test_an_identifier_loses_its_gap_then_its_middle() -> None:
    tight = Identifier(word="mail", address="anna.berg@example.se", is_proved=True)
    assert identifier(tight, 31, AT).text == " mail    anna.berg@example.se✓"
    long = Identifier(word="mail", address="anna.berg.of.stockholm@example.se", is_proved=True)
    shown = identifier(long, 31, AT).text
    assert shown.startswith(" mail    anna.") and shown.endswith("ple.se✓") and "…" in shown


def test_groups_of_facts_have_one_blank_row_between_them() -> None:
    customer = Profile(
        customer="u", rev=1, name="Anna Berg", tier="gold", speaks="Swedish", identifiers=(),
        open=(Case(conv="c", number="55-2108", text="double charge", state="disputed", at_ms=NOW),),
        files=(FileLine(digest="d", name="kvitto.pdf", media_type="application/pdf", size_bytes=212_000),),
    )  # fmt: skip
    assert _texts(profile(customer, 31, AT), 31) == [
        " Anna Berg  gold",
        " speaks  Swedish",
        "",
        " Open",
        " 55-2108  double cha… disputed",
        "",
        " Files",
        " kvitto.pdf         pdf 212 kB",
    ]


hostile = st.text(alphabet="ab \x1b[31m\u202e世🙂\n\t\u0301", max_size=60)
moments = st.builds(
    Moment, at_ms=st.integers(min_value=0, max_value=NOW), word=hostile, text=hostile,
    node=st.sampled_from(["this", "talk", "event", "new"]),
)  # fmt: skip
profiles = st.builds(
    Profile, customer=st.just("u"), rev=st.just(1), name=hostile, tier=hostile, speaks=hostile, about=hostile,
    identifiers=st.lists(
        st.builds(Identifier, word=hostile, address=hostile, is_proved=st.booleans(), reason=hostile), max_size=2
    ).map(tuple),
    open=st.lists(
        st.builds(Case, conv=hostile, number=hostile, text=hostile, state=hostile, at_ms=st.just(NOW)), max_size=2
    ).map(tuple),
    also_here=st.lists(hostile, max_size=2).map(tuple),
)  # fmt: skip


@given(st.lists(moments, max_size=5), profiles, st.integers(min_value=28, max_value=60))
def test_no_line_is_wider_than_the_pane_or_harmful(found: list[Moment], customer: Profile, cells: int) -> None:
    for source in (timeline(found, cells, AT), profile(customer, cells, AT)):
        for slot in source.page(0, 999, cells):
            line = source.draw(slot, cells, "")
            assert line.cells <= cells
            assert line.text.isprintable()
