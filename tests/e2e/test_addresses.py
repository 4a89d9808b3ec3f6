# SPDX-License-Identifier: MIT
"""The customer's address: the forms in which it is read, and how a value that is no address is counted, logged and
shown."""

import json

import pytest

from harness import desk_source

REFUSED = "deskbridge_addresses_refused_total"


@pytest.fixture
def desk(stage, sandbox):
    return stage.daemon(sandbox, config={"sources": {"generic": desk_source("generic")}})


def opened(daemon, conversation, email):
    body = {"transition": "opened", "conversation": conversation, "email": email}
    assert daemon.post_proven("generic", body).json()["status"] == "accepted"


FORMS = {
    "mailto:Mira@example.org": ["mira@example.org"],
    "MAILTO:mira%2Bdesk@example.org?subject=Hello, you": ["mira+desk@example.org"],
    "mira@example.org.": ["mira@example.org"],
    "\u00a0mira@example.org\u200b": ["mira@example.org"],
    "\ufeffMira <\u2060mira@example.org\u00ad>": ["mira@example.org"],
    "mira@example.org, tom@example.org": ["mira@example.org", "tom@example.org"],
    "mira@example.org; tom@example.org;": ["mira@example.org", "tom@example.org"],
    '"Berg, Mira" <mira@example.org>, tom@example.org': ["mira@example.org", "tom@example.org"],
    "Berg, Mira <mira@example.org>": ["mira@example.org"],
}


def test_addresses_are_read_in_every_form_in_which_they_are_pasted(desk, sandbox):
    for i, text in enumerate(FORMS):
        opened(desk, f"c{i}", text)
    sandbox.wait_events(sum(len(found) for found in FORMS.values()))
    for i, (text, found) in enumerate(FORMS.items()):
        events = [e for e in sandbox.events() if e["properties"]["Conversation ID"] == f"c{i}"]
        assert sorted(e["email"] for e in events) == found, text
    assert not any(name == REFUSED for name, _ in desk.metrics())


def test_what_is_no_address_is_counted_by_its_reason_and_logged_once_a_minute(desk):
    texts = {
        "+49 170 5550123": "no at sign",
        "mira@intranet": "no domain dot",
        "mira berg@example.org": "bad character",
        "mira@@example.org": "several at signs",
        "mira" + "x" * 250 + "@example.org": "too long",
        "<mira@example.org> Mira": "bad brackets",
        "mailto:mira%zz@example.org": "bad URL",
        "mira@exa_mple.org": "bad domain",
        "@example.org": "nothing before the at sign",
    }
    for i, text in enumerate(texts):
        opened(desk, f"c{i}", text)
    for empty in (None, "", " \u00a0", []):
        opened(desk, f"empty {empty}", empty)
    desk.wait_metric("deskbridge_webhook_results_total", len(texts) + 4, source="generic", result="no address")
    for reason in texts.values():
        assert desk.metric(REFUSED, source="generic", reason=reason) == 1, reason
    assert desk.metric(REFUSED) == len(texts)
    for reason in texts.values():
        found = desk.wait_log(rf'a text is no address and was passed over: .* reason="?{reason}"?')
        assert "source=generic" in found.string and "webhook=" in found.string
    opened(desk, "again", "+49 170 5550124")
    desk.wait_metric(REFUSED, 2, source="generic", reason="no at sign")
    log = "\n".join(desk.log())
    assert log.count('reason="no at sign"') == 1
    assert "m***@intranet" in log and "5550123" not in log and "berg@" not in log


def test_addresses_beyond_the_most_are_counted_and_logged(desk, sandbox):
    opened(desk, "c", [f"p{i}@example.org" for i in range(40)])
    sandbox.wait_events(32)
    assert desk.metric(REFUSED, source="generic", reason="too many") == 8
    found = desk.wait_log("8 addresses were left out: a customer has at most 32 here")
    assert "source=generic" in found.string and "conversation=c" in found.string
    assert len(sandbox.events()) == 32


def test_what_a_helpdesk_answers_is_counted_too(stage, sandbox, gladly):
    daemon = stage.daemon(sandbox, gladly)
    gladly.customers["cust-1"] = {
        "id": "cust-1",
        "emails": [{"normalized": "mira@intranet"}, {"normalized": "mira@example.org"}, {"normalized": ""}],
    }
    body = {
        "type": "CONVERSATION/CREATED",
        "id": "e-1",
        "timestamp": "2026-11-20T10:00:00Z",
        "content": {"conversationId": "c", "customerId": "cust-1"},
    }
    assert daemon.post("gladly", body).json()["status"] == "accepted"
    sandbox.wait_events(1, email="mira@example.org")
    assert daemon.metric(REFUSED, source="gladly", reason="no domain dot") == 1
    daemon.wait_log(r'passed over: m\*\*\*@intranet source=gladly reason="no domain dot"')


def test_explain_shows_what_is_no_address_masked_with_its_reason(stage, tmp_path):
    daemon = stage.daemon(start=False, config={"sources": {"generic": desk_source("generic")}})
    emails = ["mira@intranet, +49 170 5550123", "tom@example.org", *(f"p{i}@example.org" for i in range(40))]
    body = {"transition": "opened", "conversation": "c", "email": emails}
    (tmp_path / "body").write_text(json.dumps(body))
    shown = daemon.command("explain", "generic", tmp_path / "body").stdout
    assert "  emails: no address: *** (no at sign), m***@intranet (no domain dot)\n" in shown
    assert "  emails: 9 more than the 32 that count are left out\n" in shown
    assert "5550123" not in shown and "mira" not in shown
    body["email"] = "mira@intranet"
    (tmp_path / "body").write_text(json.dumps(body))
    shown = daemon.command("explain", "generic", tmp_path / "body").stdout
    assert "Result: no address: no well-formed address came with it, but m***@intranet (no domain dot)\n" in shown


def test_explain_shows_what_of_an_answer_is_no_address(stage, tmp_path):
    daemon = stage.daemon(start=False)
    body = {"type": "CONVERSATION/CREATED", "content": {"conversationId": "c", "customerId": "7"}}
    (tmp_path / "body").write_text(json.dumps(body))
    (tmp_path / "customer").write_text(json.dumps({"emails": [{"normalized": "mira@intranet"}, {"normalized": "tom@example.org"}]}))
    shown = daemon.command("explain", "gladly", tmp_path / "body", "--customer", tmp_path / "customer").stdout
    assert "  found tom@example.org\n  no address: m***@intranet (no domain dot)\n" in shown
