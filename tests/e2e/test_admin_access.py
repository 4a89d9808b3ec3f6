# SPDX-License-Identifier: MIT
"""Access to the admin address: the token that the daemon creates, hosts and origins, unix sockets, and the commands."""

import http.client
import json
import os
import pathlib
import re
import shutil
import socket
import stat
import subprocess

import pytest

from harness import HANG, PRESETS, PROGRAM, TIMEOUT, Response, gladly_webhook, run, user_group, wait_for
from test_unit_files import activated

OPEN = ["/healthz", "/readyz", "/metrics"]
API = ["/api/status", "/api/events", "/api/webhooks"]
COMMANDS = [["status"], ["status", "--json"], ["queue", "list"], ["queue", "list", "--json"], ["reload"]]


def reachable(user):
    """True where another user can run the program under test."""
    program = pathlib.Path(shutil.which(PROGRAM)).resolve()
    return os.geteuid() == 0 and shutil.which("setpriv") and all(p.stat().st_mode & 0o001 for p in (program, *program.parents))


needs_another_user = pytest.mark.skipif(not reachable("nobody"), reason="needs root, setpriv, and a build that other users may enter (one below /root is closed to them)")


def as_nobody(*words, groups=None):
    rights = ["--groups", ",".join(groups)] if groups else ["--clear-groups"]
    who = ["setpriv", "--reuid", "nobody", "--regid", user_group("nobody"), *rights, shutil.which(PROGRAM)]
    env = {**os.environ, "DESKBRIDGE_PRESETS": PRESETS, "SYSTEMD_UNIT_PATH": "/nonexistent"}
    return subprocess.run([*who, *map(str, words)], capture_output=True, text=True, env=env, timeout=HANG)


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


# ---- the token that the daemon creates


@pytest.mark.parametrize("path", API)
def test_without_a_configured_token_the_api_wants_the_made_one(daemon, path):
    assert daemon.api(path).status == 200
    for shown in (None, "Bearer ", "Bearer x", f"Bearer {daemon.token}x", f"Bearer {daemon.token[:-1]}", f"Basic {daemon.token}"):
        answer = daemon.api(path, headers={"Authorization": shown})
        assert answer.status == 401 and answer.headers["www-authenticate"] == "Bearer"
        assert answer.headers["connection"] == "close" and daemon.token not in answer.text


def test_a_reload_wants_it_too(daemon):
    assert daemon.api("/api/reload", "POST", headers={"Authorization": None}).status == 401
    assert daemon.metric("deskbridge_config_reloads_total") == 0
    assert daemon.api("/api/reload", "POST").status == 200


def test_health_and_metrics_are_open_to_every_host(daemon):
    for path in OPEN:
        for host in ("evil.example", "", "x y", daemon.admin):
            answer = daemon.api(path, headers={"Authorization": None, "Host": host, "Origin": "http://evil.example"})
            assert answer.status == 200, (path, host)


def test_the_made_token_is_the_groups_to_read(daemon):
    assert mode(daemon.token_file) == 0o640
    assert (daemon.token_file.stat().st_uid, daemon.token_file.stat().st_gid) == (os.geteuid(), os.getegid())
    assert re.fullmatch(r"[0-9a-f]{64}\n", daemon.token_file.read_text())
    assert not list(daemon.dir.glob(".admin-token*"))
    daemon.wait_log(f"an admin token was made .*: {daemon.token_file}$")


def test_the_umask_changes_nothing_of_its_mode(stage, sandbox):
    daemon = stage.daemon(sandbox, start=False)
    former = os.umask(0o077)
    try:
        daemon.start()
    finally:
        os.umask(former)
    assert mode(daemon.token_file) == 0o640


def test_two_daemons_make_two_tokens(stage, sandbox):
    assert stage.daemon(sandbox).token != stage.daemon(sandbox).token


