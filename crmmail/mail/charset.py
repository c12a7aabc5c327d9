"""Letters out of bytes: what a label like "koi8-r" says, and what to do when it lies.

A mail names the charset of its words, and often wrongly: "us-ascii" over Russian, "undefined" (a codec of Python
that exists only to raise), nothing at all.  `decode` believes a label that stands in the table below and fits the
bytes.  Otherwise it tries UTF-8, then guesses (`mail.guess`, loaded only then), and at the last takes one letter a
byte; it says whether it guessed.  It never raises, and what it returns can be stored anywhere: no NUL (PostgreSQL
refuses it), no lone surrogate (UTF-8 has no bytes for one).

`decode_words` reads the encoded words of header fields (RFC 2047) in one pass.  The standard library's reader
takes minutes for a hostile subject and decodes each word alone, so a letter cut in two by a careless mailer is lost.
"""

from __future__ import annotations

import binascii
import re

from crmmail.core.pattern import pattern
from crmmail.mail.labels import codec_of

SUBJECT_LIMIT = 998  # letters of one header line (RFC 5322 2.1.1); longer values are cut
LABEL_CHECKED = 20_000  # bytes that are looked at to see whether a label of one byte a letter lies

_ONE_BYTE = ("cp1", "iso", "koi", "cp8", "cp4", "mac", "kz", "ptcp")
_LATIN = {"cp1252", "iso8859-15", "mac-roman", "cp850", "cp437", "cp858"}
_WHOLE_WORD = pattern(rb"[\xa3\xb3\xb8\xa8\xc0-\xff]{3}")
_STRAY = pattern("[\ud800-\udfff]")
_FOLD = re.compile(rb"\r?\n(?=[ \t])")


def decode(data: bytes | memoryview, label: str) -> tuple[str, bool]:
    """The text of `data`, and whether its charset was guessed because the label was missing, unknown or wrong."""
    codec = codec_of(label)
    if codec in {"", "ascii"}:
        text = _strictly(data, "ascii")
        if text is None:
            return tidy(_guessed(data)), True
        if "\x1b$" in text:  # a Japanese mail of the nineties with no label
            japanese = _strictly(data, "iso2022_jp_ext")
            return (tidy(text), False) if japanese is None else (tidy(japanese), True)
        return tidy(text), False
    if codec.startswith(("utf-16", "utf-32")):
        return tidy(_wide(bytes(data), codec)), False
    if codec.startswith(_ONE_BYTE) and _strictly(data, "ascii") is None:
        return _one_byte(data, codec)
    text = _strictly(data, codec)
    if text is None and codec == "utf-8":
        # Halves of a letter, written each as if it were one (CESU-8): Java and old databases do.
        text = _strictly(data, codec, "surrogatepass")
    if text is None:
        return tidy(_guessed(data, codec)), True
    return tidy(text), False


def tidy(text: str) -> str:
    """`text` fit for every store: halves of a letter joined, lone halves and NUL shown as U+FFFD, no mark in front."""
    if not text.isascii():
        if _STRAY.search(text):
            text = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
        text = text.removeprefix("\ufeff")
    return text.replace("\0", "\ufffd")


def one_line(text: str) -> str:
    """`text` with everything that some reader takes for a line break made one space."""
    return " ".join(filter(None, text.replace("\0", "\n").splitlines())).strip(" \t")


def decode_words(header: bytes | str, limit: int = SUBJECT_LIMIT) -> str:
    """A header's value as one line of at most `limit` letters, its encoded words decoded (RFC 2047).

    A str is taken as bytes in disguise (latin-1 or surrogateescape), which is how the standard library hands
    headers out.
    """
    raw = header if isinstance(header, bytes) else _disguised(header)
    raw = _FOLD.sub(b"", raw[: 32 * limit]).replace(b"\0", b" ").strip(b" \t\r\n")
    if b"=?" not in raw:
        return one_line(decode(raw, "")[0])[:limit]
    pieces: list[str] = []
    length = 0
    for text, label in _runs(raw):
        # A label of the mail's own is believed for its own words only; what stands bare is guessed.
        pieces.append(decode(text, label)[0])
        length += len(pieces[-1])
        if length > limit:
            break
    # A letter may be cut in two surrogates over two words, so the whole is tidied again.
    return one_line(tidy("".join(pieces)))[:limit].rstrip(" ")


