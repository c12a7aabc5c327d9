"""Who wrote a letter, and what proves it: From can be typed by anybody."""

from __future__ import annotations

import time
from typing import Any

import pytest
from core.letters import ANN, BOB, BOB_AT_HOME, known, letter, own_id, settings, tagged, vouched
from quick import QUICK

from crmmail.core.known import Envelope
from crmmail.core.sender import Sender, authentication, identify, proof_by_host


def who(**changes: Any) -> Sender:
    return identify(letter(**changes), Envelope(), known(), settings())


@pytest.mark.parametrize(
    ("sender", "user"),
    [
        (ANN, None),
        (BOB, 3),
        (BOB_AT_HOME, 3),
        ("", None),
        ("bob@crm.example.evil.example", None),
        ("bob+x@crm.example", None),
    ],
    ids=["customer", "user", "user's other address", "unclear", "longer", "with a tag"],
)
def test_from_names_a_user_and_proves_nothing(sender: str, user: int | None) -> None:
    found = who(sender=sender)
    assert (found.address, found.user, found.proven, found.how) == (sender, user, False, "")


PROOFS: dict[str, tuple[dict[str, Any], bool]] = {
    "nothing": ({}, False),
    "the token made for him, in the address": ({"to": tagged(101, "u3")}, True),
    "the token made for him, in an answered Message-ID": ({"answers": own_id(101, "u3")}, True),
    "the same, among References": ({"references": (own_id(101, "u3"), "later@customer.example")}, True),
    "a token behind X-Original-To": ({"headers": {"x-original-to": tagged(101, "u3")}}, True),
    "an internal token made for him": ({"answers": own_id(101, "u3", internal=True)}, True),
    "his token, but our host says dmarc=fail": (
        {"to": tagged(101, "u3"), "headers": vouched("dmarc=fail header.from=crm.example")},
        False,
    ),
    "another user's token": ({"to": tagged(101, "u1")}, False),
    "a user whose number begins alike": ({"to": tagged(101, "u33")}, False),
    "a contact's token with his number": ({"to": tagged(101, "c3")}, False),
    "a bare address's token": ({"to": tagged(101, "x")}, False),
    "a token that somebody made up": ({"to": f"support+101.u3.{'a' * 16}@crm.example"}, False),
    "his token in a subject": ({"subject": own_id(101, "u3")}, False),
    "our host says dmarc=pass": ({"headers": vouched("dmarc=pass header.from=crm.example")}, True),
    "our host says auth=pass for him": ({"headers": vouched(f"auth=pass smtp.auth={BOB}")}, True),
    "our host says auth=pass for another": ({"headers": vouched("auth=pass smtp.auth=eve@crm.example")}, False),
    "our host says dmarc=fail": ({"headers": vouched("dmarc=fail header.from=crm.example")}, False),
    "another host says dmarc=pass": ({"headers": vouched("dmarc=pass", host="mx.evil.example")}, False),
}


@pytest.mark.parametrize(("changes", "proven"), PROOFS.values(), ids=PROOFS)
def test_what_proves_a_user(changes: dict[str, Any], proven: bool) -> None:
    found = who(sender=BOB, **changes)
    assert found.proven is proven
    assert bool(found.how) is proven


@pytest.mark.parametrize(
    "changes", [row[0] for row in PROOFS.values() if row[1]], ids=[n for n in PROOFS if PROOFS[n][1]]
)
def test_no_proof_makes_a_user_of_a_stranger(changes: dict[str, Any]) -> None:
    assert (who(sender="eve@evil.example", **changes).user, who(sender=ANN, **changes).proven) == (None, False)


@pytest.mark.parametrize("where", ["to", "envelope"])
def test_what_a_user_sends_to_a_return_path_is_a_machines(where: str) -> None:
    path = f"bounce+{own_id(101, 'u3').partition('@')[0]}@crm.example"
    mail = letter(BOB, to=path if where == "to" else "support@crm.example")
    found = identify(mail, Envelope(recipients=(path,) if where == "envelope" else ()), known(), settings())
    assert found.machine == "return-path"
    assert who(sender=BOB, to=tagged(101, "u3")).machine == ""
    assert who(sender=ANN, to=path).machine == ""


def test_a_token_in_the_envelope_is_a_token_in_a_recipient_address() -> None:
    envelope = Envelope(recipients=(tagged(101, "u3"),))
    assert identify(letter(BOB, to="support@crm.example"), envelope, known(), settings()).proven


@pytest.mark.parametrize(
    ("headers", "machine"),
    [({}, ""), ({"auto-submitted": "auto-replied"}, "auto-replied"), ({"precedence": "bulk"}, "bulk")],
)
def test_machines(headers: dict[str, str], machine: str) -> None:
    assert who(headers=headers).machine == machine


