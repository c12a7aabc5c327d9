"""Who is named in From, To, Cc and Reply-To, and when a From names nobody.

The reader of address lists is mail-parser's: the standard library took `boss@crm.example)<evil@evil.example>` for
boss@crm.example.  It is given the field's bytes as one letter each, so that structure is judged before any charset
or encoded word is undone: a name that decodes to `boss@crm.example>` stays a name.  A sender is believed to be
somebody only where one From field holds exactly one clear address (docs/decisions.md); everything else is shown
as text and is nobody.

mail-parser is asked only where there is something to judge.  A field of plain items, `Name <local@host>, …`, is
read by one expression that allows nothing doubtful: loading mail-parser's reader takes 20 ms, a fifth of a delivery.
Where it is needed, its one file is loaded without the package, whose __init__ takes 30 ms more.
"""

from __future__ import annotations

import re
import sys
from types import ModuleType

from crmmail.core.address import canonical
from crmmail.core.message import Address
from crmmail.core.pattern import pattern
from crmmail.core.typed import NamedTuple
from crmmail.mail.charset import decode_words
from crmmail.mail.header import unfolded

MAX_ADDRESSES = 100  # used of one field
MAX_FIELD = 32 * 1024  # bytes read of one field, enough for as many addresses of full length
NAME_LIMIT = 255

# What mail-parser may say of an address that is clear all the same: unquoted brackets in a name, a comment.
_HARMLESS = {"invalid-display-name", "structural-recovery"}

_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_SPEC = rf"{_ATOM}(?:\.{_ATOM})*@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*"
# One item of a list and the comma behind it.  No comments, groups, routes, second angles or loose specials.
_PHRASE = r"""(?:"((?:[^"\\\x00-\x1f\x7f]|\\[^\x00-\x1f\x7f])*)"|([A-Za-z0-9!#$%&'*+/=?^_`{|}~. \t\x80-\xff-]*))"""
_PLAIN = re.compile(rf"[ \t]*(?:{_PHRASE}[ \t]*<({_SPEC})>|({_SPEC}))[ \t]*(?:,(?=[ \t]*[^ \t])|\Z)")
_ENCODED = pattern(rb"=\?([!->@-~]{1,60})\?([Qq])\?([^?\s]*)\?=")
_SPECIAL = pattern(rb"[^A-Za-z0-9!*+/=_-]")
# What may stand beside an address and is none of it: a quoted name, a comment.  Comments in comments go layer by layer.
_ASIDE = pattern(r'"[^"]*"(?!@)|\([^()"]*\)')
_LAYERS = 5


class _Reading(NamedTuple):
    """A field of addresses, read."""

    people: list[Address]
    spelled: list[str]  # their addresses as they stand in the text
    reasons: set[str]  # why mail-parser doubts it
    text: str  # what was read
    plain: bool  # nothing in it can be read in two ways


_NOTHING = _Reading([], [], set(), "", True)


def borrowed(name: str) -> ModuleType:
    """The module `mailparser.<name>` without its package's __init__; the ordinary import where that fails."""
    from importlib import import_module
    from importlib.machinery import PathFinder
    from importlib.util import module_from_spec

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
        for address in _read(value).people:
            if address.address or address.name:
                found.append(address)
    return tuple(found[:limit])


def sender(values: list[bytes]) -> tuple[Address, str, list[str]]:
    """Who wrote it, the From as text, and what is wrong with it.  An unclear one has address ""."""
    line = decode_words(b", ".join(unfolded(value[:MAX_FIELD]) for value in values[:10]))
    unknown = Address(line[:NAME_LIMIT], "")
    if len(values) != 1:
        return unknown, line, ["no From" if not values else "several From fields"]
    if len(values[0]) > MAX_FIELD:  # what is not read may hold a second address
        return unknown, line, ["From is too long"]
    this = _read(values[0])
    if len(this.people) != 1 or not this.people[0].address:
        return unknown, line, ["From is not one address"]
    # mail-parser mends and passes over what stands around an address; that is good enough only if nothing else can
    # have been meant, by whoever reads it: the host that vouches for the sender has a reader of its own.
    if not this.plain and not (this.reasons <= _HARMLESS and _stands_alone(this)):
        doubts = ", ".join(sorted(this.reasons)) or "more than a name and an address"
        return unknown, line, [f"From is unclear: {doubts}"]
    return this.people[0], line, sorted(this.reasons)


def _stands_alone(this: _Reading) -> bool:
    """Is there nothing but a name and an address in one piece: no group, no route, no other address?"""
    address, bare = this.spelled[0], re.sub(r"\\.", "_", this.text)
    for _ in range(_LAYERS):
        bare = _ASIDE.sub(" ", bare)
    name, opened, rest = bare.rpartition("<")
    name = name.strip(" \t'")
    if not opened:
        return bare.strip(" \t") == address
    doubtful = re.search(r'[,:;@<>()"]', name) and canonical(name) != this.people[0].address
    return not doubtful and rest.strip(" \t").removesuffix(">").strip(" \t") == address


def _read(raw: bytes) -> _Reading:
    """The mailboxes of one field's value."""
    value = unfolded(raw[: 2 * MAX_FIELD])
    if len(value) > MAX_FIELD:
        value = value[:MAX_FIELD].rpartition(b",")[0]
    # An encoded word may hold raw commas and colons, which RFC 2047 5 forbids in names: they are no structure.
    if b"=?" in value:
        value = _ENCODED.sub(_atom, value)
    text = value.decode("latin-1")
    if not text:
        return _NOTHING
    pairs = _plain(text)
    plain = pairs is not None
    defects: list[dict[str, str]] = []
    if pairs is None:
        try:
            pairs, defects = borrowed("addresses").parse_address_header(text, _strict)
        except Exception as trouble:  # a library's bug must not cost the letter
            return _NOTHING._replace(reasons={f"unreadable: {type(trouble).__name__}"}, text=text, plain=False)
    reasons = {reason for defect in defects for reason in defect["reason"].split(",")}
    people = [Address(_name(name), _address(address)) for name, address in pairs or ()]
    return _Reading(people, [address for _, address in pairs or ()], reasons, text, plain)


def _plain(text: str) -> list[tuple[str, str]] | None:
    """Names and addresses of a field in which nothing is doubtful, else None."""
    pairs: list[tuple[str, str]] = []
    position = 0
    while position < len(text):
        item = _PLAIN.match(text, position)
        if item is None:
            return None
        pairs.append((item[1] or (item[2] or "").strip(" \t"), item[3] or item[4]))
        position = item.end()
    return pairs


def _atom(word: re.Match[bytes]) -> bytes:
    return b"=?%b?Q?%b?=" % (word[1], _SPECIAL.sub(lambda c: b"=%02X" % c[0][0], word[3]))


def _strict(values: list[str]) -> list[tuple[str, str]]:
    """The standard library's opinion, with which mail-parser compares its own."""
    from email.utils import getaddresses

    return getaddresses(values)


def _name(text: str) -> str:
    """A display name as people read it: decoded, one line, without the quotes and backslashes of the grammar."""
    plain = decode_words(text.encode("latin-1", "replace"), NAME_LIMIT)
    return plain.replace('"', "").replace("\\", "").strip(" '")


def _address(text: str) -> str:
    try:
        return canonical(text.encode("latin-1").decode("utf-8"))
    except UnicodeError:
        return ""
