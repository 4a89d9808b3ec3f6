# SPDX-License-Identifier: MIT
"""The system's clock: it is set while the daemon runs, is not yet set when it starts, or is behind after a restart."""

import json
import re
import time

import pytest

from harness import HOUR, DAY, desk_source, gladly_webhook, iso, prove, wait_for

STARTED = "started conversation in Gladly"
CLOSED = "closed conversation in Gladly"
FLAG = "In Gladly Conversation"
JUMPED = r"the system's clock jumped"


def zendesk_body(clock, conversation):
    return json.dumps(
        {
            "id": f"event-{conversation}-{time.monotonic_ns()}",
            "type": "zen:event-type:ticket.created",
            "subject": f"zen:ticket:{conversation}",
            "time": iso(clock.now()),
            "event": {},
            "detail": {"id": str(conversation), "requester_id": "1", "status": "OPEN", "created_at": iso(clock.now())},
        }
    )


def signed(daemon, clock, conversation="7", behind=0):
    """Returns a webhook that a desk signs now, by a clock that is `behind` seconds ahead of the machine's."""
    body = zendesk_body(clock, conversation)
    headers, query = prove("zendesk", body, at=clock.now() - behind)
    return daemon.post("zendesk", body, headers, auth=None, query=query)


def bridge(stage, sandbox, gladly, clock, desk=None, **config):
    sources = {"zendesk": desk_source("zendesk", gladly.url), "gladly": desk or {}}
    gladly.customers = {f"cust-{i}": [f"jo-{i}@example.com"] for i in range(9)}
    return stage.daemon(sandbox, gladly, config={"sources": sources, **config}, env=clock.env)


def jumps(daemon):
    return [line for line in daemon.log() if re.search(JUMPED, line)]


def ready(daemon):
    return daemon.api("/readyz").status == 200


# ---- jumps ------------------------------------------------------------------------------------------------------------


def test_after_the_machine_was_paused_signed_webhooks_are_taken(stage, sandbox, gladly):
    clock = stage.clock()
    daemon = bridge(stage, sandbox, gladly, clock)
    assert signed(daemon, clock).status == 200
    clock.jump(3 * HOUR)  # the host sets the clock when it resumes the guest
    assert signed(daemon, clock, "8").status == 200
    assert signed(daemon, clock, "9", behind=3 * HOUR).status == 401
    daemon.wait_log(JUMPED + r" 3 h ahead")


@pytest.mark.parametrize("seconds,told", [(3 * HOUR, "3 h ahead"), (-HOUR, "60 min back"), (-5 * DAY, "5 d back")])
def test_a_jump_is_told_once_and_a_small_step_never(stage, sandbox, gladly, seconds, told):
    clock = stage.clock()
    daemon = bridge(stage, sandbox, gladly, clock)
    clock.jump(-20)
    clock.jump(seconds)
    daemon.wait_log(JUMPED + " " + told)
    clock.jump(30)
    for i in range(3):
        daemon.accepted("gladly", gladly_webhook("opened", f"conv-{i}", f"cust-{i}", at=clock.now()))
    sandbox.wait_events(3)
    assert len(jumps(daemon)) == 1
    assert "for a day" in jumps(daemon)[0].lower() if abs(seconds) > DAY else "for an hour" in jumps(daemon)[0].lower()


def test_nothing_expires_and_nothing_dies_of_age_after_the_machine_was_paused(stage, sandbox, gladly):
    clock = stage.clock()
    # Both limits are longer than the test and shorter than the pause.
    daemon = bridge(stage, sandbox, gladly, clock, desk={"expire_after": "2h"}, klaviyo={"max_age": "2h"})
    daemon.accepted("gladly", gladly_webhook("opened", "conv-1", "cust-1", at=clock.now()))
    sandbox.wait_events(1)
    sandbox.fault("status=503,first=2")
    daemon.accepted("gladly", gladly_webhook("opened", "conv-2", "cust-2", at=clock.now()))
    sandbox.wait_for(lambda s: s.requests(503) >= 1)
    clock.jump(3 * HOUR)
    daemon.wait_log(JUMPED)
    # The event is tried again until it is sent, and the conversation stays open.
    sandbox.wait_events(1, email="jo-2@example.com")
    daemon.accepted("gladly", gladly_webhook("closed", "conv-2", "cust-2", at=clock.now()))
    sandbox.wait_events(2, email="jo-2@example.com")
    assert [e["metric"] for e in sandbox.events(email="jo-1@example.com")] == [STARTED]
    assert daemon.metric("deskbridge_queue_events", state="dead") == 0


def test_a_conversation_expires_within_its_own_limit_after_a_jump_where_that_is_short(stage, sandbox, gladly):
    clock = stage.clock()
    daemon = bridge(stage, sandbox, gladly, clock, desk={"expire_after": "3s"})
    began = time.monotonic()
    daemon.accepted("gladly", gladly_webhook("opened", "conv-1", "cust-1", at=clock.now()))
    sandbox.wait_events(1)
    clock.jump(3 * HOUR)
    daemon.wait_log(JUMPED)
    assert [e["metric"] for e in sandbox.wait_events(2)] == [STARTED, CLOSED]
    assert time.monotonic() - began > 2.9


