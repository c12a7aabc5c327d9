"""What says that a letter is an answer, and to which record; strongest first."""

from __future__ import annotations

from typing import Any

import pytest
from core.letters import ANN, BOB, known, letter, own_id, settings, tagged, vouched

from crmmail.core.evidence import Evidence, believed, reply_evidence
from crmmail.core.known import Envelope, answered_ids, ask, recipients, subject_tags
from crmmail.core.message import Mail
from crmmail.core.sender import identify

EVE = "eve@evil.example"


def evidence(mail: Mail, *, recipients: tuple[str, ...] = (), **facts: Any) -> tuple[list[Evidence], list[str]]:
    envelope, known_facts, notes = Envelope(recipients=recipients), known(**facts), []  # type: ignore[var-annotated]
    sender = identify(mail, envelope, known_facts, settings())
    return reply_evidence(mail, envelope, sender, known_facts, settings(), notes), notes


def words(found: list[Evidence]) -> str:
    """`token 101, (reference 102)`: in brackets what is seen, but not believed."""
    return ", ".join(f"{one.kind} {one.thread}" if one.counts else f"({one.kind} {one.thread})" for one in found)


# --- the tags of a subject ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("subject", "numbers"),
    [
        ("Re: [101] Problem with the printer", [101]),
        ("RE: AW: WG: [101] Problem", [101]),
        ("[ 101 ] Problem", [101]),
        ("[\t101\t] Problem", [101]),
        ("[#101] Problem", [101]),
        ("[ #101] Problem", [101]),
        ("Problem[101]", [101]),
        ("Re: [7] Re: [8] [7]", [7, 8]),
        ("[007]", [7]),
        ("[" + "9" * 18 + "]", [10**18 - 1]),
        ("".join(f"[{number}]" for number in range(50)), list(range(20))),
        # None.
        ("Problem with 101", []),
        ("[101", []),
        ("[-1] [1.5] [1,5] [0x1] [] [ ] [#]", []),
        ("[1 2]", []),
        ("(101) {101} 【101】", []),
        ("[１０１]", []),  # full width
        ("[١٠١] [१०१] [²]", []),
        ("[\u00a0101]", []),  # a no-break space
        ("[" + "9" * 19 + "]", []),  # more digits than the database has
        ("[" + " " * 9 + "101]", []),
        ("", []),
    ],
)
def test_subject_tags(subject: str, numbers: list[int]) -> None:
    assert subject_tags(subject) == numbers


@pytest.mark.parametrize(
    ("subject", "internal"),
    [
        ("Re: [101] (note) Problem", True),
        ("AW: [ #101 ](NOTE) Problem", True),
        ("Re: [101] Problem (note)", False),
        ("(note) [101] Problem", False),
        ("Re: [102] (note) [101] Problem", False),
    ],
)
def test_the_subject_of_an_internal_notice(subject: str, internal: bool) -> None:
    found, _ = evidence(letter(BOB, subject=subject, headers=vouched("dmarc=pass")), threads=frozenset({101}))
    assert [(one.kind, one.thread, one.internal) for one in found] == [("subject", 101, internal)]


# --- ids and addresses --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("in_reply_to", "references", "answered"),
    [
        ((), (), []),
        (("a@x",), (), ["a@x"]),
        ((), ("root@x", "middle@x", "near@x"), ["near@x", "middle@x", "root@x"]),
        (("near@x",), ("root@x", "near@x"), ["near@x", "root@x"]),
        (("b@x", "a@x"), ("a@x",), ["b@x", "a@x"]),
    ],
)
def test_the_nearest_answered_letter_comes_first(
    in_reply_to: tuple[str, ...], references: tuple[str, ...], answered: list[str]
) -> None:
    assert answered_ids(letter(in_reply_to=in_reply_to, references=references)) == answered


def test_recipients_are_those_of_to_and_cc_and_behind_them_the_trace_headers() -> None:
    mail = letter(
        to="a@x.example b@x.example",
        cc="c@x.example a@x.example",
        headers={"delivered-to": ("<D@x.example>", "no address"), "x-original-to": "e@x.example"},
    )
    assert recipients(mail) == [f"{name}@x.example" for name in "abced"]


def test_the_question_names_all_that_must_be_looked_up() -> None:
    mail = letter(
        to=f"{tagged(103)} sales+x@crm.example",
        answers=f"{own_id(104)} theirs@customer.example",
        subject="[105] [103]",
        headers={"delivered-to": "catchall@crm.example"},
    )
    envelope = Envelope(recipients=(tagged(106),), section="support", mailbox="box@crm.example")
    question = ask(mail, envelope, settings(loop_minutes=7))
    assert question.message_id == mail.message_id
    assert question.sender == ANN
    assert question.answered == (own_id(104), "theirs@customer.example")
    assert question.threads == (106, 103, 104, 105)
    assert question.addresses == (
        *("support@crm.example", "sales@crm.example", "catchall@crm.example", ANN, "box@crm.example"),
    )
    assert (question.section, question.since_minutes) == ("support", 7)


