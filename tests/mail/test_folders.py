"""Mail in files: where each letter lies in an mbox or a Maildir, and that its bytes come back as they were."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crmmail.errors import Refused
from crmmail.mail import folders
from crmmail.mail.folders import Folder, Gone
from crmmail.mail.mbox import STEP, as_mbox
from crmmail.mail.parse import peek

MONDAY = datetime(2026, 11, 23, 9, 5, 3, tzinfo=UTC)
LINE = b"From ann@example.com Mon Nov 23 09:05:03 2026\n"


def mbox(folder: Path, data: bytes, name: str = "all.mbox") -> Folder:
    path = folder / name
    path.write_bytes(data)
    (found,) = folders.folders(str(path))
    return found


def letters(folder: Path, data: bytes) -> list[bytes]:
    return [folders.read(place) for place in folders.places(mbox(folder, data))]


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (b"", []),
        (b"\n\n", []),
        (LINE + b"Subject: 1\n\nOne\n", [b"Subject: 1\n\nOne\n"]),
        (LINE + b"A: 1\n\nOne\n\n" + LINE + b"A: 2\n\nTwo\n\n", [b"A: 1\n\nOne\n", b"A: 2\n\nTwo\n"]),
        (LINE + b"A: 1\n\n\n\n" + LINE + b"A: 2\n\n", [b"A: 1\n\n\n", b"A: 2\n"]),
        # Quoted: one ">" less than in the file.
        (LINE + b"A: 1\n\n>From us\n>>From you\n> From\n", [b"A: 1\n\nFrom us\n>From you\n> From\n"]),
        # No separator: no blank line before it; no date in it, where the file's others have one.
        (LINE + b"A: 1\n\nas he wrote\n" + LINE + b"B: 1\n", [b"A: 1\n\nas he wrote\n" + LINE + b"B: 1\n"]),
        (LINE + b"A: 1\n\nSee:\n\nFrom here: on\n", [b"A: 1\n\nSee:\n\nFrom here: on\n"]),
        # Content-Length tells nothing.
        (LINE + b"Content-Length: 999\n\nOne\n\n" + LINE + b"A: 2\n", [b"Content-Length: 999\n\nOne\n", b"A: 2\n"]),
        # CRLF, as Thunderbird writes it under Windows; the line of an mbox from Gmail.
        (
            b"From - Mon Nov 23 09:05:03 2026\r\nA: 1\r\n\r\nOne\r\n\r\n" + LINE + b"A: 2\n",
            [b"A: 1\r\n\r\nOne\r\n", b"A: 2\n"],
        ),
        (b"From 1699@xxx Mon Nov 23 09:05:03 +0000 2026\nA: 1\n\n" + LINE + b"A: 2\n", [b"A: 1\n", b"A: 2\n"]),
        # A file whose lines have no date at all.
        (b"From nobody\nA: 1\n\nOne\n\nFrom nobody\nA: 2\n", [b"A: 1\n\nOne\n", b"A: 2\n"]),
    ],
)
def test_an_mbox_is_cut_where_its_letters_begin(tmp_path: Path, data: bytes, found: list[bytes]) -> None:
    assert letters(tmp_path, data) == found


@given(
    st.lists(
        st.lists(
            st.sampled_from([b"From me", b"From ", b">From x", b"", b"\r", b"> >From", LINE[:-1], b"a" * 90]),
            max_size=8,
        ),
        max_size=6,
    ),
    st.sampled_from([7, 50, STEP]),
)
def test_what_is_written_is_read_back(
    tmp_path_factory: pytest.TempPathFactory, bodies: list[list[bytes]], step: int
) -> None:
    """Byte for byte, but for a line end at the very end; whatever the size of the pieces that are looked at."""
    written = [b"Subject: x\n\n" + b"\n".join(body) + b"\n" for body in bodies]
    data = b"".join(as_mbox(one, "ann@example.com", MONDAY) for one in written)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("crmmail.mail.mbox.STEP", step)
        assert letters(tmp_path_factory.mktemp("mbox"), data) == written


def test_a_from_line_tells_when(tmp_path: Path) -> None:
    found = mbox(tmp_path, as_mbox(b"A: 1\n\n", "not an address", MONDAY))
    (place,) = folders.places(found)
    begin = folders.beginning(place)
    assert begin.startswith(b"From MAILER-DAEMON Mon Nov 23 09:05:03 2026\n")
    assert folders.came(place, begin) == MONDAY


class TestMaildir:
    @pytest.fixture
    def maildir(self, tmp_path: Path) -> Path:
        for name in ("", ".Sent Items", ".Junk", ".&BB4EQgQ,BEAEMAQyBDsENQQ9BD0ESwQ1-", "Lists/Dev"):
            for below in ("cur", "new", "tmp"):
                (tmp_path / name / below).mkdir(parents=True)
        for name in ("cur/1700000001.1.h:2,S", "new/1700000002.2.h", "cur/1700000003.3.h:2,ST", "tmp/1700000004.4.h"):
            (tmp_path / name).write_bytes(f"Subject: {name}\n\n".encode())
        return tmp_path

    def test_and_those_below_it(self, maildir: Path) -> None:
        found = {one.name: (one.sent, one.unwanted) for one in folders.folders(str(maildir))}
        assert found == {
            "": (False, False),
            ".Sent Items": (True, False),
            ".Junk": (False, True),
            ".&BB4EQgQ,BEAEMAQyBDsENQQ9BD0ESwQ1-": (True, False),  # Отправленные
            "Lists/Dev": (False, False),
        }

    def test_what_is_named_itself_is_wanted(self, maildir: Path) -> None:
        (found,) = folders.folders(str(maildir / ".Junk"))
        assert not found.unwanted

    def test_has_letters_in_cur_and_new_that_are_not_removed(self, maildir: Path) -> None:
        places = list(folders.places(folders.folders(str(maildir))[0]))
        assert sorted(folders.read(one) for one in places) == [
            b"Subject: cur/1700000001.1.h:2,S\n\n",
            b"Subject: new/1700000002.2.h\n\n",
        ]
        assert folders.came(places[0], b"") == datetime.fromtimestamp(1700000001, UTC)

    def test_a_letter_that_somebody_reads_meanwhile_is_found(self, maildir: Path) -> None:
        places = {os.path.basename(one.path): one for one in folders.places(folders.folders(str(maildir))[0])}
        os.rename(maildir / "new/1700000002.2.h", maildir / "cur/1700000002.2.h:2,S")
        assert folders.read(places["1700000002.2.h"]) == b"Subject: new/1700000002.2.h\n\n"
        os.remove(maildir / "cur/1700000002.2.h:2,S")
        with pytest.raises(Gone):
            folders.read(places["1700000002.2.h"])


def test_an_mbox_that_was_written_anew_is_noticed(tmp_path: Path) -> None:
    found = mbox(tmp_path, LINE + b"A: 1\n\n" + LINE + b"A: 2\n\nTwo\n")
    _, second = folders.places(found)
    (tmp_path / "all.mbox").write_bytes(LINE + b"A: 2\n\nTwo, which moved up\n" * 9)
    with pytest.raises(Gone):
        folders.read(second)


def told(folder: Folder) -> list[str]:
    """Of each letter its first line, or what was said of what is none."""
    said = []
    for place in folders.places(folder):
        try:
            said.append(folders.read(place).decode().partition("\n")[0])
        except (Gone, OSError) as error:
            said.append(str(error).replace(f"{folder.path}/", ""))
    return said


def put_what_is_none(there: Path, ending: str = "") -> None:
    """Among letters: a link to what others may not read, one to itself, a pipe, a folder, a picture, a letter."""
    (there.parent / "secret").write_bytes(b"root: x\n\n")
    for name, leads in (("1", there.parent / "secret"), ("2", Path(f"2{ending}"))):
        (there / f"{name}{ending}").symlink_to(leads)
    os.mkfifo(there / f"3{ending}")
    (there / f"4{ending}").mkdir()
    (there / f"5{ending}").write_bytes(b"\x89PNG\r\n")
    (there / f"6{ending}").write_bytes(b"Subject: 6\n\n")


NONE = [*(f"{number} is no plain file" for number in "1234"), "5 is no mail: it begins with no header", "Subject: 6"]


def test_what_is_no_letter_in_a_maildir_is_told_of_and_not_followed(tmp_path: Path) -> None:
    box, elsewhere = tmp_path / "box", tmp_path / "elsewhere"
    for one in (box, elsewhere):
        (one / "cur").mkdir(parents=True)
        (one / "new").mkdir()
    put_what_is_none(box / "cur")
    (box / ".Linked").mkdir()
    for below in ("cur", "new"):
        (box / ".Linked" / below).symlink_to(elsewhere / below)
    (found,) = folders.folders(str(box))
    assert told(found) == [f"cur/{one}" if one[0] in "12345" else one for one in NONE]


def test_what_is_no_letter_in_a_folder_of_letters(tmp_path: Path) -> None:
    (tmp_path / "old").mkdir()
    put_what_is_none(tmp_path / "old", ".eml")
    (found,) = folders.folders(str(tmp_path / "old"))
    assert told(found) == [f"{one[0]}.eml{one[1:]}" if one[0] in "12345" else one for one in NONE]


def test_a_folder_that_may_not_be_read_stops_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("cur", "new", ".Shut/cur", ".Shut/new"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "cur" / "1").write_bytes(b"Subject: 1\n\n")

    def shut(do: Callable[..., Any]) -> Callable[..., Any]:  # root, as whom tests may run, is let in everywhere
        def done(path: str, *how: int) -> Any:
            if ".Shut" in path:
                raise PermissionError(13, "Permission denied", path)
            return do(path, *how)

        return done

    monkeypatch.setattr(os, "scandir", shut(os.scandir))
    monkeypatch.setattr(os, "open", shut(os.open))
    said = [line for one in folders.folders(str(tmp_path)) for line in told(one)]
    assert said[0] == "Subject: 1"
    assert len(said) == 3 and all("Permission denied" in line for line in said[1:])


def test_a_link_that_was_named_itself_is_followed(tmp_path: Path) -> None:
    (tmp_path / "1").write_bytes(b"Subject: 1\n\n")
    (tmp_path / "link").symlink_to("1")
    (found,) = folders.folders(str(tmp_path / "link"))
    assert told(found) == ["Subject: 1"]


def test_an_mbox_without_a_letter_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refused, match=r"no letter was found in .*: its lines end in CR alone"):
        letters(tmp_path, (LINE + b"Subject: 1\n\nOne\n").replace(b"\n", b"\r"))


@pytest.mark.parametrize("data", [b"%PDF-1.7\n\0\1\2", b"PK\3\4\0\0", b"no mail at all\n"])
def test_what_is_no_mail_is_refused(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "file").write_bytes(data)
    with pytest.raises(Refused, match='file is no mail: it begins neither with a "From " line nor with a header'):
        folders.folders(str(tmp_path / "file"))


def test_a_folder_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="is no mail"):
        folders.folders(str(tmp_path))
    with pytest.raises(Refused, match=r"cannot read .*: No such file"):
        folders.folders(str(tmp_path / "nothing"))


@pytest.mark.parametrize(
    ("header", "removed"),
    [
        (b"X-Mozilla-Status: 0008\n", True),
        (b"X-Mozilla-Status: 0009\n", True),
        (b"X-Mozilla-Status: 0001\n", False),
        (b"X-IMAP: 1 2\nSubject: DON'T DELETE THIS MESSAGE -- FOLDER INTERNAL DATA\n", True),
        (b"X-IMAPbase: 1 2\n", False),
    ],
)
def test_what_a_mail_program_has_removed_says_so(header: bytes, removed: bool) -> None:
    assert peek(header + b"\nWords\n").removed is removed


def test_the_head_of_a_letter() -> None:
    head = peek(
        b"From x\r\nReceived: by h\r\nMessage-ID:\r\n <2@x>\r\nIN-REPLY-TO: <1@x>\r\nReferences: <0@x>\r\n <1@x>\r\n"
        b"Date: Mon, 23 Nov 2026 10:05:03 +0100\r\n\r\nMessage-ID: <3@x>\r\n"
    )
    assert head == ("2@x", MONDAY, ("1@x", "0@x"), True, False)
