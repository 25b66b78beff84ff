"""The command line: what it prints where, and how it ends."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import msgspec
import pytest

from agent_tui.keeper import enrollment
from broker_bridge import channel, cli
from broker_bridge.commands import agents, audit, dead
from broker_bridge.daemon.accounts import make_seed, public_of
from broker_bridge.daemon.config import Config
from broker_bridge.daemon.office import (
    Added,
    AgentLine,
    DeadItem,
    DeadLine,
    Declined,
    LedgerLine,
    NewAgent,
    NotRunning,
    Office,
)
from tests.canary import CANARY
from tests.daemon.kept_logging import kept_logging
from tests.daemon.real_broker import RealBroker

HEAVY = {"nats", "textual", "starlette", "uvicorn", "msgspec", "asyncio", "keyring", "cryptography", "nkeys"}
QUEUE = '[[queue]]\nname = "support"\n'
WEB = "[web]\nport = 0\n"


class DeskOfTheLead:
    """An `Office` that remembers."""

    def __init__(self) -> None:
        self.let_in: list[NewAgent] = []
        self.removed: list[str] = []
        self.replayed: list[int] = []
        self.ledger: list[LedgerLine] = []
        self.item = DeadItem(
            line=DeadLine(seq=7, at_ms=1_763_718_067_000, channel="mail", reason="no\x1b[2J sender", size_bytes=9),
            raw=b"a\x1b]52;c;eA==\x07b\n\xff",
        )

    async def agent_add(self, config: Config, new: NewAgent) -> Added:
        self.let_in.append(new)
        return Added(server="nats://127.0.0.1:4222", is_new=True)

    async def agent_list(self, config: Config) -> list[AgentLine]:
        return [
            AgentLine(
                agent=one.agent, name=one.name, role=one.role, queues=one.queues, capacity=one.capacity, public_key="U"
            )
            for one in self.let_in
        ]

    async def agent_remove(self, config: Config, agent: str) -> None:
        if agent not in [one.agent for one in self.let_in]:
            raise Declined(f"there is no agent {agent!r}")
        self.removed.append(agent)

    async def dead_list(self, config: Config) -> list[DeadLine]:
        return [self.item.line]

    async def dead_show(self, config: Config, seq: int) -> DeadItem:
        if seq != self.item.line.seq:
            raise Declined(f"there is no item {seq}")
        return self.item

    async def dead_replay(self, config: Config, seq: int) -> None:
        self.replayed.append(seq)

    async def audit(self, config: Config) -> list[LedgerLine]:
        return self.ledger


@pytest.fixture
def lead(monkeypatch: pytest.MonkeyPatch) -> DeskOfTheLead:
    desk = DeskOfTheLead()

    def office() -> Office:
        return desk

    for module in (agents, dead, audit):
        monkeypatch.setattr(module, "office", office)
    return desk


@pytest.fixture(autouse=True)
def _logging_as_before() -> Iterator[None]:
    with kept_logging():
        yield


@pytest.fixture(autouse=True)
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A configuration in the folder where the command is given."""
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "bridge.toml"
    path.write_text(QUEUE + WEB + '[site]\nstate_dir = "state"\n[broker]\nport = 0\n')
    return path


def test_help_and_version_load_nothing_heavy() -> None:
    ask = (
        "import sys; from broker_bridge.cli import main; codes = [main(['--help']), main(['agent', 'add', '--help'])];"
        f"print(codes, sorted(set(sys.modules) & {HEAVY!r}), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", ask], capture_output=True, text=True, timeout=60, check=True)
    assert done.stderr.strip() == "[0, 0] []"
    assert "examples:" in done.stdout and "exit codes:" in done.stdout


