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

import base64
import copy
import grp
import hmac
import http.client
import http.server
import json
import os
import pathlib
import pwd
import re
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import threading
import time
import urllib.parse
import uuid
from datetime import datetime, timezone

PROGRAM = os.environ.get("DESKBRIDGE", "deskbridge")
PRESETS = os.environ.get("DESKBRIDGE_PRESETS", str(pathlib.Path(__file__).resolve().parents[2] / "etc" / "helpdesks"))
TIMEOUT = float(os.environ.get("DESKBRIDGE_TEST_TIMEOUT", "15"))
HANG = max(TIMEOUT, 60)  # seconds after which a command hangs that has only to run to its end
POLL = 0.02  # seconds between two looks of wait_for: never less
KEY = "pk_sandbox_0123456789abcdef0123456789abcdef01"
REVISION = "2026-07-15"
WEBHOOK_USER, WEBHOOK_PASSWORD = "deskbridge", "the webhook's password"
GLADLY_USER, GLADLY_TOKEN = "bot@acme.com", "the api token"


HOUR, DAY = 3600, 86400


def patience(timeout=None):
    """How many seconds to wait: TIMEOUT, or longer where the test says so."""
    return max(TIMEOUT, timeout or 0)


def side_by_side(items, do, threads=4):
    """do(item) for all of them, several at a time; each thread takes its own in order. Raises where a thread has failed."""
    problems = []

    def some(mine):
        try:
            for item in mine:
                do(item)
        except Exception as problem:
            problems.append(problem)

    workers = [threading.Thread(target=some, args=(items[i::threads],)) for i in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    if problems:
        raise problems[0]


def wait_for(predicate, timeout=None, what=None):
    """Calls predicate() until it is true and returns what it gave; fails the test at the deadline."""
    deadline = time.monotonic() + patience(timeout)
    while True:
        result = predicate()
        if result:
            return result
        if time.monotonic() > deadline:
            raise AssertionError(f"waited in vain for {what or 'the condition'}; last seen: {result!r}")
        time.sleep(POLL)


def iso(at=None):
    """A time as Gladly writes it. at: None (now), seconds since 1970, a datetime, or text that is taken as it is."""
    if isinstance(at, str):
        return at
    if at is None:
        at = time.time()
    if isinstance(at, datetime):
        at = at.timestamp()
    return datetime.fromtimestamp(at, timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


GLADLY_TYPES = {
    "opened": "CONVERSATION/CREATED",
    "created": "CONVERSATION/CREATED",
    "reopened": "CONVERSATION/REOPENED",
    "closed": "CONVERSATION/CLOSED",
    "ended": "CONTACT/ENDED",
    "ping": "PING",
}


def gladly_webhook(kind, conversation="conv-1", customer="cust-1", at=None, id=None, initiator="AGENT"):
    """The body of one of Gladly's webhooks as a dict. kind: opened, reopened, closed, ended, ping, or a raw type. at: see
    iso(). id: Gladly's delivery id, a fresh one by default; the same id twice is the same delivery."""
    body = {
        "id": id or uuid.uuid4().hex[:22],
        "type": GLADLY_TYPES.get(kind, kind),
        "timestamp": iso(at),
        "initiator": {"id": "NFpDZtfqhk2pI6fjaVDlFf", "type": initiator},
        "content": {
            "customerId": customer,
            "conversationId": conversation,
            "context": {"assignee": {"inboxId": "inbox-1", "agentId": "agent-1"}},
        },
    }
    if conversation is None:
        del body["content"]["conversationId"]
    if customer is None:
        del body["content"]["customerId"]
    return body


def addresses_in(text):
    """What looks like an e-mail address in a text, in lower case."""
    if "@" not in text:
        return set()
    words = (word.strip(".").lower() for word in re.split(r"""[\s"'<>\\,;:(){}\[\]*]+""", text) if "@" in word)
    return {word for word in words if 3 <= len(word) <= 254 and not word.startswith("@") and not word.endswith("@")}


def basic(user, password):
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


# ---- proofs, as the helpdesks make them: written down here once more, so that a test never proves a thing by itself

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
    "front-app": _front_app,  # the preset front, with the method of proof that its setup text names
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
    "groove": None,  # the secret stands in the query, as `key`
    "liveagent": None,
}


def secret_of(preset):
    """A secret that the preset's proof can use."""
    return HEX_SECRET if preset == "dixa" else SECRET


def public_url(source):
    """What a source's `public_url` is in these tests."""
    return f"https://bridge.example.com/webhooks/{source}"


def prove(preset, body, secret=None, at=None, url=None):
    """(headers, query) that prove a body (text or bytes), by default with secret_of(preset), now, to public_url()."""
    body = body.encode() if isinstance(body, str) else body
    secret = secret or secret_of(preset)
    if PROOFS[preset] is None:
        return {}, "key=" + secret
    return PROOFS[preset](body, secret, time.time() if at is None else at, url or public_url(preset)), ""


def desk_source(preset, lookup_url=None, **more):
    """The source of that preset, as prove() proves; its lookups go to lookup_url."""
    secret = {"user": WEBHOOK_USER, "password": secret_of(preset)} if PROOFS[preset] is _basic else {
        "secret": secret_of(preset)}
    source = {"preset": preset, "authenticate": secret, "public_url": public_url(preset)}
    if lookup_url:
        source["lookup"] = {"base_url": lookup_url, "user": GLADLY_USER, "password": GLADLY_TOKEN, "token": GLADLY_TOKEN}
    return deep_merge(source, more)


class Response:
    """status, headers (names in lower case), body (bytes), text, json()."""

    def __init__(self, status, headers, body):
        self.status, self.body = status, body
        self.headers = {name.lower(): value for name, value in headers}

    @property
    def text(self):
        return self.body.decode("utf-8", "replace")

    def json(self):
        return json.loads(self.body)

    def __repr__(self):
        return f"<{self.status} {self.text[:300]!r}>"


def request(address, method, path, body=None, headers=None, timeout=None):
    """One request on a connection of its own. body: bytes, text, or anything else, which is sent as JSON. A header
    whose value is None is not sent, and takes the default of that name away."""
    host, port = address.rsplit(":", 1)
    connection = http.client.HTTPConnection(host.strip("[]"), int(port), timeout=patience(timeout))
    send = {}
    if body is not None and not isinstance(body, (bytes, str)):
        body = json.dumps(body)
        send["Content-Type"] = "application/json"
    if isinstance(body, str):
        body = body.encode()
    given = {name.lower() for name in headers or {}}
    send = {name: value for name, value in send.items() if name.lower() not in given}
    send.update({name: value for name, value in (headers or {}).items() if value is not None})
    try:
        connection.request(method, path, body=body, headers=send)
        answer = connection.getresponse()
        return Response(answer.status, answer.getheaders(), answer.read())
    finally:
        connection.close()


def key_of(account="default", scopes=()):
    """A key of one of the sandbox's accounts, with all scopes or (`["events:write"]`) only some."""
    kind = "only_" + "+".join(scopes).replace(":", "-") if scopes else "sandbox"
    return f"pk_{kind}_{account}_0123456789abcdef"


def deep_merge(base, over):
    """over laid over base: dicts by key, anything else replaced; a value of None takes the key away. All of over is
    copied."""
    merged = dict(base)
    for key, value in over.items():
        if value is None:
            merged.pop(key, None)
        elif isinstance(value, dict) and isinstance(merged.get(key), dict):
            merged[key] = deep_merge(merged[key], value)
        else:
            merged[key] = copy.deepcopy(value)
    return merged


def secrets_in(config, key=None):
    """The secrets that stand in a configuration itself."""
    if isinstance(config, dict):
        return set().union(*(secrets_in(value, name) for name, value in config.items()))
    if isinstance(config, list):
        return set().union(*(secrets_in(value, key) for value in config))
    return {config} if key in ("api_key", "password", "token", "secret") and isinstance(config, str) else set()


class Lines:
    """The lines of a stream as they come, read by a thread of its own so that the writer never blocks."""

    def __init__(self, stream):
        self._stream, self._lines, self._ended = stream, [], False
        self._more = threading.Condition()
        self._reads = threading.Event()
        self._reads.set()
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self):
        with self._stream:
            for line in self._stream:
                self._reads.wait()
                with self._more:
                    self._lines.append(line.decode("utf-8", "replace").rstrip("\n"))
                    self._more.notify_all()
        with self._more:
            self._ended = True
            self._more.notify_all()

    def hold(self):
        """Reads no more until go_on(): the pipe fills."""
        self._reads.clear()

    def go_on(self):
        self._reads.set()

    def all(self):
        with self._more:
            return list(self._lines)

    def find(self, pattern, since=0):
        """The first line from number `since` on that the regular expression is found in, as a match, or None."""
        with self._more:
            return self._find(pattern, since)

    def _find(self, pattern, since):
        for line in self._lines[since:]:
            found = re.search(pattern, line)
            if found:
                return found
        return None

    def wait(self, pattern, since=0, timeout=None):
        """find(), but waits until the line is there; None when the stream ends or the deadline passes without it."""
        deadline = time.monotonic() + patience(timeout)
        with self._more:
            while True:
                found = self._find(pattern, since)
                if found or self._ended:
                    return found
                if not self._more.wait(deadline - time.monotonic()) and time.monotonic() >= deadline:
                    return self._find(pattern, since)

    def join(self):
        self._thread.join(TIMEOUT)


