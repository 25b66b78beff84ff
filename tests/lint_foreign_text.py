"""The lint of foreign text: what a customer wrote never reaches a widget as a plain string.

Textual takes any string as markup, and no widget filters control sequences. So in the files that draw, the text given
to a surface (`Static`, `Label`, `.update`, `.notify`, `from_markup` ...) must be one of

- the program's own words: a literal, an UPPER_CASE constant, a choice between such;
- a call that builds `Content` or `Text`: any call except one known to return a plain `str` (see `STRING_MAKERS`, and
  every function of agent_tui whose definitions are all annotated `-> str`);
- a name bound in the same function to one of these, or a parameter whose annotation names no string;
- a string in which every part went through `clean` or `clean_line`, given together with `markup=False`.

Everything else is refused, `markup=False` alone too: it stops markup, not control sequences. A line that is right and
cannot show it carries `# own words: <why>`. For a dict or set write `|=` instead of `.update(name)`. Not seen:
subclasses of the surfaces, and what went into a `Content`: the panes' tests with hostile text are there for these.
"""

import ast
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

CONSTRUCTORS = {"Static", "Label", "Button", "Checkbox", "RadioButton", "Option", "Markdown"}
METHODS = {"update", "notify", "from_markup"}
SURFACES = CONSTRUCTORS | METHODS
TEXT_KEYWORDS = {"content", "message", "markup", "label", "prompt", "renderable", "title"}
CLEANERS = {"clean", "clean_line"}
STRING_MAKERS = CLEANERS | {
    *("str", "repr", "ascii", "format", "join", "strip", "lstrip", "rstrip", "removeprefix", "removesuffix", "replace"),
    *(
        "upper",
        "lower",
        "title",
        "capitalize",
        "casefold",
        "ljust",
        "rjust",
        "center",
        "expandtabs",
        "translate",
        "decode",
    ),
}
HATCH = "# own words: "


class Finding(NamedTuple):
    path: str
    line: int
    surface: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.surface} takes a string that may be foreign: build Content from clean()"


class _Bindings(NamedTuple):
    """What one function binds: a value, an annotation, or None for what cannot be followed (loops, unpacking)."""

    values: Mapping[str, list[ast.expr | None]]
    annotations: Mapping[str, ast.expr | None]


def findings(path: str, source: str, returns_str: frozenset[str] = frozenset()) -> list[Finding]:
    """The refused calls of one file, in order of lines."""
    lines = source.splitlines()
    found = []
    for call, scope in _calls(ast.parse(source), _Bindings({}, {})):
        surface = _last_name(call.func)
        hatched = any(HATCH in line for line in lines[call.lineno - 1 : call.end_lineno])
        if surface in SURFACES and not hatched and not _is_safe_call(call, surface, scope, returns_str):
            found.append(Finding(path, call.lineno, surface))
    return sorted(found)


def functions_returning_str(sources: Iterable[str]) -> frozenset[str]:
    """Names of functions of which every definition in `sources` is annotated `-> str`."""
    returns: dict[str, set[bool]] = {}
    for source in sources:
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                is_str = isinstance(node.returns, ast.Name) and node.returns.id == "str"
                returns.setdefault(node.name, set()).add(is_str)
    return frozenset(name for name, kinds in returns.items() if kinds == {True})


def drawing_files(package: Path) -> list[Path]:
    """The files of agent_tui that draw."""
    folders = [path for name in ("panes", "screens") for path in (package / name).rglob("*.py")]
    return sorted([*folders, *(path for name in ("app.py", "palette.py") if (path := package / name).exists())])


def _calls(node: ast.AST, scope: _Bindings) -> Iterator[tuple[ast.Call, _Bindings]]:
    for child in ast.iter_child_nodes(node):
        inner = _bindings(child) if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef) else scope
        if isinstance(child, ast.Call):
            yield child, inner
        yield from _calls(child, inner)


