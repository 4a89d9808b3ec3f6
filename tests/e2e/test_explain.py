# SPDX-License-Identifier: MIT
"""`deskbridge explain`: all steps of one webhook, without an effect. It shows what the daemon does."""

import json
import os
import pathlib
import re
import subprocess
import time

import pytest

from harness import (
    PRESETS,
    PROGRAM,
    TIMEOUT,
    WEBHOOK_PASSWORD,
    WEBHOOK_USER,
    basic,
    desk_source,
    gladly_webhook,
    iso,
    prove,
    secret_of,
)

PROFILE = {
    "id": "cust-1",
    "emails": [
        {"normalized": "second@example.com", "original": "Second@example.com", "primary": False},
        {"normalized": "jo@example.com", "original": "Jo@Example.com", "primary": True},
    ],
}
PROOF = "Authorization: " + basic(WEBHOOK_USER, WEBHOOK_PASSWORD)


class Explained:
    """The output of one run. events: the attributes of each request that is shown."""

    def __init__(self, ended):
        self.returncode, self.text, self.stderr = ended.returncode, ended.stdout, ended.stderr
        bodies = re.findall(r"^\{\n.*?^\}", self.text, re.M | re.S)
        self.events = [json.loads(body)["data"]["attributes"] for body in bodies]

    def section(self, title):
        """Returns the indented lines below a title."""
        found = re.search(rf"^{title}.*\n((?:  .*\n)+)", self.text, re.M)
        return found.group(1) if found else None

    @property
    def result(self):
        return re.search(r"^Result: (.*)", self.text, re.M).group(1)

    @property
    def emails(self):
        return [event["profile"]["data"]["attributes"]["email"] for event in self.events]


@pytest.fixture
def desk(stage):
    """A configuration whose daemon does not run, as explain needs none."""
    return stage.daemon(start=False)


@pytest.fixture
def explain(desk, tmp_path):
    """explain(body, *words, customer=…, source=…): runs it on a file with that body."""

    def run(body, *words, customer=None, source="gladly"):
        if not isinstance(body, (bytes, str)):
            body = json.dumps(body)
        (tmp_path / "body").write_bytes(body.encode() if isinstance(body, str) else body)
        words = list(words)
        if customer is not None:
            (tmp_path / "customer").write_text(json.dumps(customer))
            words += ["--customer", str(tmp_path / "customer")]
        explained = Explained(desk.command("explain", source, tmp_path / "body", *words))
        assert not (desk.dir / "deskbridge.db").exists(), "explain made a store"
        return explained

    return run


# ---- the way


@pytest.mark.parametrize(
    "kind, metric, flag, opened",
    [
        ("opened", "started conversation in Gladly", True, True),
        ("reopened", "reopened conversation in Gladly", True, True),
        ("closed", "closed conversation in Gladly", False, False),
    ],
)
def test_the_whole_way_is_shown(explain, kind, metric, flag, opened):
    shown = explain(gladly_webhook(kind, "conv-7", "cust-1", initiator="CUSTOMER"), customer=PROFILE)
    assert shown.returncode == 0 and shown.stderr == ""
    assert shown.text.startswith("Webhook: POST /webhooks/gladly, ")
    reading = shown.section("Reading")
    assert f"{kind}: yes" in reading and "/content/conversationId is conv-7" in reading
    assert "/content/customerId is cust-1" in reading and "time: /timestamp is " in reading
    lookup = shown.section("Lookup")
    assert "GET http://127.0.0.1:9/api/v1/customer-profiles/cust-1" in lookup
    assert "found jo@example.com (primary)" in lookup and "found second@example.com\n" in lookup
    assert f"conversation unknown, {kind} → {'open' if opened else 'closed'}" in shown.section("Ledger and rules")
    assert f"yes, sends {metric}" in shown.section("Ledger and rules")
    assert shown.result == "events"
    assert sorted(shown.emails) == ["jo@example.com", "second@example.com"]
    for event in shown.events:
        assert event["metric"]["data"]["attributes"]["name"] == metric
        assert event["profile"]["data"]["attributes"]["properties"] == {"In Gladly Conversation": flag}
        assert event["properties"]["Conversation ID"] == "conv-7" and event["properties"]["Initiated By"] == "customer"
        assert re.fullmatch(r"[0-9a-f]{32}", event["unique_id"])
        assert event["properties"]["Event ID"] == event["unique_id"]
        assert f"account default, unique_id {event['unique_id']}" in shown.text
        assert ("Opened At" in event["properties"]) == opened and ("Closed At" in event["properties"]) != opened
    assert len({event["unique_id"] for event in shown.events}) == 2


