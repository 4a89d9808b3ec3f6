# SPDX-License-Identifier: MIT
"""Webhooks as helpdesks sent them, and small inputs that failed once. They are the files of two folders that exist next
to some checkouts. Each file is posted with a valid proof to a daemon with a new store. The tables below hold the
expected results. The folders are not in the tarball: a row whose folder is missing is skipped.

`-s` prints the results as a table in Markdown.
"""

import json
import os
import pathlib
import re

import pytest

from harness import desk_source, gladly_webhook
from test_raw_http import body_of, said

HERE = pathlib.Path(os.environ.get("TEST_SRCDIR", pathlib.Path(__file__).resolve().parents[1])).resolve()
SHARED = HERE.parents[1] / "shared"
SAMPLES, CASES = SHARED / "helpdesks" / "samples", SHARED / "cases"
MISSING = "needs the examples in ../shared, which are no part of this repository"
SECOND = " · "  # in a row's name, before the words that distinguish it from the file's first row


class Case:
    """One file: how it is posted, and the expected result.

    says        (transition, conversation) of each stored webhook; the conversation as a pointer into the file, or its id
    dead        a part of the dead letter's reason
    metrics     (metric, address) of the events; the address as a pointer into the file, or another one: "FILE#POINTER"
    answers     of the helpdesk's API, by path, in which {} is the customer's id
    paused      the flag in the end; None where no profile has it
    properties  of the event; None: it has no such property
    before      a file that is posted first
    wrapped     returns the webhook that holds the file's object
    rules       of the source
    """

    def __init__(
        self, preset, answer, *says, headers=None, query="", dead=None, result=None, metrics=(), answers=None, customer=None,
        paused=None, properties=None, before=None, wrapped=None, rules=None
    ):
        self.preset, self.answer, self.says = preset, answer, says
        self.headers, self.query, self.dead, self.result = headers or {}, query, dead, result
        self.metrics, self.answers, self.customer = metrics, answers or {}, customer
        self.paused, self.properties, self.before, self.wrapped, self.rules = paused, properties or {}, before, wrapped, rules


def event(name):
    return {"X-FreeScout-Event": name}


def path_of(name):
    """Returns the path of a file of either folder; None where it does not exist."""
    name = name.partition(SECOND)[0]
    return next((folder / name for folder in (SAMPLES, CASES) if (folder / name).exists()), None)


def file(name):
    return json.loads(path_of(name).read_text(encoding="utf-8-sig"))


def value(name, pointer):
    """Returns the value of a pointer as text; of a URL that ends with an address, the address. A text that is no
    pointer is returned as it is."""
    other, _, pointer = pointer.rpartition("#")
    if not pointer.startswith("/"):
        return pointer
    at = file(other or name)
    for key in pointer.split("/")[1:]:
        at = at[int(key) if isinstance(at, list) else key]
    return str(at).rpartition("/customers/")[2].lower() if "/customers/" in str(at) else str(at)


GLADLY_CUSTOMER = {"/api/v1/customer-profiles/{}": "gladly-customer.json"}
GLADLY_ADDRESS = "gladly-customer.json#/emails/0/normalized"
ZENDESK_CUSTOMER = {"/api/v2/users/{}": "zendesk-customer.json"}
TICKET = "/crm/v3/objects/tickets/%s?associations=contacts&properties=hs_ticket_priority,source_type,hubspot_owner_id,hs_pipeline"
OUR_CONTACT = {"id": "8801", "properties": {"email": "Kim@example.com"}}
OUR_CUSTOMER = {"data": {"type": "customer", "attributes": {"emails": [{"email": "Kim@example.com"}]}}}

