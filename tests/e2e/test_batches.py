# SPDX-License-Identifier: MIT
"""Requests that carry several items. The items are committed and answered together, and distinguished, looked up, set
aside and deduplicated one by one. None is lost once the request was answered with 200."""

import hashlib
import hmac
import http.client
import itertools
import json
import random
import threading
import time

import pytest

from harness import desk_source, prove

OPENED, CLOSED = "started conversation in Acme", "closed conversation in Acme"
FLAG = "In Acme Conversation"

# The items hold addresses, so that only the batch is tested.
ACME = {
    "label": "Acme",
    "authenticate": {"method": "hmac", "header": "X-Signature", "signed": "{body}"},
    "each": "/events",
    "delivery": "{root:/shop}-{/id}",
    "ping": {"/what": "ping"},
    "opened": {"/what": "opened"},
    "closed": {"/what": "closed"},
    "conversation": "/thread",
    "time": "/at",
    "emails": "/email",
}
SECRET = "acme-secret-0123456789"


def sign(body):
    return {"X-Signature": hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()}


class Desk:
    """A daemon with the source `acme`, and the requests that it gets."""

    def __init__(self, stage, **more):
        self.sandbox = stage.sandbox(quota=False)
        source = {"definition": ACME, "authenticate": {"secret": SECRET}}
        self.daemon = stage.daemon(self.sandbox, config={"sources": {"gladly": None, "acme": source}, **more})
        self.ids = itertools.count(1)

    def item(self, what, thread, at=None, **more):
        email = f"jo-{thread}@example.com"
        return {"id": next(self.ids), "what": what, "thread": thread, "email": email, "at": at or time.time(), **more}

    def post(self, items, shop="s1"):
        body = json.dumps({"shop": shop, "events": items}).encode()
        return self.daemon.post("acme", body, sign(body), auth=None)

    def count(self, result):
        return self.daemon.metric("deskbridge_webhooks_total", source="acme", result=result)


@pytest.fixture
def desk(stage):
    return Desk(stage)


def test_a_hundred_items_in_one_request_give_a_hundred_events_each_once(desk):
    items = [desk.item("opened", n) for n in range(100)]
    answer = desk.post(items)
    assert answer.status == 200 and answer.json()["status"] == "accepted"
    assert len(set(answer.json()["webhooks"])) == 100 and "webhook" not in answer.json()
    events = desk.sandbox.wait_events(100)
    assert sorted(event["email"] for event in events) == sorted(item["email"] for item in items)
    assert desk.count("accepted") == 100
    assert [row["id"] for row in desk.daemon.wait_webhooks(100)] == answer.json()["webhooks"]


def test_one_item_is_answered_as_one(desk):
    answer = desk.post([desk.item("opened", 1)])
    assert set(answer.json()) == {"status", "webhook"}


def test_the_same_request_again_is_a_duplicate_and_of_others_only_what_is_new_is_taken(desk):
    first = [desk.item("opened", n) for n in range(3)]
    ids = desk.post(first).json()["webhooks"]
    assert desk.post(first).json() == {"status": "duplicate"}
    new = desk.item("closed", 1)
    answer = desk.post([first[2], new, first[0], new])  # the items are repeated in another grouping, one of them twice
    assert answer.json()["status"] == "accepted"
    assert len(answer.json()["webhooks"]) == 1 and answer.json()["webhooks"][0] not in ids
    assert (desk.count("accepted"), desk.count("duplicate")) == (4, 6)
    # The members next to the array belong to each item: the same number at another shop is another delivery.
    assert desk.post(first, shop="s2").json()["status"] == "accepted"
    desk.sandbox.wait_events(1, metric=CLOSED)
    assert len(desk.sandbox.wait_events(3, metric=OPENED)) == 3


