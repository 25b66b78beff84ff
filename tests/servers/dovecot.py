"""A real dovecot (IMAP and LMTP) for one test: an ordinary user's process with files in a temporary folder.

Law: it never runs with root's rights (setpriv steps down where the tests run as root), listens on loopback only, and is stopped by the id
of the process that was started.
"""

import contextlib
import datetime
import ipaddress
import os
import pwd
import re
import shutil
import signal
import smtplib
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

PASSWORD = "secret"
_UNPRIVILEGED = "nobody"
_BOUND_S = 15.0


def self_signed(folder: Path) -> Path:
    """A certificate for 127.0.0.1 that only those trust who are told to; its key lies beside it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    secret = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "key.pem").write_bytes(secret)
    (folder / "cert.pem").write_bytes(made.public_bytes(pem))
    return folder / "cert.pem"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Dovecot:
    """Start, stop, start again: mailboxes stay."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.imap_port = free_port()
        self.imaps_port = free_port()
        self.lmtp_port = free_port()
        self.certificate = self_signed(folder)
        self._process: subprocess.Popen[bytes] | None = None
        self._is_root = os.geteuid() == 0
        self._owner = pwd.getpwnam(_UNPRIVILEGED) if self._is_root else pwd.getpwuid(os.geteuid())
        self._write_config()

    def start(self) -> None:
        # What a killed server leaves behind would keep the next one from starting.
        (self.folder / "run" / "master.pid").unlink(missing_ok=True)
        self._give_away()
        command = [_program("dovecot"), "-F", "-c", str(self.folder / "dovecot.conf")]
        if self._is_root:
            step_down = [_program("setpriv"), f"--reuid={self._owner.pw_uid}", f"--regid={self._owner.pw_gid}"]
            command = [*step_down, "--clear-groups", *command]
        self._process = subprocess.Popen(
            command,
            env={"HOME": str(self.folder), "PATH": os.environ.get("PATH", "")},
            cwd=self.folder,
            start_new_session=True,
        )
        end_s = time.monotonic() + _BOUND_S
        while not (_accepts(self.imap_port) and _accepts(self.lmtp_port)):
            if self._process.poll() is not None or time.monotonic() > end_s:
                log = self.folder / "log"
                raise AssertionError(f"dovecot did not start: {log.read_text() if log.exists() else 'no log'}")
            time.sleep(0.01)

    def stop(self) -> None:
        """All of its processes: without root's rights the master ends before the ones that serve clients."""
        if self._process is None:
            return
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(_BOUND_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(_BOUND_S)
        self.kill()

    def kill(self) -> None:
        """At once, every process of it."""
        if self._process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait(_BOUND_S)
        self._process = None

    def deliver(self, raw: bytes, user: str = "support") -> None:
        """Hand a mail over by LMTP, as a mail server does."""
        with smtplib.LMTP("127.0.0.1", self.lmtp_port, timeout=_BOUND_S) as lmtp:
            lmtp.sendmail("sender@customers.example", [f"{user}@localhost"], raw)

    def drop(self, raw: bytes, name: str, user: str = "support") -> None:
        """Put bytes into the maildir as they are, however broken."""
        inbox = self.folder / "mail" / user / "new"
        made = [one for one in (inbox, inbox.with_name("cur"), inbox.with_name("tmp")) if not one.exists()]
        for one in made:
            one.mkdir(parents=True)
        (inbox / name).write_bytes(raw)
        self._give_away()

    def renumber(self, user: str = "support") -> None:
        """Another UIDVALIDITY for the inbox, as after a migration; only while stopped."""
        box = self.folder / "mail" / user
        listed = box / "dovecot-uidlist"
        head, _, rest = listed.read_text().partition("\n")
        old = re.search(r"V(\d+)", head)
        assert old is not None
        listed.write_text(head.replace(old[0], f"V{int(old[1]) + 1000}", 1) + "\n" + rest)
        for index in box.glob("dovecot.index*"):
            index.unlink()

    def flags(self, user: str = "support") -> list[str]:
        """File names of the mails: maildir keeps their flags there."""
        box = self.folder / "mail" / user
        return sorted(one.name for folder in ("new", "cur") for one in (box / folder).glob("*"))

    def sources(self, user: str = "support", folder: str = "") -> list[bytes]:
        """Every mail of a folder, as it lies there."""
        box = self.folder / "mail" / user / (f".{folder}" if folder else "")
        return [one.read_bytes() for part in ("new", "cur") for one in sorted((box / part).glob("*"))]

    def _give_away(self) -> None:
        if self._is_root:
            for path in (self.folder, *self.folder.rglob("*")):
                # A running dovecot removes its locks and temporary files meanwhile.
                with contextlib.suppress(FileNotFoundError):
                    os.chown(path, self._owner.pw_uid, self._owner.pw_gid)

    def _write_config(self) -> None:
        user = self._owner.pw_name
        folder = self.folder
        (folder / "dovecot.conf").write_text(f"""
base_dir = {folder}/run
state_dir = {folder}/state
log_path = {folder}/log
default_internal_user = {user}
default_internal_group = {_group(self._owner.pw_gid)}
default_login_user = {user}
protocols = imap lmtp
listen = 127.0.0.1
ssl = yes
ssl_cert = <{folder}/cert.pem
ssl_key = <{folder}/key.pem
disable_plaintext_auth = no
first_valid_uid = 1
mail_location = maildir:{folder}/mail/%n
passdb {{
  driver = static
  args = password={PASSWORD}
}}
userdb {{
  driver = static
  args = uid={self._owner.pw_uid} gid={self._owner.pw_gid} home={folder}/home/%n
}}
service anvil {{
  chroot =
}}
service stats {{
  chroot =
}}
service imap-login {{
  chroot =
  inet_listener imap {{
    port = {self.imap_port}
  }}
  inet_listener imaps {{
    port = {self.imaps_port}
    ssl = yes
  }}
}}
service lmtp {{
  inet_listener lmtp {{
    address = 127.0.0.1
    port = {self.lmtp_port}
  }}
}}
namespace inbox {{
  inbox = yes
  mailbox Sent {{
    auto = create
  }}
}}
""")


@pytest.fixture
def dovecot() -> Iterator[Dovecot]:
    """A running dovecot."""
    for program in ("dovecot", *(("setpriv",) if os.geteuid() == 0 else ())):
        if _program(program) == program:
            pytest.skip(f"{program} is not installed here (Debian: dovecot-imapd, dovecot-lmtpd, util-linux)")
    # Not under pytest's own folder: that one is closed to the user dovecot runs as, and its path is too long for a socket.
    folder = Path(tempfile.mkdtemp(prefix="onewindow-dovecot-"))
    server = Dovecot(folder)
    try:
        server.start()
        yield server
    finally:
        server.kill()
        shutil.rmtree(folder, ignore_errors=True)


def _program(name: str) -> str:
    """The program's path, or its bare name if it is nowhere."""
    return shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin:/usr/local/sbin") or name


def _group(number: int) -> str:
    import grp

    return grp.getgrgid(number).gr_name


def _accepts(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1.0)
        return probe.connect_ex(("127.0.0.1", port)) == 0
