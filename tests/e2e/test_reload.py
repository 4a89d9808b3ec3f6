# SPDX-License-Identifier: MIT
"""A new configuration and new secrets while the daemon runs. Work for accounts and sources that are no longer
configured waits."""

import pathlib
import re
import shutil
import signal
import socket
import threading
import time

import pytest

from harness import TIMEOUT, gladly_webhook, request, wait_for

STARTED = "started conversation in Gladly"


def test_a_reload_takes_a_whole_new_generation(daemon, sandbox, gladly):
    gladly.customers["cust-1"] = ["jo@example.com"]
    daemon.configure({"sources": {"gladly": {"label": "Support"}}})
    daemon.reload()
    daemon.wait_log("the configuration was read anew")
    daemon.accepted("gladly", gladly_webhook("opened"))
    assert sandbox.wait_events(1)[0]["metric"] == "started conversation in Support"
    wait_for(lambda: daemon.metric("deskbridge_config_reloads_total", result="good") == 1)


def test_a_wrong_configuration_is_not_taken_and_told_whole(daemon, sandbox, gladly):
    gladly.customers["cust-1"] = ["jo@example.com"]
    daemon.configure({"sources": {"gladly": {"lable": "Support", "settle": "3 parsecs"}}, "klavio": {}})
    daemon.reload()
    daemon.wait_log("the configuration was not taken")
    log = "\n".join(daemon.log())
    assert "lable" in log and "label" in log and "klavio" in log and "settle" in log
    daemon.accepted("gladly", gladly_webhook("opened"))
    sandbox.wait_events(1, metric=STARTED)
    wait_for(lambda: daemon.metric("deskbridge_config_reloads_total", result="failed") == 1)


def test_a_configuration_that_is_gone_is_told_without_a_line(daemon):
    daemon.file.rename(f"{daemon.file}.away")
    daemon.reload()
    daemon.wait_log(f"{daemon.file}: cannot be read: No such file or directory")


def test_another_address_needs_a_restart(daemon):
    daemon.configure({"listen": "127.0.0.1:1"})
    daemon.reload()
    daemon.wait_log("restart needed")
    assert request(daemon.address, "HEAD", "/webhooks/gladly").status == 200


def test_a_changed_webhook_password_is_taken_at_once(daemon):
    daemon.credential("gladly-webhook", "another password")
    daemon.wait_log("a secret changed: credential gladly-webhook")
    assert daemon.post("gladly", gladly_webhook("opened")).status == 401
    assert daemon.post("gladly", gladly_webhook("opened"), auth=("deskbridge", "another password")).status == 200
    assert not any("another password" in line for line in daemon.log())


def test_a_secret_that_cannot_be_read_is_told_once_and_once_when_it_can_again(daemon):
    key = daemon.dir / "credentials" / "klaviyo-api-key"
    text = key.read_text()

    def told(pattern):
        return sum(bool(re.search(pattern, line)) for line in daemon.log())

    def moved():
        key.rename(key.with_name("elsewhere"))

    faults = {
        "is not there": [key.unlink, moved],
        "is empty": [lambda: daemon._replace(key, "")],
        "has a blank before or behind it": [lambda: daemon._replace(key, text.strip() + " \n")],
    }
    breakages = [(fault, breaks) for fault, ways in faults.items() for breaks in ways]
    for n, (fault, breaks) in enumerate(breakages, 1):
        mark = daemon.mark()
        before = told(f"klaviyo-api-key {fault}")
        breaks()
        daemon.wait_log(f"klaviyo-api-key {fault}.*the former secret stays in use", since=mark)
        daemon.credential("gladly-webhook", f"password number {n}")  # all secrets are read again
        daemon.wait_log("a secret changed: credential gladly-webhook", since=mark)
        daemon._replace(key, text)
        daemon.wait_log("klaviyo-api-key can be read again", since=mark)
        assert told(f"klaviyo-api-key {fault}") == before + 1
        assert told("klaviyo-api-key can be read again") == n