def test_each_item_comes_to_its_own_end(desk):
    items = [
        desk.item("opened", 1),
        {"id": 900, "what": "opened", "email": "mo@example.com", "at": time.time()},
        desk.item("note", 2),
        desk.item("ping", 3),
        "no object",
        desk.item("opened", 4, at="yesterday"),
        desk.item("closed", 5),
    ]
    answer = desk.post(items)
    assert answer.json()["status"] == "accepted" and len(answer.json()["webhooks"]) == 4
    rows = desk.daemon.wait_webhooks(4)
    assert [row["state"] for row in rows] == ["done", "dead", "dead", "done"]
    assert "no conversation" in rows[1]["reason"] and "no time" in rows[2]["reason"]
    assert {event["email"] for event in desk.sandbox.wait_events(2)} == {"jo-1@example.com", "jo-5@example.com"}
    assert [desk.count(result) for result in ("accepted", "unreadable", "ignored", "pong")] == [2, 2, 2, 1]
    desk.daemon.wait_log("2 webhooks of one request cannot be read and became dead letters")


@pytest.mark.parametrize(
    "items, status",
    [([], "ignored"), (["note"], "ignored"), (["ping", "ping"], "pong"), (["ping", "note"], "ignored")],
    ids=["empty", "note", "pings", "both"],
)
def test_what_says_nothing_keeps_nothing(desk, items, status):
    answer = desk.post([desk.item(what, 1) for what in items])
    assert (answer.status, answer.json()) == (200, {"status": status})
    assert desk.daemon.webhooks() == []


def test_more_items_than_a_request_may_carry_are_one_dead_letter(desk):
    answer = desk.post([{"id": n} for n in range(1001)])
    assert set(answer.json()) == {"status", "webhook"} and answer.json()["status"] == "accepted"
    rows = desk.daemon.wait_webhooks(1)
    assert rows[0]["state"] == "dead" and "1000" in rows[0]["reason"]
    assert len(desk.post([desk.item("opened", n) for n in range(1000)]).json()["webhooks"]) == 1000
    desk.sandbox.wait_events(1000, timeout=60)


def test_a_small_item_in_a_large_body_is_not_repeated_without_end(stage):
    """A thousand items, each with a copy of the members next to the array, would take 900 MB."""
    desk = Desk(stage)
    body = json.dumps({"shop": "x" * 900000, "events": [{"id": n} for n in range(1000)]}).encode()
    answer = desk.daemon.post("acme", body, sign(body), auth=None)
    assert answer.json()["status"] == "accepted" and "webhook" in answer.json()
    assert desk.daemon.wait_webhooks(1)[0]["state"] == "dead"


@pytest.mark.parametrize("signature", [None, "0" * 64, ""], ids=["none", "wrong", "empty"])
def test_without_a_proof_no_item_is_taken(desk, signature):
    body = json.dumps({"events": [desk.item("opened", n) for n in range(10)]})
    headers = {} if signature is None else {"X-Signature": signature}
    assert desk.daemon.post("acme", body, headers, auth=None).status == 401
    assert desk.daemon.webhooks() == []


@pytest.mark.parametrize("seed", range(3))
def test_no_item_is_lost_when_the_daemon_is_killed_right_after_the_answer(desk, seed):
    chance = random.Random(seed)
    taken = []
    for round in range(3):
        items = [desk.item("opened", f"{round}-{n}") for n in range(100)]
        assert len(desk.post(items).json()["webhooks"]) == 100
        desk.daemon.kill9()
        taken += items
        desk.daemon.restart()
        again = chance.sample(items, 20)
        assert desk.post(again).json() == {"status": "duplicate"}
    events = desk.sandbox.wait_events(300, timeout=60)
    assert sorted(event["email"] for event in events) == sorted(item["email"] for item in taken)
    desk.daemon.wait_idle()
    assert len(desk.sandbox.unique_ids()) == len(set(desk.sandbox.unique_ids())) == 300


def test_a_killed_request_was_taken_whole_or_not_at_all(desk):
    """The daemon is killed while it handles a request. Afterwards it has all items of the request or none."""
    for round in range(4):
        items = [desk.item("opened", f"{round}-{n}") for n in range(200)]
        answers = []

        def post():
            try:
                answers.append(desk.post(items).status)
            except (OSError, http.client.HTTPException):
                pass

        sender = threading.Thread(target=post)
        sender.start()
        time.sleep(0.002 * round)  # not to synchronise, but to kill it at another place each time
        desk.daemon.kill9()
        sender.join()
        desk.daemon.restart()
        there = [row for row in desk.daemon.webhooks() if (row["conversation"] or "").startswith(f"{round}-")]
        assert len(there) in (0, 200) and (not answers or len(there) == 200)
        assert desk.post(items).json()["status"] == ("duplicate" if there else "accepted")


