"""Webhooks as helpdesks sent them: every file of the folder of examples that stands beside some checkouts, each posted with
a right proof to a daemon on a fresh store. What must come of it stands in the table below. The folder is no part of the
tarball: without it the module is skipped.

With `-s` a table of what came of each is printed, in Markdown.
"""

import json
import os
import pathlib

import pytest

from harness import desk_source

HERE = pathlib.Path(os.environ.get("TEST_SRCDIR", pathlib.Path(__file__).resolve().parents[1])).resolve()
FOLDER = HERE.parents[1] / "shared" / "helpdesks" / "samples"

pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason="no examples beside this checkout")


class Case:
    """One file: how it is posted, and what must come of it. says: transition and conversation of each webhook that is
    kept. dead: a part of the dead letter's reason. metrics: of the events that come of it, with the address."""

    def __init__(self, preset, answer, *says, headers=None, query="", dead=None, result=None, metrics=(), answers=None):
        self.preset, self.answer, self.says = preset, answer, says
        self.headers, self.query, self.dead, self.result = headers or {}, query, dead, result
        self.metrics, self.answers = set(metrics), answers or {}


def event(name):
    return {"X-FreeScout-Event": name}


def file(name):
    return json.loads((FOLDER / name).read_text(encoding="utf-8"))


GLADLY_CUSTOMER = {"/api/v1/customer-profiles/THx8Z8y-ScuMoqBH8Awtng": "gladly-customer.json"}
ZENDESK_CUSTOMER = {"/api/v2/users/8447388090494": "zendesk-customer.json"}
MARTHA, JOHN = "martha.williams@gmail.com", "john.doe@example.com"
TICKET = "/crm/v3/objects/tickets/{}?associations=contacts&properties=hs_ticket_priority,source_type,hubspot_owner_id,hs_pipeline"
HUBSPOT = {
    TICKET.format(991): "hubspot-ticket.json",
    TICKET.format(992): {"id": "992", "associations": {"contacts": {"results": [{"id": "8801"}]}}},
    "/crm/v3/objects/contacts/8801?properties=email": {"id": "8801", "properties": {"email": "Kim@example.com"}},
}

