"""What a mail server's answer means for a reply: a code of `channel.FAILURES` and a sentence for the agent.

Law: pure. Every answer but 2xx is a certain no: the server says itself that it did not take the mail. No sentence holds an
address or the server's own words, which often name people.
"""

import re

from broker_bridge.channel import SendFailure

_STATUS = re.compile(r"(?<![\d.])([245]\.\d{1,3}\.\d{1,3})(?![\d.])")
_SLOW_DOWN = re.compile(r"(?i)too many|rate|throttl|slow down|quota|limit|concurren")
WAIT_S = 60.0


def status(text: str) -> str:
    """The enhanced status (RFC 3463) in an answer, as `5.1.1`; empty if it has none."""
    match = _STATUS.search(text)
    return match[1] if match else ""


def temporary(code: int, text: str) -> SendFailure:
    """A 4xx."""
    if code == 421 or status(text).startswith("4.7.") or _SLOW_DOWN.search(text):
        return SendFailure("throttled", f"The mail server asks us to slow down ({code}).", WAIT_S)
    return SendFailure("rejected_for_now", f"The mail server does not take the mail now ({code}).")


def greeting(code: int, text: str) -> SendFailure:
    """The server would not talk to us."""
    if code < 500:
        return temporary(code, text)
    return SendFailure("misconfigured", f"The mail server does not talk to us ({code}).")


def sign_in(code: int, text: str) -> SendFailure:
    if 400 <= code < 500:
        return temporary(code, text)
    return SendFailure("misconfigured", f"The mail server refused our sign-in ({code}): the operator has to check it.")


def sender(code: int, text: str) -> SendFailure:
    """Answer to MAIL FROM."""
    if code < 500:
        return temporary(code, text)
    if code == 552 or status(text) in ("5.2.3", "5.3.4"):
        return too_large(0)
    if code == 530:
        return SendFailure("misconfigured", "The mail server wants a sign-in (530): the operator has to set it up.")
    return SendFailure("misconfigured", f"The mail server does not let us send from our address ({code}).")


def recipient(code: int, text: str) -> SendFailure:
    """Answer to one RCPT TO."""
    enhanced = status(text)
    if code < 500:
        return temporary(code, text)
    if enhanced in ("5.2.3", "5.3.4"):
        return too_large(0)
    if enhanced == "5.2.2" or (code == 552 and not enhanced):
        return SendFailure("refused", f"The recipient's mailbox is full ({enhanced or code}).")
    if enhanced.startswith("5.7.") or code == 530:
        return SendFailure("not_permitted", f"We may not send to this recipient ({enhanced or code}).")
    return SendFailure("bad_address", f"There is no such mailbox ({enhanced or code}).")


def content(code: int, text: str) -> SendFailure:
    """Answer to DATA or to the content."""
    if code < 500:
        return temporary(code, text)
    if code == 552 or status(text) in ("5.2.3", "5.3.4"):
        return too_large(0)
    return SendFailure("refused", f"The mail server refused the mail's content ({status(text) or code}).")


def too_large(limit_bytes: int) -> SendFailure:
    allowed = f": it takes {limit_bytes / 2**20:.1f} MiB" if limit_bytes else ""
    return SendFailure("too_large", f"The mail is too large for the mail server{allowed}. Send the files another way.")


def recipients(failures: list[tuple[int, SendFailure]], total: int) -> SendFailure:
    """One outcome for a mail of which some recipients were refused. `failures`: (place from 0, failure); one at least.

    A permanent failure decides, since trying again cannot help it; the place says who is meant without naming anybody.
    """
    place, worst = next(((at, one) for at, one in failures if not one.retryable), failures[0])
    if total == 1:
        return worst
    which = f"Recipient {place + 1} of {total} was refused, so nothing was sent to anybody"
    return SendFailure(worst.code, f"{which}. {worst.reason}", worst.retry_after_s)
