"""Letters made into mails: what leaves is legal, safe and the same each time, and our own parser reads it back."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime, timedelta, timezone
from email import message_from_bytes, policy
from html.parser import HTMLParser

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crmmail.core import text as shown
from crmmail.core.letter import File, Letter
from crmmail.core.message import Address, Mail
from crmmail.mail.compose import HARD_LINE, MAX_REFERENCES, Unbuildable, compose, needs_utf8
from crmmail.mail.markdown import MAX_TEXT, as_html
from crmmail.mail.parse import parse

BOB, ANN = Address("Bob", "bob@crm.example"), Address("Ann", "ann@customer.example")
LETTER = Letter(
    recipient="ann@customer.example",
    return_path="bounce+101@crm.example",
    identifier="101.c12.k7h2.abcdefgh@crm.example",
    date=datetime(2026, 11, 24, 10, 30, tzinfo=UTC),
    sender=BOB,
    to=(ANN,),
    cc=(),
    reply_to=None,
    subject="Your offer",
    text="Here it is.\n",
)
ORDER = (
    "From To Cc Reply-To Subject Date Message-ID In-Reply-To References Auto-Submitted X-Auto-Response-Suppress X-Loop"
    " X-Crmmail-Sent MIME-Version Content-Type Content-Transfer-Encoding"
).split()
HORRORS = [
    "",
    "   \t ",
    "x\r\nBcc: victim@x.example",
    "x\nBcc: victim@x.example\n\nbody",
    "x\rBcc: v@x.example",
    "x\u2028Bcc: v@x.example\x85Bcc: w@x.example\x0bBcc: y@x.example",
    "\x00\x01\x1b[31m\x7f\x9b",
    "\ud800 half \udfff",
    "\U0001f468\u200d\U0001f469\u200d\U0001f467 \u2764\ufe0f",
    "invoice\u202efdp.exe \u2066x\u2069",
    "n" * 10_000,
    "Ы" * 10_000,
    "word " * 2_000,
    "\U0001f600" * 10_000,
    'a "quoted" \\ name \\" <x@y.example>',
    "=?utf-8?q?x=0D=0ABcc:_v=40x.example?=",
    "=?utf-8?b?DQpCY2M6IHY=?= =?",
    "boss@crm.example, evil@evil.example",
    "boss@crm.example> <",
    "(comment) group: a, b;",
    "../../etc/passwd",
    ".",
    "'",
    "e" + "\u0301" * 500,
    "日本語 " * 300,
]


def lines_of(raw: bytes) -> list[bytes]:
    """The lines of a mail; every one of them ends in CRLF and none is too long."""
    assert raw.endswith(b"\r\n")
    assert not re.search(rb"\r(?!\n)|(?<!\r)\n|\0", raw)
    lines = raw.split(b"\r\n")
    assert max(map(len, lines)) <= HARD_LINE
    return lines


def header_names(raw: bytes) -> list[str]:
    """The header's names in order; each line of it begins one, or is folded and not empty."""
    lines = lines_of(raw)
    header = lines[: lines.index(b"")]
    assert all(line.strip() and not line.rstrip().endswith(b"\r") for line in header)
    assert all(line.startswith(b" ") or re.match(rb"[A-Za-z-]+: ", line) for line in header)
    return [line.split(b":")[0].decode() for line in header if not line.startswith(b" ")]


def header_of(raw: bytes, name: str) -> str:
    """A header's value, unfolded."""
    found = re.search(rf"^{name}: (.*(?:\r\n .*)*)\r\n", raw.decode("utf-8"), re.M)
    return re.sub(r"\r\n(?= )", "", found[1].rstrip("\r")) if found else ""


def html_of(raw: bytes) -> str:
    body = message_from_bytes(raw, policy=policy.default).get_body(("html",))
    return body.get_content().replace("\r\n", "\n") if body else ""


# --- headers ------------------------------------------------------------------------------------------------


