# SPDX-License-Identifier: MIT
"""The pieces of the benches: a daemon and a sandbox as processes, a configuration with one source, and bounded
waiting."""
import re
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

CONFIG = """\
version: 1
listen: {{address: "127.0.0.1:0", max_connections: 1024}}
admin: 127.0.0.1:0
store: {{url: "sqlite:{home}/bench.db", max_size: 16GiB}}
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
    authenticate: {{method: bearer, secret: bench-secret}}
    definition:
      label: Bench
      verified: live
      authenticate: {{method: bearer}}
      delivery: /id
      opened: {{/type: opened}}
      closed: {{/type: closed}}
      conversation: /conversation
      time: /timestamp
      emails: /email
"""


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def get(url):
    with urllib.request.urlopen(url, timeout=60) as answer:
        return answer.read().decode()


def wait_for(what, seconds=30):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = what()
        if value is not None and value is not False:
            return value
        time.sleep(0.02)
    sys.exit("bench: waited too long")


def program(build):
    """Returns the daemon of a build tree."""
    file = build.resolve() / "deskbridge"
    if not file.exists():
        sys.exit(f"bench: {file} is not there: mkdir build-bench && cd build-bench && ../configure && make")
    return str(file)


class Process:
    def __init__(self, *argv, **options):
        self.log = tempfile.TemporaryFile("w+")
        self.p = subprocess.Popen(argv, stdout=self.log, stderr=subprocess.STDOUT, **options)

    def found(self, pattern):
        def look():
            self.log.seek(0)
            m = re.search(pattern, self.log.read())
            if not m and self.p.poll() is not None:
                self.log.seek(0)
                sys.exit("bench: it ended: " + self.log.read())
            return m.group(1) if m else None
        return wait_for(look)

    def rss_mib(self):
        for line in Path(f"/proc/{self.p.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS"):
                return int(line.split()[1]) / 1024

    def stop(self):
        if self.p.stdin:
            self.p.stdin.close()
        else:
            self.p.terminate()
        self.p.wait(30)


class Sandbox(Process):
    def __init__(self, program):
        super().__init__(program, "sandbox", "--listen", "127.0.0.1:0", "--no-quota", "--quiet")
        self.url = self.found(r"sandbox on (http://\S+)")


class Daemon(Process):
    """A daemon. more: lines after CONFIG, of the definition (six blanks) or of the source (four). under: a command that
    starts the program."""

    def __init__(self, program, home, klaviyo, hold, more="", under=()):
        file = Path(home) / "bench.yaml"
        file.write_text(CONFIG.format(home=home, klaviyo=klaviyo, hold=str(hold).lower()) + more)
        file.chmod(0o600)
        super().__init__(*under, program, "-c", str(file), "serve")
        self.admin = "http://" + self.found(r"admin on (\S+)")
        self.url = "http://" + self.found(r"listening on (\S+)") + "/webhooks/bench"

    def metric(self, pattern):
        return sum(float(m) for m in re.findall("^" + pattern + r" ([0-9.e+]+)$", get(self.admin + "/metrics"), re.M))