CASES = {
    "chatwoot-closed.json": Case("chatwoot", "accepted", ("closed", "5"), result="nothing"),
    "chatwoot-created.json": Case("chatwoot", "accepted", ("opened", "50"), result="no address"),
    "chatwoot-reopened.json": Case("chatwoot", "accepted", ("reopened", "42"), result="no address"),
    "dixa-created.json": Case(
        "dixa", "accepted", ("opened", "2"), metrics=[("started conversation in Dixa", "contact@email.com")]
    ),
    "dixa-pending.json": Case("dixa", "ignored"),
    "freescout-closed.json": Case(
        "freescout", "accepted", ("closed", "1"), headers=event("convo.status"), result="nothing"
    ),
    "freescout-created.json": Case(
        "freescout",
        "accepted",
        ("opened", "36"),
        headers=event("convo.created"),
        metrics=[("started conversation in FreeScout", "mcfly_42@pm.me")],
    ),
    "freshdesk-created.json": Case(
        "freshdesk",
        "accepted",
        ("opened", "11"),
        metrics=[("started conversation in Freshdesk", "requester-bob@example.com")],
    ),
    "freshdesk-created.raw.txt": Case("freshdesk", "accepted", dead="not JSON"),
    "freshdesk-status-changed.json": Case(
        "freshdesk",
        "accepted",
        ("reopened", "11"),
        metrics=[("reopened conversation in Freshdesk", "requester-bob@example.com")],
    ),
    "freshdesk-status-changed.raw.txt": Case("freshdesk", "accepted", dead="not JSON"),
    "front-closed.json": Case("front", "accepted", ("closed", "cnv_keo696")),
    "front-inbound.json": Case(
        "front",
        "accepted",
        ("opened", "cnv_keocka"),
        metrics=[("started conversation in Front", "calculon@momsbot.com")],
    ),
    "front-reopened.json": Case(
        "front",
        "accepted",
        ("reopened", "cnv_keo696"),
        metrics=[("reopened conversation in Front", "calculon@momsbot.com")],
    ),
    "gladly-closed.json": Case(
        "gladly",
        "accepted",
        ("closed", "aGaHXjD4li-moMR8LbULZb"),
        answers=GLADLY_CUSTOMER,
        metrics=[("closed conversation in Gladly", MARTHA)],
    ),
    "gladly-contact-ended.json": Case("gladly", "ignored"),
    "gladly-created.json": Case(
        "gladly",
        "accepted",
        ("opened", "aGaHXjD4li-moMR8LbULZb"),
        answers=GLADLY_CUSTOMER,
        metrics=[("started conversation in Gladly", MARTHA)],
    ),
    "gladly-reopened.json": Case(
        "gladly",
        "accepted",
        ("reopened", "aGaHXjD4li-moMR8LbULZb"),
        answers=GLADLY_CUSTOMER,
        metrics=[("reopened conversation in Gladly", MARTHA)],
    ),
    "gorgias-created.json": Case(
        "gorgias", "accepted", ("opened", "86538298"), metrics=[("started conversation in Gorgias", "test@sample.com")]
    ),
    "gorgias-updated.json": Case(
        "gorgias", "accepted", ("opened", "86538410"), metrics=[("started conversation in Gorgias", "test@sample.com")]
    ),
    "groove-created.json": Case(
        "groove",
        "accepted",
        ("opened", "9"),
        headers={"X-Groove-Event": "ticket_started"},
        metrics=[("started conversation in Groove", "customer@example.lcom")],
    ),
    "groove-customer-replied.json": Case("groove", "ignored", headers={"X-Groove-Event": "customer_replied"}),
    "groove-state-changed.json": Case(
        "groove",
        "accepted",
        ("opened", "776"),
        headers={"X-Groove-Event": "ticket_state_changed"},
        metrics=[("started conversation in Groove", "rambo@example.com")],
    ),
    "helpscout-closed.json": Case(
        "helpscout", "accepted", ("closed", "291938"), headers={"X-HelpScout-Event": "convo.status"}
    ),
    "helpscout-created.json": Case(
        "helpscout",
        "accepted",
        ("opened", "291938"),
        headers={"X-HelpScout-Event": "convo.created"},
        metrics=[("started conversation in Help Scout", "vbear@mywork.com")],
    ),
    "hubspot-newmessage.json": Case("hubspot", "ignored"),
    "hubspot-ticket-batch.json": Case(
        "hubspot",
        "accepted",
        ("reopened", "991"),
        ("opened", "992"),
        answers=HUBSPOT,
        metrics=[("started conversation in HubSpot", "kim@example.com")],
    ),
    "intercom-closed.json": Case(
        "intercom",
        "accepted",
        ("closed", "21322009097"),
        metrics=[("closed conversation in Intercom", "jerryguitarist@gmail.com")],
    ),
    "intercom-created.json": Case("intercom", "accepted", ("opened", "21321941764"), result="no address"),
    "intercom-ping.json": Case("intercom", "pong"),
    "intercom-reopened.json": Case(
        "intercom",
        "accepted",
        ("reopened", "21330229536"),
        metrics=[("reopened conversation in Intercom", "eg3800@mun.ca")],
    ),
    "kustomer-created.json": Case(  # its collector put one more `data` around it
        "kustomer", "accepted", ("opened", "67dd47dfbc632c1804db1bf1"), result="no address"
    ),
    "kustomer-updated.json": Case("kustomer", "ignored"),
    "missive-rule.json": Case(
        "missive",
        "accepted",
        ("closed", "47a57b76-df42-4d8k-927x-80dbe5d87191"),
        query="transition=closed",
        metrics=[("closed conversation in Missive", "sam@fellowship.org")],
    ),
    "zammad-created.json": Case(
        "zammad",
        "accepted",
        ("opened", "81"),
        headers={"X-Zammad-Delivery": "d-1"},
        metrics=[("started conversation in Zammad", "emily@example.com")],
    ),
    "zendesk-event-closed-upper.json": Case("zendesk", "accepted", ("closed", "101"), result="nothing"),
    "zendesk-event-closed.json": Case("zendesk", "accepted", ("closed", "12345"), result="nothing"),
    "zendesk-event-created.json": Case(
        "zendesk",
        "accepted",
        ("opened", "5158"),
        answers=ZENDESK_CUSTOMER,
        metrics=[("started conversation in Zendesk", JOHN)],
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


def answers_of(case):
    return {path: file(answer) if isinstance(answer, str) else answer for path, answer in case.answers.items()}


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
    helpdesk.answers = answers_of(case)
    daemon = stage.daemon(sandbox, helpdesk, config={"sources": {"gladly": None, "desk": desk_source(case.preset, helpdesk.url)}})
    body = (FOLDER / name).read_bytes()
    answer = daemon.post_proven(case.preset, body, source="desk", query=case.query, headers=case.headers)
    rows = daemon.wait_webhooks(max(len(case.says), case.dead is not None))
    tell(name, answer, rows)
    assert (answer.status, answer.json()["status"]) == (200, case.answer)
    if case.dead is None:
        assert tuple((row["transition"], row["conversation"]) for row in rows) == case.says
        assert all(row["state"] == "done" for row in rows)
    else:
        assert [row["state"] for row in rows] == ["dead"] and case.dead in rows[0]["reason"]
    if case.result:
        assert [row["reason"].split(":")[0] for row in rows] == [case.result]
    sandbox.wait_events(len(case.metrics))
    assert {(event["metric"], event["email"]) for event in sandbox.events()} == case.metrics
    # Nothing of it without a proof.
    refused = daemon.post("desk", body, headers=case.headers, auth=None, query=case.query)
    assert refused.status == 401
