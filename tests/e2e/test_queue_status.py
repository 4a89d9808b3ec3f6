# SPDX-License-Identifier: MIT
"""`deskbridge queue list` and `deskbridge status`: the running daemon's events and paused people."""

import http.server
import json
import re
import threading
import time
from datetime import datetime, timedelta, timezone

import pytest

from harness import KEY, MINI, gladly_webhook, listens, request, wait_for

KEYS = ["id", "state", "account", "source", "conversation", "metric", "email", "unique_id", "created", "attempts"]
KEYS += ["next_attempt", "reason", "kind"]
TIME = r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ"

MANY = {**MINI, "label": "Many", "emails": "/email/*"}  # one webhook with many addresses


def ask(daemon, *words):
    return daemon.ask(*words)


def queue(daemon, *words):
    """Returns the rows that `queue list --json` prints."""
    ended = ask(daemon, "queue", "list", "--json", *words)
    assert ended.returncode == 0, ended.stderr
    return json.loads(ended.stdout)


def status(daemon):
    ended = ask(daemon, "status", "--json")
    assert ended.returncode == 0, ended.stderr
    return json.loads(ended.stdout)


def wait_queue(daemon, n, *words):
    return wait_for(lambda: len(rows := queue(daemon, *words)) >= n and rows, what=f"{n} events in the queue")


@pytest.fixture
def mini(stage, sandbox):
    """mini(config) starts a daemon with the sources `mini` and `many`, whose webhooks hold their addresses."""

    def start(config=None, to=sandbox, **kwargs):
        sources = {"mini": {"definition": MINI}, "many": {"definition": MANY}}
        daemon = stage.daemon(to, config={"sources": sources}, start=False, **kwargs)
        daemon.configure(config)
        return daemon.start()

    return start


def post(daemon, kind, conversation, email, at=None):
    body = {"kind": kind, "id": conversation, "email": email, "at": at or time.time()}
    return daemon.accepted("mini", body)


# ---- queue list


def test_an_empty_queue_is_an_empty_array(daemon):
    assert queue(daemon) == [] and queue(daemon, "--state", "ready") == []
    assert ask(daemon, "queue", "list").stdout == "no events\n"
    assert ask(daemon, "queue", "list", "--state", "dead").stdout == "no dead events\n"


def test_a_delivered_event_has_exactly_the_keys_promised(mini, sandbox):
    daemon = mini()
    post(daemon, "opened", "c-1", "jo@example.com")
    event = sandbox.wait_events(1)[0]
    (row,) = wait_queue(daemon, 1, "--state", "delivered")
    assert list(row) == KEYS
    assert re.fullmatch(r"[0-9a-f]{16}", row["id"]) and re.fullmatch(TIME, row["created"])
    assert row["unique_id"] == event["unique_id"] and row["email"] == "jo@example.com"
    assert (row["state"], row["account"], row["metric"]) == ("delivered", "default", "started conversation in Mini")
    assert row["next_attempt"] is None and row["attempts"] == 1
    assert (row["source"], row["conversation"], row["kind"]) == ("mini", "c-1", "event")


def test_a_waiting_event_tells_when_it_is_tried_again_and_why_it_waits(mini, sandbox):
    sandbox.fault("status=503")
    daemon = mini()
    post(daemon, "opened", "c-1", "jo@example.com")
    row = wait_for(lambda: (rows := queue(daemon)) and rows[0]["attempts"] >= 1 and rows[0])
    assert list(row) == KEYS and row["state"] == "ready" and "503" in row["reason"]
    assert re.fullmatch(TIME, row["next_attempt"]) and row["next_attempt"] >= row["created"]
    assert queue(daemon, "--state", "delivered") == [] and queue(daemon, "--state", "dead") == []
    sandbox.clear_faults()


