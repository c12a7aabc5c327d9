"""Where a letter goes: the fixed order of behaviour §2, decided once, in one pure function.

    own mail → the same letter again → bounce → reply evidence → aliases → a user's virtual address → the catchall
    → the section of the mailbox → quarantine

`Known` is all that the store knows about the letter (`store.letters.threads.known` asks it in one place); `Decision` is
what shall happen and why.  `services.incoming.judge` does it; `why`, `--explain` and `--dry-run` print it.  Every
route ends in a record or in quarantine: there is no branch that drops a letter (F113).
"""

from __future__ import annotations

from collections.abc import Sequence

from crmmail.core import address as addresses
from crmmail.core import automatic, pairing
from crmmail.core.copies import borrowed_name, came_from_us, cut_copy, same_letter
from crmmail.core.decision import Decision, Route, quarantine
from crmmail.core.evidence import Evidence, reply_evidence
from crmmail.core.known import AliasFact, Envelope, Known, Question, Settings, Twin, ask
from crmmail.core.message import Mail
from crmmail.core.sender import Sender, identify

__all__ = ["Decision", "Question", "Route", "ask", "decide", "mailbox"]

# --- deciding -----------------------------------------------------------------------------------------------


def decide(mail: Mail, envelope: Envelope, known: Known, settings: Settings) -> Decision:
    """The routes of one letter, in the order of behaviour §2; the first route is that of the first alias in To."""
    sender = identify(mail, envelope, known, settings)
    contested = any(not twin.same_content for twin in known.twins)
    evidence: list[Evidence] = []
    notes: list[str] = []

    def decision(*routes: Route) -> Decision:
        limited = tuple(within_limits(route, sender, known, settings) for route in routes)
        return Decision(limited, sender, tuple(evidence), tuple(notes), contested)

    if came_from_us(mail, known, settings):
        return decision(Route("ignored", "own", "it is our own mail coming back"))
    again = same_letter(known)
    if again:
        twin, route = again
        return decision(route, *newly_covered(twin, mail, envelope, sender, known, settings, notes))
    borrowed = None if sender.here else borrowed_name(mail, known, settings)
    if borrowed:
        return decision(borrowed)
    why = automatic.bounce(mail, settings.bounce)
    if why and not (why == "bounce-address" and answers_our_bounce_address(mail, known)):
        return decision(bounced(mail, known))
    copy = cut_copy(mail, envelope, sender, known)
    if copy:
        twin, copies = copy
        return decision(*copies, *newly_covered(twin, mail, envelope, sender, known, settings, notes))
    if contested:
        notes.append("its Message-ID belongs to another letter, so it proves nothing")

    evidence += reply_evidence(mail, envelope, sender, known, settings, notes)
    counted = [one for one in evidence if one.counts]
    if counted:
        wanted = aliases_for_replies(mail, envelope, sender, known, settings, notes)
        return decision(*(wanted or [reply(counted, sender)]))
    held = next((one for one in evidence if one.kind != "subject"), None)
    if held:
        return decision(unconfirmed(held, sender))
    return decision(*(by_address(mail, envelope, sender, known, settings, notes) or [by_section(envelope, known)]))


# 1. the same letter again


def newly_covered(
    twin: Twin, mail: Mail, envelope: Envelope, sender: Sender, known: Known, settings: Settings, notes: list[str]
) -> list[Route]:
    """New records for the aliases that this copy names and the first one did not: a letter to two addresses may come
    as two copies, each with its own recipient.  Two addresses of one target are one, as they are within one copy; and
    a first copy that joined a record was an answer, which makes no records."""
    if twin.reply:
        return []
    served = {target(known.aliases[one]) for one in twin.covered if one in known.aliases}
    return [
        route
        for route in by_address(mail, envelope, sender, known, settings, notes)
        if route.alias is not None and target(known.aliases[route.recipient]) not in served
    ]


# 2. bounces


def answers_our_bounce_address(mail: Mail, known: Known) -> bool:
    """Somebody answered a letter of ours to its return path: nothing says that a mailer wrote it, and it reports
    nothing, or it is from the very one whom we wrote to, whatever numbers and addresses he quotes."""
    report = mail.report
    if report is None or not known.sent:
        return False
    written_to = {sent.address for sent in known.sent.values()}
    return not (report.status or report.recipients) or mail.sender.address in written_to


