# SPDX-License-Identifier: MIT
"""Lookups of several steps: values for the next step, steps that are skipped or may fail, and repeated requests."""

import copy
import json
import urllib.parse

import pytest

from harness import GLADLY_TOKEN, Gladly, Process, Sandbox, addresses_in, basic

OPENED = "started conversation in Hub"
CLOSED = "closed conversation in Hub"


class Desk(Gladly):
    """Any helpdesk. `pages` maps a path to an object, or to (status, headers, body); other paths get 404. `right` is
    the valid value of Authorization."""

    def __init__(self):
        self.pages, self.right = {}, f"Bearer {GLADLY_TOKEN}"
        super().__init__()

    def answer(self, path, authorization):
        if authorization != self.right:
            return path, 401, {}, {"error": "who are you"}
        page = self.pages.get(path, (404, {}, {"error": "nothing here"}))
        if not isinstance(page, tuple):
            page = (200, {}, page)
        return path, *page

    def addresses(self):
        return self._told | addresses_in(json.dumps(list(self.pages.values()), default=repr))

    def paths(self):
        """Returns the requested paths, in order."""
        with self._lock:
            return [r["path"] for r in self.requests]


# A thread or a ticket leads to a contact. The agent's name is looked up where the source demands it.
HUB = {
    "label": "Hub",
    "authenticate": {"method": "basic"},
    "opened": {"/type": "opened"},
    "closed": {"/type": "closed"},
    "conversation": "/id",
    "parameters": {"names": ["off", "on"], "region": {"us": {"shard": "one"}, "eu": {"shard": "two"}}},
    "base_url": "http://127.0.0.1:9",
    "lookup": [
        {
            "url": "{base_url}/{shard}/threads/{/id}",
            "authenticate": "bearer",
            "when": {"/kind": "thread"},
            "take": {"contact": ["/contact", "/visitor"]},
            "cache": "0s",
        },
        {
            "url": "{base_url}/contacts/{contact}?fields=email",
            "authenticate": "bearer",
            "when": {"contact": {"matches": "^[0-9]+$"}},
            "emails": ["/email", "/emails/*"],
        },
        {
            "url": "{base_url}/agents/{/agent}",
            "authenticate": "bearer",
            "when": {"names": "on"},
            "optional": True,
            "take": {"agent": "/name"},
        },
    ],
    "attributes": {"Agent": "{agent}"},
}


def webhook(says, conversation="7", agent="3", **more):
    return {"type": says, "id": conversation, "kind": "thread", "agent": agent, **more}


def hub(**changes):
    """The configuration of the source, which replaces Gladly's of the default configuration."""
    source = {
        "definition": copy.deepcopy(HUB),
        "authenticate": {"user": "deskbridge", "password": {"credential": "gladly-webhook"}},
        "lookup": {"token": {"credential": "gladly-api-token"}},
    }
    source.update(changes)
    return {"sources": {"gladly": None, "hub": source}}


@pytest.fixture
def desk(stage):
    made = stage._keep(Desk())
    made.pages = {
        "/one/threads/7": {"contact": 70},
        "/one/threads/8": {"visitor": "V-80"},
        "/contacts/70?fields=email": {"email": "jo@example.com"},
        "/agents/3": {"name": "Ann"},
        "/agents/4": {"name": "Bob"},
    }
    return made


def started(stage, sandbox, desk, **changes):
    lookup = {"base_url": desk.url, "token": {"credential": "gladly-api-token"}}
    asked = desk if isinstance(desk, Desk) else None
    return stage.daemon(sandbox, asked, config=hub(**{"lookup": lookup, **changes}))


def test_a_thread_leads_to_its_contact_and_the_agent_is_asked_for_where_wanted(stage, desk):
    for names in ("off", "on"):
        sandbox = stage.sandbox()
        daemon = started(stage, sandbox, desk, **{"with": {"names": names}})
        daemon.accepted("hub", webhook("opened"))
        (event,) = sandbox.wait_events(1, email="jo@example.com", metric=OPENED)
        assert event["properties"].get("Agent") == (None if names == "off" else "Ann")
        daemon.close()
    assert desk.paths() == [
        "/one/threads/7", "/contacts/70?fields=email",
        "/one/threads/7", "/contacts/70?fields=email", "/agents/3",
    ]  # fmt: skip


def test_a_visitor_is_nobody_and_no_dead_letter(stage, sandbox, desk):
    daemon = started(stage, sandbox, desk)
    daemon.accepted("hub", webhook("opened", "8"))
    daemon.wait_metric("deskbridge_webhook_results_total", 1, source="hub", result="no address")
    assert desk.paths() == ["/one/threads/8"]


def test_where_no_step_applies_nobody_is_asked(stage, sandbox, desk):
    daemon = started(stage, sandbox, desk)
    daemon.accepted("hub", webhook("opened", kind="call"))
    daemon.wait_metric("deskbridge_webhook_results_total", 1, source="hub", result="no address")
    assert desk.paths() == []


