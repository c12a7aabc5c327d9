"""`crmmail drafts`, as a person and as a program reads it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from conversation import Talk

from crmmail.core.draft import Draft
from crmmail.services.acts import drafts

REPLY = Draft(
    record=1,
    verb="reply",
    message=2,
    to=("ann@customer.example", "bob"),
    cc=("bea@customer.example",),
    subject="Re: Printer broken",
    attach=("/home/me/manual.pdf",),
    then="close",
    text="The words.\n" + "x" * 300,
    below="> It burns.",
)
HOSTILE = "\x1b]0;owned\x07\x1b[2J\u202egnp.exe\u2066[/][bold red]:smile: \x9b31m\x7f"
BAD = [chr(code) for code in (*range(9), *range(11, 32), *range(127, 160), *range(0x202A, 0x202F), 0x2066)]


def put(talk: Talk, draft: Draft = REPLY) -> Path:
    with talk.open() as workspace:
        return Path(drafts.put(workspace, draft))


def test_the_listing_for_programs(talk: Talk) -> None:
    path = put(talk)
    assert talk.cli("drafts --json").json == [
        {
            "id": 1,
            "record": 1,
            "verb": "reply",
            "to": ["ann@customer.example", "bob"],
            "subject": "Re: Printer broken",
            "text": REPLY.text[:200],
            "path": str(path),
            "updated": "2026-11-24T10:00:00Z",
            "error": None,
        }
    ]
    assert talk.do("drafts -o tsv --fields id,path") == f"1\t{path}"
    assert talk.do("drafts -o ids") == "1"
    assert talk.cli("drafts --json", user="agent").json == []


def test_the_listing_for_people(talk: Talk) -> None:
    put(talk)
    talk.wait(minutes=5)
    put(talk, Draft(verb="send", subject="An offer"))
    first, second = talk.do("drafts -o table").split("\n")[-2:]
    assert first.split()[:4] == ["1", "send", "An", "offer"]
    for words in ("#1", "reply", "ann@customer.example", "Re: Printer broken", "The words.", "5 min ago"):
        assert words in second
    assert "/" not in talk.do("drafts list -o table --fields record,verb,to,subject,updated")


def test_none(talk: Talk) -> None:
    assert talk.do("drafts -o table") == "No drafts."
    assert talk.cli("drafts --json").json == []
    assert talk.do("drafts") == ""
    assert "there is no field 'nonsense'" in talk.refused("drafts --fields nonsense --json", code=2)


def test_show(talk: Talk) -> None:
    path = put(talk)
    said = talk.do("drafts show 1").split("\n")
    assert said[:9] == [
        "reply · #1   now", "To: ann@customer.example, bob", "Cc: bea@customer.example",
        "Subject: Re: Printer broken", "Attach: /home/me/manual.pdf", "Then: close", f"File: {path}", "",
        "    The words.",
    ]  # fmt: skip
    assert "It burns" not in "\n".join(said)  # below the scissors
    assert talk.do(["drafts", "show", path.name]) == talk.do(["drafts", "show", str(path)]) == "\n".join(said)


def test_show_for_programs(talk: Talk, tmp_path: Path) -> None:
    put(talk)
    found = talk.cli("drafts show 1 --json").json
    assert list(found) == ("id record verb to subject text path updated error message cc bcc attach then".split())
    assert (found["id"], found["text"], found["message"], found["then"]) == (1, REPLY.text, 2, "close")
    assert (found["cc"], found["bcc"], found["attach"]) == (["bea@customer.example"], [], ["/home/me/manual.pdf"])
    (tmp_path / "mine.txt").write_text("Only words.")
    found = talk.cli(["drafts", "show", str(tmp_path / "mine.txt"), "--json"]).json
    assert (found["id"], found["verb"], found["subject"], found["text"]) == (None, None, None, "Only words.")
    assert talk.cli("drafts show 1 --json --fields record,then").json == {"record": 1, "then": "close"}


def test_one_without_words_yet(talk: Talk) -> None:
    put(talk, Draft(record=1, verb="note"))
    assert talk.do("drafts show 1").endswith("    (no words yet)")


def test_a_broken_one_is_listed_with_its_reason_and_not_shown(talk: Talk) -> None:
    path = put(talk)
    path.write_text(path.read_text().replace("Record: 1", "Record: one"))
    sentence = "line 1: 'one' is no number: it must be like 101"
    assert sentence in talk.do("drafts -o table")
    (row,) = talk.cli("drafts --json").json
    assert (row["error"], row["record"], row["verb"], row["text"]) == (f"{path}: {sentence}", None, None, "")
    assert talk.refused("drafts show 1") == f"{path}: {sentence}; mend it with your editor"
    talk.do("drafts remove 1 --yes")
    assert not path.exists()


def test_remove(talk: Talk) -> None:
    path = put(talk)
    asked = talk.refused("drafts remove 1", code=2)
    assert asked == f"Remove {path.name} for good? Nobody is here to answer: say --yes to do it"
    assert path.exists()
    assert talk.do("drafts remove 1 --yes") == f"{path} removed"
    assert not path.exists()


def test_remove_several(talk: Talk) -> None:
    paths = []
    for number in (1, 2, 3, 4):
        talk.wait(minutes=1)
        paths.append(put(talk, REPLY._replace(record=number)))
    asked = talk.refused("drafts remove 1 3", code=2)
    assert asked.startswith(f"Remove {paths[3].name}, {paths[1].name} for good? ")
    assert "there is no draft 9" in talk.refused("drafts remove 1 9 --yes")
    assert [path.exists() for path in paths] == [True] * 4  # all or none
    # The numbers are those of the listing that was read, though the first goes first.
    assert talk.do("drafts remove 1 3 1 --yes") == f"{paths[3]} removed\n{paths[1]} removed"
    assert [path.exists() for path in paths] == [True, False, True, False]
    talk.refused("drafts remove --yes", code=2)


@pytest.mark.parametrize("verb", ["show", "remove --yes"])
def test_what_is_not_there(talk: Talk, verb: str) -> None:
    assert "there is no draft 1: you have 0 (`crmmail drafts` lists them)" in talk.refused(f"drafts {verb} 1")
    assert "there is no draft none.txt" in talk.refused(f"drafts {verb} none.txt")


def test_remove_takes_no_file_of_ones_own(talk: Talk, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("Only words.")
    assert "is no draft in" in talk.refused(["drafts", "remove", str(tmp_path / "mine.txt"), "--yes"])
    assert (tmp_path / "mine.txt").exists()


def test_what_a_draft_says_never_runs_the_terminal(talk: Talk) -> None:
    path = put(talk, Draft(1, "reply", to=(HOSTILE,), subject=HOSTILE, attach=(HOSTILE,), then=HOSTILE, text=HOSTILE))
    # What an editor or another program wrote into it, past our own cleaning.
    text = path.read_text().replace("Subject:", f"Subject: {HOSTILE}").replace("To:", f"To: {HOSTILE}")
    os.rename(path, path.with_name(f"a\x1b[2J{HOSTILE.replace('/', '')}.txt"))
    (path.parent / "raw.txt").write_text(text)
    (path.parent / "broken.txt").write_text(f"Verb: {HOSTILE}\nRecord: {HOSTILE}")
    for line in ("drafts", "drafts show 1", "drafts show 2", "drafts show 3"):
        for form in ("", "--json", "-o table", "-o tsv --header", "-o csv", "-o jsonl", "--color always"):
            said = talk.cli(f"{line} {form}")
            if said.code == 2 and "No such option" in said.err:
                continue  # a show has fewer forms than a listing
            heard = said.out + said.err
            if form == "--color always":
                heard = heard.replace("\x1b[", "")
                assert "\x1b" not in heard and "[2J" not in said.out.replace("\ufffd[2J", "")
            assert [char for char in BAD if char in heard] == [], (line, form)
            assert said.code == 0 or "broken.txt" in said.err
    assert "[/][bold red]:smile:" in talk.do("drafts -o tsv")


def test_without_a_store(talk: Talk, tmp_path: Path) -> None:
    put(talk)
    talk.environ(CRMMAIL_DB=str(tmp_path / "none.db"))
    assert "no store at" in talk.refused("drafts")