# --- Authentication-Results (RFC 8601) ----------------------------------------------------------------------

# What the header says, and what it proves of ann@customer.example: dmarc, dkim, auth, refuted, or nothing.
RESULTS: dict[str, tuple[str | list[str], str]] = {
    "dmarc": ("mx.crm.example; dmarc=pass header.from=customer.example", "dmarc"),
    "dmarc in a long line": (
        "mx.crm.example; spf=pass smtp.mailfrom=x@y.example; dkim=none; dmarc=pass (p=reject dis=none)"
        " header.from=customer.example",
        "dmarc",
    ),
    "of another From": ("mx.crm.example; dmarc=pass header.from=other.example", ""),
    "upper case": ("MX.CRM.Example; DMARC=PASS", "dmarc"),
    "with a version": ("mx.crm.example 1; dmarc=pass", "dmarc"),
    "blanks and comments everywhere": ("mx.crm.example (ours) ; (x) dmarc (y) = (z) pass (w)", "dmarc"),
    "two that disagree": ("mx.crm.example; dmarc=pass; dmarc=none", ""),
    "a fail beside a pass": ("mx.crm.example; dmarc=pass; dmarc=fail", "refuted"),
    "a fail": ("mx.crm.example; dmarc=fail", "refuted"),
    "none": ("mx.crm.example; none", ""),
    "empty": ("", ""),
    "only the host": ("mx.crm.example", ""),
    "temperror": ("mx.crm.example; dmarc=temperror", ""),
    "passed, nearly": ("mx.crm.example; dmarc=passed", ""),
    # Whose line it is.
    "another host": ("mx.evil.example; dmarc=pass", ""),
    "a longer host": ("mx.crm.example.evil.example; dmarc=pass", ""),
    "a shorter host": ("crm.example; dmarc=pass", ""),
    "our host as a comment": ("(mx.crm.example) mx.evil.example; dmarc=pass", ""),
    "ours below another": (["mx.evil.example; dmarc=fail", "mx.crm.example; dmarc=pass"], ""),
    "another below ours": (["mx.crm.example; none", "mx.crm.example; dmarc=pass"], ""),
    "only the topmost": (["mx.crm.example; dmarc=pass", "mx.evil.example; dmarc=fail"], "dmarc"),
    # DKIM: the signer's domain must be the sender's own, or one above it.
    "dkim aligned": ("mx.crm.example; dkim=pass header.d=customer.example", "dkim"),
    "dkim by identity": ("mx.crm.example; dkim=pass header.i=@customer.example", "dkim"),
    "dkim of a mailing service": ("mx.crm.example; dkim=pass header.d=bulk.example", ""),
    "dkim of a domain that ends alike": ("mx.crm.example; dkim=pass header.d=tomer.example", ""),
    "dkim of a longer domain": ("mx.crm.example; dkim=pass header.d=customer.example.evil.example", ""),
    "dkim of a sub-domain, which may be somebody's": ("mx.crm.example; dkim=pass header.d=x.customer.example", ""),
    "dkim of a top-level domain": ("mx.crm.example; dkim=pass header.d=example", ""),
    "dkim that failed": ("mx.crm.example; dkim=fail header.d=customer.example", ""),
    "dkim without a signer": ("mx.crm.example; dkim=pass", ""),
    "two signatures, the strange one good": (
        "mx.crm.example; dkim=fail header.d=customer.example; dkim=pass header.d=evil.example",
        "",
    ),
    "two signatures, ours good": (
        "mx.crm.example; dkim=fail header.d=list.example; dkim=pass header.d=customer.example",
        "dkim",
    ),
    "a signer inside an identity": (
        "mx.crm.example; dkim=pass header.i=header.d=customer.example@evil.example header.d=evil.example",
        "",
    ),
    "dkim in a property of spf": ("mx.crm.example; spf=pass header.d=customer.example", ""),
    # Logins.
    "auth": ("mx.crm.example; auth=pass smtp.auth=ann@customer.example", "auth"),
    "auth, quoted": ('mx.crm.example; auth=pass smtp.auth="ann@customer.example"', "auth"),
    "auth of another": ("mx.crm.example; auth=pass smtp.auth=eve@customer.example", ""),
    "auth without a host": ("mx.crm.example; auth=pass smtp.auth=ann", ""),
    "auth that failed": ("mx.crm.example; auth=fail smtp.auth=ann@customer.example", ""),
    # Words of the sender's that our own host repeats: a return path, a selector, a reason.
    "pass in a comment": ("mx.crm.example; dmarc=fail (dmarc=pass)", "refuted"),
    "pass in a comment in a comment": ("mx.crm.example; spf=pass (a (b) ; dmarc=pass ) x=y", ""),
    "pass behind a bracket that a backslash hides": (r"mx.crm.example; spf=pass (a \) ; dmarc=pass ) x=y", ""),
    "pass behind a bracket that never closes": ("mx.crm.example; spf=pass (a ; dmarc=pass", ""),
    "pass in a quoted return path": ('mx.crm.example; spf=pass smtp.mailfrom="; dmarc=pass "@evil.example', ""),
    "pass behind a quoted quote": (r'mx.crm.example; spf=pass smtp.mailfrom="\"; dmarc=pass "@evil.example', ""),
    "a bracket in a quoted return path": (
        'mx.crm.example; spf=pass smtp.mailfrom="("@evil.example; dmarc=fail (x)',
        "refuted",
    ),
    "our host in quotes": ('"mx.crm.example"; dmarc=pass', "dmarc"),
    "quotes that never close": ('"mx.crm.example; dmarc=pass', ""),
    "a bracket in quotes for a host": ('"("; dmarc=pass', ""),
    "after a hidden bracket": (r"mx.crm.example; spf=pass (a \) b); dmarc=pass", "dmarc"),
    "after a hidden quote": (r'mx.crm.example; spf=pass smtp.mailfrom="a\"b"@x.example; dmarc=pass', "dmarc"),
    "a signer in a quoted identity": (
        'mx.crm.example; dkim=pass header.i="x header.d=customer.example"@evil.example',
        "",
    ),
    "a login in a quoted identity": (
        'mx.crm.example; auth=pass smtp.auth="x smtp.auth=ann@customer.example"@evil.example',
        "",
    ),
}


