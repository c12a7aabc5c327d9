"""A whole mail without the marks that we signed, and every other byte as it was."""

from __future__ import annotations

import time

import pytest

from crmmail.core import token
from crmmail.core.token import Token
from crmmail.mail import mask

SECRET = b"a secret of thirty-two bytes ..."
MARK = Token(101, "c5")
ID = token.message_id(SECRET, MARK, "n0nce", "crm.example")
TAG = token.address_tag(SECRET, MARK)
PATH = ID.partition("@")[0]
FORGED = f"<101.c5.n0nce.{'a' * 16}@crm.example>"


@pytest.mark.parametrize(
    ("header", "left"),
    [
        (f"To: S <support+{TAG}@crm.example>, b@x\n", "To: S <support@crm.example>, b@x\n"),
        (f"Delivered-To: SUPPORT+{TAG.upper()}@CRM.EXAMPLE\n", "Delivered-To: SUPPORT@CRM.EXAMPLE\n"),
        (f"Return-Path: <SRS0=x=y=crm.example=bounce+{PATH}@z.example>\n",
         "Return-Path: <SRS0=x=y=crm.example=bounce@z.example>\n"),
        (f"Received: by x\n\tfor <s+{TAG}@crm.example>; now\n", "Received: by x\n\tfor <s@crm.example>; now\n"),
        (f"In-Reply-To: <{ID}>\n", ""),
        (f"In-Reply-To:\n <{ID}>\n", ""),
        (f"References: <a@x>\n <{ID}>\n\t<b@x>\n", "References: <a@x>\n\t<b@x>\n"),
        (f"References:\n <{ID}>\n <b@x>\n", "References:\n <b@x>\n"),
        (f"References: <{ID}> <b@x>\n <{ID}> \n", "References: <b@x> \n"),
        (f"References: {FORGED}\n", f"References: {FORGED}\n"),
        ("To: support+sales@crm.example\n", "To: support+sales@crm.example\n"),
        (f"this is no field {ID} support+{TAG}@crm.example\n", "this is no field support@crm.example\n"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_what_is_ours_goes(header: str, left: str, end: str) -> None:
    rest = f"Subject: x\n\nSaid: <{ID}> support+{TAG}@crm.example\n\xff"
    raw, wanted = ((f"From: a@x\n{one}{rest}").replace("\n", end).encode("latin-1") for one in (header, left))
    assert mask.masked(SECRET, raw) == wanted
    assert mask.masked(b"another secret", raw) == raw
    assert bool(mask.marks(SECRET, raw)) == (header != left)
    assert mask.marks(SECRET, wanted) == []


def test_a_mail_with_bare_carriage_returns() -> None:
    raw = f"From: a@x\rIn-Reply-To: <{ID}>\rTo: s+{TAG}@y\r\rbody {ID}".encode()
    assert mask.masked(SECRET, raw) == f"From: a@x\rIn-Reply-To:\rTo: s@y\r\rbody {ID}".encode()


def test_it_says_that_we_sent_it() -> None:
    assert mask.is_ours(b"From: a@x\nX-Crmmail-Sent: x\n\n")
    assert not mask.is_ours(b"From: a@x\n\nX-Crmmail-Sent: x\n")


@pytest.mark.parametrize(
    "bomb", [b" " * 2_000_000, b"1.x." * 500_000, b"+1.x." * 400_000, b"<" * 2_000_000, b"\n\t" * 900_000]
)
def test_in_time_that_grows_with_its_length(bomb: bytes) -> None:
    begun = time.monotonic()
    mask.masked(SECRET, b"From: a@x\nReferences: " + bomb + f"<{ID}>\n\nbody".encode())
    assert time.monotonic() - begun < 5
