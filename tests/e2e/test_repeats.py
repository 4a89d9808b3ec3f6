# SPDX-License-Identifier: MIT
"""A webhook that a helpdesk repeats byte for byte after the conversation was closed must not open it again. Where a
desk's webhooks have neither an id nor a time, the definition says what makes a body unique (`delivery`). A body that
may be sent twice about two changes is never taken for a repeat."""

import json
import time
from urllib.parse import urlencode

import pytest

from harness import desk_source, iso, wait_for

EMAIL = "jo@example.com"


@pytest.fixture
def desk(stage):
    """desk(preset): a sandbox, and a daemon with that one source."""

    def make(preset, **more):
        sandbox, helpdesk = stage.sandbox(), stage.helpdesk()
        helpdesk.answers["/api/v2/tickets/70551"] = {"id": 70551, "contact": {"email": EMAIL}}
        config = {"sources": {"gladly": None, preset: desk_source(preset, helpdesk.url, **more)}}
        config["klaviyo"] = {"person_gap": "0s"}
        return sandbox, stage.daemon(sandbox, helpdesk, config=config)

    return make


def ago(seconds):
    return iso(time.time() - seconds)


def helpscout(event, **more):
    body = {"id": 4711, "number": 11, "threads": 1, "status": "active", "createdAt": ago(60), "userUpdatedAt": ago(60)}
    body |= {"primaryCustomer": {"id": 8, "email": EMAIL}}
    return body | more, "", {"X-HelpScout-Event": event}


def missive(transition, message, description=None, called="message"):
    body = {"rule": {"id": "r", "description": description or "rule", "type": "x"}, "conversation": {"id": "c-1"}}
    body[called] = message and {"id": message, "type": "email", "from_field": {"address": EMAIL}}
    body["conversation"]["authors"] = [{"address": EMAIL}]
    return body, f"transition={transition}" if transition else "", {}


def freshdesk(transition, stamp):
    ticket = {"ticket_id": "11", "ticket_requester_email": EMAIL}
    ticket["ticket_status"] = "Resolved" if transition == "closed" else "Open"
    return {"freshdesk_webhook": ticket | ({"ticket_modified_on": stamp} if stamp else {})}, f"transition={transition}", {}


def plain(transition, stamp):
    """The body that is pasted at LiveAgent and for generic."""
    body = {"conversation": "c-1", "email": EMAIL}
    return body | ({"changed": stamp} if stamp else {}), f"transition={transition}", {}


def form(transition, _):
    return urlencode({"ticket_id": 70551}), f"transition={transition}", {}


# preset: a webhook that opens, one that closes, and the opening or reply that is repeated.
CHANGED = ["2026-11-20 09:15:00", "2026-11-20 10:45:30", "2026-11-20 11:02:41"]
HISTORIES = {
    "helpscout-created": ("helpscout", lambda: [
        helpscout("convo.created"),
        helpscout("convo.status", status="closed", closedAt=iso()),
    ]),
    "helpscout-reply": ("helpscout", lambda: [
        helpscout("convo.customer.reply.created", threads=2),
        helpscout("convo.status", status="closed", closedAt=iso(), threads=2),
    ]),
    "missive": ("missive", lambda: [missive("opened", "m-1"), missive("closed", "m-1")]),
    "missive-latest": ("missive", lambda: [
        missive("opened", "m-1", called="latest_message"),
        missive("closed", "m-1", called="latest_message"),
    ]),
    "missive-description": ("missive", lambda: [
        missive(None, "m-1", "deskbridge opened"),
        missive(None, "m-1", "deskbridge closed"),
    ]),
    "freshdesk": ("freshdesk", lambda: [freshdesk("opened", ago(60)), freshdesk("closed", ago(30))]),
    "freshdesk-reopened": ("freshdesk", lambda: [freshdesk("reopened", ago(60)), freshdesk("closed", ago(30))]),
    "liveagent": ("liveagent", lambda: [plain("opened", CHANGED[0]), plain("closed", CHANGED[1])]),
    "generic": ("generic", lambda: [plain("opened", CHANGED[0]), plain("closed", CHANGED[1])]),
    "trengo": ("trengo", lambda: [form("opened", None), form("closed", None)]),
}  # fmt: skip


