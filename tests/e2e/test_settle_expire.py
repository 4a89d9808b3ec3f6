# SPDX-License-Identifier: MIT
"""Transitions that do not last, and conversations that last too long."""

import time

from harness import HOUR, gladly_webhook, wait_for

STARTED = "started conversation in Gladly"
REOPENED = "reopened conversation in Gladly"
CLOSED = "closed conversation in Gladly"
FLAG = "In Gladly Conversation"


def settled(stage, sandbox, gladly, clock=None, **settle):
    gladly.customers = {f"cust-{i}": [f"jo-{i}@example.com"] for i in range(9)}
    return stage.daemon(sandbox, gladly, config={"sources": {"gladly": {"settle": settle}}}, env=clock and clock.env)


def test_an_opening_counts_only_once_it_has_lasted(stage, sandbox, gladly):
    daemon = settled(stage, sandbox, gladly, open="2s")
    began = time.monotonic()
    daemon.accepted("gladly", gladly_webhook("opened", "conv-1", "cust-1"))
    (event,) = sandbox.wait_events(1)
    assert time.monotonic() - began > 1.9
    assert event["metric"] == STARTED and event["backfill"] is False


def test_a_shorter_settle_counts_for_what_is_held_already(stage, sandbox, gladly):
    daemon = settled(stage, sandbox, gladly, open="1h")
    daemon.accepted("gladly", gladly_webhook("opened", "conv-1", "cust-1"))
    wait_for(lambda: daemon.webhooks()[0]["wait"] == "settle")
    daemon.configure({"sources": {"gladly": {"settle": {"open": "0s"}}}})
    daemon.reload()
    (event,) = sandbox.wait_events(1)
    assert event["metric"] == STARTED


def test_a_reload_that_reads_another_conversation_leaves_nobody_behind(stage, sandbox, gladly):
    """A webhook waits for others by the conversation that was stored with it, so they wake it."""
    daemon = settled(stage, sandbox, gladly, open="1h")

    def read_anew(changes):
        since = daemon.mark()
        daemon.configure({"sources": {"gladly": changes}})
        daemon.reload()
        daemon.wait_log("configuration was read anew", since)

    def held(n, conversation, thread):
        webhook = gladly_webhook("opened", conversation, f"cust-{n}")
        webhook["content"]["thread"] = thread
        daemon.accepted("gladly", webhook)
        wait_for(lambda: len(daemon.webhooks()) == n and daemon.webhooks()[-1]["wait"] == "settle")

    held(1, "conv-1", "thread-1")
    read_anew({"definition": {"conversation": ["/content/thread", "/content/conversationId"]}})
    held(2, "conv-1", "thread-2")
    read_anew({"definition": None})
    held(3, "conv-3", "thread-3")  # the second is read as a webhook of conv-1 now
    read_anew({"settle": None})
    daemon.wait_idle()
    assert {event["email"] for event in sandbox.events()} >= {"jo-1@example.com", "jo-3@example.com"}


def test_a_reopening_that_is_closed_at_once_is_nothing(stage, sandbox, gladly):
    daemon = settled(stage, sandbox, gladly, open="1h")
    now = time.time()
    # The opening is older than its settle time, so it counts at once. Closings have no settle time here.
    daemon.accepted("gladly", gladly_webhook("opened", "conv-1", "cust-1", at=now - 9000))
    daemon.accepted("gladly", gladly_webhook("closed", "conv-1", "cust-1", at=now - 100))
    daemon.accepted("gladly", gladly_webhook("reopened", "conv-1", "cust-1", at=now - 50))
    daemon.accepted("gladly", gladly_webhook("closed", "conv-1", "cust-1", at=now - 40))
    daemon.accepted("gladly", gladly_webhook("opened", "conv-2", "cust-2", at=now - 4000))
    sandbox.wait_events(1, email="jo-2@example.com")
    daemon.wait_metric("deskbridge_webhook_results_total", 2, source="gladly", result="settled")
    daemon.wait_idle()
    assert [e["metric"] for e in sandbox.events(email="jo-1@example.com")] == [STARTED, CLOSED]
    assert daemon.metric("deskbridge_webhook_results_total", source="gladly", result="settled") == 2


