# SPDX-License-Identifier: MIT
"""Proofs as the helpdesks make them. They are implemented here independently of the program, so that no test compares
the program with itself."""

import base64
import hmac
import time

from .config import deep_merge
from .credentials import GLADLY_TOKEN, GLADLY_USER, WEBHOOK_USER, basic
from .wait import iso

SECRET = "s3cret-0123456789abcdef"
HEX_SECRET = "00112233445566778899aabbccddeeff"


def _hmac(algorithm, encoding, key, *parts):
    message = b"".join(part if isinstance(part, bytes) else part.encode() for part in parts)
    digest = hmac.new(key if isinstance(key, bytes) else key.encode(), message, algorithm).digest()
    return digest.hex() if encoding == "hex" else base64.b64encode(digest).decode()


def _chatwoot(body, secret, at, url):
    stamp = str(int(at))
    signature = _hmac("sha256", "hex", secret, stamp, ".", body)
    return {"X-Chatwoot-Signature": "sha256=" + signature, "X-Chatwoot-Timestamp": stamp}


def _crisp(body, secret, at, url):
    stamp = str(int(at * 1000))
    signature = _hmac("sha256", "hex", secret, "[", stamp, ";", body, "]")
    return {"X-Crisp-Signature": signature, "X-Crisp-Request-Timestamp": stamp}


def _dixa(body, secret, at, url):
    stamp = str(int(at * 1000))
    return {"X-DIXA-SIGNATURE": f"t={stamp},v1=" + _hmac("sha256", "hex", bytes.fromhex(secret), stamp, ".", body)}


def _hubspot(body, secret, at, url):
    stamp = str(int(at * 1000))
    signature = _hmac("sha256", "base64", secret, "POST", url, body, stamp)
    return {"X-HubSpot-Signature-v3": signature, "X-HubSpot-Request-Timestamp": stamp}


def _front_app(body, secret, at, url):
    stamp = str(int(at * 1000))
    signature = _hmac("sha256", "base64", secret, stamp, ":", body)
    return {"X-Front-Signature": signature, "X-Front-Request-Timestamp": stamp}


def _trengo(body, secret, at, url):
    stamp = str(int(at))
    signature = _hmac("sha256", "hex", secret, stamp, ".", body)
    return {"Trengo-Signature": f"{stamp};{signature}", "Content-Type": "application/x-www-form-urlencoded"}


def _zendesk(body, secret, at, url):
    stamp = iso(at)
    signature = _hmac("sha256", "base64", secret, stamp, body)
    return {"X-Zendesk-Webhook-Signature": signature, "X-Zendesk-Webhook-Signature-Timestamp": stamp}


def _over_body(header, algorithm, encoding, prefix=""):
    return lambda body, secret, at, url: {header: prefix + _hmac(algorithm, encoding, secret, body)}


def _basic(body, secret, at, url):
    return {"Authorization": basic(WEBHOOK_USER, secret)}


PROOFS = {
    "chatwoot": _chatwoot,
    "crisp": _crisp,
    "dixa": _dixa,
    "freescout": _over_body("X-FreeScout-Signature", "sha1", "base64"),
    "freshdesk": _basic,
    "front": _over_body("X-Front-Signature", "sha1", "base64"),
    "front-app": _front_app,  # the preset front with the method of proof that its setup text names
    "generic": lambda body, secret, at, url: {"Authorization": "Bearer " + secret},
    "gladly": _basic,
    "gorgias": lambda body, secret, at, url: {"X-Deskbridge-Secret": secret},
    "helpscout": _over_body("X-HelpScout-Signature", "sha1", "base64"),
    "hubspot": _hubspot,
    "intercom": _over_body("X-Hub-Signature", "sha1", "hex", "sha1="),
    "kustomer": _over_body("X-Kustomer-Webhook-Signature", "sha256", "hex"),
    "missive": _over_body("X-Hook-Signature", "sha256", "hex", "sha256="),
    "trengo": _trengo,
    "zammad": _over_body("X-Hub-Signature", "sha1", "hex", "sha1="),
    "zendesk": _zendesk,
    "zendesktrigger": _zendesk,
    "groove": None,  # the secret is the parameter `key` of the query
    "liveagent": None,
}


def secret_of(preset):
    """Returns a secret that the preset's proof can use."""
    return HEX_SECRET if preset == "dixa" else SECRET


def public_url(source):
    """Returns the `public_url` of a source in these tests."""
    return f"https://bridge.example.com/webhooks/{source}"


def prove(preset, body, secret=None, at=None, url=None):
    """Returns (headers, query) that prove a body (text or bytes), by default with secret_of(preset), now, to
    public_url()."""
    body = body.encode() if isinstance(body, str) else body
    secret = secret or secret_of(preset)
    if PROOFS[preset] is None:
        return {}, "key=" + secret
    return PROOFS[preset](body, secret, time.time() if at is None else at, url or public_url(preset)), ""


def desk_source(preset, lookup_url=None, **more):
    """Returns the configuration of a source of that preset, for the proofs of prove(). Its lookups go to lookup_url."""
    secret = {"user": WEBHOOK_USER, "password": secret_of(preset)} if PROOFS[preset] is _basic else {
        "secret": secret_of(preset)}
    source = {"preset": preset, "authenticate": secret, "public_url": public_url(preset)}
    if lookup_url:
        source["lookup"] = {"base_url": lookup_url, "user": GLADLY_USER, "password": GLADLY_TOKEN, "token": GLADLY_TOKEN}
    return deep_merge(source, more)
