"""A theme is complete, readable, and found by its file name."""

from itertools import product
from pathlib import Path

import pytest
from rich.color import Color
from textual.color import Color as CssColor

from agent_tui import themes
from agent_tui.model.runs import CHIPS, Run

TEXT_ROLES = ("text", "strong", "mut", "acc", "near", "late", "ok", "cust")
# The sixteen colors of a common terminal, on which the ansi theme is measured.
COMMON = (
    "#0c0c0c", "#c50f1f", "#13a10e", "#c19c00", "#3b78ff", "#881798", "#3a96dd", "#cccccc",
    "#767676", "#e74856", "#16c60c", "#f9f1a5", "#61a6ff", "#d670d6", "#61d6d6", "#f2f2f2",
)  # fmt: skip
OURS = ("ansi", "contrast", "day", "night")
RGB = ("contrast", "day", "night")


def _luminance(color: Color | None, default: str) -> float:
    assert color is not None
    if color.is_default:
        text = default
    elif color.number is not None:
        text = COMMON[color.number]
    else:
        assert color.triplet is not None
        text = color.triplet.hex
    channels = [int(text[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _contrast(palette: themes.Palette, role: str, ground: str) -> float:
    style = palette.style(role, "", ground)
    pair = sorted((_luminance(style.color, COMMON[7]), _luminance(style.bgcolor, COMMON[0])))
    return (pair[1] + 0.05) / (pair[0] + 0.05)


@pytest.mark.parametrize(("name", "role", "ground"), product(OURS, TEXT_ROLES, ("bg", "bar", "sel")))
def test_every_text_role_can_be_read_on_every_ground(name: str, role: str, ground: str) -> None:
    assert _contrast(themes.load(name), role, ground) >= 4.5


@pytest.mark.parametrize(("name", "chip", "ground"), product(OURS, CHIPS, ("bg", "sel")))
def test_every_chip_can_be_read(name: str, chip: str, ground: str) -> None:
    assert _contrast(themes.load(name), chip, ground) >= 4.5


@pytest.mark.parametrize(("name", "lane"), product(OURS, ("note", "whisper")))
def test_notes_and_whispers_can_be_read_on_their_ground(name: str, lane: str) -> None:
    assert _contrast(themes.load(name), lane, f"{lane}bg") >= 4.5


def test_the_registry_is_the_file_names() -> None:
    assert set(themes.names()) >= {*OURS, "ansi-light"}


@pytest.mark.parametrize("name", [*OURS, "ansi-light"])
def test_a_theme_becomes_a_textual_theme_with_every_role_as_a_variable(name: str) -> None:
    theme = themes.load(name).theme()
    assert theme.name == name
    assert set(themes.ROLES) <= set(theme.variables)
    assert all(CssColor.parse(theme.variables[role]) for role in themes.ROLES)
    assert theme.to_color_system().generate()


def test_ansi_uses_no_rgb_and_the_light_variant_no_bright_text() -> None:
    for name in ("ansi", "ansi-light"):
        assert not any(color.startswith("#") for color in themes.load(name).roles.values())
    light = themes.load("ansi-light").roles
    assert not any("bright" in light[role] for role in TEXT_ROLES)


def test_a_chip_on_the_selected_row_still_stands_out_in_ansi() -> None:
    palette = themes.load("ansi")
    assert palette.style("chip.late", "b", "bg").reverse
    assert palette.style("text", "", "sel").reverse
    assert not palette.style("chip.late", "b", "sel").reverse


def test_a_user_may_add_a_theme_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(themes, "user_directory", lambda: tmp_path)
    night = themes.load("night").roles
    roles = "\n".join(f'{role} = "{color}"' for role, color in (night | {"acc": "#ffffff"}).items())
    (tmp_path / "mine-own.toml").write_text(f"dark = true\n[roles]\n{roles}\n", encoding="utf-8")
    assert "mine-own" in themes.names()
    assert themes.load("mine-own").roles["acc"] == "#ffffff"


@pytest.mark.parametrize(
    ("table", "reason"),
    [
        ({"roles": {"bg": "#000000"}}, "lacks bar"),
        ({"roles": dict.fromkeys(themes.ROLES, "#000000") | {"late": "red; evil"}}, "is no color for late"),
        ({"roles": dict.fromkeys(themes.ROLES, "#000000"), "scrim": {"color": 1}}, "scrim"),
    ],
)
def test_a_bad_theme_is_refused_with_the_reason(table: dict[str, object], reason: str) -> None:
    with pytest.raises(themes.ThemeError, match=reason):
        themes.parse("bad", table)


@pytest.mark.parametrize("name", ["nowhere", "../night", "", "Night"])
def test_an_unknown_name_is_refused(name: str) -> None:
    with pytest.raises(themes.ThemeError, match="There is no theme"):
        themes.load(name)


def test_runs_become_content_without_reading_markup() -> None:
    assert themes.load("night").content(Run("[/] [@click=app.quit]", "late", "b")).plain == "[/] [@click=app.quit]"


def test_each_rgb_theme_keeps_its_scrim_and_ansi_has_none() -> None:
    assert all(themes.load(name).scrim.endswith("55%") for name in RGB)
    assert themes.load("ansi").scrim == ""