def test_a_dead_letter_gives_klaviyos_own_words(mini, sandbox):
    sandbox.fault("status=400,email=bad@example.com")
    daemon = mini()
    post(daemon, "opened", "c-1", "bad@example.com")
    post(daemon, "opened", "c-2", "good@example.com")
    (row,) = wait_queue(daemon, 1, "--state", "dead")
    assert list(row) == KEYS
    assert row["email"] == "bad@example.com" and row["state"] == "dead" and row["next_attempt"] is None
    refused = sandbox.klaviyo("POST", "/api/events", _event("bad@example.com"))
    detail = refused.json()["errors"][0]["detail"]
    assert refused.status == 400 and detail in row["reason"]
    shown = ask(daemon, "queue", "list", "--state", "dead").stdout
    assert row["id"] in shown and f"reason: {row['reason']}" in shown and "good@example.com" not in shown


def _event(email):
    attributes = {
        "properties": {},
        "metric": {"data": {"type": "metric", "attributes": {"name": "m"}}},
        "profile": {"data": {"type": "profile", "attributes": {"email": email}}},
    }
    return {"data": {"type": "event", "attributes": attributes}}


def test_what_waits_for_a_key_has_no_time_and_a_reason(mini, sandbox):
    daemon = mini(key="pk_bad_0123")
    post(daemon, "opened", "c-1", "jo@example.com")
    wait_for(lambda: any("parked" in account for account in status(daemon)["accounts"]))
    (row,) = queue(daemon)
    assert row["state"] == "ready" and list(row) == KEYS
    parked = status(daemon)["accounts"][0]["parked"]
    assert "401" in parked or "key" in parked


def test_the_newest_come_first_and_the_limit_holds(mini):
    daemon = mini({"klaviyo": {"hold": True}})
    for n in range(6):
        post(daemon, "opened", f"c-{n}", f"p{n}@example.com")
    rows = wait_queue(daemon, 6)
    assert [row["email"] for row in rows] == [f"p{n}@example.com" for n in (5, 4, 3, 2, 1, 0)]
    assert [row["id"] for row in rows] == sorted((row["id"] for row in rows), reverse=True)
    assert queue(daemon, "--limit", "2") == rows[:2] and queue(daemon, "--limit=100") == rows
    assert queue(daemon, "--state", "ready") == rows
    shown = ask(daemon, "queue", "list", "--limit", "2").stdout.splitlines()
    assert len(shown) == 4 and "--limit" in shown[3] and "p5@example.com" in shown[1]
    assert "--limit" not in ask(daemon, "queue", "list").stdout


def test_the_default_limit_is_50(mini):
    daemon = mini({"klaviyo": {"hold": True}})
    _post_many(daemon, 60)
    wait_queue(daemon, 60, "--limit", "60")
    assert len(queue(daemon)) == 50


def _post_many(daemon, n):
    """Posts few webhooks that give n events."""
    for start in range(0, n, 30):
        emails = [f"p{i:04}@example.com" for i in range(start, min(start + 30, n))]
        daemon.accepted("many", {"kind": "opened", "id": f"c-{start}", "email": emails, "at": time.time()})


def test_more_than_one_page_comes_whole(mini):
    daemon = mini({"klaviyo": {"hold": True}})
    _post_many(daemon, 1100)
    rows = wait_queue(daemon, 1100, "--limit", "5000")
    assert len(rows) == 1100
    assert {row["email"] for row in rows} == {f"p{i:04}@example.com" for i in range(1100)}
    ids = [row["id"] for row in rows]
    assert ids == sorted(set(ids), reverse=True)
    for limit in (499, 500, 501, 1000, 1001, 1100):
        assert queue(daemon, "--limit", str(limit)) == rows[:limit]
    assert queue(daemon, "--state", "dead", "--limit", "5000") == []


# ---- dead webhooks


@pytest.fixture
def with_dead(mini):
    """A daemon with two dead webhooks of the source gladly."""
    daemon = mini()
    ids = [daemon.accepted("gladly", gladly_webhook("opened", None, id=f"d-{n}")) for n in (1, 2)]
    wait_for(lambda: _source(daemon, "gladly")["dead"] == 2)
    return daemon, ids


def test_dead_webhooks_stand_below_the_events(with_dead):
    daemon, ids = with_dead
    for words in ([], ["--state", "dead"]):
        lines = ask(daemon, "queue", "list", *words).stdout.splitlines()
        assert lines[0].startswith("no ") and lines[1:3] == ["", "2 dead webhooks (newest first):"]
        assert lines[3].split() == ["ID", "SOURCE", "RECEIVED", "REASON"]
        rows = [line.split(None, 3) for line in lines[4:]]
        assert [row[:2] for row in rows] == [[ids[1], "gladly"], [ids[0], "gladly"]]
        assert all(re.fullmatch(TIME, row[2]) and row[3] != "-" for row in rows)
    for state in ("ready", "delivered"):
        assert ask(daemon, "queue", "list", "--state", state).stdout == f"no {state} events\n"


