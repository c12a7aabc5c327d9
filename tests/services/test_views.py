"""Queries, and views: lists with a name (F191, F192, F206, F250, F284); and the dispatcher's way (F188)."""

from __future__ import annotations

import pytest
from conversation import Talk

from crmmail.services.desk.views import BUILT_IN

# Every one is made on 24 November 2026.
CASES = (
    "new case Draft --section support --responsible agent",
    "new case Open --section support --responsible agent --deadline 2026-11-23 --priority high",
    "new case Pending --section support --responsible agent --deadline '2026-11-24 18:00'",
    "new case Done --section support --responsible agent --deadline 2026-11-23",
    "new case Cancelled --section support --responsible agent",
    "new case Free --section sales --deadline 2026-11-23 --priority highest --contact 11",
    "new case Taken --section sales --responsible boss --category Gold --email cy@example.com",
    "new case Later --section sales --deadline '2026-11-25 00:00'",
    "new lead Lead --responsible agent",
    "new lead 'Free lead'",
)


@pytest.fixture
def shop(talk: Talk) -> Talk:
    talk.do("sections add sales --name Sales")
    talk.do("categories add 'Gold Partner' --section sales")
    for line in CASES:
        talk.do(line.replace("--category Gold ", "--category 'Gold Partner' ").replace(" --contact 11", ""))
    talk.do("contacts add 'Ann of ACME' --email ann@acme.example")
    talk.do("set 6 partner=11")
    for line in ("open 2", "pending 3", "close 4", "cancel 5", "lose 9"):
        talk.do(line)
    return talk


def found(talk: Talk, line: str, user: str = "agent") -> list[int]:
    return sorted(int(number) for number in talk.do(f"{line} -o ids", user).split())


@pytest.mark.parametrize(
    ("query", "numbers"),
    [
        ("state:open,pending", [2, 3]),
        ("section:support,sales state:draft", [1, 6, 7, 8]),
        ("unfinished", [1, 2, 3, 6, 7, 8]),
        ("closed", [4, 5]),
        ("late", [2, 6]),
        ("today", [3]),
        ("priority:high", [2]),
        ("priority:1-2", [2, 6]),
        ("priority:high-highest", [2, 6]),
        ("category:gold", [7]),
        ("category:'gold partner'", [7]),
        ("category:silver", []),
        ("partner:11", [6]),
        ("partner:#11", [6]),
        ("partner:acme", [6]),
        ("'partner:Ann of ACME'", [6]),
        ("partner:1", []),  # a number is a number, not part of one
        ("partner:99999999999999999999", []),
        ("mine unfinished", [1, 2, 3]),
        ("unassigned", [6, 8]),
        ("priority:urgent", []),  # a word like any other
    ],
)
def test_queries(shop: Talk, query: str, numbers: list[int]) -> None:
    assert found(shop, f"list case {query}") == numbers


def test_queries_of_leads(shop: Talk) -> None:
    assert found(shop, "list lead closed") == [9]
    assert found(shop, "list lead unfinished") == [10]


def test_the_inbox_knows_them_too(talk: Talk) -> None:
    talk.do("categories add 'Fault Fix' --section support")
    for subject in ("One", "Two"):
        talk.mail("Ann Lee <ann@acme.example>", subject=subject, text=subject)
    talk.do("set 2 category='Fault Fix' priority=high deadline='2026-11-24 23:00'")
    talk.do("close 1")
    for query, records in (
        ("category:'Fault Fix'", {2}),
        ("priority:high", {2}),
        ("closed", {1}),
        ("unfinished", {2}),
        ("today", {2}),
        ("state:draft,done", {1, 2}),
        ("partner:lee", {1, 2}),
        ("partner:bob", set()),
    ):
        assert {one["record"] for one in talk.cli(f"inbox {query} --json", "agent").json} == records, query


@pytest.mark.parametrize(
    ("name", "numbers"),
    [
        ("my", [1, 2, 3, 4, 5]),
        ("my-unfinished", [1, 2, 3]),
        ("my-open", [2]),
        ("my-pending", [3]),
        ("my-draft", [1]),
        ("my-late", [2]),
        ("my-cancelled", [5]),
        ("all", [1, 2, 3, 4, 5, 6, 7, 8]),
        ("unassigned", [6, 8]),
        ("unfinished", [1, 2, 3, 6, 7, 8]),
        ("late", [2, 6]),
        ("late-unassigned", [6]),
        ("today", [3]),
    ],
)
def test_the_lists_of_s2_are_there(shop: Talk, name: str, numbers: list[int]) -> None:
    """F192; `--section` makes them those of one section."""
    assert name in BUILT_IN
    assert found(shop, f"view {name}") == found(shop, f"list case --view {name}") == numbers
    below = [number for number in numbers if number <= 5]
    assert found(shop, f"view {name} --section support") == below