def test_a_letter_as_it_leaves() -> None:
    letter = LETTER._replace(
        to=(ANN, Address("Петров, Иван", "ivan@customer.example")),
        cc=(Address("", "carl@x.example"),),
        reply_to=Address("Support", "support+101.c12.abc@crm.example"),
        in_reply_to="1@customer.example",
        references=("0@customer.example", "1@customer.example"),
        automatic=True,
    )
    assert compose(letter, mark="k7h2abcd").decode().split("\r\n") == [
        "From: Bob <bob@crm.example>",
        "To: Ann <ann@customer.example>,",
        " =?utf-8?q?=D0=9F=D0=B5=D1=82=D1=80=D0=BE=D0=B2=2C_=D0=98=D0=B2=D0=B0?=",
        " =?utf-8?q?=D0=BD?= <ivan@customer.example>",
        "Cc: carl@x.example",
        "Reply-To: Support <support+101.c12.abc@crm.example>",
        "Subject: Your offer",
        "Date: Tue, 24 Nov 2026 10:30:00 +0000",
        "Message-ID: <101.c12.k7h2.abcdefgh@crm.example>",
        "In-Reply-To: <1@customer.example>",
        "References: <0@customer.example> <1@customer.example>",
        "Auto-Submitted: auto-generated",
        "X-Auto-Response-Suppress: All",
        "X-Loop: crmmail",
        "X-Crmmail-Sent: k7h2abcd",
        "MIME-Version: 1.0",
        'Content-Type: text/plain; charset="utf-8"',
        "Content-Transfer-Encoding: 7bit",
        "",
        "Here it is.",
        "",
    ]


def test_the_plainest_letter_has_no_header_too_many() -> None:
    assert header_names(compose(LETTER)) == [
        "From", "To", "Subject", "Date", "Message-ID", "MIME-Version", "Content-Type", "Content-Transfer-Encoding"
    ]  # fmt: skip


def test_hidden_recipients_stay_hidden() -> None:
    letter = LETTER._replace(to=(), recipient="secret@customer.example")
    raw = compose(letter)
    assert header_of(raw, "To") == "undisclosed-recipients:;"
    assert b"secret" not in raw and b"bcc" not in raw.lower() and b"bounce" not in raw
    assert parse(raw).to == ()
    with_copy = compose(letter._replace(cc=(ANN,)))
    assert "To" not in header_names(with_copy) and parse(with_copy).cc == (ANN,)


def test_the_date_is_in_utc() -> None:
    raw = compose(LETTER._replace(date=datetime(2026, 11, 24, 1, 0, tzinfo=timezone(timedelta(hours=3)))))
    assert header_of(raw, "Date") == "Mon, 23 Nov 2026 22:00:00 +0000"


@pytest.mark.parametrize("horror", HORRORS, ids=range(len(HORRORS)))
@pytest.mark.parametrize("place", ["names", "subject", "file", "ids", "mark", "text"])
def test_no_word_breaks_a_letter_or_begins_a_header(place: str, horror: str) -> None:
    mark = "m"
    letter = LETTER._replace(cc=(Address("Carl", "carl@x.example"),), in_reply_to="a@b", references=("a@b",))
    plain = compose(letter._replace(files=(File("x.txt", "text/plain", b"x"),)), mark=mark)
    if place == "names":
        named = Address(horror, "ann@customer.example")
        letter = letter._replace(sender=named._replace(address=BOB.address), to=(named, ANN), cc=(named,))
    elif place == "subject":
        letter = letter._replace(subject=horror)
    elif place == "ids":
        letter = letter._replace(in_reply_to=horror, references=(horror, "a@b", f"{horror}@x"))
    elif place == "mark":
        mark = horror[:900]
    elif place == "text":
        letter = letter._replace(text=horror, markdown=True)
    letter = letter._replace(files=(File(horror if place == "file" else "x.txt", "text/plain", b"x"),))
    raw = compose(letter, mark=mark)
    missing = set(header_names(plain)) - set(header_names(raw))
    assert header_names(raw) == [name for name in header_names(plain) if name in header_names(raw)]
    assert missing <= {"ids": {"In-Reply-To"}, "mark": {"X-Crmmail-Sent"}}.get(place, set())
    mail = parse(raw)
    assert mail.defects == () and mail.sender.address == BOB.address
    people = [one.address for one in mail.to + mail.cc]
    assert people == [one.address for one in letter.to + letter.cc]
    for words in (mail.subject, *(one.name for one in mail.to), *(part.name for part in mail.attachments)):
        assert not re.search("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202e\ud800-\udfff]", words)
    standard = message_from_bytes(raw, policy=policy.default)
    assert standard["Bcc"] is None and len(standard["To"].addresses) == len(letter.to)