ROWS = {
    "chatwoot-closed.json": Case(
        "chatwoot",
        "accepted",
        ("closed", "/id"),
        metrics=[("closed conversation in Chatwoot", "/meta/sender/email")],
        paused=False,
        properties={
            "Conversation URL": "{base}/app/accounts/2/conversations/5",
            "Tags": ["refund"],
            "Agent": "Kim",
            "Team": "returns",
            "Channel": "chat",
        },
    ),
    "chatwoot-created.json": Case("chatwoot", "accepted", ("opened", "/id"), result="no address"),
    "chatwoot-reopened.json": Case(
        "chatwoot",
        "accepted",
        ("reopened", "/id"),
        metrics=[("reopened conversation in Chatwoot", "/meta/sender/email")],
        paused=True,
        properties={"Conversation URL": "{base}/app/accounts/2/conversations/42"},
    ),
    "dixa-created.json": Case(
        "dixa",
        "accepted",
        ("opened", "/data/conversation/csid"),
        metrics=[("started conversation in Dixa", "/data/conversation/requester/email")],
        paused=True,
        properties={"Initiated By": "customer"},
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
        paused=True,
    ),
    "freshdesk-created.json": Case(
        "freshdesk",
        "accepted",
        ("opened", "/freshdesk_webhook/ticket_id"),
        metrics=[("started conversation in Freshdesk", "/freshdesk_webhook/requester_email")],
        paused=True,
    ),
    "freshdesk-created.raw.txt": Case("freshdesk", "accepted", dead="not JSON"),
    "freshdesk-status-changed.json": Case(
        "freshdesk",
        "accepted",
        ("reopened", "/freshdesk_webhook/ticket_id"),
        metrics=[("reopened conversation in Freshdesk", "/freshdesk_webhook/requester_email")],
        paused=True,
    ),
    "freshdesk-status-changed.raw.txt": Case("freshdesk", "accepted", dead="not JSON"),
    "front-closed.json": Case("front", "accepted", ("closed", "/conversation/id"), result="nothing"),
    "front-inbound.json": Case(
        "front",
        "accepted",
        ("opened", "/conversation/id"),
        metrics=[("started conversation in Front", "/conversation/recipient/handle")],
        paused=True,
        properties={"Conversation URL": "https://app.frontapp.com/open/cnv_keocka", "Initiated By": "customer"},
    ),
    "front-reopened.json": Case(
        "front",
        "accepted",
        ("reopened", "/conversation/id"),
        metrics=[("reopened conversation in Front", "/conversation/recipient/handle")],
        paused=True,
        properties={"Conversation URL": "https://app.frontapp.com/open/cnv_keo696"},
    ),
    "gladly-closed.json": Case(
        "gladly",
        "accepted",
        ("closed", "/content/conversationId"),
        answers=GLADLY_CUSTOMER,
        customer="/content/customerId",
        metrics=[("closed conversation in Gladly", GLADLY_ADDRESS)],
        paused=False,
    ),
    "gladly-contact-ended.json": Case("gladly", "ignored"),
    "gladly-created.json": Case(
        "gladly",
        "accepted",
        ("opened", "/content/conversationId"),
        answers=GLADLY_CUSTOMER,
        customer="/content/customerId",
        metrics=[("started conversation in Gladly", GLADLY_ADDRESS)],
        paused=True,
        properties={"Initiated By": "agent"},
    ),
    "gladly-reopened.json": Case(
        "gladly",
        "accepted",
        ("reopened", "/content/conversationId"),
        answers=GLADLY_CUSTOMER,
        customer="/content/customerId",
        metrics=[("reopened conversation in Gladly", GLADLY_ADDRESS)],
        paused=True,
    ),
    "gorgias-created.json": Case(
        "gorgias",
        "accepted",
        ("opened", "/id"),
        metrics=[("started conversation in Gorgias", "/customer/email")],
        paused=True,
        properties={"Initiated By": "agent", "Conversation URL": "https://pipedream.gorgias.com/app/ticket/86538298"},
    ),
    "gorgias-updated.json": Case(
        "gorgias",
        "accepted",
        ("opened", "/id"),
        metrics=[("started conversation in Gorgias", "/customer/email")],
        paused=True,
        properties={"Initiated By": "agent", "Conversation URL": "https://pipedream.gorgias.com/app/ticket/86538410"},
    ),
    "groove-created.json": Case(
        "groove",
        "accepted",
        ("opened", "/number"),
        headers={"X-Groove-Event": "ticket_started"},
        metrics=[("started conversation in Groove", "/links/customer/href")],
        paused=True,
    ),
    "groove-customer-replied.json": Case("groove", "ignored", headers={"X-Groove-Event": "customer_replied"}),
    "groove-state-changed.json": Case(
        "groove",
        "accepted",
        ("opened", "/ticket_number"),
        headers={"X-Groove-Event": "ticket_state_changed"},
        metrics=[("started conversation in Groove", "/ticket/links/customer/href")],
        paused=True,
    ),
    "helpscout-closed.json": Case(
        "helpscout", "accepted", ("closed", "/id"), headers={"X-HelpScout-Event": "convo.status"}, result="nothing"
    ),
    "helpscout-created.json": Case(
        "helpscout",
        "accepted",
        ("opened", "/id"),
        headers={"X-HelpScout-Event": "convo.created"},
        metrics=[("started conversation in Help Scout", "/customer/email")],
        paused=True,
        properties={"Conversation URL": "https://secure.helpscout.net/conversation/291938/349/", "Initiated By": "customer"},
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
        paused=True,
    ),
    "intercom-closed.json": Case(
        "intercom",
        "accepted",
        ("closed", "/data/item/id"),
        metrics=[("closed conversation in Intercom", "/data/item/user/email")],
        paused=False,
        properties={"Initiated By": "agent", "Agent": "Cordelia Lear"},
    ),
    "intercom-created.json": Case("intercom", "accepted", ("opened", "/data/item/id"), result="no address"),
    "intercom-ping.json": Case("intercom", "pong"),
    "intercom-reopened.json": Case(
        "intercom",
        "accepted",
        ("reopened", "/data/item/id"),
        metrics=[("reopened conversation in Intercom", "/data/item/user/email")],
        paused=True,
        properties={"Initiated By": "agent", "Agent": "Eeshan Garg"},
    ),
    "kustomer-created.json": Case(  # the person who collected it put one more `data` around it
        "kustomer", "accepted", ("opened", "/data/data/id"), result="no address"
    ),
    "kustomer-created.json · as on the wire": Case(
        "kustomer",
        "accepted",
        ("opened", "/data/data/id"),
        wrapped=lambda collected: collected["data"],
        answers={"/v1/customers/{/data/data/relationships/customer/data/id}": OUR_CUSTOMER},
        metrics=[("started conversation in Kustomer", OUR_CONTACT)],
        paused=True,
    ),
    "kustomer-updated.json": Case("kustomer", "ignored"),
    "missive-rule.json": Case(
        "missive",
        "accepted",
        ("closed", "/conversation/id"),
        query="transition=closed",
        metrics=[("closed conversation in Missive", "/message/from_field/address")],
        paused=False,
    ),
    "zammad-created.json": Case(
        "zammad",
        "accepted",
        ("opened", "/ticket/id"),
        headers={"X-Zammad-Delivery": "d-1"},
        metrics=[("started conversation in Zammad", "/ticket/customer/email")],
        paused=True,
        properties={"Agent": "Emma Taylor", "Initiated By": "customer"},
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
        paused=True,
        properties={"Conversation URL": "{base}/agent/tickets/5158"},
    ),
    "zendesk-trigger-template.json": Case("zendesktrigger", "accepted", dead="/updatedAt"),
    # ---- answers of a helpdesk's API, which the daemon gets from a lookup
    "gladly-customer-merged.json": Case(
        "gladly",
        "accepted",
        ("opened", "conv-1"),
        wrapped=lambda merged: gladly_webhook("opened", "conv-1", merged["errors"][0]["meta"]["old"]),
        answers={
            "/api/v1/customer-profiles/{/errors/0/meta/old}": (301, {}, "gladly-customer-merged.json"),
            "/api/v1/customer-profiles/{/errors/0/meta/new}": "gladly-customer.json",
        },
        metrics=[("started conversation in Gladly", GLADLY_ADDRESS)],
        paused=True,
    ),
    "intercom-conversation.json": Case(  # today's webhooks hold a contact by its id only
        "intercom",
        "accepted",
        ("closed", "/id"),
        wrapped=lambda item: {
            "id": "notif_1",
            "topic": "conversation.admin.closed",
            "app_id": "abc",
            "created_at": item["updated_at"],
            "data": {"item": item},
        },
        answers={"/contacts/{/contacts/contacts/0/id}": "intercom-customer.json"},
        metrics=[("closed conversation in Intercom", "intercom-customer.json#/email")],
        paused=False,
        properties={"Conversation URL": "https://app.intercom.com/a/apps/abc/conversations/503", "Tags": ["Test tag"]},
    ),
    # ---- the small inputs
    "big-integer.chatwoot.json": Case(
        "chatwoot",
        "accepted",
        ("opened", "/id"),
        metrics=[("started conversation in Chatwoot", "/meta/sender/email")],
        paused=True,
        rules=[
            "default",
            {
                "on": "opened",
                "send": "started conversation in {label}",
                "properties": {"Parcel": "{/custom_attributes/tracking_number}"},
            },
        ],
        properties={"Parcel": "9400111899223334445556"},  # the digits as written
    ),
    "bom.generic.json": Case(
        "generic",
        "accepted",
        ("opened", "/conversation"),
        metrics=[("started conversation in Helpdesk", "/email")],
        paused=True,
    ),
    "born-closed.intercom.json": Case(  # it pauses no person
        "intercom",
        "accepted",
        ("closed", "/data/item/id"),
        metrics=[("closed conversation in Intercom", "/data/item/user/email")],
        paused=False,
    ),
    "reopened-status-changed.chatwoot.json": Case(
        "chatwoot",
        "accepted",
        ("reopened", "/id"),
        metrics=[("reopened conversation in Chatwoot", "/meta/sender/email")],
        paused=True,
    ),
    "reopened-updated.chatwoot.json": Case(
        "chatwoot",
        "accepted",
        ("reopened", "/id"),
        metrics=[("reopened conversation in Chatwoot", "/meta/sender/email")],
        paused=True,
    ),
    "reopened-updated.chatwoot.json · after reopened-status-changed": Case(
        "chatwoot",
        "accepted",
        ("reopened", "/id"),
        before="reopened-status-changed.chatwoot.json",
        metrics=[("reopened conversation in Chatwoot", "/meta/sender/email")],  # of the first webhook
        result="duplicate",
        paused=True,
    ),
    "resolved.chatwoot.json": Case(
        "chatwoot",
        "accepted",
        ("closed", "/id"),
        metrics=[("closed conversation in Chatwoot", "/meta/sender/email")],
        paused=False,
        properties={"Conversation URL": "{base}/app/accounts/2/conversations/4711"},
    ),
    "ticket-closed-nested.intercom.json": Case("intercom", "accepted", ("closed", "/data/item/ticket/id"), result="nothing"),
    "bare-ticket.gorgias.json": Case(
        "gorgias",
        "accepted",
        ("opened", "/id"),
        metrics=[("started conversation in Gorgias", "/customer/email")],
        paused=True,
        properties={"Initiated By": "agent", "Agent": "Julien W", "Conversation URL": None},
    ),
    "url-with-blank.generic.json": Case(
        "generic",
        "accepted",
        ("opened", "/conversation"),
        metrics=[("started conversation in Helpdesk", "/email")],
        paused=True,
        properties={"Conversation URL": "https://desk.example.com/a%20b?q=%22x%22"},
    ),
}


