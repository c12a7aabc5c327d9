"""Does `crmmail serve` run, and is it this program?  That none runs is no trouble: then each mail starts its own."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

from crmmail import __version__
from crmmail.core.text import one_line
from crmmail.services.keeping.checks.finding import Finding, Site, fail, local, ok, warn
from crmmail.store.engine import place as places
from crmmail.store.engine.database import NEWEST
from crmmail.store.files import beside, serving

PATIENCE = 5.0  # seconds for an answer, beyond those for which a server may wait for the store's lock
MOST = 1 << 16  # bytes of an answer
# What a client says before it sends a mail, so that it is the process with the store which answers.
MDA = serving.QUESTION + b"\n"
LMTP = b"LHLO doctor\r\nMAIL FROM:<>\r\nRCPT TO:<postmaster>\r\nQUIT\r\n"
LMTP_ANSWERS = 4  # the greeting, and those to LHLO, MAIL and RCPT


def server_is_well(site: Site) -> Iterator[Finding]:
    """A server that was killed leaves its sockets, which mail servers go on trying; one that has outlived an upgrade
    knows another schema, and then takes no mail."""
    if not site.place or not (places.is_url(site.place) or os.path.isfile(site.place)):
        return
    found = serving.read(site.place)
    if found is None:
        left = [path for path in (beside.serve(site.place), beside.lmtp(site.place)) if _is_deserted(path)]
        if left:
            sentence = f"`crmmail serve` was killed, and has left {left[0]}"
            advice = "start it again; until then crmmail-mda delivers by itself, and by LMTP nothing comes in"
            yield warn("serve", sentence, advice)
        return
    who = f"`crmmail serve` (process {found.process}, since {local(found.began)})"
    if found.schema and found.schema != NEWEST:
        sentence = f"{who} is another program, for the schema {found.schema}: it takes no mail"
        yield fail("serve", sentence, "restart it: systemctl restart crmmail, or ^C and crmmail serve")
    elif found.version and found.version != __version__:
        sentence = f"{who} is still crmmail {found.version}"
        yield warn("serve", sentence, "restart it: systemctl restart crmmail, or ^C and crmmail serve")
    else:
        yield _heard(site, found, who)


def _heard(site: Site, found: serving.Server, who: str) -> Finding:
    """What it says to a client that asks whether it could hand a mail over."""
    patience = site.config.delivery_busy_timeout + PATIENCE
    try:
        refusal = _refusal(found.mda, MDA, _by_mda, patience) or _refusal(found.lmtp, LMTP, _by_lmtp, patience)
    except _Deaf as deaf:
        sentence = f"{who} does not answer: {deaf}"
        return fail("serve", sentence, "restart it: systemctl restart crmmail, or end it and crmmail serve")
    if refusal:
        advice = "mail waits where it is, and nothing is lost: look again, and mend what it says if it goes on"
        return warn("serve", f"{who} takes no mail now: {refusal}", advice)
    lmtp = f", LMTP on {found.lmtp}" if found.lmtp else ""
    return ok("serve", f"{who} takes mail{lmtp}")


class _Deaf(Exception):
    """A server does not do what a client waits for; str() is what."""


def _refusal(where: str, question: bytes, understood: Callable[[bytes], str], patience: float) -> str:
    """Why no mail could be handed over at that address, as it is said there; "" where one could, where there is no such
    address, or where we may not ask.

    Raises:
        _Deaf: it does not answer that.
    """
    if not where:
        return ""
    said = b""
    try:
        with serving.connected(serving.address(where), patience) as line:
            line.sendall(question)
            while len(said) < MOST and (piece := line.recv(MOST)):
                said += piece
    except (FileNotFoundError, ConnectionRefusedError):
        raise _Deaf(f"nobody listens on {where}") from None
    except (BlockingIOError, TimeoutError):
        raise _Deaf(f"nothing is heard on {where}") from None
    except OSError:
        return ""  # too long for a socket, or not for us
    try:
        return one_line(understood(said))
    except ValueError:
        raise _Deaf(f"it hangs up on {where}") from None


def _by_mda(said: bytes) -> str:
    _, end, words = said.decode("utf-8", "replace").partition("\n")
    if not end:
        raise ValueError("no answer")
    return words


def _by_lmtp(said: bytes) -> str:
    answers = [line for line in said.decode("utf-8", "replace").splitlines() if line[3:4] != "-"]
    refusals = [line for line in answers if line.startswith(("4", "5"))]
    if not refusals and len(answers) < LMTP_ANSWERS:
        raise ValueError("no answer")
    return refusals[0] if refusals else ""


def _is_deserted(path: str) -> bool:
    """Is it a socket at which nobody listens?  At those of systemd somebody does, also where no server runs yet."""
    try:
        return os.path.exists(path) and not serving.listens(path)
    except OSError:
        return False  # too long for a socket, or not for us
