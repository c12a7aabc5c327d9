"""HTML as words, and what must not bring a delivery down."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest
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
}


def test_a_letter_is_laid_out() -> None:
    text = to_text(LETTER)
    assert "Hello Ann,\nsee our offer (https://x.example/a?b=c&d)." in text
    assert "Write to a@b.example" in text and "mailto:" not in text
    assert [line.strip("• ") for line in text.splitlines() if "•" in line] == ["one", "two"]
    assert "cell A" in text and "cell B" in text
    for hidden in ("preheader", "Title", "color", "alert"):
        assert hidden not in text


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
