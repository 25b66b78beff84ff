"""Themes by name: `themes/NAME.toml`, or a file of the same form in the user's configuration directory.

The law: a theme is data. It gives every role of the look a color; this module only turns roles into styles.
A theme that lacks a role is refused with its name, never half applied.
"""

import re
import tomllib
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

from rich.style import Style

from agent_tui.model.runs import Line, Run

if TYPE_CHECKING:
    from textual.content import Content
    from textual.theme import Theme

DEFAULT = "night"
ROLES = (
    "bg", "bar", "sel", "rule", "text", "strong", "mut", "acc", "near", "late", "ok", "cust",
    "whisper", "whisperbg", "note", "notebg", "ink",
)  # fmt: skip
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,30}")
_HEX = re.compile(r"#[0-9a-fA-F]{6}")
_ANSI = re.compile(
    r"(?:default|reverse|(?:bright_)?(?:black|red|green|yellow|blue|magenta|cyan|white))(?: bold)?"
)  # fmt: skip


class ThemeError(ValueError):
    """A theme file that cannot be used, with the reason as a sentence."""


class Palette:
    """One theme: its roles, and the styles made of them. Built once a theme; styles are cached."""

    def __init__(
        self,
        name: str,
        roles: dict[str, str],
        *,
        dark: bool = True,
        ansi: bool = False,
        framed: bool = False,
        scrim: str = "",
    ) -> None:
        self.name = name
        self.roles = roles
        self.dark = dark
        self.ansi = ansi
        self.framed = framed
        """There is no raised tone: dialogs have a thin full frame."""
        self.scrim = scrim
        """A textual color with its share, such as `#080a0e 55%`; empty = none."""
        self._styles: dict[tuple[str, str, str], Style] = {}

    def style(self, role: str, flags: str = "", ground: str = "bg") -> Style:
        """The style of a run. `role`, `flags`, `ground`: see `model/runs.py`.

        Raises:
            KeyError: no such role or ground.
        """
        key = (role, flags, ground)
        found = self._styles.get(key)
        if found is None:
            found = self._styles[key] = self._made(role, flags, ground)
        return found

    def ground(self, ground: str) -> Style:
        """The style of empty cells."""
        return self.style("text", "", ground)

    def _made(self, role: str, flags: str, ground: str) -> Style:
        chip = role.startswith("chip.")
        color = self.roles[role.removeprefix("chip.")]
        bold = True if "b" in flags or color.endswith(" bold") else None
        marks = Style(bold=bold, italic=True if "i" in flags else None, underline=True if "u" in flags else None)
        color = color.removesuffix(" bold")
        reverse = self.roles[ground] == "reverse"
        if self.ansi and chip:
            # The ink is the terminal's background; on the selected row a chip turns back to normal video to stand out.
            return marks + Style(color=color, bgcolor="default", reverse=not reverse)
        if reverse:
            return marks + Style(color="default", bgcolor="default", reverse=True)
        if chip:
            return marks + Style(color=self.roles["ink"], bgcolor=color)
        return marks + Style(color=color, bgcolor=self.roles[ground])

    def content(self, *runs: Run, ground: str = "bg") -> "Content":
        """Runs as textual content, for widgets that are not line lists. No markup is ever read from the text."""
        from textual.content import Content
        from textual.style import Style as TextualStyle

        parts = [(run.text, TextualStyle.from_rich_style(self.style(run.role, run.flags, ground))) for run in runs]
        return Content.assemble(*parts)

    def lines(self, lines: tuple[Line, ...]) -> "Content":
        """Several lines as one textual content."""
        from textual.content import Content

        return Content("\n").join(self.content(*line.runs, ground=line.ground) for line in lines)

    def theme(self) -> "Theme":
        """The textual theme of the same name. CSS variables: every role (`$late`), `$sel-style`, `$scrim`."""
        from textual.theme import Theme

        colors = {role: self._css(color) for role, color in self.roles.items()}
        return Theme(
            name=self.name,
            dark=self.dark,
            ansi=self.ansi,
            primary=colors["acc"],
            secondary=colors["cust"],
            warning=colors["near"],
            error=colors["late"],
            success=colors["ok"],
            accent=colors["acc"],
            foreground=colors["text"],
            background=colors["bg"],
            surface=colors["bar"],
            panel=colors["bar"],
            boost=colors["bar"],
            variables={**colors, **self._variables(colors)},
        )

    def _variables(self, colors: dict[str, str]) -> dict[str, str]:
        return {
            "sel-style": "reverse" if self.roles["sel"] == "reverse" else "none",
            "scrim": self.scrim or "transparent",
            # textual's own style sheets ask for these two in an ansi theme.
            "ansi-background": "ansi_black" if self.dark else "ansi_white",
            "ansi-foreground": "ansi_white" if self.dark else "ansi_black",
            "border": colors["rule"],
            "border-blurred": colors["rule"],
            "input-cursor-background": colors["text"],
            "input-cursor-foreground": colors["bg"],
            "input-cursor-text-style": "reverse" if self.ansi else "none",
            "input-selection-background": colors["sel"],
            "input-selection-foreground": colors["text"],
            "scrollbar": colors["rule"],
            "scrollbar-background": colors["bg"],
            "scrollbar-corner-color": colors["bg"],
        }

    def _css(self, color: str) -> str:
        if color.startswith("#"):
            return color
        color = color.removesuffix(" bold")
        return "ansi_default" if color in ("default", "reverse") else f"ansi_{color}"


