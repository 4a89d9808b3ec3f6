# SPDX-License-Identifier: MIT
"""Text from outside leaves the daemon and the commands without secrets, addresses and control characters of
terminals."""

import base64
import contextlib
import http.server
import json
import re
import sqlite3
import threading
import time
import urllib.parse

import pytest

from harness import GLADLY_TOKEN, KEY, SECRET, gladly_webhook, wait_for

MINI = {
    "label": "Mini",
    "authenticate": {"method": "query", "name": "key"},
    "opened": {"/kind": "opened"},
    "closed": {"/kind": "closed"},
    "conversation": "/id",
    "time": "/at",
    "emails": "/email",
    "attributes": {"Room": "/room"},
}
ODD = "c\x1b[2J\x07\n\x9b\u202e\u2066\u061c 1"  # ESC, BEL, a line end, C1, three controls of bidirectional text
SHOWN = r"c\x1b[2J\x07\x0a\u009b\u202e\u2066\u061c 1"
OBEYED = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u206f\ufeff]")


def mini(**more):
    return {"mini": {"definition": MINI, "authenticate": {"secret": SECRET}, **more}}


def opened(daemon, conversation="c-1", email="jo.doe@example.com", **more):
    body = {"kind": "opened", "id": conversation, "email": email, "at": time.time(), **more}
    return daemon.accepted("mini", body, query="key=" + SECRET, auth=None)


def raw(daemon, target):
    """Returns the status of a POST whose request target is sent as it is."""
    with daemon.connect() as connection:
        connection.sendall(f"POST {target} HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{{}}".encode())
        return int(connection.makefile("rb").readline().split()[1])


def everything(daemon):
    """Returns all that the daemon shows: the log, metrics, and answers."""
    parts = ["\n".join(daemon.log())]
    parts += [daemon.api(path).text for path in ("/metrics", "/api/status", "/api/events", "/api/webhooks", "/readyz")]
    for words in (["status"], ["status", "--json"], ["queue", "list"], ["queue", "list", "--json"]):
        ended = daemon.command(*words, "--admin", daemon.admin)
        parts += [ended.stdout, ended.stderr]
    return "\n".join(parts)


def seen(text):
    """Returns the text as it is, and with its encodings undone."""
    return "\n".join([text, urllib.parse.unquote(text), urllib.parse.unquote(urllib.parse.unquote(text))])


class Klaviyo:
    """A server in Klaviyo's place, which answers with the words that the test sets."""

    def __init__(self):
        outer = self
        outer.status, outer.detail, outer.pointer, outer.headers, outer.asked = 401, "", "/data", {}, 0

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                self.rfile.read(int(self.headers["Content-Length"]))
                error = {"status": str(outer.status), "detail": outer.detail, "source": {"pointer": outer.pointer}}
                body = json.dumps({"errors": [error]}).encode()
                self.send_response(outer.status)
                for name, value in {"Content-Type": "application/vnd.api+json", **outer.headers}.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)
                outer.asked += 1

            def log_message(self, *args):
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def close(self):
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def klaviyo():
    with contextlib.closing(Klaviyo()) as made:
        yield made


# ---- secrets


@pytest.mark.parametrize(
    "target",
    [
        "/webhooks/mini%3Fkey={}",
        "/webhooks/mini%253Fkey={}",
        "/webhooks/mini;key={}",
        "/webhooks/mini%3Bkey={}",
        "/webhooks/mini&key={}",
        "/webhooks/mini%26key={}",
        "/webhooks/mini=key={}",
        "/webhooks/mini/key={}",
        "/webhooks/mini/{}",
        "/webhooks/{}",
        "/{}/mini",
        "//webhooks/mini?key={}",
        "//webhooks//mini%3fkey={}",
        "/webhooks/mini%2f%3fkey={}",
        "/webhooks/mini%20key={}",
        "/webhooks/mini.key.{}",
    ],
)
@pytest.mark.parametrize("typo", [False, True], ids=["the secret", "a secret with a typo"])
def test_a_secret_in_a_mangled_path_is_not_shown(stage, sandbox, target, typo):
    daemon = stage.daemon(sandbox, config={"sources": mini()})
    secret = "not" + SECRET[2:] if typo else SECRET
    assert raw(daemon, target.format(secret)) == 404
    said = daemon.wait_log(r"a request from 127\.0\.0\.1 to (\S+) was refused.*configured: .*/webhooks/mini")[1]
    assert secret[3:] not in seen(everything(daemon))
    assert re.fullmatch(r"/+…|/+webhooks/*…|/+webhooks/+mini/*…?", said), said


def unknown_paths(daemon):
    found = (re.search(r" to (\S+) was refused.*no source has that path", line) for line in daemon.log())
    return [match[1] for match in found if match]