def bounced(mail: Mail, known: Known) -> Route:
    """To the letter of ours that it speaks of; it makes no record and reopens none (behaviour §2, 2)."""
    sent = next(iter(known.sent.values()), None)
    if sent is None or mail.report is None:
        return quarantine("bounce-unmatched", "a bounce that names no letter of ours")
    from crmmail.core import failure as failures  # see `core.decision`

    report, thread = mail.report, known.redirects.get(sent.thread, sent.thread)
    if report.action == "failed":
        failure = failures.bounced(report.status, report.words)
        fate = "refused" if failure.permanent else "given up"
        said = f" ({failure.words})" if failure.words else ""
        reason, sentence = "bounce", f"a bounce: the mail to {sent.address} was {fate}{said}"
    else:
        failure, reason = None, "bounce-report"
        sentence = f"a report: the mail to {sent.address} is {report.action}"
    return Route("stored", reason, sentence, thread=thread, internal=True, delivery=sent.delivery, failure=failure)


# 3. answers


def reply(counted: Sequence[Evidence], sender: Sender) -> Route:
    """The answer joins the thread that the strongest evidence names; nothing else happens (F109, F110).

    A user's answer to an internal notice stays internal; a customer's letter never is, whatever it answers.
    """
    best = counted[0]
    internal = sender.proven and any(one.internal and one.thread == best.thread for one in counted)
    how = {
        "token": "the address carries our token",
        "own-id": "it answers a letter of ours",
        "reference": f"{best.detail}, and the sender takes part",
        "subject": f"{best.detail}, and the sender takes part",
    }[best.kind]
    return Route("stored", best.kind, f"an answer: {how}", thread=best.thread, internal=internal)


def unconfirmed(held: Evidence, sender: Sender) -> Route:
    """An answer by somebody who takes no part: kept, shown to whoever is responsible, and acting on nothing."""
    who = sender.address or "an unclear sender"
    if sender.refuted:
        why = f"our own host says that it is not from {who}"
    elif held.internal:
        why = f"that is internal, and nothing proves that {who} works here"
    elif sender.user is not None:
        why = f"nothing proves that {who} wrote it"
    else:
        why = f"{who} takes no part in record {held.thread}"
    sentence = f"{held.detail} of record {held.thread}, but {why}"
    return Route("unconfirmed", "unconfirmed", sentence, candidate=held.thread, internal=held.internal)


# 4. addresses of ours


def ours(mail: Mail, envelope: Envelope, known: Known, settings: Settings) -> list[str]:
    """Our own addresses that the letter is for, without plus-tags, in To's order.

    --recipient counts alone.  A Delivered-To counts only where nothing else of ours is named: it is the mailbox
    that the letter was fetched from, and what was written to a *different* address of ours is not for it (F144).
    """
    if envelope.recipients:
        return list(dict.fromkeys(addresses.without_tag(one) for one in envelope.recipients))
    mailboxes = [addresses.canonical(value.strip().strip("<>")) for value in mail.headers.get("delivered-to", ())]
    mailboxes.append(envelope.mailbox)
    named = [one.address for one in (*mail.to, *mail.cc)]
    named += [addresses.canonical(value.strip().strip("<>")) for value in mail.headers.get("x-original-to", ())]

    def own(address: str) -> bool:
        return bool(address) and (address in known.aliases or addresses.host_of(address) in settings.domains)

    direct = [addresses.without_tag(one) for one in named if own(addresses.without_tag(one))]
    behind = [addresses.without_tag(one) for one in mailboxes if own(addresses.without_tag(one))]
    useful = [one for one in direct if one != settings.catchall]
    return list(dict.fromkeys(useful or [one for one in behind if one != settings.catchall] or direct or behind))


def mailbox(mail: Mail, envelope: Envelope) -> str:
    """The mailbox that the letter was fetched from: what the caller says, else the topmost Delivered-To; else ""."""
    top = mail.headers.get("delivered-to", ())[:1]
    return envelope.mailbox or (addresses.canonical(top[0].strip().strip("<>")) if top else "")