def test_every_command_has_help(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["run", "check", "init", "audit", "agent", "dead", "decode", "schema"]
    words += ["agent add", "agent list", "agent remove", "dead list", "dead show", "dead replay"]
    for command in words:
        assert cli.main([*command.split(), "--help"]) == 0, command
        assert capsys.readouterr().out.startswith(f"usage: broker-bridge {command}")


@pytest.mark.parametrize(
    "argv", [[], ["frobnicate"], ["agent"], ["agent", "add"], ["dead", "show", "x"], ["run", "--conf", "x"]]
)
def test_a_wrong_command_is_usage(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(argv) == 2
    assert capsys.readouterr().err.startswith("usage: broker-bridge")


@pytest.mark.parametrize("command", ["run", "check", "audit", "agent list", "dead list"])
def test_a_wrong_configuration_is_78_with_one_sentence(
    command: str, config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config.write_text("[site]\nnam = 1")
    assert cli.main(command.split()) == 78
    said = "broker-bridge: bridge.toml: site.nam: there is no such setting; did you mean 'name'?\n"
    assert capsys.readouterr().err == said


def test_init_writes_a_configuration_that_check_accepts_and_never_writes_over_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["init", "shop"]) == 0
    path = tmp_path / "shop" / "bridge.toml"
    assert {file.name for file in path.parent.iterdir()} == {"bridge.toml", "onewindow-bridge.service"}
    assert cli.main(["check", "--config", str(path)]) == 0
    assert "WRONG" not in capsys.readouterr().out
    path.write_text("mine")
    assert cli.main(["init", "shop"]) == 1
    assert path.read_text() == "mine"
    assert "is there already; nothing was written" in capsys.readouterr().err


def test_check_names_every_channel_that_would_not_start(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    chat = '[[channel]]\nname = "{}"\nkind = "{}"\nqueue = "support"\n'
    config.write_text(
        config.read_text()
        + chat.format("good", "webchat")
        + chat.format("bad", "webchat")
        + '[channel.settings]\ntitel = "x"\n'
        + chat.format("odd", "pigeon")
    )
    assert cli.main(["check"]) == 78
    lines = capsys.readouterr().out.splitlines()
    assert [line[:5].strip() for line in lines if line[7:].startswith("channel ")] == ["ok", "WRONG", "WRONG"]
    assert not (config.parent / "state").exists()


def test_check_tries_every_permission_of_an_external_broker(
    tmp_path: Path, config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    broker = RealBroker(tmp_path / "nats")
    broker.start()
    try:
        for name, keys in {"bridge": broker.bridge, **broker.agents, "stranger": make_seed()}.items():
            path = tmp_path / f"{name}.seed"
            path.write_text(keys.seed)
            path.chmod(0o600)
        text = QUEUE + WEB + f'[site]\nstate_dir = "state"\n[broker]\nmode = "external"\nurl = "{broker.url}"\n'
        config.write_text(text + 'seed = "file:bridge.seed"\n')
        assert cli.main(["check", "--agent", "ann=file:ann.seed", "--agent", "bob=file:bob.seed"]) == 0
        assert "every permission holds" in capsys.readouterr().out
        config.write_text(text + 'seed = "file:stranger.seed"\n')
        assert cli.main(["check"]) == 78
        told = capsys.readouterr().out
        assert "does not know the bridge's key" in told
        stranger = (tmp_path / "stranger.seed").read_text()
        assert public_of(stranger) in told
        # Not `SU` alone: one public key in twenty has it somewhere.
        assert stranger not in told and not re.search(r"\bSU[A-Z2-7]{56}\b", told)
    finally:
        broker.stop()


def test_check_says_that_a_broker_is_not_there(
    tmp_path: Path, config: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SEED", make_seed().seed)
    broker = '[broker]\nmode = "external"\nurl = "nats://127.0.0.1:1"\nseed = "env:SEED"\n'
    config.write_text(QUEUE + WEB + '[site]\nstate_dir = "state"\n' + broker)
    assert cli.main(["check"]) == 69
    assert "DOWN" in capsys.readouterr().out


def test_an_enrollment_line_is_shown_once_and_the_terminal_takes_it(
    lead: DeskOfTheLead, capsys: pytest.CaptureFixture[str]
) -> None:
    argv = ["agent", "add", "maya", "--name", "Maya Lindqvist", "--queue", "support", "--capacity", "3"]
    assert cli.main(argv) == 0
    out, err = capsys.readouterr()
    found = enrollment(out)
    (new,) = lead.let_in
    assert (found.server, found.agent, found.name, found.ca) == (
        "nats://127.0.0.1:4222",
        "maya",
        "Maya Lindqvist",
        None,
    )
    assert public_of(found.seed) == new.public_key
    assert (new.name, new.queues, new.capacity, new.role) == ("Maya Lindqvist", ("support",), 3, "agent")
    assert found.seed not in err and out.count("\n") == 1


def test_the_line_carries_the_certificates_that_terminals_trust(
    lead: DeskOfTheLead, config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (config.parent / "ca.pem").write_text("-----BEGIN CERTIFICATE-----\n")
    config.write_text(config.read_text() + 'ca = "ca.pem"\n')
    assert cli.main(["agent", "add", "maya"]) == 0
    assert enrollment(capsys.readouterr().out).ca == "-----BEGIN CERTIFICATE-----\n"


def test_with_a_public_key_nothing_secret_is_printed(lead: DeskOfTheLead, capsys: pytest.CaptureFixture[str]) -> None:
    public = make_seed().public
    assert cli.main(["agent", "add", "maya", "--key", public, "--role", "supervisor"]) == 0
    assert capsys.readouterr().out == ""
    assert (lead.let_in[0].public_key, lead.let_in[0].role) == (public, "supervisor")


@pytest.mark.parametrize(
    ("rest", "said"),
    [
        (["ma.ya"], "short name"),
        (["maya", "--key", "SUAGEHEIM"], "--key takes the public key"),
    ],
)
def test_nonsense_is_refused_before_anybody_is_asked(
    rest: list[str], said: str, lead: DeskOfTheLead, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["agent", "add", *rest]) == 1
    err = capsys.readouterr().err
    assert said in err and "GEHEIM" not in err
    assert lead.let_in == []


def test_agents_are_listed_and_removed(lead: DeskOfTheLead, capsys: pytest.CaptureFixture[str]) -> None:
    cli.main(["agent", "add", "maya", "--name", "Maya\x1b[31m", "--key", make_seed().public])
    capsys.readouterr()
    assert cli.main(["agent", "list"]) == 0
    table = capsys.readouterr().out
    assert "every queue" in table and "\x1b" not in table
    assert cli.main(["agent", "list", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["agent"] == "maya"
    assert cli.main(["agent", "remove", "maya"]) == 0
    assert lead.removed == ["maya"]
    assert cli.main(["agent", "remove", "olga"]) == 1
    assert "there is no agent 'olga'" in capsys.readouterr().err


def test_work_items_are_listed_shown_and_replayed(lead: DeskOfTheLead, capfdbinary: Any) -> None:
    assert cli.main(["dead", "list"]) == 0
    assert cli.main(["dead", "list", "--json"]) == 0
    assert cli.main(["dead", "show", "7"]) == 0
    shown = capfdbinary.readouterr().out
    assert b"\x1b" not in shown and b"\x07" not in shown
    assert cli.main(["dead", "show", "7", "--raw"]) == 0
    assert capfdbinary.readouterr().out == lead.item.raw
    assert cli.main(["dead", "replay", "7"]) == 0
    assert lead.replayed == [7]
    assert cli.main(["dead", "show", "8"]) == 1


def test_audit_succeeds_only_if_every_item_is_accounted_for(
    lead: DeskOfTheLead, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = LedgerLine(channel="mail", received=10, stored=7, quarantined=1, pending=2)
    lead.ledger = [whole]
    assert cli.main(["audit"]) == 0
    lead.ledger = [
        whole,
        LedgerLine(channel="chat", received=10, stored=9, quarantined=0, pending=0, missing=("id-1",)),
    ]
    assert cli.main(["audit"]) == 1
    assert "chat: missing id-1" in capsys.readouterr().out
    assert cli.main(["audit", "--json"]) == 1
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [row["gap"] for row in rows] == [0, 1]


def test_a_bridge_that_does_not_run_is_69(
    lead: DeskOfTheLead, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async def audit_nobody(config: Config) -> list[LedgerLine]:
        raise NotRunning("no bridge runs here; start it with `broker-bridge run`")

    monkeypatch.setattr(lead, "audit", audit_nobody)
    assert cli.main(["audit"]) == 69
    assert capsys.readouterr().err == "broker-bridge: no bridge runs here; start it with `broker-bridge run`\n"


class Letter(msgspec.Struct):
    size: int
    text: str


@pytest.fixture
def paper(monkeypatch: pytest.MonkeyPatch) -> None:
    """A channel kind `paper` that can describe files."""
    kind: Any = ModuleType("broker_bridge.channels.paper")
    kind.describe = lambda raw: Letter(len(raw), raw.decode("latin-1"))
    monkeypatch.setitem(sys.modules, "broker_bridge.channels.paper", kind)
    assert channel.load("paper") is kind


def test_decode_prints_one_line_of_ascii_a_file(
    paper: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a").write_bytes(b"\x1b[2J\x9b")
    (tmp_path / "b").write_bytes(b"")
    assert cli.main(["decode", "paper", "a", "b"]) == 0
    out = capsys.readouterr().out
    assert out.isascii() and "\x1b" not in out
    assert [json.loads(line)["size"] for line in out.splitlines()] == [5, 0]


def test_decode_of_a_missing_file_is_one_line_and_the_others_are_read(
    paper: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "b").write_bytes(b"b")
    assert cli.main(["decode", "paper", "a", "b"]) == 1
    out, err = capsys.readouterr()
    assert err == "broker-bridge: a: No such file or directory\n"
    assert len(out.splitlines()) == 1


@pytest.mark.parametrize("kind", ["pigeon", "..core"])
def test_decode_of_a_kind_that_is_not_here_is_usage(kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["decode", kind, "a"]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_the_schema_names_what_crosses_the_wire(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["schema"]) == 0
    schema = json.loads(capsys.readouterr().out)
    assert {"Reply", "Row", "Replied", "Envelope"} <= set(schema["$defs"])
    assert {"request", "answer", "feed"} <= set(schema["properties"])


def test_a_reader_that_leaves_is_no_error() -> None:
    shell = f"{sys.executable} -m broker_bridge schema | head -n 1; echo ${{PIPESTATUS[0]}}"
    root = str(Path(__file__).resolve().parents[2])
    done = subprocess.run(
        ["bash", "-c", shell],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
        env=os.environ | {"PYTHONPATH": root},
    )
    assert done.stdout.split() == ["{", "0"]
    assert done.stderr == ""


def test_run_names_a_wrong_channel_and_starts_with_the_others(
    config: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    started: list[Config] = []

    def start(config: Config) -> int:
        started.append(config)
        return 0

    bridge: Any = ModuleType("broker_bridge.daemon.run")
    bridge.main = start
    monkeypatch.setitem(sys.modules, "broker_bridge.daemon.run", bridge)
    monkeypatch.setattr("broker_bridge.daemon.log.setup", lambda level, format: None)
    config.write_text(config.read_text() + '[[channel]]\nname = "odd"\nkind = "pigeon"\nqueue = "support"\n')
    assert cli.main(["run"]) == 0
    assert [one.path for one in started] == [config]
    assert "channel odd: no channel kind 'pigeon'; this channel stays closed" in capsys.readouterr().err


def test_no_secret_is_told_when_a_check_fails(
    config: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SEED", CANARY.secret)
    broker = '[broker]\nmode = "external"\nurl = "nats://127.0.0.1:1"\nseed = "env:SEED"\n'
    config.write_text(QUEUE + WEB + '[site]\nstate_dir = "state"\n' + broker)
    assert cli.main(["check"]) == 78
    out, err = capsys.readouterr()
    assert CANARY.found_in(out + err) == []
