# SPDX-License-Identifier: MIT
"""A conversation that is spam, deleted or ended is closed with any status, and opens again where that is undone."""

import time

import pytest

from harness import desk_source

STARTED, REOPENED, CLOSED = (f"{word} conversation in Kustomer" for word in ("started", "reopened", "closed"))
FLAG = "In Kustomer Conversation"


def iso(at):
    return time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(at))


def webhook(name, conversation, at, changes=None, **attributes):
    return {
        "id": f"{conversation}-{name}-{at}",
        "name": f"kustomer.conversation.{name}",
        "data": {
            "type": "conversation",
            "id": conversation,
            "attributes": {"status": "open", "spam": False, "deleted": None, "deletedAt": None, "ended": False} | attributes,
            "relationships": {"customer": {"data": {"type": "customer", "id": "c-1"}}},
        },
        "createdAt": iso(at),
        "changes": changes and {"attributes": changes, "relationships": {}},
    }


def change(before, after):
    return {"op": "replace", "before": before, "after": after}


@pytest.fixture
def kustomer(stage):
    helpdesk = stage.helpdesk()
    helpdesk.answers["/v1/customers/c-1"] = {"data": {"attributes": {"emails": [{"email": "jo@example.com"}]}}}
    return helpdesk


@pytest.fixture
def bridge(stage, sandbox, kustomer):
    source = desk_source("kustomer", kustomer.url)
    return stage.daemon(sandbox, kustomer, config={"sources": {"gladly": None, "kustomer": source}})


def post(bridge, *bodies):
    for body in bodies:
        answer = bridge.post_proven("kustomer", body)
        assert answer.json()["status"] == "accepted", (body, answer)


def told(sandbox):
    return [event["metric"] for event in sandbox.events()]


ENDS = {
    "spam": {"spam": change(False, True)},
    "deleted": {"deleted": change(None, True)},
    "ended": {"ended": change(False, True)},
}


@pytest.mark.parametrize("attribute", ENDS)
def test_what_is_spam_deleted_or_ended_is_closed_until_that_is_taken_back(bridge, sandbox, attribute):
    now = int(time.time()) - 60
    post(bridge, webhook("create", "d-1", now, createdAt=iso(now)))
    post(bridge, webhook("update", "d-1", now + 1, ENDS[attribute], **{attribute: True}))
    bridge.wait_idle()
    assert told(sandbox) == [STARTED, CLOSED]
    assert sandbox.profiles()["jo@example.com"][FLAG] is False
    # Any other change, even of its status, leaves it closed.
    post(bridge, webhook("update", "d-1", now + 2, {"tags": change([], ["a"])}, **{attribute: True}))
    post(bridge, webhook("update", "d-1", now + 3, {"status": change("done", "open")}, **{attribute: True}))
    bridge.wait_idle()
    assert told(sandbox) == [STARTED, CLOSED]
    post(bridge, webhook("update", "d-1", now + 4, {attribute: change(True, False)}))
    bridge.wait_idle()
    assert told(sandbox) == [STARTED, CLOSED, REOPENED]
    assert sandbox.profiles()["jo@example.com"][FLAG] is True


@pytest.mark.parametrize("attributes", [{"spam": True}, {"deleted": True}, {"ended": True}, {"deletedAt": iso(1795171700)},
                                        {"status": "done"}], ids=lambda a: next(iter(a)))
def test_what_is_created_closed_opens_nothing_and_its_first_opening_is_one(bridge, sandbox, attributes):
    now = int(time.time()) - 60
    post(bridge, webhook("create", "d-2", now, createdAt=iso(now), **attributes))
    bridge.wait_idle()
    assert told(sandbox) == [CLOSED]
    assert sandbox.profiles()["jo@example.com"][FLAG] is False
    back = {"status": change("done", "open")} if "status" in attributes else {"spam": change(True, False)}
    post(bridge, webhook("update", "d-2", now + 20, back, createdAt=iso(now)))
    bridge.wait_idle()
    assert told(sandbox) == [CLOSED, STARTED]
    assert sandbox.profiles()["jo@example.com"][FLAG] is True


def test_what_ended_or_was_deleted_long_ago_is_backfill(bridge, sandbox):
    now = int(time.time()) - 60
    old = {"createdAt": iso(now - 90 * 86400)}
    post(bridge, webhook("update", "d-3", now, {"tags": change([], ["a"])}, ended=True, endedAt=iso(now - 80 * 86400), **old))
    post(bridge, webhook("update", "d-4", now, {"tags": change([], ["a"])}, deleted=True, deletedAt=iso(now - 80 * 86400), **old))
    post(bridge, webhook("update", "d-5", now, {"ended": change(False, True)}, ended=True, endedAt=iso(now), **old))
    # An import has the time at which the conversation began at another desk.
    post(bridge, webhook("create", "d-6", now, importedAt=iso(now), **old))
    bridge.wait_idle()
    assert {event["properties"]["Conversation ID"]: event["backfill"] for event in sandbox.events()} == {
        "d-3": True, "d-4": True, "d-5": False, "d-6": True}


def test_taking_back_opens_nothing_that_is_done(bridge, sandbox):
    now = int(time.time()) - 60
    post(bridge, webhook("create", "d-7", now, createdAt=iso(now)))
    post(bridge, webhook("update", "d-7", now + 1, {"status": change("open", "done")}, status="done"))
    for attribute in ENDS:
        answer = bridge.post_proven("kustomer", webhook("update", "d-7", now + 2, {attribute: change(True, False)}, status="done"))
        assert answer.json()["status"] == "ignored"
    bridge.wait_idle()
    assert told(sandbox) == [STARTED, CLOSED]
