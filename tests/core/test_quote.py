"""The new words of a mail: cases by hand, two corpora of real replies, and what must hold for any text."""

from __future__ import annotations

import email
import email.policy
import quopri
import re
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from re import _parser
from types import ModuleType

import pytest
from corpora import CORPORA, needed
from hypothesis import given
from hypothesis import strategies as st
from quick import QUICK

from crmmail.core import quote, signature
from crmmail.core.quote import Folded, fold, own_words, visible

REPLY_PARSER, TALON = CORPORA / "mail-parser-reply", CORPORA / "talon"

# One line each that names who wrote and when, as programs write it.
DATED = [
    "On Mon, Apr 2, 2012 at 6:26 PM, Megan One <megan@example.com> wrote:",
    "On 24.11.2026 10:00, Ann Miller wrote:",
    "Le mar. 24 nov. 2026 à 10:00, Anne <anne@example.com> a écrit :",
    "Le 24/11/2026 à 10:00, Anne Müller a écrit\u00a0:",
    "Am Di., 24. Nov. 2026 um 10:00 Uhr schrieb Max Muster <max@example.com>:",
    "Max Muster <max@example.com> schrieb am Di., 24. Nov. 2026, 10:00:",
    "Am 24.11.2026 um 10:00 schrieb Max Muster:",
    "вт, 24 нояб. 2026 г. в 10:00, Иван <ivan@example.com>:",
    "24.11.2026 10:00, Иван Петров пишет:",
    "24 ноября 2026 г. 10:00:00 Иван <ivan@example.com> написал(а):",
    "Вторник, 24 ноября 2026, 10:00 +03:00 от Иван <ivan@example.com>:",
    "вт, 24 лист. 2026 р. о 10:00 Іван <ivan@example.com> пише:",
    "El mar, 24 nov 2026 a las 10:00, Ana <ana@example.com> escribió:",
    "Il giorno mar 24 nov 2026 alle ore 10:00 Anna <anna@example.com> ha scritto:",
    "Op di 24 nov 2026 om 10:00 schreef Jan <jan@example.com>:",
    "Em ter., 24 de nov. de 2026 às 10:00, Ana <ana@example.com> escreveu:",
    "wt., 24 lis 2026 o 10:00 Jan <jan@example.com> napisał(a):",
    "Den tis 24 nov. 2026 kl 10:00 skrev Anna <anna@example.com>:",
    "tir. 24. nov. 2026 kl. 10:00 skrev Peter <peter@example.com>:",
    "ti 24. marrask. 2026 klo 10.00 Matti <matti@example.com> kirjoitti:",
    "út 24. 11. 2026 v 10:00 odesílatel Jan <jan@example.com> napsal:",
    "János <janos@example.com> ezt írta (időpont: 2026. nov. 24., K, 10:00):",
    "24 Kas 2026 Sal 10:00 tarihinde Ali <ali@example.com> şunu yazdı:",
    "2026年11月24日(火) 10:00 田中太郎 <taro@example.com>:",
    "张三 <san@example.com> 于2026年11月24日周二 10:00写道：",
    "2026년 11월 24일 (화) 오전 10:00, 김철수 <kim@example.com>님이 작성:",
]

