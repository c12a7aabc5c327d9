"""Users, sections, categories, aliases and contacts: what goes in, and what comes out."""

from __future__ import annotations

import pytest
from store import rows

from crmmail.core.section import Section
from crmmail.errors import NotFound, Taken
from crmmail.store.engine.database import Store
from crmmail.store.people import directory, offices

# --- settings -----------------------------------------------------------------------------------------------


def test_settings_are_put_changed_and_dropped(store: Store) -> None:
    directory.put_setting("mail.domains", "crm.example")
    directory.put_setting("mail.domains", "crm.example crm.test")
    directory.put_setting("smtp.url", "smtp://localhost")
    assert directory.settings() == {"mail.domains": "crm.example crm.test", "smtp.url": "smtp://localhost"}
    directory.drop_setting("smtp.url")
    directory.drop_setting("smtp.url")
    assert directory.settings() == {"mail.domains": "crm.example crm.test"}


# --- users --------------------------------------------------------------------------------------------------


def test_a_user_with_his_addresses_the_main_one_first(store: Store) -> None:
    number = rows.user("bob", "bob@home.example", "bob@crm.example", "a@home.example", os_login="bsmith")
    bob = directory.user("bob")
    assert (bob.id, bob.login, bob.name, bob.os_login, bob.active) == (number, "bob", "Bob", "bsmith", True)
    assert (bob.email, bob.addresses[0]) == ("bob@home.example", "bob@home.example")
    assert set(bob.addresses) == {"bob@home.example", "bob@crm.example", "a@home.example"}
    assert bob.virtual == {"bob@crm.example"}


def test_a_new_main_address_takes_the_place_of_the_old(store: Store) -> None:
    number = rows.user("bob", "old@home.example")
    directory.put_user_address(number, "new@home.example", main=True, virtual=False)
    assert directory.user("bob").addresses == ("new@home.example", "old@home.example")
    assert directory.user("bob").email == "new@home.example"


@pytest.mark.parametrize("login", ["bob", "BOB"])
def test_the_case_of_a_login_does_not_matter(store: Store, login: str) -> None:
    number = rows.user("bob")
    assert directory.user(login).id == number


def test_an_unknown_user_is_answered_with_those_there_are(store: Store) -> None:
    with pytest.raises(NotFound, match="there is no user 'eve'; users: none yet"):
        directory.user("eve")
    rows.user("bob")
    rows.user("ann")
    rows.user("gone", active=False)
    with pytest.raises(NotFound, match=r"there is no user 'eve'; users: ann, bob$"):
        directory.user("eve")
    with pytest.raises(NotFound, match="no user number 99"):
        directory.user_by_id(99)


def test_users_are_listed_by_login_and_admins_are_who_may(store: Store) -> None:
    rows.user("bob")
    boss = rows.user("boss", admin=True)
    rows.user("ann", active=False)
    rows.user("old", admin=True, active=False)
    assert [one.login for one in directory.users()] == ["ann", "bob", "boss", "old"]
    assert [one.id for one in directory.admins()] == [boss]
    assert set(directory.users_by_id([boss, 99])) == {boss}
    assert directory.user_by_id(boss).login == "boss"
    assert directory.users_by_id([]) == {}


# --- whose an address is ------------------------------------------------------------------------------------


def test_the_owner_of_an_address(store: Store) -> None:
    rows.user("bob")
    offices.put_alias("support@crm.example", kind="case", section=rows.section("support"))
    offices.put_alias("sales@crm.example", kind="lead")
    assert offices.owner("bob@crm.example") == "user bob"
    assert offices.owner("support@crm.example") == "the alias for cases of section support"
    assert offices.owner("sales@crm.example") == "the alias for leads"
    assert offices.owner("free@crm.example") == ""


def test_users_by_address_knows_only_who_works_here(store: Store) -> None:
    bob = rows.user("bob", "bob@home.example", "bob@crm.example")
    rows.user("gone", active=False)
    asked = ["bob@crm.example", "bob@home.example", "gone@crm.example", "x@y.example"]
    assert directory.users_by_address(asked) == {"bob@crm.example": bob, "bob@home.example": bob}
    assert directory.users_by_address([]) == {}


# --- sections and categories --------------------------------------------------------------------------------


def test_a_section_with_its_defaults_and_names_for_numbers(store: Store) -> None:
    boss = rows.user("boss")
    above = rows.section("support2")
    number = rows.section("support1", parent=above, manager=boss, address="support@crm.example")
    assert offices.section("support1") == Section(
        number, "support1", "Support1", "support2", "boss", "support@crm.example", "close", "open", "none", True
    )
    assert rows.section("support1", assign="manager") == number
    assert offices.section("SUPPORT1").assign == "manager"
    assert [one.code for one in offices.sections()] == ["support1", "support2"]


