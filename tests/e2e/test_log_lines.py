# SPDX-License-Identifier: MIT
"""Each line of the log is complete: message, source, account, conversation, webhook, event, reason, in this order."""

import re
import time

import pytest

from harness import MINI, gladly_webhook


def line(daemon, message):
    """Returns the first line with that message, from the message on."""
    daemon.wait_log(re.escape(message))
    return next(line[line.index(message) :] for line in daemon.log() if message in line)


def test_a_dead_event_names_where_it_came_from(stage, sandbox):
    sandbox.fault("status=400,email=bad@example.com")
    daemon = stage.daemon(sandbox, config={"sources": {"mini": {"definition": MINI}}})
    body = {"kind": "opened", "id": "c 1", "email": "bad@example.com", "at": time.time()}
    webhook = daemon.accepted("mini", body)
    said = line(daemon, "an event became a dead letter")
    fields = rf'source=mini account=default conversation="c 1" webhook={webhook} event=[0-9a-f]{{16}} reason="A scripted fault.*"'
    assert re.fullmatch(f"an event became a dead letter {fields}", said), said
    assert "bad@example.com" not in said


def test_a_refused_request_names_its_source_and_the_reason(daemon):
    assert daemon.post("gladly", gladly_webhook("opened"), auth=("deskbridge", "wrong")).status == 401
    assert line(daemon, "a webhook from 127.0.0.1 was refused") == (
        'a webhook from 127.0.0.1 was refused source=gladly reason="wrong proof"'
    )


def test_an_unreadable_webhook_names_source_webhook_and_reason(daemon):
    webhook = daemon.accepted("gladly", b'{"type": "CONVERSATION/CREATED", "id": "x"}')
    said = line(daemon, "a webhook cannot be read and became a dead letter")
    assert re.search(rf'source=gladly webhook={webhook} reason="no conversation: .*"$', said), said


@pytest.mark.parametrize("personal", [False, True])
def test_personal_data_decides_whether_addresses_stand_in_full(stage, sandbox, personal):
    sandbox.fault("status=503,first=1")
    sources = {"mini": {"definition": {**MINI, "conversation": "/email"}}}
    daemon = stage.daemon(sandbox, config={"log": {"personal_data": personal}, "sources": sources})
    daemon.accepted("mini", {"kind": "opened", "email": "jo.doe@example.com", "at": time.time()})
    daemon.wait_log("an attempt for .* ended as retry")
    said = line(daemon, "an attempt for")
    shown = "jo.doe@example.com" if personal else "j***@example.com"
    assert said.startswith(f"an attempt for {shown} ended as retry source=mini account=default conversation={shown} webhook=")


def test_parked_lookups_have_the_reason_in_its_field(daemon, gladly):
    gladly.token = "another"
    daemon.accepted("gladly", gladly_webhook("opened"))
    said = line(daemon, "lookups are parked")
    assert re.search(r'minutes source=gladly reason="the helpdesk refuses the lookup\'s credentials \(401\)"$', said), said


def test_a_helpdesk_that_does_not_answer_has_the_reason_in_its_field(daemon, gladly):
    gladly.down()
    for n in range(20):
        daemon.accepted("gladly", gladly_webhook("opened", f"conv-{n}", f"cust-{n}"))
    said = line(daemon, "the helpdesk answers no lookup")
    assert re.search(r'from here source=gladly reason="[^"]*connect[^"]*"$', said), said