def user_group(user):
    """The name of a user's own group."""
    return grp.getgrgid(pwd.getpwnam(user).pw_gid).gr_name


def listens(address):
    """Whether somebody listens at this address: at a default one, a daemon of this machine that is none of the tests'."""
    host, port = address.split(":")
    with socket.socket() as probe:
        return probe.connect_ex((host, int(port))) == 0


class Process:
    """One process of the program. stdout and stderr are collected; pid is the program's own. user: as whom it runs, which
    needs root and setpriv; by default as whoever runs the tests."""

    def __init__(self, args, env=None, cwd=None, user=None):
        self.args = [PROGRAM, *map(str, args)]
        self.killed = False
        environment = {**os.environ, "DESKBRIDGE_PRESETS": PRESETS, **(env or {})}
        environment = {name: value for name, value in environment.items() if value is not None}
        # setpriv becomes the program and keeps its pid; the kernel ends it should the test run die.
        setpriv = shutil.which("setpriv")
        rights = ["--reuid", user, "--regid", user_group(user), "--init-groups"] if user else []
        command = [setpriv, *rights, "--pdeathsig", "KILL", *self.args] if setpriv else self.args
        self._process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment, cwd=cwd
        )
        self.pid = self._process.pid
        self.stdout, self.stderr = Lines(self._process.stdout), Lines(self._process.stderr)

    @property
    def running(self):
        return self._process.poll() is None

    @property
    def returncode(self):
        return self._process.poll()

    def signal(self, number):
        self._process.send_signal(number)

    def kill9(self):
        """Ends the process as a power cut would; returns when it is gone."""
        self.killed = True
        self._process.kill()
        self._process.wait()
        self.stdout.join()  # what it said until then is read to the end
        self.stderr.join()

    def wait_exit(self, timeout=None):
        """Waits for the process to end by itself; returns its exit status (negative: the signal that killed it)."""
        try:
            status = self._process.wait(patience(timeout))
        except subprocess.TimeoutExpired:
            raise AssertionError(f"{' '.join(self.args)} did not end; its log:\n{self.report()}") from None
        self.stderr.go_on()
        self.stdout.join()
        self.stderr.join()
        return status

    def terminate(self, timeout=None):
        """SIGTERM, then the exit status. Kills it and fails where it does not end."""
        if self.running:
            self.signal(signal.SIGTERM)
        try:
            return self.wait_exit(timeout)
        except AssertionError:
            self.kill9()
            raise

    def close(self):
        """For teardown: ends it, and fails where it did not end well by itself."""
        was_killed, status = self.killed, self.terminate()
        if status != 0 and not was_killed:
            raise AssertionError(f"{' '.join(self.args)} ended with status {status}:\n{self.report()}")

    def report(self):
        return "\n".join(self.stderr.all()[-200:])


