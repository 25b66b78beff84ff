"""Secrets by reference: where they are found, what is refused, and that no value is ever told."""

import base64
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import keyring
import keyring.backend
import keyring.backends.fail
import pytest

from broker_bridge.daemon.secrets import SecretError, Secrets, kept, site_key

VALUE = "geheim-7f"


class Ring(keyring.backend.KeyringBackend):
    """A keyring with one entry."""

    priority = 1.0

    def get_password(self, service: str, username: str) -> str | None:
        return VALUE if (service, username) == ("onewindow", "mail") else None

    def set_password(self, service: str, username: str, password: str) -> None:
        raise keyring.errors.PasswordSetError("read only")

    def delete_password(self, service: str, username: str) -> None:
        raise keyring.errors.PasswordDeleteError("read only")


@pytest.fixture(autouse=True)
def _no_keyring() -> Iterator[None]:
    """As on a server: asking raises NoKeyringError."""
    before = keyring.get_keyring()
    keyring.set_keyring(keyring.backends.fail.Keyring())  # type: ignore[no-untyped-call]
    yield
    keyring.set_keyring(before)


def private(path: Path, text: str = VALUE + "\n", mode: int = 0o600) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(mode)
    return path


def in_the_keyring(folder: Path) -> dict[str, str]:
    keyring.set_keyring(Ring())  # type: ignore[no-untyped-call]
    return {}


def as_a_credential(folder: Path) -> dict[str, str]:
    private(folder / "credentials" / "mail", mode=0o440)
    return {"CREDENTIALS_DIRECTORY": str(folder / "credentials")}


def as_a_file(folder: Path) -> dict[str, str]:
    private(folder / "secrets" / "mail")
    return {}


def as_a_variable(folder: Path) -> dict[str, str]:
    return {"ONEWINDOW_MAIL": VALUE}


@pytest.mark.parametrize("put", [in_the_keyring, as_a_credential, as_a_file, as_a_variable])
def test_a_keyring_reference_falls_through_to_what_a_server_has(
    put: Callable[[Path], dict[str, str]], tmp_path: Path
) -> None:
    assert Secrets(tmp_path, put(tmp_path)).get("keyring:onewindow/mail") == VALUE


def test_the_keyring_comes_first_then_the_credential_then_the_file(tmp_path: Path) -> None:
    environ = as_a_credential(tmp_path) | {"ONEWINDOW_MAIL": "from the variable"}
    private(tmp_path / "secrets" / "mail", "from the file")
    secrets = Secrets(tmp_path, environ)
    assert secrets.get("keyring:onewindow/mail") == VALUE
    (tmp_path / "credentials" / "mail").unlink()
    assert secrets.get("keyring:onewindow/mail") == "from the file"
    (tmp_path / "secrets" / "mail").unlink()
    assert secrets.get("keyring:onewindow/mail") == "from the variable"


def test_an_error_names_every_place_where_was_looked(tmp_path: Path) -> None:
    with pytest.raises(SecretError) as caught:
        Secrets(tmp_path, {}).get("keyring:onewindow/mail-in")
    said = caught.value.args[0]
    assert "keyring" in said and "credential mail-in" in said and str(tmp_path / "secrets" / "mail-in") in said
    assert "ONEWINDOW_MAIL_IN" in said


@pytest.mark.parametrize(
    ("reference", "said"),
    [
        ("file:mail.key", "mail.key"),
        ("credential:mail", "the credential mail ($CREDENTIALS_DIRECTORY)"),
        ("env:MAIL_KEY", "the variable MAIL_KEY"),
    ],
)
def test_the_other_references_mean_one_place(reference: str, said: str, tmp_path: Path) -> None:
    environ = {"ONEWINDOW_MAIL": VALUE}
    with pytest.raises(SecretError) as caught:
        Secrets(tmp_path, environ).get(reference)
    assert said in caught.value.args[0]


