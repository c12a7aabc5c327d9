"""F74–F76: messages are append-only; the admin may move, edit and delete, journalled and undoable.  And attachments."""

from __future__ import annotations

import errno
import io
import os
from pathlib import Path
from typing import Any

import pytest
from conversation import Letter, Talk


@pytest.fixture
def case(talk: Talk) -> Letter:
    talk.mail("bea@example.com", subject="Scanner", text="No light.")
    return talk.mail("ana@example.com", subject="Printer", text="It burns.", files=[("a.txt", b"A")])


def message(talk: Talk, letter: Letter) -> dict[str, Any]:
    return next(one for row in talk.all("case") for one in talk.show(row)["messages"] if one["id"] == letter.message)


class TestTheAdmin:
    @pytest.mark.parametrize("line", ["message move 4 1", "message edit 4 -m Ha", "message delete 4"])
    def test_and_nobody_else(self, talk: Talk, case: Letter, line: str) -> None:
        assert case.message == 4
        before = message(talk, case)
        assert "only an admin may" in talk.refused(line, user="agent")
        assert message(talk, case) == before

    def test_moves_a_message_with_all_that_hangs_on_it(self, talk: Talk, case: Letter) -> None:
        sentence = "message 4 moved from #2 to #1 Scanner"
        assert talk.do("message move 4 1") == f"{sentence}   (undo: crmmail undo)"
        assert (talk.words(1), talk.words(2)) == (["No light.", "It burns."], [])
        assert talk.system(1)[-1] == talk.system(2)[-1] == f"{sentence} by boss"
        assert [record for record, _ in talk.heard("agent")][:2] == [1, 1]
        # Ana takes part in the conversation that her letter is in now.
        assert talk.mail("ana@example.com", answers=case, text="More.").record == 1
        assert talk.cli("attachment list 1 --json").json[0]["name"] == "a.txt"

    def test_moves_it_back(self, talk: Talk, case: Letter) -> None:
        talk.do("message move 4 1")
        talk.do("undo")
        assert (talk.words(1), talk.words(2)) == (["No light."], ["It burns."])

    def test_edits(self, talk: Talk, case: Letter) -> None:
        talk.do(["message", "edit", "4", "-m", "(a number stood here)"])
        assert talk.words(2) == ["(a number stood here)"]
        talk.do("message edit 4", input="From a pipe.\n")
        assert talk.words(2) == ["From a pipe."]
        talk.do("undo 2")
        assert talk.words(2) == ["It burns."]

    def test_deletes_words_and_files_but_not_the_place(self, talk: Talk, case: Letter) -> None:
        before = message(talk, case)
        talk.do("message delete 4")
        left = message(talk, case)
        assert (left["text"], left["subject"], left["attachments"]) == ("(deleted by boss)", "", [])
        talk.do("undo")
        assert message(talk, case) == before
        assert talk.cli(f"attachment save {before['attachments'][0]['id']} -").bytes == b"A"

    def test_all_of_it_is_in_the_log(self, talk: Talk, case: Letter) -> None:
        talk.do("message edit 4 -m Other")
        talk.do("message delete 4")
        acts = [(one["login"], one["act"]) for one in talk.cli("log 2 --json").json]
        assert acts == [(None, "new"), ("boss", "edit-message"), ("boss", "delete-message")]

    def test_what_is_not_there(self, talk: Talk, case: Letter) -> None:
        for line in ("message move 99 1", "message move 4 99", "message edit 99 -m x", "message delete 99"):
            assert "there is no" in talk.refused(line)
        assert "is in #2 already" in talk.refused("message move 4 2")

    def test_reads_all_messages_newest_first(self, talk: Talk, case: Letter) -> None:
        found = talk.cli("message --limit 2 --json").json
        assert [one["id"] for one in found] == [4, 3]


