"""F16: calls and other events stand in the conversation, and never leave."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from conversation import Talk

from crmmail.store import tables


@pytest.fixture
def case(talk: Talk) -> int:
    talk.do("contacts add Ana --email ana@example.com")
    letter = talk.mail("ana@example.com", subject="Printer", text="It burns.")
    talk.quiet()
    assert letter.record == 2
    return 2


def last(talk: Talk) -> dict[str, Any]:
    found: dict[str, Any] = talk.show(2)["messages"][-1]
    return found


class TestCall:
    def test_all_that_there_is_to_say(self, talk: Talk, case: int, tmp_path: Path) -> None:
        (tmp_path / "rec.mp3").write_bytes(b"MP3")
        said = talk.do(
            f"log call 2 --result answered --duration 5m --with 1 --file {tmp_path}/rec.mp3 -m 'She will wait.'",
            user="boss",
        )
        assert said.startswith("#2 Printer: call answered, 5m, with Ana · message ")
        assert said.endswith("   (undo: crmmail undo)")
        call = last(talk)
        assert (call["kind"], call["subtype"], call["internal"], call["author"]) == ("call", "call", True, "boss")
        assert (call["subject"], call["text"]) == ("call answered, 5m, with Ana", "She will wait.")
        assert call["call"] == {"result": "answered", "duration": "5m"}
        assert (call["to"], call["deliveries"]) == (["ana@example.com"], [])
        assert [(one["name"], one["type"], one["size"]) for one in call["attachments"]] == [
            ("rec.mp3", "audio/mpeg", 3)
        ]
        assert talk.cli(f"attachment save {call['attachments'][0]['id']} -").bytes == b"MP3"
        assert talk.heard("agent") == [(2, "She will wait.")]
        assert talk.outbox() == []

    def test_is_shown_with_its_result(self, talk: Talk, case: int) -> None:
        talk.do("log call 2 --result missed --duration 1m", user="agent")
        shown = talk.do("show 2 --peek").splitlines()
        head = next(line for line in shown if " · call" in line)
        assert "agent" in head
        assert shown[shown.index(head) + 1].strip() == "call missed, 1m"
        assert "(no text)" not in talk.do("show 2 --peek")

    def test_looks_like_no_letter(self, talk: Talk, case: int) -> None:
        talk.do("log call 2 --result answered --with 1", user="boss")
        shown = talk.do("show 2 --peek").splitlines()
        at = next(at for at, line in enumerate(shown) if " · call" in line)
        assert "→" not in shown[at] and "ana@example.com" not in shown[at]
        assert shown[at + 1].strip() == "call answered, with Ana"

    @pytest.mark.parametrize("result", ["answered", "missed", "ongoing"])
    def test_how_it_ended(self, talk: Talk, case: int, result: str) -> None:
        talk.do(f"log call 2 --result {result}")
        assert last(talk)["call"] == {"result": result, "duration": None}
        assert last(talk)["text"] == ""

    def test_the_words_from_a_pipe_or_a_file(self, talk: Talk, case: int, tmp_path: Path) -> None:
        talk.do("log call 2 --result answered", input="From a pipe.\n")
        assert last(talk)["text"] == "From a pipe."
        (tmp_path / "words").write_text("From a file.\n")
        talk.do(f"log call 2 --result answered -f {tmp_path}/words")
        assert last(talk)["text"] == "From a file."

    def test_only_followers_of_calls_hear_of_it(self, talk: Talk, case: int) -> None:
        talk.do("follow 2 --types discussion", user="agent")
        talk.do("follow 2 --who expert@firm.example")
        talk.do("log call 2 --result answered", user="boss")
        assert talk.inbox("agent") == []
        assert talk.outbox() == []

    def test_of_a_contact(self, talk: Talk, case: int) -> None:
        talk.do("log call 1 --result answered -m 'She wants an offer.'")
        assert talk.words(1) == ["She wants an offer."]

    def test_counts_as_something_done(self, talk: Talk, case: int) -> None:
        talk.wait(hours=3)
        talk.do("log call 2 --result missed")
        with talk.open():
            assert tables.Case.get(thread=2).acted == talk.clock

    def test_is_taken_back(self, talk: Talk, case: int, tmp_path: Path) -> None:
        (tmp_path / "rec.mp3").write_bytes(b"MP3")
        before = talk.show(2)
        talk.do(f"log call 2 --result answered --with 1 --file {tmp_path}/rec.mp3", user="boss")
        assert talk.heard("agent")
        talk.do("undo", user="boss")
        after = talk.show(2)
        assert after["messages"] == before["messages"]
        assert after["followers"] == before["followers"]
        assert talk.heard("agent") == []

    def test_is_in_the_log(self, talk: Talk, case: int) -> None:
        talk.do("log call 2 --result missed", user="agent")
        row = talk.cli("log 2 --json").json[-1]
        assert (row["login"], row["act"], row["sentence"]) == ("agent", "call", "#2 Printer: call missed")

    @pytest.mark.parametrize(
        ("line", "code", "words"),
        [
            ("log call 2", 2, "Missing option '--result'"),
            ("log call 2 --result lost", 2, "'lost' is not one of"),
            ("log call 2 --result missed --duration long", 2, "'long' is no delay"),
            ("log call 2 --result missed --duration -5m", 2, "'-5m' is no duration of a call"),
            ("log call 2 --result missed --with 2", 1, "record 2 is no contact"),
            ("log call 2 --result missed --with 12", 1, "there is no record 12"),
            ("log call 9 --result missed", 1, "there is no record 9"),
            ("log call 2 --result missed --file nowhere.mp3", 1, "cannot attach nowhere.mp3"),
            ("log call 2 --result missed -m a -f b", 2, "not with both"),
            ("log event 2", 2, "Missing option '--what'"),
            ("log event 2 --what ' '", 2, "say what happened"),
        ],
    )
    def test_what_is_refused(self, talk: Talk, case: int, line: str, code: int, words: str) -> None:
        before = talk.show(2)
        assert words in talk.refused(line, code=code)
        assert talk.show(2) == before

    def test_hostile_words_are_harmless(self, talk: Talk, case: int) -> None:
        talk.do(["log", "event", "2", "--what", "Visit\x1b[31m\nX-Evil: 1", "-m", "a\x1b]0;b\x07c"])
        one = last(talk)
        assert "\x1b" not in one["subject"] + one["text"]
        assert "\n" not in one["subject"]


def test_an_event_is_a_note_with_its_name(talk: Talk, case: int) -> None:
    said = talk.do(["log", "event", "2", "--what", "Visit", "-m", "The new cable is laid."], user="boss")
    assert said.startswith("#2 Printer: Visit · message ")
    event = last(talk)
    assert (event["kind"], event["subtype"], event["subject"]) == ("note", "note", "Visit")
    assert event["call"] is None
    assert talk.heard("agent") == [(2, "The new cable is laid.")]
    assert "  Visit" in talk.do("show 2 --peek").splitlines()


class TestLog:
    """The journal is read as it was before `log` had commands of its own."""

    def test_alone_with_a_number_and_with_options(self, talk: Talk, case: int) -> None:
        talk.do("set 2 priority=high", user="agent")
        everything, of_one = talk.cli("log --json").json, talk.cli("log 2 --json").json
        assert {one["record"] for one in everything} > {2}
        assert {one["record"] for one in of_one} == {2}
        assert talk.cli("log list 2 --json").json == of_one == talk.cli("log '#2' --json").json
        assert len(talk.cli("log --limit 1 --json").json) == 1
        assert talk.cli("log --file").code == 0
        assert "is no number" in talk.refused("log nonsense", code=2)


class TestFiles:
    @pytest.mark.parametrize("verb", ["call 2 --result answered", "event 2 --what Visit"])
    def test_only_files_that_end_are_read(self, talk: Talk, case: int, verb: str) -> None:
        os.mkfifo(talk.home / "pipe")
        for path in ("/dev/zero", str(talk.home / "pipe")):
            assert talk.refused(f"log {verb} --file {path}") == f"cannot attach {path}: it is no file"
        assert "Is a directory" in talk.refused(f"log {verb} --file {talk.home}")

    def test_a_file_is_no_larger_than_a_mail_may_be(self, talk: Talk, case: int) -> None:
        file = talk.home / "call.mp3"
        file.write_bytes(b"x" * 1001)
        talk.environ(CRMMAIL_DELIVERY_MAX_SIZE="1000")
        for line in (f"log call 2 --result answered --file {file}", f"note 2 -m Hello --attach {file}"):
            assert "it is larger than the 1000 bytes of delivery.max_size" in talk.cli(line).err
        file.write_bytes(b"x" * 1000)
        talk.do(f"log call 2 --result answered --file {file}")
