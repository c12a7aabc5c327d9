"""Undoing the transfer encodings: base64, quoted-printable, uuencode, forgiving what mailers break.

A broken encoding must not cost the letter: what can be decoded is decoded, and where nothing can, the bytes are
given as they stand in the mail, so that a person may still find the words in them.
"""

from __future__ import annotations

import binascii
import re

_NOT_BASE64 = re.compile(rb"[^A-Za-z0-9+/=]+")
_UU_BEGIN = re.compile(rb"^begin [0-7]{3,4} [^\n]*\n", re.M)
UUENCODE = frozenset({"x-uuencode", "uuencode", "uue", "x-uue"})
PLAIN = frozenset({"", "7bit", "8bit", "binary"})


def undone(data: bytes, encoding: str) -> tuple[bytes, str]:
    """The bytes that were encoded, and what was wrong in short words ("" if nothing).  Never raises."""
    try:
        if encoding == "base64":
            return _base64(data)
        if encoding == "quoted-printable":
            return binascii.a2b_qp(data), ""
        if encoding in UUENCODE:
            return _uu(data)
    except (binascii.Error, ValueError):
        return data, f"broken {encoding}"
    return data, "" if encoding in PLAIN else "unknown transfer encoding"


def _base64(data: bytes) -> tuple[bytes, str]:
    text = data.rstrip()
    pad = text.find(b"=")
    if pad < 0 or not text[pad:].strip(b"=\r\n \t"):
        try:
            found = binascii.a2b_base64(text)
            return (found, "") if found or not text else (data, "broken base64")
        except binascii.Error:
            pass
    # Letters missing at the end, or several encoded pieces one after the other: each piece by itself.
    text = _NOT_BASE64.sub(b"", text)
    pieces = re.split(rb"=+", text) if text.count(b"=") < 1000 else [text.replace(b"=", b"")]
    found = b"".join(binascii.a2b_base64(_whole(piece)) for piece in pieces)
    return (found, "broken base64") if found or not data.strip() else (data, "broken base64")


def _whole(piece: bytes) -> bytes:
    piece = piece[: len(piece) - 1] if len(piece) % 4 == 1 else piece
    return piece + b"=" * (-len(piece) % 4)


def _uu(data: bytes) -> tuple[bytes, str]:
    begin = _UU_BEGIN.search(data)
    if begin is None:
        return data, "broken uuencode"
    found, defect = [], ""
    for line in data[begin.end() :].split(b"\n"):
        line = line.rstrip(b"\r")
        if line == b"end":
            break
        if not line:
            continue
        try:
            found.append(binascii.a2b_uu(line))
        except binascii.Error:
            # Some encoders write garbage behind the letters that the line's own count covers (as in Python's uu).
            try:
                found.append(binascii.a2b_uu(line[: (((line[0] - 32) & 63) * 4 + 5) // 3]))
            except binascii.Error:
                defect = "broken uuencode"
    return b"".join(found), defect


def text_end(data: bytes, start: int, end: int) -> int:
    """Where the last line that is not empty ends in data[start:end].  Looks at blocks, for 50 MB may be empty lines."""
    while end > start:
        block = data[max(start, end - 4096) : end]
        kept = len(block.rstrip(b"\r\n"))
        end -= len(block) - kept
        if kept:
            break
    return end
