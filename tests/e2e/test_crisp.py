# SPDX-License-Identifier: MIT
"""A chat desk that reports every message. A message of an open conversation opens nothing, a late one changes nothing,
and an address that comes later completes the opening."""

import time

import pytest

from harness import desk_source

WEBSITE = "w-1"
STARTED, REOPENED, CLOSED = (f"{word} conversation in Crisp" for word in ("started", "reopened", "closed"))


def second(at):
    """Returns a time in the form of an event's time."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at))


def said(event, session, at, **data):
    return {
        "website_id": WEBSITE,
        "event": event,
        "data": {"website_id": WEBSITE, "session_id": session, **data},
        "timestamp": int(at * 1000),
    }


def message(session, at, text="Hello"):
    return said("message:send", session, at, **{"from": "user", "origin": "chat", "type": "text", "content": text})


def state(session, at, name):
    return said("session:set_state", session, at, state=name)


def meta(session):
    return f"/v1/website/{WEBSITE}/conversation/{session}/meta"


@pytest.fixture
def crisp(stage):
    return stage.helpdesk()


@pytest.fixture
def bridge(stage, sandbox, crisp):
    source = desk_source("crisp", crisp.url)
    return stage.daemon(sandbox, crisp, config={"sources": {"gladly": None, "crisp": source}})


def post(bridge, *bodies):
    for body in bodies:
        answer = bridge.post_proven("crisp", body)
        assert answer.json()["status"] == "accepted", answer


def test_many_messages_in_any_order_are_one_conversation(bridge, sandbox, crisp):
    crisp.answers[meta("s-1")] = {"data": {"email": "jo@example.com"}}
    crisp.answers[meta("s-2")] = {"data": {"email": "kim@example.com"}}
    now = time.time()
    post(bridge, message("s-1", now - 50), state("s-1", now - 49.9, "pending"), message("s-1", now - 30, "Anybody?"))
    post(bridge, message("s-1", now - 40, "Late on the way"), state("s-1", now - 25, "unresolved"))
    post(bridge, state("s-1", now - 10, "resolved"), message("s-1", now - 12, "Thanks"))
    bridge.wait_webhooks(7)
    post(bridge, message("s-2", now))
    sandbox.wait_events(1, email="kim@example.com")
    bridge.wait_idle()
    events = sandbox.events(email="jo@example.com")
    assert [(e["metric"], e["time"]) for e in events] == [(STARTED, second(now - 50)), (CLOSED, second(now - 10))]
    assert not any(e["backfill"] for e in events)
    assert sandbox.profiles()["jo@example.com"]["In Crisp Conversation"] is False


def test_a_message_after_the_end_reopens(bridge, sandbox, crisp):
    crisp.answers[meta("s-1")] = {"data": {"email": "jo@example.com"}}
    now = time.time()
    post(bridge, message("s-1", now - 50), state("s-1", now - 40, "resolved"), message("s-1", now - 30))
    post(bridge, state("s-1", now - 29.9, "unresolved"))
    bridge.wait_webhooks(4)
    bridge.wait_idle()
    assert [e["metric"] for e in sandbox.events()] == [STARTED, CLOSED, REOPENED]
    assert sandbox.profiles()["jo@example.com"]["In Crisp Conversation"] is True


def test_an_address_that_comes_later_makes_the_opening_good(bridge, sandbox, crisp):
    crisp.answers[meta("s-1")] = {"data": {"nickname": "visitor7", "email": None}}
    now = time.time()
    post(bridge, message("s-1", now - 50))
    bridge.wait_webhooks(1)
    assert sandbox.events() == []
    post(bridge, said("session:set_email", "s-1", now - 20, email="jo@example.com"))
    started = sandbox.wait_events(1)[0]
    assert (started["metric"], started["email"], started["time"]) == (STARTED, "jo@example.com", second(now - 50))
    post(bridge, said("session:removed", "s-1", now - 5))
    sandbox.wait_events(1, metric=CLOSED, email="jo@example.com")
    assert crisp.asked() == 1


def test_what_was_never_open_here_and_is_removed_reaches_nobody_and_kills_nothing(bridge, sandbox, crisp):
    post(bridge, said("session:removed", "s-9", time.time()))
    rows = bridge.wait_webhooks(1)
    assert [row["state"] for row in rows] == ["done"], rows
    assert sandbox.events() == [] and crisp.asked() == 0
