"""The new words of a mail: what stays when quotes and signature are folded away.

People answer above, below and between what they quote, in programs of thirty years and twenty languages.  `fold`
goes through the lines once and takes each for words, quote or signature:

* lines with > are a quote, and so are the lines above them that tell who wrote it and when;
* below `-----Original Message-----`, a block of From:/Sent:/Subject:, or `On … Ann wrote:` without any >, all is quote;
* what PGP writes around a signed letter is folded like a quote;
* below `-- ` all is signature; at the end of the words also `Sent from my iPhone`, `Regards,` with a name, a card.

Quotes at the end are folded, and a single one above the answer.  Answers between quotes stay where they are, quotes
and all, for they mean nothing alone.  If nothing remains, as of a mail that is only forwarded, everything is shown.
Nothing is lost: the whole text is stored.  Where the signs are weak, words count as words: a folded answer costs more
than a shown quote.
"""

from __future__ import annotations

import re

from crmmail.core import signature
from crmmail.core.signature import RULE, table
from crmmail.core.typed import NamedTuple

# Characters and lines that are looked at; what follows goes the way of the last of them.
SCAN, SCAN_LINES = 200_000, 4_000
_LONG = 1000  # a longer line attributes nothing
_WORDS, _BLANK, _QUOTE, _SIGNATURE, _FORWARD = range(5)


class Folded(NamedTuple):
    """The lines of a text in three heaps, each in their order."""

    visible: str
    quoted: str
    signature: str


_WROTE = table(
    """wrote|writes|schrieb|geschrieben|écrit|пишет|писал|писала|писали|написал|написала|пише|написав|escribió|escribio
    scritto|scrisse|schreef|geschreven|escreveu|napisał|napisała|napisana|pisze|skrev|skriver|kirjoitti|napsal|napsala|píše
    napísal|írta|scris|yazdı|έγραψε|napisao|viết|rašė|כתב"""
)
# Where blanks are rare, it is the end of a longer word.
_WROTE_CJK = ("写道", "寫道", "写到", "書きました", "のメール", "작성", "썼습니다", "쓴 글")
_WORD = re.compile(r"[^\W\d_]+")
_TIME = re.compile(r"\d\s?[:.h時时点시]\s?\d\d")
_HOUR = re.compile(r"\d\d?:\d\d")
_DAY = re.compile(r"(?:19|20)\d\d|\d[./-] ?\d\d?[./-] ?\d\d")
# Who says this speaks of a letter, and quotes none.
_PERSONS = table(
    "i|we|you|he|she|they|ich|wir|sie|er|du|je|nous|vous|yo|nosotros|usted|noi|lei|eu|ik|wij|jij|я|мы|вы|ты|он|она"
)

