"""Which charset is this, when nobody says so?  Loaded only for bytes that are no UTF-8 and have no usable label.

A short Russian or French line is the usual case, and statistics made for web pages get short lines wrong.  So
three plain questions come first: is it UTF-8 with a few broken bytes (a cut mail, two programs' words in one
subject)?  Do the high bytes stand inside Latin words, or are they whole words?  If whole words: as which Cyrillic
charset do they look most like Russian?  chardet is asked for the rest and believed only where its answer is a
charset of mail.  What is left is shown one letter a byte.
"""

from __future__ import annotations

import codecs
import re

from crmmail.mail.labels import codec_of

SAMPLE = 4096  # bytes shown to the detectors
MENDED = 256 * 1024  # bytes in which single wrong bytes are mended, which takes a call of Python for each
COMMONEST = "cp1251"  # what it is where two letters leave no other evidence
SURE, POSSIBLE = 20.0, 8.0  # how Russian is Russian; Greek and Chinese read as Cyrillic come to 19 at most

_UTF8_LETTER = re.compile(rb"[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}")
_HIGH = re.compile(rb"[\x80-\xff]")
_LONG_RUN = re.compile(rb"[\x80-\xff]{3}")  # "Grüße" has one foreign letter after the other, no word has three
_WORD = re.compile(rb"[A-Za-z\x80-\xff]+")
_CYRILLIC = ("cp1251", "koi8-r", "cp866", "iso8859-5")
# Letters of Russian, Ukrainian and Bulgarian text, the commonest first; the place is the weight.
_COMMON = "оеаинтсрвлкмдпуяыьгзбчйёхжшюцщэфъієї"
_WEIGHT = {letter: 36 - place for place, letter in enumerate(_COMMON)}
# The letters beyond ASCII that a Western language writes, each with its neighbours' for names.
_ALPHABETS = [
    set(letters)
    for letters in "äöüßé åäöéü æøåéöä àâäçéèêëîïôùûüœ áéíóúñü áéíóöőúüű áâãàçéêíóôõú àèéìòù áéíóúýþæöð".split()
]
_RARE = {"iso8859-5": 5.0}  # how much more Russian it has to look: unlabelled, it is mostly Greek
_SYLLABLES = re.compile("[\u3041-\u3096\u30a1-\u30fa\u30fc]")
_WESTERN = {"cp1252", "cp1250", "cp1254", "cp1257", "iso8859-2", "iso8859-15", "iso8859-3", "iso8859-16"}
# Letters that Western and Central European words are made of; the rest of a Latin page are signs.
_PLAIN_LATIN = set("àâäáãåæçèéêëìíîïñòóôöõøœùúûüýÿßÀÂÄÁÃÅÆÇÈÉÊËÌÍÎÏÑÒÓÔÖÕØŒÙÚÛÜÝŸ«»“”„‘’–—…°§€£·¿¡ªº½ ")


def guess(data: bytes, label: str = "") -> str:
    """The text of `data` in the likeliest charset; every byte gives a letter or U+FFFD.

    `label` is the codec that the mail named and that does not fit all of the bytes.
    """
    sample = _sample(data)
    letters, high = len(_UTF8_LETTER.findall(sample)), len(_HIGH.findall(_UTF8_LETTER.sub(b"", sample)))
    if letters and letters * (8 if label == "utf-8" else 1) >= high:
        return _mended(data, "utf-8")
    codec = _japanese(sample) or _judge(sample)
    return _mended(data, codec) if codec == "cp1252" else data.decode(codec, "replace")


def _mended(data: bytes, codec: str) -> str:
    """`data` with its wrong bytes as Western letters; far down in a big text, where nobody reads, as U+FFFD."""
    cut = len(data) if len(data) <= MENDED else data.rfind(b"\n", 0, MENDED) + 1
    return data[:cut].decode(codec, "crmmail.western") + data[cut:].decode(codec, "replace")


def _sample(data: bytes) -> bytes:
    """The words with high bytes, with their neighbours: a long English letter with one name in it is no evidence."""
    if len(data) <= SAMPLE:
        return data
    first = _HIGH.search(data)
    start = max(0, (first.start() if first else 0) - 64)
    return data[start : start + SAMPLE]


