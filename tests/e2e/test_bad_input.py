# SPDX-License-Identifier: MIT
"""Wrong input of every kind. None stops the daemon or the work of other senders, and each error says what to do.

test_intake.py has the listener's answers, test_lookup.py single answers of a helpdesk. Here are incomplete, endless and
mutated requests, values of the wrong type or range, times at the limits, addresses that are none, and helpdesks that
answer nonsense. Every test ends with a webhook of another sender that still becomes an event.
"""

import contextlib
import json
import random
import re
import socket
import sqlite3
import threading
import time
import urllib.parse
from datetime import datetime, timezone

import pytest

from harness import WEBHOOK_PASSWORD, WEBHOOK_USER, basic, desk_source, gladly_webhook, iso, wait_for

STARTED = "started conversation in Gladly"
CLOSED = "closed conversation in Gladly"
PROOF = f"Authorization: {basic(WEBHOOK_USER, WEBHOOK_PASSWORD)}\r\n"
GOOD = "good@example.com"


@pytest.fixture
def flows(daemon, sandbox, gladly):
    """flows(): a webhook of another sender becomes an event. It is called once more when the test ends."""
    gladly.customers["good"] = [GOOD]
    n = 0

    def check():
        nonlocal n
        n += 1
        daemon.accepted("gladly", gladly_webhook("opened", f"good-{n}", "good"))
        sandbox.wait_events(n, email=GOOD)

    yield check
    check()


def come_to_their_end(daemon, clock):
    """Waits until no webhook is pending. An unknown customer is looked up again after 10 and after 30 seconds, so the
    clock is set ahead."""

    def none_is_left():
        pending = daemon.api("/api/webhooks?state=pending").json()
        if any(row["wait"] == "retry" for row in pending):
            clock.jump(10)
        return not pending

    wait_for(none_is_left, what="no pending webhook")


def head(length, more="", line="POST /webhooks/gladly HTTP/1.1"):
    return f"{line}\r\nHost: x\r\n{PROOF}Content-Type: application/json\r\nContent-Length: {length}\r\n{more}\r\n"


def read_all(connection):
    answer = b""
    with contextlib.suppress(OSError):
        while piece := connection.recv(65536):
            answer += piece
    return answer.decode("latin-1")


def statuses(answer):
    return re.findall(r"HTTP/1\.1 (\d{3}) ", answer)


# ---- requests


def test_a_request_cut_at_any_place_is_never_taken(daemon, flows):
    body = json.dumps(gladly_webhook("opened", "cut"))
    whole = head(len(body)) + body
    for end in [*range(1, len(whole), 23), len(whole) - 1]:
        with daemon.connect() as connection:
            connection.sendall(whole[:end].encode())
            connection.shutdown(socket.SHUT_WR)
            assert "200" not in statuses(read_all(connection)), whole[:end]
    flows()
    assert daemon.metric("deskbridge_webhooks_total", source="gladly", result="accepted") == 1


def test_a_request_that_comes_byte_by_byte_is_taken(daemon, flows):
    body = json.dumps(gladly_webhook("opened", "slow"))
    with daemon.connect() as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in (head(len(body), "Connection: close\r\n") + body).encode():
            connection.sendall(bytes([byte]))
        assert statuses(read_all(connection)) == ["200"]