class Raw:
    """A request byte by byte to a daemon with these sources: the expected answer, webhooks and events. hidden: texts
    that neither the log nor the metrics may hold."""

    def __init__(self, status, answer, sources, says=(), metrics=(), hidden=(), paused=None):
        self.status, self.answer, self.sources, self.says = status, answer, sources, says
        self.metrics, self.hidden, self.paused = metrics, hidden, paused


REQUESTS = {
    "absolute-form.http": Raw(
        200,
        "accepted",
        {"generic": {"preset": "generic", "authenticate": {"secret": "tok"}}},
        says=[("opened", "abs-1")],
        metrics=[("started conversation in Helpdesk", "a@example.com")],
        paused=True,
    ),
    "encoded-question-mark.http": Raw(
        404, "not found", {"gr": {"preset": "groove", "authenticate": {"secret": "SECRETKEY1"}}}, hidden=["SECRETKEY1"]
    ),
    "encoded-question-mark.http · with a secret that nobody knows": Raw(
        404, "not found", {"gr": {"preset": "groove", "authenticate": {"secret": "another-key"}}}, hidden=["SECRETKEY1"]
    ),
}

NO_WEBHOOKS = {
    "README.md": "what is right for each of the small inputs",
    "SOURCES.md": "where the files come from",
    "gladly-conversation.json": "an answer of the REST API that the definition does not ask for",
    "gladly-customer.json": "the lookup's answer in the rows above",
    "hubspot-ticket.json": "the lookup's answer in the rows above",
    "intercom-customer.json": "the lookup's answer in the rows above",
    "richpanel-ticket-rest.json": "an answer of the REST API of a helpdesk that has no webhooks that are known",
    "trengo-fields.json": "the names of what webhooks carry, no body",
    "zendesk-customer.json": "the lookup's answer in the rows above",
}