BLOCKS = [
    "From: Ann <ann@example.com>\nSent: Tuesday, 24 November 2026 10:00\nTo: Bob\nSubject: An offer",
    "*From:* Ann\n*Sent:* Tuesday\n*To:* Bob\n*Subject:* An offer",
    "Von: Max Muster\nGesendet: Dienstag, 24. November 2026 10:00\nAn: Bob\nBetreff: Angebot",
    "От: Иван\nОтправлено: 24 ноября 2026 г. 10:00\nКому: Боб\nТема: Предложение",
    "От: Иван\nДата: 24 ноября 2026 г. 10:00\nКому: Боб\nТема: Предложение",
    "De : Anne\nEnvoyé : mardi 24 novembre 2026 10:00\nÀ : Bob\nObjet : Offre",
    "De: Ana\nEnviado el: martes, 24 de noviembre de 2026 10:00\nPara: Bob\nAsunto: Oferta",
    "De: Ana\nEnviada em: terça-feira, 24 de novembro de 2026\nPara: Bob\nAssunto: Oferta",
    "Da: Anna\nInviato: martedì 24 novembre 2026 10:00\nA: Bob\nOggetto: Offerta",
    "Van: Jan\nVerzonden: dinsdag 24 november 2026 10:00\nAan: Bob\nOnderwerp: Aanbod",
    "Från: Anna\nSkickat: den 24 november 2026 10:00\nTill: Bob\nÄmne: Erbjudande",
    "Fra: Peter\nSendt: 24. november 2026 10:00\nTil: Bob\nEmne: Tilbud",
    "Od: Jan\nWysłano: wtorek, 24 listopada 2026 10:00\nDo: Bob\nTemat: Oferta",
    "发件人: 张三\n发送时间: 2026年11月24日 10:00\n收件人: Bob\n主题: 报价",
    "差出人: 田中\n送信日時: 2026年11月24日 10:00\n宛先: Bob\n件名: 見積",
    "From: Ann <ann@example.com>\n\nSent: Tuesday\n\nTo: Bob\n\nSubject: An offer",
    "From: Ann\nTo: Bob; Carl;\n Dora; Emil;\n Frieda\nDate: today\nSubject: An offer",
]

SEPARATORS = [
    "-----Original Message-----",
    "---------- Forwarded message ---------",
    "Begin forwarded message:",
    "-----Ursprüngliche Nachricht-----",
    "-------- Исходное сообщение --------",
    "-------- Пересылаемое сообщение --------",
    "-----Message d'origine-----",
    "-----Mensaje original-----",
    "-----Messaggio originale-----",
    "-----Oorspronkelijk bericht-----",
    "-----Oprindelig meddelelse-----",
    "-----Wiadomość oryginalna-----",
    "-----邮件原件-----",
]


@pytest.mark.parametrize("line", DATED)
def test_an_attribution_opens_a_quote_with_or_without_marks(line: str) -> None:
    assert visible(f"Yes.\n\n{line}\n\n> When?\n> Ann\n") == "Yes."
    assert visible(f"Yes.\n\n{line}\n\nWhen?\n\nAnn\n") == "Yes."


@pytest.mark.parametrize("line", [line for line in DATED if "<" in line])
def test_an_attribution_may_be_wrapped_at_the_address(line: str) -> None:
    for wrapped in (line.replace("<", "<\n"), line.replace("<", "\n<"), line.replace("> ", ">\n")):
        assert visible(f"Yes.\n\n{wrapped}\n\n> When?\n") == "Yes.", wrapped


@pytest.mark.parametrize("block", BLOCKS)
def test_a_header_block_opens_a_quote(block: str) -> None:
    folded = fold(f"Yes.\n\n{block}\n\nWhen?\n\nAnn\n")
    assert folded == Folded("Yes.", f"{block}\n\nWhen?\n\nAnn", "")
    assert visible(f"Yes.\n\n________________________________\n{block}\nWhen?\n") == "Yes."


@pytest.mark.parametrize("line", SEPARATORS)
def test_a_separator_opens_a_quote(line: str) -> None:
    assert visible(f"Yes.\n\n{line}\nFrom: Ann\n\nWhen?\n") == "Yes."


