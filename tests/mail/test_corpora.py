"""Broken mail, ours and that of public test suites: nothing raises, no part is lost, nothing takes long."""

from __future__ import annotations

import email
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from corpora import CORPORA, OURS, hostile, needed, theirs
from quick import QUICK

from crmmail.core.message import Mail
from crmmail.mail.parse import parse

MAILS = OURS + theirs("cpython/*", "stalwart/*/*.eml", "mikel-mail/*/*", "hostile/*.eml")
# Trees that the standard library reads otherwise: a million fields, a folded boundary.
READ_OTHERWISE = {"037-million-headers.eml", "038-huge-header.eml", "012.eml"}


def forms(raw: bytes) -> tuple[bytes, bytes]:
    plain = raw.replace(b"\r\n", b"\n")
    return plain, plain.replace(b"\n", b"\r\n")


def leaves_there(raw: bytes) -> int:
    """The leaves that the standard library sees; a forwarded mail is one."""
    count = 0
    waiting: list[Any] = [email.message_from_bytes(raw)]
    while waiting:
        part = waiting.pop()
        if part.get_content_maintype() == "multipart" and part.is_multipart():
            waiting += part.get_payload()
        else:
            count += 1
    return count


def strings(seen: Mail) -> Iterator[str]:
    yield from (seen.subject, seen.from_line, seen.message_id, seen.sender.name)
    yield from (person.name for person in (*seen.to, *seen.cc, *seen.reply_to))
    yield from (part.name for part in seen.attachments)
    yield from (value for values in seen.headers.values() for value in values)


@pytest.mark.parametrize("path", MAILS, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_every_mail_is_read_and_every_part_kept(path: Path) -> None:
    hashes = set()
    for raw in forms(path.read_bytes()):
        started = time.process_time()
        seen = parse(raw)
        assert time.process_time() - started < QUICK
        hashes.add(seen.content_hash)
        assert seen.leaves - len(seen.attachments) >= 0
        if path.name not in READ_OTHERWISE:
            assert seen.leaves == leaves_there(raw)
        for value in (*strings(seen), seen.text, seen.html):
            value.encode("utf-8")
            assert "\0" not in value
        for value in strings(seen):
            assert len(value.splitlines()) <= 1 or not set(value) & set("\r\n\u2028\u2029\x85\v\f")
        assert all(part.name for part in seen.attachments)
    assert len(hashes) == 1


def test_no_part_of_all_mails_is_lost() -> None:
    there = stored = 0
    for path in MAILS:
        if path.name not in READ_OTHERWISE:
            for raw in forms(path.read_bytes()):
                there += leaves_there(raw)
                stored += parse(raw).leaves
    print(f"parts stored: {stored} of {there}")
    assert stored == there > len(MAILS)


OF_A_RECORD = {"messages", "show", "out"}  # these are for `tests/test_hostile.py`


def stored_fields(seen: Mail) -> dict[str, str]:
    return {
        "subject": seen.subject,
        "body": seen.text,
        "from_addr": seen.sender.address,
        "contact": seen.sender.address,
        "from_name": seen.sender.name,
        "html": seen.html,
        "files": " ".join(part.name for part in seen.attachments),
    }


def test_hostile_mails_are_stored_as_the_table_says() -> None:
    rows = [row for row in hostile("inside.tsv") if row["field"] not in OF_A_RECORD]
    assert len(rows) > 25
    for row in rows:
        found = stored_fields(parse(Path(row["path"]).read_bytes()))[row["field"]]
        wanted = json.loads(row["value_json"])
        right = {
            "contains": wanted in found,
            "lacks": wanted not in found,
            "equals": wanted == found,
            "not": wanted != found,
        }[row["test"]]
        assert right, (row, found[:200])


# Ours on purpose: NUL shown, wrong bytes as letters, a text cut in a letter, and forwarded mails not opened.
STALWART_OTHERWISE = {"thirdparty/000", "thirdparty/002", "thirdparty/005", "thirdparty/015"}


@needed
@pytest.mark.parametrize("suffix", [".json", ".crlf.json"])
def test_the_structure_is_what_stalwart_expects(suffix: str) -> None:
    paths = sorted(CORPORA.glob("stalwart/*/*.eml"))
    assert len(paths) == 30
    for path in paths:
        if f"{path.parent.name}/{path.stem}" in STALWART_OTHERWISE:
            continue
        expected = json.loads(path.with_suffix(suffix).read_text(encoding="utf-8"))
        seen = parse(forms(path.read_bytes())[suffix == ".crlf.json"])
        bodies = [part["body"] for part in expected["parts"]]
        assert seen.leaves == sum("Multipart" not in body for body in bodies), path
        assert len(seen.attachments) == len(expected["attachments"]), path
        texts = [bodies[index] for index in expected["text_body"]]
        if all("Text" in body for body in texts):
            assert seen.text.split() == " ".join(body["Text"] for body in texts).split(), path
