"""Undoing the transfer encodings: base64, quoted-printable, uuencode, forgiving what mailers break.

A broken encoding must not cost the letter: what can be decoded is decoded, and where nothing can, the bytes are
given as they stand in the mail, so that a person may still find the words in them.  A part is read where it lies in the
mail, for a copy of a big one is memory that others need.
"""

from __future__ import annotations

import binascii
import re

from crmmail.core.pattern import pattern

_PADDING = pattern(rb"[=\r\n \t]*+")
_NOT_BASE64 = bytes(set(range(256)) - set(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/="))
_UU_BEGIN = pattern(rb"^begin [0-7]{3,4} [^\n]*\n", re.M)
_UU_LINE = pattern(rb"[^\n]++")
UU_LINES = 1_200_000  # a line has 61 letters, so 50 MB have fewer; what has more is no uuencode
_PADDED_BREAK = pattern(rb"=[ \t]++(?=\r?\n)")  # blanks behind a soft line break came on the way (RFC 2045 6.7)
UUENCODE = frozenset({"x-uuencode", "uuencode", "uue", "x-uue"})
PLAIN = frozenset({"", "7bit", "8bit", "binary"})


def undone(raw: bytes, start: int, end: int, encoding: str) -> tuple[bytes | memoryview, str]:
    """The bytes that raw[start:end] stands for, and what was wrong in short words ("" if nothing).  Never raises.

    What stands for itself is not copied.
    """
    try:
        if encoding == "base64":
            return _base64(raw, start, end)
        if encoding == "quoted-printable":
            if _PADDED_BREAK.search(raw, start, end):
                return binascii.a2b_qp(_PADDED_BREAK.sub(b"=", raw[start:end])), ""
            return binascii.a2b_qp(memoryview(raw)[start:end]), ""
        if encoding in UUENCODE:
            return _uu(raw, start, end)
    except (binascii.Error, ValueError):
        return memoryview(raw)[start:end], f"broken {encoding}"
    return memoryview(raw)[start:end], "" if encoding in PLAIN else "unknown transfer encoding"


def _base64(raw: bytes, start: int, end: int) -> tuple[bytes, str]:
    pad = raw.find(b"=", start, end)
    padded = _PADDING.match(raw, pad, end) if pad >= 0 else None
    if padded is None or padded.end() == end:
        try:
            found = binascii.a2b_base64(memoryview(raw)[start:end])
            if found or not raw[start:end].strip():
                return found, ""
            return raw[start:end], "broken base64"
        except binascii.Error:
            pass
    # Letters missing at the end, or several encoded pieces one after the other: each piece by itself.
    text = raw[start:end].translate(None, _NOT_BASE64)
    pieces = re.split(rb"=+", text) if text.count(b"=") < 1000 else [text.replace(b"=", b"")]
    del text
    found = b"".join(binascii.a2b_base64(_whole(piece)) for piece in pieces)
    return (found, "broken base64") if found or not raw[start:end].strip() else (raw[start:end], "broken base64")


def _whole(piece: bytes) -> bytes:
    """A piece that ends where a group of four letters does."""
    piece = piece[: len(piece) - 1] if len(piece) % 4 == 1 else piece
    return piece + b"=" * (-len(piece) % 4)


def _uu(raw: bytes, start: int, end: int) -> tuple[bytes, str]:
    begin = _UU_BEGIN.search(raw, start, end)
    if begin is None or raw.count(b"\n", start, end) > UU_LINES:
        return raw[start:end], "broken uuencode"
    found, defect = bytearray(), ""
    for match in _UU_LINE.finditer(raw, begin.end(), end):
        line = match[0].rstrip(b"\r")
        if line == b"end":
            break
        if not line:
            continue
        try:
            found += binascii.a2b_uu(line)
        except binascii.Error:
            # Some encoders write garbage behind the letters that the line's own count covers (as in Python's uu).
            try:
                found += binascii.a2b_uu(line[: (((line[0] - 32) & 63) * 4 + 5) // 3])
            except binascii.Error:
                defect = "broken uuencode"
    return bytes(found), defect


def text_end(data: bytes | memoryview, start: int, end: int) -> int:
    """Where the last line that is not empty ends in data[start:end].  Looks at blocks, for 50 MB may be empty lines."""
    while end > start:
        block = bytes(data[max(start, end - 4096) : end])
        kept = len(block.rstrip(b"\r\n"))
        end -= len(block) - kept
        if kept:
            break
    return end