def test_only_blanks_are_no_name() -> None:
    assert header_of(compose(LETTER._replace(sender=Address(" \t ", BOB.address))), "From") == BOB.address


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("Ann O'Neil", "Ann O'Neil"),
        ("Customer, Ann", '"Customer, Ann"'),
        ("ann@customer.example", '"ann@customer.example"'),
        ("Dr. Who", '"Dr. Who"'),
        ('Ann "A" C', "=?utf-8?q?Ann_=22A=22_C?="),
        ("a\\b", "=?utf-8?q?a=5Cb?="),
        ("=?utf-8?q?x?=", "=?utf-8?q?=3D=3Futf-8=3Fq=3Fx=3F=3D?="),
        ("Jörg", "=?utf-8?q?J=C3=B6rg?="),
    ],
)
def test_how_a_name_is_written(name: str, written: str) -> None:
    assert (
        header_of(compose(LETTER._replace(sender=Address(name, BOB.address))), "From") == f"{written} <{BOB.address}>"
    )


def test_emoji_keep_their_letters() -> None:
    family = "\U0001f468\u200d\U0001f469\u200d\U0001f467 \u2764\ufe0f"
    assert parse(compose(LETTER._replace(subject=family))).subject == family


def test_bad_references_are_left_out_and_a_long_thread_keeps_both_ends() -> None:
    bad = ("a b@x", "<a@x>", "a@x\r\nBcc: y", "a\x00@x", "ü@x", "a" * 901, "", "\ud800@x")
    assert header_of(compose(LETTER._replace(references=("1@x", *bad, "2@x", "1@x"))), "References") == "<1@x> <2@x>"
    assert header_of(compose(LETTER._replace(references=("a" * 900,))), "References") == f"<{'a' * 900}>"
    many = tuple(f"{number}@x.example" for number in range(1000))
    kept = parse(compose(LETTER._replace(references=many))).references
    assert kept == many[: MAX_REFERENCES // 2] + many[-MAX_REFERENCES // 2 :]


def test_header_lines_are_short_where_they_can_be() -> None:
    letter = LETTER._replace(
        subject="A long subject of ordinary words " * 9,
        to=tuple(Address(f"Somebody, Number {number}", f"n{number}@customer.example") for number in range(40)),
        references=tuple(f"{number}.some.words@mail.customer.example" for number in range(40)),
    )
    raw = compose(letter)
    assert max(map(len, lines_of(raw))) <= 78
    assert parse(raw).to == letter.to and parse(raw).subject == letter.subject.strip()


# --- what cannot be built -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"date": datetime(2026, 11, 24)}, "no time zone"),
        ({"date": datetime.min.replace(tzinfo=timezone(timedelta(hours=5)))}, "beyond the calendar"),
        ({"recipient": ""}, '"" is no address (recipient)'),
        ({"recipient": "ann@x.example, eve@x.example"}, "recipient"),
        ({"recipient": "ann@x.example>\r\nRCPT TO:<eve@x.example"}, "recipient"),
        ({"return_path": "a b@x.example"}, "return path"),
        ({"sender": Address("Bob", "")}, "(From)"),
        ({"sender": Address("Bob", "bob@crm.example\r\nBcc: x@y.example")}, "(From)"),
        ({"to": (ANN, Address("x", "nobody"))}, '"nobody" is no address (To)'),
        ({"cc": (Address("x", "a@b@c"),)}, "(Cc)"),
        ({"reply_to": Address("x", "<a@b.example>")}, "(Reply-To)"),
        ({"identifier": ""}, "Message-ID"),
        ({"identifier": "a b@crm.example"}, "Message-ID"),
        ({"identifier": "a@crm.example>\r\nBcc: <x"}, "Message-ID"),
        ({"identifier": "\ud800@x"}, "Message-ID"),
        ({"identifier": "no-host"}, "Message-ID"),
        ({"identifier": "a" * 300 + "@x"}, "Message-ID"),
    ],
    ids=str,
)
def test_what_we_made_wrong_is_said_in_one_line(changes: dict[str, object], words: str) -> None:
    with pytest.raises(Unbuildable) as trouble:
        compose(LETTER._replace(**changes))  # type: ignore[arg-type]
    said = str(trouble.value)
    assert said.startswith("the mail cannot be built: ") and words in said
    assert said.isprintable() and len(said) < 200


