"""Rows 5, 6 and 9: the start, a key press in a long inbox beside two mail programs, and news on the screen."""

from __future__ import annotations

import os
import random
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

from agent_tui import opening, settings
from agent_tui.bench import window
from agent_tui.bench.figures import Row, at_most, percentile, rounded
from agent_tui.bench.terminal import Terminal, running
from agent_tui.keeper import SEED_VARIABLE, make_seed

QUIET_S = 0.02
"""A burst that nothing follows for so long was the paint. The window opens what the cursor rests on after 0.12 s, so it is shorter."""
STEADY_WITHIN_S = 60.0
PEER_MAILS = 1_000
_MOMENT = re.compile(rb"t(\d{10,})\.")


def environment(folder: Path) -> dict[str, str]:
    """A terminal of its own, with nothing of the person's."""
    kept = {name: value for name, value in os.environ.items() if name in ("PATH", "LD_LIBRARY_PATH", "PYTHONPATH")}
    return kept | {
        "HOME": str(folder),
        "XDG_CONFIG_HOME": str(folder / ".config"),
        "XDG_DATA_HOME": str(folder / ".local"),
        "XDG_CACHE_HOME": str(folder / ".cache"),
        "XDG_RUNTIME_DIR": str(folder),
        "TERM": "xterm-256color",
        "COLORTERM": "truecolor",
        "LANG": "C.UTF-8",
        "TZ": "UTC",
    }


# The start.


def row5(folder: Path, sizes: Sequence[int], rounds: int) -> Row:
    """`agent-tui` from the fork to the first row on the screen; rounds alternate with the bare import."""
    environ = environment(folder)
    desks = {size: _desk(folder / f"desk{size}", size) for size in sizes}
    starts: dict[int, list[float]] = {size: [] for size in sizes}
    bare: list[float] = []
    for _ in range(rounds):
        began_s = time.monotonic()
        subprocess.run([sys.executable, "-c", "import textual.app"], env=environ, check=True)
        bare.append((time.monotonic() - began_s) * 1000)
        for size, more in desks.items():
            with running([sys.executable, "-m", "agent_tui"], environ | more) as terminal:
                took_s = terminal.until(b"Sender", 60.0)
            if took_s is not None:
                starts[size].append(took_s * 1000)
    reference = percentile(bare, 0.5)
    checks = tuple(
        at_most(f"start to first rows, inbox of {size:,}, p50", percentile(found, 0.5), "import textual.app", reference,
                times=1.15)
        for size, found in starts.items()
    )  # fmt: skip
    return Row(
        row=5,
        what="cold start to first paint",
        checks=checks,
        more={"rounds": rounds, **{f"painted_{size}": len(found) for size, found in starts.items()}},
    )


def _desk(folder: Path, size: int) -> dict[str, str]:
    """A desk that was used before, with the snapshot that the program itself keeps of so many rows."""
    environ = {settings.CONFIG_VARIABLE: str(folder), SEED_VARIABLE: make_seed()}
    where = settings.paths(environ)
    where.settings.parent.mkdir(parents=True)
    # A port on which nobody listens: the first paint does not wait for a link.
    where.settings.write_text('server = "nats://127.0.0.1:9"\nagent = "bench"\n')
    desk = opening.open_desk(settings.load(where), where, environ)
    desk.place.state.rows = window.rows(size, opening.now_ms())
    desk.place.state.me = window.ME
    desk.place.state.upto = 1
    desk.close()
    return environ


# A key press.


def row6(folder: Path, sizes: tuple[int, int], presses: int) -> Row:
    """`j` in a small and in a large inbox; the same key in neomutt and aerc over a thousand mails."""
    environ = environment(folder)
    small, large = (_pressed_in_window(environ, size, presses) for size in sizes)
    peers = {"neomutt": _neomutt(folder, environ, presses), "aerc": _aerc(folder, environ, presses)}
    of = {name: [last for _, last in found] if found else None for name, found in peers.items()}
    p50, p99 = (percentile([last for _, last in large], share) for share in (0.5, 0.99))
    figure = f"key press to paint, inbox of {sizes[1]:,}"
    neomutt, aerc = of["neomutt"], of["aerc"]
    aerc_p50 = percentile(aerc, 0.5) if aerc else None
    neomutt_p99 = percentile(neomutt, 0.99) if neomutt else None
    checks = (
        at_most(f"{figure}, p50", p50, "aerc, p50", aerc_p50, ms=8.0),
        at_most(f"{figure}, p50", p50, "aerc, p50", aerc_p50, times=1.0),
        at_most(f"{figure}, p99", p99, "neomutt, p99", neomutt_p99, ms=16.0),
        at_most(f"{figure}, p99", p99, "neomutt, p99", neomutt_p99, times=1.0),
        at_most(
            f"{figure}, p50",
            p50,
            f"inbox of {sizes[0]:,}, p50",
            percentile([last for _, last in small], 0.5),
            times=1.1,
        ),
    )
    more: dict[str, float | int | str] = {
        "presses": presses,
        "answered": sum(last < 2000 for _, last in large),
        "peer_mails": PEER_MAILS,
    }
    for name, program in peers.items():
        more[f"{name}_p50"] = rounded(percentile([last for _, last in program], 0.5)) if program else "absent"
    more["first_byte_p50"] = rounded(percentile([first for first, _ in large], 0.5))
    return Row(row=6, what="key press to paint", checks=checks, more=more)


