"""Delivery reports (RFC 3464), disposition notifications (RFC 8098) and the bounces of older servers.

Law: a report is evidence about one of our messages, found by its Message-ID; it is never read as a customer's words.
"""

import re
from collections.abc import Sequence

from broker_bridge.channels.email import addresses, headers, words
from broker_bridge.channels.email.mail import Address, Bounce, Receipt

MAX_REPORT_BYTES = 256 * 1024
"""Nobody's report is longer; the whole of it is attached to the mail anyway."""

_STATUS = re.compile(r"(?<![\d.])([245]\.\d{1,3}\.\d{1,3})(?![\d.])")
_DAEMON = re.compile(r"(?i)^(?:mailer-daemon|postmaster|mail-daemon|mdaemon)(?:@|$)")
_SUBJECT = re.compile(
    r"(?i)^(?:undeliver|returned mail|delivery (?:status notification|failure|failed|has failed)|mail delivery (?:failed|system)|"
    r"failure notice|mail (?:system error|could not be delivered)|message (?:undeliverable|delivery delayed)|"
    r"warning: (?:message|could not)|"
    r"unzustellbar|nicht zustellbar|недоставлен|не удается доставить|не доставлено|сообщение не доставлено|olevererbar|"
    r"kunde inte levereras|kan ikke leveres|ikke levert|toimittamaton|non remis|no se puede entregar)"
)
_SEVERITY = {"failed": 0, "delayed": 1, "expanded": 2, "relayed": 3, "delivered": 4}
_FIELD = re.compile(r"(?m)^([A-Za-z][A-Za-z0-9-]{1,60}):[ \t]*(.*(?:\n[ \t]+.*)*)")
_MENTIONED_ID = re.compile(r"(?im)^[ \t>]*message-id:\s*(<[^<>\s]{1,900}>)")


def fields(block: bytes) -> list[dict[str, str]]:
    """The groups of `Name: value` lines of a report, names in lower case."""
    text = block[:MAX_REPORT_BYTES].decode("utf-8", "surrogateescape").replace("\r\n", "\n").replace("\r", "\n")
    groups = [
        {match[1].lower(): headers.text(match[2]) for match in _FIELD.finditer(group)}
        for group in re.split(r"\n[ \t]*\n", text)
    ]
    return [group for group in groups if group]


def bounce(reports: Sequence[tuple[str, bytes]], returned: Sequence[bytes]) -> Bounce | None:
    """What a delivery report says; None when there is none or no group of it names an outcome."""
    groups = [group for kind, data in reports if "delivery-status" in kind for group in fields(data)]
    if not any("delivery-status" in kind for kind, _ in reports):
        return None
    outcomes = [group for group in groups if "action" in group or "status" in group]
    worst = min(outcomes, key=_severity, default={})
    action = _action(worst)
    return Bounce(
        original_message_id=original_id(returned),
        recipient=_recipient(worst),
        action=action,
        status=_status(worst.get("status", "")) or _status(worst.get("diagnostic-code", "")),
        diagnostic=worst.get("diagnostic-code", "").partition(";")[2].strip() or worst.get("diagnostic-code", ""),
        recipients=tuple(
            dict.fromkeys(one for group in outcomes if _action(group) == action and (one := _recipient(group)))
        ),
    )


def receipt(reports: Sequence[tuple[str, bytes]], returned: Sequence[bytes]) -> Receipt | None:
    """What a disposition notification says, if this is one."""
    for kind, data in reports:
        if kind != "message/disposition-notification":
            continue
        merged = {name: value for group in reversed(fields(data)) for name, value in group.items()}
        named = headers.message_ids(merged.get("original-message-id", ""))
        disposition = re.split(r"[/,]", merged.get("disposition", "").rpartition(";")[2].strip().lower())[0]
        return Receipt(
            original_message_id=named[0] if named else original_id(returned),
            recipient=_recipient(merged),
            disposition=disposition,
        )
    return None


def older(from_: Address, subject: str, return_path: str | None, body: str, failed: Sequence[str]) -> Bounce | None:
    """A bounce without a report: a mailer daemon's text, read by what such texts have in common."""
    body = body[:MAX_REPORT_BYTES]
    is_daemon = bool(_DAEMON.match(from_.addr)) or (return_path == "" and not from_.addr)
    says_so = bool(_SUBJECT.match(subject)) or "This is the qmail-send program" in body
    if not failed and not (is_daemon and says_so) and not (return_path == "" and says_so):
        return None
    status = _status(body)
    known = [one for raw in failed for one in addresses.mailboxes(raw)]
    named = [one.addr for one in known if one.addr] or [
        found for found in map(addresses.spec, re.findall(r"<([^<>\s]{3,320})>", body)) if found
    ]
    ids = _MENTIONED_ID.findall(body)
    delayed = status.startswith("4") or bool(re.match(r"(?i)warning|.*delayed", subject))
    return Bounce(
        original_message_id=headers.message_ids(ids[-1])[0] if ids else None,
        recipient=named[0] if named else "",
        action="delayed" if delayed else "failed",
        status=status,
        recipients=tuple(dict.fromkeys(named[:50])) if known else tuple(named[:1]),
    )


def is_daemon(addr: str) -> bool:
    """Whether a mail server speaks from this address."""
    return bool(_DAEMON.match(addr))


def is_absence(subject: str) -> bool:
    """Whether a subject is the one that mail programs give to automatic answers."""
    return bool(words.OUT_OF_OFFICE.match(subject))


def original_id(returned: Sequence[bytes]) -> str | None:
    """The Message-ID of the mail that a report gives back."""
    for data in returned:
        head = re.split(rb"\r?\n[ \t]*\r?\n", data.lstrip(b"\r\n")[:MAX_REPORT_BYTES], maxsplit=1)[0]
        match = re.search(rb"(?im)^message-id:[ \t]*((?:.*(?:\n[ \t]+.*)*))", head)
        if match:
            ids = headers.message_ids(match[1].decode("utf-8", "surrogateescape"))
            if ids:
                return ids[0]
    return None


def _severity(group: dict[str, str]) -> int:
    return _SEVERITY.get(_action(group), 5)


def _action(group: dict[str, str]) -> str:
    """The action, also where a server left it out but gave a status."""
    named = re.match(r"[a-z]*", group.get("action", "").strip().lower())
    action = named[0] if named else ""
    if action in _SEVERITY:
        return action
    return {"5": "failed", "4": "delayed", "2": "delivered"}.get(_status(group.get("status", ""))[:1], "")


def _status(text: str) -> str:
    match = _STATUS.search(text)
    return match[1] if match else ""


def _recipient(group: dict[str, str]) -> str:
    for name in ("final-recipient", "original-recipient", "x-actual-recipient"):
        typed = group.get(name, "")
        found = addresses.mailboxes(typed.partition(";")[2] or typed)
        if found and found[0].addr:
            return found[0].addr
    return ""
