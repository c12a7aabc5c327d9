"""From a `core.letter.Letter` to the bytes that SMTP carries away; the opposite of `parse`, which must read them back.

MIME is the standard library's: encodings, multiparts, line ends.  The headers are written here.  `EmailMessage` raises
on a line break in a value, which leaves a letter that can never be sent, and its folding differs between versions of
Python.  So every value is made one clean line first, and folded before the library sees it; the policy below carries
such a value out as it is.

No name, subject, file name or reference can make a letter unbuildable or begin a header of its own: what is not fit is
cleaned, cut or left out.  What we make ourselves (addresses, date, Message-ID, mark) must be right, or the letter is
Unbuildable.

The same letter gives the same bytes each time, so a second try sends what the first one sent.  The header is ASCII, but
for the local parts of addresses that need SMTPUTF8 (RFC 6531, `needs_utf8`); the body is ASCII always.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC
from email.charset import QP, Charset
from email.header import Header
from email.message import MIMEPart
from email.policy import EmailPolicy
from email.utils import encode_rfc2231, format_datetime
from hashlib import sha256
from itertools import count

from crmmail.core import text as shown
from crmmail.core.address import canonical
from crmmail.core.automatic import OUR_LOOP
from crmmail.core.letter import File, Letter
from crmmail.core.message import Address
from crmmail.core.typed import Any
from crmmail.errors import CrmmailError
from crmmail.mail.charset import SUBJECT_LIMIT, tidy
from crmmail.mail.markdown import as_html
from crmmail.mail.people import NAME_LIMIT

LINE = 76  # letters; RFC 2045 wants it of encoded lines, RFC 5322 would like 78 of all
HARD_LINE = 998  # RFC 5322 2.1.1, without the line end
ID_LIMIT, REFERENCE_LIMIT = 255, 900  # letters; the first is what a store's column takes
MAX_REFERENCES = 200  # the first and the last ones, as `parse` reads them

_MAX_WORD = 60  # letters of a word that stands bare in a header; a longer one could not be folded
_ID = re.compile(r"[!-;=?-~]+\Z")
_TYPE = re.compile(r"[a-z0-9][a-z0-9!#$&^_.+-]{0,126}/[a-z0-9][a-z0-9!#$&^_.+-]{0,126}\Z")  # RFC 6838 4.2
_ATOMS = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~ -]*\Z")
_QUOTABLE = re.compile(r"[ !#-\[\]-~]*\Z")  # all of ASCII that shows but " and \
_NEWLINE = re.compile("\r\n|[\r\v\f\x85\u2028\u2029]")
_CONTROL = re.compile("[\x00-\x08\x0e-\x1f\x7f-\x9f\ufffe\uffff]")
_BARE_CR = re.compile(rb"\r(?!\n)")
_BARE_LF = re.compile(rb"(?<!\r)\n")
_LONG_LINE = re.compile(rb"[^\r\n]{%d}" % (HARD_LINE + 1))


_UTF8 = Charset("utf-8")
_UTF8.header_encoding = QP


class Unbuildable(CrmmailError):
    """A letter of which no mail can be made; trying again will not help.  The sentence says what is wrong with it."""


class _Ready(str):
    """A header's value, encoded and folded."""


class _Policy(EmailPolicy):
    """The library's rules, but what is _Ready goes out as it is."""

    def header_store_parse(self, name: str, value: Any) -> tuple[str, Any]:
        return (name, value) if isinstance(value, _Ready) else super().header_store_parse(name, value)

    def header_fetch_parse(self, name: str, value: Any) -> Any:
        return value if isinstance(value, _Ready) else super().header_fetch_parse(name, value)

    def fold_binary(self, name: str, value: Any) -> bytes:
        if isinstance(value, _Ready):
            return f"{name}: {value}\r\n".encode()
        return super().fold_binary(name, value)


# 7bit: we do not know whether the next host takes 8-bit bodies.
_POLICY = _Policy(linesep="\r\n", max_line_length=LINE, cte_type="7bit")


def compose(letter: Letter, *, mark: str = "") -> bytes:
    """The whole mail with CRLF line ends, ready for SMTP's DATA.  Raises Unbuildable.

    `mark` becomes X-Crmmail-Sent, by which we know the mail should it come back; "" gives none.  It changes nothing
    that `Mail.content_hash` covers.
    """
    _check(letter)
    message = MIMEPart(_POLICY)
    for name, words in _headers(letter, mark):
        message[name] = _folded(name, words)
    text = _body(letter.text)
    html = as_html(text) if letter.markdown else ""
    files = [_as_it_can_go(file) for file in letter.files]
    mails = [file.data for file in files if file.type == "message/rfc822"]
    boundary = _boundary(letter.identifier, [text, html], mails)
    message.set_content(text)
    if html:
        message.make_alternative(boundary=f"=_words_{boundary}")
        message.add_alternative(html, subtype="html")
    if files:
        message.make_mixed(boundary=f"=_mixed_{boundary}")
    for file in files:
        message.attach(_attachment(file))
    return message.as_bytes()