@pytest.mark.parametrize("opening", [*BLOCKS, *SEPARATORS, DATED[0]])
def test_what_is_only_forwarded_is_shown(opening: str) -> None:
    assert (
        visible(f"{opening}\n\nWhen can you come, and with whom?\n")
        == f"{opening}\n\nWhen can you come, and with whom?"
    )


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Yes.\n> When?\n", "Yes."),
        ("Yes.\n>> Old\n> When?\n\n> More\n\n", "Yes."),
        ("Ann wrote:\n> When?\n\nTomorrow.", "Tomorrow."),
        ("> When?\n> And where?\nTomorrow, here.", "Tomorrow, here."),
        # Answers between quotes need them.
        ("Hello,\n> When?\nTomorrow.\n> Where?\nHere.\n> Ann\n", "Hello,\n> When?\nTomorrow.\n> Where?\nHere."),
        ("Ann wrote:\n> When?\nTomorrow.\n\n> Where?\nHere.", "Ann wrote:\n> When?\nTomorrow.\n\n> Where?\nHere."),
        # Nothing but a quote: show it.
        ("> When?\n> Where?", "> When?\n> Where?"),
        ("Ann wrote:\n> When?", "Ann wrote:\n> When?"),
        ("> When?\n\n-- \nAnn", "> When?\n\n-- \nAnn"),
        ("", ""),
        (" \n\n", " "),
        # mbox writes > before From; that is no quote.
        ("We hear\n>From you soon?", "We hear\n>From you soon?"),
        # Words that look a little like an attribution, a header block, a separator.
        ("I wrote:\n\n- one\n- two", "I wrote:\n\n- one\n- two"),
        ("On Monday Ann wrote:\nwe come.", "On Monday Ann wrote:\nwe come."),
        ("In 2026 we need this:\n\n12:30 lunch", "In 2026 we need this:\n\n12:30 lunch"),
        ("Please book.\nFrom: Bonn\nTo: Paris\nDate: 3 May", "Please book.\nFrom: Bonn\nTo: Paris\nDate: 3 May"),
        ("Subject: none\nThe rest.", "Subject: none\nThe rest."),
        ("Which?\nOriginal message\nor copy?", "Which?\nOriginal message\nor copy?"),
        ("One\n----------\nTwo is longer.", "One\n----------\nTwo is longer."),
        # The line above an attribution is no part of it.
        ("I paid 12 euros in 2025.\n" + DATED[0] + "\n> When?", "I paid 12 euros in 2025."),
    ],
)
def test_visible(text: str, shown: str) -> None:
    assert visible(text) == shown