def test_a_conversation_that_is_closed_at_once_is_nothing(stage, sandbox, gladly):
    daemon = settled(stage, sandbox, gladly, open="1h")
    now = time.time()
    daemon.accepted("gladly", gladly_webhook("opened", "conv-1", "cust-1", at=now - 60))
    daemon.accepted("gladly", gladly_webhook("closed", "conv-1", "cust-1", at=now - 30))
    # An opening that lasts, and a closing without a known opening, give events.
    daemon.accepted("gladly", gladly_webhook("opened", "conv-2", "cust-2", at=now - 4000))
    daemon.accepted("gladly", gladly_webhook("closed", "conv-3", "cust-3", at=now - 10))
    sandbox.wait_events(1, email="jo-2@example.com")
    sandbox.wait_events(1, email="jo-3@example.com")
    daemon.wait_metric("deskbridge_webhook_results_total", 2, source="gladly", result="settled")
    daemon.wait_idle()
    assert sandbox.events(email="jo-1@example.com") == []
    assert daemon.metric("deskbridge_webhook_results_total", source="gladly", result="settled") == 2


def test_a_closing_that_is_reopened_at_once_is_nothing(stage, sandbox, gladly):
    daemon = settled(stage, sandbox, gladly, close="1h")
    now = time.time()
    daemon.accepted("gladly", gladly_webhook("opened", "conv-1", "cust-1", at=now - 100))
    sandbox.wait_events(1)
    daemon.accepted("gladly", gladly_webhook("closed", "conv-1", "cust-1", at=now - 50))
    daemon.accepted("gladly", gladly_webhook("reopened", "conv-1", "cust-1", at=now - 40))
    daemon.wait_metric("deskbridge_webhook_results_total", 2, source="gladly", result="settled")
    daemon.wait_idle()
    assert [e["metric"] for e in sandbox.events()] == [STARTED]
    assert sandbox.profiles()["jo-1@example.com"][FLAG] is True


def test_a_held_one_survives_a_restart_and_holds_no_other_conversation(stage, sandbox, gladly, clock):
    daemon = settled(stage, sandbox, gladly, clock, open="1h")
    daemon.accepted("gladly", gladly_webhook("opened", "conv-1", "cust-1"))
    daemon.accepted("gladly", gladly_webhook("opened", "conv-2", "cust-1", at=time.time() - 2 * HOUR))
    assert [e["properties"]["Conversation ID"] for e in sandbox.wait_events(1)] == ["conv-2"]
    daemon.kill9()
    daemon.restart()
    clock.jump(HOUR)
    assert [e["properties"]["Conversation ID"] for e in sandbox.wait_events(2)] == ["conv-2", "conv-1"]


def test_an_opening_older_than_a_held_closing_goes_first(stage, sandbox, gladly, clock):
    daemon = settled(stage, sandbox, gladly, clock, close="1h")
    now = time.time()
    daemon.accepted("gladly", gladly_webhook("closed", "conv-1", "cust-1", at=now))
    daemon.accepted("gladly", gladly_webhook("opened", "conv-1", "cust-1", at=now - 60))
    events = sandbox.wait_events(1)
    assert [e["metric"] for e in events] == [STARTED]
    assert events[0]["profile_properties"][FLAG] is True and events[0]["backfill"] is False
    clock.jump(HOUR)
    assert [e["metric"] for e in sandbox.wait_events(2)] == [STARTED, CLOSED]


def test_a_conversation_open_too_long_expires(stage, sandbox, gladly):
    gladly.customers["cust-1"] = ["jo@example.com"]
    daemon = stage.daemon(sandbox, gladly, config={"sources": {"gladly": {"expire_after": "2s"}}})
    began = time.monotonic()
    daemon.accepted("gladly", gladly_webhook("opened"))
    events = sandbox.wait_events(2)
    assert time.monotonic() - began > 1.9
    assert [e["metric"] for e in events] == [STARTED, CLOSED]
    assert events[1]["properties"]["Reason"] == "expired"
    assert events[1]["backfill"] is True
    assert events[1]["profile_properties"][FLAG] is False
    # A later webhook gives an event again.
    daemon.accepted("gladly", gladly_webhook("reopened"))
    assert sandbox.wait_events(3)[2]["metric"] == REOPENED


def test_what_expired_while_the_daemon_was_down_expires_at_start(stage, sandbox, gladly):
    gladly.customers = {f"cust-{i}": [f"jo-{i}@example.com"] for i in range(40)}
    daemon = stage.daemon(sandbox, gladly, config={"sources": {"gladly": {"expire_after": "1s"}}})
    daemon.configure({"sources": {"gladly": {"expire_after": "30d"}}})
    daemon.restart()
    for i in range(40):
        daemon.accepted("gladly", gladly_webhook("opened", f"conv-{i}", f"cust-{i}"))
    sandbox.wait_events(40)
    daemon.configure({"sources": {"gladly": {"expire_after": "1s"}}})
    daemon.restart()
    sandbox.wait_events(80)
    assert not any(properties[FLAG] for properties in sandbox.profiles().values())
