"""What a reader sees of whole letters: HTML replies as programs write them, and parts that are not what they say."""

from __future__ import annotations

import pytest
from corpora import CORPORA, needed

from crmmail.core.quote import fold, visible
from crmmail.mail.html import to_text
from crmmail.mail.parse import parse

TALON = CORPORA / "talon"

# {answer} stands above, {below} below what is quoted.  Each quotes "When?", a line of Ann's.
REPLIES = {
    "Gmail": """<div dir="ltr">{answer}</div><br><div class="gmail_quote gmail_quote_container"><div dir="ltr"
class="gmail_attr">On Tue, Nov 24, 2026 at 10:00 AM Ann &lt;<a href="mailto:ann@customer.example">ann@customer.example
</a>&gt; wrote:<br></div><blockquote class="gmail_quote" style="margin:0px 0px 0px 0.8ex;border-left:1px solid
rgb(204,204,204);padding-left:1ex"><div dir="ltr">When?</div>
</blockquote></div>{below}""",
    "Gmail in Arabic": """<div dir="rtl">{answer}</div><br><div class="gmail_quote"><div dir="rtl" class="gmail_attr">في
الثلاثاء، 24 نوفمبر 2026 في 10:00 ص تمت كتابة ما يلي بواسطة ‪Ann‬‏ &lt;‪ann@customer.example‬‏&gt;:<br></div><blockquote
class="gmail_quote"><div>When?</div></blockquote></div>{below}""",
    "Apple Mail": """<html><head></head><body style="overflow-wrap: break-word;">{answer}<br><div><br><blockquote
type="cite"><div>On 24 Nov 2026, at 10:00, Ann &lt;ann@customer.example&gt; wrote:</div><br
class="Apple-interchange-newline"><div><div>When?</div></div></blockquote></div><br>{below}</body></html>""",
    "iPhone": """<html><body dir="auto">{answer}<div dir="ltr"></div><div dir="ltr"><br><blockquote type="cite">Am
24.11.2026 um 10:00 schrieb Ann &lt;ann@customer.example&gt;:<br><br></blockquote></div><blockquote type="cite"><div
dir="ltr">﻿When?</div></blockquote>{below}</body></html>""",
    "Thunderbird": """<html><body text="#000000" bgcolor="#FFFFFF"><p>{answer}</p><div
class="moz-cite-prefix">24.11.2026
10:00, Анна Иванова пишет:<br></div><blockquote type="cite" cite="mid:1@customer.example"><p>When?</p></blockquote>
<p>{below}</p></body></html>""",
    "Thunderbird in Icelandic": """<html><body><p>{answer}</p><div class="moz-cite-prefix">Þann 24.11.2026 10:00, reit
Anna:<br></div><blockquote type="cite"><p>When?</p></blockquote><p>{below}</p></body></html>""",
    "Yandex": """<div>{answer}</div><div> </div><div>24.11.2026, 10:00, "Анна"
&lt;ann@customer.example&gt;:</div><blockquote
class="b4fd5cf2ec92bc68"><div>When?</div></blockquote><div>{below}</div>""",
    "mail.ru": """<HTML><BODY><div>{answer}<br><blockquote style="border-left:1px solid #0857A6;margin:10px;padding:0
0 0
10px;">Вторник, 24 ноября 2026, 10:00 +03:00 от Анна &lt;ann@customer.example&gt;:<br> <div
id="">When?</div></blockquote>
 {below}</div></BODY></HTML>""",
    "ProtonMail": """<div style="font-family: Arial;">{answer}</div><div class="protonmail_quote">On Tuesday, November
24th, 2026 at 10:00, Ann &lt;ann@customer.example&gt; wrote:<br><blockquote class="protonmail_quote"
type="cite"><p>When?
</p></blockquote><br></div>{below}""",
}  # fmt: skip