@pytest.mark.parametrize(
    ("text", "shown", "signature"),
    [
        ("Yes.\n\n-- \nAnn\n+49 30 1234567", "Yes.", "-- \nAnn\n+49 30 1234567"),
        ("Yes.\n--\nAnn", "Yes.", "--\nAnn"),
        ("Yes.\n-- \nAnn\n\nOn 24.11.2026 10:00, Bob wrote:\n> When?", "Yes.", "-- \nAnn"),
        ("> When?\nNow.\n-- \nAnn\n> Where?\nHere.", "> When?\nNow.\n> Where?\nHere.", "-- \nAnn"),
        ("Dashes -- such as these\nstay.", "Dashes -- such as these\nstay.", ""),
        ("List:\n--\n" + "more\n" * 40, "List:\n--\n" + "more\n" * 39 + "more", ""),
        ("Yes.\n\nSent from my iPhone", "Yes.", "Sent from my iPhone"),
        ("Ja.\n\nVon meinem iPhone gesendet", "Ja.", "Von meinem iPhone gesendet"),
        ("Oui.\n\nEnvoyé de mon iPhone", "Oui.", "Envoyé de mon iPhone"),
        ("Да.\n\nОтправлено с iPhone", "Да.", "Отправлено с iPhone"),
        ("Sí.\n\nEnviado desde mi iPhone", "Sí.", "Enviado desde mi iPhone"),
        ("はい。\n\niPhoneから送信", "はい。", "iPhoneから送信"),
        ("Yes.\n\nGet Outlook for Android<https://aka.ms/x>", "Yes.", "Get Outlook for Android<https://aka.ms/x>"),
        ("Sent from my iPhone", "Sent from my iPhone", ""),
        ("Yes.\n\nSent from my iPhone, sorry for typos", "Yes.\n\nSent from my iPhone, sorry for typos", ""),
        ("Yes.\n\nKind regards,\nAnn Miller\nSales", "Yes.", "Kind regards,\nAnn Miller\nSales"),
        ("Ja.\n\nMit freundlichen Grüßen\n\nMax Muster", "Ja.", "Mit freundlichen Grüßen\n\nMax Muster"),
        ("Да.\n\nС уважением,\nИван Петров", "Да.", "С уважением,\nИван Петров"),
        ("Oui.\n\nCordialement,\nAnne", "Oui.", "Cordialement,\nAnne"),
        ("Yes.\n\nThanks,\nplease call me back", "Yes.\n\nThanks,\nplease call me back", ""),
        ("Yes.\n\nRegards,\nAnn\n\nP.S. The key is with Bob", "Yes.\n\nRegards,\nAnn\n\nP.S. The key is with Bob", ""),
        ("Yes.\n\nRegards,\nAnn\n\nCould you call me?", "Yes.\n\nRegards,\nAnn\n\nCould you call me?", ""),
        ("Yes.\n\nThank you!\nBob comes too", "Yes.\n\nThank you!\nBob comes too", ""),
        ("To:\n\nAnn Miller\nann@example.com\n+49 30 12345", "To:\n\nAnn Miller\nann@example.com\n+49 30 12345", ""),
        ("We need\n\n-Red Paint\n-Blue Paint", "We need\n\n-Red Paint\n-Blue Paint", ""),
        ("Regards,\nAnn", "Regards,\nAnn", ""),
    ],
)  # fmt: skip
def test_signature(text: str, shown: str, signature: str) -> None:
    assert (fold(text).visible, fold(text).signature) == (shown, signature)


