"""Who hears of a message, and how (behaviour §3)."""

from __future__ import annotations

from typing import Any

import pytest

from crmmail.core.audience import Copy, Follower, audience, follows


def user(
    number: int, notify: str = "inbox", *, virtual: bool = False, types: tuple[str, ...] | None = None
) -> Follower:
    return Follower(number, None, f"user{number}@crm.example", types, notify, virtual)


def contact(number: int, *, types: tuple[str, ...] | None = None) -> Follower:
    return Follower(None, number, f"contact{number}@customer.example", types)


def bare(address: str) -> Follower:
    return Follower(None, None, address, None)


def heard(*followers: Follower, subtype: str = "discussion", internal: bool = False, **changes: Any) -> tuple[str, str]:
    """(users by inbox, addresses by mail), as words."""
    who = audience(followers, subtype=subtype, internal=internal, **{"author": None, **changes})
    return " ".join(map(str, who.inbox)), " ".join(copy.address for copy in who.mail)


@pytest.mark.parametrize(
    ("follower", "subtype", "subscribed"),
    [
        (user(1), "discussion", True),
        (user(1), "state", True),
        (user(1), "note", True),
        (user(1, types=("discussion",)), "state", False),
        (user(1, types=("state",)), "state", True),
        (user(1, types=()), "discussion", False),
        (contact(7), "discussion", True),
        (contact(7), "state", False),
        (contact(7, types=("state",)), "state", True),
        (bare("x@y.example"), "discussion", True),
        (bare("x@y.example"), "created", False),
    ],
)
def test_subscriptions(follower: Follower, subtype: str, subscribed: bool) -> None:
    assert follows(follower, subtype) is subscribed


@pytest.mark.parametrize(
    ("notify", "inbox", "mail"),
    [
        ("inbox", "1", ""),
        ("email", "", "user1@crm.example"),
        ("both", "1", "user1@crm.example"),
        ("none", "", ""),
    ],
)
@pytest.mark.parametrize("internal", [False, True], ids=["open", "internal"])
def test_a_user_hears_as_he_has_set(notify: str, inbox: str, mail: str, internal: bool) -> None:
    assert heard(user(1, notify), internal=internal) == (inbox, mail)


OUTSIDE = (contact(7), contact(8, types=("note", "discussion")), bare("x@y.example"))


@pytest.mark.parametrize("subtype", ["discussion", "note", "state"])
def test_what_is_internal_has_no_path_outside(subtype: str) -> None:
    assert heard(*OUTSIDE, subtype=subtype, internal=True) == ("", "")


def test_followers_outside_get_discussions_by_mail() -> None:
    assert heard(*OUTSIDE) == ("", "contact7@customer.example contact8@customer.example x@y.example")


CASES = {
    "the author hears nothing of his own words": (heard(user(1, "both"), user(2), author=1), ("2", "")),
    "an addressed user hears, follower or not": (heard(user(1), addressed=[5]), ("5 1", "")),
    "addressed and follower: one item": (heard(user(1), addressed=[1]), ("1", "")),
    "an author who addresses himself": (heard(user(2), author=1, addressed=[1]), ("2", "")),
    "who follows other things hears only when addressed": (
        heard(user(1, types=("state",)), user(2, types=("state",)), addressed=[2]),
        ("2", ""),
    ),
    "a holder gets no copy, but his item": (heard(user(1, "both"), holders={"user1@crm.example"}), ("1", "")),
    "a virtual address holds nothing": (
        heard(user(1, "both", virtual=True), holders={"user1@crm.example"}),
        ("1", "user1@crm.example"),
    ),
    "a customer in Cc gets no second copy": (
        heard(contact(7), contact(8), holders={"contact7@customer.example"}),
        ("", "contact8@customer.example"),
    ),
    "never to our own aliases": (heard(bare("sales@crm.example"), aliases={"sales@crm.example"}), ("", "")),
    "nor to one with a tag": (heard(bare("sales+x@crm.example"), aliases={"sales@crm.example"}), ("", "")),
    "never back to who wrote": (
        heard(bare("ann@customer.example"), author_address="ann@customer.example"),
        ("", ""),
    ),
    "one address, one copy": (heard(bare("x@y.example"), bare("x@y.example")), ("", "x@y.example")),
    "no address, no copy": (heard(Follower(None, 7, "", None)), ("", "")),
    "a machine's letter is shown and sends nothing": (
        heard(user(1, "both"), contact(7), silent=True),
        ("1", ""),
    ),
    "nobody follows": (heard(), ("", "")),
}


@pytest.mark.parametrize(("got", "wanted"), CASES.values(), ids=CASES)
def test_audience(got: tuple[str, str], wanted: tuple[str, str]) -> None:
    assert got == wanted


def test_a_copy_knows_for_whom_it_is() -> None:
    who = audience(
        [user(1, "email"), contact(7), bare("x@y.example")], subtype="discussion", internal=False, author=None
    )
    assert who.mail == (
        Copy("user1@crm.example", 1, None),
        Copy("contact7@customer.example", None, 7),
        Copy("x@y.example", None, None),
    )


def test_whose_only_address_is_an_alias_of_ours_finds_it_in_his_inbox() -> None:
    bob = Follower(3, None, "bob@crm.example", None, "email")
    heard = audience([bob], subtype="discussion", internal=False, author=None, aliases={"bob@crm.example"})
    assert heard == ((3,), ())
