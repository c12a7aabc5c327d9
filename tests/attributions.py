"""How mail programs say whose words follow, as they write it: `(program, language, lines)`.

Kept as the programs' translations have it.  Names, addresses and dates are made up.
"""

from __future__ import annotations

import re

# One line each.
LINES = [
    ("Gmail", "en", "On Tue, Nov 24, 2026 at 10:00 AM Ann Miller <ann@customer.example> wrote:"),
    ("Gmail", "ru", "вт, 24 нояб. 2026 г. в 10:00, Иван Петров <ivan@customer.example>:"),
    ("Gmail", "fr", "Le mar. 24 nov. 2026 à 10:00, Anne Martin <anne@customer.example> a écrit :"),
    ("Gmail", "de", "Am Di., 24. Nov. 2026 um 10:00 Uhr schrieb Max Muster <max@customer.example>:"),
    ("Gmail", "es", "El mar, 24 nov 2026 a las 10:00, Ana García (<ana@customer.example>) escribió:"),
    ("Gmail", "it", "Il giorno mar 24 nov 2026 alle ore 10:00 Anna Rossi <anna@customer.example> ha scritto:"),
    ("Gmail", "pt", "Em ter., 24 de nov. de 2026 às 10:00, Ana Silva <ana@customer.example> escreveu:"),
    ("Gmail", "pt", "Ana Silva <ana@customer.example> escreveu (terça, 24/11/2026 à(s) 10:00):"),
    ("Gmail", "nl", "Op di 24 nov 2026 om 10:00 schreef Jan de Vries <jan@customer.example>:"),
    ("Gmail", "pl", "wt., 24 lis 2026 o 10:00 Jan Kowalski <jan@customer.example> napisał(a):"),
    ("Gmail", "sv", "Den tis 24 nov. 2026 kl 10:00 skrev Anna Svensson <anna@customer.example>:"),
    ("Gmail", "da", "Den tirs. 24. nov. 2026 kl. 10.00 skrev Peter Hansen <peter@customer.example>:"),
    ("Gmail", "no", "tir. 24. nov. 2026 kl. 10:00 skrev Ola Nordmann <ola@customer.example>:"),
    ("Gmail", "fi", "ti 24. marrask. 2026 klo 10.00 Matti Virtanen (matti@customer.example) kirjoitti:"),
    ("Gmail", "cs", "út 24. 11. 2026 v 10:00 odesílatel Jan Novák <jan@customer.example> napsal:"),
    ("Gmail", "hu", "Kovács János <janos@customer.example> ezt írta (időpont: 2026. nov. 24., K, 10:00):"),
    ("Gmail", "tr", "Ali Veli <ali@customer.example>, 24 Kas 2026 Sal, 10:00 tarihinde şunu yazdı:"),
    ("Gmail", "ja", "2026年11月24日(火) 10:00 田中太郎 <taro@customer.example>:"),
    ("Gmail", "zh", "张三 <san@customer.example> 于2026年11月24日周二 10:00写道："),
    ("Gmail", "zh", "王小明 <ming@customer.example> 於 2026年11月24日 週二 上午10:00寫道："),
    ("Gmail", "ko", "2026년 11월 24일 (화) 오전 10:00, 김철수 <kim@customer.example>님이 작성:"),
    ("Gmail", "uk", "вт, 24 лист. 2026 р. о 10:00 Іван Коваль <ivan@customer.example> пише:"),
    ("Gmail", "el", "Στις Τρί 24 Νοε 2026 στις 10:00 π.μ., ο/η Άννα <anna@customer.example> έγραψε:"),
    ("Gmail", "ro", "În mar., 24 nov. 2026 la 10:00, Ana <ana@customer.example> a scris:"),
    ("Apple Mail", "en", "On 24 Nov 2026, at 10:00, Ann Miller <ann@customer.example> wrote:"),
    ("Apple Mail", "en", "On Nov 24, 2026, at 10:00 AM, Ann Miller <ann@customer.example> wrote:"),
    ("Apple Mail", "ru", "24 нояб. 2026 г., в 10:00, Иван Петров <ivan@customer.example> написал(а):"),
    ("Apple Mail", "fr", "Le 24 nov. 2026 à 10:00, Anne Martin <anne@customer.example> a écrit :"),
    ("Apple Mail", "de", "Am 24.11.2026 um 10:00 schrieb Max Muster <max@customer.example>:"),
    ("Apple Mail", "es", "El 24 nov 2026, a las 10:00, Ana García <ana@customer.example> escribió:"),
    ("Apple Mail", "it", "Il giorno 24 nov 2026, alle ore 10:00, Anna Rossi <anna@customer.example> ha scritto:"),
    ("Apple Mail", "pt", "Em 24 de nov. de 2026, à(s) 10:00, Ana Silva <ana@customer.example> escreveu:"),
    ("Apple Mail", "nl", "Op 24 nov 2026, om 10:00 heeft Jan <jan@customer.example> het volgende geschreven:"),
    ("Apple Mail", "pl", "Wiadomość napisana przez Jan <jan@customer.example> w dniu 24 lis 2026, o godz. 10:00:"),
    ("Apple Mail", "sv", "24 nov. 2026 kl. 10:00 skrev Anna Svensson <anna@customer.example>:"),
    ("Apple Mail", "da", "Den 24. nov. 2026 kl. 10.00 skrev Peter Hansen <peter@customer.example>:"),
    ("Apple Mail", "no", "24. nov. 2026 kl. 10:00 skrev Ola Nordmann <ola@customer.example>:"),
    ("Apple Mail", "fi", "Matti Virtanen <matti@customer.example> kirjoitti 24.11.2026 kello 10.00:"),
    ("Apple Mail", "cs", "24. 11. 2026 v 10:00, Jan Novák <jan@customer.example>:"),
    ("Apple Mail", "hu", "2026. nov. 24. dátummal, 10:00 időpontban Kovács János <janos@customer.example> írta:"),
    ("Apple Mail", "tr", "Ali Veli <ali@customer.example> şunları yazdı (24 Kas 2026 10:00):"),
    ("Apple Mail", "ja", "2026/11/24 10:00、田中太郎 <taro@customer.example>のメール："),
    ("Apple Mail", "zh", "2026年11月24日 上午10:00，张三 <san@customer.example> 写道："),
    ("Apple Mail", "zh", "王小明 <ming@customer.example> 於 2026年11月24日 上午10:00 寫道："),
    ("Apple Mail", "ko", "2026. 11. 24. 오전 10:00, 김철수 <kim@customer.example> 작성:"),
    ("Thunderbird", "en", "On 24/11/2026 10:00, Ann Miller wrote:"),
    ("Thunderbird", "en", "Ann Miller wrote on 11/24/2026 10:00 AM:"),
    ("Thunderbird", "ru", "24.11.2026 10:00, Иван Петров пишет:"),
    ("Thunderbird", "fr", "Le 24/11/2026 à 10:00, Anne Martin a écrit\u00a0:"),
    ("Thunderbird", "de", "Am 24.11.26 um 10:00 schrieb Max Muster:"),
    ("Thunderbird", "es", "El 24/11/26 a las 10:00, Ana García escribió:"),
    ("Thunderbird", "it", "Il 24/11/2026 10:00, Anna Rossi ha scritto:"),
    ("Thunderbird", "pt", "Em 24/11/2026 10:00, Ana Silva escreveu:"),
    ("Thunderbird", "pt", "Às 10:00 de 24/11/2026, Ana Silva escreveu:"),
    ("Thunderbird", "nl", "Op 24-11-2026 om 10:00 schreef Jan de Vries:"),
    ("Thunderbird", "pl", "W dniu 24.11.2026 o 10:00, Jan Kowalski pisze:"),
    ("Thunderbird", "sv", "Den 2026-11-24 kl. 10:00, skrev Anna Svensson:"),
    ("Thunderbird", "da", "Den 24.11.2026 kl. 10.00 skrev Peter Hansen:"),
    ("Thunderbird", "no", "Den 24.11.2026 10:00, skrev Ola Nordmann:"),
    ("Thunderbird", "fi", "Matti Virtanen kirjoitti 24.11.2026 klo 10.00:"),
    ("Thunderbird", "cs", "Dne 24. 11. 26 v 10:00 Jan Novák napsal(a):"),
    ("Thunderbird", "hu", "2026. 11. 24. 10:00 keltezéssel, Kovács János írta:"),
    ("Thunderbird", "tr", "24.11.2026 10:00 tarihinde Ali Veli yazdı:"),
    ("Thunderbird", "ja", "On 2026/11/24 10:00, 田中太郎 wrote:"),
    ("Thunderbird", "ja", "2026/11/24 10:00、田中太郎 さんは書きました:"),
    ("Thunderbird", "zh", "在 2026/11/24 10:00, 张三 写道:"),
    ("Thunderbird", "zh", "王小明 於 2026/11/24 上午 10:00 寫道:"),
    ("Thunderbird", "ko", "2026-11-24 오전 10:00에 김철수 이(가) 쓴 글:"),
    ("Yandex", "ru", '24.11.2026, 10:00, "Иван Петров" <ivan@customer.example>:'),
    ("Yandex", "ru", "24.11.2026, 10:00, Иван Петров (ivan@customer.example):"),
    ("Yandex", "en", '10:00, 24 November 2026, "Ann Miller" <ann@customer.example>:'),
    ("mail.ru", "ru", "Вторник, 24 ноября 2026, 10:00 +03:00 от Иван Петров <ivan@customer.example>:"),
    ("mail.ru", "ru", "Вторник, 24 ноября 2026 г., 10:00 +03:00 от ivan@customer.example:"),
    ("mail.ru", "en", "Tuesday, November 24, 2026 10:00 AM +03:00 from Ann Miller <ann@customer.example>:"),
    ("Yahoo", "en", "On Tuesday, November 24, 2026 at 10:00:00 AM GMT+1, Ann <ann@customer.example> wrote:"),
    ("Yahoo", "en", "On Tue, Nov 24, 2026 at 10:00 AM, Ann Miller <ann@customer.example> wrote:"),
    ("Yahoo", "fr", "Le mardi 24 novembre 2026 à 10:00:00 UTC+1, Anne <anne@customer.example> a écrit :"),
    ("Yahoo", "de", "Am Dienstag, 24. November 2026 um 10:00:00 MEZ hat Max <max@customer.example> geschrieben:"),
    ("Yahoo", "es", "En martes, 24 de noviembre de 2026, 10:00:00 CET, Ana <ana@customer.example> escribió:"),
    ("Yahoo", "it", "Il martedì 24 novembre 2026 alle ore 10:00:00 CET, Anna <anna@customer.example> ha scritto:"),
    ("Yahoo", "pt", "Em terça-feira, 24 de novembro de 2026 às 10:00:00 BRT, Ana <ana@customer.example> escreveu:"),
    ("ProtonMail", "en", "On Tuesday, November 24th, 2026 at 10:00, Ann Miller <ann@customer.example> wrote:"),
    ("ProtonMail", "de", "Am Dienstag, 24. November 2026 um 10:00, schrieb Max Muster <max@customer.example>:"),
    ("ProtonMail", "fr", "Le mardi 24 novembre 2026 à 10:00, Anne Martin <anne@customer.example> a écrit :"),
    ("ProtonMail", "ru", "вторник, 24 ноября 2026 г., 10:00, Иван Петров <ivan@customer.example> написал(а):"),
    ("ProtonMail", "pl", "wtorek, 24 listopada 2026 10:00, Jan Kowalski <jan@customer.example> napisał(a):"),
    ("Outlook", "en", "On Nov 24, 2026 10:00, Ann Miller <ann@customer.example> wrote:"),
    ("Outlook", "de", "Max Muster <max@customer.example> schrieb am Di., 24. Nov. 2026, 10:00:"),
    ("Roundcube", "en", "On 2026-11-24 10:00, Ann Miller wrote:"),
    ("Roundcube", "de", "Am 2026-11-24 10:00, schrieb Max Muster:"),
    ("KMail", "en", "On Tuesday, November 24, 2026 10:00:00 AM CET Ann Miller wrote:"),
    ("KMail", "de", "Am Dienstag, 24. November 2026, 10:00:00 CET schrieb Max Muster:"),
    ("Evolution", "en", "On Tue, 2026-11-24 at 10:00 +0100, Ann Miller wrote:"),
    ("Evolution", "de", "Am Dienstag, dem 24.11.2026 um 10:00 +0100 schrieb Max Muster:"),
    ("Evolution", "cs", "Jan Novák píše v Út 24. 11. 2026 v 10:00 +0100:"),
]  # fmt: skip

