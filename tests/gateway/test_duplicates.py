"""Behaviour §1: the same letter again, cut copies, one Message-ID and other content."""

from __future__ import annotations

import base64
import quopri
from collections.abc import Callable
from itertools import permutations

import pytest
from conversation import RECEIVED, Letter, Talk

from crmmail.mail.parse import is_beginning, parse, reach
from crmmail.store import tables


class TestTheSameLetterAgain:
    @pytest.mark.parametrize(
        "other",
        [
            lambda raw: raw,
            lambda raw: RECEIVED + raw,
            lambda raw: raw.replace(b"\n", b"\r\n"),
            lambda raw: raw.replace(b"To: support@crm.test", b"To: Support <support@crm.test>"),  # fetchmail rewrites
        ],
        ids=["same", "received", "crlf", "to"],
    )
    def test_is_a_duplicate_and_changes_nothing(
        self, talk: Talk, case: Letter, other: Callable[[bytes], bytes]
    ) -> None:
        talk.quiet()
        again = talk.post(other(case.raw))
        assert again.fates == [("duplicate", "duplicate")]
        assert (again.record, again.message) == (case.record, case.message)
        assert talk.words(case.record) == ["It burns."]
        assert talk.inbox("agent") == []
        assert talk.all("case") == [case.record]

    def test_without_a_message_id(self, talk: Talk) -> None:
        raw = talk.raw("ana@example.com", subject="No id", text="Hello.", id="")
        assert talk.post(raw).outcome == "stored"
        assert talk.post(RECEIVED + raw).outcome == "duplicate"
        assert talk.post(raw.replace(b"Hello.", b"Hello!")).outcome == "stored"
        assert len(talk.all("case")) == 2

    def test_reopens_nothing(self, talk: Talk, case: Letter) -> None:
        talk.do(f"close {case.record}", user="agent")
        talk.post(case.raw)
        assert talk.state(case.record) == "done"

    def test_of_an_answer_makes_no_record_at_another_alias(self, talk: Talk, case: Letter) -> None:
        answer = talk.mail("ana@example.com", answers=case, text="Well?", flags="--recipient=support@crm.test")
        again = talk.post(answer.raw, "--recipient=sales@crm.test")
        assert again.fates == [("duplicate", "duplicate")]
        assert talk.all("lead") == []

    def test_in_quarantine_is_held_once(self, talk: Talk) -> None:
        first = talk.mail("ana@example.com", "jobs@crm.test", "Do you hire?")
        again = talk.post(RECEIVED + first.raw)
        assert (again.outcome, again.quarantine) == ("duplicate", first.quarantine)
        assert talk.quarantine() == [("no-route", "Do you hire?")]

    def test_covers_an_alias_that_the_first_copy_did_not(self, talk: Talk) -> None:
        raw = talk.raw("ana@example.com", "support@crm.test, sales@crm.test", "To both", "Hello.")
        first = talk.post(raw, "--recipient=support@crm.test")
        assert (first.fates, talk.all("lead")) == ([("stored", "alias")], [])
        second = talk.post(RECEIVED + raw, "--recipient=sales@crm.test")
        assert second.fates == [("duplicate", "duplicate"), ("stored", "alias")]
        assert second.record == first.record  # the list names both records
        assert second.outcomes[1].record == talk.newest("lead")
        third = talk.post(raw, "--recipient=sales@crm.test")
        assert third.fates == [("duplicate", "duplicate")]
        assert talk.count(tables.Original) == 1

    def test_after_quarantine_covers_an_alias(self, talk: Talk) -> None:
        raw = talk.raw("ana@example.com", "jobs@crm.test", "Hello", "Hello.")
        talk.post(raw)
        assert talk.post(raw, "--recipient=support@crm.test").fates[1] == ("stored", "alias")


def test_one_letter_to_two_aliases_makes_two_records_of_one_original(talk: Talk) -> None:
    letter = talk.mail("ana@example.com", "sales@crm.test, support@crm.test", "To both", "Hello.")
    assert [(one.outcome, one.kind, one.created) for one in letter.outcomes] == [
        ("stored", "lead", True),
        ("stored", "case", True),
    ]
    assert talk.words(letter.outcomes[0].record) == talk.words(letter.outcomes[1].record) == ["Hello."]
    assert letter.outcomes[0].message != letter.outcomes[1].message
    assert talk.count(tables.Original) == 1


