# SPDX-License-Identifier: MIT
"""The answers of the listener: every row of its table of answers, and clients that misbehave."""

import base64
import json
import os
import re
import socket
import subprocess
import sys
import time

import pytest

from harness import TIMEOUT, WEBHOOK_PASSWORD, WEBHOOK_USER, basic, gladly_webhook, request, wait_for

PROOF = f"Authorization: {basic(WEBHOOK_USER, WEBHOOK_PASSWORD)}\r\n"


def raw(daemon, text, end=False):
    """Sends bytes; returns everything that comes until the daemon closes the connection."""
    with daemon.connect() as connection:
        answer = b""
        try:
            connection.sendall(text.encode())
            if end:
                connection.shutdown(socket.SHUT_WR)
            while True:
                piece = connection.recv(65536)
                if not piece:
                    break
                answer += piece
        except OSError:  # the daemon cut it off while it sent; the bytes that came until then count
            pass
        return answer.decode("latin-1")


def post_text(body, headers="", path="/webhooks/gladly", close=True):
    return (
        f"POST {path} HTTP/1.1\r\nHost: x\r\n{PROOF}Content-Type: application/json\r\n"
        f"{headers}{'Connection: close' if close else 'X: y'}\r\nContent-Length: {len(body)}\r\n\r\n{body}"
    )


def test_accepted_names_the_webhook(daemon):
    answer = daemon.post("gladly", gladly_webhook("opened"))
    assert answer.status == 200
    assert answer.json()["status"] == "accepted"
    assert re.fullmatch(r"[0-9a-f]{16}", answer.json()["webhook"])
    assert answer.headers["content-type"].startswith("application/json")


def test_ping_is_answered_and_not_kept(daemon):
    answer = daemon.post("gladly", gladly_webhook("ping", conversation=None, customer=None))
    assert (answer.status, answer.json()) == (200, {"status": "pong"})
    assert daemon.metric("deskbridge_webhooks_total", source="gladly", result="pong") == 1


def test_what_is_of_no_interest_is_ignored(daemon):
    answer = daemon.post("gladly", gladly_webhook("ended"))
    assert (answer.status, answer.json()) == (200, {"status": "ignored"})
    assert daemon.metric("deskbridge_webhooks_total", source="gladly", result="ignored") == 1


def test_the_same_delivery_again_is_a_duplicate(daemon, sandbox, gladly):
    gladly.customers["cust-1"] = ["jo@example.com"]
    body = gladly_webhook("opened", id="delivery-1")
    daemon.accepted("gladly", body)
    for _ in range(2):
        answer = daemon.post("gladly", body)
        assert (answer.status, answer.json()) == (200, {"status": "duplicate"})
    daemon.accepted("gladly", gladly_webhook("closed"))
    assert len(sandbox.wait_events(2)) == 2


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"not json",
        b"[]",
        b"\xff\xfe",
        b'{"type":"CONVERSATION/CREATED","a":"\\ud800"}',
        b"[" * 100 + b"]" * 100,
        b'{"a":' * 70 + b"1" + b"}" * 70,
        json.dumps(gladly_webhook("opened", conversation=None)).encode(),
        json.dumps(gladly_webhook("opened", at="1970-01-02T00:00:00Z")).encode(),
        json.dumps(gladly_webhook("opened", at="2999-01-01T00:00:00Z")).encode(),
        json.dumps(gladly_webhook("opened", at="yesterday")).encode(),
    ],
    ids=["half", "text", "list", "not-utf8", "surrogate", "deep-list", "deep-map", "no-conversation", "1970", "2999", "words"],
)
def test_proven_but_unreadable_is_taken_as_a_dead_letter(daemon, body):
    answer = daemon.post("gladly", body)
    if answer.json()["status"] == "ignored":  # readable, but without a signal
        assert body in (b"[]",)
        return
    assert (answer.status, answer.json()["status"]) == (200, "accepted")
    assert daemon.metric("deskbridge_webhooks_total", source="gladly", result="unreadable") == 1
    daemon.wait_log("a webhook cannot be read and became a dead letter")


def test_the_last_of_duplicate_keys_counts_and_others_go_on(daemon, sandbox, gladly):
    gladly.customers["cust-1"] = ["jo@example.com"]
    body = json.dumps(gladly_webhook("ended"))[:-1] + ', "type": "CONVERSATION/CREATED"}'
    daemon.accepted("gladly", body)
    sandbox.wait_events(1, metric="started conversation in Gladly")


