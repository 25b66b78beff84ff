"""The read model alone: pages without holes, changes in order, search in any script, and files it cannot trust."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from broker_bridge.contract.views import Item
from broker_bridge.daemon.readmodel import ReadModel


def _item(seq: int, place: int = 0, rev: int = 0) -> Item:
    return Item(id=f"{seq}-{place}", seq=seq, rev=rev or seq, kind="them", at_ms=seq, text=f"text {seq}-{place}")


@pytest.fixture
def model() -> ReadModel:
    return ReadModel(None)


@pytest.mark.parametrize("limit", [1, 2, 3, 5, 7, 100])
def test_pages_of_any_size_give_every_item_once_in_order(model: ReadModel, limit: int) -> None:
    siblings = {3: 2, 4: 3, 9: 4, 20: 2}
    items = [_item(seq, place) for seq in range(1, 30) for place in range(siblings.get(seq, 1))]
    for item in items:
        model.add_item("c1", item, int(item.id.partition("-")[2]))
        model.add_item("c2", msgspec.structs.replace(item, id=f"x{item.id}"), int(item.id.partition("-")[2]) + 50)
    found: list[Item] = []
    before = None
    while True:
        page, has_more = model.page("c1", before, limit)
        found = [*page, *found]
        if not has_more:
            break
        before = page[0].seq
    assert [item.id for item in found] == [item.id for item in items]


def test_changes_after_a_sequence_come_in_their_order_and_never_part_siblings(model: ReadModel) -> None:
    for seq in range(1, 400):
        model.add_item("c1", _item(seq, rev=1000 + seq // 3), 0)
    first = model.items_changed("c1", 0)
    assert len(first) >= 200
    rest = model.items_changed("c1", first[-1].rev)
    assert [item.seq for item in (*first, *rest)] == list(range(1, 400))
    assert model.items_changed("c1", rest[-1].rev) == []


def test_a_few_changes_come_whole(model: ReadModel) -> None:
    for seq in range(1, 6):
        model.add_item("c1", _item(seq), 0)
    assert [item.seq for item in model.items_changed("c1", 2)] == [3, 4, 5]


@pytest.mark.parametrize(
    ("words", "asked"),
    [
        ("Der Kühlschrank ist kaputt", "kühlschr"),
        ("Холодильник сломался", "лодиль"),
        ("冷蔵庫が壊れました", "壊れまし"),
        ("冷蔵庫が壊れました", "庫"),
        ("anna.berg@shop.example", "berg@shop"),
        ('she said "100%_sure" and left', '"100%_sure"'),
        ("order A-17 and more", "a-17 more"),
        ("ok", "ok"),
        ("a letter\0 that ends texts\nAnna Berg", "berg"),
        ("a letter\0 that ends texts\nÅ", "Å"),
    ],
)
async def test_parts_of_words_in_any_script_are_found(model: ReadModel, words: str, asked: str) -> None:
    model.index_words("c1", words)
    model.index_words("c2", "something else")
    model.commit(1)
    assert await model.search(asked, 10) == ["c1"]


@pytest.mark.parametrize(
    "asked", ['"', "'", "*", "NEAR(", "a AND", "%", "_", "\\", "", "   ", "(", "-x", "^a", ":", "\0"]
)
async def test_no_text_that_is_searched_for_is_an_error(model: ReadModel, asked: str) -> None:
    model.index_words("c1", "plain words")
    model.commit(1)
    await model.search(asked, 10)


def test_a_file_of_another_version_or_of_another_stream_is_made_anew(tmp_path: Path) -> None:
    path = tmp_path / "m.sqlite"
    model = ReadModel(path)
    model.begin_with("stream one")
    model.add_item("c1", _item(1), 0)
    model.commit(7)
    model.close()
    again = ReadModel(path)
    again.begin_with("stream one")
    assert (again.position, len(again.items("c1", None, 10))) == (7, 1)
    again.begin_with("stream two")
    assert (again.position, again.items("c1", None, 10)) == (0, [])
    again.set_meta("version", "0")
    again.close()
    assert ReadModel(path).position == 0
    assert path.stat().st_mode & 0o077 == 0


def test_what_was_not_committed_is_not_there_after_a_crash(tmp_path: Path) -> None:
    path = tmp_path / "m.sqlite"
    model = ReadModel(path)
    model.add_item("c1", _item(1), 0)
    model.commit(1)
    model.add_item("c1", _item(2), 0)
    assert len(model.items("c1", None, 10)) == 2
    model.db.close()  # without a commit, as a killed process leaves it
    other = ReadModel(path)
    assert (other.position, len(other.items("c1", None, 10))) == (1, 1)


@pytest.mark.parametrize("damage", [b"", b"no database at all" * 500, b"SQLite format 3\0" + b"\xff" * 5000])
def test_a_damaged_file_is_made_anew(tmp_path: Path, damage: bytes) -> None:
    path = tmp_path / "m.sqlite"
    ReadModel(path).close()
    path.write_bytes(damage)
    assert ReadModel(path).position == 0
