# SPDX-License-Identifier: MIT
"""From webhooks to events: flags over conversations and addresses, order, history, rules, late, several accounts."""

import itertools
import time

import pytest

from harness import TIMEOUT, gladly_webhook

STARTED = "started conversation in Gladly"
REOPENED = "reopened conversation in Gladly"
CLOSED = "closed conversation in Gladly"
FLAG = "In Gladly Conversation"


def metrics(sandbox, **where):
    return [event["metric"] for event in sandbox.events(**where)]


def test_opened_reopened_closed_set_the_flag(daemon, sandbox, gladly):
    gladly.customers["cust-1"] = ["jo@example.com"]
    now = time.time()
    for n, kind in enumerate(("opened", "closed", "reopened", "closed")):
        daemon.accepted("gladly", gladly_webhook(kind, at=now - 10 + n))
    events = sandbox.wait_events(4)
    assert [e["metric"] for e in events] == [STARTED, CLOSED, REOPENED, CLOSED]
    assert [e["profile_properties"][FLAG] for e in events] == [True, False, True, False]
    assert [e["properties"]["Open Conversations"] for e in events] == [1, 0, 1, 0]
    assert events[3]["properties"]["Reopen Count"] == 1
    assert events[3]["properties"]["Total Seconds"] == 3
    assert events[3]["properties"]["Resolution Seconds"] == 1
    assert all(e["properties"]["Event ID"] == e["unique_id"] for e in events)


@pytest.mark.parametrize("order", list(itertools.permutations(range(4))))
def test_two_conversations_of_a_customer_with_two_addresses_in_every_order_of_arrival(stage, gladly, order):
    """The flag stays true for both addresses until the second conversation closes, in any order of arrival."""
    sandbox = stage.sandbox()
    daemon = stage.daemon(sandbox, gladly)
    gladly.customers["cust-1"] = ["jo@example.com", "Jo.Private@Example.org"]
    now = time.time() - 60
    webhooks = [
        gladly_webhook("opened", "conv-1", at=now),
        gladly_webhook("opened", "conv-2", at=now + 1),
        gladly_webhook("closed", "conv-1", at=now + 2),
        gladly_webhook("closed", "conv-2", at=now + 3),
    ]
    both = {"jo@example.com", "jo.private@example.org"}

    def flags():
        return {sandbox.profiles().get(email, {}).get(FLAG) for email in both}

    open_now = set()
    for n in order:
        daemon.accepted("gladly", webhooks[n])
        conversation, kind = n % 2, n // 2
        if kind == 0 and not any(m == conversation + 2 for m in order[: order.index(n)]):
            open_now.add(conversation)
        if kind == 1:
            open_now.discard(conversation)
        expected = {bool(open_now)}
        sandbox.wait_for(lambda s: len(s.events()) == 2 * (order.index(n) + 1))
        assert flags() == expected
    assert flags() == {False}
    assert {event["email"] for event in sandbox.events()} == both


def test_an_opening_after_its_closing_goes_out_as_history(daemon, sandbox, gladly):
    gladly.customers["cust-1"] = ["jo@example.com"]
    now = time.time()
    daemon.accepted("gladly", gladly_webhook("closed", at=now - 5))
    daemon.accepted("gladly", gladly_webhook("opened", at=now - 10))
    events = sandbox.wait_events(2)
    assert [e["metric"] for e in events] == [CLOSED, STARTED]
    assert events[1]["backfill"] is True
    assert events[1]["profile_properties"][FLAG] is False


def test_an_old_opening_is_recorded_but_fires_nothing(daemon, sandbox, gladly):
    gladly.customers["cust-1"] = ["jo@example.com"]
    daemon.accepted("gladly", gladly_webhook("opened", at=time.time() - 3600))
    assert sandbox.wait_events(1)[0]["backfill"] is True
    assert sandbox.profiles()["jo@example.com"][FLAG] is True


def test_repeats_make_nothing_new(daemon, sandbox, gladly):
    gladly.customers["cust-1"] = ["jo@example.com"]
    now = time.time()
    for at in (now - 5, now - 5, now - 4):
        daemon.accepted("gladly", gladly_webhook("opened", at=at))
    daemon.accepted("gladly", gladly_webhook("closed", at=now))
    sandbox.wait_for(lambda s: CLOSED in metrics(s))
    assert metrics(sandbox) == [STARTED, CLOSED]


