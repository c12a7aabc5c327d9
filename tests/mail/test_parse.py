"""Reading mails: who, what, which parts, and what of it must be the same however the mail came."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime

import pytest

from crmmail.core.message import Address
from crmmail.errors import OverLimit
from crmmail.mail.parse import body_digest_key, parse

TOP = b"From: Ann <ann@customer.example>\nTo: support@crm.example\nSubject: Question\n"


def mail(head: bytes, body: bytes = b"words\n") -> bytes:
    return TOP + head + b"\n" + body


def multi(kind: bytes, *parts: bytes) -> bytes:
    body = b"preamble\n" + b"".join(b"--b\n" + part + b"\n" for part in parts) + b"--b--\nepilogue\n"
    return mail(b'Content-Type: multipart/%b; boundary="b"\n' % kind, body)


PLAIN = b"Content-Type: text/plain\n\nplain words\n"
HTML = b"Content-Type: text/html\n\n<p>html <b>words</b></p>\n"
EMPTY = b"Content-Type: text/plain\n\n \n"
PNG = b"Content-Type: image/png\nContent-Transfer-Encoding: base64\nContent-ID: <pic@x>\n\niVBORw0KGgo=\n"
NOTES = b'Content-Type: text/plain\nContent-Disposition: attachment; filename="notes.txt"\n\nnotes\n'
INNER = b"Content-Type: message/rfc822\n\nFrom: bob@x.example\nSubject: inner\n\ninner words\n"


@pytest.mark.parametrize(
    ("value", "who"),
    [
        (b"ann@customer.example", Address("", "ann@customer.example")),
        (b"Ann <Ann@Customer.EXAMPLE>", Address("Ann", "ann@customer.example")),
        (b'"Customer, Ann" <ann@customer.example>', Address("Customer, Ann", "ann@customer.example")),
        (b'"Ann \\"A\\" C" <ann@customer.example>', Address("Ann A C", "ann@customer.example")),
        (b"ann@customer.example (Ann)", Address("Ann", "ann@customer.example")),
        (b"ann@customer.example <ann@customer.example>", Address("ann@customer.example", "ann@customer.example")),
        (b"=?utf-8?q?J=C3=B6rg?= <j@x.example>", Address("Jörg", "j@x.example")),
        (b"J\xf6rg M\xfcller <j@x.example>", Address("Jörg Müller", "j@x.example")),
        (b"=?utf-8?q?boss=40crm.example=3E_=3C?= <e@x.example>", Address("boss@crm.example> <", "e@x.example")),
        (b"=?utf-8?q?Ann=0D=0ABcc:_v=40x?= <e@x.example>", Address("Ann Bcc: v@x", "e@x.example")),
    ],
)
def test_a_clear_sender(value: bytes, who: Address) -> None:
    assert parse(b"From: " + value + b"\n\n").sender == who


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"<>",
        b"Ann",
        b"boss@crm.example)<evil@evil.example>",
        b"boss@crm.example <evil@evil.example>",
        b"boss@crm.example, evil@evil.example",
        b"<boss@crm.example> evil@evil.example",
        b"<boss@crm.example><evil@evil.example>",
        b"boss@crm.example(<evil@evil.example>",
        b'"boss@crm.example" evil@evil.example',
        b"boss@crm.example\nFrom: evil@evil.example",
        "ann＠customer.example".encode(),
        b"," * 50_000 + b"(" * 50_000,
    ],
)
def test_an_unclear_sender_is_nobody(value: bytes) -> None:
    seen = parse(b"From: " + value + b"\n\n")
    assert seen.sender.address == ""
    assert "\n" not in seen.from_line


def test_recipients_with_nothing_to_show_are_left_out_and_many_are_cut() -> None:
    seen = parse(b"To: <>, undisclosed:;\nCc: " + b", ".join(b"a%d@x.example" % i for i in range(300)) + b"\n\n")
    assert seen.to == ()
    assert len(seen.cc) == 100


@pytest.mark.parametrize(
    ("raw", "text", "attached"),
    [
        (mail(b""), "words", []),
        (mail(b"Content-Type: text/html\n", b"<p>a<br>b</p>"), "a\nb", []),
        (multi(b"mixed", PLAIN, PNG), "plain words", ["part-1.png"]),
        (multi(b"mixed", PLAIN, PLAIN), "plain words\n\nplain words", []),
        (multi(b"mixed", PLAIN, NOTES), "plain words", ["notes.txt"]),
        (multi(b"alternative", PLAIN, HTML), "plain words", []),
        (multi(b"alternative", EMPTY, HTML), "html words", []),
        (multi(b"alternative", HTML), "html words", []),
        (multi(b"related", HTML, PNG), "html words", ["part-1.png"]),
        (multi(b"mixed", PLAIN, INNER), "plain words", ["part-1.eml"]),
        (multi(b"digest", b"\nSubject: x\n\ny", PNG), "", ["part-0.eml", "part-1.png"]),
        (multi(b"mixed", PLAIN, b"Content-Type: text/calendar\n\nBEGIN\n"), "plain words", ["part-1.ics"]),
        (multi(b"mixed", b"Content-Type: x/\n\nstill here\n"), "still here", []),
        (multi(b"mixed", b"Content-Type: x\n\nstill\0here\n"), "", ["part-0.bin"]),
        (mail(b"Content-Type: multipart/mixed\n", b"--b\n\nstill here"), "--b\n\nstill here", []),
        (mail(b'Content-Type: multipart/mixed; boundary="b"\n', b"still here"), "still here", []),
        (mail(b"Content-Type: image/png\n", b"\x89PNG"), "", ["part-0.png"]),
    ],
)
@pytest.mark.parametrize("line_end", [b"\n", b"\r\n"])
def test_every_leaf_is_words_or_an_attachment(raw: bytes, text: str, attached: list[str], line_end: bytes) -> None:
    seen = parse(raw.replace(b"\n", line_end))
    assert seen.text == text
    assert [part.name for part in seen.attachments] == attached
    assert len(seen.attachments) <= seen.leaves


def test_the_html_is_kept_beside_the_text_without_scripts() -> None:
    seen = parse(multi(b"alternative", PLAIN, HTML + b"<script>x</script>"))
    assert seen.text == "plain words"
    assert "html <b>words</b>" in seen.html and "<script" not in seen.html


def test_nested_alternatives_are_one_text() -> None:
    inner = b'Content-Type: multipart/related; boundary="c"\n\n--c\n' + HTML + b"--c\n" + PNG + b"--c--\n"
    seen = parse(multi(b"alternative", PLAIN, inner))
    assert (seen.text, seen.leaves, [part.type for part in seen.attachments]) == ("plain words", 3, ["image/png"])


def test_a_picture_that_the_html_shows_is_inline() -> None:
    page = b'Content-Type: text/html\n\n<img src="cid:pic@x">hello\n'
    seen = parse(multi(b"related", page, PNG))
    assert seen.attachments[0].content_id == "pic@x"


def test_a_forwarded_mail_is_kept_byte_for_byte() -> None:
    inner = b'Content-Type: multipart/mixed; boundary="z"\r\n\r\n--z\r\n\r\ninner words\r\n--z--\r\n'
    seen = parse(multi(b"mixed", PLAIN, b"Content-Type: message/rfc822\n\n" + inner))
    assert seen.attachments[0].data == inner
    assert "inner" not in seen.text


@pytest.mark.parametrize(
    ("field", "name"),
    [
        (b'Content-Disposition: attachment; filename="a b.pdf"', "a b.pdf"),
        (b"Content-Disposition: attachment; filename=a b.pdf", "a b.pdf"),
        (b"Content-Disposition: attachment; filename*=utf-8'de'Gr%C3%BC%C3%9Fe.pdf; filename=x.pdf", "Grüße.pdf"),
        (
            b"Content-Disposition: attachment; filename*0*=koi8-r''%F0%D2%C9; filename*1*=%D7%C5%D4; filename*2=.pdf",
            "Привет.pdf",
        ),
        (b'Content-Type: application/pdf; name="=?utf-8?q?Gr=C3=BC=C3=9Fe.pdf?="', "Grüße.pdf"),
        (b'Content-Type: application/pdf; name="=?utf-8?q?a=0Ab.pdf?="', "a b.pdf"),
        (b'Content-Disposition: attachment; filename="Gr\xfc\xdfe.pdf"', "Grüße.pdf"),
        (b'Content-Type: application/pdf; name=""', "part-1.pdf"),
        (b"Content-Type: application/x-odd", "part-1.bin"),
    ],
)
def test_file_names(field: bytes, name: str) -> None:
    head = field if field.startswith(b"Content-Type") else b"Content-Type: application/pdf\n" + field
    assert parse(multi(b"mixed", PLAIN, head + b"\n\nx")).attachments[0].name == name


@pytest.mark.parametrize(
    ("encoding", "body", "data"),
    [
        (b"base64", b"aGVsbG8=", b"hello"),
        (b"base64", b"aGVs!bG8", b"hello"),
        (b"base64", b"aGVsbG8=\naGVsbG8=", b"hellohello"),
        (b"base64", b"%%%", b"%%%"),
        (b"Quoted-Printable", b"a=3Db=\nc", b"a=bc"),
        (b"x-uuencode", b"begin 644 x\n%:&5L;&\\\n`\nend\n", b"hello"),
        (b"x-uuencode", b"no begin", b"no begin"),
        (b"rot13", b"as it is", b"as it is"),
    ],
)
def test_transfer_encodings_are_forgiven(encoding: bytes, body: bytes, data: bytes) -> None:
    part = b"Content-Type: application/x\nContent-Transfer-Encoding: " + encoding + b"\n\n" + body
    assert parse(multi(b"mixed", PLAIN, part)).attachments[0].data == data


@pytest.mark.parametrize(
    ("value", "date"),
    [
        (b"Mon, 02 Nov 2026 10:00:00 +0100", datetime(2026, 11, 2, 9, tzinfo=UTC)),
        (b"2 Nov 2026 10:00 GMT", datetime(2026, 11, 2, 10, tzinfo=UTC)),
        (b"Mon, 02 Nov 2026 10:00:00 -0230 (NDT)", datetime(2026, 11, 2, 12, 30, tzinfo=UTC)),
        (b"Mon,2 Nov 26 10:00:00 EST", datetime(2026, 11, 2, 15, tzinfo=UTC)),
        (b"Mon Nov  2 10:00:00 2026", datetime(2026, 11, 2, 10, tzinfo=UTC)),
        (b"Thu, 99 Foo 20262026 99:99:99 +99999999", None),
        (b"31 Feb 2026 10:00:00 +0000", None),
        (b"31 Dec 9999 23:59:59 -9999", None),
        (b"", None),
        (b"yesterday", None),
    ],
)
def test_dates(value: bytes, date: datetime | None) -> None:
    assert parse(b"Date: " + value + b"\n\n").date == date


def test_message_ids() -> None:
    seen = parse(b"Message-ID:\n <a@b>\nIn-Reply-To: Your mail <c@d> of today\nReferences: <e@f>\n <c@d> <e@f>\n\n")
    assert (seen.message_id, seen.has_own_id) == ("a@b", True)
    assert (seen.in_reply_to, seen.references) == (("c@d",), ("e@f", "c@d"))
    assert parse(b"References: a@b c@d\n\n").references == ("a@b", "c@d")
    assert parse(b"Message-ID: a@b\n\n").message_id == "a@b"


@pytest.mark.parametrize("value", [b"", b"<>", b"<a b@c>", b"<" + b"a" * 300 + b">", b"<a\x00@b>", "<ä@b>".encode()])
def test_a_made_message_id(value: bytes) -> None:
    seen = parse(b"Message-ID: " + value + b"\n\nwords")
    assert (seen.message_id, seen.has_own_id) == (f"{seen.content_hash[:32]}@made.crmmail.invalid", False)


def test_references_are_taken_from_both_ends() -> None:
    ids = tuple(f"{i}@x" for i in range(500))
    seen = parse(b"References: " + " ".join(f"<{one}>" for one in ids).encode() + b"\n\n").references
    assert seen == ids[:100] + ids[-100:]


def test_the_hash_is_of_the_letter_not_of_its_way() -> None:
    one = parse(multi(b"mixed", PLAIN, PNG, NOTES))
    raw = multi(b"mixed", PLAIN, PNG, NOTES).replace(b"To: support@crm.example\n", b"")
    same = parse(b"Received: from elsewhere\nTo: other@crm.example\n" + raw.replace(b"\n", b"\r\n"))
    assert one.content_hash == same.content_hash
    for changed in (b"plain words", b"Question", b"iVBO", b"notes.txt", b"ann@"):
        assert (
            parse(multi(b"mixed", PLAIN, PNG, NOTES).replace(changed, b"Xx" + changed[2:])).content_hash
            != one.content_hash
        )


def test_the_same_mail_offered_again_is_known_unread() -> None:
    raw = multi(b"mixed", PLAIN, PNG)
    again = b"Received: later\n by us\nReturn-Path: <x@y>\nX-Fetchmail-Warning: none\n" + raw
    assert body_digest_key([raw]) == body_digest_key([again.replace(b"\n", b"\r\n")])
    assert body_digest_key([raw]) != body_digest_key([raw.replace(b"plain", b"Plain")])
    assert body_digest_key([]) and body_digest_key([b"\xff\r\0"])


def test_headers_for_judging_are_one_line_each() -> None:
    seen = parse(b"Auto-Submitted: auto-\n replied\nPrecedence: bulk\nReceived: a\n b\nReceived: c\nX-Other: d\n\n")
    assert dict(seen.headers) == {
        "auto-submitted": ("auto- replied",),
        "precedence": ("bulk",),
        "received": ("a b", "c"),
    }


def test_too_deep_a_tree_is_refused_without_recursion() -> None:
    head = b'Content-Type: multipart/mixed; BOUNDARY="b%d"\n\n'
    with pytest.raises(OverLimit):
        parse(b"".join(b"--b%d\n" % (i - 1) * (i > 0) + head % i for i in range(20_000)))


def test_a_plain_mail_needs_no_html_and_no_guess_and_no_judge() -> None:
    """Delivery is timed as a process, so what most mails do not need is not loaded for them."""
    program = (
        "import sys\n"
        "from crmmail.mail.parse import parse\n"
        "parse(b'From: Ann <a@b.example>\\nTo: x@y.example, \"Z\" <z@y.example>\\nSubject: =?utf-8?q?=C3=A9?=\\n'\n"
        "      b'Date: Mon, 02 Nov 2026 10:00:00 +0000\\nMessage-ID: <a@b>\\n\\nwords')\n"
        "print(*sorted(sys.modules))\n"
    )
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()
    unwanted = {"resiliparse", "nh3", "chardet", "mailparser", "mailparser.addresses", "email", "html", "dataclasses"}
    assert not unwanted & set(loaded)
