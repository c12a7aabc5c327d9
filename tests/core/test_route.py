"""Where a letter goes: `decide` by tables, in the order of behaviour §2."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import pytest
from core.letters import (
    ANN,
    BOB,
    BOB_AT_HOME,
    SECRET,
    alias,
    known,
    letter,
    own_id,
    settings,
    tagged,
    twin,
    vouched,
)

from crmmail.core import token
from crmmail.core.known import Envelope, Known
from crmmail.core.message import Mail, Part
from crmmail.core.route import Decision, Route, decide, mailbox

EVE = "eve@evil.example"
SUPPORT, SALES, NOBODY = "support@crm.example", "sales@crm.example", "nobody@crm.example"
CATCHALL, BOUNCE = "catchall@crm.example", "bounce@crm.example"


def said(route: Route) -> str:
    """A route in words: `stored token #101`, `stored alias: new lead by sales@crm.example`, `quarantined loop`."""
    words = f"{route.outcome} {route.reason}"
    if route.thread is not None:
        words += f" #{route.thread}"
    if route.kind:
        words += f": new {route.kind}" + (f" in {route.section}" if route.section else "")
    if route.recipient:
        words += f" by {route.recipient}"
    if route.candidate is not None:
        words += f" (perhaps #{route.candidate})"
    return words


def decided(mail: Mail, facts: Known | None = None, envelope: Envelope = Envelope(), **changes: Any) -> Decision:  # noqa: B008
    return decide(mail, envelope, facts or known(), settings(**changes))


NEW_CASE = f"stored alias: new case in support by {SUPPORT}"
NEW_LEAD = f"stored alias: new lead by {SALES}"
THEIRS = {"parents": {"theirs@customer.example": 101}}

# --- the order ----------------------------------------------------------------------------------------------


class Step(NamedTuple):
    """What makes a letter one for this step; and where it goes if no step above takes it."""

    name: str
    goes: str
    to: str = ""
    answers: str = ""
    mail: Mapping[str, Any] = MappingProxyType({})
    facts: Mapping[str, Any] = MappingProxyType({})
    twin: tuple[Any, ...] = ()
    envelope: Mapping[str, Any] = MappingProxyType({})


STEPS = (
    Step("own mail coming back", "ignored own", facts={"sent_before": True}),
    Step("the same letter again", "duplicate duplicate #101", twin=(twin(),)),
    Step("our Message-ID", "quarantined own-id-reused", mail={"message_id": own_id(109)}),
    Step("our alias as its sender", "quarantined own-address", mail={"sender": SALES}),
    Step("a bounce", "quarantined bounce-unmatched", to=BOUNCE),
    Step(
        "the whole of a cut copy",
        "stored whole #108",
        twin=(twin(same_content=False, thread=108, subject="", text="Hel"),),
    ),
    Step("a token", "stored token #107", to=tagged(107)),
    Step("our Message-ID answered", "stored own-id #106", answers=own_id(106)),
    Step(
        "a participant's reference",
        "stored reference #105",
        answers="5@x",
        facts={"parents": {"5@x": 105}, "takes_part": {105: ""}},
    ),
    Step(
        "a participant's subject",
        "stored subject #104",
        mail={"subject": "Re: [104]"},
        facts={"takes_part": {104: ""}},
    ),
    Step(
        "a stranger's reference",
        "unconfirmed unconfirmed (perhaps #103)",
        answers="3@x",
        facts={"parents": {"3@x": 103}},
    ),
    Step("an alias", NEW_LEAD, to=SALES),
    Step("a user's virtual address", f"quarantined user-address-new by {BOB}", to=BOB),
    Step("the catchall", f"quarantined catchall-addressed by {CATCHALL}", to=CATCHALL),
    Step("the section of -s", "stored section: new case in support", envelope={"section": "support"}),
    Step("nothing", "quarantined no-route", to="x@elsewhere.example"),
)


def ladder(steps: tuple[Step, ...]) -> Decision:
    """The decision about a letter that is one for all of these steps at once."""
    mail: dict[str, Any] = {}
    facts: dict[str, Any] = {"parents": {}, "takes_part": {}}
    envelope: dict[str, Any] = {"size": 200}
    for step in steps:
        mail |= step.mail
        envelope |= step.envelope
        for name, value in step.facts.items():
            facts[name] = {**facts[name], **value} if isinstance(value, dict) else value
    sender = mail.get("sender", ANN)
    facts["twins"] = tuple(one._replace(from_address=sender) for step in steps for one in step.twin)
    to = " ".join(step.to for step in steps)
    answers = " ".join(step.answers for step in reversed(steps))
    return decided(letter(**{"to": to, "answers": answers, **mail}), known(**facts), Envelope(**envelope))


@pytest.mark.parametrize("at", range(len(STEPS)), ids=[step.name.replace(" ", "-") for step in STEPS])
def test_each_step_comes_before_all_that_follow(at: int) -> None:
    assert said(ladder(STEPS[at:]).routes[0]) == STEPS[at].goes


@pytest.mark.parametrize("step", STEPS, ids=[step.name.replace(" ", "-") for step in STEPS])
def test_each_step_alone(step: Step) -> None:
    assert [said(route) for route in ladder((step,)).routes] == [step.goes]


# --- row by row ---------------------------------------------------------------------------------------------

CUT = twin(same_content=False, text="Help", size=100)  # of the letter "Help!"
FILE = Part(1, "scan.pdf", "application/pdf", b"%PDF", "", False)
MARK = token.sent_mark(SECRET, "1@customer.example", "c0ffee")

ROWS: dict[str, tuple[Mail, Known, Envelope, list[str]]] = {
    # own mail
    "our signature over it": (letter(headers={"x-crmmail-sent": MARK}), known(), Envelope(), ["ignored own"]),
    "our signature over another": (
        letter(headers={"x-crmmail-sent": MARK}, content_hash="decaf"),
        known(),
        Envelope(),
        [NEW_CASE],
    ),
    "our signature, second of two": (
        letter(headers={"x-crmmail-sent": ("x", MARK)}),
        known(),
        Envelope(),
        ["ignored own"],
    ),
    "our Message-ID, made by ourselves for a mail without one": (
        letter(message_id=own_id(101), has_own_id=False),
        known(),
        Envelope(),
        [NEW_CASE],
    ),
    "our alias as sender, with a tag": (
        letter("sales+x@crm.example"),
        known(),
        Envelope(),
        ["quarantined own-address"],
    ),
    "our alias as sender, in an answer with a token": (
        letter(SALES, to=tagged(101)),
        known(),
        Envelope(),
        ["quarantined own-address"],
    ),
    "our catchall as sender": (letter(CATCHALL), known(), Envelope(), ["quarantined own-address"]),
    "our bounce address as sender": (letter("bounce+x@crm.example"), known(), Envelope(), ["quarantined own-address"]),
    "a user's address as sender is not an alias": (letter(BOB), known(), Envelope(), [NEW_CASE]),
    # the same letter
    "again, in quarantine the first time": (
        letter(to=NOBODY),
        known(twins=(twin(thread=None, message=None, quarantine=4),)),
        Envelope(),
        ["duplicate duplicate"],
    ),
    "again, by an alias that the first copy did not cover": (
        letter(to=f"{SUPPORT} {SALES}"),
        known(twins=(twin(),)),
        Envelope(recipients=(SALES,)),
        ["duplicate duplicate #101", NEW_LEAD],
    ),
    "again, both aliases covered": (
        letter(to=f"{SUPPORT} {SALES}"),
        known(twins=(twin(covered=frozenset({SUPPORT, SALES})),)),
        Envelope(),
        ["duplicate duplicate #101"],
    ),
    "again, the first copy was an answer": (
        letter(to=SALES),
        known(twins=(twin(reply=True, covered=frozenset()),)),
        Envelope(),
        ["duplicate duplicate #101"],
    ),
    "again, to another address without an alias": (
        letter(),
        known(twins=(twin(),)),
        Envelope(recipients=(NOBODY,)),
        ["duplicate duplicate #101"],
    ),
    "again, by another alias of the same target": (
        letter(to=f"{SALES} offers@crm.example"),
        known(twins=(twin(covered=frozenset({SALES})),)),
        Envelope(recipients=("offers@crm.example",)),
        ["duplicate duplicate #101"],
    ),
    # a cut copy
    "the whole, after its beginning": (letter(), known(twins=(CUT,)), Envelope(size=200), ["stored whole #101"]),
    "the beginning, after the whole": (
        letter(text="He"),
        known(twins=(CUT,)),
        Envelope(size=50),
        ["stored cut-short #101"],
    ),
    "blanks at the cut do not matter": (
        letter(),
        known(twins=(CUT._replace(text="Hel \n"),)),
        Envelope(size=200),
        ["stored whole #101"],
    ),
    "a longer letter that begins otherwise": (
        letter(text="Hallo!"),
        known(twins=(CUT,)),
        Envelope(size=200),
        [NEW_CASE],
    ),
    "a whole by another sender": (letter(EVE), known(twins=(CUT,)), Envelope(size=200), [NEW_CASE]),
    "a whole under another subject": (
        letter(subject="Paper jam"),
        known(twins=(CUT,)),
        Envelope(size=200),
        [NEW_CASE],
    ),
    "a subject cut short": (
        letter(),
        known(twins=(CUT._replace(subject="The pri", text=""),)),
        Envelope(size=200),
        ["stored whole #101"],
    ),
    "a scanner's letters are nothing but files, all under one Message-ID": (
        letter(attachments=(FILE,)),
        known(twins=(CUT._replace(text="", attachments=1),)),
        Envelope(size=200),
        [NEW_CASE],
    ),
    "a scanner's letters, the smaller one later": (
        letter(text="", attachments=(FILE,)),
        known(twins=(CUT._replace(text="", attachments=1),)),
        Envelope(size=50),
        [NEW_CASE],
    ),
    "words that go on, and a file": (
        letter(attachments=(FILE,)),
        known(twins=(CUT._replace(attachments=1),)),
        Envelope(size=200),
        ["stored whole #101"],
    ),
    "a whole by a sender whom our own host refutes": (
        letter(headers=vouched("dmarc=fail")),
        known(twins=(CUT,)),
        Envelope(size=200),
        [NEW_CASE],
    ),
    "a whole by a user, unproven": (
        letter(BOB),
        known(twins=(CUT._replace(from_address=BOB),)),
        Envelope(size=200),
        [NEW_CASE],
    ),
    "a whole by a user, proven": (
        letter(BOB, headers=vouched("dmarc=pass")),
        known(twins=(CUT._replace(from_address=BOB),)),
        Envelope(size=200),
        ["stored whole #101"],
    ),
    "a whole by an unclear sender": (
        letter(""),
        known(twins=(CUT._replace(from_address=""),)),
        Envelope(size=200),
        [NEW_CASE],
    ),
    "a smaller letter with a longer text is none": (letter(), known(twins=(CUT,)), Envelope(size=50), [NEW_CASE]),
    "an equal size is no cut": (letter(), known(twins=(CUT,)), Envelope(size=100), [NEW_CASE]),
    "a cut copy that made no message": (
        letter(),
        known(twins=(CUT._replace(text=None, thread=None, message=None, quarantine=4),)),
        Envelope(size=200),
        [NEW_CASE],
    ),
    # answers
    "an answer makes no record, whatever address it came to (F110)": (
        letter(to=f"{SALES} {tagged(101)}"),
        known(),
        Envelope(),
        ["stored token #101"],
    ),
    "a token by --recipient alone": (
        letter(to="list@elsewhere.example"),
        known(),
        Envelope(recipients=(tagged(101),)),
        ["stored token #101"],
    ),
    "the strongest wins": (
        letter(to=tagged(102), answers=own_id(101)),
        known(),
        Envelope(),
        ["stored token #102"],
    ),
    "an answer to a merged record": (
        letter(answers="theirs@customer.example"),
        known(redirects={101: 105}, takes_part={105: ""}, **THEIRS),
        Envelope(),
        ["stored reference #105"],
    ),
    "a stranger, who perhaps answers a merged record": (
        letter(EVE, answers="theirs@customer.example"),
        known(redirects={101: 105}, **THEIRS),
        Envelope(),
        ["unconfirmed unconfirmed (perhaps #105)"],
    ),
    "a participant who is refuted": (
        letter(answers="theirs@customer.example", headers=vouched("dmarc=fail")),
        known(takes_part={101: ""}, **THEIRS),
        Envelope(),
        ["unconfirmed unconfirmed (perhaps #101)"],
    ),
    "a user's plain mail": (
        letter(BOB, answers="theirs@customer.example"),
        known(**THEIRS),
        Envelope(),
        ["unconfirmed unconfirmed (perhaps #101)"],
    ),
    "an unclear sender": (
        letter("", answers="theirs@customer.example"),
        known(**THEIRS),
        Envelope(),
        ["unconfirmed unconfirmed (perhaps #101)"],
    ),
    "a stranger's tag goes on to the alias": (letter(EVE, subject="Re: [101]"), known(), Envelope(), [NEW_CASE]),
    "a new letter from a participant, without references (oracle 10)": (
        letter(to=SALES),
        known(takes_part={101: ""}, contacts=(102,)),
        Envelope(),
        [NEW_LEAD],
    ),
    # on_reply = new
    "an alias that makes records of answers": (
        letter(to=f"eager@crm.example {tagged(101)}"),
        known(alias("eager@crm.example", on_reply="new")),
        Envelope(),
        ["stored alias: new case by eager@crm.example"],
    ),
    "an alias that threads, beside it": (
        letter(to=f"{SALES} eager@crm.example", answers=own_id(101)),
        known(alias("eager@crm.example", on_reply="new")),
        Envelope(),
        ["stored alias: new case by eager@crm.example"],
    ),
    "two such aliases with one target": (
        letter(to="eager@crm.example keen@crm.example", answers=own_id(101)),
        known(alias("eager@crm.example", on_reply="new"), alias("keen@crm.example", on_reply="new")),
        Envelope(),
        ["stored alias: new case by eager@crm.example"],
    ),
    "such an alias, but not for this sender": (
        letter(EVE, to="eager@crm.example", answers=own_id(101)),
        known(alias("eager@crm.example", on_reply="new", policy="contacts")),
        Envelope(),
        ["stored own-id #101"],
    ),
    "such an alias, and no answer": (
        letter(to="eager@crm.example"),
        known(alias("eager@crm.example", on_reply="new")),
        Envelope(),
        ["stored alias: new case by eager@crm.example"],
    ),
    "such an alias does not let a stranger's guess in": (
        letter(EVE, to="eager@crm.example", answers="theirs@customer.example"),
        known(alias("eager@crm.example", on_reply="new"), **THEIRS),
        Envelope(),
        ["unconfirmed unconfirmed (perhaps #101)"],
    ),
    # aliases
    "two aliases, in To's order": (letter(to=f"{SALES} {SUPPORT}"), known(), Envelope(), [NEW_LEAD, NEW_CASE]),
    "an alias in Cc": (letter(to="x@elsewhere.example", cc=SALES), known(), Envelope(), [NEW_LEAD]),
    "two aliases of one target": (letter(to=f"{SALES} offers@crm.example"), known(), Envelope(), [NEW_LEAD]),
    "an alias with a tag": (letter(to="sales+spring@crm.example"), known(), Envelope(), [NEW_LEAD]),
    "an alias with a tag that is no token": (
        letter(to=f"sales+101.u3.{'a' * 16}@crm.example"),
        known(),
        Envelope(),
        [NEW_LEAD],
    ),
    "an alias beside a user and the catchall": (
        letter(to=f"{BOB} {CATCHALL} {SALES}"),
        known(),
        Envelope(),
        [NEW_LEAD],
    ),
    "an alias of another kind": (
        letter(to="jobs@crm.example"),
        known(),
        Envelope(),
        ["stored alias: new contact by jobs@crm.example"],
    ),
    "an alias before the section": (letter(to=SALES), known(), Envelope(section="support"), [NEW_LEAD]),
    "a host like ours": (
        letter(to="sales@crm.example.evil.example"),
        known(),
        Envelope(),
        ["quarantined no-route"],
    ),
    "a letter from a machine is routed on": (
        letter(headers={"auto-submitted": "auto-generated"}),
        known(),
        Envelope(),
        [NEW_CASE],
    ),
    "a machine's answer joins its thread": (
        letter(to=tagged(101), headers={"auto-submitted": "auto-replied"}),
        known(),
        Envelope(),
        ["stored token #101"],
    ),
    "a machine's guess is unconfirmed like anybody's": (
        letter(EVE, answers="theirs@customer.example", headers={"precedence": "bulk"}),
        known(**THEIRS),
        Envelope(),
        ["unconfirmed unconfirmed (perhaps #101)"],
    ),
    # a user's address
    "his personal alias": (
        letter(to=BOB),
        known(alias(BOB, "lead", user=3)),
        Envelope(),
        [f"stored alias: new lead by {BOB}"],
    ),
    "his address with a tag": (
        letter(to="bob+x@crm.example"),
        known(),
        Envelope(),
        [f"quarantined user-address-new by {BOB}"],
    ),
    "his address elsewhere is none of ours": (letter(to=BOB_AT_HOME), known(), Envelope(), ["quarantined no-route"]),
    "an answer to his address reaches its record (F146)": (
        letter(to=BOB, answers=own_id(101)),
        known(),
        Envelope(),
        ["stored own-id #101"],
    ),
    # the catchall, the section, nothing
    "the catchall, with the section named": (
        letter(to=CATCHALL),
        known(),
        Envelope(section="support"),
        [f"quarantined catchall-addressed by {CATCHALL}"],
    ),
    "the catchall beside an unknown address of ours": (
        letter(to=f"{CATCHALL} {NOBODY}"),
        known(),
        Envelope(),
        [f"quarantined no-route by {NOBODY}"],
    ),
    "the section by its number": (
        letter(to="x@elsewhere.example"),
        known(),
        Envelope(section="2"),
        ["stored section: new case in support"],
    ),
    "the section, with a reply address": (
        letter(to="x@elsewhere.example"),
        known(),
        Envelope(section="support", reply_address=SUPPORT),
        [f"stored section: new case in support by {SUPPORT}"],
    ),
    "an unknown section": (letter(to=""), known(), Envelope(section="sails"), ["quarantined no-section"]),
    "an empty section is an unknown one": (letter(to=""), known(), Envelope(section=""), ["quarantined no-section"]),
    "nobody is addressed": (letter(to=""), known(), Envelope(), ["quarantined no-route"]),
    "an unknown address of ours": (letter(to=NOBODY), known(), Envelope(), [f"quarantined no-route by {NOBODY}"]),
    "an unclear sender with an alias": (letter("", to=SALES), known(), Envelope(), [NEW_LEAD]),
    # bounces
    "a report from a mailer": (
        letter(
            "mailer-daemon@mx.example",
            headers={"content-type": "multipart/report; report-type=delivery-status", "return-path": "<>"},
        ),
        known(),
        Envelope(),
        ["quarantined bounce-unmatched"],
    ),
    "a bounce never joins a record, whatever it answers": (
        letter(to=f"{BOUNCE} {tagged(101)}"),
        known(),
        Envelope(),
        ["quarantined bounce-unmatched"],
    ),
    "a vacation notice to the bounce address is no bounce": (
        letter(to=BOUNCE, answers=own_id(101), headers={"auto-submitted": "auto-replied"}),
        known(),
        Envelope(),
        ["stored own-id #101"],
    ),
}


@pytest.mark.parametrize(("mail", "facts", "envelope", "goes"), ROWS.values(), ids=ROWS)
def test_decide(mail: Mail, facts: Known, envelope: Envelope, goes: list[str]) -> None:
    assert [said(route) for route in decided(mail, facts, envelope).routes] == goes


# --- for whom it is -----------------------------------------------------------------------------------------


def traced(to: str = "x@elsewhere.example", delivered: str = "", original: str = "", **changes: Any) -> Mail:
    headers = {"delivered-to": tuple(delivered.split()), "x-original-to": tuple(original.split())}
    return letter(to=to, headers=headers, **changes)


ADDRESSED: dict[str, tuple[Mail, Envelope, list[str]]] = {
    "--recipient counts alone": (traced(SUPPORT, SUPPORT), Envelope(recipients=(SALES,)), [NEW_LEAD]),
    "--recipient, with a tag": (traced(), Envelope(recipients=("sales+x@crm.example",)), [NEW_LEAD]),
    "--recipient, an unknown one": (
        traced(SALES),
        Envelope(recipients=(NOBODY,)),
        [f"quarantined no-route by {NOBODY}"],
    ),
    "--recipient, the catchall": (
        traced(SALES),
        Envelope(recipients=(CATCHALL,)),
        [f"quarantined catchall-addressed by {CATCHALL}"],
    ),
    "several recipients": (traced(), Envelope(recipients=(SALES, SUPPORT, SALES)), [NEW_LEAD, NEW_CASE]),
    "X-Original-To, where To names nobody of ours (Bcc)": (traced(original=SALES), Envelope(), [NEW_LEAD]),
    "X-Original-To behind To": (traced(SUPPORT, original=SALES), Envelope(), [NEW_CASE, NEW_LEAD]),
    "the catchall's box, an alias in To (F139)": (traced(SALES, CATCHALL), Envelope(), [NEW_LEAD]),
    "the catchall's box, a user in To (F141)": (
        traced(BOB, CATCHALL),
        Envelope(),
        [f"quarantined user-address-new by {BOB}"],
    ),
    "the catchall's box, itself in To (F143)": (
        traced(CATCHALL, CATCHALL),
        Envelope(),
        [f"quarantined catchall-addressed by {CATCHALL}"],
    ),
    "an own box (F142)": (traced(SALES, SALES), Envelope(), [NEW_LEAD]),
    "an own box, blind copy": (traced(delivered=SALES), Envelope(), [NEW_LEAD]),
    "an own box used as catchall: not for the box (F144)": (
        traced(SUPPORT, delivered=SALES),
        Envelope(),
        [NEW_CASE],
    ),
    "an own box, a user in To (F144)": (
        traced(BOB, delivered=SALES),
        Envelope(),
        [f"quarantined user-address-new by {BOB}"],
    ),
    "the mailbox, told by the caller": (traced(), Envelope(mailbox=SALES), [NEW_LEAD]),
    "the mailbox and an address of ours": (traced(SUPPORT), Envelope(mailbox=SALES), [NEW_CASE]),
    "two Delivered-To, topmost first": (
        traced(delivered=f"{SUPPORT} jobs@crm.example {SALES} {CATCHALL}"),
        Envelope(),
        [NEW_CASE, "stored alias: new contact by jobs@crm.example", NEW_LEAD],
    ),
    "brackets and capitals": (traced(original="<SALES@CRM.Example>"), Envelope(), [NEW_LEAD]),
    "no clear address": (traced(original="sales@crm@example"), Envelope(), ["quarantined no-route"]),
}


@pytest.mark.parametrize(("mail", "envelope", "goes"), ADDRESSED.values(), ids=ADDRESSED)
def test_for_whom_it_is(mail: Mail, envelope: Envelope, goes: list[str]) -> None:
    assert [said(route) for route in decided(mail, known(), envelope).routes] == goes


@pytest.mark.parametrize(
    ("mail", "envelope", "box"),
    [
        (traced(delivered=f"{SALES} {CATCHALL}"), Envelope(), SALES),
        (traced(delivered=CATCHALL), Envelope(mailbox=SALES), SALES),
        (traced(delivered="<Sales@CRM.example>"), Envelope(), SALES),
        (traced(original=SALES), Envelope(), ""),
        (traced(), Envelope(), ""),
    ],
)
def test_the_mailbox_it_was_fetched_from(mail: Mail, envelope: Envelope, box: str) -> None:
    assert mailbox(mail, envelope) == box


@pytest.mark.parametrize(
    ("mail", "misuse"),
    [
        (traced(CATCHALL, CATCHALL), "misuse:catchall-addressed"),
        (traced(BOB, SALES), "misuse:box-used-as-catchall"),
        (traced(SUPPORT, SALES), "misuse:box-used-as-catchall"),
        (traced(SUPPORT, CATCHALL), ""),
        (traced(SALES, SALES), ""),
        (traced(SUPPORT, "somebody@elsewhere.example"), ""),
    ],
)
def test_wrong_pairs_of_box_and_addressee_are_noted(mail: Mail, misuse: str) -> None:
    notes = " ".join(decided(mail).notes)
    assert misuse in notes if misuse else "misuse" not in notes


# --- who may --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("policy", "sender", "facts", "headers", "welcome"),
    [
        ("everyone", EVE, {}, {}, True),
        ("everyone", "", {}, {}, True),
        ("everyone", ANN, {}, vouched("dmarc=fail"), True),
        ("contacts", EVE, {}, {}, False),
        ("contacts", "", {}, {}, False),
        ("contacts", ANN, {"contacts": (102,)}, {}, True),
        ("contacts", ANN, {"contacts": (102,)}, vouched("dmarc=fail"), False),
        ("contacts", BOB, {}, {}, True),
        ("contacts", BOB, {}, vouched("dmarc=fail"), False),
        ("followers", EVE, {}, {}, False),
        ("followers", ANN, {"contacts": (102,)}, {}, False),
        ("followers", ANN, {"follows_kinds": frozenset({"lead"})}, {}, False),
        ("followers", ANN, {"follows_kinds": frozenset({"case"})}, {}, True),
        ("followers", ANN, {"follows_kinds": frozenset({"case"})}, vouched("dmarc=fail"), False),
        ("followers", BOB, {}, {}, True),
    ],
)
def test_policies(policy: str, sender: str, facts: dict[str, Any], headers: dict[str, str], welcome: bool) -> None:
    facts = {**facts, "users": {BOB: 3}}
    door = "door@crm.example"
    (route,) = decided(
        letter(sender, to=door, headers=headers), known(alias(door, policy=policy), **facts), Envelope()
    ).routes
    if welcome:
        assert said(route) == f"stored alias: new case by {door}"
    else:
        assert said(route) == f"quarantined not-allowed by {door}"
        assert f"takes letters from {policy} only, not from {sender or 'an unclear sender'}" in route.sentence


def test_a_refused_alias_does_not_close_the_others() -> None:
    facts = known(alias("door@crm.example", policy="contacts"))
    routes = decided(letter(to=f"door@crm.example {SALES}"), facts).routes
    assert [said(route) for route in routes] == ["quarantined not-allowed by door@crm.example", NEW_LEAD]


# --- loops --------------------------------------------------------------------------------------------------

FORM = alias("form@crm.example", loop_limit=3)
OPEN = alias("open@crm.example", loop_limit=0)
LOOPS: dict[str, tuple[Mail, Known, dict[str, Any], str]] = {
    "one less than the limit": (letter(), known(new_records=19), {}, NEW_CASE),
    "the limit": (letter(), known(new_records=20), {}, f"quarantined loop by {SUPPORT}"),
    "another limit": (letter(), known(new_records=1), {"loop_new_records": 1}, f"quarantined loop by {SUPPORT}"),
    "no limit": (letter(), known(new_records=10**6), {"loop_new_records": 0}, NEW_CASE),
    "a web form's own limit, reached": (
        letter(to=FORM.address),
        known(FORM, new_records=3),
        {},
        f"quarantined loop by {FORM.address}",
    ),
    "a web form's own limit, above the common one": (
        letter(to=FORM.address),
        known(FORM._replace(loop_limit=99), new_records=50),
        {},
        f"stored alias: new case by {FORM.address}",
    ),
    "a web form without a limit": (
        letter(to=OPEN.address),
        known(OPEN, new_records=10**6),
        {},
        f"stored alias: new case by {OPEN.address}",
    ),
    "a section counts too": (
        letter(to=""),
        known(new_records=20),
        {"section": "support"},
        "quarantined loop",
    ),
    "many records do not stop an answer": (letter(to=tagged(101)), known(new_records=99), {}, "stored token #101"),
    "one message less than the limit": (letter(to=tagged(101)), known(messages={101: 19}), {}, "stored token #101"),
    "too many messages": (
        letter(to=tagged(101)),
        known(messages={101: 20}),
        {},
        "quarantined loop (perhaps #101)",
    ),
    "too many messages elsewhere": (letter(to=tagged(101)), known(messages={102: 99}), {}, "stored token #101"),
    "messages without a limit": (
        letter(to=tagged(101)),
        known(messages={101: 99}),
        {"loop_messages": 0},
        "stored token #101",
    ),
    "many messages do not stop a new record": (letter(), known(messages={101: 99}), {}, NEW_CASE),
    "what is no record is not counted": (
        letter(to=NOBODY),
        known(new_records=99),
        {},
        f"quarantined no-route by {NOBODY}",
    ),
    "a stranger's guess keeps its reason": (
        letter(EVE, answers="theirs@customer.example"),
        known(messages={101: 99}, new_records=99, **THEIRS),
        {},
        "unconfirmed unconfirmed (perhaps #101)",
    ),
}


@pytest.mark.parametrize(("mail", "facts", "changes", "goes"), LOOPS.values(), ids=LOOPS)
def test_loop_limits(mail: Mail, facts: Known, changes: dict[str, Any], goes: str) -> None:
    envelope = Envelope(section=changes.pop("section", None)) if "section" in changes else Envelope()
    (route,) = decided(mail, facts, envelope, **changes).routes
    assert said(route) == goes


def test_a_loop_names_the_sender_and_the_numbers() -> None:
    (route,) = decided(letter(), known(new_records=20), loop_minutes=30).routes
    assert route.sentence == f"{ANN} made 20 new records in 30 minutes; the limit is 20"


# --- what else a decision says ------------------------------------------------------------------------------


INSIDE = "stored own-id #101 (internal)"
HELD = "unconfirmed unconfirmed (perhaps #101)"
HELD_INSIDE = f"{HELD} (internal)"
NOTICE = own_id(101, "u3", internal=True)  # the Message-ID of an internal notice, made for bob
NOTES = {"parents": {"note@crm.example": 101}, "internal_parents": frozenset({"note@crm.example"})}
INTERNAL: dict[str, tuple[Mail, dict[str, Any], str]] = {
    "bob answers his notice": (letter(BOB, answers=NOTICE), {}, INSIDE),
    "bob answers, by the address": (
        letter(BOB, to=tagged(101, "u3", internal=True)),
        {},
        "stored token #101 (internal)",
    ),
    "bob answers a notice that was not internal": (letter(BOB, answers=own_id(101, "u3")), {}, "stored own-id #101"),
    "bob, whom our own host refutes": (letter(BOB, answers=NOTICE, headers=vouched("dmarc=fail")), {}, HELD_INSIDE),
    "the boss, unproven, answers bob's": (letter("boss@crm.example", answers=NOTICE), {}, HELD_INSIDE),
    "the boss, proven, answers bob's": (
        letter("boss@crm.example", answers=NOTICE, headers=vouched("dmarc=pass")),
        {},
        INSIDE,
    ),
    "somebody from a private address": (letter("bob@private.example", answers=NOTICE), {}, HELD_INSIDE),
    "nobody clear": (letter("", answers=NOTICE), {}, HELD_INSIDE),
    "an internal notice of another record says nothing about this one": (
        letter(BOB, to=tagged(101, "u3"), answers=own_id(102, "u3", internal=True)),
        {},
        "stored token #101",
    ),
    "bob, proven, answers a note by its stored id": (
        letter(BOB, answers="note@crm.example", headers=vouched("dmarc=pass")),
        NOTES,
        "stored reference #101 (internal)",
    ),
    # A customer's letter never is internal, whatever it answers.
    "a participant answers a note by its stored id": (
        letter(answers="note@crm.example"),
        {**NOTES, "takes_part": {101: "its e-mail"}},
        "stored reference #101",
    ),
    "a stranger answers a note by its stored id": (letter(EVE, answers="note@crm.example"), NOTES, HELD_INSIDE),
}


@pytest.mark.parametrize(("mail", "facts", "goes"), INTERNAL.values(), ids=INTERNAL)
def test_what_answers_an_internal_notice(mail: Mail, facts: dict[str, Any], goes: str) -> None:
    (route,) = decided(mail, known(**facts)).routes
    assert said(route) + (" (internal)" if route.internal else "") == goes


def test_a_borrowed_message_id_is_contested_and_said_so() -> None:
    facts = known(twins=(twin(same_content=False, text="Something else", from_address=EVE),))
    decision = decided(letter(), facts)
    assert decision.identifier_contested
    assert "its Message-ID belongs to another letter, so it proves nothing" in decision.notes
    assert [said(route) for route in decision.routes] == [NEW_CASE]


def test_an_ordinary_message_id_is_not_contested() -> None:
    assert not decided(letter()).identifier_contested


def test_what_the_copies_of_a_cut_letter_point_to() -> None:
    (whole,) = decided(letter(), known(twins=(CUT,)), Envelope(size=200)).routes
    (short,) = decided(letter(text="He"), known(twins=(CUT,)), Envelope(size=50)).routes
    assert (whole.supersedes, whole.superseded_by) == (11, None)
    assert (short.supersedes, short.superseded_by) == (None, 11)


def test_a_duplicate_names_where_the_first_copy_is() -> None:
    (stored,) = decided(letter(), known(twins=(twin(),))).routes
    (held,) = decided(letter(to=""), known(twins=(twin(thread=None, message=None, quarantine=4),))).routes
    assert (stored.thread, stored.message, stored.quarantine) == (101, 11, None)
    assert (held.thread, held.message, held.quarantine) == (None, None, 4)


def test_the_evidence_and_its_conflict_are_kept() -> None:
    decision = decided(letter(to=tagged(102), answers=own_id(101)))
    assert [(one.kind, one.thread) for one in decision.evidence] == [("token", 102), ("own-id", 101)]
    assert any("the evidence disagrees" in note for note in decision.notes)


def test_two_addresses_of_one_target_are_noted() -> None:
    notes = decided(letter(to=f"{SALES} offers@crm.example")).notes
    assert "offers@crm.example leads to the same place as an address before it" in notes


@pytest.mark.parametrize(
    ("mail", "facts", "words"),
    [
        (letter(EVE, answers="theirs@customer.example"), {}, "eve@evil.example takes no part in record 101"),
        (letter("", answers="theirs@customer.example"), {}, "an unclear sender takes no part in record 101"),
        (letter(BOB, answers="theirs@customer.example"), {}, f"nothing proves that {BOB} wrote it"),
        (
            letter(EVE, answers="theirs@customer.example"),
            {"internal_parents": frozenset({"theirs@customer.example"})},
            "that is internal, and nothing proves that eve@evil.example works here",
        ),
        (
            letter(answers="theirs@customer.example", headers=vouched("dmarc=fail")),
            {"takes_part": {101: ""}},
            f"our own host says that it is not from {ANN}",
        ),
    ],
)
def test_why_an_answer_is_unconfirmed(mail: Mail, facts: dict[str, Any], words: str) -> None:
    (route,) = decided(mail, known(**THEIRS, **facts)).routes
    assert words in route.sentence
    assert "it answers <theirs@customer.example>" in route.sentence


@pytest.mark.parametrize("at", range(len(STEPS)), ids=[step.name.replace(" ", "-") for step in STEPS])
def test_every_route_has_a_reason_and_a_sentence_in_one_line(at: int) -> None:
    for route in ladder(STEPS[at:]).routes:
        assert route.reason == route.reason.strip().lower() != ""
        assert route.sentence and "\n" not in route.sentence