def _pressed_in_window(environ: Mapping[str, str], size: int, presses: int) -> list[tuple[float, float]]:
    with running([sys.executable, "-m", "agent_tui.bench.window", str(size)], environ) as terminal:
        terminal.until(b"Sender", 120.0)
        terminal.settle(0.5)
        return _presses(terminal, presses)


def _presses(terminal: Terminal, presses: int) -> list[tuple[float, float]]:
    """Times of `j`, once the program has come to rest: five in a row that are answered soon."""
    prompt, end_s = 0, time.monotonic() + STEADY_WITHIN_S
    while prompt < 5 and time.monotonic() < end_s:
        took = terminal.press(b"j", QUIET_S)
        prompt = prompt + 1 if took is not None and took[1] < 250 else 0
        terminal.settle(QUIET_S, 1.0)
    found = []
    for _ in range(presses):
        took = terminal.press(b"j", QUIET_S)
        # A press without an answer within two seconds counts as two seconds.
        found.append(took or (2000.0, 2000.0))
        # Rested, and not in step with the program's own clocks.
        terminal.settle(QUIET_S + 0.01 * random.random(), 1.0)
    return found


def _neomutt(folder: Path, environ: Mapping[str, str], presses: int) -> list[tuple[float, float]] | None:
    if shutil.which("neomutt") is None:
        return None
    box = folder / "mails.mbox"
    box.write_text("".join(f"From s@example.org {day:%a %b %d %H:%M:%S %Y}\n{text}\n" for day, text in _mails()))
    (folder / "neomuttrc").write_text(f"set folder={folder}\nset sort=date\nset help=no\n")
    command = ["neomutt", "-n", "-F", str(folder / "neomuttrc"), "-f", str(box)]
    with running(command, environ) as terminal:
        if terminal.until(b"charged", 20.0) is None:
            return None
        terminal.settle(0.5)
        return _presses(terminal, min(presses, PEER_MAILS - 50))


def _aerc(folder: Path, environ: Mapping[str, str], presses: int) -> list[tuple[float, float]] | None:
    if shutil.which("aerc") is None:
        return None
    box = folder / "maildir" / "INBOX"
    for part in ("cur", "new", "tmp"):
        (box / part).mkdir(parents=True, exist_ok=True)
    for number, (_, text) in enumerate(_mails()):
        (box / "cur" / f"{1_700_000_000 + number}.{number}.bench:2,").write_text(text)
    there = folder / ".config" / "aerc"
    there.mkdir(parents=True)
    accounts = there / "accounts.conf"
    accounts.write_text(
        f"[bench]\nsource = maildir://{box.parent}\ndefault = INBOX\nfrom = bench@example.org\noutgoing = /bin/true\n"
    )
    accounts.chmod(0o600)
    with running(["aerc"], environ) as terminal:
        if terminal.until(b"charged", 20.0) is None:
            return None
        terminal.settle(0.5)
        return _presses(terminal, min(presses, PEER_MAILS - 50))


def _mails() -> list[tuple[datetime, str]]:
    began = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)
    days = [began + timedelta(minutes=number) for number in range(PEER_MAILS)]
    return [
        (
            day,
            f"From: Sender {number} <s{number}@example.org>\nTo: bench@example.org\nSubject: charged twice {number}\n"
            f"Date: {format_datetime(day)}\nMessage-ID: <{number}@example.org>\n\nplease look at it\n",
        )
        for number, day in enumerate(days)
    ]


# News.


def row9(folder: Path, seconds: float) -> Row:
    """From the feed in the link to the text on the screen, and the same message through a bare pipe of the terminal."""
    environ = environment(folder)
    with running([sys.executable, "-m", "agent_tui.bench.window", "1000", "feed"], environ) as terminal:
        terminal.until(b"Sender", 60.0)
        terminal.settle(0.05, 2.0)
        ages = _ages(terminal, seconds)
    with running([sys.executable, "-c", _BARE], environ) as terminal:
        bare = _ages(terminal, min(3.0, seconds))
    return Row(
        row=9,
        what="feed in the link -> painted (what `broker-bridge bench` measures ends at the link)",
        checks=tuple(
            at_most(f"feed -> paint, p{share}", percentile(ages, share / 100), f"bare print, p{share}",
                    percentile(bare, share / 100), ms=bound)
            for share, bound in ((50, 15.0), (99, 30.0))
        ),
        more={"painted": len(ages)},
    )  # fmt: skip


_BARE = "import time\nwhile True:\n    time.sleep(0.1)\n    print(f't{time.monotonic_ns()}.', flush=True)\n"


def _ages(terminal: Terminal, seconds: float) -> list[float]:
    found: dict[int, float] = {}
    end_s = time.monotonic() + seconds
    while time.monotonic() < end_s:
        terminal.read(0.2)
        now_ns = time.monotonic_ns()
        for moment in _MOMENT.findall(terminal.painted):
            found.setdefault(int(moment), (now_ns - int(moment)) / 1e6)
        terminal.painted = terminal.painted[-4096:]
    return list(found.values())[1:]