def test_events_of_a_person_keep_their_order_while_requests_fail(daemon, sandbox, gladly):
    gladly.customers = {f"cust-{i}": [f"jo-{i}@example.com"] for i in range(6)}
    sandbox.fault("status=503,every=3", "reset,every=7", "die,every=11")
    now = time.time() - 100
    for step, kind in enumerate(("opened", "closed", "reopened", "closed")):
        for i in range(6):
            daemon.accepted("gladly", gladly_webhook(kind, f"conv-{i}", f"cust-{i}", at=now + step))
    events = sandbox.wait_events(24, timeout=60)
    for i in range(6):
        assert metrics(sandbox, email=f"jo-{i}@example.com") == [STARTED, CLOSED, REOPENED, CLOSED]
    assert len({e["unique_id"] for e in events}) == 24


def test_one_rejected_event_stops_nobody_else(daemon, sandbox, gladly):
    gladly.customers = {"bad": ["bad@example.com"], "good": ["good@example.com"]}
    sandbox.fault("status=400,email=bad@example.com")
    daemon.accepted("gladly", gladly_webhook("opened", "conv-1", "bad"))
    daemon.accepted("gladly", gladly_webhook("opened", "conv-2", "good"))
    sandbox.wait_events(1, email="good@example.com")
    daemon.wait_metric("deskbridge_queue_events", 1, account="default", state="dead")
    sandbox.clear_faults()
    daemon.accepted("gladly", gladly_webhook("closed", "conv-1", "bad"))
    assert [e["metric"] for e in sandbox.wait_events(1, email="bad@example.com")] == [CLOSED]


def test_a_person_gap_lies_between_changes_of_the_flag(stage, sandbox, gladly):
    daemon = stage.daemon(sandbox, gladly, config={"klaviyo": {"person_gap": "1s"}})
    gladly.customers["cust-1"] = ["jo@example.com"]
    daemon.accepted("gladly", gladly_webhook("opened"))
    daemon.accepted("gladly", gladly_webhook("closed"))
    first, second = sandbox.wait_events(2)
    assert second["received_at"] - first["received_at"] >= 990


def test_no_address_is_made_good_when_one_comes(daemon, sandbox, gladly):
    gladly.customers["cust-1"] = ["not an address"]
    gladly.customers["cust-2"] = ["jo@example.com"]
    now = time.time()
    daemon.accepted("gladly", gladly_webhook("opened", "conv-1", "cust-1", at=now - 5))
    daemon.wait_metric("deskbridge_webhook_results_total", 1, source="gladly", result="no address")
    daemon.accepted("gladly", gladly_webhook("reopened", "conv-1", "cust-2", at=now))
    (event,) = sandbox.wait_events(1)
    assert event["metric"] == STARTED
    assert abs(time.mktime(time.strptime(event["time"], "%Y-%m-%dT%H:%M:%SZ")) - time.timezone - now + 5) < 2


@pytest.mark.parametrize(
    "address", ["", "jo", "@example.com", "jo@", "jo@x", "a b@example.com", "jo@exa mple.com", "jo@.com", "x" * 250 + "@e.com"]
)
def test_what_is_no_address_gets_no_event(daemon, sandbox, gladly, address):
    gladly.customers = {"bad": [address], "good": ["good@example.com"]}
    daemon.accepted("gladly", gladly_webhook("opened", "conv-1", "bad"))
    daemon.accepted("gladly", gladly_webhook("opened", "conv-2", "good"))
    sandbox.wait_events(1)
    # The two customers are looked up at the same time.
    daemon.wait_metric("deskbridge_webhook_results_total", 1, source="gladly", result="no address")
    daemon.wait_idle()
    assert list(sandbox.profiles()) == ["good@example.com"]
    assert daemon.metric("deskbridge_webhook_results_total", source="gladly", result="no address") == 1


def test_ignored_and_test_addresses(stage, sandbox, gladly):
    settings = {"ignore_emails": ["acme.com", "noreply@*"], "test_emails": ["qa@example.com"]}
    daemon = stage.daemon(sandbox, gladly, config={"sources": {"gladly": settings}})
    gladly.customers = {"1": ["jo@acme.com"], "2": ["noreply@example.com"], "3": ["qa@example.com"]}
    for i in gladly.customers:
        daemon.accepted("gladly", gladly_webhook("opened", f"conv-{i}", i))
    daemon.wait_metric("deskbridge_webhook_results_total", 2, source="gladly", result="ignored")
    daemon.wait_idle()
    (event,) = sandbox.wait_events(1)
    assert (event["email"], event["backfill"], event["properties"]["Test"]) == ("qa@example.com", True, True)


