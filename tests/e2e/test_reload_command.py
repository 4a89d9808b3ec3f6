# SPDX-License-Identifier: MIT
"""`deskbridge reload`: the running daemon applies the configuration or refuses it, and the command says which."""

import json
import os
import pathlib
import re
import shutil
import socket
import subprocess
import threading

import pytest

from harness import PROGRAM, TIMEOUT, gladly_webhook, wait_for

BROKEN = {"sources": {"gladly": {"lable": "Support", "settle": "3 parsecs"}}, "klavio": {}}


def reachable(user):
    """True where another user can run the program under test."""
    program = pathlib.Path(shutil.which(PROGRAM)).resolve()
    return os.geteuid() == 0 and shutil.which("setpriv") and all(p.stat().st_mode & 0o001 for p in (program, *program.parents))


needs_another_user = pytest.mark.skipif(not reachable("nobody"), reason="needs root, setpriv, and a build that other users may enter (one below /root is closed to them)")


@pytest.fixture
def another(stage, sandbox, gladly):
    """A daemon that runs as nobody, while the tests run as root."""
    return stage.daemon(sandbox, gladly, user="nobody")


def test_a_good_configuration_is_taken_when_the_command_ends(daemon):
    source = daemon.config["sources"]["gladly"]
    daemon.configure({"sources": {"second": source}})
    assert daemon.post("second", gladly_webhook("ended")).status == 404
    ended = daemon.ask("reload")
    assert ended.returncode == 0 and ended.stdout == f"the daemon took {daemon.file} (generation 2)\n", ended
    assert daemon.post("second", gladly_webhook("ended")).status == 200
    assert daemon.metric("deskbridge_config_reloads_total", result="good") == 1


def test_errors_are_78_and_printed_as_the_daemon_sees_them(daemon):
    daemon.configure(BROKEN)
    ended = daemon.ask("reload")
    assert ended.returncode == 78 and ended.stdout == "", ended
    for said in ("sources.gladly.lable: unknown key; did you mean label?", "sources.gladly.settle", "klavio: unknown key"):
        assert any(re.match(re.escape(str(daemon.file)) + r":\d+:\d+: " + re.escape(said), l) for l in ended.stderr.splitlines()), ended
    assert "did not take" in ended.stderr and "the former configuration stays" in ended.stderr
    daemon.wait_log("the configuration was not taken: 3 errors")
    assert daemon.post("gladly", gladly_webhook("ended")).status == 200
    assert daemon.metric("deskbridge_config_reloads_total", result="failed") == 1


def test_warnings_are_printed_and_the_configuration_is_taken(daemon):
    daemon.configure({"klaviyo": {"lane": "auto"}})
    ended = daemon.ask("reload")
    assert ended.returncode == 0 and "klaviyo.lane: warning: auto is taken as single" in ended.stderr


def test_facts_that_nobody_confirms_are_a_notice_once(daemon):
    source = daemon.config["sources"]["gladly"]
    definition = {"unconfirmed": ["Whether it sends twice.", "Times."]}
    sources = {name: {**source, "definition": definition} for name in ("gladly", "second")}
    daemon.configure({"sources": sources})
    said = "gladly: 2 facts that no vendor document confirms (deskbridge presets gladly)"
    ended = daemon.ask("reload")
    (line,) = ended.stderr.splitlines()
    assert ended.returncode == 0 and line.endswith(f": sources.gladly.preset: notice: {said}")
    daemon.wait_log("no vendor document confirms")
    (line,) = [line for line in daemon.log() if "no vendor document confirms" in line]
    assert re.search(rf" notice {re.escape(str(daemon.file))}:\d+:\d+: sources.gladly.preset: {re.escape(said)}$", line)
    (problem,) = json.loads(daemon.ask("reload", "--json").stdout)["problems"]
    assert problem["text"] == said and problem["notice"] is True and problem["warning"] is True
    daemon.restart()
    (line,) = [line for line in daemon.log() if said in line and "preset: notice: " in line]


def test_problems_are_not_repeated_into_the_journal_that_the_daemon_writes(daemon, tmp_path):
    """With systemctl reload both the command's stderr and the daemon's log go to the journal."""
    for configuration, status, text in (
        ({"klaviyo": {"lane": "auto"}}, 0, "auto is taken as single"),
        (BROKEN, 78, "unknown key; did you mean label?"),
    ):
        daemon.configure(configuration)
        with open(tmp_path / "journal", "w+", encoding="utf-8") as journal:
            at = os.fstat(journal.fileno())
            command = [PROGRAM, "-c", str(daemon.file), "reload", "--admin", daemon.admin]
            env = {**os.environ, "JOURNAL_STREAM": f"{at.st_dev}:{at.st_ino}"}
            ended = subprocess.run(command, stdout=subprocess.PIPE, stderr=journal, env=env, timeout=TIMEOUT)
            journal.seek(0)
            said = journal.read()
        assert ended.returncode == status and text not in said and ("did not take" in said) == (status != 0)
        daemon.wait_log(re.escape(text))
        assert sum(text in line for line in daemon.log()) == 1


