"""A TOML table into a Struct, strictly; what is wrong is said by file, place and key, with the key that was probably meant.

Law: a key that nobody reads is an error, for a misspelled setting is silently the default. Values never stand in a message: some
of them are secrets put in the wrong place.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec
from msgspec import inspect

T = TypeVar("T")

_UNKNOWN = re.compile(r"Object contains unknown field `(?P<key>.*)`\Z", re.DOTALL)
_MISSING = re.compile(r"Object missing required field `(?P<key>[^`]*)`\Z")
_STEP = re.compile(r"\.(?P<name>[^.\[\]]+)|\[(?P<index>\d+|\.\.\.)\]")


class ConfigError(Exception):
    """A sentence for the operator: file, place, key, and what to do."""


def decode(table: Mapping[str, Any], into: type[T], file: str, place: str = "") -> T:
    """`table` as an `into`.

    Args:
        file: how messages name the file.
        place: what `table` is within the file, as `channel support-mail: settings`; empty for the whole.

    Raises:
        ConfigError: an unknown key, a missing one, or a value of the wrong kind.
    """
    known = _keys(into, "")
    for key in table:
        # Also for a Struct that would let unknown keys pass.
        if known and key not in known:
            raise ConfigError(f"{file}: {_joined(place, key)}: there is no such setting{nearest(key, known)}")
    try:
        return msgspec.convert(table, into, strict=True)
    except msgspec.ValidationError as error:
        raise ConfigError(f"{file}: {_in_words(str(error), table, into, place)}") from None


def nearest(word: str, known: list[str]) -> str:
    """`; did you mean x?`, else the words there are."""
    close = difflib.get_close_matches(word, known, n=1, cutoff=0.6)
    if close:
        return f"; did you mean {close[0]!r}?"
    return f"; known here: {', '.join(sorted(known))}" if known else ""


def _in_words(error: str, table: Mapping[str, Any], into: type, place: str) -> str:
    text, _, path = error.partition(" - at `$")
    path = path.removesuffix("`")
    where = _named(path, table, place)
    if match := _UNKNOWN.match(text):
        return f"{_joined(where, match['key'])}: there is no such setting{nearest(match['key'], _keys(into, path))}"
    if match := _MISSING.match(text):
        return f"{_joined(where, match['key'])}: this setting is required"
    if text.startswith("Invalid enum value"):
        text = f"use one of {', '.join(_choices(into, path))}"
    text = text.replace(" | object`", " or a table`").replace(" | array`", " or a list`")
    text = text.replace("Expected `object`", "expected a table").replace("Expected `array`", "expected a list")
    text = text.replace("Expected `", "expected `", 1).replace("`", "")
    return f"{where or place or 'the file'}: {text[:1].lower()}{text[1:]}"


def _joined(where: str, key: str) -> str:
    if not where:
        return key
    return f"{where}: {key}" if re.search(r" [^ .]+\Z", where) else f"{where}.{key}"


def _named(path: str, table: Mapping[str, Any], place: str) -> str:
    """`.channel[1].queue` as people find it: `channel support-mail: queue`."""
    words: str = place
    at: Any = table
    for step in _STEP.finditer(path):
        if step["name"] is not None:
            at = at.get(step["name"]) if isinstance(at, Mapping) else None
            words = _joined(words, step["name"]) if words else step["name"]
            continue
        item = at[int(step["index"])] if isinstance(at, list) and step["index"] != "..." else None
        name = (item.get("name") or item.get("id")) if isinstance(item, Mapping) else None
        words += f" {name}" if isinstance(name, str) and name else f" number {_ordinal(step['index'])}"
        at = item
    return words


def _ordinal(index: str) -> str:
    return "?" if index == "..." else str(int(index) + 1)


def _keys(into: type, path: str) -> list[str]:
    """The settings that the Struct at `path` knows."""
    struct = _struct(_type_at(into, path))
    return [field.encode_name for field in struct.fields] if struct else []


def _choices(into: type, path: str) -> list[str]:
    """The words that may stand at `path`."""
    found = _type_at(into, path)
    return [str(value) for value in found.values] if isinstance(found, inspect.LiteralType) else []


def _type_at(into: type, path: str) -> inspect.Type | None:
    found: inspect.Type | None = inspect.type_info(into)
    for step in _STEP.finditer(path):
        found = _below(found, step["name"])
    return found


def _below(found: inspect.Type | None, name: str | None) -> inspect.Type | None:
    if name is not None:
        struct = _struct(found)
        fields = struct.fields if struct else ()
        return next((field.type for field in fields if field.encode_name == name), None)
    if isinstance(found, inspect.ListType | inspect.VarTupleType):
        return found.item_type
    return found.value_type if isinstance(found, inspect.DictType) else None


def _struct(found: inspect.Type | None) -> inspect.StructType | None:
    if isinstance(found, inspect.UnionType):
        return next((one for one in found.types if isinstance(one, inspect.StructType)), None)
    return found if isinstance(found, inspect.StructType) else None
