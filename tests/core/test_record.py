"""Kinds, states, buttons: each state with each button, and each letter with each state (behaviour §5)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crmmail.core import record
from crmmail.errors import Refused, UsageError

# A row a button, a column a state; "" where the button is not possible.
TABLES = {
    "case": """
        button    draft     open      pending   done      cancel
        open      open      -         open      open      open
        pending   pending   pending   -         -         -
        close     done      done      done      -         -
        cancel    cancel    cancel    cancel    -         -
        reset     -         -         -         draft     draft
    """,
    "lead": """
        button    new       qualified converted lost
        qualify   qualified -         -         -
        lose      lost      lost      -         -
        reset     -         new       -         new
    """,
}


def cells() -> list[tuple[str, str, str, str]]:
    """(kind, state, button, target), "" for a target that there is none."""
    found = []
    for kind, table in TABLES.items():
        head, *rows = (line.split() for line in table.strip().splitlines())
        for button, *targets in rows:
            for state, target in zip(head[1:], targets, strict=True):
                found.append((kind, state, button, target.strip("-")))
    return found


CELLS = [pytest.param(*cell, id="-".join(cell[:3])) for cell in cells()]


@pytest.mark.parametrize(("kind", "state", "button", "target"), CELLS)
def test_each_button_in_each_state(kind: str, state: str, button: str, target: str) -> None:
    if target:
        assert record.press(kind, state, button) == target
        return
    with pytest.raises(Refused) as caught:
        record.press(kind, state, button)
    possible = [other for k, s, other, goes in cells() if (k, s) == (kind, state) and goes]
    assert str(caught.value).startswith(f"{button} is not possible for a {kind} in state {state}; ")
    listed = f"possible now: {', '.join(possible)}" if possible else "no button is possible now"
    assert str(caught.value).endswith(listed)


@pytest.mark.parametrize(("kind", "state"), sorted({cell[:2] for cell in cells()}))
def test_what_can_be_pressed_is_what_leads_somewhere(kind: str, state: str) -> None:
    possible = [button for k, s, button, target in cells() if (k, s) == (kind, state) and target]
    assert record.buttons(kind, state) == possible


@given(st.sampled_from(sorted(TABLES)), st.lists(st.sampled_from([one.name for one in record.BUTTONS]), max_size=12))
def test_a_walk_over_the_buttons_never_leaves_the_states(kind: str, walk: list[str]) -> None:
    state = record.KINDS[kind].states[0]
    for button in walk:
        possible = record.buttons(kind, state)
        if button in possible:
            state = record.press(kind, state, button)
            assert state in record.KINDS[kind].states
            assert state == record.target(kind, button)
        else:
            with pytest.raises(Refused) as caught:
                record.press(kind, state, button)
            assert str(caught.value).endswith(f"possible now: {', '.join(possible)}")


def test_the_tables_above_hold_every_button_and_state() -> None:
    assert {(kind, button) for kind, _, button, _ in cells()} == {(one.kind, one.name) for one in record.BUTTONS}
    for kind in TABLES:
        assert {state for k, state, _, _ in cells() if k == kind} == set(record.KINDS[kind].states)


def test_a_contact_has_no_states() -> None:
    assert record.buttons("contact", "") == []
    with pytest.raises(Refused, match="a contact has no states, so there is nothing to close"):
        record.press("contact", "", "close")


def test_an_unknown_button_is_refused_like_an_impossible_one() -> None:
    with pytest.raises(Refused, match="explode is not possible for a case in state draft; possible now: open, "):
        record.press("case", "draft", "explode")


# --- letters ------------------------------------------------------------------------------------------------

# Behaviour §5, row by row: who writes, the section's policy, and the state that each state becomes.
AFTER_MAIL = """
    writer   policy    draft     open      pending   done      cancel
    partner  open      draft     open      open      open      cancel
    partner  keep      draft     open      pending   done      cancel
    partner  close     done      done      done      done      cancel
    user     close     done      done      done      done      cancel
    user     pending   pending   pending   pending   done      cancel
    user     keep      draft     open      pending   done      cancel
    machine  open      draft     open      pending   done      cancel
    machine  close     draft     open      pending   done      cancel
