"""Mails that are big, or that make much of little, for `test_sizes.py` and `bench/bench_memory.py`.

    for kind in KINDS:
        raw = kind.make(25_000_000)

Each is made from a fixed seed, so that two runs deliver the same.
"""

from __future__ import annotations

import base64
import binascii
import random
from collections.abc import Callable, Sequence
from typing import NamedTuple

LIMIT = 49_900_000  # bytes of the largest mail that is read, or nearly
HEAD = (
    b"From: Ann <ann@customer.example>\nTo: support@crm.test\nSubject: Big\n"
    b"Message-ID: <big@customer.example>\nDate: Tue, 24 Nov 2026 10:00:00 +0000\nMIME-Version: 1.0\n"
)
ASCII = b"Every word of this letter counts, and there are many lines of it.\n"
CYRILLIC = "Каждое слово этого письма важно, а строк в нём очень много, words.\n"
PAGE = "<p>A paragraph of <b>bold</b> words, каждое слово <a href='https://shop.example/'>важно</a>.</p>\n"


class Kind(NamedTuple):
    """A way to make a mail big."""

    name: str
    make: Callable[[int], bytes]  # from its size in bytes, kept to nearly


def times(piece: bytes, size: int) -> bytes:
    return piece * max(1, size // len(piece))


def text(words: bytes, fields: bytes = b"") -> Callable[[int], bytes]:
    """One text that says the same again and again."""
    return lambda size: HEAD + fields + b"\n" + times(words, size)


def parts(*made: bytes, fields: bytes = b"") -> bytes:
    inner = b"".join(b"--edge\n" + one + b"\n" for one in made)
    return HEAD + fields + b'Content-Type: multipart/mixed; boundary="edge"\n\n' + inner + b"--edge--\n"


def in_base64(data: bytes, kind: bytes = b"application/octet-stream", more: bytes = b"") -> bytes:
    return b"Content-Type: %s\nContent-Transfer-Encoding: base64\n%s\n" % (kind, more) + base64.encodebytes(data)


def attached(size: int, files: int = 1) -> bytes:
    """Files that compress no further, with a few words."""
    chance = random.Random(size)
    data = [chance.randbytes(size * 73 // 100 // files) for _ in range(files)]
    names = [b'Content-Disposition: attachment; filename="%d.zip"\n' % number for number in range(files)]
    return parts(b"\nHere they are.\n", *(in_base64(one, more=name) for one, name in zip(data, names, strict=True)))


def quoted_printable(size: int) -> bytes:
    line = binascii.b2a_qp(CYRILLIC.encode(), istext=True)
    fields = b"Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: quoted-printable\n"
    return text(line, fields)(size)


def alternatives(size: int) -> bytes:
    """The same in plain text and in HTML."""
    plain = b"Content-Type: text/plain; charset=utf-8\n\n" + times(CYRILLIC.encode(), size // 2)
    page = b"Content-Type: text/html; charset=utf-8\n\n" + times(PAGE.encode(), size // 2)
    return parts(plain, page).replace(b"multipart/mixed", b"multipart/alternative")


def text_in_base64(size: int) -> bytes:
    words = times(CYRILLIC.encode(), size * 73 // 100)
    fields = b"Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: base64\n\n"
    return HEAD + fields + base64.encodebytes(words)


def html_of(charset: str) -> Callable[[int], bytes]:
    return text(PAGE.encode(charset), b"Content-Type: text/html; charset=%s\n" % charset.encode())


def text_of(charset: str) -> Callable[[int], bytes]:
    return text(CYRILLIC.encode(charset), b"Content-Type: text/plain; charset=%s\n" % charset.encode())


def forwarded(size: int) -> bytes:
    """A mail in a mail in a mail, each of which is one file of the outer one."""
    inner = attached(size)
    for _ in range(20):
        inner = parts(b"\nSee below.\n", b"Content-Type: message/rfc822\n\n" + inner)
    return inner


# What people send.
LETTERS = (
    Kind("one file", attached),
    Kind("twenty files", lambda size: attached(size, 20)),
    Kind("plain text", text(ASCII)),
    Kind("plain text, CRLF", lambda size: text(ASCII)(size - size // 66).replace(b"\n", b"\r\n")),
    Kind("text in UTF-8", text_of("utf-8")),
    Kind("text in koi8-r", text_of("koi8-r")),
    Kind("text in base64", text_in_base64),
    Kind("text in quoted-printable", quoted_printable),
    Kind("HTML in UTF-8", html_of("utf-8")),
    Kind("HTML in koi8-r", html_of("koi8-r")),
    Kind("plain text and HTML", alternatives),
    Kind("forwarded twenty times", forwarded),
)


def nested(size: int) -> bytes:
    """Fifty levels, each with a text of its own."""
    head = b'Content-Type: multipart/mixed; boundary="edge%d"\n\n'
    words = times(ASCII, size // 50)
    inner = b"".join(b"--edge%d\n\n" % at + words + b"--edge%d\n" % at + head % (at + 1) for at in range(49))
    return HEAD + head % 0 + inner + b"--edge49\n\n" + words


def prefixes(size: int) -> bytes:
    """Fifty boundaries, each the beginning of the next, and lines that are nearly one of them."""
    name = b"a" * 100
    head = b'Content-Type: multipart/mixed; boundary="%s"\n\n'
    inner = b"".join(b"--" + name[:at] + b"\n" + head % name[: at + 1] for at in range(1, 50))
    return HEAD + head % name[:1] + inner + times(b"--" + name[:60] + b"\n", size)


def continued(name: bytes, pieces: int) -> bytes:
    """A file name in RFC 2231 pieces."""
    return b"".join(b"; %s*%d*=%%D0%%B0" % (name, at) for at in range(pieces))


def uuencoded(line: bytes) -> Callable[[int], bytes]:
    return text(line, b"Content-Transfer-Encoding: x-uuencode\n\nbegin 644 file\n")


def field(name: bytes, piece: bytes, size: int = 250_000) -> Callable[[int], bytes]:
    """A header of one field as long as a header may be, and a body."""
    return lambda _: HEAD.replace(name + b": ", b"Old: ") + name + b": " + times(piece, size) + b"\n\nWords.\n"


def many_fields(line: bytes, count: int) -> Callable[[int], bytes]:
    return lambda _: HEAD + line * count + b"\nWords.\n"


def part_headers(line: bytes, each: int) -> Callable[[int], bytes]:
    """Parts that are all header."""
    return lambda size: parts(*[times(line, each) + b"\nx"] * min(990, size // each))


def of_many(part: bytes, count: int = 990) -> Callable[[int], bytes]:
    return lambda size: parts(*[part + times(ASCII, size // count)] * count)


_TEXT = b"Content-Type: text/plain; charset=%s\n"
_BASE64 = b"Content-Transfer-Encoding: base64\n"
_QP = b"Content-Transfer-Encoding: quoted-printable\n"
_HTML = b"Content-Type: text/html; charset=utf-8\n"

# What nobody sends who means well.
BOMBS = (
    *(
        Kind(f"text of {piece!r}", text(piece))
        for piece in (b"\n", b"\0", b"=", b"<", b"&", b">", b" ", b"--\n", b"\r")
    ),
    *(Kind(f"text of {piece!r}", text(piece)) for piece in (b"\xff", b"\xc3\xa9\xff", b"> \n", b"https://x ", b"@x ")),
    *(Kind(f"HTML of {piece!r}", text(piece, _HTML)) for piece in (b"<", b"&", b">", b"<a ", b"&a", b"<b>", b"<!--")),
    *(Kind(f"HTML of {piece!r}", text(piece, _HTML)) for piece in (b"<!---->", b"<style></style>", b"&#9;", b"\n")),
    *(
        Kind(f"{label.decode()} of {piece!r}", text(piece, _TEXT % label))
        for label, piece in (
            (b"utf-7", b"+AGE-"),
            (b"utf-7", b"+"),
            (b"iso-2022-jp", b'\x1b$B$"\x1b(B'),
            (b"iso-2022-kr", b"\x0e!!\x0f"),
            (b"hz-gb-2312", b"~{<:~}"),
            (b"utf-16", b"\0a"),
            (b"utf-32", b"\0\0\0a"),
            (b"utf-8", "𐀀".encode()),
            (b"undefined", b"\xe1\xe2"),
            (b"big5", b"\xa4\x40"),
        )
    ),
    *(Kind(f"base64 of {piece!r}", text(piece, _BASE64)) for piece in (b"=", b"A=", b"AAA", b"!A", b"A\n", b"!")),
    *(Kind(f"quoted-printable of {piece!r}", text(piece, _QP)) for piece in (b"=", b"=\n", b"=00", b" \n", b"=4")),
    Kind("uuencode of empty lines", uuencoded(b"\n")),
    Kind("uuencode of short lines", uuencoded(b"!\n")),
    Kind("uuencode", uuencoded(binascii.b2a_uu(bytes(45)))),
    Kind("broken uuencode", uuencoded(b"M" + b"~" * 60 + b"\n")),
    Kind("no header", lambda size: times(b"words ", size)),
    Kind("no header, lines", lambda size: times(b"words\n", size)),
    Kind("only a header", lambda size: times(b"a:\n", size)),
    Kind("only folding", lambda size: b"Subject: a" + times(b"\n ", size)),
    Kind("one header line", lambda size: b"Subject: " + times(b"a", size)),
    Kind("only carriage returns", lambda size: HEAD.replace(b"\n", b"\r") + times(b"\rwords", size)),
    Kind("folded subject", field(b"Subject", b"\n ")),
    Kind("encoded words", field(b"Subject", b"=?utf-8?q?=C3?= ")),
    Kind("encoded words in names", field(b"To", b"=?utf-8?b?4Q==?= <a@b.example>, ")),
    Kind("half encoded words", field(b"Subject", b"=?")),
    Kind("addresses", field(b"To", b"a@b.example, ")),
    Kind("commas", field(b"To", b",")),
    Kind("brackets", field(b"From", b"(")),
    Kind("angles", field(b"From", b"<")),
    Kind("quotes", field(b"From", b'"\\')),
    Kind("references", field(b"References", b"<a@b> ")),
    Kind("half references", field(b"References", b"<")),
    Kind("parameters", field(b"Content-Type", b"text/plain; a=b; ")),
    Kind("open quote in parameters", field(b"Content-Type", b'text/plain; a="\\')),
    Kind("comments in the type", field(b"Content-Type", b"(")),
    Kind("blank before the colon", many_fields(b"X" + b" " * 250 + b"\n", 1000)),
    Kind("a thousand fields", many_fields(b"X-A: " + b"a" * 200 + b"\n", 990)),
    Kind("authentication results", many_fields(b"Authentication-Results: x; dmarc=pass (" + b"(" * 200 + b"\n", 990)),
    Kind("a thousand parts", of_many(b"\n")),
    Kind("a thousand files", of_many(b"Content-Type: image/png\n\n")),
    Kind("a thousand pages", of_many(_HTML + b"\n")),
    Kind("a thousand pages of tags", lambda size: parts(*[_HTML + b"\n" + times(b"<p>x ", size // 990)] * 990)),
    Kind("a thousand names in pieces", of_many(b"Content-Type: image/png" + continued(b"name", 400) + b"\n\n")),
    Kind("a thousand guesses", of_many(b"\n\xe1\xe2\xf7 \xce\xc5 ")),
    Kind("a thousand mails", of_many(b"Content-Type: message/rfc822\n\nSubject: x\n\n")),
    Kind("a digest", lambda size: of_many(b"\nSubject: x\n\n")(size).replace(b"multipart/mixed", b"multipart/digest")),
    Kind("parts that are all header", part_headers(b"a:\n", 60_000)),
    Kind("parts that are all long header", part_headers(b"Content-Type: text/plain\n", 400_000)),
    Kind("parts that are all folding", part_headers(b"Content-Type: text/plain;\n a=b;\n", 60_000)),
    Kind("parts that begin with no header", part_headers(b"words\n", 60_000)),
    Kind("parts with words between fields", part_headers(b"Content-X: y\nwords\n", 60_000)),
    Kind("fifty levels", nested),
    Kind("fifty boundaries", prefixes),
    Kind("a boundary of 200 KB", lambda size: parts(times(ASCII, size)).replace(b"edge", b"e" * 200_000)),
    Kind("delimiters", lambda size: parts(times(b"--edge\n", size))),
    Kind("nearly delimiters", lambda size: parts(times(b"--edge-\n", size))),
    Kind("boundary in lines", lambda size: parts(times(b"oundary--\n", size))),
)
KINDS: Sequence[Kind] = (*LETTERS, *BOMBS)
