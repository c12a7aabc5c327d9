"""The mail program of the demo's people: enough to read what crmmail writes, and to answer it."""

from __future__ import annotations

import quopri
import re
from base64 import b64decode
from collections.abc import Sequence
from datetime import UTC, datetime

from crmmail.server.sink import Received


def split(raw: bytes) -> tuple[str, str]:
    """A mail, or a part of one: its header as it stands there, and its body."""
    header, _, body = raw.decode("ascii").replace("\r\n", "\n").partition("\n\n")
    return header, body


def field(header: str, name: str) -> str:
    """A header's value in one line, still encoded; "" where it is missing."""
    unfolded = re.sub(r"\n[ \t]+", " ", header)
    return next((line[len(name) + 2 :] for line in unfolded.split("\n") if line.startswith(f"{name}: ")), "")


def value(header: str, name: str) -> str:
    """A header's value as it is read."""
    joined = re.sub(r"\?=\s+=\?utf-8\?q\?", "", field(header, name))
    return re.sub(r"=\?utf-8\?q\?(.*?)\?=", lambda word: quopri.decodestring(word[1], header=True).decode(), joined)


def text(raw: bytes) -> str:
    """The words of a mail; of a multipart its first part's."""
    header, body = split(raw)
    if cut := re.search(r'boundary="([^"]+)"', field(header, "Content-Type")):
        return text(body.split(f"--{cut[1]}")[1].lstrip("\n").encode())
    encoding = field(header, "Content-Transfer-Encoding")
    data = body.encode()
    if encoding == "quoted-printable":
        data = quopri.decodestring(data)
    elif encoding == "base64":
        data = b64decode(data)
    return data.decode().replace("\r\n", "\n").strip("\n")


def filled(letter: bytes, answered: Sequence[Received]) -> bytes:
    """A letter of `demo_mails` as it is sent: today, and where it answers a mail, with what that mail says."""
    values = {"date": datetime.now(UTC).strftime("%a, %d %b %Y %H:%M:%S +0000")}
    for mail in answered:
        header, _ = split(mail.data)
        quoted = [f"> {line}".rstrip() for line in text(mail.data).split("\n")]
        values |= {
            "subject": field(header, "Subject"),
            "message_id": field(header, "Message-ID"),
            "references": f"{field(header, 'References')} {field(header, 'Message-ID')}".lstrip(),
            "reply_to": field(header, "Reply-To") or field(header, "From"),
            "quote": "\n".join([f"{value(header, 'From')} wrote:", *quoted]),
            "header": header,
            "recipient": mail.recipient,
            "return_path": mail.sender,
        }
    for name, words in values.items():
        letter = letter.replace(f"{{{name}}}".encode(), words.encode())
    return letter