# What must be visible, and what must not be, of each body of mail-parser-reply: its tests state the first lines of the
# answer and what belongs to quotes and signatures.  A closing with a name is signature there and here.
REPLIES = {
    "begins_with_signature": ("hope you can join.", "wrote:|Cody Hart|Christopher Edwards"),
    "caution": ("please check and advise us ASAP.", ""),
    "caution2": ("Thank you for your help!|Person Person.", ""),
    "correct_sig": ("this is an email with a correct -- signature.", "rick"),
    "email_1_1": ("I am currently using the Java HTTP API.", "riak-users|Kona"),
    "email_1_3": ("Having the function would be great.", "Hi folks|riak-users|Russell|Kona"),
    "email_1_4": ("Awesome! I haven't had another problem with it.", "Loader|defunkt"),
    "email_1_5": ("One: Here's what I've got.|and on\nfor a while.|- And another one", ""),
    "email_1_6": ("I get proper rendering as well.", "caching|Corey|wrote:"),
    "email_1_7": (":+1:", "Steps|Wanstrath|wrote:"),
    "email_1_8": ("I will reply under this one|and under this.|> okay?", "my signature|Haines"),
    "email_2_1": ("Outlook with a reply", "Google|----"),
    "email_2_2": ("Outlook with a reply directly above line", "CRM Comments|____"),
    "email_2_3": ("Outlook with a reply above headers using unusual format", "Kim|Respond"),
    "email_3_1": ("First reply.|nothing too hard here!", "second test reply|Fourth|Fifth|schrieb"),
    "email_bullets": ("test 2 this should list second|   - and another", "Joe Smith|Give us"),
    "email_danish_1": ("Tak for din mail. Det lyder godt.", "Anders Andersen|projektet"),
    "email_danish_2": ("Jeg har modtaget filerne.", "Hanne Hansen|Her er|Hilsen"),
    "email_danish_3": ("Svar.", "Oprindelig|skrev"),
    "email_danish_4": ("Svar.", "Oprindelig|Peter"),
    "email_danish_5": ("Svar.", "Kh|Peter"),
    "email_gmail": ("This is a test for inbox replying to a github message.", "Steven|outdated"),
    "email_headers_no_delimiter": ("And another reply!", "A reply|Watson|This is a message."),
    "email_ja_1_1": ("こんにちは、みなさん！", ""),
    "email_ja_1_2": (
        "お世話になっております。織田です。|それでは 11:00 にお待ちしております。",
        "かしこまりました|taro.tanaka",
    ),
    "email_nl_1_1": ("Ik gebruik momenteel de Java HTTP API.", "riak-gebruikers"),
    "email_nl_1_2": ("Outlook met een antwoord", "Google|----"),
    "email_one_is_not_on": ("One outstanding question I had:|when I run...", "Tapley|good news"),
    "email_partial_quote_header": ("On your remote host you can run:|the tunnel is not working.", "Plymale|odd issue"),
    "email_pl_1_1": ("Czesc Anno,|Jak się masz?", "Pozdrawiam"),
    "email_pl_1_2": ("Czesc Anno,|Jak się masz?", "Pozdrawiam|Dnia 28|Wszystko"),
    "email_pl_1_3": ("Cześć Anno,|Jak się masz?", "powazaniem"),
    "email_sent_from_BlackBerry": ("Here is another email", "BlackBerry"),
    "email_sent_from_iPhone": ("Here is another email", "iPhone"),
    "email_sent_from_multi_word_mobile_device": ("Here is another email", "Verizon"),
    "email_sent_from_not_signature": ("Here is another email|Sent from my desk, is much easier", ""),
    "email_sig_delimiter_in_middle_of_line": ("And here is a fix -- this is not a signature.|kthxbai", ""),
    "email_sv_anon_1": ("Berättar gärna.|flexibel fram till kl 15 idag.", "skrev|Kan inte se|Jag har"),
    "email_swedish_1": ("Ursäkta mitt sena svar!", "skrev|Jag har"),
    "email_swedish_2": ("will update you once I am available", "/John|skrev|Project X"),
    "forward": ("Can I get 1 Arrival Notice without PU# and invoice?", ""),
    "greedy_on": ("On your remote host you can run:|the tunnel is not working.", "Plymale|odd issue"),
    "multi_header": ("No problem. I’ll just start a new order.", "Unfortunately|wrote:"),
    "multiline_on": ("asd|On this day", ""),  # nothing but quotes
    "multiline_on_de": ("Am heutigen Tage", "schrieb"),
    "outlook": ("running a test?|My number is: +00 0000 000 000", "Get Outlook"),
    "pathological": ("as soon as I\nget back to a computer.", "Sullivan|sequence"),
}


@needed
@pytest.mark.parametrize("name", REPLIES)
def test_mail_parser_reply(name: str) -> None:
    text = (REPLY_PARSER / f"{name}.txt").read_text("utf-8")
    if "=\n" in text:  # kept as it came over the wire
        text = quopri.decodestring(text.encode()).decode("utf-8", "replace")
    seen, hidden = REPLIES[name]
    shown = visible(text)
    assert [words for words in seen.split("|") if words not in shown] == []
    assert [words for words in hidden.split("|") if words and words in shown] == []


@needed
def test_mail_parser_reply_is_covered() -> None:
    assert {file.stem for file in REPLY_PARSER.glob("*.txt")} == set(REPLIES)


def plain(file: Path) -> str:
    mail = email.message_from_bytes(file.read_bytes(), policy=email.policy.default)
    body = mail.get_body(("plain",))
    assert body
    return str(body.get_content())


@needed
@pytest.mark.parametrize(
    "name", "android aol apple_mail apple_mail_2 comcast gmail hotmail iphone outlook sparrow thunderbird yahoo".split()
)
def test_talon_replies(name: str) -> None:
    folder = TALON / "standard_replies"
    folded = fold(plain(folder / f"{name}.eml"))
    assert folded.visible == "Hello"
    kept = folder / f"{name}_reply_text"
    if kept.exists():  # talon folds quotes only: its words are ours and the signature
        assert f"{folded.visible} {folded.signature}".split() == kept.read_text().split()


