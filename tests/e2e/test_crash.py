# SPDX-License-Identifier: MIT
"""kill -9 and power cuts: every webhook that was answered with 200 is delivered, each event once, in order."""

import collections
import contextlib
import http.client
import json
import random
import socket
import threading
import time

from harness import WEBHOOK_PASSWORD, WEBHOOK_USER, basic, gladly_webhook, wait_for

CONVERSATIONS = 40
KINDS = ("opened", "closed", "reopened", "closed")


class Desk(threading.Thread):
    """A helpdesk's sender. It sends the webhooks of some conversations in order, each until it is answered with 200."""

    def __init__(self, address, conversations):
        super().__init__(daemon=True)
        self.address, self.conversations = address, conversations
        self.acknowledged, self.connection = [], None

    def send(self, body):
        try:
            if not self.connection:
                self.connection = http.client.HTTPConnection(self.address, timeout=5)
            headers = {"Authorization": basic(WEBHOOK_USER, WEBHOOK_PASSWORD)}
            self.connection.request("POST", "/webhooks/gladly", json.dumps(body), headers)
            answer = self.connection.getresponse()
            answer.read()
            return answer.status == 200
        except (OSError, http.client.HTTPException):
            self.connection = None
            return False

    def failed(self):
        """True where the sender ended before everything was acknowledged."""
        return not self.is_alive() and len(self.acknowledged) < len(KINDS) * len(self.conversations)

    def run(self):
        begin = time.time() - 1000
        for step, kind in enumerate(KINDS):
            for n in self.conversations:
                body = gladly_webhook(kind, f"conv-{n}", f"cust-{n}", at=begin + step * 10)
                while not self.send(body):
                    time.sleep(0.01)
                self.acknowledged.append((n, kind))


def kill_five_times_during_load(stage, gladly, env=None, killed=lambda daemon: None):
    """killed(daemon) is called after each kill, before the restart."""
    sandbox = stage.sandbox(quota=False)
    sandbox.fault("status=503,every=13", "die,every=17")
    gladly.customers = {f"cust-{n}": [f"jo-{n}@example.com"] for n in range(CONVERSATIONS)}
    daemon = stage.daemon(sandbox, gladly, config={"listen": stage.address(), "admin": stage.address()}, env=env)
    desks = [Desk(daemon.address, range(i, CONVERSATIONS, 4)) for i in range(4)]
    for desk in desks:
        desk.start()
    chance = random.Random(7)
    for _ in range(5):
        seen = sum(len(desk.acknowledged) for desk in desks)
        goal = min(seen + chance.randrange(5, 25), CONVERSATIONS * len(KINDS))
        wait_for(lambda: any(desk.failed() for desk in desks) or sum(len(desk.acknowledged) for desk in desks) >= goal)
        assert not any(desk.failed() for desk in desks)
        daemon.kill9()
        killed(daemon)
        daemon.restart()
    for desk in desks:
        desk.join(60)
        assert not desk.is_alive() and not desk.failed()
    events = sandbox.wait_events(CONVERSATIONS * len(KINDS), timeout=60)
    per_person = collections.defaultdict(list)
    for event in events:
        per_person[event["email"]].append(event["metric"].split(" ")[0])
    for n in range(CONVERSATIONS):
        assert per_person[f"jo-{n}@example.com"] == ["started", "closed", "reopened", "closed"]
    assert len({event["unique_id"] for event in events}) == len(events) == CONVERSATIONS * len(KINDS)
    assert not any(p["In Gladly Conversation"] for p in sandbox.profiles().values())


def test_kill_nine_five_times_during_load_loses_and_doubles_nothing(stage, gladly):
    kill_five_times_during_load(stage, gladly)


def test_a_power_cut_five_times_during_load_loses_and_doubles_nothing(stage, gladly):
    power = stage.power_cut()
    kill_five_times_during_load(stage, gladly, power.env, lambda daemon: power.cut(f"{daemon.dir}/deskbridge.db"))


