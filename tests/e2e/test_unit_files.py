# SPDX-License-Identifier: MIT
"""The units for systemd: their settings, systemd's own check of them, and the daemon's part."""

import contextlib
import ctypes
import os
import pathlib
import re
import select
import shutil
import socket
import sqlite3
import subprocess
import sys
import time

import pytest

from harness import PRESETS, PROGRAM, TIMEOUT, WEBHOOK_PASSWORD, WEBHOOK_USER, basic, gladly_webhook, request

SOURCE = pathlib.Path(os.environ.get("TEST_SRCDIR", pathlib.Path(__file__).resolve().parents[1])).resolve().parent
SYSCONFDIR, BINDIR = "/etc", "/usr/bin"

needs_analyze = pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="no systemd-analyze")


def unit(name):
    """Returns the text of a unit, as built, or else made from the tree's template."""
    built = pathlib.Path(shutil.which(PROGRAM)).resolve().parent / "systemd" / name
    if built.exists():
        return built.read_text(encoding="utf-8")
    template = SOURCE / "systemd" / (name + ".in")
    if not template.exists():
        pytest.skip(f"neither {built} nor {template}")
    text = template.read_text(encoding="utf-8")
    return text.replace("@bindir@", BINDIR).replace("@sysconfdir@", SYSCONFDIR)


def keys(name):
    """Returns [(section, key, value)] as systemd reads them."""
    found, section = [], None
    for line in unit(name).splitlines():
        if line.startswith("["):
            section = line.strip("[]")
        elif line and line[0] not in "#;":
            key, equals, value = line.partition("=")
            assert equals and section, line
            found.append((section, key, value))
    return found


def value(name, section, key):
    values = [v for s, k, v in keys(name) if (s, k) == (section, key)]
    assert len(values) == 1, f"{key}= stands {len(values)} times"
    return values[0]


@pytest.mark.parametrize(
    "key, wanted",
    [
        ("Type", "notify"),
        ("WatchdogSec", r"\d+s"),
        ("ExecStart", r"/\S+/bin/deskbridge -c /\S+/deskbridge/deskbridge\.yaml serve"),
        ("StateDirectory", "deskbridge"),
        ("StateDirectoryMode", "0750"),
        ("RuntimeDirectory", "deskbridge"),
        ("RuntimeDirectoryMode", "0755"),
        ("RuntimeDirectoryPreserve", "yes"),
        ("RestartPreventExitStatus", "78"),
        ("Restart", "on-failure"),
        ("User", "deskbridge"),
        ("NoNewPrivileges", "yes"),
        ("ProtectSystem", "strict"),
        ("CapabilityBoundingSet", ""),
        ("UMask", "0077"),
    ],
)
def test_the_service_says(key, wanted):
    assert re.fullmatch(wanted, value("deskbridge.service", "Service", key))


def test_a_reload_is_the_daemons_verdict_asked_for_with_its_own_rights():
    start = value("deskbridge.service", "Service", "ExecStart")
    assert value("deskbridge.service", "Service", "ExecReload") == re.sub(r" serve$", " reload", start)


def test_it_starts_only_where_it_is_configured():
    condition = value("deskbridge.service", "Unit", "ConditionPathExists")
    assert value("deskbridge.service", "Service", "ExecStart").split()[2] == condition
    assert condition.endswith("/deskbridge/deskbridge.yaml")


def test_it_waits_for_no_network():
    said = [v for _, k, v in keys("deskbridge.service") if k in ("After", "Wants", "Requires", "BindsTo")]
    assert not any("network-online" in v for v in said)


def test_there_is_time_to_stop_and_room_for_connections():
    stop = value("deskbridge.service", "Service", "TimeoutStopSec")
    assert int(stop.rstrip("s")) > 10, "the daemon takes up to 10 s"
    assert int(value("deskbridge.service", "Service", "LimitNOFILE")) > 2 * 1024


def test_nothing_is_left_to_be_filled_in():
    for name in ("deskbridge.service", "deskbridge.socket"):
        assert "@" not in re.sub(r"@(system-service|privileged|resources)", "", unit(name)) and "${" not in unit(name)


def test_the_socket_passes_what_the_daemon_takes():
    assert value("deskbridge.socket", "Socket", "ListenStream") == "127.0.0.1:8085"
    assert value("deskbridge.socket", "Socket", "FileDescriptorName") == "listen"
    assert ("Install", "WantedBy", "sockets.target") in keys("deskbridge.socket")
    assert ("Install", "WantedBy", "multi-user.target") in keys("deskbridge.service")


