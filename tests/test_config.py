"""The settings: what stands highest wins, and what cannot be understood stops the program in one line."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from crmmail import config, workspace
from crmmail.config import CHOICES, HELP, KEYS, Config, load, load_with_origin, understand
from crmmail.errors import ConfigBroken
from crmmail.workspace import Choice, Workspace


@pytest.fixture
def toml(tmp_path: Path) -> Any:
    """Writes a configuration file; its path."""

    def write(words: str | bytes) -> str:
        path = tmp_path / "crmmail.toml"
        path.write_bytes(words if isinstance(words, bytes) else words.encode())
        return str(path)

    return write


NOWHERE = {"XDG_CONFIG_HOME": "/nonexistent"}


def complaint(path: str | None, environ: Mapping[str, str], stored: Mapping[str, str] | None = None) -> str:
    with pytest.raises(ConfigBroken) as caught:
        load(path, {**NOWHERE, **environ}, stored)
    words = str(caught.value)
    assert "\n" not in words and "Traceback" not in words
    return words


# --- who wins -----------------------------------------------------------------------------------------------

PLACES = {
    "environment": ("environment", 4),
    "file": ("file", 3),
    "store": ("store", 2),
    "default": ("default", 120),
}


@pytest.mark.parametrize(
    ("set_in", "origin", "value"),
    [
        (("environment", "file", "store"), "environment", 4),
        (("environment", "store"), "environment", 4),
        (("file", "store"), "file", 3),
        (("file",), "file", 3),
        (("store",), "store", 2),
        ((), "default", 120),
    ],
    ids=lambda value: "-".join(value) or "nowhere" if isinstance(value, tuple) else "",
)
def test_the_highest_place_wins(toml: Any, set_in: tuple[str, ...], origin: str, value: int) -> None:
    path = toml("[loop]\nminutes = 3\n" if "file" in set_in else "")
    environ = {**NOWHERE, **({"CRMMAIL_LOOP_MINUTES": "4"} if "environment" in set_in else {})}
    values, origins = load_with_origin(path, environ, {"loop.minutes": "2"} if "store" in set_in else {})
    assert values.loop_minutes == value
    assert origins["loop_minutes"] == (path if origin == "file" else origin)


def test_an_empty_variable_is_a_value(toml: Any) -> None:
    path = toml('[mail]\ncatchall = "all@crm.example"\n')
    assert load(path, {**NOWHERE, "CRMMAIL_MAIL_CATCHALL": ""}).mail_catchall == ""


@pytest.mark.parametrize(
    ("option", "variable", "file", "place"),
    [
        ("/o.db", "/e.db", "/f.db", "/o.db"),
        (None, "/e.db", "/f.db", "/e.db"),
        (None, "", "/f.db", "/f.db"),
        (None, None, "/f.db", "/f.db"),
        (None, None, "~/f.db", os.path.expanduser("~/f.db")),
        (None, None, None, "/data/crmmail/crmmail.db"),
    ],
    ids=["option", "environment", "empty-variable", "file", "home", "xdg"],
)
def test_which_store(toml: Any, option: str | None, variable: str | None, file: str | None, place: str) -> None:
    environ = {**NOWHERE, "XDG_DATA_HOME": "/data", **({"CRMMAIL_DB": variable} if variable is not None else {})}
    path = toml(f'db = "{file}"\n' if file else "")
    assert config.database(option, path, environ) == place


def test_the_whole_way_through_a_workspace(toml: Any, tmp_path: Path) -> None:
    from crmmail.services.keeping.setup import FirstUser, init

    place = str(tmp_path / "crm.db")
    init(
        Choice(db=place),
        domains=["crm.example"],
        users=[FirstUser("boss", "boss@crm.example")],
        catchall="All@CRM.example",
        environ=NOWHERE,
    )
    with Workspace(Choice(db=place), NOWHERE) as workspace:
        assert workspace.config.mail_domains == ("crm.example",)
        assert workspace.settings().catchall == "all@crm.example"
    path = toml(f'db = "{place}"\n[mail]\ndomains = "a.example b.example"\n')
    with Workspace(Choice(config=path), {**NOWHERE, "CRMMAIL_MAIL_CATCHALL": "x@a.example"}) as workspace:
        assert workspace.settings().domains == ("a.example", "b.example")
        assert workspace.settings().catchall == "x@a.example"


# --- files --------------------------------------------------------------------------------------------------


def test_without_any_file_everything_has_its_default() -> None:
    values, origins = load_with_origin(None, NOWHERE)
    assert values == Config()
    assert set(origins.values()) == {"default"}


def test_the_usual_place_is_below_xdg_config_home(tmp_path: Path) -> None:
    (tmp_path / "crmmail").mkdir()
    file = tmp_path / "crmmail" / "config.toml"
    file.write_text("[loop]\nminutes = 5\n")
    values, origins = load_with_origin(None, {"XDG_CONFIG_HOME": str(tmp_path)})
    assert (values.loop_minutes, origins["loop_minutes"]) == (5, str(file))


def test_a_named_file_takes_the_place_of_the_usual_one(toml: Any, tmp_path: Path) -> None:
    (tmp_path / "crmmail").mkdir()
    (tmp_path / "crmmail" / "config.toml").write_text("[loop]\nminutes = 5\nmessages = 5\n")
    named, other = toml("[loop]\nminutes = 6\n"), tmp_path / "other.toml"
    other.write_text("[loop]\nminutes = 7\n")
    environ = {"XDG_CONFIG_HOME": str(tmp_path), "CRMMAIL_CONFIG": named}
    assert (load(None, environ).loop_minutes, load(None, environ).loop_messages) == (6, 20)
    assert load(str(other), environ).loop_minutes == 7


@pytest.mark.parametrize(
    ("value", "folder"),
    [("/srv/x", "/srv/x"), ("", "~/.config"), ("relative", "~/.config"), (None, "~/.config")],
)
def test_a_relative_xdg_folder_counts_as_unset(value: str | None, folder: str) -> None:
    environ = {"XDG_CONFIG_HOME": value} if value is not None else {}
    assert config.xdg(environ, "XDG_CONFIG_HOME", ".config") == os.path.expanduser(folder)


@pytest.mark.parametrize(
    ("setting", "environ", "place"),
    [
        ("", {"XDG_STATE_HOME": "/state"}, "/state/crmmail/log"),
        ("", {}, os.path.expanduser("~/.local/state/crmmail/log")),
        ("/var/log/crmmail", {"XDG_STATE_HOME": "/state"}, "/var/log/crmmail"),
    ],
)
def test_where_the_log_is(setting: str, environ: dict[str, str], place: str) -> None:
    assert config.log_file(Config(log_file=setting), environ) == place


BROKEN: dict[str, tuple[str | bytes, str, str]] = {
    "no TOML": ("[mail\n", "cannot read {path}: ", "mend the file, or move it away"),
    "twice": ("[loop]\nminutes = 1\nminutes = 2\n", "cannot read {path}: ", "mend the file"),
    "no UTF-8": (b"[mail]\ncatchall = '\xff'\n", "cannot read {path}: ", "mend the file"),
    "an unknown key": ("[mail]\ndomain = 'x'\n", "{path}: there is no setting 'mail.domain'", "`crmmail config` lists"),
    "an unknown table": ("[post]\ndomains = 'x'\n", "{path}: there is no setting 'post.domains'", "`crmmail config`"),
    "outside a table": ("domains = 'x'\n", "{path}: 'domains' stands outside a table", "`crmmail config` lists"),
    "a store that is a number": ("db = 5\n", "{path}: 'db'", "`crmmail config` lists"),
    "a number as words": ("[loop]\nminutes = 'soon'\n", "loop.minutes in {path} is 'soon'", "a whole number from 0"),
    "a number below zero": ("[loop]\nminutes = -1\n", "loop.minutes in {path} is -1", "a whole number from 0"),
    "a number with a point": ("[loop]\nminutes = 1.5\n", "loop.minutes in {path} is 1.5", "a whole number from 0"),
    "yes for a number": ("[loop]\nminutes = true\n", "loop.minutes in {path} is True", "a whole number from 0"),
    "a number too great": ("[loop]\nminutes = 9007199254740992\n", "loop.minutes in {path}", "a whole number"),
    "words as a number": ("[log]\nfile = 5\n", "log.file in {path} is 5", "a text"),
    "an address that is none": ("[mail]\ncatchall = 'all'\n", "mail.catchall in {path} is 'all'", "an e-mail address"),
    "an address as a number": ("[mail]\nbounce = 5\n", "mail.bounce in {path} is 5", "an e-mail address"),
    "a domain that is none": ("[mail]\ndomains = 'a b_'\n", "mail.domains in {path} is 'a b_'", "mail domains, like"),
    "a way out that is none": ("[smtp]\nurl = 'localhost'\n", "smtp.url in {path} must begin with", "smtp://"),
    "more than a day": ("[delivery]\ndeadline = 86401\n", "delivery.deadline in {path}", "from 0 to 86400"),
    "a list as words": ("[log]\nfile = ['a']\n", "log.file in {path} is ['a']", "a text"),
    "a table as words": ("[log.file]\nx = 1\n", "log.file in {path} is {{'x': 1}}", "a text"),
    "a list of numbers": ("[mail]\ndomains = [1]\n", "mail.domains in {path} is [1]", "a list of words"),
    "a number for a list": ("[mail]\ndomains = 1\n", "mail.domains in {path} is 1", "a list of words"),
    "a choice there is not": ("[dates]\nslash = 'year'\n", "dates.slash in {path} is 'year'", "day or month"),
}


@pytest.mark.parametrize(("words", "beginning", "advice"), BROKEN.values(), ids=BROKEN)
def test_a_file_that_cannot_be_understood(toml: Any, words: str | bytes, beginning: str, advice: str) -> None:
    path = toml(words)
    said = complaint(path, {})
    assert said.startswith(beginning.format(path=path))
    assert advice in said


def test_a_file_that_is_named_and_not_there(tmp_path: Path) -> None:
    missing = str(tmp_path / "missing.toml")
    for said in (complaint(missing, {}), complaint(None, {"CRMMAIL_CONFIG": missing})):
        assert said == f"no configuration file {missing}: make it, or leave --config and $CRMMAIL_CONFIG away"


def test_a_folder_in_its_place(tmp_path: Path) -> None:
    assert complaint(str(tmp_path), {}).startswith(f"cannot read {tmp_path}: ")


# --- values -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("field", "given", "value"),
    [
        ("mail_domains", "crm.example", ("crm.example",)),
        ("mail_domains", " A.example,B.example  c.example ", ("a.example", "b.example", "c.example")),
        ("mail_domains", ["A.example"], ("a.example",)),
        ("mail_domains", "", ()),
        ("mail_domains", [], ()),
        ("loop_minutes", "0", 0),
        ("loop_minutes", " 7 ", 7),
        ("loop_minutes", 7, 7),
        ("mail_catchall", " All@CRM.example ", "all@crm.example"),
        ("mail_catchall", "", ""),
        ("mail_domains", "пример.рф", ("xn--e1afmkfd.xn--p1ai",)),
        ("smtp_url", "smtps://bob@mx.example:465", "smtps://bob@mx.example:465"),
        ("dates_slash", "", ""),
        ("dates_slash", "month", "month"),
    ],
)
def test_values(field: str, given: object, value: object) -> None:
    assert understand(field, given, "here") == value


@pytest.mark.parametrize(
    ("variable", "value", "words"),
    [
        ("CRMMAIL_DELIVERY_DEADLINE", "soon", "$CRMMAIL_DELIVERY_DEADLINE is 'soon': it must be a whole number from 0"),
        ("CRMMAIL_DELIVERY_DEADLINE", "", "$CRMMAIL_DELIVERY_DEADLINE is ''"),
        ("CRMMAIL_DELIVERY_DEADLINE", "-5", "$CRMMAIL_DELIVERY_DEADLINE is '-5'"),
        ("CRMMAIL_DELIVERY_DEADLINE", "1\n2", "$CRMMAIL_DELIVERY_DEADLINE is '1\\n2'"),
        ("CRMMAIL_DATES_SLASH", "maybe", "$CRMMAIL_DATES_SLASH is 'maybe': it must be day or month"),
    ],
)
def test_a_variable_that_cannot_be_understood(variable: str, value: str, words: str) -> None:
    assert complaint(None, {variable: value}).startswith(words)


def test_a_value_in_the_store_that_cannot_be_understood() -> None:
    said = complaint(None, {}, {"loop.minutes": "soon"})
    assert said.startswith("loop.minutes in the store is 'soon'")
    assert HELP["loop_minutes"] in said


def test_what_else_the_store_holds_is_no_setting() -> None:
    assert load(None, NOWHERE, {"secret": "c0ffee", "something": "else"}) == Config()


# --- the table ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("field", Config._fields)
def test_every_setting_is_whole(field: str) -> None:
    assert HELP[field].strip() and "\n" not in HELP[field]
    key = config.key_of(field)
    assert KEYS[key] == field
    table, _, name = key.partition(".")
    assert table.isalpha() and name.replace("_", "").isalnum()
    default = Config._field_defaults[field]
    assert type(default) in (str, int, tuple)
    assert understand(field, list(default) if isinstance(default, tuple) else default, "the default") == default


def test_help_and_choices_speak_of_settings_that_exist() -> None:
    assert set(HELP) == set(Config._fields)
    for field, choices in CHOICES.items():
        assert Config._field_defaults[field] in choices


@pytest.mark.parametrize("words", ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59-14:00", "0001-01-01T00:00:00+14:00"])
def test_a_clock_at_the_ends_of_the_calendar_is_refused(words: str) -> None:
    with pytest.raises(ConfigBroken, match="CRMMAIL_NOW"):
        workspace.clock({"CRMMAIL_NOW": words})


def test_minutes_that_no_calendar_has_are_refused() -> None:
    with pytest.raises(ConfigBroken, match="0 to 525600"):
        config.understand("loop_minutes", "2000000000", "loop.minutes")
