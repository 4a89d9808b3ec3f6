# SPDX-License-Identifier: MIT
"""The sandbox against Klaviyo's documented behaviour: accepted and refused requests, and stored events."""

import http.client
import json
import re
import signal
import socket
import subprocess
import threading
import time
import urllib.parse

import pytest

from harness import KEY, PROGRAM, TIMEOUT, key_of, request, run, wait_for

EVENTS, BULK = "/api/events", "/api/event-bulk-create-jobs"
STARTED = "started conversation in Gladly"


def event(email="jo@example.com", metric=STARTED, unique_id="u-1", profile=None, **attributes):
    """Returns the body of a single event. profile: the properties of its profile."""
    who = {"email": email}
    if profile is not None:
        who["properties"] = profile
    attributes = {
        "properties": {"Conversation ID": "c-1"},
        "unique_id": unique_id,
        "metric": {"data": {"type": "metric", "attributes": {"name": metric}}},
        "profile": {"data": {"type": "profile", "attributes": who}},
        **attributes,
    }
    return {"data": {"type": "event", "attributes": {k: v for k, v in attributes.items() if v is not ...}}}


def bulk(*items):
    """Returns the body of a bulk request. Each item is (email, [events as event() makes them])."""
    data = []
    for email, events in items:
        inner = []
        for one in events:
            attributes = {k: v for k, v in one["data"]["attributes"].items() if k != "profile"}
            inner.append({"type": "event", "attributes": attributes})
        profile = {"data": {"type": "profile", "attributes": {"email": email}}}
        data.append({"type": "event-bulk-create", "attributes": {"profile": profile, "events": {"data": inner}}})
    return {"data": {"type": "event-bulk-create-job", "attributes": {"events-bulk-create": {"data": data}}}}