def test_dead_webhooks_are_rows_of_json_too(with_dead):
    """A program that reads dead letters gets all of them. Members that only events have are null."""
    daemon, ids = with_dead
    rows = queue(daemon, "--state", "dead")
    assert rows == queue(daemon) and [row["id"] for row in rows] == ids[::-1]
    for row in rows:
        assert list(row) == KEYS and row["kind"] == "webhook" and row["state"] == "dead"
        assert (row["source"], row["conversation"], row["attempts"]) == ("gladly", None, 0)
        assert [row[key] for key in ("account", "metric", "email", "unique_id", "next_attempt")] == [None] * 5
        assert re.fullmatch(TIME, row["created"]) and "no conversation" in row["reason"]
    assert queue(daemon, "--state", "ready") == queue(daemon, "--state", "delivered") == []


def test_dead_events_and_webhooks_stand_in_one_array_the_newest_first(mini, sandbox):
    sandbox.fault("status=400,email=bad@example.com")
    daemon = mini()
    daemon.accepted("gladly", gladly_webhook("opened", None, id="d-1"))
    _next_second()
    post(daemon, "opened", "c-1", "bad@example.com")
    wait_for(lambda: len(queue(daemon, "--state", "dead")) == 2)
    _next_second()
    daemon.accepted("gladly", gladly_webhook("opened", None, id="d-2"))
    rows = wait_queue(daemon, 3, "--state", "dead")
    assert [row["kind"] for row in rows] == ["webhook", "event", "webhook"]
    assert [row["created"] for row in rows] == sorted((row["created"] for row in rows), reverse=True)
    assert queue(daemon, "--limit", "2") == rows[:2] and queue(daemon, "--limit", "1") == rows[:1]


def _next_second():
    """Waits for the next second, as times are shown in whole seconds."""
    now = int(time.time())
    wait_for(lambda: int(time.time()) > now)


def test_more_dead_webhooks_than_one_page_come_whole(mini):
    daemon = mini()
    for n in range(501):
        daemon.accepted("gladly", gladly_webhook("opened", None, id=f"d-{n}"))
    assert len(queue(daemon, "--limit", "5000")) == 501
    assert "501 dead webhooks" in ask(daemon, "queue", "list", "--limit", "5000").stdout


def test_status_tells_of_dead_webhooks_and_where_they_are_shown(with_dead):
    daemon, _ = with_dead
    reason = _source(daemon, "gladly")["dead_reason"]
    shown = ask(daemon, "status").stdout
    said = f"; 2 dead webhooks, the latest: {reason} (deskbridge queue list --state dead)"
    assert len(reason) > 10 and said in shown, shown
    assert "dead_reason" not in _source(daemon, "many")


def test_the_api_pages_webhooks_by_state(with_dead):
    daemon, ids = with_dead
    rows = daemon.api("/api/webhooks?state=dead").json()
    assert [row["id"] for row in rows] == ids[::-1]
    keys = ["id", "source", "state", "transition", "conversation", "received", "wait", "asked", "not_before", "reason"]
    assert list(rows[0]) == keys and rows[0]["state"] == "dead" and rows[0]["wait"] is None
    assert daemon.api("/api/webhooks?limit=1").json() == rows[:1]
    assert daemon.api(f"/api/webhooks?state=dead&limit=1&before={ids[1]}").json() == rows[1:]
    assert daemon.api("/api/webhooks?state=pending").json() == daemon.api("/api/webhooks?state=done").json() == []
    answer = daemon.api("/api/webhooks?state=ready")
    assert answer.status == 400 and "expected pending, done or dead" in answer.text


# ---- status


