# SPDX-License-Identifier: MIT
"""The guarantees of README.md, each under the failure that could break it.

Crashes under load, refused keys and tokens, several accounts and desks of which one is in trouble, a helpdesk that is
down, and rotating secrets. Other files test single functions.
"""

import collections
import http.client
import json
import random
import threading
import time

import pytest

from harness import GLADLY_TOKEN, KEY, TIMEOUT, WEBHOOK_PASSWORD, WEBHOOK_USER
from harness import basic, gladly_webhook, key_of, wait_for

STARTED = "started conversation in Gladly"
REOPENED = "reopened conversation in Gladly"
CLOSED = "closed conversation in Gladly"
FLAG = "In Gladly Conversation"
AT_ONCE = max(5, TIMEOUT / 4)  # seconds; far below the minute after which a parked account is probed


def warnings(daemon, word):
    return [line for line in daemon.log() if " warn" in line and word in line]


# ---- kill -9 under load


class Sender(threading.Thread):
    """A helpdesk's worker. It sends the webhooks of its conversations one after the other, each until it is answered
    with 200."""

    KINDS = ("opened", "closed", "reopened", "closed")

    def __init__(self, address, conversations):
        super().__init__(daemon=True)
        self.address, self.conversations = address, conversations
        self.acknowledged, self.repeats, self.problem = 0, 0, None

    @property
    def all(self):
        return len(self.conversations) * len(self.KINDS)

    def run(self):
        try:
            connection = None
            for kind in self.KINDS:
                for conversation, customer in self.conversations:
                    body = json.dumps(gladly_webhook(kind, conversation, customer))
                    connection = self._until_taken(connection, body)
                    self.acknowledged += 1
        except Exception as problem:
            self.problem = problem

    def _until_taken(self, connection, body):
        headers = {"Authorization": basic(WEBHOOK_USER, WEBHOOK_PASSWORD)}
        while True:
            try:
                connection = connection or http.client.HTTPConnection(self.address, timeout=TIMEOUT)
                connection.request("POST", "/webhooks/gladly", body, headers)
                answer = connection.getresponse()
                answer.read()
                if answer.status == 200:
                    return connection
                assert answer.status == 503, answer.status
            except (OSError, http.client.HTTPException):
                connection.close()
                connection = None
            self.repeats += 1
            time.sleep(0.005)  # as a helpdesk does, which waits longer


def crash_five_times(daemon, senders):
    chance = random.Random(11)
    total = sum(sender.all for sender in senders)
    for n in range(5):
        goal = total * (n + 1) // 7 + chance.randrange(10)
        wait_for(
            lambda: sum(s.acknowledged for s in senders) >= goal or any(s.problem for s in senders),
            timeout=60,
            what="webhooks to be taken",
        )
        daemon.kill9()
        daemon.restart()
    for sender in senders:
        sender.join(60)
        assert not sender.is_alive() and not sender.problem, sender.problem


def ledger_order(daemon):
    """Returns email → unique_ids of its events in the order in which the ledger made them."""
    rows = daemon.ask("queue", "list", "--limit", 100000, "--json").stdout
    order = collections.defaultdict(list)
    for row in sorted(json.loads(rows), key=lambda row: row["id"]):
        order[row["email"]].append(row["unique_id"])
    return order


def test_five_crashes_under_load_lose_double_and_reorder_nothing(stage, gladly):
    """Four workers send conversations of the same people, so that every person has several open at a time."""
    sandbox = stage.sandbox(quota=False)
    sandbox.fault("status=503,every=17", "die,every=19", "delay=30ms,every=5")
    people = {f"cust-{n}": [f"jo-{n}@example.com", f"all-{n % 3}@example.com"] for n in range(12)}
    gladly.customers = people
    daemon = stage.daemon(sandbox, gladly, config={"listen": stage.address(), "admin": stage.address()})
    conversations = [(f"conv-{n}", f"cust-{n % 12}") for n in range(64)]
    senders = [Sender(daemon.address, conversations[n::4]) for n in range(4)]
    for sender in senders:
        sender.start()
    crash_five_times(daemon, senders)

    webhooks = 64 * 4
    sandbox.wait_events(2 * webhooks, timeout=60)
    daemon.wait_idle()
    events = sandbox.events()
    assert len({event["unique_id"] for event in events}) == len(events) == 2 * webhooks
    received = collections.defaultdict(list)
    for event in events:
        received[event["email"]].append(event["unique_id"])
    assert received == ledger_order(daemon)
    # Each event holds the state at the time of its decision. Replayed in order, the events agree with each other.
    open_now = collections.defaultdict(set)
    for event in events:
        mine, conversation = open_now[event["email"]], event["properties"]["Conversation ID"]
        (mine.discard if event["metric"] == CLOSED else mine.add)(conversation)
        assert event["properties"]["Open Conversations"] == len(mine)
        assert event["profile_properties"][FLAG] is bool(mine)
        assert event["backfill"] is False
    assert not any(mine for mine in open_now.values())
    assert sum(sender.repeats for sender in senders) > 0