@pytest.mark.parametrize(("header", "proves"), RESULTS.values(), ids=RESULTS)
def test_authentication_results(header: str | list[str], proves: str) -> None:
    verdicts = authentication(letter(headers={"authentication-results": header}), settings())
    proof = proof_by_host(verdicts, ANN)
    assert proof.removeprefix("our own host says ").partition("=")[0] == proves.replace("refuted", "")
    assert identify(letter(headers={"authentication-results": header}), Envelope(), known(), settings()).refuted is (
        proves == "refuted"
    )


@pytest.mark.parametrize(
    ("address", "signer", "aligned"),
    [
        ("ann@customer.example", "customer.example", True),
        ("ann@mail.customer.example", "customer.example", True),
        ("ann@customer.example", "mail.customer.example", False),
        ("ann@xcustomer.example", "customer.example", False),
        ("ann@intranet", "intranet", False),
    ],
)
def test_alignment(address: str, signer: str, aligned: bool) -> None:
    assert bool(proof_by_host(frozenset({"dkim=pass", f"dkim=pass:{signer}"}), address)) is aligned


def test_without_a_trusted_host_nobody_is_believed() -> None:
    for name in ("", "mx.crm.example"):
        header = {"authentication-results": f"{name}; dmarc=pass"}
        assert authentication(letter(headers=header), settings(trusted_authserv_id="")) == frozenset()
    assert authentication(letter(), settings()) == frozenset()


@pytest.mark.parametrize("rubbish", ["(" * 200_000, '"' * 200_001, "\\" * 200_000, "; dkim=pass header.d=" * 10_000])
def test_a_hostile_header_takes_no_time(rubbish: str) -> None:
    start = time.process_time()
    verdicts = authentication(letter(headers=vouched(rubbish)), settings())
    assert proof_by_host(verdicts, ANN) == ""
    assert time.process_time() - start < QUICK


@pytest.mark.parametrize(
    ("sender", "verdict", "proven", "here"),
    [
        (BOB, "", True, True),
        (BOB_AT_HOME, "", True, True),
        ("support@crm.example", "", False, True),
        ("catchall@crm.example", "", False, True),
        (ANN, "", False, False),
        ("", "", False, False),
        (BOB, "dmarc=fail header.from=crm.example", False, False),
    ],
    ids=["user", "user's other address", "alias", "catchall", "customer", "unclear", "refuted"],
)
def test_what_lay_among_our_own_letters_is_ours_if_it_says_so(
    sender: str, verdict: str, proven: bool, here: bool
) -> None:
    mail = letter(sender=sender, headers=vouched(verdict) if verdict else {})
    found = identify(mail, Envelope(written_here=True), known(), settings())
    assert (found.proven, found.here) == (proven, here)
    assert not identify(mail, Envelope(), known(), settings()).here
