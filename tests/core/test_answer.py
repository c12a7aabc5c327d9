"""What of a user's answer by mail leaves the house, and what stays inside (safety 3)."""

from __future__ import annotations

import textwrap
import time
from typing import Any

import pytest
from programs import COPYING, MARKING, PROGRAMS, Told, marked, written

from crmmail.core import answer
from crmmail.render import render

OPENING = "crmmail show 101"
LANGUAGES = ("en", "fr", "ru")
QUESTION = "Good morning,\nit smokes.\n\n-- \nAna Lima\nLima & Sons"
WORDS = "Hello Ana,\n\npull the plug!\n\n-- \nAgent\nSupport, extension 12"


def notification(language: str = "en", text: str = QUESTION, title: str = "Printer broken", **more: Any) -> Told:
    """A notification of ours about record 101, in which a customer's letter stands."""
    record = {"id": 101, "title": title, "kind": "case", "state": "open"}
    rendered = render(
        "notification",
        language,
        {
            "record": record,
            "tagged": f"[101] {title}",
            "sender": "Ana Lima",
            "text": text,
            "to": "Carl Lima",
            "customer": "Ana Lima",
            "internal": False,
            "news": False,
            "open": OPENING,
            "files": [],
            **more,
        },
    )
    return Told("Ana Lima", "support@crm.test", "agent@crm.test", rendered.subject, rendered.text.strip("\n"))


def of_house(told: Told) -> list[str]:
    """The lines of a notification that are not the customer's."""
    lines = told.text.split("\n")
    foot = next(at for at, line in enumerate(lines) if line.startswith("#101 ")) - 1
    return [line for line in (lines[0], *lines[foot + 1 :]) if line]


def leaves(text: str, opening: str = OPENING) -> str:
    return answer.words_by_mail(text, 101, opening)


