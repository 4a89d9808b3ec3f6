# SPDX-License-Identifier: MIT
"""Orders of arrival. The webhooks of a conversation, as its desk sends them (desk_life.py), are delivered to a real
daemon in many orders, each webhook twice. The daemon sends to the sandbox. The model says which events Klaviyo must
have in the end.

Each order has a conversation and a customer of its own. Half of them are delivered within seconds of the changes, half
of them minutes late. tests/every-desk --orders plays them.
"""

import collections
import functools
import itertools
import random
import time

from desk_life import DESKS, VERBS, Case, Model
from harness import Stage, desk_source, side_by_side

SIX = ("chatwoot", "intercom", "zendesk", "helpscout", "front", "gorgias")
SEED = 20261129
LIVES = 390  # orders of a whole life
PACES = (1, 60)  # seconds between two steps of a life
BOUND = 4  # seconds in which an order must be delivered: well below the ledger's ten seconds
SOME = 5  # problems that are shown for a desk
HEAD = ("desk", "orders", "webhooks", "events", "history", "doubled", "lost", "order", "flags", "dead")


# ---- orders: sequences of (number of the webhook, whether it is the repeat)


@functools.lru_cache
def each_twice(n):
    """Returns every order of n webhooks that come twice each."""
    orders = []
    for numbers in sorted(set(itertools.permutations([*range(n), *range(n)]))):
        orders.append([(number, number in numbers[:place]) for place, number in enumerate(numbers)])
    return orders


def of_a_life(n, count, chance):
    """Yields orders of n webhooks that come twice each: in order of time, backwards, and random ones."""
    inside = list(range(n))
    yield [(number, again) for number in inside for again in (False, True)]
    yield [(number, again) for again in (False, True) for number in inside]
    yield [(number, again) for number in inside[::-1] for again in (False, True)]
    for _ in range(count - 3):
        numbers = chance.sample(inside * 2, 2 * n)
        yield [(number, number in numbers[:place]) for place, number in enumerate(numbers)]


def first_ones(life):
    return [webhooks[0] for _, webhooks in life]


def every_one(life):
    return [webhook for _, webhooks in life for webhook in webhooks]


def plan(desk, limit=None):
    """Returns the orders for one desk, at most `limit`: (a function that takes webhooks from a life, their order).
    First created, updated, closed in every order; then the whole life; then created, updated, closed, reopened in every
    order."""
    size = len(every_one(desk.life(Case(1, 1, "", 0), 1)))
    orders = [(first_ones, order) for order in each_twice(3)]
    orders += [(every_one, order) for order in of_a_life(size, LIVES, random.Random(SEED))]
    orders += [(first_ones, order) for order in each_twice(4)]
    return orders[:limit]


# ---- playing


class Row:
    """The results of one desk."""

    def __init__(self, desk):
        self.desk, self.problems = desk.name, []
        self.orders = self.webhooks = self.events = self.history = 0
        self.doubled = self.lost = self.order = self.flags = self.dead = 0

    def cells(self):
        return [getattr(self, name) for name in HEAD]


class Arrival:
    """One order of one conversation's webhooks, and the expected events."""

    def __init__(self, desk, case, webhooks, order):
        self.desk, self.case, self.webhooks, self.order = desk, case, webhooks, order
        self.model, self.expected, self.seen, self.wrong = Model(desk.reports), [], set(), []

    def __str__(self):
        names = (self.webhooks[number].name + (" (again)" if again else "") for number, again in self.order)
        return f"{self.desk.name} {self.case.conversation}: " + ", ".join(names)

    def deliver(self, daemon):
        for number, again in self.order:
            webhook = self.webhooks[number]
            answer = self.answer_to(webhook)
            body = webhook.again if again else webhook.body
            body = [body] if self.desk.batches else body
            said = daemon.post_proven(self.desk.proof, body, source=self.desk.name, headers=webhook.headers)
            if said.status != 200 or said.json()["status"] != answer:
                self.wrong.append(f"{webhook.name}: {said.status} {said.text}, not {answer}")

    def answer_to(self, webhook):
        """Returns the answer that the daemon must give, and feeds the webhook to the model."""
        delivery = self.desk.delivery(webhook)
        if webhook.says is None:
            return "ignored"
        if delivery in self.seen:
            return "duplicate"
        self.seen.add(delivery)
        told = webhook.told_to(self.model, self.case.conversation, time.time())
        if told:
            kind, history, at = told
            metric = f"{VERBS[kind]} conversation in {self.desk.label}"
            self.expected.append((metric, None if webhook.at is None else whole_seconds(at), history, bool(self.model.open)))
        return "accepted"

    def compare(self, row, told, flag):
        """Counts the differences in row. told: this person's events as Klaviyo has them. flag: the profile property at
        the end."""
        undated = {place for place, event in enumerate(self.expected) if event[1] is None}
        told = [(*event[:1], None if place in undated else event[1], *event[2:]) for place, event in enumerate(told)]
        doubled, lost = without_flags(told), without_flags(self.expected)
        doubled, lost = doubled - lost, lost - doubled
        row.events += len(told)
        row.history += sum(event[2] for event in told)
        row.doubled += doubled.total()
        row.lost += lost.total()
        disordered = not doubled and not lost and [event[:3] for event in told] != [event[:3] for event in self.expected]
        row.order += disordered
        wrong_flag = flag is not (bool(self.model.open) if self.expected else None) or self.is_against_the_newest(flag)
        wrong_flag |= not doubled and not lost and not disordered and told != self.expected
        row.flags += wrong_flag
        if doubled or lost or disordered or wrong_flag or self.wrong:
            row.problems.append(f"{self}\n  {'; '.join(self.wrong)}\n  expected {self.expected}\n  Klaviyo has {told}, {flag}")

    def changes(self):
        """Returns the webhooks that say open or closed."""
        return [self.webhooks[number] for number, again in self.order if not again and self.webhooks[number].says in VERBS]

    def is_dated(self):
        return all(webhook.at is not None for webhook in self.changes())

    def is_against_the_newest(self, flag):
        """True where all webhooks are dated and the flag contradicts the newest one. This needs no model."""
        return self.is_dated() and flag is not (max(self.changes(), key=lambda webhook: webhook.at).says != "closed")