def test_a_mark_too_long_for_a_line_is_refused() -> None:
    with pytest.raises(Unbuildable, match="mark"):
        compose(LETTER, mark="m" * 950)


def test_the_null_return_path_is_a_path() -> None:
    assert compose(LETTER._replace(return_path="")) == compose(LETTER)


@pytest.mark.parametrize("place", ["recipient", "return_path", "sender", "to", "cc", "reply_to"])
def test_a_local_part_beyond_ascii_needs_smtputf8(place: str) -> None:
    russian = "анна@customer.example"
    value = {
        "recipient": russian,
        "return_path": russian,
        "to": (Address("Анна", russian),),
        "cc": (Address("Анна", russian),),
    }.get(place, Address("Анна", russian))
    letter = LETTER._replace(**{place: value})  # type: ignore[arg-type]
    assert needs_utf8(letter) and not needs_utf8(LETTER)
    raw = compose(letter)
    assert raw.isascii() == (place in ("recipient", "return_path"))
    mail = parse(raw)
    assert (mail.sender, mail.to, mail.cc) == (letter.sender, letter.to, letter.cc)
    assert mail.reply_to == ((letter.reply_to,) if letter.reply_to else ())


def test_names_and_words_beyond_ascii_need_no_smtputf8() -> None:
    letter = LETTER._replace(sender=Address("Боб", "bob@xn--e1afmkfd.example"), subject="Привет", text="Привет")
    assert not needs_utf8(letter) and compose(letter).isascii()


# --- there and back -----------------------------------------------------------------------------------------

SCRIPTS = (
    "abc XYZ 019 .,:;@<>()[]\"'\\=?_-+#*&%/"
    " äéßñ абвЯ αβγ שלום سلام हिन्दी 日本語 한국어 ไทย \u2764\ufe0f 🙂👩‍🔧 \u00a0\u2009"
)
SMALL = st.text(st.sampled_from(SCRIPTS) | st.characters(), max_size=60)
BODY = st.text(st.sampled_from(SCRIPTS + "\n\n>-") | st.characters(), max_size=400)
LOCAL = st.from_regex(r"[a-z0-9!#$%&'*+/^_{|}~-]{1,8}(\.[a-z0-9-]{1,8}){0,2}", fullmatch=True)
HOST = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,8}[a-z0-9])?(\.[a-z]{1,8}){0,2}", fullmatch=True)
ADDRESS = st.builds(lambda name, local, host: Address(name, f"{local}@{host}"), SMALL, LOCAL, HOST)
IDS = st.from_regex(r"[!-;=?A-Za-z0-9.~]{1,40}@[a-z0-9.]{1,40}", fullmatch=True)
FILES = st.builds(
    File, SMALL, st.sampled_from(["image/png", "text/plain", "text/html", "application/pdf"]), st.binary(max_size=300)
)
LETTERS = st.builds(
    lambda people, reply_to, subject, text, markdown, ids, files, automatic: LETTER._replace(
        sender=people[0],
        to=tuple(people[1:4]),
        cc=tuple(people[4:]),
        reply_to=reply_to,
        subject=subject,
        text=text,
        markdown=markdown,
        in_reply_to=ids[-1] if ids else "",
        references=tuple(ids),
        files=tuple(files),
        automatic=automatic,
    ),
    st.lists(ADDRESS, min_size=2, max_size=6),
    st.none() | ADDRESS,
    SMALL,
    BODY,
    st.booleans(),
    st.lists(IDS, max_size=12, unique=True),
    st.lists(FILES, max_size=3),
    st.booleans(),
)


