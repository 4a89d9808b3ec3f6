# SPDX-License-Identifier: MIT
"""The same webhooks in every order of arrival: each person's profile in the end, and the events on the way.

The expected events come from a small model of the ledger (desk_life.py), written independently of the daemon. Many
customers share one daemon, so that many histories are mixed in the queue, the lookups and the delivery.
"""

import collections
import itertools
import random
import time

import pytest

from desk_life import Model
from harness import gladly_webhook, side_by_side

FLAG = "In Gladly Conversation"
METRICS = {
    "opened": "started conversation in Gladly",
    "reopened": "reopened conversation in Gladly",
    "closed": "closed conversation in Gladly",
}


class Customer:
    """The history of one customer: the signals (kind, conversation, seconds) in order of arrival."""

    def __init__(self, n, signals):
        self.id, self.signals = f"cust-{n}", signals
        self.emails = [f"jo-{n}@example.com", f"jo-{n}.private@example.org"]
        self.model = Model()
        self.expected = []

    def post_all(self, daemon, begin):
        for kind, conversation, at in self.signals:
            told = self.model.take(kind, conversation, at)
            if told:
                self.expected.append((METRICS[told[0]], f"{self.id}-{conversation}", told[1], bool(self.model.open)))
            body = gladly_webhook(kind, f"{self.id}-{conversation}", self.id, at=begin + at)
            daemon.accepted("gladly", body)


def post_side_by_side(daemon, customers, begin):
    """Posts each customer's webhooks in order, several customers at a time."""
    side_by_side(customers, lambda customer: customer.post_all(daemon, begin))


def check(daemon, sandbox, customers):
    """Checks that both addresses of every customer got the model's events in order, and that their profiles end as in
    the model."""
    sandbox.wait_events(sum(2 * len(customer.expected) for customer in customers), timeout=60)
    daemon.wait_idle()
    told = collections.defaultdict(list)
    events = sandbox.events()
    for event in events:
        what = (event["metric"], event["properties"]["Conversation ID"], event["backfill"])
        told[event["email"]].append((*what, event["profile_properties"][FLAG]))
    profiles = sandbox.profiles()
    for customer in customers:
        for email in customer.emails:
            assert told[email] == customer.expected, (email, customer.signals)
            assert profiles[email][FLAG] is bool(customer.model.open), (email, customer.signals)
    assert len({event["unique_id"] for event in events}) == len(events)


TWO_CONVERSATIONS = {
    "both-closed": [("opened", 1, 0), ("opened", 2, 1), ("closed", 1, 2), ("closed", 2, 3)],
    "one-reopened": [("opened", 1, 0), ("opened", 2, 1), ("closed", 1, 2), ("reopened", 1, 3)],
    "second-after-first": [("opened", 1, 0), ("closed", 1, 1), ("opened", 2, 2), ("closed", 2, 3)],
}


@pytest.mark.parametrize("signals", TWO_CONVERSATIONS.values(), ids=TWO_CONVERSATIONS)
def test_every_order_of_arrival_ends_with_the_right_flag_for_both_addresses(stage, gladly, signals):
    sandbox = stage.sandbox(quota=False)
    daemon = stage.daemon(sandbox, gladly)
    customers = [Customer(n, order) for n, order in enumerate(itertools.permutations(signals))]
    assert len(customers) == 24
    gladly.customers = {customer.id: customer.emails for customer in customers}
    gladly.delay = 0.02  # webhooks of a customer arrive while the lookup of the first is in flight
    post_side_by_side(daemon, customers, time.time() - 60)
    check(daemon, sandbox, customers)


def test_random_histories_with_repeats_end_as_their_newest_signals_say(stage, gladly):
    sandbox = stage.sandbox(quota=False)
    sandbox.fault("status=503,every=29", "die,every=31")
    daemon = stage.daemon(sandbox, gladly)
    chance = random.Random(20261121)
    customers = []
    for n in range(30):
        signals = []
        for conversation in range(chance.randint(1, 3)):
            times = chance.sample(range(50), 4)
            signals += [(chance.choice(list(METRICS)), conversation, at) for at in times]
        signals += chance.sample(signals, 2)  # sent twice, as different deliveries
        chance.shuffle(signals)
        customers.append(Customer(n, signals))
    gladly.customers = {customer.id: customer.emails for customer in customers}
    post_side_by_side(daemon, customers, time.time() - 60)
    check(daemon, sandbox, customers)


