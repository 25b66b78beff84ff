"""The outbox on disk."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from agent_tui.model.outbox import Outbox
from broker_bridge.contract.commands import Accept, Act, Note, Reply
from broker_bridge.contract.words import Address


def reply(number: int) -> Reply:
    return Reply(
        id=f"0000000000000000000000{number:04}",
        conversation="c1",
        epoch=2,
        text="Hej, “Søren”\n田中",
        channel="support-mail",
        to=(Address(address="s@example.net"),),
        seen=7,
    )


def opened(folder: Path) -> list[Act]:
    box = Outbox(folder)
    try:
        return box.waiting
    finally:
        box.close()


def test_what_waits_is_there_after_a_restart_in_order(tmp_path: Path) -> None:
    box = Outbox(tmp_path)
    acts = [reply(number) for number in (1, 2, 3)]
    for act in acts:
        box.put(act)
    box.settle(acts[1].id)
    box.close()
    assert opened(tmp_path) == [acts[0], acts[2]]


def test_the_same_wish_twice_is_one(tmp_path: Path) -> None:
    box = Outbox(tmp_path)
    box.put(reply(1))
    box.put(reply(1))
    assert box.waiting == [reply(1)]


def test_what_was_tried_cannot_be_taken_back_even_after_a_restart(tmp_path: Path) -> None:
    box = Outbox(tmp_path)
    box.put(reply(1))
    box.put(reply(2))
    box.mark_tried(reply(1).id)
    box.close()
    box = Outbox(tmp_path)
    assert box.is_tried(reply(1).id)
    assert box.take_back(reply(1).id) is None
    assert box.take_back(reply(2).id) == reply(2)
    box.close()
    assert opened(tmp_path) == [reply(1)]


def test_the_files_are_the_owners_alone(tmp_path: Path) -> None:
    box = Outbox(tmp_path / "box")
    box.put(reply(1))
    modes = [path.stat().st_mode & 0o777 for path in (tmp_path / "box").iterdir()]
    assert modes == [0o600]
    assert (tmp_path / "box").stat().st_mode & 0o777 == 0o700


def test_a_line_cut_by_a_power_cut_does_not_cost_the_others(tmp_path: Path) -> None:
    box = Outbox(tmp_path)
    box.put(reply(1))
    box.close()
    path = tmp_path / "outbox-00.jsonl"
    path.write_bytes(path.read_bytes() + b'{"put":{"verb":"reply","id":"0000')
    box = Outbox(tmp_path)
    assert box.waiting == [reply(1)] and box.unreadable == 0
    box.put(reply(2))
    box.close()
    assert opened(tmp_path) == [reply(1), reply(2)]


def test_a_wish_of_a_later_version_is_kept(tmp_path: Path) -> None:
    line = b'{"put":{"verb":"levitate","id":"x","conversation":"c"}}'
    (tmp_path / "outbox-00.jsonl").write_bytes(line + b"\n")
    box = Outbox(tmp_path)
    assert box.waiting == [] and box.unreadable == 1
    box.put(reply(1))
    box.settle(reply(1).id)
    box.close()
    assert line in (tmp_path / "outbox-00.jsonl").read_bytes()


def test_two_terminals_have_a_file_each_and_the_next_takes_over_what_is_left(tmp_path: Path) -> None:
    one, two = Outbox(tmp_path), Outbox(tmp_path)
    two.put(reply(1))
    one.put(reply(2))
    assert one.waiting == [reply(2)] and two.waiting == [reply(1)]
    two.mark_tried(reply(1).id)
    two.close()
    one.close()
    box = Outbox(tmp_path)
    assert box.waiting == [reply(1), reply(2)], "by age, whoever left them"
    assert box.is_tried(reply(1).id)
    assert [path.name for path in tmp_path.iterdir()] == ["outbox-00.jsonl"]
    box.close()


def test_the_file_does_not_grow_with_what_is_done(tmp_path: Path) -> None:
    box = Outbox(tmp_path)
    for number in range(50):
        box.put(reply(number))
        box.settle(reply(number).id)
    assert (tmp_path / "outbox-00.jsonl").stat().st_size == 0


@pytest.mark.parametrize("act", [Accept(id="1" * 26, conversation="c"), Note(id="2" * 26, conversation="c", text="x")])
def test_every_kind_of_wish_comes_back_as_it_was(tmp_path: Path, act: Act) -> None:
    box = Outbox(tmp_path)
    box.put(act)
    box.close()
    assert opened(tmp_path) == [act]


def test_a_wish_outlives_kill_9(tmp_path: Path) -> None:
    code = (
        "import sys, os, signal; from pathlib import Path; from agent_tui.model.outbox import Outbox\n"
        "from broker_bridge.contract.commands import Accept\n"
        "box = Outbox(Path(sys.argv[1])); box.put(Accept(id='a', conversation='c')); box.mark_tried('a')\n"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], check=False, env={**os.environ, "PYTHONPATH": str(root)}
    )
    assert done.returncode == -signal.SIGKILL
    box = Outbox(tmp_path)
    assert box.waiting == [Accept(id="a", conversation="c")] and box.is_tried("a")
    box.close()


def test_a_full_disk_leaves_no_half_line(tmp_path: Path) -> None:
    code = (
        "import sys, resource; from pathlib import Path; from agent_tui.model.outbox import Outbox\n"
        "from broker_bridge.contract.commands import Note\n"
        "box = Outbox(Path(sys.argv[1])); box.put(Note(id='a', conversation='c', text='short'))\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (200, resource.RLIM_INFINITY))\n"
        "try:\n    box.put(Note(id='b', conversation='c', text='x' * 1000))\nexcept OSError:\n    pass\n"
        "else:\n    sys.exit('nothing was refused')\n"
        "assert len(box.waiting) == 1; box.put(Note(id='d', conversation='c', text='short too'))"
    )
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], check=False, env={**os.environ, "PYTHONPATH": str(root)}
    )
    assert done.returncode == 0
    assert [act.id for act in opened(tmp_path)] == ["a", "d"]
