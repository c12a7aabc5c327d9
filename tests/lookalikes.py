"""Ordinary letters that look as if they quoted somebody, or ended, and do neither: all of each must stay visible."""

LETTERS = {
    "a date and I wrote": "Hello,\n\nOn Monday I wrote:\n\nplease send the parts.\n\nNothing came.",
    "a date, a time and I wrote": "Hello,\n\nOn 24.11.2026 at 10:00 I wrote:\n\nplease send the parts.",
    "Russian: I wrote then": "Добрый день!\n\n24.11.2026 в 10:00 я писал:\n\nпришлите счёт.\n\nОтвета нет.",
    "German: I wrote then": "Hallo,\n\nam 24.11.2026 um 10:00 Uhr schrieb ich Ihnen:\n\nbitte senden.\n\nNichts kam.",
    "you wrote": "Hello,\n\nyou wrote:\n\nthe parts are there.\n\nThey are not.",
    "you wrote then": "Hello,\n\non 24 November 2026 at 10:00 you wrote:\n\nthe parts are there.\n\nThey are not.",
    "the law wrote": "Hi,\n\nIn 2026 the court wrote:\n\nno appeal.\n\nSo what now?",
    "From: the beginning": "From: the beginning of May\nwe are closed.\n\nPlease call.",
    "a journey": "Hallo,\n\nVon: Berlin\nNach: Hamburg\nDatum: 24.11.2026\nAn: 10:00 Uhr\n\nBitte buchen.",
    "a journey of two lines": "Hi,\n\nFrom: Berlin\nTo: Hamburg\nDate: 24 November 2026\n\nPlease book it.",
    "a parcel": (
        "Hi,\n\nFrom: Ann Miller, 1 High Street\nTo: Bob Smith, 2 Low Street\nDate: today\n\nThe parcel is lost."
    ),
    "a gift": "Hi,\n\nTo: Ann\nFrom: Bob\n\nis what the card should say.",
    "one field": "Hi,\n\nSubject: none\n\nThe rest is as before.",
    "a form": "Name: Ann Miller\nE-mail: ann@customer.example\nSubject: Offer\nMessage: Please call me.",
    "a form with from": "Hi, a new lead:\n\nFrom: ann@customer.example\nPhone: 12345\nMessage: Please call me.",
    "a prompt": "I typed\n\n$ ls > files\n$ cat files\n\nand nothing came.",
    "a prompt of an old system": "I typed\n\nC:\\> dir\nC:\\> copy a b\n\nand nothing came.",
    "a list of menus": "Open\n\nFile -> Print\n-> Setup\n=> Paper\n\nand choose A4.",
    "less and more": "The value must be\n\n< 5 or\n= 5\n\nbut it was 7.",
    "code with a comment": "The query is\n\nSELECT 1\n-- the old one\nSELECT 2\n\nWhat is wrong with it?",
    "code with a bare comment": (
        "The query is\n\nSELECT 1\n--\nSELECT 2\n\nWhat is wrong with it?\n\nIt fails on each run."
    ),
    "a rule": "Part one\n\n----------\n\nPart two is much longer than a signature would be, so it stays.",
    "underscores": "Name: ________________\nDate: ________________\n\nPlease fill in and send back.",
    "a log": (
        "It says\n\n2026-11-24 10:00:01 ERROR mail: connect to ann@customer.example:\n"
        "2026-11-24 10:00:02 INFO retry\n\nAny idea?"
    ),
    "a log that sent": (
        "It says\n\n24.11.2026 10:00 sent to <ann@customer.example>, answered:\n250 ok\n\nIs that right?"
    ),
    "a time table": (
        "Monday 24.11.2026:\n10:00 breakfast\n11:00 talks\n\nTuesday 25.11.2026:\n10:00 talks\n\nWho comes?"
    ),
    "an appointment": "Hi,\n\n24.11.2026 10:00, room 5:\nmeeting with Ann\n\nCan you come?",
    "an appointment with an address": (
        "Hi,\n\nplease invite for 24.11.2026 10:00:\nann@customer.example\nbob@customer.example\n\nThanks a lot for it!"
    ),
    "a copied header": "We get this bounce:\n\nReceived: from a.example\nReceived: from b.example\n\nWhat is it?",
    "wrote in a novel": "Hi,\n\nIt is as Goethe wrote:\n\nMehr Licht!\n\nDo you have lamps?",
    "he says": "Ann says:\n\nsend ten.\n\nBob says:\n\nsend twelve.",
    "the original message": (
        "Hi,\n\nI lost the original message.\nOriginal message\nwas about lamps.\n\nPlease send it again."
    ),
    "best as a word": "Which one is\n\nBest\nfor us, and which is cheaper?",
    "thanks in the middle": "Thanks,\nwe have it.\n\nThe second parcel is missing.",
    "thanks and a wish": "Thanks\n\nWe would like ten more of them by Monday, if you can.",
    "sent from": "Sent from our factory in Bonn,\nthe parts arrived broken.",
    "sent from, last": "The parts are broken.\n\nSent from Bonn, they came by train.",
    "an address as the answer": "Ship it to:\n\nAnn Miller\n1 High Street\nann@customer.example\n+49 30 1234567",
    "a phone number as the answer": "My number is\n\n+49 30 1234567",
    "a link as the answer": "See\n\nhttps://customer.example/a",
    "a list with dashes": "We need\n\n- Red Paint\n- Blue Paint",
    "a list with names": "Coming are\n\n- Ann Miller\n- Bob Smith",
    "P.S.": "Yes.\n\nRegards,\nAnn\n\nP.S. Bring the key, please",
    "prices": "Hi,\n\n> 100 pieces: 5 EUR\n< 100 pieces: 6 EUR\n\nIs that right?",
    "forwarded in words": "Hi,\n\nthe forwarded message\nForwarded message\nis missing.",
    "Chinese: a note": "你好，\n\n时间：10:00\n地点：北京\n主题：报价\n\n请回复。",
    "Japanese: an appointment": "お世話になります。\n\n日時：2026年11月24日 10:00\n場所：東京\n\nよろしいでしょうか。",
    "Russian: from and to": "Добрый день!\n\nОт: Москва\nДо: Казань\nДата: 24 ноября\n\nСколько стоит?",
    "Russian: thanks": "Спасибо!\n\nС уважением отношусь к вашей работе, но счёт неверный.",
    "Polish: from and to": "Dzień dobry,\n\nOd: poniedziałku\nDo: piątku\n\njesteśmy zamknięci.",
    "Spanish: from and for": "Hola,\n\nDe: Ana\nPara: Luis\nFecha: mañana\n\n¿Puede enviarlo?",
    "French: from and to": "Bonjour,\n\nDe : Paris\nÀ : Lyon\nDate : 24 novembre\n\nMerci de réserver.",
    "Italian: from and to": "Ciao,\n\nDa: Roma\nA: Milano\nData: 24 novembre\n\nQuanto costa?",
}