def test_what_waits_for_a_time_goes_at_once_when_the_clock_jumps_there(stage, sandbox, gladly):
    clock = stage.clock()
    daemon = bridge(stage, sandbox, gladly, clock, desk={"settle": {"open": "1h"}})
    daemon.accepted("gladly", gladly_webhook("opened", "conv-1", "cust-1", at=clock.now()))
    wait_for(lambda: daemon.webhooks()[0]["wait"] == "settle")
    clock.jump(3 * HOUR)
    sandbox.wait_events(1)


@pytest.mark.parametrize("back", [10 * 60, HOUR, 9 * DAY])
def test_a_step_back_makes_nobody_wait_for_it(stage, sandbox, gladly, back):
    clock = stage.clock()
    daemon = bridge(stage, sandbox, gladly, clock, desk={"settle": {"open": "5m"}})
    daemon.accepted("gladly", gladly_webhook("opened", "conv-1", "cust-1", at=clock.now()))
    sandbox.fault("status=503,first=1")
    daemon.accepted("gladly", gladly_webhook("closed", "conv-2", "cust-2", at=clock.now() - 10))
    sandbox.wait_for(lambda s: s.requests(503) == 1)
    wait_for(lambda: daemon.webhooks()[0]["wait"] == "settle")
    clock.jump(-back)
    sandbox.wait_events(1, email="jo-1@example.com")
    sandbox.wait_events(1, email="jo-2@example.com")


def test_a_step_back_neither_freezes_the_pace_nor_lets_it_burst(stage, sandbox, gladly):
    clock = stage.clock()
    quota = {"single": {"second": 4, "minute": 3000}}
    daemon = bridge(stage, sandbox, gladly, clock, klaviyo={"quota": quota, "quota_share": 1})
    began = time.monotonic()
    for i in range(9):
        daemon.accepted("gladly", gladly_webhook("opened", f"conv-{i}", f"cust-{i}", at=clock.now()))
    sandbox.wait_events(1)
    clock.jump(-3 * HOUR)
    sandbox.wait_events(5)
    clock.jump(6 * HOUR)
    sandbox.wait_events(9)
    assert time.monotonic() - began > 1.9


# ---- starts -----------------------------------------------------------------------------------------------------------


def test_before_the_clock_is_set_webhooks_are_refused_and_after_it_taken(stage, sandbox, gladly):
    clock = stage.clock(-time.time() + 20)  # 1970
    daemon = bridge(stage, sandbox, gladly, clock)
    assert not ready(daemon)
    assert "clock is not set yet: it says 1970-01-01" in daemon.api("/readyz").json()["reason"]
    for answer in (signed(daemon, stage.clock()), daemon.post("gladly", gladly_webhook("opened"))):
        assert answer.status == 503 and int(answer.headers["retry-after"]) > 0
    assert "clock is not set yet" in daemon.ask("status").stdout
    clock.set(0)
    wait_for(lambda: ready(daemon))
    daemon.wait_log("the system's clock is set")
    assert signed(daemon, clock).status == 200
    daemon.accepted("gladly", gladly_webhook("opened", "conv-1", "cust-1"))
    (event,) = sandbox.wait_events(1, email="jo-1@example.com")
    assert event["backfill"] is False
    assert jumps(daemon) == []


def test_with_the_clock_far_behind_the_store_nothing_goes_out_until_it_is_set(stage, sandbox, gladly):
    clock = stage.clock(8 * DAY)
    sandbox.fault("status=503")
    daemon = bridge(stage, sandbox, gladly, clock)
    daemon.accepted("gladly", gladly_webhook("opened", "conv-1", "cust-1", at=clock.now()))
    sandbox.wait_for(lambda s: s.requests(503) >= 1)
    daemon.kill9()
    sandbox.stop()  # and with it the request that was in flight when the daemon was killed
    sandbox.start()
    clock.set(3 * DAY)
    daemon.restart()
    assert not ready(daemon)
    daemon.wait_log("clock is not set yet: .* the store has an entry of")
    assert daemon.post("gladly", gladly_webhook("opened", "conv-2", "cust-2", at=clock.now())).status == 503
    assert sandbox.requests() == 0
    clock.set(8 * DAY)
    sandbox.wait_events(1, email="jo-1@example.com")
    assert ready(daemon)


@pytest.mark.parametrize("behind", [10 * 60, 23 * HOUR])
def test_after_a_restart_with_the_clock_behind_nobody_waits_for_it(stage, sandbox, gladly, behind):
    clock = stage.clock(8 * DAY)
    daemon = bridge(stage, sandbox, gladly, clock, desk={"settle": {"open": "5m"}})
    daemon.accepted("gladly", gladly_webhook("opened", "conv-1", "cust-1", at=clock.now()))
    sandbox.fault("status=503")
    daemon.accepted("gladly", gladly_webhook("closed", "conv-2", "cust-2", at=clock.now() - 10))
    daemon.accepted("gladly", gladly_webhook("opened", "conv-3", "cust-2", at=clock.now() - 7200))
    sandbox.wait_for(lambda s: s.requests(503) >= 1)
    wait_for(lambda: daemon.webhooks()[0]["wait"] == "settle")
    daemon.kill9()
    sandbox.clear_faults()
    clock.jump(-behind)
    daemon.restart()
    assert ready(daemon)
    sandbox.wait_events(1, email="jo-1@example.com")
    sandbox.wait_events(2, email="jo-2@example.com")