"""


def letters() -> list[object]:
    head, *rows = (line.split() for line in AFTER_MAIL.strip().splitlines())
    return [
        pytest.param(writer, policy, state, after, id=f"{writer}-{policy}-{state}")
        for writer, policy, *states in rows
        for state, after in zip(head[2:], states, strict=True)
    ]


@pytest.mark.parametrize(("writer", "policy", "state", "after"), letters())
def test_the_state_after_a_letter(writer: str, policy: str, state: str, after: str) -> None:
    # The other writer's policy is one that would change something, so that mixing them up shows.
    policies = {
        "partner": {"on_partner_reply": policy, "on_user_reply": "close" if policy != "close" else "pending"},
        "user": {"on_partner_reply": "open" if policy != "keep" else "close", "on_user_reply": policy},
        "machine": {"on_partner_reply": policy, "on_user_reply": "close"},
    }[writer]
    assert record.after_mail("case", state, writer=writer, **policies) == after


@pytest.mark.parametrize(
    ("writer", "policy", "after"),
    [
        ("partner", "open", "open"),
        ("partner", "keep", "cancel"),
        ("partner", "close", "cancel"),
        ("user", "open", "cancel"),
        ("machine", "open", "cancel"),
    ],
)
def test_a_cancelled_case_opens_by_option(writer: str, policy: str, after: str) -> None:
    policies = {"on_partner_reply": policy, "on_user_reply": "close", "reopen_cancelled": True}
    assert record.after_mail("case", "cancel", writer=writer, **policies) == after


@pytest.mark.parametrize("writer", ["partner", "user", "machine"])
@pytest.mark.parametrize(("kind", "state"), [("lead", "new"), ("lead", "lost"), ("lead", "converted"), ("contact", "")])
def test_only_cases_change_by_letters(writer: str, kind: str, state: str) -> None:
    after = record.after_mail(kind, state, writer=writer, on_partner_reply="open", on_user_reply="close")
    assert after == state


# --- kinds and priorities -----------------------------------------------------------------------------------


@pytest.mark.parametrize("words", ["case", "cases", "lead", "leads", "contact", "contacts"])
def test_a_kind_in_singular_and_plural(words: str) -> None:
    assert record.kind(words).name == words.rstrip("s")


@pytest.mark.parametrize("words", ["", "Case", "caseses", "ticket"])
def test_an_unknown_kind_is_answered_with_the_kinds_there_are(words: str) -> None:
    with pytest.raises(UsageError, match="it is one of contact, lead, case"):
        record.kind(words)


@pytest.mark.parametrize("name", record.KINDS)
def test_every_kind_is_whole(name: str) -> None:
    kind = record.KINDS[name]
    assert set(kind.done) <= set(kind.states)
    assert "title" in record.FIELDS[name]
    for button in (one for one in record.BUTTONS if one.kind == name):
        assert {*button.sources, button.target} <= set(kind.states)
        assert button.target not in button.sources


@pytest.mark.parametrize(
    ("words", "value"),
    [("1", 1), ("5", 5), (" 3 ", 3), ("highest", 1), ("High", 2), ("NORMAL", 3), ("low", 4), (" lowest", 5)],
)
def test_priorities(words: str, value: int) -> None:
    assert record.priority(words) == value
    assert record.priority(record.priority_name(value)) == value


@pytest.mark.parametrize("words", ["", "0", "6", "-1", "1.0", "11", "٣", "３", "²", "urgent", "hi"])
def test_no_priorities(words: str) -> None:
    with pytest.raises(UsageError, match="use 1 to 5 or highest, high, normal, low, lowest"):
        record.priority(words)
