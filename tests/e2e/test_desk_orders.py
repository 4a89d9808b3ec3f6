# SPDX-License-Identifier: MIT
"""Webhooks of two conversations of one customer, in every order of arrival, each of them twice. The desks are of every
kind: with and without a signature, with changes (Zendesk) or states (Zammad), with many items per request (HubSpot). In
the end each person's profile must agree with the newest webhooks. desk_life.py writes the webhooks and models the
expected events. tests/every-desk --orders plays one conversation's whole life.
"""

import itertools
import json
import random
import time

import pytest

from desk_life import DESKS, VERBS, Case, Model
from harness import desk_source, prove

# Two conversations of one customer: (the change, the conversation, seconds).
CLOSED = [("created", 1, 0), ("created", 2, 1), ("closed", 1, 2), ("closed", 2, 3)]
REOPENED = [("created", 1, 0), ("closed", 1, 1), ("reopened", 1, 2), ("created", 2, 3)]


class Customer:
    def __init__(self, n, desk, history, begin):
        self.email = f"jo-{n}@example.com"
        self.cases = {which: Case(f"{1000 + n}{which}", 1000 + n, self.email, begin) for which in (1, 2)}
        self.model, self.expected = Model(desk.reports), 0
        self.webhooks = []
        for what, which, at in history:
            case = self.cases[which]
            self.webhooks.append((case, getattr(desk, what)(case, begin + at)[0]))

    def arrives(self):
        """Returns the next webhook, and feeds it to the model."""
        case, webhook = self.webhooks.pop(0)
        self.expected += webhook.told_to(self.model, case.conversation, time.time()) is not None
        return webhook


def post_all(desk, daemon, customers, chance):
    """Posts each customer's webhooks in their order and those of all customers mixed, each webhook twice. The second
    one must be a duplicate."""
    while any(customer.webhooks for customer in customers):
        some = [customer for customer in chance.sample(customers, len(customers)) if customer.webhooks and chance.random() < 0.7]
        arrived = [customer.arrives() for customer in some]
        if desk.batches and arrived:
            assert daemon.post_proven(desk.proof, [one.body for one in arrived], "desk").json()["status"] == "accepted"
            assert daemon.post_proven(desk.proof, [one.again for one in arrived[::-1]], "desk").json()["status"] == "duplicate"
            continue
        for webhook in arrived:
            for body, answer in ((webhook.body, "accepted"), (webhook.again, "duplicate")):
                said = daemon.post_proven(desk.proof, body, "desk", headers=webhook.headers)
                assert said.json()["status"] == answer


# The desks that report all of these changes. Intercom never reports that a ticket was opened again.
TELLING = {name: desk for name, desk in DESKS.items() if name != "intercom-ticket"}


@pytest.mark.parametrize("history", [CLOSED, REOPENED], ids=["closed", "reopened"])
@pytest.mark.parametrize("desk", TELLING.values(), ids=TELLING)
def test_every_order_of_arrival_ends_as_the_newest_signal_says(stage, desk, history):
    sandbox, helpdesk = stage.sandbox(quota=False), stage.helpdesk()
    begin = round(time.time() - 60)
    customers = [Customer(n, desk, order, begin) for n, order in enumerate(itertools.permutations(history))]
    helpdesk.answers = desk.answers([case for customer in customers for case in customer.cases.values()])
    source = desk_source(desk.preset, helpdesk.url, **desk.settings)
    daemon = stage.daemon(sandbox, helpdesk, config={"sources": {"gladly": None, "desk": source}})
    post_all(desk, daemon, customers, random.Random(11))
    daemon.wait_idle()
    profiles, events = sandbox.profiles(), sandbox.events()
    flag = f"In {desk.label} Conversation"
    for customer in customers:
        told = [event for event in events if event["email"] == customer.email]
        assert profiles[customer.email][flag] is bool(customer.model.open), (customer.email, told)
        assert len(told) == customer.expected, (customer.email, told)
    assert len({event["unique_id"] for event in events}) == len(events)


def chatwoots_changes(case):
    """Returns both kinds of webhooks of each change of status, for a conversation that is resolved and then pending
    with a bot."""
    desk = DESKS["chatwoot"]
    begin = case.begin
    return desk.created(case, begin) + desk.closed(case, begin + 10) + desk.reopened(case, begin + 20, "pending")


def test_chatwoots_three_kinds_of_webhook_end_right_in_every_order(stage):
    sandbox = stage.sandbox(quota=False)
    source = desk_source("chatwoot", "https://chat.example.com")
    daemon = stage.daemon(sandbox, config={"sources": {"gladly": None, "chatwoot": source}})
    begin, expected = int(time.time()) - 60, {}
    for number, order in enumerate(itertools.permutations(range(5)), 1):
        case, model, metrics = Case(number, number, f"jo-{number}@example.com", begin), Model(), []
        webhooks = chatwoots_changes(case)
        for place in order:
            webhook = webhooks[place]
            for answer in ("accepted", "duplicate"):
                said = daemon.post_proven("chatwoot", webhook.body, headers=webhook.headers)
                assert said.json()["status"] == answer
            told = webhook.told_to(model, case.conversation, time.time())
            metrics += [f"{VERBS[told[0]]} conversation in Chatwoot"] if told else []
        expected[number] = sorted(metrics)
    daemon.wait_idle()
    events, profiles = sandbox.events(), sandbox.profiles()
    for number, metrics in expected.items():
        email = f"jo-{number}@example.com"
        told = [event for event in events if event["email"] == email]
        assert sorted(event["metric"] for event in told) == metrics, number
        assert profiles[email]["In Chatwoot Conversation"] is True, number
        for event in told:
            properties = event["properties"]
            assert (properties["Tags"], properties["Agent"], properties["Channel"]) == (["refund"], "Kim Vale", "email")
            assert properties["Conversation URL"] == f"https://chat.example.com/app/accounts/9/conversations/{number}"


@pytest.mark.parametrize("desk", [DESKS["zendesk"], DESKS["hubspot"]], ids=lambda desk: desk.preset)
def test_an_old_signature_is_refused_in_whatever_order_it_comes(stage, desk):
    sandbox, helpdesk = stage.sandbox(), stage.helpdesk()
    source = desk_source(desk.preset, helpdesk.url)
    daemon = stage.daemon(sandbox, helpdesk, config={"sources": {"gladly": None, desk.preset: source}})
    now = int(time.time())
    body = desk.created(Case(1, 1, "jo@example.com", now), now)[0].body
    text = json.dumps([body] if desk.batches else body)
    for shift in (-3600, -301, 301, 3600):
        assert daemon.post_proven(desk.preset, text, at=time.time() + shift).status == 401
    assert daemon.metric("deskbridge_webhooks_total", source=desk.preset, result="stale proof") == 4
    headers, _ = prove(desk.preset, text)
    assert daemon.post(desk.preset, text, headers, auth=None).json()["status"] == "accepted"
    assert daemon.post(desk.preset, text + " ", headers, auth=None).status == 401