def test_a_crash_while_klaviyo_has_read_and_not_answered_records_each_event_once(stage, gladly):
    sandbox = stage.sandbox(quota=False)
    gladly.customers = {f"cust-{n}": [f"jo-{n}@example.com"] for n in range(8)}
    daemon = stage.daemon(sandbox, gladly)
    daemon.accepted("gladly", gladly_webhook("opened", "first", "cust-0"))
    sandbox.wait_events(1)
    sandbox.fault("die")  # processes it without an answer
    for n in range(8):
        daemon.accepted("gladly", gladly_webhook("opened", f"conv-{n}", f"cust-{n}"))
    sandbox.wait_events(9)
    daemon.kill9()
    sandbox.clear_faults()
    daemon.restart()
    wait_for(lambda: daemon.metric("deskbridge_queue_events", state="delivered") == 9, timeout=60)
    assert len(sandbox.events()) == 9
    assert sandbox.stats()["duplicates"] >= 8


# ---- a key or a token that is refused


@pytest.mark.parametrize(
    "key, reason, advice",
    [
        ("pk_bad_0123456789abcdef", "401", "put the right key in .*klaviyo-api-key"),
        (key_of(scopes=["profiles:read"]), "403", "events:write"),
    ],
    ids=["wrong", "without-scope"],
)
def test_a_key_that_klaviyo_refuses_parks_with_one_warning_until_another_is_there(stage, gladly, key, reason, advice):
    sandbox = stage.sandbox()
    gladly.customers = {f"cust-{n}": [f"jo-{n}@example.com"] for n in range(40)}
    daemon = stage.daemon(sandbox, gladly, key=key)
    for n in range(20):
        daemon.accepted("gladly", gladly_webhook("opened", f"conv-{n}", f"cust-{n}"))
    daemon.wait_log(f"warn.*parked.*{advice}")
    asked = sandbox.requests()
    assert 1 <= asked <= 5
    # Webhooks that come while the lookups are parked are accepted and cause no lookup.
    for n in range(20, 40):
        daemon.accepted("gladly", gladly_webhook("opened", f"conv-{n}", f"cust-{n}"))
    daemon.wait_metric("deskbridge_queue_events", 40, account="default", state="ready")
    assert daemon.metric("deskbridge_account_parked", account="default", reason=reason) == 1
    assert daemon.api("/readyz").status == 200
    assert sandbox.requests() == asked
    assert len(warnings(daemon, "parked")) == 1
    began = time.monotonic()
    daemon.credential("klaviyo-api-key", KEY)
    sandbox.wait_events(40)
    assert time.monotonic() - began < AT_ONCE
    assert wait_for(lambda: daemon.metric("deskbridge_account_parked", account="default") == 0)
    assert len(warnings(daemon, "parked")) == 1
    assert len(sandbox.all_events()) == 40


def test_key_and_token_both_wrong_are_told_once_each_and_survive_a_restart(stage, gladly):
    sandbox = stage.sandbox()
    gladly.customers = {f"cust-{n}": [f"jo-{n}@example.com"] for n in range(20)}
    daemon = stage.daemon(sandbox, gladly, key="pk_bad_0123456789abcdef")
    daemon.accepted("gladly", gladly_webhook("opened", "conv-0", "cust-0"))
    daemon.wait_log("warn.*the account is parked")
    gladly.token = "quite another token"
    for n in range(1, 20):
        daemon.accepted("gladly", gladly_webhook("opened", f"conv-{n}", f"cust-{n}"))
    daemon.wait_log("warn.*lookups are parked.*gladly-api-token")
    assert (len(warnings(daemon, "account is parked")), len(warnings(daemon, "lookups are parked"))) == (1, 1)
    daemon.restart()
    daemon.wait_log("warn.*the account is parked")
    daemon.wait_log("warn.*lookups are parked")
    assert sandbox.requests() <= 4
    # Each customer is used for a probe once. After the restart a few are looked up again.
    assert all(gladly.asked(f"cust-{n}") <= 2 for n in range(20))
    began = time.monotonic()
    daemon.credential("gladly-api-token", "quite another token")
    daemon.wait_metric("deskbridge_queue_events", 20, account="default", state="ready")
    assert sandbox.events() == []
    daemon.credential("klaviyo-api-key", KEY)
    sandbox.wait_events(20)
    assert time.monotonic() - began < 2 * AT_ONCE