# Nobody answers below these: all that follows is the other's.
ABOVE = {
    "Outlook": """<div class="WordSection1"><p class="MsoNormal">{answer}<o:p></o:p></p><p class="MsoNormal"><o:p>&nbsp;
</o:p></p><div><div style="border:none;border-top:solid #E1E1E1 1.0pt;padding:3.0pt 0cm 0cm 0cm"><p
class="MsoNormal"><b>
<span>Von:</span></b><span> Ann &lt;ann@customer.example&gt; <br><b>Gesendet:</b> Dienstag, 24. November 2026
10:00<br><b>
An:</b> Bob<br><b>Betreff:</b> Angebot<o:p></o:p></span></p></div></div><p
class="MsoNormal">When?<o:p></o:p></p></div>""",
    "Outlook on the web": """<div>{answer}</div><div id="appendonsend"></div><hr style="display:inline-block;width:98%"
tabindex="-1"><div id="divRplyFwdMsg" dir="ltr"><font face="Calibri"><b>От:</b> Анна &lt;ann@customer.example&gt;<br><b>
Отправлено:</b> 24 ноября 2026 г. 10:00<br><b>Кому:</b> Боб<br><b>Тема:</b> Предложение</font><div>&nbsp;</div></div>
<div>When?</div>""",
    "Outlook for iPhone": """<div dir="auto">{answer}</div><div id="ms-outlook-mobile-signature"><div><br></div>Get <a
href="https://aka.ms/o0ukef">Outlook for iOS</a></div><hr style="display:inline-block;width:98%"><div
id="divRplyFwdMsg">
<b>From:</b> Ann &lt;ann@customer.example&gt;<br><b>Sent:</b> Tuesday, November 24, 2026 10:00:00 AM<br><b>To:</b>
Bob<br>
<b>Subject:</b> An offer</div><div>When?</div>""",
    "Yahoo": """<div class="ydp1-wrap">{answer}</div><div id="yahoo_quoted_1" class="yahoo_quoted"><div
style="font-family:Helvetica"><div> On Tuesday, November 24, 2026 at 10:00:00 AM GMT+1, Ann &lt;ann@customer.example&gt;
wrote: </div><div><br></div><div><br></div><div><div>When?</div></div></div></div>""",
    "GMX": """<div style="font-family: Verdana;"><div>{answer}</div><div name="quote" style="margin:10px 5px 5px 10px;
border-left:2px solid #C3D9E5;"><div style="margin:0 0 10px 0;"><b>Gesendet:</b>&nbsp;Dienstag, 24. November 2026 um
10:00
Uhr<br/><b>Von:</b>&nbsp;"Ann"
&lt;ann@customer.example&gt;<br/><b>An:</b>&nbsp;bob@crm.test<br/><b>Betreff:</b>&nbsp;Angebot
</div><div name="quoted-content">When?</div></div></div>""",
}  # fmt: skip


@pytest.mark.parametrize("program", [*REPLIES, *ABOVE])
def test_an_answer_above_is_all_that_is_shown(program: str) -> None:
    page = {**REPLIES, **ABOVE}[program].format(answer="Tomorrow, at nine.", below="")
    assert fold(to_text(page)).visible == "Tomorrow, at nine."


@pytest.mark.parametrize("program", REPLIES)
def test_an_answer_below_is_all_that_is_shown(program: str) -> None:
    shown = visible(to_text(REPLIES[program].format(answer="", below="Tomorrow, at nine.")))
    assert shown.splitlines()[-1] == "Tomorrow, at nine." and "When?" not in shown


@pytest.mark.parametrize("program", REPLIES)
def test_answers_above_and_below_keep_the_quote_between_them(program: str) -> None:
    shown = visible(to_text(REPLIES[program].format(answer="Hello Ann,", below="Tomorrow, at nine.")))
    lines = shown.splitlines()
    assert (lines[0], lines[-1]) == ("Hello Ann,", "Tomorrow, at nine.")
    assert any(line.startswith(">") and "When?" in line for line in lines)


@needed
@pytest.mark.parametrize(
    "name",
    "gmail hotmail mail_ru ms_outlook_2003 ms_outlook_2007 ms_outlook_2010 thunderbird windows_mail yandex_ru".split(),
)
def test_talon_html_replies(name: str) -> None:
    folded = fold(to_text((TALON / "html_replies" / f"{name}.html").read_text("utf-8")))
    assert folded.visible == "Hi. I am fine."
    assert folded.signature.split() == ["Thanks,", "Alex"]
    assert "Hello! How are you?" in folded.quoted


@needed
def test_talon_html_of_other_shapes() -> None:
    assert visible(to_text((TALON / "OLK_SRC_BODY_SECTION.html").read_text())) == "Reply"
    assert visible(to_text((TALON / "reply-separated-by-hr.html").read_text())) == "Hi\nthere\nBob"


TOP = b"From: Ann <ann@customer.example>\nTo: support@crm.example\nSubject: Question\n"
PLAIN = b"Content-Type: text/plain\n\nplain words\n"
HTML = b"Content-Type: text/html\n\n<p>html words</p>\n"
PNG = b"Content-Type: image/png\nContent-ID: <x>\n\nx\n"


def multi(kind: bytes, *parts: bytes) -> bytes:
    body = b"".join(b"--b\n" + part + b"\n" for part in parts) + b"--b--\n"
    return TOP + b'Content-Type: multipart/%b; boundary="b"\n\n%b' % (kind, body)


TNEF = b"Content-Type: application/ms-tnef; name=winmail.dat\n\nx\n"
INVITATION = b"Content-Type: text/calendar; method=REQUEST\n\nBEGIN\n"
ROOT = b"Content-Type: text/html\nContent-ID: <root>\n\n<p>html words</p>\n"
SIGNED = multi(b"signed; protocol=x", PLAIN, b"Content-Type: application/pgp-signature\n\n--\n")
ENCRYPTED = multi(
    b"encrypted",
    b"Content-Type: application/pgp-encrypted\n\nVersion: 1\n",
    b"Content-Type: application/octet-stream\n\nx\n",
)

