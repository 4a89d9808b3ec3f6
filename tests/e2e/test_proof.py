# SPDX-License-Identifier: MIT
"""Signatures at the listener: hmac and standard-webhooks, from the bytes on the wire to the answer."""

import base64
import datetime
import hashlib
import hmac
import json
import re
import time

import pytest

from harness import wait_for

KEY = "a signing key/+"
HEX_KEY = "00ff10a5c3d2e1f0"
WHSEC = "whsec_" + base64.b64encode(b"standard key").decode()
URL = "https://hooks.example.com/webhooks/mini?team=7"

DOTTED = {
    "method": "hmac",
    "header": "X-Signature",
    "format": "sha256={signature}",
    "signed": "{timestamp}.{body}",
    "timestamp": "header:X-Timestamp",
}
METHODS = {
    "dotted": DOTTED,
    "iso": {
        "method": "hmac",
        "header": "X-Signature",
        "encoding": "base64",
        "signed": "{timestamp}{body}",
        "timestamp": "header:X-Timestamp",
        "unit": "iso",
    },
    "hex key": {
        "method": "hmac",
        "header": "X-Signature",
        "format": "t={timestamp},v1={signature}",
        "key": "hex",
        "signed": "{timestamp}.{body}",
        "unit": "ms",
    },
    "url": {
        "method": "hmac",
        "header": "X-Signature",
        "encoding": "base64",
        "signed": "{method}{url}{body}{timestamp}",
        "timestamp": "header:X-Timestamp",
        "unit": "ms",
    },
    "standard": {"method": "standard-webhooks"},
}
SECRETS = {"hex key": HEX_KEY, "standard": WHSEC}


def definition(method):
    return {
        "label": "Mini",
        "verified": "live",
        "authenticate": method,
        "opened": {"/kind": "opened"},
        "closed": {"/kind": "closed"},
        "conversation": "/id",
        "emails": "/email",
        "samples": {
            kind: json.dumps({"kind": kind, "id": 17, "email": "sample@example.com"}) for kind in ("opened", "closed")
        },
    }


def webhook(number, **more):
    return json.dumps({"kind": "opened", "id": number, "email": f"p{number}@example.com", **more}).encode()


def digest(key, *parts):
    return hmac.new(key, b"".join(parts), hashlib.sha256)


