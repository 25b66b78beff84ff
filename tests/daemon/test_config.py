"""bridge.toml: what is accepted, and the sentence for what is not."""

import tomllib
from pathlib import Path

import pytest

from broker_bridge.daemon import config as configuration
from broker_bridge.daemon import policyfile, starter
from broker_bridge.daemon.config import Config, ConfigError

QUEUE = '[[queue]]\nname = "support"\n'
CHANNEL = QUEUE + '[[channel]]\nname = "chat"\nkind = "webchat"\nqueue = "support"\n'


def read(text: str, environ: dict[str, str] | None = None) -> Config:
    return configuration.from_table(tomllib.loads(text), Path("shop/bridge.toml"), environ or {})


def refusal(text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        read(text)
    return str(caught.value)


def test_an_almost_empty_file_is_a_whole_configuration() -> None:
    config = read(QUEUE)
    assert (config.broker.is_embedded, config.broker.port, config.web.port) == (True, 4222, 8480)
    assert config.desk.outcomes[0] == "solved"
    assert config.queues[0].shown == "support"
    assert not config.broker.allow_unsynced


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[site]\nnam = "x"', "site.nam: there is no such setting; did you mean 'name'?"),
        ("[brokr]\nport = 1", "brokr: there is no such setting; did you mean 'broker'?"),
        (QUEUE + "targe = 1", "queue support: targe: there is no such setting; did you mean 'target'?"),
        (QUEUE + 'target = "all"', "queue support: target: expected float or a list, got str"),
        (QUEUE + "target = 3", "queue support: target: expected float <= 1.0"),
        ('[[queue]]\ntitle = "x"', "queue number 1: name: this setting is required"),
        ("[broker]\nport = 99999", "broker.port: expected int <= 65535"),
        ('[broker]\nmode = "extern"', "broker.mode: use one of embedded, external"),
        ("desk = 3", "desk: expected a table, got int"),
        ("[desk]\ndispositions = [1]", "desk.dispositions number 1: expected str or a table, got int"),
        (CHANNEL.replace("queue = ", "queu = "), "channel chat: queu: there is no such setting; did you mean 'queue'?"),
        (
            CHANNEL.replace('queue = "support"', 'queue = "suport"'),
            "channel chat: queue: there is no queue 'suport'; did you mean 'support'?",
        ),
        (CHANNEL.replace("chat", "web chat"), "channel 'web chat': name: use 1 to 64 letters, digits, '-' and '_'"),
        (CHANNEL.replace("webchat", "..core"), "channel chat: kind: use the name of a kind, as email"),
        ('[[queue]]\nname = "a.>"', "queue 'a.>': name: use 1 to 64 letters, digits, '-' and '_'"),
        (QUEUE + QUEUE, "queue support: there are two of this name"),
        (CHANNEL + CHANNEL.removeprefix(QUEUE), "channel chat: there are two of this name"),
        ("[web]\nport = 0", "queue: at least one is needed; every case waits in one"),
        (QUEUE + "[desk]\ndispositions = []", "desk.dispositions: at least one is needed, or no case could be closed"),
        (QUEUE + '[broker]\nmode = "external"\nseed = "env:S"', 'broker.url: needed with mode = "external"'),
        (
            QUEUE + '[broker]\nurl = "nats://x"',
            'broker.url: only for mode = "external"; the embedded broker makes its own',
        ),
        (
            QUEUE + '[broker]\npublic_url = "desk.example"',
            "broker.public_url: use an address as nats://host:4222 or tls://host:4222",
        ),
        (QUEUE + '[web]\npublic_url = "desk"', "web.public_url: use an address as https://host"),
        (QUEUE + "[broker]\nreplicas = 3", "broker.replicas: the embedded broker is one server"),
    ],
)
def test_what_is_wrong_is_said_by_file_place_and_key(text: str, said: str) -> None:
    assert refusal(text).startswith(f"shop/bridge.toml: {said}")


def test_a_secret_in_the_place_of_its_reference_is_refused_and_not_repeated() -> None:
    said = refusal(QUEUE + '[broker]\nmode = "external"\nurl = "nats://x"\nseed = "SUAGEHEIM"')
    assert "broker.seed: not a reference to a secret" in said
    assert "GEHEIM" not in said


def test_a_wrong_value_is_not_repeated() -> None:
    assert "geheim" not in refusal('[broker]\nport = "geheim"')