# Only with a > below: of the time or the day, one is missing.
SHORT = [
    ("mutt", "en", "On Tue, Nov 24, 2026 at 10:00:00AM +0100, Ann Miller wrote:"),
    ("Thunderbird", "en", "Ann Miller wrote:"),
    ("Gnus", "en", "Ann Miller <ann@customer.example> writes:"),
    ("Pine", "en", "On Tue, 24 Nov 2026, Ann Miller wrote:"),
    ("Mail.app", "de", "Max Muster schrieb:"),
    ("The Bat!", "ru", "Вы писали 24 ноября 2026 г., 10:00:00:"),
    ("The Bat!", "ru", "Иван Петров писал(а):"),
]

# Blocks of lines, each below its program and language.
_BLOCKS = """
[Outlook] [en]
From: Ann Miller <ann@customer.example>
Sent: Tuesday, November 24, 2026 10:00 AM
To: Bob <bob@crm.test>
Subject: An offer

[Outlook] [ru]
От: Иван Петров <ivan@customer.example>
Отправлено: вторник, 24 ноября 2026 г. 10:00
Кому: Боб
Тема: Предложение

[Outlook] [fr]
De : Anne Martin <anne@customer.example>
Envoyé : mardi 24 novembre 2026 10:00
À : Bob
Cc : Zoé
Objet : Offre

[Outlook] [de]
Von: Max Muster <max@customer.example>
Gesendet: Dienstag, 24. November 2026 10:00
An: Bob
Cc: Eva
Betreff: Angebot

[Outlook] [es]
De: Ana García <ana@customer.example>
Enviado: martes, 24 de noviembre de 2026 10:00
Para: Bob
Asunto: Oferta

[Outlook] [it]
Da: Anna Rossi <anna@customer.example>
Inviato: martedì 24 novembre 2026 10:00
A: Bob
Oggetto: Offerta

[Outlook] [pt]
De: Ana Silva <ana@customer.example>
Enviada em: terça-feira, 24 de novembro de 2026 10:00
Para: Bob
Assunto: Oferta

[Outlook] [pt]
De: Ana Silva <ana@customer.example>
Enviado: 24 de novembro de 2026 10:00
Para: Bob
Assunto: Oferta

[Outlook] [nl]
Van: Jan de Vries <jan@customer.example>
Verzonden: dinsdag 24 november 2026 10:00
Aan: Bob
Onderwerp: Aanbod

[Outlook] [pl]
Od: Jan Kowalski <jan@customer.example>
Wysłano: wtorek, 24 listopada 2026 10:00
Do: Bob
DW: Ewa
Temat: Oferta

[Outlook] [pl]
Od: Jan Kowalski
Wysłane: wtorek, 24 listopada 2026 10:00
Do: Bob
Temat: Oferta

[Outlook] [sv]
Från: Anna Svensson <anna@customer.example>
Skickat: den 24 november 2026 10:00
Till: Bob
Ämne: Erbjudande

[Outlook] [da]
Fra: Peter Hansen <peter@customer.example>
Sendt: 24. november 2026 10:00
Til: Bob
Emne: Tilbud

[Outlook] [no]
Fra: Ola Nordmann <ola@customer.example>
Sendt: tirsdag 24. november 2026 10:00
Til: Bob
Kopi: Kari
Emne: Tilbud

[Outlook] [fi]
Lähettäjä: Matti Virtanen <matti@customer.example>
Lähetetty: tiistai 24. marraskuuta 2026 10.00
Vastaanottaja: Bob
Aihe: Tarjous

[Outlook] [cs]
Od: Jan Novák <jan@customer.example>
Odesláno: úterý 24. listopadu 2026 10:00
Komu: Bob
Předmět: Nabídka

[Outlook] [hu]
Feladó: Kovács János <janos@customer.example>
Elküldve: 2026. november 24., kedd 10:00
Címzett: Bob
Tárgy: Ajánlat

[Outlook] [tr]
Kimden: Ali Veli <ali@customer.example>
Gönderildi: 24 Kasım 2026 Salı 10:00
Kime: Bob
Konu: Teklif

[Outlook] [ja]
差出人: 田中太郎 <taro@customer.example>
送信日時: 2026年11月24日 10:00
宛先: Bob
件名: 見積

[Outlook] [zh]
发件人: 张三 <san@customer.example>
发送时间: 2026年11月24日 10:00
收件人: Bob
主题: 报价

[Outlook] [zh]
寄件者: 王小明 <ming@customer.example>
寄件日期: 2026年11月24日 上午 10:00
收件者: Bob
主旨: 報價

[Outlook] [ko]
보낸 사람: 김철수 <kim@customer.example>
보낸 날짜: 2026년 11월 24일 화요일 오전 10:00
받는 사람: Bob
제목: 견적

[Outlook mobile] [en]
________________________________
From: Ann Miller <ann@customer.example>
Sent: Tuesday, November 24, 2026 10:00:00 AM
To: Bob
Subject: An offer

[Outlook mobile] [de]
________________________________
Von: Max Muster <max@customer.example>
Gesendet: Dienstag, November 24, 2026 10:00:00 AM
An: Bob
Betreff: Angebot

[Outlook web] [ru]
________________________________
От: Иван Петров <ivan@customer.example>
Отправлено: 24 ноября 2026 г. 10:00:00
Кому: Боб
Тема: Предложение

[Outlook web] [en]
________________________________________
From: Ann Miller
Sent: Tuesday, November 24, 2026 10:00 AM
To: Bob; Carl;
 Dora; Emil
Cc: Eva
Subject: An offer

[Outlook for Mac] [en]
From: Ann Miller <ann@customer.example>
Date: Tuesday, 24 November 2026 at 10:00
To: Bob <bob@crm.test>
Subject: An offer

[Outlook for Mac] [de]
Von: Max Muster <max@customer.example>
Datum: Dienstag, 24. November 2026 um 10:00
An: Bob <bob@crm.test>
Betreff: Angebot

[Outlook in text] [en]
*From:* Ann Miller <ann@customer.example>
*Sent:* Tuesday, November 24, 2026 10:00 AM
*To:* Bob
*Subject:* An offer

[Hotmail] [en]
Date: Tue, 24 Nov 2026 10:00:00 +0100
Subject: An offer
From: ann@customer.example
To: bob@crm.test

[GMX] [de]
Gesendet: Dienstag, 24. November 2026 um 10:00 Uhr
Von: "Max Muster" <max@customer.example>
An: bob@crm.test
Betreff: Angebot

[GMX] [en]
Sent: Tuesday, November 24, 2026 at 10:00 AM
From: "Ann Miller" <ann@customer.example>
To: bob@crm.test
Subject: An offer

[Samsung] [en]
-------- Original message --------
From: Ann Miller <ann@customer.example>
Date: 24/11/2026 10:00 (GMT+01:00)
To: bob@crm.test
Subject: An offer

[Samsung] [de]
-------- Ursprüngliche Nachricht --------
Von: Max Muster <max@customer.example>
Datum: 24.11.26 10:00 (GMT+01:00)
An: bob@crm.test
Betreff: Angebot

[Samsung] [fr]
-------- Message d'origine --------
De : Anne Martin <anne@customer.example>
Date : 24/11/2026 10:00 (GMT+01:00)
À : bob@crm.test
Objet : Offre

[Samsung] [ru]
-------- Исходное сообщение --------
От: Иван Петров <ivan@customer.example>
Дата: 24.11.2026 10:00 (GMT+03:00)
Кому: bob@crm.test
Тема: Предложение

[Samsung] [es]
-------- Mensaje original --------
De: Ana García <ana@customer.example>
Fecha: 24/11/26 10:00 (GMT+01:00)
Para: bob@crm.test
Asunto: Oferta

[Samsung] [it]
-------- Messaggio originale --------
Da: Anna Rossi <anna@customer.example>
Data: 24/11/26 10:00 (GMT+01:00)
A: bob@crm.test
Oggetto: Offerta

[Samsung] [nl]
-------- Oorspronkelijk bericht --------
Van: Jan <jan@customer.example>
Datum: 24-11-2026 10:00 (GMT+01:00)
Aan: bob@crm.test
Onderwerp: Aanbod

[Samsung] [pl]
-------- Oryginalna wiadomość --------
Od: Jan <jan@customer.example>
Data: 24.11.2026 10:00 (GMT+01:00)
Do: bob@crm.test
Temat: Oferta

[Outlook Express] [en]
----- Original Message -----
From: Ann Miller
To: bob@crm.test
Sent: Tuesday, November 24, 2026 10:00 AM
Subject: An offer

[Outlook Express] [fr]
----- Message d'origine -----
De : Anne Martin
À : bob@crm.test
Envoyé : mardi 24 novembre 2026 10:00
Objet : Offre

[Outlook Express] [cs]
----- Původní zpráva -----
Od: Jan Novák
Komu: bob@crm.test
Odesláno: úterý 24. listopadu 2026 10:00
Předmět: Nabídka

[ProtonMail] [en]
------- Original Message -------
On Tuesday, November 24th, 2026 at 10:00, Ann Miller <ann@customer.example> wrote:

[ProtonMail] [en]
‐‐‐‐‐‐‐ Original Message ‐‐‐‐‐‐‐
On Tuesday, November 24, 2026 10:00 AM, Ann Miller <ann@customer.example> wrote:

[QQ] [zh]
------------------ 原始邮件 ------------------
发件人: "张三" <san@customer.example>;
发送时间: 2026年11月24日(星期二) 上午10:00
收件人: "Bob"<bob@crm.test>;
主题: 报价

[Foxmail] [zh]
发件人： 张三
发送时间： 2026-11-24 10:00
收件人： bob@crm.test
主题： 报价

[Naver] [ko]
-----Original Message-----
From: "김철수"<kim@customer.example>
To: <bob@crm.test>;
Cc:
Sent: 2026-11-24 (화) 10:00:00 (GMT+09:00)
Subject: 견적

[Apple Mail] [en]
Begin forwarded message:

From: Ann Miller <ann@customer.example>
Subject: An offer
Date: 24 November 2026 at 10:00:00 CET
To: bob@crm.test
"""

BLOCKS = [
    (program, language, told)
    for _, program, language, told in (
        re.split(r"^\[(.+)\] \[(.+)\]\n", block, flags=re.M) for block in re.split(r"\n\n(?=\[)", _BLOCKS.strip())
    )
]
