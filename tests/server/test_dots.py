"""The text of a mail comes without the dots of the transport, however it is cut into packets."""

from __future__ import annotations

import pytest

from crmmail.server.dots import Text

CASES = {
    "a line": (b"Hello\r\n.\r\n", b"Hello\r\n"),
    "nothing": (b".\r\n", b""),
    "an empty line": (b"\r\n.\r\n", b"\r\n"),
    "a dot that was doubled": (b"..\r\n...x\r\n.\r\n", b".\r\n..x\r\n"),
    "a dot that was not": (b".x\r\n.\r\n", b"x\r\n"),
    "dots inside a line": (b"a.b\r\nc.\r\n.\r\n", b"a.b\r\nc.\r\n"),
    "bare line ends are no end": (b"a\n.\nb\n.\r\nc\r.\rd\r\n.\r\n", b"a\n.\nb\n.\r\nc\r.\rd\r\n"),
    "an end that is none": (b"a\r\n.\rb\r\n.\r\n", b"a\r\n\rb\r\n"),
    "carriage returns before the end": (b"a\r\r\n.\r\n", b"a\r\r\n"),
    "any byte": (bytes(range(14, 256)) + b"\r\n.\r\n", bytes(range(14, 256)) + b"\r\n"),
}


def read(pieces: list[bytes]) -> tuple[bytes, bytes | None]:
    """The mail, and what came behind its end."""
    text, found = Text(), b""
    for number, piece in enumerate(pieces):
        plain, behind = text.feed(piece)
        found += plain
        if behind is not None:
            return found, behind + b"".join(pieces[number + 1 :])
    return found, None


@pytest.mark.parametrize("name", CASES)
def test_a_mail_is_what_was_sent_however_it_is_cut(name: str) -> None:
    sent, mail = CASES[name]
    sent += b"QUIT\r\n"
    assert read([sent]) == (mail, b"QUIT\r\n")
    assert read([sent[at : at + 1] for at in range(len(sent))]) == (mail, b"QUIT\r\n")
    for at in range(len(sent)):
        assert read([sent[:at], sent[at:]]) == (mail, b"QUIT\r\n"), at


def test_without_its_end_it_goes_on() -> None:
    assert read([b"Hello\r\n.", b"\r"]) == (b"Hello", None)
