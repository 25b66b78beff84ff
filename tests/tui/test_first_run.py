"""The first run: from nothing to being let in, on one screen."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from agent_tui import settings
from agent_tui.first_run import FirstRun
from agent_tui.keeper import Enrollment, Keeper, make_seed, public_of
from agent_tui.link import Outcome
from agent_tui.login import Login
from agent_tui.model.glyphs import UNICODE
from agent_tui.paint import Painted
from agent_tui.settings import Paths
from tests.tui.test_login import NoRing
from tests.until import until

SERVER = "tls://desk.example.net:4222"
DENIED = Outcome(state="denied", sentence="not yet", round_trip_ms=12)


class Lead:
    """Lets somebody in when told to."""

    def __init__(self) -> None:
        self.outcome = DENIED
        self.asked: list[Enrollment] = []

    async def tries(self, found: Enrollment) -> Outcome:
        self.asked.append(found)
        return self.outcome


def where(tmp_path: Path) -> Paths:
    return settings.paths({"HOME": str(tmp_path)})


def first_run(tmp_path: Path, lead: Lead) -> FirstRun:
    places = where(tmp_path)
    login = Login(places, io.StringIO(), {}, ring=NoRing())
    return FirstRun(places, UNICODE, login=login, tries=lead.tries, clock_ms=lambda: 1_000)


def text(app: FirstRun) -> str:
    return "\n".join("".join(run.text for run in row.runs) for found in app.query(Painted) for row in found.lines)


def typed(words: str) -> list[str]:
    names = {":": "colon", "/": "slash", ".": "full_stop"}
    return [names.get(letter, letter) for letter in words]


async def test_server_and_name_make_a_key_whose_public_half_is_shown_until_the_lead_lets_it_in(tmp_path: Path) -> None:
    lead = Lead()
    app = first_run(tmp_path, lead)
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press(*typed(SERVER), "enter", *typed("maya"), "enter")
        await until(lambda: lead.asked)
        seed = lead.asked[0].seed
        await until(lambda: "answers in 12 ms" in text(app))
        assert public_of(seed) in text(app) and "agent add maya --key" in text(app)
        assert seed not in text(app)
        found = Keeper(where(tmp_path), {}, NoRing()).find("maya", SERVER)
        assert found is not None and found.seed == seed
        lead.outcome = Outcome(state="up", sentence="in")
        await until(lambda: app.return_value is True)


async def test_the_lines_own_secret_leaves_the_field_and_is_never_on_the_screen(tmp_path: Path) -> None:
    lead = Lead()
    app = first_run(tmp_path, lead)
    given = Enrollment(server=SERVER, agent="maya", seed=make_seed())
    line = "onewindow1:" + base64.urlsafe_b64encode(msgspec.json.encode(given)).decode()
    async with app.run_test(size=(120, 40)) as pilot:
        app.query_one("#server").value = line  # type: ignore[attr-defined]
        await pilot.press("enter")
        await until(lambda: lead.asked == [given])
        assert app.query_one("#server").value == SERVER  # type: ignore[attr-defined]
        assert line not in text(app) and given.seed not in text(app)
        assert "send this line" not in text(app)


@pytest.mark.parametrize(
    ("server", "name", "why"),
    [(SERVER, "maya lindqvist", "cannot be used"), ("desk.example.net", "maya", "cannot be used")],
)
async def test_what_cannot_be_used_is_said_and_nothing_is_tried(
    tmp_path: Path, server: str, name: str, why: str
) -> None:
    lead = Lead()
    app = first_run(tmp_path, lead)
    async with app.run_test(size=(80, 24)) as pilot:
        app.query_one("#server").value = server  # type: ignore[attr-defined]
        app.query_one("#agent").value = name  # type: ignore[attr-defined]
        await pilot.press("tab", "enter")
        await until(lambda: why in text(app))
        assert not lead.asked


async def test_escape_goes_back_to_the_fields_and_a_look_is_remembered(tmp_path: Path) -> None:
    lead = Lead()
    app = first_run(tmp_path, lead)
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press(*typed(SERVER), "enter", *typed("maya"), "enter")
        await until(lambda: lead.asked)
        await pilot.press("t")
        await until(lambda: settings.remembered(where(tmp_path)).theme == "day")
        await pilot.press("escape")
        await until(lambda: app.focused is not None and app.focused.id == "server")
        assert not app.first.is_waiting


def test_the_first_run_looks_as_drawn(snap_compare: Callable[..., bool], tmp_path: Path) -> None:
    app = first_run(tmp_path, Lead())

    async def before(pilot: object) -> None:
        app.first = app.first._replace(server=SERVER, agent="maya", key="The key is in the keyring of this machine.",
                                       to_lead=("broker-bridge agent add maya --key", "U" + "DXK7PQ2ZB4" * 5 + "NF6HT"),
                                       state="denied", round_trip_ms=12)  # fmt: skip
        app.query_one("#server").value, app.query_one("#agent").value = SERVER, "maya"  # type: ignore[attr-defined]
        app.screen.set_focus(None)
        app.show()
        await pilot.pause()  # type: ignore[attr-defined]

    assert snap_compare(app, terminal_size=(120, 40), run_before=before)