def test_a_secret_that_changes_again_and_again_is_known_by_its_last_value(daemon, sandbox, gladly):
    """Keys and passwords are written in quick succession, as by a secret manager that rotates many."""
    gladly.customers = {f"cust-{n}": [f"jo-{n}@example.com"] for n in range(100)}
    chance = random.Random(3)
    for n in range(60):
        daemon.credential("gladly-webhook", f"password number {n}")
        daemon.credential("klaviyo-api-key", key_of(f"shop{n}"))
        if chance.random() < 0.7:
            time.sleep(chance.random() * 0.02)  # at any time between two checks of the files
    taken = ("deskbridge", "password number 59")
    wait_for(lambda: daemon.post("gladly", gladly_webhook("ended"), auth=taken).status == 200)
    assert daemon.post("gladly", gladly_webhook("ended"), auth=("deskbridge", "password number 58")).status == 401

    def account_of_the_next_event():
        """The key is in another file than the password, and may be read a moment later."""
        n = len(sandbox.events())
        daemon.accepted("gladly", gladly_webhook("opened", f"conv-{n}", f"cust-{n}"), auth=taken)
        return sandbox.wait_events(n + 1)[n]["account"]

    wait_for(lambda: account_of_the_next_event() == "shop59")


def test_a_secret_file_that_is_empty_or_gone_for_a_while_stops_nothing(daemon, sandbox, gladly):
    gladly.customers = {f"cust-{n}": [f"jo-{n}@example.com"] for n in range(3)}
    path = daemon.dir / "credentials" / "klaviyo-api-key"
    mark = daemon.mark()
    daemon.credential("klaviyo-api-key", "")
    daemon.wait_log("klaviyo-api-key.*empty|empty.*klaviyo-api-key", since=mark)
    daemon.accepted("gladly", gladly_webhook("opened", "conv-0", "cust-0"))
    sandbox.wait_events(1)
    path.unlink()
    daemon.accepted("gladly", gladly_webhook("opened", "conv-1", "cust-1"))
    sandbox.wait_events(2)
    daemon.credential("klaviyo-api-key", key_of("shop"))
    daemon.wait_log("a secret changed: credential klaviyo-api-key")
    daemon.accepted("gladly", gladly_webhook("opened", "conv-2", "cust-2"))
    assert sandbox.wait_events(3)[2]["account"] == "shop"


# ---- one in trouble does not stop the other


def by_inbox(kind, conversation, customer, inbox):
    body = gladly_webhook(kind, conversation, customer)
    body["content"]["context"]["assignee"]["inboxId"] = inbox
    return body


@pytest.mark.parametrize("trouble", ["key", "throttled", "failing", "down"])
def test_an_account_in_trouble_does_not_stop_the_other(stage, gladly, trouble):
    sandbox, other = stage.sandbox(), stage.sandbox()
    gladly.customers = {f"cust-{n}": [f"jo-{n}@example.com"] for n in range(20)}
    accounts = {
        "shop": {"api_key": key_of("shop"), "url": sandbox.url, "person_gap": "0s"},
        "outlet": {"api_key": {"credential": "klaviyo-api-key"}, "url": other.url, "person_gap": "0s"},
    }
    choose = [{"when": {"/content/context/assignee/inboxId": "outlet"}, "use": "outlet"}, {"use": "shop"}]
    klaviyo = {"api_key": None, "url": None, "person_gap": None, "accounts": accounts}
    key = "pk_revoked_0123456789abcdef" if trouble == "key" else key_of("outlet")
    settings = {"klaviyo": klaviyo, "sources": {"gladly": {"account": choose}}}
    daemon = stage.daemon(sandbox, gladly, config=settings, key=key)
    if trouble == "throttled":
        other.fault("status=429,retry-after=3600")
    elif trouble == "failing":
        other.fault("status=500")
    elif trouble == "down":
        other.stop()
    # All of these people have a conversation in both accounts.
    for n in range(20):
        daemon.accepted("gladly", by_inbox("opened", f"outlet-{n}", f"cust-{n}", "outlet"))
        daemon.accepted("gladly", by_inbox("opened", f"shop-{n}", f"cust-{n}", "shop"))
    sandbox.wait_events(20)
    daemon.wait_metric("deskbridge_queue_events", 20, account="outlet", state="ready")
    # The events reach Klaviyo first, then their outcome is stored, then the gauge changes.
    wait_for(lambda: daemon.metric("deskbridge_queue_events", account="shop", state="ready") == 0)
    assert {event["account"] for event in sandbox.events()} == {"shop"}
    if trouble == "key":
        assert other.events() == []
        daemon.credential("klaviyo-api-key", key_of("outlet"))
        assert {event["account"] for event in other.wait_events(20)} == {"outlet"}