def run(*args, input=None, env=None, timeout=None):
    """Runs a command of the program to its end: an object with returncode, stdout, stderr (text)."""
    environment = {**os.environ, "DESKBRIDGE_PRESETS": PRESETS, **(env or {})}
    return subprocess.run(
        [PROGRAM, *map(str, args)],
        input=input,
        stdin=None if input is not None else subprocess.DEVNULL,
        capture_output=True,
        text=True,
        env={name: value for name, value in environment.items() if value is not None},
        timeout=max(HANG, timeout or 0),
    )


# A read for the admin address is interrupted after 200 ms, so that it holds up nobody; on a busy machine that happens.
TOOK_LONGER = "reading the store took longer"


class HeldPort:
    """A port of 127.0.0.1 that is ours from now on, whether one of our servers listens there at the moment or none does
    and connections are refused. It is bound and does not listen: with SO_REUSEADDR, as our servers have it, it is in
    nobody's way, and the kernel gives it to nobody else."""

    def __init__(self):
        self._socket = socket.socket()
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._socket.bind(("127.0.0.1", 0))
        self.address = "127.0.0.1:%d" % self._socket.getsockname()[1]

    def close(self):
        self._socket.close()

    def report(self):
        return ""


_by_links = None


def preload_name(library):
    """The library's path for $LD_PRELOAD, where blanks and colons separate names: by a link, where its path has one."""
    global _by_links
    if not re.search(r"[\s:]", str(library)):
        return str(library)
    if _by_links is None:
        _by_links = tempfile.TemporaryDirectory(prefix="deskbridge-test-libraries-")
        os.chmod(_by_links.name, 0o755)
    link = pathlib.Path(_by_links.name) / library.name
    if not link.exists():
        link.symlink_to(library)
    return str(link)