def test_the_request_is_shown_with_its_headers_but_without_the_key(explain, desk):
    shown = explain(gladly_webhook("opened"), customer=PROFILE)
    assert "POST http://127.0.0.1:9/api/events" in shown.text
    assert "Authorization: Klaviyo-API-Key (not shown)" in shown.text
    assert "revision: 2026-07-15" in shown.text and "Content-Type: application/vnd.api+json" in shown.text
    assert (desk.dir / "credentials" / "klaviyo-api-key").read_text().strip() not in shown.text


@pytest.mark.parametrize("kind", ["opened", "reopened", "closed"])
def test_the_daemon_sends_what_explain_showed(explain, stage, sandbox, gladly, kind):
    gladly.customers["cust-1"] = PROFILE
    body = gladly_webhook(kind, "conv-9", "cust-1")
    shown = explain(body, customer=PROFILE)
    daemon = stage.daemon(sandbox, gladly)
    daemon.accepted("gladly", body)
    sent = {event["email"]: event for event in sandbox.wait_events(2)}
    assert set(sent) == set(shown.emails)
    for event in shown.events:
        email = event["profile"]["data"]["attributes"]["email"]
        assert sent[email]["unique_id"] == event["unique_id"]
        assert sent[email]["properties"] == event["properties"]
        assert sent[email]["metric"] == event["metric"]["data"]["attributes"]["name"]
        assert sent[email]["profile_properties"] == event["profile"]["data"]["attributes"]["properties"]
        assert sent[email]["time"] == event["time"] and sent[email]["backfill"] == event["backfill"]


def test_what_happened_long_ago_goes_out_as_backfill(explain):
    old = explain(gladly_webhook("closed", at="2019-07-03T04:30:12.07Z"), customer=PROFILE)
    assert all(event["backfill"] is True for event in old.events) and "as backfill" in old.text
    new = explain(gladly_webhook("closed", at=time.time()), customer=PROFILE)
    assert all(event["backfill"] is False for event in new.events) and "as backfill" not in new.text


def test_the_same_webhook_gives_the_same_unique_id(explain):
    body = gladly_webhook("closed")
    first, second = explain(body, customer=PROFILE), explain(body, customer=PROFILE)
    assert [e["unique_id"] for e in first.events] == [e["unique_id"] for e in second.events]


def test_standard_input_stands_for_the_file(desk, tmp_path):
    (tmp_path / "customer").write_text(json.dumps(PROFILE))
    for words in ([], ["-"]):
        body = json.dumps(gladly_webhook("opened"))
        shown = Explained(desk.command("explain", "gladly", *words, "--customer", tmp_path / "customer", input=body))
        assert shown.returncode == 0 and len(shown.events) == 2


def test_byte_order_marks_are_passed_over_in_every_file(desk, tmp_path):
    """Editors on Windows save files with them: configuration, secret, webhook and customer."""
    mark = b"\xef\xbb\xbf"
    files = [desk.file, *(desk.dir / "credentials").iterdir()]
    for name, content in (("webhook", gladly_webhook("opened")), ("customer", PROFILE)):
        (tmp_path / name).write_text(json.dumps(content))
        files.append(tmp_path / name)
    for file in files:
        file.write_bytes(mark + file.read_bytes())
    shown = Explained(desk.command("explain", "gladly", tmp_path / "webhook", "--customer", tmp_path / "customer"))
    assert (shown.returncode, len(shown.events)) == (0, 2), shown.stderr


def test_the_running_daemon_is_left_alone(daemon, sandbox, gladly):
    gladly.customers["cust-1"] = PROFILE
    before = daemon.metric("deskbridge_webhooks_total")
    shown = daemon.command("explain", "gladly", "--header", PROOF, input=json.dumps(gladly_webhook("opened")))
    assert shown.returncode == 0
    assert gladly.asked() == 0 and sandbox.requests() == 0
    assert daemon.metric("deskbridge_webhooks_total") == before
    assert json.loads(daemon.command("queue", "list", "--json", "--admin", daemon.admin).stdout) == []


# ---- the customer


def test_without_the_customers_answer_the_question_is_shown(explain):
    shown = explain(gladly_webhook("opened"))
    assert "GET http://127.0.0.1:9/api/v1/customer-profiles/cust-1" in shown.section("Lookup")
    assert "--customer FILE" in shown.section("Lookup")
    assert shown.result.startswith("no address") and shown.events == []


def test_a_merged_customer_is_followed_as_the_daemon_does(explain, tmp_path):
    (tmp_path / "merged").write_text(
        json.dumps({"errors": [{"attr": "customerId", "code": "moved", "meta": {"old": "cust-1", "new": "cust-2"}}]})
    )
    shown = explain(gladly_webhook("opened"), "--customer", tmp_path / "merged", customer=PROFILE)
    lookup = shown.section("Lookup")
    said = [lookup.index(words) for words in ("profiles/cust-1", "another id now", "profiles/cust-2", "found jo@")]
    assert said == sorted(said)
    assert len(shown.events) == 2