def _bindings(function: ast.FunctionDef | ast.AsyncFunctionDef) -> _Bindings:
    values: dict[str, list[ast.expr | None]] = {}
    followed: set[int] = set()
    for node in ast.walk(function):
        target, value = None, None
        if isinstance(node, ast.Assign) and len(node.targets) == 1:
            target, value = node.targets[0], node.value
        elif isinstance(node, ast.AnnAssign | ast.NamedExpr):
            target, value = node.target, node.value
        if isinstance(target, ast.Name) and value is not None:
            values.setdefault(target.id, []).append(value)
            followed.add(id(target))
    for node in ast.walk(function):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store) and id(node) not in followed:
            values.setdefault(node.id, []).append(None)
    arguments = [*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs]
    return _Bindings(values, {argument.arg: argument.annotation for argument in arguments})


def _is_safe_call(call: ast.Call, surface: str, scope: _Bindings, returns_str: frozenset[str]) -> bool:
    named = {word.arg: word.value for word in call.keywords if word.arg}
    markup = named.pop("markup", None)
    has_no_markup = isinstance(markup, ast.Constant) and markup.value is False
    texts = call.args[:1] + [value for name, value in named.items() if name in TEXT_KEYWORDS]
    if surface == "from_markup":
        # Its variables are put into the markup as text: uncleaned they carry control sequences.
        texts += [value for name, value in named.items() if name not in TEXT_KEYWORDS]
        texts += [markup] if markup else []
        return all(_is_own(text, scope, returns_str) or _is_cleaned(text) for text in texts[1:]) and all(
            _is_own(text, scope, returns_str) for text in texts[:1]
        )
    return all(_is_own(text, scope, returns_str) or (has_no_markup and _is_cleaned(text)) for text in texts)


def _is_own(node: ast.expr, scope: _Bindings, returns_str: frozenset[str], depth: int = 0) -> bool:
    """Whether `node` is the program's own words, a built Content, or no text at all."""

    def own(part: ast.expr) -> bool:
        return _is_own(part, scope, returns_str, depth + 1)

    match node:
        case _ if depth > 20:
            return False  # a name bound to itself
        case ast.Call():
            return _last_name(node.func) not in STRING_MAKERS | returns_str
        case ast.IfExp():
            return own(node.body) and own(node.orelse)
        case ast.BoolOp():
            return all(map(own, node.values))
        case ast.BinOp(op=ast.Add()):
            return own(node.left) and own(node.right)
        case ast.Await() | ast.NamedExpr():
            return own(node.value)
        case ast.Name(id=name) if name in scope.values:
            return all(value is not None and own(value) for value in scope.values[name])
        case ast.Name(id=name) if name in scope.annotations:
            return not _names_a_string(scope.annotations[name])
        case ast.Name() | ast.Attribute():
            return _last_name(node).strip("_").isupper()
        case ast.JoinedStr() | ast.BinOp() | ast.Subscript() | ast.Starred():
            return False
        case _:
            return True  # constants, displays, comprehensions


def _is_cleaned(node: ast.expr) -> bool:
    """Whether every part of a string went through a cleaner."""
    match node:
        case ast.Constant():
            return True
        case ast.Call(func=func, args=args):
            name = _last_name(func)
            return name in CLEANERS | {"len"} or (name in {"cut", "fit", "pad"} and all(map(_is_cleaned, args[:1])))
        case ast.JoinedStr(values=values):
            return all(map(_is_cleaned, values))
        case ast.FormattedValue(value=value):
            return _is_cleaned(value)
        case ast.IfExp():
            return _is_cleaned(node.body) and _is_cleaned(node.orelse)
        case ast.BinOp(op=ast.Add()):
            return _is_cleaned(node.left) and _is_cleaned(node.right)
        case _:
            return False


def _names_a_string(annotation: ast.expr | None) -> bool:
    if annotation is None:
        return True
    names = {part for node in ast.walk(annotation) if (part := _last_name(node))}
    quoted = any(isinstance(node, ast.Constant) and isinstance(node.value, str) for node in ast.walk(annotation))
    return quoted or bool(names & {"str", "Any", "object", "VisualType", "RenderableType", "ContentType"})


def _last_name(node: ast.AST) -> str:
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
        case _:
            return ""