def test_what_needs_a_restart_is_1(daemon):
    daemon.configure({"listen": "127.0.0.1:1"})
    ended = daemon.ask("reload")
    assert ended.returncode == 1 and "listen.address: restart needed" in ended.stderr


def test_the_verdict_is_there_as_json(daemon):
    verdict = json.loads(daemon.ask("reload", "--json").stdout)
    assert verdict == {"taken": True, "config": str(daemon.file), "generation": 2, "problems": [], "more": 0}
    daemon.configure({"klavio": {}})
    ended = daemon.ask("reload", "--json")
    verdict = json.loads(ended.stdout)
    assert ended.returncode == 78 and verdict["taken"] is False and verdict["reason"] == "configuration"
    assert verdict["generation"] == 2 and verdict["error"] == "1 error"
    (problem,) = verdict["problems"]
    assert problem["file"] == str(daemon.file) and problem["path"] == "klavio" and problem["warning"] is False


@pytest.mark.parametrize("rest", ["version: [\n", "version: 1\nversion: 1\n", "klavio: {}\n", "sources: *x\n"])
def test_a_file_that_is_broken_does_not_stop_the_command(stage, sandbox, gladly, rest):
    address = stage.address()
    daemon = stage.daemon(sandbox, gladly, config={"admin": address})
    for store in (f"store: sqlite:{daemon.dir}/deskbridge.db\n", "store:\n  # here\n\n  url: sqlite:deskbridge.db\n"):
        for admin in (f"admin: {address}\n", f"admin:\n  # here\n\n  address: {address}\n"):
            daemon.write(store + admin + rest)
            ended = daemon.command("reload")
            assert ended.returncode == 78 and str(daemon.file) + ":" in ended.stderr, ended
            assert "did not take" in ended.stderr
    for words in (["--token-file", daemon.token_file], ["--admin", address, "--token-file", daemon.token_file]):
        daemon.write(f"admin: {address}\n" + rest)
        ended = daemon.command("reload", *words)
        assert ended.returncode == 78 and str(daemon.file) + ":" in ended.stderr, ended
        assert "did not take" in ended.stderr
    daemon.file.unlink()
    ended = daemon.command("reload", "--admin", address, "--token-file", daemon.token_file)
    assert ended.returncode == 78 and f"{daemon.file}: cannot be read: No such file" in ended.stderr


@pytest.mark.parametrize("words", [["reload"], ["status"], ["queue", "list"]])
def test_a_token_that_only_stands_in_a_broken_file_is_found(stage, sandbox, words):
    address = stage.address()
    admin = {"address": address, "token": {"credential": "admin-token"}}
    daemon = stage.daemon(sandbox, config={"admin": admin}, start=False)
    daemon.credential("admin-token", "the admin's token")
    daemon.start()
    daemon.write(f"admin:\n  address: {address}\n  token: {{credential: admin-token}}\nklaviyo: [\n")
    ended = daemon.command(*words)
    assert ended.returncode == (78 if words == ["reload"] else 0), ended
    assert "the admin's token" not in ended.stderr + ended.stdout


def test_no_daemon_is_1(stage):
    daemon = stage.daemon(config={"admin": "127.0.0.1:9"}, start=False)
    ended = daemon.command("reload")
    assert ended.returncode == 1 and "does not answer at 127.0.0.1:9" in ended.stderr and "restart the daemon" in ended.stderr


def test_another_file_than_the_daemons_is_told(stage, daemon):
    other = stage.daemon(start=False)
    ended = other.command("reload", "--admin", daemon.admin, "--token-file", daemon.token_file)
    assert ended.returncode == 0 and f"the daemon reads {daemon.file}, not {other.file}" in ended.stderr


def test_it_works_over_a_unix_socket(stage, sandbox, tmp_path):
    daemon = stage.daemon(sandbox, config={"admin": f"unix:{tmp_path}/admin.sock"}, start=False)
    daemon.start(ready=False)
    daemon.wait_log("admin on unix:")
    assert daemon.command("reload").returncode == 0


# ---- the API


def test_the_token_is_needed(stage, sandbox):
    admin = {"address": "127.0.0.1:0", "token": "the admin's token"}
    daemon = stage.daemon(sandbox, config={"admin": admin})
    assert daemon.api("/api/reload", "POST").status == 401
    assert daemon.api("/api/reload", "POST", headers={"Authorization": "Bearer the admin's token"}).status == 200