def test_secrets_are_watched_on_in_a_folder_that_takes_the_place_of_another(daemon):
    folder = daemon.dir / "credentials"
    for n, others in enumerate(("kept", "moved away", "gone")):
        mark, password = daemon.mark(), f"password number {n}"
        if others == "moved away":
            folder.rename(daemon.dir / others)
        elif others == "gone":
            shutil.rmtree(folder)
            # The line shows that the daemon has noticed that the folder is gone.
            daemon.wait_log("gladly-webhook is not there", since=mark)
        if others != "kept":
            shutil.copytree(daemon.dir / "before", folder)
        daemon.credential("gladly-webhook", password)
        wait_for(lambda: daemon.post("gladly", gladly_webhook("ended"), auth=("deskbridge", password)).status == 200)
        shutil.copytree(folder, daemon.dir / "before", dirs_exist_ok=True)


# ---- secrets behind links: the file in credentials/ is a link, and its target changes


def link(target, place):
    """Creates a link, which replaces an existing file atomically."""
    new = place.with_name(place.name + ".new")
    new.symlink_to(target)
    new.rename(place)


def secret_file(folder, text):
    folder.mkdir(exist_ok=True)
    (folder / "webhook").write_text(text + "\n")
    return folder / "webhook"


def is_taken(daemon, password):
    daemon._secrets.add(password)
    wait_for(lambda: daemon.post("gladly", gladly_webhook("ended"), auth=("deskbridge", password)).status == 200)


@pytest.fixture
def place(daemon):
    """The path of the webhook's password."""
    return daemon.dir / "credentials" / "gladly-webhook"


def test_a_changed_file_behind_a_link_is_taken(daemon, place):
    target = secret_file(daemon.dir / "vault", "the first one")
    link("../vault/webhook", place)
    is_taken(daemon, "the first one")
    for password in ("the second one", "the third one"):
        target.with_name("new").write_text(password)
        target.with_name("new").rename(target)
        is_taken(daemon, password)
    target.write_text("written in place")
    is_taken(daemon, "written in place")


def test_a_volume_that_is_swapped_by_its_inner_link_is_taken(daemon, place):
    volume = daemon.dir / "volume"  # the layout of secrets in Kubernetes
    for n, password in enumerate(("number one", "number two", "number three")):
        secret_file(volume, "") if n == 0 else None
        secret_file(volume / f"..v{n}", password)
        link(f"..v{n}", volume / "..data")
        if n == 0:
            (volume / "webhook").unlink()
            (volume / "webhook").symlink_to("..data/webhook")
            link(volume / "webhook", place)
        is_taken(daemon, password)
        if n > 0:
            shutil.rmtree(volume / f"..v{n - 1}")


def test_a_chain_of_links_is_watched_at_each_of_them(daemon, place):
    one, two = (secret_file(daemon.dir / name, f"from {name}") for name in ("one", "two"))
    link(one, daemon.dir / "inner")  # absolute
    link("inner", daemon.dir / "middle")  # relative
    link(daemon.dir / "middle", place)
    is_taken(daemon, "from one")
    link(two, daemon.dir / "inner")
    is_taken(daemon, "from two")
    link("one/webhook", daemon.dir / "middle")
    is_taken(daemon, "from one")
    one.write_text("one again")
    is_taken(daemon, "one again")


def test_a_chain_that_changed_without_its_secret_is_watched_as_it_is_now(daemon, place):
    one, two = (secret_file(daemon.dir / name, "the same") for name in ("one", "two"))
    link(one, place)
    is_taken(daemon, "the same")
    link(two, place)
    # Nothing shows when the new chain is watched, so the file behind it is written until the daemon notices.
    daemon._secrets.add("another one")
    wait_for(
        lambda: two.write_text("another one")
        and daemon.post("gladly", gladly_webhook("ended"), auth=("deskbridge", "another one")).status == 200
    )


def test_the_targets_folder_may_be_replaced(daemon, place):
    vault = daemon.dir / "outer" / "vault"
    vault.parent.mkdir()
    link(secret_file(vault, "the first one"), place)
    is_taken(daemon, "the first one")
    vault.rename(daemon.dir / "away")
    secret_file(daemon.dir / "next", "the second one").parent.rename(vault)
    is_taken(daemon, "the second one")
    vault.parent.rename(daemon.dir / "far")  # the folder above it
    vault.parent.mkdir()
    secret_file(daemon.dir / "third", "the third one").parent.rename(vault)
    is_taken(daemon, "the third one")