def test_a_body_with_nul_and_a_megabyte_of_text_stop_nobody(stage, sandbox, gladly):
    daemon = stage.daemon(sandbox, gladly, config={"listen": {"address": "127.0.0.1:0", "max_body": "3MiB"}})
    gladly.customers["cust-1"] = ["jo@example.com"]
    assert daemon.post("gladly", b'{"type":"CONVERSATION/CREATED"\0}').json()["status"] == "accepted"
    big = gladly_webhook("opened")
    big["content"]["note"] = "x" * (1 << 20)
    daemon.accepted("gladly", big)
    big = gladly_webhook("closed", conversation="c" * (1 << 20))
    assert daemon.post("gladly", big).status == 200
    daemon.accepted("gladly", gladly_webhook("opened", conversation="conv-2"))
    sandbox.wait_for(lambda s: len(s.events(metric="started conversation in Gladly")) == 2)


def test_without_proof_an_unreadable_body_is_refused(stage, sandbox, gladly):
    daemon = stage.daemon(sandbox, gladly, config={"sources": {"gladly": {"authenticate": None, "definition": {
        "authenticate": {"method": "none"}}}}})
    assert daemon.post("gladly", b"{", auth=None).status == 400
    assert daemon.post("gladly", gladly_webhook("opened"), auth=None).json()["status"] == "accepted"


@pytest.mark.parametrize(
    "headers, reason",
    [
        ({}, "missing proof"),
        ({"Authorization": "Bearer x"}, "missing proof"),
        ({"Authorization": "Basic !!!"}, "wrong proof"),
        ({"Authorization": basic("deskbridge", "wrong")}, "wrong proof"),
        ({"Authorization": basic("other", WEBHOOK_PASSWORD)}, "wrong proof"),
        ({"Authorization": basic("deskbridge", "")}, "wrong proof"),
        ({"Authorization": "Basic " + base64.b64encode(b"deskbridge").decode()}, "wrong proof"),
    ],
)
def test_no_or_wrong_proof_has_no_effect(daemon, sandbox, headers, reason):
    answer = daemon.post("gladly", gladly_webhook("opened"), auth=None, headers=headers)
    assert (answer.status, answer.json()) == (401, {"status": "unauthorized"})
    assert answer.headers["www-authenticate"].startswith("Basic ")
    assert daemon.metric("deskbridge_webhooks_total", source="gladly", result=reason) == 1
    daemon.wait_log(reason)
    assert not any("wrong:" in line or WEBHOOK_PASSWORD in line for line in daemon.log())
    assert daemon.metric("deskbridge_webhooks_total", source="gladly", result="accepted") == 0


def test_refusals_are_logged_once_a_second_and_all_counted(daemon):
    began = time.monotonic()
    for _ in range(50):
        daemon.post("gladly", gladly_webhook("opened"), auth=("deskbridge", "wrong"))
    assert daemon.metric("deskbridge_webhooks_total", source="gladly", result="wrong proof") == 50
    daemon.wait_log("was refused")
    assert 1 <= sum("was refused" in line for line in daemon.log()) <= 2 + time.monotonic() - began


def test_what_comes_to_no_source_is_logged_with_the_paths_that_there_are(daemon):
    path = "/webhooks/glady/jo@example.com/%41%00" + "x" * 200
    began = time.monotonic()
    for _ in range(30):
        assert request(daemon.address, "POST", path + "?key=sesame", gladly_webhook("opened")).status == 404
    said = daemon.wait_log(r"a request from 127\.0\.0\.1 to (\S+) was refused.*no source has that path; configured: (\S+)")
    assert said[1] == "/webhooks/glady/…"
    assert said[2] == "/webhooks/gladly"
    lines = [line for line in daemon.log() if "no source has that path" in line]
    assert len(lines) <= 2 + time.monotonic() - began and all('reason="unknown path"' in line for line in lines) and "sesame" not in str(lines)
    assert daemon.metric("deskbridge_webhooks_total", result="unknown path") == 30


def test_two_authorizations_are_refused(daemon):
    text = post_text("{}", headers=PROOF)
    assert raw(daemon, text).startswith("HTTP/1.1 400")


def test_an_empty_body_is_refused(daemon):
    assert daemon.post("gladly", b"").status == 400


def test_unknown_path_wrong_method_multipart_and_head(daemon):
    assert request(daemon.address, "POST", "/webhooks/other", {}).status == 404
    assert request(daemon.address, "GET", "/").status == 404
    assert request(daemon.address, "HEAD", "/webhooks/other").status == 404
    for method in ("GET", "PUT", "DELETE", "PATCH", "OPTIONS"):
        answer = request(daemon.address, method, "/webhooks/gladly")
        assert answer.status == 405
        assert answer.headers["allow"] == "POST, HEAD"
    answer = daemon.post("gladly", "--x--", headers={"Content-Type": "multipart/form-data; boundary=x"})
    assert answer.status == 415
    head = request(daemon.address, "HEAD", "/webhooks/gladly")
    assert (head.status, head.body) == (200, b"")


