"""Webhooks as helpdesks sent them: every file of the folder of examples that stands beside some checkouts, each posted with
a right proof to a daemon on a fresh store. What must come of it stands in the table below. The folder is no part of the
tarball: without it the module is skipped.

With `-s` a table of what came of each is printed, in Markdown.
"""

import json
import os
import pathlib
import re

import pytest

from harness import desk_source

HERE = pathlib.Path(os.environ.get("TEST_SRCDIR", pathlib.Path(__file__).resolve().parents[1])).resolve()
FOLDER = HERE.parents[1] / "shared" / "helpdesks" / "samples"

pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason="needs the examples in ../shared, which are no part of this repository")


class Case:
    """One file: how it is posted, and what must come of it. says: transition of each webhook that is kept, and where in the
    file its conversation stands. dead: a part of the dead letter's reason. metrics: of the events that come of it, and where
    the address stands (a pointer into the file, or into another one: "FILE#POINTER"). answers: of the helpdesk's API, by path,
    in which {} is the customer's id."""

    def __init__(
        self, preset, answer, *says, headers=None, query="", dead=None, result=None, metrics=(), answers=None, customer=None
    ):
        self.preset, self.answer, self.says = preset, answer, says
        self.headers, self.query, self.dead, self.result = headers or {}, query, dead, result
        self.metrics, self.answers, self.customer = metrics, answers or {}, customer


def event(name):
    return {"X-FreeScout-Event": name}


def file(name):
    return json.loads((FOLDER / name).read_text(encoding="utf-8"))


def value(name, pointer):
    """What stands there, as text; an address at the end of a URL as the address."""
    other, _, pointer = pointer.rpartition("#")
    at = file(other or name)
    for key in pointer.split("/")[1:]:
        at = at[int(key) if isinstance(at, list) else key]
    return str(at).rpartition("/customers/")[2].lower() if "/customers/" in str(at) else str(at)


GLADLY_CUSTOMER = {"/api/v1/customer-profiles/{}": "gladly-customer.json"}
GLADLY_ADDRESS = "gladly-customer.json#/emails/0/normalized"
ZENDESK_CUSTOMER = {"/api/v2/users/{}": "zendesk-customer.json"}
TICKET = "/crm/v3/objects/tickets/%s?associations=contacts&properties=hs_ticket_priority,source_type,hubspot_owner_id,hs_pipeline"
OUR_CONTACT = {"id": "8801", "properties": {"email": "Kim@example.com"}}

