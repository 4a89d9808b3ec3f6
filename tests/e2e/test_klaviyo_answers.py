# SPDX-License-Identifier: MIT
"""Undocumented answers of Klaviyo, or of a server in its place, to events.

tests/unit/pipeline/test_klaviyo_answers.c has the whole table, forty kinds of answer over half an hour. Here some of
its rows are tested with the real programs.
"""

import json
import time

import pytest

from harness import MINI, wait_for

PEOPLE = [f"p{n}@example.com" for n in range(30)]
ODD = PEOPLE[6]


@pytest.fixture
def mini(stage, sandbox):
    return stage.daemon(sandbox, config={"sources": {"mini": {"definition": MINI}}})


def post(daemon, people):
    for n, email in enumerate(people):
        daemon.accepted("mini", {"kind": "opened", "id": f"c-{n}", "email": email, "at": time.time()})


def status(daemon, *words):
    return daemon.command("status", "--admin", daemon.admin, *words).stdout


def account(daemon):
    return json.loads(status(daemon, "--json"))["accounts"][0]


def next_attempts(daemon):
    """Returns the column NEXT ATTEMPT of the waiting events, as it is printed."""
    title, *rows = daemon.command("queue", "list", "--state", "ready", "--admin", daemon.admin).stdout.splitlines()
    at = title.index("NEXT ATTEMPT")
    return {row[at : at + 20].strip() for row in rows if "example.com" in row}


def test_an_event_on_hold_shows_no_time_of_a_next_attempt(mini):
    mini.configure({"klaviyo": {"hold": True}})
    mini.restart()
    post(mini, PEOPLE[:1])
    assert wait_for(lambda: next_attempts(mini)) == {"on hold"}


def reached(sandbox):
    return {event["email"] for event in sandbox.events()}


@pytest.mark.parametrize("answer", ["402", "402,html", "406,json", "409", "418,empty", "451,text", "451"])
def test_an_answer_that_nobody_documents_parks_the_account_and_costs_no_event(mini, sandbox, answer):
    sandbox.fault("status=" + answer)
    post(mini, PEOPLE)
    parked = wait_for(lambda: account(mini).get("parked"), what="the account to be parked")
    assert answer[:3] in parked
    row = account(mini)
    assert (row["ready"], row["delivered"], row["dead"]) == (30, 0, 0)
    # The operator corrects it and reloads: nothing is lost.
    sandbox.clear_faults()
    mini.reload()
    sandbox.wait_for(lambda s: reached(s) == set(PEOPLE))
    assert "parked" not in account(mini)


@pytest.mark.parametrize("answer", ["402", "409,html", "451,empty"])
def test_an_answer_that_nobody_documents_to_one_person_stops_nobody_else(mini, sandbox, answer):
    sandbox.fault(f"status={answer},email={ODD}")
    post(mini, PEOPLE)
    sandbox.wait_for(lambda s: reached(s) == set(PEOPLE) - {ODD})
    row = wait_for(
        lambda: (row := account(mini))["ready"] == 1 and "retrying" in row and row, what="the others to be counted as delivered"
    )
    assert "parked" not in row and row["dead"] == 0
    assert answer[:3] in row["retrying"]


@pytest.mark.parametrize("answer", ["200,html", "200", "204,empty", "202,html", "302,html", "400,html", "422,empty"])
def test_an_answer_that_is_not_klaviyos_delivers_nothing_and_parks(mini, sandbox, answer):
    sandbox.fault("status=" + answer)
    post(mini, PEOPLE)
    wait_for(lambda: f"({answer[:3]})" in account(mini).get("parked", ""), what="the account to be parked")
    row = account(mini)
    assert (row["ready"], row["delivered"], row["dead"]) == (30, 0, 0)
    assert mini.wait_log(rf"warning .*the account is parked.*\({answer[:3]}\)")
    assert next_attempts(mini) == {"parked"}
    if answer[:3] != "400":  # the key is refused there
        assert mini.wait_log("account is parked.*queued for the former url become dead letters where klaviyo.url changes")
    sandbox.clear_faults()
    mini.reload()
    sandbox.wait_for(lambda s: reached(s) == set(PEOPLE))


def test_a_pause_of_more_than_a_minute_is_at_most_an_hour_logged_shown_and_ended_by_a_reload(mini, sandbox):
    sandbox.fault("status=429,retry-after=86400")
    post(mini, PEOPLE[:3])
    paused = wait_for(lambda: account(mini).get("parked"), what="the pause to be shown")
    assert paused.startswith("paused by Klaviyo's Retry-After until ")
    until = time.mktime(time.strptime(paused.split()[-1], "%Y-%m-%dT%H:%M:%SZ")) - time.timezone
    assert 3500 < until - time.time() < 3601
    assert next_attempts(mini) == {paused.split()[-1]}
    assert f" {paused}" in status(mini) and "parked:" not in status(mini)
    assert mini.metric("deskbridge_account_parked", reason="paused") == 1
    assert mini.wait_log(r"warning the account's events wait until 20\S+Z, an hour: longer waits are cut to it.*paused by Klaviyo's Retry-After until 20")
    sandbox.clear_faults()
    mini.reload()
    assert mini.wait_log(r"notice the pause ends early, by a reload.*account=default.*Retry-After until 20")
    sandbox.wait_for(lambda s: reached(s) == set(PEOPLE[:3]))
    wait_for(lambda: "parked" not in account(mini))
    assert mini.metric("deskbridge_account_parked", reason="paused") == 0