def test_the_user_is_made_by_sysusers():
    file = SOURCE / "systemd" / "deskbridge.conf"
    if not file.exists():
        pytest.skip("no source tree")
    lines = [line for line in file.read_text().splitlines() if line and not line.startswith("#")]
    assert len(lines) == 1 and re.fullmatch(r'u deskbridge - "[^"]+" /var/lib/deskbridge', lines[0])


@pytest.fixture
def units(tmp_path):
    """Both units in a folder, with the built program in place of the installed one."""
    for name in ("deskbridge.service", "deskbridge.socket"):
        program = pathlib.Path(shutil.which(PROGRAM)).resolve()
        (tmp_path / name).write_text(re.sub(r"^(Exec\w+)=\S+", rf'\1="{program}"', unit(name), flags=re.M))
    return tmp_path


@needs_analyze
@pytest.mark.parametrize("name", ["deskbridge.service", "deskbridge.socket"])
def test_systemd_reads_the_unit_without_a_complaint(units, name):
    ended = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", units / name], capture_output=True, text=True, timeout=TIMEOUT
    )
    complaints = [line for line in ended.stderr.splitlines() if "deskbridge" in line]
    assert complaints == [] and ended.returncode == 0, ended.stderr


@needs_analyze
def test_the_service_exposes_little(units):
    ended = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--no-pager", units / "deskbridge.service"],
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
    )
    if "unrecognized option" in ended.stderr or "Unknown" in ended.stderr:
        pytest.skip("this systemd-analyze cannot look at files")
    found = re.search(r"Overall exposure level for deskbridge\.service: ([0-9.]+)", ended.stdout)
    assert found, ended.stderr
    assert float(found[1]) < 2.0


# ---- the daemon's part


class Manager:
    """The service manager's end of the notification socket."""

    def __init__(self, path):
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(path))
        self._socket.settimeout(TIMEOUT)
        self.env = {"NOTIFY_SOCKET": str(path)}

    def next(self):
        """Returns the lines of the next message."""
        return self._socket.recv(65536).decode().splitlines()

    def wait(self, line):
        """Waits for a message with this line, and returns its lines."""
        while True:
            lines = self.next()
            if line in lines:
                return lines

    def forget(self):
        """Discards the messages that have come so far."""
        while select.select([self._socket], [], [], 0)[0]:
            self._socket.recv(65536)

    def quiet_for(self, seconds, but):
        """Fails where more than `but` messages come within these seconds."""
        end, heard = time.monotonic() + seconds, []
        while (left := end - time.monotonic()) > 0:
            if select.select([self._socket], [], [], left)[0]:
                heard.append(self._socket.recv(65536).decode())
                assert len(heard) <= but, heard

    def close(self):
        self._socket.close()


@pytest.fixture
def manager(tmp_path):
    made = Manager(tmp_path / "notify")
    yield made
    made.close()


def test_ready_is_told_once_it_listens_and_stopping_when_it_stops(stage, sandbox, manager):
    daemon = stage.daemon(sandbox, env=manager.env, start=False)
    daemon.start(ready=False)
    lines = manager.wait("READY=1")
    address = re.search(r"STATUS=listening on (\S+), admin on (\S+)", "\n".join(lines))
    with socket.create_connection(address[1].rsplit(":", 1), TIMEOUT):
        pass
    assert daemon.stop() == 0
    assert any(line.startswith("STATUS=stopping") for line in manager.wait("STOPPING=1"))


def test_a_store_that_is_brought_forward_for_long_gets_more_time_and_says_how_far_it_is(stage, sandbox, manager):
    disk = stage.slow_disk()
    daemon = stage.daemon(sandbox, env={**manager.env, **disk.env}, start=False)
    with contextlib.closing(sqlite3.connect(daemon.dir / "deskbridge.db")) as store, store:
        store.executescript((SOURCE / "tests" / "data" / "store" / "schema-5.sql").read_text(encoding="utf-8"))
    disk.set(0.7)
    daemon.start(ready=False)
    for _ in range(2):
        lines = manager.wait("EXTEND_TIMEOUT_USEC=60000000")
        assert any(line.startswith("STATUS=opening the store: ") for line in lines)
    daemon.wait_log(r"notice the store \S+deskbridge.db is not open yet: \w")
    disk.set(0)
    manager.wait("READY=1")
    assert daemon.stop() == 0
    # The next start has nothing to do.
    manager.forget()
    daemon.start()
    assert not any(line.startswith("EXTEND_TIMEOUT_USEC=") for line in manager.wait("READY=1"))
    assert not [line for line in daemon.log() if "is not open yet" in line]


