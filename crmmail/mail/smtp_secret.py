"""The password in what a mail server says: some repeat what they heard, and it must reach neither log nor screen."""

from __future__ import annotations

import base64
import re

PIECE = 8  # characters of base64 by which a password is known, where a server repeats it


def without_password(words: str, user: bytes, password: bytes) -> str:
    """The server's words, where it repeats what we said at the login: as it is, or in one of its base64 forms."""
    pieces = {piece for said in _tokens(user, password) for piece in _pieces(in_base64(said))}

    def hidden(run: re.Match[str]) -> str:
        return "***" if any(piece in run[0].casefold() for piece in pieces) else run[0]

    words = re.sub(r"[a-z0-9+/=]{2,}", hidden, words, flags=re.I)
    return re.sub(re.escape(password.decode("utf-8", "replace")), "***", words, flags=re.I)


def in_base64(secret: bytes) -> str:
    return base64.b64encode(secret).decode("ascii")


def _tokens(user: bytes, password: bytes) -> tuple[bytes, ...]:
    """What a login says in base64."""
    return password, user + b"\0" + password, b"\0" + user + b"\0" + password, user + b"\0" + user + b"\0" + password


def _pieces(token: str) -> set[str]:
    """All that betrays a token of base64, which may be cut at both ends and come in other letter case."""
    token = token.rstrip("=").casefold()
    return {token[start : start + PIECE] for start in range(max(len(token) - PIECE, 0) + 1)}