def test_too_long_is_told_as_early_as_the_headers_tell(daemon):
    text = f"POST /webhooks/gladly HTTP/1.1\r\nHost: x\r\n{PROOF}Content-Length: 2000000\r\n\r\n"
    assert raw(daemon, text).startswith("HTTP/1.1 413")
    text = f"POST /webhooks/gladly HTTP/1.1\r\nHost: x\r\n{PROOF}Transfer-Encoding: chunked\r\n\r\n"
    chunks = "80000\r\n" + "x" * 0x80000 + "\r\n"
    assert raw(daemon, text + 3 * chunks + "0\r\n\r\n").startswith("HTTP/1.1 413")
    assert daemon.metric("deskbridge_webhooks_total", source="gladly", result="accepted") == 0
    assert daemon.post("gladly", gladly_webhook("opened")).status == 200


def test_broken_http_is_refused(daemon):
    for text in (
        "\r\n\r\n\r\n",
        "POST\r\n\r\n",
        "POST /webhooks/gladly HTTP/9.9\r\n\r\n",
        f"POST /webhooks/gladly HTTP/1.1\r\nHost: x\r\n{PROOF}Content-Length: -5\r\n\r\n",
        f"POST /webhooks/gladly HTTP/1.1\r\nHost: x\r\n{PROOF}Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: x\r\nX: " + "y" * 100000 + "\r\n\r\n",
    ):
        answer = raw(daemon, text, end=True)
        assert answer == "" or answer.split(" ")[1] in ("400", "405", "413", "431", "505"), answer[:200]
    assert daemon.post("gladly", gladly_webhook("opened")).status == 200


def test_a_body_shorter_than_promised_is_never_taken(daemon):
    body = json.dumps(gladly_webhook("opened"))
    raw(daemon, post_text(body)[:-20], end=True)
    assert daemon.metric("deskbridge_webhooks_total", source="gladly", result="accepted") == 0
    assert daemon.post("gladly", gladly_webhook("opened")).status == 200


def test_a_client_that_stalls_is_cut_off_and_holds_nobody(stage, sandbox, gladly):
    daemon = stage.daemon(sandbox, gladly, config={"listen": {"address": "127.0.0.1:0", "timeout": "1s"}})
    with daemon.connect() as slow, daemon.connect() as silent:
        slow.sendall(post_text("x" * 100)[:-50].encode())
        assert daemon.post("gladly", gladly_webhook("opened")).status == 200
        assert not slow.recv(65536).startswith(b"HTTP/1.1 200")
        assert silent.recv(65536) == b""


def test_pipelined_requests_are_all_taken_in_order(daemon):
    texts = [post_text(json.dumps(gladly_webhook("opened", conversation=f"c-{i}")), close=i == 4) for i in range(5)]
    answers = raw(daemon, "".join(texts))
    assert answers.count("HTTP/1.1 200") == 5
    ids = re.findall(r'"webhook":"([0-9a-f]+)"', answers)
    assert ids == sorted(ids) and len(set(ids)) == 5


def test_the_configured_path_takes_the_default_ones_place(stage, sandbox, gladly):
    daemon = stage.daemon(sandbox, gladly, config={"sources": {"gladly": {"path": "/desk/in"}}})
    assert daemon.post("gladly", gladly_webhook("opened")).status == 404
    headers = {"Authorization": basic(WEBHOOK_USER, WEBHOOK_PASSWORD)}
    answer = request(daemon.address, "POST", "/desk/in?x=1", gladly_webhook("opened"), headers)
    assert answer.json()["status"] == "accepted"


def test_ignored_webhooks_are_kept_where_asked_for(stage, sandbox, gladly):
    daemon = stage.daemon(sandbox, gladly, config={"sources": {"gladly": {"keep": "all"}}})
    body = gladly_webhook("ended", id="delivery-1")
    assert daemon.post("gladly", body).json() == {"status": "ignored"}
    assert daemon.post("gladly", gladly_webhook("opened")).json()["webhook"].endswith("2")


GENERIC = {
    "label": "Desk",
    "opened": {"/state": "open"},
    "closed": {"/state": "closed"},
    "conversation": "/id",
    "emails": "/email",
    "time": "/at",
}


def other_proof(authenticate):
    return {
        "sources": {
            "desk": {"definition": {**GENERIC, "authenticate": authenticate}, "authenticate": {"secret": "open sesame"}}
        }
    }


def test_a_secret_in_the_query_proves_and_is_not_kept(stage, sandbox):
    daemon = stage.daemon(sandbox, config=other_proof({"method": "query", "name": "token"}))
    body = {"state": "open", "id": 7, "email": "jo@example.com"}
    assert daemon.post("desk", body, auth=None, query="token=wrong").status == 401
    assert daemon.post("desk", body, auth=None).status == 401
    answer = daemon.post("desk", body, auth=None, query="a=1&token=open%20sesame&b=2")
    assert answer.json()["status"] == "accepted"
    sandbox.wait_events(1, metric="started conversation in Desk")
    daemon.stop()
    for file in daemon.dir.glob("deskbridge.db*"):
        content = file.read_bytes()
        assert b"sesame" not in content
    assert b"a=1&b=2" in (daemon.dir / "deskbridge.db").read_bytes()