def test_two_aliases_of_one_target_make_one_record(talk: Talk) -> None:
    talk.do("aliases add offers@crm.test --kind lead")
    letter = talk.mail("ana@example.com", "offers@crm.test", "Hello", cc="sales@crm.test")
    assert letter.fates == [("stored", "alias")]
    assert "leads to the same place" in letter.evidence


class TestOneMessageIdAndOtherContent:
    def test_of_another_sender_is_a_new_letter_and_its_id_proves_nothing(self, talk: Talk, case: Letter) -> None:
        thief = talk.mail("eve@evil.example", subject="Other", text="It burns. Or not.", id=case.id)
        assert thief.record != case.record
        assert "its Message-ID belongs to another letter" in thief.evidence
        answer = talk.mail("ana@example.com", answers=case.id, text="Still.")
        assert answer.record == case.record
        assert talk.words(thief.record) == ["It burns. Or not."]

    def test_of_the_same_sender_is_a_new_letter(self, talk: Talk, case: Letter) -> None:
        assert talk.mail("ana@example.com", subject="Other", text="Quite another.", id=case.id).record != case.record

    def test_cut_short_and_then_whole(self, talk: Talk) -> None:
        whole = talk.raw("ana@example.com", subject="Long", text="First line.\nSecond line.\nThird line.")
        cut = talk.post(whole[: whole.index(b"Second")])
        talk.do(f"close {cut.record}", user="agent")
        talk.quiet()
        letter = talk.post(whole)
        assert (letter.outcome, letter.reason, letter.record) == ("stored", "whole", cut.record)
        shown = [one for one in talk.show(cut.record)["messages"] if one["kind"] == "email_in"]
        assert [one["superseded_by"] for one in shown] == [letter.message, None]
        assert shown[1]["text"] == "First line.\nSecond line.\nThird line."
        assert talk.heard("agent") == [(cut.record, shown[1]["text"])]
        assert talk.post(whole).outcome == "duplicate"
        assert talk.post(cut.raw).outcome == "duplicate"
        assert talk.all("case") == [cut.record]

    def test_whole_and_then_cut_short(self, talk: Talk) -> None:
        raw = talk.raw("ana@example.com", subject="Long", text="First line.\nSecond line.\nThird line.")
        whole = talk.post(raw)
        talk.quiet()
        cut = talk.post(raw[: raw.index(b"Second")])
        assert (cut.outcome, cut.reason, cut.record) == ("stored", "cut-short", whole.record)
        shown = [one for one in talk.show(whole.record)["messages"] if one["kind"] == "email_in"]
        assert [one["superseded_by"] for one in shown] == [None, whole.message]
        assert talk.inbox("agent") == []  # nothing new was said

    def test_cut_short_by_another_sender_is_his_own_letter(self, talk: Talk) -> None:
        first = talk.mail("ana@example.com", subject="Long", text="First line.", id="same@example.com")
        other = talk.mail("eve@evil.example", subject="Long", text="First line.\nMine.", id="same@example.com")
        assert other.record != first.record

    def test_three_copies_in_any_order(self, talk: Talk) -> None:
        """One live message, the whole one: a shorter half is not taken for the whole of a still shorter one."""
        for order in permutations((0.4, 0.7, 1.0)):
            text = "".join(f"Line {number} of {order}.\n" for number in range(20))
            raw = talk.raw("ana@example.com", subject="Long", text=text)
            body = raw.index(b"\n\n") + 2
            first, *others = [talk.post(raw[: body + int((len(raw) - body) * part)]) for part in order]
            assert [one.record for one in others] == [first.record] * 2
            shown = [one for one in talk.show(first.record)["messages"] if one["kind"] == "email_in"]
            assert [one["text"].strip() for one in shown if one["superseded_by"] is None] == [text.strip()]

    def test_whose_bytes_are_not_kept_is_known_by_its_words(self, talk: Talk) -> None:
        talk.do("aliases set support@crm.test --no-keep-original")
        whole = talk.raw("ana@example.com", subject="Long", text="First line.\nSecond line.\nThird line.")
        cut = talk.post(whole[: whole.index(b"Second")])
        assert (talk.post(whole).reason, talk.count(tables.Thread)) == ("whole", 1)
        assert cut.outcome == "stored"

    def test_words_that_go_on_elsewhere_are_no_cut(self, talk: Talk) -> None:
        """A broken mailer gives all its mails one Message-ID; "Hi" is how the next letter begins, too."""
        first = talk.mail("ana@example.com", subject="One", text="Hi", id="same@example.com")
        talk.wait(minutes=1)
        other = talk.mail("ana@example.com", subject="Two", text="Hi, how much is it?", id="same@example.com")
        assert (other.fates, other.record != first.record) == ([("stored", "alias")], True)
        assert talk.words(first.record) == ["Hi"]

    def test_the_footer_of_a_list_belongs_to_the_longer_copy(self, talk: Talk, case: Letter) -> None:
        """The letter itself, and once more by way of a mailing list: one record, and both can be read."""
        footer = b"_______\nOur list: https://list.example\n"
        listed = talk.post(b"List-Id: <all.list.example>\n" + case.raw + footer)
        assert (listed.reason, listed.record) == ("whole", case.record)
        assert len(talk.words(case.record)) == 2

    def test_cut_in_an_attachment(self, talk: Talk) -> None:
        raw = talk.raw("ana@example.com", subject="File", text="See file.", files=[("a.bin", bytes(range(256)) * 20)])
        cut = talk.post(raw[: len(raw) // 2])
        whole = talk.post(raw)
        assert (whole.reason, whole.record) == ("whole", cut.record)


RUSSIAN = "Здравствуйте! У нас горит принтер, и мы не можем печатать.\nПриезжайте скорее — очень ждём.\n"
PAGE = f'<html><body><p>{RUSSIAN}<b>See</b> <a href="https://example.com/a?b=c&amp;d">our page</a>.</p></body></html>'
HEAD = "From: ana@example.com\nTo: support@crm.test\nSubject: Long\nMessage-ID: <cut@example.com>\nMIME-Version: 1.0\n"


def as_sent(kind: str, text: str, encoding: str) -> bytes:
    """A mail as one of its ways of being written."""
    data = text.encode()
    coded = {"base64": base64.encodebytes, "quoted-printable": quopri.encodestring}.get(encoding, bytes)(data)
    head = f"{HEAD}Content-Type: {kind}; charset=utf-8\nContent-Transfer-Encoding: {encoding}\n\n"
    return head.encode() + coded


WAYS = {
    f"{kind} {encoding}": as_sent(kind, text, encoding)
    for kind, text in (("text/plain", RUSSIAN), ("text/html", PAGE))
    for encoding in ("8bit", "quoted-printable", "base64")
}


class TestCutAnywhere:
    """The line breaks where it likes: inside a Cyrillic letter, a tag, an address, a quantum of base64."""

    @pytest.mark.parametrize("way", WAYS)
    def test_the_bytes_tell(self, way: str) -> None:
        raw = WAYS[way]
        again = RECEIVED + raw.replace(b"\n", b"\r\n")
        for cut in range(raw.index(b"Message-ID"), len(raw)):
            assert is_beginning(raw[:cut], again) and is_beginning(again[: len(RECEIVED) + cut], raw), cut
            assert not is_beginning(raw[:cut].rstrip() + b"\n\nWe have moved!", raw)
        assert not is_beginning(b"", raw) and not is_beginning(RECEIVED, raw)

    def test_so_much_of_the_whole_is_enough(self) -> None:
        """All that the way can add to one of the two: a byte to each line end, and a header on top."""
        raw = b"Message-ID: <1@example.com>\n\n" + b"a\n" * 100_000
        whole = RECEIVED * (250_000 // len(RECEIVED)) + (raw + b"the rest").replace(b"\n", b"\r\n")
        assert is_beginning(raw, whole[: reach(len(raw))])

    @pytest.mark.parametrize("way", WAYS)
    @pytest.mark.parametrize("whole_first", [False, True])
    def test_it_is_one_letter(self, talk: Talk, way: str, whole_first: bool) -> None:
        raw = WAYS[way]
        begin = raw.index(b"\n\n") + 2
        copies = [raw[: begin + (len(raw) - begin) * part // 7] for part in (2, 3, 5)]
        for one in [raw, *copies] if whole_first else [*copies, RECEIVED + raw]:
            assert talk.post(one).outcome == "stored"
        assert len(talk.all("case")) == 1
        shown = [one for one in talk.show(1)["messages"] if one["kind"] == "email_in"]
        (live,) = [one for one in shown if one["superseded_by"] is None]
        assert "очень ждём" in live["text"]

    def test_in_its_header(self, talk: Talk) -> None:
        """Before the header says that it is base64."""
        raw = WAYS["text/plain base64"]
        cut = talk.post(raw[: raw.index(b"Content-Transfer")])
        assert (talk.post(RECEIVED + raw).reason, len(talk.all("case"))) == ("whole", 1)
        assert cut.outcome == "stored"


@pytest.mark.parametrize("kind", ["text/plain", "text/html"])
def test_a_mail_server_may_encode_it_anew(talk: Talk, kind: str) -> None:
    """8 bits become quoted-printable or, where most letters are not ASCII, base64 with CRLF (sendmail): still the same
    letter."""
    text = RUSSIAN if kind == "text/plain" else PAGE
    first = talk.post(as_sent(kind, text, "8bit"))
    for other in (
        as_sent(kind, text, "quoted-printable"),
        as_sent(kind, text, "base64"),
        as_sent(kind, text.replace("\n", "\r\n"), "base64"),
        as_sent(kind, text + "\n\n", "8bit"),
    ):
        again = talk.post(RECEIVED + other)
        assert (again.outcome, again.record) == ("duplicate", first.record)


@pytest.mark.parametrize(
    ("changed", "same"),
    [
        (lambda raw: raw.replace(b"burns", b"burned"), False),
        (lambda raw: raw.replace(b"Printer broken", b"Printer"), False),
        (lambda raw: raw.replace(b"ana@", b"eve@"), False),
        (lambda raw: raw.replace(b"Nov 2026", b"Dec 2026"), False),
        (lambda raw: raw.replace(b'"a.bin"', b'"b.bin"'), False),
        (lambda raw: raw.replace(b"AAEC", b"AAED"), False),
        (lambda raw: raw.replace(b"It burns.", b">From now on it burns."), False),
        (lambda raw: raw.replace(b"To: support@crm.test", b"To: other@crm.test\nCc: sales@crm.test"), True),
        (lambda raw: b"X-Spam: no\nDelivered-To: support@crm.test\nReturn-Path: <x@y>\n" + raw, True),
        (lambda raw: raw.replace(b"Printer broken", b"=?utf-8?q?Printer_broken?="), True),
        (lambda raw: raw.replace(b"\n", b"\r\n"), True),
    ],
)
def test_what_makes_the_content_of_a_letter(talk: Talk, changed: Callable[[bytes], bytes], same: bool) -> None:
    """Sender, subject, date, words, files and their names; not the way it came, nor whom the headers name."""
    files = [("a.bin", bytes(range(60)))]
    raw = talk.raw("ana@example.com", subject="Printer broken", text="It burns.", files=files)
    assert changed(raw) != raw
    assert (parse(changed(raw)).content_hash == parse(raw).content_hash) == same


class TestACutCopyToTwoAddresses:
    """The line breaks in the middle of a letter that is for support@ and sales@."""

    @staticmethod
    def halves(talk: Talk) -> tuple[bytes, bytes]:
        text = "The first words of it.\nAnd what came after the break."
        whole = talk.raw("ana@example.com", "support@crm.test, sales@crm.test", "To both", text)
        return whole[: whole.index(b"And what")], whole

    def test_the_whole_reaches_every_record(self, talk: Talk) -> None:
        half, whole = self.halves(talk)
        first = talk.post(half)
        again = talk.post(whole)
        assert [one.record for one in again.outcomes] == [one.record for one in first.outcomes]
        assert {one.reason for one in again.outcomes} == {"whole"}
        for record in (talk.newest("case"), talk.newest("lead")):
            assert "after the break" in talk.words(record)[-1]
        assert talk.post(whole).fates == [("duplicate", "duplicate")]

    def test_an_alias_that_the_half_did_not_cover_gets_its_record(self, talk: Talk) -> None:
        half, whole = self.halves(talk)
        talk.post(half, "--recipient=support@crm.test")
        both = talk.post(whole, "--recipient=sales@crm.test")
        assert [(one.reason, one.kind) for one in both.outcomes] == [("whole", "case"), ("alias", "lead")]
        for recipient in ("sales", "support"):
            again = talk.post(whole, f"--recipient={recipient}@crm.test")
            assert again.fates == [("duplicate", "duplicate")]
        assert (len(talk.all("case")), len(talk.all("lead"))) == (1, 1)


def test_two_names_of_one_place_are_one_also_when_the_header_names_neither(talk: Talk) -> None:
    talk.do("aliases add vertrieb@crm.test --kind lead")
    raw = talk.raw("ana@example.com", "undisclosed-recipients:;", "Blind copies", "Hello.")
    talk.post(raw, "--recipient=sales@crm.test")
    assert talk.post(raw, "--recipient=vertrieb@crm.test").fates == [("duplicate", "duplicate")]
    assert len(talk.all("lead")) == 1