def preloaded(name):
    """$LD_PRELOAD for a library of the tests' own, which stands beside the built program; skips where it does not."""
    library = pathlib.Path(shutil.which(PROGRAM)).resolve().parent / "tests/e2e" / name
    if not library.exists():
        import pytest

        pytest.skip(f"{library} is not there")
    # A sanitizer's runtime wants to be the first.
    linked = subprocess.run(["ldd", PROGRAM], capture_output=True, text=True).stdout
    first = re.findall(r"=> (/\S*/lib[at]san\.so\S*)", linked)
    return ":".join([*first, preload_name(library), *filter(None, [os.environ.get("LD_PRELOAD")])])


class Clock:
    """The wall clock of a process, set by the test while it runs: Daemon(env=clock.env). Its monotonic clock, and every
    other process's clocks, stay as they are. It works by fakeclock.c."""

    def __init__(self, ahead=0):
        """ahead: by how many seconds the clock is ahead of the machine's; negative: behind."""
        library = preloaded("fakeclock.so")
        self._file = tempfile.NamedTemporaryFile(prefix="deskbridge-clock-")
        self.env = {"LD_PRELOAD": library, "FAKECLOCK": self._file.name}
        self.ahead = 0
        self.set(ahead)

    def set(self, ahead):
        self.ahead = ahead
        os.pwrite(self._file.fileno(), struct.pack("=q", int(ahead * 1000)), 0)

    def jump(self, seconds):
        self.set(self.ahead + seconds)

    def now(self):
        return time.time() + self.ahead

    def close(self):
        self._file.close()

    def report(self):
        return ""


class SlowDisk:
    """The disk of a process, slow as the test says while it runs: Daemon(env=disk.env). It works by slowdisk.c."""

    def __init__(self):
        library = preloaded("slowdisk.so")
        self._file = tempfile.NamedTemporaryFile(prefix="deskbridge-disk-")
        self.env = {"LD_PRELOAD": library, "SLOWDISK": self._file.name}
        os.ftruncate(self._file.fileno(), 16)

    def set(self, seconds):
        """How long each fsync takes from now on."""
        os.pwrite(self._file.fileno(), struct.pack("=q", int(seconds * 1000)), 0)

    def waiting(self):
        """How many fsyncs wait just now."""
        return struct.unpack("=q", os.pread(self._file.fileno(), 8, 8))[0]

    def close(self):
        self._file.close()

    def report(self):
        return ""


