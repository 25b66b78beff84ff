"""Is this mail a machine's, and may a machine answer it? RFC 3834, and what servers do that never read it.

Law: in doubt a machine does not answer. An answer to a list, a bounce, a receipt or another machine makes a loop; one
such loop sent 8,000 mails overnight.
"""

import re
from collections.abc import Callable

from broker_bridge.channels.email import bounces, headers
from broker_bridge.channels.email.mail import Auto, Mail

LOOP_HEADER = "X-Loop"
"""Our own mails carry it; a mail that comes back with it is never answered by a machine."""

_NO_REPLY = re.compile(
    r"(?i)^(?:no[-_.]?reply|do[-_.]?not[-_.]?reply|donotreply|noreply.*|bounces?(?:[-+].*)?|owner-.*|.*-(?:request|owner|bounces?)|"
    r"mailer-daemon|postmaster|majordomo|listserv|nobody|root|auto[-_.]?reply|autoresponder)@"
)


def classify(get: Callable[[str], tuple[str, ...]], sender: str, subject: str, return_path: str | None) -> Auto:
    """How a mail was made, by its header. `get` gives all raw values of a header."""
    submitted = _word(get("Auto-Submitted"))
    precedence = _word(get("Precedence")) or _word(get("X-Precedence"))
    if submitted == "auto-replied" or precedence in ("auto_reply", "auto-reply") or _has_reply_mark(get):
        return "auto-replied"
    if bounces.is_absence(subject):
        return "auto-replied"
    if submitted and submitted != "no":
        return "auto-generated"
    if any(get(name) for name in ("List-Id", "List-Post", "Mailing-List", "X-Mailing-List")) or precedence == "list":
        return "list"
    if precedence in ("bulk", "junk") or any(
        get(name) for name in ("List-Unsubscribe", "Feedback-ID", "X-Campaign-Id")
    ):
        return "bulk"
    if return_path == "" or bounces.is_daemon(sender) or any(get("X-Failed-Recipients")):
        return "auto-generated"
    return ""


def asks_for_silence(get: Callable[[str], tuple[str, ...]]) -> bool:
    """Whether the header asks that no machine answers, or carries a loop mark."""
    suppressed = _word(get("X-Auto-Response-Suppress"))
    return bool(suppressed and suppressed != "none") or any(get(LOOP_HEADER))


def may_auto_reply(mail: Mail, own_addresses: frozenset[str] = frozenset()) -> tuple[bool, str]:
    """Whether an automatic answer may go out, and the reason in a full sentence.

    `own_addresses`: every address that we receive at, in lower case. The caller keeps the rate per address.
    """
    to = (next((one.addr for one in mail.reply_to if one.addr), "") or mail.from_.addr).lower()
    for is_so, reason in (
        (mail.bounce is not None, "It is a delivery report."),
        (mail.receipt is not None, "It is a read receipt."),
        (mail.auto == "auto-replied", "It is itself an automatic answer."),
        (mail.auto == "auto-generated", "A program sent it."),
        (mail.auto == "list", "It came over a mailing list."),
        (mail.auto == "bulk", "It is a bulk mail."),
        (mail.suppress, "Its sender asks for no automatic answer, or our own loop mark is on it."),
        (mail.return_path == "", "It has no return address."),
        (not to, "No address to answer to could be read."),
        (bool(_NO_REPLY.match(to) or _NO_REPLY.match(mail.from_.addr)), "Its address takes no answers."),
        (to in own_addresses or mail.from_.addr.lower() in own_addresses, "It was sent from one of our own addresses."),
    ):
        if is_so:
            return False, reason
    return True, "A person seems to have sent it."


def is_bounce(mail: Mail) -> bool:
    """Whether a mail reports that a delivery failed or is late (a success report is no bounce)."""
    return mail.bounce is not None and mail.bounce.action not in ("delivered", "relayed", "expanded")


def _has_reply_mark(get: Callable[[str], tuple[str, ...]]) -> bool:
    marks = ("X-Autoreply", "X-Autorespond", "X-Autoresponder", "X-Auto-Reply", "X-Mail-Autoreply", "X-Vacation")
    return (
        any(_word(get(name)) not in ("", "no", "false") for name in marks)
        or "autoresponder" in " ".join(get("X-POST-MessageClass")).lower()
    )


def _word(values: tuple[str, ...]) -> str:
    """The first value up to a space, parameter or comment, in lower case."""
    return re.split(r"[\s;,(]", headers.unfold(values[0]).lower())[0] if values else ""