def sign(name, body, now=None, key=None):
    """Returns the headers that a helpdesk with that method sends."""
    now = time.time() if now is None else now
    key = (key or SECRETS.get(name, KEY)).encode()
    seconds, ms = str(int(now)).encode(), str(int(now * 1000)).encode()
    if name == "dotted":
        shown = "sha256=" + digest(key, seconds, b".", body).hexdigest()
        return {"X-Signature": shown, "X-Timestamp": seconds.decode()}
    if name == "iso":
        iso = datetime.datetime.fromtimestamp(now, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
        shown = base64.b64encode(digest(key, iso.encode(), body).digest()).decode()
        return {"X-Signature": shown, "X-Timestamp": iso}
    if name == "hex key":
        shown = digest(bytes.fromhex(key.decode()), ms, b".", body).hexdigest()
        return {"X-Signature": f"t={ms.decode()},v1={shown}"}
    if name == "url":
        shown = base64.b64encode(digest(key, b"POST", URL.encode(), body, ms).digest()).decode()
        return {"X-Signature": shown, "X-Timestamp": ms.decode()}
    raw = base64.b64decode(key.removeprefix(b"whsec_"))
    shown = base64.b64encode(digest(raw, b"msg_1.", seconds, b".", body).digest()).decode()
    return {
        "webhook-id": "msg_1",
        "webhook-timestamp": seconds.decode(),
        "webhook-signature": f"v1,{'A' * 43}= v1,{shown}",
    }


@pytest.fixture
def mini(stage, sandbox):
    """A running daemon with the source `mini`, signed by the named method."""

    def start(name, secret=None):
        source = {
            "definition": definition(METHODS[name]),
            "authenticate": {"secret": secret or {"credential": "mini"}},
            "public_url": URL,
        }
        daemon = stage.daemon(sandbox, config={"sources": {"mini": source}}, start=False)
        daemon.credential("mini", SECRETS.get(name, KEY))
        return daemon.start()

    return start


def post(daemon, body, headers):
    return daemon.post("mini", body, auth=None, headers=headers)


def refused(daemon, reason):
    return daemon.metric("deskbridge_webhooks_total", source="mini", result=reason)


@pytest.mark.parametrize("name", METHODS)
def test_what_is_signed_is_taken_and_nothing_else(mini, sandbox, name):
    daemon = mini(name)
    body = webhook(1)
    good = sign(name, body)
    for changed in good:
        if not changed.endswith("-id"):
            spoilt = good[changed][:-2] + ("1" if good[changed][-2] == "0" else "0") + good[changed][-1]
            assert post(daemon, body, {**good, changed: spoilt}).status == 401
        answer = post(daemon, body, {header: value for header, value in good.items() if header != changed})
        assert (answer.status, answer.json()) == (401, {"status": "unauthorized"})
        assert "www-authenticate" not in answer.headers
    assert post(daemon, body.replace(b"p1@", b"p2@"), good).status == 401
    for away in (-301, 301):
        assert post(daemon, body, sign(name, body, time.time() + away)).status == 401
    assert refused(daemon, "stale proof") == 2
    assert refused(daemon, "missing proof") == len(good)
    assert refused(daemon, "wrong proof") == 1 + len([header for header in good if not header.endswith("-id")])
    assert refused(daemon, "accepted") == 0
    assert post(daemon, body, good).json()["status"] == "accepted"
    assert sandbox.wait_events(1)[0]["email"] == "p1@example.com"


def test_a_long_body_is_signed_to_its_last_byte(mini, sandbox):
    daemon = mini("dotted")
    body = webhook(1, text="x" * 900_000)
    good = sign("dotted", body)
    assert post(daemon, body[:-3] + b'y"}', good).status == 401
    assert post(daemon, body, good).json()["status"] == "accepted"
    sandbox.wait_events(1)


def test_a_signed_body_that_is_no_json_is_a_dead_letter(mini):
    daemon = mini("dotted")
    body = b'{"kind": "opened", "id": \x00}'
    assert post(daemon, body, sign("dotted", body)).json()["status"] == "accepted"
    assert refused(daemon, "unreadable") == 1
    assert post(daemon, body.replace(b"\x00", b"1"), sign("dotted", body)).status == 401


def test_both_secrets_of_a_rotation_are_taken(mini, sandbox):
    daemon = mini("dotted", [{"credential": "mini"}, "the next key"])
    for number, key in ((1, KEY), (2, "the next key")):
        body = webhook(number)
        assert post(daemon, body, sign("dotted", body, key=key)).json()["status"] == "accepted"
    body = webhook(3)
    assert post(daemon, body, sign("dotted", body, key="a third key")).status == 401
    sandbox.wait_events(2)


def test_a_secret_of_the_wrong_form_does_not_take_the_former_s_place(mini, sandbox):
    daemon = mini("hex key")
    daemon.credential("mini", "half a key")
    daemon.wait_log("is not hexadecimal")
    assert not any("half a key" in line for line in daemon.log())
    body = webhook(1)
    assert post(daemon, body, sign("hex key", body)).json()["status"] == "accepted"
    daemon.credential("mini", "0011")
    wait_for(lambda: post(daemon, body, sign("hex key", body)).status == 401)
    body = webhook(2)
    assert post(daemon, body, sign("hex key", body, key="0011")).json()["status"] == "accepted"
    sandbox.wait_events(2)


def test_check_tells_of_a_secret_of_the_wrong_form(mini):
    daemon = mini("standard")
    daemon.stop()
    daemon.credential("mini", "no, base64 this is not")
    ended = daemon.command("check")
    assert ended.returncode != 0
    assert "whsec_" in ended.stdout + ended.stderr and "base64 this" not in ended.stdout + ended.stderr


@pytest.mark.parametrize("name", METHODS)
def test_samples_are_signed(mini, sandbox, name):
    daemon = mini(name)
    ended = daemon.command("sample", "mini", "opened", "--post", "--url", f"http://{daemon.address}")
    assert re.fullmatch(r'200 \{"status":"accepted","webhook":"[0-9a-f]+"\}\n', ended.stdout), ended
    sandbox.wait_events(1)


def test_explain_checks_a_signature(mini, tmp_path):
    daemon = mini("dotted")
    body = webhook(1)
    (tmp_path / "body").write_bytes(body)

    def explain(headers):
        words = [word for name, value in headers.items() for word in ("--header", f"{name}: {value}")]
        text = daemon.command("explain", "mini", tmp_path / "body", *words).stdout
        return re.search(r"^Proof: hmac\n((?:  .*\n)+)", text, re.M).group(1)

    assert explain(sign("dotted", body)) == "  good\n"
    assert "stale" in explain(sign("dotted", body, time.time() - 3600))
    assert "wrong" in explain(sign("dotted", body, key="another"))
    assert "--header" in explain({})