def test_a_customer_without_an_address_is_told(explain):
    shown = explain(gladly_webhook("opened"), customer={"id": "cust-1", "emails": []})
    assert "found no address; where answers hold it: /emails/*/normalized\n" in shown.section("Lookup")
    assert shown.result.startswith("no address")


def test_an_answer_that_is_no_customer_is_told(explain, tmp_path):
    (tmp_path / "html").write_text("<html>Sign in</html>")
    shown = explain(gladly_webhook("opened"), "--customer", tmp_path / "html")
    assert shown.returncode == 0 and "not JSON" in shown.section("Lookup") and shown.events == []


def test_answers_that_nobody_asked_for_are_named(explain, tmp_path):
    (tmp_path / "more").write_text("{}")
    shown = explain(gladly_webhook("ping"), customer=PROFILE)
    assert "Not used: " in shown.text and "customer" in shown.text.split("Not used: ")[1]
    (tmp_path / "customer").write_text(json.dumps(PROFILE))
    shown = explain(gladly_webhook("opened"), "--customer", tmp_path / "customer", "--customer", tmp_path / "more")
    assert f"Not used: {tmp_path / 'more'}" in shown.text and len(shown.events) == 2


@pytest.mark.parametrize("what", ["customer", "body"])
def test_a_file_that_is_not_there_is_1_before_anything_is_said(desk, tmp_path, what):
    (tmp_path / "body").write_text(json.dumps(gladly_webhook("opened")))
    missing = tmp_path / "missing"
    files = [tmp_path / "body", "--customer", missing] if what == "customer" else [missing]
    ended = desk.command("explain", "gladly", *files)
    assert ended.returncode == 1 and ended.stdout == "" and str(missing) in ended.stderr


# ---- the proof


def test_a_right_proof_is_good(explain):
    assert explain(gladly_webhook("ping"), "--header", PROOF).section("Proof: basic") == "  good\n"


@pytest.mark.parametrize(
    "header",
    [
        "Authorization: " + basic(WEBHOOK_USER, "another password"),
        "Authorization: " + basic("another user", WEBHOOK_PASSWORD),
        "Authorization: Basic !!!",
        "Authorization: Basic",
    ],
)
def test_a_wrong_proof_is_told_and_the_way_shown_all_the_same(explain, header):
    shown = explain(gladly_webhook("closed"), "--header", header, customer=PROFILE)
    assert shown.returncode == 0
    assert "401" in shown.section("Proof: basic") and "good" not in shown.section("Proof: basic")
    assert len(shown.events) == 2
    assert WEBHOOK_PASSWORD not in shown.text


def test_no_proof_is_told_with_the_header_to_give(explain):
    proof = explain(gladly_webhook("closed")).section("Proof: basic")
    assert "not shown here" in proof and "401" in proof and "--header 'Authorization: " in proof


def definition(method, **more):
    return {
        "label": "Mini",
        "authenticate": method,
        "opened": {"/kind": "opened"},
        "closed": {"/kind": "closed"},
        "conversation": "/id",
        "emails": "/email",
        **more,
    }


@pytest.fixture
def mini(desk):
    """Adds the source `mini` with a definition in the configuration: mini(method, …)."""

    def add(method, authenticate=None, **more):
        source = {"definition": definition(method, **more)}
        if authenticate:
            source["authenticate"] = authenticate
        desk.configure({"sources": {"mini": source}})

    desk.credential("mini-webhook", "a mini secret/+")
    return add


SECRET = {"secret": {"credential": "mini-webhook"}}
MINI = {"kind": "opened", "id": 17, "email": "Jo <JO@Example.com>"}


@pytest.mark.parametrize(
    "method, good, wrong",
    [
        (
            {"method": "bearer"},
            ["--header", "Authorization: Bearer a mini secret/+"],
            ["--header", "Authorization: Bearer x"],
        ),
        (
            {"method": "bearer"},  # blanks around a header's value do not belong to it
            ["--header", "Authorization:\tBearer a mini secret/+ \t"],
            ["--header", "Authorization: Bearer "],
        ),
        ({"method": "header", "name": "X-Token"}, ["--header", "x-token: a mini secret/+"], ["--header", "X-Token: x"]),
        ({"method": "query", "name": "token"}, ["--query", "token=a%20mini%20secret%2F%2B"], ["--query", "token=x"]),
        ({"method": "query", "name": "token"}, ["--query", "?a=b&token=a+mini+secret%2F%2B&c"], ["--query", "token="]),
    ],
)
def test_every_proof_is_checked_and_its_secret_not_shown(explain, mini, method, good, wrong):
    mini(method, SECRET)
    shown = explain(MINI, *good, source="mini")
    assert shown.section("Proof: " + method["method"]) == "  good\n"
    assert "mini secret" not in shown.text and "mini%20secret" not in shown.text and "mini+secret" not in shown.text
    assert shown.emails == ["jo@example.com"] and "Lookup" not in shown.text
    assert "401" in explain(MINI, *wrong, source="mini").section("Proof: " + method["method"])
    told = explain(MINI, source="mini").section("Proof: " + method["method"])
    assert f"{good[0]} '{method.get('name', 'Authorization')}" in told


