"""Keeps the user's machine out of the tests: home, settings, keyring, clock zone, terminal and network.

The environment is set while this file is imported, before any test imports the product; child processes inherit it.
"""

import atexit
import gc
import itertools
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import pytest_textual_snapshot
from xdist.remote import Producer
from xdist.scheduler import LoadFileScheduling

from tests import outside

ROOT = Path(__file__).resolve().parent.parent
CORPUS = Path(os.environ.get("ONEWINDOW_CORPUS") or ROOT.parent / "shared" / "corpus")

_FOREIGN = ("ONEWINDOW_", "XDG_", "TEXTUAL", "NATS_", "AGENT_TUI_", "BROKER_BRIDGE_", "LC_")
_FOREIGN_NAMES = {
    *("NO_COLOR", "FORCE_COLOR", "CLICOLOR_FORCE", "COLUMNS", "LINES", "TERM_PROGRAM", "TMUX", "EDITOR", "VISUAL"),
    *("CREDENTIALS_DIRECTORY", "NOTIFY_SOCKET", "DBUS_SESSION_BUS_ADDRESS", "DISPLAY", "WAYLAND_DISPLAY"),
    *("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"),
}


def _homes(home: Path) -> dict[str, str]:
    """Where a program finds its home and its folders when `home` is all there is."""
    folders = {"CONFIG": "config", "STATE": "state", "CACHE": "cache", "DATA": "data", "RUNTIME": "run"}
    xdg = {f"XDG_{kind}_{'DIR' if kind == 'RUNTIME' else 'HOME'}": str(home / name) for kind, name in folders.items()}
    return {"HOME": str(home), **xdg}


def _settle_environment() -> Path:
    for name in list(os.environ):
        # The workers of xdist are given these: the folder of the pictures' plugin, and ours of real inputs.
        if name in ("TEXTUAL_SNAPSHOT_TEMPDIR", "ONEWINDOW_CORPUS"):
            continue
        if name.startswith(_FOREIGN) or name in _FOREIGN_NAMES:
            del os.environ[name]
    home = Path(tempfile.mkdtemp(prefix="onewindow-tests-"))
    os.environ.update(
        _homes(home),
        TZ="UTC",
        LANG="C.UTF-8",
        TERM="xterm-256color",
        COLORTERM="truecolor",
        TEXTUAL_ANIMATIONS="none",
        PYTHON_KEYRING_BACKEND="keyring.backends.null.Keyring",
    )
    time.tzset()
    return home


atexit.register(shutil.rmtree, _settle_environment(), ignore_errors=True)
outside.build()
# syrupy 5 reads this name and not the underscored one: without it pictures end in .raw.
pytest_textual_snapshot.SVGImageExtension.file_extension = "svg"


@pytest.fixture(scope="session")
def _new_home(tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Path]:
    """Makes empty folders. Counted here: `mktemp` lists all folders that there are to find the next number, thousands of times."""
    homes, numbers = tmp_path_factory.mktemp("homes"), itertools.count()

    def new_home() -> Path:
        made = homes / str(next(numbers))
        made.mkdir()
        return made

    return new_home


@pytest.fixture(autouse=True)
def _own_home(monkeypatch: pytest.MonkeyPatch, _new_home: Callable[[], Path]) -> None:
    """A home of its own for each test: what one test saves, the next does not find."""
    for name, value in _homes(_new_home()).items():
        monkeypatch.setenv(name, value)


@pytest.fixture(autouse=True)
def _inside_only() -> Iterator[None]:
    outside.attempts.clear()
    yield
    assert not outside.attempts, f"this test tried to leave the machine: {outside.attempts}"


@pytest.fixture(scope="session")
def corpus() -> Path:
    """The folder of real inputs (mail, quotes, webhooks): $ONEWINDOW_CORPUS, or shared/corpus beside the checkout."""
    if not CORPUS.is_dir():
        pytest.skip("no corpus of real inputs here: set ONEWINDOW_CORPUS to its folder")
    return CORPUS


LONGEST = ("test_window_pictures", "test_show_", "test_window_hostile", "test_simulation", "test_crash_", "test_demo")
"""Files of minutes: begun first, so that at the end no core waits for the last of them alone."""


APART = ("tests/tui/", "tests/daemon/test_simulation.py")
"""Much work in tests that share no server: not the file but each test goes to whoever is free."""


class ByFile(LoadFileScheduling):  # type: ignore[misc]
    """Of xdist: a file stays on one worker, so that its server is started once; but for those of `APART`."""

    def _split_scope(self, nodeid: str) -> str:
        file = super()._split_scope(nodeid)
        return nodeid if file.startswith(APART) else file


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> LoadFileScheduling | None:
    return ByFile(config, log) if config.getvalue("dist") == "loadfile" else None


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Twice the cores: a third of the time a test waits, for a broker's disk, a retry's pause, a window that must rest."""
    return 2 * (os.cpu_count() or 1)


def pytest_collection_finish() -> None:
    """What is there by now stays to the end: looking through it again and again for garbage is a fifth of a window's test."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest files first; otherwise in their order."""
    items.sort(key=lambda item: not item.path.name.startswith(LONGEST))
