"""HTML as words, and what must not bring a delivery down."""

from __future__ import annotations

import re
import subprocess
import sys
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from quick import QUICK

from crmmail.mail.html import depth, safe, strip_tags, to_text

LETTER = """<html><head><title>Title</title><style>p { color: red }</style></head><body>
<div style="display:none;max-height:0">preheader one</div><span hidden>preheader two</span>
<div style="FONT-SIZE: 0px; line-height:0">preheader three</div><div style="mso-hide:all">preheader four</div>
<p>Hello <b>Ann</b>,<br>see <a href="https://x.example/a?b=c&amp;d">our offer</a>.</p>
<ul><li>one<li>two</ul><table><tr><td>cell A</td><td>cell B</td></tr></table>
<p>Write to <a href="mailto:a@b.example">a@b.example</a></p><script>alert(1)</script></body></html>"""

HOSTILE = {
    "deep divs": "<div>" * 200_000 + "words",
    "deep tables": "<table><tr><td>" * 50_000 + "words",
    "formatting soup": "<a><b><font></i>" * 50_000 + "words",
    "angles": "<" * 1_000_000 + " words",
    "open comment": "<!-- words " + "a" * 1_000_000,
    "comments": "<!--" * 200_000 + " words",
    "open styles": "<style>" * 200_000 + " words",
    "attributes": "<a " + "x=1 " * 300_000 + ">words</a>",
    "entities": "&#x" * 100_000 + "&amp" * 100_000 + " words",
    "words without end": "words" + "a" * 1_000_000,
    "closing tags": "</div>" * 200_000 + "words",
    "parentheses": "words" + " (" * 500_000,
    "quotes": "<blockquote>words " * 490 + "x<br>" * 30_000 + "</blockquote>" * 490,
    "quotes below one attribution": '<div class="gmail_attr">Ann:</div>'
    + "<blockquote></blockquote>" * 9_000
    + "words",
    "quotes without end": "<blockquote>" * 20_000 + "words",
    "links": '<a href="http://x.example/">words</a>' * 7_000,
    "links without end": "<a href=x>" * 25_000 + "words",
    "hrefs": "<a " + "href='" * 40_000 + ">words",
    "styles": "".join(f'<p style="a:{number}">words' for number in range(12_000)),
    "one style": "<p style=" + "a:b;" * 60_000 + ">words",
    "blanks in a style": '<p style="' + " " * 250_000 + '">words',
    "comments with links": "<!-- <a href=x> --><a href=y>words" * 7_000,
}


def test_a_letter_is_laid_out() -> None:
    text = to_text(LETTER)
    assert "Hello Ann,\nsee our offer (https://x.example/a?b=c&d)." in text
    assert "Write to a@b.example" in text and "mailto:" not in text
    assert [line.strip("• ") for line in text.splitlines() if "•" in line] == ["one", "two"]
    assert "cell A" in text and "cell B" in text
    for hidden in ("preheader", "Title", "color", "alert"):
        assert hidden not in text


@pytest.mark.parametrize(
    "style",
    [
        "display:none",
        "display : none !important",
        "DISPLAY:\nNONE",
        "visibility:hidden",
        "mso-hide:all",
        "opacity:0",
        "opacity: 0.0",
        "max-height:0;overflow:hidden",
        "max-height:0px; overflow: hidden;",
        "height:0;width:0;overflow:hidden",
        "font-size:0",
        "font-size: 0px; line-height:0",
        "position:absolute;left:-9999px",
        "position: fixed; top: -1000.5px",
        "text-indent:-9999px",
        "color:red;display:none;color:blue",
    ],
)
def test_what_nobody_sees_is_left_out(style: str) -> None:
    for tag in ("div", "span", "td", "p", "DIV"):
        page = f'<table><tr><{tag} id=a style="{style}" class=b>hidden</{tag}></tr></table><p>shown</p>'
        assert to_text(page) == "shown", page
    assert to_text(f"<div style='{style}'>hidden</div><p>shown") == "shown"


@pytest.mark.parametrize(
    "style",
    [
        "opacity:0.5",
        "max-height:0.5em;overflow:hidden",
        "max-height:0",  # what does not fit is shown beside it
        "font-size:0.9em",
        "display:nonesuch",
        "left:-9999px",
        "position:absolute;left:-10px",
        "text-indent:-20px",
        "background:url(display:none)",
        "",
    ],
)
def test_what_is_seen_is_shown(style: str) -> None:
    assert to_text(f'<div style="{style}">words</div><p>shown</p>').startswith("words")


