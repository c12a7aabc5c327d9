"""What readers of the code found, each as the conversation that showed it."""

from __future__ import annotations

import pytest
from conversation import OURS, Letter, Talk

from crmmail.store import tables


@pytest.fixture
def trusting(talk: Talk) -> Talk:
    """A shop that believes its own mail host."""
    talk.do(f"config set mail.trusted_authserv_id {OURS}")
    return talk


def vouched(line: str) -> bytes:
    return f"Authentication-Results: {OURS}; {line}\n".encode()


@pytest.mark.parametrize(
    "line",
    [
        # The return path is the sender's own word, and may spell a semicolon.
        "spf=pass smtp.mailfrom==?utf-8?q?=3B_dmarc=3Dpass?=@evil.example; dmarc=none header.from=crm.test",
        "dkim=pass header.d=crm.test; dmarc=fail header.from=crm.test",
        "dmarc=pass header.from=evil.example",
    ],
    ids=["encoded words", "a failed dmarc", "another From"],
)
def test_nobody_becomes_a_user_by_what_he_writes_into_a_header(trusting: Talk, case: Letter, line: str) -> None:
    letter = trusting.post(vouched(line) + trusting.raw("boss@crm.test", answers=case, text="Close it."))
    assert letter.outcome == "unconfirmed"
    assert trusting.state(case.record) == "draft"


def test_our_own_hosts_word_is_believed(trusting: Talk, case: Letter) -> None:
    line = "dmarc=pass header.from=crm.test"
    assert trusting.post(vouched(line) + trusting.raw("boss@crm.test", answers=case, text="Done.")).outcome == "stored"
    assert trusting.state(case.record) == "done"


def test_who_follows_from_outside_reads_the_words_and_nothing_of_the_house(talk: Talk, case: Letter) -> None:
    talk.do('contacts add "Marie" --email marie@fr.example --lang fr')
    talk.do(f"follow {case.record} --who marie@fr.example")
    talk.mail("ana@example.com", answers=case, text="Any news?")
    (copy,) = [one for one in talk.cli("outbox --json").json if one["to"] == "marie@fr.example"]
    said = talk.do(f"outbox show {copy['id']}")
    assert "Any news?" in said and "a écrit" in said
    assert "crmmail show" not in said and "draft" not in said
    assert said.count("[1]") == 1


def test_a_scanner_that_sends_all_under_one_id_loses_no_scan(talk: Talk) -> None:
    for size in (10, 2_000, 50):
        talk.mail("scanner@example.com", subject="Scan", id="same@scanner", files=[("scan.pdf", b"x" * size)])
    assert len(talk.all("case")) == 3


def test_a_forged_whole_replaces_nobodys_words(trusting: Talk, case: Letter) -> None:
    text = "It burns.\nAnd my new bank account is 1234."
    raw = trusting.raw("ana@example.com", subject="Printer broken", text=text, id=case.id)
    trusting.post(vouched("dmarc=fail header.from=example.com") + raw)
    (first, *_) = [one for one in trusting.show(case.record)["messages"] if one["kind"] == "email_in"]
    assert first["superseded_by"] is None


def test_more_letters_under_one_id_than_anybody_counts_are_each_there_once(talk: Talk) -> None:
    talk.environ(CRMMAIL_LOOP_NEW_RECORDS="0")
    letters = [talk.mail("ana@example.com", subject=f"No {n}", text=f"{n} is it.", id="same@x") for n in range(24)]
    assert {talk.post(one.raw).outcome for one in letters} == {"duplicate"}
    assert len(talk.all("case")) == 24


def test_undo_of_a_quarantine_decision_with_a_clock_that_runs(
    talk: Talk, case: Letter, monkeypatch: pytest.MonkeyPatch
) -> None:
    letter = talk.mail("eve@elsewhere.example", answers=case, text="Me too.")
    monkeypatch.delenv("CRMMAIL_NOW")
    for decision in (f"spam {letter.quarantine}", f"route {letter.quarantine} {case.record}"):
        talk.do(f"quarantine {decision}")
        assert talk.quarantine() == []
        talk.do("undo")
        assert talk.quarantine() == [("unconfirmed", letter.subject)]
        assert [one["reason"] for one in talk.inbox("agent") if one["quarantine"]] == ["unconfirmed"]


def test_bytes_that_were_not_to_be_kept_do_not_come_back_with_a_copy(talk: Talk) -> None:
    talk.do("aliases set sales@crm.test --no-keep-original")
    letter = talk.mail("ana@example.com", "sales@crm.test", "An offer?")
    talk.post(letter.raw)
    purged = talk.mail("ana@example.com", "jobs@crm.test", "Do you hire?")
    talk.do(f"quarantine purge {purged.quarantine} --yes")
    talk.post(purged.raw)
    with talk.open():
        assert [row.data for row in tables.Original.select()] == [None, None]
    assert "purged" in talk.refused(f"quarantine show {purged.quarantine} --raw")


def test_the_personal_alias_of_a_user_who_left_still_makes_records(talk: Talk) -> None:
    talk.do("users add carl --email carl@crm.test")
    talk.do("aliases add carl@crm.test --kind lead --user carl")
    talk.do("users remove carl")
    letter = talk.mail("ana@example.com", "carl@crm.test", "Hello Carl")
    assert letter.fates == [("stored", "alias")]
    assert "does not work here any more" in letter.evidence


def test_deleting_a_message_takes_its_waiting_copies_back(talk: Talk, case: Letter) -> None:
    talk.do(f"follow {case.record} --who expert@outside.example")
    letter = talk.mail("ana@example.com", answers=case, text="My card number is 1234.")
    assert len(talk.outbox()) == 1
    talk.do(f"message delete {letter.message}")
    assert talk.outbox() == []


def test_an_address_of_ours_follows_nothing_whatever_its_tag(talk: Talk, case: Letter) -> None:
    talk.do("config set mail.catchall catchall@crm.test")
    for address in ("support+x@crm.test", "catchall@crm.test"):
        assert "circles" in talk.refused(f"follow {case.record} --who {address}")


def test_a_query_with_a_date_that_is_none_is_a_query(talk: Talk, case: Letter) -> None:
    assert talk.do("list case after:nonsense -o ids") == ""


def test_an_eager_alias_keeps_its_policy(talk: Talk, case: Letter) -> None:
    talk.do("aliases set sales@crm.test --policy contacts --on-reply new")
    answer = talk.mail("ana@example.com", "sales@crm.test", answers=case, text="More.")
    assert (answer.reason, answer.record) == ("reference", case.record)
