# SPDX-License-Identifier: MIT
"""Lookups of a customer at the helpdesk, their failures, and the webhooks that wait meanwhile."""

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


def test_an_unknown_customer_ends_without_an_address_and_the_next_webhook_makes_it_good(daemon, clock, sandbox, gladly):
    gladly.customers = {"cust-2": ["jo@example.com"], "cust-3": ["ann@example.com"]}
    now = time.time()
    daemon.accepted("gladly", gladly_webhook("opened", "conv-2", "cust-2"))
    sandbox.wait_events(1, email="jo@example.com")
    daemon.accepted("gladly", gladly_webhook("opened", "conv-1", "merged-away", at=now - 5))
    daemon.wait_log("a webhook waits for its lookup.*webhook=0000000000000002.*404")
    (waiting,) = wait_for(lambda: [w for w in daemon.api("/api/webhooks?state=pending").json() if w["wait"] == "retry"])
    assert waiting["asked"] == 1 and "404" in waiting["reason"] and waiting["not_before"]
    daemon.accepted("gladly", gladly_webhook("opened", "conv-3", "cust-2"))
    sandbox.wait_events(2, email="jo@example.com")
    # A customer is looked up three times, again after 10 s and after 30 s, as the API may know a customer later than
    # the webhook.
    clock.jump(10)
    wait_for(lambda: [w["asked"] for w in daemon.api("/api/webhooks?state=pending").json()] == [2])
    clock.jump(30)
    daemon.wait_metric("deskbridge_webhook_results_total", 1, source="gladly", result="no address")
    assert gladly.asked("merged-away") == 3
    assert daemon.webhooks()[1]["reason"].startswith("no address: lookup: ")
    daemon.accepted("gladly", gladly_webhook("reopened", "conv-1", "cust-3", at=now))
    assert [e["metric"] for e in sandbox.wait_events(1, email="ann@example.com")] == [STARTED]
    assert daemon.metric("deskbridge_webhook_results_total", source="gladly", result="dead") == 0


def test_no_such_customer_is_not_believed_before_a_lookup_has_worked(stage, sandbox, gladly):
    """base_url has a path too much, so every customer gets 404 in JSON. When it is corrected, all events are
    delivered."""
    gladly.customers = {f"cust-{n}": [f"jo-{n}@example.com"] for n in range(5)}
    lookup = {"base_url": gladly.url + "/oops"}
    daemon = stage.daemon(sandbox, gladly, start=False)
    base = dict(daemon.config["sources"]["gladly"]["lookup"])
    daemon.configure({"sources": {"gladly": {"lookup": {**base, **lookup}}}})
    daemon.start()
    for n in range(5):
        daemon.accepted("gladly", gladly_webhook("opened", f"conv-{n}", f"cust-{n}"))
    daemon.wait_log('lookups are parked.*base_url.*source=gladly reason=.*404')
    daemon.wait_metric("deskbridge_webhooks_pending", 5, source="gladly", reason="parked")
    assert sum("parked" in line and "warning" in line for line in daemon.log()) == 1
    daemon.configure({"sources": {"gladly": {"lookup": base}}})
    daemon.reload()
    sandbox.wait_for(lambda s: len(s.events()) == 5)
    # The store keeps that a lookup has worked: after a restart a 404 means an unknown customer.
    daemon.restart()
    daemon.accepted("gladly", gladly_webhook("opened", "conv-9", "nobody"))
    daemon.wait_log("a webhook waits for its lookup, which is asked again.*404")
    assert daemon.metric("deskbridge_lookups_parked", source="gladly") == 0


@pytest.mark.parametrize(
    "answer",
    [
        (404, {"Content-Type": "text/html"}, b"<html>no such site</html>"),
        (302, {"Location": "/login"}, b""),
        (200, {"Content-Type": "text/html"}, b"<html>maintenance</html>"),
        (403, {}, {"error": "no"}),
        (405, {}, b""),
    ],
    ids=["typo", "login", "maintenance", "403", "405"],
)
def test_what_concerns_every_customer_kills_no_webhook_and_a_reload_lets_all_go(daemon, sandbox, gladly, answer):
    gladly.customers = {f"cust-{n}": [f"jo-{n}@example.com"] for n in range(8)}
    gladly.answers = {customer: answer for customer in gladly.customers}
    for n in range(8):
        daemon.accepted("gladly", gladly_webhook("opened", f"conv-{n}", f"cust-{n}"))
    daemon.wait_log("lookups are parked")
    wait_for(lambda: all(gladly.asked(customer) for customer in gladly.customers))
    daemon.wait_metric("deskbridge_webhooks_pending", 8, source="gladly")
    gladly.answers = {}
    daemon.reload()
    sandbox.wait_for(lambda s: len(s.events()) == 8)
    daemon.wait_log("lookups are answered again")


