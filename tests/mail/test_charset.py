"""Charsets: labels believed, labels that lie, no label at all; encoded words of header fields."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from quick import QUICK

from crmmail.mail import labels
from crmmail.mail.charset import decode, decode_words, one_line, tidy
from crmmail.mail.labels import codec_of

RUSSIAN = ["Привет", "Добрый день", "Счёт №5", "Re: Вопрос по заказу", "ПРИВЕТ", "ООО «Ромашка»", "Тест", "Да"]
WINDOWS_1251 = (
    "windows-1251|Windows-1251|WINDOWS_1251|windows1251|windows 1251|x-windows-1251|cswindows1251|win-1251|win1251"
    "|x-win1251|cp1251|CP-1251|cp_1251|x-cp1251|1251|ansi-1251|microsoft-1251|ms-cyrl|windows-cyrillic"
    "|charset=windows-1251|'windows-1251'|windows-1251;"
).split("|")
FRENCH = ["café", "été", "Réunion", "déjà vu", "Ça va?", "Très bientôt", "Grüße", "Müller", "Señor Núñez"]


@pytest.mark.parametrize(
    ("label", "codec"),
    [
        ("UTF-8", "utf-8"),
        ('"utf8"', "utf-8"),
        ("ISO-8859-1", "cp1252"),
        ("iso_8859-1:1987", "cp1252"),
        ("windows-1251", "cp1251"),
        ("cp-1251", "cp1251"),
        ("x-cp1251", "cp1251"),
        ("KOI8-R", "koi8-r"),
        ("GB2312", "gb18030"),
        ("ks_c_5601-1987", "cp949"),
        ("csShiftJIS", "cp932"),
        *((label, "cp1251") for label in WINDOWS_1251),
        ("cp-850", "cp850"),
        ("csPC850Multilingual", "cp850"),
        ("x-mac-cyrillic", "mac-cyrillic"),
        ("gb_2312-80", "gb18030"),
        ("ISO-8859-1-Windows-3.1-Latin-1", "cp1252"),
        ("iso8859", "cp1252"),
        ("unicode-1-1-utf-7", "utf-7"),
        ("utf8mb4", "utf-8"),
        ("utf-8,utf-8", "utf-8"),
        ("ansi_x3.110-1983", "ascii"),
        ("_iso-2022-jp$ESC", "iso2022_jp_ext"),
        ("ms949", "cp949"),
        ("", ""),
        ("x-unknown-9999", ""),
        ("x-user-defined", ""),
    ],
)
def test_a_label_is_known_by_its_letters(label: str, codec: str) -> None:
    assert codec_of(label) == codec


def test_every_label_of_the_table_names_a_codec_of_text() -> None:
    for codec in set(labels._CODECS.values()):
        assert isinstance(b"".decode(codec), str)
        assert "a".encode(codec)


@pytest.mark.parametrize(
    "label",
    "undefined idna punycode hex zlib rot13 unicode_escape raw_unicode_escape mbcs palmos bz2 base64 uu quopri".split(),
)
def test_codecs_that_are_no_charsets_are_never_used(label: str) -> None:
    assert codec_of(label) == ""
    assert decode("\\x41 café".encode(), label) == ("\\x41 café", True)


@pytest.mark.parametrize("words", RUSSIAN)
@pytest.mark.parametrize("charset", ["cp1251", "koi8-r"])
def test_short_russian_without_a_label_is_readable(words: str, charset: str) -> None:
    data = words.encode(charset, "ignore")  # koi8-r has no №
    assert decode(data, "us-ascii") == (data.decode(charset), True)


@pytest.mark.parametrize("words", FRENCH)
def test_short_western_words_without_a_label_are_readable(words: str) -> None:
    assert decode(words.encode("latin-1"), "") == (words, True)


# Bodies as they come without a label, or with us-ascii: (words, the charsets that people write them in).
LETTERS = {
    "Russian": ("Здравствуйте! Пришлите, пожалуйста, счёт на оплату.", "cp1251 koi8-r cp866 iso8859-5"),
    "Ukrainian": ("Добрий день! Надішліть, будь ласка, рахунок.", "cp1251"),
    "Japanese": ("お世話になっております。お見積りの件でご連絡いたしました。", "cp932 euc_jp iso2022_jp"),
    "Chinese": ("您好，请把最新的报价单发给我们，谢谢您的帮助。", "gb18030"),
    "Taiwanese": ("您好，請把最新的報價單寄給我們，謝謝您的幫助。", "cp950"),
    "Korean": ("안녕하세요. 견적서를 보내 주시기 바랍니다. 감사합니다.", "cp949"),
    "Greek": ("Καλημέρα σας, παρακαλώ στείλτε μας την προσφορά σας.", "cp1253 iso8859-7"),
    "Polish": ("Dzień dobry, proszę o przesłanie oferty. Dziękuję, Łukasz Żółtowski", "cp1250 iso8859-2"),
    "Czech": ("Dobrý den, prosím o zaslání nabídky. Děkuji, Jiří Šťastný", "cp1250 iso8859-2"),
    "Turkish": ("Merhaba, teklifinizi gönderir misiniz? Teşekkürler, Işık Çağdaş", "cp1254"),
    "Arabic": ("مرحبا، يرجى إرسال عرض السعر. شكرا جزيلا لكم", "cp1256"),
    "Thai": ("สวัสดีครับ กรุณาส่งใบเสนอราคา ขอบคุณมาก", "cp874"),
    "French": ("Bonjour, où en êtes-vous ? Très bientôt, j'espère. À bientôt", "cp1252"),
    "German": ("Guten Tag, bitte schicken Sie uns das Angebot für Büromöbel. Grüße", "cp1252"),
}


@pytest.mark.parametrize(
    ("words", "charset"), [(words, charset) for words, charsets in LETTERS.values() for charset in charsets.split()]
)
def test_a_letter_without_a_label_is_readable(words: str, charset: str) -> None:
    data = words.encode(charset)
    assert decode(data, "") == (words, True)
    assert decode_words(data) == words
    assert decode(data, "x-unknown") == (words, not data.isascii() or b"\x1b" in data)


# What people write to a shop in a subject, in the charsets of their programs.  A few letters leave too little evidence
# where Western and Central European words differ in one of them.
SHORT = {
    "cp1251 koi8-r cp866": "Привет|Добрый день|Заявка|Re: Вопрос по заказу|ПРИВЕТ|Тест|Да|Нет|Спасибо!|Цена?",
    "cp1252": "café|été|À bientôt|Grüße|Müller|Angebot für Büromöbel|Señor Núñez|¿Cuándo?|São Paulo|Hälsningar|päivää",
    "cp932": "こんにちは|お見積りの件|お世話になっております。|注文|ありがとうございます",
    "euc_jp": "こんにちは|お見積りの件|お世話になっております。|ありがとうございます",
    "cp949": "안녕하세요|견적 요청|감사합니다|주문|김철수",
    "gb18030": "你好|报价|关于订单的问题|请发报价单给我们",
    "cp950": "關於訂單的問題|請寄報價單給我們",
    "cp1253": "Καλημέρα|Ευχαριστώ|Παραγγελία",
    "iso8859-2 cp1250": "Köszönöm|megrendelés|Üdvözlettel|Dobrý den",
}  # fmt: skip


@pytest.mark.parametrize("charsets", SHORT)
def test_short_words_without_a_label_are_readable(charsets: str) -> None:
    wrong = [
        (words, decode(words.encode(charset), "")[0])
        for charset in charsets.split()
        for words in SHORT[charsets].split("|")
        if decode_words(words.encode(charset)) != words
    ]
    assert wrong == []


@pytest.mark.parametrize("words", ["Привет, как дела?", "Добрый день! Пришлите счёт", "Тема письма", "Счёт"])
@pytest.mark.parametrize("charset", ["cp1251", "koi8-r"])
def test_russian_under_a_western_label_is_recognised(words: str, charset: str) -> None:
    assert decode(words.encode(charset), "iso-8859-1") == (words, True)


@pytest.mark.parametrize(
    "words",
    "ÄÄÄÄÄÄÄÄ|ÄÖÜ äöü ß|åäö ÅÄÖ|æøå ÆØÅ|áéíóúñ|ÉTÉ|àâäçéèêëîïôùûü|«éèà»|íslensk þýðing|Þýðing á öðru máli".split("|"),
)
def test_western_words_stay_under_their_label(words: str) -> None:
    assert decode(words.encode("cp1252"), "iso-8859-1") == (words, False)


def test_one_wrong_byte_does_not_spoil_utf8() -> None:
    assert decode("Grüße aus ".encode() + "Köln".encode("latin-1"), "utf-8")[0] == "Grüße aus Köln"
    assert decode("Привет".encode()[:-1], "utf-8") == ("Приве\ufffd", True)


def test_utf8_under_a_western_label_is_recognised() -> None:
    assert decode("café naïve".encode(), "iso-8859-1") == ("café naïve", True)
    assert decode("“quoted”".encode("cp1252"), "iso-8859-1") == ("“quoted”", False)


@pytest.mark.parametrize("order", ["utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("words", ["Grüße aus Köln", "Привет, как дела?"])
def test_utf16_without_a_mark_and_cut_in_a_letter(words: str, order: str) -> None:
    assert decode(words.encode(order)[:-1], "utf-16")[0] == words[:-1]
    assert decode(("\ufeff" + words).encode(order), "utf-16")[0] == words


def test_nothing_decodes_to_what_a_store_refuses() -> None:
    assert tidy("a\0b") == "a\ufffdb"
    assert tidy("\ud83d\ude00 \ud800") == "\U0001f600 \ufffd"
    for label in ("utf-8", "utf-7", "utf-16", "utf-32", "", "iso-2022-jp", "hz", "gb18030"):
        for data in (b"\0\0\0", b"\xed\xa0\x80", b"+2AA-", b"\xff\xfe\x00\xd8", b"\x1b$B$", bytes(range(256))):
            text = decode(data, label)[0]
            text.encode("utf-8")
            assert "\0" not in text


@given(st.binary(max_size=200), st.sampled_from([*set(labels._CODECS), "", "undefined", "x-nothing", "hex"]))
def test_whatever_the_bytes_and_the_label_there_is_a_text(data: bytes, label: str) -> None:
    text, guessed = decode(data, label)
    text.encode("utf-8")
    assert "\0" not in text
    assert isinstance(guessed, bool)
    line = decode_words(b"=?" + label.encode() + b"?q?" + data + b"?= " + data)
    line.encode("utf-8")
    assert "\0" not in line and len(line.splitlines()) <= 1 and len(line) <= 998


def test_fifty_megabytes_without_a_label_are_read_in_time() -> None:
    started = time.process_time()
    for line in ("Привет мир\n".encode("cp1251"), b"caf\xc3\xa9 \xe9\n", b"\x81\x8d\n"):
        decode(line * 500_000, "")
    assert time.process_time() - started < QUICK


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (b"Hello", "Hello"),
        (b"=?utf-8?b?UHLD?=\n =?utf-8?b?vGZ1bmcgZ3LDtsOfZXI=?=", "Prüfung größer"),
        (b"=?utf-8?b?UHLDvGZ1bmc?=", "Prüfung"),
        (b"=?utf-8?b?0JDQsQ==?= =?utf-8?b?0LLQsw==?=", "Абвг"),  # each word padded: whole groups, nothing is cut
        (b"=?UTF-8?B?UHL?= =?UTF-8?B?DvGZ1bmc=?=", "Prüfung"),
        (b"=?koi8-r?Q?=F0=D2=C9?= =?koi8-r?Q?=D7=C5=D4?= you", "Привет you"),
        (b"Re: =?utf-8*de?q?gr=C3=BCn_rot?= x", "Re: grün rot x"),
        (b"=?a?q?x?= =?b?q?y?=", "xy"),
        (b"a =?utf-8?q?no end", "a =?utf-8?q?no end"),
        (b"=?utf-8?x?abc?= =?utf-8?q??= b", "=?utf-8?x?abc?=  b"),
        (b"=?utf-8?q?=3D=3F?=", "=?"),
        (b"folded\r\n line", "folded line"),
        ("Grüße".encode(), "Grüße"),
        (b"Gr\xc3\xbc\xc3\x9fe caf\xe9s", "Grüße cafés"),
        (b"=?utf-8?q?Hi=0D=0ABcc:_x=40y?= =?utf-8?q?=E2=80=A8z?=", "Hi Bcc: x@y z"),
        (b"a\x0b\x0c\xc2\x85\r\nb", "a b"),
        (b"nul \x00 here", "nul   here"),
    ],
)
def test_encoded_words(raw: bytes, words: str) -> None:
    assert decode_words(raw) == words


def test_headers_handed_out_as_str_are_bytes_in_disguise() -> None:
    assert decode_words("Grüße".encode().decode("latin-1")) == "Grüße"
    assert decode_words("Grüße".encode().decode("ascii", "surrogateescape")) == "Grüße"
    assert decode_words("日本") == "日本"


def test_a_subject_of_very_many_words_is_cut_in_time() -> None:
    started = time.process_time()
    assert len(decode_words(b"=?utf-8?q?a=C3=A9?= " * 50_000)) == 998
    assert len(decode_words(b"=?utf-8?q?" * 200_000)) == 998
    assert time.process_time() - started < QUICK


def test_a_line_is_one_line() -> None:
    assert one_line(" a\r\n\u2028\u2029\x85\v\f\0b ") == "a b"
