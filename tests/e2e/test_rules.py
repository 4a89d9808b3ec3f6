# SPDX-License-Identifier: MIT
"""Rules and account choices that look at the webhook itself, through the store and back."""

import json
import pathlib
import re
import textwrap
import time

import yaml

from harness import PRESETS, desk_source, gladly_webhook, key_of, prove

STARTED = "started conversation in Gladly"
CLOSED = "closed conversation in Gladly"


def test_a_rule_sees_the_header_that_it_asks_for(stage, gladly):
    sandbox = stage.sandbox()
    rules = [
        {"when": {"header:X-Spam": {"exists": True}}, "drop": "spam"},
        "default",
        {"on": "closed", "send": "closed via {header:X-Via}", "properties": {"Shop": "{query:shop}"}},
    ]
    daemon = stage.daemon(sandbox, gladly, config={"rules": rules})
    gladly.customers["cust-1"] = ["jo@example.com"]
    now = time.time() - 60
    daemon.accepted("gladly", gladly_webhook("opened", "spam", at=now), headers={"X-Spam": "1"})
    daemon.accepted("gladly", gladly_webhook("opened", "conv-1", at=now + 1))
    daemon.accepted(
        "gladly", gladly_webhook("closed", "conv-1", at=now + 2), headers={"x-via": "phone"}, query="shop=eu"
    )
    events = sandbox.wait_events(3)
    assert [e["metric"] for e in events] == [STARTED, CLOSED, "closed via phone"]
    assert events[2]["properties"]["Shop"] == "eu"


def test_two_rules_with_one_metric_make_one_event(stage, gladly):
    sandbox = stage.sandbox()
    rules = [
        "default",
        {
            "on": "closed",
            "send": "closed conversation in {label}",
            "properties": {"Reason": "any", "List": ["a", "b"]},
            "value": 1,
            "late": "never",
        },
        {
            "on": "closed",
            "send": CLOSED,
            "properties": {"Reason": "refund", "List": ["c"]},
            "profile": {"Refunded": True},
            "value": 12.5,
        },
    ]
    daemon = stage.daemon(sandbox, gladly, config={"rules": rules})
    gladly.customers["cust-1"] = ["jo@example.com"]
    now = time.time() - 3 * 86400  # a closing of this age is backfill unless a rule says never
    daemon.accepted("gladly", gladly_webhook("opened", "conv-1", at=now))
    daemon.accepted("gladly", gladly_webhook("closed", "conv-1", at=now + 2))
    daemon.accepted("gladly", gladly_webhook("opened", "conv-2", at=time.time() - 1))
    events = sandbox.wait_events(3)
    assert [e["metric"] for e in events] == [STARTED, CLOSED, STARTED]
    closed = events[1]
    assert closed["properties"]["Reason"] == "refund" and closed["properties"]["List"] == ["c"]
    assert closed["value"] == 12.5 and closed["backfill"] is False
    assert closed["profile_properties"] == {"In Gladly Conversation": False, "Refunded": True}


def test_the_account_is_chosen_by_a_header(stage, gladly):
    sandbox = stage.sandbox()
    accounts = {name: {"api_key": key_of(name), "url": sandbox.url} for name in ("b2b", "shop")}
    config = {
        "klaviyo": {"api_key": None, "url": None, "person_gap": None, "accounts": accounts},
        "sources": {
            "gladly": {"account": [{"when": {"header:X-Team": "wholesale"}, "use": "b2b"}, {"use": "shop"}]}
        },
    }
    daemon = stage.daemon(sandbox, gladly, config=config)
    gladly.customers["cust-1"] = ["jo@example.com"]
    now = time.time() - 60
    daemon.accepted("gladly", gladly_webhook("opened", "conv-1", at=now), headers={"X-Team": "Wholesale"})
    daemon.accepted("gladly", gladly_webhook("opened", "conv-2", at=now + 1))
    sandbox.wait_events(2)
    assert [e["properties"]["Conversation ID"] for e in sandbox.events(account="b2b")] == ["conv-1"]
    assert [e["properties"]["Conversation ID"] for e in sandbox.events(account="shop")] == ["conv-2"]


def test_the_rules_that_intercoms_setup_shows_keep_an_agents_messages_out(stage):
    sandbox = stage.sandbox()
    setup = yaml.safe_load(pathlib.Path(PRESETS, "intercom.yaml").read_text(encoding="utf-8"))["setup"]
    rules = textwrap.dedent(re.search(r"^( *)rules:\n(?:\1 .*\n)+", setup, re.MULTILINE).group(0))
    rules = yaml.safe_load(rules.replace("{on:", '{"on":'))  # YAML 1.1 reads a bare `on` as true
    source = desk_source("intercom", "http://127.0.0.1:9", **rules)  # the webhooks hold the address: there is no lookup
    daemon = stage.daemon(sandbox, config={"sources": {"intercom": source}})
    now = int(time.time()) - 600

    def post(topic, conversation, at, state):
        item = {"type": "conversation", "id": conversation, "created_at": now, "open": state == "open", "state": state}
        item["user"] = {"type": "user", "id": "u-1", "email": "jo@example.com"}
        body = {"topic": topic, "id": f"n-{conversation}-{at}", "created_at": at, "data": {"item": item}}
        body = json.dumps(body)
        headers, query = prove("intercom", body)
        daemon.accepted("intercom", body, headers=headers, query=query)

    post("conversation.admin.single.created", "message", now, "closed")
    daemon.wait_decided()
    assert sandbox.events() == []
    post("conversation.user.replied", "message", now + 60, "open")
    post("conversation.admin.closed", "message", now + 120, "closed")
    events = sandbox.wait_events(2)
    assert [e["metric"] for e in events] == ["started conversation in Intercom", "closed conversation in Intercom"]