# Labels of a header block in the languages of Outlook, Thunderbird and Apple Mail, by what they tell.
_LABELS = {
    label: role
    for role, labels in {
        "from": """from|von|de|da|van|från|fra|od|от|від|lähettäjä|feladó|kimden|gönderen|από|差出人|送信者|发件人
        寄件者|보낸 사람|보낸사람|מאת""",
        "sent": """sent|gesendet|envoyé|отправлено|надіслано|enviado|enviada|enviado el|enviada em|inviato|verzonden
        skickat|sendt|lähetetty|wysłano|odesláno|odoslané|elküldve|gönderildi|gönderilme tarihi|εστάλη|送信日時
        发送时间|傳送時間|寄件日期|보낸 날짜|נשלח""",
        "date": "date|datum|дата|fecha|data|dato|päiväys|päivämäärä|dátum|tarih|日付|日時|日期|날짜",
        "to": """to|an|à|a|кому|para|per|aan|till|til|vastaanottaja|do|komu|címzett|kime|προς|宛先|收件人|收件者
        받는 사람|받는사람|אל""",
        "cc": "cc|copie à|копия|копія|kopie|kopia|kopi|kopio|dw|másolatot kap|bilgi|抄送|副本|참조",
        "subject": """subject|betreff|objet|sujet|тема|asunto|oggetto|onderwerp|ämne|emne|aihe|temat|předmět|predmet
        tárgy|konu|θέμα|assunto|件名|主题|主旨|主題|제목|נושא""",
    }.items()
    for label in table(labels)
}
# Below these all is quote; they stand between dashes.
_ORIGINAL = table(
    """original message|original-nachricht|ursprüngliche nachricht|originalnachricht|message d'origine
    message d’origine|message original|исходное сообщение|оригинальное сообщение|вихідне повідомлення
    mensaje original|messaggio originale|messaggio originario|oorspronkelijk bericht|origineel bericht
    mensagem original|ursprungligt meddelande|originalmeddelande|oprindelig meddelelse|original meddelelse
    opprinnelig melding|alkuperäinen viesti|wiadomość oryginalna|oryginalna wiadomość|původní zpráva
    originální zpráva|pôvodná správa|eredeti üzenet|orijinal ileti|özgün ileti|αρχικό μήνυμα|mesaj original
    原始邮件|邮件原件|原始郵件|元のメッセージ|オリジナルメッセージ|원본 메시지|원본 메일"""
)
# Apple Mail and DAVID write these without.
_FORWARDED = table(
    """forwarded message|begin forwarded message|weitergeleitete nachricht|anfang der weitergeleiteten nachricht
    anfang der weitergeleiteten e-mail|message transféré|début du message transféré|début du message réexpédié
    пересылаемое сообщение|пересланное сообщение|начало переадресованного сообщения|начало пересылаемого сообщения
    конец пересылаемого сообщения|mensaje reenviado|inicio del mensaje reenviado|messaggio inoltrato
    inizio messaggio inoltrato|doorgestuurd bericht|begin doorgestuurd bericht|mensagem encaminhada
    início da mensagem encaminhada|vidarebefordrat meddelande|vidarebefordrat brev|videresendt meddelelse
    videresendt melding|välitetty viesti|przekazana wiadomość|wiadomość przekazana|přeposlaná zpráva
    továbbított üzenet|iletilen ileti|转发的邮件|轉寄郵件|転送メッセージ|전달된 메시지
    original message processed by david®"""
)


def visible(text: str) -> str:
    """The new words of `text`; never empty unless `text` is blank."""
    return fold(text).visible


def own_words(text: str) -> str:
    """The new words of `text` and the signature under them; "" where nothing but a quote is there.

    Unlike `visible` it shows nothing rather than a quote: a user's answer leaves the house by it, and what he quotes
    is a notification that tells of the house.  A mail that begins with another one's header is all quote, and the
    line that a telephone adds says nothing; `Thanks, Ann` does.
    """
    lines, kinds = _judged(text)
    if _FORWARD in kinds:
        return ""
    shown, below = _heap(lines, kinds, _WORDS), _heap(lines, kinds, _SIGNATURE)
    words = shown or _heap(lines, _kinds(lines), _WORDS)
    if all(signature.start([line.strip()], [True]) is not None for line in words.split("\n") if line.strip()):
        return ""
    return f"{words}\n\n{below}" if shown and below else words


def fold(text: str) -> Folded:
    """`text` in its visible lines, its folded quotes and its folded signature, in time that grows with its length."""
    lines, kinds = _judged(text)
    kinds = [_WORDS if kind == _FORWARD else kind for kind in kinds]
    shown = _heap(lines, kinds, _WORDS)
    if not shown:
        return Folded(text.strip("\r\n"), "", "")
    return Folded(shown, _heap(lines, kinds, _QUOTE), _heap(lines, kinds, _SIGNATURE))


def _judged(text: str) -> tuple[list[str], list[int]]:
    """The lines of `text`, and what each is when all is seen."""
    lines = text[:SCAN].split("\n", SCAN_LINES)
    rest = len(lines) > SCAN_LINES or len(text) > SCAN
    if rest:
        lines[-1] += text[SCAN:]
    kinds = _kinds(lines[:-1] if rest else lines)
    if rest:
        kinds.append(next((kind for kind in reversed(kinds) if kind != _BLANK), _WORDS))
    else:
        _mark_signature(lines, kinds)
    _keep_inline(kinds)
    return lines, kinds


