"""F319–F323 and oracle 18: the shop's own mail templates."""

from __future__ import annotations

import pytest
from conversation import Talk

from crmmail.services.automatic import templates
from crmmail.store.automatic import rules
from crmmail.store.work import records

ADD = ["templates", "add", "thanks", "--subject", "Done: {record.title}"]
TEXT = "Dear {partner.name},\n\nit is done. {user.name}, {shop.address}, {today}"


@pytest.fixture
def shop(talk: Talk) -> Talk:
    talk.mail("Ana <ana@example.com>", subject="Printer broken", text="It smokes.")
    talk.do("set 1 responsible=agent deadline=2026-11-26T12:00")
    return talk


class TestKeeping:
    def test_add_show_list(self, shop: Talk) -> None:
        assert shop.do([*ADD, "-m", TEXT]) == "template thanks (en) added   (undo: crmmail undo)"
        row = shop.cli("templates --json").json
        assert row == [
            {"id": 1, "name": "thanks", "lang": "en", "subject": "Done: {record.title}", "text": f"{TEXT}\n"}
        ]
        shown = shop.cli("templates show Thanks --json").json
        assert list(shown) == ["id", "name", "lang", "subject", "text", "record", "rendered_subject", "rendered_text"]
        assert (shown["text"], shown["rendered_text"]) == (f"{TEXT}\n", None)

    def test_from_a_file_or_a_pipe(self, shop: Talk) -> None:
        path = shop.home / "words.txt"
        path.write_text("Спасибо, {partner.name}!\r\n", encoding="utf-8-sig", newline="")
        shop.do([*ADD, "--lang", "ru", "-f", str(path)])
        shop.do(ADD, input="From a pipe.")
        rows = shop.cli("templates --json").json
        assert [(one["lang"], one["text"]) for one in rows] == [
            ("en", "From a pipe.\n"), ("ru", "Спасибо, {partner.name}!\n"),
        ]  # fmt: skip

    def test_change_and_undo(self, shop: Talk) -> None:
        shop.do([*ADD, "-m", TEXT])
        shop.do("templates set thanks --subject Finished")
        assert shop.cli("templates --json").json[0]["subject"] == "Finished"
        assert shop.cli("templates --json").json[0]["text"] == f"{TEXT}\n"
        shop.do("undo")
        assert shop.cli("templates --json").json[0]["subject"] == "Done: {record.title}"
        shop.do("templates remove thanks")
        assert shop.cli("templates --json").json == []
        shop.do("undo")
        assert [one["name"] for one in shop.cli("templates --json").json] == ["thanks"]
        shop.do("undo")
        assert shop.cli("templates --json").json == []

    def test_one_language_of_several(self, shop: Talk) -> None:
        shop.do([*ADD, "-m", TEXT])
        shop.do([*ADD, "-m", "Спасибо!", "--lang", "RU"])
        error = shop.refused("templates set thanks --subject x", code=2)
        assert error == "template thanks is there in en, ru: say which with --lang"
        shop.do("templates set thanks --lang ru --subject Готово")
        assert shop.do("templates remove thanks --lang ru") == "template thanks (ru) is gone   (undo: crmmail undo)"
        assert [one["lang"] for one in shop.cli("templates --json").json] == ["en"]

    @pytest.mark.parametrize(
        ("line", "code", "error"),
        [
            ("templates add thanks --subject x -m y", 1, "there is a template thanks in en already"),
            ("templates add 'a b' --subject x -m y", 2, "'a b' is no name for a template"),
            ("templates add x --lang русский --subject x -m y", 2, "'русский' is no language"),
            ("templates add x -m y", 2, "a template needs a subject"),
            ("templates add x --subject x -m ' '", 2, "a template needs a subject"),
            ("templates add x --subject x -m y -f z", 2, "with -m or with -f"),
            ("templates add x --subject x -f /nothing/there", 1, "cannot read the text in /nothing/there"),
            ("templates show nothing", 1, "there is no template 'nothing'; templates: thanks"),
            ("templates show thanks --record 99", 1, "there is no record 99"),
            ("templates remove thanks --lang fr", 1, "there is no template thanks in fr; it is there in en"),
            ("templates set thanks --subject 'Done: {record.title}'", 1, "nothing to change"),
        ],
    )
    def test_what_is_refused(self, shop: Talk, line: str, code: int, error: str) -> None:
        shop.do([*ADD, "-m", TEXT])
        assert error in shop.refused(line, code=code)

    def test_only_an_admin_may(self, shop: Talk) -> None:
        shop.do([*ADD, "-m", TEXT])
        for line in ("add x --subject x -m y", "set thanks --subject x", "remove thanks"):
            assert "only an admin may" in shop.refused(f"templates {line}", "agent")
        assert shop.do("templates show thanks", "agent").startswith("thanks")

    def test_a_template_that_a_rule_mails_stays(self, shop: Talk) -> None:
        shop.do([*ADD, "-m", TEXT])
        with shop.open() as workspace, workspace.store.transaction():
            rules.put_rule(None, name="Thank you", spec={"mail": "thanks"}, changed=workspace.now())
        error = shop.refused("templates remove thanks")
        assert error == "rule 'Thank you' mails thanks: change or remove the rule first (crmmail rules)"