class Sandbox:
    """`deskbridge sandbox`. address is "127.0.0.1:PORT", url "http://127.0.0.1:PORT", both kept over stop() and start().

    quota=True keeps Klaviyo's rate limits (350 single events a second); quota=False passes --no-quota. Further arguments
    go to the command: Sandbox("--fault", "status=503,first=2").
    """

    def __init__(self, *args, quota=True, env=None):
        self._args, self._env = list(args) + ([] if quota else ["--no-quota"]), env
        self._port = HeldPort()
        self.address = self._port.address
        self.start()

    def start(self):
        """Starts it, after stop() on the same address; it comes up empty (the store is in memory)."""
        self.process = Process(["sandbox", "--listen", self.address, *self._args], self._env)
        found = self.process.stdout.wait(r"^sandbox on http://(\S+)$")
        if not found:
            self.process.kill9()
            raise AssertionError(f"the sandbox did not start:\n{self.process.report()}")
        self.address = found.group(1)
        self.url = "http://" + self.address
        return self

    def stop(self):
        """Ends it; until start() connections are refused, as in an outage."""
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
        """All that was accepted, duplicates too, in order of arrival. Each a dict: n, received_at, account, email, metric,
        time, unique_id, backfill, value, properties, profile_properties, duplicate."""
        events, page = [], None
        while page is None or page:
            page = self.get(f"/sandbox/events?after={events[-1]['n'] if events else 0}")
            events += page
        return events

    def events(self, **where):
        """What Klaviyo would show: without duplicates. events(email=…, metric=…) filters by any member."""
        return [
            event
            for event in self.all_events()
            if not event["duplicate"] and all(event.get(name) == value for name, value in where.items())
        ]

    def unique_ids(self):
        """The unique_id of each recorded event, in order of arrival."""
        return [event["unique_id"] for event in self.events()]

    def profiles(self, account=None):
        """email → properties of that profile, as Klaviyo would hold them now (profiles of one account, by default all)."""
        return {
            profile["email"]: profile["properties"]
            for profile in self.get("/sandbox/profiles")
            if account is None or profile["account"] == account
        }

    def stats(self):
        """Counters: received, recorded, duplicates, dropped (events); requests, by status; concurrent, peak_concurrent."""
        return self.get("/sandbox/stats")

    def requests(self, status=None):
        """How many requests to Klaviyo's paths were answered, with this status or with any. "cut" counts those that a
        fault ended without an answer."""
        stats = self.stats()
        return stats["requests"] if status is None else stats["by_status"].get(str(status), 0)

    def fault(self, *specs):
        """Scripts trouble from now on: fault("status=503,first=3"). See `deskbridge sandbox --help` for the grammar."""
        answer = request(self.address, "POST", "/sandbox/faults", "\n".join(specs))
        assert answer.status == 200, answer

    def clear_faults(self):
        assert request(self.address, "DELETE", "/sandbox/faults").status == 200

    def clear_events(self):
        """Forgets events, profiles, metrics and counters; faults and quotas stay."""
        assert request(self.address, "DELETE", "/sandbox/events").status == 200

    def wait_for(self, predicate, timeout=None, what=None):
        """wait_for() with the sandbox as the predicate's argument."""
        return wait_for(lambda: predicate(self), timeout, what)

    def wait_events(self, n, timeout=None, **where):
        """Waits until at least n events are recorded and returns all there are."""
        self.wait_for(lambda s: len(s.events(**where)) >= n, timeout, f"{n} events")
        return self.events(**where)

    def feed(self):
        """The activity feed, line by line, without the first line (the address)."""
        return self.process.stdout.all()[1:]

    def klaviyo(self, method, path, body=None, key=KEY, headers=None):
        """A request as a client of Klaviyo would send it; headers as in request()."""
        defaults = {
            "Authorization": f"Klaviyo-API-Key {key}",
            "revision": REVISION,
            "Accept": "application/vnd.api+json",
        }
        if body is not None:
            defaults["Content-Type"] = "application/vnd.api+json"
        return request(self.address, method, path, body, {**defaults, **(headers or {})})


