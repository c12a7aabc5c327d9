#!/usr/bin/env python3
"""Makes a store with many messages, as some years of a shop's work leave it.

    python tests/bench/make_store.py STORE --messages 1000000 [--bin FOLDER] [--users 12]

FOLDER has the programs, those beside this Python if none is named; `crmmail init`, `sections add` and the like set the
shop up, and the rows are written past them, in one transaction, by all indexes that there are.  It is a function of its
arguments: the same numbers, the same store, but for the secret and the clock of `init`.

70 % of the messages answer; letters come from outside, users answer them, take notes, change states.  There are cases
and leads in all states, contacts, followers, read and unread items (the first user has up to 100,000 unread), stars,
attachments, letters in quarantine, mails sent, waiting and come back, activities, firings of a rule, the journal.  The
last record is a case with 200 messages.  Nothing is left out that a delivery writes, so `crmmail db check` finds it
sound.
"""

from __future__ import annotations

import argparse
import hashlib
import itertools
import json
import os
import random
import sqlite3
import subprocess
import sys
import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

from crmmail.services.keeping import upkeep
from crmmail.store.engine import database, sql

UNREAD = 100_000  # items of the first user, at most
LONG = 200  # messages of the last record
TOGETHER = 20_000  # messages whose rows are written together
BEGIN = datetime(2024, 1, 8, 8)
END = datetime(2026, 11, 20, 18)
DOMAIN = "crm.example"
SECTIONS = ("support", "sales", "billing", "network", "printers")
SHOP = (
    f"init --domain {DOMAIN} --user boss:boss@{DOMAIN}",
    *(f"sections add {code} --email {code}@{DOMAIN} --manager boss" for code in SECTIONS),
    *(f"categories add {word} --section support" for word in ("Fault", "Question", "Return")),
    f"aliases add info@{DOMAIN} --kind lead --section sales",
    "rules add remind --trigger created --delay 2d --state-from open --set-priority high",
)

PEOPLE = """Anna Ben Carla David Elena Frank Grace Hugo Ivan Julia Karl Laura Marek Nadia Olga Pavel José Zoë Jürgen
Søren Łukasz François Наталья Дмитрий Светлана Ayşe"""
FAMILIES = """Smith Jones Novak Fischer Rossi Garcia Kowalski Ivanov Tanaka Svensson Müller Dvořák Nuñez Lefèvre Øster
Brown Martin Silva Kim Wang Петрова Смирнов Yılmaz"""
TOPICS = (
    "Printer {} is broken", "Quote for order {}", "Invoice {} overdue", "Access to server {} lost",
    "Rechnung {} ist falsch", "Frage zu Angebot {}", "Commande {} non reçue", "Devis n° {}",
    "Не работает принтер {}", "Счёт {} не оплачен",
    "Pedido {} llegó roto", "Offerta {}", "Zapytanie {}", "Teklif {}",
)  # fmt: skip
SENTENCES = (
    "The printer on the second floor smokes again.", "Could you send us an offer for {} pieces, please?",
    "The invoice names the wrong company.", "We have not heard from you since Monday.", "It works again, thank you!",
    "The cable between the switch and the router is broken.", "Please call me back before noon.",
    "Der Drucker im zweiten Stock druckt nur leere Seiten.", "Bitte senden Sie uns die Rechnung Nummer {} noch einmal.",
    "Können Sie uns einen Termin für nächste Woche nennen?", "Die Lieferung ist unvollständig angekommen.",
    "L'imprimante ne répond plus depuis ce matin.", "Merci de nous envoyer un devis pour {} unités.",
    "La facture a été réglée la semaine dernière.", "Принтер на втором этаже опять не печатает.",
    "Пришлите, пожалуйста, счёт номер {} ещё раз.", "Когда приедет мастер?", "Договор подписан, ждём оплату.",
    "El pedido número {} llegó roto.", "¿Podrían enviarnos la factura corregida?",
    "Proszę o potwierdzenie zamówienia {}.", "Siparişimiz {} henüz gelmedi.",
    "La stampante non funziona più.", "The same error came up on {} other machines.",
)  # fmt: skip
SYLLABLES = "ba ce di fo gu ka le mi no pu ra se ti vo zu ан бо ви го де жу ли мо".split()
OLD = {"case": ("done", "done", "done", "done", "cancel"), "lead": ("lost", "converted", "converted")}
YOUNG = {"case": ("open", "open", "open", "pending", "draft"), "lead": ("new", "new", "qualified")}