def read(person: Address) -> Address:
    """As our parser shows it: cleaned, in one line, and without the marks of quoting, which it always drops."""
    plain = " ".join(shown.clean(person.name).split())
    return Address(plain.replace('"', "").replace("\\", "").strip(" '"), person.address)


def read_text(text: str) -> str:
    """As our parser gives it: LF, no empty lines at either end, "" where there are only blanks, halves of a letter
    joined or shown as U+FFFD."""
    text = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    text = re.sub("\r\n|[\r\v\f\x85\u2028\u2029]", "\n", text.lstrip("\ufeff"))
    text = re.sub("[\x00-\x08\x0e-\x1f\x7f-\x9f\ufffe\uffff]", "\ufffd", text).strip("\n")
    return "" if text.isspace() else text


@given(LETTERS, st.from_regex(r"[a-z2-7]{0,16}", fullmatch=True))
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_our_parser_reads_back_what_was_meant(letter: Letter, mark: str) -> None:
    raw = compose(letter, mark=mark)
    names = header_names(raw)
    assert names == [name for name in ORDER if name in names] and raw.isascii()
    mail = parse(raw)
    assert mail.defects == () and not mail.guessed_charset
    assert mail.sender == read(letter.sender)
    assert (mail.to, mail.cc) == (tuple(map(read, letter.to)), tuple(map(read, letter.cc)))
    assert mail.reply_to == ((read(letter.reply_to),) if letter.reply_to else ())
    assert mail.subject == " ".join(shown.clean(letter.subject).split())
    assert mail.text == read_text(letter.text)
    assert (mail.message_id, mail.date) == (letter.identifier, letter.date)
    assert mail.references == letter.references
    assert mail.in_reply_to == ((letter.in_reply_to,) if letter.in_reply_to else ())
    assert [(part.name, part.type, part.data) for part in mail.attachments] == [
        (shown.file_name(file.name).replace("=?", "=_"), file.type, file.data) for file in letter.files
    ]
    assert mail.headers.get("x-crmmail-sent", ()) == ((mark,) if mark else ())
    assert ("auto-submitted" in mail.headers) == letter.automatic
    # The mark is made of the content hash, so the hash cannot depend on it; and a second try sends the same bytes.
    assert mail.content_hash == parse(compose(letter)).content_hash
    assert compose(letter, mark=mark) == raw
    # Another reader finds nothing wrong either.
    standard = message_from_bytes(raw, policy=policy.default)
    assert not [part.defects for part in standard.walk() if part.defects]
    assert [one.addr_spec for one in standard["To"].addresses] == [one.address for one in letter.to]


# --- the words ----------------------------------------------------------------------------------------------


def test_a_dot_and_a_from_at_the_line_start_survive() -> None:
    text = ".\n..\nFrom the start\n>From\n.hidden\n-- \nBob"
    for words in (text, text + "\n" + "long " * 60, text + "\nü"):
        assert parse(compose(LETTER._replace(text=words))).text == words.rstrip("\n")


@pytest.mark.parametrize("text", ["x" * 5000, "ы" * 5000, "word " * 2000, "\n".join(["Жду ответа"] * 50), ""])
def test_no_line_is_too_long_and_every_body_is_ascii(text: str) -> None:
    raw = compose(LETTER._replace(text=text, markdown=True))
    assert max(map(len, lines_of(raw))) <= 78 and raw.isascii()
    assert parse(raw).text == text.strip("\n")