@pytest.mark.parametrize(
    ("link", "shown"),
    [
        # The words may lie, so where they are not the target, both are shown.
        ('<a href="https://evil.example/">https://bank.example/</a>', "https://bank.example/ (https://evil.example/)"),
        ('<a href="https://evil.example">bank.example</a>', "bank.example (https://evil.example)"),
        (
            '<a href="https://evil.example">https://bank.example/?u=evil.example</a>',
            "https://bank.example/?u=evil.example (https://evil.example)",
        ),
        ('bank.<a href="https://com.evil.example">com</a>', "bank.com (https://com.evil.example)"),
        ('<a href="https://bank.example@evil.example">bank.example</a>', "bank.example (https://bank.example@evil.example)"),
        ("<a href='javascript:alert(1)'>here</a>", "here (javascript:alert(1))"),
        ("<a href='java\nscript:alert(1)'>here</a>", "here (javascript:alert(1))"),
        ('<a href="&#106;avascript:x">here</a>', "here (javascript:x)"),
        ('<a href="data:text/html,%s">here</a>' % ("a" * 999), f"here (data:text/html,{'a' * 45}…)"),
        ('<a href=https://x.example/a>here</a>', "here (https://x.example/a)"),
        ('<a class="a>b" href="https://x.example/a(b)">here</a>', "here (https://x.example/a(b))"),
        # Ways to hide a target from a reader of tags that is not as exact as a browser.
        ('<a title="href=https://bank.example" href=https://evil.example>here</a>', "here (https://evil.example)"),
        ('<a href=https://evil.example/">here</a> "', 'here (https://evil.example/") "'),
        ("<a <b href=https://evil.example>here</a>", "here (https://evil.example)"),
        ("<a/href=https://evil.example>here</a>", "here (https://evil.example)"),
        ("<a\nhref\n=\n'https://evil.example'\n>here</a\n>", "here (https://evil.example)"),
        ('<a href=https://evil.example href="https://bank.example">here</a>', "here (https://evil.example)"),
        ('<x ="><a href=https://evil.example>here</a>">', 'here (https://evil.example)">'),
        ("<!--><a href=https://evil.example>here</a><!-- -->", "here (https://evil.example)"),
        ("<!-- --!><a href=https://evil.example>here</a><!-- -->", "here (https://evil.example)"),
        ("<style><!-- </style><a href=https://evil.example>here</a> -->", "here (https://evil.example) -->"),
        ('<script>a<b c="</script><a href=https://evil.example>here</a>"', 'here (https://evil.example)"'),
        ("<a href=https://evil.example>here<style></a></style></a>", "(https://evil.example) here"),
        ("<a href=https://evil.example>bank<span hidden></a></span>", "(https://evil.example) bank"),
        (
            '<a href=https://evil.example/bank><b style="display:none">evil.example/</b>bank</a>',
            "(https://evil.example/bank) bank",
        ),
        ('<A HREF="https://x.example/a b?c=d&amp;e">here</A>', "here (https://x.example/a%20b?c=d&e)"),
        ('<a href="https://x.example/&lt;b&gt;">here</a>', "here (https://x.example/<b>)"),
        ('<a data-href="https://x.example">here</a>', "here"),
        ('<a href="https://x.example">here, never closed', "here, never closed\n\n(https://x.example)"),
        ('<a href="https://x.example"><img src=y alt="logo"></a>', "logo (https://x.example)"),
        ('<base href="https://evil.example/"><a href="/a">here</a>', "here (https://evil.example/a)"),
        ('<base href="http://[">' + '<a href="/a">here</a>', "here (/a)"),
        # Where they are the target, once is enough.
        ('<a href="https://x.example/a">https://x.example/a</a>', "https://x.example/a"),
        ('<a href="https://x.example/">x.example</a>', "x.example"),
        ('<a href="https://x.example/a?b&amp;c"><b>x.example/a?b&amp;c</b></a>', "x.example/a?b&c"),
        ('<a href="mailto:a@x.example">a@x.example</a>', "a@x.example"),
        ('<a href="tel:+49301234">+49 30 1234</a>', "+49 30 1234"),
        # A target inside the page, and none.
        ('<a href="#top">up</a> <a name=x>here</a> <a>there</a>', "up here there"),
        # These are no targets but somebody's words.
        ("<p>Our order (#101), (https://x.example) and (a)</p>", "Our order (#101), (https://x.example) and (a)"),
    ],
)  # fmt: skip
def test_a_link_is_shown_with_its_target(link: str, shown: str) -> None:
    assert to_text(f"<p>{link}</p>") == shown


