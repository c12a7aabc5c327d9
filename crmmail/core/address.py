"""Addresses as identities: one spelling each, and strict.

An address decides who somebody is (safety.md 2), so nothing is repaired here: what does not fit the grammar below
is no address.  Comparison is by lower-case ASCII; a host with other letters is turned into its punycode form label
by label *without* Unicode normalisation (NFKC would fold full-width letters into a customer's name, and the
standard library's idna codec takes quadratic time on long input).
"""

from __future__ import annotations

import re
from functools import lru_cache

# RFC 5321's sizes: 64 octets before the @, 255 after it, 63 a label.
MAX_LOCAL, MAX_HOST, MAX_LABEL = 64, 255, 63

# The one letter beyond ASCII of which lower() makes an ASCII one (k): a disguise that folds into a customer's name.
_KELVIN = "\u212a"

_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_LOCAL = re.compile(rf"{_ATOM}(?:\.{_ATOM})*\Z")
_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9_-]*[a-z0-9])?\Z")
_QUOTED = re.compile(r'"((?:[^"\\\x00-\x1f\x7f]|\\[^\x00-\x1f\x7f])*)"\Z')


@lru_cache(1 << 12)  # a process that takes in many letters meets the same addresses again and again
def canonical(address: str) -> str:
    """The one spelling of `address`: lower case, host in ASCII.  "" where it is not exactly one clear address.

    >>> canonical("Ann@Customer.EXAMPLE"), canonical("a@b@c"), canonical('"ann"@x.example')
    ('ann@customer.example', '', 'ann@x.example')
    """
    if len(address) > MAX_LOCAL + MAX_HOST + 1:
        return ""
    local, at, host = address.strip(" \t").rpartition("@")
    if not at or _KELVIN in local:
        return ""
    quoted = _QUOTED.match(local)
    if quoted:  # only quotes that need not be there: "a b"@host is legal, and no mailbox of this world
        local = re.sub(r"\\(.)", r"\1", quoted[1])
    if not local or len(local.encode("utf-8", "replace")) > MAX_LOCAL or not _LOCAL.match(_as_ascii(local)):
        return ""
    host = canonical_host(host)
    return f"{local.lower()}@{host}" if host else ""


def _as_ascii(words: str) -> str:
    """Letters beyond ASCII (RFC 6531) as "x", so that an ASCII pattern judges them: ranges of Unicode in a pattern cost
    every process 8 ms.  What is neither letter, digit nor visible mark stays, and fits no pattern."""
    if words.isascii():
        return words
    return "".join("x" if not char.isascii() and _is_letter(char) else char for char in words)


def _is_letter(char: str) -> bool:
    """A letter, a digit, or a mark that shows: Hindi is spelled with marks; joiners and variation selectors hide."""
    if char.isalnum():
        return True
    from unicodedata import category  # 0.1 x `python -c pass` that ASCII need not pay

    hides = char == "\u034f" or "\ufe00" <= char <= "\ufe0f" or char >= "\U000e0000"
    return category(char) in ("Mn", "Mc") and not hides


def canonical_host(host: str) -> str:
    """`host` in lower-case ASCII, or "" where it is none (no dot is needed: intranets have short names)."""
    if not host or len(host) > MAX_HOST or _KELVIN in host:
        return ""
    labels = []
    for label in host.lower().rstrip(".").split("."):
        if not label.isascii():
            if not _LABEL.match(_as_ascii(label)):
                return ""
            label = "xn--" + label.encode("punycode", "replace").decode("ascii", "replace")
        if len(label) > MAX_LABEL or not _LABEL.match(label):
            return ""
        labels.append(label)
    return ".".join(labels)


def host_of(address: str) -> str:
    """What stands behind the last @."""
    return address.rpartition("@")[2]


def without_tag(address: str) -> str:
    """`sales+x@crm.example` → `sales@crm.example`: plus-tags are cut before an alias is looked up."""
    local, at, host = address.rpartition("@")
    head = local.partition("+")[0]
    return f"{head or local}{at}{host}"


def tag_of(address: str) -> str:
    """`sales+x@crm.example` → `x`; "" where there is none."""
    return address.rpartition("@")[0].partition("+")[2]


def from_xtext(words: str) -> str:
    """`ann+2Bprinter@x.example` → `ann+printer@x.example`: as ORCPT spells addresses (RFC 3461 §4), which some mailers
    copy into Original-Recipient as it is."""
    return re.sub(r"\+([0-7][0-9a-f])", lambda code: chr(int(code[1], 16)), words, flags=re.I).lower()
