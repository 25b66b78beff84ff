"""What a customer wrote never reaches a widget as a plain string; see lint_foreign_text for the rule."""

from pathlib import Path

import pytest

from tests.lint_foreign_text import drawing_files, findings, functions_returning_str

PACKAGE = Path(__file__).resolve().parent.parent / "agent_tui"

REFUSED = [
    "Static(text)",
    "Static(row.name)",
    "Static(f'from {row.name}')",
    "Static('from ' + row.name)",
    "Static('from %s' % row.name)",
    "Static('from {}'.format(row.name))",
    "Static(row.name, markup=False)",
    "Static(clean(row.name))",
    "Static(str(row.name))",
    "Static(content=row.name)",
    "Static(lines[0])",
    "Label(row.name if row.name else 'nobody')",
    "Button(label=row.name)",
    "self.query_one('#name', Static).update(row.name)",
    "self.update('\\n'.join(lines))",
    "self.update(caption(row))",
    "self.update(later)",
    "self.app.notify(error)",
    "self.notify(f'{row.name} left')",
    "self.notify(f'{clean_line(row.name)} left')",
    "self.notify('Left', title=row.name)",
    "self.notify(f'{row.name} left', markup=False)",
    "Content.from_markup(text)",
    "Content.from_markup('[b]$name[/]', name=row.name)",
    "Text.from_markup(f'[b]{clean(row.name)}[/]')",
]

ALLOWED = [
    "Static()",
    "Static('Nobody waits')",
    "Static(NOBODY_WAITS)",
    "Static(words.NOBODY_WAITS)",
    "Static('yes' if row.name else 'no')",
    "Static(Content(clean(row.name)))",
    "Static(Content('from ') + Content(clean(row.name)))",
    "Static(clean(row.name), markup=False)",
    "self.update(self.head(row))",
    "self.update(built)",
    "self.update(given)",
    "seen.update({row.name: 1})",
    "self.notify('Saved', title='Draft')",
    "self.notify(f'{clean_line(row.name)} left {len(lines)} lines', markup=False)",
    "Content.from_markup('[b]$name[/]', name=clean_line(row.name))",
    "self.update(row.name)  # own words: names of panes come from keys.py",
]

AROUND = """
def caption(row) -> str: ...
def draw(self, row, lines, text: str, given: Content) -> None:
    built = Content(clean(text))
    later = row.name
    for error in lines:
        {line}
"""


@pytest.mark.parametrize("line", REFUSED)
def test_a_string_that_may_be_foreign_is_refused(line: str) -> None:
    source = AROUND.format(line=line)
    assert [finding.line for finding in findings("panes/x.py", source, functions_returning_str([source]))] == [7]


@pytest.mark.parametrize("line", ALLOWED)
def test_own_words_and_built_content_are_allowed(line: str) -> None:
    source = AROUND.format(line=line)
    assert findings("panes/x.py", source, functions_returning_str([source])) == []


def test_no_pane_or_screen_gives_foreign_text_to_a_widget() -> None:
    returns_str = functions_returning_str(path.read_text() for path in PACKAGE.rglob("*.py"))
    found = [
        finding
        for path in drawing_files(PACKAGE)
        for finding in findings(str(path.relative_to(PACKAGE.parent)), path.read_text(), returns_str)
    ]
    assert not found, "\n".join(map(str, found))