def test_what_does_not_fit_is_refused_whole_and_taken_whole_when_it_does(stage):
    desk = Desk(stage)
    store = {"url": f"sqlite:{desk.daemon.dir}/small.db", "max_size": "16MiB"}
    desk.daemon.configure({"store": store, "sources": {"acme": {"settle": {"open": "1h"}}}})
    desk.daemon.restart()

    def fill(round):
        items = [desk.item("opened", f"{round}-{n}", note="x" * 20000) for n in range(40)]
        return items, desk.post(items)

    for round in range(100):
        items, answer = fill(round)
        if answer.status != 200:
            break
    assert answer.status == 503 and int(answer.headers["retry-after"]) > 0 and round > 5
    assert desk.count("refused") >= 1 and desk.count("accepted") == 40 * round
    assert not any(row["conversation"].startswith(f"{round}-") for row in desk.daemon.webhooks())
    desk.daemon.configure({"store": {"max_size": "64MiB"}})
    desk.daemon.restart()
    assert len(desk.post(items).json()["webhooks"]) == 40


def test_items_of_one_request_are_taken_in_their_order(desk):
    begin = time.time() - 60
    threads = range(30)
    items = [
        desk.item(what, thread, at=begin + at)
        for at, what in enumerate(["opened", "closed", "opened", "closed", "opened"])
        for thread in threads
    ]
    assert len(desk.post(items).json()["webhooks"]) == 150
    desk.sandbox.wait_events(150, timeout=60)
    for thread in threads:
        events = desk.sandbox.events(email=f"jo-{thread}@example.com")
        assert [event["profile_properties"][FLAG] for event in events] == [True, False, True, False, True]


# ---- HubSpot: signed over the public URL, two lookups per item


def hubspot_item(conversation, what, n, at):
    kinds = {
        "opened": {"subscriptionType": "conversation.creation"},
        "closed": {"subscriptionType": "conversation.propertyChange", "propertyName": "status", "propertyValue": "CLOSED"},
        "reopened": {"subscriptionType": "conversation.propertyChange", "propertyName": "status", "propertyValue": "OPEN"},
    }
    return {"eventId": n, "objectId": conversation, "portalId": 77, "occurredAt": int(at * 1000), **kinds[what]}


def test_hubspots_hundred_items_ask_for_each_conversations_contact(stage):
    sandbox, helpdesk = stage.sandbox(quota=False), stage.helpdesk()
    for n in range(50):
        helpdesk.answers[f"/conversations/v3/conversations/threads/{n}"] = {"id": str(n), "associatedContactId": f"9{n}"}
        helpdesk.answers[f"/crm/v3/objects/contacts/9{n}?properties=email"] = {
            "properties": {"email": f"jo-{n}@example.com"}
        }
    source = desk_source("hubspot", helpdesk.url)
    daemon = stage.daemon(sandbox, helpdesk, config={"sources": {"gladly": None, "hubspot": source}})
    begin = time.time() - 100
    items = [hubspot_item(n % 50, "opened" if n < 50 else "closed", n, begin + n) for n in range(100)]
    random.Random(7).shuffle(items)
    answer = daemon.post_proven("hubspot", items)
    assert len(answer.json()["webhooks"]) == 100
    sandbox.wait_events(100, timeout=60)
    profiles = sandbox.profiles()
    assert {profiles[f"jo-{n}@example.com"]["In HubSpot Conversation"] for n in range(50)} == {False}
    assert daemon.post_proven("hubspot", items[:40]).json() == {"status": "duplicate"}
    body = json.dumps(items).encode()
    headers, _ = prove("hubspot", body, url="https://bridge.example.com/webhooks/another")
    assert daemon.post("hubspot", body, headers, auth=None).status == 401