def test_it_is_a_post_and_not_from_a_web_page(daemon):
    got = daemon.api("/api/reload")
    assert got.status == 405 and got.headers["allow"] == "POST"
    assert daemon.api("/api/reload", "POST", headers={"Origin": "http://evil.example"}).status == 403
    assert daemon.metric("deskbridge_config_reloads_total") == 0


def test_reloads_of_all_kinds_take_turns(daemon):
    answers = []

    def ask():
        for _ in range(5):
            answers.append(daemon.api("/api/reload", "POST"))
            daemon.reload()

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(TIMEOUT)
    assert [a.status for a in answers] == [200] * 20
    assert daemon.ask("reload").returncode == 0
    assert daemon.metric("deskbridge_config_reloads_total", result="failed") == 0


def test_a_daemon_that_stops_answers_who_waits(daemon):
    answers = []

    def ask():
        try:
            while True:
                answers.append(daemon.api("/api/reload", "POST"))
        except OSError:
            pass

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    wait_for(lambda: len(answers) > 10)
    assert daemon.stop() == 0
    for thread in threads:
        thread.join(TIMEOUT)
        assert not thread.is_alive()
    assert {a.status for a in answers} <= {200, 503}
    assert {a.json()["config"] for a in answers} == {str(daemon.file)}


@pytest.mark.parametrize("place", ["configuration", "definition"])
def test_a_named_pipe_in_the_place_of_a_file_holds_nobody(daemon, place):
    good = daemon.file.read_text()
    pipe = daemon.file if place == "configuration" else daemon.dir / "helpdesks" / "gladly.yaml"
    pipe.parent.mkdir(exist_ok=True)
    pipe.unlink(missing_ok=True)
    os.mkfifo(pipe)
    daemon.reload()
    daemon.wait_log("the configuration was not taken: [1-9]")
    assert daemon.ask("reload", "--token-file", daemon.token_file).returncode == 78
    pipe.unlink()
    daemon.write(good)
    assert daemon.ask("reload").returncode == 0


def test_what_is_not_the_daemons_verdict_is_none(daemon):
    """Another program at that address, or one whose status and text contradict each other."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer():
            connection, _ = server.accept()
            with connection:
                connection.recv(4096)
                connection.sendall(b'HTTP/1.1 500 Trouble\r\nContent-Length: 14\r\n\r\n{"taken":true}')

        thread = threading.Thread(target=answer)
        thread.start()
        ended = daemon.command("reload", "--admin", "127.0.0.1:%d" % server.getsockname()[1])
        thread.join(TIMEOUT)
    assert ended.returncode == 1 and "is not deskbridge's admin address" in ended.stderr, ended


# ---- whose rights count


@needs_another_user
def test_a_secret_that_only_root_can_read_is_78_and_then_taken(another):
    file = another.dir / "credentials" / "gladly-webhook"
    another.credential("gladly-webhook", "another password")  # root's, 0600
    ended = another.ask("reload")
    assert ended.returncode == 78, ended
    assert f"{file} cannot be read: Permission denied; the user nobody may not read it: chgrp nogroup {file} && chmod 640 {file}" in ended.stderr
    assert another.post("gladly", gladly_webhook("ended")).status == 200
    shutil.chown(file, group="nogroup")
    file.chmod(0o640)
    assert another.ask("reload").returncode == 0
    assert another.post("gladly", gladly_webhook("ended"), auth=("deskbridge", "another password")).status == 200


@needs_another_user
def test_a_secret_is_taken_without_a_reload_once_it_can_be_read(another):
    file = another.dir / "credentials" / "gladly-webhook"
    another.credential("gladly-webhook", "another password")
    another.wait_log("gladly-webhook cannot be read: Permission denied.*chgrp nogroup .*the former secret stays")
    shutil.chown(file, group="nogroup")
    file.chmod(0o640)
    another.wait_log("a secret changed: credential gladly-webhook")
    assert another.post("gladly", gladly_webhook("ended"), auth=("deskbridge", "another password")).status == 200


@needs_another_user
def test_a_configuration_that_only_root_can_read_is_78(another):
    another.configure()
    ended = another.ask("reload")
    assert ended.returncode == 78
    assert f"{another.file}: cannot be read: Permission denied; the user nobody may not read it: chgrp nogroup" in ended.stderr
    assert another.post("gladly", gladly_webhook("ended")).status == 200


@needs_another_user
def test_a_closed_folder_is_named_as_the_reason(another):
    folder = another.dir / "credentials"
    shutil.chown(folder, "root", "root")
    ended = another.ask("reload")
    assert ended.returncode == 78
    assert f"the folder {folder} is closed to the user nobody: chgrp nogroup {folder} && chmod 750 {folder}" in ended.stderr
    shutil.chown(folder, group="nogroup")
    folder.chmod(0o750)
    assert another.ask("reload").returncode == 0