SHOWN = ("Initiated By", "Conversation URL", "Channel", "Agent", "Team", "Inbox", "Tags", "Parcel")
TOLD = []


@pytest.fixture(scope="module", autouse=True)
def table():
    """Prints the table of results when the tests are done."""
    yield
    heads = ("file", "answer", "transition", "conversation", "result", "event", "paused", "properties")
    print("\n| " + " | ".join(heads) + " |\n|" + "---|" * len(heads))
    for row in sorted(TOLD):
        print("| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |")
    for name, why in sorted(NO_WEBHOOKS.items()):
        print(f"| {name} | – | – | – | no webhook: {why} | – | – | – |")


@pytest.mark.parametrize("folder", [SAMPLES, CASES], ids=["samples", "cases"])
def test_every_file_has_a_row(folder):
    if not folder.is_dir():
        pytest.skip(MISSING)
    rows = {name.partition(SECOND)[0] for name in (*ROWS, *REQUESTS, *NO_WEBHOOKS)}
    assert {path.name for path in folder.iterdir()} <= rows
    if SAMPLES.is_dir() and CASES.is_dir():
        assert all(map(path_of, rows))


def body_of_file(name):
    """Returns the bytes of a file; skips the test where it does not exist."""
    path = path_of(name)
    if not path:
        pytest.skip(MISSING)
    return path.read_bytes()