def user_directory() -> Path:
    """Where a user's own theme files lie."""
    from platformdirs import user_config_path

    return user_config_path("onewindow") / "themes"


def names() -> list[str]:
    """Every theme there is, sorted: the project's and the user's; `ansi-light` where a theme has a light variant."""
    found: set[str] = set()
    for file in (*resources.files("themes").iterdir(), *_user_files()):
        stem = file.name.removesuffix(".toml")
        if stem != file.name and _NAME.fullmatch(stem):
            found.add(stem)
            if b"\n[light]" in file.read_bytes():
                found.add(f"{stem}-light")
    return sorted(found)


@lru_cache(maxsize=32)
def load(name: str) -> Palette:
    """The theme `name`; a user's file goes before the project's.

    Raises:
        ThemeError: there is no such theme, or its file lacks a role or holds something that is no color.
    """
    text = _text(name)
    is_light = text is None and name.endswith("-light")
    if is_light:
        text = _text(name.removesuffix("-light"))
    if text is None:
        raise ThemeError(f"There is no theme {name!r}. There are: {', '.join(names())}.")
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ThemeError(f"Theme {name!r} cannot be read: {error}.") from error
    return parse(name, table, light=is_light)


def parse(name: str, table: dict[str, object], *, light: bool = False) -> Palette:
    """A palette of a theme file's table; `light` takes the colors of its `[light]` part.

    Raises:
        ThemeError: a role is missing, or something is no color.
    """
    roles = _strings(table.get("roles"))
    if light:
        roles |= _strings(table.get("light"))
    missing = [role for role in ROLES if role not in roles]
    if missing:
        raise ThemeError(f"Theme {name!r} lacks {', '.join(missing)}.")
    ansi = table.get("ansi") is True
    for role in ROLES:
        if not (_ANSI if ansi else _HEX).fullmatch(roles[role]):
            raise ThemeError(f"Theme {name!r}: {roles[role]!r} is no color for {role}.")
    scrim = table.get("scrim")
    return Palette(
        name,
        {role: roles[role] for role in ROLES},
        dark=table.get("dark") is not False and not light,
        ansi=ansi,
        framed=table.get("framed") is True,
        scrim=_scrim(name, scrim) if isinstance(scrim, dict) else "",
    )


def palette_of(theme_name: str) -> Palette:
    """The palette of a textual theme name; night for a theme that is not ours."""
    try:
        return load(theme_name)
    except ThemeError:
        return load(DEFAULT)


def _scrim(name: str, table: dict[str, object]) -> str:
    color, percent = table.get("color"), table.get("percent", 55)
    if not isinstance(color, str) or not _HEX.fullmatch(color) or not isinstance(percent, int):
        raise ThemeError(f"Theme {name!r}: a scrim has a color and a percent.")
    return f"{color} {percent}%"


def _strings(table: object) -> dict[str, str]:
    if not isinstance(table, dict):
        return {}
    return {str(key): value for key, value in table.items() if isinstance(value, str)}


def _user_files() -> list[Path]:
    directory = user_directory()
    return sorted(directory.glob("*.toml")) if directory.is_dir() else []


def _text(name: str) -> str | None:
    if not _NAME.fullmatch(name):
        return None
    own = user_directory() / f"{name}.toml"
    if own.is_file():
        return own.read_text(encoding="utf-8", errors="replace")
    file = resources.files("themes") / f"{name}.toml"
    return file.read_text(encoding="utf-8") if file.is_file() else None
