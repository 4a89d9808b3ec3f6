"""Rules and account choices that look at the webhook itself, through the store and back."""

import time

from harness import gladly_webhook, key_of

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
    now = time.time() - 3 * 86400  # a closing so old is backfill, but where a rule says never
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
