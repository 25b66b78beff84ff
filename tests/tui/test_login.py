"""Signing in, and where the seed is kept."""

from __future__ import annotations

import asyncio
import base64
import io
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest
from keyring.errors import NoKeyringError

from agent_tui import settings
from agent_tui.keeper import Keeper, KeeperError, enrollment, make_seed, public_of
from agent_tui.login import Login, read_line
from agent_tui.settings import Paths
from broker_bridge.daemon.accounts import AgentUser
from broker_bridge.daemon.accounts import public_of as bridge_public_of
from tests.tui.bridge import AGENT, Bridge, Server

SERVER = "nats://127.0.0.1:4222"


class Ring:
    """A keyring in memory."""

    def __init__(self) -> None:
        self.kept: dict[tuple[str, str], str] = {}

    def get_password(self, service: str, user: str, /) -> str | None:
        return self.kept.get((service, user))

    def set_password(self, service: str, user: str, secret: str, /) -> None:
        self.kept[service, user] = secret

    def delete_password(self, service: str, user: str, /) -> None:
        del self.kept[service, user]


class NoRing(Ring):
    """A machine without a keyring."""

    def get_password(self, service: str, user: str, /) -> str | None:
        raise NoKeyringError

    def set_password(self, service: str, user: str, secret: str, /) -> None:
        raise NoKeyringError


class Forgetful(Ring):
    """A null backend: it takes everything and keeps nothing."""

    def set_password(self, service: str, user: str, secret: str, /) -> None:
        return None


def line_of(seed: str, server: str = SERVER, agent: str = AGENT, **more: object) -> str:
    body = msgspec.json.encode(
        {"server": server, "agent": agent, "name": "Maya Lindqvist", "seed": seed, "ca": None} | more
    )
    return "onewindow1:" + base64.urlsafe_b64encode(body).decode().rstrip("=")


@pytest.fixture
def where(tmp_path: Path) -> Paths:
    return Paths(config=tmp_path / "config", state=tmp_path / "state")


@pytest.fixture
def seed() -> str:
    return make_seed()


def test_a_seed_made_here_is_one_for_the_bridge(seed: str) -> None:
    assert seed.startswith("SU")
    assert public_of(seed) == bridge_public_of(seed)


def test_an_enrollment_line_is_read_with_or_without_padding_and_wrapped(seed: str) -> None:
    line = line_of(seed)
    wrapped = "\n".join(line[start : start + 76] for start in range(0, len(line), 76))
    for spelled in (line, line + "==", wrapped, f"  {line}\n"):
        found = enrollment(spelled)
        assert (found.server, found.agent, found.name, found.seed) == (SERVER, AGENT, "Maya Lindqvist", seed)


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda line: "SU" + line, "not an enrollment line"),
        (lambda line: line[:-9], "damaged"),
        (lambda line: "onewindow1:!!!!", "damaged"),
        (lambda line: "onewindow1:" + "A" * 30_000, "damaged"),
        (lambda line: "onewindow1:é", "damaged"),
        (lambda line: line_of(make_seed(), server="http://x"), "cannot be used"),
        (lambda line: line_of(make_seed(), agent="a.b"), "cannot be used"),
        (lambda line: line_of("SUAAAA"), "damaged"),
    ],
)
def test_a_wrong_line_is_refused_without_repeating_it(seed: str, spoil: object, words: str) -> None:
    line = line_of(seed)
    with pytest.raises(KeeperError, match=words) as caught:
        enrollment(spoil(line))  # type: ignore[operator]
    assert seed not in str(caught.value) and line[20:60] not in str(caught.value)


def test_an_accounts_seed_is_no_agents() -> None:
    import nkeys

    account = nkeys.encode_seed(b"x" * 32, nkeys.PREFIX_BYTE_ACCOUNT).decode()
    with pytest.raises(KeeperError, match="not an agent's"):
        enrollment(line_of(account))


def test_secrets_do_not_show_in_repr(where: Paths, seed: str) -> None:
    assert seed not in repr(enrollment(line_of(seed)))
    keeper = Keeper(where, {}, Ring())
    keeper.keep(AGENT, SERVER, seed)
    assert seed not in repr(keeper.find(AGENT, SERVER))


def test_the_keyring_is_taken_where_there_is_one(where: Paths, seed: str) -> None:
    ring = Ring()
    kept = Keeper(where, {}, ring).keep(AGENT, SERVER, seed)
    assert kept.place == "keyring"
    assert ring.kept == {("onewindow", f"{AGENT}@{SERVER}"): seed}
    assert not where.state.exists()


@pytest.mark.parametrize("ring", [NoRing(), Forgetful()])
def test_without_one_a_file_that_the_owner_alone_can_read(where: Paths, seed: str, ring: Ring) -> None:
    keeper = Keeper(where, {}, ring)
    kept = keeper.keep(AGENT, SERVER, seed)
    path = where.desk(AGENT, SERVER).seed
    assert kept.place == "file" and str(path) in kept.sentence and "no keyring" in kept.sentence
    assert path.stat().st_mode & 0o777 == 0o600
    found = keeper.find(AGENT, SERVER)
    assert found is not None and (found.seed, found.place) == (seed, "file")
    assert keeper.find("ole", SERVER) is None


def test_a_file_that_others_can_read_is_refused(where: Paths, seed: str) -> None:
    keeper = Keeper(where, {}, NoRing())
    keeper.keep(AGENT, SERVER, seed)
    where.desk(AGENT, SERVER).seed.chmod(0o640)
    with pytest.raises(KeeperError, match="chmod 600"):
        keeper.find(AGENT, SERVER)