class Gladly:
    """Gladly's customer API, scripted. Everything may be changed while it runs:

    customers  id → list of addresses (the first is the primary one), or the whole answer as a dict
    merged     id → the id it was merged into: answers 301 with the new id in the body
    status     id → status that is answered instead (401, 429, 500, …); "*" stands for every id
    answers    id → (status, headers, body): the raw answer, for HTML, nothing at all, 10 MiB
    delay      seconds before each answer; release() ends that, also for those who wait already
    retry_after  Retry-After of what `status` answers
    token      the API token that is right; another one gets 401
    requests   what was asked, in order: {"path", "customer", "authorization", "status"}
    down()/up()  refuses connections, on the same port throughout
    tls        an ssl.SSLContext: it is asked by https

    A customer that is not there gets 404.
    """

    def __init__(self, tls=None):
        self._tls = tls
        self.customers, self.merged, self.status, self.answers = {}, {}, {}, {}
        self.delay, self.token, self.retry_after = 0, GLADLY_TOKEN, None
        self.requests, self._lock = [], threading.Lock()
        self._told = set()
        self._closing, self._released = threading.Event(), threading.Event()
        self._server = None
        # Bound but not listening: keeps the port ours while the server is down, and connections refused.
        self._holder = self._socket(("127.0.0.1", 0))
        self.address = "%s:%d" % self._holder.getsockname()
        self.url = ("https://" if tls else "http://") + self.address
        self.up()

    @staticmethod
    def _socket(address):
        bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        bound.bind(address)
        return bound

    def up(self):
        if self._server:
            return self
        self._closing.clear()
        self._released = threading.Event()
        server = _Server(self._holder.getsockname(), _gladly_handler(self), bind_and_activate=False)
        server.socket.close()
        server.socket = self._socket(self._holder.getsockname())
        if self._tls:
            server.socket = self._tls.wrap_socket(server.socket, server_side=True)
        server.server_activate()
        self._server = server
        self._thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self._thread.start()
        return self

    def release(self):
        """No answer is delayed any more; those that are on hold are given."""
        self.delay = 0
        released, self._released = self._released, threading.Event()
        released.set()

    def down(self):
        if self._server:
            self._closing.set()
            self._released.set()
            self._server.shutdown()
            self._thread.join()
            self._server.close_connections()
            self._server.server_close()
            self._server = None
        return self

    def close(self):
        self.down()
        self._holder.close()

    def report(self):
        with self._lock:
            return "\n".join(f"{r['status']} {r['path']}" for r in self.requests[-100:])

    def asked(self, customer=None):
        """How many requests came, for this customer or for any."""
        with self._lock:
            return sum(customer is None or r["customer"] == customer for r in self.requests)

    def wait_asked(self, n, customer=None, timeout=None):
        return wait_for(lambda: self.asked(customer) >= n and self.asked(customer), timeout, f"{n} lookups")

    def addresses(self):
        """Every address that it knows or has ever told."""
        with self._lock:
            return self._told | addresses_in(json.dumps(list(self.customers.values()), ensure_ascii=False))

    def profile(self, customer):
        """The answer for a customer, in Gladly's form."""
        held = self.customers[customer]
        if isinstance(held, dict):
            return held
        emails = [
            {"normalized": address.lower(), "original": address, "primary": i == 0} for i, address in enumerate(held)
        ]
        return {"id": customer, "name": "Jo Example", "emails": emails, "phones": [], "customAttributes": {}}

    def answer(self, path, authorization):
        """(customer, status, headers, body) for a request; body is bytes or an object that is sent as JSON."""
        found = re.fullmatch(r"/api/v1/customer-profiles/([^/?]+)", path)
        customer = urllib.parse.unquote(found.group(1)) if found else None
        if customer in self.answers:
            return customer, *self.answers[customer]
        if authorization != basic(GLADLY_USER, self.token):
            return customer, 401, {}, {"errors": [{"code": "unauthorized", "detail": "authentication failed"}]}
        status = self.status.get(customer, self.status.get("*"))
        if status is not None:
            headers = {} if self.retry_after is None else {"Retry-After": str(self.retry_after)}
            return customer, status, headers, {"errors": [{"code": "scripted"}]}
        if customer in self.merged:
            meta = {"old": customer, "new": self.merged[customer]}
            return customer, 301, {}, {"errors": [{"attr": "customerId", "code": "moved", "meta": meta}]}
        if customer in self.customers:
            return customer, 200, {}, self.profile(customer)
        return customer, 404, {}, {"errors": [{"attr": "customerId", "code": "not_exist"}]}

    def _record(self, path, customer, authorization, status, body):
        told = addresses_in(body.decode("utf-8", "replace"))
        with self._lock:
            self._told |= told
            self.requests.append(
                {"path": path, "customer": customer, "authorization": authorization, "status": status}
            )


class Helpdesk(Gladly):
    """Any helpdesk's API, scripted: `answers` holds path (with its query) → what is answered with 200 as JSON, or (status,
    headers, body). Every other path gets 404. The rest is as with Gladly; a request's "customer" is its path."""

    def answer(self, path, authorization):
        answer = self.answers.get(path, (404, {}, {"error": "not found"}))
        return (path, *answer) if isinstance(answer, tuple) else (path, 200, {}, answer)

    def addresses(self):
        with self._lock:
            return set(self._told)


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, *args, **kwargs):
        self._open, self._open_lock = set(), threading.Lock()
        super().__init__(*args, **kwargs)

    def process_request(self, connection, client_address):
        with self._open_lock:
            self._open.add(connection)
        super().process_request(connection, client_address)

    def shutdown_request(self, connection):
        with self._open_lock:
            self._open.discard(connection)
        super().shutdown_request(connection)

    def close_connections(self):
        with self._open_lock:
            for connection in self._open:
                try:
                    connection.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass

    def handle_error(self, connection, client_address):
        """A client that went away is part of some tests."""


def _gladly_handler(gladly):
    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_GET(self):
            authorization = self.headers.get("Authorization")
            customer, status, headers, body = gladly.answer(self.path, authorization)
            if not isinstance(body, bytes):
                headers = {"Content-Type": "application/json", **headers}
                body = json.dumps(body).encode()
            gladly._record(self.path, customer, authorization, status, body)
            if gladly.delay:
                gladly._released.wait(gladly.delay)
                if gladly._closing.is_set():
                    self.close_connection = True
                    return
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            if "Content-Length" in headers:  # another one than is true: the answer is cut
                self.close_connection = True
            else:
                self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args):
            pass

    return Handler


