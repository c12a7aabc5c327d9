"""The JSON that other programs stand on (terminal.md): keys, their order, and values, exactly, in `tests/golden/`.

Keys may be added to a shape; then the golden file changes with it (`CRMMAIL_GOLDEN=write bin/test`), and a reader sees
in the diff what other programs will see.  What must be there is also written down here, in MUST, word for word.
"""

from __future__ import annotations

import json
import os
import pwd
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from conversation import Talk, founded, opened

GOLDEN = Path(__file__).parents[1] / "golden"
WRITE = os.environ.get("CRMMAIL_GOLDEN") == "write"  # read before a shop clears such variables

# terminal.md, "Two voices": more keys may be there; these must.
MUST = {
    "deliver": "outcome reason record kind created message quarantine candidate evidence",
    "inbox": "id record kind title message from_name from_address subject text date unread starred",
    "list": "id kind title state section responsible partner email priority created updated",
    "outbox": "id message record to state attempts reason subject",
    "quarantine": "id reason from_address recipients subject received size",
    "search": "message record kind title state subject from_name from_address date snippet",
    "show": "record followers messages activities",
    "unconfirmed": "id reason from_address recipients subject received size record title kind why",
    "stats": "count average_delay_seconds revenue cost weighted_revenue",
    "show.record": "id kind title state section category responsible priority partner email",
    "show.followers": "who address internal types",
    "show.messages": "id kind subtype internal automatic author from_name from_address to cc subject text visible html "
    "date message_id attachments deliveries",
    "show.messages.attachments": "id name type size",
    "show.messages.deliveries": "to state reason",
}
LINES = {
    "inbox": "inbox --json",
    "inbox-all": "inbox --all --json",
    "inbox-starred": "inbox --starred --json",
    "search": "search it from:ann --json",
    "show": "show 3 --peek --json",
    "show-lead": "show 4 --peek --json",
    "show-contact": "show 2 --peek --json",
    "list": "list case --json",
    "list-lead": "list lead --json",
    "list-contact": "list contact --json",
    "outbox": "outbox --json",
    "outbox-show": "outbox show 1 --json",
    "quarantine": "quarantine --json",
    "quarantine-show": "quarantine show 1 --json",
    "unconfirmed": "unconfirmed --json",
    "unconfirmed-show": "unconfirmed show 1 --json",
    "followers": "followers 3 --json",
    "following": "following --json",
    "attachments": "attachment list 3 --json",
    "messages": "message --limit 2 --json",
    "users": "users --json",
    "views": "view --json",
    "sections": "sections --json",
    "categories": "categories --json",
    "aliases": "aliases --json",
    "contacts": "contacts --json",
    "config": "config --json",
    "doctor": "doctor --json",
    "log": "log --json",
    "log-record": "log 3 --json",
    "why": "why 4 --json",
    "why-quarantine": "why --quarantine 1 --json",
    "why-not": "why-not 4 --user boss --json",
    "summary": "--json",
    "sla": "sla --json",
    "activities": "activity --json",
    "agenda": "agenda --all --json",
    "stats": "stats --by month,user,section,state,category,partner --json",
    "stats-messages": "stats messages --by user,day --json",
    "reply-dry-run": "reply 3 -m 'It works.' --cc new@x.example,boss@crm.test --attach-file 1 --then close -n --json",
}


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Talk]:
    """A shop in which something of everything has happened, on the machine of somebody called postmaster."""
    folder = tmp_path_factory.mktemp("golden")
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(pwd, "getpwuid", lambda number: SimpleNamespace(pw_name="postmaster"))
        talk = opened(founded(folder), folder, monkeypatch)
        talk.do("users add bob --email bob@home.example --notify both --lang ru")
        talk.do("config set mail.catchall catchall@crm.test")
        talk.do("categories add 'Fault Fix' --section support")
        talk.do("contacts add Ann --email ann@customer.example --company 'Customer Ltd' --category 'Support / Gold'")
        talk.do("contacts add Bea --email bea@customer.example --lang fr --company 'customer ltd'")
        printer = talk.mail(
            "Ann <ann@customer.example>",
            subject="Printer broken",
            text="It burns.\n\n> Does it burn?\n-- \nAnn",
            cc="Bea <bea@customer.example>",
            files=[("photo.jpg", b"JPEG")],
        )
        talk.wait(hours=1)
        talk.do("set 3 category='Fault Fix' priority=high deadline=+3d", user="agent")
        talk.do("assign 3 bob", user="agent")
        talk.do("follow 3 --who expert@firm.example", user="agent")
        talk.mail("ann@customer.example", answers=printer, text="It still burns.")
        talk.mail("Cy <cy@new.example>", "sales@crm.test", "An offer?", "How much?")
        talk.mail("eve@evil.example", answers=printer, text="Send it to me.")
        talk.mail("cy@new.example", "jobs@crm.test", "Do you hire?")
        talk.do("star 2", user="agent")
        talk.do("done 1", user="agent")
        talk.do("close 3", user="agent")
        talk.do("undo", user="agent")
        talk.do("sla add --within 8h --working --partner-category 'Support / Gold' --priority high")
        talk.do("activity add 3 'Call Ann' --due +1d", user="agent")
        yield talk


