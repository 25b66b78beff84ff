"""settings.toml, what is remembered, and where files lie."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent_tui import settings
from agent_tui.settings import Paths, Remembered, Settings, SettingsError


@pytest.fixture
def where(tmp_path: Path) -> Paths:
    (tmp_path / "config").mkdir()
    return Paths(config=tmp_path / "config", state=tmp_path / "state")


def write(where: Paths, text: str) -> None:
    where.settings.write_text(text)


def test_without_a_file_the_defaults_hold(where: Paths) -> None:
    assert settings.load(where) == Settings()


def test_everything_can_be_set(where: Paths) -> None:
    write(
        where,
        'server = "tls://desk.example.net:4222"\nagent = "maya"\ntheme = "day"\nascii = true\nbell = false\n'
        '[keys]\naccept = "y"\nclose = ["X", "f6"]\n'
        '[notifications]\ncustomer_wrote = ["bell"]\nrepeat_s = 30\n',
    )
    found = settings.load(where)
    assert (found.server, found.agent, found.theme) == ("tls://desk.example.net:4222", "maya", "day")
    assert found.ascii is True and found.bell is False
    assert found.keys == {"accept": "y", "close": ["X", "f6"]}
    assert found.notifications.means("customer_wrote") == ("bell",)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('bell = "loud"', "bell: Expected bool, got str"),
        ("colour = 1", "colour: there is no such key"),
        ("[notifications]\nofered = []", r"ofered: there is no such key in \[notifications\]"),
        ('[notifications]\noffered = ["shout"]', r"notifications\.offered"),
        ('server = "http://x"', "server: 'http://x' is not like nats://host:4222"),
        ('server = "nats://x:99999"', "server: the port"),
        ('server = "nats://user:pass@x"', "server: "),
        ("bell = ", "not valid TOML"),
    ],
)
def test_an_error_names_the_file_and_the_key(where: Paths, text: str, words: str) -> None:
    write(where, text)
    with pytest.raises(SettingsError, match=words) as caught:
        settings.load(where)
    assert str(where.settings) in str(caught.value)


def test_what_is_remembered_gives_way_to_the_file(where: Paths) -> None:
    settings.remember(where, Remembered(server="nats://a:1", agent="maya", theme="day", ascii=True))
    write(where, 'theme = "contrast"')
    found = settings.load(where)
    assert (found.server, found.agent, found.theme, found.ascii) == ("nats://a:1", "maya", "contrast", True)


def test_certificates_of_another_server_are_not_trusted(where: Paths) -> None:
    settings.remember(where, Remembered(server="tls://a:1", agent="maya", ca="PEM"))
    assert settings.load(where).ca == "PEM"
    write(where, 'server = "tls://b:1"')
    assert settings.load(where).ca == ""


def test_a_broken_memory_is_as_none(where: Paths) -> None:
    where.state.mkdir()
    where.remembered.write_bytes(b"{")
    assert settings.remembered(where) == Remembered()


def test_one_variable_moves_everything(tmp_path: Path) -> None:
    found = settings.paths({"ONEWINDOW_CONFIG_DIR": str(tmp_path)})
    assert found.config == tmp_path and tmp_path in found.state.parents
    found = settings.paths({"ONEWINDOW_CONFIG_DIR": str(tmp_path), "ONEWINDOW_STATE_DIR": str(tmp_path / "s")})
    assert found.state == tmp_path / "s"


def test_two_identities_never_share_a_folder(where: Paths) -> None:
    pairs = [("maya", "nats://a:1"), ("maya", "nats://b:1"), ("ole", "nats://a:1"), ("../x", "nats://a:1")]
    folders = [where.desk(agent, server).folder for agent, server in pairs]
    assert len(set(folders)) == len(pairs)
    assert {folder.parent for folder in folders} == {where.state / "desks"}


@pytest.mark.parametrize(
    ("environ", "is_ascii"),
    [
        ({"LC_ALL": "C"}, True),
        ({"LC_ALL": "en_US.UTF-8"}, False),
        ({"LANG": "de_DE.utf8"}, False),
        ({"LC_ALL": "POSIX", "LANG": "en_US.UTF-8"}, True),
        ({}, False),
    ],
)
def test_the_locale_chooses_the_glyphs(environ: dict[str, str], is_ascii: bool) -> None:
    assert settings.wants_ascii(Settings(), environ) is is_ascii
    assert settings.wants_ascii(Settings(ascii=True), environ) is True
    assert settings.wants_ascii(Settings(ascii=False), environ) is False