def test_rules_drop_and_add(stage, sandbox, gladly):
    rules = [
        {"when": {"Initiated By": "agent"}, "drop": "outbound"},
        "default",
        {"on": "closed", "send": "closed twice in {label}", "properties": {"Reason": "test"}},
    ]
    daemon = stage.daemon(sandbox, gladly, config={"rules": rules})
    gladly.customers = {"1": ["one@example.com"], "2": ["two@example.com"]}
    for kind in ("opened", "closed"):
        daemon.accepted("gladly", gladly_webhook(kind, "conv-1", "1", initiator="AGENT"))
        daemon.accepted("gladly", gladly_webhook(kind, "conv-2", "2", initiator="CUSTOMER"))
    sandbox.wait_for(lambda s: len(s.events(email="two@example.com")) == 3)
    daemon.wait_metric("deskbridge_webhook_results_total", 1, source="gladly", result="dropped")
    daemon.wait_idle()
    assert metrics(sandbox, email="two@example.com") == [STARTED, CLOSED, "closed twice in Gladly"]
    assert metrics(sandbox, email="one@example.com") == []


def test_a_metric_that_cannot_be_named_ends_one_webhook_only(stage, sandbox, gladly):
    rules = [
        {"on": "opened", "send": "opened in inbox {Inbox ID}"},
        {"on": ["reopened", "closed", "expired"], "send": "no longer new in {label}"},
    ]
    daemon = stage.daemon(sandbox, gladly, config={"rules": rules})
    gladly.customers = {"1": ["one@example.com"], "2": ["two@example.com"]}
    nameless = gladly_webhook("opened", "conv-1", "1")
    del nameless["content"]["context"]
    daemon.accepted("gladly", nameless)
    daemon.accepted("gladly", gladly_webhook("opened", "conv-2", "2"))
    assert metrics(sandbox.wait_for(lambda s: s.events() and s), email="two@example.com") == ["opened in inbox inbox-1"]
    daemon.wait_log("dead letter.*webhook=0000000000000001")
    daemon.wait_idle()
    assert metrics(sandbox, email="one@example.com") == []


def test_a_second_desk_holds_the_flag_that_both_share(stage, sandbox, gladly):
    desk = {
        "flag": "In Support Conversation",
        "definition": {
            "label": "Desk",
            "authenticate": {"method": "none"},
            "opened": {"/state": "open"},
            "closed": {"/state": "closed"},
            "conversation": "/id",
            "emails": "/email",
        },
    }
    shared = {"sources": {"gladly": {"flag": [FLAG, "In Support Conversation"]}, "desk": desk}}
    daemon = stage.daemon(sandbox, gladly, config=shared)
    gladly.customers["cust-1"] = ["jo@example.com"]
    daemon.accepted("gladly", gladly_webhook("opened"))
    daemon.accepted("desk", {"state": "open", "id": 1, "email": "Jo <JO@example.com>"}, auth=None)
    daemon.accepted("gladly", gladly_webhook("closed"))
    sandbox.wait_events(3)
    assert sandbox.profiles()["jo@example.com"] == {FLAG: False, "In Support Conversation": True}
    daemon.accepted("desk", {"state": "closed", "id": 1, "email": "jo@example.com"}, auth=None)
    sandbox.wait_events(4)
    assert sandbox.profiles()["jo@example.com"] == {FLAG: False, "In Support Conversation": False}


def test_the_account_is_chosen_at_the_opening_and_kept(stage, sandbox, gladly):
    accounts = {
        "api_key": None,
        "url": None,
        "person_gap": None,
        "accounts": {
            name: {"api_key": f"pk_sandbox_{name}_1", "url": sandbox.url, "person_gap": "0s"} for name in ("shop", "outlet")
        },
    }
    choose = [
        {"when": {"/content/context/assignee/inboxId": "outlet"}, "use": "outlet"},
        {"when": {"/content/context/assignee/inboxId": "spam"}, "use": "none"},
        {"use": "shop"},
    ]
    daemon = stage.daemon(sandbox, gladly, config={"klaviyo": accounts, "sources": {"gladly": {"account": choose}}})

    def webhook(kind, conversation, customer, inbox):
        body = gladly_webhook(kind, conversation, customer)
        body["content"]["context"]["assignee"]["inboxId"] = inbox
        return body

    gladly.customers = {"1": ["one@example.com"], "2": ["two@example.com"], "3": ["three@example.com"]}
    daemon.accepted("gladly", webhook("opened", "conv-1", "1", "outlet"))
    daemon.accepted("gladly", webhook("opened", "conv-2", "2", "other"))
    daemon.accepted("gladly", webhook("opened", "conv-3", "3", "spam"))
    for i, inbox in ((1, "other"), (2, "outlet"), (3, "other")):
        daemon.accepted("gladly", webhook("closed", f"conv-{i}", str(i), inbox))
    sandbox.wait_events(4)
    daemon.wait_idle()
    assert {(e["account"], e["email"]) for e in sandbox.events()} == {
        ("outlet", "one@example.com"),
        ("shop", "two@example.com"),
    }


