"""The command line, run as a person runs it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.tui.test_login import SERVER, line_of

ROOT = Path(__file__).resolve().parents[2]


def run(*args: str, given: str = "", **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "agent_tui", *args],
        input=given,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8", **environ},
    )


@pytest.mark.parametrize("args", [["--help"], ["--version"], ["login", "--help"], ["keys"], ["paths"]])
def test_help_imports_neither_window_nor_network(args: list[str]) -> None:
    code = (
        "import sys\nfrom agent_tui.cli import main\n"
        f"try:\n    main({args!r})\nexcept SystemExit as end:\n    assert not end.code\n"
        "heavy = {'textual', 'nats', 'keyring', 'nkeys'} & set(sys.modules)\nassert not heavy, heavy"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert done.returncode == 0, done.stderr


def test_nobody_logged_in_is_told_what_to_do() -> None:
    done = run()
    assert done.returncode == 78
    assert "agent-tui login" in done.stderr and "agent-tui demo" in done.stderr


def test_an_enrollment_line_in_the_command_line_is_refused() -> None:
    done = run("login", line_of("SUSEED"))
    assert done.returncode == 64
    assert "history" in done.stderr and "Ask your lead for a new line" in done.stderr


@pytest.mark.parametrize("args", [["nonsense"], ["--nonsense"], ["login", "--server", "nats://x"], ["login", "abc"]])
def test_wrong_usage_is_64(args: list[str]) -> None:
    assert run(*args).returncode == 64


def test_logging_in_from_a_pipe(tmp_path: Path) -> None:
    from agent_tui.keeper import make_seed

    seed, home = make_seed(), {"ONEWINDOW_CONFIG_DIR": str(tmp_path)}
    done = run("login", "--no-wait", given=line_of(seed), **home)
    assert done.returncode == 0, done.stderr
    assert "no keyring" in done.stdout and SERVER in done.stdout and seed not in done.stdout
    assert f"desk      {tmp_path}" in run("paths", **home).stdout
    window = run(**home)
    assert window.returncode == 64 and "needs a terminal" in window.stderr
    assert "gone" in run("logout", **home).stdout
    assert run(**home).returncode == 78


def test_a_server_that_is_away_is_69(tmp_path: Path) -> None:
    from agent_tui.keeper import make_seed

    line = line_of(make_seed(), "nats://127.0.0.1:1")
    done = run("login", given=line, ONEWINDOW_CONFIG_DIR=str(tmp_path))
    assert done.returncode == 69
    assert "cannot be reached" in done.stdout


def test_a_damaged_line_is_78_and_not_repeated(tmp_path: Path) -> None:
    done = run("login", given="onewindow1:c2VjcmV0", ONEWINDOW_CONFIG_DIR=str(tmp_path))
    assert done.returncode == 78
    assert "damaged" in done.stderr and "c2VjcmV0" not in done.stderr


def test_settings_errors_are_78_with_file_and_key(tmp_path: Path) -> None:
    (tmp_path / "settings.toml").write_text('bell = "loud"')
    done = run(ONEWINDOW_CONFIG_DIR=str(tmp_path))
    assert done.returncode == 78
    assert "settings.toml: bell:" in done.stderr


def test_a_key_conflict_is_78_and_names_both(tmp_path: Path) -> None:
    (tmp_path / "settings.toml").write_text('[keys]\nreply = "n"')
    done = run("keys", ONEWINDOW_CONFIG_DIR=str(tmp_path))
    assert done.returncode == 78
    assert "reply" in done.stderr and "note" in done.stderr


def test_a_seed_that_others_can_read_is_77(tmp_path: Path) -> None:
    from agent_tui.keeper import make_seed

    home = {"ONEWINDOW_CONFIG_DIR": str(tmp_path)}
    run("login", "--no-wait", given=line_of(make_seed()), **home)
    for path in tmp_path.rglob("seed"):
        path.chmod(0o644)
    assert run(**home).returncode == 77