INSERTS = {
    "thread": "id kind title address author_id created updated",
    "case": """thread_id state section_id category_id responsible_id priority partner_id email partner_name deadline
        revenue cost probability assigned closed acted partner_wrote answered""",
    "lead": """thread_id state section_id responsible_id priority partner_id email partner_name revenue probability
        assigned closed acted partner_wrote answered""",
    "contact": "thread_id company company_key lang",
    "contact_address": "contact_id address",
    "follower": "thread_id user_id contact_id address types created",
    "original": "id message_id content_hash from_address received size data",
    "message": """id thread_id kind subtype internal automatic author_id from_name from_address subject text html date
        received message_id original_id details""",
    "message_address": "message_id thread_id role name address",
    "blob": "sha256 size data",
    "attachment": "message_id position name type content_id inline size sha256",
    "quarantine": """id original_id reason sentence recipient recipients from_name from_address subject text internal
        state received""",
    "decision": """original_id at outcome reason sentence recipient thread_id message_id quarantine_id created counted
        sender evidence""",
    "notification": "user_id message_id quarantine_id thread_id why created done",
    "star": "user_id message_id created",
    "delivery": """message_id thread_id contact_id address purpose role why state identifier content_hash attempts due
        reason failure created sent""",
    "activity": "thread_id user_id summary due created done",
    "firing": "rule_id thread_id base at sentence",
    "journal": "user_id os_login at act sentence thread changes undoable",
}


class Person(NamedTuple):
    """Somebody outside."""

    name: str
    address: str
    contact: int | None


class Record(NamedTuple):
    """A conversation while it grows."""

    id: int
    kind: str
    title: str
    section: int  # at which place in SECTIONS
    person: Person
    user: int | None  # who is responsible
    words: str  # what its first letter said


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("store", type=Path, help="a path where nothing is yet")
    parser.add_argument("--messages", type=int, default=100_000)
    parser.add_argument("--bin", type=Path, default=Path(sys.executable).parent, help="where crmmail lies")
    parser.add_argument("--users", type=int, default=12)
    options = parser.parse_args()
    if options.store.exists():
        sys.exit(f"{options.store} is there already")
    begin = time.perf_counter()
    command = [str(options.bin / "crmmail"), "--db", str(options.store)]

    def crmmail(words: Sequence[str]) -> None:
        subprocess.run([*command, *words], check=True, stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL)

    set_up(crmmail, options.users)
    long = fill(options.store, options.messages)
    size = os.path.getsize(options.store) / 2**20
    print(f"{options.messages:,} messages, {size:,.0f} MiB, {time.perf_counter() - begin:.0f} s; #{long} is long")
    return 0


def set_up(crmmail: Callable[[Sequence[str]], None], users: int) -> None:
    """The shop, by its own commands."""
    for line in SHOP[:1]:
        crmmail(line.split())
    for number in range(2, users + 1):
        crmmail(["users", "add", f"user{number}", "--email", f"user{number}@{DOMAIN}"])
    for line in SHOP[1:]:
        crmmail(line.split())


def fill(place: Path, count: int) -> int:
    """Writes `count` messages into a store that `set_up` has made; the number of the last record."""
    db = sqlite3.connect(place, isolation_level=None)
    for pragma in ("journal_mode=MEMORY", "synchronous=OFF", "cache_size=-1000000", "foreign_keys=OFF"):
        db.execute(f"PRAGMA {pragma}")
    db.execute("BEGIN IMMEDIATE")
    shop = Shop(db, count)
    for rows in shop.work():
        for table, lines in rows.items():
            columns = INSERTS[table].split()
            marks = ", ".join("?" * len(columns))
            db.executemany(f"INSERT INTO crm_{table} ({', '.join(columns)}) VALUES ({marks})", lines)
    db.executemany(
        "UPDATE crm_thread SET updated = ? WHERE id = ?", [(at, thread) for thread, at in shop.updated.items()]
    )
    db.execute("COMMIT")
    db.close()
    store = database.open(str(place))
    sql.run("PRAGMA synchronous=OFF")
    upkeep.fill(store)
    store.close()
    return shop.last


