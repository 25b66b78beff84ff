"""HTML mail to plain text: nothing is fetched, nothing hidden is shown, quotes are marked as `>` lines.

Law: a link shows where it leads (`text <url>`), so that the text cannot lie about it. Quoted parts (blockquote, the
Outlook-for-Mac and Yahoo wrappers) become `> ` lines, so that `quotes.fold` works on them as on plain text.
"""

import re
from html import unescape
from typing import Any

import lxml.etree
import lxml.html
from inscriptis import Inscriptis
from inscriptis.css_profiles import CSS_PROFILES
from inscriptis.model.config import ParserConfig

from broker_bridge.channels.email import headers

MAX_CHARS = 2 * 1024 * 1024
"""Longer HTML is cut here; the caller keeps the whole as an attachment (56 kB took 0.17 s)."""
MAX_ELEMENTS = 50_000
"""With more, only the tags are taken off: laying out 400,000 list items took 9 s."""
MAX_ROWS, MAX_COLUMNS = 1000, 20
"""A larger table is not laid out in columns."""
MAX_DEPTH = 120
"""Deeper elements are flattened, so that no hostile nesting costs a stack."""
PARSER_DEPTH = 2000
"""libxml2 drops, without an error, what lies deeper than 2,048 elements (tried with lxml 6.1)."""
RULE = "_" * 20
"""How a horizontal rule is written, as Outlook does in plain text."""

_OPEN, _CLOSE = "\ufdd0", "\ufdd1"
"""Noncharacters that mark where a quote begins and ends while the text is laid out; removed from the input first."""
_DROPPED = (
    "script",
    "style",
    "head",
    "title",
    "meta",
    "link",
    "object",
    "embed",
    "iframe",
    "noscript",
    "svg",
    "template",
)
_HIDDEN = re.compile(
    r"display\s*:\s*none|visibility\s*:\s*hidden|mso-hide\s*:\s*all|font-size\s*:\s*0(?![.\d])|max-height\s*:\s*0(?![.\d])",
    re.IGNORECASE,
)
_PLAIN_INDENT = re.compile(r"border\s*:\s*(none|0)", re.IGNORECASE)
_TABLE_TAGS = ("table", "thead", "tbody", "tfoot", "tr", "td", "th", "colgroup", "col", "caption")
_CONFIG = ParserConfig(css=CSS_PROFILES["strict"].copy(), display_links=False, display_images=False)


def to_text(html: str) -> str:
    """Plain text of an HTML document or fragment of any quality."""
    source = html[:MAX_CHARS].replace("\0", "").replace(_OPEN, "").replace(_CLOSE, "")
    source = re.sub(r"^\s*<\?xml[^>]*\?>", "", source)
    source = re.sub(r"<!\[(?:if|endif)[^\]<>]{0,300}\]>", "", source)
    source = re.sub(r"[\x01-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]", "", source)
    if not source.strip():
        return ""
    try:
        root = lxml.html.document_fromstring(source, parser=lxml.html.HTMLParser(huge_tree=True))
        _prepare(root)
        laid_out = Inscriptis(root, _CONFIG).get_text()
    except (lxml.etree.LxmlError, ValueError, AttributeError, IndexError, TypeError, KeyError, RecursionError):
        laid_out = tags_stripped(source)
    return _tidy(str(laid_out))


def tags_stripped(html: str) -> str:
    """The words of HTML that no parser could take: tags become line breaks."""
    kept: list[str] = []
    hidden_by = ""
    for at, piece in enumerate(re.split(r"(?i)<(/?(?:script|style))\b[^<>]{0,2000}>", html)):
        if at % 2 == 0:
            kept.append("" if hidden_by else piece)
        elif not hidden_by and not piece.startswith("/"):
            hidden_by = piece.lower()
        elif piece.lower() == f"/{hidden_by}":
            hidden_by = ""
    return unescape(re.sub(r"<[^<>]{0,2000}>", "\n", "\n".join(kept)))


def _prepare(root: Any) -> None:
    """Drop what is not seen, mark quotes, write out links, dissolve layout tables."""
    nodes = list(root.iter())
    if len(nodes) > MAX_ELEMENTS:
        raise ValueError("too many elements")
    for node in [one for one in nodes if not isinstance(one.tag, str)]:
        _drop(node)
    for node in list(root.iter(*_DROPPED)):
        _drop(node)
    for node in [one for one in root.iter() if one is not root and _is_hidden(one)]:
        _drop(node)
    _flatten(root)
    quotes = [one for one in root.iter() if isinstance(one.tag, str) and _is_quote(one)]
    for node in root.iter():
        node.attrib.pop("style", None)  # a margin of 99999em would be that many spaces
    for node in list(root.iter("img")):
        _replace_with_text(node, _alt(node))
    for node in list(root.iter("hr")):
        node.tag, node.text = "div", RULE
    for node in list(root.iter("a")):
        _write_link(node)
    for node in quotes:
        _mark(node)
    for table in list(root.iter("table")):
        if _is_layout(table):
            _dissolve(table)