def test_a_region_is_chosen_by_with(stage, sandbox, desk):
    desk.pages["/two/threads/7"] = {"contact": 70}
    daemon = started(stage, sandbox, desk, **{"with": {"region": "eu"}})
    daemon.accepted("hub", webhook("opened"))
    sandbox.wait_events(1)
    assert desk.paths()[0] == "/two/threads/7"


def test_the_definitions_own_base_url_serves_where_the_source_has_none(stage, sandbox, desk):
    definition = {**copy.deepcopy(HUB), "base_url": desk.url}
    daemon = stage.daemon(sandbox, desk, config=hub(definition=definition))
    daemon.accepted("hub", webhook("opened"))
    sandbox.wait_events(1)
    # the source's value replaces it
    definition["base_url"] = "http://127.0.0.1:9"
    other = stage.sandbox()
    daemon = started(stage, other, desk, definition=definition)
    daemon.accepted("hub", webhook("opened"))
    other.wait_events(1)


def test_the_user_gets_its_suffix_once(stage, sandbox, desk):
    definition = copy.deepcopy(HUB)
    for step in definition["lookup"]:
        step["authenticate"] = {"method": "basic", "suffix": "/token"}
    desk.right = basic("me@acme.example/token", GLADLY_TOKEN)
    for i, user in enumerate(("me@acme.example", "me@acme.example/token")):
        sandbox = stage.sandbox()
        lookup = {"base_url": desk.url, "user": user, "password": {"credential": "gladly-api-token"}}
        daemon = started(stage, sandbox, desk, definition=definition, lookup=lookup)
        daemon.accepted("hub", webhook("opened"))
        sandbox.wait_events(1, email="jo@example.com")


def test_another_agent_of_the_same_conversation_is_asked_for(stage, sandbox, desk):
    definition = copy.deepcopy(HUB)
    definition["lookup"][0]["cache"] = "10m"
    daemon = started(stage, sandbox, desk, definition=definition, **{"with": {"names": "on"}})
    daemon.accepted("hub", webhook("opened", agent="3"))
    sandbox.wait_events(1, metric=OPENED)
    daemon.accepted("hub", webhook("closed", agent="4"))
    (event,) = sandbox.wait_events(1, metric=CLOSED)
    assert event["properties"]["Agent"] == "Bob"
    # Earlier answers are not requested again.
    asked = len(desk.paths())
    daemon.accepted("hub", webhook("opened", agent="3"))
    daemon.accepted("hub", webhook("closed", agent="4"))
    sandbox.wait_events(4)
    assert [e["properties"]["Agent"] for e in sandbox.events()] == ["Ann", "Bob", "Ann", "Bob"]
    assert len(desk.paths()) == asked


FAILURES = [
    (404, {}, {}),
    (429, {"Retry-After": "60"}, {}),
    (500, {}, b""),
    (503, {"Retry-After": "60"}, b""),
    (401, {}, {}),
    (403, {}, {}),
    (301, {"Location": "/elsewhere"}, b""),
    (200, {"Content-Type": "text/html"}, b"<html>"),
    (200, {}, b"x" * (2 << 20)),
]
NAMES = ["404", "429", "500", "503", "401", "403", "301", "html", "2MiB"]


@pytest.mark.parametrize("failure", FAILURES, ids=NAMES)
def test_an_optional_step_that_fails_neither_delays_nor_kills(stage, sandbox, desk, failure):
    desk.pages["/agents/3"] = failure
    daemon = started(stage, sandbox, desk, **{"with": {"names": "on"}})
    daemon.accepted("hub", webhook("opened"))
    (event,) = sandbox.wait_events(1, email="jo@example.com")
    assert "Agent" not in event["properties"]
    assert desk.paths() == ["/one/threads/7", "/contacts/70?fields=email", "/agents/3"]
    # The next webhook is not delayed by it, as nothing is parked or paused.
    assert daemon.metric("deskbridge_lookups_parked", source="hub") == 0
    daemon.accepted("hub", webhook("closed"))
    sandbox.wait_events(1, email="jo@example.com", metric=CLOSED)


def test_an_optional_step_whose_server_is_not_there_neither_delays_nor_kills(stage, sandbox, desk):
    definition = copy.deepcopy(HUB)
    definition["lookup"][2]["url"] = "http://127.0.0.1:9/agents/{/agent}"
    daemon = started(stage, sandbox, desk, definition=definition, **{"with": {"names": "on"}})
    daemon.accepted("hub", webhook("opened"))
    sandbox.wait_events(1, email="jo@example.com")


