"""The command line of the terminal.

Law: `--help` and `--version` import neither the window nor the network. Exit codes are those of sysexits.h, so that
scripts can tell a wrong setting (78) from a server that is away (69) and from a key that is not let in (77).
"""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from agent_tui.settings import Paths, Settings

EX_OK = 0
EX_USAGE = 64
EX_UNAVAILABLE = 69
EX_CANTCREAT = 73
EX_NOPERM = 77
EX_CONFIG = 78
EX_INTERRUPTED = 130

LINE_IN_ARGV = (
    "an enrollment line holds your key, and what stands in a command line can be read by everybody on this machine "
    "and stays in the shell's history. Run `agent-tui login` and paste it when asked, or `agent-tui login < file`. "
    "Ask your lead for a new line: this one has been seen."
)


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        self.exit(EX_USAGE, f"{self.prog}: {message}\n")


def parser() -> argparse.ArgumentParser:
    """Every command and option."""
    top = _Parser(prog="agent-tui", description="onewindow: every channel and every customer in one terminal window.")
    top.add_argument("--version", action="store_true", help="print the version")
    top.add_argument("--theme", metavar="NAME", help="night, day, contrast, ansi, or a theme of your own")
    top.add_argument("--ascii", action="store_true", default=None, help="draw with ASCII only")
    commands = top.add_subparsers(dest="command", metavar="COMMAND")

    login = commands.add_parser("login", help="sign in on this machine", description=_LOGIN)
    login.add_argument("line", nargs="?", metavar="-", help="- reads the enrollment line from stdin")
    login.add_argument("--file", metavar="PATH", help="read the enrollment line from a file")
    login.add_argument("--server", metavar="URL", help="with --agent: make a key here, for your lead to let in")
    login.add_argument("--agent", metavar="ID", help="your name as your lead wrote it")
    login.add_argument("--no-wait", action="store_true", help="do not try the server")

    commands.add_parser("logout", help="forget the key on this machine")
    commands.add_parser("keys", help="print every action with its keys, as [keys] in settings.toml names them")
    commands.add_parser("paths", help="print where settings, drafts and the outbox lie")

    demo = commands.add_parser("demo", help="a whole contact center on this machine, with customers who write")
    demo.add_argument("--supervisor", action="store_true", help="sit at the supervisor's desk")
    demo.add_argument(
        "--as", dest="seat", default="", metavar="NAME", help="sit at a colleague's desk: ole, priya, tomas"
    )
    demo.add_argument(
        "--colleague", dest="seat", action="store_const", const="ole", help="sit at Ole's desk, as --as ole does"
    )
    demo.add_argument("--keep", action="store_true", help="leave its folder behind")
    demo.add_argument("--dir", metavar="PATH", help="its folder")
    demo.add_argument("--headless", type=float, metavar="SECONDS", help="without a window; prints a JSON summary")
    demo.add_argument("--seed", type=int, default=1, metavar="N", help="who comes when (1)")

    commands.add_parser("bench", help="measure the window: start, key press to screen, long lists", add_help=False)
    return top


