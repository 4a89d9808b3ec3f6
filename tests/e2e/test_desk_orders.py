"""The order tests for other desks than Gladly: a signed one that tells changes (Zendesk), one that tells states (Zammad), and
one that sends many items a request (HubSpot). Webhooks arrive in every order, each of them twice; what each person's
profile says in the end must be what the newest of them says.
"""

import itertools
import json
import random
import time

import pytest

from harness import desk_source, iso, prove
from test_ledger_orders import Model

ZENDESK_CHANGES = {"opened": None, "reopened": ("SOLVED", "OPEN"), "closed": ("OPEN", "SOLVED")}
HUBSPOT_CHANGES = {"opened": None, "reopened": "OPEN", "closed": "CLOSED"}


class Desk:
    """One desk: how it writes a signal (kind, conversation and customer as text, seconds) and what it is asked."""

    preset, reports_changes, batches = None, True, False

    def answers(self, conversations):
        """What its API answers: {conversation: (customer, address)}."""
        return {}

    def headers(self, signal):
        return {}


class Zendesk(Desk):
    preset, label = "zendesk", "Zendesk"

    def body(self, kind, conversation, customer, email, at):
        change = ZENDESK_CHANGES[kind]
        return {
            "id": f"{conversation}-{kind}-{at}",
            "type": "zen:event-type:ticket." + ("status_changed" if change else "created"),
            "time": iso(at).replace("Z", "123456Z"),
            "detail": {"id": conversation, "requester_id": customer, "status": change[1] if change else "NEW"},
            "event": {"previous": change[0], "current": change[1]} if change else {},
        }

    def answers(self, conversations):
        return {
            f"/api/v2/users/{customer}": {"user": {"email": email}} for customer, email in conversations.values()
        }


class Zammad(Desk):
    preset, label, reports_changes = "zammad", "Zammad", False

    def body(self, kind, conversation, customer, email, at):
        ticket = {"id": conversation, "state": "closed" if kind == "closed" else "open"}
        ticket |= {"created_at": iso(self.begin), "updated_at": iso(at), "customer": {"id": customer, "email": email}}
        return {"ticket": ticket | ({"close_at": iso(at)} if kind == "closed" else {})}

    def headers(self, signal):
        return {"X-Zammad-Delivery": "-".join(map(str, signal))}


class HubSpot(Desk):
    preset, label, batches = "hubspot", "HubSpot", True

    def body(self, kind, conversation, customer, email, at):
        change = HUBSPOT_CHANGES[kind]
        item = {"objectId": conversation, "portalId": 7, "occurredAt": round(at * 1000), "eventId": round(at * 1000)}
        if not change:
            return item | {"subscriptionType": "conversation.creation"}
        return item | {"subscriptionType": "conversation.propertyChange", "propertyName": "status", "propertyValue": change}

    def answers(self, conversations):
        threads = "/conversations/v3/conversations/threads/"
        contacts = "/crm/v3/objects/contacts/{}?properties=email"
        answers = {threads + conversation: {"associatedContactId": customer} for conversation, (customer, _) in
                   conversations.items()}
        for customer, email in conversations.values():
            answers[contacts.format(customer)] = {"properties": {"email": email}}
        return answers


# Two conversations of one customer: (kind, which, seconds).
HISTORY = [("opened", 1, 0), ("opened", 2, 1), ("closed", 1, 2), ("closed", 2, 3)]
REOPENED = [("opened", 1, 0), ("closed", 1, 1), ("reopened", 1, 2), ("opened", 2, 3)]


class Customer:
    def __init__(self, n, signals):
        self.id, self.email, self.signals = str(1000 + n), f"jo-{n}@example.com", signals
        self.model, self.expected = Model(), 0
        for signal in signals:
            self.expected += self.model.take(*signal) is not None

    def conversation(self, which):
        return f"{self.id}{which}"

    def bodies(self, desk, begin):
        for kind, which, at in self.signals:
            signal = (kind, self.conversation(which), begin + at)
            yield signal, desk.body(kind, self.conversation(which), self.id, self.email, begin + at)


def post_all(desk, daemon, customers, begin, chance):
    """Each customer's webhooks in their order, all customers' mixed, each webhook twice: the second one a duplicate."""
    queues = [list(customer.bodies(desk, begin)) for customer in customers]
    while any(queues):
        some = [queue.pop(0) for queue in chance.sample(queues, len(queues)) if queue and chance.random() < 0.7]
        if desk.batches and some:
            bodies = [body for _, body in some]
            assert daemon.post_proven(desk.preset, bodies).json()["status"] == "accepted"
            assert daemon.post_proven(desk.preset, bodies[::-1]).json()["status"] == "duplicate"
            continue
        for signal, body in some:
            for answer in ("accepted", "duplicate"):
                said = daemon.post_proven(desk.preset, body, headers=desk.headers(signal))
                assert said.json()["status"] == answer