def answers_of(name, case):
    """Returns the answers by path, with the ids filled in."""
    def filled(path):
        return re.sub(r"{([^}]*)}", lambda at: value(name, at[1] or case.customer), path)

    def answer_of(answer):
        if isinstance(answer, tuple):
            return (*answer[:2], answer_of(answer[2]))
        return file(answer) if isinstance(answer, str) else answer

    return {filled(path): answer_of(answer) for path, answer in case.answers.items()}


def address(name, place):
    return (place["properties"]["email"] if isinstance(place, dict) else value(name, place)).lower()


def flag_of(sandbox):
    """Returns the flag, which must be equal in all profiles; None where there is none."""
    flags = {flag for profile in sandbox.profiles().values() for flag in profile.values()}
    assert len(flags) <= 1, flags
    return next(iter(flags), None)


def tell(name, answer, rows, sandbox):
    """Adds rows to the table: one for each stored webhook, the first of them with the events."""
    events = [f"{event['metric']} → {event['email']}" + (" (late)" if event["backfill"] else "") for event in sandbox.events()]
    shown = [f"{key}: {event['properties'][key]}" for event in sandbox.events() for key in SHOWN if key in event["properties"]]
    came = [", ".join(events) or "–", str(flag_of(sandbox)).lower().replace("none", "–"), ", ".join(shown) or "–"]
    if not rows:
        TOLD.append((name, answer, "–", "–", "nothing kept", *came))
    for n, row in enumerate(rows):
        result = f"{row['state']}: {row['reason']}" if row["state"] == "dead" else row["reason"]
        says = (row["transition"] or "–", row["conversation"] or "–", result)
        TOLD.append((name, answer, *says, *(came if n == 0 else 3 * ["–"])))