def test_settings_of_a_channel_are_decoded_by_its_kind() -> None:
    config = read(CHANNEL + '[channel.settings]\ntitle = "Ask us"\n')
    assert configuration.channel_settings(config, config.channels[0]).title == "Ask us"
    assert configuration.channel_problems(config) == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            '[channel.settings]\ntitel = "x"',
            "channel chat: settings: titel: there is no such setting; did you mean 'title'?",
        ),
        ("[channel.settings]\ntitle = 1", "channel chat: settings: title: expected str, got int"),
    ],
)
def test_a_wrong_channel_is_named_by_place_and_key(change: str, said: str) -> None:
    assert configuration.channel_problems(read(CHANNEL + change)) == [f"{Path('shop/bridge.toml').absolute()}: {said}"]


def test_a_wrong_channel_leaves_the_others_alone() -> None:
    config = read(
        CHANNEL + '[channel.settings]\ntitel = "x"\n' + CHANNEL.removeprefix(QUEUE).replace('"chat"', '"web"')
    )
    wrong, _ = config.channels
    with pytest.raises(ConfigError):
        configuration.channel_settings(config, wrong)
    assert len(configuration.channel_problems(config)) == 1


def test_a_kind_that_is_not_here_is_a_problem_of_its_channel() -> None:
    (problem,) = configuration.channel_problems(read(CHANNEL.replace("webchat", "pigeon")))
    assert problem.endswith("channel chat: no channel kind 'pigeon'")


def test_a_channel_that_is_off_is_not_looked_at() -> None:
    assert configuration.channel_problems(read(CHANNEL.replace("webchat", "pigeon") + "is_enabled = false")) == []


def test_the_target_of_a_channel_comes_before_its_queue() -> None:
    slow = read(CHANNEL.replace(QUEUE, QUEUE + "reply_within_s = 3600\n"))
    fast = read(CHANNEL.replace(QUEUE, QUEUE + "reply_within_s = 3600\n") + "reply_within_s = 60\n")
    none = read(CHANNEL)
    assert [one.reply_within_s(one.channels[0]) for one in (slow, fast, none)] == [3600, 60, None]


@pytest.mark.parametrize(
    ("text", "environ", "ending"),
    [
        ('[site]\nstate_dir = "state"\n' + QUEUE, {"STATE_DIRECTORY": "/srv/x"}, "shop/state"),
        (QUEUE, {"STATE_DIRECTORY": "/srv/x:/srv/y"}, "/srv/x"),
        (QUEUE, {}, "onewindow-bridge"),
    ],
)
def test_the_state_directory_is_as_said_or_managed_or_the_users(
    text: str, environ: dict[str, str], ending: str
) -> None:
    state_dir = read(text, environ).state_dir
    assert state_dir.is_absolute()
    assert str(state_dir).endswith(ending)


def test_the_file_is_found_where_it_is_said_then_in_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match="broker-bridge init"):
        configuration.find(None, {})
    Path("bridge.toml").write_text(QUEUE)
    assert configuration.find(None, {}) == Path("bridge.toml")
    assert configuration.find(None, {"BROKER_BRIDGE_CONFIG": "a.toml"}) == Path("a.toml")
    assert configuration.find("b.toml", {"BROKER_BRIDGE_CONFIG": "a.toml"}) == Path("b.toml")


@pytest.mark.parametrize(
    ("data", "said"),
    [(b"[site", "not valid TOML"), (b"\xff", "not valid TOML"), (None, "cannot be read: No such file or directory")],
)
def test_a_file_that_is_not_toml_is_named(tmp_path: Path, data: bytes | None, said: str) -> None:
    path = tmp_path / "bridge.toml"
    if data is not None:
        path.write_bytes(data)
    with pytest.raises(ConfigError) as caught:
        configuration.load(path)
    assert str(caught.value).startswith(f"{path}: {said}")


def test_the_starter_works_as_it_is() -> None:
    config = read(starter.CONFIG)
    assert configuration.channel_problems(config) == []
    assert [one.name for one in config.channels] == ["site-chat"]


def test_every_example_in_the_starter_is_a_setting_that_exists() -> None:
    """Uncommented, each example must decode; those that exclude each other are taken out."""
    lines = []
    for line in starter.CONFIG.splitlines():
        example = line.removeprefix("# ")
        is_setting = line.startswith("# ") and example.split(" = ")[0].isidentifier() and " = " in example
        is_setting = is_setting or line.startswith("# [[")
        lines.append(example if is_setting else line)
    table = tomllib.loads("\n".join(lines).replace('mode = "embedded"', "", 1))
    del table["broker"]["store_key"]
    config = configuration.from_table(table, Path("bridge.toml"), {})
    assert configuration.channel_problems(config) == []
    assert config.broker.replicas == 3
    found = policyfile.problems_of(config, policyfile.laws(config, 1_795_000_000_000))
    assert [one.key for one in found] == ["queue support: holidays number 1"]
