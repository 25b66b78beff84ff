"""Every row of the permission table on a real server, and that the check finds holes that are made on purpose."""

from pathlib import Path

import pytest

from broker_bridge.daemon import access, accounts, streams
from broker_bridge.daemon.access import AgentUser, Keys, Row, accounts_block, make_seed, public_of, verify
from tests.daemon import real_broker
from tests.daemon.real_broker import RealBroker


def seeds(broker: RealBroker) -> dict[str, str]:
    return {name: keys.seed for name, keys in broker.agents.items()}


async def test_every_row_of_the_table_holds(broker: RealBroker) -> None:
    bus = await broker.connect()
    await streams.ensure(bus, streams.StreamSettings())
    assert await verify(broker.url, broker.bridge.seed, seeds(broker)) == []
    for stream in ("IN", "LOG", "DEAD", "AUDIT", "CONTEXT"):
        assert (await bus.stream_bounds(stream))[2] == 0
    await bus.close()


async def test_the_check_finds_one_account_shared_by_all_agents(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The forged reply: an agent has the bridge's answer delivered into a colleague's feed and inbox."""
    monkeypatch.setattr("broker_bridge.daemon.broker.accounts_block", _shared_account)
    broker = RealBroker(tmp_path)
    broker.start()
    try:
        failed = await verify(broker.url, broker.bridge.seed, seeds(broker))
    finally:
        broker.stop()
    assert {(row.action, row.subject) for row in failed} == {
        ("forge", "cc.view.bob.permcheck"),
        ("forge", "_INBOX_bob.permcheck"),
    }


async def test_the_check_finds_agents_in_the_bridges_account_and_a_bridge_with_all_rights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What `allow_responses` does not stop: the bridge writes wherever the agent's reply subject says."""
    monkeypatch.setattr("broker_bridge.daemon.broker.accounts_block", _one_account)
    broker = RealBroker(tmp_path)
    broker.start()
    try:
        bus = await broker.connect()
        await streams.ensure(bus, streams.StreamSettings())
        failed = await verify(broker.url, broker.bridge.seed, seeds(broker))
        await bus.close()
    finally:
        broker.stop()
    forged = {row.subject for row in failed if row.action == "forge"}
    assert {"cc.log.conv.permcheck", "$JS.API.STREAM.CREATE.permcheck", "cc.view.bob.permcheck"} <= forged


def _shared_account(bridges: list[str], agents: list[AgentUser]) -> str:
    users = "\n".join(_agent_user(agent) for agent in agents)
    imports = '{service: {account: BR, subject: "cc.do.>"}}, {stream: {account: BR, subject: "cc.view.>"}}'
    return (
        f"accounts {{\n{accounts._bridge_account(bridges)}\nAG {{ users: [\n{users}\n]\nimports: [ {imports} ] }} }}\n"
    )


def _one_account(bridges: list[str], agents: list[AgentUser]) -> str:
    users = "\n".join([accounts._user(bridges[0], [">"], [">"]), *(_agent_user(agent) for agent in agents)])
    return f"accounts {{ BR {{ jetstream: enabled\nusers: [\n{users}\n] }} }}\n"


def _agent_user(agent: AgentUser) -> str:
    subscribe = [f"cc.view.{agent.id}.>", f"_INBOX_{agent.id}.>"]
    return accounts._user(agent.public, [f"cc.do.{agent.id}.>"], subscribe)


async def test_the_check_needs_two_agents(broker: RealBroker) -> None:
    with pytest.raises(ValueError, match="two agents"):
        await verify(broker.url, broker.bridge.seed, {"ann": broker.agents["ann"].seed})


def test_a_seed_gives_its_public_key_and_does_not_show_itself() -> None:
    keys = make_seed()
    assert public_of(keys.seed) == keys.public
    assert keys.public.startswith("U") and len(keys.public) == 56
    assert keys.seed not in repr(keys)
    assert make_seed() != keys


@pytest.mark.parametrize("seed", ["", "SU", "not a seed", "SUABBB", "U" * 56])
def test_what_is_no_seed_is_refused(seed: str) -> None:
    with pytest.raises(ValueError, match="seed"):
        public_of(seed)


@pytest.mark.parametrize("agent", ["", "a.b", "a*", ">", "a b", 'a"', "a\n", "ä", "x" * 65])
def test_an_id_that_would_change_a_subject_is_refused(agent: str) -> None:
    with pytest.raises(ValueError, match="agent id"):
        accounts_block([make_seed().public], [AgentUser(agent, make_seed().public)])


def test_a_key_that_is_no_users_and_two_agents_with_one_id_are_refused() -> None:
    good = make_seed().public
    with pytest.raises(ValueError, match="public key"):
        accounts_block([good], [AgentUser("ann", "SUSECRET")])
    with pytest.raises(ValueError, match="same id"):
        accounts_block([good], [AgentUser("ann", good), AgentUser("ann", make_seed().public)])


def test_no_role_in_the_block_has_a_wildcard_over_everything() -> None:
    block = accounts_block([make_seed().public], [AgentUser("ann", make_seed().public)])
    for forbidden in ('">"', '"_INBOX.>"', '"$JS.>"', '"cc.view.*'):
        assert forbidden not in block
    agent = block[block.index("AG_ann") :]
    assert "$JS" not in agent and "jetstream" not in agent
    assert "allowed_connection_types: [STANDARD]" in agent


def test_the_table_speaks_of_every_family_of_subjects() -> None:
    for subject in (">", "$JS.API.>", "_INBOX.>", "cc.log.>", "cc.in.>", "cc.view.{other}.>"):
        assert Row("agent", "subscribe", subject, False) in access.PERMISSION_TABLE


def test_the_tests_own_server_knows_its_agents(tmp_path: Path) -> None:
    assert set(real_broker.RealBroker(tmp_path).agents) == {"ann", "bob"}
    assert isinstance(real_broker.RealBroker(tmp_path).bridge, Keys)