def test_the_reading_shows_what_was_read_and_what_was_not(explain, mini):
    attributes = {"Channel": "/via", "Tags": {"/tags/*/x": {"a": "A"}}, "Agent": "/agent", "By": {"/by": {"me": "customer"}}}
    mini({"method": "none"}, time="/at", attributes=attributes, conversation_url="https://{/shop}.example.com/{/id}")
    shown = explain({**MINI, "at": 1795164302418, "via": "chat", "tags": [{"x": "b"}, {"x": "a"}], "by": "they"}, source="mini")
    reading = shown.section("Reading")
    assert "reopened" not in reading  # the definition has no such matcher
    for line in (
        "time: /at is 1795164302418, which is 2026-11-20T08:45:02Z",
        "emails: /email holds jo@example.com",
        'attribute Channel: "chat", by /via',
        'attribute Tags: ["A"], by /tags/*/x',
        "attribute Agent: /agent holds nothing",
        'attribute By: /by is "they", which its map leaves out',
        "conversation_url: left out, nothing usable at /shop",
    ):
        assert f"  {line}\n" in reading, line
    properties = shown.events[0]["properties"]
    assert (properties["Channel"], properties["Tags"]) == ("chat", ["A"]) and not {"Agent", "By"} & set(properties)


def test_what_asks_for_no_proof_says_so(explain, mini):
    mini({"method": "none"})
    shown = explain(MINI, source="mini")
    assert "none is needed" in shown.section("Proof: none") and len(shown.events) == 1


# ---- webhooks without an event


def test_a_ping_is_told_as_such(explain):
    shown = explain(gladly_webhook("ping"))
    assert "ping: yes" in shown.section("Reading") and "the helpdesk's own test" in shown.result and shown.events == []


def test_what_is_of_no_interest_is_told_with_what_was_tried(explain):
    shown = explain(gladly_webhook("ended"))
    for name in ("ping: no", "closed: no", "reopened: no", "opened: no", 'there is "CONTACT/ENDED"'):
        assert name in shown.section("Reading"), name
    assert shown.result.startswith("ignored") and shown.events == []


@pytest.mark.parametrize(
    "body, why",
    [
        (b"{", "not JSON"),
        (b"\xff\xfe{}", "not JSON"),
        (b"[" * 100 + b"]" * 100, "not JSON"),
        (b'{"a": 1} x', "not JSON"),
        (b"\x00", "not JSON"),
        (gladly_webhook("opened", None), "/content/conversationId"),
        (gladly_webhook("opened", at="yesterday"), "/timestamp"),
        (gladly_webhook("opened", at="1970-01-01T00:00:00Z"), "/timestamp"),
        (gladly_webhook("opened", at=time.time() + 3 * 86400), "/timestamp"),
    ],
    ids=["half", "utf-16", "deep", "more", "nul", "conversation", "no time", "past", "future"],
)
def test_what_cannot_be_read_is_told_as_the_dead_letter_that_it_becomes(explain, mini, body, why):
    shown = explain(body, customer=PROFILE)
    assert shown.returncode == 0 and shown.events == []
    assert "dead letter" in shown.result and why in shown.result


@pytest.mark.parametrize("kind", ["application/json", "application/json; charset=utf-8", "application/vnd.acme+json"])
@pytest.mark.parametrize(
    "body, why",
    [
        ('{"transition": "opened", "conversation": "g-1",}', "line 1 column 48"),
        ('"transition": "opened", "conversation": "g-1"}', "line 1 column 13"),
        ("transition=opened&conversation=g-1", "line 1 column 1"),
        ('opened {"url": "https://acme.example.com/?a=b"}', "line 1 column 1"),
    ],
    ids=["a comma", "no brace", "a form", "with ="],
)
def test_bad_json_is_told_as_such_where_the_desk_may_send_forms_too(explain, desk, body, why, kind):
    """The daemon reports the same: test_bad_json_under_jsons_type_is_a_dead_letter_of_json."""
    desk.configure({"sources": {"generic": {"preset": "generic", "authenticate": {"secret": "s"}}}})
    shown = explain(body, "--header", f"Content-Type: {kind}", source="generic")
    assert f"dead letter: the body is not JSON: {why}" in shown.result


def test_without_a_type_the_first_letter_says_what_a_body_is(explain, desk):
    desk.configure({"sources": {"generic": {"preset": "generic", "authenticate": {"secret": "s"}}}})
    asked = "Not given: the header Content-Type, by which JSON is told from a form"
    shown = explain("opened", source="generic")
    assert "neither JSON, which begins with { or [, nor a form: there is no field in it" in shown.result
    assert asked in shown.text
    good = {"transition": "opened", "conversation": "g-1", "email": "jo@example.com"}
    form = "transition=opened&conversation=g-1&email=jo%40example.com"
    for body, words in ((good, []), (form, []), (good, ["--header", "Content-Type: application/x-www-form-urlencoded"])):
        shown = explain(body, *words, source="generic")
        assert shown.emails == ["jo@example.com"] and asked not in shown.text, (body, words)