def test_a_target_that_is_not_there_yet_is_taken_when_it_comes(daemon, place):
    mark = daemon.mark()
    link(daemon.dir / "later" / "deep" / "webhook", place)
    daemon.wait_log("gladly-webhook is not there.*the former secret stays", since=mark)
    assert daemon.post("gladly", gladly_webhook("ended")).status == 200
    (daemon.dir / "later").mkdir()
    secret_file(daemon.dir / "later" / "deep", "come at last")
    is_taken(daemon, "come at last")


def test_a_file_that_is_written_without_end_is_read_all_the_same(daemon, place):
    daemon._secrets.add("written again and again")
    stop = threading.Event()

    def write():
        while not stop.wait(0.01):
            daemon._replace(place, "written again and again\n")

    writer = threading.Thread(target=write)
    writer.start()
    try:
        daemon.wait_log("a secret changed: credential gladly-webhook")
    finally:
        stop.set()
        writer.join()


def test_a_link_to_itself_harms_nothing(daemon, place):
    mark = daemon.mark()
    link(place, place)
    daemon.wait_log("gladly-webhook cannot be read: Too many levels.*the former secret stays", since=mark)
    assert daemon.post("gladly", gladly_webhook("ended")).status == 200
    daemon.credential("gladly-webhook", "a file again")
    is_taken(daemon, "a file again")


def test_work_of_a_source_that_is_gone_waits_for_it(stage, sandbox, gladly):
    gladly.customers["cust-1"] = ["jo@example.com"]
    gladly.down()
    daemon = stage.daemon(sandbox, gladly)
    daemon.accepted("gladly", gladly_webhook("opened"))
    source = daemon.config["sources"].pop("gladly")
    daemon.configure({"sources": {"desk": {**source}}})
    daemon.restart()
    gladly.up()
    daemon.wait_metric("deskbridge_webhooks_pending", 1, source="gladly", reason="not configured")
    assert daemon.post("gladly", gladly_webhook("opened")).status == 404
    daemon.configure({"sources": {"gladly": source}})
    daemon.reload()
    sandbox.wait_events(1)


def two_accounts(sandbox, *names):
    return {
        "api_key": None,
        "url": None,
        "person_gap": None,
        "accounts": {name: {"api_key": f"pk_sandbox_{name}_1", "url": sandbox.url, "person_gap": "0s"} for name in names},
    }


def test_events_of_an_account_that_is_gone_wait_for_it(stage, sandbox, gladly):
    gladly.customers["cust-1"] = ["jo@example.com"]
    sandbox.fault("status=503")
    klaviyo = two_accounts(sandbox, "shop", "outlet")
    daemon = stage.daemon(sandbox, gladly, config={"klaviyo": klaviyo, "sources": {"gladly": {"account": "shop"}}})
    daemon.accepted("gladly", gladly_webhook("opened"))
    daemon.wait_metric("deskbridge_deliveries_total", 1, outcome="retry")
    klaviyo["accounts"].pop("shop")
    daemon.config["klaviyo"]["accounts"].pop("shop")
    daemon.configure({"sources": {"gladly": {"account": "outlet"}}})
    daemon.restart()
    sandbox.clear_faults()
    wait_for(lambda: daemon.metric("deskbridge_account_parked", account="shop", reason="not configured") == 1)
    # The closing goes to the address that the opening reached, and waits, too.
    daemon.accepted("gladly", gladly_webhook("closed"))
    daemon.wait_metric("deskbridge_queue_events", 2, account="shop", state="ready")
    assert sandbox.events() == []
    daemon.configure({"klaviyo": two_accounts(sandbox, "shop", "outlet")})
    daemon.reload()
    assert [e["account"] for e in sandbox.wait_events(2)] == ["shop", "shop"]
    wait_for(lambda: daemon.metric("deskbridge_account_parked", account="shop") == 0)


