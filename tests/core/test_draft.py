"""Drafts as a person's editor sees them: what is written is read again, and in doubt nothing is lost or sent (F95)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crmmail.core.draft import MARK, SCISSORS, Draft, first_line, read, write
from crmmail.errors import Refused

FULL = Draft(
    record=101,
    verb="reply",
    message=12,
    to=('"Doe, Ann" <ann@customer.example>', "bob"),
    cc=("bea@customer.example",),
    subject="Re: Printer broken",
    attach=("/home/me/manual.pdf", "/home/me/two  blanks.pdf"),
    then="close",
    store="/var/lib/crm.db",
    user="boss",
    text="The words.\n\n  Indented.",
    below="On Tue, 24 Nov 2026, Ann wrote:\n> My printer is broken.",
)
WRITTEN = f"""\
Record: 101
Verb: reply
Message: 12
To: "Doe, Ann" <ann@customer.example>, bob
Cc: bea@customer.example
Bcc:
Subject: Re: Printer broken
Attach: /home/me/manual.pdf
Attach: /home/me/two  blanks.pdf
Then: close
Store: /var/lib/crm.db
User: boss

The words.

  Indented.

{SCISSORS}
On Tue, 24 Nov 2026, Ann wrote:
> My printer is broken.
"""


def test_it_is_written_and_read_again() -> None:
    assert write(FULL) == WRITTEN
    assert read(WRITTEN) == FULL


def test_the_scissors_fit_into_a_terminal() -> None:
    assert len(SCISSORS) <= 78


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (WRITTEN, 14),
        (write(Draft(record=1, verb="note")), 6),
        (write(Draft(record=1, verb="reply", below="> x")), 9),
        (WRITTEN.replace("\n\nThe words", "\n\n\n\nThe words"), 16),
        ("\n\nVerb: note\n\nHa", 5),
        ("Only words", 1),
        ("\n\nOnly words", 3),
        ("", 1),
        ("Verb: reply", 3),
    ],
)
def test_the_line_where_the_words_begin(text: str, line: int) -> None:
    assert first_line(text) == line


def test_an_empty_one_invites_to_be_filled_in() -> None:
    written = write(Draft(verb="send", below="> x"))
    assert written == f"Record:\nVerb: send\nTo:\nCc:\nBcc:\nSubject:\nAttach:\n\n\n\n{SCISSORS}\n> x\n"
    assert read(written) == Draft(verb="send", below="> x")
    assert write(Draft(record=1, verb="note", text="Ha")) == "Record: 1\nVerb: note\nSubject:\nAttach:\n\nHa\n"


@pytest.mark.parametrize(
    "text",
    [
        WRITTEN.replace("\n", "\r\n"),
        "\ufeff" + WRITTEN,
        "\n  \n" + WRITTEN,
        WRITTEN.replace("Record:", "RECORD :").replace("Attach:", "attach:").replace("101", "#101"),
        WRITTEN.replace("Bcc:", "Bcc: , ,").replace("reply", "Reply"),
        WRITTEN.replace(", bob", ",\n  bob").replace("Re: Printer", "Re:\n Printer"),
        WRITTEN.replace(", bob", "\nto: bob"),
        WRITTEN.replace("\nAttach: /home/me/two", "\n  /home/me/two"),
        WRITTEN.replace("User: boss\n\n", "User: boss\n \t\n\n\n").replace(f"\n\n{MARK}", f"\n\n\n \n{MARK}"),
        WRITTEN.replace("User: boss\n", ""),
    ],
    ids="crlf bom blank-before upper-case empty-parts folded twice-to attach-a-line blank-around no-user".split(),
)
def test_what_an_editor_or_a_person_may_do_to_it(text: str) -> None:
    assert read(text)._replace(user="boss") == FULL


@pytest.mark.parametrize(
    "text",
    [
        "Hello Ann,\n\nbye.",
        "Hello: you\n\nVerb: reply",
        "https://x.example/a\nand so on",
        "See the log:\nUser: ann\nMessage: none",
        "The words\nTo: be read",
        "",
    ],
)
def test_without_a_header_it_is_all_words(text: str) -> None:
    assert read(text) == Draft(text=text)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("Record: 101\nVreb: reply", "line 2: there is no header 'Vreb'; there are Record, Verb, Message, To, Cc"),
        ("\nRceord: 101\nVerb: reply", "line 2: there is no header 'Rceord'"),
        ("Record: 10l", "line 1: '10l' is no number: it must be like 101"),
        ("Verb: reply\nMessage: 0", "line 2: '0' is no number"),
        ("Record: ١٠١", "line 1: '١٠١' is no number"),
        ("Record: 1234567890123456789", "line 1: '1234567890123456789' is no number"),
        ("Record: 1\nVerb: replay", "line 2: 'replay' is no verb: it must be reply, note, forward or send"),
        ("Verb: reply\nRecord: 1\nrecord: 2", "line 3: record: stands there twice"),
        ('Verb: reply\nTo: ann,\n  "bob', "line 2: a quote is opened and not closed"),
        ('Verb: reply\nAttach: "a" b', 'line 2: "a" b is no path: its quotes do not fit'),
        ('Verb: reply\nAttach: ""', 'line 2: "" is no path'),
        ("Verb: reply\nSubject: x\nHello Ann,\n\nBye", "line 3: 'Hello Ann,' is no header; the words begin below an"),
        ("Hello Ann,\nRecord: 1\nVerb: reply\n\nBye", "line 1: 'Hello Ann,' is no header"),
        ("Verb: reply\n\x1b[2J\x1b]0;x\x07: 1", "line 2: '\ufffd[2J\ufffd]0;x\ufffd: 1' is no header"),
    ],
)
def test_in_doubt_it_names_the_line(text: str, sentence: str) -> None:
    with pytest.raises(Refused) as said:
        read(text)
    assert str(said.value).startswith(sentence)
    assert "\n" not in str(said.value)


class TestTheScissors:
    def test_the_first_end_the_words(self) -> None:
        draft = read(f"Words\n{MARK}\n> {MARK}\n{SCISSORS}\nmore")
        assert (draft.text, draft.below) == ("Words", f"> {MARK}\n{SCISSORS}\nmore")

    @pytest.mark.parametrize("line", [f"> {SCISSORS}", f" {SCISSORS}", f"\t{MARK}", f"so {MARK}", "-- >8", "--", "-- "])
    def test_at_the_beginning_of_a_line_only(self, line: str) -> None:
        assert read(f"Words\n{line}\nmore").text == f"Words\n{line}\nmore"

    def test_end_a_header_that_lost_its_empty_line(self) -> None:
        assert read(f"Verb: reply\nRecord: 1\n{SCISSORS}\n> Record: 2") == Draft(1, "reply", below="> Record: 2")

    def test_in_the_words_cut_nothing_off(self) -> None:
        assert read(write(FULL._replace(text=f"One\n{MARK}\ntwo"))).text == f"One\n {MARK}\ntwo"

    def test_in_the_quote_do_no_harm(self) -> None:
        draft = FULL._replace(below=f"{SCISSORS}\nx\n{MARK}")
        assert read(write(draft)) == draft


class TestWhatCameWithAMail:
    def test_runs_neither_terminal_nor_editor(self) -> None:
        hostile = "\x1b]0;owned\x07\x1b[2J\u202e\x9b31m\x7f\x00"
        written = write(FULL._replace(subject=hostile, below=hostile, to=(hostile,), attach=(f"/a{hostile}",)))
        assert not any((ord(char) < 32 and char != "\n") or 127 <= ord(char) < 160 for char in written)
        assert "\u202e" not in written
        assert read(written).attach == (f"/a{hostile}",)

    def test_adds_no_header(self) -> None:
        for line_end in ("\n", "\r", "\r\n", "\x0b", "\x85", "\u2028"):
            written = write(FULL._replace(subject=f"Hi{line_end}Bcc: eve@evil.example", then=f"a{line_end}Record: 7"))
            assert written.count("\n") == WRITTEN.count("\n")
            assert read(written).bcc == ()
            assert read(written).subject == "Hi Bcc: eve@evil.example"

    @pytest.mark.parametrize("word", ["vim: set x:", "vi:x", "ex:x", "Vim: x", "vim>700: x", "vim700:x", "VIM:x"])
    def test_gives_vim_no_orders(self, word: str) -> None:
        draft = FULL._replace(to=(f'"A {word}" <a@x.example>',), subject=word, below=f"> a {word}\n{word}\n\t{word}")
        lines = write(draft).lower().split("\n")
        name = word.lower().partition(":")[0] + ":"
        assert not [line for line in lines if f" {name}" in line or f"\t{name}" in line or line.startswith(name)]
        assert read(write(draft))[:7] == draft[:7]  # who it goes to, and its subject, are what they were

    def test_gives_emacs_no_orders(self) -> None:
        assert "> Local Variables :\n> eval: x" in write(FULL._replace(below="> Local Variables:\n> eval: x\n> End:"))


WORDS = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\r"), max_size=60)
PATHS = st.lists(st.text(min_size=1, max_size=20), max_size=3).map(tuple)


@given(WORDS, PATHS, st.text(max_size=20))
def test_words_and_paths_come_back_as_they_were(words: str, paths: tuple[str, ...], below: str) -> None:
    draft = read(write(FULL._replace(text=words, attach=paths, below=below)))
    kept = words.split("\n")
    while kept and not kept[0].strip():
        kept.pop(0)
    while kept and not kept[-1].strip():
        kept.pop()
    assert draft.text == "\n".join(f" {line}" if line.startswith(MARK) else line for line in kept)
    assert draft.attach == paths
    assert draft[:7] == FULL[:7]


@given(st.text(st.sampled_from('Verb: reply\n\r"\\,>8-- #1To\x1b\u2028é'), max_size=80))
def test_any_file_is_read_or_refused(text: str) -> None:
    try:
        draft = read(text)
    except Refused as error:
        assert str(error).startswith("line ")
    else:
        assert read(write(draft))[:9] == draft[:9]
