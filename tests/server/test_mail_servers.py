"""Real mail servers deliver by LMTP with the lines of docs/serve.md, and keep what `crmmail serve` does not take."""

from __future__ import annotations

import re
import shutil
import smtplib
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from doors import OK, ROOT, SOUND, Shop, letter, open_shop
from lmtp import FULL, Served
from mailstack import MailStack
from postfix import APT_LINE, HOST, Postfix
from servers import absent

from crmmail.server.queue import FRESH

DOC = (ROOT / "docs" / "serve.md").read_text(encoding="utf-8")
SOCKET, PORT = "/run/crmmail/lmtp", "2424"  # as the page has them
SMTP_SOURCE = shutil.which("smtp-source", path="/usr/sbin:/usr/local/sbin:/usr/bin")


@pytest.fixture
def shop() -> Iterator[Shop]:
    """Where Postfix's own user can reach the socket."""
    folder = Path(tempfile.mkdtemp(prefix="cs-", dir="/tmp"))
    folder.chmod(0o755)
    yield open_shop(folder)
    shutil.rmtree(folder)


def lines_with(words: str) -> str:
    """The block of the page that has these words in it."""
    (found,) = [block for block in re.findall(r"```\n(.*?)```", DOC, re.DOTALL) if words in block]
    return found


# -- fetchmail --------------------------------------------------------------------------------------------------------


def poll(shop: Shop, stack: MailStack, address: str = "") -> int:
    """One poll with the lines of the page; how many mails stay on the server."""
    changes = {
        "imap.mycompany.com protocol imap": f"127.0.0.1 service {stack.imap} protocol imap timeout 20",
        '"secret"': f"\"{stack.password}\" sslproto ''",  # our mail server speaks no TLS
        f'"{SOCKET}"': f'"{address or shop.folder / "lmtp"}"',
    }
    rc = lines_with(f'smtphost "{SOCKET}" lmtp')
    for old, new in changes.items():
        assert old in rc, old
        rc = rc.replace(old, new)
    done = stack.poll(f"set no bouncemail\n{rc}", env=shop.settings())
    assert "fetchmail" in done.stdout + done.stderr
    return stack.count()


def test_fetchmail_delivers_by_lmtp(shop: Shop, mailstack: MailStack) -> None:
    big = letter("A big one", "word " * 600_000, to="support@mycompany.com")
    shop.crmmail("aliases", "add", "support@mycompany.com", "--kind", "case", "--section", "support")
    with Served(shop, "--lmtp", f"unix:{shop.folder}/lmtp"):
        mailstack.deliver(letter("Printer broken", ".dots\n..\n", to="support@mycompany.com"))
        mailstack.deliver(letter("Принтер", "Горит\n", to="support@mycompany.com"))
        mailstack.deliver(big)
        assert poll(shop, mailstack) == 0
    assert shop.mails() == ["Printer broken", "Принтер", "A big one"]
    assert shop.rows("SELECT size > 3000000 FROM crm_original ORDER BY id DESC LIMIT 1") == [(1,)]
    assert shop.words(1)[0] == ".dots\n.."
    assert shop.held() == []
    assert shop.check() == SOUND


def test_fetchmail_over_tcp(shop: Shop, mailstack: MailStack) -> None:
    assert f'smtphost "127.0.0.1/{PORT}" lmtp' in DOC
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port = probe.getsockname()[1]
    with Served(shop, "--lmtp", f"127.0.0.1:{port}"):
        mailstack.deliver(letter("Printer broken"))
        assert poll(shop, mailstack, f"127.0.0.1/{port}") == 0
    assert shop.rows("SELECT COUNT(*) FROM crm_original") == [(1,)]


def test_fetchmail_keeps_what_is_not_taken(shop: Shop, mailstack: MailStack) -> None:
    """Whatever it hears then: it must neither delete the mail nor return it to its sender."""
    mailstack.deliver(letter("Printer broken", to="support@mycompany.com"))
    assert poll(shop, mailstack) == 1, "no server"
    with Served(shop, "--lmtp", f"{shop.folder}/lmtp", patch=FULL):
        assert poll(shop, mailstack) == 1, "not committed"
    with Served(shop, "--lmtp", f"{shop.folder}/lmtp", env={"CRMMAIL_DELIVERY_BUSY_TIMEOUT": "0"}):
        with shop.locked():
            assert poll(shop, mailstack) == 1, "locked"
        assert shop.held() == []
        assert poll(shop, mailstack) == 0
    assert shop.held() == ["no-route"]


