"""A packet as the thread suggests it: dialogs in the languages of the house, and what a stranger may write into them."""

from __future__ import annotations

import unicodedata
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker_bridge.contract.views import FileLine, Identifier, Item
from broker_bridge.contract.words import Packet
from broker_bridge.core.packet import MOST, case_line, prefill
from broker_bridge.core.sentences import cut, is_promise, is_question, plain, sentences, substance

KINDS = {"<": "them", ">": "you", "=": "colleague", "#": "note"}


def thread(*said: str, **first: Any) -> list[Item]:
    """Items of lines that begin with who speaks; `first`: more of the first one."""
    found = []
    for number, line in enumerate(said, 1):
        more = first if number == 1 else {}
        item = Item(id=f"m{number}", seq=number, rev=number, kind=KINDS[line[0]], at_ms=number, text=line[2:], **more)
        found.append(item)
    return found


ENGLISH = (
    "< Hi! I am in Tokyo next week. Which fee applies if I take out cash there with the gold card?",
    "> Hello Anna, nice to hear from you again. With Gold two withdrawals a month are free. Shall I switch it on for you?",
    "< Yes please. Last year this one was charged twice.",
    "> Thank you for the receipt. I'll call you back tomorrow before 16:00.",
    "# She asked me the same on the phone. The fee was waived last year.",
    "< Great. And can I pay in a shop without any fee? Is it https://shop.example/?q=1 as well?",
)
SWEDISH = (
    "< Hej, min far kan inte längre sköta sina räkningar själv. Vad behövs för en fullmakt?\n\nVänliga hälsningar\nÅsa Nyström\n070-123",
    "> Hej Åsa! Det räcker med en blankett med hans underskrift. Jag skickar den senast på torsdag.",
    "< Tack! Måste han komma till kontoret?",
)
NORWEGIAN = (
    "< Hei! Kortet mitt virker ikke i Oslo. Hva gjør jeg nå?",
    "> Hei Ole. Vi har sperret kortet. Du får svar innen i morgen.",
    "< Når kommer det nye kortet?",
)
FINNISH = (
    "< Hei! Mistä löydän lomakkeen osoitteenmuutosta varten?",
    "> Hei Hanna! Lomake on kohdassa Asetukset. Soitan teille huomenna.",
    "< Anteeksi, missä se lomake on?",
)
RUSSIAN = (
    "< Здравствуйте! Подала заявку на счёт в четверг. А когда откроют счёт?",
    "> Здравствуйте, Ольга! Для открытия не хватает только копии паспорта. Счёт будет открыт сегодня до 18:00.",
    "< Спасибо! А карта придёт по почте?",
)
GERMAN = (
    "< Guten Tag, der Chip meiner Karte geht nicht mehr.",
    "> Guten Tag Herr Müller, das tut mir leid. Der Chip ist gerissen. Wir schicken Ihnen bis Dienstag eine neue Karte.",
    "< Danke! Brauchen Sie dafür noch etwas von mir?",
)


@pytest.mark.parametrize(
    ("said", "packet"),
    [
        (
            ENGLISH,
            Packet(
                problem="I am in Tokyo next week. Which fee applies if I take out cash there with the gold card?",
                tried="With Gold two withdrawals a month are free. note: She asked me the same on the phone. "
                "note: The fee was waived last year.",
                promised="I'll call you back tomorrow before 16:00.",
                open="And can I pay in a shop without any fee? Is it https://shop.example/?q=1 as well?",
            ),
        ),
        (
            SWEDISH,
            Packet(
                problem="Min far kan inte längre sköta sina räkningar själv. Vad behövs för en fullmakt?",
                tried="Det räcker med en blankett med hans underskrift.",
                promised="Jag skickar den senast på torsdag.",
                open="Måste han komma till kontoret?",
            ),
        ),
        (
            NORWEGIAN,
            Packet(
                problem="Kortet mitt virker ikke i Oslo. Hva gjør jeg nå?",
                tried="Vi har sperret kortet.",
                promised="Du får svar innen i morgen.",
                open="Når kommer det nye kortet?",
            ),
        ),
        (
            FINNISH,
            Packet(
                problem="Mistä löydän lomakkeen osoitteenmuutosta varten?",
                tried="Lomake on kohdassa Asetukset.",
                promised="Soitan teille huomenna.",
                open="Anteeksi, missä se lomake on?",
            ),
        ),
        (
            RUSSIAN,
            Packet(
                problem="Подала заявку на счёт в четверг. А когда откроют счёт?",
                tried="Для открытия не хватает только копии паспорта.",
                promised="Счёт будет открыт сегодня до 18:00.",
                open="А карта придёт по почте?",
            ),
        ),
        (
            GERMAN,
            Packet(
                problem="Der Chip meiner Karte geht nicht mehr.",
                tried="Der Chip ist gerissen.",
                promised="Wir schicken Ihnen bis Dienstag eine neue Karte.",
                open="Brauchen Sie dafür noch etwas von mir?",
            ),
        ),
    ],
    ids=["en", "sv", "no", "fi", "ru", "de"],
)
def test_a_dialog_becomes_problem_tried_promised_and_open(said: tuple[str, ...], packet: Packet) -> None:
    assert prefill(thread(*said)) == packet