class Daemon:
    """`deskbridge -c FILE serve`, on free ports, with everything of its own in self.dir:

    deskbridge.yaml                  self.config (a dict), written as JSON, which is YAML
    credentials/klaviyo-api-key, gladly-webhook, gladly-api-token
    deskbridge.db                    the store

    The default configuration has the one account `default` at the sandbox (person_gap 0s, so that tests need not wait for
    it) and the one source `gladly`. config={…} is laid over it (deep_merge: None takes a key away); text=… replaces the
    whole file by YAML of your own, with {dir}, {klaviyo} and {gladly} filled in. user="nobody" runs it as that user, who
    then owns what is in self.dir (root only; what the test writes afterwards is root's).
    """

    def __init__(self, sandbox=None, gladly=None, config=None, text=None, key=KEY, env=None, start=True, user=None):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="deskbridge-test-"))
        self._env, self._logs, self._user = env, [], user
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
        """Writes or changes a secret's file, at once and whole."""
        self._secrets.add(text)
        self._replace(self.dir / "credentials" / name, text + "\n")

    def write(self, text):
        """The configuration file, as it is to stand there."""
        self._replace(self.file, text)

    def configure(self, changes=None):
        """Lays changes over the configuration and writes the file. The daemon reads it with reload() or restart()."""
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
        """ready=False: does not wait until it listens (it is expected to fail: see wait_exit())."""
        self.process = Process(["-c", self.file, "serve"], self._env, cwd=self.dir, user=self._user)
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
        """SIGHUP. What came of it is for wait_log() or a condition to tell."""
        self.signal(signal.SIGHUP)

    def kill9(self):
        self.process.kill9()

    def stop(self):
        """SIGTERM; returns the exit status."""
        return self.process.terminate()

    def wait_exit(self, timeout=None):
        return self.process.wait_exit(timeout)

    def restart(self):
        """Ends it with SIGTERM if it still runs, and starts it on the same store (on new ports)."""
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

    # ---- what it says

    def log(self):
        """All lines that this daemon logged, over its restarts."""
        return self._logs + (self.process.stderr.all() if self.process else [])

    def leaks(self):
        """Lines of the log with a secret that this daemon was given, or an address of a webhook or a customer in full."""
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
        """A place in the log of the running process, for wait_log(since=…)."""
        return len(self.process.stderr.all())

    def wait_log(self, pattern, since=0, timeout=None):
        """Waits for a line of the running process (or one that is there already); returns the match."""
        found = self.process.stderr.wait(pattern, since, timeout)
        assert found, f"no line like {pattern!r} in the log:\n{self.report()}"
        return found

    @property
    def token_file(self):
        """Where the daemon keeps the admin token that it makes: beside its store."""
        store = self.config.get("store")
        url = store.get("url") if isinstance(store, dict) else store
        return (self.dir / (url or "").removeprefix("sqlite:")).parent / "admin-token"

    @property
    def token(self):
        """The admin token that the daemon made; None where it has made none (admin.token is configured)."""
        return self.token_file.read_text().strip() if self.token_file.exists() else None

    def api(self, path, method="GET", body=None, headers=None):
        """A request to the admin address, with the token that the daemon made; {"Authorization": None} leaves it out. A
        read that was interrupted is asked for again."""
        token = self.token
        shown = {"Authorization": f"Bearer {token}"} if token else {}
        asked = []

        def answered():
            asked[:] = [request(self.admin, method, path, body, {**shown, **(headers or {})})]
            return asked[0].status != 503 or TOOK_LONGER not in asked[0].text

        wait_for(answered, what=path)
        return asked[0]

    def metrics(self):
        """(name, ((label, value), …) in order of label) → number, as /metrics shows them now."""
        series = {}
        for line in self.api("/metrics").text.splitlines():
            found = re.fullmatch(r"([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)", line)
            if found:
                labels = re.findall(r'(\w+)="((?:[^"\\]|\\.)*)"', found.group(2) or "")
                series[(found.group(1), tuple(sorted(labels)))] = float(found.group(3))
        return series

    def is_sanitized(self):
        """Whether a sanitizer is its allocator."""
        return "san.so" in pathlib.Path(f"/proc/{self.process.pid}/maps").read_text(encoding="utf-8")

    def metric(self, name, **labels):
        """The sum of all series of that name that carry these labels; 0 where there is none."""
        wanted = set(labels.items())
        return sum(value for (n, have), value in self.metrics().items() if n == name and wanted <= set(have))

    def wait_metric(self, name, value, timeout=None, **labels):
        """Waits until a metric is at least value."""
        what = f"{name}{labels} >= {value}"
        return wait_for(lambda: self.metric(name, **labels) >= value, timeout, what)

    # ---- what goes in

    def post(self, source, body, headers=None, auth=(WEBHOOK_USER, WEBHOOK_PASSWORD), query="", method="POST"):
        """A webhook: body as a dict (sent as JSON), text or bytes. auth=None sends no proof. Returns a Response."""
        send = {"Content-Type": "application/json"}
        if auth:
            send["Authorization"] = basic(*auth)
        path = f"/webhooks/{source}" + (f"?{query}" if query else "")
        if isinstance(body, dict):
            body = json.dumps(body)
        self._addresses |= addresses_in(body if isinstance(body, str) else body.decode("utf-8", "replace"))
        return request(self.address, method, path, body, {**send, **(headers or {})})

    def post_proven(self, preset, body, source=None, query="", headers=None, **proof):
        """post() with prove(): a body as the helpdesk of that preset would send it. A dict or a list is sent as JSON."""
        if isinstance(body, (dict, list)):
            body = json.dumps(body)
        proof_headers, proof_query = prove(preset, body, **proof)
        query = "&".join(part for part in (query, proof_query) if part)
        return self.post(source or preset, body, {**proof_headers, **(headers or {})}, auth=None, query=query)

    def webhooks(self):
        """The kept webhooks, the oldest first: id, source, state, transition, conversation, wait, reason."""
        return self.api("/api/webhooks?limit=500").json()[::-1]

    def wait_webhooks(self, n, timeout=None):
        """Waits until n webhooks are kept and none of them is pending."""

        def ended():
            rows = self.webhooks()
            return len(rows) >= n and not any(row["state"] == "pending" for row in rows)

        wait_for(ended, timeout, f"{n} webhooks that came to their end")
        return self.webhooks()

    def wait_decided(self, timeout=None):
        """Waits until no webhook is pending, as the store has it: gauges of /metrics follow later."""
        wait_for(lambda: self._has_none("webhooks?state=pending"), timeout, "no pending webhook")

    def wait_idle(self, timeout=None):
        """Waits until no webhook is pending and no event is ready, as the store has it."""
        kinds = ("webhooks?state=pending", "events?state=ready")
        wait_for(lambda: all(map(self._has_none, kinds)), timeout, "no pending webhook and no ready event")

    def _has_none(self, kind):
        return self.api(f"/api/{kind}&limit=1").json() == []

    def accepted(self, source, body, **kwargs):
        """post(), which must be answered `accepted`; returns the webhook's id."""
        answer = self.post(source, body, **kwargs)
        assert answer.status == 200 and answer.json()["status"] == "accepted", answer
        return answer.json().get("webhook")

    def connect(self):
        """A bare connection to the intake, for broken HTTP. Close it."""
        host, port = self.address.rsplit(":", 1)
        return socket.create_connection((host, int(port)), TIMEOUT)

    def command(self, *args, **kwargs):
        """Runs a command with this daemon's configuration file, to its end: see run(). One that asks the daemon is run
        again where the daemon's read was interrupted."""
        ended = []

        def answered():
            ended[:] = [run("-c", self.file, *args, **kwargs)]
            return TOOK_LONGER not in ended[0].stderr

        wait_for(answered, what=" ".join(map(str, args)))
        return ended[0]

    def ask(self, *args, **kwargs):
        """Runs a command that asks the running daemon (status, queue list): it is told the real admin address."""
        return self.command(*args, "--admin", self.admin, **kwargs)


