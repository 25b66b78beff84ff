"""HTML mail as text."""

import pytest

from broker_bridge.channels.email import html
from broker_bridge.channels.email.quotes import fold


def test_link_shows_where_it_leads() -> None:
    assert html.to_text('Log in at <a href="http://evil.test/x">bank.example</a> now') == (
        "Log in at bank.example <http://evil.test/x> now"
    )


@pytest.mark.parametrize(
    ("source", "shown"),
    [
        ('<a href="https://bank.example/">https://bank.example</a>', "https://bank.example"),
        ('<a href="mailto:a@example.com">a@example.com</a>', "a@example.com"),
        ('<a href="https://bank.example">bank.example</a>', "bank.example"),
        ('<a href="javascript:alert(1)">here</a>', "here"),
        ('<a href="https://x.test/a b">here</a>', "here <https://x.test/a%20b>"),
        ("<a name=top>here</a>", "here"),
    ],
)
def test_link_is_not_repeated_when_its_text_says_it(source: str, shown: str) -> None:
    assert html.to_text(source) == shown


def test_hidden_parts_scripts_and_tracking_pixels_are_not_shown() -> None:
    source = (
        "<html><head><title>t</title><style>p {color: red}</style></head><body><script>alert(1)</script><!-- note -->"
        '<p>Seen</p><p style="display:none">unseen</p><p hidden>unseen</p><span style="font-size:0px">unseen</span>'
        '<img src="http://t.test/p.gif" width="1" height="1" alt="pixel"><img src=logo.png alt="Logo"></body></html>'
    )
    assert html.to_text(source).split() == ["Seen", "[Logo]"]


def test_paragraphs_lists_and_data_tables_keep_their_shape() -> None:
    source = "<p>One<br>Two</p><ul><li>a<li>b</ul><table><tr><th>Item<th>Price<tr><td>Tea<td>3</table>"
    assert html.to_text(source) == "One\nTwo\n\n  * a\n  * b\nItem  Price\nTea   3"


def test_layout_tables_are_not_drawn_as_columns() -> None:
    story = "long story " * 30
    source = f"<table><tr><td><table><tr><td>{story}</td><td>beside</td></tr></table></td></tr></table>"
    assert html.to_text(source) == f"{story.strip()}\nbeside"


def test_nested_quotes_get_marks_by_depth() -> None:
    assert html.to_text("a<blockquote>b<blockquote>c</blockquote></blockquote>d") == "a\n> b\n> > c\nd"


@pytest.mark.parametrize(
    "reply",
    [
        '<div>Yes.</div><div class="gmail_quote">On Mon, 1 May 2024 at 10:00 Bob &lt;<a href="mailto:b@example.com">'
        "b@example.com</a>&gt; wrote:<br><blockquote class=gmail_quote>Send it?</blockquote></div>",
        '<p>Yes.</p><div id="divRplyFwdMsg"><hr><b>From:</b> Bob &lt;b@example.com&gt;<br><b>Sent:</b> Monday<br>'
        "<b>To:</b> Ann<br><b>Subject:</b> Order</div><div>Send it?</div>",
        '<p>Yes.</p><div class=WordSection1><div style="border-top:solid #E1E1E1 1.0pt"><p><b>Von:</b> Bob '
        "&lt;b@example.com&gt;<br><b>Gesendet:</b> Montag<br><b>An:</b> Ann<br><b>Betreff:</b> Order</p></div>Send it?</div>",
        '<div>Yes.</div><div class="moz-cite-prefix">Am 1.5.24 um 10:00 schrieb Bob:<br></div>'
        '<blockquote type="cite">Send it?</blockquote>',
        "<div>Yes.</div><div>01.05.2024, 10:00, &quot;Bob&quot; &lt;b@example.com&gt;:</div><blockquote>Send it?</blockquote>",
        '<div>Yes.</div><div class="yahoo_quoted"><div>On Monday, May 1, 2024 at 10:00 AM, Bob wrote:</div>Send it?</div>',
        '<div>Yes.</div><span id="OLK_SRC_BODY_SECTION"><b>From:</b> Bob<br>Send it?</span>',
        "<table><tr><td>Yes.<br><br>----- Original Message -----<br>From: b@example.com<br>Send it?</td></tr></table>",
    ],
)
def test_quote_of_every_mail_program_is_folded(reply: str) -> None:
    folded = fold(html.to_text(reply))
    assert folded.text == "Yes."
    assert "Send it?" in folded.quote


def test_answer_between_html_quotes_stays_visible() -> None:
    source = (
        "<div class=gmail_quote>On Mon, 1 May 2024 at 10:00 Bob &lt;b@example.com&gt; wrote:<br>"
        "<blockquote class=gmail_quote>One?</blockquote>Yes.<blockquote class=gmail_quote>Two?</blockquote>No.</div>"
    )
    assert fold(html.to_text(source)).text == "Yes.\n\nNo."


def test_indented_text_is_not_a_quote() -> None:
    source = '<blockquote style="margin:0 0 0 40px;border:none;padding:0px">my own words</blockquote>'
    assert html.to_text(source) == "my own words"


@pytest.mark.parametrize(
    "source",
    [
        "<div>" * 5000 + "word" + "</div>" * 5000,
        "<table><tr><td>" * 700 + "word",
        "<blockquote>" * 3000 + "word",
        "<b><i>" * 1000 + "word",
        '<?xml version="1.0" encoding="utf-8"?><p>word',
        "<p>wo\x00rd</p>",
        "<![if mso]>word<![endif]>",
        "<p>a</p>" * 60_000 + "word",
    ],
    ids=["divs", "tables", "quotes", "inline", "xml", "nul", "outlook", "many"],
)
def test_hostile_html_keeps_its_words(source: str) -> None:
    assert "word" in html.to_text(source)


def test_wide_margins_make_no_flood_of_spaces() -> None:
    assert len(html.to_text('<p style="margin-left: 99999em; padding: 99999em">a</p>' * 100)) < 1000


@pytest.mark.parametrize("source", ["", " ", "<>", "<html></html>", "<!-- a -->", "\ufdd0\ufdd1", "&#0;&#x110000;"])
def test_empty_html_is_empty_text(source: str) -> None:
    assert len(html.to_text(source).strip()) <= 3