def test_the_subject_of_a_mail_stands_before_its_words_unless_they_repeat_it() -> None:
    subject = "Re: SV: Refund of 41.20"
    assert (
        prefill(thread("< The shop says it did.", subject=subject)).problem == "Refund of 41.20: The shop says it did."
    )
    assert prefill(thread("< Refund of 41.20 is missing.", subject=subject)).problem == "Refund of 41.20 is missing."
    assert prefill(thread("< Hello!", subject=subject)).problem == "Refund of 41.20: Hello!"


def test_a_problem_in_small_pieces_is_put_together_up_to_our_first_answer() -> None:
    said = ("< hi", "< my card is gone", "< I lost it in the train", "> Sorry to hear that.", "< and my keys too")
    assert prefill(thread(*said)).problem == "my card is gone; I lost it in the train"


def test_who_only_greets_is_quoted_as_they_are() -> None:
    assert prefill(thread("< Hello?!")).problem == "Hello?!"
    assert prefill([]) == Packet()


def test_an_automatic_answer_promises_nothing_and_answers_nothing() -> None:
    items = thread("< Can you help me with the invoice?", "= We are closed and will answer tomorrow.")
    items[1] = Item(id="a", seq=2, rev=2, kind="colleague", at_ms=2, text=items[1].text, is_automatic=True)
    packet = prefill(items)
    assert (packet.promised, packet.tried, packet.open) == ("", "", "Can you help me with the invoice?")


def test_what_a_colleague_wrote_into_an_earlier_packet_stays_and_is_added_to() -> None:
    items = thread("< The lamp is broken.", "> We looked at it.", "# please help", "= It will be repaired on Monday.")
    earlier = Packet(problem="Broken lamp, order 7", promised="A word by Friday.", tried="a new bulb")
    items[2] = Item(id="n", seq=3, rev=3, kind="note", at_ms=3, text="please help", packet=earlier)
    packet = prefill(items)
    assert packet.problem == "Broken lamp, order 7"
    assert packet.promised == "A word by Friday. It will be repaired on Monday."
    assert packet.tried == "a new bulb"


def test_proved_identifiers_come_first_with_their_signs() -> None:
    known = (
        Identifier(word="chat", address="visitor 1a2b"),
        Identifier(word="mail", address="a…g@e…e", is_proved=True),
    )
    assert prefill([], known).proved == "mail a…g@e…e ✓, chat visitor 1a2b ✗"


def test_files_that_we_sent_are_among_what_was_done() -> None:
    items = thread("< The form, please.", "> Here is the form.")
    file = FileLine(digest="d", name="form.pdf", media_type="application/pdf", size_bytes=1)
    items[1] = Item(id="m2", seq=2, rev=2, kind="you", at_ms=2, text="Here is the form.", files=(file,))
    assert prefill(items).tried == "Here is the form. sent form.pdf"


@pytest.mark.parametrize(
    ("said", "line"),
    [
        (("< a", "> b", "= c", "# d"), "3 messages, 1 note"),
        (("< a",), "1 message"),
        ((), ""),
    ],
)
def test_the_case_is_counted_in_one_line(said: tuple[str, ...], line: str) -> None:
    assert case_line(thread(*said)) == line


def test_a_long_case_counts_messages_that_were_not_read() -> None:
    assert case_line(thread("< a"), 1_200) == "1200 messages"


@pytest.mark.parametrize(
    "sentence",
    [
        "I'll look at it.",
        "We will write to you.",
        "You get the money back within two days.",
        "It is booked on Monday.",
        "The refund is credited today.",
        "Jag återkommer i morgon.",
        "Vi ska titta på det.",
        "Du får svar senast kl. 14.",
        "Jeg gir beskjed.",
        "Vi sender det innen fredag.",
        "Lähetämme kortin perjantaina.",
        "Palaan asiaan viimeistään huomenna.",
        "Я перезвоню завтра.",
        "Отправим документы до 18:00.",
        "Ich melde mich morgen.",
        "Wir werden das prüfen.",
        "Sie erhalten spätestens am Freitag eine Antwort.",
        "新しい住所にカードを再発行し、本日発送いたします。",
    ],
)
def test_a_promise_is_known_in_every_language_of_the_house(sentence: str) -> None:
    assert is_promise(sentence)


