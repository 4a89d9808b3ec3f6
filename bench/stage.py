# SPDX-License-Identifier: MIT
"""The pieces of the benches: a daemon, a sandbox, a far end and a bare server as processes, a configuration with one
source, and bounded waiting."""
import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

BEARER = "{method: bearer, secret: bench-secret}"
HMAC_KEY = "bench-signing-secret"
HMAC = '{method: hmac, header: X-Signature, format: "sha256={signature}", secret: ' + HMAC_KEY + "}"
NOWHERE = "http://127.0.0.1:9"
CONFIG = """\
version: 1
listen: {{address: "127.0.0.1:0", max_connections: 1024, max_memory: {memory}}}
admin: 127.0.0.1:0
store: {{url: "sqlite:{home}/bench.db", max_size: 32GiB}}
log: {{level: info, format: text}}
klaviyo:
  url: {klaviyo}
  api_key: pk_sandbox_bench
  hold: {hold}
  person_gap: 0s
  quota: {{single: {{second: 1000000, minute: 1000000}}}}
  quota_share: 1
sources:
  bench:
    authenticate: {proof}
    definition:
      label: Bench
      verified: live
      authenticate: {{method: bearer}}
      delivery: /id
      opened: {{/type: opened}}
      closed: {{/type: closed}}
      conversation: /conversation
      time: /timestamp
      emails: {emails}
"""
TICKS = os.sysconf("SC_CLK_TCK")


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def get(url):
    with urllib.request.urlopen(url, timeout=60) as answer:
        return answer.read().decode()


def wait_for(what, seconds=30, pause=0.02):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = what()
        if value is not None and value is not False:
            return value
        time.sleep(pause)
    sys.exit("bench: waited too long")


def program(build):
    """Returns the daemon of a build tree."""
    file = build.resolve() / "deskbridge"
    if not file.exists():
        sys.exit(f"bench: {file} is not there: mkdir build-bench && cd build-bench && ../configure && make")
    return str(file)


class Process:
    """A program that runs until stop(), or until the end of its `with`."""

    def __init__(self, *argv, **options):
        self.log = tempfile.TemporaryFile("w+")
        self.p = subprocess.Popen(argv, stdout=self.log, stderr=subprocess.STDOUT, **options)

    def __enter__(self):
        return self

    def __exit__(self, *how):
        self.stop()

    def must_run(self):
        if self.p.poll() is not None:
            self.log.seek(0)
            sys.exit(f"bench: {self.p.args[0]} ended: {self.log.read()}")

    def found(self, pattern, seconds=30):
        def look():
            self.log.seek(0)
            m = re.search(pattern, self.log.read())
            if not m:
                self.must_run()
            return m.group(1) if m else None
        return wait_for(look, seconds)

    def memory_mib(self, name):
        text = Path(f"/proc/{self.p.pid}/status").read_text()
        return int(re.search(rf"^{name}:\s+(\d+)", text, re.M).group(1)) / 1024

    def rss_mib(self):
        return self.memory_mib("VmRSS")

    def peak_mib(self):
        return self.memory_mib("VmHWM")

    def cpu_s(self):
        """Returns the time on processors, user and system, of all threads."""
        fields = Path(f"/proc/{self.p.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def wakeups(self):
        """Returns {thread: number of waits that ended}."""
        found = {}
        for task in Path(f"/proc/{self.p.pid}/task").iterdir():
            text = (task / "status").read_text()
            name = re.search(r"^Name:\s+(.*)", text).group(1) + "/" + task.name
            found[name] = int(re.search(r"^voluntary_ctxt_switches:\s+(\d+)", text, re.M).group(1))
        return found

    def stop(self):
        if self.p.poll() is not None:
            return
        if self.p.stdin:
            self.p.stdin.close()
        else:
            self.p.terminate()
        try:
            self.p.wait(60)
        except subprocess.TimeoutExpired:
            self.p.kill()
            self.p.wait()


class Sandbox(Process):
    def __init__(self, program):
        super().__init__(program, "sandbox", "--listen", "127.0.0.1:0", "--no-quota", "--quiet")
        self.url = self.found(r"sandbox on (http://\S+)")


class Server(Process):
    """A program of bench/ that listens on a port: bare or farend."""

    def __init__(self, file, *arguments, port=0):
        port = port or free_port()
        super().__init__(str(file), str(port), *arguments, stdin=subprocess.PIPE)
        self.url = f"http://127.0.0.1:{port}"
        wait_for(self.answers)

    def answers(self):
        self.must_run()
        try:
            get(self.url + "/stats")
        except urllib.error.HTTPError:
            pass
        except OSError:
            return False
        return True

    def stats(self):
        return json.loads(get(self.url + "/stats"))


class Daemon(Process):
    """A daemon. more: lines after CONFIG, of the definition (six blanks) or of the source (four). under: a command that
    starts the program. proof, emails, memory: values of CONFIG. start_s: the time until /readyz answers 200."""

    def __init__(self, program, home, klaviyo, hold, more="", under=(), proof=BEARER, emails="/email", memory="64MiB"):
        file = Path(home) / "bench.yaml"
        values = {"home": home, "klaviyo": klaviyo, "hold": str(hold).lower(), "proof": proof, "emails": emails}
        file.write_text(CONFIG.format(memory=memory, **values) + more)
        file.chmod(0o600)
        began = time.monotonic()
        super().__init__(*under, program, "-c", str(file), "serve")
        self.admin = "http://" + self.found(r"admin on (\S+)", 120)
        self.url = "http://" + self.found(r"listening on (\S+)", 120) + "/webhooks/bench"
        wait_for(self.ready, 120, 0.005)
        self.start_s = time.monotonic() - began

    def ready(self):
        try:
            get(self.admin + "/readyz")
        except OSError:
            return False
        return True

    def metric(self, pattern):
        return sum(float(m) for m in re.findall("^" + pattern + r" ([0-9.e+]+)$", get(self.admin + "/metrics"), re.M))

    def received(self):
        return self.metric(r"deskbridge_webhooks_total\{.*\}")

    def accepted(self):
        return self.metric(r'deskbridge_webhooks_total\{.*result="accepted"\}')

    def processed(self):
        return self.metric(r"deskbridge_webhook_results_total\{.*\}")

    def delivered(self):
        return self.metric(r'deskbridge_deliveries_total\{.*outcome="delivered".*\}')

    def queued(self):
        """Returns the number of undelivered events. The daemon writes this gauge once a second."""
        return self.metric(r'deskbridge_queue_events\{account="default",state="ready"\}')