def test_status_begins_with_the_people_who_wait_longest(mini, sandbox):
    daemon = mini()
    now = datetime.now(timezone.utc)
    opened = (("c-1", "short@example.com", 1), ("c-2", "long@example.com", 30), ("c-3", "mid@example.com", 5))
    for conversation, email, hours in opened:
        post(daemon, "opened", conversation, email, (now - timedelta(hours=hours)).timestamp())
    sandbox.wait_events(3)
    paused = wait_for(lambda: len(rows := status(daemon)["paused"]) == 3 and rows)
    assert [person["email"] for person in paused] == ["long@example.com", "mid@example.com", "short@example.com"]
    assert paused[0] == {
        "source": "mini",
        "account": "default",
        "email": "long@example.com",
        "flag": "In Mini Conversation",
        "conversation": "c-2",
        "since": paused[0]["since"],
        "refused": None,
    }
    assert paused[0]["since"] == (now - timedelta(hours=30)).strftime("%Y-%m-%dT%H:%M:%SZ")
    shown = ask(daemon, "status").stdout
    lines = shown.splitlines()
    assert lines[0] == "Paused now, the longest first (open conversations: mini 3)"
    assert lines[1].split() == ["FOR", "SOURCE", "EMAIL", "PROPERTY", "CONVERSATION"]
    assert [line.split("mini")[1].split()[0] for line in lines[2:5]] == [person["email"] for person in paused]
    assert shown.index("Paused now") < shown.index("Klaviyo accounts") < shown.index("Sources") < shown.index("up for")


def test_status_says_how_many_more_are_paused_than_it_lists(mini):
    daemon = mini({"klaviyo": {"hold": True}})
    _post_many(daemon, 57)
    wait_for(lambda: status(daemon)["paused_total"] == 57)
    lines = ask(daemon, "status").stdout.splitlines()
    assert lines[22] == "  and 37 more" and "@example.com" in lines[21]
    assert len(status(daemon)["paused"]) == 57
    assert len(daemon.api("/api/status").json()["paused"]) == 20
    assert len(daemon.api("/api/status?paused=3").json()["paused"]) == 3
    for wrong in ("0", "501", "x", ""):
        answer = daemon.api(f"/api/status?paused={wrong}")
        assert answer.status == 400 and "expected a number from 1 to 500" in answer.text


def test_a_list_of_the_paused_is_a_page_and_the_total_says_so(mini):
    daemon = mini({"klaviyo": {"hold": True}})
    _post_many(daemon, 510)
    wait_for(lambda: status(daemon)["paused_total"] == 510)
    assert len(status(daemon)["paused"]) == 500


def test_who_is_paused_but_refused_by_klaviyo_is_marked(mini, sandbox):
    """The ledger says paused, but Klaviyo never got the event, so the person still gets mail."""
    sandbox.fault("status=400,email=bad@example.com")
    daemon = mini()
    post(daemon, "opened", "c-1", "bad@example.com", time.time() - 90)
    post(daemon, "opened", "c-2", "good@example.com", time.time() - 30)
    wait_queue(daemon, 1, "--state", "dead")
    wait_queue(daemon, 1, "--state", "delivered")
    refused = {person["email"]: person["refused"] for person in status(daemon)["paused"]}
    (dead,) = queue(daemon, "--state", "dead")
    assert refused == {"bad@example.com": dead["reason"], "good@example.com": None}
    lines = ask(daemon, "status").stdout.splitlines()
    assert "bad@example.com" in lines[2] and "good@example.com" in lines[4]
    assert lines[3] == f"    ! not paused in Klaviyo, the opening is a dead letter: {dead['reason']}"
    sandbox.clear_faults()
    post(daemon, "opened", "c-3", "bad@example.com")  # now Klaviyo gets the event
    wait_queue(daemon, 2, "--state", "delivered")
    assert all(person["refused"] is None for person in status(daemon)["paused"])
    assert "refused" not in ask(daemon, "status").stdout


def test_the_people_of_status_fit_80_columns(mini, sandbox):
    daemon = mini()
    post(daemon, "opened", "4711", "a.customer@example.com")
    sandbox.wait_events(1)
    lines = wait_for(lambda: len(out := ask(daemon, "status").stdout.splitlines()) > 6 and "a.customer" in out[2] and out)
    assert max(len(line) for line in lines[:4]) <= 80, lines


