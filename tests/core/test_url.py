"""The URL of a database: what of it may be shown, and what files about it are called."""

from __future__ import annotations

import pytest

from crmmail.core import url

SHOWN = {
    "postgresql://crm@db.example.com/crm": "postgresql://crm@db.example.com/crm",
    "postgresql://crm:geheim@db.example.com/crm": "postgresql://crm@db.example.com/crm",
    "postgres://crm:g%40h@db:5433/crm?sslmode=require": "postgres://crm@db:5433/crm?sslmode=require",
    "postgresql://crm:a@b:c@db/crm": "postgresql://crm@db/crm",
    "postgresql:///crm?host=/run/pg&password=geheim": "postgresql:///crm?host=/run/pg",
    "postgresql://db/crm?PASSWORD=geheim": "postgresql://db/crm",
    "postgresql://db/crm?sslpassword=geheim&user=crm": "postgresql://db/crm?user=crm",
    "postgresql://": "postgresql://",
}


@pytest.mark.parametrize(("named", "shown"), SHOWN.items())
def test_no_password_is_shown(named: str, shown: str) -> None:
    assert url.without_password(named) == shown
    assert url.without_password(shown) == shown


def test_passwords_as_they_stand_there_and_as_they_are_meant() -> None:
    assert url.passwords("postgresql://crm:g%40h@db/crm?sslpassword=x%20y") == {"g%40h", "g@h", "x%20y", "x y"}
    assert url.passwords("postgresql://crm@db/crm") == set()
    assert url.passwords("/srv/crm:x@y.db") == set()


@pytest.mark.parametrize(
    ("named", "it_is"),
    [("postgresql://db/crm", True), ("crm.db", False), ("sqlite:///srv/crm.db", False), ("sqlite:crm.db", False)],
)
def test_what_is_no_file(named: str, it_is: bool) -> None:
    assert url.is_url(named) == it_is


def test_files_of_two_databases_have_two_names() -> None:
    one, other = url.file_name("postgresql://crm@db/crm"), url.file_name("postgresql://crm@other/crm")
    assert one != other
    assert one == url.file_name("postgresql://crm@db/crm")
    assert one.startswith("crm-") and len(url.file_name(f"postgresql://db/{'x' * 90}?host=/a/b")) < 40
    assert "/" not in url.file_name("postgresql://db/../../etc/passwd")
