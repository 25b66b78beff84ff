"""Any value of a contract type, for properties: strategies made from the types themselves, so that a new field is tested at once."""

import types
from typing import Any, TypeAlias, Union, get_args, get_origin

import msgspec
from hypothesis import strategies as st

Strategy: TypeAlias = st.SearchStrategy[Any]

TEXT = st.text(max_size=20)
WORD = st.sampled_from(["a", "b", "c", ""])
"""Few words, so that facts speak about the same messages."""


def any_of(kind: Any, text: st.SearchStrategy[str] = TEXT, without: tuple[type, ...] = ()) -> Strategy:
    """Values of `kind`: a Struct, a union, a tuple or a plain type. `without`: members of unions to leave out."""
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        fields = {field.name: any_of(field.type, text, without) for field in msgspec.structs.fields(kind)}
        return st.builds(kind, **fields)
    if get_origin(kind) in (Union, types.UnionType):
        members: list[Strategy] = [any_of(one, text, without) for one in get_args(kind) if one not in without]
        return st.one_of(members)
    if get_origin(kind) is tuple:
        return _tuples(get_args(kind), text, without)
    return _plain(kind, text)


def _tuples(members: tuple[Any, ...], text: st.SearchStrategy[str], without: tuple[type, ...]) -> Strategy:
    if members[-1] is Ellipsis:
        return st.lists(any_of(members[0], text, without), max_size=3).map(tuple)
    return st.tuples(*(any_of(one, text, without) for one in members))


def _plain(kind: Any, text: st.SearchStrategy[str]) -> Strategy:
    plain: dict[Any, Strategy] = {
        str: text,
        int: st.integers(min_value=-(2**63), max_value=2**63 - 1),
        bool: st.booleans(),
        float: st.floats(allow_nan=False, allow_infinity=False),
        bytes: st.binary(max_size=20),
        type(None): st.none(),
    }
    return plain[kind]


def structs_of(*modules: types.ModuleType) -> list[type[msgspec.Struct]]:
    """Every Struct that these modules define."""
    return [
        one
        for module in modules
        for one in vars(module).values()
        if isinstance(one, type) and issubclass(one, msgspec.Struct) and one.__module__ == module.__name__
    ]
