"""Each letter of ours and each file of the corpora is delivered: taken in silence, kept exactly, no part of it lost.

Many files of the corpora are no mails at all, only bodies, tables, HTML: a mail server offers anything.
"""

from __future__ import annotations

import email
import html
import re
from collections.abc import Iterator
from email.message import Message
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from conversation import Talk, founded, opened
from corpora import OURS, THERE, needed, of_each_kind, theirs

from crmmail import mda
from crmmail.services.incoming.judge import Outcome
from crmmail.store import tables
from crmmail.store.letters import mails, messages, quarantine

MANY, MANY_PARTS = (300, 500) if THERE else (40, 50)
# Where the standard library draws the border elsewhere: at a line in the header that is no field (behind which we read
# on, because good fields follow), and at a folded boundary.
READ_OTHERWISE = {
    "036-broken-header-lines.eml",
    "email_2_2.txt",
    "raw_email_incorrect_header.eml",
    "example13.eml",
    "012.eml",
}
# What stands between the parts of those, and is nobody's words.
BETWEEN_PARTS = {
    "012.eml": [
        "Root MIME prologue",
        "--foo bar",
        "Content-Type: text/x-myown; charset=us-ascii",
        "--foo bar",
        "Content-Type: message/rfc822",
        "--foo bar--",
        "Root MIME epilogue",
    ],
}


class Delivered(NamedTuple):
    path: Path
    raw: bytes
    code: int
    lines: list[str]
    outcomes: list[Outcome]


def deliver(talk: Talk, path: Path, monkeypatch: pytest.MonkeyPatch) -> Delivered:
    raw, outcomes, real = path.read_bytes(), [], mda.deliver

    def listening(*args: Any, **more: Any) -> list[Outcome]:
        outcomes.extend(real(*args, **more))
        return outcomes

    with monkeypatch.context() as patch:
        patch.setattr(mda, "deliver", listening)
        return Delivered(path, raw, *talk.mda(raw, "-ssupport"), outcomes)


@pytest.fixture(scope="module")
def delivered(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Talk, list[Delivered]]]:
    """All of them in one store, through one mailbox whose section takes what no alias claims."""
    folder = tmp_path_factory.mktemp("corpora")
    store = founded(folder)
    with pytest.MonkeyPatch.context() as monkeypatch:
        talk = opened(store, folder, monkeypatch)
        talk.environ(CRMMAIL_LOOP_NEW_RECORDS="0", CRMMAIL_LOOP_MESSAGES="0")
        files = [*of_each_kind(folder), *OURS, *theirs("*/**/*")]
        yield talk, [deliver(talk, path, monkeypatch) for path in files]


def test_every_one_is_taken_in_silence(delivered: tuple[Talk, list[Delivered]]) -> None:
    _, all_of_them = delivered
    assert len(all_of_them) > MANY
    for one in all_of_them:
        if not one.raw:
            assert (one.code, len(one.lines)) == (75, 1)
        else:
            assert (one.path, one.code, one.lines) == (one.path, 0, [])
            assert one.outcomes[0].outcome in ("stored", "quarantined", "duplicate", "unconfirmed")
            assert one.outcomes[0].reason not in ("crashed", "unreadable", "cut-off"), one


def test_every_one_is_kept_exactly(delivered: tuple[Talk, list[Delivered]]) -> None:
    talk, all_of_them = delivered
    kept = 0
    with talk.open():
        for one in all_of_them:
            for fate in one.outcomes:
                if fate.outcome != "duplicate":
                    assert original(fate) == one.raw, one.path
                    kept += 1
        assert kept == tables.Original.select().count() > MANY


