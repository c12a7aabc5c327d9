"""Does `crmmail serve` run, and is it this program?  That none runs is no trouble: then each mail starts its own."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator

from crmmail import __version__
from crmmail.services.keeping.checks.finding import Finding, Site, fail, local, ok, warn
from crmmail.store.engine import place as places
from crmmail.store.engine.database import NEWEST
from crmmail.store.files import beside, serving

PATIENCE = 5.0  # seconds for an answer
MDA = b"doctor\n"  # no mail, to which a server says that it is none
LMTP = b"QUIT\r\n"


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
    elif deaf := [said for said in (_silence(found.mda, MDA), _silence(found.lmtp, LMTP)) if said]:
        sentence = f"{who} does not answer: {deaf[0]}"
        yield fail("serve", sentence, "restart it: systemctl restart crmmail, or end it and crmmail serve")
    else:
        lmtp = f", LMTP on {found.lmtp}" if found.lmtp else ""
        yield ok("serve", f"{who} takes mail{lmtp}")


def _silence(where: str, question: bytes) -> str:
    """Why a server is taken for deaf at that address; "" where it answers, where it has none, or we may not ask."""
    family, target = _target(where)
    if not where:
        return ""
    try:
        with socket.socket(family) as probe:
            probe.settimeout(PATIENCE)
            probe.connect(target)
            probe.sendall(question)
            return "" if probe.recv(1) else f"it hangs up on {where}"
    except (FileNotFoundError, ConnectionRefusedError):
        return f"nobody listens on {where}"
    except (BlockingIOError, TimeoutError):
        return f"nothing is heard on {where}"
    except OSError:
        return ""  # too long for a socket, or not for us


def _target(where: str) -> tuple[socket.AddressFamily, str | tuple[str, int]]:
    """An address as `server.sockets` writes it, for `connect`."""
    if where.startswith("unix:"):
        return socket.AF_UNIX, where.removeprefix("unix:")
    host, _, port = where.rpartition(":")
    return socket.AF_INET6 if "[" in host else socket.AF_INET, (host.strip("[]"), int(port or 0))


def _is_deserted(path: str) -> bool:
    """Is it a socket at which nobody listens?  At those of systemd somebody does, also where no server runs yet."""
    if not os.path.exists(path):
        return False
    try:
        with socket.socket(socket.AF_UNIX) as probe:
            probe.settimeout(1)
            probe.connect(path)
    except ConnectionRefusedError:
        return True
    except OSError:
        pass  # too long for a socket, not for us, or busy
    return False