@pytest.mark.parametrize(
    "sentence",
    [
        "Will you send me the receipt?",
        "It was sent today.",
        "You called us yesterday.",
        "The card is blocked.",
        "Vi har skickat den i dag.",
        "Kortet ble sendt i dag, det har vi sett.",
        "Kortti on lähetetty.",
        "Мы отправили его вчера.",
        "Der Chip ist gerissen.",
        "Wir haben das heute geprüft.",
    ],
)
def test_what_was_done_or_asked_is_no_promise(sentence: str) -> None:
    assert not is_promise(sentence)


@pytest.mark.parametrize(
    ("sentence", "asks"),
    [
        ("Where is it?", True),
        ("“Where is it?”", True),
        ("どこですか?", True),
        ("أين هي؟", True),
        ("Is it free? 🙂", True),
        ("See https://shop.example/?", False),
        ("I asked where it is.", False),
        ("", False),
    ],
)
def test_a_question_is_known_by_its_mark_and_not_by_a_link(sentence: str, asks: bool) -> None:
    assert is_question(sentence) is asks


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("One. Two! Three?", ["One.", "Two!", "Three?"]),
        ("Du får svar kl. 14 i dag. Hej", ["Du får svar kl. 14 i dag.", "Hej"]),
        (
            "カードがまだ届きません。二週間前に申し込みました。",
            ["カードがまだ届きません。", "二週間前に申し込みました。"],
        ),
        (
            "this line was broken by the mail program at its\nmargin, and goes on",
            ["this line was broken by the mail program at its margin, and goes on"],
        ),
        ("short line\nanother one", ["short line", "another one"]),
        ("Text.\n-- \nName\nPhone", ["Text."]),
        ("> quoted\nown", ["own"]),
        ("", []),
        ("\n\n \n", []),
    ],
)
def test_text_is_parted_where_a_person_would(text: str, found: list[str]) -> None:
    assert sentences(text) == found


def test_greetings_thanks_and_leave_say_nothing() -> None:
    text = "Dear Ms O'Neill,\nthank you. The refund is booked.\n\nKind regards,\nGrace\n+46 70 174"
    assert substance(text) == ["The refund is booked."]
    assert substance("Hej!") == substance("Tack så mycket!") == substance("OK.") == []


def test_a_cut_ends_with_a_word_and_a_sign() -> None:
    assert cut("one two three", 9) == "one two…"
    assert cut("onetwothree", 5) == "onet…"
    assert cut("one", 3) == "one"


def test_nothing_that_steers_a_terminal_comes_through() -> None:
    hostile = "\x1b[31mred\x07 \u202eevil\u2066 \x00nul\x9b1m\u200btext\ue000 will you?"
    packet = prefill(thread(f"< {hostile}", f"> I will {hostile[:-1]}.", f"< {hostile}", subject=hostile))
    for name in packet.__struct_fields__:
        for sign in getattr(packet, name):
            assert unicodedata.category(sign)[0] != "C", (name, sign)
    assert plain("👩\u200d🚀 ok") == "👩\u200d🚀 ok"


PIECES = (
    "Hi Anna, ",
    "I will ",
    "tomorrow. ",
    "Why? ",
    "\n",
    "> ",
    "-- \n",
    "Re: ",
    "?",
    ".",
    "bis ",
    "завтра ",
    "https://",
    "🙂",
    "\u202e",
    "x" * 60,
)


@given(
    st.lists(
        st.tuples(
            st.sampled_from("<>=#"), st.lists(st.sampled_from(PIECES) | st.text(max_size=30), max_size=40).map("".join)
        ),
        max_size=8,
    )
)
def test_every_field_is_short_plain_and_the_same_each_time(said: list[tuple[str, str]]) -> None:
    items = thread(*(f"{who} {text}" for who, text in said))
    packet = prefill(items)
    assert packet == prefill(items)
    for name in packet.__struct_fields__:
        field = getattr(packet, name)
        assert len(field) <= MOST and field == field.strip() and "\n" not in field


@pytest.mark.parametrize(
    "piece", ["a", "?", "hi ", "\n", "1.", "(", "bis ", " . ", "www.", "? ", "hej a b c d, ", "ich "]
)
def test_a_huge_text_is_read_only_at_its_beginning(piece: str) -> None:
    items = thread(*(f"{who} {piece * 20_000}" for who in "<>#<"), subject=piece * 500)
    assert all(len(getattr(prefill(items), name)) <= MOST for name in Packet.__struct_fields__)