def test_the_status_line_says_what_is_parked_or_paused_and_when_it_is_over(stage, sandbox, gladly, manager):
    def wait_status(pattern):
        while True:
            for line in manager.next():
                if re.fullmatch(pattern, line):
                    return

    listening = r"listening on \S+, admin on \S+"
    gladly.customers["cust-1"] = ["jo@example.com"]
    sandbox.fault("status=401")
    daemon = stage.daemon(sandbox, gladly, env=manager.env)
    manager.wait("READY=1")
    daemon.accepted("gladly", gladly_webhook("opened", "conv-1", at=time.time() - 1))
    wait_status(rf"STATUS=account default: .* \(401\); {listening}")
    sandbox.clear_faults()
    sandbox.fault("status=429,retry-after=86400")
    daemon.reload()
    wait_status(rf"STATUS=account default: .* \(401\); paused by Klaviyo's Retry-After until 20\S+Z; {listening}")
    sandbox.clear_faults()
    daemon.reload()
    wait_status(rf"STATUS={listening}")
    sandbox.wait_events(1)


def test_a_reload_is_told_from_begin_to_end(stage, sandbox, manager):
    daemon = stage.daemon(sandbox, env=manager.env)
    manager.wait("READY=1")
    for text in (None, "version: 2\n"):
        if text:
            daemon.write(text)
        daemon.reload()
        assert any(re.fullmatch(r"MONOTONIC_USEC=\d+", line) for line in manager.wait("RELOADING=1"))
        manager.wait("READY=1")
    daemon.configure()


def test_a_configuration_that_does_not_load_is_never_ready(stage, sandbox, manager):
    daemon = stage.daemon(sandbox, env=manager.env, text="version: 2\n", start=False)
    daemon.start(ready=False)
    assert daemon.wait_exit() == 78
    manager._socket.setblocking(False)
    with pytest.raises(BlockingIOError):
        manager._socket.recv(65536)


def test_the_watchdog_is_fed_while_both_loops_answer(stage, sandbox, manager):
    daemon = stage.daemon(sandbox, env={**manager.env, "WATCHDOG_USEC": "400000"}, start=False)
    daemon.start()
    for _ in range(3):
        manager.wait("WATCHDOG=1")
    assert daemon.stop() == 0


class Frozen:
    """One thread of a process, stopped by ptrace(2). All other threads continue."""

    SEIZE, INTERRUPT, DETACH, WALL = 0x4206, 0x4207, 17, 0x40000000

    def __init__(self, pid, name):
        tasks = pathlib.Path(f"/proc/{pid}/task").iterdir()
        (self._id,) = (int(task.name) for task in tasks if (task / "comm").read_text().strip() == name)
        self._libc = ctypes.CDLL(None, use_errno=True)
        if self._ptrace(self.SEIZE) < 0:
            pytest.skip(f"threads cannot be traced here: {os.strerror(ctypes.get_errno())}")
        assert self._ptrace(self.INTERRUPT) == 0
        assert os.waitpid(self._id, self.WALL)[0] == self._id

    def _ptrace(self, request):
        self._libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
        return self._libc.ptrace(request, self._id, None, None)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        assert self._ptrace(self.DETACH) == 0


def is_quiet_while_frozen(manager, pid, loop):
    """Freezes a thread. Returns false where it was in a disk call, which counts as alive for a minute."""
    with Frozen(pid, loop):
        # A slow test may have left so many unread messages that the socket is full. Then one waits in the call that
        # sends it and one behind that, and one more may be in flight. After that three times systemd's limit passes
        # without another.
        manager.forget()
        try:
            manager.quiet_for(0.8, but=3)
        except AssertionError:
            return False
        manager.quiet_for(1.2, but=0)
    return True


@pytest.mark.parametrize("loop", ["pipeline", "courier"])
def test_the_watchdog_is_not_fed_while_one_loop_hangs(stage, sandbox, manager, loop):
    daemon = stage.daemon(sandbox, env={**manager.env, "WATCHDOG_USEC": "400000"})
    manager.wait("WATCHDOG=1")
    # A turn of the pipeline follows each message, so a thread may be frozen in its disk call.
    assert any(is_quiet_while_frozen(manager, daemon.process.pid, loop) for _ in range(5))
    manager.wait("WATCHDOG=1")
    assert daemon.stop() == 0