def test_without_a_proof_the_unreadable_is_refused(explain, mini):
    mini({"method": "none"})
    assert "400" in explain(b"{", source="mini").result
    assert "400" in explain({"kind": "opened"}, source="mini").result


def test_an_empty_body_is_refused(explain):
    assert "400" in explain(b"").result


def test_a_body_longer_than_the_daemon_takes_is_1(explain, desk):
    desk.configure({"listen": {"address": "127.0.0.1:0", "max_body": "1KiB"}})
    shown = explain(b"x" * 1025)
    assert shown.returncode == 1 and shown.text == "" and "longer" in shown.stderr


# ---- rules, accounts


def test_rules_with_one_metric_are_shown_as_one_event(explain, desk):
    rules = ["default", {"on": "closed", "send": "closed conversation in {label}", "properties": {"Reason": "solved"}}]
    desk.configure({"sources": {"gladly": {"rules": rules}}})
    shown = explain(gladly_webhook("closed"), customer={"emails": [{"normalized": "jo@example.com"}]})
    said = shown.section("Ledger and rules")
    assert "shipped on closed, expired: yes, sends closed conversation in Gladly" in said
    assert "rules[1] on closed: yes, adds to closed conversation in Gladly of shipped" in said
    assert re.search(r"event: .*, one event of shipped and sources.gladly.rules\[1\]", said)
    assert [event["properties"]["Reason"] for event in shown.events] == ["solved"]


def test_every_rule_says_why(explain, desk):
    rules = [
        {"when": {"Initiated By": "agent"}, "drop": "outbound"},
        "default",
        {"on": "closed", "send": "closed refund in {label}", "properties": {"Reason": "refund"}},
    ]
    desk.configure({"sources": {"gladly": {"rules": rules}}})
    shown = explain(gladly_webhook("opened", initiator="AGENT"), customer=PROFILE)
    assert "rules[0] when Initiated By is agent: yes, drops it (outbound)" in shown.section("Ledger and rules")
    assert shown.result == "dropped: outbound" and shown.events == []
    shown = explain(gladly_webhook("closed", initiator="CUSTOMER"), customer=PROFILE)
    said = shown.section("Ledger and rules")
    assert "rules[0] when Initiated By is agent: no" in said and "shipped on opened: no, this is closed" in said
    assert "rules[2] on closed: yes, sends closed refund in Gladly" in said
    metrics = [event["metric"]["data"]["attributes"]["name"] for event in shown.events]
    assert sorted(metrics) == ["closed conversation in Gladly"] * 2 + ["closed refund in Gladly"] * 2
    assert {event["properties"].get("Reason") for event in shown.events} == {None, "refund"}


def test_an_account_on_hold_and_people_who_are_never_sent_are_told(explain, desk):
    desk.configure({"klaviyo": {"hold": True}, "sources": {"gladly": {"ignore_emails": "second@example.com"}}})
    shown = explain(gladly_webhook("opened"), customer=PROFILE)
    assert shown.emails == ["jo@example.com"] and "ON HOLD" in shown.text


def test_what_must_last_before_it_counts_says_so(explain, desk):
    assert explain(gladly_webhook("closed"), customer=PROFILE).section("Settle") is None
    desk.configure({"sources": {"gladly": {"settle": {"close": "10m"}}}})
    assert "once it has lasted 10" in explain(gladly_webhook("closed"), customer=PROFILE).section("Settle")
    assert explain(gladly_webhook("opened"), customer=PROFILE).section("Settle") is None


def test_only_the_primary_address_where_so_configured(explain, desk):
    desk.configure({"sources": {"gladly": {"emails": "primary"}}})
    assert explain(gladly_webhook("opened"), customer=PROFILE).emails == ["jo@example.com"]


# ---- Gladly's own examples


def samples():
    """The folder of helpdesks' examples that exists next to some checkouts. It is not in the tarball."""
    here = pathlib.Path(os.environ.get("TEST_SRCDIR", pathlib.Path(__file__).resolve().parents[1])).resolve()
    folder = here.parents[1] / "shared" / "helpdesks" / "samples"
    if not (folder / "gladly-closed.json").exists():
        pytest.skip("needs the examples in ../shared, which are no part of this repository")
    return folder