def test_a_hundred_clients_that_stall_everywhere_hold_nobody_and_are_cut_off(stage, sandbox, gladly):
    gladly.customers["good"] = [GOOD]
    settings = {"listen": {"address": "127.0.0.1:0", "timeout": "1s", "max_connections": 200}}
    daemon = stage.daemon(sandbox, gladly, config=settings)
    body = json.dumps(gladly_webhook("opened", "stalled"))
    whole = (head(len(body)) + body).encode()
    with contextlib.ExitStack() as stack:
        stalled = [stack.enter_context(daemon.connect()) for _ in range(100)]
        for n, connection in enumerate(stalled):
            connection.sendall(whole[: n * (len(whole) - 1) // 99])
        daemon.accepted("gladly", gladly_webhook("opened", "good", "good"))
        for connection in stalled:
            assert "200" not in statuses(read_all(connection))
    sandbox.wait_events(1)
    assert daemon.metric("deskbridge_webhooks_total", source="gladly", result="accepted") == 1


def test_good_and_bad_requests_in_one_pipeline_are_answered_each_in_its_turn(daemon, flows):
    def post(conversation, more=""):
        body = json.dumps(gladly_webhook("opened", conversation))
        return head(len(body), more) + body

    other = "POST /webhooks/other HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}"
    texts = [
        post("one"),
        "HEAD /webhooks/gladly HTTP/1.1\r\nHost: x\r\n\r\n",
        head(1) + "{",
        post("two"),
        head(2).replace(PROOF, "") + "{}",
        other,
    ]
    with daemon.connect() as connection:
        connection.sendall("".join(texts).encode())
        answers = statuses(read_all(connection))
    # A request that is refused by its headers alone may end the connection. All requests before it were answered in
    # order.
    assert answers[:5] == ["200", "200", "200", "200", "401"]
    assert daemon.metric("deskbridge_webhooks_total", source="gladly", result="accepted") == 2
    assert daemon.metric("deskbridge_webhooks_total", source="gladly", result="unreadable") == 1


@pytest.mark.parametrize(
    "text",
    [
        head(10, "Content-Length: 20\r\n") + "x" * 20,
        head(10, "Transfer-Encoding: chunked\r\n") + "5\r\nhello\r\n0\r\n\r\n",
        head("10x") + "x" * 10,
        head("+10") + "x" * 10,
        head("99999999999999999999") + "x",
        head(" ") + "x",
        head(2, "no colon here\r\n") + "{}",
        head(2, ": no name\r\n") + "{}",
        head(2, line="POST  /webhooks/gladly  HTTP/1.1") + "{}",
        head(2, line="POST /webhooks/gladly") + "{}",
        head(2, line="post /webhooks/gladly HTTP/1.1") + "{}",
        head(2, line="POST /webhooks/gla%00dly HTTP/1.1") + "{}",
        head(2, line="POST /webhooks/../webhooks/gladly/ HTTP/1.1") + "{}",
        head(2, line="POST " + "/" * 40000 + " HTTP/1.1") + "{}",
        head(2, line="CONNECT gladly:443 HTTP/1.1") + "{}",
        head(2, "".join(f"X-{n}: y\r\n" for n in range(5000))) + "{}",
        f"POST /webhooks/gladly HTTP/1.1\r\nHost: x\r\n{PROOF}Transfer-Encoding: chunked\r\n\r\nZZ\r\nhello\r\n0\r\n\r\n",
        f"POST /webhooks/gladly HTTP/1.1\r\nHost: x\r\n{PROOF}Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\nx",
        f"POST /webhooks/gladly HTTP/1.1\r\nHost: x\r\n{PROOF}Transfer-Encoding: gzip\r\n\r\nhello",
        f"POST /webhooks/gladly HTTP/1.1\r\nHost: x\r\n{PROOF}\r\n",
        "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ],
    ids=lambda text: ascii(text.replace(PROOF, "").replace("\r\nHost: x", "")[:40]),
)
def test_broken_http_takes_nothing(daemon, flows, text):
    with daemon.connect() as connection:
        with contextlib.suppress(OSError):  # the daemon cut it off while it was sent
            connection.sendall(text.encode("latin-1"))
            connection.shutdown(socket.SHUT_WR)
        answers = statuses(read_all(connection))
    assert all(status[0] in "45" for status in answers), answers
    assert daemon.metric("deskbridge_webhooks_total", source="gladly", result="accepted") == 0


def mutations(chance, n):
    """Yields mutations of valid bodies."""
    whole = json.dumps(gladly_webhook("opened", "mutant")).encode()
    pieces = [b"{", b"}", b"[", b"]", b'"', b"\\", b",", b":", b"\0", b"\xff", b"\\u0000", b"\\ud800", b"null", b"1e999", b"-"]
    for _ in range(n):
        body = bytearray(whole)
        for _ in range(chance.randint(1, 6)):
            at, length = chance.randrange(len(body)), chance.choice([0, 1, 1, 5, 40])
            body[at : at + length] = chance.choice(pieces) * chance.choice([1, 1, 1, 2, 90])
        yield bytes(body)


def test_three_hundred_mutated_bodies_are_each_answered_and_stop_nobody(daemon, clock, gladly, flows):
    gladly.customers["cust-1"] = ["jo@example.com"]
    chance = random.Random(17)
    with daemon.connect() as connection:
        stream = connection.makefile("rb")
        for body in mutations(chance, 300):
            connection.sendall(head(len(body)).encode() + body)
            status = stream.readline()
            assert status.startswith(b"HTTP/1.1 200"), (status, body)  # it is proven, so none of it may be lost
            length = 0
            while (line := stream.readline()) not in (b"\r\n", b""):
                if line.lower().startswith(b"content-length:"):
                    length = int(line.split(b":")[1])
            assert json.loads(stream.read(length))["status"] in ("accepted", "ignored", "duplicate", "pong")
    come_to_their_end(daemon, clock)
    assert daemon.api("/readyz").status == 200


# ---- values of a webhook


def put(body, path, value):
    """Sets the value at a path; … removes it."""
    *way, last = path.split("/")
    at = body
    for name in way:
        at = at[name]
    if value is ...:
        del at[last]
    else:
        at[last] = value
    return body


@pytest.mark.parametrize(
    "path, value, words",
    [
        ("content", ..., "conversation"),
        ("content", [], "conversation"),
        ("content/conversationId", ..., "conversation"),
        ("content/conversationId", None, "conversation"),
        ("content/conversationId", "", "conversation"),
        ("content/conversationId", {"id": "c"}, "conversation"),
        ("content/conversationId", ["c"], "conversation"),
        ("content/conversationId", "a\0b", "conversation"),
        ("content/conversationId", "x" * 200000, "conversation"),
        ("timestamp", "soon", "time"),
        ("timestamp", "2026-13-45T99:99:99Z", "time"),
        ("timestamp", "1989-12-31T23:59:59Z", "time"),
        ("timestamp", "the day after tomorrow", "time"),
        ("timestamp", "9999-12-31T23:59:59Z", "time"),
        ("timestamp", "292277026597-01-01T00:00:00Z", "time"),
        ("timestamp", -1, "time"),
        ("timestamp", 1e308, "time"),
        ("timestamp", 99999999999999999999, "time"),
        ("timestamp", {"at": 1}, "time"),
        ("timestamp", True, "time"),
    ],
    ids=lambda value: ascii(value)[:24],
)
def test_what_cannot_be_read_is_a_dead_letter_that_says_why(daemon, flows, path, value, words):
    if value == "the day after tomorrow":
        value = iso(time.time() + 2 * 86400)
    webhook = daemon.accepted("gladly", put(gladly_webhook("opened", "wrong"), path, value))
    assert daemon.metric("deskbridge_webhooks_total", source="gladly", result="unreadable") == 1
    flows()
    reason = dead_reason(daemon, webhook)
    assert words in reason, reason


def test_bad_json_under_jsons_type_is_a_dead_letter_of_json(stage, sandbox):
    """generic accepts forms, too. The Content-Type says which of the two a body is, also when its row is read again."""
    daemon = stage.daemon(sandbox, config={"sources": {"gladly": None, "generic": desk_source("generic")}})
    for body, why in (
        ('{"transition": "opened", "conversation": "g-1",}', "line 1 column 48"),
        ('"transition": "opened", "conversation": "g-1"}', "line 1 column 13"),
        ("transition=opened&conversation=g-1&email=jo%40example.com", "line 1 column 1"),
    ):
        sent = {"Content-Type": "application/json"}
        answer = daemon.post_proven("generic", body, headers=sent)
        assert answer.json()["status"] == "accepted", answer
        reason = dead_reason(daemon, answer.json()["webhook"])
        assert reason.startswith("the body is not JSON: ") and why in reason, reason
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    daemon.post_proven("generic", "transition=opened&conversation=g-2&email=jo%40example.com", headers=form)
    daemon.post_proven("generic", {"transition": "opened", "conversation": "g-3", "email": "jo2@example.com"}, headers=form)
    sandbox.wait_events(2)
    assert sorted(sandbox.profiles()) == ["jo2@example.com", "jo@example.com"]


def dead_reason(daemon, webhook):
    with contextlib.closing(sqlite3.connect(f"file:{daemon.dir}/deskbridge.db?mode=ro", uri=True)) as store:
        ((state, reason),) = store.execute("SELECT state, result FROM webhooks WHERE id = ?", (int(webhook, 16),))
    assert state == 2
    return reason


@pytest.mark.parametrize(
    "at",
    [
        "2025-11-21 08:00:00+00:00",
        "2025-11-21T08:00:00.123456789Z",
        "2025-11-21T10:00:00+02:00",
        "1990-01-01T00:00:00Z",
        1763712000,
        "1763712000",
        1763712000123,
        1763712000.5,
    ],
)
def test_times_of_every_known_form_are_taken(daemon, sandbox, gladly, at):
    gladly.customers["cust-1"] = ["jo@example.com"]
    daemon.accepted("gladly", put(gladly_webhook("opened"), "timestamp", at))
    (event,) = sandbox.wait_events(1)
    if not str(at).startswith("1990"):
        assert event["time"] == "2025-11-21T08:00:00Z"
    # A webhook of long ago gives an event of history, which fires no flow but counts.
    assert event["backfill"] is True
    assert sandbox.profiles()["jo@example.com"]["In Gladly Conversation"] is True


@pytest.mark.parametrize("value", [..., None, ""], ids=["none", "null", "empty"])
def test_without_a_time_the_receipt_counts(daemon, sandbox, gladly, value):
    gladly.customers["cust-1"] = ["jo@example.com"]
    began = time.time()
    daemon.accepted("gladly", put(gladly_webhook("opened"), "timestamp", value))
    (event,) = sandbox.wait_events(1)
    told = datetime.strptime(event["time"], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=timezone.utc).timestamp()
    assert began - 1 <= told <= time.time() + 1
    assert event["backfill"] is False


HARD_NAMES = [
    "a/b?c=d&e#f",
    "../../admin",
    "%2e%2e%2f",
    "a b\tc",
    "'; DROP TABLE webhooks; --",
    '{"a": "b"}',
    "{base_url}",
    "ÄÖü ✓ 𝒳",
    "\u202egnirts",
    "x" * 400,
    "-1",
    "*",
]


def test_ids_that_look_like_something_else_are_only_ids(daemon, sandbox, gladly, flows):
    for n, name in enumerate(HARD_NAMES):
        gladly.customers[name] = [f"jo-{n}@example.com"]
        daemon.accepted("gladly", gladly_webhook("opened", name, name))
        daemon.accepted("gladly", gladly_webhook("closed", name, name))
    sandbox.wait_events(2 * len(HARD_NAMES))
    for n, name in enumerate(HARD_NAMES):
        events = sandbox.events(email=f"jo-{n}@example.com")
        assert [event["metric"] for event in events] == [STARTED, CLOSED]
        assert {event["properties"]["Conversation ID"] for event in events} == {name}
    asked = [r["path"] for r in gladly.requests]
    assert all(path.isascii() and path.count("/") == 4 and "?" not in path for path in asked)
    assert {urllib.parse.unquote(path.rsplit("/", 1)[1]) for path in asked} == set(HARD_NAMES)


def test_a_lone_surrogate_beside_what_counts_changes_nothing(daemon, sandbox, gladly):
    gladly.customers["cust-1"] = ["jo@example.com"]
    daemon.accepted("gladly", {**gladly_webhook("opened"), "note": "\ud800", "\udfff": "\ud800\ud800"})
    sandbox.wait_events(1)


@pytest.mark.parametrize("name", ["nul\0inside", "", " ", "x" * 200000, 7, 1.5, True, None, {"a": 1}, ["a"]], ids=lambda v: ascii(v)[:16])
def test_a_customer_that_is_no_id_stops_nobody(daemon, clock, gladly, flows, name):
    gladly.customers["7"] = ["seven@example.com"]
    body = put(gladly_webhook("opened", "odd"), "content/customerId", name)
    assert daemon.post("gladly", body).json()["status"] == "accepted"
    flows()
    come_to_their_end(daemon, clock)


# ---- addresses

NO_ADDRESSES = [
    "plain",
    "@",
    "@@",
    "a@b",
    "a@b@c.com",
    "a@.com",
    "a@com.",
    "a@b..com",
    "a b@example.com",
    "a@exam ple.com",
    "a\n@example.com",
    "a@example.com\nBcc: x@example.com",
    "a@example.com\0",
    "\x7f@example.com",
    '"quoted"@example.com',
    "<a@example.com",
    "a@example.com>x",
    "a@example.com b@example.com",
    "mailto:",
    "x" * 250 + "@example.com",
    "x" * 100000,
    "a@" + "b" * 300 + ".com",
    "\ud800@example.com",
    "null",
    "+49 30 1234567",
    "\u200b",
    "",
    " ",
]
NO_TEXTS = [None, 7, 1.5, True, {}, {"a": "b@example.com"}, [], [["a@example.com"]]]


def profile(normalized):
    return {"id": "x", "emails": [{"normalized": normalized, "original": "x", "primary": True}]}


def test_what_is_no_address_reaches_nobody_and_is_counted(daemon, sandbox, gladly, flows):
    wrong = NO_ADDRESSES + NO_TEXTS
    for n, value in enumerate(wrong):
        gladly.customers[f"cust-{n}"] = profile(value)
        daemon.accepted("gladly", gladly_webhook("opened", f"conv-{n}", f"cust-{n}"))
        daemon.accepted("gladly", gladly_webhook("closed", f"conv-{n}", f"cust-{n}"))
    daemon.wait_metric("deskbridge_webhook_results_total", len(wrong), source="gladly", result="no address")
    flows()
    daemon.wait_idle()
    assert list(sandbox.profiles()) == [GOOD]


def test_good_addresses_among_wrong_ones_are_reached_once_each(daemon, sandbox, gladly):
    emails = [{"normalized": value, "primary": "perhaps"} for value in NO_ADDRESSES[:20] + NO_TEXTS]
    emails += [None, 7, "text", [], {}, {"normalized": "Jo <JO@Example.com> "}, {"normalized": "jo@example.com"}]
    gladly.customers["cust-1"] = {"id": "cust-1", "emails": emails + [{"normalized": "ann@example.org"}]}
    daemon.accepted("gladly", gladly_webhook("opened"))
    daemon.accepted("gladly", gladly_webhook("closed"))
    sandbox.wait_events(4)
    assert sorted(sandbox.profiles()) == ["ann@example.org", "jo@example.com"]


def test_a_customer_with_a_thousand_addresses_is_cut_and_closed_for_all_that_were_reached(daemon, sandbox, gladly, flows):
    gladly.customers["cust-1"] = [f"jo-{n}@example.com" for n in range(1000)]
    daemon.accepted("gladly", gladly_webhook("opened"))
    daemon.accepted("gladly", gladly_webhook("closed"))
    flows()
    reached = set(gladly.customers["cust-1"][:32])
    sandbox.wait_for(lambda s: {event["email"] for event in s.events(metric=CLOSED)} == reached)
    assert {event["email"] for event in sandbox.events(metric=STARTED)} == reached | {GOOD}


# ---- odd JSON that is accepted

BOM = b"\xef\xbb\xbf"
WIDE = 9400111899223334445556


@pytest.mark.parametrize(
    "body",
    [
        json.dumps(gladly_webhook("opened") | {"tracking": WIDE}).encode(),
        BOM + json.dumps(gladly_webhook("opened")).encode(),
        BOM + b"\r\n" + json.dumps(gladly_webhook("opened") | {"tracking": -WIDE, "n": 1e22}).encode(),
        json.dumps(gladly_webhook("opened") | {"subject": "A LINE"}).replace("A LINE", "one\r\ntwo\t\x01\x1f").encode(),
    ],
    ids=["an integer of 22 digits", "a byte order mark", "both", "control characters"],
)
def test_odd_json_is_read(daemon, sandbox, gladly, body):
    gladly.customers["cust-1"] = ["jo@example.com"]
    daemon.accepted("gladly", body)
    sandbox.wait_events(1, email="jo@example.com", metric=STARTED)


def test_a_wide_integer_that_is_read_keeps_its_text(stage, sandbox):
    source = {
        "definition": {
            "label": "Parcel",
            "authenticate": {"method": "none"},
            "opened": {"/say": "opened", "/parcel": str(WIDE)},
            "closed": {"/say": "closed"},
            "conversation": "/parcel",
            "emails": "/email",
            "attributes": {"Parcel": "/parcel", "Parcels": "/parcels/*"},
        },
        "authenticate": {"method": "none"},
    }
    daemon = stage.daemon(sandbox, config={"sources": {"gladly": None, "parcel": source}})
    for number in (WIDE, WIDE + 1):  # these ids are equal as doubles
        body = {"say": "opened", "parcel": number, "parcels": [1, number], "email": "jo@example.com"}
        said = daemon.post("parcel", body, auth=None).json()["status"]
        assert said == ("accepted" if number == WIDE else "ignored")
    (event,) = sandbox.wait_events(1, email="jo@example.com")
    assert event["properties"]["Conversation ID"] == event["properties"]["Parcel"] == str(WIDE)
    assert event["properties"]["Parcels"] == ["1", str(WIDE)]


def test_a_lookups_answer_may_be_odd_json(daemon, sandbox, gladly):
    answer = BOM + json.dumps({"emails": [{"normalized": "jo@example.com"}], "n": WIDE, "t": "A"}).replace("A", "a\nb").encode()
    gladly.answers = {"cust-1": (200, JSON_TYPE, answer)}
    daemon.accepted("gladly", gladly_webhook("opened"))
    sandbox.wait_events(1, email="jo@example.com", metric=STARTED)


# ---- helpdesks that answer nonsense


def deep(n):
    return b'{"emails":' + b"[" * n + b"]" * n + b"}"


JSON_TYPE = {"Content-Type": "application/json"}
ASKED_AGAIN = {
    "number": (200, JSON_TYPE, b"7"),
    "null": (200, JSON_TYPE, b"null"),
    "bomb": (200, JSON_TYPE, deep(100000)),
    "nul": (200, JSON_TYPE, b'{"emails":[]\0}'),
    "not-utf8": (200, JSON_TYPE, b'{"emails":["\xff\xfe"]}'),
    "gzip": (200, {**JSON_TYPE, "Content-Encoding": "gzip"}, b"\x1f\x8b\x08\x00garbage"),
    "204": (204, {}, b""),
    "599": (599, {}, b""),
    "header-bomb": (200, {f"X-{n}": "y" * 1000 for n in range(90)}, b"x"),
}


def test_nonsense_that_may_pass_is_asked_again_and_nobody_waits_for_it(daemon, sandbox, gladly, flows):
    gladly.answers = dict(ASKED_AGAIN)
    for name in ASKED_AGAIN:
        daemon.accepted("gladly", gladly_webhook("opened", name, name))
    for name in ASKED_AGAIN:
        gladly.wait_asked(1, name)
    flows()
    gladly.customers.update({name: [f"{name}@example.com"] for name in ASKED_AGAIN})
    gladly.answers = {}
    daemon.reload()  # nine failures in a row parked the lookups; the reload ends that at once, else the next probe would
    sandbox.wait_for(lambda s: len(s.events()) == len(ASKED_AGAIN) + 1, timeout=40)


NO_ADDRESS_IN = {
    "list": b"[]",
    "no-emails": b"{}",
    "emails-null": b'{"emails":null}',
    "emails-text": b'{"emails":"jo@example.com"}',
    "emails-map": b'{"emails":{"normalized":7}}',
}


def test_an_answer_without_the_list_of_addresses_has_none(daemon, sandbox, gladly, flows):
    gladly.answers = {name: (200, JSON_TYPE, body) for name, body in NO_ADDRESS_IN.items()}
    for name in NO_ADDRESS_IN:
        daemon.accepted("gladly", gladly_webhook("opened", name, name))
    daemon.wait_metric("deskbridge_webhook_results_total", len(NO_ADDRESS_IN), source="gladly", result="no address")
    flows()
    daemon.wait_idle()
    assert list(sandbox.profiles()) == [GOOD]


SAYS_NOTHING = {
    # name: (answer, the error that is shown)
    "302": ((302, {"Location": "http://127.0.0.1:9/elsewhere"}, b""), "base_url may be wrong"),
    "301-nowhere": ((301, {}, b'{"errors":[]}'), "names no merged customer"),
    "301-odd": ((301, JSON_TYPE, b'{"errors":[{"meta":{"new":{"id":1}}}]}'), "names no merged customer"),
    "400": ((400, {}, b"no"), "URL may be wrong"),
    "418": ((418, {}, b"teapot"), "URL may be wrong"),
    "410": ((410, {}, b"gone"), "not in JSON"),
}


def waiting_reasons(daemon):
    return {row["id"]: row["reason"] or "" for row in daemon.api("/api/webhooks?state=pending").json()}


def test_nonsense_of_any_kind_waits_with_its_reason_and_stops_nobody(daemon, gladly, flows):
    gladly.answers = {name: answer for name, (answer, _) in SAYS_NOTHING.items()}
    webhooks = {name: daemon.accepted("gladly", gladly_webhook("opened", name, name)) for name in SAYS_NOTHING}
    flows()
    for name, (_, words) in SAYS_NOTHING.items():
        wait_for(lambda: words in waiting_reasons(daemon).get(webhooks[name], ""))
        wait_for(lambda: any(words in line and webhooks[name] in line for line in daemon.log()))  # logged after the commit
    assert daemon.metric("deskbridge_webhook_results_total", source="gladly", result="dead") == 0


def test_a_redirect_is_never_followed_and_says_what_to_do(stage, daemon, gladly, flows):
    elsewhere = stage.gladly()
    elsewhere.customers["cust-1"] = ["jo@example.com"]
    location = {"Location": f"{elsewhere.url.replace('//', '//user:pw1@')}/api/v1/login?session=s3cret#x"}
    for n, status in enumerate((301, 302, 303, 307, 308)):
        gladly.answers[f"cust-{n}"] = (status, location, b"")
        daemon.accepted("gladly", gladly_webhook("opened", f"conv-{n}", f"cust-{n}"))
    flows()
    wait_for(lambda: sum("base_url" in reason for reason in waiting_reasons(daemon).values()) == 5)
    reasons = waiting_reasons(daemon).values()
    assert all(f"redirects the lookup to {elsewhere.url}/api/v1/login (30" in reason for reason in reasons)
    assert all("a log-in page there means a wrong path or wrong credentials" in reason for reason in reasons)
    assert not any(secret in daemon.report() + "".join(reasons) for secret in ("s3cret", "pw1"))
    assert elsewhere.asked() == 0


def test_customers_merged_in_a_circle_or_without_end_are_given_up(daemon, clock, gladly, flows):
    gladly.merged = {"a": "b", "b": "c", "c": "a", "self": "self"}
    gladly.merged.update({f"long-{n}": f"long-{n + 1}" for n in range(1000)})
    flows()
    for customer in ("a", "self", "long-0"):
        daemon.accepted("gladly", gladly_webhook("opened", f"conv-{customer}", customer))
    for asked in (1, 2):  # the third attempt comes half a minute after the second
        wait_for(lambda n=asked: [w["asked"] for w in daemon.api("/api/webhooks?state=pending").json()] == [n] * 3)
        clock.jump(30)
    daemon.wait_metric("deskbridge_webhook_results_total", 3, source="gladly", result="no address")
    assert gladly.asked() < 30
    wait_for(lambda: sum("merge" in line and "without an address" in line for line in daemon.log()) == 3)


class Rude:
    """A listener that answers every connection with these bytes, and then keeps it open or closes it."""

    def __init__(self, answer, stay):
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.url = "http://127.0.0.1:%d" % self.socket.getsockname()[1]
        self.answer, self.stay, self.open, self.asked = answer, stay, [], 0
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self.socket.accept()
                self.asked += 1
                connection.sendall(self.answer)
                if self.stay:
                    self.open.append(connection)
                else:
                    connection.close()

    def close(self):
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()
        for connection in self.open:
            connection.close()

    def report(self):
        return ""


@pytest.mark.parametrize(
    "answer, stay",
    [
        (b"", False),
        (b"", True),
        (b"hello\r\n", False),
        (b"SSH-2.0-OpenSSH_9.2\r\n", True),
        (b"\x15\x03\x01\x00\x02\x02\x28", False),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{", False),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{", True),
        (b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n{}", False),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{}", False),
        (b"HTTP/1.1 999999 Strange\r\n\r\n", False),
        (b"HTTP/9.9 200 OK\r\n\r\n{}", False),
        (b"HTTP/1.1 100 Continue\r\n\r\n" * 1000, False),
        (b"HTTP/1.1 200 OK\r\nX: " + b"y" * 2000000, False),
    ],
    ids=["gone", "silent", "text", "ssh", "tls", "half", "half-open", "negative", "chunks", "999999", "9.9", "100", "headers"],
)
def test_a_helpdesk_that_speaks_no_http_stops_no_other_desk(stage, sandbox, gladly, answer, stay):
    gladly.customers["good"] = [GOOD]
    rude = stage._keep(Rude(answer, stay))
    daemon = stage.daemon(sandbox, gladly, start=False)
    lookup = {**daemon.config["sources"]["gladly"]["lookup"], "base_url": rude.url}
    daemon.configure({"sources": {"rude": {**daemon.config["sources"]["gladly"], "lookup": lookup}}})
    daemon.start()
    daemon.accepted("rude", gladly_webhook("opened", "conv-1", "cust-1"))
    wait_for(lambda: rude.asked)
    if not stay:
        wait_for(
            lambda: daemon.metric("deskbridge_lookups_total", source="rude", outcome="retry")
            + daemon.metric("deskbridge_lookups_total", source="rude", outcome="odd")
        )
    daemon.accepted("gladly", gladly_webhook("opened", "good", "good"))
    sandbox.wait_events(1)
    assert daemon.api("/readyz").status == 200