def test_a_user_s_address_with_a_plus_is_looked_up_as_it_is() -> None:
    assert "bob+crm@home.example" in ask(letter("bob+crm@home.example"), Envelope(), settings()).addresses


# --- evidence -----------------------------------------------------------------------------------------------

PARENTS = {"theirs@customer.example": 102, "ours@crm.example": 103}
# letter, what is known, evidence
CASES: dict[str, tuple[Mail, dict[str, Any], str]] = {
    "a new letter": (letter(), {}, ""),
    "a token in To, from anybody": (letter(EVE, to=tagged(101)), {}, "token 101"),
    "a token in Cc": (letter(EVE, cc=tagged(101)), {}, "token 101"),
    "a token in a trace header": (letter(EVE, headers={"delivered-to": tagged(101)}), {}, "token 101"),
    "a token in capitals": (letter(EVE, to=tagged(101).upper()), {}, "token 101"),
    "our Message-ID, from anybody": (letter(EVE, answers=own_id(101)), {}, "own-id 101"),
    "our Message-ID among References": (letter(EVE, references=("x@y", own_id(101), "z@y")), {}, "own-id 101"),
    "our Message-ID is signed, so its row does not matter": (
        letter(EVE, answers=own_id(101)),
        {"parents": {own_id(101): 102}},
        "own-id 101",
    ),
    "an unsigned Message-ID of ours": (letter(EVE, answers="101.x.n0nce.aaaaaaaaaaaaaaaa@crm.example"), {}, ""),
    "a stored Message-ID, from a participant": (
        letter(answers="theirs@customer.example"),
        {"parents": PARENTS, "takes_part": {102: "its e-mail"}},
        "reference 102",
    ),
    "a stored Message-ID, from a stranger": (
        letter(EVE, answers="theirs@customer.example"),
        {"parents": PARENTS},
        "(reference 102)",
    ),
    "a participant of another record is a stranger here": (
        letter(answers="theirs@customer.example"),
        {"parents": PARENTS, "takes_part": {101: "its e-mail"}},
        "(reference 102)",
    ),
    "a Message-ID that is not stored": (letter(answers="unknown@x"), {"parents": {}, "takes_part": {102: ""}}, ""),
    "a participant whom our own host refutes": (
        letter(answers="theirs@customer.example", headers=vouched("dmarc=fail")),
        {"parents": PARENTS, "takes_part": {102: "its e-mail"}},
        "(reference 102)",
    ),
    "a refuted sender with a token": (letter(to=tagged(101), headers=vouched("dmarc=fail")), {}, "token 101"),
    "a user, unproven": (letter(BOB, answers="theirs@customer.example"), {"parents": PARENTS}, "(reference 102)"),
    "a user who only takes part, unproven": (
        letter(BOB, answers="theirs@customer.example"),
        {"parents": PARENTS, "takes_part": {102: "named in the conversation"}},
        "(reference 102)",
    ),
    "a user, proven, takes part in everything": (
        letter(BOB, answers="theirs@customer.example", headers=vouched("dmarc=pass")),
        {"parents": PARENTS},
        "reference 102",
    ),
    "a tag, from a participant": (letter(subject="Re: [101] x"), {"takes_part": {101: ""}}, "subject 101"),
    "a tag, from a stranger": (letter(EVE, subject="Re: [101] x"), {}, ""),
    "a tag, from a user, unproven": (letter(BOB, subject="[101]"), {"takes_part": {101: ""}}, ""),
    "a tag, from a user, proven": (letter(BOB, subject="[101]", headers=vouched("dmarc=pass")), {}, "subject 101"),
    "a tag, from a refuted participant": (
        letter(subject="[101]", headers=vouched("dmarc=fail")),
        {"takes_part": {101: ""}},
        "",
    ),
    "of several tags the first whose record he takes part in": (
        letter(subject="[102] [999] [103] [104]"),
        {"takes_part": {103: "", 104: ""}},
        "subject 103",
    ),
    "an unknown tag": (letter(subject="[999]"), {"takes_part": {999: ""}}, ""),
    "all of it, strongest first": (
        letter(to=tagged(104), answers=f"theirs@customer.example {own_id(105)}", subject="[101]"),
        {"parents": PARENTS, "takes_part": {101: "", 102: ""}},
        "token 104, own-id 105, reference 102, subject 101",
    ),
    "the nearest reference first": (
        letter(answers="ours@crm.example", references=("theirs@customer.example", "ours@crm.example")),
        {"parents": PARENTS, "takes_part": {102: "", 103: ""}},
        "reference 103, reference 102",
    ),
    "a redirect": (
        letter(to=tagged(101), answers="theirs@customer.example", subject="[103]"),
        {"parents": PARENTS, "redirects": {101: 107, 102: 108, 103: 109}, "takes_part": {108: "", 109: ""}},
        "token 107, reference 108, subject 109",
    ),
    "a redirect: who took part in the old record only": (
        letter(subject="[101]"),
        {"redirects": {101: 107}, "takes_part": {101: ""}},
        "",
    ),
    "a token for a record that is gone": (letter(to=tagged(999)), {}, ""),
    "an internal token, from the user it was made for": (letter(BOB, to=tagged(101, "u3", True)), {}, "token 101"),
    "an internal token, from anybody else": (
        letter(to=tagged(101, "u3", True)),
        {"takes_part": {101: ""}},
        "(token 101)",
    ),
    "an internal Message-ID, from anybody else": (letter(EVE, answers=own_id(101, "u3", True)), {}, "(own-id 101)"),
}