@pytest.mark.parametrize("kind, flag", [("closed", False), ("created", True), ("reopened", True)])
def test_gladlys_own_examples_are_explained(desk, kind, flag):
    folder = samples()
    shown = Explained(
        desk.command("explain", "gladly", folder / f"gladly-{kind}.json", "--customer", folder / "gladly-customer.json")
    )
    webhook = json.loads((folder / f"gladly-{kind}.json").read_text())
    customer = json.loads((folder / "gladly-customer.json").read_text())
    assert shown.returncode == 0 and shown.stderr == "" and shown.result == "events"
    assert shown.emails == [email["normalized"] for email in customer["emails"]]
    for event in shown.events:
        assert event["properties"]["Conversation ID"] == webhook["content"]["conversationId"]
        assert event["profile"]["data"]["attributes"]["properties"] == {"In Gladly Conversation": flag}


def test_the_presets_own_samples_are_explained(desk, tmp_path):
    yaml = pytest.importorskip("yaml")
    definition = yaml.safe_load(pathlib.Path(PRESETS, "gladly.yaml").read_text(encoding="utf-8"))
    (tmp_path / "customer").write_text(json.dumps(PROFILE))
    for transition, sample in definition["samples"].items():
        shown = Explained(desk.command("explain", "gladly", "--customer", tmp_path / "customer", input=sample["body"]))
        assert f"{transition}: yes" in shown.section("Reading") and len(shown.events) == 2


# ---- other desks: signatures, several items, forms, challenges, several steps


@pytest.fixture
def other(desk, tmp_path):
    """other(preset, body, customers=[…], proof={…}, with_={…}): explains a body of that preset, proven with `proof`."""

    def run(preset, body, *words, customers=(), proof=None, **source):
        desk.configure({"sources": {preset: desk_source(preset, "https://api.example.com", **source)}})
        body = body if isinstance(body, str) else json.dumps(body)
        (tmp_path / "body").write_text(body)
        words = list(words)
        if proof is not None:
            words += [word for header in prove(preset, body, **proof)[0].items() for word in ("--header", ": ".join(header))]
        for i, customer in enumerate(customers):
            (tmp_path / f"answer-{i}").write_text(json.dumps(customer))
            words += ["--customer", str(tmp_path / f"answer-{i}")]
        shown = Explained(desk.command("explain", preset, tmp_path / "body", *words))
        assert (shown.returncode, shown.stderr) == (0, "")  # where it fails, both are shown
        assert secret_of(preset) not in shown.text
        return shown

    return run


TICKET = {
    "id": "ev-1",
    "type": "zen:event-type:ticket.created",
    "detail": {"id": "51", "requester_id": "84", "assignee_id": "85", "group_id": "86", "status": "NEW"},
}


def ticket(at=None):
    return {**TICKET, "time": iso(at)}


USER = {"user": {"id": 84, "email": "jo@example.com"}}


def test_a_signature_is_checked_over_the_body_as_it_stands_in_the_file(other):
    assert other("zendesk", ticket(), proof={}).section("Proof: hmac") == "  good\n"
    assert "wrong" in other("zendesk", ticket(), proof={"secret": "another"}).section("Proof: hmac")
    url = {"url": "https://bridge.example.com/webhooks/other"}
    item = [{"subscriptionType": "conversation.creation", "objectId": 1, "occurredAt": int(time.time() * 1000)}]
    assert other("hubspot", item, proof={}).section("Proof: hmac") == "  good\n"
    assert "wrong" in other("hubspot", item, proof=url).section("Proof: hmac")


def test_half_a_signature_is_missing_and_none_is_not_checked(other):
    headers, _ = prove("zendesk", json.dumps(ticket(0)))
    header = "X-Zendesk-Webhook-Signature: " + headers["X-Zendesk-Webhook-Signature"]
    for words in ([], ["--header", header]):
        proof = other("zendesk", ticket(0), *words).section("Proof: hmac")
        assert "not shown here" in proof
        missing = re.findall(r"^  (\S+) is not among the given headers: --header '\1: …'$", proof, re.M)
        signature, stamp = "X-Zendesk-Webhook-Signature", "X-Zendesk-Webhook-Signature-Timestamp"
        assert missing == ([stamp] if words else [signature, stamp])


def test_of_a_wrong_signature_what_may_be_wrong_is_told(other):
    assert "the signature differs: the secret, `signed`" in other("zendesk", ticket(), proof={"secret": "x"}).section("Proof: hmac")
    words = ["--header", "X-Hub-Signature: sha256=00"]
    proof = other("intercom", {"topic": "ping"}, *words).section("Proof: hmac")
    assert 'wrong' in proof and 'X-Hub-Signature does not fit the format "sha1={signature}"' in proof