def test_what_was_taken_while_everything_else_was_down_goes_out_after_a_crash(stage, gladly):
    sandbox = stage.sandbox()
    gladly.customers["cust-1"] = ["jo@example.com"]
    daemon = stage.daemon(sandbox, gladly)
    sandbox.stop()
    gladly.down()
    daemon.accepted("gladly", gladly_webhook("opened"))
    daemon.kill9()
    sandbox.start()
    gladly.up()
    daemon.restart()
    sandbox.wait_events(1, timeout=40)


def test_a_delivery_seen_before_the_crash_is_a_duplicate_after_it(daemon):
    body = gladly_webhook("opened", id="delivery-1")
    daemon.accepted("gladly", body)
    daemon.kill9()
    daemon.restart()
    assert daemon.post("gladly", body).json() == {"status": "duplicate"}


def test_a_stop_during_deliveries_ends_in_time_and_repeats_nothing(stage, gladly):
    sandbox = stage.sandbox()
    sandbox.fault("delay=1s")
    gladly.customers = {f"cust-{n}": [f"jo-{n}@example.com"] for n in range(10)}
    daemon = stage.daemon(sandbox, gladly)
    for n in range(10):
        daemon.accepted("gladly", gladly_webhook("opened", f"conv-{n}", f"cust-{n}"))
    sandbox.wait_for(lambda s: s.stats()["concurrent"] > 0)
    began = time.monotonic()
    assert daemon.stop() == 0
    assert time.monotonic() - began < 10
    sandbox.clear_faults()
    daemon.restart()
    sandbox.wait_events(10)
    daemon.wait_idle()
    assert len(sandbox.all_events()) == 10


def silent_server(host="127.0.0.1", port=0):
    """A server that never answers. The kernel accepts its connections."""
    return socket.create_server((host, port), backlog=64)


STALLED_BODY = (
    "POST /webhooks/gladly HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n"
    f"Authorization: {basic(WEBHOOK_USER, WEBHOOK_PASSWORD)}\r\n\r\n{{"
)


def test_a_stop_while_klaviyo_the_helpdesk_and_clients_hang_ends_within_ten_seconds(stage, sandbox, gladly):
    gladly.customers["cust-1"] = ["jo@example.com"]
    with silent_server() as desk, contextlib.ExitStack() as clients:
        hanging = {"base_url": "http://127.0.0.1:%d" % desk.getsockname()[1]}
        daemon = stage.daemon(sandbox, gladly)
        daemon.accepted("gladly", gladly_webhook("opened", "conv-1", "cust-1"))
        sandbox.wait_events(1)
        daemon.configure({"klaviyo": {"hold": True}})
        daemon.restart()
        daemon.accepted("gladly", gladly_webhook("closed", "conv-1", "cust-1"))
        daemon.wait_metric("deskbridge_queue_events", 1, state="ready")
        # A server that hangs listens at the same url from here on, as an event for another url would not be sent.
        sandbox.stop()
        host, port = sandbox.address.rsplit(":", 1)
        with silent_server(host, int(port)) as klaviyo:
            daemon.configure({"klaviyo": {"hold": False}, "sources": {"gladly": {"lookup": hanging}}})
            daemon.reload()
            sent, _ = klaviyo.accept()
            clients.enter_context(sent)
            daemon.accepted("gladly", gladly_webhook("opened", "conv-2", "cust-2"))
            asked, _ = desk.accept()
            clients.enter_context(asked)
            for text in ("", "POST /webhooks/gladly HTTP/1.1\r\nHost: x\r\n", STALLED_BODY):
                for where in (daemon.address, daemon.admin):
                    client = clients.enter_context(socket.create_connection(where.rsplit(":", 1), 5))
                    client.sendall(text.encode())
            began = time.monotonic()
            assert daemon.stop() == 0
            assert time.monotonic() - began < 10
        sandbox.start()
        gladly.customers["cust-2"] = ["al@example.com"]
        daemon.configure({"sources": {"gladly": {"lookup": {"base_url": gladly.url}}}})
        daemon.restart()
        sandbox.wait_for(lambda s: {e["email"] for e in s.events()} == {"jo@example.com", "al@example.com"})
