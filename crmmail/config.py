"""The settings: one table, four places to set them.

Whatever stands highest wins: an option on the command line, the environment (`CRMMAIL_<TABLE>_<KEY>`), the TOML
file, the store (what `crmmail init` and `crmmail config set` wrote), the default below.  Everything works with no
file at all.  A setting that cannot be understood stops the program (`ConfigBroken`): for a delivery that means
"try again", so a slip of the pen in the file loses no mail.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

from crmmail.core import address as addresses
from crmmail.core.typed import Any, NamedTuple
from crmmail.errors import ConfigBroken, UsageError


class Config(NamedTuple):
    """All settings.  The field `mail_domains` is `domains` in the table `[mail]`, and `$CRMMAIL_MAIL_DOMAINS`."""

    mail_domains: tuple[str, ...] = ()
    mail_catchall: str = ""
    mail_bounce: str = ""
    mail_trusted_authserv_id: str = ""
    mail_plus_addresses: str = "auto"
    mail_open: str = "crmmail show {record}"
    delivery_deadline: int = 120
    delivery_busy_timeout: int = 30
    delivery_max_size: int = 50_000_000
    loop_new_records: int = 20
    loop_messages: int = 20
    loop_minutes: int = 120
    loop_mails: int = 10
    smtp_url: str = ""
    smtp_password_command: str = ""
    smtp_password_file: str = ""
    smtp_timeout: int = 60
    hooks_folder: str = ""
    hooks_timeout: int = 30
    serve_lmtp: str = "unix"
    log_file: str = ""
    dates_slash: str = ""
    work_hours: str = "mon-fri 9:00-17:00"
    work_holidays: str = ""


HELP = {
    "mail_domains": "our own mail domains, separated by blanks; aliases and virtual addresses live in them",
    "mail_catchall": "address of the mailbox that receives everything else for our domains",
    "mail_bounce": "address to which bounces of our mail come back",
    "mail_trusted_authserv_id": "host whose topmost Authentication-Results we believe (our own MX)",
    "mail_plus_addresses": "does mail to support+x@ reach support@? auto: where a catchall receives it; yes; no",
    "mail_open": "how a notification says to open its record: a command or a link, {record} is the number",
    "delivery_deadline": "seconds one delivery may take before it is stopped and tried again (0: none)",
    "delivery_busy_timeout": "seconds to wait for the store's lock before saying: try again",
    "delivery_max_size": "largest mail in bytes that is read; a larger one is kept whole in quarantine",
    "loop_new_records": "new records one sender may make in `loop.minutes` (0: no limit)",
    "loop_messages": "messages one sender may add to one record in `loop.minutes` (0: no limit)",
    "loop_minutes": "the time, in minutes, in which these are counted",
    "loop_mails": "mails of each kind (answers by mail, copies, mails of rules) that leave for one address in "
    "`loop.minutes` because mail came (0: no limit)",
    "smtp_url": "where mail leaves: smtp://[user@]host:port[?starttls=1] or smtps://…",
    "smtp_password_command": "a command that prints the password for smtp.url, like `pass show crm-smtp`",
    "smtp_password_file": "a file of mode 0600 that holds it",
    "smtp_timeout": "seconds to wait for the mail server's next word",
    "hooks_folder": "where the programs lie that rules may run; default $XDG_CONFIG_HOME/crmmail/hooks",
    "hooks_timeout": "seconds after which such a program is ended",
    "serve_lmtp": "where `crmmail serve` takes mail by LMTP: unix (beside the store), unix:PATH, HOST:PORT, or off",
    "log_file": "the log; default $XDG_STATE_HOME/crmmail/log",
    "dates_slash": "how 03/04/2026 is read: `day` or `month` first; unset, such dates are refused",
    "work_hours": "when we work, in the local time zone, like `mon-thu 9:00-12:30 13:30-18:00, fri 9:00-15:00`",
    "work_holidays": "days on which we do not, like `2026-12-25 2027-01-01`",
}

ADDRESSES = ("mail_catchall", "mail_bounce")
MOST = {  # a day, hours, a year
    "delivery_deadline": 86_400, "delivery_busy_timeout": 3_600, "hooks_timeout": 3_600, "loop_minutes": 525_600,
}  # fmt: skip

CHOICES = {"dates_slash": ("", "day", "month"), "mail_plus_addresses": ("auto", "yes", "no")}


def key_of(field: str) -> str:
    """`mail_trusted_authserv_id` → `mail.trusted_authserv_id`, as the TOML file and `crmmail config` spell it."""
    return field.replace("_", ".", 1)


KEYS = {key_of(field): field for field in Config._fields}


def load(
    path: str | None = None, environ: Mapping[str, str] | None = None, stored: Mapping[str, str] | None = None
) -> Config:
    """The settings in force.

    Args:
        path: the TOML file; None looks at `$CRMMAIL_CONFIG`, then `$XDG_CONFIG_HOME/crmmail/config.toml`.
        environ: the environment; None is `os.environ`.
        stored: what the store holds, key → text.

    Raises:
        ConfigBroken: a file that was named and is not there, a line that is no TOML, an unknown key, a wrong value.
    """
    values, _ = load_with_origin(path, environ, stored)
    return values


def load_with_origin(
    path: str | None = None, environ: Mapping[str, str] | None = None, stored: Mapping[str, str] | None = None
) -> tuple[Config, dict[str, str]]:
    """Like `load`, and for each field where its value came from: `environment`, the file's name, `store`, `default`."""
    environ = os.environ if environ is None else environ
    file = find_file(path, environ)
    from_file = read_file(file) if file else {}
    values: dict[str, Any] = {}
    origin: dict[str, str] = {}
    for key, field in KEYS.items():
        variable = "CRMMAIL_" + field.upper()
        if variable in environ:
            values[field], origin[field] = understand(field, environ[variable], f"${variable}"), "environment"
        elif key in from_file:
            values[field], origin[field] = understand(field, from_file[key], f"{key} in {file}"), str(file)
        elif stored and key in stored:
            values[field], origin[field] = understand(field, stored[key], f"{key} in the store"), "store"
        else:
            origin[field] = "default"
    return Config(**values), origin


