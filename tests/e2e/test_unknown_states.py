# SPDX-License-Identifier: MIT
"""A state that a definition does not know gives one warning, which says where to map it and shows a line that maps
it."""

import json
import re
import time

from harness import desk_source, iso, wait_for

STARTED = "started conversation in Zammad"
CLOSED = "closed conversation in Zammad"
COUNTER = "deskbridge_unknown_states_total"


def ticket(state, number=1, **more):
    """Returns a ticket of Zammad with its current state."""
    customer = {"id": 8, "email": f"jo{number}@example.com"}
    times = {"created_at": iso(time.time() - 60), "updated_at": iso(time.time())}
    return json.dumps({"ticket": {"id": number, "state": state, "customer": customer, **times, **more}}).encode()


def zammad(stage, sandbox, **more):
    return stage.daemon(sandbox, config={"sources": {"zammad": desk_source("zammad", **more)}})


def send(daemon, state, number=1, query="", **more):
    headers = {"X-Zammad-Delivery": f"{number}-{time.time()}"}
    answer = daemon.post_proven("zammad", ticket(state, number, **more), query=query, headers=headers)
    assert answer.status == 200, answer
    return answer.json()["status"]


def warnings(daemon):
    return [line for line in daemon.log() if "is not one that the definition knows" in line]


def wait_warnings(daemon, n):
    """Waits for exactly n warnings. A thread of its own writes a line, after the metric has changed."""
    wait_for(lambda: len(warnings(daemon)) >= n, what=f"{n} warnings")
    said = warnings(daemon)
    assert len(said) == n, said
    return said


def test_a_renamed_state_is_read_as_before_and_told_once(stage, sandbox):
    daemon = zammad(stage, sandbox)
    assert send(daemon, "wartet auf kunde") == "accepted"
    sandbox.wait_events(1, metric=STARTED)
    for number in (2, 3):
        send(daemon, "Wartet auf Kunde", number)
    for state in ("new", "open", "pending reminder", "pending close", "closed", "merged", "removed"):
        send(daemon, state, 10)
    send(daemon, "erledigt", 4)
    daemon.wait_metric(COUNTER, 4, source="zammad")
    said = wait_warnings(daemon, 2)
    assert (
        'the state "wartet auf kunde" at /ticket/state is not one that the definition knows (the webhook is read as opened): '
        "say in sources.zammad.definition what it means, "
        'as in states: {/ticket/state: {"wartet auf kunde": open}} (open or closed, or ~ for nothing) source=zammad '
        'conversation=1 reason="unknown state"'
    ) in said[0]
    assert '"erledigt"' in said[1]


def test_the_line_of_the_warning_maps_the_state_and_no_warning_comes_again(stage, sandbox):
    daemon = zammad(stage, sandbox)
    for number, state in enumerate(("wartet", "erledigt", "notiz"), 1):
        send(daemon, state, number)
        daemon.wait_log(f'the state "{state}"')
    states = {"/ticket/state": {"wartet": "open", "erledigt": "closed", "notiz": None}}
    daemon.configure({"sources": {"zammad": {"definition": {"states": states}}}})
    daemon.reload()
    daemon.wait_log("the configuration was read anew")
    assert send(daemon, "erledigt", 2) == "accepted"
    assert send(daemon, "wartet", 4) == "accepted"
    assert send(daemon, "notiz", 5) == "ignored"
    sandbox.wait_events(1, metric=CLOSED, email="jo2@example.com")
    sandbox.wait_events(1, metric=STARTED, email="jo4@example.com")
    assert len(warnings(daemon)) == 3
    assert daemon.metric(COUNTER, source="zammad") == 3


def test_a_reload_forgets_only_where_the_definition_says_something_else(stage, sandbox):
    daemon = zammad(stage, sandbox)
    send(daemon, "wartet")
    daemon.wait_log('the state "wartet"')
    for changes, told in (
        ({"emails": "primary"}, 1),
        ({"definition": {"label": "Desk"}}, 1),
        ({"definition": {"states": {"/ticket/state": {"erledigt": "closed"}}}}, 2),
        ({"definition": {"reopened": [{"/ticket/state": "again"}]}}, 3),
    ):
        mark = daemon.mark()
        daemon.configure({"sources": {"zammad": changes}})
        daemon.reload()
        daemon.wait_log("the configuration was read anew", since=mark)
        before = daemon.metric(COUNTER, source="zammad")
        send(daemon, "wartet")
        daemon.wait_metric(COUNTER, before + 1, source="zammad")
        wait_for(lambda: len(warnings(daemon)) == told, what=f"{told} warnings after {changes}")


