"""Bytes to text, whatever the label says.

Law: a wrong, unknown or missing label never raises and never drops a character silently. The order is: an escape
sequence or byte order mark that says what it is, strict UTF-8, the declared charset, then a guess between the
Cyrillic and Western code pages by how the letters would read.
"""

import codecs
import re

ALIASES = {
    "ascii": "us-ascii",
    "ansi_x3.4-1968": "us-ascii",
    "646": "us-ascii",
    "iso-8859-1": "cp1252",
    "latin1": "cp1252",
    "latin-1": "cp1252",
    "iso8859-1": "cp1252",
    "iso-8859-8-i": "iso-8859-8",
    "iso-8859-9": "cp1254",
    "ks_c_5601-1987": "cp949",
    "ks_c_5601": "cp949",
    "ksc5601": "cp949",
    "euc-kr": "cp949",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "x-gbk": "gb18030",
    "shift_jis": "cp932",
    "shift-jis": "cp932",
    "x-sjis": "cp932",
    "sjis": "cp932",
    "ms_kanji": "cp932",
    "big5": "big5hkscs",
    "win-1251": "cp1251",
    "windows1251": "cp1251",
    "x-cp1251": "cp1251",
    "win1251": "cp1251",
    "cp-1251": "cp1251",
    "koi8": "koi8-r",
    "x-mac-cyrillic": "mac-cyrillic",
    "macintosh": "mac-roman",
    "x-mac-roman": "mac-roman",
    "utf8": "utf-8",
    "utf8mb4": "utf-8",
    "unicode-1-1-utf-8": "utf-8",
    "iso-2022-jp": "iso2022_jp_ext",
    "hz-gb-2312": "hz",
}
SAMPLE_BYTES = 32 * 1024
"""How much of a text is looked at to guess its charset."""
_SAYS_NOTHING = {"", "us-ascii", "unknown-8bit", "x-unknown", "unknown", "8bit", "7bit", "binary", "none", "default"}
_NEVER = {
    "unicode_escape",
    "unicode-escape",
    "raw_unicode_escape",
    "raw-unicode-escape",
    "punycode",
    "idna",
    "undefined",
}
"""Python's own codecs, which no mail is written in and which rewrite plain text."""
_ESCAPES = re.compile(rb"\x1b(\$[@B]|\([BJI]|\$\([DC]|\$\)C)")
_CJK = {"cp949", "gb18030", "cp932", "big5hkscs", "euc-jp", "euc_jp", "eucjp"}
_CJK_LETTER = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")
_BOMS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
_COMMON_CYRILLIC = frozenset("оеаинтсрвлкмдпу")


def decode(data: bytes, declared: str = "") -> tuple[str, str]:
    """The text and a warning ('' when the label was right or there was nothing to doubt)."""
    label = declared.strip().strip("\"'").lower()
    charset = ALIASES.get(label, label)
    for bom, name in _BOMS:
        if data.startswith(bom) and (charset.startswith("utf") or charset in _SAYS_NOTHING):
            return _lenient(data[len(bom) :] if name == "utf-8" else data, name), ""
    if charset in ("utf-7", "unicode-1-1-utf-7"):
        text, _ = _unlabelled(data)
        return (
            text,
            "The text is labelled UTF-7, which is not decoded because it can hide text; it is shown as it came.",
        )
    if charset in ("hz", "utf-16", "utf-16le", "utf-16be", "utf-32", "iso-2022-kr") or _ESCAPES.search(data):
        read = _strict(data, charset) if charset not in _SAYS_NOTHING else None
        read = read if read is not None else _strict(data, "iso2022_jp_ext")
        if read is not None:
            return read, ""
    if data.isascii():
        return data.decode("ascii"), ""
    return _eight_bit(data, charset, _shown(label))


def _eight_bit(data: bytes, charset: str, shown: str) -> tuple[str, str]:
    """Text of bytes above 127, with no self-describing mark."""
    utf8 = _strict(data, "utf-8")
    named = None if charset in _SAYS_NOTHING or charset == "utf-8" else _strict(data, charset)
    if utf8 is not None:
        if charset in _CJK and named is not None and not _CJK_LETTER.search(utf8):
            return named, ""
        wrong = named is None and charset not in (*_SAYS_NOTHING, "utf-8")
        return utf8, f"The character set of the text is named wrongly ({shown}); UTF-8 fits." if wrong else ""
    if charset == "utf-8":
        loose = data.decode("utf-8", "replace")
        high = sum(byte > 127 for byte in data)
        if loose.count("\ufffd") * 5 <= high:
            return loose, "Some characters of the text are damaged and are shown as \ufffd."
    if named is not None and not (charset == "cp1252" and _reads_cyrillic(data)):
        return named, ""
    text, guess = _unlabelled(data)
    return text, f"The character set of the text is missing or wrong ({shown}); it was read as {guess}."


def _unlabelled(data: bytes) -> tuple[str, str]:
    """Text and the name of the charset that was guessed."""
    utf8 = _strict(data, "utf-8")
    if utf8 is not None:
        return utf8, "UTF-8"
    if _reads_cyrillic(data):
        scores = {name: _cyrillic_score(data[:SAMPLE_BYTES].decode(name, "replace")) for name in ("cp1251", "koi8-r")}
        if scores["koi8-r"] > scores["cp1251"]:
            return data.decode("koi8-r", "replace"), "KOI8-R"
        return data.decode("cp1251", "replace"), "windows-1251"
    western = _strict(data, "cp1252")
    return (western, "windows-1252") if western is not None else (data.decode("latin-1"), "ISO-8859-1")


def _reads_cyrillic(data: bytes) -> bool:
    """Whether whole words are made of high letters, which no Western language does."""
    words = re.findall(rb"[A-Za-z\x80-\xff]+", data[:SAMPLE_BYTES])
    high_words = [word for word in words if len(word) > 1 and all(byte >= 0xA8 for byte in word)]
    mixed = [word for word in words if not word.isascii() and re.search(rb"[A-Za-z]", word)]
    return bool(high_words) and sum(map(len, high_words)) > 2 * len(mixed)


def _cyrillic_score(text: str) -> int:
    common = sum(2 for letter in text if letter in _COMMON_CYRILLIC)
    shouting = len(re.findall(r"(?<=[а-яё])[А-ЯЁ]", text))
    strange = len(re.findall(r"[^\x00-\x7fА-Яа-яЁё\s«»—–…№]", text))
    return common - 3 * shouting - strange


def _strict(data: bytes, charset: str) -> str | None:
    if charset in _NEVER:
        return None
    try:
        text = data.decode(charset)
    except (LookupError, UnicodeError, ValueError):
        return None
    return text if isinstance(text, str) and not re.search(r"[\ud800-\udfff]", text) else None


def _lenient(data: bytes, charset: str) -> str:
    return re.sub(r"[\ud800-\udfff]", "\ufffd", data.decode(charset, "replace"))


def _shown(charset: str) -> str:
    """A charset label that came from outside, short and harmless."""
    return re.sub(r"[^\w.+-]", "", charset, flags=re.ASCII)[:30] or "none given"
