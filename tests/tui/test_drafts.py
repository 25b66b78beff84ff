"""Drafts on disk."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from agent_tui.model.drafts import EMPTY_KEPT_MS, Draft, Drafts
from broker_bridge.contract.views import DraftView


def test_a_draft_is_there_after_a_restart(tmp_path: Path) -> None:
    Drafts(tmp_path, 0).save("c1", "reply", "Hej “Søren”\n田中", 5)
    again = Drafts(tmp_path, 10)
    assert again.get("c1") == Draft(conversation="c1", mode="reply", text="Hej “Søren”\n田中", at_ms=5)
    assert again.get("c1", "note") is None


def test_a_note_and_a_reply_are_two_drafts(tmp_path: Path) -> None:
    drafts = Drafts(tmp_path, 0)
    drafts.save("c1", "reply", "to her", 1)
    drafts.save("c1", "note", "about her", 2)
    assert [draft.text for draft in Drafts(tmp_path, 3).all()] == ["about her", "to her"]


@pytest.mark.parametrize(
    ("ours", "theirs", "wins"),
    [
        (("mine", 5), ("older", 4), "mine"),
        (("mine", 5), ("same moment", 5), "mine"),
        (("mine", 5), ("newer", 6), "newer"),
        (("mine", 5), None, "mine"),
        (None, ("theirs", 1), "theirs"),
        (None, None, None),
        (("", 5), ("older", 4), None),
        (("mine", 5), ("", 6), None),
    ],
)
def test_the_newest_writing_wins(
    tmp_path: Path, ours: tuple[str, int] | None, theirs: tuple[str, int] | None, wins: str | None
) -> None:
    drafts = Drafts(tmp_path, 0)
    if ours:
        drafts.save("c1", "reply", "before", 0)
        drafts.save("c1", "reply", *ours)
    view = DraftView(text=theirs[0], at_ms=theirs[1]) if theirs else None
    merged = drafts.merged("c1", "reply", view)
    assert (merged.text if merged else None) == wins


def test_a_draft_of_the_other_mode_is_not_taken(tmp_path: Path) -> None:
    assert Drafts(tmp_path, 0).merged("c1", "reply", DraftView(text="note", mode="note", at_ms=9)) is None


def test_a_dropped_draft_stays_dropped_and_is_forgotten_after_a_week(tmp_path: Path) -> None:
    drafts = Drafts(tmp_path, 0)
    drafts.save("c1", "reply", "sent", 1)
    drafts.drop("c1", "reply", 2)
    assert Drafts(tmp_path, 3).merged("c1", "reply", DraftView(text="sent", at_ms=1)) is None
    assert list(tmp_path.iterdir())
    Drafts(tmp_path, 3 + EMPTY_KEPT_MS)
    assert not list(tmp_path.iterdir())


def test_dropping_nothing_writes_nothing(tmp_path: Path) -> None:
    Drafts(tmp_path, 0).drop("c1", "reply", 1)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("conversation", ["../x", "a/b", "", "a.b"])
def test_a_name_never_leads_out_of_the_folder(tmp_path: Path, conversation: str) -> None:
    with pytest.raises(ValueError):
        Drafts(tmp_path / "in", 0).save(conversation, "reply", "x", 1)
    assert [path.name for path in tmp_path.iterdir()] == ["in"]


def test_a_file_that_cannot_be_read_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "c1.reply.json").write_bytes(b"{half")
    assert Drafts(tmp_path, 0).all() == []
    assert (tmp_path / "c1.reply.json").read_bytes() == b"{half"


def test_the_files_are_the_owners_alone(tmp_path: Path) -> None:
    Drafts(tmp_path, 0).save("c1", "reply", "x", 1)
    assert [path.stat().st_mode & 0o777 for path in tmp_path.iterdir()] == [0o600]


def test_a_draft_outlives_kill_9(tmp_path: Path) -> None:
    code = (
        "import sys, os, signal; from pathlib import Path; from agent_tui.model.drafts import Drafts\n"
        "Drafts(Path(sys.argv[1]), 0).save('c1', 'reply', 'half a sent', 7); os.kill(os.getpid(), signal.SIGKILL)"
    )
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], check=False, env={**os.environ, "PYTHONPATH": str(root)}
    )
    assert done.returncode == -signal.SIGKILL
    draft = Drafts(tmp_path, 8).get("c1")
    assert draft is not None and draft.text == "half a sent"