def _runs(raw: bytes) -> list[tuple[bytes, str]]:
    """`raw` as (bytes, charset): encoded words of one charset that touch are one run, bare text has charset ""."""
    runs: list[tuple[bytes, str]] = []
    begin = scan = 0  # bare text begins here; the next "=?" is sought from here
    half = b""  # base64 letters of a word that was cut within a group of four
    while (opened := raw.find(b"=?", scan)) >= 0:
        label_end = raw.find(b"?", opened + 2, opened + 82)
        if label_end < 0 or raw[label_end + 1 : label_end + 3].upper() not in (b"B?", b"Q?"):
            scan = opened + 2
            continue
        closed = raw.find(b"?=", label_end + 3)
        if closed < 0:
            break
        between = raw[begin:opened]
        label = raw[opened + 2 : label_end].decode("latin-1").partition("*")[0].lower()
        coded = raw[label_end + 3 : closed]
        touching = bool(runs) and runs[-1][1] == label and not between.strip(b" \t\r\n")
        if between and not (runs and not between.strip(b" \t\r\n") and runs[-1][1]):
            runs.append((between, ""))
        if raw[label_end + 1 : label_end + 2] in b"Qq":
            data, half = binascii.a2b_qp(coded, header=True), b""
        else:
            padded = coded.rstrip().endswith(b"=")  # its last group is whole, whatever follows
            coded = re.sub(rb"[^A-Za-z0-9+/]", b"", (half if touching else b"") + coded)
            half = coded[len(coded) - len(coded) % 4 :]
            data = binascii.a2b_base64(coded[: len(coded) - len(half)])
            following = raw[closed + 2 : closed + 80].lstrip(b" \t\r\n")
            if half and (padded or not following.startswith(b"=?")):
                data, half = data + _tail(half), b""
        if touching:
            runs[-1] = (runs[-1][0] + data, label)
        else:
            runs.append((data, label or "ascii"))
        begin = scan = closed + 2
    if rest := raw[begin:]:
        runs.append((rest, ""))
    return runs


def _tail(half: bytes) -> bytes:
    return binascii.a2b_base64(half + b"=" * (4 - len(half))) if len(half) > 1 else b""


def _disguised(text: str) -> bytes:
    for codec, errors in (("latin-1", "strict"), ("utf-8", "surrogateescape")):
        try:
            return text.encode(codec, errors)
        except UnicodeEncodeError:
            continue
    return text.encode("utf-8", "replace")


def _strictly(data: bytes | memoryview, codec: str, errors: str = "strict") -> str | None:
    try:
        return str(data, codec, errors)
    except (UnicodeError, ValueError, LookupError):
        return None


def _one_byte(data: bytes | memoryview, codec: str) -> tuple[str, bool]:
    """One letter a byte decodes always, so what is in truth UTF-8 must be recognised by its shape.

    Two bytes that look like UTF-8 are a letter in a Western text ("Ã©" is no word); in Cyrillic, where "Рё" could
    be meant, several are asked for.
    """
    if (text := _strictly(data, "utf-8")) is not None:
        letters = sum(1 for c in text[:LABEL_CHECKED] if c > "\x7f")
        if letters >= (1 if codec in _LATIN else 4):
            return tidy(text), True
    elif codec == "cp1252" and _WHOLE_WORD.search(data, 0, LABEL_CHECKED):
        from crmmail.mail.guess import russian

        # "Ïðèâåò" is Russian, under a label that some programs put on everything.
        if cyrillic := russian(bytes(data[:LABEL_CHECKED])):
            return tidy(str(data, cyrillic, "replace")), True
    text = _strictly(data, codec)
    if text is not None:
        return tidy(text), False
    # A few bytes that the charset leaves empty (0x81 in windows-1252) do not make the label wrong.
    return tidy(str(data, "latin-1" if codec == "cp1252" else codec, "replace")), False


def _wide(data: bytes, codec: str) -> str:
    """UTF-16 and UTF-32; without a mark, the order of bytes is the one whose high bytes vary less."""
    width = 4 if "32" in codec else 2
    little_mark, big_mark = (b"\xff\xfe\0\0", b"\0\0\xfe\xff") if width == 4 else (b"\xff\xfe", b"\xfe\xff")
    for mark, order in ((little_mark, "-le"), (big_mark, "-be")):
        if data.startswith(mark):
            data, codec = data[width:], f"utf-{width * 8}{order}"
    if not codec.endswith(("-le", "-be")):
        first, last = data[0:4096:width], data[width - 1 : 4096 : width]
        zeros = first.count(0) - last.count(0)
        little = zeros < 0 or (zeros == 0 and len(set(last)) < len(set(first)))
        codec = f"utf-{width * 8}{'-le' if little else '-be'}"
    return data[: len(data) - len(data) % width].decode(codec, "replace")


def _guessed(data: bytes | memoryview, codec: str = "") -> str:
    text = _strictly(data, "utf-8")
    if text is not None:
        return text
    from crmmail.mail.guess import guess

    return guess(bytes(data), codec)
