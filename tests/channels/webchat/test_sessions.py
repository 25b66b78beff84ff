"""Tokens cannot be forged; limits are counted and given back; origins are compared exactly."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker_bridge.channels.webchat.sessions import Buckets, Seats, Signer, address_key, origin_allowed
from tests.channels.webchat.site import Clock

OLD, NEW = b"the key of last year", b"the key of this year"


def test_a_session_comes_back_from_its_token() -> None:
    signer = Signer([NEW])
    session = signer.new_session()
    assert len(session) == 32 and signer.session_of(signer.session_token(session)) == session


def test_a_token_of_a_retired_key_still_opens_until_the_key_goes() -> None:
    token = Signer([OLD]).session_token("0" * 32)
    assert Signer([NEW, OLD]).session_of(token) == "0" * 32
    assert Signer([NEW]).session_of(token) is None


def test_a_token_for_one_purpose_does_not_open_another() -> None:
    signer = Signer([NEW])
    assert signer.session_of(signer.sign("upload", b"0" * 32)) is None


@given(st.integers(min_value=0), st.characters())
def test_a_changed_token_is_refused(at: int, letter: str) -> None:
    signer = Signer([NEW])
    token = signer.session_token("0123456789abcdef" * 2)
    place = at % len(token)
    forged = token[:place] + letter + token[place + 1 :]
    assert signer.session_of(forged) in (None, "0123456789abcdef" * 2)
    assert signer.session_of(forged) is None or signer.open("session", forged) == signer.open("session", token)


@given(st.text())
def test_any_text_is_no_token(text: str) -> None:
    assert Signer([NEW]).session_of(text) is None


def test_a_short_key_is_not_taken() -> None:
    with pytest.raises(ValueError):
        Signer([b"short"])


def test_five_at_once_then_one_a_second() -> None:
    clock = Clock()
    buckets = Buckets(per_s=1.0, burst=5, monotonic_s=clock.monotonic_s)
    assert [buckets.take("a") for _ in range(5)] == [0.0] * 5
    assert buckets.take("a") == 1.0
    assert buckets.take("b") == 0.0
    clock.now_s += 0.5
    assert buckets.take("a") == 0.5
    clock.now_s += 0.5
    assert buckets.take("a") == 0.0


def test_full_buckets_are_forgotten() -> None:
    clock = Clock()
    buckets = Buckets(per_s=1.0, burst=2, monotonic_s=clock.monotonic_s, most=10)
    for key in range(10):
        buckets.take(str(key))
    clock.now_s += 60
    buckets.take("new")
    assert list(buckets._levels) == ["new"]


def test_seats_are_given_back() -> None:
    seats = Seats(per_address=1, total=2)
    seats.take("a")
    assert "already open from this address" in (seats.refusal("a") or "")
    seats.take("b")
    assert "full" in (seats.refusal("c") or "")
    seats.free("a")
    assert seats.refusal("a") is None and seats.taken == 1


@pytest.mark.parametrize(
    ("host", "key"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", "unknown"),
    ],
)
def test_what_counts_as_one_address(host: str, key: str) -> None:
    assert address_key(host) == key


@pytest.mark.parametrize(
    ("origin", "allowed"),
    [
        ("http://desk.example:8080", True),
        ("https://desk.example:8080", True),
        ("https://shop.example", True),
        ("https://SHOP.example", True),
        ("https://shop.example.evil.example", False),
        ("https://evil.example", False),
        ("https://desk.example", False),
        ("http://shop.example", False),
        ("null", False),
        ("", False),
        (None, False),
    ],
)
def test_origins_are_our_own_or_on_the_list(origin: str | None, allowed: bool) -> None:
    assert origin_allowed(origin, "desk.example:8080", ["https://shop.example/"]) is allowed