class Stage:
    """Makes the pieces of a test, keeps them, and takes them down again in reverse order."""

    def __init__(self):
        self._pieces = []

    def _keep(self, piece):
        self._pieces.append(piece)
        return piece

    def sandbox(self, *args, **kwargs):
        return self._keep(Sandbox(*args, **kwargs))

    def gladly(self, tls=None):
        return self._keep(Gladly(tls))

    def helpdesk(self):
        return self._keep(Helpdesk())

    def clock(self, ahead=0):
        return self._keep(Clock(ahead))

    def address(self):
        """An address for a daemon that gives it up and takes it again: nobody else gets the port meanwhile."""
        return self._keep(HeldPort()).address

    def slow_disk(self):
        return self._keep(SlowDisk())

    def daemon(self, *args, **kwargs):
        """Daemon(…); kept before it starts, so that one that does not come up is cleaned away too."""
        start = kwargs.pop("start", True)
        daemon = self._keep(Daemon(*args, start=False, **kwargs))
        return daemon.start() if start else daemon

    def close(self):
        problems = []
        while self._pieces:
            try:
                self._pieces.pop().close()
            except Exception as problem:
                problems.append(f"{type(problem).__name__}: {problem}")
        assert not problems, "\n".join(problems)

    def reports(self):
        return [(type(piece).__name__, piece.report()) for piece in self._pieces]
