# SPDX-License-Identifier: MIT
"""Patterns and texts that are made to match slowly. They may delay their own webhook a little, and no other."""

import random
import time

from harness import TIMEOUT, desk_source, gladly_webhook


def test_a_pattern_that_explodes_does_not_hold_up_other_sources(stage, gladly):
    sandbox = stage.sandbox()
    rules = [{"when": {"/text": {"matches": "(a|b)*a(a|b){100}c"}}, "drop": "x"}, "default"]
    daemon = stage.daemon(sandbox, gladly, config={"sources": {"generic": desk_source("generic", rules=rules)}})
    gladly.customers["cust-1"] = ["jo@example.com"]
    letters = random.Random(7)
    for n in range(5):
        text = "".join(letters.choice("ab") for _ in range(900_000))
        hostile = {"conversation": f"c-{n}", "transition": "opened", "email": f"p{n}@example.com", "text": text}
        assert daemon.post_proven("generic", hostile).json()["status"] == "accepted"
    began = time.monotonic()
    daemon.accepted("gladly", gladly_webhook("opened"))
    sandbox.wait_events(1, email="jo@example.com")
    assert time.monotonic() - began < max(10, TIMEOUT / 2)  # it took minutes once
    sandbox.wait_events(6)