@pytest.mark.parametrize("trouble", ["token", "hanging", "throttled"])
def test_a_desk_whose_lookups_are_in_trouble_does_not_stop_the_other(stage, sandbox, trouble):
    well, ill = stage.gladly(), stage.gladly()
    well.customers = ill.customers = {f"cust-{n}": [f"jo-{n}@example.com"] for n in range(20)}
    if trouble == "token":
        ill.token = "another token"
    elif trouble == "hanging":
        ill.delay = 3600
    else:
        ill.status["*"], ill.retry_after = 429, 3600
    daemon = stage.daemon(sandbox, well, start=False)
    outlet = {**daemon.config["sources"]["gladly"], "label": "Outlet"}
    outlet["lookup"] = {**outlet["lookup"], "base_url": ill.url}
    daemon.configure({"sources": {"outlet": outlet}})
    daemon.start()
    for n in range(20):
        daemon.accepted("outlet", gladly_webhook("opened", f"conv-{n}", f"cust-{n}"))
        daemon.accepted("gladly", gladly_webhook("opened", f"conv-{n}", f"cust-{n}"))
    sandbox.wait_events(20, metric=STARTED)
    if trouble == "token":
        assert all(ill.asked(f"cust-{n}") <= 1 for n in range(20))
    else:
        assert ill.asked() <= 4
    assert len(sandbox.events()) == 20
    if trouble == "token":
        daemon.credential("gladly-api-token", "another token")  # the healthy one refuses it, so only its lookups are parked
        sandbox.wait_events(20, metric="started conversation in Outlet")


# ---- a helpdesk that is down


@pytest.mark.parametrize("trouble", ["refused", "503", "hanging", "cut"])
def test_while_the_helpdesk_is_down_all_is_taken_and_goes_out_later_in_order(stage, sandbox, gladly, trouble):
    gladly.customers = {f"cust-{n}": [f"jo-{n}@example.com", f"jo-{n}@example.org"] for n in range(5)}
    daemon = stage.daemon(sandbox, gladly)
    if trouble == "refused":
        gladly.down()
    elif trouble == "503":
        gladly.status["*"] = 503
    elif trouble == "hanging":
        gladly.delay = 3600
    else:
        gladly.answers = {customer: (200, {"Content-Length": "99"}, b"{") for customer in gladly.customers}
    begin = time.time() - 30
    history = [("opened", "a"), ("opened", "b"), ("closed", "a"), ("reopened", "a"), ("closed", "b"), ("closed", "a")]
    for step, (kind, conversation) in enumerate(history):
        for n in range(5):
            daemon.accepted("gladly", gladly_webhook(kind, f"{conversation}-{n}", f"cust-{n}", at=begin + step))
    if trouble == "hanging":
        gladly.wait_asked(4)
    else:
        daemon.wait_metric("deskbridge_lookups_total", 4, source="gladly", outcome="retry")
    assert sandbox.events() == []
    assert daemon.api("/readyz").status == 200

    gladly.delay = 0
    gladly.status.clear()
    gladly.answers = {}
    if trouble == "hanging":
        gladly.down()  # cuts the requests that hang, which else last for the lookup's 15 seconds
    gladly.up()
    sandbox.wait_for(lambda s: len(s.events()) == 60, timeout=40)
    for emails in gladly.customers.values():
        for email in emails:
            events = sandbox.events(email=email)
            assert [e["metric"] for e in events] == [STARTED, STARTED, CLOSED, REOPENED, CLOSED, CLOSED]
            assert [e["profile_properties"][FLAG] for e in events] == [True, True, True, True, True, False]
            assert [e["time"] for e in events] == sorted(e["time"] for e in events)
            assert not any(e["backfill"] for e in events)
    assert gladly.token == GLADLY_TOKEN and not warnings(daemon, "parked")


def test_a_helpdesk_that_stays_down_is_told_once_and_its_return_too(daemon, sandbox, gladly):
    gladly.customers = {f"cust-{n}": [f"jo-{n}@example.com"] for n in range(12)}
    gladly.status["cust-0"] = 500  # a single failure is not logged
    daemon.accepted("gladly", gladly_webhook("opened", "conv-0", "cust-0"))
    gladly.wait_asked(2, "cust-0")
    daemon.accepted("gladly", gladly_webhook("opened", "conv-1", "cust-1"))
    sandbox.wait_events(1)
    assert warnings(daemon, "lookup") == []
    gladly.status["*"] = 503
    for n in range(2, 12):
        daemon.accepted("gladly", gladly_webhook("opened", f"conv-{n}", f"cust-{n}"))
    daemon.wait_log("warn.*answers no lookup.*base_url.*source=gladly.*503")
    gladly.status.clear()
    daemon.wait_log("notice the helpdesk answers lookups again")
    sandbox.wait_events(12, timeout=40)
    assert len(warnings(daemon, "lookup")) == 1