# --- attachments --------------------------------------------------------------------------------------------

WHOLE = b"From: Eve <eve@x.example>\nSubject: inner\n\ninner words\n--\n.\n"


def attached(*files: File) -> tuple[bytes, Mail]:
    raw = compose(LETTER._replace(files=files))
    return raw, parse(raw)


def test_a_whole_mail_travels_as_it_is() -> None:
    raw, mail = attached(File("inner.eml", "message/rfc822", WHOLE))
    assert WHOLE.replace(b"\n", b"\r\n") in raw
    assert [(part.name, part.type, part.data) for part in mail.attachments] == [
        ("inner.eml", "message/rfc822", WHOLE.replace(b"\n", b"\r\n"))
    ]
    inner = next(message_from_bytes(raw, policy=policy.default).iter_attachments()).get_content()
    assert inner["Subject"] == "inner" and inner["From"] == "Eve <eve@x.example>"


@pytest.mark.parametrize(
    "data", [WHOLE + b"\xff", WHOLE + b"\0", WHOLE + b"x" * 999, WHOLE + b"a\rb", b"", WHOLE.replace(b"\n", b"\r")]
)
def test_a_whole_mail_that_cannot_travel_arrives_exactly_all_the_same(data: bytes) -> None:
    raw, mail = attached(File("Re: inner", "message/rfc822", data))
    part = mail.attachments[0]
    assert (part.name, part.type, part.data) == ("Re: inner.eml", "application/octet-stream", data)
    lines_of(raw)


def test_a_forwarded_mail_of_our_own_does_not_end_its_wrapper() -> None:
    inner = compose(LETTER._replace(markdown=True, files=(File("a.txt", "text/plain", b"a"),)))
    raw, mail = attached(File("own.eml", "message/rfc822", inner))
    # The very same Message-ID: the delimiters of both would be the same.
    assert [part.data for part in mail.attachments] == [inner] and mail.text == "Here it is."
    assert [part.data for part in parse(raw.replace(b"\r\n", b"\n")).attachments] == [inner.replace(b"\r\n", b"\n")]


def test_a_delimiter_in_the_words_is_no_delimiter() -> None:
    files = (File("a.txt", "text/plain", b"a"),)
    first = compose(LETTER._replace(files=files))
    delimiter = re.search(rb'boundary="([^"]+)"', first)
    assert delimiter is not None
    text = f"--{delimiter[1].decode()}--\nstill mine"
    again = parse(compose(LETTER._replace(text=text, files=files, markdown=True)))
    assert again.text == text and len(again.attachments) == 1


@pytest.mark.parametrize(
    "kind",
    ["", "nonsense", "image/", "a/b; c=d", "text/plain\r\nBcc: x@y.example", "multipart/mixed", "message/partial",
     "message/delivery-status", "ü/x", "x/" + "y" * 500],
)  # fmt: skip
def test_a_type_that_is_none_becomes_bytes(kind: str) -> None:
    _, mail = attached(File("x.bin", kind, b"\x00\xff\r\n"))
    assert [(part.type, part.data) for part in mail.attachments] == [("application/octet-stream", b"\x00\xff\r\n")]


def test_a_type_is_written_in_lower_case_and_a_text_says_its_charset() -> None:
    raw, mail = attached(File("a.png", "Image/PNG", b"png"), File("заметки.txt", "text/plain", "да".encode()))
    assert [part.type for part in mail.attachments] == ["image/png", "text/plain"]
    notes = list(message_from_bytes(raw, policy=policy.default).iter_attachments())[1]
    assert notes.get_content() == "да" and notes.get_filename() == "заметки.txt"
    assert b"filename*=utf-8''%D0%B7" in raw


def test_a_hostile_file_name_is_a_name() -> None:
    _, mail = attached(
        File('../../x"\r\nBcc: y\x00.exe', "image/png", b""), File("=?utf-8?q?=2Fetc?=", "image/png", b"")
    )
    assert [part.name for part in mail.attachments] == ['x" Bcc: y_.exe', "=_utf-8?q?=2Fetc?="]


