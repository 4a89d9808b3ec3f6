# SPDX-License-Identifier: MIT
"""The pieces of the black-box tests: real processes, scripted stand-ins for their peers, and waiting for conditions.

    Sandbox   `deskbridge sandbox`: the stand-in for Klaviyo
    Gladly    a scripted stand-in for the helpdesk's customer API, inside the test's own process
    Helpdesk  the same for any other helpdesk: paths and their answers
    Daemon    `deskbridge -c FILE serve` with a configuration, credentials and a store in a directory of its own
    Clock     a daemon's wall clock, which the test sets
    SlowDisk  a daemon's disk, which the test slows down
    PowerCut  a daemon's disk that keeps only what was synced
    Work      counts of a daemon's work: statements, commits, bytes of the WAL, allocations
    Stage     creates the pieces, and closes them in reverse order when the test ends

$DESKBRIDGE names the built program, $DESKBRIDGE_PRESETS the folder of presets (default: that of the source tree). Only
the standard library is used. A test gets its pieces from the fixtures of conftest.py:

    def test_closed_reaches_klaviyo(sandbox, gladly, daemon):
        gladly.customers["c-1"] = ["jo@example.com"]
        daemon.post("gladly", gladly_webhook("closed", "conv-1", "c-1"))
        sandbox.wait_for(lambda s: s.events(metric="closed conversation in Gladly"))

    def test_with_settings(stage):
        sandbox = stage.sandbox("--fault", "status=503,first=2")
        daemon = stage.daemon(sandbox, config={"klaviyo": {"person_gap": "1s"}})

Rules that keep the tests quick and reliable:

- No test sleeps to synchronise. wait_for() polls a condition until a deadline (TIMEOUT seconds; set
  $DESKBRIDGE_TEST_TIMEOUT for slow machines and sanitizers). Daemon.wait_log() is woken by the line itself. The
  time-out of a test extends the deadline for slow work and never makes it earlier than TIMEOUT. A command that runs to
  its end has HANG seconds: no test measures its time, and on a busy machine it may start late.
- To show that something does NOT happen, wait for something that happens later (a second event, a metric), then check.
  Where nothing happens later, wait_idle() waits until all posted webhooks are done.
- A gauge of /metrics is updated about once a second, so a gauge of 0 may be out of date. Wait for a gauge only to reach
  a number above 0. To wait until nothing is left, use wait_decided() or wait_idle(). A counter of deliveries changes
  with the commit that follows Klaviyo's answer: wait for it, too.
- Independent things come in any order: lookups of two customers, two secret files, deliveries to two people.
- Where a daemon closes a port and opens it again, Stage.address() reserves the port.
- Every process is ended by its own process id when the test ends. Where the test run itself is killed, the kernel ends
  them. A daemon that still runs when the test ends gets SIGTERM and must end with status 0 within its 10 seconds. A
  crash, a leak found by a sanitizer or a hang at the end fails the test. To kill a daemon, a test calls kill9().
- A daemon's log must not hold a secret, nor a customer's full address unless log.personal_data is set. Each daemon's
  log is searched when the test ends: see Daemon.leaks().
- On failure, the log of each process is part of pytest's report.
"""

from .client import Response, request
from .config import MINI
from .credentials import GLADLY_TOKEN, KEY, WEBHOOK_PASSWORD, WEBHOOK_USER, addresses_in, basic, key_of
from .daemon import Daemon
from .desks import Gladly, Helpdesk
from .preload import Clock, PowerCut, SlowDisk, Work, preload_name
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
    "MINI",
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
    "PowerCut",
    "Process",
    "Response",
    "Sandbox",
    "SlowDisk",
    "Stage",
    "Work",
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