class Shop:
    """Some years of work, told message by message."""

    def __init__(self, db: sqlite3.Connection, count: int) -> None:
        self.count = count
        self.chance = random.Random(20261123)
        self.step = (END - BEGIN) / max(count, 1)
        self.users = [row[0] for row in db.execute("SELECT id FROM crm_user ORDER BY id")]
        self.sections = [
            db.execute("SELECT id FROM crm_section WHERE code = ?", (code,)).fetchone()[0] for code in SECTIONS
        ]
        self.categories = [row[0] for row in db.execute("SELECT id FROM crm_category")]
        self.rule = db.execute("SELECT MIN(id) FROM crm_rule").fetchone()[0]
        self.thread, self.original, self.message, self.held = (
            itertools.count(db.execute(f"SELECT COALESCE(MAX(id), 0) + 1 FROM crm_{table}").fetchone()[0])
            for table in ("thread", "original", "message", "quarantine")
        )
        self.rows: dict[str, list[tuple[Any, ...]]] = {}
        self.people: list[Person] = []
        self.records: list[Record] = []
        self.updated: dict[int, str] = {}
        self.last = 0
        self.sentences = list(self._sentences())

    def work(self) -> Iterator[dict[str, list[tuple[Any, ...]]]]:
        """The rows of all tables, a part of the story at a time."""
        chance = self.chance
        self._clear()
        for number in range(max(self.count // 20, 5)):
            self._person(number)
        long = min(LONG, self.count // 2)
        for number in range(self.count - long):
            now = BEGIN + self.step * number
            if not self.records or chance.random() < 0.3:
                self._letter(self._record(now, number), number, now, opens=True)
            else:
                # What is new is talked about more.
                at = (
                    -int(chance.expovariate(0.002)) - 1
                    if chance.random() < 0.9
                    else chance.randrange(len(self.records))
                )
                self._answer(self.records[max(at, -len(self.records))], number, now)
            if number % 200 == 199:
                self._held(now)
            if number % TOGETHER == TOGETHER - 1:
                yield self.rows
                self._clear()
        now = END
        record = self._record(now, self.count, kind="case", state="open")
        for number in range(long):
            at = self.count - long + number
            if number and number % 2:
                self._written(record, at, now + timedelta(minutes=number))
            else:
                self._letter(record, at, now + timedelta(minutes=number), opens=number == 0)
        self.last = record.id
        yield self.rows

    # --- what happens ---------------------------------------------------------------------------------------

    def _person(self, number: int) -> None:
        """Every second one is a contact."""
        given, family = self._one(PEOPLE), self._one(FAMILIES)
        address = f"person{number}@firm{number // 3}.example"
        contact = None
        if number % 2 == 0:
            contact, company = next(self.thread), f"Firm {number // 3} GmbH"
            self._put("thread", contact, "contact", f"{given} {family}", None, None, moment(BEGIN), moment(BEGIN))
            lang = self.chance.choice(("en", "ru", "fr", None))
            self._put("contact", contact, company, company.casefold(), lang)
            self._put("contact_address", contact, address)
        self.people.append(Person(f"{given} {family}", address, contact))

    def _record(self, now: datetime, number: int, kind: str = "", state: str = "") -> Record:
        """A new case or lead with whom it is about; its first message is not there yet."""
        chance = self.chance
        kind = kind or ("case" if chance.random() < 0.7 else "lead")
        young = number > 0.97 * self.count or chance.random() < 0.01
        state = state or chance.choice(YOUNG[kind] if young else OLD[kind])
        person, section = chance.choice(self.people), chance.randrange(len(SECTIONS))
        user = None if state in ("draft", "new") and chance.random() < 0.5 else chance.choice(self.users)
        title = chance.choice(TOPICS).format(number)
        this, at = next(self.thread), moment(now)
        record = Record(this, kind, title, section, person, user, self._text(number))
        closed = moment(now + timedelta(days=3)) if state in ("done", "cancel", "lost", "converted") else None
        answered = moment(now + timedelta(hours=4)) if user and state != "draft" else None
        self._put("thread", this, kind, title, f"{SECTIONS[section]}@{DOMAIN}", None, at, at)
        name = None if person.contact else person.name
        priority, revenue = chance.choice((1, 2, 3, 3, 3, 3, 4, 5)), float(chance.randrange(100, 9000, 50))
        if kind == "case":
            category = chance.choice(self.categories) if section == 0 and self.categories else None
            deadline = moment(now + timedelta(days=chance.randrange(1, 30))) if chance.random() < 0.2 else None
            self._put(
                "case", this, state, self.sections[section], category, user, priority, person.contact, person.address,
                name, deadline, revenue, revenue / 3, 50.0, at if user else None, closed, at, at, answered,
            )  # fmt: skip
        else:
            self._put(
                "lead", this, state, self.sections[section], user, priority, person.contact, person.address, name,
                revenue, 20.0, at if user else None, closed, at, at, answered,
            )  # fmt: skip
        for one in {1, user} - {None}:
            self._put("follower", this, one, None, None, None, at)
        if person.contact:
            self._put("follower", this, None, person.contact, None, None, at)
        if chance.random() < 0.05:
            due, done = now + timedelta(days=7), None if young else moment(now + timedelta(days=6))
            self._put("activity", this, user or 1, "Call them", moment(due), at, done)
        # A rule has acted on what it is about, else the first `rules run` acts on thousands of cases, and waits for
        # the disk each time.
        if kind == "case" and (chance.random() < 0.3 or state == "open"):
            fired = now + timedelta(days=2)
            self._put("firing", self.rule, this, at, moment(fired), "priority: normal → high")
        changes = json.dumps([["case", this, "responsible", None, user]])
        self._put("journal", user or 1, "root", at, "set", f"#{this} {title}: responsible", this, changes, 1)
        self.records.append(record)
        return record

    def _answer(self, record: Record, number: int, now: datetime) -> None:
        """The next message of a conversation."""
        kind = self.chance.random()
        if kind < 0.5:
            self._letter(record, number, now, opens=False)
        elif kind < 0.8:
            self._written(record, number, now)
        elif kind < 0.87:
            self._said(record, number, now, "note", "note", self._text(number))
        else:
            details = json.dumps([{"field": "state", "old": "open", "new": "pending"}])
            self._said(record, number, now, "system", "state", "state: open → pending", details)

    def _letter(self, record: Record, number: int, now: datetime, *, opens: bool) -> None:
        """A letter from outside, with all that a delivery writes about it."""
        chance, person = self.chance, record.person
        text = record.words if opens else self._reply(record, number, person.name)
        identifier, digest = f"{chance.getrandbits(96):024x}@firm.example", f"{chance.getrandbits(256):064x}"
        original, at, us = next(self.original), moment(now), f"{SECTIONS[record.section]}@{DOMAIN}"
        raw = f"From: {person.name} <{person.address}>\r\nTo: {us}\r\nMessage-ID: <{identifier}>\r\n\r\n{text}".encode()
        self._put("original", original, identifier, digest, person.address, at, len(raw), zlib.compress(raw, 1))
        subject = record.title if opens else f"Re: {record.title}"
        subtype = "created" if opens else "discussion"
        this = self._put_message(
            record, "email_in", subtype, None, person.name, person.address, subject, text, at, identifier, original
        )
        self._put("message_address", this, record.id, "from", person.name, person.address)
        self._put("message_address", this, record.id, "to", "", us)
        reason, evidence = ("alias", "[]") if opens else ("reference", '["answers a letter of this record"]')
        self._put(
            "decision", original, at, "stored", reason, f"for #{record.id}", us, record.id, this, None, int(opens), 1,
            person.address, evidence,
        )  # fmt: skip
        if chance.random() < 0.1:
            data = f"file {number} ".encode() * chance.randrange(20, 100)
            key = hashlib.sha256(data).hexdigest()
            self._put("blob", key, len(data), data)
            name, kind = chance.choice((("invoice.pdf", "application/pdf"), ("фото.jpg", "image/jpeg")))
            self._put("attachment", this, 0, f"{number} {name}", kind, "", 0, len(data), key)
        if number % 500 == 0:
            self._put("star", 1, this, at)
        self._tell(record, this, number, now)

    def _written(self, record: Record, number: int, now: datetime) -> None:
        """A user's answer, sent: the newest wait, some came back."""
        chance, at = self.chance, moment(now)
        author, person = record.user or 1, record.person
        identifier = f"{record.id}.x.{chance.getrandbits(60):012x}.{'a' * 16}@{DOMAIN}"
        this = self._put_message(
            record,
            "email_out",
            "discussion",
            author,
            "",
            "",
            f"Re: {record.title}",
            self._text(number),
            at,
            identifier,
            None,
        )
        self._put("message_address", this, record.id, "to", person.name, person.address)
        state = "bounced" if number % 401 == 0 else "failed" if number % 997 == 0 else "sent"
        state = "queued" if number > self.count - 60 else state
        reason = "no such user" if state == "bounced" else "refused" if state == "failed" else None
        self._put(
            "delivery", this, record.id, person.contact, person.address, "mail", "to", "customer", state, identifier,
            f"{chance.getrandbits(256):064x}" if state != "queued" else None, int(state != "queued"), at, reason,
            "address" if reason else None, at, at if state in ("sent", "bounced") else None,
        )  # fmt: skip
        self._tell(record, this, number, now, but=author)

    def _said(
        self, record: Record, number: int, now: datetime, kind: str, subtype: str, text: str, details: str = ""
    ) -> None:
        """A note, or what the program says was changed."""
        author, at = record.user or 1, moment(now)
        this = self._put_message(record, kind, subtype, author, "", "", "", text, at, None, None, details)
        if kind == "system":
            self._put(
                "journal", author, "root", at, "pending", f"#{record.id} {record.title}: {text}", record.id, "[]", 1
            )
        self._tell(record, this, number, now, but=author)

    def _tell(self, record: Record, message: int, number: int, now: datetime, but: int | None = None) -> None:
        """The first user hears of everything and reads little; others have read all but the newest."""
        for user in {1, record.user} - {None, but}:
            newest = number > self.count - (min(1.2 * UNREAD, 0.8 * self.count) if user == 1 else 2_000)
            done = None if newest and (user == 1 or number % 3 == 0) else moment(now + timedelta(hours=2))
            self._put("notification", user, message, None, record.id, "follower", moment(now), done)

    def _held(self, now: datetime) -> None:
        """A letter that found no record; most were decided."""
        chance, person = self.chance, self.chance.choice(self.people)
        original, this, at = next(self.original), next(self.held), moment(now)
        raw = f"From: {person.address}\r\nTo: nobody@{DOMAIN}\r\n\r\nHello?".encode()
        identifier, digest = f"{chance.getrandbits(96):024x}@firm.example", f"{chance.getrandbits(256):064x}"
        self._put("original", original, identifier, digest, person.address, at, len(raw), zlib.compress(raw, 1))
        recipient, sentence = f"nobody@{DOMAIN}", f"nobody@{DOMAIN} is no alias and no user's address"
        state = "waiting" if now > END - (END - BEGIN) / 50 else "spam"
        self._put(
            "quarantine", this, original, "no-route", sentence, recipient, json.dumps([recipient]), person.name,
            person.address, "Hello", "Hello?", 0, state, at,
        )  # fmt: skip
        self._put(
            "decision", original, at, "quarantined", "no-route", sentence, recipient, None, None, this, 0, 1,
            person.address, "[]",
        )  # fmt: skip
        self._put("notification", 1, None, this, None, "admin", at, None if state == "waiting" else at)

    # --- words ----------------------------------------------------------------------------------------------

    def _sentences(self) -> Iterator[str]:
        """What is written again and again, and sentences of words that are rarer the later they come."""
        chance = self.chance
        words = ["".join(chance.choices(SYLLABLES, k=chance.randrange(2, 5))) for _ in range(6_000)]
        weights = list(itertools.accumulate(1 / (at + 3) for at in range(len(words))))
        for _ in range(4_000):
            line = " ".join(chance.choices(words, cum_weights=weights, k=chance.randrange(5, 14)))
            yield f"{line[0].upper()}{line[1:]}."
        yield from SENTENCES * 40

    def _text(self, number: int) -> str:
        """A letter's words: two paragraphs, a greeting, a name."""
        said = [
            one.replace("{}", str(number)) for one in self.chance.choices(self.sentences, k=self.chance.randrange(2, 9))
        ]
        half = len(said) // 2
        return f"Hello,\n\n{' '.join(said[:half])}\n\n{' '.join(said[half:])}\n\n-- \nOrder {number}\n"

    def _reply(self, record: Record, number: int, name: str) -> str:
        """An answer with what it answers below it."""
        quoted = "\n".join(f"> {line}" for line in record.words.split("\n"))
        return f"{self._text(number)}\nOn Tue, 24 Nov 2026 at 10:00, {name} wrote:\n{quoted}\n"

    def _one(self, words: str) -> str:
        return self.chance.choice(words.split())

    # --- rows -----------------------------------------------------------------------------------------------

    def _put_message(
        self, record: Record, kind: str, subtype: str, author: int | None, name: str, address: str, subject: str,
        text: str, at: str, identifier: str | None, original: int | None, details: str = "",
    ) -> int:  # fmt: skip
        this = next(self.message)
        self.updated[record.id] = at
        internal, automatic = int(kind in ("note", "system")), 0
        self._put(
            "message", this, record.id, kind, subtype, internal, automatic, author, name, address, subject, text, "",
            at, at, identifier, original, details or None,
        )  # fmt: skip
        return this

    def _put(self, table: str, *values: Any) -> None:
        self.rows[table].append(values)

    def _clear(self) -> None:
        self.rows = {table: [] for table in INSERTS}


def moment(at: datetime) -> str:
    """As the store writes it."""
    return at.isoformat(" ", "microseconds")


if __name__ == "__main__":
    sys.exit(main())