def test_every_leaf_part_is_stored(delivered: tuple[Talk, list[Delivered]]) -> None:
    talk, all_of_them = delivered
    there, lost = 0, []
    with talk.open():
        for one in all_of_them:
            fate = one.outcomes[0] if one.outcomes else None
            if fate is None or fate.outcome != "stored" or one.path.name in READ_OTHERWISE:
                continue  # in quarantine the whole mail is kept, and nothing else is made of it
            assert fate.message is not None
            stored = messages.message(fate.message)
            blobs = {row.sha256: bytes(row.data) for row in tables.Blob.select()} if stored.attachments else {}
            pool = [(file.type, blobs[file.sha256]) for file in stored.attachments]
            for leaf in leaves(one.raw):
                there += 1
                if not is_stored(leaf, pool, words(stored.text) | words(stored.html)):
                    lost.append((one.path.name, leaf.get_content_type(), leaf.get_filename()))
    print(f"\nleaf parts stored: {there - len(lost)} of {there}, {lost}")
    assert there > MANY_PARTS
    assert lost == []


@needed
def test_what_is_read_otherwise_is_stored_line_by_line(delivered: tuple[Talk, list[Delivered]]) -> None:
    """No tree is needed for these: each line below the header stands in the text or in a file."""
    talk, all_of_them = delivered
    checked = set()
    with talk.open():
        for one in all_of_them:
            if one.path.name not in READ_OTHERWISE or one.path.name in checked:
                continue
            checked.add(one.path.name)
            assert one.outcomes[0].outcome == "stored" and one.outcomes[0].message is not None
            stored = messages.message(one.outcomes[0].message)
            blobs = {row.sha256: bytes(row.data) for row in tables.Blob.select()} if stored.attachments else {}
            files = [blobs[file.sha256].decode("utf-8", "replace") for file in stored.attachments]
            kept = " ".join(" ".join([stored.text, *files]).split())
            lines = one.raw.decode("utf-8", "replace").replace("\r", "").partition("\n\n")[2].split("\n")
            missing = [line for line in lines if line.strip() and " ".join(line.split()) not in kept]
            assert missing == BETWEEN_PARTS.get(one.path.name, []), one.path
    assert checked == READ_OTHERWISE


def original(fate: Outcome) -> bytes:
    if fate.message is not None:
        return mails.original_bytes(mails.original_of(fate.message))
    assert fate.quarantine is not None
    return mails.original_bytes(quarantine.quarantined(fate.quarantine).original)


def leaves(raw: bytes) -> list[Message]:
    """The leaves that the standard library sees; a forwarded mail is one."""
    found: list[Message] = []
    waiting: list[Any] = [email.message_from_bytes(raw)]
    while waiting:
        part = waiting.pop(0)
        if part.get_content_maintype() == "multipart" and part.is_multipart():
            waiting = part.get_payload() + waiting
        else:
            found.append(part)
    return found


def is_stored(leaf: Message, pool: list[tuple[str, bytes]], text: set[str]) -> bool:
    """As an attachment of the same bytes (taken out of the pool), or with its words in the message."""
    data = leaf.get_payload(decode=True)
    for file in pool:
        same = isinstance(data, bytes) and plain(file[1]) == plain(data)
        if same or (data is None and file[0].startswith("message/")):
            pool.remove(file)
            return True
    if not isinstance(data, bytes) or leaf.get_content_maintype() not in ("text", "multipart"):
        return False  # (a multipart without parts is a text to us)
    return any(enough(words(reading), text) for reading in readings(leaf, data))


def plain(data: bytes) -> bytes:
    return data.replace(b"\r\n", b"\n").rstrip(b"\n")


def readings(leaf: Message, data: bytes) -> Iterator[str]:
    """What the text says, by its label and by what else it may be."""
    for charset in (leaf.get_content_charset(), "utf-8", "cp1252", "cp1251", "utf-7"):
        try:
            yield data.decode(charset or "ascii")
        except (LookupError, UnicodeError):
            pass
    yield data.decode("ascii", "replace")


def words(text: str) -> set[str]:
    """The words a reader would see, tags and styles aside."""
    text = re.sub(r"(?is)<(script|style|head|title)\b.*?</\1\s*>|<!--.*?-->", " ", text)
    return set(re.findall(r"[^\W\d_]{3,}", re.sub(r"(?s)<[^>]*>", " ", html.unescape(text)).lower()))


def enough(said: set[str], there: set[str]) -> bool:
    return len(said - there) <= len(said) // 20