class TestWhatLeavesByMail:
    @pytest.mark.parametrize("ours", LANGUAGES)
    @pytest.mark.parametrize(("program", "language"), PROGRAMS)
    def test_his_words_above_the_quote(self, program: str, language: str, ours: str) -> None:
        said = leaves(written(program, language, WORDS, notification(ours)))
        phone = COPYING[program, language].split("\n")[1] if program == "outlook phone" else ""
        assert said == "\n\n".join(part for part in (WORDS, phone) if part)

    @pytest.mark.parametrize("ours", LANGUAGES)
    @pytest.mark.parametrize(("program", "language"), MARKING)
    def test_his_words_below_the_quote(self, program: str, language: str, ours: str) -> None:
        assert leaves(written(program, language, WORDS, notification(ours), place="bottom")) == WORDS

    @pytest.mark.parametrize("ours", LANGUAGES)
    @pytest.mark.parametrize(("program", "language"), MARKING)
    def test_his_words_between_the_lines_of_the_quote(self, program: str, language: str, ours: str) -> None:
        told = notification(ours)
        text = written(program, language, "Since when?", told, place="between", after="it smokes")
        said = leaves(f"Hello Ana,\n\n{text}\nWe shall see.\n")
        assert [line for line in said.split("\n") if line and line[0] != ">"][-2:] == ["Since when?", "We shall see."]
        assert "> it smokes." in said
        assert not [line for line in of_house(told) if line in said]
        assert "#101" not in said

    @pytest.mark.parametrize("ours", LANGUAGES)
    @pytest.mark.parametrize(("program", "language"), PROGRAMS)
    def test_nothing_but_the_quote(self, program: str, language: str, ours: str) -> None:
        assert leaves(written(program, language, "", notification(ours))) == ""

    @pytest.mark.parametrize(
        ("words", "said"),
        [
            ("Yes.", "Yes."),
            ("Yes.\n\nAgent", "Yes.\n\nAgent"),
            ("Yes.\n\nKind regards,\nAgent", "Yes.\n\nKind regards,\nAgent"),
            ("Yes.\n\nSent from my iPhone", "Yes.\n\nSent from my iPhone"),
            ("I bought #101 and #102.", "I bought #101 and #102."),
            ("See -- as I said -- above.", "See -- as I said -- above."),
            ("Thanks,\nAgent", "Thanks,\nAgent"),
            ("Sent from my iPhone", ""),
            ("", ""),
        ],
    )
    def test_without_any_quote(self, words: str, said: str) -> None:
        assert leaves(words) == said

    @pytest.mark.parametrize("ours", LANGUAGES)
    def test_files_are_of_the_house(self, ours: str) -> None:
        told = notification(ours, files=[{"id": 7, "name": "plan.pdf", "size": 3}])
        assert "crmmail attachment save 7" in told.text
        text = written("mutt", "en", "Seen.", told, place="between", after="it smokes")
        assert "attachment" not in leaves(f"{text}\nMore below.\n")

    def test_a_long_title_that_the_program_wraps(self) -> None:
        told = notification(title="A printer whose name is so long that no line holds it")
        wrapped = marked(told.text).replace("is so long", "is so\n> long", 1)
        said = leaves(f"Ana wrote:\n{wrapped.replace('> it smokes.', '> it smokes.' + chr(10) + 'Since when?')}\nBye.")
        assert "no line holds it" not in said
        assert "Since when?" in said

    def test_a_link_that_the_host_has_rewritten(self) -> None:
        safe = "https://safelinks.example/?url=https%3A%2F%2Fcrm.test%2F101"
        told = notification(open="https://crm.test/101")
        text = written("gmail", "en", "Yes.", told, place="bottom").replace("https://crm.test/101", safe)
        assert leaves(text, "https://crm.test/101") == "Yes."

    def test_a_foot_whose_dashes_are_gone(self) -> None:
        told = notification()
        text = written("gmail", "en", "Since when?", told, place="between", after="it smokes")
        head, _, foot = text.rpartition("> --\n")
        said = leaves(f"{head}{foot}\nBye.")
        assert "Since when?" in said and "Bye." in said
        assert OPENING not in said

    def test_a_bare_number_as_opening_cuts_nothing(self) -> None:
        assert leaves("It costs 101 euros.\nReally.", "101") == "It costs 101 euros.\nReally."

    @pytest.mark.parametrize(
        "words",
        [
            "Log in at https://crm.test/r/1012 please.\nThe password follows.",
            "Log in at https://crm.test/r/101 please.\nThe password follows.",
            "https://crm.test/r/101\n\nThe password follows.",
            "Do this:\n\nhttps://crm.test/r/101\n\nBye.\n\n-- \nAgent",
            "Your number is\n#101 Printer broken (case, open)\nand stays so.",
            "#101 and #102 are done.\nSo is this: crmmail attachment save 3 is a command.",
        ],
    )
    def test_what_he_writes_of_the_record_himself(self, words: str) -> None:
        assert leaves(words, "https://crm.test/r/101") == words

    @pytest.mark.parametrize("gap", ["\n", "\n\n"])
    @pytest.mark.parametrize(
        "more", [{}, {"internal": True}, {"customer": ""}, {"to": ""}], ids=["customer", "internal", "nobody", "no to"]
    )
    @pytest.mark.parametrize("ours", LANGUAGES)
    def test_around_a_quote_without_any_mark(self, ours: str, more: dict[str, Any], gap: str) -> None:
        """As HTML mail is laid out: each line of ours goes, and no line of his."""
        files = [{"id": 7, "name": "plan.pdf", "size": 3}]
        told = notification(ours, text="it smokes.", files=files, **more)
        said = leaves("Pull the plug!\n\nFrom: Ana" + gap + told.text.replace("\n", gap) + gap + "And wait.\nAgent")
        assert said.split() == "Pull the plug! From: Ana it smokes. And wait. Agent".split()

    @pytest.mark.parametrize("ours", LANGUAGES)
    def test_wrapped_without_any_mark(self, ours: str) -> None:
        told = notification(ours, text="it smokes.", title="A printer whose name is so long that no line holds it")
        wrapped = "\n".join("\n".join(textwrap.wrap(line, 38)) for line in told.text.split("\n"))
        said = leaves(f"Pull the plug!\n\n{wrapped}\nAnd wait.")
        assert said.split() == "Pull the plug! it smokes. And wait.".split()

    def test_below_a_block_of_headers(self) -> None:
        text = written("outlook", "en", "Yes.", notification())
        assert leaves(f"{text}\nAnd no.\n") == "Yes.\n\n\nAnd no."

    def test_a_foot_whose_words_we_do_not_know(self) -> None:
        text = "Yes.\n\n-- \n#101 Printer broken (case, open)\nHier öffnen: crmmail show 101\nNur für uns.\n\nAnd no."
        assert leaves(text).split() == "Yes. And no.".split()

    def test_a_heading_below_the_line_that_a_program_writes(self) -> None:
        text = "Yes.\n\nOn Tue, Nov 24, 2026 at 10:00 AM Ana <ana@example.com> wrote:\n"
        assert leaves(f"{text}Ana wrote about #101 Printer broken:\n\nit smokes.\n") == "Yes."

    def test_in_time_that_grows_with_its_length(self) -> None:
        text = "-- \n#101 x (case, open)\n#101 wrote about #101 x\n[7] y: crmmail attachment save 7\n\n" * 3_000
        begun = time.monotonic()
        leaves(text)
        leaves("> " + text.replace("\n", "\n> "))
        assert time.monotonic() - begun < 5

    def test_the_users_own_signature_above_a_copied_mail(self) -> None:
        text = written("outlook", "en", "Yes.\n\n-- \nAgent", notification())
        assert leaves(text) == "Yes.\n\n-- \nAgent"


