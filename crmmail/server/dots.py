"""The text of a mail as SMTP carries it (RFC 5321 §4.5.2): a dot before each line that begins with one, a lone dot at
the end.

Only CR LF . CR LF is the end, never a dot between bare line feeds: a server that takes those for the end can be made to
see two mails in one.  Everything else is kept as it came, lines of any length and every byte.
"""

from __future__ import annotations

END = b"\r\n.\r\n"


class Text:
    """The bytes of one mail, piece by piece as they come."""

    def __init__(self) -> None:
        self._held = b"\r\n"  # what may be the beginning of the end; the text begins as if behind a line
        self._begun = False

    def feed(self, came: bytes) -> tuple[bytes, bytes | None]:
        """What of the mail these bytes complete; and what came behind its end, None where that has not come yet."""
        came = self._held + came
        at = came.find(END)
        if at >= 0:
            return self._plain(came[: at + 2]), came[at + len(END) :]
        held = next((size for size in (4, 3, 2, 1) if came.endswith(END[:size])), 0)
        cut = len(came) - held
        self._held = came[cut:]
        return self._plain(came[:cut]), None

    def _plain(self, stuffed: bytes) -> bytes:
        """Without the dots of the transport, and without the line end that never came."""
        found = stuffed.replace(b"\r\n.", b"\r\n")
        if not self._begun and found:
            self._begun = True
            found = found[2:]
        return found