@pytest.mark.parametrize(
    ("page", "shown"),
    [
        ("<p>a</p><blockquote>b<br>c</blockquote><p>d</p>", "a\n\n> b\n> c\n\nd"),
        ("a<blockquote>b<blockquote>c</blockquote>d</blockquote>e", "a\n> b\n>> c\n> d\ne"),
        ("<blockquote>" * 12 + "a" + "</blockquote>" * 12 + "b", ">>>>>>>>> a\nb"),
        # Nobody is quoted by what has no end, by a paragraph that is moved to the right, in a comment.
        ("a<blockquote>b", "a\nb"),
        ("a</blockquote>b", "ab"),
        ('a<blockquote style="margin:0 0 0 40px;border:none;padding:0px">b</blockquote>c', "a\nb\nc"),
        ('a<blockquote class="webkit-indent-blockquote" style="margin: 0">b</blockquote>c', "a\nb\nc"),
        ('a<blockquote type="cite" style="border:none">b</blockquote>c', "a\n> b\nc"),
        ("a<!-- <blockquote> -->b<blockquote>c</blockquote>d", "ab\n> c\nd"),
        ("a<!-- <blockquote> --><!-- <blockquote>", "a"),
        ("<p>a\ue000b\ue001c", "abc"),
    ],
)
def test_a_quote_has_its_marks(page: str, shown: str) -> None:
    assert to_text(page) == shown


SOUP = st.lists(
    st.sampled_from(
        "<div> </div> <p> <br> <b> </i> <table> <tr> <td> </table> <blockquote> </blockquote> <a> </a> <base> <pre>"
        " <li> <!-- --> <style> </style> <script> </script> <title> </title> < > & &amp; &#x <![CDATA[ ]]> <!a> <?x ?>"
        " <select> <svg> <template> <iframe> <textarea> \ue000 \ue001 <img/alt=x> <o:p> </o:p> <blockquote".split(" ")
    )
    | st.sampled_from(['<a href="http://x.example/">', "<a href='#", '<div style="display:none">', "<p style='", ' "'])
    | st.text(max_size=8),
    max_size=40,
)


@given(SOUP)
def test_whatever_the_tags_there_is_a_text(pieces: list[str]) -> None:
    page = "".join(pieces)
    to_text(page)
    for read in (to_text, strip_tags):
        assert "mark" in read(f"<p>mark</p>{page}"), page


@given(
    st.lists(
        st.sampled_from(["one", "two", "<b>", "</b>", "<p>", "<br>", "<td>", "<blockquote>", "</blockquote>", "<a>"])
    )
)
def test_no_word_is_dropped_and_none_is_made_up(pieces: list[str]) -> None:
    words = "".join(piece for piece in pieces if piece[0] != "<")
    for read in (to_text, strip_tags):
        assert re.sub(r"[\s>]+", "", read("".join(pieces))) == words


def test_plain_text_under_the_name_of_html_keeps_its_lines() -> None:
    assert to_text("Hello,\n\n1 < 2 &amp; 3\n") == "Hello,\n\n1 < 2 & 3"


def test_a_wrapper_of_size_nothing_hides_only_its_own_words() -> None:
    assert to_text('<td style="font-size:0px;"><div style="font-size:13px">shown</div></td>') == "shown"


def test_where_all_is_hidden_all_is_shown() -> None:
    assert to_text('<div style="display:none">only this</div>') == "only this"


def test_tags_are_stripped_and_words_kept() -> None:
    text = strip_tags(LETTER)
    assert "see our offer (https://x.example/a?b=c&d)." in text
    assert "one\ntwo" in text
    assert "cell A cell B" in text.replace("  ", " ")
    assert "alert" not in text and "color" not in text
    assert strip_tags("1 < 2 &amp; 3 > 2 <p>x") == "1 < 2 & 3 > 2\nx"


def test_what_is_beyond_the_layout_is_kept() -> None:
    html = "<p>first</p>" + "<p>word word</p>" * 30_000 + "<p>last</p>"
    words = to_text(html).split()
    assert words[0] == "first" and words[-1] == "last" and words.count("word") == 60_000


def test_scripts_and_handlers_are_taken_out() -> None:
    html = safe('<p onclick="x()">a<script>b</script><a href="javascript:c">d</a><img src=x onerror=e></p>')
    assert "script" not in html and "onclick" not in html and "onerror" not in html
    assert "<p>a" in html


def test_depth_counts_open_elements() -> None:
    assert depth("<div><b>x</b><br><p><p><p></div>") == 2
    assert safe("<div>" * 1000) == ""


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_html_is_read_in_time(name: str) -> None:
    started = time.process_time()
    assert "words" in to_text(HOSTILE[name])
    safe(HOSTILE[name])
    assert time.process_time() - started < QUICK


def test_deep_nesting_does_not_kill_the_process() -> None:
    """In a process of its own, for a library that runs out of stack takes the whole process with it."""
    program = (
        "from resiliparse.extract.html2text import extract_plain_text as f\n"
        "from crmmail.mail.html import to_text, safe\n"
        "for tag in ('<div>', '<b>', '<table><tr><td>', '<blockquote>', '<ul><li>', '<svg>', '<select>'):\n"
        "    html = tag * (200_000 // len(tag)) + 'words'\n"
        "    f(html, links=True); assert 'words' in to_text(html); safe(html)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