def test_nobody_paused_is_said_in_words(daemon):
    assert ask(daemon, "status").stdout.startswith("Nobody is paused now")
    assert status(daemon)["paused"] == [] and status(daemon)["paused_total"] == 0


def test_who_was_closed_is_paused_no_more(mini, sandbox):
    daemon = mini()
    post(daemon, "opened", "c-1", "jo@example.com", time.time() - 5)
    post(daemon, "closed", "c-1", "jo@example.com")
    sandbox.wait_events(2)
    wait_for(lambda: status(daemon)["paused"] == [])
    assert ask(daemon, "status").stdout.startswith("Nobody is paused now")


def test_closing_events_that_wait_are_told_with_the_paused(mini):
    daemon = mini({"klaviyo": {"hold": True}})
    post(daemon, "opened", "c-1", "jo@example.com", time.time() - 5)
    wait_queue(daemon, 1)
    assert "\n1 event that changes this still waits for Klaviyo.\n\nKlaviyo acc" in ask(daemon, "status").stdout
    post(daemon, "closed", "c-1", "jo@example.com")
    wait_queue(daemon, 2)
    lines = ask(daemon, "status").stdout.splitlines()
    assert lines[0].startswith("Nobody is paused now")
    assert lines[1:3] == ["2 events that change this still wait for Klaviyo.", ""]


def test_a_klaviyo_that_takes_nothing_is_told_once_and_its_return_too(mini, sandbox):
    sandbox.fault("status=503")
    daemon = mini()
    for n in range(6):
        post(daemon, "opened", f"c-{n}", f"p{n}@example.com")
    daemon.wait_log(r"warning Klaviyo answers, but takes no events; events wait and are tried again account=default reason=.*503")
    account = wait_for(lambda: "retrying" in (a := status(daemon)["accounts"][0]) and a)
    assert "503" in account["retrying"] and re.fullmatch(TIME, account["retrying_since"])
    assert re.search(r"^  default +6 .* retrying since \d+ \w+: .*503", ask(daemon, "status").stdout, re.M)
    sandbox.clear_faults()
    daemon.wait_log("Klaviyo takes events again")
    wait_for(lambda: status(daemon)["accounts"][0]["delivered"] == 6)
    assert "retrying" not in status(daemon)["accounts"][0]
    assert re.search(r"^  default +0 .* sending$", ask(daemon, "status").stdout, re.M)
    assert len([line for line in daemon.log() if "events wait and are tried again" in line]) == 1
    assert len([line for line in daemon.log() if "Klaviyo takes events again" in line]) == 1


def test_the_last_line_names_where_it_was_asked_and_the_daemons_files(daemon):
    last = ask(daemon, "status").stdout.splitlines()[-1]
    for said in (f" at {daemon.admin}, ", f"configuration {daemon.file}, ", f"store {daemon.dir}/deskbridge.db ("):
        assert said in last, last
    assert last.endswith(", ready")


def test_status_counts_events_and_conversations(mini, sandbox):
    daemon = mini()
    sandbox.fault("status=400,email=bad@example.com")
    post(daemon, "opened", "c-1", "jo@example.com")
    post(daemon, "opened", "c-2", "bad@example.com")
    account = wait_for(
        lambda: (a := status(daemon)["accounts"][0]) and (a["ready"], a["delivered"], a["dead"]) == (0, 1, 1) and a
    )
    assert account["name"] == "default" and account["configured"] is True and account["hold"] is False
    assert 0 < account["revision_days_left"] <= 731 and account["url"] == sandbox.url
    source = {source["name"]: source for source in status(daemon)["sources"]}
    assert source["mini"]["open_conversations"] == 2 and source["gladly"]["open_conversations"] == 0
    assert source["mini"]["pending"] == 0 and source["mini"]["configured"] is True
    row = re.search(r"^  default +(\d+) +(\d+) +(\d+) +(\S+) +(.*)$", ask(daemon, "status").stdout, re.M)
    assert row.groups() == ("0", "1", "1", "-", "sending")