def _drop(node: Any) -> None:
    if node.getparent() is not None:
        node.drop_tree()


def _is_hidden(node: Any) -> bool:
    if node.tag in ("body", "html"):
        return False
    return node.get("hidden") is not None or bool(_HIDDEN.search(node.get("style") or ""))


def _alt(node: Any) -> str:
    """The words of a picture, unless it is a tracking pixel or an ornament."""
    alt = headers.one_line(node.get("alt") or "")
    tiny = any((node.get(side) or "").strip() in ("0", "1", "0px", "1px") for side in ("width", "height"))
    return f"[{alt}]" if alt and not tiny else ""


def _replace_with_text(node: Any, text: str) -> None:
    if node.getparent() is None:
        return
    node.tail = text + (node.tail or "")
    node.drop_tree()


def _write_link(node: Any) -> None:
    """`text <url>` for links that lead somewhere the text does not say."""
    target = headers.one_line(node.get("href") or "").replace(" ", "%20").replace(_OPEN, "").replace(_CLOSE, "")
    scheme, _, rest = target.partition(":")
    if scheme.lower() not in ("http", "https", "mailto", "tel", "ftp") or not rest:
        return
    shown = headers.one_line(node.text_content())
    bare = rest.partition("?")[0] if scheme.lower() in ("mailto", "tel") else target
    said = bare.rstrip("/").lower() in shown.lower()
    if said or bare.partition("://")[2].rstrip("/").lower() == shown.rstrip("/").lower() != "":
        return
    ending = f" <{bare}>" if shown else f"<{bare}>"
    if len(node):
        node[-1].tail = (node[-1].tail or "") + ending
    else:
        node.text = (node.text or "") + ending


def _is_quote(node: Any) -> bool:
    classes = (node.get("class") or "").split()
    if node.tag == "blockquote":
        return "gmail_quote" in classes or not _PLAIN_INDENT.search(node.get("style") or "")
    if node.get("id") == "OLK_SRC_BODY_SECTION" or "yahoo_quoted" in classes:
        return True
    whole = "gmail_quote" in classes and next(node.iter("blockquote"), None) is None
    return whole and "orwarded" not in node.text_content()[:200]


def _mark(node: Any) -> None:
    """Put the two marks on lines of their own, inside the node, first and last."""
    before, after = (lxml.html.Element("div") for _ in range(2))
    before.text, after.text = _OPEN, _CLOSE
    before.tail, node.text = node.text, None
    node.insert(0, before)
    node.append(after)
    if node.tag == "blockquote":
        node.tag = "div"


def _is_layout(table: Any) -> bool:
    """A table that only places things: nested, of one column, or with whole paragraphs or quotes in its cells."""
    if next(table.iterdescendants("table"), None) is not None:
        return True
    cells = [[one for one in row if one.tag in ("td", "th")] for row in table.iter("tr")]
    if len(cells) > MAX_ROWS or max(map(len, cells), default=0) > MAX_COLUMNS:
        return True
    if all(len([one for one in row if one.text_content().strip()]) <= 1 for row in cells):
        return True
    return any(len(text := one.text_content()) > 200 or _OPEN in text for row in cells for one in row)


def _dissolve(table: Any) -> None:
    for node in list(table.iter(*_TABLE_TAGS)):
        node.tag = "div"
        for name in ("width", "height", "align", "valign"):
            node.attrib.pop(name, None)


def _flatten(root: Any) -> None:
    """No element deeper than MAX_DEPTH: those below lose their tag and keep their text.

    Raises:
        ValueError: so deep that the parser itself may have stopped reading.
    """
    level, too_deep, depth = [root], [], 0
    while level:
        depth += 1
        if depth == MAX_DEPTH:
            too_deep = level
        level = [child for node in level for child in node]
    if depth >= PARSER_DEPTH:
        raise ValueError("elements are nested too deeply")
    for node in too_deep:
        _replace_with_text(node, "\n" + "\n".join(node.itertext()) + "\n")


def _tidy(text: str) -> str:
    """Marks become `> ` prefixes; trailing spaces and runs of empty lines go."""
    depth = 0
    out: list[str] = []
    for line in text.replace("\xa0", " ").split("\n"):
        for piece in re.split(f"([{_OPEN}{_CLOSE}])", line):
            if piece == _OPEN:
                depth += 1
            elif piece == _CLOSE:
                depth = max(0, depth - 1)
            elif piece.strip() or (piece == line and not piece.strip()):
                out.append(_prefixed(piece.rstrip(), depth))
    joined = re.sub(r"\n(?:(?:> ?)*\n){2,}", "\n\n", "\n".join(out) + "\n")
    return joined.strip("\n")


def _prefixed(line: str, depth: int) -> str:
    return ("> " * depth + line).rstrip() if depth else line
