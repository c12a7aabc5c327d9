"""Who is named in From, To, Cc and Reply-To, and when a From names nobody.

The reader of address lists is mail-parser's: the standard library took `boss@crm.example)<evil@evil.example>` for
boss@crm.example.  It is given the field's bytes as one letter each, so that structure is judged before any charset
or encoded word is undone: a name that decodes to `boss@crm.example>` stays a name.  A sender is believed to be
somebody only where one From field holds exactly one clear address (docs/decisions.md); everything else is shown
as text and is nobody.

Only two files of mail-parser are loaded, not the package, whose __init__ brings half the standard library along
(33 of the 60 ms that a delivery needs in all); where that fails, the package is imported as usual.
"""

from __future__ import annotations

import sys
from importlib import import_module
from importlib.machinery import PathFinder
from importlib.util import module_from_spec
from types import ModuleType

from crmmail.core.address import canonical
from crmmail.core.message import Address
from crmmail.mail.charset import decode_words
from crmmail.mail.header import unfolded

MAX_ADDRESSES = 100  # used of one field
MAX_FIELD = 32 * 1024  # bytes read of one field, enough for as many addresses of full length
NAME_LIMIT = 255

# What mail-parser may say of an address that is clear all the same: unquoted brackets in a name, a comment.
_HARMLESS = {"invalid-display-name", "structural-recovery"}


def borrowed(name: str) -> ModuleType:
    """The module `mailparser.<name>` without its package's __init__."""
    full = f"mailparser.{name}"
    if full in sys.modules:
        return sys.modules[full]
    package = PathFinder.find_spec("mailparser")
    spec = PathFinder.find_spec(full, package.submodule_search_locations) if package else None
    if spec is None or spec.loader is None:
        return import_module(full)
    module = sys.modules[full] = module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception:
        del sys.modules[full]
        return import_module(full)
    return module


def mailboxes(values: list[bytes], limit: int = MAX_ADDRESSES) -> tuple[Address, ...]:
    """The people of all fields of one name, at most `limit`; those with neither address nor name are left out."""
    found: list[Address] = []
    for value in values[:limit]:
        for address in _read(value)[0]:
            if address.address or address.name:
                found.append(address)
    return tuple(found[:limit])


def sender(values: list[bytes]) -> tuple[Address, str, list[str]]:
    """Who wrote it, the From as text, and what is wrong with it.  An unclear one has address ""."""
    line = decode_words(b", ".join(unfolded(value[:MAX_FIELD]) for value in values[:10]))
    unknown = Address(line[:NAME_LIMIT], "")
    if len(values) != 1:
        return unknown, line, ["no From" if not values else "several From fields"]
    people, reasons, text = _read(values[0])
    if len(people) != 1 or not people[0].address:
        return unknown, line, ["From is not one address"]
    if reasons:
        # mail-parser mended something; that is good enough only if no second address can have been meant.
        meant = people[0].address
        name = people[0].name.strip("'\" ")
        if not reasons <= _HARMLESS or (text.count("@") != 1 and canonical(name) != meant):
            return unknown, line, ["From is unclear: " + ", ".join(sorted(reasons))]
    return people[0], line, sorted(reasons)


def _read(raw: bytes) -> tuple[list[Address], set[str], str]:
    """The mailboxes of one field's value, mail-parser's reasons for doubt, and the text that was read."""
    value = unfolded(raw[: 2 * MAX_FIELD])
    if len(value) > MAX_FIELD:
        value = value[:MAX_FIELD].rpartition(b",")[0]
    text = value.decode("latin-1")
    if not text:
        return [], set(), ""
    defects: list[dict[str, str]] = []
    try:
        pairs, defects = borrowed("addresses").parse_address_header(text, _strict)
    except Exception as trouble:  # a library's bug must not cost the letter
        return [], {f"unreadable: {type(trouble).__name__}"}, text
    reasons = {reason for defect in defects for reason in defect["reason"].split(",")}
    return [Address(_name(name), _address(address)) for name, address in pairs], reasons, text


def _strict(values: list[str]) -> list[tuple[str, str]]:
    """The standard library's opinion, with which mail-parser compares its own."""
    from email._parseaddr import AddressList

    pairs: list[tuple[str, str]] = AddressList(", ".join(values)).addresslist
    return pairs


def _name(text: str) -> str:
    """A display name as people read it: decoded, one line, without the quotes and backslashes of the grammar."""
    plain = decode_words(text.encode("latin-1", "replace"), NAME_LIMIT)
    return plain.replace('"', "").replace("\\", "").strip(" '")


def _address(text: str) -> str:
    try:
        return canonical(text.encode("latin-1").decode("utf-8"))
    except UnicodeError:
        return ""
