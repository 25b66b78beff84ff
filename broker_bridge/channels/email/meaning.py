"""From a parsed mail to an inbound item: who said what, or news about a mail of ours.

Law: pure; every mail has exactly one meaning and none is dropped. Who somebody is comes from From; Reply-To stands in only where
From is a machine's or our own (contact forms), and is else offered among the people of an answer. A report counts as news
only if it names a Message-ID of our own shape and domain; any other report is shown as an automatic mail. Our own mail
that comes back becomes an automatic row of a lane of its own: visible, and never part of the customer's case.
"""

import re

import msgspec

from broker_bridge.channels.email import automatic, references
from broker_bridge.channels.email.mail import Address as Mailbox
from broker_bridge.channels.email.mail import Bounce, Mail, Unreadable
from broker_bridge.contract import envelopes, ids
from broker_bridge.contract.envelopes import Item, Receipt, Said
from broker_bridge.contract.words import Address, File, Words

UNKNOWN = "unknown"
MAX_TEXT_BYTES = 60_000
"""Below the 64 KiB of the contract; the rest is in the raw source."""
MAX_PEOPLE = 100
MAX_REFERENCES = 40
MAX_WARNINGS = 10
MAX_FILES = 200

_MACHINE = re.compile(
    r"(?i)^(?:no[-_.]?reply|do[-_.]?not[-_.]?reply|forms?|contact[-_.]?form|wordpress|www-data|noreply[^@]*)@"
)
_MESSAGE = re.compile(rf"[{ids.ALPHABET}]{{{ids.LENGTH}}}")

CUT = "The text is longer than shown here; all of it is in the source."
MORE_PEOPLE = "The mail names more people than are kept here; all of them are in the source."
ANSWERS_ELSEWHERE = "The sender asks for answers to another address; it is among the people of the answer."
BY_FORM = "A program sent it for this person, as a contact form does; the address is the one given for answers."
OWN_AGAIN = "This is a mail of ours that came back to us."

_REASONS = {
    "5.1.1": "There is no such mailbox.",
    "5.1.2": "The recipient's domain does not exist.",
    "5.1.3": "The address is malformed.",
    "5.1.6": "The mailbox has moved.",
    "5.1.10": "The recipient's domain takes no mail.",
    "5.2.1": "The mailbox is closed.",
    "5.2.2": "The mailbox is full.",
    "5.2.3": "The mail is too large for the recipient.",
    "5.3.4": "The mail is too large for the recipient's server.",
    "5.4.1": "The recipient's server does not answer.",
    "5.4.4": "No way to the recipient's server was found.",
    "5.4.6": "The mail went around in circles.",
    "5.4.7": "The recipient's server was not reached in time.",
    "5.7.1": "The recipient's server does not accept mail from us.",
}
_CLASSES = {
    "5.1": "The address is wrong.",
    "5.2": "The mailbox does not take the mail.",
    "5.3": "The recipient's mail system does not take the mail.",
    "5.4": "The mail could not be brought to the recipient's server.",
    "5.5": "The mail servers did not understand each other.",
    "5.6": "The recipient's server cannot handle this mail.",
    "5.7": "The recipient's server refuses the mail for its rules.",
}


class Ours(msgspec.Struct, frozen=True, kw_only=True):
    """What must be known of ourselves to understand a mail."""

    domain: str
    """Right part of our Message-IDs."""
    addresses: frozenset[str]
    """Lower case."""
    key: bytes
    """Signs reply tokens."""
    address: str
    """The first of `addresses`: stands for each of them with a tag (`support+x@`, `reply+TOKEN@`) among the people of a mail,
    so that no answer goes to ourselves and no token to others."""
    reply_at: str = ""
    """`reply@example.com`, the address that tokens are a tag of."""


def item(mail: Mail, files: tuple[File, ...], raw: str, ours: Ours) -> Item:
    """The meaning of a mail. `files`: its attachments as they were stored; `raw`: digest of its source."""
    message = _reported(mail, ours)
    if message:
        receipt = _receipt(mail, message, raw, ours)
        if receipt is not None:
            return receipt
    if _is_own(mail, ours):
        return _own_again(mail, files, raw, ours)
    return _said(mail, files, raw, ours)


def unreadable(seen: Unreadable, raw: str, size_bytes: int) -> envelopes.Unreadable:
    """The row of a mail that could not be read."""
    address = clean(seen.from_.addr)
    return envelopes.Unreadable(
        sender=Address(address=address or UNKNOWN, name=clean(seen.from_.name)),
        # Strangers without an address are not one person: each such mail is a case of its own.
        scope="" if address else seen.digest,
        reason=seen.reason,
        raw=raw,
        size_bytes=size_bytes,
        words=Words(subject=clean(seen.subject)[:1000]),
    )


def clean(text: str) -> str:
    """Text that can be written as UTF-8: stray halves of characters become question marks."""
    return text.encode("utf-8", "replace").decode("utf-8")


def bounce_reason(report: Bounce) -> str:
    """Why a mail of ours was not delivered, in plain words, without what the foreign server said: that names people."""
    status = report.status
    sentence = _REASONS.get(status) or _CLASSES.get(status.rpartition(".")[0], "The mail was not delivered.")
    many = f" This holds for {len(report.recipients)} recipients." if len(report.recipients) > 1 else ""
    return f"{sentence}{many} ({status})" if status else f"{sentence}{many}"


def _reported(mail: Mail, ours: Ours) -> str:
    """Our message that a report is about; empty if it is none of ours."""
    for report in (mail.bounce, mail.receipt):
        if report is not None and report.original_message_id:
            found = references.own_message(report.original_message_id, ours.domain)
            if found is not None and _MESSAGE.fullmatch(found):
                return found
    return ""