# -- Postfix ----------------------------------------------------------------------------------------------------------


def send(postfix: Postfix, *to: str, sender: str = "ann@customer.example", subject: str = "Printer broken") -> None:
    with smtplib.SMTP(HOST, postfix.port, timeout=10) as connection:
        connection.sendmail(sender, list(to), letter(subject, to=", ".join(to)))


@pytest.fixture
def relay(postfix: Postfix, shop: Shop) -> Postfix:
    """Postfix, with the page's line for where our mail goes, and no other."""
    line = lines_with("lmtp:unix:").replace(SOCKET, f"{shop.folder}/lmtp").replace("crm.example", "crm.test")
    (limit,) = re.findall(r"^lmtp_destination_recipient_limit = (.+)$", DOC, re.MULTILINE)
    table = shop.folder / "transport"
    table.write_text(line)
    postfix.configure(
        transport_maps=f"texthash:{table}", relay_domains="crm.test", lmtp_destination_recipient_limit=limit
    )
    return postfix


def let_in(server: Served) -> None:
    """What `SocketGroup=postfix` does in the unit: Postfix's agent runs as a user of its own."""
    server.path = server.shop.folder / "lmtp"
    server.path.chmod(0o666)


def test_postfix_delivers_by_lmtp(relay: Postfix, shop: Shop) -> None:
    with Served(shop, "--lmtp", f"unix:{shop.folder}/lmtp") as server:
        let_in(server)
        send(relay, "support@crm.test", "sales@crm.test")
        send(relay, "nobody@crm.test", sender="", subject="Undeliverable")
        assert relay.queue() == []
    log = relay.log()
    assert log.count("status=sent (250 2.0.0 stored #1)") == 2, "one mail for two recipients"
    assert "status=sent (250 2.0.0 quarantined" in log
    assert [shop.titles("case"), shop.titles("lead")] == [["Printer broken"], ["Printer broken"]]
    assert relay.mailbox("ann@customer.example") == [], "nothing is returned"


def test_postfix_keeps_what_is_not_taken_and_brings_it_again(relay: Postfix, shop: Shop) -> None:
    send(relay, "support@crm.test")
    (waiting,) = relay.queue()
    assert "No such file" in waiting["recipients"][0]["delay_reason"], "no server"
    with Served(shop, "--lmtp", f"{shop.folder}/lmtp", env={"CRMMAIL_DELIVERY_BUSY_TIMEOUT": "0"}) as server:
        let_in(server)
        with shop.locked():
            time.sleep(FRESH)  # so long a look at the store is believed
            relay.flush()
            (waiting,) = relay.queue()
            assert f"451 4.3.0 {shop.place} is locked by another process" in waiting["recipients"][0]["delay_reason"]
        relay.flush()
        assert relay.queue() == []
    assert shop.mails() == ["Printer broken"]


# -- load -------------------------------------------------------------------------------------------------------------


def test_a_load_of_eight_connections(shop: Shop, thorough: bool) -> None:
    if SMTP_SOURCE is None:
        absent(f"needs: {APT_LINE}")
    count = 2000 if thorough else 40
    env = {"CRMMAIL_LOOP_NEW_RECORDS": "0", "CRMMAIL_LOOP_MESSAGES": "0"}
    with Served(shop, env=env) as server:
        source = [SMTP_SOURCE, "-L", "-s", "8", "-m", str(count), "-l", "3000", "-N"]
        who = ["-f", "ann@customer.example", "-t", "support@crm.test"]
        done = subprocess.run([*source, *who, f"unix:{server.path}"], capture_output=True, text=True, timeout=100)
        assert (done.returncode, done.stderr) == (OK, "")
        assert server.stop() == 0
    assert shop.rows("SELECT COUNT(*) FROM crm_decision") == [(count,)]
    assert shop.check() == SOUND