def test_status_has_its_members_before_anything_happened(daemon):
    shown = status(daemon)
    assert set(shown) == {
        *("version", "config", "store", "started", "ready", "store_bytes", "accounts", "sources", "paused"),
        *("unknown_path", "paused_total"),
    }
    assert shown["config"] == str(daemon.file) and shown["store"] == str(daemon.dir / "deskbridge.db")
    assert shown["ready"] is True and shown["version"] == "0.1.0" and shown["store_bytes"] > 0
    assert re.fullmatch(TIME, shown["started"])
    (account,) = shown["accounts"]
    assert (account["ready"], account["delivered"], account["dead"]) == (0, 0, 0)
    (source,) = shown["sources"]
    assert (source["name"], source["path"]) == ("gladly", "/webhooks/gladly")
    assert (source["open_conversations"], source["pending"], source["dead"]) == (0, 0, 0)
    assert source["without_address"] == 0 and "received" not in source and shown["unknown_path"] == 0
    assert "since the start" not in ask(daemon, "status").stdout


def test_status_tells_what_came_in_since_the_start_by_source(mini, sandbox):
    """The counts include webhooks that are not stored: ignored, refused, to no source."""
    daemon = mini()
    for n in range(3):
        post(daemon, "opened", f"c-{n}", "jo@example.com")
    assert daemon.post("mini", {"kind": "other", "id": "c-1"}).json() == {"status": "ignored"}
    assert daemon.post("mini", b"{").status == 400
    for password in ("wrong", "wrong", None):
        auth = ("deskbridge", password) if password else None
        assert daemon.post("gladly", gladly_webhook("opened"), auth=auth).status == 401
    assert daemon.post("nowhere", b"{}").status == 404
    shown = status(daemon)
    received = {source["name"]: source.get("received") for source in shown["sources"]}
    assert received["mini"] == {"accepted": 3, "ignored": 1, "unreadable": 1}
    assert received["gladly"] == {"wrong proof": 2, "missing proof": 1}
    assert received["many"] is None and shown["unknown_path"] == 1
    text = ask(daemon, "status").stdout
    block = re.search(r"\nWebhooks since the start\n((?:  .*\n)+)\n", text)[1].splitlines()
    assert sorted(re.sub(" {2,}", "  ", line) for line in block) == [
        "  -  1 to a path that no source has",
        "  gladly  1 missing proof, 2 wrong proof",
        "  mini  3 accepted, 1 ignored, 1 unreadable",
    ]
    assert text.index("Sources") < text.index("Webhooks since the start") < text.index("up for")


def test_status_tells_what_the_listener_refused_by_source_and_elsewhere(mini, sandbox):
    daemon = mini()
    assert daemon.post("mini", b"x" * (1024 * 1024 + 1)).status == 413
    assert daemon.post("mini", b"x", headers={"Content-Encoding": "gzip"}).status == 415
    assert request(daemon.address, "GET", "/webhooks/mini").status == 405
    assert daemon.post("nowhere", b"{}", headers={"Expect": "200-ok"}).status == 417
    assert daemon.post("nowhere", b"{}").status == 404
    shown = status(daemon)
    received = {source["name"]: source.get("received") for source in shown["sources"]}
    assert received["mini"] == {"too long": 1, "unsupported": 1, "method": 1}
    assert (shown["unknown_path"], shown["elsewhere"]) == (1, {"unsupported": 1})
    text = ask(daemon, "status").stdout
    assert re.search(r"^  mini +1 too long, 1 of an unsupported kind, 1 not by POST$", text, re.M)
    assert re.search(r"^  - +1 to a path that no source has, 1 of an unsupported kind$", text, re.M)


def test_open_conversations_without_an_address_are_counted(mini, sandbox):
    daemon = mini()
    post(daemon, "opened", "c-1", "jo@example.com")
    post(daemon, "opened", "c-2", None)
    wait_for(lambda: _source(daemon, "mini")["without_address"] == 1)
    wait_for(lambda: _source(daemon, "mini")["open_conversations"] == 2)
    assert re.search(r"^  mini .* taking webhooks; 1 conversation without an address yet$", ask(daemon, "status").stdout, re.M)
    post(daemon, "closed", "c-2", None)
    wait_for(lambda: _source(daemon, "mini")["without_address"] == 0)
    assert "without an address" not in ask(daemon, "status").stdout


