# SPDX-License-Identifier: MIT
"""The stand-in for Klaviyo, as a process."""

from .client import request
from .credentials import KEY
from .process import HeldPort, Process
from .wait import wait_for

REVISION = "2026-07-15"


class Sandbox:
    """`deskbridge sandbox`. address is "127.0.0.1:PORT", url "http://127.0.0.1:PORT". Both stay over stop() and
    start().

    quota=True applies Klaviyo's rate limits (350 single events a second); quota=False passes --no-quota. Further
    arguments are passed to the command: Sandbox("--fault", "status=503,first=2").
    """

    def __init__(self, *args, quota=True, env=None):
        self._args, self._env = list(args) + ([] if quota else ["--no-quota"]), env
        self._port = HeldPort()
        self.address = self._port.address
        self.start()

    def start(self):
        """Starts the sandbox, after stop() on the same address. It is empty then, as its store is in memory."""
        self.process = Process(["sandbox", "--listen", self.address, *self._args], self._env)
        found = self.process.stdout.wait(r"^sandbox on http://(\S+)$")
        if not found:
            self.process.kill9()
            raise AssertionError(f"the sandbox did not start:\n{self.process.report()}")
        self.address = found.group(1)
        self.url = "http://" + self.address
        return self

    def stop(self):
        """Ends the sandbox. Connections are refused until start(), as in an outage."""
        return self.process.terminate()

    def close(self):
        try:
            self.process.close()
        finally:
            self._port.close()

    def report(self):
        return self.process.report()

    def get(self, path):
        return request(self.address, "GET", path).json()

    def all_events(self):
        """Returns all accepted events with duplicates, in order of arrival. Each is a dict: n, received_at, account,
        email, metric, time, unique_id, backfill, value, properties, profile_properties, duplicate."""
        events, page = [], None
        while page is None or page:
            page = self.get(f"/sandbox/events?after={events[-1]['n'] if events else 0}")
            events += page
        return events

    def events(self, **where):
        """Returns the events without duplicates, as Klaviyo would show them. events(email=…, metric=…) filters by any
        member."""
        return [
            event
            for event in self.all_events()
            if not event["duplicate"] and all(event.get(name) == value for name, value in where.items())
        ]

    def unique_ids(self):
        """Returns the unique_id of each recorded event, in order of arrival."""
        return [event["unique_id"] for event in self.events()]

    def profiles(self, account=None):
        """Returns email → properties of that profile, as Klaviyo would hold them now. account: only its profiles."""
        return {
            profile["email"]: profile["properties"]
            for profile in self.get("/sandbox/profiles")
            if account is None or profile["account"] == account
        }

    def stats(self):
        """Returns counters: received, recorded, duplicates, dropped (events); requests, by_status; concurrent,
        peak_concurrent."""
        return self.get("/sandbox/stats")

    def requests(self, status=None):
        """Returns the number of requests to Klaviyo's paths, with this status or with any. "cut" counts those that a
        fault ended without an answer."""
        stats = self.stats()
        return stats["requests"] if status is None else stats["by_status"].get(str(status), 0)

    def fault(self, *specs):
        """Adds faults: fault("status=503,first=3"). See `deskbridge sandbox --help` for the grammar."""
        answer = request(self.address, "POST", "/sandbox/faults", "\n".join(specs))
        assert answer.status == 200, answer

    def clear_faults(self):
        assert request(self.address, "DELETE", "/sandbox/faults").status == 200

    def clear_events(self):
        """Removes events, profiles, metrics and counters; faults and quotas stay."""
        assert request(self.address, "DELETE", "/sandbox/events").status == 200

    def wait_for(self, predicate, timeout=None, what=None):
        """wait_for() with the sandbox as the predicate's argument."""
        return wait_for(lambda: predicate(self), timeout, what)

    def wait_events(self, n, timeout=None, **where):
        """Waits until at least n events are recorded; returns all of them."""
        self.wait_for(lambda s: len(s.events(**where)) >= n, timeout, f"{n} events")
        return self.events(**where)

    def feed(self):
        """Returns the lines of the activity feed without the first line (the address)."""
        return self.process.stdout.all()[1:]

    def klaviyo(self, method, path, body=None, key=KEY, headers=None):
        """Sends a request as a client of Klaviyo does; headers as in request()."""
        defaults = {
            "Authorization": f"Klaviyo-API-Key {key}",
            "revision": REVISION,
            "Accept": "application/vnd.api+json",
        }
        if body is not None:
            defaults["Content-Type"] = "application/vnd.api+json"
        return request(self.address, method, path, body, {**defaults, **(headers or {})})