@pytest.mark.parametrize("step", ["/one/threads/7", "/contacts/70?fields=email"], ids=["first", "second"])
@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_needed_step_is_asked_again(stage, sandbox, desk, step, status):
    good, desk.pages[step] = desk.pages[step], (status, {"Retry-After": "1"}, {})
    daemon = started(stage, sandbox, desk)
    daemon.accepted("hub", webhook("opened"))
    desk.wait_asked(1, step)
    desk.pages[step] = good
    sandbox.wait_events(1, email="jo@example.com", timeout=40)
    assert desk.asked(step) >= 2


@pytest.mark.parametrize("step", ["/one/threads/7", "/contacts/70?fields=email"], ids=["first", "second"])
def test_a_needed_step_that_is_refused_parks_and_one_that_finds_nobody_is_asked_again(stage, sandbox, desk, step):
    good, desk.pages[step] = desk.pages[step], (401, {}, {})
    daemon = started(stage, sandbox, desk)
    daemon.accepted("hub", webhook("opened"))
    daemon.wait_log("parked")
    daemon.wait_metric("deskbridge_webhooks_pending", 1, source="hub")
    desk.pages[step] = good
    desk.right = "Bearer another token"
    daemon.credential("gladly-api-token", "another token")
    sandbox.wait_events(1, email="jo@example.com")
    desk.pages[step] = (404, {}, {})
    daemon.accepted("hub", webhook("opened", **({} if step.startswith("/one") else {"agent": "9"})))
    daemon.wait_log("a webhook waits for its lookup.*404")
    assert daemon.metric("deskbridge_lookups_parked", source="hub") == 0


def test_a_webhook_that_needs_no_lookup_is_not_stopped_by_parked_ones(stage, sandbox, desk):
    definition = {**copy.deepcopy(HUB), "emails": "/email"}
    desk.right = "nobody's"
    daemon = started(stage, sandbox, desk, definition=definition)
    daemon.accepted("hub", webhook("opened"))
    daemon.wait_log("parked")
    daemon.accepted("hub", webhook("opened", "9", email="ann@example.com"))
    sandbox.wait_events(1, email="ann@example.com")


# ---- the sandbox as the helpdesk


class SandboxOf(Sandbox):
    """A sandbox that reads a configuration file."""

    def __init__(self, file, *args):
        self._file = file
        super().__init__(*args)

    def start(self):
        self.process = Process(["-c", self._file, "sandbox", "--listen", "127.0.0.1:0", *self._args], self._env)
        self.address = self.process.stdout.wait(r"^sandbox on http://(\S+)$").group(1)
        self.url = "http://" + self.address
        return self


def test_the_sandbox_plays_a_desk_of_the_configuration(stage):
    definition = copy.deepcopy(HUB)
    answers = ({"contact": 70, "visitor": "V"}, {"email": "jo@example.com", "emails": ["jo@example.com"]}, {"name": "Ann"})
    for step, answer in zip(definition["lookup"], answers):
        step["sample"] = json.dumps(answer)
    definition["samples"] = {says: json.dumps(webhook(says)) for says in ("opened", "closed")}
    changes = {"definition": definition, "with": {"names": "on", "region": "eu"}}
    planned = stage.daemon(config=hub(**changes), start=False)
    for given, email in ((), "jo@example.com"), (("--customer", "70=ann@example.com"), "ann@example.com"):
        sandbox = stage._keep(SandboxOf(planned.file, *given))
        daemon = started(stage, sandbox, sandbox, **changes)
        daemon.accepted("hub", webhook("opened", "any", agent="whoever"))
        (event,) = sandbox.wait_events(1, email=email)
        assert event["properties"]["Agent"] == "Ann"
        daemon.close()


def test_the_sandbox_plays_every_shipped_desk_that_is_asked(sandbox):
    def get(path, authorization=None, **headers):
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        answer = sandbox.klaviyo("GET", path, headers={"Authorization": authorization, "revision": None, **given})
        return answer.status, answer.json()

    known, right = "/api/v1/customer-profiles/", basic("u", "p")
    assert get(known + "nobody", right)[0] == 404
    assert get(known + "nobody")[0] == 401
    assert get(known + "nobody", "Bearer x")[0] == 401
    added = sandbox.klaviyo("POST", "/sandbox/customers", "c%2F1=Jo@example.com,al@example.com", headers={"Content-Type": None})
    assert added.status == 200
    status, body = get("/api/v2/users/" + urllib.parse.quote("c%2F1", safe=""), right)
    assert (status, body["user"]["email"]) == (200, "Jo@example.com")
    status, body = get(known + urllib.parse.quote("c%2F1", safe=""), right)
    assert [(e["normalized"], e["primary"]) for e in body["emails"]] == [("Jo@example.com", True), ("al@example.com", False)]
    assert get("/conversations/v3/conversations/threads/any", "Bearer x")[0] == 200
    # Requests to Klaviyo still get Klaviyo's answers.
    assert sandbox.klaviyo("GET", "/api/metrics").status == 200