def understand(field: str, value: Any, where: str) -> Any:
    """`value` (text, or what TOML made of it) as the type that the field's default has."""
    default = Config._field_defaults[field]
    if field in ADDRESSES and value:
        if isinstance(value, str) and addresses.canonical(value):
            return addresses.canonical(value)
        raise ConfigBroken(f"{where} is {value!r}: it must be an e-mail address ({HELP[field]})")
    if field == "smtp_url" and value and not str(value).startswith(("smtp://", "smtps://")):
        raise ConfigBroken(f"{where} must begin with smtp:// or smtps:// ({HELP[field]})")  # it may hold a password
    if isinstance(default, tuple):
        words = value.replace(",", " ").split() if isinstance(value, str) else value
        if isinstance(words, list) and all(isinstance(word, str) for word in words):
            hosts = tuple(addresses.canonical_host(word) for word in words)
            if all(hosts):
                return hosts
            raise ConfigBroken(f"{where} is {value!r}: it must be mail domains, like crm.example ({HELP[field]})")
    elif isinstance(default, int):
        try:
            number = int(value) if isinstance(value, str) else value
        except ValueError:
            number = None
        if type(number) is int and 0 <= number <= MOST.get(field, 2**31 - 1):
            return number
    elif isinstance(value, str):
        if field in CHOICES and value not in CHOICES[field]:
            wanted = " or ".join(choice for choice in CHOICES[field] if choice)
            raise ConfigBroken(f"{where} is {value!r}: it must be {wanted}")
        if field in ("work_hours", "work_holidays"):
            _check_work(field, value, where)
        return value.strip()
    most = MOST.get(field, 2**31 - 1)
    kind = {tuple: "a list of words", int: f"a whole number from 0 to {most}", str: "a text"}[type(default)]
    raise ConfigBroken(f"{where} is {value!r}: it must be {kind} ({HELP[field]})")


def _check_work(field: str, value: str, where: str) -> None:
    """Refuses what are no working hours, or no holidays."""
    from crmmail.core import worktime  # read only by a shop that has set them

    try:
        worktime.parse(value if field == "work_hours" else Config().work_hours, "" if field == "work_hours" else value)
    except UsageError as error:
        raise ConfigBroken(f"{where}: {error}") from None


def find_file(path: str | None, environ: Mapping[str, str]) -> str | None:
    """The configuration file to read, or None where there is none and none was named."""
    named = path or environ.get("CRMMAIL_CONFIG")
    if named:
        if not os.path.exists(named):
            raise ConfigBroken(f"no configuration file {named}: make it, or leave --config and $CRMMAIL_CONFIG away")
        return named
    usual = os.path.join(xdg(environ, "XDG_CONFIG_HOME", ".config"), "crmmail", "config.toml")
    return usual if os.path.exists(usual) else None


def read_file(path: str) -> dict[str, Any]:
    """The file's settings, `table.key` → value.  The one key outside a table is `db`."""
    import tomllib  # 5 ms that a shop without a file need not pay

    try:
        with open(path, "rb") as file:
            tables = tomllib.load(file)
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigBroken(f"cannot read {path}: {error}; mend the file, or move it away to do without") from error
    found: dict[str, Any] = {}
    for table, entries in tables.items():
        if table == "db" and isinstance(entries, str):
            found["db"] = entries
            continue
        if not isinstance(entries, dict):
            raise ConfigBroken(f"{path}: {table!r} stands outside a table; `crmmail config` lists what there is")
        for name, value in entries.items():
            key = f"{table}.{name}"
            if key not in KEYS:
                raise ConfigBroken(f"{path}: there is no setting {key!r}; `crmmail config` lists what there is")
            found[key] = value
    return found


def database(option: str | None, path: str | None, environ: Mapping[str, str] | None = None) -> str:
    """Which store: the option, `$CRMMAIL_DB`, the file's `db`, else `$XDG_DATA_HOME/crmmail/crmmail.db`."""
    environ = os.environ if environ is None else environ
    if option:
        return option
    if environ.get("CRMMAIL_DB"):
        return environ["CRMMAIL_DB"]
    file = find_file(path, environ)
    if file:
        named = read_file(file).get("db")
        if named:
            return os.path.expanduser(str(named))
    return os.path.join(xdg(environ, "XDG_DATA_HOME", ".local/share"), "crmmail", "crmmail.db")


def log_file(config: Config, environ: Mapping[str, str] | None = None) -> str:
    """Where the log is written."""
    environ = os.environ if environ is None else environ
    return config.log_file or os.path.join(xdg(environ, "XDG_STATE_HOME", ".local/state"), "crmmail", "log")


def hooks_folder(config: Config, environ: Mapping[str, str] | None = None) -> str:
    """Where the programs lie that rules may run."""
    environ = os.environ if environ is None else environ
    usual = os.path.join(xdg(environ, "XDG_CONFIG_HOME", ".config"), "crmmail", "hooks")
    return os.path.expanduser(config.hooks_folder) or usual


def xdg(environ: Mapping[str, str], variable: str, below_home: str) -> str:
    """A base folder of the XDG specification; relative values count as unset, as it says."""
    value = environ.get(variable, "")
    return value if os.path.isabs(value) else os.path.join(os.path.expanduser("~"), below_home)