def test_it_is_kept_over_restarts(daemon):
    token, before = daemon.token, daemon.token_file.stat()
    daemon.restart()
    after = daemon.token_file.stat()
    assert daemon.token == token and (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert daemon.api("/api/status").status == 200
    assert not any("token was made" in line for line in daemon.process.stderr.all())


def test_a_file_that_is_there_is_taken_and_never_overwritten(stage, sandbox):
    daemon = stage.daemon(sandbox, start=False)
    daemon.token_file.write_text("a token of my own\n")
    daemon.token_file.chmod(0o600)
    daemon.start()
    assert daemon.api("/api/status", headers={"Authorization": "Bearer a token of my own"}).status == 200
    assert daemon.token_file.read_text() == "a token of my own\n" and mode(daemon.token_file) == 0o600


def test_daemons_that_start_at_once_in_one_folder_share_one_token(stage, sandbox):
    one = stage.daemon(sandbox, start=False)
    others = [stage.daemon(sandbox, start=False) for _ in range(3)]
    for n, other in enumerate(others):
        other.configure({"store": f"sqlite:{one.dir}/other-{n}.db"})
    for daemon in (one, *others):
        daemon.start(ready=False)
    for daemon in (one, *others):
        daemon.admin = daemon.wait_log(r"admin on (\S+:\d+)").group(1)
    assert {daemon.token_file for daemon in (one, *others)} == {one.dir / "admin-token"}
    assert [daemon.api("/api/status").status for daemon in (one, *others)] == [200] * 4
    assert not list(one.dir.glob(".admin-token*"))


def test_a_token_that_others_can_read_is_closed_and_told(stage, sandbox):
    daemon = stage.daemon(sandbox, start=False)
    daemon.token_file.write_text("a token of my own\n")
    daemon.token_file.chmod(0o644)
    said = daemon.command("check").stdout
    assert f"admin: warning: every account of this machine can read the token {daemon.token_file}" in said
    daemon.start()
    assert mode(daemon.token_file) == 0o640
    daemon.wait_log(f"could read the admin token {daemon.token_file}.*delete the file and restart")
    assert daemon.api("/api/status").status == 200
    assert "every account" not in daemon.command("check").stdout


@pytest.mark.parametrize("text", ["", "\n", "two\nlines\n"])
def test_a_file_without_a_token_closes_the_api_alone_and_says_what_to_do(stage, sandbox, gladly, text):
    gladly.customers["cust-1"] = ["jo@example.com"]
    daemon = stage.daemon(sandbox, gladly, start=False)
    daemon.token_file.write_text(text)
    daemon.token_file.chmod(0o640)
    daemon.start()
    daemon.wait_log(f"something is wrong with the admin token: {daemon.token_file} .*: delete it, and the daemon makes a new one")
    daemon.accepted("gladly", gladly_webhook("opened"))
    sandbox.wait_events(1)
    answer = daemon.api("/api/status", headers={"Authorization": "Bearer x"})
    assert answer.status == 503 and f"{daemon.token_file}" in answer.json()["error"] and "delete it" in answer.json()["error"]
    ended = daemon.ask("status")
    assert ended.returncode == 1 and "delete it, and the daemon makes a new one" in ended.stderr
    assert daemon.token_file.read_text() == text
    daemon.token_file.unlink()
    # No restart is needed: the daemon creates the file again when it misses it.
    wait_for(lambda: daemon.api("/api/status", headers={"Authorization": f"Bearer {daemon.token}"}).status == 200)
    assert mode(daemon.token_file) == 0o640 and daemon.ask("status").returncode == 0


def test_another_token_in_the_file_is_taken_at_once(daemon):
    former = daemon.token
    daemon._replace(daemon.token_file, "another token\n")
    daemon.wait_log("a secret changed: file .*/admin-token")
    assert daemon.api("/api/status").status == 200
    assert daemon.api("/api/status", headers={"Authorization": f"Bearer {former}"}).status == 401


def test_a_deleted_file_leaves_the_token_in_use_and_a_restart_makes_another(daemon):
    former = daemon.token
    daemon.token_file.unlink()
    daemon.wait_log("admin-token was deleted: a restart makes another; until then the former secret stays in use")
    assert daemon.api("/api/status", headers={"Authorization": f"Bearer {former}"}).status == 200
    daemon.restart()
    assert daemon.token != former and daemon.api("/api/status").status == 200


def test_a_hangup_makes_it_again_too(daemon):
    former = daemon.token
    daemon.token_file.unlink()
    daemon.reload()
    daemon.wait_log("the configuration was read anew")
    assert daemon.token != former and daemon.api("/api/status").status == 200


def test_where_a_token_is_configured_none_is_made(stage, sandbox):
    daemon = stage.daemon(sandbox, config={"admin": {"address": "127.0.0.1:0", "token": "configured token"}})
    assert daemon.token is None
    assert daemon.api("/api/status").status == 401
    assert daemon.api("/api/status", headers={"Authorization": "Bearer configured token"}).status == 200
    assert daemon.ask("status").returncode == 0


def test_a_store_that_cannot_be_opened_is_what_is_told(stage, sandbox):
    daemon = stage.daemon(sandbox, start=False)
    daemon.configure({"store": f"sqlite:{daemon.dir}/not/there/deskbridge.db"})
    daemon.start(ready=False)
    assert daemon.wait_exit() == 1
    assert "not/there" in daemon.report() and "token" not in daemon.report()


@needs_another_user
def test_the_daemons_group_owns_it_also_in_a_folder_of_another_group(stage, sandbox, gladly):
    daemon = stage.daemon(sandbox, gladly, user="nobody", start=False)
    shutil.chown(daemon.dir, group="daemon")
    daemon.dir.chmod(0o2750)
    daemon.start()
    assert daemon.token_file.group() == user_group("nobody") and mode(daemon.token_file) == 0o640


# ---- hosts and origins


HOSTS = ["bridge.example.com", "only.example.com:8086", "[2001:db8::7]"]


@pytest.fixture
def named(stage, sandbox):
    return stage.daemon(sandbox, config={"admin": {"address": "127.0.0.1:0", "hosts": HOSTS}})


@pytest.mark.parametrize(
    "host, status",
    [
        ("127.0.0.1", 200),
        ("127.8.9.10:99", 200),
        ("LOCALHOST:8086", 200),
        ("[::1]:8086", 200),
        ("Bridge.Example.COM", 200),
        ("bridge.example.com.:443", 200),
        ("only.example.com:8086", 200),
        ("[2001:DB8:0::7]:1", 200),
        ("only.example.com", 403),
        ("evil.example", 403),
        ("evil.example:8086", 403),
        ("127.evil.example", 403),
        ("127.0.0.1.evil.example", 403),
        ("localhost.evil.example", 403),
        ("0.0.0.0:8086", 403),
        ("192.168.1.7:8086", 403),
        ("", 403),
    ],
)
def test_only_loopback_and_configured_hosts_are_answered(named, host, status):
    for path in API:
        assert named.api(path, headers={"Host": host}).status == status
    assert named.api("/api/reload", "POST", headers={"Host": host}).status == status
    assert named.api("/api/nowhere", headers={"Host": host}).status == (404 if status == 200 else 403)


def test_a_foreign_host_learns_nothing_by_a_right_or_wrong_token(daemon):
    answers = [
        daemon.api("/api/status", headers={"Host": "evil.example", "Authorization": shown})
        for shown in (f"Bearer {daemon.token}", "Bearer wrong", None)
    ]
    assert {(a.status, a.text) for a in answers} == {(403, answers[0].text)} and "admin.hosts" in answers[0].text
    assert all(a.headers["connection"] == "close" for a in answers)


@pytest.mark.parametrize(
    "lines",
    [
        b"GET /api/status HTTP/1.0\r\n",
        b"GET /api/status HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n",
        b"GET /api/status HTTP/1.1\r\nHost: evil.example\r\nHost: localhost\r\n",
        b"GET /api/status HTTP/1.1\r\nHost: localhost\r\nOrigin: http://localhost\r\nOrigin: http://evil.example\r\n",
    ],
    ids=["no host", "two hosts", "two hosts turned", "two origins"],
)
def test_none_or_several_are_foreign(daemon, lines):
    host, port = daemon.admin.rsplit(":", 1)
    with socket.create_connection((host, int(port)), TIMEOUT) as raw:
        raw.sendall(lines + f"Authorization: Bearer {daemon.token}\r\n\r\n".encode())
        answer = raw.recv(65536)
    assert answer.split()[1] in (b"403", b"400"), answer


@pytest.mark.parametrize(
    "origin, own",
    [
        ("http://{admin}", True),
        ("https://{admin}", True),
        ("HTTP://{admin}", True),
        ("null", False),
        ("", False),
        ("http://evil.example", False),
        ("http://127.0.0.1", False),
        ("http://127.0.0.1:1", False),
        ("http://localhost:{port}", False),
        ("file://{admin}", False),
        ("http://{admin}.evil.example", False),
        ("{admin}", False),
    ],
)
def test_only_the_own_origin_is_answered(daemon, origin, own):
    headers = {"Origin": origin.format(admin=daemon.admin, port=daemon.admin.split(":")[1])}
    for path in API:
        assert daemon.api(path, headers=headers).status == (200 if own else 403)
    assert daemon.api("/api/reload", "POST", headers=headers).status == (200 if own else 403)
    assert daemon.metric("deskbridge_config_reloads_total") == (1 if own else 0)


def test_no_page_is_told_that_it_may_read(daemon):
    for headers in ({}, {"Origin": f"http://{daemon.admin}"}, {"Origin": "http://evil.example"}):
        for path in (*OPEN, *API):
            assert not any(name.startswith("access-control") for name in daemon.api(path, headers=headers).headers)


def test_refusals_are_logged_once_for_many(daemon):
    for _ in range(20):
        assert daemon.api("/api/status", headers={"Authorization": "Bearer wrong"}).status == 401
        assert daemon.api("/api/status", headers={"Host": "evil.example"}).status == 403
        assert daemon.api("/api/status", headers={"Origin": "http://evil.example"}).status == 403

    def refusals():
        return [line for line in daemon.log() if "to the admin address was refused" in line]

    wait_for(lambda: len(refusals()) >= 3)  # a thread of its own writes the log, perhaps after the answer
    told = refusals()
    assert len(told) == 3 and "evil" not in "".join(told)
    for reason in ('reason="no or wrong token"', 'reason="foreign host"', 'reason="foreign origin"'):
        assert any(reason in line for line in told), told


def test_who_may_not_ask_is_told_before_the_body(daemon):
    host, port = daemon.admin.rsplit(":", 1)
    with socket.create_connection((host, int(port)), TIMEOUT) as raw:
        raw.sendall(b"POST /api/reload HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 60000\r\n\r\n")
        assert raw.recv(65536).startswith(b"HTTP/1.1 401 ")


def test_the_listeners_own_errors_speak_as_the_api_does(daemon):
    """By these errors commands tell the daemon from another program at its address."""
    host, port = daemon.admin.rsplit(":", 1)
    with socket.create_connection((host, int(port)), TIMEOUT) as raw:
        raw.sendall(b"GET /api/status HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n")
        answer = http.client.HTTPResponse(raw)
        answer.begin()
        assert answer.status == 400 and list(json.loads(answer.read())) == ["error"]


def test_other_hosts_and_another_token_need_a_restart(daemon):
    daemon.configure({"admin": {"address": "127.0.0.1:0", "hosts": ["bridge.example.com"]}})
    ended = daemon.ask("reload")
    assert ended.returncode == 1 and "admin.hosts: restart needed" in ended.stderr
    daemon.configure({"admin": {"address": "127.0.0.1:0", "hosts": None, "token": "a token of my own"}})
    ended = daemon.ask("reload", "--token-file", daemon.token_file)
    assert ended.returncode == 1 and "admin.token: restart needed" in ended.stderr


def test_another_store_is_named_as_such_and_gets_no_token(daemon):
    (daemon.dir / "elsewhere").mkdir()
    token = daemon.token_file
    daemon.configure({"store": f"sqlite:{daemon.dir}/elsewhere/deskbridge.db"})
    ended = daemon.ask("reload", "--token-file", token)
    assert ended.returncode == 1 and "store.url: restart needed" in ended.stderr
    assert list((daemon.dir / "elsewhere").iterdir()) == []


# ---- unix sockets


def unix(path, page, headers=None, method="GET"):
    connection = http.client.HTTPConnection("localhost", timeout=TIMEOUT)
    connection.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.sock.settimeout(TIMEOUT)
    connection.sock.connect(str(path))
    try:
        connection.request(method, page, headers=headers or {})
        answer = connection.getresponse()
        return Response(answer.status, answer.getheaders(), answer.read())
    finally:
        connection.close()


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_both_listeners_sockets_are_the_groups_whatever_the_umask(stage, sandbox, tmp_path, umask):
    sockets = {name: tmp_path / f"{name}.sock" for name in ("listen", "admin")}
    daemon = stage.daemon(sandbox, config={name: f"unix:{path}" for name, path in sockets.items()}, start=False)
    former = os.umask(umask)
    try:
        daemon.start(ready=False)
    finally:
        os.umask(former)
    daemon.wait_log("admin on unix:")
    for path in sockets.values():
        assert mode(path) == 0o660 and path.stat().st_gid == os.getegid()


@pytest.fixture
def local(stage, sandbox, tmp_path):
    daemon = stage.daemon(sandbox, config={"admin": f"unix:{tmp_path}/admin.sock"}, start=False)
    daemon.start(ready=False)
    daemon.wait_log("admin on unix:")
    daemon.socket = tmp_path / "admin.sock"
    return daemon


def test_at_a_unix_socket_the_mode_is_the_proof(local):
    for path in (*OPEN, *API):
        assert unix(local.socket, path).status == 200
    assert unix(local.socket, "/api/reload", method="POST").status == 200
    for words in COMMANDS:
        ended = local.command(*words)
        assert ended.returncode == 0 and ended.stderr == "", ended


def test_a_page_does_not_get_there_through_a_proxy(local):
    for headers in ({"Host": "evil.example"}, {"Origin": "http://evil.example"}, {"Origin": "null"}):
        assert unix(local.socket, "/api/status", headers).status == 403
        assert unix(local.socket, "/healthz", headers).status == 200


@pytest.mark.parametrize("bits, status", [(0o660, 200), (0o600, 200), (0o666, 401), (0o622, 401)])
def test_a_socket_of_systemds_is_judged_by_its_mode(stage, sandbox, tmp_path, bits, status):
    daemon = stage.daemon(sandbox, start=False)
    path = tmp_path / "admin.sock"
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as admin, socket.create_server(("127.0.0.1", 0)) as listen:
        admin.bind(str(path))
        path.chmod(bits)
        admin.listen()
        process = activated(daemon, [admin, listen], ["admin", "listen"])
        try:
            assert unix(path, "/healthz").status == 200
            assert unix(path, "/api/status").status == status
            assert unix(path, "/api/status", {"Authorization": f"Bearer {daemon.token}"}).status == 200
        finally:
            process.terminate()
            _, log = process.communicate(timeout=TIMEOUT)
    assert process.returncode == 0 and ("SocketMode=0660" in log) == (status == 401), log


# ---- commands


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_commands_find_the_token_and_show_it_nowhere(daemon, words):
    ended = daemon.ask(*words)
    assert ended.returncode == 0 and ended.stderr == "" and daemon.token not in ended.stdout
    for command in (["check"], ["status", "--token-file", "/nonexistent"]):
        ended = daemon.ask(*command) if command[0] == "status" else daemon.command(*command)
        assert daemon.token not in ended.stdout + ended.stderr


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_both_options_stand_at_every_command_that_asks(stage, daemon, words):
    """The configuration file does not exist."""
    elsewhere = run("-c", "/nonexistent/deskbridge.yaml", *words, "--admin", daemon.admin, "--token-file", daemon.token_file)
    assert elsewhere.returncode == 0 and elsewhere.stdout, elsewhere
    assert "/nonexistent" not in elsewhere.stderr or words == ["reload"]
    equals = run("-c", "/nonexistent/deskbridge.yaml", *words, f"--admin={daemon.admin}", f"--token-file={daemon.token_file}")
    assert equals.returncode == 0


@pytest.mark.parametrize("words", [["status"], ["queue", "list"], ["reload"]], ids=" ".join)
def test_no_command_takes_the_token_itself(daemon, words):
    """Every user could see it there in the list of processes."""
    ended = daemon.ask(*words, "--token", daemon.token)
    assert ended.returncode == 2 and "unknown option --token" in ended.stderr
    assert daemon.token not in daemon.ask(*words, f"--token={daemon.token}").stderr


@pytest.mark.parametrize("words", [["status"], ["queue", "list"], ["reload"]], ids=" ".join)
def test_a_token_file_that_cannot_be_read_ends_the_command(daemon, words, tmp_path):
    ended = daemon.ask(*words, "--token-file", tmp_path / "nothing")
    assert ended.returncode == 1 and f"{tmp_path}/nothing is not there" in ended.stderr and ended.stdout == ""
    (tmp_path / "empty").write_text("\n")
    ended = daemon.ask(*words, "--token-file", tmp_path / "empty")
    assert ended.returncode == 1 and f"{tmp_path}/empty is empty" in ended.stderr


def test_a_wrong_token_is_told_as_such(daemon, tmp_path):
    (tmp_path / "wrong").write_text("wrong\n")
    for words in (["status"], ["queue", "list"], ["reload"]):
        ended = daemon.ask(*words, "--token-file", tmp_path / "wrong")
        assert ended.returncode == 1 and ended.stdout == ""
        assert f"the admin token is not the one that the daemon at {daemon.admin} takes" in ended.stderr


@pytest.mark.parametrize("words", [["status"], ["queue", "list"]], ids=" ".join)
def test_a_configuration_that_is_not_there_is_not_called_broken(daemon, words):
    ended = run("-c", "/nonexistent/deskbridge.yaml", *words, "--admin", daemon.admin)
    assert "/nonexistent/deskbridge.yaml is not there (another one: deskbridge -c FILE" in ended.stderr, ended
    assert "does not load" not in ended.stderr


def test_a_made_token_that_is_wrong_is_told_at_no_place_of_the_configuration(daemon):
    token = daemon.token
    for change, said in (
        (lambda: daemon.token_file.write_text(f" {token}\n"), "has a blank before or behind it"),
        (daemon.token_file.unlink, "was deleted: a restart makes another"),
    ):
        change()
        daemon.wait_log(f"(?m)warning {daemon.token_file} {said}")


RESTART = "restart the daemon (systemctl restart deskbridge)"


@pytest.mark.parametrize("words", [["status"], ["queue", "list"], ["reload"]], ids=" ".join)
def test_a_restart_is_named_where_a_changed_token_or_address_does_not_fit(daemon, words, tmp_path):
    daemon.configure({"admin": {"address": daemon.admin, "token": "a token of my own"}})
    ended = daemon.command(*words)
    assert ended.returncode == 1 and "the admin token is not the one" in ended.stderr and RESTART in ended.stderr
    # A token of the command line is not said to be the configuration's.
    (tmp_path / "wrong").write_text("wrong\n")
    assert RESTART not in daemon.command(*words, "--token-file", tmp_path / "wrong").stderr
    # The folder of the store is the folder of the token's file, so another store means another file.
    (daemon.dir / "elsewhere").mkdir()
    daemon.configure({"admin": daemon.admin, "store": f"sqlite:{daemon.dir}/elsewhere/deskbridge.db"})
    ended = daemon.command(*words)
    assert ended.returncode == 1 and "admin-token is not there" in ended.stderr and RESTART in ended.stderr
    daemon.configure({"admin": "127.0.0.1:9"})
    ended = daemon.command(*words)
    assert ended.returncode == 1 and "does not answer at 127.0.0.1:9" in ended.stderr
    assert ended.stderr.count(RESTART) == 1
    assert RESTART not in daemon.command(*words, "--admin", "127.0.0.1:9").stderr


def test_a_made_token_that_is_not_used_any_more_is_told_at_the_start(daemon):
    token = daemon.token_file
    daemon.configure({"admin": {"address": "127.0.0.1:0", "token": "a token of my own"}})
    daemon.restart()
    daemon.wait_log(f"notice.*the admin token {token} is not used, as admin.token is configured: it can be deleted")
    assert token.exists()


@pytest.mark.parametrize("rest", ["version: [\n", "klavio: {}\n", "sources: *x\n", "%x\n"])
@pytest.mark.parametrize("store", ["sqlite:{dir}/deskbridge.db", "{{url: 'sqlite:{dir}/deskbridge.db', max_size: 3 parsecs}}"])
def test_address_and_token_are_found_in_a_broken_file(daemon, rest, store):
    daemon.write(f"store: {store.format(dir=daemon.dir)}\nadmin: {daemon.admin}\n" + rest)
    for words in (["status"], ["queue", "list"]):
        ended = daemon.command(*words)
        assert ended.returncode == 0 and ended.stdout, ended
    assert daemon.command("reload").returncode == 78


@needs_another_user
@pytest.mark.parametrize("words", [["status"], ["queue", "list"], ["reload"]], ids=" ".join)
def test_an_account_without_rights_is_told_which_file_and_what_to_do(daemon, words):
    daemon.configure({"admin": daemon.admin})
    for path in (daemon.dir, daemon.token_file):
        shutil.chown(path, group="daemon")
    daemon.dir.chmod(0o755)
    daemon.file.chmod(0o644)
    said = f"deskbridge: the user nobody may not read the admin token {daemon.token_file}: sudo deskbridge {words[0]}, or be in the group daemon: sudo usermod -aG daemon nobody, then log in again\n"
    ended = as_nobody("-c", daemon.file, *words)
    assert ended.returncode == 1 and ended.stdout == "" and said == ended.stderr, ended
    # The command says the same where the folder cannot be read.
    (daemon.dir / "open").mkdir()
    copy = daemon.dir / "open" / "deskbridge.yaml"
    copy.write_text(f"admin: {daemon.admin}\nstore: sqlite:{daemon.dir}/closed/deskbridge.db\n")
    (daemon.dir / "closed").mkdir(mode=0o750)
    shutil.chown(daemon.dir / "closed", group="daemon")
    ended = as_nobody("-c", copy, *words)
    closed = f"{daemon.dir}/closed/admin-token: sudo deskbridge {words[0]}, or be in the group daemon: sudo usermod -aG daemon nobody, then log in again\n"
    assert ended.returncode == 1 and ended.stderr.endswith(closed), ended


@needs_another_user
def test_a_member_of_the_daemons_group_may_ask(daemon):
    daemon.configure({"admin": daemon.admin})
    for path in (daemon.dir, daemon.file, daemon.token_file):
        shutil.chown(path, group="daemon")
        path.chmod(0o750 if path == daemon.dir else 0o640)
    for words in (["status"], ["queue", "list"]):
        ended = as_nobody("-c", daemon.file, *words, groups=["daemon"])
        assert ended.returncode == 0 and ended.stderr == "", ended


@needs_another_user
def test_a_socket_that_this_user_may_not_use_is_told(local):
    for folder in local.socket.parents:
        if folder.owner() == "root" and str(folder).startswith("/tmp/pytest"):
            folder.chmod(0o755)
    shutil.chown(local.socket, group="daemon")
    for path in (local.dir, local.file):
        path.chmod(0o755)
    said = f"deskbridge: the user nobody may not use the admin socket {local.socket}: sudo deskbridge status, or be in the group daemon: sudo usermod -aG daemon nobody, then log in again\n"
    ended = as_nobody("-c", local.file, "status")
    assert ended.returncode == 1 and ended.stderr == said, ended
    ended = as_nobody("-c", local.file, "status", groups=["daemon"])
    assert ended.returncode == 0, ended


def own_address():
    """Returns an address of this machine that is not loopback. No packet is sent to find it."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            return None
        return probe.getsockname()[0]


def test_commands_reach_an_address_that_is_not_loopback(stage, sandbox):
    address = own_address()
    if not address or address.startswith("127."):
        pytest.skip("this machine has no other address")
    daemon = stage.daemon(sandbox, config={"admin": f"{address}:0"}, start=False)
    checked = daemon.command("check")
    assert checked.returncode == 0 and "admin: warning: this address can be reached from other machines" in checked.stderr
    daemon.start()
    assert daemon.ask("status").returncode == 0
    assert daemon.api("/api/status").status == 403, "its Host is the address, which admin.hosts does not name"