def _receipt(mail: Mail, message: str, raw: str, ours: Ours) -> Receipt | None:
    """The news of a report; None: it settles nothing (a delay), so that people should see it."""
    state, reason, recipient = "", "", ""
    if mail.bounce is not None:
        recipient = mail.bounce.recipient
        if mail.bounce.action in ("delivered", "relayed", "expanded"):
            state = "delivered"
        elif mail.bounce.action == "failed":
            state, reason = "failed", bounce_reason(mail.bounce)
    elif mail.receipt is not None:
        recipient = mail.receipt.recipient or mail.from_.addr
        state = {"displayed": "read", "deleted": "delivered", "dispatched": "delivered", "processed": "delivered"}.get(
            mail.receipt.disposition, ""
        )
    if not state:
        return None
    sender = Address(address=clean(recipient or mail.from_.addr) or UNKNOWN)
    words = Words(subject=clean(mail.subject)[:1000], text=_cut(mail.text)[0], mail_id=_id(mail.message_id))
    return Receipt(sender=sender, message=message, state=state, reason=reason, words=words, raw=raw)


def _is_own(mail: Mail, ours: Ours) -> bool:
    if mail.from_.addr.lower() not in ours.addresses or not mail.message_id:
        return False
    found = references.own_message(mail.message_id, ours.domain)
    return found is not None and _MESSAGE.fullmatch(found) is not None


def _own_again(mail: Mail, files: tuple[File, ...], raw: str, ours: Ours) -> Said:
    words = msgspec.structs.replace(_words(mail, files, (), ours), references=(), warnings=(OWN_AGAIN,))
    return Said(
        sender=Address(address=clean(mail.from_.addr), name=clean(mail.from_.name)),
        scope="own",
        words=words,
        source_ms=mail.date_ms,
        digest=mail.content_digest,
        automatic=mail.auto or "auto-generated",
        raw=raw,
    )


def _untagged(one: Mailbox, ours: Ours) -> Mailbox:
    local, _, domain = one.addr.lower().rpartition("@")
    bare = f"{local.partition('+')[0]}@{domain}"
    if "+" not in local or bare not in (*ours.addresses, ours.reply_at):
        return one
    return msgspec.structs.replace(one, addr=ours.address if bare == ours.reply_at else bare)


def _said(mail: Mail, files: tuple[File, ...], raw: str, ours: Ours) -> Said:
    sender, extra, warning = _sender(mail, ours)
    address = clean(sender.addr)
    words = _words(mail, files, extra, ours)
    if warning:
        words = msgspec.structs.replace(words, warnings=(warning, *words.warnings))
    named = clean(sender.name)[:300]
    is_report = mail.bounce is not None or mail.receipt is not None
    return Said(
        sender=Address(address=address or UNKNOWN, name=named),
        scope="" if address else mail.content_digest,
        words=msgspec.structs.replace(words, address=address, name=named),
        source_ms=mail.date_ms,
        digest=mail.content_digest,
        token=references.conversation(mail, ours.key) or "",
        automatic=mail.auto or ("auto-generated" if is_report else ""),
        raw=raw,
        wants_silence=not automatic.may_auto_reply(mail, ours.addresses)[0],
    )


def _sender(mail: Mail, ours: Ours) -> tuple[Mailbox, tuple[Mailbox, ...], str]:
    """Who it is from, who else is to get answers, and a sentence if these differ."""
    own = ours.addresses
    answers = tuple(one for one in mail.reply_to if one.addr and one.addr.lower() not in own)
    from_addr = mail.from_.addr.lower()
    if not answers or any(one.addr.lower() == from_addr for one in answers):
        return mail.from_, (), ""
    if not from_addr or from_addr in own or _MACHINE.match(from_addr):
        return answers[0], answers[1:], BY_FORM if from_addr else ""
    if mail.auto == "list":
        return mail.from_, (), ""
    return mail.from_, answers, ANSWERS_ELSEWHERE


def _words(mail: Mail, files: tuple[File, ...], extra_cc: tuple[Mailbox, ...], ours: Ours) -> Words:
    warnings = list(mail.warnings)
    text, is_cut = _cut(mail.text)
    quote, is_quote_cut = _cut(mail.quote)
    if is_cut or is_quote_cut:
        warnings.insert(0, CUT)
    known = {one.addr.lower() for one in (*mail.to, *mail.cc)}
    cc = (*mail.cc, *(one for one in extra_cc if one.addr.lower() not in known))
    if max(len(mail.to), len(cc)) > MAX_PEOPLE:
        warnings.insert(0, MORE_PEOPLE)
    chain = [_id(one) for one in reversed(references.thread_hints(mail))]
    return Words(
        text=text,
        quote=quote,
        subject=clean(mail.subject)[:1000],
        name=clean(mail.from_.name)[:300],
        address=clean(mail.from_.addr),
        to=_people(mail.to, ours),
        cc=_people(cc, ours),
        files=files[:MAX_FILES],
        mail_id=_id(mail.message_id),
        references=tuple(one for one in chain if one)[-MAX_REFERENCES:],
        warnings=tuple(clean(one) for one in warnings[:MAX_WARNINGS]),
    )


def _people(mailboxes: tuple[Mailbox, ...], ours: Ours) -> tuple[Address, ...]:
    named = (_untagged(one, ours) for one in mailboxes[:MAX_PEOPLE] if one.addr)
    return tuple(Address(address=clean(one.addr), name=clean(one.name)[:300]) for one in named)


def _id(value: str | None) -> str:
    return clean(value or "")[:900]


def _cut(text: str) -> tuple[str, bool]:
    data = clean(text).encode()
    return (
        (data[:MAX_TEXT_BYTES].decode("utf-8", "ignore"), True)
        if len(data) > MAX_TEXT_BYTES
        else (data.decode(), False)
    )