class TestNote:
    @pytest.mark.parametrize(
        ("text", "kept"),
        [
            ("#note\nShe never pays.", "She never pays."),
            ("#Note:\n\nShe never pays.", "She never pays."),
            ("\n\n  #NOTE\nShe never pays.", "She never pays."),
            ("# note\nShe never pays.", "She never pays."),
            ("\ufeff#note\nShe never pays.", "She never pays."),
            ("\u00a0#note\u00a0\nShe never pays.", "She never pays."),
            ("#note She never pays.", "She never pays."),
            ("#note: she never pays.\nNever.", "she never pays.\nNever."),
            ("Hello all,\n#note\nShe never pays.", "Hello all,\nShe never pays."),
            ("#note", ""),
        ],
    )
    def test_stays_inside(self, text: str, kept: str) -> None:
        assert answer.note(text, 101, OPENING) == kept

    def test_behind_a_blank_at_the_end(self) -> None:
        assert answer.note("On Tue, Ana wrote:\n> it smokes\n\n#note \n", 101, OPENING) is not None
        assert answer.note("> it smokes\n\n#note ", 101, OPENING) is not None

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "Hello.",
            "#notebook",
            "#note-worthy",
            "note\nHello",
            "Press #note on it.",
            "See\n#noted\n",
            "> #note\n\nYes",
        ],
    )
    def test_or_not(self, text: str) -> None:
        assert answer.note(text, 101, OPENING) is None

    @pytest.mark.parametrize("place", ["top", "bottom", "between"])
    @pytest.mark.parametrize(("program", "language"), MARKING)
    def test_wherever_he_writes(self, program: str, language: str, place: str) -> None:
        text = written(program, language, "#note\nShe never pays.", notification(), place=place, after="it smokes")
        kept = answer.note(text, 101, OPENING)
        assert kept is not None
        assert "She never pays." in kept
        assert not [line for line in kept.split("\n") if line.startswith("#note")]

    @pytest.mark.parametrize("ours", LANGUAGES)
    @pytest.mark.parametrize(("program", "language"), PROGRAMS)
    def test_what_our_foot_says_of_it_is_no_note(self, program: str, language: str, ours: str) -> None:
        assert answer.note(written(program, language, WORDS, notification(ours)), 101, OPENING) is None