@pytest.mark.parametrize(
    "authenticate, headers",
    [
        ({"method": "bearer"}, {"Authorization": "Bearer open sesame"}),
        ({"method": "header", "name": "X-Token"}, {"X-Token": "open sesame"}),
    ],
)
def test_the_other_plain_proofs(stage, sandbox, authenticate, headers):
    daemon = stage.daemon(sandbox, config=other_proof(authenticate))
    body = {"state": "open", "id": 7, "email": "jo@example.com"}
    assert daemon.post("desk", body, auth=None).status == 401
    wrong = {name: value + "x" for name, value in headers.items()}
    assert daemon.post("desk", body, auth=None, headers=wrong).status == 401
    assert daemon.post("desk", body, auth=None, headers=headers).json()["status"] == "accepted"
    sandbox.wait_events(1, metric="started conversation in Desk")


def test_two_secrets_are_both_accepted(stage, sandbox, gladly):
    daemon = stage.daemon(
        sandbox,
        gladly,
        config={"sources": {"gladly": {"authenticate": {"user": "deskbridge", "password": ["old one", "new one"]}}}},
    )
    for password, status in (("old one", 200), ("new one", 200), ("no one", 401)):
        assert daemon.post("gladly", gladly_webhook("opened"), auth=("deskbridge", password)).status == status


def test_a_full_store_is_told_with_503_until_undone_work_is_done(stage, sandbox, gladly):
    gladly.status["*"] = 500
    gladly.customers = {str(i): [f"jo-{i}@example.com"] for i in range(100)}
    daemon = stage.daemon(sandbox, gladly, start=False)
    daemon.configure({"store": {"url": f"sqlite:{daemon.dir}/deskbridge.db", "max_size": "24MiB"}})
    daemon.start()

    def fill(i):
        body = gladly_webhook("opened", f"conv-{i}", str(i))
        body["content"]["note"] = "x" * 900000
        return daemon.post("gladly", body)

    taken = 0
    while (answer := fill(taken)).status == 200:
        taken += 1
    assert answer.status == 503
    assert int(answer.headers["retry-after"]) > 0
    assert 10 < taken < 40
    assert daemon.api("/readyz").status == 503
    daemon.wait_log("max_size")
    assert daemon.api("/healthz").status == 200
    gladly.status.clear()
    sandbox.wait_for(lambda s: len(s.events()) == taken, timeout=60)
    wait_for(lambda: daemon.post("gladly", gladly_webhook("closed", "conv-1", "1")).status == 200)
    assert daemon.api("/readyz").status == 200


def test_sigterm_answers_what_is_there_and_ends(stage, sandbox, gladly):
    daemon = stage.daemon(sandbox, gladly)
    daemon.accepted("gladly", gladly_webhook("opened"))
    with daemon.connect() as idle:
        assert daemon.stop() == 0
        try:
            assert idle.recv(100) == b""
        except ConnectionResetError:
            pass  # the connection was not yet accepted


SOCKET_ACTIVATION = """
import os, socket, sys
s = socket.socket(fileno=int(sys.argv[1]))
os.dup2(s.fileno(), 3, inheritable=True)
os.environ["LISTEN_FDS"], os.environ["LISTEN_PID"] = "1", str(os.getpid())
os.execv(sys.argv[2], sys.argv[2:])
"""


def test_a_socket_from_systemd_survives_a_stop(stage, sandbox, gladly):
    daemon = stage.daemon(sandbox, gladly, start=False)
    listener = socket.create_server(("127.0.0.1", 0), backlog=8)
    address = "127.0.0.1:%d" % listener.getsockname()[1]
    from harness import PRESETS, PROGRAM

    for round in range(2):
        process = subprocess.Popen(
            [sys.executable, "-c", SOCKET_ACTIVATION, str(listener.fileno()), PROGRAM, "-c", daemon.file, "serve"],
            pass_fds=[listener.fileno()],
            env={**os.environ, "DESKBRIDGE_PRESETS": PRESETS},
            stderr=subprocess.PIPE,
        )
        try:
            headers = {"Authorization": basic(WEBHOOK_USER, WEBHOOK_PASSWORD)}
            answer = request(address, "POST", "/webhooks/gladly", gladly_webhook("opened", f"c-{round}"), headers)
            assert answer.json()["status"] == "accepted"
        finally:
            process.terminate()
            _, log = process.communicate(timeout=TIMEOUT)
        assert process.returncode == 0, log.decode()
        assert address in log.decode()
    listener.close()