@pytest.mark.parametrize(
    ("words", "found"), [("1", True), ("support", True), ("2", False), ("", False), ("١", False), ("9" * 30, False)]
)
def test_a_section_by_code_or_number(store: Store, words: str, found: bool) -> None:
    rows.section("support")
    if found:
        assert offices.section(words).code == "support"
    else:
        with pytest.raises(NotFound, match=r"sections: support$"):
            offices.section(words)


def test_without_sections_the_way_to_make_one_is_said(store: Store) -> None:
    with pytest.raises(NotFound, match="none yet \\(crmmail sections add CODE\\)"):
        offices.section("support")


@pytest.mark.parametrize("active", [True, False])
def test_the_manager_of_a_section(store: Store, active: bool) -> None:
    rows.section("support", manager=rows.user("boss", active=active))
    rows.section("sales")
    manager = offices.manager("support")
    assert (manager.login if manager else None) == ("boss" if active else None)
    assert offices.manager("sales") is None
    assert offices.manager("") is None


def test_a_category_is_one_whatever_its_letter_case(store: Store) -> None:
    support, sales = rows.section("support"), rows.section("sales")
    number = offices.put_category(support, "Printers")
    assert offices.put_category(support, "printers", active=False) == number
    assert offices.put_category(sales, "Printers") != number
    assert [(one.section, one.name, one.active) for one in offices.categories()] == [
        ("sales", "Printers", True),
        ("support", "Printers", False),
    ]
    assert [one.id for one in offices.categories(support)] == [number]


# --- aliases ------------------------------------------------------------------------------------------------


def test_an_alias_with_its_defaults_and_names_for_numbers(store: Store) -> None:
    number = offices.put_alias("sales@crm.example", kind="lead", section=rows.section("sales"), defaults={"a": "ж"})
    alias = offices.alias("Sales@CRM.example")
    assert alias == (
        *(number, "sales@crm.example", "lead", "sales", "", "everyone", "thread", {"a": "ж"}, True, None, True),
    )
    assert offices.put_alias("sales@crm.example", active=False, user=rows.user("bob")) == number
    changed = offices.alias_by_id(number)
    assert (changed.active, changed.user, changed.kind) == (False, "bob", "lead")
    assert offices.alias_addresses() == {"sales@crm.example"}
    with pytest.raises(NotFound, match=r"no alias x@crm\.example"):
        offices.alias("x@crm.example")


# --- contacts -----------------------------------------------------------------------------------------------


def test_contacts_by_number_with_their_addresses_in_order(store: Store) -> None:
    zoe = rows.contact("zoe", "z@x.example", "a@x.example", company="Acme")
    ann = rows.contact("Ann")
    assert directory.contact_numbers() == [ann, zoe]
    assert [directory.contact_numbers(limit=1), directory.contact_numbers(before=ann)] == [[ann], [zoe]]
    assert [one.name for one in directory.contacts([ann, zoe])] == ["Ann", "zoe"]
    assert [one.name for one in directory.contacts([zoe, ann])] == ["zoe", "Ann"]
    assert directory.contact(zoe) == (zoe, "zoe", "Acme", "", "", ("z@x.example", "a@x.example"))
    assert [one.id for one in directory.contacts([ann, 99])] == [ann]
    with pytest.raises(NotFound, match="record 99 is no contact"):
        directory.contact(99)


def test_one_address_of_several_contacts(store: Store) -> None:
    first, second = rows.contact("Ann", "ann@x.example"), rows.contact("Ann as well", "ann@x.example")
    directory.add_contact_address(first, "ann@x.example")
    assert directory.contacts_with("ann@x.example") == [first, second]
    assert directory.contact(first).addresses == ("ann@x.example",)
    assert directory.contacts_with("nobody@x.example") == []
    assert directory.contact_address(first, "ann@x.example") != directory.contact_address(second, "ann@x.example")
    with pytest.raises(NotFound, match=f"contact {first} has no address b@x.example"):
        directory.contact_address(first, "b@x.example")


@pytest.mark.parametrize(
    "words",
    ["support contract/gold", " SUPPORT CONTRACT  /  Gold ", "/Support contract/Gold/", "support contract//gold"],
)
def test_a_partner_category_is_a_path_whatever_its_slashes(store: Store, words: str) -> None:
    gold = directory.partner_category("Support contract / Gold")
    assert directory.partner_category("Support contract") != gold
    assert directory.partner_category(words) == gold
    assert directory.contact(rows.contact("Ann", category=gold)).category == "Support contract / Gold"


@pytest.mark.parametrize("words", ["", " ", "/", " / / "])
def test_a_partner_category_needs_a_name(store: Store, words: str) -> None:
    with pytest.raises(Taken, match="needs a name"):
        directory.partner_category(words)
