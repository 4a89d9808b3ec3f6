# SPDX-License-Identifier: MIT
"""The credentials that the tests configure, and the addresses that no log may hold."""

import base64
import re

KEY = "pk_sandbox_0123456789abcdef0123456789abcdef01"
WEBHOOK_USER, WEBHOOK_PASSWORD = "deskbridge", "the webhook's password"
GLADLY_USER, GLADLY_TOKEN = "bot@acme.com", "the api token"


def basic(user, password):
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def key_of(account="default", scopes=()):
    """Returns a key of one of the sandbox's accounts, with all scopes or only with some (`["events:write"]`)."""
    kind = "only_" + "+".join(scopes).replace(":", "-") if scopes else "sandbox"
    return f"pk_{kind}_{account}_0123456789abcdef"


def addresses_in(text):
    """Returns the words of a text that look like e-mail addresses, in lower case."""
    if "@" not in text:
        return set()
    words = (word.strip(".").lower() for word in re.split(r"""[\s"'<>\\,;:(){}\[\]*]+""", text) if "@" in word)
    return {word for word in words if 3 <= len(word) <= 254 and not word.startswith("@") and not word.endswith("@")}
