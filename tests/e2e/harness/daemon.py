# SPDX-License-Identifier: MIT
"""The daemon as a process, with a configuration, credentials and a store of its own."""

import base64
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import tempfile

from .client import request
from .config import deep_merge, secrets_in
from .credentials import GLADLY_TOKEN, GLADLY_USER, KEY, WEBHOOK_PASSWORD, WEBHOOK_USER, addresses_in, basic
from .process import Process, run, user_group
from .proofs import prove
from .wait import TIMEOUT, wait_for

# A read for the admin address is interrupted after 200 ms, so that it delays no other thread. That happens on a busy
# machine.
TOOK_LONGER = "reading the store took longer"


class Daemon:
    """`deskbridge -c FILE serve`, on free ports, with its files in self.dir:

    deskbridge.yaml                  self.config (a dict), written as JSON, which is YAML
    credentials/klaviyo-api-key, gladly-webhook, gladly-api-token
    deskbridge.db                    the store

    The default configuration has the account `default` at the sandbox (person_gap 0s, so that tests need not wait for
    it) and the source `gladly`. config={…} is merged into it (deep_merge: None removes a key). text=… replaces the file
    by other YAML, in which {dir}, {klaviyo} and {gladly} are filled in. user="nobody" runs the daemon as that user, who
    then owns the files in self.dir. That needs root, who owns the files that the test writes afterwards. under=("valgrind",
    …) runs it under that command, which keeps its pid.
    """

    def __init__(self, sandbox=None, gladly=None, config=None, text=None, key=KEY, env=None, start=True, user=None, under=()):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="deskbridge-test-"))
        self._env, self._logs, self._user, self._under = env, [], user, under
        self._gladly, self._secrets, self._addresses = gladly, set(), set()
        self.process = None
        (self.dir / "credentials").mkdir(mode=0o700)
        self.credential("klaviyo-api-key", key)
        self.credential("gladly-webhook", WEBHOOK_PASSWORD)
        self.credential("gladly-api-token", GLADLY_TOKEN)
        self.file = self.dir / "deskbridge.yaml"
        klaviyo = sandbox.url if sandbox else "http://127.0.0.1:9"
        desk = gladly.url if gladly else "http://127.0.0.1:9"
        self.config = deep_merge(self._default(klaviyo, desk), config or {})
        if text is None:
            self.configure()
        else:
            for name, value in (("{dir}", str(self.dir)), ("{klaviyo}", klaviyo), ("{gladly}", desk)):
                text = text.replace(name, value)
            self.write(text)
        if user:
            for path in (self.dir, *self.dir.rglob("*")):
                shutil.chown(path, user, user_group(user))
        if start:
            self.start()

    def _default(self, klaviyo, desk):
        return {
            "version": 1,
            "listen": "127.0.0.1:0",
            "admin": "127.0.0.1:0",
            "store": f"sqlite:{self.dir}/deskbridge.db",
            "log": {"level": "debug", "format": "text"},
            "klaviyo": {"api_key": {"credential": "klaviyo-api-key"}, "url": klaviyo, "person_gap": "0s"},
            "sources": {
                "gladly": {
                    "preset": "gladly",
                    "authenticate": {"user": WEBHOOK_USER, "password": {"credential": "gladly-webhook"}},
                    "lookup": {
                        "base_url": desk,
                        "user": GLADLY_USER,
                        "password": {"credential": "gladly-api-token"},
                    },
                }
            },
        }

    # ---- files

    def credential(self, name, text):
        """Writes or replaces a secret's file atomically."""
        self._secrets.add(text)
        self._replace(self.dir / "credentials" / name, text + "\n")

    def write(self, text):
        """Writes the text of the configuration file atomically."""
        self._replace(self.file, text)

    def configure(self, changes=None):
        """Merges changes into the configuration and writes the file. The daemon reads it at reload() or restart()."""
        self.config = deep_merge(self.config, changes or {})
        self.write(json.dumps(self.config, indent=2) + "\n")

    @staticmethod
    def _replace(path, text):
        new = path.with_name("." + path.name + ".new")
        with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
            file.write(text)
        os.replace(new, path)

    # ---- the process

    def start(self, ready=True):
        """Starts the daemon and waits until it listens. ready=False: does not wait, for a start that fails (see
        wait_exit())."""
        self.process = Process(["-c", self.file, "serve"], self._env, self.dir, self._user, self._under)
        self.address = self.admin = None
        if ready:
            self.address = self._ready(r"listening on (\S+:\d+)")
            self.admin = self._ready(r"admin on (\S+:\d+)")
        return self

    def _ready(self, pattern):
        found = self.process.stderr.wait(pattern)
        if not found:
            self.process.kill9()
            raise AssertionError(f"the daemon did not start:\n{self.process.report()}")
        return found.group(1)

    def signal(self, number):
        self.process.signal(number)

    def reload(self):
        """Sends SIGHUP. To wait for the result, use wait_log() or a condition."""
        self.signal(signal.SIGHUP)

    def kill9(self):
        self.process.kill9()

    def stop(self):
        """Sends SIGTERM; returns the exit status."""
        return self.process.terminate()

    def wait_exit(self, timeout=None):
        return self.process.wait_exit(timeout)

    def restart(self):
        """Ends the daemon with SIGTERM if it still runs, and starts it on the same store, on new ports."""
        if self.process.running:
            status = self.process.terminate()
            assert status == 0, f"ended with status {status}:\n{self.process.report()}"
        self._logs += self.process.stderr.all()
        return self.start()

    def close(self):
        try:
            if self.process and self.process.running:
                self.process.close()
        finally:
            if self.process and self.process.running:
                self.process.kill9()
            leaks = self.leaks()
            shutil.rmtree(self.dir, ignore_errors=True)
        assert not leaks, "the log holds what it must not:\n" + "\n".join(leaks[:10])

    def report(self):
        return self.process.report() if self.process else ""

    # ---- log, metrics, admin address

    def log(self):
        """Returns all lines that this daemon logged, over its restarts."""
        return self._logs + (self.process.stderr.all() if self.process else [])

    def leaks(self):
        """Returns the lines of the log that hold a secret given to this daemon, or the full address of a webhook or
        customer."""
        made = {self.token} if self.token else set()
        plain = {secret for secret in self._secrets | made | secrets_in(self.config) if len(secret) >= 6}
        users = ("", f"{WEBHOOK_USER}:", f"{GLADLY_USER}:")
        secrets = plain | {
            base64.b64encode((user + secret).encode()).decode().rstrip("=") for user in users for secret in plain
        }
        addresses = set()
        if not self.config.get("log", {}).get("personal_data"):
            addresses = self._addresses | (self._gladly.addresses() if self._gladly else set())
        leaks = []
        for line in self.log() + (self.process.stdout.all() if self.process else []):
            low = line.lower() if "@" in line else ""
            if any(secret in line for secret in secrets) or low and any(address in low for address in addresses):
                leaks.append(line)
        return leaks

    def mark(self):
        """Returns the end of the running process's log, for wait_log(since=…)."""
        return len(self.process.stderr.all())

    def wait_log(self, pattern, since=0, timeout=None):
        """Waits for a line of the running process, from number `since` on; returns the match."""
        found = self.process.stderr.wait(pattern, since, timeout)
        assert found, f"no line like {pattern!r} in the log:\n{self.report()}"
        return found

    @property
    def token_file(self):
        """The file of the admin token that the daemon creates, in the folder of its store."""
        store = self.config.get("store")
        url = store.get("url") if isinstance(store, dict) else store
        return (self.dir / (url or "").removeprefix("sqlite:")).parent / "admin-token"

    @property
    def token(self):
        """The admin token that the daemon created; None where it created none, as admin.token is configured."""
        return self.token_file.read_text().strip() if self.token_file.exists() else None

    def api(self, path, method="GET", body=None, headers=None):
        """Sends a request to the admin address, with the token that the daemon created; {"Authorization": None} leaves
        it out. Repeats a read that was interrupted."""
        token = self.token
        shown = {"Authorization": f"Bearer {token}"} if token else {}
        asked = []

        def answered():
            asked[:] = [request(self.admin, method, path, body, {**shown, **(headers or {})})]
            return asked[0].status != 503 or TOOK_LONGER not in asked[0].text

        wait_for(answered, what=path)
        return asked[0]

    def metrics(self):
        """Returns the series of /metrics: (name, ((label, value), …) in order of label) → number."""
        series = {}
        for line in self.api("/metrics").text.splitlines():
            found = re.fullmatch(r"([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)", line)
            if found:
                labels = re.findall(r'(\w+)="((?:[^"\\]|\\.)*)"', found.group(2) or "")
                series[(found.group(1), tuple(sorted(labels)))] = float(found.group(3))
        return series

    def is_sanitized(self):
        """True where the daemon's allocator is a sanitizer's."""
        return "san.so" in pathlib.Path(f"/proc/{self.process.pid}/maps").read_text(encoding="utf-8")

    def metric(self, name, **labels):
        """Returns the sum of all series of that name with these labels; 0 where there is none."""
        wanted = set(labels.items())
        return sum(value for (n, have), value in self.metrics().items() if n == name and wanted <= set(have))

    def wait_metric(self, name, value, timeout=None, **labels):
        """Waits until a metric is at least value."""
        what = f"{name}{labels} >= {value}"
        return wait_for(lambda: self.metric(name, **labels) >= value, timeout, what)

    # ---- webhooks and commands

    def post(self, source, body, headers=None, auth=(WEBHOOK_USER, WEBHOOK_PASSWORD), query="", method="POST"):
        """Posts a webhook. body: a dict (sent as JSON), text or bytes. auth=None sends no proof. Returns a Response."""
        send = {"Content-Type": "application/json"}
        if auth:
            send["Authorization"] = basic(*auth)
        path = f"/webhooks/{source}" + (f"?{query}" if query else "")
        if isinstance(body, dict):
            body = json.dumps(body)
        self._addresses |= addresses_in(body if isinstance(body, str) else body.decode("utf-8", "replace"))
        return request(self.address, method, path, body, {**send, **(headers or {})})

    def post_proven(self, preset, body, source=None, query="", headers=None, **proof):
        """As post(), but with the proof of the preset's helpdesk: see prove(). A dict or a list is sent as JSON."""
        if isinstance(body, (dict, list)):
            body = json.dumps(body)
        proof_headers, proof_query = prove(preset, body, **proof)
        query = "&".join(part for part in (query, proof_query) if part)
        return self.post(source or preset, body, {**proof_headers, **(headers or {})}, auth=None, query=query)

    def webhooks(self):
        """Returns the stored webhooks, the oldest first: id, source, state, transition, conversation, wait, reason."""
        return self.api("/api/webhooks?limit=500").json()[::-1]

    def wait_webhooks(self, n, timeout=None):
        """Waits until n webhooks are stored and none of them is pending; returns them."""

        def ended():
            rows = self.webhooks()
            return len(rows) >= n and not any(row["state"] == "pending" for row in rows)

        wait_for(ended, timeout, f"{n} webhooks that came to their end")
        return self.webhooks()

    def wait_decided(self, timeout=None):
        """Waits until no webhook in the store is pending. The gauges of /metrics follow later."""
        wait_for(lambda: self._has_none("webhooks?state=pending"), timeout, "no pending webhook")

    def wait_idle(self, timeout=None):
        """Waits until no webhook in the store is pending and no event is ready."""
        kinds = ("webhooks?state=pending", "events?state=ready")
        wait_for(lambda: all(map(self._has_none, kinds)), timeout, "no pending webhook and no ready event")

    def _has_none(self, kind):
        return self.api(f"/api/{kind}&limit=1").json() == []

    def accepted(self, source, body, **kwargs):
        """As post(), but demands the answer `accepted`, and returns the webhook's id."""
        answer = self.post(source, body, **kwargs)
        assert answer.status == 200 and answer.json()["status"] == "accepted", answer
        return answer.json().get("webhook")

    def connect(self):
        """Returns a connection to the intake, for broken HTTP. The caller closes it."""
        host, port = self.address.rsplit(":", 1)
        return socket.create_connection((host, int(port)), TIMEOUT)

    def command(self, *args, **kwargs):
        """Runs a command with this daemon's configuration file to its end: see run(). Repeats it where it asks the
        daemon and the daemon's read was interrupted."""
        ended = []

        def answered():
            ended[:] = [run("-c", self.file, *args, **kwargs)]
            return TOOK_LONGER not in ended[0].stderr

        wait_for(answered, what=" ".join(map(str, args)))
        return ended[0]

    def ask(self, *args, **kwargs):
        """Runs a command that asks the running daemon (status, queue list), with the daemon's admin address."""
        return self.command(*args, "--admin", self.admin, **kwargs)
