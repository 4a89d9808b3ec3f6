# SPDX-License-Identifier: MIT
"""The daemon's parses of JSON, counted by deskbridge_json_reads_total:

- A webhook's body once when it comes, once more at most where it waited and its tree was not kept, and once more after a
  restart.
- An event's JSON never, except two profiles that are compared where one event follows the other within person_gap.
- A helpdesk's answer once for each request, and a customer in the store once for each webhook that needs it.
"""

import json
import time

from harness import MINI, gladly_webhook

READS = "deskbridge_json_reads_total"
RESULTS = "deskbridge_webhook_results_total"

# A raw reference reads the webhook when the rules run; a literal is not parsed.
RULES = [
    {"on": "opened", "send": "Seen", "properties": {"Colour": "{/colour}", "Weight": 2.5}},
    {"on": "closed", "send": "Gone"},
]


class Count:
    """Counts the parses since its creation. Requests to /api would parse, too, so a test makes none meanwhile."""

    def __init__(self, daemon):
        self.daemon = daemon
        self.began = daemon.metric(READS)

    def reads(self):
        return self.daemon.metric(READS) - self.began


def mini(stage, sandbox, clock=None, **more):
    source = {"definition": MINI, **more}
    return stage.daemon(sandbox, config={"sources": {"gladly": None, "mini": source}, "rules": RULES}, env=clock and clock.env)


def opened(n, at=None):
    return {"kind": "opened", "id": n, "email": f"jo-{n}@example.com", "at": at or time.time(), "colour": "red"}


def test_a_webhook_is_parsed_once_and_its_event_never(stage, sandbox):
    daemon = mini(stage, sandbox)
    count = Count(daemon)
    for n in range(100):
        assert daemon.post("mini", opened(n)).status == 200
    daemon.wait_metric("deskbridge_deliveries_total", 100, outcome="delivered")
    assert count.reads() == 100
    assert {event["properties"]["Colour"] for event in sandbox.events()} == {"red"}


def test_a_tree_that_is_too_large_to_be_kept_costs_one_more(stage, sandbox):
    daemon = mini(stage, sandbox)
    count = Count(daemon)
    daemon.post("mini", {**opened(1), "text": "x" * 600_000})
    sandbox.wait_events(1)
    assert count.reads() == 2


def test_a_lookup_costs_its_answer_and_the_customer_that_is_kept(daemon, sandbox, gladly):
    gladly.customers["cust-1"] = ["jo@example.com"]
    count = Count(daemon)
    daemon.post("gladly", gladly_webhook("opened", "conv-1"))
    sandbox.wait_events(1)
    assert count.reads() == 1 + 1 + 1
    daemon.post("gladly", gladly_webhook("opened", "conv-2"))
    sandbox.wait_events(2)
    assert gladly.asked() == 1
    assert count.reads() == 3 + 1 + 1


def test_a_merged_customers_webhook_is_parsed_again(daemon, sandbox, gladly):
    """The new id was put into its tree, so the next pass must parse the helpdesk's body again."""
    gladly.merged["cust-1"] = "cust-2"
    gladly.customers["cust-2"] = ["jo@example.com"]
    count = Count(daemon)
    daemon.post("gladly", gladly_webhook("opened"))
    sandbox.wait_events(1)
    assert count.reads() == 2 + 2 + 1


def test_those_that_wait_behind_a_lookup_are_parsed_once(daemon, sandbox, gladly):
    gladly.customers["cust-1"] = ["jo@example.com"]
    gladly.delay = 60
    count = Count(daemon)
    for n in range(10):
        daemon.post("gladly", gladly_webhook("opened", f"conv-{n}"))
    gladly.wait_asked(1)
    gladly.release()
    sandbox.wait_events(10)
    assert gladly.asked() == 1
    assert count.reads() == 10 + 1 + 10


def test_settle_parses_none_of_a_webhooks_neighbours(stage, sandbox):
    daemon = mini(stage, sandbox, settle={"open": "1h", "close": "1h"})
    now = time.time()
    count = Count(daemon)
    for n in range(10):
        daemon.post("mini", {**opened(1, now - 100 + n), "kind": "closed" if n % 2 else "opened"})
    daemon.wait_metric(RESULTS, 10, result="settled")
    assert count.reads() == 10


def test_what_a_killed_daemon_left_is_parsed_once_more(stage, sandbox, clock):
    daemon = mini(stage, sandbox, clock, settle={"open": "1h"})
    now = clock.now()
    count = Count(daemon)
    for n in range(10):
        daemon.post("mini", opened(n, now))
    daemon.wait_metric("deskbridge_webhooks_pending", 10, reason="settle")
    assert count.reads() == 10
    daemon.kill9()
    daemon.start()
    count = Count(daemon)
    clock.jump(3600)
    daemon.wait_metric("deskbridge_deliveries_total", 10, outcome="delivered")
    assert count.reads() == 10


def test_a_request_of_several_items_is_parsed_as_a_whole_too(stage, sandbox):
    daemon = stage.daemon(sandbox, config={"sources": {"gladly": None, "mini": {"definition": {**MINI, "each": ""}}}})
    count = Count(daemon)
    daemon.post("mini", json.dumps([opened(1)]))
    sandbox.wait_events(1)
    assert count.reads() == 1
    daemon.post("mini", json.dumps([opened(2), opened(3)]))
    sandbox.wait_events(3)
    assert count.reads() == 1 + 1 + 2


def test_one_that_ended_while_its_lookup_was_out_takes_the_place_of_none(stage, sandbox, gladly):
    """The closing ends the opening by `settle`. The lookup's answer returns the opening's tree, which no pass takes.
    Such trees could take the space of others."""
    daemon = stage.daemon(sandbox, gladly, config={"sources": {"gladly": {"settle": {"open": "1s", "close": "1s"}}}})

    def reads_of_one_that_is_held(name):
        gladly.customers[name] = [f"{name}@example.com"]
        daemon.wait_idle()
        count = Count(daemon)
        daemon.accepted("gladly", gladly_webhook("opened", f"of-{name}", name))
        sandbox.wait_for(lambda box: box.events(email=f"{name}@example.com"))
        return count.reads()

    assert reads_of_one_that_is_held("before") == 1 + 1 + 1
    # Their lists fill the cache to its last byte.
    for batch, lists in enumerate(((4300, 4300, 90, 10), (8, 8, 8, 8), (4, 4, 1, 1), (0, 0, 0, 0))):
        names, at, asked = [f"x{batch}{n}" for n in range(4)], time.time(), gladly.asked()
        gladly.delay = 300
        for name, many in zip(names, lists):
            gladly.customers[name] = [f"{name}@example.com"]
            daemon.accepted("gladly", {**gladly_webhook("opened", name, name, at=at), "more": [[]] * many})
        gladly.wait_asked(asked + 4)
        for name in names:
            daemon.accepted("gladly", gladly_webhook("closed", name, name, at=at + 0.5))
        daemon.wait_metric(RESULTS, 8 * (batch + 1), source="gladly", result="settled")
        gladly.release()
        daemon.wait_metric("deskbridge_lookups_total", asked + 4, source="gladly", outcome="found")
    assert reads_of_one_that_is_held("after") == 1 + 1 + 1