_LOGIN = (
    "Sign in with the enrollment line that your lead got from `broker-bridge agent add`: paste it when asked, pipe it "
    "into this command, or name its file. Or give --server and --agent: the key is made here, never leaves this "
    "machine, and your lead lets its public half in."
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; the exit code."""
    given = list(sys.argv[1:] if argv is None else argv)
    if any("onewindow1:" in word for word in given):
        return _fail(LINE_IN_ARGV, EX_USAGE)
    args, rest = parser().parse_known_args(given)
    if rest and args.command != "bench":
        parser().error(f"unrecognized arguments: {' '.join(rest)}")
    try:
        return _run(args, rest)
    except KeyboardInterrupt:
        return EX_INTERRUPTED


def _run(args: argparse.Namespace, rest: list[str]) -> int:
    if args.version:
        print(f"agent-tui {_version()}")
        return EX_OK
    if args.command == "demo":
        demo = _part("agent_tui.demo").run
        return int(
            demo(
                supervisor=args.supervisor,
                seat=args.seat,
                keep=args.keep,
                directory=args.dir,
                theme=args.theme,
                ascii=args.ascii,
                headless_s=args.headless,
                seed=args.seed,
            )
        )
    if args.command == "bench":
        return int(_part("agent_tui.bench").main(rest))
    if args.command in ("login", "logout"):
        return _login(args)
    if args.command == "keys":
        return _keys()
    if args.command == "paths":
        return _paths()
    return _window(args)


def _part(module: str) -> Any:
    """A part that costs a long import, loaded when it is wanted. Each returns an exit code."""
    return importlib.import_module(module)


def _with_looks(chosen: Settings, args: argparse.Namespace) -> Settings:
    """The settings with what the command line says of looks."""
    import msgspec

    if args.theme:
        chosen = msgspec.structs.replace(chosen, theme=args.theme)
    return msgspec.structs.replace(chosen, ascii=True) if args.ascii else chosen


def _first_run(where: Paths, chosen: Settings) -> bool:
    """Somebody signs in on the screen; true once the server lets them in."""
    import os

    from agent_tui.first_run import FirstRun
    from agent_tui.model.glyphs import ASCII, UNICODE
    from agent_tui.settings import wants_ascii

    glyphs = ASCII if wants_ascii(chosen, os.environ) else UNICODE
    return bool(FirstRun(where, glyphs, theme=chosen.theme).run())


def _window(args: argparse.Namespace) -> int:
    from agent_tui import opening, settings
    from agent_tui.keeper import KeeperError
    from agent_tui.keys import KeyTableError
    from agent_tui.model.outbox import OutboxTaken

    where = settings.paths()
    try:
        chosen = _with_looks(settings.load(where), args)
        if not (chosen.server and chosen.agent) and sys.stdin.isatty() and sys.stdout.isatty():
            if not _first_run(where, chosen):
                return EX_OK
            chosen = _with_looks(settings.load(where), args)
        desk = opening.open_desk(chosen, where)
    except (settings.SettingsError, KeyTableError, opening.NotLoggedIn) as error:
        return _fail(str(error), EX_CONFIG)
    except KeeperError as error:
        return _fail(str(error), EX_NOPERM)
    except OutboxTaken as error:
        return _fail(str(error), EX_UNAVAILABLE)
    except OSError as error:
        return _fail(f"{error.filename or where.state}: {error.strerror}", EX_CANTCREAT)
    try:
        if not sys.stdin.isatty() or not sys.stdout.isatty():
            return _fail("the window needs a terminal", EX_USAGE)
        opening.log_to(where.log)
        from agent_tui.app import OneWindow

        window = OneWindow(
            desk.place,
            desk.link,
            keys=desk.keys,
            theme=chosen.theme,
            remember=desk.remember_looks,
            notifications=chosen.notifications,
            terminal=desk.terminal,
            is_bell_on=chosen.bell,
        )
        window.run()
        return window.return_code or EX_OK
    finally:
        desk.close()


def _login(args: argparse.Namespace) -> int:
    from agent_tui import settings
    from agent_tui.keeper import KeeperError
    from agent_tui.login import Login, read_line

    login = Login(settings.paths(), sys.stdout)
    try:
        if args.command == "logout":
            print(login.logout())
            return EX_OK
        if bool(args.server) != bool(args.agent):
            return _fail("--server and --agent go together", EX_USAGE)
        if args.server:
            tried = login.with_key(args.server, args.agent, is_waiting=not args.no_wait)
        elif args.line not in (None, "-"):
            return _fail(LINE_IN_ARGV, EX_USAGE)
        else:
            tried = login.with_line(read_line(args.line or args.file or "", sys.stdin), is_tried=not args.no_wait)
    except KeeperError as error:
        return _fail(str(error), EX_CONFIG)
    if tried.outcome is None or tried.outcome.state == "up":
        print("Start the window with `agent-tui`.")
        return EX_OK
    return EX_NOPERM if tried.outcome.state == "denied" else EX_UNAVAILABLE


def _keys() -> int:
    from agent_tui import settings
    from agent_tui.keys import KeyTableError, table

    try:
        keys = table(settings.load(settings.paths()).keys)
    except (settings.SettingsError, KeyTableError) as error:
        return _fail(str(error), EX_CONFIG)
    for group in dict.fromkeys(action.group for action in keys.actions):
        print(group)
        for action in keys.actions:
            if action.group == group:
                print(f"  {action.name:<16} {' '.join((*action.keys, *action.typing)):<16} {action.description}")
    return EX_OK


def _paths() -> int:
    from agent_tui import settings

    where = settings.paths()
    known = settings.remembered(where)
    print(f"settings  {where.settings}\nstate     {where.state}\nlog       {where.log}")
    if known.agent:
        print(f"desk      {where.desk(known.agent, known.server).folder}")
    return EX_OK


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("onewindow")
    except PackageNotFoundError:
        return "from a checkout"


def _fail(sentence: str, code: int) -> int:
    print(f"agent-tui: {sentence}", file=sys.stderr)
    return code
