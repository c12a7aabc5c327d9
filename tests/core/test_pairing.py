"""S0's five right and three wrong pairs of mailbox and addressee (F139–F144, oracle 12)."""

from __future__ import annotations

import pytest

from crmmail.core.pairing import Verdict, judge

ALIASES = {"info@corp.example", "it-department@corp.example", "crm@corp.example"}
USERS = {"queenvasilisapavlovna@corp.example"}


def judged(mailbox: str, addressee: str, catchall: str = "catchall") -> Verdict:
    return judge(
        f"{mailbox}@corp.example",
        f"{addressee}@corp.example",
        catchall=f"{catchall}@corp.example" if catchall else "",
        aliases=ALIASES,
        users=USERS,
    )


@pytest.mark.parametrize(
    ("mailbox", "addressee", "code"),
    [
        ("catchall", "info", "catchall-alias"),  # F139
        ("catchall", "it-department", "catchall-alias"),  # F140
        ("catchall", "queenvasilisapavlovna", "catchall-user"),  # F141
        ("crm", "crm", "own-box"),  # F142
        ("info", "info", "own-box"),  # F142
    ],
)
def test_the_five_right_pairs(mailbox: str, addressee: str, code: str) -> None:
    verdict = judged(mailbox, addressee)
    assert (verdict.right, verdict.code) == (True, code)
    assert f"{addressee}@corp.example" in verdict.sentence


@pytest.mark.parametrize(
    ("mailbox", "addressee", "code", "words"),
    [
        ("catchall", "catchall", "catchall-addressed", "alias"),  # F143
        ("crm", "queenvasilisapavlovna", "box-used-as-catchall", "a user's address"),  # F144
        ("crm", "info", "box-used-as-catchall", "another address"),  # F144
    ],
)
def test_the_three_wrong_pairs(mailbox: str, addressee: str, code: str, words: str) -> None:
    verdict = judged(mailbox, addressee)
    assert (verdict.right, verdict.code) == (False, code)
    assert words in verdict.sentence


def test_an_address_of_nobody_behind_the_catchall_is_not_the_mailbox_s_fault() -> None:
    assert judged("catchall", "nobody")[:2] == (True, "catchall-unknown")


def test_without_a_catchall_a_box_has_only_its_own_letters() -> None:
    assert judged("crm", "crm", catchall="").right
    assert judged("crm", "info", catchall="").code == "box-used-as-catchall"
