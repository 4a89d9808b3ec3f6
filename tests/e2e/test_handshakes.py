# SPDX-License-Identifier: MIT
"""Requests of a helpdesk before it sends webhooks: challenges, tests, pings, HEAD. None may have an effect, and none
may fail, as a helpdesk that gets no 200 here does not save the webhook."""

import json
import time

import pytest

from harness import desk_source, prove, request

FRONT_SIGNAL = {
    "id": "evt_1",
    "type": "archive",
    "emitted_at": 0,
    "conversation": {"id": "cnv_1", "status": "archived", "recipient": {"handle": "jo@example.com", "role": "from"}},
}
SYNC = {"type": "sync"}


@pytest.fixture
def desks(stage):
    """desks(*presets): a sandbox, and a daemon with a source for each of the presets."""

    def make(*presets, **more):
        sandbox, helpdesk = stage.sandbox(), stage.helpdesk()
        sources = {preset: desk_source(preset, helpdesk.url, **more) for preset in presets}
        return sandbox, stage.daemon(sandbox, helpdesk, config={"sources": {"gladly": None, **sources}})

    return make


def signal(at):
    return json.dumps({**FRONT_SIGNAL, "emitted_at": at})


def nothing_came_of_it(daemon, sandbox, pongs):
    assert daemon.webhooks() == [] and sandbox.requests() == 0
    results = {key[1]: value for key, value in daemon.metrics().items() if key[0] == "deskbridge_webhooks_total"}
    assert sum(results.values()) == daemon.metric("deskbridge_webhooks_total", result="pong") == pongs


@pytest.mark.parametrize("body", [SYNC, b"", b"not json", FRONT_SIGNAL], ids=["sync", "empty", "text", "signal"])
@pytest.mark.parametrize("proof", ["none", "wrong"])
def test_a_challenge_is_echoed_to_whoever_asks_and_has_no_effect(desks, proof, body):
    sandbox, daemon = desks("front")
    text = json.dumps(body) if isinstance(body, dict) else body
    headers = prove("front", text, secret="another")[0] if proof == "wrong" else {}
    answer = daemon.post("front", text, {**headers, "X-Front-Challenge": "ab/c\"d\\e"}, auth=None)
    assert (answer.status, answer.json()) == (200, {"status": "pong", "challenge": "ab/c\"d\\e"})
    assert answer.headers["content-type"] == "application/json"
    nothing_came_of_it(daemon, sandbox, pongs=1)


@pytest.mark.parametrize("body", [SYNC, {"type": "nothing of interest"}, {"type": "archive"}], ids=["sync", "other", "half"])
def test_a_proven_request_that_is_no_signal_is_echoed_too(desks, body):
    sandbox, daemon = desks("front")
    answer = daemon.post_proven("front", body, headers={"X-Front-Challenge": "abc"})
    assert (answer.status, answer.json()) == (200, {"status": "pong", "challenge": "abc"})
    nothing_came_of_it(daemon, sandbox, pongs=1)


def test_a_proven_signal_with_a_challenge_is_taken(desks):
    sandbox, daemon = desks("front")
    answer = daemon.post_proven("front", signal(time.time()), headers={"X-Front-Challenge": "abc"})
    assert answer.json()["status"] == "accepted" and "challenge" not in answer.json()
    sandbox.wait_events(1, metric="closed conversation in Front", email="jo@example.com")


@pytest.mark.parametrize("value", ["", "é", "tab\there", "x" * 1025], ids=["empty", "not ascii", "tab", "long"])
def test_what_cannot_be_echoed_is_no_challenge(desks, value):
    sandbox, daemon = desks("front")
    answer = daemon.post("front", SYNC, {"X-Front-Challenge": value.encode("latin-1")}, auth=None)
    assert answer.status == 401 and "challenge" not in answer.text
    assert daemon.webhooks() == []


def test_no_other_desk_echoes_anything(desks):
    _, daemon = desks("gorgias")
    assert daemon.post("gorgias", SYNC, {"X-Front-Challenge": "abc"}, auth=None).status == 401
    answer = daemon.post_proven("gorgias", SYNC, headers={"X-Front-Challenge": "abc"})
    assert answer.json() == {"status": "ignored"}


PINGS = [
    ("front", SYNC, {}),
    ("gladly", {"id": "1", "type": "PING"}, {}),
    ("helpscout", {}, {"X-HelpScout-Event": "helpscout.test"}),
    ("intercom", {"type": "notification_event", "topic": "ping", "data": {"item": {"type": "ping"}}}, {}),
]


@pytest.mark.parametrize("preset, body, headers", PINGS, ids=[ping[0] for ping in PINGS])
def test_a_proven_ping_is_answered_and_an_unproven_one_is_not(desks, preset, body, headers):
    sandbox, daemon = desks(preset)
    answer = daemon.post_proven(preset, body, headers=headers)
    assert (answer.status, answer.json()) == (200, {"status": "pong"})
    nothing_came_of_it(daemon, sandbox, pongs=1)
    assert daemon.post(preset, body, headers, auth=None).status == 401


TRIALS = {"empty": b"", "object": {}, "rule": {"rule": {"type": "label_change"}}, "list": b"[]"}


@pytest.mark.parametrize("proof", ["none", "wrong", "right"])
@pytest.mark.parametrize("body", TRIALS.values(), ids=TRIALS.keys())
def test_what_missive_tries_a_rule_with_is_answered_proven_or_not(desks, body, proof):
    sandbox, daemon = desks("missive")
    text = body if isinstance(body, bytes) else json.dumps(body)
    headers = {} if proof == "none" else prove("missive", text, **({"secret": "another"} if proof == "wrong" else {}))[0]
    answer = daemon.post("missive", text, headers, auth=None, query="transition=opened")
    assert (answer.status, answer.json()) == (200, {"status": "pong"})
    nothing_came_of_it(daemon, sandbox, pongs=1)


def test_a_conversation_is_no_trial_however_it_is_signed(desks):
    sandbox, daemon = desks("missive")
    body = {"rule": {}, "conversation": {"id": "c-1", "authors": [{"address": "jo@example.com"}]}}
    for headers in ({}, prove("missive", json.dumps(body), secret="another")[0]):
        assert daemon.post("missive", json.dumps(body), headers, auth=None, query="transition=opened").status == 401
    assert daemon.post("missive", b"no json", {}, auth=None).status == 401
    assert daemon.webhooks() == [] and sandbox.requests() == 0


def test_every_desk_may_look_whether_somebody_is_there(desks):
    _, daemon = desks("front", "intercom", "trengo", "hubspot")
    for preset in ("front", "intercom", "trengo", "hubspot"):
        answer = request(daemon.address, "HEAD", f"/webhooks/{preset}")
        assert (answer.status, answer.body) == (200, b"")


@pytest.mark.parametrize(
    "kind, status",
    [
        (None, 200),
        ("application/json; charset=utf-8", 200),
        ("text/plain", 200),
        ("application/x-www-form-urlencoded", 200),
        ("application/vnd.api+json", 200),
        ("multipart/form-data; boundary=x", 415),
    ],
)
def test_json_is_json_whatever_it_is_called(desks, kind, status):
    _, daemon = desks("front")
    assert daemon.post_proven("front", SYNC, headers={"Content-Type": kind}).status == status