@needed
def test_talon_reply_and_quotation_in_one_block() -> None:
    shown = visible(plain(TALON / "reply-quotations-share-block.eml"))
    assert shown.startswith("Hi Katharine.") and shown.endswith("Joe XXX")


# The corpus has one more, `jeff`: a bare name, which is a signature only to one who knows the sender's name.
@needed
@pytest.mark.parametrize("name", "camel_case johndoeexamplecom long short_url sparse".split())
def test_talon_signatures(name: str) -> None:
    folder = TALON / "signature" / "emails" / "stripped"
    body, signature = (
        (folder / f"{name}_{what}").read_text().replace("#sig#", "").strip() for what in ("body", "signature")
    )
    folded = fold(body)
    assert folded.signature == signature
    assert folded.visible == body.removesuffix(signature).strip()


@needed
def test_talon_answer_below_a_quote() -> None:
    marked = (TALON / "signature" / "emails" / "P" / "102682_R_S").read_text().partition("\n\n")[2]
    shown = visible(re.sub("#(?:sig|reply)#", "", marked))
    assert shown.startswith("I like the xxx a lot") and "ARHGGHRGHH!" in shown and "writes:" not in shown


# Anything at all, made of what the scanner looks at.
LINES = st.lists(
    st.sampled_from([*DATED, *BLOCKS, *SEPARATORS])
    | st.sampled_from(
        ["", "words", "Ann wrote:", "> quote", ">", "-- ", "--", "_" * 40, "Regards,", "Ann Miller", "wrote:"]
    )
    | st.sampled_from(["Sent from my iPhone", "ann@example.com", "From: a", ">From here", "\r", " ", "<", "a@b>"])
    | st.text(max_size=20),
    max_size=30,
)


def subsequence(short: list[str], long: list[str]) -> bool:
    rest: Iterator[str] = iter(long)
    return all(line in rest for line in short)


@given(LINES)
def test_nothing_is_made_up_and_something_is_shown(lines: list[str]) -> None:
    text = "\n".join(lines)
    folded = fold(text)
    trimmed = [line.rstrip() for line in text.split("\n")]
    for heap in filter(None, folded):
        assert subsequence([line.rstrip() for line in heap.split("\n")], trimmed)
    assert bool(folded.visible.strip()) == bool(text.strip())
    assert sorted("\n".join(folded).split()) == sorted(text.split())


@given(LINES)
def test_own_words_are_words_of_the_text(lines: list[str]) -> None:
    text = "\n".join(lines)
    own = own_words(text)
    # The signature stands below all words, wherever it stood.
    assert not Counter(own.split()) - Counter(text.split())
    assert "> quote" not in own.splitlines()[-1:]
    assert own == "" or own.strip()


@given(st.text(max_size=300))
def test_nothing_that_can_be_written_raises(text: str) -> None:
    assert sorted("\n".join(fold(text)).split()) == sorted(text.split())
    own_words(text)


@given(st.text(), st.integers(0, 3))
def test_no_line_is_lost_beyond_what_is_scanned(text: str, more: int) -> None:
    text = "words\n" + "> quote\n" * 6_000 * more + text
    assert "\n".join(fold(text)).count("quote") == text.count("quote")


