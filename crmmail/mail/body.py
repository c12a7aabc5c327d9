"""Which parts of a mail are its words, and which are attachments.

The rules are those of JMAP (RFC 8621 4.1.4), which mail programs have agreed on, in a few sentences.  A part of type
text/plain or text/html is words unless it is marked as an attachment or has a file name of its own.  Among the
alternatives of one text the plain one is read; the HTML is kept beside it, and laid out where it is alone.  Several
texts one after the other are one text with a blank line between.  A part whose type is nonsense is words if it looks
like text.  Everything else is an attachment with its exact bytes: pictures, calendars, delivery reports, and
forwarded mails, whose words are not this letter's.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from crmmail.core.digest import Hash, sha256
from crmmail.core.message import Part
from crmmail.core.pattern import pattern
from crmmail.core.typed import NamedTuple
from crmmail.mail.charset import decode, decode_words, one_line
from crmmail.mail.labels import codec_of
from crmmail.mail.structure import Entity, Tree
from crmmail.mail.transfer import PLAIN, text_end, undone

NAME_LIMIT = 255
KEPT_MARKUP = 256 * 1024  # letters of a mail's pages; of what is more the words are kept, and the original
LAID_OUT = 1024 * 1024  # letters of a mail's pages that are laid out; of the others the tags are dropped

# How a file without a name is called; the standard library's table is read from /etc and slow.
_ENDINGS = {
    "text/plain": "txt",
    "text/html": "html",
    "text/calendar": "ics",
    "text/csv": "csv",
    "text/vcard": "vcf",
    "text/x-vcard": "vcf",
    "text/directory": "vcf",
    "text/rfc822-headers": "txt",
    "text/richtext": "rtf",
    "text/enriched": "txt",
    "text/xml": "xml",
    "message/rfc822": "eml",
    "message/global": "eml",
    "message/partial": "eml",
    "message/delivery-status": "txt",
    "message/disposition-notification": "txt",
    "message/feedback-report": "txt",
    "application/pdf": "pdf",
    "application/zip": "zip",
    "application/json": "json",
    "application/xml": "xml",
    "application/msword": "doc",
    "application/vnd.ms-excel": "xls",
    "application/pgp-signature": "asc",
    "application/pgp-keys": "asc",
    "application/pkcs7-signature": "p7s",
    "application/x-pkcs7-signature": "p7s",
    "application/pkcs7-mime": "p7m",
    "application/ics": "ics",
    "application/ms-tnef": "dat",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": "docx",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": "xlsx",
    "image/jpeg": "jpg",
    "image/jpg": "jpg",
    "image/png": "png",
    "image/gif": "gif",
    "image/webp": "webp",
    "image/svg+xml": "svg",
    "image/tiff": "tif",
    "image/bmp": "bmp",
    "audio/mpeg": "mp3",
    "audio/wav": "wav",
    "audio/x-wav": "wav",
    "video/mp4": "mp4",
}
_PAGE = re.compile(r"\s*<(?:!doctype html|html)\b", re.I)  # that its sender calls text/plain
_NUL = pattern(rb"\0")
_META_CHARSET = pattern(rb"<meta[^<>]{0,200}charset\s*=\s*[\"']?\s*([A-Za-z0-9_:.-]{1,40})", re.I)


class Piece(NamedTuple):
    """One leaf, decoded: its words if it is the letter's body, else its bytes."""

    position: int
    name: str  # never empty
    type: str
    is_body: bool
    group: int  # the outermost multipart/alternative it stands in, -1 if none
    text: str  # of HTML: its words, where it is too big for the markup to be kept
    markup: str
    guessed: bool  # the text's charset was guessed
    data: bytes
    digest: bytes  # SHA-256 of the decoded bytes, line ends made alike
    content_id: str
    disposition: str

    def as_part(self, html: str) -> Part:
        shown = bool(self.content_id) and f"cid:{self.content_id}" in html
        inline = self.disposition == "inline" or (shown and self.disposition != "attachment")
        return Part(self.position, self.name, self.type, self.data, self.content_id, inline)


