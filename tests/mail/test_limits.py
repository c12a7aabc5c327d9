"""Limits: what goes to quarantine unread, and what must not."""

from __future__ import annotations

import time

import pytest
from bigmails import BOMBS, Kind
from quick import QUICK

from crmmail.errors import OverLimit
from crmmail.mail.limits import check, check_size, split_header
from crmmail.mail.parse import parse

MB = 1 << 20
HEADER = b"From: ann@customer.example\nSubject: x\n"
MULTI = HEADER + b'Content-Type: multipart/mixed; boundary="b"\n\n'


def nested(levels: int) -> bytes:
    head = b'Content-Type: multipart/mixed; boundary="b%d"\n\n'
    inner = b"".join(b"--b%d\n" % i + head % (i + 1) for i in range(levels - 1))
    return HEADER + head % 0 + inner + b"--b%d\n\nwords\n" % (levels - 1)


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (HEADER + b"\n" + b"a" * MB, "too-large"),
        (HEADER + b"X: " + b"a" * 300_000 + b"\n\nbody", "header-too-large"),
        (HEADER + b"X: a\n" * 1001 + b"\nbody", "too-many-headers"),
        (b"Received: a\n b\n" * 101 + HEADER + b"\nbody", "loop"),
        (nested(51), "too-deep"),
        (MULTI + b"--b\n\nx\n" * 1001 + b"--b--\n", "too-many-parts"),
        (MULTI + b"--b\n" * 100_000 + b"--b--\n", "too-many-parts"),
    ],
)
@pytest.mark.parametrize("line_end", [b"\n", b"\r\n", b"\r"])
def test_over_a_limit(raw: bytes, reason: str, line_end: bytes) -> None:
    with pytest.raises(OverLimit) as caught:
        check_size(len(raw), MB)
        check(raw.replace(b"\n", line_end))
    assert caught.value.reason == reason
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "raw",
    [
        HEADER + b"\n" + b"a" * (MB - 100),
        HEADER + b"X: a\n" * 990 + b"\nbody",
        b"Received: a\n b\n" * 100 + HEADER + b"\nReceived: quoted\n" * 50,
        nested(50),
        MULTI + b"--b\n\nx\n" * 900 + b"--b--\n",
        HEADER + b"\n" + b"--\n-- quoted --\n--b\n" * 20_000,
        MULTI + b"--b\n\n" + b'--c\nContent-Type: multipart/mixed; boundary="c"\n' * 5_000 + b"\n--b--\n",
        b"",
        b"\n\n\n",
        b"no header at all",
    ],
)
def test_an_ordinary_mail_is_within_limits(raw: bytes) -> None:
    check_size(len(raw), MB)
    check(raw)


@pytest.mark.parametrize("kind", BOMBS, ids=lambda kind: kind.name)
def test_nothing_takes_more_than_its_share_of_time(kind: Kind) -> None:
    """What is quadratic in a quarter of a megabyte takes minutes; whole mails of it are in tests/test_sizes.py."""
    raw = kind.make(300_000)
    started = time.process_time()
    try:
        check(raw)
        parse(raw)
    except OverLimit:
        pass
    assert time.process_time() - started < QUICK


def test_fifty_megabytes_are_checked_in_time() -> None:
    raw = MULTI + b"--b\n\n" + b"some -- words of a letter that goes on\n" * 1_300_000 + b"--b--\n"
    started = time.process_time()
    check(raw)
    assert time.process_time() - started < QUICK


@pytest.mark.parametrize(
    ("raw", "header", "body"),
    [
        (b"A: b\n\nc\n", b"A: b\n", b"c\n"),
        (b"A: b\r\n\r\nc\r\n", b"A: b\r\n", b"c\r\n"),
        (b"A: b\r\rc\r", b"A: b\n", b"c\n"),
        (b"From ann@x Mon Nov  2 10:00:00 2026\nA: b\n\nc", b"A: b\n", b"c"),
        (b"\n\nSubject: b\n\nc", b"Subject: b\n", b"c"),
        (b"\nNote: b\n\nc", b"", b"Note: b\n\nc"),
        (b"no header\n\nc", b"", b"no header\n\nc"),
        (b"A: b\nwords that begin too soon\n\nc", b"A: b\n", b"words that begin too soon\n\nc"),
        (b"A: b\nnot a field\nSubject: c\n\nd", b"A: b\nnot a field\nSubject: c\n", b"d"),
        (b"A: b\nwords\nNote: this\n\nd", b"A: b\n", b"words\nNote: this\n\nd"),
        (b"A: b", b"A: b", b""),
        (b"", b"", b""),
    ],
)
def test_where_the_header_ends(raw: bytes, header: bytes, body: bytes) -> None:
    assert split_header(raw) == (header, body)