FLAGS = {preset: f"In {label} Conversation" for preset, label in {
    "helpscout": "Help Scout", "missive": "Missive", "freshdesk": "Freshdesk", "liveagent": "LiveAgent",
    "generic": "Helpdesk", "trengo": "Trengo",
}.items()}  # fmt: skip


class Told:
    """The webhooks posted to one source, which repeats the same bytes with the first proof."""

    def __init__(self, daemon, preset):
        self.daemon, self.preset, self.at = daemon, preset, time.time()

    def post(self, webhook):
        body, query, headers = webhook
        text = body if isinstance(body, str) else json.dumps(body)
        answer = self.daemon.post_proven(self.preset, text, query=query, headers=headers, at=self.at)
        assert answer.status == 200, answer
        return answer.json()["status"]

    def paused(self):
        return [person["conversation"] for person in self.daemon.api("/api/status").json()["paused"]]

    def accepted(self, webhook, paused):
        assert self.post(webhook) == "accepted"
        wait_for(lambda: bool(self.paused()) == paused, what=f"paused: {paused}")


@pytest.mark.parametrize("name", HISTORIES)
def test_the_same_opening_again_after_its_closing_is_a_duplicate(desk, name):
    preset, history = HISTORIES[name]
    sandbox, daemon = desk(preset)
    told = Told(daemon, preset)
    opened, closed = history()
    told.accepted(opened, paused=True)
    told.accepted(closed, paused=False)
    assert told.post(opened) == "duplicate"
    told.accepted(closed, paused=False) if preset == "missive" else told.post(closed)
    assert told.post(opened) == "duplicate"
    assert [event["profile_properties"] for event in sandbox.wait_events(2)][-1] == {FLAGS[preset]: False}
    assert told.paused() == [] and len([w for w in daemon.webhooks() if w["transition"] != "closed"]) == 1


def test_a_second_closing_in_missive_counts_though_nobody_wrote_between(desk):
    _, daemon = desk("missive")
    told = Told(daemon, "missive")
    told.accepted(missive("opened", "m-1"), paused=True)
    for _ in range(2):
        told.accepted(missive("closed", "m-1"), paused=False)
        told.accepted(missive("reopened", "m-1"), paused=True)
    told.accepted(missive("closed", "m-1"), paused=False)


@pytest.mark.parametrize("stamp", [None, "", "{{ticket.modified_on}}", "20 Nov, 2026 at 10:45 AM", "2026-11-20"])
def test_a_body_without_the_second_of_its_change_counts_each_time(desk, stamp):
    """Bodies that were pasted by an older setup text hold no time, and some desks do not fill it in."""
    _, daemon = desk("freshdesk")
    told = Told(daemon, "freshdesk")
    told.accepted(freshdesk("opened", stamp), paused=True)
    for _ in range(2):
        told.accepted(freshdesk("closed", stamp), paused=False)
        told.accepted(freshdesk("reopened", stamp), paused=True)


@pytest.mark.parametrize("preset", ["generic", "liveagent"])
@pytest.mark.parametrize("stamp", [None, "TIME-OF-CHANGE", "10:45", "20.11.2026", "202611201045", 2026112010, "4915112345678"])
def test_a_pasted_body_with_its_place_left_empty_counts_each_time(desk, preset, stamp):
    _, daemon = desk(preset)
    told = Told(daemon, preset)
    for _ in range(2):
        told.accepted(plain("opened", stamp), paused=True)
        told.accepted(plain("closed", stamp), paused=False)


def test_two_samples_of_a_desk_whose_body_is_the_delivery_are_two(desk):
    _, daemon = desk("helpscout")
    words = ["sample", "helpscout", "reopened", "--post", "--url", f"http://{daemon.address}"]
    for _ in range(2):
        ended = daemon.command(*words)
        assert ended.returncode == 0 and "accepted" in ended.stdout + ended.stderr, ended


def test_explain_says_what_makes_a_body_a_delivery(desk):
    _, daemon = desk("helpscout")
    body, _, headers = helpscout("convo.customer.reply.created")
    path = daemon.dir / "body.json"
    path.write_text(json.dumps(body))
    headers = [word for name, value in headers.items() for word in ("--header", f"{name}: {value}")]
    said = daemon.command("explain", "helpscout", str(path), *headers).stdout
    assert "delivery: body: path, query, transition and body together" in said