ACTIVATE = """\
import fcntl, os, sys
fds = [fcntl.fcntl(int(fd), fcntl.F_DUPFD, 50) for fd in sys.argv[1].split(",")]
for i, fd in enumerate(fds):
    os.dup2(fd, 3 + i, inheritable=True)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS=str(len(fds)), LISTEN_FDNAMES=sys.argv[2])
os.execv(sys.argv[3], sys.argv[3:])
"""


def activated(daemon, sockets, names):
    """Starts the daemon as systemd would, with these listening sockets under these names."""
    fds = [passed.fileno() for passed in sockets]
    words = [sys.executable, "-c", ACTIVATE, ",".join(map(str, fds)), ":".join(names)]
    return subprocess.Popen(
        [*words, shutil.which(PROGRAM), "-c", daemon.file, "serve"],
        pass_fds=fds,
        env={**os.environ, "DESKBRIDGE_PRESETS": PRESETS},
        stderr=subprocess.PIPE,
        text=True,
    )


def listening():
    return socket.create_server(("127.0.0.1", 0), backlog=16)


def test_both_addresses_may_come_from_systemd(stage, sandbox):
    daemon = stage.daemon(sandbox, config={"listen": "127.0.0.1:9", "admin": "127.0.0.1:10"}, start=False)
    with listening() as listen, listening() as admin:
        process = activated(daemon, [admin, listen], ["admin", "listen"])
        try:
            # The kernel accepts the connections even before the daemon runs.
            assert request("127.0.0.1:%d" % admin.getsockname()[1], "GET", "/healthz").status == 200
            assert request("127.0.0.1:%d" % listen.getsockname()[1], "HEAD", "/webhooks/gladly").status == 200
        finally:
            process.terminate()
            _, log = process.communicate(timeout=TIMEOUT)
        assert process.returncode == 0, log


def test_several_sockets_from_systemd_serve_the_same(stage, sandbox, gladly):
    """A socket unit may have ListenStream= twice, for IPv4 and IPv6. Limits count for all sockets together."""
    daemon = stage.daemon(sandbox, gladly, config={"listen": "127.0.0.1:9", "admin": "127.0.0.1:10"}, start=False)
    families = [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")]
    listeners = [socket.create_server((host, 0), family=family, backlog=16) for family, host in families]
    admins = [socket.create_server((host, 0), family=family, backlog=16) for family, host in families]
    ports = [passed.getsockname()[1] for passed in (*listeners, *admins)]
    process = activated(daemon, [*listeners, *admins], ["listen", "listen", "admin", "admin"])
    try:
        for i, (host, port) in enumerate(zip(("127.0.0.1", "[::1]"), ports[:2])):
            headers = {"Authorization": basic(WEBHOOK_USER, WEBHOOK_PASSWORD)}
            body = gladly_webhook("opened", f"c-{i}")
            answer = request(f"{host}:{port}", "POST", "/webhooks/gladly", body, headers)
            assert answer.json()["status"] == "accepted"
        for host, port in zip(("127.0.0.1", "[::1]"), ports[2:]):
            assert 'result="accepted"} 2' in request(f"{host}:{port}", "GET", "/metrics").text
    finally:
        process.terminate()
        _, log = process.communicate(timeout=TIMEOUT)
    assert process.returncode == 0, log
    assert f"listening on 127.0.0.1:{ports[0]} and [::1]:{ports[1]}" in log
    # systemd's copies stay open.
    for passed in (*listeners, *admins):
        socket.create_connection(passed.getsockname()[:2], TIMEOUT).close()
        passed.close()


def test_sockets_too_many_are_1_and_told(stage, sandbox):
    daemon = stage.daemon(sandbox, start=False)
    sockets = [listening() for _ in range(9)]
    process = activated(daemon, sockets, ["listen"] * 9)
    _, log = process.communicate(timeout=TIMEOUT)
    for passed in sockets:
        passed.close()
    assert process.returncode == 1 and "more than 8 sockets" in log


def test_what_is_no_listening_socket_is_1_and_told(stage, sandbox):
    daemon = stage.daemon(sandbox, start=False)
    left, right = socket.socketpair()
    with left, right:
        process = activated(daemon, [left], ["listen"])
        _, log = process.communicate(timeout=TIMEOUT)
    assert process.returncode == 1 and "check the socket unit" in log