def test_three_odd_customers_stop_nobody_who_was_not_asked_about_yet(daemon, sandbox, gladly):
    gladly.answers = {f"odd-{n}": (403, {}, {}) for n in range(4)}
    gladly.customers = {"cust-1": ["jo@example.com"], "cust-2": ["ann@example.com"]}
    for n in range(4):
        daemon.accepted("gladly", gladly_webhook("opened", f"conv-odd-{n}", f"odd-{n}"))
    daemon.wait_log("lookups are parked.*403")
    daemon.accepted("gladly", gladly_webhook("opened", "conv-1", "cust-1"))
    sandbox.wait_events(1, email="jo@example.com")
    daemon.accepted("gladly", gladly_webhook("opened", "conv-2", "cust-2"))
    sandbox.wait_events(1, email="ann@example.com")


def test_a_pause_of_an_hour_is_logged_and_shown(daemon, gladly):
    gladly.status["*"], gladly.retry_after = 429, "99999999999"
    daemon.accepted("gladly", gladly_webhook("opened"))
    until = daemon.wait_log("lookups are paused until ([0-9TZ:-]+) by Retry-After").group(1)
    source = wait_for(lambda: (s := daemon.api("/api/status").json()["sources"][0]).get("parked") and s)
    assert source["parked"] == f"paused until {until} by Retry-After"
    at = time.mktime(time.strptime(until, "%Y-%m-%dT%H:%M:%SZ")) - time.timezone
    assert 3500 < at - time.time() < 3601
    shown = daemon.command("status", "--admin", daemon.admin).stdout
    assert f"lookups paused until {until} by Retry-After" in shown
    assert any("an hour, to which longer waits are cut" in line for line in daemon.log())
    gladly.status.clear()
    daemon.reload()
    daemon.wait_log("notice the lookups' pause ends early, by a reload.*source=gladly")


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


def test_an_answer_of_ten_megabytes_is_asked_for_again_and_stops_nobody(daemon, sandbox, gladly):
    gladly.customers["cust-1"] = ["jo@example.com"]
    gladly.customers["cust-2"] = ["ann@example.com"]
    gladly.answers["cust-1"] = (200, {}, b"x" * (10 << 20))
    daemon.accepted("gladly", gladly_webhook("opened", "conv-1", "cust-1"))
    daemon.accepted("gladly", gladly_webhook("opened", "conv-2", "cust-2"))
    sandbox.wait_events(1, email="ann@example.com")
    daemon.wait_log("a webhook waits for its lookup.*webhook=0000000000000001.*longer than")
    gladly.answers = {}
    sandbox.wait_events(1, email="jo@example.com", timeout=40)


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
    gladly.release()
    sandbox.wait_for(lambda s: len(s.events()) == 24)
    assert gladly.asked() == 12


def test_what_mends_a_wrong_password_is_told_for_the_place_where_it_stands(stage, sandbox, gladly):
    wrong = "a-wrong-password"
    for place, words in (
        ({"credential": "wrong"}, r"in the credential wrong \(\S+/credentials/wrong\), which is read again as soon as it changes; "),
        (wrong, r"in the configuration \S+/deskbridge\.yaml, then reload; "),
        ({"env": "DESK_PASSWORD"}, "in the environment variable DESK_PASSWORD, then restart; "),
    ):
        lookup = {"password": {"credential": None}} if place == wrong else {"password": {"credential": None, **place}}
        daemon = stage.daemon(sandbox, gladly, config={"sources": {"gladly": {"lookup": lookup}}}, start=False, env={"DESK_PASSWORD": wrong})
        daemon.credential("wrong", wrong)
        if place == wrong:
            daemon.configure({"sources": {"gladly": {"lookup": {"password": wrong}}}})
        daemon.start()
        daemon.accepted("gladly", gladly_webhook("opened"))
        daemon.wait_log(f"lookups are parked, .*: put the right credentials {words}deskbridge asks again by itself")
        daemon.stop()


def test_a_wrong_token_parks_lookups_and_the_right_one_lets_all_go(daemon, sandbox, gladly):
    gladly.customers = {f"cust-{i}": [f"jo-{i}@example.com"] for i in range(20)}
    gladly.token = "another token"
    for i in range(20):
        daemon.accepted("gladly", gladly_webhook("opened", f"conv-{i}", f"cust-{i}"))
    daemon.wait_log("parked")
    assert wait_for(lambda: daemon.metric("deskbridge_webhooks_pending", source="gladly") == 20)
    assert daemon.metric("deskbridge_lookups_parked", source="gladly") == 1
    # Each customer is used for a probe once. None is looked up twice within a minute.
    wait_for(lambda: gladly.asked() == 20)
    assert all(gladly.asked(f"cust-{i}") == 1 for i in range(20))
    assert sum("are parked" in line for line in daemon.log()) == 1
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
    # The new definition has a cache of 0s: no answer is kept, so the closings would need a lookup of their own.
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