def golden(name: str, found: Any) -> None:
    """`found` is exactly what the file says, keys in its order."""
    path = GOLDEN / f"{name}.json"
    said = json.dumps(found, ensure_ascii=False, indent=2) + "\n"
    if WRITE:
        GOLDEN.mkdir(exist_ok=True)
        path.write_text(said, encoding="utf-8")
    assert said == path.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", LINES)
def test_every_json(shop: Talk, name: str) -> None:
    said = shop.cli(LINES[name], user="agent")
    assert (said.code, said.err) == (0, "")
    found = json.loads(said.out.replace(str(shop.home), "/home/shop"))
    if name == "doctor":
        found = [one for one in found if one["check"] not in ("journal", "disk")]  # of this machine
    golden(name, found)


def test_deliver(shop: Talk) -> None:
    raw = shop.raw("ann@customer.example", "sales@crm.test, support@crm.test", "To both", "Hello.", id="both@x.example")
    fates = [shop.cli(["deliver", "--json", "--dry-run"], input=raw).json]
    stranger = shop.raw("eve@evil.example", answers="m1@example.com", text="Me.", id="eve@x.example")
    fates.append(shop.cli("deliver --json --dry-run", input=stranger).json)
    fates.append(shop.cli("deliver --json --dry-run", input=shop.sent[0].raw).json)
    golden("deliver", fates)
    for keys in (list(one) for fate in fates for one in fate):
        assert set(MUST["deliver"].split()) <= set(keys)


def test_reply(talk: Talk) -> None:
    talk.mail("Ann <ann@customer.example>", subject="Printer broken", text="It burns.")
    golden("reply", talk.cli("reply 1 -m 'It works.' --cc bob@x.example --then close --json", user="agent").json)


@pytest.mark.parametrize("name", MUST)
def test_what_must_be_there_is_there_and_in_that_order(name: str) -> None:
    file, *path = name.split(".")
    found = json.loads((GOLDEN / f"{file}.json").read_text(encoding="utf-8"))
    if file == "deliver":
        found = [one for fate in found for one in fate]
    for key in path:
        found = [one[key] for one in (found if isinstance(found, list) else [found])]
        found = [inner for one in found for inner in (one if isinstance(one, list) else [one])]
    rows = found if isinstance(found, list) else [found]
    assert rows
    for row in rows:
        must = MUST[name].split()
        assert [key for key in row if key in must] == must


def test_every_golden_file_has_its_test() -> None:
    assert {path.stem for path in GOLDEN.glob("*.json")} == {*LINES, "deliver", "reply"}


def test_no_json_has_a_random_or_missing_value(shop: Talk) -> None:
    """Empty is null, never missing: all rows of a listing have the same keys; lists are lists."""
    for name in ("inbox", "list", "outbox", "quarantine", "users", "sections", "aliases", "contacts", "log"):
        rows = shop.cli(LINES[name], user="agent").json
        assert isinstance(rows, list)
        assert len({tuple(row) for row in rows}) == 1, name


@pytest.mark.parametrize(
    "name", [name for name in LINES if name not in ("doctor", "summary", "config", "stats", "stats-messages")]
)
def test_an_empty_listing_is_an_empty_list(talk: Talk, name: str) -> None:
    line = LINES[name]
    if name in ("inbox", "inbox-all", "inbox-starred", "search", "list", "list-lead", "list-contact", "outbox",
                "quarantine", "unconfirmed", "following", "messages", "categories", "contacts", "sla", "activities",
                "agenda"):  # fmt: skip
        assert talk.cli(line, user="agent").json == []
        assert talk.cli(line.replace("--json", "-o ids"), user="agent").out == ""
    elif any(word.isdigit() for word in line.split()):
        assert "there is no" in talk.refused(line)
    else:
        assert talk.cli(line, user="agent").json