class TestPlaces:
    def test_an_unknown_one_is_an_error_that_lists_the_valid_ones(self, shop: Talk) -> None:
        error = shop.refused([*ADD, "-m", "Dear {Account.name}, {record.title}"], code=2)
        assert error.startswith("{Account.name} is no place in a template; there are {record.id}, {record.title}")
        assert error.endswith("{today}, {now}")
        assert shop.cli("templates --json").json == []

    def test_each_is_filled(self, shop: Talk) -> None:
        words = " | ".join(f"{{{one}}}" for one in templates.PLACES)
        shop.do(["templates", "add", "all", "--subject", "{record.id}", "-m", words])
        assert shop.cli("templates show all --record 1 --json").json["rendered_text"] == (
            "1 | Printer broken | case | draft | Support |  | normal | agent | 2026-11-26 12:00 | 2026-11-24 10:00 | "
            "Ana | ana@example.com |  | agent | agent@crm.test | support@crm.test | 2026-11-24 | 2026-11-24 10:00\n"
        )

    def test_the_table_is_what_is_filled(self, shop: Talk) -> None:
        from crmmail import render

        with shop.open() as workspace:
            assert tuple(render.known(templates.values(workspace, records.record(1)))) == templates.PLACES

    def test_dates_are_local(self, shop: Talk) -> None:
        shop.do(["templates", "add", "when", "--subject", "{today}", "-m", "{now}"])
        shop.environ(TZ="Pacific/Auckland")
        shown = shop.cli("templates show when --record 1 --json").json
        assert (shown["rendered_subject"], shown["rendered_text"]) == ("2026-11-24", "2026-11-24 23:00\n")

    def test_on_a_terminal_it_reads_like_the_mail(self, shop: Talk) -> None:
        shop.do([*ADD, "-m", TEXT])
        assert shop.do("templates show thanks --record 1").split("\n") == [
            "thanks  en", "Subject: Done: Printer broken", "", "Dear Ana,", "",
            "it is done. agent, support@crm.test, 2026-11-24",
        ]  # fmt: skip

    def test_what_an_older_template_says_wrongly_is_found(self, shop: Talk) -> None:
        from crmmail.store import tables

        shop.do([*ADD, "-m", TEXT])
        with shop.open() as workspace, workspace.store.transaction():
            assert templates.unknown_places(workspace) == {"thanks": ()}
            tables.Template.update(text="{record.colour}").execute()
            assert templates.unknown_places(workspace) == {"thanks": ("record.colour",)}
