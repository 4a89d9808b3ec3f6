"""Who a customer is: lookups at the helpdesk, their failures, and what waits meanwhile."""

import time

import pytest

from harness import gladly_webhook, wait_for

STARTED = "started conversation in Gladly"
CLOSED = "closed conversation in Gladly"
FLAG = "In Gladly Conversation"


def test_an_answer_is_remembered_for_the_next_webhooks(daemon, sandbox, gladly):
    gladly.customers["cust-1"] = ["jo@example.com"]
    for i in range(10):
        daemon.accepted("gladly", gladly_webhook("opened", f"conv-{i}"))
    sandbox.wait_events(10)
    assert gladly.asked("cust-1") == 1


def test_all_addresses_or_the_primary_one(stage, gladly):
    gladly.customers["cust-1"] = ["first@example.com", "second@example.com"]
    for choice, expected in (("all", {"first@example.com", "second@example.com"}), ("primary", {"first@example.com"})):
        sandbox = stage.sandbox()
        daemon = stage.daemon(sandbox, gladly, config={"sources": {"gladly": {"emails": choice}}})
        daemon.accepted("gladly", gladly_webhook("opened"))
        sandbox.wait_events(len(expected))
        daemon.accepted("gladly", gladly_webhook("closed"))
        sandbox.wait_events(2 * len(expected))
        assert {e["email"] for e in sandbox.events()} == expected


def test_a_merged_customer_is_found_under_the_new_id(daemon, sandbox, gladly):
    gladly.merged["cust-1"] = "cust-2"
    gladly.customers["cust-2"] = ["jo@example.com"]
    daemon.accepted("gladly", gladly_webhook("opened"))
    sandbox.wait_events(1, email="jo@example.com")


def test_an_unknown_customer_makes_a_dead_letter_and_stops_nobody(daemon, sandbox, gladly):
    gladly.customers["cust-2"] = ["jo@example.com"]
    daemon.accepted("gladly", gladly_webhook("opened", "conv-1", "nobody"))
    daemon.accepted("gladly", gladly_webhook("opened", "conv-2", "cust-2"))
    sandbox.wait_events(1)
    daemon.wait_log("dead letter.*webhook=0000000000000001.*404|404.*dead letter.*webhook=0000000000000001")
    assert [e["email"] for e in sandbox.events()] == ["jo@example.com"]


def test_a_webhook_without_a_customer_goes_on_without_an_address(daemon, sandbox, gladly):
    gladly.customers["cust-1"] = ["jo@example.com"]
    now = time.time()
    daemon.accepted("gladly", gladly_webhook("opened", "conv-1", None, at=now - 5))
    daemon.wait_metric("deskbridge_webhook_results_total", 1, source="gladly", result="no address")
    daemon.accepted("gladly", gladly_webhook("reopened", "conv-1", "cust-1", at=now))
    assert [e["metric"] for e in sandbox.wait_events(1)] == [STARTED]


@pytest.mark.parametrize(
    "answer",
    [
        (500, {}, {"error": "x"}),
        (503, {"Retry-After": "1"}, b""),
        (429, {"Retry-After": "1"}, {"error": "slow down"}),
        (200, {"Content-Type": "text/html"}, b"<html>maintenance</html>"),
        (200, {}, b""),
        (200, {}, b"{"),
    ],
    ids=["500", "503", "429", "html", "nothing", "half"],
)
def test_what_cannot_be_answered_now_is_asked_again_and_others_go_on(daemon, sandbox, gladly, answer):
    gladly.customers = {"cust-1": ["jo@example.com"], "cust-2": ["ann@example.com"]}
    gladly.answers["cust-1"] = answer
    now = time.time()
    daemon.accepted("gladly", gladly_webhook("opened", "conv-1", "cust-1", at=now - 2))
    daemon.accepted("gladly", gladly_webhook("closed", "conv-1", "cust-1", at=now - 1))
    gladly.wait_asked(1, "cust-1")
    daemon.accepted("gladly", gladly_webhook("opened", "conv-2", "cust-2"))
    sandbox.wait_events(1, email="ann@example.com")
    gladly.wait_asked(2, "cust-1")
    del gladly.answers["cust-1"]
    events = sandbox.wait_events(2, email="jo@example.com", timeout=40)
    assert [e["metric"] for e in events] == [STARTED, CLOSED]
    assert [e["profile_properties"][FLAG] for e in events] == [True, False]


def test_an_answer_of_ten_megabytes_makes_a_dead_letter_and_stops_nobody(daemon, sandbox, gladly):
    gladly.customers["cust-2"] = ["ann@example.com"]
    gladly.answers["cust-1"] = (200, {}, b"x" * (10 << 20))
    daemon.accepted("gladly", gladly_webhook("opened", "conv-1", "cust-1"))
    daemon.accepted("gladly", gladly_webhook("opened", "conv-2", "cust-2"))
    sandbox.wait_events(1, email="ann@example.com")
    daemon.wait_log("dead letter.*webhook=0000000000000001.*longer than")


