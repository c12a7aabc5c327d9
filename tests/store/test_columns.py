"""What the SQL of the store takes for granted is what the tables say: names of columns, and values nobody gave."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from peewee import ForeignKeyField
from store.rows import NOW, case

from crmmail.store import tables as t
from crmmail.store.automatic import rules
from crmmail.store.engine import sql
from crmmail.store.engine.database import Store
from crmmail.store.letters import mails, messages, outbox
from crmmail.store.people import directory, followers, offices

TABLES = t.Table.__subclasses__()
OWN_NAMES = {"subtype", "sha256"}  # columns that refer to another row and are not called after it


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.__name__)
def test_columns_that_refer_to_another_row(table: type[t.Table]) -> None:
    for field in table._meta.sorted_fields:
        if isinstance(field, ForeignKeyField) and field.column_name not in OWN_NAMES:
            assert sql.named({field.name: 1}) == {field.column_name: 1}
        elif table is not t.Journal:  # whose `thread` is a number only, for the record may be gone
            assert sql.named({field.column_name: 1}) == {field.column_name: 1}


# The history of the schema, and the index of words with what SQLite keeps beside it.
NO_MODELS = {"crm_migration", "crm_search", "crm_search_docsize", "crm_vocabulary"}


def test_every_table_that_is_named_is_there() -> None:
    made = {table._meta.table_name for table in TABLES} | NO_MODELS
    words = {path: path.read_text("utf-8") for path in Path(t.__file__).parent.rglob("*.py")}
    named = {
        (table, path.name)
        for path, text in words.items()
        for table in re.findall(r"(?:FROM|JOIN|INTO|UPDATE) (crm_[a-z_]+)\b(?!\{)", text)
    }
    assert len({table for table, _ in named}) > 30
    assert not [one for one in sorted(named) if one[0] not in made]


USUAL: list[tuple[type[t.Table], dict[str, Any]]] = [
    (t.Message, messages._USUAL),
    (t.Decision, mails._USUAL),
    (t.Delivery, outbox._USUAL),
]


@pytest.mark.parametrize(("table", "usual"), USUAL, ids=lambda one: getattr(one, "__name__", ""))
def test_what_nobody_gave_is_what_the_table_says(table: type[t.Table], usual: dict[str, Any]) -> None:
    fields = [field for field in table._meta.sorted_fields if field.default is not None]
    defaults = {field.name: field.default() if callable(field.default) else field.default for field in fields}
    assert usual == defaults


def test_every_column_that_must_not_be_empty_gets_a_value(store: Store) -> None:
    """Of the tables that SQL writes to, by the functions that do: the store itself refuses what is missing."""
    section = offices.put_section("support", name="Support")
    offices.put_category(section, "Fault")
    offices.put_alias("support@crm.test", kind="case", section=section)
    user = directory.add_user("ann", name="", admin=False, notify="inbox", lang="en", os_login=None, created=NOW)
    directory.put_user_address(user, "ann@crm.test", main=True, virtual=False)
    followers.put_subscription("case", user, None, section)
    rules.put_firing(rules.put_rule(None, name="Rule", changed=NOW), case(section=section), NOW, "it did")
    assert offices.sections()[0] == offices.section("support")
    assert offices.aliases()[0].policy == t.Alias.policy.default
    assert offices.categories(section)[0].active
    assert directory.users()[0].email == "ann@crm.test"
    assert [one.sequence for one in rules.rules()] == [t.Rule.sequence.default]
    assert followers.subscriptions("case")[0].section == "support"