def without_flags(events):
    return collections.Counter(event[:3] for event in events)


def whole_seconds(at):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(int(at)))


class Theatre:
    """A daemon with a source for each desk, the sandbox, and the desks' API."""

    def __init__(self, stage, desks):
        self.numbers, self.posted = itertools.count(7100001), collections.Counter()
        self.sandbox, self.helpdesk = stage.sandbox(quota=False), stage.helpdesk()
        sources = {desk.name: desk_source(desk.preset, self.helpdesk.url, **desk.settings) for desk in desks}
        unbounded = {"single": {"second": 1000000, "minute": 1000000}}
        config = {"klaviyo": {"quota": unbounded}, "log": {"level": "info"}, "sources": {"gladly": None, **sources}}
        self.daemon = stage.daemon(self.sandbox, self.helpdesk, config=config)

    def arrive(self, desk, place, takes, order):
        """Delivers one order for a new conversation. Where the desk leaves times out, the order must be delivered
        within BOUND seconds; where the machine was too slow, it is repeated for another conversation."""
        pace = PACES[place % len(PACES)]
        for _ in range(5):
            number, now = next(self.numbers), int(time.time())
            case = Case(number, number, f"jo-{number}@example.com", now - 7 * pace)
            self.helpdesk.answers.update(desk.answers([case]))
            arrival, begun = Arrival(desk, case, takes(desk.life(case, pace)), order), time.monotonic()
            arrival.deliver(self.daemon)
            if arrival.is_dated() or time.monotonic() - begun < BOUND:
                return arrival
        raise AssertionError(f"no order of {desk.name} was delivered within {BOUND} seconds")

    def play(self, desk, limit=None):
        """Plays all orders of one desk, several at a time, and returns its row: the events of the sandbox, compared
        when all are delivered."""
        arrivals = []

        def arrive(one):
            place, (takes, order) = one
            arrivals.append(self.arrive(desk, place, takes, order))

        side_by_side(list(enumerate(plan(desk, limit))), arrive)
        self.daemon.wait_idle(timeout=120)
        return self.judge(desk, arrivals)

    def judge(self, desk, arrivals):
        row, told = Row(desk), collections.defaultdict(list)
        flag = f"In {desk.label} Conversation"
        for event in self.sandbox.events():
            event = (event["email"], event["metric"], event["time"], event["backfill"], event["profile_properties"].get(flag))
            told[event[0]].append(event[1:])
        profiles = self.sandbox.profiles()
        for arrival in arrivals:
            email = arrival.case.email
            row.orders += 1
            row.webhooks += len(arrival.order)
            arrival.compare(row, told[email], profiles.get(email, {}).get(flag))
        for kind in ("webhooks", "events"):
            dead = self.daemon.api(f"/api/{kind}?state=dead&limit=500").json()
            row.dead += len(dead)
            row.problems += [f"{desk.name}: dead {kind}: {one}" for one in dead]
        self.sandbox.clear_events()
        return row


def chosen(names):
    """Returns the desks of these presets or names; a preset may have several desks."""
    unknown = [name for name in names if not any(name in (desk.name, desk.preset) for desk in DESKS.values())]
    if unknown:
        raise ValueError(f"no orders of {', '.join(unknown)}; there are: {', '.join(DESKS)}")
    return [desk for desk in DESKS.values() if desk.name in names or desk.preset in names]


def play(names=SIX, limit=None, tell=lambda row: None):
    """Plays these desks, at most `limit` orders of each, and returns their rows. tell(row) is called for each row when
    it is complete."""
    desks, rows, stage = chosen(names), [], Stage()
    try:
        theatre = Theatre(stage, desks)
        for desk in desks:
            rows.append(theatre.play(desk, limit))
            tell(rows[-1])
    finally:
        stage.close()
    return rows
