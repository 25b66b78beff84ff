"""Threading: ids in headers, and signed reply addresses."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker_bridge.channels.email import references
from broker_bridge.channels.email.mail import Address, Bounce, Mail

KEY = b"k" * 32
OTHER = b"o" * 32
CONVERSATION = "01hzy3v9k2abcdefghjkmnpqrs"


def mail(**fields: object) -> Mail:
    return Mail(digest="0" * 64, **fields)  # type: ignore[arg-type]  # each test names the fields it is about


def test_nearest_ancestor_comes_first_and_each_once() -> None:
    read = mail(message_id="me@x", in_reply_to="c@x", references=("a@x", "b@x", "c@x", "me@x"))
    assert references.thread_hints(read) == ("c@x", "b@x", "a@x")


def test_report_points_at_the_mail_it_is_about() -> None:
    assert references.thread_hints(mail(bounce=Bounce(original_message_id="ours@x"), in_reply_to="c@x"))[0] == "ours@x"


def test_own_message_id_is_the_same_every_time_and_known_again() -> None:
    own = references.own_message_id(CONVERSATION, "shop.example")
    assert references.own_message(own, "shop.example") == CONVERSATION
    assert references.own_message(f"<{own}>", "SHOP.example") == CONVERSATION
    assert references.own_message(own, "evil.test") is None
    assert references.own_message("a b@shop.example", "shop.example") is None


def test_token_names_its_conversation_in_any_letter_case() -> None:
    token = references.sign(CONVERSATION, KEY)
    assert references.verify(token, KEY) == CONVERSATION
    assert references.verify(token.upper(), KEY) == CONVERSATION


def test_token_of_another_key_or_conversation_is_refused() -> None:
    token = references.sign(CONVERSATION, KEY)
    assert references.verify(token, OTHER) is None
    assert references.verify("a" + token[1:], KEY) is None
    assert references.verify(CONVERSATION + "a" * references.SIGNATURE_CHARS, KEY) is None
    assert references.verify(references.sign(CONVERSATION, OTHER), KEY) is None


def test_every_changed_letter_spoils_the_token() -> None:
    token = references.sign(CONVERSATION, KEY)
    for at, letter in enumerate(token):
        assert references.verify(token[:at] + ("b" if letter != "b" else "c") + token[at + 1 :], KEY) is None


@given(st.text(max_size=80))
def test_no_text_is_a_token_by_chance(text: str) -> None:
    assert references.verify(text, KEY) is None


@pytest.mark.parametrize("bad", ["", "UPPER", "a" * 39, "a b", "a@b", "\n"])
def test_id_that_fits_no_address_is_refused(bad: str) -> None:
    with pytest.raises(ValueError, match="conversation id"):
        references.sign(bad, KEY)


def test_short_key_is_refused() -> None:
    with pytest.raises(ValueError, match="16 bytes"):
        references.sign(CONVERSATION, b"short")


def test_reply_address_keeps_within_a_local_part() -> None:
    address = references.reply_address(CONVERSATION, KEY, "shop.example")
    assert len(address.partition("@")[0]) <= 64
    with pytest.raises(ValueError, match="64"):
        references.reply_address("a" * 38, KEY, "shop.example", local="customer-care")


@pytest.mark.parametrize("place", ["to", "cc", "delivered_to", "references", "in_reply_to"])
def test_token_is_found_wherever_the_mail_carries_it(place: str) -> None:
    address = references.reply_address(CONVERSATION, KEY, "shop.example").upper()
    values = {
        "to": (Address(addr="x@y.test"), Address(addr=address)),
        "cc": (Address(addr=address),),
        "delivered_to": (address,),
        "references": (address,),
        "in_reply_to": address,
    }
    assert references.conversation(mail(**{place: values[place]}), KEY) == CONVERSATION


def test_token_in_a_display_name_is_not_looked_at() -> None:
    address = references.reply_address(CONVERSATION, KEY, "shop.example")
    assert references.conversation(mail(to=(Address(name=address, addr="x@y.test"),)), KEY) is None


def test_false_token_does_not_hide_a_genuine_one() -> None:
    address = references.reply_address(CONVERSATION, KEY, "shop.example")
    forged = references.reply_address("a" * 26, OTHER, "shop.example")
    assert references.conversation(mail(to=(Address(addr=forged), Address(addr=address))), KEY) == CONVERSATION