CASES = {
    "chatwoot-closed.json": Case(
        "chatwoot",
        "accepted",
        ("closed", "/id"),
        metrics=[("closed conversation in Chatwoot", "/meta/sender/email")],
    ),
    "chatwoot-created.json": Case("chatwoot", "accepted", ("opened", "/id"), result="no address"),
    "chatwoot-reopened.json": Case(
        "chatwoot",
        "accepted",
        ("reopened", "/id"),
        metrics=[("reopened conversation in Chatwoot", "/meta/sender/email")],
    ),
    "dixa-created.json": Case(
        "dixa",
        "accepted",
        ("opened", "/data/conversation/csid"),
        metrics=[("started conversation in Dixa", "/data/conversation/requester/email")],
    ),
    "dixa-pending.json": Case("dixa", "ignored"),
    "freescout-closed.json": Case(
        "freescout", "accepted", ("closed", "/id"), headers=event("convo.status"), result="nothing"
    ),
    "freescout-created.json": Case(
        "freescout",
        "accepted",
        ("opened", "/id"),
        headers=event("convo.created"),
        metrics=[("started conversation in FreeScout", "/customer/email")],
    ),
    "freshdesk-created.json": Case(
        "freshdesk",
        "accepted",
        ("opened", "/freshdesk_webhook/ticket_id"),
        metrics=[("started conversation in Freshdesk", "/freshdesk_webhook/requester_email")],
    ),
    "freshdesk-created.raw.txt": Case("freshdesk", "accepted", dead="not JSON"),
    "freshdesk-status-changed.json": Case(
        "freshdesk",
        "accepted",
        ("reopened", "/freshdesk_webhook/ticket_id"),
        metrics=[("reopened conversation in Freshdesk", "/freshdesk_webhook/requester_email")],
    ),
    "freshdesk-status-changed.raw.txt": Case("freshdesk", "accepted", dead="not JSON"),
    "front-closed.json": Case("front", "accepted", ("closed", "/conversation/id")),
    "front-inbound.json": Case(
        "front",
        "accepted",
        ("opened", "/conversation/id"),
        metrics=[("started conversation in Front", "/conversation/recipient/handle")],
    ),
    "front-reopened.json": Case(
        "front",
        "accepted",
        ("reopened", "/conversation/id"),
        metrics=[("reopened conversation in Front", "/conversation/recipient/handle")],
    ),
    "gladly-closed.json": Case(
        "gladly",
        "accepted",
        ("closed", "/content/conversationId"),
        answers=GLADLY_CUSTOMER,
        customer="/content/customerId",
        metrics=[("closed conversation in Gladly", GLADLY_ADDRESS)],
    ),
    "gladly-contact-ended.json": Case("gladly", "ignored"),
    "gladly-created.json": Case(
        "gladly",
        "accepted",
        ("opened", "/content/conversationId"),
        answers=GLADLY_CUSTOMER,
        customer="/content/customerId",
        metrics=[("started conversation in Gladly", GLADLY_ADDRESS)],
    ),
    "gladly-reopened.json": Case(
        "gladly",
        "accepted",
        ("reopened", "/content/conversationId"),
        answers=GLADLY_CUSTOMER,
        customer="/content/customerId",
        metrics=[("reopened conversation in Gladly", GLADLY_ADDRESS)],
    ),
    "gorgias-created.json": Case(
        "gorgias", "accepted", ("opened", "/id"), metrics=[("started conversation in Gorgias", "/customer/email")]
    ),
    "gorgias-updated.json": Case(
        "gorgias", "accepted", ("opened", "/id"), metrics=[("started conversation in Gorgias", "/customer/email")]
    ),
    "groove-created.json": Case(
        "groove",
        "accepted",
        ("opened", "/number"),
        headers={"X-Groove-Event": "ticket_started"},
        metrics=[("started conversation in Groove", "/links/customer/href")],
    ),
    "groove-customer-replied.json": Case("groove", "ignored", headers={"X-Groove-Event": "customer_replied"}),
    "groove-state-changed.json": Case(
        "groove",
        "accepted",
        ("opened", "/ticket_number"),
        headers={"X-Groove-Event": "ticket_state_changed"},
        metrics=[("started conversation in Groove", "/ticket/links/customer/href")],
    ),
    "helpscout-closed.json": Case(
        "helpscout", "accepted", ("closed", "/id"), headers={"X-HelpScout-Event": "convo.status"}
    ),
    "helpscout-created.json": Case(
        "helpscout",
        "accepted",
        ("opened", "/id"),
        headers={"X-HelpScout-Event": "convo.created"},
        metrics=[("started conversation in Help Scout", "/customer/email")],
    ),
    "hubspot-newmessage.json": Case("hubspot", "ignored"),
    "hubspot-ticket-batch.json": Case(
        "hubspot",
        "accepted",
        ("reopened", "/1/objectId"),
        ("opened", "/2/objectId"),
        answers={
            TICKET % "{/1/objectId}": "hubspot-ticket.json",
            TICKET % "{/2/objectId}": {"associations": {"contacts": {"results": [{"id": OUR_CONTACT["id"]}]}}},
            f"/crm/v3/objects/contacts/{OUR_CONTACT['id']}?properties=email": OUR_CONTACT,
        },
        metrics=[("started conversation in HubSpot", OUR_CONTACT)],
    ),
    "intercom-closed.json": Case(
        "intercom",
        "accepted",
        ("closed", "/data/item/id"),
        metrics=[("closed conversation in Intercom", "/data/item/user/email")],
    ),
    "intercom-created.json": Case("intercom", "accepted", ("opened", "/data/item/id"), result="no address"),
    "intercom-ping.json": Case("intercom", "pong"),
    "intercom-reopened.json": Case(
        "intercom",
        "accepted",
        ("reopened", "/data/item/id"),
        metrics=[("reopened conversation in Intercom", "/data/item/user/email")],
    ),
    "kustomer-created.json": Case(  # its collector put one more `data` around it
        "kustomer", "accepted", ("opened", "/data/data/id"), result="no address"
    ),
    "kustomer-updated.json": Case("kustomer", "ignored"),
    "missive-rule.json": Case(
        "missive",
        "accepted",
        ("closed", "/conversation/id"),
        query="transition=closed",
        metrics=[("closed conversation in Missive", "/message/from_field/address")],
    ),
    "zammad-created.json": Case(
        "zammad",
        "accepted",
        ("opened", "/ticket/id"),
        headers={"X-Zammad-Delivery": "d-1"},
        metrics=[("started conversation in Zammad", "/ticket/customer/email")],
    ),
    "zendesk-event-closed-upper.json": Case("zendesk", "accepted", ("closed", "/detail/id"), result="nothing"),
    "zendesk-event-closed.json": Case("zendesk", "accepted", ("closed", "/detail/id"), result="nothing"),
    "zendesk-event-created.json": Case(
        "zendesk",
        "accepted",
        ("opened", "/detail/id"),
        answers=ZENDESK_CUSTOMER,
        customer="/detail/requester_id",
        metrics=[("started conversation in Zendesk", "zendesk-customer.json#/user/email")],
    ),
    "zendesk-trigger-template.json": Case("zendesktrigger", "accepted", dead="/updatedAt"),
}