FLOWED = b"Content-Type: text/plain; format=flowed\n\n"


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        # HTML under the name of text, and text under the name of HTML.
        (b"Content-Type: text/plain\n\n<!DOCTYPE html>\n<html><p>Hello <b>Ann</b></p></html>", "Hello Ann"),
        (b"Content-Type: text/plain\n\nUse <html> there.", "Use <html> there."),
        (b"Content-Type: text/html\n\nHello,\n\n1 < 2\n\nAnn", "Hello,\n\n1 < 2\n\nAnn"),
        # The label of the header counts, then that of the page, which cannot be of two bytes.
        (b"Content-Type: text/html\n\n<meta charset=koi8-r><p>\xf0\xd2\xc9\xd7\xc5\xd4", "Привет"),
        (b"Content-Type: text/html\n\n<meta charset=utf-16><p>" + "Привет".encode(), "Привет"),
        (b"Content-Type: text/html; charset=utf-8\n\n<meta charset=koi8-r><p>" + "Привет".encode(), "Привет"),
        # Lines that only the writer's window broke (RFC 3676 4.1, 4.3, 4.4, 4.5).
        (FLOWED + b"One \nline.\nTwo.\n", "One line.\nTwo."),
        (b"Content-Type: text/plain; format=flowed; delsp=yes\n\nOne \nline.\n", "Oneline."),
        (FLOWED + b"> One \n> line.\n>> Two \n> three.\n", "> One line.\n>> Two\n> three."),
        (FLOWED + b" Fro \nm.\n >x\nYes. \n-- \nAnn\n", "Fro m.\n >x\nYes.\n-- \nAnn"),
        (b"Content-Type: text/plain\n\nOne \nline.\n", "One \nline."),
        # Mail's forerunners of HTML.
        (b"Content-Type: text/enriched\n\n<bold>Rich</bold>\nwords <<a>.\n\nTwo", "Rich words <a>.\nTwo"),
        (b"Content-Type: text/enriched\n\n<color><param>red</param>Rich</color>", "Rich"),
        (b"Content-Type: text/richtext\n\n<bold>Rich</bold>\nwords<nl>1 <lt> 2", "Rich words\n1 < 2"),
        # A letter of two bytes on the border of two lines, blanks that the way put behind a soft break.
        (
            b"Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: quoted-printable\n\n"
            b"=D0=9F=D1=\n=80=D0=B8=D0=B2=  \n=D0=B5=D1=82\n",
            "Привет",
        ),
        # Files inside the text stay as they came.
        (b"\nwords\n\nbegin 644 x.txt\n%:&5L;&\\\n`\nend\n", "words\n\nbegin 644 x.txt\n%:&5L;&\\\n`\nend"),
    ],
)  # fmt: skip
def test_a_text_is_read_as_what_it_is(raw: bytes, text: str) -> None:
    for form in (raw, raw.replace(b"\n", b"\r\n")):
        seen = parse(TOP.replace(b"\n", b"\r\n" if b"\r" in form else b"\n") + form)
        assert (seen.text, seen.attachments, seen.leaves) == (text, (), 1)


@pytest.mark.parametrize(
    ("raw", "text", "types"),
    [
        (SIGNED, "plain words", ["application/pgp-signature"]),
        (ENCRYPTED, "", ["application/pgp-encrypted", "application/octet-stream"]),
        (TOP + b"Content-Type: application/pkcs7-mime; name=smime.p7m\n\nAAAA\n", "", ["application/pkcs7-mime"]),
        (multi(b"mixed", PLAIN, TNEF), "plain words", ["application/ms-tnef"]),
        (multi(b"alternative", PLAIN, HTML, INVITATION), "plain words", ["text/calendar"]),
        (multi(b"alternative", PLAIN, b"Content-Type: text/enriched\n\n<bold>x\n"), "plain words", ["text/enriched"]),
        (multi(b'related; start="<root>"', PNG, ROOT), "html words", ["image/png"]),
        (multi(b"related", HTML, PNG), "html words", ["image/png"]),
        (multi(b"mixed", HTML, PLAIN), "html words\n\nplain words", []),
    ],
)
def test_the_words_are_shown_and_the_rest_is_kept(raw: bytes, text: str, types: list[str]) -> None:
    seen = parse(raw)
    assert (seen.text, [part.type for part in seen.attachments]) == (text, types)


def test_what_pgp_writes_around_a_letter_is_folded() -> None:
    begin = "-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\n"
    end = "-----BEGIN PGP SIGNATURE-----\n\niQ\n=ab\n-----END PGP SIGNATURE-----"
    folded = fold(f"{begin}Hello.\n\n- -- \nAnn\n{end}\n")
    assert (folded.visible, folded.signature) == ("Hello.", "- -- \nAnn")
    cut = f"{begin}Hello.\n{end.removesuffix('-----END PGP SIGNATURE-----')}"
    assert "=ab" in visible(cut)