@pytest.mark.parametrize("history", [HISTORY, REOPENED], ids=["closed", "reopened"])
@pytest.mark.parametrize("desk", [Zendesk(), Zammad(), HubSpot()], ids=lambda desk: desk.preset)
def test_every_order_of_arrival_ends_as_the_newest_signal_says(stage, desk, history):
    sandbox, helpdesk = stage.sandbox(quota=False), stage.helpdesk()
    customers = [Customer(n, order) for n, order in enumerate(itertools.permutations(history))]
    known = {customer.conversation(which): (customer.id, customer.email) for customer in customers for which in (1, 2)}
    helpdesk.answers = desk.answers(known)
    source = desk_source(desk.preset, helpdesk.url)
    daemon = stage.daemon(sandbox, helpdesk, config={"sources": {"gladly": None, desk.preset: source}})
    desk.begin = begin = round(time.time() - 60)
    post_all(desk, daemon, customers, begin, random.Random(11))
    daemon.wait_idle()
    if desk.reports_changes:
        sandbox.wait_events(sum(customer.expected for customer in customers))
    profiles, events = sandbox.profiles(), sandbox.events()
    flag = f"In {desk.label} Conversation"
    for customer in customers:
        told = [event for event in events if event["email"] == customer.email]
        assert profiles[customer.email][flag] is bool(customer.model.open), (customer.signals, told)
        if desk.reports_changes:
            assert len(told) == customer.expected, customer.signals
    assert len({event["unique_id"] for event in events}) == len(events)


# Chatwoot: (event, status, seconds, status in the difference, what it says); status_changed comes without a difference.
CHATWOOT = [
    ("created", "open", 0, None, "opened"),
    ("status_changed", "resolved", 10, None, "closed"),
    ("updated", "resolved", 10, ("open", "resolved"), "closed"),
    ("status_changed", "pending", 20, None, "reopened"),
    ("updated", "pending", 20, ("resolved", "pending"), "reopened"),
]
CHATWOOT_METRICS = {"opened": "started", "closed": "closed", "reopened": "reopened"}


def chatwoot_body(number, event, status, at, difference):
    body = {
        "event": f"conversation_{event}",
        "id": number,
        "inbox_id": 6,
        "channel": "Channel::Email",
        "status": status,
        "labels": ["refund"],
        "messages": [{"id": 1, "account_id": 9}],
        "meta": {"sender": {"id": number, "email": f"jo-{number}@example.com"}, "assignee": {"name": "Kim Vale"}},
        "created_at": int(at) - 20,
        "updated_at": at,
    }
    if event != "created":
        body["changed_attributes"] = difference and [{"status": dict(zip(("previous_value", "current_value"), difference))}]
    return body


def post_chatwoots_twice(daemon, number, order, begin):
    """The metrics that must come of it, sorted."""
    model, metrics = Model(), []
    for event, status, at, difference, says in order:
        body = chatwoot_body(number, event, status, begin + at, difference)
        for answer in ("accepted", "duplicate"):
            said = daemon.post_proven("chatwoot", body, headers={"X-Chatwoot-Delivery": f"{number}-{event}-{at}"})
            assert said.json()["status"] == answer
        told = model.take(says, number, at)
        if told:
            metrics.append(f"{CHATWOOT_METRICS[told[0]]} conversation in Chatwoot")
    return sorted(metrics)


def test_chatwoots_three_kinds_of_webhook_end_right_in_every_order(stage):
    sandbox = stage.sandbox(quota=False)
    source = desk_source("chatwoot", "https://chat.example.com")
    daemon = stage.daemon(sandbox, config={"sources": {"gladly": None, "chatwoot": source}})
    begin = time.time() - 60
    orders = dict(enumerate(itertools.permutations(CHATWOOT), 1))
    expected = {number: post_chatwoots_twice(daemon, number, order, begin) for number, order in orders.items()}
    daemon.wait_idle()
    events, profiles = sandbox.events(), sandbox.profiles()
    for number, order in orders.items():
        email = f"jo-{number}@example.com"
        told = [event for event in events if event["email"] == email]
        assert sorted(event["metric"] for event in told) == expected[number], order
        assert profiles[email]["In Chatwoot Conversation"] is True, order
        for event in told:
            properties = event["properties"]
            assert (properties["Tags"], properties["Agent"], properties["Channel"]) == (["refund"], "Kim Vale", "email")
            assert properties["Conversation URL"] == f"https://chat.example.com/app/accounts/9/conversations/{number}"


@pytest.mark.parametrize("desk", [Zendesk(), HubSpot()], ids=lambda desk: desk.preset)
def test_an_old_signature_is_refused_in_whatever_order_it_comes(stage, desk):
    sandbox, helpdesk = stage.sandbox(), stage.helpdesk()
    source = desk_source(desk.preset, helpdesk.url)
    daemon = stage.daemon(sandbox, helpdesk, config={"sources": {"gladly": None, desk.preset: source}})
    body = desk.body("opened", "1", "1", "jo@example.com", time.time())
    text = json.dumps([body] if desk.batches else body)
    for shift in (-3600, -301, 301, 3600):
        assert daemon.post_proven(desk.preset, text, at=time.time() + shift).status == 401
    assert daemon.metric("deskbridge_webhooks_total", source=desk.preset, result="stale proof") == 4
    headers, _ = prove(desk.preset, text)
    assert daemon.post(desk.preset, text, headers, auth=None).json()["status"] == "accepted"
    assert daemon.post(desk.preset, text + " ", headers, auth=None).status == 401
