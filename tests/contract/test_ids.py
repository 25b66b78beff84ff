"""Ids sort by age, never meet, and are safe in a subject."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker_bridge.contract import ids, subjects

KEY = b"k" * 32
MOMENTS = st.integers(min_value=0, max_value=2**50 - 1)
NODES = st.integers(min_value=0, max_value=2**20 - 1)


@given(NODES, st.integers(min_value=0, max_value=2**30), st.lists(MOMENTS, min_size=2, max_size=20))
def test_ids_of_one_node_sort_by_their_moment_and_then_by_their_making(
    node: int, start: int, moments: list[int]
) -> None:
    mint = ids.Mint(node, start)
    made = [mint.new(now_ms) for now_ms in sorted(moments)]
    assert made == sorted(made)
    assert len(set(made)) == len(made)


@given(NODES, NODES, st.integers(min_value=0, max_value=2**40 - 1), MOMENTS)
def test_two_nodes_never_make_the_same_id(one: int, other: int, start: int, now_ms: int) -> None:
    first = {ids.Mint(one, start).new(now_ms)}
    second = {ids.Mint(other, start).new(now_ms)}
    assert first.isdisjoint(second) == (one != other)


def test_ten_thousand_ids_of_one_millisecond_are_all_different_and_safe_as_a_token() -> None:
    mint = ids.Mint(1_048_575, 2**40 - 1)
    made = {mint.new(2**50 - 1) for _ in range(10_000)}
    assert len(made) == 10_000
    assert all(len(one) == ids.LENGTH and set(one) <= set(ids.ALPHABET) and subjects.token(one) for one in made)


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        (("message", "x"), "zkxzdnyec4dda3q1fandq6v9mt"),
        (("email", "support", "17:4711"), "ts0dfhdh9qf1jwx47bpk5y8xv9"),
        (("",), "xgrh19hz0w2jdfqx68k5qvj917"),
    ],
)
def test_derived_ids_are_the_same_in_every_release(parts: tuple[str, ...], expected: str) -> None:
    assert ids.derived(*parts) == expected


def test_a_handle_is_the_same_in_every_release() -> None:
    assert ids.handle_id(KEY, "email", "", "anna@example.se") == "8cvys1png7tay26s8w63x7r2wv"
    assert ids.handle_id(KEY, "webchat", "shop", "v-1") == "xmj59a7jfg42bbrwjbwedaa4wd"


PARTS = st.lists(st.text(alphabet="ab", max_size=2), min_size=1, max_size=4)


@given(PARTS, PARTS)
def test_parts_are_not_run_together(one: list[str], other: list[str]) -> None:
    assert (ids.derived(*one) == ids.derived(*other)) == (one == other)


@given(st.text(min_size=1), st.text())
def test_any_text_gives_an_id_even_with_broken_letters(kind: str, address: str) -> None:
    made = ids.handle_id(KEY, kind, "\ud800", address + "\udfff")
    assert subjects.token(made) and len(made) == ids.LENGTH


@pytest.mark.parametrize("spelling", ["Anna@Example.SE", " anna@example.se ", "anna@EXAMPLE.se\n", "ANNA@example.se"])
def test_one_mail_address_is_one_handle_however_it_is_spelled(spelling: str) -> None:
    assert ids.handle_id(KEY, "email", "", spelling) == ids.handle_id(KEY, "email", "", "anna@example.se")


def test_a_visitor_is_parted_by_case_scope_kind_and_site() -> None:
    made = {
        ids.handle_id(KEY, "webchat", "shop", "v"),
        ids.handle_id(KEY, "webchat", "shop", "V"),
        ids.handle_id(KEY, "webchat", "blog", "v"),
        ids.handle_id(KEY, "sms", "shop", "v"),
        ids.handle_id(b"another site's key, 32 bytes long", "webchat", "shop", "v"),
    }
    assert len(made) == 5


def test_partitions_are_in_range_and_all_of_them_are_used() -> None:
    lanes = [ids.partition(ids.handle_id(KEY, "email", "", f"{n}@example.se")) for n in range(2_000)]
    assert set(lanes) == set(range(ids.PARTITIONS))
    assert max(lanes.count(lane) for lane in range(ids.PARTITIONS)) < 2 * 2_000 / ids.PARTITIONS


@given(st.text())
def test_a_case_number_is_five_letters_that_nobody_confuses(conversation: str) -> None:
    number = ids.short_number(conversation)
    assert len(number) == 5
    assert not set(number) & set("01IO") and number == number.upper()