def test_a_state_on_which_nothing_hangs_is_not_told(stage, sandbox):
    daemon = zammad(stage, sandbox)
    send(daemon, "wartet", 1, query="transition=opened")
    send(daemon, "erledigt", 1, query="transition=closed")
    sandbox.wait_events(1, metric=CLOSED)
    assert warnings(daemon) == [] and daemon.metric(COUNTER, source="zammad") == 0
    # A state that the URL itself names is known, or gives a warning.
    assert send(daemon, "open", 1, query="transition=colsed") == "ignored"
    daemon.wait_log('the state "colsed" at query:transition .*the webhook is ignored')


def test_at_most_32_states_of_a_source_are_remembered(stage, sandbox):
    daemon = zammad(stage, sandbox)
    for n in range(40):
        send(daemon, f"s{n}", n)
    for n in range(40):
        send(daemon, f"s{n}", n)
    daemon.wait_metric(COUNTER, 80, source="zammad")
    wait_warnings(daemon, 32)
    daemon.wait_log("more than 32 states")
    many = [line for line in daemon.log() if "more than 32 states" in line]
    assert len(many) == 1 and "source=zammad" in many[0]


def test_what_a_state_says_is_cleaned_like_all_text_from_outside(stage, sandbox):
    daemon = zammad(stage, sandbox)
    for number, state in enumerate(("jo.doe@example.com", "a\u202eb\x1b[31m", "x" * 5000, "jo.doe%40example.com"), 1):
        send(daemon, state, number)
    daemon.wait_metric(COUNTER, 4, source="zammad")
    said = "\n".join(wait_warnings(daemon, 4))
    assert said.count('the state "a text with an at sign"') == 2  # in which the log masks nothing
    assert "jo.doe" not in said and "\x1b" not in said and "\u202e" not in said
    assert max(len(line) for line in warnings(daemon)) < 600


def test_each_item_of_a_request_is_looked_at(stage, sandbox):
    mini = {
        "label": "Mini",
        "authenticate": {"method": "none"},
        "each": "/items",
        "states": {"/s": {"open": "open", "done": "closed"}},
        "opened": {"/s": {"means": "open"}},
        "closed": {"/s": {"means": "closed"}},
        "conversation": "/id",
        "emails": "/email",
    }
    daemon = stage.daemon(sandbox, config={"sources": {"mini": {"definition": mini}}})
    items = [{"id": n, "s": s, "email": "jo@example.com"} for n, s in enumerate(("open", "x", "done", "y", "x"))]
    assert daemon.post("mini", {"items": items}).status == 200
    daemon.wait_metric(COUNTER, 3, source="mini")
    wait_warnings(daemon, 2)


def test_status_says_how_many_there_were(stage, sandbox):
    daemon = zammad(stage, sandbox)
    text = daemon.ask("status").stdout
    assert "does not know" not in text
    send(daemon, "wartet")
    daemon.wait_metric(COUNTER, 1, source="zammad")
    assert "1 webhook with a state that the definition does not know" in daemon.ask("status").stdout
    send(daemon, "wartet", 2)
    daemon.wait_metric(COUNTER, 2, source="zammad")
    assert "2 webhooks with a state that the definition does not know" in daemon.ask("status").stdout
    shown = json.loads(daemon.ask("status", "--json").stdout)
    assert {source["name"]: source.get("unknown_states") for source in shown["sources"]}["zammad"] == 2


def test_explain_tells_it_each_time(stage, sandbox):
    daemon = zammad(stage, sandbox)
    for _ in range(2):
        said = daemon.command("explain", "zammad", input=ticket("wartet").decode()).stdout
        assert re.search(r'^Unknown state: the state "wartet" at /ticket/state .*states: {/ticket/state: {"wartet": open}}', said, re.M)
    assert "Unknown state" not in daemon.command("explain", "zammad", input=ticket("open").decode()).stdout
    assert warnings(daemon) == []