def test_a_parked_account_and_its_oldest_event_are_shown(mini):
    daemon = mini(key="pk_revoked_0123")
    post(daemon, "opened", "c-1", "jo@example.com")
    account = wait_for(lambda: "parked" in (a := status(daemon)["accounts"][0]) and a)
    assert account["ready"] == 1 and re.fullmatch(TIME, account["oldest"])
    shown = ask(daemon, "status").stdout
    assert re.search(r"^  default +1 +0 +0 +\d.* parked: ", shown, re.M) and account["parked"] in shown
    assert KEY not in shown


def test_an_account_on_hold_is_shown(mini):
    shown = ask(mini({"klaviyo": {"hold": True}}), "status").stdout
    assert re.search(r"^  default .* on hold$", shown, re.M)


def test_parked_lookups_and_what_waits_for_them_are_shown(stage, sandbox, gladly):
    gladly.status["*"] = 401
    daemon = stage.daemon(sandbox, gladly)
    daemon.accepted("gladly", gladly_webhook("opened"))
    source = wait_for(lambda: "parked" in (s := _source(daemon, "gladly")) and s)
    assert "401" in source["parked"] and source["pending"] == 1

    def parked():
        source = _source(daemon, "gladly")
        return any(waits["wait"] == "parked" for waits in source.get("waits", [])) and source

    source = wait_for(parked)
    (waits,) = source["waits"]
    assert (waits["wait"], waits["asked"], waits["not_before"]) == ("parked", 1, None) and "401" in waits["reason"]
    shown = ask(daemon, "status").stdout
    said = "lookups parked: .*401.*; waiting for their source's lookups to work again: 1"
    assert re.search(rf"^  gladly +0 +1 +0  {said}$", shown, re.M), shown
    assert re.search(rf"^ +webhook {waits['webhook']}, asked 1 time, waits: lookup: .*401", shown, re.M), shown
    shown = ask(daemon, "queue", "list").stdout
    assert re.search(rf"^{waits['webhook']}  gladly  .*  parked  +1  -", shown, re.M), shown
    assert re.search(r"^ +reason: lookup: .*401", shown, re.M), shown
    (row,) = queue(daemon)
    assert (row["id"], row["state"], row["wait"], row["attempts"]) == (waits["webhook"], "pending", "parked", 1)
    assert row["email"] is row["metric"] is row["next_attempt"] is None and "401" in row["reason"]


def _source(daemon, name):
    return {source["name"]: source for source in status(daemon)["sources"]}[name]


def test_what_is_no_longer_configured_is_shown_as_parked(mini, sandbox):
    daemon = mini({"klaviyo": {"hold": True}})
    post(daemon, "opened", "c-1", "jo@example.com")
    wait_queue(daemon, 1)
    daemon.configure({"sources": {"mini": None}})
    daemon.config["klaviyo"] = {"accounts": {"other": daemon.config["klaviyo"]}}
    daemon.configure()
    daemon.restart()
    accounts = {account["name"]: account for account in status(daemon)["accounts"]}
    assert accounts["default"]["configured"] is False and accounts["default"]["ready"] == 1
    assert accounts["other"]["configured"] is True
    assert _source(daemon, "mini")["configured"] is False and _source(daemon, "mini")["open_conversations"] == 1
    shown = ask(daemon, "status").stdout
    assert re.search(r"^  default +1 .*parked: not configured$", shown, re.M)
    assert re.search(r"^  mini +1 .*parked: not configured$", shown, re.M)


# ---- asking


def test_a_broken_configuration_does_not_keep_the_daemon_from_being_asked(daemon):
    daemon.write("version: [")
    for words in (["status"], ["queue", "list"]):
        ended = ask(daemon, *words, "--token-file", daemon.token_file)
        assert ended.returncode == 0 and ended.stdout and ended.stderr == "", "it needs nothing of the configuration"
        if not listens("127.0.0.1:8086"):  # else another daemon of this machine would be asked
            assert daemon.command(*words).returncode == 78, "nobody answers at the default address"
    daemon.write(f"admin: {daemon.admin}\nstore: sqlite:{daemon.dir}/deskbridge.db\nversion: [")
    for words in (["status"], ["queue", "list"]):
        ended = daemon.command(*words)
        assert ended.returncode == 0 and ended.stdout, ended
        assert len(ended.stderr.splitlines()) == 1 and str(daemon.file) in ended.stderr and "note" in ended.stderr