def marked(data: bytes, mark: str) -> bytes:
    """What `compose` made, with its mark, and not composed again: the mark is a word over the mail's own content."""
    head, version, rest = data.partition(b"\r\nMIME-Version:")  # a folded line begins with a blank: it is the field
    return b"".join((head, f"\r\nX-Crmmail-Sent: {mark}".encode("ascii"), version, rest))


def needs_utf8(letter: Letter) -> bool:
    """Whether some address of it has a local part beyond ASCII: only a server with SMTPUTF8 takes it (RFC 6531)."""
    named = [letter.sender, *letter.to, *letter.cc, *([letter.reply_to] if letter.reply_to else [])]
    addresses = [letter.recipient, letter.return_path, *(one.address for one in named)]
    return any(not address.rpartition("@")[0].isascii() for address in addresses)


def _check(letter: Letter) -> None:
    """Refuse what we made wrong ourselves; what is in a header is checked where the header is written."""
    if letter.date.utcoffset() is None:
        raise Unbuildable("the mail cannot be built: its date has no time zone")
    if not _ID.match(letter.identifier) or "@" not in letter.identifier or len(letter.identifier) > ID_LIMIT:
        raise Unbuildable(f"the mail cannot be built: {_quoted(letter.identifier)} is no Message-ID")
    _address(letter.recipient, "recipient")
    if letter.return_path:
        _address(letter.return_path, "return path")


def _address(address: str, place: str) -> str:
    if not (known := canonical(address)):
        raise Unbuildable(f"the mail cannot be built: {_quoted(address)} is no address ({place})")
    return known


def _quoted(value: str) -> str:
    return f'"{shown.one_line(value[:1000], 60)}"'


# --- headers ------------------------------------------------------------------------------------------------


def _headers(letter: Letter, mark: str) -> Iterable[tuple[str, list[str]]]:
    """(name, words) of each header in its order; a line may be folded between two words."""
    yield "From", _people("From", [letter.sender])
    if letter.to:
        yield "To", _people("To", letter.to)
    elif not letter.cc:  # a mail with only hidden recipients (RFC 5322 3.6.3)
        yield "To", ["undisclosed-recipients:;"]
    if letter.cc:
        yield "Cc", _people("Cc", letter.cc)
    if letter.reply_to:
        yield "Reply-To", _people("Reply-To", [letter.reply_to])
    yield "Subject", _words("Subject", _line(letter.subject, SUBJECT_LIMIT))
    try:
        yield "Date", [format_datetime(letter.date.astimezone(UTC))]
    except (OverflowError, ValueError):
        raise Unbuildable("the mail cannot be built: its date is beyond the calendar") from None
    yield "Message-ID", [f"<{letter.identifier}>"]
    if answered := _ids([letter.in_reply_to]):
        yield "In-Reply-To", answered
    if thread := _ids(letter.references):
        yield "References", thread
    if letter.automatic:
        yield "Auto-Submitted", ["auto-generated"]
        yield "X-Auto-Response-Suppress", ["All"]
        yield "X-Loop", [OUR_LOOP]
    if words := _line(mark, SUBJECT_LIMIT).encode("ascii", "ignore").decode().split():
        if max(map(len, words)) > REFERENCE_LIMIT:
            raise Unbuildable("the mail cannot be built: its mark is too long for a header")
        yield "X-Crmmail-Sent", words
    yield "MIME-Version", ["1.0"]


def _line(text: str, limit: int) -> str:
    """`text` as one line of at most `limit` letters, without what acts or hides.

    Not `core.text.one_line`: that takes joined emoji apart for the terminal's sake, and a subject that changes its
    letters begins a new conversation in some mail programs.
    """
    return " ".join(shown.clean(text[: 10 * limit]).split())[:limit].rstrip()


def _words(name: str, text: str) -> list[str]:
    """The words of an unstructured header, as they are or encoded."""
    words = text.split(" ")
    if text.isascii() and "=?" not in text and max(map(len, words)) <= _MAX_WORD:
        return words
    return _encoded(name, text)


def _encoded(name: str, text: str) -> list[str]:
    """`text` as encoded words (RFC 2047); quoted-printable, in which what is ASCII stays readable."""
    return Header(text, _UTF8, maxlinelen=LINE - 1, header_name=name).encode().split()