# --- Markdown -----------------------------------------------------------------------------------------------


class Outline(HTMLParser):
    """Tags in order, the words, the links; fails on tags that do not match."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []
        self.words = ""
        self.open: list[str] = []
        self.quoted = ""  # words inside a blockquote
        self.feed(html)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [value or "" for key, value in attrs if key in ("href", "src")]
        assert not any(key.startswith("on") for key, _ in attrs)
        if tag not in ("br", "hr", "meta"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in ("br", "hr", "meta"):
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words += data
        if "blockquote" in self.open:
            self.quoted += data


def outline(text: str) -> Outline:
    return Outline(as_html(text))


def words(text: str) -> str:
    return " ".join(outline(text).words.split())


def test_markdown_has_its_twin_and_plain_text_has_none() -> None:
    letter = LETTER._replace(text="Hello **Ann**,\nsee [the offer](https://crm.example/1).\n", markdown=True)
    raw = compose(letter)
    mail = parse(raw)
    assert mail.text == letter.text.strip("\n") and mail.attachments == () and mail.leaves == 2
    assert html_of(raw) == (
        '<!DOCTYPE html>\n<html>\n<head><meta charset="utf-8"></head>\n<body>\n<p>Hello <strong>Ann</strong>,<br />\n'
        'see <a href="https://crm.example/1">the offer</a>.</p>\n</body>\n</html>\n'
    )
    standard = message_from_bytes(raw, policy=policy.default)
    assert [part.get_content_type() for part in standard.walk()] == ["multipart/alternative", "text/plain", "text/html"]
    assert html_of(compose(letter._replace(markdown=False))) == ""
    assert html_of(compose(letter._replace(text=" \n\n"))) == ""


def test_with_files_the_words_come_first() -> None:
    raw = compose(LETTER._replace(text="*Привет*", markdown=True, files=(File("a.png", "image/png", b"png"),)))
    standard = message_from_bytes(raw, policy=policy.default)
    assert [part.get_content_type() for part in standard.walk()] == [
        "multipart/mixed", "multipart/alternative", "text/plain", "text/html", "image/png"
    ]  # fmt: skip
    assert raw.count(b"MIME-Version") == 1


@pytest.mark.parametrize(
    "text",
    [
        "Regards\n-- \nBob",
        "Regards\n--\nBob",
        "Regards\n---\nBob",
        "Regards\n-----\nBob",
        "Total\n===\nBob",
        "Total\n=\nBob",
        "see\n-\nBob",
        "#5 is broken\n#hash",
    ],
)
def test_ordinary_mail_makes_no_headings(text: str) -> None:
    assert not {"h1", "h2", "h3"}.intersection(outline(text).tags)
    assert outline(text).words.split()[0] == text.split()[0]


@pytest.mark.parametrize(
    "text",
    [
        "the file snake_case_name and another_one_",
        "2 * 3 * 4 = 24, *.py and *.txt",
        "#hash and C# and #5",
        r"\\server\share\file and C:\.git\_x",
        "&copy; AT&T &amp; <b>bold</b> <script>alert(1)</script> a < b > c",
        "[1]: https://x.example/footnote",
        "an [odd [bracket and `tick and ~ tilde",
        "5. May, or 1) that",
        "    four blanks before",
        "100 % sure | or not",
    ],
)
def test_ordinary_words_are_all_there(text: str) -> None:
    found = words(text)
    # A number at the line start is the list's own, which HTML draws by itself.
    assert found == re.sub(r"^5\. ", "", " ".join(text.split()))


def test_what_markdown_can_do() -> None:
    assert {"table", "s", "em", "code", "ul", "li", "h2", "ol"} <= set(
        outline("## Head\n\n| a | b |\n|---|---|\n| 1 | ~~2~~ |\n\n- *x*\n- `y`\n\n3. z\n").tags
    )


def test_an_attribution_and_an_answer_stay_outside_the_quote() -> None:
    found = outline("On Monday, Ann wrote:\n> > first\n> second\nmy answer\n> third\n\nBye")
    assert found.tags.count("blockquote") == 3
    assert found.quoted.split() == ["first", "second", "third"]
    assert "Ann wrote:" in found.words and "my answer" in found.words and "Bye" in found.words
    inner = re.search(r"<blockquote[^>]*>\s*<blockquote[^>]*>(.*?)</blockquote>", as_html("> > first\n> second"), re.S)
    assert inner is not None and "first" in inner[1] and "second" not in inner[1]


def test_a_prompt_in_a_fence_is_no_quote() -> None:
    assert "&gt;&gt;&gt; 1 + 1\n2\n" in as_html("```\n>>> 1 + 1\n2\n```\n")


def test_what_is_quoted_has_no_life() -> None:
    found = outline(
        "> [your bank](https://evil.example) ![x](https://evil.example/p.png) *now* <https://evil.example>\n> x"
    )
    assert found.links == [] and "em" not in found.tags
    assert "[your bank](https://evil.example)" in found.quoted and "*now*" in found.quoted


def test_images_fetch_nothing() -> None:
    found = outline("![chart](https://x.example/c.png) and [![a](https://x.example/i.png)](https://x.example/)")
    assert "img" not in found.tags
    assert set(found.links) <= {"https://x.example/c.png", "https://x.example/i.png", "https://x.example/"}
    assert "chart" in found.words


@pytest.mark.parametrize(
    "target",
    ["javascript:alert(1)", "JaVaScRiPt:alert(1)", "java&#115;cript:alert(1)", "vbscript:x", "file:///etc/passwd",
     "data:text/html,x", "data:image/png;base64,xx", "//evil.example", "relative", "\x01javascript:x"],
)  # fmt: skip
def test_only_the_web_mailboxes_and_telephones_are_links(target: str) -> None:
    for text in (f"[x]({target})", f"[x](<{target}>)", f"<{target}>", f"![x]({target})"):
        assert outline(text).links == []
    for good in ("https://x.example/?a=1&b=2", "http://x.example", "mailto:a@x.example", "tel:+4930123"):
        assert outline(f"[x]({good})").links == [good]


@pytest.mark.parametrize(
    "piece",
    ["[", "![[](", "[a](b \"", "[a](<", "*a ", "**a_ ", "`a", "<a ", "> x\n", ">", "- ", "1. x\n", "|a|b\n", "~~a ",
     "](", "&#", "\\[", "[a]: b\n", "[[a]]", "*" * 50 + "a", "<!--", "\t", "- x\n  > y\n"],
)  # fmt: skip
def test_hostile_text_is_read_in_time(piece: str) -> None:
    text = "a|b\n-|-\n" * (piece[0] == "|") + piece * (MAX_TEXT // len(piece) - 20)
    started = time.process_time()
    found = as_html(text)
    assert time.process_time() - started < 15
    assert found == "" or Outline(found)


def test_too_much_or_too_deep_gives_plain_text_only() -> None:
    assert as_html("a " * (MAX_TEXT // 2)) != "" and as_html("a " * (MAX_TEXT // 2 + 1)) == ""
    assert as_html("ы" * (MAX_TEXT // 2 + 1)) == ""
    assert as_html(">" * 300 + " lost") == "" and as_html("- " * 300 + "lost") == ""
    assert as_html("> x\n> > y\n" * 15_000) == ""  # two megabytes of blockquotes
    assert "kept" in as_html(">" * 90 + " kept")


@given(BODY)
@settings(max_examples=150, deadline=None)
def test_any_text_gives_a_page_that_acts_on_nothing(text: str) -> None:
    page = as_html(text)
    assert (page == "") == (not text.strip())
    if page:
        found = Outline(page)
        assert not {"img", "script", "style", "iframe", "form"}.intersection(found.tags)
        assert all(re.match(r"(?:https?://|mailto:|tel:)", link, re.I) for link in found.links)