def test_a_token_that_cannot_be_read_is_told_where_it_is_needed(stage, sandbox):
    admin = {"address": "127.0.0.1:0", "token": {"credential": "admin-token"}}
    daemon = stage.daemon(sandbox, config={"admin": admin}, start=False)
    daemon.credential("admin-token", "the admin's token")
    daemon.start()
    daemon.write("version: [")
    ended = ask(daemon, "status")
    assert ended.returncode == 1 and ended.stdout == ""
    assert f"the configuration {daemon.file} does not load" in ended.stderr
    assert "admin token" in ended.stderr and "--token-file" in ended.stderr


@pytest.mark.parametrize("words", [["status"], ["status", "--json"], ["queue", "list"], ["queue", "list", "--json"]])
def test_no_daemon_is_1_with_what_to_do(stage, words):
    daemon = stage.daemon(config={"admin": "127.0.0.1:9"}, start=False)
    ended = daemon.command(*words)
    assert ended.returncode == 1 and ended.stdout == ""
    for said in ("127.0.0.1:9", "does not answer", "Does it run?", "systemctl status deskbridge", "--admin"):
        assert said in ended.stderr, said


def test_no_daemon_on_a_unix_socket_is_1_too(stage, tmp_path):
    daemon = stage.daemon(config={"admin": f"unix:{tmp_path}/admin.sock"}, start=False)
    ended = daemon.command("status")
    assert ended.returncode == 1 and f"unix:{tmp_path}/admin.sock" in ended.stderr and "Does it run?" in ended.stderr


def test_the_address_and_the_token_are_those_of_the_configuration(stage, sandbox, tmp_path):
    config = {"admin": {"address": f"unix:{tmp_path}/admin.sock", "token": {"credential": "admin-token"}}}
    daemon = stage.daemon(sandbox, config=config, start=False)
    daemon.credential("admin-token", "the admin's token")
    daemon.start(ready=False)
    daemon.wait_log(r"admin on unix:")
    for words in (["status"], ["status", "--json"], ["queue", "list", "--json"]):
        ended = daemon.command(*words)
        assert ended.returncode == 0 and ended.stderr == "", ended
        assert "the admin's token" not in ended.stdout
    other = tmp_path / "other.yaml"
    daemon.config["admin"] = f"unix:{tmp_path}/admin.sock"
    other.write_text(json.dumps(daemon.config))
    (tmp_path / "credentials").symlink_to(daemon.dir / "credentials")
    daemon.file = other
    assert daemon.command("status").returncode == 0, "a unix socket lets in by its mode"


class Stranger(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        status, body = self.server.answer
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


@pytest.fixture
def stranger():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Stranger)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    server.address = "127.0.0.1:%d" % server.server_address[1]
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.mark.parametrize(
    "answer",
    [
        (200, b"<html>hello</html>"),
        (200, b""),
        (200, b"null"),
        (200, b"{}"),
        (200, b"[]"),
        (200, b"[1, null, {}, []]"),
        (200, b'{"paused": {}, "accounts": [1], "sources": 2}'),
        (200, b'{"paused": [1, null], "accounts": [{}], "sources": [{"waiting": 3}], "ready": 1}'),
        (404, b"not here"),
        (500, b'{"error": "trouble"}'),
    ],
    ids=lambda answer: f"{answer[0]} {answer[1].decode()}"[:40],
)
@pytest.mark.parametrize("words", [["status"], ["queue", "list"], ["status", "--json"], ["queue", "list", "--json"]])
def test_an_answer_of_something_else_is_borne(stage, stranger, words, answer):
    stranger.answer = answer
    daemon = stage.daemon(start=False)
    ended = daemon.command(*words, "--admin", stranger.address)
    assert ended.returncode in (0, 1), ended
    if answer[1].startswith((b"<", b"not")) or answer[1] in (b"", b"null") or answer[0] != 200:
        assert ended.returncode == 1 and ended.stdout == ""
        assert stranger.address in ended.stderr
