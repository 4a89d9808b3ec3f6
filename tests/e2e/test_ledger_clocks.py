# SPDX-License-Identifier: MIT
"""A desk that dates only some of its webhooks. Two clocks meet in one conversation, and the flag must end right."""

import contextlib
import pathlib
import sqlite3
import time

import pytest

from harness import HOUR, iso, wait_for

STARTED, CLOSED = "started conversation in Lumen", "closed conversation in Lumen"
FLAG = "In Lumen Conversation"
STORES = pathlib.Path(__file__).resolve().parent.parent / "data" / "store"
SCHEMA_2_MADE = 1795983841  # the time at which schema-2.sql was made
DEFINITION = {
    "label": "Lumen",
    "authenticate": {"method": "none"},
    "opened": {"/event": ["reply", "created"]},
    "closed": {"/event": "closed"},
    "conversation": "/id",
    "time": "/at",
    "created": "/created_at",
    "closed_at": "/closed_at",
    "emails": "/email",
}
CONFIG = {"sources": {"lumen": {"definition": DEFINITION}}}


@pytest.fixture
def lumen(stage, sandbox):
    return stage.daemon(sandbox, config=CONFIG)


def say(daemon, event, conversation="conv-1", email="jo@example.com", **times):
    body = {"event": event, "id": conversation, "email": email}
    assert daemon.post("lumen", {**body, **{name: iso(at) for name, at in times.items()}}, auth=None).status == 200


def told(sandbox, n, email="jo@example.com"):
    return [(event["metric"], event["backfill"]) for event in sandbox.wait_events(n, email=email)]


@pytest.mark.parametrize("behind", [0, 3], ids=["same-second", "two-seconds-later-by-a-clock-five-behind"])
@pytest.mark.parametrize("restart", [False, True], ids=["at-once", "after-a-restart"])
def test_a_closing_dated_by_the_desk_ends_what_a_reply_without_a_time_opened(lumen, sandbox, behind, restart):
    say(lumen, "reply")
    now = int(time.time())  # the reply came before, so the closing is at most `behind` older
    sandbox.wait_events(1)
    if restart:
        lumen.restart()
    say(lumen, "closed", at=now - behind)
    assert told(sandbox, 2) == [(STARTED, False), (CLOSED, False)]
    wait_for(lambda: sandbox.profiles()["jo@example.com"][FLAG] is False)


def test_a_closing_dated_long_before_a_reply_without_a_time_is_history(lumen, sandbox):
    say(lumen, "reply")
    sandbox.wait_events(1)
    say(lumen, "closed", at=time.time() - 60)
    assert told(sandbox, 2) == [(STARTED, False), (CLOSED, True)]
    assert sandbox.profiles()["jo@example.com"][FLAG] is True


def test_the_cycle_ends_as_the_reply_without_a_time_says(lumen, sandbox):
    now = time.time()
    say(lumen, "created", at=now - 60)
    say(lumen, "closed", at=now - 5)
    say(lumen, "reply")
    say(lumen, "closed", at=now - 7)
    assert [metric for metric, _ in told(sandbox, 4)][-1] == CLOSED
    assert sandbox.profiles()["jo@example.com"][FLAG] is True


@pytest.mark.parametrize("desk", ["same-machine", "right", "no-times"])
@pytest.mark.parametrize("first", ["dated", "undated"])
def test_a_clock_that_is_set_back_by_an_hour_freezes_nothing(stage, sandbox, first, desk):
    clock = stage.clock()
    daemon = stage.daemon(sandbox, config=CONFIG, env=clock.env)
    say(daemon, "reply", **({"at": int(time.time())} if first == "dated" else {}))
    sandbox.wait_events(1)
    clock.jump(-HOUR)
    say(daemon, "closed", **{"same-machine": {"at": int(clock.now())}, "right": {"at": time.time()}, "no-times": {}}[desk])
    assert [metric for metric, _ in told(sandbox, 2)] == [STARTED, CLOSED]
    wait_for(lambda: sandbox.profiles()["jo@example.com"][FLAG] is False)


def test_settle_takes_a_closing_by_a_slow_clock_for_the_newer_one(stage, sandbox):
    daemon = stage.daemon(sandbox, config={"sources": {"lumen": {"definition": DEFINITION, "settle": {"open": "1h"}}}})
    say(daemon, "reply")
    daemon.wait_metric("deskbridge_webhooks_pending", 1)
    say(daemon, "closed", at=int(time.time()) - 3)
    daemon.wait_metric("deskbridge_webhook_results_total", 2, source="lumen", result="settled")
    assert sandbox.events() == []


