"""Facts outlive code: every file here was written by a release and must decode and fold for ever. Files are added, never changed."""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from broker_bridge.contract import codec
from broker_bridge.contract.facts import AnyFact, Entry, Received
from broker_bridge.contract.words import Sealed, Words
from broker_bridge.core import colleague, conversation, customer, handle, thread

GOLDEN = Path(__file__).parent / "golden"
FILES = sorted(GOLDEN.glob("v*/*.json"))
NAMED = thread.Named(agent=str.title, word=lambda kind: kind[:4])
CASE = "01hzconv00000000000000001a"


def _entry(path: Path) -> Entry:
    return codec.entry(path.read_bytes())


def _id(path: Path) -> str:
    return f"{path.parent.name}/{path.stem}"


def _open_entries() -> list[Path]:
    return [path for path in FILES if not path.stem.endswith(".sealed")]


@pytest.mark.parametrize("path", FILES, ids=_id)
def test_nothing_in_a_golden_file_is_passed_over(path: Path) -> None:
    assert json.loads(codec.encode(_entry(path))) == json.loads(path.read_bytes())


@pytest.mark.parametrize("path", _open_entries(), ids=_id)
def test_a_golden_file_folds_into_every_aggregate_and_a_thread(path: Path) -> None:
    entry = _entry(path)
    assert conversation.fold(conversation.begin(CASE), entry, 9).seq == 9
    assert handle.fold(handle.begin("h"), entry, 9).seq == 9
    assert customer.fold(customer.begin("c"), entry, 9).seq == 9
    assert colleague.fold(colleague.begin("maya"), entry, 9).seq == 9
    for place, fact in enumerate(entry.facts):
        item = thread.made(fact, entry, 9, place, NAMED)
        assert item is None or item.text


def test_every_kind_of_fact_has_a_golden_file() -> None:
    kept = {str(fact.__struct_config__.tag) for path in FILES for fact in _entry(path).facts}
    assert kept == codec.KINDS


def _written(node: Any) -> set[str]:
    if isinstance(node, dict):
        return set(node).union(*(_written(one) for one in node.values()))
    if isinstance(node, list):
        return set().union(*(_written(one) for one in node))
    return set()


@pytest.mark.parametrize("kind", AnyFact.__args__, ids=lambda kind: kind.__name__)
def test_every_field_of_a_fact_stands_in_one_of_its_golden_files(kind: type[msgspec.Struct]) -> None:
    kept: set[str] = set()
    for path in FILES:
        facts = json.loads(path.read_bytes())["facts"]
        kept = kept.union(*(set(one) for one in facts if one["kind"] == kind.__struct_config__.tag))
    assert {field.name for field in msgspec.structs.fields(kind)} <= kept


def test_every_field_of_words_stands_in_a_golden_file() -> None:
    kept = set().union(*(_written(json.loads(path.read_bytes())) for path in FILES))
    # `is_erased` is what a missing key is opened as; it is never written.
    assert {field.name for field in msgspec.structs.fields(Words)} - {"is_erased"} <= kept


def test_a_sealed_fact_decodes_and_is_refused_by_the_fold() -> None:
    entry = _entry(GOLDEN / "v1" / "received.sealed.json")
    (fact,) = entry.facts
    assert isinstance(fact, Received) and isinstance(fact.words, Sealed)
    assert fact.words.box == bytes(range(44))
    with pytest.raises(TypeError, match="still|sealed"):
        conversation.fold(conversation.begin(CASE), entry, 1)


def test_the_golden_story_ends_as_it_always_did() -> None:
    lines = (GOLDEN / "v1" / "story.jsonl").read_bytes().splitlines()
    state = conversation.fold_all(CASE, ((place * 7, codec.entry(line)) for place, line in enumerate(lines, 1)))
    assert (state.status, state.queue, state.owner, state.epoch) == ("queued", "orders", "", 2)
    assert state.last_owner == "jonas"
    assert state.number == "QA86X"
    assert (state.unread, state.messages, state.text) == (1, 3, "text 2")
    assert (state.seq, state.last_in_seq) == (140, 140)
    assert state.waiting_since_ms == 1_795_000_200_000
    assert state.due_ms == 1_795_003_800_000
    assert state.ends == {"01hzmsg000000000000000002b": "delivered"}
    assert not state.out and not state.stuck and not state.declined
    assert set(state.commands) == {f"cmd-{n}" for n in range(1, 9)}
    assert set(state.items) == {"item-1", "item-1b", "item-2", "item-r1"}
    assert state.handles == {"4m8qhandle000000000000001a": "anna@example.se"}
    assert state.last_by_agent == {"maya": 42, "jonas": 112}
