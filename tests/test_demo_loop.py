"""`crmmail demo` tells its story: what came to whom, as the mails themselves say, and what is in the store then."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from crmmail.cli import demo_mail
from crmmail.cli.commands import demo
from crmmail.cli.commands.demo import Demo
from crmmail.cli.demo_story import AGENT, ANN, GONE, MAKER, OLGA, STORY, Step
from crmmail.cli.session import Session
from crmmail.core.letter import File, Letter
from crmmail.core.message import Address, Mail
from crmmail.errors import CrmmailError
from crmmail.mail.compose import compose
from crmmail.mail.parse import parse
from crmmail.server.sink import Received, Sink

TOTAL = 40  # seconds that the demo may take on two slow cores


class Played(NamedTuple):
    folder: Path
    screen: str
    seconds: float

    def mails(self, recipient: str) -> list[Mail]:
        """What came to somebody, oldest first."""
        return [parse(path.read_bytes()) for path in sorted((self.folder / "sent").glob(f"*-{recipient}.eml"))]

    def json(self, *words: str) -> Any:
        line = [sys.executable, "-m", "crmmail", "--db", str(self.folder / "crmmail.db"), *words, "--json"]
        return json.loads(subprocess.run(line, env=clean(), capture_output=True, check=True).stdout)


def clean() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("CRMMAIL_")}


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Played:
    """One run of `crmmail demo --keep`."""
    folder = tmp_path_factory.mktemp("demo") / "kept"
    began = datetime.now(UTC)
    done = subprocess.run(
        [sys.executable, "-m", "crmmail", "demo", "--keep", str(folder)],
        env={**clean(), "COLUMNS": "100"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr
    return Played(folder, done.stdout, (datetime.now(UTC) - began).total_seconds())


# --- the story ----------------------------------------------------------------------------------------------


def test_it_is_over_before_anybody_is_bored(played: Played) -> None:
    assert played.seconds < TOTAL
    assert len(STORY) < 60


def test_each_step_is_shown_in_its_order(played: Played) -> None:
    at = 0
    for step in STORY:
        at = played.screen.index(step.words, at)
        for words in step.sees:
            assert words in played.screen[at:], f"{step.words or step.line or step.mail}: {words}"


def test_the_agents_answer_by_mail_reaches_the_customer(played: Played) -> None:
    told, first = played.mails(AGENT)[0], played.mails(ANN)[0]
    assert told.subject == "[1] The printer is on fire"
    assert first.sender == Address("An Agent", AGENT)
    assert first.in_reply_to == ("first.1@customer.example",)
    assert "Pull the plug" in first.text
    assert "crmmail show" not in first.text, "what he quoted was our notification: it stays inside"
    assert told.reply_to != first.reply_to, "each answers to an address of his own"


def test_the_boss_answers_from_the_terminal(played: Played) -> None:
    second = played.mails(ANN)[1]
    assert second.sender == Address("The Boss", "boss@crm.example")
    assert second.subject == "Re: Still smoking!"
    assert second.in_reply_to == ("second.2@customer.example",)
    assert "<strong>today</strong>" in second.html


def test_what_is_internal_reaches_nobody_outside(played: Played) -> None:
    outside = [*played.mails(ANN), *played.mails(MAKER)]
    assert len(outside) == 3
    for mail in outside:
        assert "third one of this series" not in mail.text and "extinguisher" not in mail.text
    assert any("extinguisher" in mail.text for mail in played.mails(AGENT))


def test_olga_is_told_in_her_language(played: Played) -> None:
    (mail,) = played.mails(OLGA)
    assert "Борис Заводской пишет по #2" in mail.text


def test_nothing_went_to_the_address_that_was_refused(played: Played) -> None:
    assert played.mails(GONE) == []
    states = {row["to"]: row["state"] for row in played.json("outbox", "list", "--all")}
    assert (states[GONE], states[MAKER], states[ANN]) == ("failed", "bounced", "sent")


def test_the_store_is_left_as_the_story_ends(played: Played) -> None:
    case = played.json("--as", "boss", "show", "1", "--peek")
    assert (case["record"]["title"], case["record"]["state"]) == ("The printer is on fire", "done")
    texts = [message["text"] for message in case["messages"] if message["kind"] == "email_in"]
    assert [text.splitlines()[0] for text in texts[:2]] == [
        "Good morning,",
        "Unplugged, and it still smokes. What now?",
    ]
    assert [row["title"] for row in played.json("--as", "boss", "list", "lead")] == ["Нужны десять принтеров"]
    assert {row["reason"] for row in played.json("--as", "boss", "quarantine")} == {"unconfirmed", "no-route"}


def test_screens_are_those_of_a_terminal_also_in_a_file(played: Played) -> None:
    assert "\x1b" not in played.screen and "\r" not in played.screen
    assert "letter  reason       from" in played.screen, "a table, not tab-separated values"


def test_it_is_played_on_a_narrow_terminal_in_colours_too() -> None:
    """Colours stand between the words of a screen, and lines are broken."""
    screen, code = demo.on_a_terminal(
        [sys.executable, "-m", "crmmail", "demo"], {**clean(), "COLUMNS": "60", "TERM": "xterm"}
    )
    assert code == 0, screen[-2000:]
    assert "\x1b[1m# A customer writes to support@: a case." in screen
    comments = [line for line in demo.STYLED.sub("", screen).split("\n") if line.startswith("# ")]
    assert "# The agent is told by mail. It leaves with the next tick," in comments
    assert "# which cron calls each minute." in comments
    assert max(map(len, comments)) <= 60


def test_a_second_demo_does_not_touch_what_the_first_one_kept(played: Played) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "crmmail", "demo", "--keep", str(played.folder)], env=clean(), capture_output=True
    )
    assert done.returncode == 1
    assert b"has a store already" in done.stderr


# --- a step that does not do what it says ends the demo -----------------------------------------------------


@pytest.fixture
def play(tmp_path: Path) -> Iterator[Demo]:
    """A demo at its beginning."""
    with Sink(tmp_path / "sent") as sink:
        session = Session()
        yield Demo(session, sink, demo.surroundings(session, tmp_path, sink.url))


def test_a_command_that_fails_ends_it(play: Demo) -> None:
    with pytest.raises(CrmmailError, match=r"`crmmail show 1` ended with 1, not with 0"):
        play.play(Step("There is no store yet.", line="show 1"))


def test_a_command_that_should_fail_and_does_not_ends_it(play: Demo) -> None:
    with pytest.raises(CrmmailError, match="ended with 0, not with 1"):
        play.play(Step("", line="--version", code=1))


def test_a_screen_without_the_promised_words_ends_it(play: Demo) -> None:
    with pytest.raises(CrmmailError, match="shows no 'something else'"):
        play.play(Step("", line="--version", sees=["crmmail", "something else"]))


def test_a_screen_without_the_number_that_is_kept_ends_it(play: Demo) -> None:
    with pytest.raises(CrmmailError, match="shows no number for 'photo'"):
        play.play(Step("", line="--version", keeps="photo"))


def test_a_mail_that_the_mda_does_not_take_ends_it(play: Demo) -> None:
    with pytest.raises(CrmmailError, match="the MDA answered 75"):
        play.play(Step("There is no store yet.", mail="1-printer.eml"))


def test_a_mail_that_did_not_arrive_ends_it(play: Demo) -> None:
    with pytest.raises(CrmmailError, match=f"{ANN} has no new mail"):
        play.play(Step("", reads=ANN))
    with pytest.raises(CrmmailError, match=f"no mail came to {ANN}"):
        play.play(Step("", mail="3-again.eml", answers=ANN))


def test_a_mail_is_read_once(play: Demo, capsys: pytest.CaptureFixture[str]) -> None:
    play.sink.keep(Received(ANN, compose(letter("Hello")), ""))
    play.play(Step("", reads=ANN, sees=["Hello"]))
    assert "  │ Hello\n" in capsys.readouterr().out
    with pytest.raises(CrmmailError, match="no new mail"):
        play.play(Step("", reads=ANN))
    play.finish()


def test_a_mail_to_the_outside_that_the_story_does_not_tell_of_ends_it(play: Demo) -> None:
    play.sink.keep(Received(AGENT, compose(letter("Boris wrote.")), ""))
    play.finish()
    play.sink.keep(Received(ANN, compose(letter("Internal!")), ""))
    with pytest.raises(CrmmailError, match=f"mail came to {ANN}"):
        play.finish()


# --- the mail program ---------------------------------------------------------------------------------------


def letter(text: str, *, subject: str = "Hello", files: tuple[File, ...] = ()) -> Letter:
    return Letter(
        recipient=ANN,
        return_path="support+1@crm.example",
        identifier="2@crm.example",
        date=datetime(2026, 11, 24, 10, tzinfo=UTC),
        sender=Address("Ольга" if not subject.isascii() else "Olga", OLGA),
        to=(Address("", ANN),),
        cc=(),
        reply_to=Address("", "support+x@crm.example"),
        subject=subject,
        text=text,
        markdown=bool(files),
        in_reply_to="1@customer.example",
        references=("1@customer.example",),
        files=files,
    )


LONG = (
    "A line that is much longer than what a mail may have in one line, and so it is written as quoted-printable. = .\n"
)


@pytest.mark.parametrize(
    "this",
    [
        letter("Hello,\n\n> quoted\n\n-- \nOlga\n"),
        letter(LONG),
        letter(
            "Добрый день!\n", subject="Нужны десять принтеров, и не такие, которые горят, а такие, которые печатают"
        ),
        letter("**Photo**\n", files=(File("smoke.png", "image/png", b"\x89PNG"),)),
        letter("Фото\n", files=(File("smoke.png", "image/png", b"\x89PNG"),)),
    ],
    ids=["7bit", "quoted-printable", "russian", "attachment", "russian-attachment"],
)
def test_it_reads_what_we_write(this: Letter) -> None:
    raw = compose(this)
    header, _ = demo_mail.split(raw)
    read = parse(raw)
    assert demo_mail.text(raw) == read.text.strip("\n")
    assert demo_mail.value(header, "Subject") == read.subject == this.subject
    assert demo_mail.value(header, "From") == f"{read.sender.name} <{read.sender.address}>"


def test_an_answer_says_what_it_answers() -> None:
    asked = Received(ANN, compose(letter("How are you?\n", subject="Нужны")), "support+1@crm.example")
    answer = parse(demo_mail.filled((demo.MAILS / "2-answer.eml").read_bytes(), [asked]))
    assert [one.address for one in answer.to] == ["support+x@crm.example"]
    assert answer.in_reply_to == ("2@crm.example",)
    assert answer.references == ("1@customer.example", "2@crm.example")
    assert answer.subject == "Re: Нужны"
    assert "Ольга <olga@crm.example> wrote:\n> How are you?" in answer.text


def test_no_letter_leaves_with_an_open_place() -> None:
    asked = Received(ANN, compose(letter("How are you?\n")), "support+1@crm.example")
    for path in demo.MAILS.glob("*.eml"):
        said = demo_mail.filled(path.read_bytes(), [asked])
        assert b"{" not in said and b"}" not in said, path.name


def test_every_letter_has_its_place_in_the_story() -> None:
    told = Counter(step.mail for step in STORY if step.mail)
    assert set(told) == {path.name for path in demo.MAILS.glob("*.eml")}
