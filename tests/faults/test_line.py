"""The line breaks between the mail server and fetchmail, in every way a line can.

Half a mail may come in, as a mail that ends where the line broke: nobody can see that it is half.  The whole one comes
with the next poll and takes its place in the same record, visibly.  Nothing is lost, nothing stands there twice, and
the server is rid of the mail when it is ours.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from brokenpop import BrokenPop
from doors import MDA, SOUND, Shop, letter, open_shop
from mailstack import MailStack
from thorough import long_form

pytestmark = pytest.mark.timeout(600)  # many processes each; on a busy machine that takes its time

WHOLE = "".join(f"line {number} of the long one\n" for number in range(3000))


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return open_shop(tmp_path)


def poll(shop: Shop, stack: MailStack, server: BrokenPop) -> str:
    """One poll of the broken server by the real fetchmail; what it said."""
    rc = (
        f"poll 127.0.0.1 service {server.port} protocol pop3 timeout 5\n"
        f'  user "{stack.user}" password "{stack.password}" sslproto \'\' no rewrite fetchall no keep\n'
        f'  mda "{MDA} --sender=%F"\n'
    )
    done = stack.poll(rc, env=shop.settings())
    return done.stdout + done.stderr


CAME_HALF = ("cut", "reset", "half", "silent")


@pytest.mark.parametrize("act", ["cut", "reset", "half", "late", "quit", "refuse", *long_form("silent")])
def test_line_that_breaks(shop: Shop, mailstack: MailStack, act: str) -> None:
    raw = letter("A long story", WHOLE, identifier="<long@customer.example>")
    with BrokenPop(raw, [act, act, "whole"]) as server:
        for _ in range(2):
            poll(shop, mailstack, server)
            assert not server.deleted
        after = len(shop.mails())
        said = poll(shop, mailstack, server)
        assert server.deleted, said
        assert server.asked == 3

    assert shop.titles("case") == ["A long story"]
    assert shop.held() == []
    messages = [one for one in shop.json("show", "1", "--peek")["messages"] if one["kind"] == "email_in"]
    assert messages[-1]["text"].strip() == WHOLE.strip()
    if act in CAME_HALF:
        assert after == 1, "half of it came twice, and stands there once"
        assert [one["superseded_by"] for one in messages] == [messages[1]["id"], None], "the cut one stays, marked"
    else:
        assert after == (act != "refuse")
        assert len(messages) == 1
    assert shop.check() == SOUND