def by_address(
    mail: Mail,
    envelope: Envelope,
    sender: Sender,
    known: Known,
    settings: Settings,
    notes: list[str],
) -> list[Route]:
    """The routes by our own addresses; [] where the letter is for none of them that we know how to serve."""
    addressed = ours(mail, envelope, known, settings)
    box = mailbox(mail, envelope)
    for address in addressed if box and addresses.host_of(box) in settings.domains else ():
        pair = pairing.judge(box, address, catchall=settings.catchall, aliases=known.aliases, users=known.users)
        if not pair.right:
            notes.append(f"misuse:{pair.code}: {pair.sentence}")
    routes = [by_alias(alias, sender, known) for alias in distinct(addressed, known, notes)]
    if routes:
        return routes
    for address in addressed:
        if address in known.users and addresses.host_of(address) in settings.domains:
            return [quarantine("user-address-new", f"a new letter to {address}, who has no personal alias", address)]
    if settings.catchall and settings.catchall in addressed:
        return [
            quarantine(
                "catchall-addressed",
                f"of our addresses only the catchall {settings.catchall} is named",
                settings.catchall,
            )
        ]
    if addressed and envelope.section is None:
        return [quarantine("no-route", f"{addressed[0]} is no alias and no user's address", addressed[0])]
    return []


def distinct(addressed: Sequence[str], known: Known, notes: list[str]) -> list[AliasFact]:
    """The aliases among these addresses, one a target: two ways to the same place make one record."""
    found: dict[object, AliasFact] = {}
    for address in addressed:
        alias = known.aliases.get(address)
        if alias is None:
            continue
        if found.setdefault(target(alias), alias) is not alias:
            notes.append(f"{address} leads to the same place as an address before it")
    return list(found.values())


def target(alias: AliasFact) -> tuple[str, str, int | None]:
    """Where an alias leads: two that lead to the same place are one address with two names."""
    return alias.kind, alias.section, alias.user


def by_alias(alias: AliasFact, sender: Sender, known: Known) -> Route:
    """A new record, where the alias's policy lets this sender in."""
    welcome = {
        "everyone": True,
        "contacts": bool(known.contacts) or sender.user is not None,
        "followers": alias.kind in known.follows_kinds or sender.user is not None,
    }[alias.policy]
    if not welcome or (alias.policy != "everyone" and sender.refuted):
        who = sender.address or "an unclear sender"
        return quarantine(
            "not-allowed", f"{alias.address} takes letters from {alias.policy} only, not from {who}", alias.address
        )
    return new_record(alias, f"a new {alias.kind}: written to {alias.address}")


def aliases_for_replies(
    mail: Mail, envelope: Envelope, sender: Sender, known: Known, settings: Settings, notes: list[str]
) -> list[Route]:
    """Routes of those aliases that want a new record even for an answer (`on_reply = new`, F121), and take letters of
    this sender; a vacation responder's answer makes none."""
    if sender.machine:
        return []
    eager = {address: alias for address, alias in known.aliases.items() if alias.on_reply == "new"}
    return [
        new_record(alias, f"an answer, but {alias.address} makes records of answers too")
        for alias in distinct(ours(mail, envelope, known, settings), known._replace(aliases=eager), notes)
        if by_alias(alias, sender, known).outcome == "stored"
    ]


def new_record(alias: AliasFact, sentence: str) -> Route:
    return Route(
        "stored",
        "alias",
        sentence,
        kind=alias.kind,
        alias=alias.id,
        recipient=alias.address,
        section=alias.section,
    )


# 5. the rest


def by_section(envelope: Envelope, known: Known) -> Route:
    """The section that the fetchmail line names (-s), else quarantine."""
    if envelope.section is None:
        return quarantine("no-route", "no address of ours is named, and no section was given")
    code = known.sections.get(envelope.section)
    if code is None:
        return quarantine("no-section", f"there is no section {envelope.section!r}")
    sentence = f"a new case: the mailbox is that of section {code}"
    return Route("stored", "section", sentence, kind="case", section=code, recipient=envelope.reply_address)


def within_limits(route: Route, sender: Sender, known: Known, settings: Settings) -> Route:
    """The route, or quarantine where this sender has done the same too often (two robots answering each other)."""
    if route.outcome != "stored" or route.superseded_by or route.delivery is not None:
        return route
    who = sender.address or "unclear senders"
    if route.thread is not None:
        limit, seen = settings.loop_messages, known.messages.get(route.thread, 0)
        what = f"messages to record {route.thread}"
    else:
        alias = known.aliases.get(route.recipient)
        limit, seen = settings.loop_new_records, known.new_records
        if alias and alias.loop_limit is not None:
            limit = alias.loop_limit
        what = "new records"
    if not limit or seen < limit:
        return route
    sentence = f"{who} made {seen} {what} in {settings.loop_minutes} minutes; the limit is {limit}"
    # Who puts it into its record by hand must not lose what it answers.
    return quarantine("loop", sentence, route.recipient)._replace(candidate=route.thread, internal=route.internal)