def test_a_gladly_that_is_down_delays_but_keeps_order_and_flags(daemon, sandbox, gladly):
    gladly.customers = {f"cust-{i}": [f"jo-{i}@example.com"] for i in range(8)}
    gladly.down()
    now = time.time() - 20
    for step, kind in enumerate(("opened", "closed", "reopened")):
        for i in range(8):
            daemon.accepted("gladly", gladly_webhook(kind, f"conv-{i}", f"cust-{i}", at=now + step))
    daemon.wait_metric("deskbridge_lookups_total", 8, outcome="retry")
    gladly.up()
    sandbox.wait_for(lambda s: len(s.events()) == 24, timeout=40)
    for i in range(8):
        events = sandbox.events(email=f"jo-{i}@example.com")
        assert [e["profile_properties"][FLAG] for e in events] == [True, False, True]


def test_only_four_questions_are_under_way_and_one_a_customer(stage, sandbox, gladly):
    gladly.customers = {f"cust-{i}": [f"jo-{i}@example.com"] for i in range(12)}
    gladly.delay = 600
    daemon = stage.daemon(sandbox, gladly)
    for i in range(12):
        for conversation in ("a", "b"):
            daemon.accepted("gladly", gladly_webhook("opened", f"conv-{i}-{conversation}", f"cust-{i}"))
    gladly.wait_asked(4)
    assert wait_for(lambda: daemon.metric("deskbridge_webhooks_pending", source="gladly") == 24)
    assert gladly.asked() == 4
    gladly.delay = 0
    gladly.down().up()
    sandbox.wait_for(lambda s: len(s.events()) == 24)
    assert gladly.asked() == 4 + 12


def test_a_wrong_token_parks_lookups_and_the_right_one_lets_all_go(daemon, sandbox, gladly):
    gladly.customers = {f"cust-{i}": [f"jo-{i}@example.com"] for i in range(20)}
    gladly.token = "another token"
    for i in range(20):
        daemon.accepted("gladly", gladly_webhook("opened", f"conv-{i}", f"cust-{i}"))
    daemon.wait_log("parked")
    assert wait_for(lambda: daemon.metric("deskbridge_webhooks_pending", source="gladly") == 20)
    assert daemon.metric("deskbridge_lookups_parked", source="gladly") == 1
    assert 1 <= gladly.asked() <= 4
    assert sum("parked" in line for line in daemon.log()) == 1
    daemon.credential("gladly-api-token", "another token")
    sandbox.wait_for(lambda s: len(s.events()) == 20)
    assert daemon.metric("deskbridge_lookups_parked", source="gladly") == 0
    assert not any("another token" in line for line in daemon.log())


def test_neither_parked_lookups_nor_404_stop_a_closing_of_one_that_was_reached(stage, sandbox, gladly):
    gladly.customers = {"cust-1": ["jo@example.com"], "cust-2": ["ann@example.com"]}
    daemon = stage.daemon(sandbox, gladly)
    daemon.accepted("gladly", gladly_webhook("opened", "conv-1", "cust-1"))
    daemon.accepted("gladly", gladly_webhook("opened", "conv-2", "cust-2"))
    sandbox.wait_events(2)
    # Another definition's cache of 0s: nothing is remembered, so that the closings would have to ask again.
    daemon.configure({"sources": {"gladly": {"definition": {"lookup": NO_CACHE}}}})
    daemon.restart()
    del gladly.customers["cust-1"]
    daemon.accepted("gladly", gladly_webhook("closed", "conv-1", "cust-1"))
    sandbox.wait_for(lambda s: s.events(email="jo@example.com", metric=CLOSED))
    gladly.token = "another token"
    daemon.accepted("gladly", gladly_webhook("opened", "conv-3", "cust-3"))
    daemon.wait_log("parked")
    daemon.accepted("gladly", gladly_webhook("closed", "conv-2", "cust-2"))
    sandbox.wait_for(lambda s: s.events(email="ann@example.com", metric=CLOSED))


NO_CACHE = [
    {
        "url": "{base_url}/api/v1/customer-profiles/{/content/customerId}",
        "authenticate": "basic",
        "emails": "/emails/*/normalized",
        "primary": "/emails/*/primary",
        "moved": "/errors/0/meta/new",
        "cache": "0s",
    },
    {
        "url": "{base_url}/never-asked",
        "authenticate": "basic",
        "when": {"names": "never"},
        "take": {"agent": "/name", "inbox": "/name"},
    },
]


def test_without_a_cache_every_webhook_asks(stage, sandbox, gladly):
    gladly.customers["cust-1"] = ["jo@example.com"]
    daemon = stage.daemon(sandbox, gladly, config={"sources": {"gladly": {"definition": {"lookup": NO_CACHE}}}})
    for i in range(3):
        daemon.accepted("gladly", gladly_webhook("opened", f"conv-{i}"))
        sandbox.wait_events(i + 1)
    assert gladly.asked("cust-1") == 3