def test_a_seed_is_looked_for_in_order(where: Paths, tmp_path: Path) -> None:
    (tmp_path / "onewindow-seed").write_text("from-systemd\n")
    environ = {"ONEWINDOW_SEED": "from-environment"}
    both = environ | {"CREDENTIALS_DIRECTORY": str(tmp_path)}

    def found(ring: Ring, environ: dict[str, str]) -> str | None:
        there = Keeper(where, environ, ring).find(AGENT, SERVER)
        return there.seed if there else None

    assert found(NoRing(), {}) is None
    assert found(NoRing(), environ) == "from-environment"
    Keeper(where, {}, NoRing()).keep(AGENT, SERVER, "from-file")
    assert found(NoRing(), environ) == "from-file"
    assert found(NoRing(), both) == "from-systemd"
    ring = Ring()
    ring.kept["onewindow", f"{AGENT}@{SERVER}"] = "from-keyring"
    assert found(ring, both) == "from-keyring"


def test_forgetting_leaves_no_seed(where: Paths, seed: str) -> None:
    for ring in (Ring(), NoRing()):
        keeper = Keeper(where, {}, ring)
        keeper.keep(AGENT, SERVER, seed)
        assert keeper.forget(AGENT, SERVER)
        assert keeper.find(AGENT, SERVER) is None
        assert not keeper.forget(AGENT, SERVER)


def test_moving_to_the_keyring_removes_the_file(where: Paths, seed: str) -> None:
    Keeper(where, {}, NoRing()).keep(AGENT, SERVER, seed)
    Keeper(where, {}, Ring()).keep(AGENT, SERVER, seed)
    assert not where.desk(AGENT, SERVER).seed.exists()


def test_a_line_is_read_from_a_pipe_or_a_file(tmp_path: Path) -> None:
    assert read_line("", io.StringIO("onewindow1:abc\n")) == "onewindow1:abc\n"
    (tmp_path / "line").write_text("onewindow1:def")
    assert read_line(str(tmp_path / "line"), io.StringIO()) == "onewindow1:def"
    with pytest.raises(KeeperError, match="No enrollment line"):
        read_line("-", io.StringIO("\n"))
    with pytest.raises(KeeperError, match="cannot be read"):
        read_line(str(tmp_path / "none"), io.StringIO())


def test_logging_in_and_out_offline(where: Paths, seed: str) -> None:
    ring, out = Ring(), io.StringIO()
    login = Login(where, out, {}, ring=ring)
    assert login.with_line(line_of(seed), is_tried=False).is_kept
    assert (settings.load(where).server, settings.load(where).agent) == (SERVER, AGENT)
    assert seed not in out.getvalue() and seed not in where.remembered.read_text()
    assert "gone from this machine" in login.logout()
    assert settings.load(where).server == "" and ring.kept == {}
    assert "Nobody" in login.logout()


def test_a_key_made_here_shows_its_public_half_and_stays_the_same(where: Paths) -> None:
    ring, out = Ring(), io.StringIO()
    login = Login(where, out, {}, ring=ring)
    login.with_key(SERVER, AGENT, is_waiting=False)
    login.with_key(SERVER, AGENT, is_waiting=False)
    (kept,) = ring.kept.values()
    command = f"broker-bridge agent add {AGENT} --key {public_of(kept)}"
    assert out.getvalue().count(command) == 2 and kept not in out.getvalue()
    with pytest.raises(KeeperError):
        login.with_key("desk.example.net", AGENT, is_waiting=False)


@contextmanager
def running(server: Server) -> Iterator[None]:
    """A server with a bridge on a loop of their own: `Login` runs the terminal's."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    bridge = Bridge(server)
    try:
        asyncio.run_coroutine_threadsafe(server.start(), loop).result(30)
        asyncio.run_coroutine_threadsafe(bridge.start(), loop).result(30)
        yield
    finally:
        asyncio.run_coroutine_threadsafe(bridge.stop(), loop).result(30)
        server.kill()
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()


def test_a_good_line_is_let_in_at_once(where: Paths, tmp_path: Path) -> None:
    server, out = Server(tmp_path), io.StringIO()
    with running(server):
        tried = Login(where, out, {}, ring=Ring()).with_line(line_of(server.agent.seed, server.url))
    assert tried.outcome is not None and tried.outcome.state == "up"
    assert f"{AGENT} is let in" in out.getvalue()


def test_a_server_that_is_away_does_not_cost_the_line(where: Paths, seed: str) -> None:
    ring = Ring()
    tried = Login(where, io.StringIO(), {}, ring=ring).with_line(line_of(seed, "nats://127.0.0.1:1"))
    assert tried.outcome is not None and tried.outcome.state == "down"
    assert list(ring.kept.values()) == [seed]


def test_a_key_made_here_waits_until_the_lead_lets_it_in(where: Paths, tmp_path: Path) -> None:
    server, ring, out = Server(tmp_path), Ring(), io.StringIO()
    asked = 0

    async def lead(seconds: float) -> None:
        nonlocal asked
        asked += 1
        (seed,) = ring.kept.values()
        server.let_in([AgentUser(AGENT, public_of(seed))])
        await asyncio.sleep(0.05)

    with running(server):
        tried = Login(where, out, {}, ring=ring, pause=lead).with_key(server.url, AGENT)
    assert tried.outcome is not None and tried.outcome.state == "up"
    assert asked >= 1
    assert out.getvalue().index("waiting") < out.getvalue().index("is let in")
