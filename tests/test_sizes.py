"""Big mails through the door: what one delivery holds in memory, and what is kept of them (safety 10 and 13).

Memory is what the kernel counts of a real process at its peak.  Seconds stand in tests/bench/bench_memory.py.
"""

from __future__ import annotations

import errno
import hashlib
import io
import os
import zlib
from pathlib import Path

import pytest
from bigmails import BOMBS, HEAD, KINDS, LETTERS, LIMIT, Kind, attached, text, times
from doors import MDA, SOUND, Shop, answers_later, open_shop, with_python
from measure import Cost, measured
from thorough import long_form

from crmmail.mail.parse import body_digest_key
from crmmail.spool import HELD, STEP, Spool

MB = 1_000_000
PROGRAM = 36 * MB  # what a delivery of a small mail takes, and some air
# How often a mail is in memory at once, at most: itself, its files decoded, and what is stored of it compressed.
USUAL = 3.0
# Letters that are not ASCII take two bytes each in Python, and SQLite makes a row of a text from two more copies.
MORE = {
    "plain text": 3.3,
    "plain text, CRLF": 3.3,
    "text in UTF-8": 4.5,
    "text in koi8-r": 7.0,
    "text in base64": 3.5,
    "HTML in UTF-8": 4.5,
    "HTML in koi8-r": 6.5,
}


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return open_shop(tmp_path)


def delivered(shop: Shop, raw: bytes, **settings: str) -> Cost:
    """One mail through the door; it must be taken."""
    mail = shop.folder / "mail"
    mail.write_bytes(raw)
    cost = measured([MDA], mail, shop.env(**settings))
    assert (cost.status, cost.said) == (0, "")
    return cost


def kept(shop: Shop) -> bytes:
    """The one mail that is there, as it came."""
    ((packed, size),) = shop.rows("SELECT data, size FROM crm_original")
    raw = zlib.decompress(packed)
    assert len(raw) == size
    return raw


def is_whole(shop: Shop, raw: bytes) -> None:
    """It is there once, as a message or in quarantine, to its last byte."""
    assert len(shop.mails()) + len(shop.held()) == 1
    assert kept(shop) == raw
    assert shop.check() == SOUND


def most(kind: Kind, size: int) -> float:
    return (PROGRAM + MORE.get(kind.name, USUAL) * size) / 2**20


# --- memory -------------------------------------------------------------------------------------------------


SHORT = {"one file": 20 * MB, "text in UTF-8": 6 * MB, "HTML in koi8-r": 4 * MB}


@pytest.mark.parametrize(
    "kind", [kind if kind.name in SHORT else long_form(kind)[0] for kind in LETTERS], ids=lambda kind: kind.name
)
def test_a_big_mail_is_not_in_memory_many_times(shop: Shop, kind: Kind, thorough: bool) -> None:
    raw = kind.make(LIMIT if thorough else SHORT[kind.name])
    assert delivered(shop, raw).peak <= most(kind, len(raw))
    assert shop.mails() == ["Big"]
    is_whole(shop, raw)


@pytest.mark.thorough
@pytest.mark.parametrize("kind", BOMBS, ids=lambda kind: kind.name)
def test_a_mail_made_to_exhaust_us(shop: Shop, kind: Kind) -> None:
    """Minutes are in reach only of what is not linear, and so is the memory of a small machine.  The short form is in
    tests/mail/test_limits.py."""
    raw = kind.make(LIMIT)
    cost = delivered(shop, raw)
    assert cost.peak <= 600
    assert cost.processor <= 40
    is_whole(shop, raw)


def test_over_the_limit_is_held_once(shop: Shop) -> None:
    raw = text(b"The same words again and again.\n")(20 * MB)
    assert delivered(shop, raw, CRMMAIL_DELIVERY_MAX_SIZE="10000000").peak <= (PROGRAM + 1.2 * len(raw)) / 2**20
    assert shop.held() == ["too-large"]
    is_whole(shop, raw)


def test_what_is_far_over_the_limit_is_not_held_in_memory(shop: Shop, thorough: bool) -> None:
    raw = text(b"The same words again and again.\n")(1000 * MB if thorough else 120 * MB)
    temporary = shop.folder / "tmp"
    temporary.mkdir()
    assert delivered(shop, raw, TMPDIR=str(temporary)).peak <= (PROGRAM + 80 * MB) / 2**20
    assert shop.held() == ["too-large"]
    assert kept(shop) == raw
    assert list(temporary.iterdir()) == []


def test_a_thousand_small_parts_do_not_add_up(shop: Shop) -> None:
    (kind,) = (one for one in KINDS if one.name == "a thousand files")
    raw = kind.make(3 * MB)
    assert delivered(shop, raw).peak <= most(kind, len(raw))
    assert shop.rows("SELECT count(*) FROM crm_attachment") == [(990,)]


# --- nothing of it is lost ----------------------------------------------------------------------------------


def test_files_of_many_megabytes_are_what_came(shop: Shop) -> None:
    raw = attached(8 * MB, files=4)
    delivered(shop, raw)
    rows = shop.rows("SELECT b.sha256, b.size, b.data FROM crm_attachment a JOIN crm_blob b ON b.sha256 = a.sha256")
    assert len({digest for digest, _, _ in rows}) == 4
    assert all(len(data) == size > STEP and hashlib.sha256(data).hexdigest() == digest for digest, size, data in rows)
    is_whole(shop, raw)