HOSTILE = {
    "marks": ">\n",
    "one deep line": ">",
    "verbs": "wrote:\n",
    "attributions": "On 1 Jan 2020 at 10:10 a@b wrote:\n",
    "wrapped attributions": "On 1 Jan 2020 10:10, x <a@b>\nfoo 2020\nbar\nwrote:\n>q\n",
    "nearly attributions": "a@b 2020 10:10 x:\nb 1\nc 2\n",
    "marked attributions": "On 2020-01-01 10:10 wrote:\n>\n",
    "headers": "From: a@b\n",
    "nearly header blocks": "From: a@b\nx\nTo: b\ny\nDate: 2\n",
    "separators": "-----Original Message-----\n",
    "newlines": "\n",
    "blanks": " ",
    "signature marks": "--\n",
    "rules": "-" * 10 + "\n",
    "closings": "Regards,\nAnn\n",
    "interleaved": "> a\nb\n",
    "digits": "1",
    "telephones": "+1 (2) ",
    "long lines with a colon": "1:1 @" * 190 + ":\n",
    "words": "a ",
    "one attribution without an end": "On ",
    "one verb without an end": "wrote: ",
    "bold labels": "*From:* a\n*Sent:* b\n",
    "labels without an end": "From: ",
    "underscores": "_" * 72 + "\n",
    "dashes and blanks": "- - - - \n",
    "Chinese": "于2026年11月24日写道：\n",
    "Japanese": "2026年11月24日 10:00 田中 <a@b>:\n",
    "blanks of Unicode": "\u2003\u00a0\u3000\n",
    "one line of blanks of Unicode": "\u2003\u00a0",
    "invisible letters": "\u200b\ufeff\u2066\n",
    "titles": "- original message -\n",
    "PGP": "-----BEGIN PGP SIGNATURE-----\n",
    "PGP and blanks": "-----BEGIN PGP SIGNED MESSAGE-----\n" + "x\n" * 70,
    "addresses": "<a@b> ",
    "brackets": "(" * 60 + "@:\n",
    "dates": "1.1.20 10:10 ",
    "carriage returns": "\r",
    "prompts": "a> b:\n",
}


@pytest.mark.parametrize("module", [quote, signature])
def test_no_pattern_repeats_a_repetition(module: ModuleType) -> None:
    """Such a pattern may try every way to part a line in pieces, which is what took other programs minutes."""
    patterns = [value for value in vars(module).values() if isinstance(value, re.Pattern)]
    assert patterns
    for pattern in patterns:
        assert depth_of_repeats(_parser.parse(pattern.pattern)) <= 1, pattern


def depth_of_repeats(parsed: object) -> int:
    """How many unbounded repetitions stand in each other, as the standard library reads a pattern."""
    if isinstance(parsed, _parser.SubPattern):
        return max((depth_of_repeats(item) for item in parsed), default=0)
    if isinstance(parsed, (tuple, list)):
        unbounded = len(parsed) == 2 and isinstance(parsed[1], tuple) and parsed[1][1:2] == (_parser.MAXREPEAT,)
        return unbounded + max((depth_of_repeats(item) for item in parsed), default=0)
    return 0


def test_a_repeated_repetition_would_be_found() -> None:
    assert depth_of_repeats(_parser.parse(r"(?:a+b?)*c")) == 2
    assert depth_of_repeats(_parser.parse(r"a+b*(?:c|d)?")) == 1


@pytest.mark.parametrize("unit", HOSTILE.values(), ids=HOSTILE.keys())
def test_300_kilobytes_are_quick(unit: str) -> None:
    """Under 0.1 s of processor time on an idle machine; five times that is allowed for a busy one."""
    text = "Hello\n" + unit * (300_000 // len(unit))
    start = time.process_time()
    fold(text)
    assert time.process_time() - start < QUICK


@pytest.mark.parametrize("unit", HOSTILE.values(), ids=HOSTILE.keys())
def test_time_grows_with_length_and_no_faster(unit: str) -> None:
    def cost(size: int) -> float:
        text = unit * (size // len(unit))
        return min(timed(text) for _ in range(3))

    assert cost(200_000) < 40 * cost(20_000) + 0.05  # ten times the text; quadratic would be a hundred times the time


def timed(text: str) -> float:
    start = time.process_time()
    fold(text)
    return time.process_time() - start