def russian(data: bytes) -> str:
    """The Cyrillic charset of bytes whose label says that they are Western; "" if they may be.

    Whole words of accented letters, and many of them: no Western language has one.
    """
    sample = _sample(data)
    words = [word for word in _WORD.findall(sample) if _HIGH.search(word)]
    whole = [word for word in words if len(word) >= 3 and len(_HIGH.findall(word)) == len(word)]
    letters = set(b"".join(whole).decode("cp1252", "replace").lower()) - set("«»“”„‘’–—…\xa0")
    if 2 * len(whole) <= len(words) or len(letters) < 4 or any(letters <= alphabet for alphabet in _ALPHABETS):
        return ""
    score, codec = max((_as_russian(sample, codec), codec) for codec in ("cp1251", "koi8-r"))
    return codec if score >= SURE else ""


def _japanese(sample: bytes) -> str:
    """The charset of a sample of which half are syllables of Japanese; "" if none is."""
    for codec in ("cp932", "euc_jp"):
        try:
            text = codecs.getincrementaldecoder(codec)().decode(sample)
        except UnicodeError:
            continue
        letters = sum(1 for c in text if c > "\x7f")
        syllables = len(_SYLLABLES.findall(text))
        if syllables >= 2 and 2 * syllables >= letters:
            return codec
    return ""


def _judge(sample: bytes) -> str:
    mixed = whole = 0
    for word in _WORD.findall(sample):
        high = len(_HIGH.findall(word))
        if 0 < high < len(word) and not _LONG_RUN.search(word):
            mixed += 1
        else:
            whole += high
    if mixed and mixed * 2 >= whole:
        asked = _ask(sample)
        return asked if asked in _WESTERN and not _as_latin(sample) else "cp1252"
    scores = {codec: _as_russian(sample, codec) - _RARE.get(codec, 0) for codec in _CYRILLIC}
    codec = max(scores, key=lambda codec: scores[codec] + (codec == COMMONEST))
    score = scores[codec]
    if score >= SURE:
        return codec
    return _ask(sample) or (codec if score >= POSSIBLE and not _as_latin(sample) else "cp1252")


def _as_latin(sample: bytes) -> bool:
    """Would every high byte be a usual letter of a Western European language?"""
    text = sample.decode("cp1252", "replace")
    return all(c in _PLAIN_LATIN for c in text if c > "\x7f")


def _as_russian(sample: bytes, codec: str) -> float:
    """How Russian the sample looks in `codec`: the mean weight of its high bytes, less for cAPITALS inside words."""
    score, count, before = 0, 0, " "
    begins_small = False
    for letter in sample.decode(codec, "replace"):
        if letter > "\x7f" and letter not in "«»—–№“”„…\xa0’":
            count += 1
            small = letter.lower()
            if small in _WEIGHT:
                score += _WEIGHT[small]
                if not before.isalpha():
                    begins_small = letter == small
                elif letter != small:
                    score -= 40 if begins_small or before == before.lower() else 0
            else:
                score -= 30
        before = letter
    return score / count if count else 0.0


def _ask(sample: bytes) -> str:
    """chardet's opinion as a codec of ours, "" where it has none that fits the whole sample."""
    try:
        import chardet

        name = chardet.detect(sample)["encoding"]
    except Exception:  # a guess is not worth a mail
        return ""
    codec = codec_of(name or "")
    if codec in {"", "ascii"} or codec.startswith(("utf-16", "utf-32", "utf-7", "mac")):
        return ""
    try:
        # The sample may end within a letter of two bytes, so the last ones are not asked about.
        codecs.getincrementaldecoder(codec)().decode(sample)
    except UnicodeError:
        return ""
    return codec


def _western(error: UnicodeError) -> tuple[str, int]:
    """What is not UTF-8 inside UTF-8 is a letter of Windows' Western charset, unless the letter is merely cut off."""
    if not isinstance(error, UnicodeDecodeError):
        raise error
    if error.end == len(error.object) and error.reason.startswith("unexpected end"):
        return "\ufffd", error.end
    letters = error.object[error.start : error.end]
    if error.encoding == "utf-8":
        return letters.decode("cp1252", "replace"), error.end
    return letters.decode("latin-1"), error.end


codecs.register_error("crmmail.western", _western)