def the_error(answer, status):
    """Returns the only error of an answer, and checks its form."""
    assert answer.status == status, answer
    assert answer.headers["content-type"] == "application/vnd.api+json"
    errors = answer.json()["errors"]
    assert len(errors) == 1, errors
    assert re.fullmatch(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", errors[0]["id"])
    assert errors[0]["status"] == status and errors[0]["title"] and errors[0]["detail"]
    return errors[0]


def pointer(answer):
    return the_error(answer, 400)["source"]["pointer"]


# ---- taking


def test_an_event_is_taken_and_shown(sandbox):
    answer = sandbox.klaviyo("POST", EVENTS, event(profile={"In Gladly Conversation": True}, time="2026-11-21T16:00:00.987Z"))
    assert (answer.status, answer.body) == (202, b"")
    (kept,) = sandbox.events()
    assert kept["email"] == "jo@example.com" and kept["metric"] == STARTED and kept["unique_id"] == "u-1"
    assert kept["time"] == "2026-11-21T16:00:00Z" and kept["n"] == 1 and kept["account"] == "default"
    assert kept["properties"] == {"Conversation ID": "c-1"} and kept["backfill"] is False
    assert kept["profile_properties"] == {"In Gladly Conversation": True}
    assert sandbox.profiles() == {"jo@example.com": {"In Gladly Conversation": True}}


def test_feed_shows_one_line_an_event(sandbox):
    sandbox.klaviyo("POST", EVENTS, event(profile={"In Gladly Conversation": True}, time="2026-11-21T16:00:00Z"))
    sandbox.klaviyo("POST", EVENTS, event(unique_id="u-2", metric="x\n\x1b[31m", time="2026-11-21T16:00:01Z", backfill=True))
    wait_for(lambda: len(sandbox.feed()) >= 2)
    assert sandbox.feed() == [
        f"16:00:00  jo@example.com  {STARTED}   In Gladly Conversation = true",
        "16:00:01  jo@example.com  x\\x0a\\x1b[31m   (backfill)",
    ]


def test_same_unique_id_is_recorded_once(sandbox):
    for properties in ({"a": 1}, {"a": 2}):
        assert sandbox.klaviyo("POST", EVENTS, event(properties=properties)).status == 202
    assert [e["properties"] for e in sandbox.events()] == [{"a": 1}]
    assert [e["duplicate"] for e in sandbox.all_events()] == [False, True]
    stats = sandbox.stats()
    assert (stats["received"], stats["recorded"], stats["duplicates"]) == (2, 1, 1)


def test_a_slash_behind_the_path_makes_no_difference(sandbox):
    assert sandbox.klaviyo("POST", EVENTS + "/", event()).status == 202
    assert sandbox.klaviyo("POST", BULK + "/", bulk(("jo@example.com", [event(unique_id="u-2")]))).status == 202
    assert len(sandbox.events()) == 2
    for path in ("events", "metrics", "profiles", "accounts"):
        sandbox.klaviyo("GET", f"/api/{path}")
        answer = sandbox.klaviyo("GET", f"/api/{path}/")
        assert answer.status in (200, 429), answer  # one quota for both
        if answer.status == 200:
            assert answer.json()["links"]["self"].partition("?")[0].endswith(f"/api/{path}")
    sandbox.fault("path=/api/events/,status=503")
    assert sandbox.klaviyo("POST", EVENTS, event()).status == 503
    assert sandbox.klaviyo("POST", EVENTS + "/", event()).status == 503


def test_the_newest_revision_is_taken(sandbox):
    for revision in ("2026-07-15", "2026-10-15"):
        assert sandbox.klaviyo("POST", EVENTS, event(unique_id=revision), headers={"revision": revision}).status == 202
    assert len(sandbox.events()) == 2


@pytest.mark.parametrize(
    "other",
    [{"email": "mo@example.com"}, {"metric": "closed conversation in Gladly"}, {"unique_id": "u-2"}],
    ids=["profile", "metric", "unique_id"],
)
def test_dedupe_is_per_profile_metric_and_unique_id(sandbox, other):
    sandbox.klaviyo("POST", EVENTS, event())
    sandbox.klaviyo("POST", EVENTS, event(**other))
    assert len(sandbox.events()) == 2


def test_without_unique_id_the_second_counts(sandbox):
    for at in ("2026-11-21T16:00:00.1Z", "2026-11-21T16:00:00.9Z", "2026-11-21T16:00:01Z"):
        sandbox.klaviyo("POST", EVENTS, event(unique_id=None, time=at))
    assert [e["time"] for e in sandbox.events()] == ["2026-11-21T16:00:00Z", "2026-11-21T16:00:01Z"]


def test_address_case_is_the_same_profile(sandbox):
    sandbox.klaviyo("POST", EVENTS, event(email="Jo@Example.com"))
    sandbox.klaviyo("POST", EVENTS, event(email="jo@example.com"))
    assert len(sandbox.events()) == 1 and len(sandbox.get("/sandbox/profiles")) == 1


def test_profile_properties_are_laid_over(sandbox):
    for number, properties in enumerate(({"A": 1, "B": 1}, {"B": 2}, {"C": None})):
        sandbox.klaviyo("POST", EVENTS, event(unique_id=f"u-{number}", profile=properties))
    assert sandbox.profiles() == {"jo@example.com": {"A": 1, "B": 2, "C": None}}


def test_accounts_are_apart(sandbox):
    sandbox.klaviyo("POST", EVENTS, event(), key=key_of("eu"))
    sandbox.klaviyo("POST", EVENTS, event(), key=key_of("us", scopes=["events:write", "events:read"]))
    sandbox.klaviyo("POST", EVENTS, event(), key="pk_sandbox_1")
    assert [e["account"] for e in sandbox.events()] == ["eu", "us", "default"]
    assert list(sandbox.profiles(account="eu")) == ["jo@example.com"]


# ---- keys, revisions, headers


@pytest.mark.parametrize(
    "authorization, detail",
    [
        (None, "Missing or invalid authorization scheme. Please use Klaviyo-API-Key."),
        (f"Bearer {KEY}", "Missing or invalid authorization scheme. Please use Klaviyo-API-Key."),
        ("Klaviyo-API-Key nonsense", "Missing or invalid private key."),
        ("Klaviyo-API-Key pk_revoked_1", "Missing or invalid private key."),
        ("Klaviyo-API-Key pk_bad", "Missing or invalid private key."),
        ("Klaviyo-API-Key pk_", "Missing or invalid private key."),
    ],
)
def test_wrong_key_is_401(sandbox, authorization, detail):
    answer = sandbox.klaviyo("POST", EVENTS, event(), headers={"Authorization": authorization})
    error = the_error(answer, 401)
    assert error["detail"] == detail and error["code"] == "not_authenticated" and error["source"] == {"pointer": "/data/"}
    assert sandbox.all_events() == []


def test_scopes_are_in_the_key(sandbox):
    send_only = "pk_only_events-write_1"
    assert sandbox.klaviyo("POST", EVENTS, event(), key=send_only).status == 202
    assert "metrics:read" in the_error(sandbox.klaviyo("GET", "/api/metrics", key=send_only), 403)["detail"]
    both = "pk_only_metrics-read+accounts-read_eu_1"
    assert sandbox.klaviyo("GET", "/api/metrics", key=both).status == 200
    assert sandbox.klaviyo("GET", "/api/accounts", key=both).status == 200
    the_error(sandbox.klaviyo("POST", EVENTS, event(), key=both), 403)


def test_scope_is_asked_before_the_body_is_read(sandbox):
    the_error(sandbox.klaviyo("POST", EVENTS, {"data": {}}, key="pk_only_events-read_1"), 403)
    the_error(sandbox.klaviyo("POST", EVENTS, {"data": {}}, key="pk_revoked_1"), 401)
    the_error(sandbox.klaviyo("POST", EVENTS, {"data": {}}, key="pk_only_events-write_1"), 400)


@pytest.mark.parametrize(
    "revision, status",
    [(None, 400), ("yesterday", 400), ("2026-13-01", 400), ("2031-01-15", 400), ("2026-05-01", 400), ("2025-10-15", 202)],
)
def test_revision(sandbox, revision, status):
    answer = sandbox.klaviyo("POST", EVENTS, event(), headers={"revision": revision})
    assert answer.status == status, answer
    if status == 400:
        assert answer.json()["errors"][0]["source"] == {"parameter": "revision"}


def test_retired_revision_falls_forward_unless_opted_out(sandbox):
    old = {"revision": "2024-02-15"}
    assert sandbox.klaviyo("POST", EVENTS, event(), headers=old).status == 202
    out = {**old, "X-Klaviyo-Revision-Fall-Forward-Opt-Out": "1"}
    the_error(sandbox.klaviyo("POST", EVENTS, event(), headers=out), 410)


def test_backfill_is_unknown_to_old_revisions(sandbox):
    answer = sandbox.klaviyo("POST", EVENTS, event(backfill=True), headers={"revision": "2026-01-15"})
    assert pointer(answer) == "/data/attributes/backfill"


@pytest.mark.parametrize("garbage", [f"Klaviyo-API-Key {KEY}\xe9", f"Klaviyo-API-Key pk_\x01{KEY}"])
def test_garbage_in_the_key_is_cloudflares_page(sandbox, garbage):
    answer = sandbox.klaviyo("POST", EVENTS, event(), headers={"Authorization": garbage})
    assert answer.status == 400 and answer.headers["content-type"].startswith("text/html")
    assert answer.headers["server"] == "cloudflare" and "400 Bad Request" in answer.text


def test_line_break_in_the_key_is_a_400_in_html(sandbox):
    host, port = sandbox.address.split(":")
    with socket.create_connection((host, int(port)), 5) as raw:
        body = json.dumps(event())
        raw.sendall(
            f"POST {EVENTS} HTTP/1.1\r\nHost: a\r\nAuthorization: Klaviyo-API-Key {KEY}\n\r\nrevision: 2026-07-15\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode()
        )
        answer = b""
        while b"</html>" not in answer and (piece := raw.recv(65536)):
            answer += piece
    # libmicrohttpd 1.0 itself refuses the bare line feed, with a page that has no type.
    assert answer.startswith(b"HTTP/1.1 400") and b"</html>" in answer
    assert sandbox.all_events() == []


def test_content_type_and_encoding(sandbox):
    for headers in ({"Content-Type": "text/plain"}, {"Content-Type": None}, {"Content-Encoding": "gzip"}):
        the_error(sandbox.klaviyo("POST", EVENTS, json.dumps(event()), headers=headers), 415)
    ok = {"Content-Type": "application/json; charset=utf-8"}
    assert sandbox.klaviyo("POST", EVENTS, event(), headers=ok).status == 202


def test_unknown_path_and_method(sandbox):
    the_error(sandbox.klaviyo("GET", "/api/nothing"), 404)
    the_error(sandbox.klaviyo("POST", EVENTS + "//", event()), 404)
    the_error(sandbox.klaviyo("DELETE", EVENTS + "/"), 405)
    answer = sandbox.klaviyo("DELETE", EVENTS)
    the_error(answer, 405)
    assert answer.headers["allow"] == "GET, POST"


# ---- bodies


@pytest.mark.parametrize(
    "body, where",
    [
        ("{", "/data"),
        ("[]", "/data"),
        ("null", "/data"),
        ({"data": {"type": "events", "attributes": {}}}, "/data/type"),
        ({"data": {"type": "event"}}, "/data/attributes"),
        (event(properties=...), "/data/attributes/properties"),
        (event(properties=[]), "/data/attributes/properties"),
        (event(metric=None), "/data/attributes/metric/data/attributes/name"),
        (event(metric="x" * 128), "/data/attributes/metric/data/attributes/name"),
        (event(email="jo@example"), "/data/attributes/profile/data/attributes/email"),
        (event(email="not an address"), "/data/attributes/profile/data/attributes/email"),
        (event(properties={f"p{i}": i for i in range(401)}), "/data/attributes/properties"),
        (event(properties={"long": "x" * 100001}), "/data/attributes/properties/long"),
        (event(time="yesterday"), "/data/attributes/time"),
        (event(time="1795276800"), "/data/attributes/time"),
        (event(time="1989-12-31T23:59:59Z"), "/data/attributes/time"),
        (event(time="2999-01-01T00:00:00Z"), "/data/attributes/time"),
        (event(value="9.99"), "/data/attributes/value"),
        (event(backfill="yes"), "/data/attributes/backfill"),
        (event(unique_id=7), "/data/attributes/unique_id"),
        (event(surprise=1), "/data/attributes/surprise"),
    ],
)
def test_wrong_body_is_400_with_a_pointer(sandbox, body, where):
    answer = sandbox.klaviyo("POST", EVENTS, body)
    assert pointer(answer) == where
    assert sandbox.all_events() == []


def test_profile_without_data_is_the_documented_error(sandbox):
    body = event()
    body["data"]["attributes"]["profile"] = {"attributes": {"email": "jo@example.com"}}
    error = the_error(sandbox.klaviyo("POST", EVENTS, body), 400)
    assert error["detail"] == "The payload provided in the request is invalid."
    assert error["source"] == {"pointer": "/data"} and error["code"] == "invalid"


def test_several_faults_of_a_body_are_all_told(sandbox):
    answer = sandbox.klaviyo("POST", EVENTS, event(email="nobody", time="x", properties=...))
    assert {e["source"]["pointer"].rsplit("/", 1)[1] for e in answer.json()["errors"]} == {"email", "time", "properties"}


def test_limits_are_inclusive(sandbox):
    body = event(metric="m" * 127, properties={f"p{i}": i for i in range(399)} | {"long": "x" * 100000})
    assert sandbox.klaviyo("POST", EVENTS, body).status == 202


def test_bad_phone_beside_an_address_is_a_partial_failure(sandbox):
    body = event()
    body["data"]["attributes"]["profile"]["data"]["attributes"]["phone_number"] = "0123"
    answer = sandbox.klaviyo("POST", EVENTS, body)
    assert answer.status == 202 and answer.headers["x-klaviyo-partial-failure"] == "phone_number"
    del body["data"]["attributes"]["profile"]["data"]["attributes"]["email"]
    answer = sandbox.klaviyo("POST", EVENTS, body)
    assert pointer(answer) == "/data/attributes/profile/data/attributes/phone_number"


def test_more_than_5_mb_is_413(sandbox):
    text = json.dumps(event())
    assert sandbox.klaviyo("POST", EVENTS, text + " " * (5_000_000 - len(text))).status == 202
    the_error(sandbox.klaviyo("POST", EVENTS, text + " " * (5_000_001 - len(text))), 413)


# ---- bulk


def test_bulk_is_taken_in_order(sandbox):
    body = bulk(
        ("jo@example.com", [event(unique_id="a"), event(unique_id="b")]), ("mo@example.com", [event(unique_id="a")])
    )
    answer = sandbox.klaviyo("POST", BULK, body)
    assert (answer.status, answer.body) == (202, b"")
    assert [(e["email"], e["unique_id"]) for e in sandbox.events()] == [
        ("jo@example.com", "a"),
        ("jo@example.com", "b"),
        ("mo@example.com", "a"),
    ]


def test_bulk_is_all_or_nothing_and_names_each_bad_item(sandbox):
    body = bulk(
        ("jo@example.com", [event(unique_id="a")]),
        ("nobody", [event(unique_id="b")]),
        ("mo@example.com", [event(unique_id="c"), event(unique_id="d", time="never")]),
    )
    answer = sandbox.klaviyo("POST", BULK, body)
    assert answer.status == 400
    base = "/data/attributes/events-bulk-create/data"
    assert [e["source"]["pointer"] for e in answer.json()["errors"]] == [
        f"{base}/1/attributes/profile/data/attributes/email",
        f"{base}/2/attributes/events/data/1/attributes/time",
    ]
    assert sandbox.all_events() == []


def test_bulk_with_a_repeated_unique_id_is_refused(sandbox):
    body = bulk(("jo@example.com", [event(unique_id="a")]), ("JO@example.com", [event(unique_id="a")]))
    answer = sandbox.klaviyo("POST", BULK, body)
    assert pointer(answer) == "/data/attributes/events-bulk-create/data/1/attributes/events/data/0/attributes/unique_id"
    assert sandbox.all_events() == []


def test_bulk_repeating_a_stored_unique_id_is_a_duplicate(sandbox):
    body = bulk(("jo@example.com", [event(unique_id="a")]))
    assert [sandbox.klaviyo("POST", BULK, body).status for _ in range(2)] == [202, 202]
    assert [e["duplicate"] for e in sandbox.all_events()] == [False, True]


def test_bulk_takes_1000_events_and_not_one_more(sandbox):
    events = [event(unique_id=str(i)) for i in range(1001)]
    answer = sandbox.klaviyo("POST", BULK, bulk(("jo@example.com", events)))
    assert pointer(answer) == "/data/attributes/events-bulk-create/data"
    assert sandbox.klaviyo("POST", BULK, bulk(("jo@example.com", events[:1000]))).status == 202
    assert sandbox.stats()["recorded"] == 1000


def test_bulk_backfill_of_the_item_counts_for_its_events(sandbox):
    body = bulk(("jo@example.com", [event(unique_id="a"), event(unique_id="b", backfill=False)]))
    body["data"]["attributes"]["events-bulk-create"]["data"][0]["attributes"]["backfill"] = True
    assert sandbox.klaviyo("POST", BULK, body).status == 202
    assert [e["backfill"] for e in sandbox.events()] == [True, False]


# ---- quotas


def test_quota_headers_count_the_steady_window(sandbox):
    remaining = []
    for number in range(2):
        answer = sandbox.klaviyo("POST", EVENTS, event(unique_id=str(number)))
        assert answer.headers["ratelimit-limit"] == "3500" and 1 <= int(answer.headers["ratelimit-reset"]) <= 60
        remaining.append(int(answer.headers["ratelimit-remaining"]))
    assert remaining in ([3499, 3498], [3499, 3499])  # a second one where a minute began between them
    bad = sandbox.klaviyo("POST", EVENTS, {"data": {}})
    assert bad.status == 400 and bad.headers["ratelimit-limit"] == "3500"


def test_burst_beyond_the_quota_is_429(sandbox):
    # The limit is one per second: of three in the same second at least one is throttled. A new second permits one.
    def throttled():
        answers = [sandbox.klaviyo("GET", "/api/accounts") for _ in range(3)]
        return [a for a in answers if a.status == 429]

    answer = wait_for(throttled)[0]
    error = the_error(answer, 429)
    assert error["code"] == "throttled" and error["title"] == "Request was throttled."
    seconds = int(answer.headers["retry-after"])
    assert f"Expected available in {seconds} second" in error["detail"] and seconds >= 1
    assert not [name for name in answer.headers if name.startswith("ratelimit")]


def test_quota_is_per_account_and_endpoint(sandbox):
    wait_for(lambda: sandbox.klaviyo("GET", "/api/accounts", key="pk_sandbox_a_1").status == 429)
    assert sandbox.klaviyo("GET", "/api/accounts", key="pk_sandbox_b_1").status == 200
    assert sandbox.klaviyo("GET", "/api/metrics", key="pk_sandbox_a_1").status == 200


def test_no_quota_throttles_nobody(stage):
    sandbox = stage.sandbox(quota=False)
    answers = [sandbox.klaviyo("GET", "/api/accounts") for _ in range(20)]
    assert {a.status for a in answers} == {200} and "ratelimit-limit" not in answers[0].headers


# ---- reading back


def read(sandbox, path, **params):
    names = {name.replace("__", "[", 1) + "]" if "__" in name else name: value for name, value in params.items()}
    return sandbox.klaviyo("GET", f"{path}?{urllib.parse.urlencode(names)}")


def test_events_are_read_back_with_profile_and_metric(sandbox):
    sandbox.klaviyo("POST", EVENTS, event(time="2026-11-21T16:00:00Z", profile={"In Gladly Conversation": True}, value=2))
    sandbox.klaviyo("POST", EVENTS, event(time="2026-11-21T15:00:00Z", unique_id="u-2", metric="other"))
    metrics = {m["attributes"]["name"]: m["id"] for m in read(sandbox, "/api/metrics").json()["data"]}
    assert set(metrics) == {STARTED, "other"}
    wanted = f'equals(metric_id,"{metrics[STARTED]}"),greater-or-equal(datetime,2026-11-21T15:59:00Z)'
    answer = read(sandbox, EVENTS, filter=wanted, include="profile,metric", sort="-datetime", page__size=50).json()
    (one,) = answer["data"]
    assert one["attributes"]["timestamp"] == 1795276800
    assert one["attributes"]["event_properties"] == {"Conversation ID": "c-1", "$value": 2}
    assert "u-1" not in json.dumps(one)
    included = {i["type"]: i for i in answer["included"]}
    assert included["profile"]["attributes"]["email"] == "jo@example.com"
    assert included["profile"]["attributes"]["properties"] == {"In Gladly Conversation": True}
    assert included["metric"]["id"] == metrics[STARTED]
    assert one["relationships"]["profile"]["data"]["id"] == included["profile"]["id"]


@pytest.mark.parametrize("sort", ["datetime", "-datetime"])
def test_pages_follow_links_next(sandbox, sort):
    for number in range(7):
        sandbox.klaviyo("POST", EVENTS, event(unique_id=str(number), time=f"2026-11-21T16:00:0{number // 2}Z"))
    seen, url = [], f"{EVENTS}?" + urllib.parse.urlencode({"page[size]": 3, "sort": sort})
    while url:
        answer = sandbox.klaviyo("GET", url).json()
        assert len(answer["data"]) <= 3
        seen += [e["id"] for e in answer["data"]]
        following = answer["links"]["next"]
        url = following and following.removeprefix(sandbox.url)
    assert len(seen) == len(set(seen)) == 7
    assert seen == sorted(seen, reverse=sort.startswith("-"))


def test_a_metric_page_and_profile_by_address(sandbox):
    sandbox.klaviyo("POST", EVENTS, event())
    sandbox.klaviyo("POST", EVENTS, event(email="mo@example.com"))
    (profile,) = read(sandbox, "/api/profiles", filter='equals(email,"mo@example.com")').json()["data"]
    assert profile["attributes"]["email"] == "mo@example.com"
    assert read(sandbox, "/api/profiles", filter='equals(email,"no@example.com")').json()["data"] == []
    assert read(sandbox, "/api/metrics", filter='equals(integration.name,"API")').json()["data"] != []
    assert read(sandbox, "/api/metrics", filter='equals(integration.name,"Shopify")').json()["data"] == []
    (account,) = read(sandbox, "/api/accounts").json()["data"]
    assert account["type"] == "account" and account["attributes"]["test_account"] is True


def test_fields_cut_the_attributes(sandbox):
    sandbox.klaviyo("POST", EVENTS, event())
    (one,) = read(sandbox, EVENTS, page__size=1, fields__event="datetime").json()["data"]
    assert list(one["attributes"]) == ["datetime"]


@pytest.mark.parametrize(
    "params, source",
    [
        ({"include": "profiless"}, {"parameter": "include"}),
        ({"page[cursor]": "nonsense"}, {"pointer": "/data/"}),
        ({"page[size]": "0"}, {"parameter": "page[size]"}),
        ({"page[size]": "1001"}, {"parameter": "page[size]"}),
        ({"sort": "name"}, {"parameter": "sort"}),
        ({"filter": "equals(metric_id"}, {"parameter": "filter"}),
        ({"filter": 'equals(name,"x")'}, {"parameter": "filter"}),
        ({"filter": "greater-than(datetime,soon)"}, {"parameter": "filter"}),
    ],
)
def test_wrong_parameters_are_400(sandbox, params, source):
    error = the_error(sandbox.klaviyo("GET", f"{EVENTS}?{urllib.parse.urlencode(params)}"), 400)
    assert error["source"] == source
    if "include" in params:
        assert error["detail"] == "'profiless' is not an allowed include parameter for this resource."


# ---- trouble


def test_status_every_nth(stage):
    sandbox = stage.sandbox("--fault", "status=503,every=3")
    statuses = [sandbox.klaviyo("POST", EVENTS, event(unique_id=str(i))).status for i in range(6)]
    assert statuses == [202, 202, 503, 202, 202, 503]
    assert sandbox.unique_ids() == ["0", "1", "3", "4"]
    assert sandbox.stats()["by_status"] == {"202": 4, "503": 2}


def test_faults_come_and_go_while_it_runs(sandbox):
    sandbox.fault("status=429,retry-after=2,first=1", "challenge,after=1,first=1")
    throttled = sandbox.klaviyo("POST", EVENTS, event())
    assert throttled.status == 429 and throttled.headers["retry-after"] == "2"
    challenge = sandbox.klaviyo("POST", EVENTS, event())
    assert challenge.status == 403 and challenge.headers["cf-mitigated"] == "challenge"
    assert challenge.headers["content-type"].startswith("text/html")
    assert sandbox.klaviyo("POST", EVENTS, event()).status == 202
    sandbox.fault("status=500")
    assert sandbox.klaviyo("POST", EVENTS, event()).status == 500
    sandbox.clear_faults()
    assert sandbox.klaviyo("POST", EVENTS, event()).status == 202


def test_fault_for_one_address(sandbox):
    sandbox.fault("status=400,email=jo@example.com")
    assert sandbox.klaviyo("POST", EVENTS, event()).status == 400
    assert sandbox.klaviyo("POST", EVENTS, event(email="mo@example.com")).status == 202
    assert sandbox.klaviyo("POST", BULK, bulk(("mo@example.com", [event()]), ("jo@example.com", [event()]))).status == 400


def test_reset_cuts_before_processing(sandbox):
    sandbox.fault("reset,first=1")
    with pytest.raises(ConnectionResetError):
        sandbox.klaviyo("POST", EVENTS, event())
    assert sandbox.all_events() == []
    assert sandbox.klaviyo("POST", EVENTS, event()).status == 202
    assert sandbox.stats()["by_status"] == {"202": 1, "cut": 1}


def test_die_processes_and_does_not_answer(sandbox):
    sandbox.fault("die,first=1")
    with pytest.raises((http.client.RemoteDisconnected, ConnectionResetError)):
        sandbox.klaviyo("POST", EVENTS, event())
    assert sandbox.unique_ids() == ["u-1"]
    assert sandbox.klaviyo("POST", EVENTS, event()).status == 202
    assert [e["duplicate"] for e in sandbox.all_events()] == [False, True]


def test_hundreds_of_delays_wait_side_by_side(stage):
    sandbox = stage.sandbox(quota=False)
    seconds = max(1.5, TIMEOUT / 20)  # all of them begin within this time
    sandbox.fault(f"delay={int(seconds * 1000)}ms")
    statuses, began = [], time.monotonic()
    threads = [
        threading.Thread(
            target=lambda n=n: statuses.append(sandbox.klaviyo("POST", EVENTS, event(unique_id=str(n))).status)
        )
        for n in range(200)
    ]
    for thread in threads:
        thread.start()
    # The event is recorded at once and answered later.
    sandbox.wait_for(lambda s: s.stats()["recorded"] == 200)
    for thread in threads:
        thread.join()
    assert statuses == [202] * 200
    assert sandbox.stats()["peak_concurrent"] > 50
    assert seconds <= time.monotonic() - began < 40 * seconds


def test_stopping_waits_for_no_delay(stage):
    sandbox = stage.sandbox()
    sandbox.fault("delay=1h")

    def post():
        try:
            sandbox.klaviyo("POST", EVENTS, event())
        except (http.client.HTTPException, ConnectionError):
            pass

    thread = threading.Thread(target=post)
    thread.start()
    try:
        sandbox.wait_for(lambda s: s.stats()["recorded"] == 1)
        assert sandbox.stop() == 0
    finally:
        sandbox.process.kill9()
        thread.join()


@pytest.mark.parametrize(
    "spec, words",
    [
        ("stauts=503", "did you mean status?"),
        ("every=3", "nothing goes wrong"),
        ("status=99", "from 200 to 599"),
        ("status=500,reset", "exclude each other"),
        ("delay=5", "duration"),
        ("reset,path=here", "expected events, bulk"),
        ("delay=1s,html", "need a status"),
    ],
)
def test_a_wrong_fault_is_told(sandbox, spec, words):
    ended = run("sandbox", "--fault", spec)
    assert ended.returncode == 2 and words in ended.stderr
    answer = request(sandbox.address, "POST", "/sandbox/faults", f"status=500\n{spec}")
    assert answer.status == 400 and words in answer.json()["error"]
    assert sandbox.get("/sandbox/faults") == []


# ---- the program


def test_oldest_events_go_first(stage):
    sandbox = stage.sandbox("--events", "3")
    for number in range(5):
        sandbox.klaviyo("POST", EVENTS, event(email=f"p{number}@example.com", unique_id=str(number)))
    assert sandbox.unique_ids() == ["2", "3", "4"]
    assert set(sandbox.profiles()) == {"p2@example.com", "p3@example.com", "p4@example.com"}
    assert sandbox.stats()["dropped"] == 2


def test_clearing_starts_anew(sandbox):
    sandbox.klaviyo("POST", EVENTS, event())
    sandbox.clear_events()
    assert sandbox.all_events() == [] and sandbox.profiles() == {} and sandbox.requests() == 0
    sandbox.klaviyo("POST", EVENTS, event())
    assert len(sandbox.events()) == 1


def test_quiet_prints_only_the_address(stage):
    sandbox = stage.sandbox("--quiet")
    sandbox.klaviyo("POST", EVENTS, event())
    assert sandbox.stop() == 0
    assert sandbox.process.stdout.all() == [f"sandbox on {sandbox.url}"]


def test_address_in_use_is_told(sandbox):
    ended = run("sandbox", "--listen", sandbox.address)
    assert ended.returncode == 1 and sandbox.address in ended.stderr


def test_a_feed_that_nobody_reads_stops_nobody():
    process = subprocess.Popen([PROGRAM, "sandbox", "--listen", "127.0.0.1:0"], stdout=subprocess.PIPE)
    try:
        address = process.stdout.readline().decode().removeprefix("sandbox on http://").strip()
        headers = {"Authorization": f"Klaviyo-API-Key {KEY}", "revision": "2026-07-15"}
        for number in range(3):  # far more than a pipe's buffer holds
            events = [event(unique_id=f"{number}-{i}", metric="m" * 100) for i in range(1000)]
            answer = request(address, "POST", BULK, bulk(("jo@example.com", events)), headers)
            assert answer.status == 202, answer
        assert request(address, "GET", "/sandbox/stats").json()["recorded"] == 3000
        process.send_signal(signal.SIGTERM)
        assert process.wait(TIMEOUT) == 0
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
