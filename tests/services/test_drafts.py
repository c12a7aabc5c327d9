"""F99: drafts are files that only their writer reads, and nothing but a draft is ever removed."""

from __future__ import annotations

import os
import re
import stat
from datetime import timedelta
from pathlib import Path

import pytest
from conversation import START, Talk

from crmmail.core.draft import Draft
from crmmail.errors import NotFound, Refused
from crmmail.services.acts import drafts
from crmmail.workspace import Choice, Workspace

OWNER = re.compile(r"\.[a-z]+-[0-9a-f]{6}(?=\.txt)")  # what a name says of writer and store
REPLY = Draft(record=101, verb="reply", to=("ann@customer.example",), text="The words.", below="> Help!")


@pytest.fixture
def place(talk: Talk, tmp_path: Path) -> Path:
    """Where the shop's drafts lie."""
    talk.environ(XDG_STATE_HOME=str(tmp_path / "state"))
    return tmp_path / "state" / "crmmail" / "drafts"


def put(talk: Talk, draft: Draft, user: str = "boss") -> Path:
    with talk.open(user) as workspace:
        return Path(drafts.put(workspace, draft))


def names(talk: Talk, user: str = "boss") -> list[str]:
    with talk.open(user) as workspace:
        return [os.path.basename(one.path) for one in drafts.listing(workspace)]