def test_what_resembles_a_configured_path_is_shown(stage, sandbox):
    daemon = stage.daemon(sandbox, config={"sources": mini()})
    for target, shown in {
        "/webhooks/mimi": "/webhooks/mimi",
        "/webhook/mini": "/webhook/mini",
        "/hooks/webhooks/mini": "/…",
        "/mini": "/mini",
        "/webhooks/mini/": "/webhooks/mini/",
        "/wp-login.php": "/…",
    }.items():
        since = len(unknown_paths(daemon))
        wait_for(lambda: raw(daemon, target) == 404 and len(unknown_paths(daemon)) > since)  # one line a second
        assert unknown_paths(daemon)[-1] == shown, target


@pytest.mark.parametrize("status", [400, 401, 503])
def test_our_key_in_klaviyos_words_is_struck_out(stage, klaviyo, status):
    user = base64.b64encode(("me:" + KEY).encode()).decode()
    forms = [KEY, KEY.replace("_", "%5F"), KEY.replace("_", "%255f"), KEY.replace("_", "\\u005f"), user]
    daemon = stage.daemon(config={"klaviyo": {"url": klaviyo.url}, "sources": mini()})
    klaviyo.status, klaviyo.detail = status, "Bad: " + " ".join(forms) + f"; {SECRET} {daemon.token}"
    for n in range(6):
        opened(daemon, f"c-{n}", f"p{n}@example.com")
    wait_for(lambda: "[secret]" in daemon.api("/api/events").text)
    wait_for(lambda: "[secret]" in "\n".join(daemon.log()))
    shown = seen(everything(daemon))
    assert KEY[3:] not in shown and user[8:20] not in shown and SECRET not in shown and daemon.token not in shown
    assert "Bad: [secret]" in shown


def test_a_key_that_was_replaced_is_struck_out_too(stage, klaviyo):
    klaviyo.detail = f"{KEY} was revoked"
    daemon = stage.daemon(config={"klaviyo": {"url": klaviyo.url}, "sources": mini()})
    daemon.credential("klaviyo-api-key", "pk_another_0123456789")
    daemon.wait_log("a secret changed")
    opened(daemon)
    said = daemon.wait_log(r'the account is parked.*reason="(.*)"')
    assert said[1] == "[secret] was revoked (401)"


def test_a_helpdesks_words_are_struck_and_masked(stage, sandbox, gladly):
    gladly.customers["cust-1"] = ["jo@example.com"]
    daemon = stage.daemon(sandbox, gladly, config={"sources": mini()})
    token, answer = GLADLY_TOKEN, gladly.answer
    where = "https://x.example/" + "a" * 80 + urllib.parse.quote(token) + "/jo.doe%40example.com"
    gladly.answer = lambda path, authorization: ("cust-1", 302, {"Location": where}, {})
    for n in range(3):
        daemon.accepted("gladly", gladly_webhook("opened", f"conv-{n}", f"cust-{n}"))
    daemon.wait_log("redirects the lookup to")
    shown = seen(everything(daemon))
    assert token not in shown and "api%20t" not in shown and "jo.doe" not in shown and "[secret]" in shown
    gladly.answer = answer


def test_what_an_earlier_version_stored_is_struck_when_it_is_shown(stage, klaviyo):
    klaviyo.status, klaviyo.detail = 400, "no"
    daemon = stage.daemon(config={"klaviyo": {"url": klaviyo.url}, "sources": mini()})
    opened(daemon)
    daemon.accepted("mini", b'{"kind": "opened"}', query="key=" + SECRET, auth=None)
    daemon.wait_log("an event became a dead letter")
    daemon.stop()
    with contextlib.closing(sqlite3.connect(daemon.dir / "deskbridge.db")) as store, store:
        store.execute("UPDATE events SET reason = ?", (f"{ODD} {KEY} is bad",))
        store.execute("UPDATE webhooks SET result = ? WHERE result LIKE 'no conversation%'", (f"{ODD} {SECRET} is bad",))
        assert store.total_changes >= 2
    daemon.start()
    shown = everything(daemon)
    assert shown.count("[secret] is bad") >= 6
    assert KEY not in shown and SECRET not in shown and not OBEYED.search(shown)


def test_commands_show_no_secret(stage, sandbox, tmp_path):
    daemon = stage.daemon(sandbox, config={"sources": mini()})
    body = tmp_path / "body.json"
    body.write_text(json.dumps({"kind": "opened", "id": f"c-{SECRET}", "email": "jo@example.com", "at": "2026-11-20T10:00:00Z"}))
    ended = daemon.command("explain", "mini", body, "--query", f"key={SECRET}&x={SECRET}")
    assert "conversation" in ended.stdout.lower() and "[secret]" in ended.stdout
    assert SECRET not in ended.stdout + ended.stderr


# ---- addresses

ADDRESSES = [
    "jane.doe%40example.com",
    "jane.doe%2540example.com",
    r"jane.doe\u0040example.com",
    "jane.doe&#64;example.com",
    "jane.doe&#x40;example.com",
    "jane.doe=40example.com",
    "jane.doe＠example.com",
    '"jane.doe"@example.com',
    '"jane.doe x"@example.com',
    "jane.doe'@'example.com",
    "jäne.jane.doe@example.com",
]