def divided(raw: bytes, taken_apart: Tree) -> tuple[list[Piece], list[str]]:
    """Every leaf of the tree, decoded and judged, and what was wrong with their encodings."""
    found: list[Piece] = []
    defects: list[str] = []
    big = 0  # pages too big to be kept
    told: set[int] = set()  # the groups that were told in plain text
    alternatives: dict[int, int] = {}  # multipart → the outermost alternative it stands in or is
    for index, entity in enumerate(taken_apart.entities):
        group = alternatives.get(entity.parent, -1)
        if entity.multipart:
            alternatives[index] = index if group < 0 and entity.type == "multipart/alternative" else group
            continue
        parent = taken_apart.entities[entity.parent] if entity.parent >= 0 else None
        piece = _leaf(raw, entity, parent, group, len(found), defects)
        if len(piece.markup) > KEPT_MARKUP:
            big += 1
            crudely = big * KEPT_MARKUP > LAID_OUT
            laid = [] if group in told else list(_pieces_of_text(piece.markup, crudely=crudely))
            piece = piece._replace(markup="")  # given up before its words are put together: it may have 50 MB
            piece = piece._replace(text="".join(laid))
            del laid
        found.append(piece)
        if piece.is_body and _tells(piece):
            told.add(group)
    return found, defects


def _leaf(raw: bytes, entity: Entity, parent: Entity | None, group: int, position: int, defects: list[str]) -> Piece:
    """One leaf, decoded and judged; `defects` gets what was wrong with it."""
    end = entity.end
    if entity.type == "text/plain" and entity.encoding in PLAIN:
        end = text_end(raw, entity.start, end)
    data, defect = undone(raw, entity.start, end, entity.encoding)
    if defect:
        defects.append(defect)
    kind = entity.type
    if not kind:
        defects.append("unreadable Content-Type")
        kind = "application/octet-stream" if _NUL.search(data) else "text/plain"
    is_body = _is_body(entity, kind, parent)
    if is_body and kind != "text/html":
        kind = "text/plain"
    digest = _digest(data, exact=entity.encoding == "base64" and not kind.startswith("text/"))
    text, markup, guessed = "", "", False
    if is_body:
        label = _label(entity, kind, data)
        if not codec_of(label).startswith(("utf-16", "utf-32")):
            # Before it becomes text, for then it is copied to be made shorter.
            data = memoryview(data)[: text_end(data, 0, len(data))]
        text, guessed = decode(data, label)
        data = b""  # given up before the text is copied, and no two copies of that at once: it may have 50 MB
        text = text.replace("\r\n", "\n")
        text = text.replace("\r", "\n")
        text = text.strip("\n")
        if group < 0 and _PAGE.match(text):
            kind = "text/html"
        if kind == "text/html":
            markup, text = text, ""
        elif "format" in entity.parameters or entity.type != kind:
            text = _as_told(text, entity)
    return Piece(
        position=position,
        name=_name(entity, kind, position),
        type=kind,
        is_body=is_body,
        group=group,
        text=text,
        markup=markup,
        guessed=guessed,
        data=bytes(data),
        digest=digest,
        content_id=one_line(decode(entity.content_id.encode("latin-1"), "")[0]),
        disposition=entity.disposition,
    )


def words(pieces: list[Piece]) -> tuple[str, str]:
    """The letter's text, and its HTML made safe."""
    texts: list[str] = []
    pages: list[str] = []
    body = [piece for piece in pieces if piece.is_body]
    told = {piece.group for piece in body if _tells(piece)}
    markup = 0  # letters of it so far
    for piece in body:
        text = piece.text
        if piece.type == "text/html":
            markup += len(piece.markup)
            if markup <= KEPT_MARKUP:
                pages.append(piece.markup)
            if piece.group in told:
                continue
            text = text or _as_text(piece.markup, crudely=markup > LAID_OUT)
        if text and not text.isspace():
            texts.append(text)
    return "\n\n".join(texts), _as_html(pages)