def _kinds(lines: list[str]) -> list[int]:
    """What each line is: words, blank, a quote, below a `-- `, or forwarded (shown, and no signature)."""
    kinds: list[int] = []
    floor, own = _WORDS, 0  # what plain lines are at the moment; how many lines of words there have been
    while (at := len(kinds)) < len(lines):
        line = lines[at]
        bare = line.strip()
        if not bare:
            kinds.append(_BLANK)
        elif bare[0] == ">" and not (bare.startswith(">From ") and kinds[-1:] != [_QUOTE]):
            kinds.append(_QUOTE)
            floor = _WORDS
        elif bare.startswith("-----BEGIN PGP SIG") and (end := _armour(lines, at)):
            kinds += [_QUOTE] * (end - at)
        elif len(line) <= _LONG and (opened := _opening(lines, at, bare)):
            start, end = opened
            marked = _marked(lines, end)
            own -= kinds[start:].count(_WORDS)
            if not own and not marked and start == at:
                # No words of its own above: the mail was forwarded, or begins with a header block for other reasons.
                if _title(bare) in _FORWARDED:
                    return [_FORWARD] * len(lines)
                kinds += [_FORWARD] * (end - start)
                continue
            while start and (kinds[start - 1] == _BLANK or RULE.match(lines[start - 1])):
                start -= 1
            kinds[start:] = [_QUOTE] * (end - start)
            floor = _WORDS
            if not marked:
                kinds += [_QUOTE] * (len(lines) - end)
        else:
            if line.rstrip("\r") in ("-- ", "- -- ") or (bare in ("--", "—") and _signs(lines, at)):
                floor = _SIGNATURE
            kinds.append(floor)
            own += floor == _WORDS
    return kinds


def _armour(lines: list[str], at: int) -> int:
    """The line behind what a PGP signature puts above the words or below them (RFC 4880 7); 0 if it has no end."""
    last = "" if "MESSAGE" in lines[at] else "-----END PGP SIGNATURE-----"
    return next((end + 1 for end in range(at, min(at + 60, len(lines))) if lines[end].strip() == last), 0)


def _opening(lines: list[str], at: int, bare: str) -> tuple[int, int] | None:
    """(first line, line behind the last) of what opens a quote, if line `at` shows it."""
    title = _title(bare)
    ruled = bare[0] in "-_=*–—‐"
    if (title in _ORIGINAL and ruled) or (title in _FORWARDED and (ruled or bare[-1] in ":：®")):
        return at, at + 1
    if bare[-1] in ":：" or bare.endswith(":*"):
        start = _attribution(lines, at)
        if start is not None:
            return start, at + 1
    end = _header_block(lines, at)
    return (at, end) if end else None


def _attribution(lines: list[str], at: int) -> int | None:
    """Where the attribution that ends with line `at` begins: up to four lines, wrapped by the writer's program."""
    marked, joined, found = _marked(lines, at + 1), "", []
    for start in range(at, max(at - 4, -1), -1):
        line = lines[start].strip()
        if start != at and (not line or line[0] == ">" or len(line) > 200):
            break
        # "János <j@x.example> ezt írta (időpont:" goes on in the last line.
        if start != at and line[-1] in ":：" and (start + 1 < at or "(" not in line):
            break
        joined = f"{line} {joined}"
        if _attributes(joined, marked):
            # It begins with a date, or a few words and a date: "On Monday, the 3rd".  An hour may be its second line.
            if any(word.lstrip("(")[:1].isdigit() and not _HOUR.match(word) for word in line.split(maxsplit=5)[:5]):
                found = [start]
                break
            found.append(start)
    # Else it begins with somebody's address, or has no more to say than `Ann wrote:`.
    begin = next((start for start in found if start == at or "@" in lines[start] or len(found) == 1), None)
    if begin:
        above, line = lines[begin - 1].strip(), lines[begin].lstrip()
        if above and (above[-1] == "<" or line[0] == "<" or (above[-1] == ">" and "@" in above)) and above[0] != ">":
            begin -= 1  # wrapped between a name and its address, or behind it
    return begin