@pytest.mark.parametrize("address", ADDRESSES)
def test_no_form_of_an_address_is_shown(stage, klaviyo, address):
    klaviyo.status, klaviyo.detail = 401, f"Bad: {address}."
    rules = ["default", {"on": "opened", "send": "opened by {Room}"}]
    daemon = stage.daemon(config={"klaviyo": {"url": klaviyo.url}, "sources": mini(rules=rules)})
    opened(daemon, f"c/{address}", "jo@example.com", room=address)
    daemon.wait_log("the account is parked")
    opened(daemon, "c-2", "kim@example.com", room=address)
    daemon.wait_metric("deskbridge_events_total", 2)
    log, metrics = "\n".join(daemon.log()), daemon.api("/metrics").text
    assert "jane" not in log and "***@" in log
    assert "jane" not in metrics and "***@" in metrics
    assert "jane" not in daemon.command("status", "--admin", daemon.admin).stdout.partition("STATE")[2]


def test_the_start_shows_no_address_of_the_configuration(stage, sandbox):
    daemon = stage.daemon(sandbox, config={"sources": mini(**{"jane.doe@example.com": 1})}, start=False)
    assert "jane.doe@example.com" in daemon.command("check").stderr  # to the operator who asks
    daemon.start(ready=False)
    assert daemon.wait_exit() == 78
    said = daemon.process.report()
    assert "unknown key" in said and "***@example.com" in said and "jane.doe" not in said


# ---- controls


@pytest.mark.parametrize("form", ["text", "json"])
def test_a_terminal_obeys_nothing_that_is_shown(stage, klaviyo, form):
    klaviyo.status, klaviyo.detail, klaviyo.pointer = 401, f"{ODD} is bad", f"/{ODD}"
    rules = ["default", {"on": "opened", "send": "opened {Room}"}]
    config = {"klaviyo": {"url": klaviyo.url}, "log": {"format": form}, "sources": mini(rules=rules)}
    daemon = stage.daemon(config=config)
    opened(daemon, ODD, room=ODD)
    daemon.wait_log("the account is parked")
    daemon.wait_metric("deskbridge_events_total", 1)
    wait_for(lambda: ODD in json.loads(daemon.api("/api/status").text)["paused"][0]["conversation"])
    shown = everything(daemon)
    assert not OBEYED.search(shown), OBEYED.findall(shown)
    people = daemon.command("status", "--admin", daemon.admin).stdout
    assert SHOWN in people
    assert f'metric="opened {SHOWN}"'.replace("\\", "\\\\") in daemon.api("/metrics").text
    line = next(line for line in daemon.log() if "an attempt for" in line)
    if form == "json":
        assert json.loads(line)["conversation"] == ODD
    else:
        assert f'conversation="{SHOWN}"' in line
    events = json.loads(daemon.command("queue", "list", "--json", "--admin", daemon.admin).stdout)
    assert events[0]["conversation"] == ODD


def test_explain_and_check_show_no_control(stage, sandbox, tmp_path):
    daemon = stage.daemon(sandbox, config={"sources": mini()})
    body = tmp_path / "body.json"
    room = {"kind": "opened", "id": ODD, "email": "jo@example.com", "at": "2026-11-20T10:00:00Z", "room": ODD}
    body.write_text(json.dumps(room))
    ended = daemon.command("explain", "mini", body, "--query", "key=" + SECRET)
    assert "\\u202e" in ended.stdout and not OBEYED.search(ended.stdout + ended.stderr)
    body.write_text(json.dumps({**room, "at": ODD}))
    ended = daemon.command("explain", "mini", body, "--query", "key=" + SECRET, "--header", f"X: {ODD}")
    assert "no time that can be read" in ended.stdout and not OBEYED.search(ended.stdout + ended.stderr)
    daemon.configure({"sources": {"mini": {"label": ODD, ODD: 1}}})
    ended = daemon.command("check")
    assert ended.returncode == 78 and not OBEYED.search(ended.stdout + ended.stderr)
    ended = daemon.command("reload", "--admin", daemon.admin)
    assert ended.returncode == 78
    assert not OBEYED.search(ended.stdout + ended.stderr + "\n".join(daemon.log()))


# ---- names of metrics


def test_two_hundred_names_of_metrics_have_a_series(stage, sandbox):
    rules = [{"on": "opened", "send": "opened in {Room}"}, {"on": ["reopened", "closed", "expired"], "send": "closed"}]
    daemon = stage.daemon(sandbox, config={"klaviyo": {"hold": True}, "sources": mini(rules=rules)})
    for n in range(210):
        opened(daemon, f"c-{n}", f"p{n}@example.com", room=f"room {n}")
    daemon.wait_metric("deskbridge_events_total", 210)
    names = {dict(labels)["metric"] for name, labels in daemon.metrics() if name == "deskbridge_events_total"}
    assert len(names) == 201
    assert daemon.metric("deskbridge_events_total", metric="other") == 10
    assert daemon.metric("deskbridge_events_total", metric="opened in room 0") == 1