def check_events(name, sandbox, metrics, paused, properties, base):
    assert {(event["metric"], event["email"]) for event in sandbox.events()} == {
        (metric, address(name, place)) for metric, place in metrics
    }
    assert flag_of(sandbox) is paused
    for event in sandbox.events():
        right = {key: one.replace("{base}", base) if isinstance(one, str) else one for key, one in properties.items()}
        assert {key: event["properties"].get(key) for key in right} == right


@pytest.mark.parametrize("name", ROWS)
def test_what_a_helpdesk_sent_gives_what_its_name_says(stage, name):
    case, body = ROWS[name], body_of_file(name)
    helpdesk, sandbox = stage.helpdesk(), stage.sandbox()
    helpdesk.answers = answers_of(name, case)
    source = desk_source(case.preset, helpdesk.url, **({"rules": case.rules} if case.rules else {}))
    daemon = stage.daemon(sandbox, helpdesk, config={"sources": {"gladly": None, "desk": source}})
    if case.before:
        assert daemon.post_proven(case.preset, body_of_file(case.before), source="desk").json()["status"] == "accepted"
    body = json.dumps(case.wrapped(file(name))).encode() if case.wrapped else body
    answer = daemon.post_proven(case.preset, body, source="desk", query=case.query, headers=case.headers)
    kept = bool(case.before)
    rows = daemon.wait_webhooks(kept + max(len(case.says), case.dead is not None))[kept:]
    sandbox.wait_events(len(case.metrics))
    daemon.wait_idle()
    tell(name, f"{answer.status} {answer.json()['status']}", rows, sandbox)
    assert (answer.status, answer.json()["status"]) == (200, case.answer)
    if case.dead is None:
        says = [(transition, value(name, place)) for transition, place in case.says]
        assert [(row["transition"], row["conversation"]) for row in rows] == says
        assert all(row["state"] == "done" for row in rows)
    else:
        assert [row["state"] for row in rows] == ["dead"] and case.dead in rows[0]["reason"]
    if case.result:
        assert [row["reason"].split(":")[0] for row in rows] == [case.result]
    check_events(name, sandbox, case.metrics, case.paused, case.properties, helpdesk.url)
    # Without a proof nothing of it is read.
    refused = daemon.post("desk", body, headers=case.headers, auth=None, query=case.query)
    assert refused.status == 401


@pytest.mark.parametrize("name", REQUESTS)
def test_a_request_byte_by_byte_gives_what_its_name_says(stage, name):
    case, request = REQUESTS[name], body_of_file(name)
    sandbox = stage.sandbox()
    daemon = stage.daemon(sandbox, config={"sources": {"gladly": None, **case.sources}})
    head, _, body = request.replace(b"\r\n", b"\n").partition(b"\n\n")
    answer = said(daemon.address, head.replace(b"\n", b"\r\n") + b"\r\nConnection: close\r\n\r\n" + body.rstrip(b"\n"))
    rows = daemon.wait_webhooks(len(case.says))
    sandbox.wait_events(len(case.metrics))
    daemon.wait_idle()
    status = int(answer.split()[1])
    tell(name, f"{status} {body_of(answer)['status']}", rows, sandbox)
    assert (status, body_of(answer)["status"]) == (case.status, case.answer)
    assert [(row["transition"], row["conversation"]) for row in rows] == list(case.says)
    check_events(name, sandbox, case.metrics, case.paused, {}, "")
    metrics = daemon.api("/metrics").text
    for text in (metrics, *daemon.log()):
        assert not any(hidden in text for hidden in case.hidden)
        assert not re.search(r"[a-z0-9]@[a-z]", text)  # without a readable address