class TestPut:
    def test_makes_a_file_that_names_its_store_and_writer(self, talk: Talk, place: Path) -> None:
        path = put(talk, REPLY, "agent")
        assert (path.parent, OWNER.sub("", path.name)) == (place, "101-reply-20261124-100000.txt")
        assert "Store:" not in path.read_text() and "User:" not in path.read_text()
        assert drafts.load(str(path)) == REPLY._replace(user="agent")

    def test_says_in_the_file_what_is_not_as_usual(self, talk: Talk, place: Path) -> None:
        talk.environ(CRMMAIL_USER="boss")
        with Workspace(Choice(db=str(talk.db), user="agent")) as workspace:
            path = drafts.put(workspace, REPLY)
            assert drafts.load(path) == REPLY._replace(store=str(talk.db), user="agent")
            assert [one.path for one in drafts.listing(workspace)] == [path]

    def test_of_a_login_that_no_file_name_can_hold(self, talk: Talk, place: Path) -> None:
        talk.do("users add a/b --email ab@crm.test")
        path = put(talk, REPLY, "a/b")
        assert path.name == "101-reply-20261124-100000.txt"
        assert drafts.load(str(path)) == REPLY._replace(store=str(talk.db), user="a/b")

    def test_for_nobody_elses_eyes(self, talk: Talk, place: Path) -> None:
        place.mkdir(parents=True, mode=0o755)
        path = put(talk, REPLY)
        assert (stat.S_IMODE(place.stat().st_mode), stat.S_IMODE(path.stat().st_mode)) == (0o700, 0o600)

    def test_never_writes_over_another(self, talk: Talk, place: Path) -> None:
        place.mkdir(parents=True)
        mark = put(talk, Draft()).name.partition(".")[2]
        (place / f"101-reply-20261124-100000-2.{mark}").symlink_to(place / "elsewhere")
        paths = [put(talk, REPLY._replace(text=words)) for words in ("one", "two", "three")]
        found = [OWNER.sub("", path.name).removeprefix("101-reply-20261124-100000") for path in paths]
        assert found == [".txt", "-3.txt", "-4.txt"]
        assert [drafts.load(str(path)).text for path in paths] == ["one", "two", "three"]
        assert not (place / "elsewhere").exists()

    def test_of_what_has_no_record_yet(self, talk: Talk, place: Path) -> None:
        assert put(talk, Draft(verb="send")).name.startswith("send-20261124-100000.boss-")
        assert put(talk, Draft()).name.startswith("draft-20261124-100000.boss-")

    def test_that_cannot_be(self, talk: Talk, place: Path) -> None:
        place.parent.mkdir(parents=True)
        place.write_text("I am no folder")
        with pytest.raises(Refused, match=r"cannot write a draft into .*drafts: "):
            put(talk, REPLY)

    def test_on_a_full_disk_leaves_nothing_half(self, talk: Talk, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def full(handle: int) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(os, "fsync", full)
        with pytest.raises(Refused, match=r"cannot write .*101-reply.*: No space left on device"):
            put(talk, REPLY)
        assert list(place.iterdir()) == []

    def test_below_home_where_nothing_else_is_said(self, talk: Talk) -> None:
        talk.environ(XDG_STATE_HOME="relative")
        assert put(talk, REPLY).parent == talk.home / ".local" / "state" / "crmmail" / "drafts"


class TestListing:
    def test_newest_first(self, talk: Talk, place: Path) -> None:
        assert names(talk) == []
        put(talk, REPLY)
        talk.wait(minutes=1)
        put(talk, REPLY._replace(record=7))
        put(talk, REPLY._replace(record=7))
        assert [OWNER.sub("", name) for name in names(talk)] == [
            "7-reply-20261124-100100-2.txt", "7-reply-20261124-100100.txt", "101-reply-20261124-100000.txt",
        ]  # fmt: skip
        with talk.open() as workspace:
            assert drafts.listing(workspace)[0].updated == START + timedelta(minutes=1)

    @pytest.mark.sqlite("a link to the file")
    def test_of_mine_in_this_store(self, talk: Talk, place: Path, tmp_path: Path) -> None:
        mine = put(talk, REPLY)
        agents = put(talk, REPLY, "agent")
        text = mine.read_text()
        stored = text.replace("\n\n", "\nStore: /elsewhere/crm.db\n\n", 1)
        (place / "other-store.txt").write_text(stored)
        (place / "old.txt").write_text(text.replace("\n\n", f"\nStore: {talk.db}\nUser: boss\n\n", 1))
        (tmp_path / "link.db").symlink_to(talk.db)
        (place / "same-store.txt").write_text(stored.replace("/elsewhere/crm.db", str(tmp_path / "link.db")))
        (place / "nobodys.txt").write_text("only words")
        (place / f"another.boss-{'0' * 6}.txt").write_text(text)  # by its name of another store
        assert sorted(names(talk)) == [mine.name, "nobodys.txt", "old.txt", "same-store.txt"]
        assert sorted(names(talk, "agent")) == [agents.name, "nobodys.txt", "same-store.txt"]
        talk.environ(CRMMAIL_DB=str(tmp_path / "link.db"))
        assert mine.name in names(talk)

    def test_hides_no_broken_one(self, talk: Talk, place: Path) -> None:
        path = put(talk, REPLY)
        path.write_text(path.read_text().replace("Record: 101", "Record: a hundred"))
        (place / "latin.txt").write_bytes("Verb: reply\n\nvoilà".encode("latin-1"))
        with talk.open() as workspace:
            found = {os.path.basename(one.path): one for one in drafts.listing(workspace)}
        assert found[path.name].error == f"{path}: line 1: 'a hundred' is no number: it must be like 101"
        assert found["latin.txt"].error == f"{place}/latin.txt: it is not in UTF-8: save it so with your editor"
        assert found[path.name].draft == Draft(user="boss")
        assert found["latin.txt"].draft == Draft()
        assert path.name not in names(talk, "agent")

    def test_takes_nothing_else_for_one(self, talk: Talk, place: Path, tmp_path: Path) -> None:
        place.mkdir(parents=True)
        for name in (".101-reply.txt.swp", "101-reply.txt~", "#101-reply.txt#", ".#101.txt", "notes.md"):
            (place / name).write_text("Verb: reply\n\nx")
        (tmp_path / "secret.txt").write_text("secret")
        (place / "link.txt").symlink_to(tmp_path / "secret.txt")
        (place / "folder.txt").mkdir()
        os.mkfifo(place / "pipe.txt")
        assert names(talk) == []


class TestFind:
    def test_by_position_name_or_path(self, talk: Talk, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        old = put(talk, REPLY._replace(text="old"))
        talk.wait(minutes=1)
        put(talk, REPLY._replace(text="new"))
        monkeypatch.chdir(place.parent)
        with talk.open() as workspace:
            for words in ("2", "#2", old.name, str(old), f"drafts/{old.name}", f"./drafts/../drafts/{old.name}"):
                found = drafts.find(workspace, words)
                assert (found.path, found.draft.text) == (str(old), "old"), words

    def test_a_file_of_ones_own(self, talk: Talk, place: Path, tmp_path: Path) -> None:
        (tmp_path / "mine.txt").write_text("Verb: note\n\nWords")
        talk.environ(HOME=str(tmp_path))
        with talk.open() as workspace:
            assert drafts.find(workspace, "~/mine.txt").draft == Draft(verb="note", text="Words")

    @pytest.mark.parametrize("words", ["0", "2", "none.txt", "/nowhere/at/all", "/dev/zero", "", "."])
    def test_what_is_not_there(
        self, talk: Talk, place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: str
    ) -> None:
        put(talk, REPLY)
        monkeypatch.chdir(tmp_path)
        wanted = f"there is no draft {words}.*`crmmail drafts` lists"
        with talk.open() as workspace, pytest.raises(NotFound, match=wanted):
            drafts.find(workspace, words)

    def test_the_newest_of_a_verb_and_record(self, talk: Talk, place: Path) -> None:
        put(talk, REPLY._replace(text="old"))
        talk.wait(minutes=1)
        put(talk, REPLY._replace(text="new"))
        talk.wait(minutes=1)
        for other in (REPLY._replace(record=7), REPLY._replace(verb="note"), Draft(verb="send", text="send")):
            put(talk, other)
        put(talk, REPLY._replace(text="not mine"), "agent")
        (place / "broken.txt").write_text("Verb: reply\nRecord: x")
        with talk.open() as workspace:
            assert drafts.newest(workspace, "reply", 101).draft.text == "new"
            assert drafts.newest(workspace, "send", None).draft.text == "send"
            with pytest.raises(
                NotFound, match=r"^there is no draft of a forward to #101: `crmmail drafts` lists yours$"
            ):
                drafts.newest(workspace, "forward", 101)
            with pytest.raises(NotFound, match=r"^there is no draft of a note: "):
                drafts.newest(workspace, "note", None)


class TestLoad:
    def test_what_is_no_file(self, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "pipe")
        for path in (tmp_path, tmp_path / "pipe", Path("/dev/zero")):
            with pytest.raises(NotFound, match="is no file"):
                drafts.load(str(path))
        with pytest.raises(NotFound, match="there is no draft"):
            drafts.load(str(tmp_path / "none"))

    def test_a_line_of_it_that_is_wrong(self, tmp_path: Path) -> None:
        (tmp_path / "a.txt").write_text("Verb: reply\nReccord: 1\n\nx")
        with pytest.raises(Refused) as said:
            drafts.load(str(tmp_path / "a.txt"))
        assert str(said.value).startswith(f"{tmp_path}/a.txt: line 2: there is no header 'Reccord'")


class TestRemove:
    def test_a_draft(self, talk: Talk, place: Path) -> None:
        path = put(talk, REPLY)
        drafts.remove(str(path))
        assert not path.exists()
        with pytest.raises(NotFound):
            drafts.remove(str(path))

    def test_nothing_outside_the_folder(self, talk: Talk, place: Path, tmp_path: Path) -> None:
        put(talk, REPLY)
        outside = tmp_path / "outside"
        outside.mkdir()
        (outside / "a.txt").write_text("precious")
        (place / "way").symlink_to(outside)
        (place / "below").mkdir()
        (place / "below" / "b.txt").write_text("precious")
        around = Path(f"{place}/../../../outside/a.txt")
        for path in (outside / "a.txt", place / "way" / "a.txt", around, place / "below" / "b.txt"):
            with pytest.raises(Refused, match="is no draft in"):
                drafts.remove(str(path))
            assert path.read_text() == "precious"

    def test_nothing_but_a_draft(self, talk: Talk, place: Path) -> None:
        put(talk, REPLY)
        (place / ".101.txt.swp").write_text("vim's")
        (place / "folder.txt").mkdir()
        for name in (".101.txt.swp", "folder.txt"):
            with pytest.raises(Refused):
                drafts.remove(str(place / name))
            assert (place / name).exists()

    def test_a_link_and_not_what_it_means(self, talk: Talk, place: Path, tmp_path: Path) -> None:
        put(talk, REPLY)
        (tmp_path / "precious.txt").write_text("precious")
        (place / "link.txt").symlink_to(tmp_path / "precious.txt")
        drafts.remove(str(place / "link.txt"))
        assert not os.path.lexists(place / "link.txt")
        assert (tmp_path / "precious.txt").read_text() == "precious"

    def test_where_the_folder_is_reached_through_a_link(self, talk: Talk, place: Path, tmp_path: Path) -> None:
        path = put(talk, REPLY)
        (tmp_path / "short").symlink_to(place)
        drafts.remove(str(tmp_path / "short" / path.name))
        assert not path.exists()
