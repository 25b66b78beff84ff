"""Mailbox lists (From, To, Cc, Reply-To, Delivered-To) read by their syntax alone.

Law: an address comes only from the place where the syntax puts one. A display name or an encoded word that looks like
an address is display text, whatever it says when decoded.
"""

import re

from broker_bridge.channels.email import headers
from broker_bridge.channels.email.mail import Address

MAX_ADDRESSES = 1000

_ATOMS = r"[^\s@<>()\[\],;:\"\\\x00-\x1f\x7f]"
_SPEC = re.compile(rf"((?:{_ATOMS}+)|\"(?:[^\"\\\r\n]|\\.)*\")@({_ATOMS}+|\[[0-9A-Fa-fIPv.:]+\])")
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"?|<[^<>]*>?|[,;]|[^",;<]+|.', re.DOTALL)


def mailboxes(value: str) -> tuple[Address, ...]:
    """Every mailbox of a header value; groups are dissolved. `addr` is '' where there was text but no address."""
    found: list[Address] = []
    for chunk in _chunks(headers.unfold(value)):
        loose = [spec(word) for word in chunk.split()]
        if len(loose) > 1 and all(loose):
            found += [Address(addr=addr) for addr in loose]
            continue
        one = _mailbox(chunk)
        if one is not None and (one.addr or one.name):
            found.append(one)
        if len(found) >= MAX_ADDRESSES:
            break
    return tuple(found[:MAX_ADDRESSES])


def spec(value: str) -> str:
    """`local@domain` with the domain in lower case, or '' when the whole value is not exactly one address."""
    bare = re.sub(r"\s*([@.])\s*", r"\1", value.strip()).rstrip(".")
    if not bare.isascii():
        try:
            bare = headers.raw_bytes(bare).decode("utf-8")
        except UnicodeDecodeError:
            return ""
    match = _SPEC.fullmatch(bare)
    if match is None or len(bare) > 320 or "=?" in match[1] or "=?" in match[2] or ".." in match[2]:
        return ""
    return f"{match[1]}@{match[2].lower()}"


def _chunks(value: str) -> list[str]:
    """The value cut at commas and semicolons outside quotes, comments and angle brackets; group names dropped."""
    flat, comments = _without_comments(value)
    chunks, current = [], ""
    for token in _TOKEN.findall(flat):
        if token in (",", ";"):
            chunks.append(current)
            current = ""
        elif token[0] not in '"<' and ":" in token and "@" not in token.partition(":")[0]:
            current = token.partition(":")[2]
        else:
            current += token
    chunks.append(current)
    if comments and len([chunk for chunk in chunks if chunk.strip()]) == 1:
        return [f"{chunk}\0{comments}" for chunk in chunks if chunk.strip()]
    return chunks


def _without_comments(value: str) -> tuple[str, str]:
    """The value without (comments), and their text: in the old form `addr (Name)` it is the name."""
    out: list[str] = []
    comment: list[str] = []
    depth, quoted, skip = 0, False, False
    for letter in value:
        target = comment if depth else out
        if skip:
            skip = False
        elif letter == "\\":
            skip = True
        elif letter == '"' and not depth:
            quoted = not quoted
        elif letter == "(" and not quoted:
            depth += 1
            if depth == 1:
                continue
        elif letter == ")" and depth and not quoted:
            depth -= 1
            if not depth:
                comment.append(" ")
                continue
        target.append(letter)
    if depth:
        return value.replace("(", " ").replace(")", " "), ""
    return "".join(out), "".join(comment).strip()


def _mailbox(chunk: str) -> Address | None:
    chunk, _, comment = chunk.partition("\0")
    if not chunk.strip():
        return None
    opening = chunk.rfind("<")
    if opening >= 0:
        inside, _, after = chunk[opening + 1 :].partition(">")
        route = inside.rpartition(":")[2] if inside.lstrip().startswith("@") else inside
        name = _display(chunk[:opening] + " " + after)
        return Address(name=name or _display(comment), addr=spec(route))
    bare = spec(chunk)
    if bare:
        return Address(name=_display(comment), addr=bare)
    *before, last = chunk.split()
    if before and spec(last) and "=?" not in chunk and '"' not in last:
        return Address(name=_display(" ".join(before)), addr=spec(last))
    return Address(name=_display(chunk))


def _display(value: str) -> str:
    """Display text: quotes and escapes off, encoded words decoded."""
    bare = re.sub(r'"((?:[^"\\]|\\.)*)"?', lambda match: re.sub(r"\\(.)", r"\1", match[1]), value.strip())
    return headers.text(bare)[:300]
