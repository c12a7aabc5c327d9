"""Signatures: where the end of a letter begins that says who wrote it, and nothing more.

A telephone's line (`Sent from my iPhone`), a closing with a name (`Regards,` / `С уважением,`), a card, a rule with an
address below it.  What may be a sentence is one: a question, a P.S. and "Thank you." stay words.
"""

from __future__ import annotations

import re


def table(text: str) -> frozenset[str]:
    """The entries of a table, parted by bars and line ends."""
    return frozenset(entry.strip() for entry in text.replace("\n", "|").split("|"))


_CLOSINGS = table(
    """regards|best regards|kind regards|kindest regards|warm regards|warmest regards|with kind regards
    with best regards|best|all the best|best wishes|sincerely|yours sincerely|sincerely yours|yours faithfully
    yours truly|cheers|thanks|many thanks|thank you|thanks and regards|thanks & regards|thank you and regards
    thanks in advance|respectfully|cordially|mit freundlichen grüßen|mit freundlichem gruß|freundliche grüße
    viele grüße|beste grüße|liebe grüße|schöne grüße|mfg|vg|lg|gruß|mit besten grüßen|herzliche grüße|cordialement
    bien cordialement|bien à vous|salutations|meilleures salutations|cdlt|sincères salutations|с уважением
    с наилучшими пожеланиями|всего доброго|с уважением и наилучшими пожеланиями|з повагою|saludos|un saludo
    saludos cordiales|atentamente|cordiali saluti|distinti saluti|saluti|met vriendelijke groet
    met vriendelijke groeten|groeten|mvg|atenciosamente|cumprimentos|com os melhores cumprimentos|abraços
    med vänlig hälsning|vänliga hälsningar|med vänliga hälsningar|hälsningar|mvh|med venlig hilsen|venlig hilsen
    de bedste hilsner|hilsen|kh|med vennlig hilsen|vennlig hilsen|ystävällisin terveisin|terveisin|pozdrawiam
    z poważaniem|z powazaniem|s pozdravem|s přáním|üdvözlettel|tisztelettel|saygılarımla|saygılarımızla|cu stimă
    以上、よろしくお願いいたします|よろしくお願いいたします|敬具|此致|此致敬礼|감사합니다"""
)
_PHONE_BEGINS = tuple(
    table(
        """sent from|sent with|sent via|sent using|get outlook for|envoyé de|envoyé depuis
        envoyé à partir|télécharger outlook|gesendet von|gesendet mit|diese nachricht wurde von meinem
        outlook für|скачать outlook|отправлено с|отправлено из|отправлено от|надіслано з|enviado desde|enviado do
        enviado de|enviado via|enviada do|inviato da|scarica outlook|obtener outlook|obter o outlook
        verstuurd vanaf|verstuurd met|verstuurd vanuit|verzonden vanaf|verzonden met|verzonden vanuit|outlook voor
        skickat från|sendt fra|hent outlook|hämta outlook|lähetetty iphone
        wysłane z|wysłano z|pobierz program outlook
        odesláno z|odoslané z|发自|發自|從我的|发送自|나의"""
    )
)
_PHONE_ENDS = ("から送信", "에서 보냄", "iphone gesendet", "ipad gesendet", "smartphone gesendet", "handy gesendet")
_CONTACT = re.compile(r"\S@\S+\.\w|https?://|www\.|\+?\d[\d ()./-]{6,}\d")
RULE = re.compile(r"\s*[-_=*–—]{5,}\s*\Z")
_AFTERTHOUGHT = re.compile(r"p\.? ?p?\.? ?s\b|n\.?b\b|пс\b|з\.?ы\b")


def start(tail: list[str], gaps: list[bool]) -> int | None:
    """The index in `tail` where the signature begins; None where there is none.

    Args:
        tail: the last lines of words of a letter, stripped, none of them empty; at most a dozen or so.
        gaps: for each of them, does something else (a blank line, a quote) stand above it?
    """
    return next((found for test in _SIGNATURES if (found := test(tail, gaps)) is not None), None)


def _phone(tail: list[str], gaps: list[bool]) -> int | None:
    last = tail[-1].lower() if tail and (gaps[-1] or "Outlook" in tail[-1]) else ""
    said = not last or len(last) > 80 or "," in last or last[-1] == "."  # "Sent from my desk, which is new."
    return len(tail) - 1 if not said and (last.startswith(_PHONE_BEGINS) or last.endswith(_PHONE_ENDS)) else None


def _closing(tail: list[str], gaps: list[bool]) -> int | None:
    """`Regards,` and a name, with what belongs to it; a "Thanks!" or "Thank you." is a sentence."""
    for start in range(len(tail) - 2, -1, -1):
        if tail[start].lower().rstrip(", -–") in _CLOSINGS:
            name = tail[start + 1]
            return start if len(name.split()) <= 5 and not name[0].islower() and _plain(tail[start + 1 :]) else None
    return None


def _ruled(tail: list[str], gaps: list[bool]) -> int | None:
    """A rule with a card or a mailing list's footer below it."""
    for start in range(len(tail) - 2, -1, -1):
        if RULE.match(tail[start]):
            below = tail[start + 1 :]
            return start if _plain(below) and any(map(_CONTACT.search, below)) else None
    return None


def _name(tail: list[str], gaps: list[bool]) -> int | None:
    """`-Ann Miller` or `/Ann` alone at the end, where it is no item of a list."""
    if len(tail) < 2 or not gaps[-1] or tail[-1][0] not in "-–/" or tail[-2][0] in "-–/":
        return None
    words = tail[-1][1:].split(" ")
    named = words[0][:1].isupper() and words[-1][:1].isupper() and all(word.isalpha() for word in words)
    return len(tail) - 1 if named and (2 if tail[-1][0] != "/" else 1) <= len(words) <= 3 else None


def _card(tail: list[str], gaps: list[bool]) -> int | None:
    """A last paragraph that begins with a name and has two or more telephones, addresses or links in it."""
    start = max((at for at, gap in enumerate(gaps) if gap), default=0)
    card = tail[start:]
    if not start or not 3 <= len(card) <= 8 or len(card[0].split()) > 5 or tail[start - 1][-1] in ":：":
        return None
    contacts = [bool(_CONTACT.search(line)) for line in card]
    return start if not contacts[0] and sum(contacts) >= 2 and _plain(card) else None


_SIGNATURES = (_phone, _ruled, _closing, _name, _card)


def _plain(lines: list[str]) -> bool:
    """Short lines that say nothing: no sentence, no question, no P.S."""
    return all(
        (len(line) <= 70 or " " not in line)
        and line[-1] not in "?!？！。:："
        and not (line[-1] == "." and len(line.split()) > 5)
        and not _AFTERTHOUGHT.match(line.lower())
        for line in lines
    )