@pytest.mark.parametrize(("mail", "facts", "wanted"), CASES.values(), ids=CASES)
def test_evidence(mail: Mail, facts: dict[str, Any], wanted: str) -> None:
    assert words(evidence(mail, **facts)[0]) == wanted


def test_a_token_in_the_envelope_counts_first() -> None:
    found, _ = evidence(letter(EVE, to=f"list@elsewhere.example {tagged(102)}"), recipients=(tagged(101),))
    assert words(found) == "token 101, token 102"


NOTES: dict[str, tuple[Mail, dict[str, Any], list[str]]] = {
    "nothing to say": (letter(to=tagged(101)), {}, []),
    "a conflict": (
        letter(to=tagged(101), answers=own_id(102)),
        {},
        ["the evidence disagrees (101 by token, 102 by own-id); the strongest wins"],
    ),
    "agreement": (letter(to=tagged(101), answers=own_id(101)), {}, []),
    "agreement after a redirect": (
        letter(to=tagged(102), answers=own_id(101)),
        {"redirects": {101: 102}},
        ["record 101 lives on as 102"],
    ),
    "what is not believed is in no conflict": (
        letter(EVE, to=tagged(101), answers="theirs@customer.example"),
        {"parents": PARENTS},
        [],
    ),
    "a stranger's tag": (
        letter(EVE, subject="[101]"),
        {},
        ["[101] in the subject is no evidence: the sender takes no part in record 101"],
    ),
    "the tag of a user whom nothing proves": (
        letter(BOB, subject="[101]"),
        {},
        [f"[101] in the subject is no evidence: nothing proves that {BOB} wrote it"],
    ),
    "the tag of somebody whom our host refuted": (
        letter(EVE, subject="[101]", headers=vouched("dmarc=fail")),
        {},
        [f"[101] in the subject is no evidence: our own host says that it is not from {EVE}"],
    ),
    "an unknown tag is a footnote": (letter(subject="[999]"), {}, []),
    "a token for a record that is gone": (
        letter(to=tagged(999)),
        {},
        ["the signed token in its address names record 999, which does not exist"],
    ),
}


@pytest.mark.parametrize(("mail", "facts", "wanted"), NOTES.values(), ids=NOTES)
def test_what_why_will_say(mail: Mail, facts: dict[str, Any], wanted: list[str]) -> None:
    assert evidence(mail, **facts)[1] == wanted


@pytest.mark.parametrize(
    ("sender", "headers", "takes_part", "trusted"),
    [
        (ANN, {}, {101: ""}, True),
        (ANN, {}, {107: ""}, True),
        (ANN, {}, {102: ""}, False),
        (ANN, vouched("dmarc=pass"), {}, False),  # a customer's proof is no seat at every table
        (ANN, vouched("dmarc=fail"), {101: ""}, False),
        (BOB, {}, {101: ""}, False),
        (BOB, vouched("dmarc=pass"), {}, True),
        ("", {}, {}, False),
    ],
)
def test_believed(sender: str, headers: dict[str, str], takes_part: dict[int, str], trusted: bool) -> None:
    # Record 101 lives on as 107 where 107 is what the sender takes part in.
    facts = known(takes_part=takes_part, redirects={101: 107} if 107 in takes_part else {})
    found = identify(letter(sender, headers=headers), Envelope(), facts, settings())
    assert believed(101, found, facts) is trusted
