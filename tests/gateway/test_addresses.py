"""Behaviour §2.6–10: aliases, virtual addresses, the catchall, the section, no route; and what is kept."""

from __future__ import annotations

import pytest
from conversation import Letter, Talk


class TestContactPolicy:
    def test_contacts(self, talk: Talk) -> None:
        talk.do("aliases set sales@crm.test --policy contacts")
        refused = talk.mail("ana@example.com", "sales@crm.test", "Let me in")
        assert refused.fates == [("quarantined", "not-allowed")]
        talk.do("contacts add Ana --email ana@example.com")
        assert talk.mail("ana@example.com", "sales@crm.test", "Now?").outcome == "stored"

    def test_followers_of_records_of_that_kind(self, talk: Talk) -> None:
        talk.do("aliases add internal@crm.test --kind case --policy followers")
        case = talk.do("new case Printer")
        card = talk.do("contacts add Ana --email ana@example.com")
        assert talk.mail("ana@example.com", "internal@crm.test", "Let me in").reason == "not-allowed"
        talk.do(f"follow {case} --who {card}")
        assert talk.mail("ana@example.com", "internal@crm.test", "Now?").outcome == "stored"
        talk.do(f"follow {case} --who expert@firm.example")
        assert talk.mail("expert@firm.example", "internal@crm.test", "Me too").outcome == "stored"

    def test_two_from_or_none_are_nobody(self, talk: Talk) -> None:
        talk.do("contacts add Ana --email ana@example.com")
        talk.do("aliases set sales@crm.test --policy contacts")
        raw = b"From: ana@example.com, bea@example.com\nTo: sales@crm.test\nSubject: Two\n\nHello.\n"
        assert talk.post(raw).reason == "not-allowed"


class TestAUsersAddress:
    def test_without_a_personal_alias_it_waits_for_him(self, talk: Talk) -> None:
        letter = talk.mail("ana@example.com", "agent@crm.test", "For you", "Personally.")
        assert letter.fates == [("quarantined", "user-address-new")]
        assert talk.heard("agent") == [(None, "Personally.")]
        assert talk.inbox("boss") == []

    def test_a_further_virtual_address_too(self, talk: Talk) -> None:
        talk.do("users set agent --address anna@crm.test")
        assert talk.mail("ana@example.com", "Anna+x@CRM.test", "For you").reason == "user-address-new"

    def test_with_his_personal_alias_it_is_his_record(self, talk: Talk) -> None:
        talk.do("aliases add agent@crm.test --kind case --user agent")
        letter = talk.mail("ana@example.com", "agent@crm.test", "For you", "Personally.")
        assert talk.field(letter.record, "responsible") == "agent"
        assert talk.heard("agent") == [(letter.record, "Personally.")]

    def test_nobody_elses_alias_lies_over_it(self, talk: Talk) -> None:
        assert "agent@crm.test is taken: it belongs to user agent" in talk.refused(
            "aliases add agent@crm.test --kind case"
        )