class TestAttachments:
    NAMES = (
        "invoice.pdf", "../../etc/passwd", "..", ".bashrc", "-rf", "a/b\\c.txt", "evil\u202etxt.exe", "tab\there",
        "x" * 300 + ".txt", "nul", "", "caf\u00e9.txt", "\u0430.txt", " ", "a\x1b[2Jb",
    )  # fmt: skip

    def sent(self, talk: Talk, name: str, data: bytes = b"A\x00\xff\r\n") -> int:
        raw = talk.raw("ana@example.com", subject="File", text="See file.", files=[("placeholder.bin", data)])
        safe = name.encode("unicode_escape").decode().replace("\\", "\\\\").replace('"', '\\"')
        if not name.isascii() or not name.isprintable():
            from urllib.parse import quote

            raw = raw.replace(b'filename="placeholder.bin"', f"filename*=utf-8''{quote(name, safe='')}".encode())
        else:
            raw = raw.replace(b"placeholder.bin", safe.encode())
        letter = talk.post(raw)
        (file,) = talk.show(letter.record)["messages"][-1]["attachments"]
        assert file["size"] == len(data)
        return int(file["id"])

    @pytest.mark.parametrize("name", NAMES)
    def test_are_saved_in_this_folder_under_a_harmless_name(
        self, talk: Talk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
    ) -> None:
        folder = tmp_path / "deep" / "folder"
        folder.mkdir(parents=True)
        monkeypatch.chdir(folder)
        talk.do(f"attachment save {self.sent(talk, name)}")
        (saved,) = folder.iterdir()
        assert saved.read_bytes() == b"A\x00\xff\r\n"
        assert len(saved.name.encode()) <= 120
        assert saved.name[0] not in ".-"
        assert saved.name.isprintable()
        assert not set(saved.name) & set("/\\\u202e")
        assert saved.stat().st_mode & 0o177 == 0
        assert list(folder.parent.iterdir()) == [folder]

    def test_never_over_a_file_that_is_there(self, talk: Talk, tmp_path: Path) -> None:
        number = self.sent(talk, "a.txt")
        (tmp_path / "a.txt").write_bytes(b"mine")
        assert "is there already" in talk.refused(["attachment", "save", str(number), str(tmp_path)])
        assert "is there already" in talk.refused(["attachment", "save", str(number), str(tmp_path / "a.txt")])
        assert (tmp_path / "a.txt").read_bytes() == b"mine"

    def test_never_through_a_link(self, talk: Talk, tmp_path: Path) -> None:
        number = self.sent(talk, "a.txt")
        os.symlink(tmp_path / "elsewhere", tmp_path / "a.txt")
        talk.refused(["attachment", "save", str(number), str(tmp_path)])
        assert not (tmp_path / "elsewhere").exists()

    def test_half_a_file_does_not_stay(self, talk: Talk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """The disk is full behind the first byte."""
        number = self.sent(talk, "a.txt")

        class Full(io.BytesIO):
            def write(self, data: object) -> int:
                raise OSError(errno.ENOSPC, "No space left on device")

        real = os.fdopen
        with monkeypatch.context() as patch:
            patch.setattr(os, "fdopen", lambda handle, *mode: Full() if mode == ("wb",) else real(handle, *mode))
            said = talk.refused(["attachment", "save", str(number), str(tmp_path / "a.txt")])
        assert said == f"cannot write {tmp_path}/a.txt: No space left on device"
        assert not (tmp_path / "a.txt").exists()
        talk.do(["attachment", "save", str(number), str(tmp_path / "a.txt")])

    def test_to_a_name_of_ones_own_or_a_pipe(self, talk: Talk, tmp_path: Path) -> None:
        number = self.sent(talk, "../a.txt", data=bytes(range(256)))
        talk.do(["attachment", "save", str(number), str(tmp_path / "mine.bin")])
        assert (tmp_path / "mine.bin").read_bytes() == bytes(range(256))
        assert talk.cli(f"attachment save {number} -").bytes == bytes(range(256))

    def test_that_are_not_there(self, talk: Talk, tmp_path: Path) -> None:
        assert "there is no" in talk.refused("attachment save 77")
        number = self.sent(talk, "a.txt")
        assert "cannot write /nowhere/at/all" in talk.refused(["attachment", "save", str(number), "/nowhere/at/all"])

    def test_equal_bytes_are_kept_once(self, talk: Talk) -> None:
        from crmmail.store import tables

        for name in ("one.txt", "two.txt"):
            self.sent(talk, name)
        assert (talk.count(tables.Attachment), talk.count(tables.Blob)) == (2, 1)