def _tells(piece: Piece) -> bool:
    """Does it tell in plain text what its alternatives tell, so that their HTML need not be read?"""
    return piece.group >= 0 and piece.type == "text/plain" and bool(piece.text) and not piece.text.isspace()


def update(digest: Hash, slices: Iterable[bytes]) -> None:
    """Hash bytes with CRLF and CR as LF, slice by slice: a copy of 50 MB would be a quarter of our memory."""
    held = b""
    for piece in slices:
        piece = held + piece if held else piece
        held = b"\r" if piece.endswith(b"\r") else b""  # do not part a CRLF
        piece = piece[:-1] if held else piece
        digest.update(piece.replace(b"\r\n", b"\n").replace(b"\r", b"\n") if b"\r" in piece else piece)
    digest.update(b"\n" if held else b"")


def _sliced(data: bytes | memoryview, stop: int, step: int = 1 << 20) -> Iterator[bytes]:
    return (bytes(data[start : min(start + step, stop)]) for start in range(0, stop, step))


def _digest(data: bytes | memoryview, exact: bool) -> bytes:
    """SHA-256; a transport may change line ends and the number of the last ones in all but files in base64.

    Text in base64 counts like other text: a mail server that does not know the next one to take 8 bits makes base64 of
    what is mostly not ASCII (sendmail, EightBitMode).
    """
    digest = sha256()
    if exact:
        digest.update(data)
    else:
        update(digest, _sliced(data, text_end(data, 0, len(data))))
    return digest.digest()


def _label(entity: Entity, kind: str, data: bytes | memoryview) -> str:
    """The charset that the part, or else the HTML in it, names."""
    label = entity.parameters.get("charset", "").split(" ")[0]
    if not label and kind == "text/html" and (found := _META_CHARSET.search(data[:4096])):
        label = found[1].decode("ascii")
        # What could be read letter by letter is not in letters of two bytes (WHATWG "HTML", 13.2.3.2).
        label = "utf-8" if codec_of(label).startswith(("utf-16", "utf-32")) else label
    return label


def _is_body(entity: Entity, kind: str, parent: Entity | None) -> bool:
    if entity.disposition == "attachment":
        return False
    if kind not in {"text/plain", "text/html"} and not (entity.parent < 0 and kind.startswith("text/")):
        return False
    within = parent.type if parent else ""
    if parent and within == "multipart/related":
        root = parent.parameters.get("start", "").strip("<> ")
        return entity.place == 0 or (bool(root) and entity.content_id == root)
    if entity.filename:
        return False
    # Some programs name the text itself (`name="body.txt"`); a named text further down is a file.
    return not entity.parameters.get("name") or entity.place == 0 or within == "multipart/alternative"


def _name(entity: Entity, kind: str, position: int) -> str:
    given = one_line(entity.filename or entity.parameters.get("name", ""))
    if "=?" in given:  # an encoded word that was cut up by RFC 2231
        given = decode_words(given.encode("utf-8", "replace"))
    return given[:NAME_LIMIT].strip() or f"part-{position}.{_ENDINGS.get(kind, 'bin')}"


def _as_told(text: str, entity: Entity) -> str:
    from crmmail.mail.plain import told

    return told(text, entity.type, entity.parameters)


def _pieces_of_text(html: str, *, crudely: bool) -> Iterator[str]:
    from crmmail.mail.html import pieces_of_text

    return pieces_of_text(html, crudely=crudely)


def _as_text(html: str, *, crudely: bool) -> str:
    from crmmail.mail.html import to_text

    return to_text(html, crudely=crudely)


def _as_html(pages: list[str]) -> str:
    if not pages:
        return ""
    from crmmail.mail.html import safe

    return "\n".join(filter(None, map(safe, pages)))
