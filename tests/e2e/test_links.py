# SPDX-License-Identifier: MIT
"""The conversation's URL is a link that people can follow, or is left out."""

import json

import pytest

from harness import desk_source

LINKS = [
    # (the desk's value, the event's property); None: the property is left out
    ("https://desk.example.org/our tickets/5?view=\"all\"", "https://desk.example.org/our%20tickets/5?view=%22all%22"),
    ("https://desk.example.org/a%20b?x=1&y=[2]#z", "https://desk.example.org/a%20b?x=1&y=[2]#z"),
    ("https://desk.example.org/100%", "https://desk.example.org/100%25"),
    ("HTTPS://Desk.example.org/T/5", "https://Desk.example.org/T/5"),
    ("https://bücher.example/täglich", "https://xn--bcher-kva.example/t%C3%A4glich"),
    ("\ufeffhttps://desk.example.org/5\u00a0", "https://desk.example.org/5"),
    ("desk.example.org/5", None),
    ("mailto:kim@example.org", None),
    ("javascript:alert(5)", None),
    ("https:///5", None),
    ("https://kim:geheim7@desk.example.org/5", None),
    ("https://kim@desk.example.org/5", None),
    ("https://desk.example.org/" + "x" * 4096, None),
    ("", None),
]


def generic(daemon, conversation, **more):
    body = {"transition": "opened", "conversation": conversation, "email": f"{conversation}@example.org", **more}
    assert daemon.post_proven("generic", body).json()["status"] == "accepted"


def properties(sandbox, conversation):
    (event,) = sandbox.wait_events(1, email=f"{conversation}@example.org")
    return event["properties"]


def test_the_conversations_url_is_a_link_or_left_out(stage, sandbox):
    daemon = stage.daemon(sandbox, config={"sources": {"generic": desk_source("generic")}})
    for i, (url, _) in enumerate(LINKS):
        generic(daemon, f"c{i}", url=url)
    for i, (url, link) in enumerate(LINKS):
        assert properties(sandbox, f"c{i}").get("Conversation URL") == link, url
    assert not any("geheim7" in line for line in daemon.log())


def test_a_value_inside_of_a_link_is_encoded_as_one_part(stage, sandbox):
    source = desk_source("generic", definition={"conversation_url": "https://desk.example.org/{/conversation}?of={/channel}"})
    daemon = stage.daemon(sandbox, config={"sources": {"generic": source}})
    generic(daemon, "a", channel="https://x.example/a b&c")
    assert properties(sandbox, "a")["Conversation URL"] == "https://desk.example.org/a?of=https%3A%2F%2Fx.example%2Fa%20b%26c"


def test_a_rules_link_is_one_or_left_out(stage, sandbox):
    rules = [
        "default",
        {"on": "opened", "send": "linked", "properties": {"Conversation URL": "https://in.example.org/our desk/{Channel}"}},
        {"on": "opened", "send": "started conversation in {label}", "properties": {"Conversation URL": "{Channel}"}},
    ]
    daemon = stage.daemon(sandbox, config={"sources": {"generic": desk_source("generic")}, "rules": rules})
    generic(daemon, "a", channel="x/y z", url="https://desk.example.org/own")
    events = {e["metric"]: e["properties"] for e in sandbox.wait_events(2, email="a@example.org")}
    assert events["linked"]["Conversation URL"] == "https://in.example.org/our%20desk/x%2Fy%20z"
    # The text in the rule is no URL, so the definition's link stays.
    assert events["started conversation in Helpdesk"]["Conversation URL"] == "https://desk.example.org/own"


@pytest.mark.parametrize(
    "url, why",
    [
        ("desk.example.org/5", "{/url} gives no absolute http or https URL"),
        ("https:///5", "{/url} gives a URL without a usable host"),
        ("https://kim:geheim7@desk.example.org/5", "{/url} gives a URL with a user or a password in it"),
        ("https://desk.example.org/" + "x" * 4096, "{/url} gives a URL of more than 4096 bytes"),
        (None, "nothing usable at /url"),
    ],
)
def test_explain_says_why_a_link_is_left_out(stage, tmp_path, url, why):
    daemon = stage.daemon(start=False, config={"sources": {"generic": desk_source("generic")}})
    body = {"transition": "opened", "conversation": "a", "email": "a@example.org", "url": url}
    (tmp_path / "body").write_text(json.dumps(body))
    shown = daemon.command("explain", "generic", tmp_path / "body").stdout
    assert f"  conversation_url: left out, {why}\n" in shown
    assert '"Conversation URL"' not in shown and "geheim7" not in shown.split("Event: ")[0]


def test_explain_says_why_a_link_out_of_a_lookup_is_left_out(stage, tmp_path):
    definition = {
        "conversation_url": "{app}/{/content/conversationId}",
        "lookup": [
            {
                "url": "{base_url}/{/content/customerId}",
                "authenticate": "basic",
                "emails": "/emails/*/normalized",
                "take": {"app": "/app", "agent": "/agent", "inbox": "/inbox"},
            }
        ],
    }
    daemon = stage.daemon(start=False, config={"sources": {"gladly": {"definition": definition}}})
    (tmp_path / "body").write_text(json.dumps({"type": "CONVERSATION/CREATED", "content": {"conversationId": "a", "customerId": "7"}}))
    for app, told in (
        ("desk.example.org", "{app}/{/content/conversationId} gives no absolute http or https URL"),
        ("https://desk.example.org", None),
    ):
        (tmp_path / "customer").write_text(json.dumps({"emails": [{"normalized": "a@example.org"}], "app": app}))
        ran = daemon.command("explain", "gladly", tmp_path / "body", "--customer", tmp_path / "customer")
        shown = ran.stdout
        assert ran.returncode == 0, ran.stderr
        assert "conversation_url: left out, nothing usable at app before the lookup\n" in shown
        if told:
            assert f"With the lookup\n  conversation_url: left out, {told}\n" in shown
        else:
            assert "With the lookup\n  conversation_url: https://desk.example.org/a\n" in shown