NO_WEBHOOKS = {
    "SOURCES.md": "where the files come from",
    "gladly-conversation.json": "an answer of the REST API",
    "gladly-customer.json": "the lookup's answer",
    "gladly-customer-merged.json": "the lookup's answer about a merged customer",
    "hubspot-ticket.json": "the lookup's answer",
    "intercom-conversation.json": "an answer of the REST API: the conversation as webhooks carry it now",
    "intercom-customer.json": "the lookup's answer",
    "richpanel-ticket-rest.json": "an answer of the REST API of a helpdesk that has no webhooks that are known",
    "trengo-fields.json": "the names of what webhooks carry, no body",
    "zendesk-customer.json": "the lookup's answer",
}

TOLD = []


@pytest.fixture(scope="module", autouse=True)
def table():
    """What came of each, for who reads the output."""
    yield
    print("\n| file | answer | transition | conversation | result |\n|---|---|---|---|---|")
    for row in sorted(TOLD):
        print("| " + " | ".join(row) + " |")
    for name, why in sorted(NO_WEBHOOKS.items()):
        print(f"| {name} | – | – | – | no webhook: {why} |")


def test_every_file_is_spoken_for():
    assert {path.name for path in FOLDER.iterdir()} == set(CASES) | set(NO_WEBHOOKS)


def answers_of(name, case):
    """By path, the ids in it filled in."""
    def path_of(path):
        return re.sub(r"{([^}]*)}", lambda at: value(name, at[1] or case.customer), path)

    return {path_of(path): file(answer) if isinstance(answer, str) else answer for path, answer in case.answers.items()}


def address(name, place):
    return (place["properties"]["email"] if isinstance(place, dict) else value(name, place)).lower()


def tell(name, answer, rows):
    if not rows:
        TOLD.append((name, f"{answer.status} {answer.json()['status']}", "–", "–", "nothing kept"))
    for row in rows:
        result = f"{row['state']}: {row['reason']}" if row["state"] == "dead" else row["reason"]
        TOLD.append((name, f"{answer.status} {answer.json()['status']}", row["transition"], row["conversation"] or "–", result))


@pytest.mark.parametrize("name", CASES)
def test_what_a_helpdesk_sent_gives_what_its_name_says(stage, name):
    case = CASES[name]
    helpdesk, sandbox = stage.helpdesk(), stage.sandbox()
    helpdesk.answers = answers_of(name, case)
    daemon = stage.daemon(sandbox, helpdesk, config={"sources": {"gladly": None, "desk": desk_source(case.preset, helpdesk.url)}})
    body = (FOLDER / name).read_bytes()
    answer = daemon.post_proven(case.preset, body, source="desk", query=case.query, headers=case.headers)
    rows = daemon.wait_webhooks(max(len(case.says), case.dead is not None))
    tell(name, answer, rows)
    assert (answer.status, answer.json()["status"]) == (200, case.answer)
    if case.dead is None:
        says = [(transition, value(name, place)) for transition, place in case.says]
        assert [(row["transition"], row["conversation"]) for row in rows] == says
        assert all(row["state"] == "done" for row in rows)
    else:
        assert [row["state"] for row in rows] == ["dead"] and case.dead in rows[0]["reason"]
    if case.result:
        assert [row["reason"].split(":")[0] for row in rows] == [case.result]
    sandbox.wait_events(len(case.metrics))
    daemon.wait_idle()
    assert {(event["metric"], event["email"]) for event in sandbox.events()} == {
        (metric, address(name, place)) for metric, place in case.metrics
    }
    # Nothing of it without a proof.
    refused = daemon.post("desk", body, headers=case.headers, auth=None, query=case.query)
    assert refused.status == 401