def _people(name: str, people: Iterable[Address]) -> list[str]:
    """The words of an address list."""
    words: list[str] = []
    for person in people:
        address = _address(person.address, name)
        if words:
            words[-1] += ","
        phrase = _phrase(name, _line(person.name, NAME_LIMIT))
        words += [*phrase, f"<{address}>"] if phrase else [address]
    return words


def _phrase(header: str, name: str) -> list[str]:
    """A display name: bare, in quotes, or in encoded words, in which no comma, @ or quote is left to be misread."""
    if not name:
        return []
    foldable = "=?" not in name and max(map(len, name.split(" "))) <= _MAX_WORD
    if foldable and _ATOMS.match(name):
        return name.split(" ")
    if foldable and _QUOTABLE.match(name):
        return f'"{name}"'.split(" ")
    return _encoded(header, name)


def _ids(identifiers: Iterable[str]) -> list[str]:
    """Message ids in their <>, each once.  Those that no header can hold are left out: they came from other mails."""
    good = [one for one in dict.fromkeys(identifiers) if len(one) <= REFERENCE_LIMIT and _ID.match(one)]
    if len(good) > MAX_REFERENCES:
        good = good[: MAX_REFERENCES // 2] + good[-MAX_REFERENCES // 2 :]
    return [f"<{one}>" for one in good]


def _folded(name: str, words: Iterable[str]) -> _Ready:
    """The words, parted by blanks; a line that would grow longer than LINE is folded, but never before the first."""
    lines: list[str] = []
    line = f"{name}:"
    for number, word in enumerate(words):
        if number and len(line) + 1 + len(word) > LINE:
            lines.append(line)
            line = ""
        line += f" {word}"
    return _Ready("\r\n".join([*lines, line])[len(name) + 2 :])


# --- words and attachments ----------------------------------------------------------------------------------


def _body(text: str) -> str:
    """`text` with LF line ends, and U+FFFD for what no mail may hold (NUL, half a surrogate pair) or would act."""
    return _CONTROL.sub("\ufffd", _NEWLINE.sub("\n", tidy(text))).lstrip("\ufeff")


def _as_it_can_go(file: File) -> File:
    """`file` with a good name and a type that it can have on its way; a whole mail with CRLF line ends.

    A whole mail may not be encoded (RFC 2046 5.2.1).  One that cannot travel as it is goes as mere bytes, which
    arrive exactly.  Other types of message/ and multipart/ have the same rule and no mail of their own to show.
    """
    # Encoded words have no meaning in a file name, and some programs decode them all the same, slashes and all.
    name = shown.file_name(file.name).replace("=?", "=_")
    kind = file.type.strip().lower()
    if kind == "message/rfc822":
        if _is_7bit(file.data):
            return File(name, kind, _BARE_LF.sub(b"\r\n", file.data))
        if not name.lower().endswith(".eml"):
            name = shown.file_name(f"{name}.eml")
    if not _TYPE.match(kind) or kind.startswith(("message/", "multipart/")):
        kind = "application/octet-stream"
    return File(name, kind, file.data)


def _is_7bit(data: bytes) -> bool:
    """Whether every host takes it as it is (RFC 2045 2.7), given CRLF line ends."""
    fit = data.isascii() and b"\0" not in data
    return bool(data) and fit and not _BARE_CR.search(data) and not _LONG_LINE.search(data)


def _attachment(file: File) -> MIMEPart:
    part = MIMEPart(_POLICY)
    if file.type == "message/rfc822":
        part["Content-Type"] = file.type
        part.set_payload(file.data.decode("ascii"))
    else:
        maintype, _, subtype = file.type.partition("/")
        params = {"charset": "utf-8"} if maintype == "text" and _is_utf8(file.data) else None
        part.set_content(file.data, maintype, subtype, cte="base64", params=params)
    if _QUOTABLE.match(file.name):
        named = f'filename="{file.name}"'
    else:
        named = f"filename*={encode_rfc2231(file.name, 'utf-8')}"
    part["Content-Disposition"] = _folded("Content-Disposition", ["attachment;", named])
    return part


def _is_utf8(data: bytes) -> bool:
    """Whether a text has letters beyond ASCII and they are UTF-8: without a label, programs guess."""
    try:
        return not data.isascii() and bool(data.decode("utf-8"))
    except UnicodeDecodeError:
        return False


def _boundary(identifier: str, texts: list[str], mails: list[bytes]) -> str:
    """What the delimiters of this mail are made of: of the Message-ID, and in none of its parts.

    Only words and whole mails are searched: base64 has no "_".
    """
    for number in count():
        boundary = sha256(f"{identifier}\0{number}".encode()).hexdigest()[:32]
        if not any(boundary in text for text in texts) and not any(boundary.encode() in mail for mail in mails):
            return boundary
    raise AssertionError("numbers do not end")