def test_events_for_a_sandbox_never_reach_another_url(stage, sandbox, gladly):
    gladly.customers = {f"cust-{i}": [f"jo-{i}@example.com"] for i in range(150)}
    sandbox.fault("status=503")
    daemon = stage.daemon(sandbox, gladly)
    for i in range(150):
        daemon.accepted("gladly", gladly_webhook("opened", f"conv-{i}", f"cust-{i}"))
    daemon.wait_metric("deskbridge_queue_events", 150, account="default", state="ready")
    production = stage.sandbox()
    daemon.configure({"klaviyo": {"url": production.url}})
    daemon.reload()
    daemon.wait_metric("deskbridge_queue_events", 150, account="default", state="dead")
    daemon.wait_log(f"warning [0-9]+ events became dead letters account=default reason=.*{production.url} now and was another")
    shown = daemon.command("status", "--admin", daemon.admin).stdout
    assert f"! not paused in Klaviyo, the opening is a dead letter: its account's url is {production.url} now" in shown
    assert "refused" not in shown
    daemon.accepted("gladly", gladly_webhook("opened", "conv-new", "cust-1"))
    assert [e["properties"]["Conversation ID"] for e in production.wait_events(1)] == ["conv-new"]
    assert production.requests() == 1


def test_a_second_daemon_on_the_same_store_is_refused(stage, daemon, sandbox, gladly):
    second = stage.daemon(sandbox, gladly, start=False)
    second.configure({"store": daemon.config["store"]})
    second.start(ready=False)
    assert second.wait_exit() == 1
    assert "deskbridge.db" in second.report()
    second.process.killed = True


def test_a_wrong_configuration_at_start_ends_with_78(stage, sandbox, gladly):
    daemon = stage.daemon(sandbox, gladly, start=False)
    daemon.configure({"version": 2})
    daemon.start(ready=False)
    assert daemon.wait_exit() == 78
    daemon.process.killed = True


def test_signals_in_a_burst_end_well(daemon):
    for _ in range(20):
        daemon.signal(signal.SIGHUP)
    daemon.wait_log("the configuration was read anew")
    assert daemon.post("gladly", gladly_webhook("opened")).status == 200


class Notified:
    """The messages that systemd would get from the daemon."""

    def __init__(self, path):
        self.path = str(path)
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(self.path)
        self.socket.settimeout(TIMEOUT)

    def wait(self, word):
        while True:
            message = self.socket.recv(65536).decode()
            if any(line == word for line in message.split("\n")):
                return message


def test_systemd_hears_of_start_life_reload_and_stop(stage, sandbox, gladly, tmp_path):
    notified = Notified(tmp_path / "notify")
    env = {"NOTIFY_SOCKET": notified.path, "WATCHDOG_USEC": "400000", "WATCHDOG_PID": None}
    daemon = stage.daemon(sandbox, gladly, env=env)
    assert f"listening on {daemon.address}" in notified.wait("READY=1")
    notified.wait("WATCHDOG=1")
    notified.wait("WATCHDOG=1")
    daemon.reload()
    assert "MONOTONIC_USEC=" in notified.wait("RELOADING=1")
    notified.wait("READY=1")
    assert daemon.stop() == 0
    notified.wait("STOPPING=1")


def test_a_daemon_that_has_nothing_to_do_sleeps(daemon, sandbox, gladly):
    gladly.customers["cust-1"] = ["jo@example.com"]
    daemon.accepted("gladly", gladly_webhook("opened"))
    sandbox.wait_events(1)
    proc = pathlib.Path(f"/proc/{daemon.process.pid}")
    main, tsan = (proc / "comm").read_text().strip(), "libtsan" in (proc / "maps").read_text()

    def switches():
        total, unnamed = 0, 0
        for task in (proc / "task").iterdir():
            status = (task / "status").read_text()
            if int(task.name) != daemon.process.pid and f"Name:\t{main}\n" in status:
                unnamed += 1  # the thread sanitizer's own, which is never idle: all of the daemon's threads have names
                continue
            total += int(re.search(r"^voluntary_ctxt_switches:\s+(\d+)", status, re.M).group(1))
        assert unnamed == tsan
        return total

    # Work that the event started (a checkpoint, the gauges) is done when two readings a while apart are equal.
    wait_for(lambda: (before := switches(), time.sleep(1.5)) and switches() - before < 5, 15, "rest")
