"""What `crmmail demo` plays: what the people of a small shop and their customers do, and what each then sees."""

from __future__ import annotations

from collections.abc import Sequence

from crmmail.core.typed import NamedTuple

ANN, AGENT, OLGA = "ann@customer.example", "agent@crm.example", "olga@crm.example"
MAKER, GONE = "service@maker.example", "info@maker.example"
REFUSED = {GONE: "550 5.1.1 info: no such mailbox here"}


class Step(NamedTuple):
    """What is done, and what must be seen then.  One of `line`, `mail` and `reads` is set."""

    words: str  # a sentence for the spectator
    line: str = ""  # a command line; {name} in it is a number that `keeps` kept
    mail: str = ""  # a letter of `demo_mails` for the MDA
    answers: str = ""  # whose newest mail that letter answers, or sends back
    reads: str = ""  # whose mailbox is looked into: the next mail must be there
    whole: bool = False  # with its whole header
    sees: Sequence[str] = ()  # what must stand on the screen
    code: int = 0  # what the command must exit with
    keeps: str = ""  # a name for the number of the first message on this screen, as a person would copy it


# The numbers of records are sure: the store is new, and so Ann's case is #1 and Boris's lead #2.
STORY = (
    Step(
        "A shop is set up, with a catchall mailbox: so answers come back to addresses that prove whose they are.",
        line='init --domain crm.example --user boss:boss@crm.example --name "The Boss" --catchall crm@crm.example',
    ),
    Step(
        "The agent lives in his mail program; Olga reads Russian.",
        line=f'users add agent --name "An Agent" --email {AGENT} --notify email',
    ),
    Step("", line=f'users add olga --name "Ольга" --email {OLGA} --lang ru --notify both'),
    Step("", line='sections add support --name "Support" --email support@crm.example --manager agent'),
    Step("", line="aliases add sales@crm.example --kind lead"),
    Step("", line="follow --kind lead --types created --who olga"),
    Step("", line="follow --kind case --types created --who boss"),
    # A letter comes, and is answered by mail.
    Step("A customer writes to support@: a case.", mail="1-printer.eml", sees=["stored #1 (new)"]),
    Step("The agent is told by mail. It leaves with the next tick, which cron calls each minute.", line="tick"),
    Step("", reads=AGENT, sees=["[1] The printer is on fire", "smokes since an hour"]),
    Step(
        "He presses Reply in his mail program. The address that he writes to proves that it is he.",
        mail="2-answer.eml",
        answers=AGENT,
        sees=["stored #1", "user proven", "goes on to ann@customer.example"],
    ),
    Step("", line="tick"),
    Step(
        "The customer gets his words as a letter from him. This is its whole header.",
        reads=ANN,
        whole=True,
        sees=[
            "From: An Agent <agent@crm.example>",
            "Reply-To: support+",
            "References: <first.1@customer.example>",
            "Pull the plug",
        ],
    ),
    Step(
        "Both are in the case, and it is done.",
        line="--as boss show 1",
        sees=["case · done", "Pull the plug"],
        keeps="photo",
    ),
    # She answers, and is answered from the terminal.
    Step(
        "She answers under another subject, and to sales@. Her program names his letter, so it finds her case and "
        "opens it again.",
        mail="3-again.eml",
        answers=ANN,
        sees=["stored #1: an answer"],
    ),
    Step("The boss's day begins.", line="--as boss", sees=["#1 The printer is on fire · open"], keeps="second"),
    Step(
        "Why is that in her case, and no new lead?",
        line="--as boss why {second}",
        sees=["an answer"],
    ),
    Step("The agent is told again.", line="tick"),
    Step("", reads=AGENT, sees=["[1] Still smoking!", "still smokes"]),
    Step(
        "This time his answer begins with #note: it stays inside.",
        mail="4-note.eml",
        answers=AGENT,
        sees=["stored #1", "user proven"],
    ),
    Step("The boss reads both.", line="--as boss show 1 --last 3", sees=["case · open", "third one of this series"]),
    Step(
        "He answers her from the terminal, and closes the case. His letter leaves at once.",
        line='--as boss reply 1 -m "Dear Ann, leave the room. We are coming **today**." --then close',
        sees=[f"sent to {ANN}", "open → done"],
    ),
    Step("", reads=ANN, sees=["From: The Boss <boss@crm.example>", "Subject: Re: Still smoking!", "leave the room"]),
    Step(
        "Her vacation responder answers him. It joins the case, and does not open it.",
        mail="6-vacation.eml",
        answers=ANN,
        sees=["stored #1: an answer", "machine mail"],
    ),
    Step(
        "What the boss tells the agent, she does not read.",
        line='--as boss note 1 --to agent -m "Take the extinguisher with you."',
        sees=["agent told"],
    ),
    Step("The agent was also told of the answer; now of this.", line="tick"),
    Step("", reads=AGENT, sees=["leave the room"]),
    Step("", reads=AGENT, sees=["extinguisher", "stays inside"]),
    # What does not arrive.
    Step(
        "The boss passes her photo on to the maker of the printer, whose server knows no such address.",
        line=f'--as boss forward {{photo}} --to {GONE} -m "Is this normal?"',
        code=1,
        sees=["no such mailbox here"],
    ),
    Step("", line="--as boss outbox", sees=["failed", "550 5.1.1"]),
    Step(
        "Another address of theirs takes it …",
        line=f'--as boss forward {{photo}} --to {MAKER} -m "Is this normal?"',
        sees=[f"sent to {MAKER}"],
    ),
    Step("", reads=MAKER, sees=["Is this normal?", "smokes since an hour"]),
    Step(
        "… and sends it back an hour later. The report finds the letter of which it speaks.",
        mail="8-bounce.eml",
        answers=MAKER,
        sees=["stored #1"],
    ),
    Step("Two red envelopes for the boss.", line="--as boss inbox", sees=["✉! not delivered", "✉! came back"]),
    Step("", line="--as boss show 1 --last 3", sees=["the mailbox is full"]),
    # The rest of a mail day.
    Step("Boris writes to sales@, in Russian: a lead.", mail="7-offer.eml", sees=["stored #2 (new)"]),
    Step("", line="tick"),
    Step("Olga is told in her language.", reads=OLGA, sees=["[2] Нужны десять принтеров"]),
    Step(
        "A stranger answers Ann's letter. He takes no part: held, and put before the agent, who manages the section.",
        mail="5-stranger.eml",
        sees=["unconfirmed"],
    ),
    Step("", line="--as agent inbox", sees=["Mallory", "held: unconfirmed"]),
    Step("He dismisses everything. A slip; it comes back.", line="--as agent done --all", sees=["dismissed"]),
    Step("", line="--as agent undo", sees=["undone"]),
    Step("A letter to an address that nobody set up. It is not lost.", mail="9-nobody.eml", sees=["quarantined"]),
    Step("The line broke, and fetchmail offers the first mail again.", mail="1-printer.eml", sees=["duplicate #1"]),
    Step("What waits in quarantine.", line="--as boss quarantine", sees=["no-route", "unconfirmed"]),
    # What happens by itself.
    Step(
        "A rule: a lead that nobody has taken for a day is Olga's.",
        line='--as boss rules add "Nobody took it" --kind lead --responsible nobody --trigger created --delay 1d '
        "--set-responsible olga --remind responsible",
        sees=["rule 1 Nobody took it"],
    ),
    Step(
        "In two days it would do this, and cron's tick does it then. Now nothing is changed.",
        line="--as boss rules run --dry-run --at +2d",
        sees=["#2", "responsible olga, responsible reminded"],
    ),
    Step("Why not now?", line="--as boss rules explain 2", sees=["not yet"]),
    Step("The numbers of the day.", line="--as boss stats --by section,state", sees=["support"]),
    Step("Is all well?", line="--as boss doctor"),
)