def test_every_word_of_a_long_text_is_stored(shop: Shop) -> None:
    """Longer than a slice, with letters of one, two, three and four bytes on every border between slices."""
    words = "".join(f"{number} é ц € 𝄞\n" for number in range(100_000)) + "last"
    raw = HEAD + b"Content-Type: text/plain; charset=utf-8\n\n" + words.encode()
    delivered(shop, raw)
    ((stored, kind),) = shop.rows("SELECT text, typeof(text) FROM crm_message WHERE kind = 'email_in'")
    assert (stored, kind) == (words, "text")


def test_every_word_of_a_long_page_is_stored(shop: Shop) -> None:
    lines = "".join(f"<p>w{number} <b>слово{number}</b></p><!-- hidden{number} -->\n" for number in range(60_000))
    raw = HEAD + b"Content-Type: text/html; charset=utf-8\n\n" + lines.encode()
    delivered(shop, raw)
    ((stored, page),) = shop.rows("SELECT text, html FROM crm_message WHERE kind = 'email_in'")
    found = stored.split()
    assert [word for word in found if word[0] == "w"] == [f"w{number}" for number in range(60_000)]
    assert [word for word in found if word[0] == "с"] == [f"слово{number}" for number in range(60_000)]
    assert "hidden" not in stored
    assert page == ""  # the markup is in the original


# --- where there is no room ---------------------------------------------------------------------------------


def test_no_room_for_what_is_far_over_the_limit(shop: Shop) -> None:
    """It stays at the mail server, and was read to its end."""
    raw = times(b"words\n", HELD + MB)
    said = answers_later(shop.mda(raw, env={"TMPDIR": str(shop.folder / "nowhere")}))
    assert f"no room in {shop.folder}/nowhere for a mail of this size (No such file or directory)" in said
    assert (shop.mails(), shop.held(), shop.check()) == ([], [], SOUND)


def test_more_than_a_row_can_hold(shop: Shop) -> None:
    """SQLite takes a thousand million bytes in one value; this one was built for two."""
    small = (
        "import sqlite3\nfrom crmmail.store.engine import blobs, sql\nusual = blobs._in_pieces\n"
        "def tight(*given):\n    sql.connection().driver.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, 2_000_000)\n"
        "    return usual(*given)\nblobs._in_pieces = tight\n"
    )
    raw = HEAD + b"\n" + os.urandom(3 * MB)
    env = {"CRMMAIL_DELIVERY_MAX_SIZE": "1000000"}
    said = answers_later(shop.mda(raw, env=env, command=with_python(small)))
    assert "bytes in one row of the store, which can hold 2000000" in said
    assert (shop.mails(), shop.held(), shop.check()) == ([], [], SOUND)
    assert shop.mda(raw, env=env).returncode == 0
    assert shop.held() == ["too-large"]


# --- the spool ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [0, 1, STEP, STEP + 1, 3 * STEP + 5])
@pytest.mark.parametrize("held", [HELD, STEP // 2])
def test_a_spool_gives_back_what_was_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int, held: int
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    raw = os.urandom(size)
    spool = Spool(held=held)
    for start in range(0, size, 400_000):
        spool.write(raw[start : start + 400_000])
    assert (spool.size, spool.trouble) == (size, "")
    assert spool.whole() == raw
    assert b"".join(spool.slices()) == raw
    assert spool.beginning(STEP + 7) == raw[: STEP + 7]
    assert max((len(piece) for piece in spool.slices()), default=0) <= STEP
    assert list(tmp_path.iterdir()) == []  # no name, also while it is there
    spool.release()
    assert spool.size == size


class FillsUp(io.FileIO):
    """On a disk that fills up: a write takes a part of what it is given, and after `room` bytes nothing."""

    room = 0

    def write(self, piece: bytes | memoryview) -> int:  # type: ignore[override]
        took = min(len(piece), 300_000, self.room - self.tell())
        if not took:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return super().write(piece[:took])


@pytest.mark.parametrize(("room", "trouble"), [(10 * STEP, ""), (STEP, "No space left"), (STEP // 2, "No space left")])
def test_of_a_mail_no_disk_that_fills_up_keeps_a_part(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, room: int, trouble: str
) -> None:
    """A short write is no error: only the number that it answers tells of it."""
    monkeypatch.setattr(FillsUp, "room", room)
    monkeypatch.setattr("tempfile.TemporaryFile", lambda **_: FillsUp(tmp_path / "spool", "w+b"))
    raw = os.urandom(3 * STEP)
    spool = Spool(held=STEP)
    for start in range(0, len(raw), STEP - 1):
        spool.write(raw[start : start + STEP - 1])
    assert trouble in spool.trouble and bool(spool.trouble) == bool(trouble)
    assert spool.size == len(raw)
    if not trouble:
        assert spool.whole() == raw


def test_a_letter_is_known_again_however_it_is_cut() -> None:
    """By the key that counts its attempts: bytes in one piece or in slices, offered again with more lines on top."""
    for kind in ("plain text, CRLF", "one header line", "only a header", "only folding"):
        (this,) = (one for one in KINDS if one.name == kind)
        raw = this.make(STEP + 100_000)
        again = b"Received: from elsewhere\n by here\n" + raw
        keys = {body_digest_key(Spool(one).slices()) for one in (raw, again)} | {body_digest_key([raw])}
        assert len(keys) == 1, kind
        assert body_digest_key(Spool(raw + b"x").slices()) not in keys
