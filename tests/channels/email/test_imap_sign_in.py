"""Signing in to an IMAP server: password or token, encrypted or refused, and no secret said where it should not be."""

import asyncio
import ssl
from pathlib import Path

import msgspec
import pytest

from broker_bridge.channels.email.imap import ImapLost, ImapRefused, Mailbox
from broker_bridge.channels.email.settings import Imap
from tests.channels.email.test_imap_scripted import imap, opened
from tests.servers.dovecot import self_signed
from tests.servers.imap import Script


async def refused(script: Script, secret: str = "secret", **more: object) -> str:
    with pytest.raises(ImapRefused) as caught:
        async with opened(script, secret, **more):
            pass
    return str(caught.value)


async def test_a_password_is_sent_by_the_best_way_that_the_server_offers() -> None:
    plain, login = Script(), Script(capabilities="IMAP4rev1")
    async with opened(plain, 'pä"ss'):
        assert plain.heard[:3] == ["CAPABILITY", "AUTHENTICATE PLAIN", '\0support\0pä"ss']
    async with opened(login, 'pä"ss') as mailbox:
        assert login.heard[1] == "LOGIN {} {}" and login.literals == [b"support", 'pä"ss'.encode()]
        assert not mailbox.can_idle
    assert login.heard[-1] == "LOGOUT"


async def test_a_sign_in_that_cannot_be_is_refused_before_the_password_is_said() -> None:
    script = Script(capabilities="IMAP4rev1 LOGINDISABLED")
    assert "takes no password" in await refused(script)
    assert script.heard == ["CAPABILITY", "LOGOUT"]
    assert "line break" in await refused(Script(), "two\r\nlines")


async def test_a_refused_password_is_told_without_it() -> None:
    told = await refused(Script(answers={"AUTHENTICATE": b"TAG NO [AUTHENTICATIONFAILED] hunter2\r\n"}), "hunter2")
    assert told == "The IMAP server refused the sign-in: check user and password."


async def test_a_token_signs_in_and_its_refusal_is_heard_to_the_end() -> None:
    token = {"auth": "xoauth2", "password": "", "token": "env:TOKEN"}
    script = Script()
    async with opened(script, "ya29.abc", **token):
        assert script.heard[1:3] == ["AUTHENTICATE XOAUTH2", "user=support\x01auth=Bearer ya29.abc\x01\x01"]
    expired = Script(answers={"refusal": b'{"status":"400"}'})
    assert await refused(expired, "ya29.abc", **token) == "The IMAP server refused the sign-in: check user and token."
    assert expired.heard[3:] == ["", "LOGOUT"]


@pytest.mark.parametrize(
    "fields",
    [{}, {"token": "env:T"}, {"auth": "xoauth2", "password": "env:P"}, {"password": "env:P", "token": "env:T"}],
)
def test_a_mailbox_needs_the_one_secret_of_its_way_to_sign_in(fields: dict[str, str]) -> None:
    with pytest.raises(msgspec.ValidationError, match="imap: set"):
        msgspec.convert({"host": "mail.example.com", "user": "support", **fields}, Imap)


async def test_a_connection_that_is_signed_in_already_is_refused_before_starttls() -> None:
    script = Script(greeting=b"* PREAUTH welcome\r\n")
    assert "does not let anybody sign in" in await refused(script, tls="starttls")
    assert script.heard == []


async def test_a_server_without_starttls_never_sees_the_password() -> None:
    script = Script(answers={"STARTTLS": b"TAG BAD what\r\n"})
    assert await refused(script, tls="starttls") == "The IMAP server does not offer STARTTLS."
    assert script.heard == ["STARTTLS", "LOGOUT"]


@pytest.mark.parametrize("tls", ["tls", "starttls"])
async def test_a_server_that_speaks_plainly_where_encryption_was_agreed_is_not_trusted(tls: str) -> None:
    script = Script(answers={"STARTTLS": b"TAG OK go\r\n* CAPABILITY AUTH=PLAIN\r\nW2 OK\r\nW3 OK\r\n"})
    with pytest.raises((ImapRefused, ImapLost)):
        async with opened(script, tls=tls, timeout_s=1.0):
            pass
    assert script.heard in ([], ["STARTTLS"])


async def test_words_slipped_in_before_the_encryption_are_never_heard(tmp_path: Path) -> None:
    certificate = self_signed(tmp_path)
    serving = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    serving.load_cert_chain(certificate, tmp_path / "key.pem")
    heard: list[bytes] = []

    async def client(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"* OK hello\r\n")
        heard.append(await reader.readline())
        writer.write(b"W1 OK go\r\n* CAPABILITY LOGINDISABLED SLIPPED\r\nW2 OK\r\n")
        await writer.start_tls(serving)
        for answer in (
            b"* CAPABILITY AUTH=PLAIN\r\nW2 OK\r\n",
            b"+ \r\n",
            b"W3 OK\r\n",
            b"* CAPABILITY IDLE\r\nW4 OK\r\n",
        ):
            heard.append(await reader.readline())
            writer.write(answer)
        await reader.readline()
        writer.close()

    server = await asyncio.start_server(client, "127.0.0.1", 0)
    try:
        script = Script(port=server.sockets[0].getsockname()[1])
        trusting = imap(script, tls="starttls", ca_file=str(certificate))
        mailbox = await Mailbox.open(trusting, "secret", folder="")
        assert mailbox.can_idle
        await mailbox.close()
    finally:
        server.close()
    said = [one.split()[-1] for one in heard]
    assert said == [b"STARTTLS", b"CAPABILITY", b"PLAIN", b"AHN1cHBvcnQAc2VjcmV0", b"CAPABILITY"]