def _attributes(line: str, marked: bool) -> bool:
    """It says who wrote, and when; the less of it, the more a > below is needed."""
    line = line[:_LONG].lower()
    words = _WORD.findall(line)
    wrote = not _WROTE.isdisjoint(words) or any(verb in line for verb in _WROTE_CJK)
    address = "@" in line
    if not wrote and not address:
        return False
    time, day = bool(_TIME.search(line)), bool(_DAY.search(line))
    if marked:
        return wrote or time or day
    if wrote:
        return (time or day) and (address or (time and day and _PERSONS.isdisjoint(words)))
    return time and day and _ends_with_address(line.rstrip(" :：*"))


def _ends_with_address(line: str) -> bool:
    """`<ann@x.example>`, `(ann@x.example)`, `от ann@x.example`."""
    if line.endswith(">"):
        return True
    above, _, last = line.rpartition(" ")
    return "@" in last and ((last[0] == "(" and last[-1] == ")") or above.endswith((" от", " from")))


def _header_block(lines: list[str], at: int) -> int:
    """The line behind a block such as From:/Sent:/To:/Subject: that begins at `at`; 0 if there is none."""
    first = _role(lines[at])
    if not first:
        return 0
    roles, end, address = {first}, at + 1, "@" in lines[at]
    for next_at in range(at + 1, min(at + 12, len(lines))):
        role = _role(lines[next_at])
        if role in roles or next_at - end > 3:  # a list of recipients may go on for some lines
            break
        if role:
            roles.add(role)
            end = next_at + 1
            address = address or "@" in lines[next_at]
        elif not lines[next_at].strip() and (next_at + 1 == len(lines) or not _role(lines[next_at + 1])):
            break
    # "From: Bonn, To: Paris, Date: 3 May" is a journey.
    mail = address or "subject" in roles or "sent" in roles
    return end if mail and "from" in roles and len(roles) >= 3 else 0


def _role(line: str) -> str:
    label, colon, _ = line[:40].replace("：", ":").partition(":")
    return _LABELS.get(label.strip(" \t*_\u00a0\ufeff").lower(), "") if colon else ""


def _title(bare: str) -> str:
    return " ".join(bare[:80].lower().strip(" -_=*–—‐:：\t").split())


def _marked(lines: list[str], at: int) -> bool:
    """The next line with something in it is a quote by its >."""
    return next((line.lstrip()[0] == ">" for line in lines[at : at + 8] if line.strip()), False)


def _signs(lines: list[str], at: int) -> bool:
    """What stands below a `--` without its blank is no longer than a signature, and asks nothing."""
    below: list[str] = []
    for line in lines[at + 1 : at + 30]:
        bare = line.strip()
        if bare[:1] == ">" or len(below) > 12:
            break
        if bare:
            below.append(bare)
    return len(below) <= 12 and not any(line[-1] in "?？" for line in below)


def _keep_inline(kinds: list[int]) -> None:
    """Quotes between words become words, and with them those above: somebody answers point by point."""
    words = [at for at, kind in enumerate(kinds) if kind in (_WORDS, _FORWARD)]
    if words and _QUOTE in kinds[words[0] : words[-1]]:
        kinds[: words[-1]] = [_WORDS if kind == _QUOTE else kind for kind in kinds[: words[-1]]]


def _heap(lines: list[str], kinds: list[int], wanted: int) -> str:
    heap: list[str] = []
    current = _BLANK
    for line, kind in zip(lines, kinds, strict=True):
        current = current if kind == _BLANK else kind  # a blank line belongs to what stands above it
        if current == wanted and (heap or line.strip()):
            heap.append(line)
    return "\n".join(heap).strip("\n").rstrip()


def _mark_signature(lines: list[str], kinds: list[int]) -> None:
    """At the end of the words: a telephone's line, a closing with a name, a card.  At most three of them."""
    for _ in range(3):
        tail: list[int] = []
        for at in range(len(kinds) - 1, -1, -1):
            if kinds[at] == _WORDS:
                tail.append(at)
            elif tail and kinds[at] != _BLANK:
                break
            if len(tail) > 12:
                break
        tail.reverse()
        bare = [lines[at].strip() for at in tail]
        gaps = [bool(at) and kinds[at - 1] != _WORDS for at in tail]  # something else stands above: a new paragraph
        begin = signature.start(bare, gaps)
        if begin is None:
            return
        for at in tail[begin:]:
            kinds[at] = _SIGNATURE
