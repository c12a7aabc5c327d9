"""Mails made to do harm, each row of their two tables, in LF and in CRLF, each delivered twice.

Ten stand in `tests/mail/hostile`, forty more in the corpora beside the checkout.
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
from conversation import Talk, founded, opened
from corpora import hostile

from crmmail.store import tables

WORLD = (
    "init --domain crm.example --user boss:boss@crm.example",
    "users add agent --email agent@crm.example --notify both",
    "sections add support --name Support --manager agent --email support@crm.example",
    "aliases add sales@crm.example --kind lead",
    "aliases add internal@crm.example --kind case --policy followers",
    "config set mail.trusted_authserv_id mx.crm.example",
    "config set loop.new_records 0",
    "config set loop.messages 0",
    "contacts add Ann --email ann@customer.example",
    "contacts add Bob --email bob@partner.example",
    "new case 'The case that Ann follows' --section support",
    "new case 'The case that Bob follows' --section support",
    "follow 3 --who 1",
    "follow 4 --who 2",
    "done --all --as agent",
)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return founded(tmp_path_factory.mktemp("world"), WORLD)


@pytest.fixture
def talk(world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Talk:
    return opened(world, tmp_path, monkeypatch)


def form(raw: bytes, ends: str) -> bytes:
    plain = raw.replace(b"\r\n", b"\n")
    return plain if ends == "LF" else plain.replace(b"\n", b"\r\n")


def messages(talk: Talk) -> int:
    with talk.open():
        return tables.Message.select().where(tables.Message.kind != "system").count()


# Where a line before the first one makes another mail of it: no header yet, an mbox line, another line end.
NOTHING_BEFORE = {
    "002-only-newlines.eml",
    "003-no-header-block.eml",
    "005-mbox-from-line.eml",
    "006-bare-cr-line-ends.eml",
    "no-header.eml",
}


@pytest.mark.parametrize("ends", ["LF", "CRLF"])
@pytest.mark.parametrize("row", hostile("expected.tsv"), ids=lambda row: row["file"])
def test_what_becomes_of_it(talk: Talk, row: dict[str, str], ends: str) -> None:
    raw = form(Path(row["path"]).read_bytes(), ends)
    before = messages(talk)

    started = time.perf_counter()
    code, lines = talk.mda(raw)
    assert time.perf_counter() - started < float(row["max_s"])
    assert code == int(row["exit"])
    if row["verdict"] == "none":
        assert (talk.count(tables.Original), len(lines)) == (0, 1)
        return
    assert lines == []

    stored, held = messages(talk) - before, talk.cli("quarantine --json").json
    made = [number for kind in ("case", "lead") for number in talk.all(kind) if number > 4]
    assert stored + len(held) == 1  # filed once, or kept once
    assert stored == 1 or row["verdict"] == "either"
    assert len(made) == stored or row["thread"] != "new"
    assert kept(talk, made, held) == raw
    # No contact is made by a mail, and nothing leaves but what tells our own people.
    assert talk.count(tables.Contact) == 2
    assert set(talk.outbox()) <= {"agent@crm.example"}
    if stored:
        letter = talk.show(made[0])["messages"][-1]
        assert (letter["author"], letter["internal"]) == (None, False)
        assert len(letter["attachments"]) == (int(row["attach"]) if row["attach"].isdigit() else 0)

    facts = [one for one in hostile("inside.tsv") if one["path"] == row["path"]]
    found = inside(talk, made, held) if facts else {}
    for wanted in facts:
        assert_inside(wanted, found)

    # The same again, and once more as fetchmail offers it again: with a line of its own before it.
    for again in (
        raw,
        raw if row["file"] in NOTHING_BEFORE else b"Received: from elsewhere by mx.crm.example\r\n" + raw,
    ):
        assert talk.mda(again) == (0, [])
    assert messages(talk) - before == stored
    assert len(talk.cli("quarantine --json").json) == len(held)


def kept(talk: Talk, made: list[int], held: list[dict[str, Any]]) -> bytes:
    """The exact bytes of what came."""
    line = f"show {made[0]} --raw" if made else f"quarantine show {held[0]['id']} --raw"
    return talk.cli(line).bytes


def assert_inside(row: dict[str, str], found: dict[str, str]) -> None:
    wanted, there = json.loads(row["value_json"]), found[row["field"]]
    match row["test"]:
        case "contains":
            assert wanted in there
        case "lacks":
            assert wanted not in there
        case "equals":
            assert there == wanted
        case "not":
            assert there != wanted
        case other:
            raise ValueError(other)


def inside(talk: Talk, made: list[int], held: list[dict[str, Any]]) -> dict[str, str]:
    """What there is of the one mail that came: the fields that `inside.tsv` speaks of."""
    shown = "".join(talk.do(f"show {number} --full --peek") for number in made)
    shown += "".join(talk.do(f"quarantine show {one['id']}") for one in held)
    shown += talk.do("inbox", user="agent") + talk.do("inbox --short", user="agent") + talk.do("list case")
    if not made:
        (one,) = held
        letter = {"html": "", "attachments": [], **one}
        partner = None
    else:
        whole = talk.show(made[0])
        letter, partner = whole["messages"][-1], whole["record"]["partner"]
    waiting = [talk.cli(f"outbox show {one['id']} --json").json for one in talk.cli("outbox --json").json]
    return {
        "messages": str(len(made)),
        "subject": letter["subject"],
        "body": letter["text"],
        "html": letter["html"],
        "from_addr": letter["from_address"],
        "from_name": letter["from_name"],
        "contact": talk.field(partner["id"], "addresses")[0] if partner else "",
        "files": " ".join(file["name"] for file in letter["attachments"]),
        "show": shown,
        "out": "".join(f"Subject: {one['rendered_subject']}\nTo: {one['to']}\n\n{one['text']}" for one in waiting),
    }


def test_all_at_once_every_listing_is_harmless(talk: Talk) -> None:
    for row in hostile("expected.tsv"):
        talk.mda(Path(row["path"]).read_bytes())
    talk.environ(COLUMNS="100")
    for line in (
        "", "inbox --all", "inbox --short", "list case", "list lead", "quarantine", "outbox", "message", "log",
        "doctor", "following",
    ):  # fmt: skip
        for form in ("", "--json", "-o csv"):
            if line or form != "-o csv":
                said = talk.do(f"{line} {form}", user="agent" if line != "doctor" else "boss")
                assert harmless(said), (line, form)


def harmless(words: str) -> bool:
    return not any(
        (ord(char) < 32 and char not in "\n\t") or 127 <= ord(char) < 160 or char in "\u202e\u202d\u2066\u2067\u2068"
        for char in words
    ) and all(not 0xD800 <= ord(char) < 0xE000 for char in words)
