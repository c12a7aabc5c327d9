"""Writes docs/settings.md from crmmail.config:

    python tests/settings_page.py > docs/settings.md

`tests/test_docs.py` holds the page equal to this.
"""

from __future__ import annotations

from crmmail.config import HELP, KEYS, Config
from crmmail.secret import VARIABLE

HEAD = """# The settings

<!-- Written by `python tests/settings_page.py > docs/settings.md` from crmmail/config.py. -->

Each can be set in four places; the first that sets it wins: the environment, the TOML file (`--config`,
`$CRMMAIL_CONFIG`, else `~/.config/crmmail/config.toml`), the store (`crmmail config set KEY VALUE`), the default.
In the file `mail.domains` is `domains` in the table `[mail]`.  `crmmail config` shows what is in force, and why.

| key | environment | default | what it is |
|---|---|---|---|"""

FOOT = f"""
Not a setting, since it must lie in no file that others read: `${VARIABLE}`, the password for `smtp.url`, before
`smtp.password_command` and `smtp.password_file`.  `$CRMMAIL_DB` (`db` in the file, outside a table) names the store,
`$CRMMAIL_USER` who is acting, `$CRMMAIL_NOW` (ISO 8601) stands in for the clock, `$CRMMAIL_PAGER` for the pager."""


def page() -> str:
    """The whole page."""
    return "\n".join([HEAD, *map(_row, KEYS), FOOT]) + "\n"


def _row(key: str) -> str:
    field = KEYS[key]
    default = Config._field_defaults[field]
    shown = " ".join(default) if isinstance(default, tuple) else str(default)
    return f"| `{key}` | `$CRMMAIL_{field.upper()}` | {f'`{shown}`' if shown else ''} | {_cell(HELP[field])} |"


def _cell(words: str) -> str:
    return words.replace("|", "\\|")


if __name__ == "__main__":
    print(page(), end="")
