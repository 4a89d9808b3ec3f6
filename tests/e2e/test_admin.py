# SPDX-License-Identifier: MIT
"""The admin address: health, metrics as Prometheus reads them, the API, the token, and refused requests."""

import http.client
import json
import re
import socket
import time

import pytest

from harness import KEY, TIMEOUT, Response, gladly_webhook, request, wait_for

# The documented metrics: name → (type, labels).
METRICS = {
    "deskbridge_webhooks_total": ("counter", {"source", "result"}),
    "deskbridge_webhook_results_total": ("counter", {"source", "result"}),
    "deskbridge_events_total": ("counter", {"account", "metric"}),
    "deskbridge_deliveries_total": ("counter", {"account", "lane", "outcome"}),
    "deskbridge_queue_events": ("gauge", {"account", "state"}),
    "deskbridge_queue_oldest_seconds": ("gauge", {"account"}),
    "deskbridge_commit_seconds": ("histogram", set()),
    "deskbridge_delivery_seconds": ("histogram", set()),
    "deskbridge_lag_seconds": ("histogram", set()),
    "deskbridge_open_conversations": ("gauge", {"source"}),
    "deskbridge_account_parked": ("gauge", {"account", "reason"}),
    "deskbridge_revision_days_left": ("gauge", {"account"}),
    "deskbridge_json_reads_total": ("counter", set()),
}
OUTCOMES = {"delivered", "retry", "reject", "park", "single"}


