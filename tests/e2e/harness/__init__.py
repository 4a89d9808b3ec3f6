# SPDX-License-Identifier: MIT
"""What the black-box tests stand on: real processes, scripted neighbours, waiting without guessing.

    Sandbox   `deskbridge sandbox`: the stand-in for Klaviyo
    Gladly    a scripted stand-in for the helpdesk's customer API, inside the test's own process
    Helpdesk  the same for any other helpdesk: paths and what they answer
    Daemon    `deskbridge -c FILE serve` with a configuration, credentials and a store in a directory of its own
    Clock     a daemon's wall clock, set by the test
    SlowDisk  a daemon's disk, slowed down by the test
    Stage     makes them and takes them down again, in reverse order, whatever the test did

The built program is named by $DESKBRIDGE, the shipped definitions by $DESKBRIDGE_PRESETS (by default those of the source
tree). Only the standard library is used. A test gets its pieces from the fixtures of conftest.py:

    def test_closed_reaches_klaviyo(sandbox, gladly, daemon):
        gladly.customers["c-1"] = ["jo@example.com"]
        daemon.post("gladly", gladly_webhook("closed", "conv-1", "c-1"))
        sandbox.wait_for(lambda s: s.events(metric="closed conversation in Gladly"))

    def test_with_settings(stage):
        sandbox = stage.sandbox("--fault", "status=503,first=2")
        daemon = stage.daemon(sandbox, config={"klaviyo": {"person_gap": "1s"}})

Rules that keep these tests quick and true:

- Nothing sleeps in order to be synchronous. wait_for() asks for a condition until a deadline (TIMEOUT seconds, set
  $DESKBRIDGE_TEST_TIMEOUT for slow machines and sanitizers); Daemon.wait_log() is woken by the line itself. A time-out
  that a test gives is for what takes longer than usual: it never makes the deadline earlier than TIMEOUT. A command that
  runs to its end has HANG seconds: no test asks how long it takes, and on a busy machine it may not even have begun.
- To show that something does NOT happen, wait for something that happens later (a second event, a metric), then look.
  Where nothing happens later, wait_idle() waits until all that was posted has come to its end.
- A gauge of /metrics is written about once a second: one that says 0 may not know yet of what was just posted. So wait
  for a gauge to reach a number above 0; that nothing is left is for wait_decided() and wait_idle() to tell. A counter
  of deliveries moves only with the commit that follows Klaviyo's answer: wait for it, too.
- Two things that go by two ways come in any order: lookups of two customers, two secret files, deliveries to two people.
- A port that is given up and taken again is held meanwhile: Stage.address().
- Every process is ended by its own process id when the test ends; should the test run itself be killed, the kernel ends
  them. A daemon that is still running when the test ends gets SIGTERM and must end with status 0 within its 10 seconds:
  a crash, a leak that a sanitizer found or a hang at the end fails the test. A test that means to kill calls kill9().
- No log of a daemon may hold a secret, nor an address of a customer in full (but where log.personal_data is set): each
  daemon's is searched when the test ends, see Daemon.leaks().
- On failure, the log of each process is part of pytest's report.
"""

from .client import Response, request
from .credentials import GLADLY_TOKEN, KEY, WEBHOOK_PASSWORD, WEBHOOK_USER, addresses_in, basic, key_of
from .daemon import Daemon
from .desks import Gladly, Helpdesk
from .preload import Clock, SlowDisk, preload_name
from .process import PRESETS, PROGRAM, Process, listens, run, user_group
from .proofs import SECRET, desk_source, prove, secret_of
from .sandbox import Sandbox
from .stage import Stage
from .wait import DAY, HANG, HOUR, TIMEOUT, iso, side_by_side, wait_for
from .webhooks import gladly_webhook

__all__ = [
    "DAY",
    "GLADLY_TOKEN",
    "HANG",
    "HOUR",
    "KEY",
    "PRESETS",
    "PROGRAM",
    "SECRET",
    "TIMEOUT",
    "WEBHOOK_PASSWORD",
    "WEBHOOK_USER",
    "Clock",
    "Daemon",
    "Gladly",
    "Helpdesk",
    "Process",
    "Response",
    "Sandbox",
    "SlowDisk",
    "Stage",
    "addresses_in",
    "basic",
    "desk_source",
    "gladly_webhook",
    "iso",
    "key_of",
    "listens",
    "preload_name",
    "prove",
    "request",
    "run",
    "secret_of",
    "side_by_side",
    "user_group",
    "wait_for",
]