class TestOtherAddresses:
    def test_plus_tags_and_letter_case(self, talk: Talk) -> None:
        assert talk.mail("ana@example.com", "SALES+Spring@CRM.Test", "Hello").outcomes[0].kind == "lead"

    def test_an_alias_in_cc_counts(self, talk: Talk) -> None:
        letter = talk.mail("ana@example.com", "supplier@firm.example", "Complaint", cc="support@crm.test")
        assert letter.fates == [("stored", "alias")]

    def test_the_recipient_flag_counts_alone(self, talk: Talk) -> None:
        letter = talk.mail("ana@example.com", "support@crm.test", "Hello", flags="--recipient=sales@crm.test")
        assert [one.kind for one in letter.outcomes] == ["lead"]

    def test_x_original_to_counts(self, talk: Talk) -> None:
        letter = talk.mail(
            "ana@example.com", "list@other.example", "Hello", headers={"X-Original-To": "sales@crm.test"}
        )
        assert letter.outcomes[0].kind == "lead"

    def test_delivered_to_is_an_address_where_nothing_else_is(self, talk: Talk) -> None:
        letter = talk.mail("ana@example.com", "list@other.example", "Hello", headers={"Delivered-To": "sales@crm.test"})
        assert letter.outcomes[0].kind == "lead"

    def test_only_the_catchall(self, talk: Talk) -> None:
        talk.do("config set mail.catchall catchall@crm.test")
        both = talk.mail("ana@example.com", "catchall@crm.test", "Hello", cc="sales@crm.test")
        assert both.fates == [("stored", "alias")]
        alone = talk.mail("ana@example.com", "catchall@crm.test", "Hello")
        assert alone.fates == [("quarantined", "catchall-addressed")]

    def test_the_section_of_the_mailbox_is_the_last_resort(self, talk: Talk) -> None:
        assert talk.mail("ana@example.com", "jobs@crm.test", "A", flags="-s support").reason == "section"
        by_number = talk.mail("ana@example.com", "jobs@crm.test", "B", flags="-s1")
        assert talk.field(by_number.record, "section") == "support"
        by_alias = talk.mail("ana@example.com", "sales@crm.test", "C", flags="-s support")
        assert by_alias.outcomes[0].kind == "lead"

    def test_an_unknown_section(self, talk: Talk) -> None:
        letter = talk.mail("ana@example.com", "jobs@other.example", "Hello", flags="-s nonsense")
        assert letter.fates == [("quarantined", "no-section")]

    @pytest.mark.parametrize("to", ["jobs@crm.test", "somebody@other.example", "undisclosed-recipients:;"])
    def test_no_route(self, talk: Talk, to: str) -> None:
        raw = f"From: ana@example.com\nTo: {to}\nSubject: Hello\n\nHello.\n".encode()
        assert talk.post(raw).fates == [("quarantined", "no-route")]

    def test_a_retired_alias_makes_no_records(self, talk: Talk) -> None:
        talk.do("aliases remove sales@crm.test")
        assert talk.mail("ana@example.com", "sales@crm.test", "Hello").reason == "no-route"

    def test_nothing_is_taken_for_ours_outside_our_domains(self, talk: Talk) -> None:
        assert "lies in none of our domains" in talk.refused("aliases add sales@other.example --kind lead")


class TestAliasDefaults:
    def test_are_the_new_records_fields(self, talk: Talk) -> None:
        talk.do("categories add Gold --section support")
        talk.do(
            "aliases add vip@crm.test --kind case --section support "
            "--default priority=highest --default category=Gold --default responsible=boss"
        )
        made = talk.show(talk.mail("ana@example.com", "vip@crm.test", "Help").record)["record"]
        assert (made["priority"], made["category"], made["responsible"]) == (1, "Gold", "boss")

    def test_that_fit_no_more_keep_no_letter_out(self, talk: Talk) -> None:
        talk.do("users add bob --email bob@crm.test")
        talk.do("aliases set sales@crm.test --default responsible=bob --default priority=low")
        talk.do("users remove bob")
        letter = talk.mail("ana@example.com", "sales@crm.test", "Hello")
        assert letter.outcome == "stored"
        assert talk.field(letter.record, "priority") == 4
        assert "default responsible=bob of sales@crm.test does not fit" in talk.why(letter)

    def test_that_never_fit_are_refused(self, talk: Talk) -> None:
        talk.refused("aliases set sales@crm.test --default deadline=tomorrow", code=2)


class TestOriginals:
    def test_are_kept_exactly(self, talk: Talk, case: Letter) -> None:
        raw = case.raw.replace(b"\n", b"\r\n").replace(b"It burns.", b"It \xff\x00 burns.").replace(b"<m1@", b"<n1@")
        letter = talk.post(raw)
        assert talk.cli(f"show {letter.record} --raw").bytes == raw

    @pytest.mark.parametrize("how", ["alias", "flag"])
    def test_are_not_kept_where_nobody_wants_them(self, talk: Talk, how: str) -> None:
        if how == "alias":
            talk.do("aliases set sales@crm.test --no-keep-original")
        flags = "--no-keep-original" if how == "flag" else ""
        letter = talk.mail("ana@example.com", "sales@crm.test", "Hello", "Words.", flags=flags)
        assert "not kept" in talk.refused(f"show {letter.record} --raw")
        assert talk.words(letter.record) == ["Words."]

    def test_are_kept_in_quarantine_all_the_same(self, talk: Talk) -> None:
        letter = talk.mail("ana@example.com", "jobs@crm.test", "Hello", flags="--no-keep-original")
        assert talk.cli(f"quarantine show {letter.quarantine} --raw").bytes == letter.raw