def parse(text):
    """Parses Prometheus' text format 0.0.4 strictly: name → {type, help, samples: [(name, labels, value)]}."""
    assert text.endswith("\n") and "\r" not in text
    families, current, seen = {}, None, set()
    for line in text.splitlines():
        found = re.fullmatch(r"# HELP ([a-zA-Z_:][a-zA-Z0-9_:]*) (\S.*)", line)
        if found:
            assert found[1] not in families, f"{found[1]} twice"
            current = families[found[1]] = {"help": found[2], "type": None, "samples": []}
            name = found[1]
            continue
        found = re.fullmatch(r"# TYPE ([a-zA-Z_:][a-zA-Z0-9_:]*) (counter|gauge|histogram)", line)
        if found:
            assert found[1] == name and current["type"] is None and not current["samples"], line
            current["type"] = found[2]
            continue
        found = re.fullmatch(r"([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)", line)
        assert found, f"not a line of the format: {line!r}"
        suffixes = ("_bucket", "_sum", "_count") if current["type"] == "histogram" else ("",)
        assert found[1] in [name + suffix for suffix in suffixes], f"{line!r} stands below {name}"
        labels = {}
        if found[2] is not None:
            pairs = re.findall(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\[\\"n])*)"(?:,|$)', found[2])
            assert ",".join(f'{label}="{value}"' for label, value in pairs) == found[2], line
            labels = dict(pairs)
            assert len(labels) == len(pairs), line
        key = (found[1], tuple(sorted(labels.items())))
        assert key not in seen, f"twice: {line}"
        seen.add(key)
        current["samples"].append((found[1], labels, float(found[3])))
    return families


def check_histogram(name, family):
    buckets = [(labels["le"], value) for n, labels, value in family["samples"] if n == name + "_bucket"]
    values = [value for _, value in buckets]
    bounds = [float(bound.replace("+Inf", "inf")) for bound, _ in buckets]
    assert bounds == sorted(bounds) and bounds[-1] == float("inf") and values == sorted(values)
    (count,) = [value for n, _, value in family["samples"] if n == name + "_count"]
    (total,) = [value for n, _, value in family["samples"] if n == name + "_sum"]
    assert count == values[-1] and total >= 0
    return count


def scrape(daemon):
    answer = daemon.api("/metrics")
    assert answer.status == 200 and answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    return parse(answer.text)


# ---- health


def test_healthz_and_readyz(daemon):
    for path, said in (("/healthz", "alive"), ("/readyz", "ready")):
        answer = daemon.api(path)
        assert answer.status == 200 and answer.json() == {"status": said}
        assert answer.headers["content-type"] == "application/json"


def test_klaviyo_lookups_and_dead_letters_never_make_it_unready(stage, sandbox, gladly):
    gladly.status["*"] = 401
    daemon = stage.daemon(sandbox, gladly, key="pk_bad_0123")
    daemon.accepted("gladly", gladly_webhook("opened", "c-1", "cust-1"))
    daemon.accepted("gladly", b"{")
    daemon.wait_metric("deskbridge_lookups_parked", 1)
    assert daemon.api("/readyz").status == 200 and daemon.api("/healthz").status == 200


def test_it_is_ready_without_any_network(stage):
    daemon = stage.daemon()
    assert daemon.api("/readyz").status == 200


# ---- metrics


def test_every_metric_is_declared_from_the_start(daemon):
    families = scrape(daemon)
    for name, (kind, _) in METRICS.items():
        assert families[name]["type"] == kind, name
        assert families[name]["help"].endswith(".")
    for name, family in families.items():
        assert name.startswith("deskbridge_")
        assert name.endswith("_total") == (family["type"] == "counter"), name
        if family["type"] == "histogram":
            assert check_histogram(name, family) >= 0


def test_after_traffic_every_metric_has_its_labels(stage, sandbox, gladly):
    sandbox.fault("status=400,email=bad@example.com")
    gladly.customers.update({"c-good": ["jo@example.com"], "c-bad": ["bad@example.com"]})
    key = {"credential": "klaviyo-api-key"}
    accounts = {"main": {"api_key": key, "url": sandbox.url, "person_gap": "0s"}}
    accounts["parked"] = {"api_key": {"credential": "bad"}, "url": sandbox.url}
    choice = [{"when": {"/content/conversationId": "to-parked"}, "use": "parked"}, {"use": "main"}]
    daemon = stage.daemon(sandbox, gladly, start=False)
    daemon.credential("bad", "pk_bad_0123")
    daemon.config["klaviyo"] = {"accounts": accounts}
    daemon.configure({"sources": {"gladly": {"account": choice}}})
    daemon.start()

    at = time.time()
    daemon.accepted("gladly", gladly_webhook("opened", "good", "c-good", at - 2))
    duplicate = gladly_webhook("closed", "good", "c-good", at)
    daemon.accepted("gladly", duplicate)
    assert daemon.post("gladly", duplicate).json() == {"status": "duplicate"}
    assert daemon.post("gladly", gladly_webhook("ended")).json() == {"status": "ignored"}
    assert daemon.post("gladly", gladly_webhook("ping")).json() == {"status": "pong"}
    assert daemon.post("gladly", gladly_webhook("opened"), auth=None).status == 401
    daemon.accepted("gladly", gladly_webhook("opened", "bad", "c-bad"))
    daemon.accepted("gladly", gladly_webhook("opened", "to-parked", "c-good"))
    daemon.accepted("gladly", gladly_webhook("opened", "unknown", None))

    daemon.wait_metric("deskbridge_account_parked", 1, account="parked")
    daemon.wait_metric("deskbridge_deliveries_total", 1, outcome="reject")
    daemon.wait_metric("deskbridge_deliveries_total", 2, outcome="delivered")
    daemon.wait_metric("deskbridge_queue_events", 1, account="main", state="dead")
    daemon.wait_metric("deskbridge_queue_events", 1, account="parked", state="ready")
    daemon.wait_metric("deskbridge_open_conversations", 2, source="gladly")
    daemon.wait_metric("deskbridge_webhook_results_total", 5, source="gladly")
    families = scrape(daemon)
    for name, (kind, labels) in METRICS.items():
        assert families[name]["samples"], f"{name} has no series"
        for sample, have, value in families[name]["samples"]:
            assert set(have) - {"le"} == labels, (sample, have)
            assert all(have.values()), (sample, have)
            if kind != "gauge":
                assert value >= 0
    assert {have["lane"] for _, have, _ in families["deskbridge_deliveries_total"]["samples"]} == {"single"}
    assert {have["outcome"] for _, have, _ in families["deskbridge_deliveries_total"]["samples"]} <= OUTCOMES
    results = {have["result"] for _, have, _ in families["deskbridge_webhooks_total"]["samples"]}
    assert {"accepted", "duplicate", "ignored", "missing proof"} <= results
    became = {have["result"]: value for _, have, value in families["deskbridge_webhook_results_total"]["samples"]}
    assert became == {"events": 4, "no address": 1}
    assert daemon.metric("deskbridge_webhooks_total", result="accepted") == 5
    assert daemon.metric("deskbridge_events_total", account="main", metric="started conversation in Gladly") == 2
    assert daemon.metric("deskbridge_events_total", account="main", metric="closed conversation in Gladly") == 1
    assert daemon.metric("deskbridge_events_total", account="parked") == 1
    for name in ("deskbridge_commit_seconds", "deskbridge_delivery_seconds", "deskbridge_lag_seconds"):
        assert check_histogram(name, families[name]) > 0
    assert check_histogram("deskbridge_lag_seconds", families["deskbridge_lag_seconds"]) == 2
    assert 0 < daemon.metric("deskbridge_revision_days_left", account="main") <= 731


def test_label_values_are_escaped(stage, sandbox):
    definition = {
        "label": 'quo"te\\back',
        "authenticate": {"method": "none"},
        "opened": {"/kind": "opened"},
        "closed": {"/kind": "closed"},
        "conversation": "/id",
        "emails": "/email",
    }
    daemon = stage.daemon(sandbox, config={"sources": {"mini": {"definition": definition}}})
    daemon.accepted("mini", {"kind": "opened", "id": 1, "email": "jo@example.com"})
    sandbox.wait_events(1)
    samples = scrape(daemon)["deskbridge_events_total"]["samples"]
    assert samples[0][1]["metric"] == 'started conversation in quo\\"te\\\\back'


def test_metrics_hold_no_address_and_no_secret(daemon, sandbox, gladly):
    gladly.customers["cust-1"] = ["jo@example.com"]
    daemon.accepted("gladly", gladly_webhook("opened"))
    sandbox.wait_events(1)
    text = daemon.api("/metrics").text
    assert "@" not in text and KEY not in text


def test_nothing_counted_ever_falls(daemon, sandbox, gladly):
    gladly.customers["cust-1"] = ["jo@example.com"]
    before = daemon.metrics()
    for n in range(5):
        daemon.accepted("gladly", gladly_webhook("opened", f"c-{n}"))
        after = daemon.metrics()
        falling = [k for k, v in before.items() if k[0].endswith(("_total", "_count", "_bucket")) and after[k] < v]
        assert not falling
        before = after


# ---- the API


def test_the_api_answers_json(daemon):
    for path, kind in (("/api/status", dict), ("/api/events", list), ("/api/webhooks", list)):
        answer = daemon.api(path)
        assert answer.status == 200 and isinstance(answer.json(), kind)
        assert answer.headers["content-type"] == "application/json"


@pytest.mark.parametrize(
    "query, said",
    [
        ("state=undead", "expected ready, delivered or dead"),
        ("state=", "expected ready, delivered or dead"),
        ("limit=0", "a number from 1 to 500"),
        ("limit=501", "a number from 1 to 500"),
        ("limit=-1", "a number from 1 to 500"),
        ("limit=%2B5", "a number from 1 to 500"),
        ("limit=+5", "a number from 1 to 500"),
        ("limit=", "a number from 1 to 500"),
        ("limit=99999999999999999999", "a number from 1 to 500"),
        ("before=xyz", "the id of an event"),
        ("before=0x10", "the id of an event"),
        ("before=-1", "the id of an event"),
        ("before=ffffffffffffffff", "the id of an event"),
        ("before=%00", "the id of an event"),
    ],
)
def test_a_wrong_query_is_400_and_says_what_is_right(daemon, query, said):
    answer = daemon.api(f"/api/events?{query}")
    assert answer.status == 400 and said in answer.json()["error"]


@pytest.mark.parametrize("query", ["limit=500", "limit=1&state=dead", "before=10", "other=1", "&&=", "limit=2&limit=x"])
def test_a_right_query_is_taken(daemon, query):
    assert daemon.api(f"/api/events?{query}").json() == []


# ---- refused requests


@pytest.mark.parametrize("path", ["/", "/nowhere", "/api", "/api/", "/metrics/", "//metrics", "/Metrics", "/%6detrics"])
def test_an_unknown_page_is_404_and_the_known_ones_are_named(daemon, path):
    answer = daemon.api(path)
    assert answer.status == 404 and "/metrics" in answer.json()["error"]


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
@pytest.mark.parametrize("path", ["/healthz", "/api/events", "/nowhere"])
def test_other_methods_are_405(daemon, method, path):
    answer = daemon.api(path, method, body="{}" if method != "OPTIONS" else None)
    assert answer.status == 405 and answer.headers["allow"] == "GET, HEAD" and "GET" in answer.json()["error"]


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics", "/api/status", "/nowhere"])
def test_head_answers_like_get_without_a_body(daemon, path):
    got, head = daemon.api(path), daemon.api(path, "HEAD")
    assert head.status == got.status and head.body == b""
    assert head.headers["content-type"] == got.headers["content-type"]
    assert int(head.headers["content-length"]) > 0


def test_webhooks_are_not_taken_here_nor_pages_there(daemon):
    assert daemon.api("/webhooks/gladly", "POST", body="{}").status == 405
    for path in ("/metrics", "/api/status", "/healthz"):
        assert request(daemon.address, "GET", path).status == 404


def test_one_connection_serves_many_requests(daemon):
    host, port = daemon.admin.rsplit(":", 1)
    connection = http.client.HTTPConnection(host, int(port), timeout=TIMEOUT)
    try:
        for path in ("/healthz", "/metrics", "/api/status", "/nowhere", "/readyz") * 3:
            connection.request("GET", path, headers={"Authorization": f"Bearer {daemon.token}"})
            answer = connection.getresponse()
            answer.read()
            assert answer.status == (404 if path == "/nowhere" else 200)
    finally:
        connection.close()


@pytest.mark.parametrize(
    "bytes",
    [
        b"GARBAGE\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET /metrics HTTP/1.1\r\n\r\n",
        b"GET /" + b"x" * 100000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    ],
    ids=["garbage", "version", "no host", "long", "a long body", "tls"],
)
def test_broken_requests_harm_nobody(daemon, bytes):
    host, port = daemon.admin.rsplit(":", 1)
    with socket.create_connection((host, int(port)), TIMEOUT) as broken:
        try:
            broken.sendall(bytes)
            broken.shutdown(socket.SHUT_WR)
            answer = broken.recv(65536)
        except OSError:
            answer = b""  # the daemon cut it off before it had read everything
        assert not answer.startswith(b"HTTP/1.1 200"), answer
    assert daemon.api("/healthz").status == 200


# ---- the token


@pytest.fixture
def guarded(stage, sandbox):
    daemon = stage.daemon(
        sandbox, config={"admin": {"address": "127.0.0.1:0", "token": {"credential": "token"}}}, start=False
    )
    daemon.credential("token", "the admin's token")
    return daemon.start()


OPEN = ["/healthz", "/readyz", "/metrics"]
GUARDED = ["/api/status", "/api/events", "/api/webhooks", "/api", "/api/nowhere"]


@pytest.mark.parametrize("path", GUARDED)
@pytest.mark.parametrize(
    "shown",
    [
        None,
        "",
        "Bearer",
        "Bearer ",
        "Bearer the admin's toke",
        "Bearer the admin's token!",
        "Bearer THE ADMIN'S TOKEN",
        "Bearer  the admin's token",
        "Basic the admin's token",
        "the admin's token",
    ],
)
def test_without_the_right_token_nothing_is_told(guarded, path, shown):
    answer = guarded.api(path, headers=None if shown is None else {"Authorization": shown})
    assert answer.status == 401 and answer.headers["www-authenticate"] == "Bearer"
    assert list(answer.json()) == ["error"] and "the admin's token" not in answer.text


def test_the_right_token_opens_every_page(guarded):
    for scheme in ("Bearer", "bearer"):
        headers = {"Authorization": f"{scheme} the admin's token"}
        assert [guarded.api(path, headers=headers).status for path in GUARDED] == [200] * 3 + [404, 404]


def test_health_and_metrics_need_no_token(guarded):
    for path in OPEN:
        assert guarded.api(path).status == 200 and guarded.api(path, "HEAD").status == 200
    assert guarded.api("/nowhere").status == 404


def test_other_methods_are_refused_before_the_token(guarded):
    assert guarded.api("/api/status", "POST", body="{}").status == 405


def test_a_changed_token_is_taken_at_once_and_two_are_accepted_while_rotating(stage, sandbox):
    tokens = [{"credential": "old"}, {"credential": "new"}]
    daemon = stage.daemon(sandbox, config={"admin": {"address": "127.0.0.1:0", "token": tokens}}, start=False)
    daemon.credential("old", "one")
    daemon.credential("new", "two")
    daemon.start()

    def status(token):
        return daemon.api("/api/status", headers={"Authorization": f"Bearer {token}"}).status

    assert (status("one"), status("two"), status("three")) == (200, 200, 401)
    daemon.credential("old", "three")
    wait_for(lambda: status("three") == 200)
    assert (status("one"), status("two")) == (401, 200)


# ---- a unix socket


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost", timeout=TIMEOUT)
        self._path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(TIMEOUT)
        self.sock.connect(self._path)


def unix_get(path, page):
    connection = UnixConnection(path)
    try:
        connection.request("GET", page)
        answer = connection.getresponse()
        return Response(answer.status, answer.getheaders(), answer.read())
    finally:
        connection.close()


def test_a_unix_socket_serves_the_same_pages_for_its_group_alone(stage, sandbox, tmp_path):
    path = tmp_path / "admin.sock"
    daemon = stage.daemon(sandbox, config={"admin": f"unix:{path}"}, start=False)
    daemon.start(ready=False)
    daemon.wait_log(r"admin on unix:" + re.escape(str(path)))
    assert path.stat().st_mode & 0o777 == 0o660
    assert unix_get(str(path), "/healthz").json() == {"status": "alive"}
    assert set(METRICS) <= set(parse(unix_get(str(path), "/metrics").text))
    assert json.loads(daemon.command("status", "--json").stdout)["ready"] is True
    assert json.loads(daemon.command("queue", "list", "--json", "--admin", f"unix:{path}").stdout) == []
    assert daemon.stop() == 0
    assert not path.exists()


@pytest.mark.parametrize("setting", ["listen", "admin"])
def test_an_address_that_is_taken_is_1_and_told(stage, sandbox, setting):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = "127.0.0.1:%d" % taken.getsockname()[1]
        daemon = stage.daemon(sandbox, config={setting: address}, start=False)
        daemon.start(ready=False)
        assert daemon.wait_exit() == 1
    assert f"cannot start: {setting}.address: {address}: cannot listen: " in daemon.report()
    assert "another program listens there, or this one runs already: end that one" in daemon.report()