def test_a_restart_between_any_two_arrivals_changes_nothing(stage, gladly):
    sandbox = stage.sandbox(quota=False)
    daemon = stage.daemon(sandbox, gladly)
    signals = TWO_CONVERSATIONS["one-reopened"]
    customers = [Customer(n, list(order)) for n, order in enumerate(itertools.permutations(signals))]
    gladly.customers = {customer.id: customer.emails for customer in customers}
    begin = time.time() - 60
    for step in range(4):
        for customer in customers:
            whole, customer.signals = customer.signals, customer.signals[step : step + 1]
            customer.post_all(daemon, begin)
            customer.signals = whole
        if step % 2:
            daemon.kill9()
        daemon.restart()
    check(daemon, sandbox, customers)


def test_an_address_that_two_customers_share_stays_flagged_until_both_are_done(daemon, sandbox, gladly):
    gladly.customers = {"cust-1": ["family@example.com", "jo@example.com"], "cust-2": ["Family@Example.com"]}
    now = time.time() - 10
    for n, (kind, conversation, customer) in enumerate(
        [
            ("opened", "conv-1", "cust-1"),
            ("opened", "conv-2", "cust-2"),
            ("closed", "conv-1", "cust-1"),
            ("closed", "conv-2", "cust-2"),
        ]
    ):
        daemon.accepted("gladly", gladly_webhook(kind, conversation, customer, at=now + n))
        if n == 1:  # two customers are looked up at the same time: both openings must be decided before the first closing
            sandbox.wait_events(3)
    sandbox.wait_events(6)
    family = sandbox.events(email="family@example.com")
    assert [event["profile_properties"][FLAG] for event in family] == [True, True, True, False]
    assert [event["properties"]["Open Conversations"] for event in family] == [1, 2, 1, 0]
    jo = sandbox.events(email="jo@example.com")
    assert [event["profile_properties"][FLAG] for event in jo] == [True, False]


def test_one_conversation_of_a_customer_whose_addresses_change_meanwhile(daemon, sandbox, gladly):
    """The closing goes to the addresses that the openings reached, not to the customer's current ones."""
    gladly.customers["cust-1"] = ["old@example.com", "both@example.com"]
    daemon.accepted("gladly", gladly_webhook("opened", at=time.time() - 5))
    sandbox.wait_events(2)
    gladly.customers["cust-1"] = ["both@example.com", "new@example.com"]
    daemon.configure({"sources": {"gladly": {"definition": {"lookup": NO_CACHE}}}})
    daemon.restart()
    daemon.accepted("gladly", gladly_webhook("closed"))
    sandbox.wait_events(4)
    daemon.wait_idle()
    assert sandbox.profiles() == {"old@example.com": {FLAG: False}, "both@example.com": {FLAG: False}}


NO_CACHE = [
    {
        "url": "{base_url}/api/v1/customer-profiles/{/content/customerId}",
        "authenticate": "basic",
        "emails": "/emails/*/normalized",
        "cache": "0s",
    },
    {
        "url": "{base_url}/never-asked",
        "authenticate": "basic",
        "when": {"names": "never"},
        "take": {"agent": "/name", "inbox": "/name"},
    },
]

STATE_DESK = {
    "label": "Desk",
    "reports": "state",
    "authenticate": {"method": "none"},
    "opened": {"/state": "open"},
    "closed": {"/state": "closed"},
    "conversation": "/id",
    "emails": "/email",
    "time": "/at",
    "created": "/created",
    "closed_at": "/closed_at",
}


def test_a_desk_that_repeats_states_in_any_order_tells_each_change_once(stage):
    """Ten conversations get open, open, closed, closed in ten orders. No event is history, and the newest state
    stays."""
    sandbox = stage.sandbox(quota=False)
    daemon = stage.daemon(sandbox, config={"sources": {"desk": {"definition": STATE_DESK}}})
    chance = random.Random(5)
    begin = int(time.time()) - 60
    expected = {}
    for n in range(10):
        states = [("open", 0), ("open", 5), ("closed", 10), ("closed", 15)]
        chance.shuffle(states)
        told, newest, is_open = [], -1, False
        for state, at in states:
            body = {"state": state, "id": n, "email": f"jo-{n}@example.com", "at": begin + at, "created": begin}
            if state == "closed":
                body["closed_at"] = begin + 10
            daemon.accepted("desk", body, auth=None)
            if at > newest and (state == "open") != is_open or newest < 0:
                told.append("started" if state == "open" else "closed")
            if at > newest:
                newest, is_open = at, state == "open"
        expected[f"jo-{n}@example.com"] = told
    sandbox.wait_events(sum(map(len, expected.values())))
    daemon.wait_idle()
    for email, told in expected.items():
        assert [event["metric"].split(" ")[0] for event in sandbox.events(email=email)] == told
    assert not any(properties["In Desk Conversation"] for properties in sandbox.profiles().values())