def test_hold_queues_and_sends_nothing(stage, sandbox, gladly):
    """A later event of another account shows that there was time to send."""
    other = stage.sandbox()
    accounts = {
        "held": {"api_key": {"credential": "klaviyo-api-key"}, "url": sandbox.url, "person_gap": "0s", "hold": True},
        "other": {"api_key": {"credential": "klaviyo-api-key"}, "url": other.url, "person_gap": "0s"},
    }
    choose = [{"when": {"/content/conversationId": "for-other"}, "use": "other"}, {"use": "held"}]
    klaviyo = {"api_key": None, "url": None, "person_gap": None, "accounts": accounts}
    daemon = stage.daemon(sandbox, gladly, config={"klaviyo": klaviyo, "sources": {"gladly": {"account": choose}}})
    gladly.customers = {"cust-1": ["jo@example.com"], "cust-2": ["ann@example.com"]}
    daemon.accepted("gladly", gladly_webhook("opened"))
    daemon.wait_decided()
    daemon.accepted("gladly", gladly_webhook("opened", "for-other", "cust-2"))
    other.wait_events(1)
    daemon.wait_metric("deskbridge_queue_events", 1, account="held", state="ready")
    assert sandbox.requests() == 0
    daemon.configure({"klaviyo": {"accounts": {"held": {"hold": False}}}})
    daemon.reload()
    sandbox.wait_events(1)


def test_an_outage_of_klaviyo_loses_and_doubles_nothing(daemon, sandbox, gladly):
    gladly.customers = {f"cust-{i}": [f"jo-{i}@example.com"] for i in range(10)}
    sandbox.stop()
    for i in range(10):
        daemon.accepted("gladly", gladly_webhook("opened", f"conv-{i}", f"cust-{i}"))
    daemon.wait_metric("deskbridge_deliveries_total", 10, outcome="retry")
    sandbox.start()
    sandbox.wait_for(lambda s: len(s.events()) == 10, timeout=60)
    assert len(sandbox.all_events()) == 10


def test_a_throttled_account_waits_as_told(daemon, sandbox, gladly):
    gladly.customers["cust-1"] = ["jo@example.com"]
    sandbox.fault("status=429,retry-after=2,first=1")
    began = time.monotonic()
    daemon.accepted("gladly", gladly_webhook("opened"))
    sandbox.wait_events(1)
    assert 1.9 < time.monotonic() - began < TIMEOUT / 2  # not a minute, as after a 429 without Retry-After
    assert sandbox.requests() == 2


def test_a_wrong_key_parks_and_the_right_one_lets_all_go(daemon, sandbox, gladly):
    gladly.customers = {f"cust-{i}": [f"jo-{i}@example.com"] for i in range(20)}
    sandbox.fault("status=401")
    for i in range(20):
        daemon.accepted("gladly", gladly_webhook("opened", f"conv-{i}", f"cust-{i}"))
    daemon.wait_log("parked")
    daemon.wait_metric("deskbridge_queue_events", 20, account="default", state="ready")
    assert daemon.metric("deskbridge_account_parked", account="default") == 1
    assert 1 <= sandbox.requests() <= 16
    assert sum("parked" in line and "warn" in line for line in daemon.log()) == 1
    assert daemon.api("/readyz").status == 200
    sandbox.clear_faults()
    daemon.credential("klaviyo-api-key", "pk_default_new")
    sandbox.wait_for(lambda s: len(s.events()) == 20)
    assert daemon.metric("deskbridge_account_parked", account="default") == 0
    daemon.wait_log("a secret changed: credential klaviyo-api-key")
    assert not any("pk_" in line for line in daemon.log())


def test_addresses_in_the_log_are_masked(daemon, sandbox, gladly):
    gladly.customers = {"1": ["secret.person@example.com"], "2": ["not an address at all@example.com"]}
    sandbox.fault("status=400,email=secret.person@example.com")
    daemon.accepted("gladly", gladly_webhook("opened", "conv-1", "1"))
    daemon.accepted("gladly", gladly_webhook("opened", "conv-2", "2"))
    daemon.wait_metric("deskbridge_queue_events", 1, state="dead")
    daemon.wait_idle()
    assert not any("secret.person" in line for line in daemon.log())