def test_of_a_stale_signature_both_times_are_told(other):
    at = time.time() - 7200
    shown = other("zendesk", ticket(at), proof={"at": at}, customers=[USER])
    proof = shown.section("Proof: hmac")
    assert "stale" in proof and "401" in proof and "5 min" in proof
    assert iso(at)[:19] + "Z" in proof
    told = re.findall(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", proof)
    assert len(told) == 2 and told[0] < told[1]
    assert shown.emails == ["jo@example.com"]  # the steps are shown nevertheless


def test_steps_are_asked_in_their_order_and_those_passed_over_are_told(other):
    shown = other("zendesk", ticket(), customers=[USER])
    lookup = shown.section("Lookup")
    assert lookup.count("GET ") == 1 and lookup.count("its `when` does not hold") == 2
    assert "step 2 of 3 is passed over" in lookup and "step 3 of 3 is passed over" in lookup
    answers = [USER, {"user": {"name": "Kim Aldis"}}, {"group": {"name": "Orders"}}]
    shown = other("zendesk", ticket(), customers=answers, **{"with": {"names": "on"}})
    lookup = shown.section("Lookup")
    said = [lookup.index(words) for words in ("users/84", "users/85", "groups/86", "found jo@", "took agent: Kim Aldis")]
    assert said == sorted(said) and "passed over" not in lookup
    assert shown.events[0]["properties"]["Agent"] == "Kim Aldis" and shown.events[0]["properties"]["Team"] == "Orders"


def test_an_optional_question_without_an_answer_stops_nothing(other):
    names = {"with": {"names": "on"}}
    shown = other("zendesk", ticket(), customers=[USER], **names)
    assert shown.section("Lookup").count("optional; its answer can be given with --customer FILE") == 2
    assert shown.emails == ["jo@example.com"] and "Agent" not in shown.events[0]["properties"]
    shown = other("zendesk", ticket(), customers=[USER, "no object"], **names)
    assert "Not used" not in shown.text and shown.emails == ["jo@example.com"]
    without = ticket()
    del without["detail"]["assignee_id"]
    lookup = other("zendesk", without, customers=[USER, {"group": {"name": "Orders"}}], **names).section("Lookup")
    assert "step 2 of 3 is passed over: a part of its URL is missing" in lookup and "took team: Orders" in lookup


def test_an_optional_question_that_the_address_hangs_on_takes_its_answer(other):
    body, query = {"conversation": "t-1", "email": "REQUESTER-EMAIL"}, ("--query", "transition=opened")
    shown = other("liveagent", body, *query, customers=[{"owner_email": "jo@example.com"}])
    assert "found jo@example.com" in shown.section("Lookup") and shown.emails == ["jo@example.com"]
    assert "bare JSON value" in other("liveagent", body, *query, customers=["no object"]).section("Lookup")
    assert "as if it held no address" in other("liveagent", body, *query).section("Lookup")


def test_each_item_of_a_request_is_explained_with_the_answers_in_turn(other):
    at = int(time.time() * 1000)
    items = [
        {"subscriptionType": "conversation.creation", "objectId": 6, "portalId": 7, "eventId": 1, "occurredAt": at},
        {"subscriptionType": "conversation.newMessage", "objectId": 6, "eventId": 2, "occurredAt": at},
        {"subscriptionType": "ticket.creation", "objectId": 9, "portalId": 7, "eventId": 3, "occurredAt": at},
        {"subscriptionType": "ticket.creation", "eventId": 4, "occurredAt": at},
    ]
    customers = [
        {"id": "6", "associatedContactId": "88"},
        {"properties": {"email": "jo@example.com"}},
        {"id": "9", "associations": {"contacts": {"results": [{"id": "89"}]}}},
        {"properties": {"email": "kim@example.com"}},
    ]
    shown = other("hubspot", items, customers=customers, proof={})
    parts = re.split(r"^Item (\d) of 4$", shown.text, flags=re.M)[1:]
    assert parts[::2] == ["1", "2", "3", "4"]
    first, second, third, fourth = (Explained(Part(text)) for text in parts[1::2])
    assert first.emails == ["jo@example.com"] and "opened: yes" in first.section("Reading")
    assert second.result.startswith("ignored") and second.events == []
    assert third.emails == ["kim@example.com"] and "crm/v3/objects/tickets/9" in third.section("Lookup")
    assert "dead letter" in fourth.result and "no conversation" in fourth.result
    assert "Not used" not in shown.text and shown.text.count("Proof: ") == 1


class Part:
    """A part of the output of one run, for Explained."""

    def __init__(self, text):
        self.returncode, self.stdout, self.stderr = 0, text, ""


def test_a_list_of_one_is_told_as_one_an_empty_one_and_none_as_such(other):
    item = {"subscriptionType": "conversation.creation", "objectId": 6, "occurredAt": int(time.time() * 1000)}
    assert "Item " not in other("hubspot", [item]).text
    assert other("hubspot", []).result.startswith("ignored")
    assert "dead letter" in other("hubspot", item).result


def test_a_form_is_read_as_one(other):
    shown = other("trengo", "ticket_id=12", "--query", "transition=closed",
                  customers=[{"contact": {"email": "jo@example.com"}, "channel": {"type": "EMAIL"}}])
    assert "closed: yes" in shown.section("Reading") and "https://api.example.com/api/v2/tickets/12" in shown.section("Lookup")
    assert shown.emails == ["jo@example.com"] and shown.events[0]["properties"]["Channel"] == "EMAIL"
    wrong = other("trengo", {"ticket_id": 12}, "--query", "transition=closed")
    assert "dead letter" in wrong.result and "form" in wrong.result


CLOSING = {
    "id": "evt_1",
    "type": "archive",
    "emitted_at": 0,
    "conversation": {"id": "cnv_1", "recipient": {"handle": "jo@example.com"}},
}


def test_a_challenge_is_told_where_it_is_what_is_answered(other):
    challenge = ["--header", "X-Front-Challenge: abc"]
    closing = {**CLOSING, "emitted_at": time.time()}
    echoed = "the helpdesk sets its webhook up; answered with 200 and the value of X-Front-Challenge"
    for body, proof in (({"type": "sync"}, None), ({"type": "sync"}, {}), ("", None), (closing, None)):
        assert other("front", body, *challenge, proof=proof).result.startswith(echoed)
    assert other("front", closing, *challenge, proof={}).emails == ["jo@example.com"]
    assert other("front", closing, "--header", "X-Front-Challenge: é", proof=None).emails == ["jo@example.com"]


@pytest.mark.parametrize("authenticate", [None, {"method": "none", "secret": None}], ids=["signed", "none"])
def test_an_empty_trial_is_told_whatever_the_proof(other, authenticate):
    source = {"authenticate": authenticate} if authenticate else {}
    shown = other("missive", "", "--query", "transition=opened", **source)
    assert shown.result == "the helpdesk sets its webhook up; answered with 200, nothing is kept"


# ---- other helpdesks' own examples


def test_the_present_form_of_intercoms_conversation_is_explained_with_its_contact(other):
    folder = samples()
    conversation = json.loads((folder / "intercom-conversation.json").read_text())
    contact = json.loads((folder / "intercom-customer.json").read_text())
    body = {"type": "notification_event", "topic": "conversation.admin.closed", "id": "n1", "created_at": int(time.time())}
    shown = other("intercom", {**body, "data": {"item": conversation}}, customers=[contact], proof={})
    assert shown.section("Proof: hmac") == "  good\n"
    assert shown.emails == [contact["email"].lower()] and shown.result == "events"
    assert shown.events[0]["properties"]["Conversation ID"] == str(conversation["id"])


def test_zendesks_and_hubspots_own_answers_are_read(other):
    folder = samples()
    created = json.loads((folder / "zendesk-event-created.json").read_text())
    user = json.loads((folder / "zendesk-customer.json").read_text())
    assert other("zendesk", created, customers=[user]).emails == [user["user"]["email"]]
    batch = (folder / "hubspot-ticket-batch.json").read_text()
    answer = json.loads((folder / "hubspot-ticket.json").read_text())
    shown = other("hubspot", batch, customers=[answer, answer])
    assert "Item 3 of 3" in shown.text and "took agent: 41488296" in shown.text and shown.events == []


def test_a_merged_gladly_customers_own_answer_is_followed(desk):
    folder = samples()
    files = [folder / f"gladly-{name}.json" for name in ("closed", "customer-merged", "customer")]
    shown = Explained(desk.command("explain", "gladly", files[0], "--customer", files[1], "--customer", files[2]))
    assert "rVamfZHvQuORFnsk-3mNuw" in shown.section("Lookup") and shown.result == "events"


def test_a_reader_that_goes_away_ends_it_quietly(desk, tmp_path):
    (tmp_path / "customer").write_text(json.dumps(PROFILE))
    words = [PROGRAM, "-c", str(desk.file), "explain", "gladly", "--customer", str(tmp_path / "customer")]
    process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    process.stdout.close()
    process.stdin.write(json.dumps(gladly_webhook("opened")).encode())
    process.stdin.close()
    assert process.wait(TIMEOUT) != 0
    assert process.stderr.read() == b""
    process.stderr.close()


def test_a_header_that_the_definition_looks_at_is_missed(other):
    body = json.dumps({"id": 7, "status": "active", "primaryCustomer": {"email": "jo@example.com"}})
    shown = other("helpscout", body)
    assert "Not given: the header X-HelpScout-Event, which the definition looks at: --header 'X-HelpScout-Event: …'" in shown.text
    assert "Not given" not in other("helpscout", body, "--header", "X-HelpScout-Event: convo.created").text


def test_a_matcher_over_a_presets_is_shown_as_it_is_asked(desk, explain):
    desk.configure({"sources": {"gladly": {"definition": {"closed": {"/content/reason": "done"}}}}})
    reading = explain(gladly_webhook("closed", "conv-7")).section("Reading")
    assert re.search(r"closed: no\n +/type is CONVERSATION/CLOSED: yes\n +/content/reason is done: no, there is nothing", reading), reading