def test_each_reference_finds_its_secret(tmp_path: Path) -> None:
    private(tmp_path / "mail.key")
    secrets = Secrets(tmp_path, as_a_credential(tmp_path) | {"MAIL_KEY": VALUE})
    assert {secrets.get(one) for one in ("file:mail.key", "credential:mail", "env:MAIL_KEY")} == {VALUE}
    assert secrets.get(f"file:{tmp_path / 'mail.key'}") == VALUE


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o660])
def test_a_file_that_others_may_read_is_refused_with_what_to_do(mode: int, tmp_path: Path) -> None:
    path = private(tmp_path / "mail.key", mode=mode)
    with pytest.raises(SecretError, match=f"chmod 600 {path}") as caught:
        Secrets(tmp_path, {}).get("file:mail.key")
    assert VALUE not in str(caught.value)


@pytest.mark.parametrize("reference", [VALUE, f"pass:{VALUE}", "", "file:"])
def test_what_is_no_reference_is_not_repeated(reference: str, tmp_path: Path) -> None:
    with pytest.raises(SecretError) as caught:
        Secrets(tmp_path, {}).get(reference)
    assert VALUE not in str(caught.value)


@pytest.mark.parametrize("reference", ["credential:../site.key", "keyring:onewindow/../x/.."])
def test_a_name_cannot_leave_its_folder(reference: str, tmp_path: Path) -> None:
    private(tmp_path / "site.key")
    with pytest.raises(SecretError):
        Secrets(tmp_path / "config", {"CREDENTIALS_DIRECTORY": str(tmp_path / "credentials")}).get(reference)


def test_what_is_not_a_file_with_a_secret_is_refused(tmp_path: Path) -> None:
    private(tmp_path / "empty", "\n")
    private(tmp_path / "large", "x" * 70_000)
    (tmp_path / "folder").mkdir(mode=0o700)
    os.mkfifo(tmp_path / "pipe", 0o600)
    (tmp_path / "bytes").write_bytes(b"\xff\xfe")
    (tmp_path / "bytes").chmod(0o600)
    for name in ("empty", "large", "folder", "pipe", "bytes"):
        with pytest.raises(SecretError, match=name):
            Secrets(tmp_path, {}).get(f"file:{name}")


def test_the_site_key_is_made_once_and_only_for_its_owner(tmp_path: Path) -> None:
    state, secrets = tmp_path / "state", Secrets(tmp_path, {})
    key = site_key(state, "", secrets)
    assert len(key) == 32
    assert (state / "site.key").stat().st_mode & 0o777 == 0o600
    assert state.stat().st_mode & 0o777 == 0o700
    assert site_key(state, "", secrets) == key
    assert [path.name for path in state.iterdir()] == ["site.key"]


def test_a_lost_site_key_is_not_replaced_where_data_is_sealed_with_it(tmp_path: Path) -> None:
    with pytest.raises(SecretError, match="sealed"):
        site_key(tmp_path, "", Secrets(tmp_path, {}), may_make=False)
    assert not (tmp_path / "site.key").exists()


def test_the_site_key_comes_by_reference_where_there_is_one(tmp_path: Path) -> None:
    environ = {"KEY": base64.b64encode(b"k" * 32).decode()}
    assert site_key(tmp_path, "env:KEY", Secrets(tmp_path, environ)) == b"k" * 32
    assert not (tmp_path / "site.key").exists()


@pytest.mark.parametrize("text", ["", "short", base64.b64encode(b"k" * 31).decode(), "!" * 44])
def test_a_damaged_site_key_is_refused(text: str, tmp_path: Path) -> None:
    private(tmp_path / "site.key", text)
    with pytest.raises(SecretError, match=r"site\.key"):
        site_key(tmp_path, "", Secrets(tmp_path, {}))


def test_who_comes_second_gets_the_secret_of_the_first(tmp_path: Path) -> None:
    path = tmp_path / "bridge.seed"

    def make() -> str:
        private(path, "of the first")
        return "of the second"

    assert kept(path, make) == "of the first"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")
def test_a_file_of_somebody_else_is_named(tmp_path: Path) -> None:
    path = private(tmp_path / "mail.key", mode=0o000)
    with pytest.raises(SecretError, match=f"{path} cannot be read"):
        Secrets(tmp_path, {}).get("file:mail.key")


def test_no_keyring_is_loaded_for_other_references(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "keyring", None)
    assert Secrets(tmp_path, {"X": VALUE}).get("env:X") == VALUE