def test_webhooks_without_a_time_that_came_in_one_request_count_in_their_order(stage, sandbox):
    several = {**{key: value for key, value in DEFINITION.items() if key != "time"}, "each": "/events"}
    daemon = stage.daemon(sandbox, config={"sources": {"lumen": {"definition": several}}})
    items = [{"event": event, "id": "conv-1", "email": "jo@example.com"} for event in ("reply", "closed", "reply")]
    assert daemon.post("lumen", {"events": items}, auth=None).status == 200
    assert told(sandbox, 3) == [(STARTED, False), (CLOSED, False), ("reopened conversation in Lumen", False)]
    assert sandbox.profiles()["jo@example.com"][FLAG] is True


def test_an_imported_ticket_fires_no_flow(lumen, sandbox):
    now, years_ago = time.time(), time.time() - 800 * 86400
    # The ticket was created and closed years ago and is imported today. The desk dates the import.
    say(lumen, "closed", at=now, created_at=years_ago, closed_at=years_ago + 3600)
    assert told(sandbox, 1) == [(CLOSED, True)]
    say(lumen, "created", "conv-2", "sam@example.com", at=now, created_at=years_ago)
    assert told(sandbox, 1, "sam@example.com") == [(STARTED, True)]
    # The ticket of conv-2 is closed now.
    say(lumen, "closed", "conv-2", "sam@example.com", at=now, created_at=years_ago, closed_at=years_ago)
    assert told(sandbox, 2, "sam@example.com") == [(STARTED, True), (CLOSED, False)]
    # The ticket of conv-3 is new.
    say(lumen, "closed", "conv-3", "al@example.com", at=now, created_at=now - 60, closed_at=now)
    assert told(sandbox, 1, "al@example.com") == [(CLOSED, False)]


def test_one_that_was_closed_when_it_was_created_starts_with_its_first_opening(lumen, sandbox):
    now = time.time()
    say(lumen, "closed", at=now - 50, created_at=now - 50, closed_at=now - 50)
    say(lumen, "reply", created_at=now - 50)
    assert told(sandbox, 2) == [(CLOSED, False), (STARTED, False)]
    assert sandbox.profiles()["jo@example.com"][FLAG] is True


def older(stage, sandbox, schema, env=None, **source):
    """Starts a daemon with a store of that schema."""
    config = {"sources": {"lumen": {"definition": DEFINITION, "expire_after": "never", **source}}}
    daemon = stage.daemon(sandbox, config=config, env=env, start=False)
    with contextlib.closing(sqlite3.connect(daemon.dir / "deskbridge.db")) as store, store:
        store.executescript((STORES / f"schema-{schema}.sql").read_text())
    daemon.start()
    daemon.wait_log(rf"notice the store \S+ is brought from schema {schema} to 9: this may need \d+.* of free disk")
    daemon.wait_log(rf"info  the store \S+ was brought from schema {schema} to 9: versions that know only the older one refuse it")
    return daemon


def test_a_store_of_schema_1_goes_on(stage, sandbox):
    daemon = older(stage, sandbox, 1)
    say(daemon, "closed", "open-1")
    assert told(sandbox, 1) == [(CLOSED, False)]
    assert sandbox.profiles()["jo@example.com"][FLAG] is False


def test_what_a_store_of_schema_2_holds_back_goes_on(stage, sandbox, clock):
    clock.set(SCHEMA_2_MADE + 60 - time.time())
    daemon = older(stage, sandbox, 2, env=clock.env, settle={"open": "1h", "close": "1h"})
    say(daemon, "closed", "held-2", at=clock.now())  # ends both openings and itself
    daemon.wait_metric("deskbridge_webhook_results_total", 3, source="lumen", result="settled")
    say(daemon, "created", "open-1", at=clock.now())  # ends the closing and itself
    daemon.wait_metric("deskbridge_webhook_results_total", 5, source="lumen", result="settled")
    assert [row["wait"] for row in daemon.webhooks() if row["state"] == "pending"] == ["settle"]
    clock.jump(3600)
    (event,) = sandbox.wait_events(1, email="jo@example.com")
    assert (event["metric"], event["properties"]["Conversation ID"]) == (STARTED, "held-3")