def test_a_view_prints_what_list_prints(shop: Talk) -> None:
    for more in ("--json", "-o tsv --header", "-o csv", "-o table", "--json --fields id,title --limit 1"):
        assert shop.do(f"view my-open {more}", "agent") == shop.do(f"list case mine state:open {more}", "agent")
    assert found(shop, "view unfinished pending") == [3]


def test_the_dispatchers_way(shop: Talk) -> None:
    """F188: all come unassigned, one who knows distributes."""
    numbers = shop.do("view unassigned --section sales -o ids")
    shop.do("assign - agent", input=numbers)
    assert [shop.field(number, "responsible") for number in (6, 8)] == ["agent", "agent"]
    assert shop.do("view unassigned --section sales -o ids") == ""
    assert shop.cli("assign - agent", input="").code == 0


class TestSaved:
    def test_a_query_under_a_name(self, shop: Talk) -> None:
        said = shop.do(["view", "save", "gold", "category:Gold Partner", "unfinished"], "agent")
        assert said == 'view gold: case category:"Gold Partner" unfinished   (undo: crmmail undo)'
        assert found(shop, "view gold") == found(shop, "list case --view GOLD") == [7]
        assert found(shop, "view gold state:open") == []
        assert "there is no view 'gold'; views: my, my-unfinished" in shop.refused("view gold")  # boss has none

    def test_mine_is_of_whoever_looks(self, shop: Talk) -> None:
        shop.do("view save hot mine priority:1-2 --shared")
        assert (found(shop, "view hot"), found(shop, "view hot", "boss")) == ([2], [])

    def test_of_leads(self, shop: Talk) -> None:
        shop.do("view save lost --kind leads closed", "agent")
        assert found(shop, "view lost") == [9]
        said = shop.cli("list case --view lost", "agent")
        assert (said.code, "view lost shows leads" in said.err) == (2, True)

    def test_ones_own_stands_before_everybodys(self, shop: Talk) -> None:
        shop.do("view save desk state:open --shared")
        shop.do("view save desk state:pending", "agent")
        assert (found(shop, "view desk"), found(shop, "view desk", "boss")) == ([3], [2])
        shop.do("view remove desk", "agent")
        assert found(shop, "view desk") == [2]

    def test_saving_again_replaces_and_undo_brings_back(self, shop: Talk) -> None:
        shop.do("view save desk state:open", "agent")
        shop.do("view save Desk state:pending", "agent")
        assert found(shop, "view desk") == [3]
        shop.do("undo", "agent")
        assert found(shop, "view desk") == [2]
        shop.do("view remove desk", "agent")
        shop.refused("view desk", "agent")
        shop.do("undo", "agent")
        assert found(shop, "view desk") == [2]
        assert "says that already" in shop.refused("view save desk state:open", "agent")

    def test_only_an_admin_shares(self, shop: Talk) -> None:
        assert "only an admin may share views" in shop.refused("view save desk late --shared", "agent")
        shop.do("view save desk late --shared")
        assert "only an admin may remove shared views" in shop.refused("view remove desk", "agent")

    @pytest.mark.parametrize(
        ("line", "code", "words"),
        [
            ("view save my late", 1, "there is a view my already, which is built in"),
            ("view save ALL late", 1, "there is a view all already, which is built in"),
            ("view save 'a b' late", 2, "it must be one word"),
            ("view save '' late", 2, "it must be one word"),
            ("view save list late", 2, "`crmmail view list` is a command"),
            ("view save desk --kind ticket", 2, "there is no kind 'ticket'"),
            ("view remove my", 1, "is built in and stays"),
            ("view remove desk", 1, "there is no view 'desk'"),
            ("view desk --section support", 1, "there is no view 'desk'"),
            ("view my --section nowhere", 1, "there is no section 'nowhere'"),
        ],
    )
    def test_what_is_refused(self, talk: Talk, line: str, code: int, words: str) -> None:
        assert words in talk.refused(line, code=code)

    def test_any_words_can_be_kept(self, shop: Talk) -> None:
        shop.do(["view", "save", "odd", 'paper "jam', "priority:urgent", "\u202eevil"], "agent")
        assert found(shop, "view odd") == []


def test_views_alone_lists_them(shop: Talk) -> None:
    shop.do("view save desk late", "agent")
    shop.do("view save counter late --shared")
    assert shop.do("view", "agent") == shop.do("view list", "agent")
    rows = shop.cli("view --json", "agent").json
    assert [one["name"] for one in rows] == [*BUILT_IN, "desk", "counter"]
    assert [(one["shared"], one["built_in"]) for one in rows[-2:]] == [(False, False), (True, False)]
    assert "desk" not in shop.do("view -o ids")


def test_the_shell_completes_names(shop: Talk) -> None:
    from click.shell_completion import ShellComplete

    from crmmail.cli.main import program

    shop.do("view save desk late", "agent")
    with shop.open("agent"):
        for words in (["view", "run"], ["list", "case", "--view"]):
            shell = ShellComplete(program, {}, "crmmail", "_CRMMAIL_COMPLETE")
            assert [one.value for one in shell.get_completions(words, "de")] == ["desk"]
