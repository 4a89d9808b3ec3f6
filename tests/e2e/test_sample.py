# SPDX-License-Identifier: MIT
"""`deskbridge sample`: a webhook as the helpdesk would send it, with a valid proof, as a shell command or posted."""

import json
import re
import shlex
import shutil
import subprocess

import pytest

from harness import GLADLY_TOKEN, HANG, WEBHOOK_PASSWORD, WEBHOOK_USER, basic, run, wait_for

CUSTOMER = "CuSampleGladlyPerson01"
METRICS = {
    "opened": "started conversation in Gladly",
    "reopened": "reopened conversation in Gladly",
    "closed": "closed conversation in Gladly",
}
needs_curl = pytest.mark.skipif(not shutil.which("curl"), reason="no curl")


@pytest.fixture
def bridge(daemon, gladly):
    """A daemon whose Gladly knows the customer of the samples."""
    gladly.customers[CUSTOMER] = ["sample@example.com"]
    return daemon


def sample(daemon, *words, url=True, source="gladly"):
    words = [*words, "--url", f"http://{daemon.address}"] if url else words
    return daemon.command("sample", source, *words)


def shell(command):
    """Runs the printed command in a shell, as a person who pastes it."""
    ended = subprocess.run(["sh", "-c", command], capture_output=True, text=True, timeout=HANG)
    assert ended.returncode == 0 and ended.stderr == "", ended
    return json.loads(ended.stdout)


def parts(command):
    """Returns (URL, headers, body) of a printed command, split as by a shell."""
    words = shlex.split(command)
    assert words[:2] == ["curl", "-sS"]
    headers = [words[i + 1] for i, word in enumerate(words) if word == "-H"]
    return next(w for w in words if w.startswith("http")), headers, words[words.index("--data-binary") + 1]


# ---- the printed command


@needs_curl
@pytest.mark.parametrize("transition", METRICS)
def test_the_printed_command_makes_an_accepted_webhook(bridge, sandbox, transition):
    shown = sample(bridge, transition)
    assert shown.returncode == 0 and shown.stdout.startswith("curl -sS 'http://")
    assert shell(shown.stdout)["status"] == "accepted"
    event = sandbox.wait_events(1)[0]
    assert (event["email"], event["metric"]) == ("sample@example.com", METRICS[transition])
    assert event["backfill"] is False, "a sample is of now"


@needs_curl
def test_a_conversation_can_be_played_through(bridge, sandbox):
    for n, transition in enumerate(("opened", "closed", "reopened", "closed"), 1):
        assert shell(sample(bridge, transition, "--conversation", "test-1").stdout)["status"] == "accepted"
        sandbox.wait_events(n)
    events = sandbox.events()
    assert [event["metric"].split()[0] for event in events] == ["started", "closed", "reopened", "closed"]
    assert {event["properties"]["Conversation ID"] for event in events} == {"test-1"}
    assert sandbox.profiles() == {"sample@example.com": {"In Gladly Conversation": False}}


def test_every_sample_is_another_delivery(bridge):
    assert sample(bridge, "opened", "--post").stdout.startswith('200 {"status":"accepted"')
    assert sample(bridge, "opened", "--post").stdout.startswith('200 {"status":"accepted"')


@pytest.mark.parametrize("transition", METRICS)
def test_the_command_is_what_the_helpdesk_sends(daemon, transition):
    url, headers, body = parts(sample(daemon, transition).stdout)
    assert url == f"http://{daemon.address}/webhooks/gladly"
    proof = f"Authorization: {basic(WEBHOOK_USER, WEBHOOK_PASSWORD)}"
    assert sorted(headers) == [proof, "Content-Type: application/json"]
    made = json.loads(body)
    assert made["type"].lower().endswith({"opened": "created"}.get(transition, transition))
    assert made["content"]["customerId"] == CUSTOMER and "\n" not in body


def test_conversation_and_customer_take_their_places(daemon):
    nasty = "it's \"$(touch x)\" `y` \\ ;& %41"
    _, _, body = parts(sample(daemon, "closed", "--conversation", nasty, "--customer", "cust-9").stdout)
    made = json.loads(body)
    assert made["content"]["conversationId"] == nasty and made["content"]["customerId"] == "cust-9"


@needs_curl
def test_quotes_and_dollars_are_safe_in_the_shell(bridge, sandbox, gladly, tmp_path):
    nasty = "it's \"$(touch %s/x)\" `touch %s/y`" % (tmp_path, tmp_path)
    gladly.customers["cust-9"] = ["nine@example.com"]
    command = sample(bridge, "opened", "--conversation", nasty, "--customer", "cust-9").stdout
    assert shell(command)["status"] == "accepted"
    assert sandbox.wait_events(1)[0]["properties"]["Conversation ID"] == nasty
    assert list(tmp_path.iterdir()) == []


def test_it_is_told_where_the_address_comes_from(bridge, gladly):
    note = sample(bridge, "opened").stderr
    assert "hold no address" in note and CUSTOMER in note and gladly.url in note and "--customer" in note
    assert "--email has no place" in sample(bridge, "opened", "--email", "jo@example.com").stderr


@pytest.mark.parametrize("asks", [False, True])
def test_an_email_that_is_no_address_is_told_as_that_and_stands_in_the_webhook(stage, asks):
    step = {"url": "{base_url}/{/id}", "authenticate": "bearer", "emails": "/email"}
    desk = {**MINI, "authenticate": {"method": "none"}, **({"lookup": [step]} if asks else {})}
    lookup = {"lookup": {"base_url": "https://desk.example.com", "token": "a token"}} if asks else {}
    daemon = stage.daemon(config={"sources": {"mini": {"definition": desk, **lookup}}}, start=False)
    shown = daemon.command("sample", "mini", "opened", "--email", "Jo, x@example")
    assert shown.returncode == 0 and "Jo, x@example" in shown.stdout
    assert "note: the daemon passes over what is no address in --email: " in shown.stderr
    assert "(no at sign)" in shown.stderr or "(no domain dot)" in shown.stderr
    assert "no place" not in shown.stderr and "webhooks hold no address" not in shown.stderr
    assert ("this webhook holds no address. The daemon asks https://desk.example.com" in shown.stderr) == asks


@pytest.mark.parametrize(
    "listen, begins",
    [
        ("127.0.0.1:8085", "'http://127.0.0.1:8085/webhooks/gladly'"),
        (":8085", "'http://127.0.0.1:8085/webhooks/gladly'"),
        ("0.0.0.0:80", "'http://127.0.0.1:80/webhooks/gladly'"),
        ("[::]:8085", "'http://[::1]:8085/webhooks/gladly'"),
        ("unix:/run/deskbridge/in.sock", "--unix-socket '/run/deskbridge/in.sock' 'http://localhost/webhooks/gladly'"),
    ],
)
def test_the_url_is_that_of_the_configuration(stage, listen, begins):
    daemon = stage.daemon(config={"listen": listen}, start=False)
    assert daemon.command("sample", "gladly", "opened").stdout.startswith(f"curl -sS {begins} \\\n")


@pytest.mark.parametrize("base", ["https://hooks.acme.com", "https://hooks.acme.com/", "https://acme.com/bridge/"])
def test_another_url_can_be_given(daemon, base):
    url, _, _ = parts(daemon.command("sample", "gladly", "opened", "--url", base).stdout)
    assert url == base.rstrip("/") + "/webhooks/gladly"


@needs_curl
def test_a_unix_socket_is_reached(stage, sandbox, gladly, tmp_path):
    gladly.customers[CUSTOMER] = ["sample@example.com"]
    daemon = stage.daemon(sandbox, gladly, config={"listen": f"unix:{tmp_path}/in.sock"}, start=False)
    daemon.start(ready=False)
    daemon.wait_log(r"listening on unix:")
    assert shell(daemon.command("sample", "gladly", "opened").stdout)["status"] == "accepted"
    assert daemon.command("sample", "gladly", "closed", "--post").stdout.startswith('200 {"status":"accepted"')
    assert len(sandbox.wait_events(2)) == 2


# ---- other proofs and definitions

MINI = {
    "label": "Mini",
    "opened": {"/kind": "opened"},
    "closed": {"header:X-Kind": "closed", "query:transition": "closed"},
    "conversation": "/id",
    "time": "/at",
    "emails": "/email",
    "samples": {
        "opened": '{"kind": "opened", "id": 17, "at": 1700000000, "email": "sample@example.com"}',
        "closed": {
            "body": '{"id": 17, "at": 1700000000, "email": "sample@example.com"}',
            "headers": {"X-Kind": "closed"},
            "query": "ts=1&transition=closed",
        },
    },
}


@pytest.fixture
def mini(stage, sandbox):
    """A running daemon with the source `mini`, proven by the given method."""

    def start(method):
        authenticate = None if method["method"] == "none" else {"secret": {"credential": "mini"}}
        source = {"definition": {**MINI, "authenticate": method}}
        if authenticate:
            source["authenticate"] = authenticate
        daemon = stage.daemon(sandbox, config={"sources": {"mini": source}}, start=False)
        daemon.credential("mini", "a mini secret/+&'")
        return daemon.start()

    return start


@pytest.mark.parametrize(
    "method",
    [
        {"method": "bearer"},
        {"method": "header", "name": "X-Token"},
        {"method": "query", "name": "token"},
        {"method": "none"},
        {"method": "hmac", "header": "X-Sign", "format": "sha256={signature}"},
        {"method": "hmac", "header": "X-Sign", "signed": "{timestamp}.{body}", "timestamp": "header:X-At"},
        {"method": "hmac", "header": "X-Sign", "signed": "{timestamp}.{body}", "timestamp": "query:ts", "unit": "ms"},
        {"method": "hmac", "header": "X-Sign", "signed": "{timestamp}.{body}", "timestamp": "/at"},
        {"method": "hmac", "header": "X-Sign", "signed": "{header:X-Kind}{body}", "encoding": "base64"},
    ],
    ids=lambda method: " ".join(method.values()),
)
@needs_curl
def test_every_proof_is_made_right(mini, sandbox, method):
    daemon = mini(method)
    for n, transition in enumerate(("opened", "closed"), 1):
        shown = sample(daemon, transition, "--email", "Jo@Example.com", source="mini")
        assert shown.stderr == ""
        assert shell(shown.stdout)["status"] == "accepted"
        sandbox.wait_events(n)
    assert {event["email"] for event in sandbox.events()} == {"jo@example.com"}
    assert [event["metric"].split()[0] for event in sandbox.events()] == ["started", "closed"]


def test_a_transition_without_a_sample_is_1(mini):
    ended = sample(mini({"method": "none"}), "reopened", source="mini")
    assert ended.returncode == 1 and "no sample for reopened" in ended.stderr and ended.stdout == ""


def test_what_has_no_place_is_told(mini):
    daemon = mini({"method": "none"})
    ended = sample(daemon, "opened", "--customer", "c-1", source="mini")
    assert ended.returncode == 0 and ended.stdout.startswith("curl ")
    assert ended.stderr == "note: --customer has no place in this webhook: the definition reads no customer there\n"
    source = {"definition": {**MINI, "authenticate": {"method": "none"}, "emails": None, "customer": "/who"}}
    source["definition"]["samples"] = {t: {"kind": t, "id": 1, "at": 1700000000, "who": 7} for t in ("opened", "closed")}
    source["definition"]["closed"] = {"/kind": "closed"}
    del source["definition"]["emails"]
    daemon.config["sources"] = {"mini": source}
    daemon.configure({})
    ended = sample(daemon, "opened", "--customer", "8", "--email", "jo@example.com", source="mini")
    assert ended.stderr == "note: --email has no place in this webhook: the definition reads no address there\n"


def test_of_a_desk_that_is_asked_by_the_conversation_so_is_told(stage):
    step = {"url": "{base_url}/t/{/id}", "authenticate": "bearer", "emails": "/email"}
    definition = {
        "label": "Mini",
        "authenticate": {"method": "none"},
        "opened": {"/kind": "opened"},
        "closed": {"/kind": "closed"},
        "conversation": "/id",
        "lookup": [step],
        "samples": {t: {"kind": t, "id": "t 1", "who": 7} for t in ("opened", "closed")},
    }
    lookup = {"base_url": "https://api.example.com", "token": {"credential": "gladly-api-token"}}
    source = {"definition": definition, "lookup": lookup}
    daemon = stage.daemon(config={"sources": {"mini": source}}, start=False)
    note = "note: Mini's webhooks hold no address. The daemon asks https://api.example.com for "
    said = daemon.command("sample", "mini", "opened").stderr
    assert said == note + "that of conversation t 1; another one: --conversation ID\n"
    said = daemon.command("sample", "mini", "opened", "--customer", "8").stderr.splitlines()
    assert "--conversation ID" in said[0] and "--customer has no place" in said[1]
    definition["lookup"] = [{**step, "url": "{base_url}/c/{/who}"}]
    daemon.configure({"sources": {"mini": source}})
    assert daemon.command("sample", "mini", "opened").stderr == note + "it\n"


def test_a_body_keeps_the_sample_s_own_forms(mini):
    daemon = mini({"method": "none"})
    _, headers, body = parts(sample(daemon, "opened", "--conversation", "18", source="mini").stdout)
    made = json.loads(body)
    assert made["id"] == 18 and isinstance(made["at"], int) and made["at"] > 1700000000
    assert headers == ["Content-Type: application/json"]


# ---- --post


@pytest.mark.parametrize("transition", METRICS)
def test_post_posts_and_prints_the_answer(bridge, sandbox, transition):
    ended = sample(bridge, transition, "--post")
    assert ended.returncode == 0
    assert re.fullmatch(r'200 \{"status":"accepted","webhook":"[0-9a-f]+"\}\n', ended.stdout)
    assert sandbox.wait_events(1)[0]["metric"] == METRICS[transition]


def test_a_refused_post_is_1_with_the_answer(bridge):
    other = bridge.dir / "other.yaml"
    bridge.credential("other", "a wrong password")
    config = json.loads(bridge.file.read_text())
    config["sources"]["gladly"]["authenticate"]["password"] = {"credential": "other"}
    other.write_text(json.dumps(config))
    ended = run("-c", other, "sample", "gladly", "opened", "--post", "--url", f"http://{bridge.address}")
    assert ended.returncode == 1 and ended.stdout.startswith("401 ")


def test_nobody_there_is_1_with_what_to_do(stage):
    daemon = stage.daemon(config={"listen": "127.0.0.1:9"}, start=False)
    ended = daemon.command("sample", "gladly", "opened", "--post")
    assert ended.returncode == 1 and ended.stdout == ""
    assert "does not answer" in ended.stderr and "--url" in ended.stderr and "Does it run?" in ended.stderr


def test_a_real_klaviyo_needs_yes(bridge, gladly, sandbox):
    bridge.configure({"klaviyo": {"url": None}})
    for words in (["--post"], ["--post", "--conversation", "c"]):
        ended = sample(bridge, "opened", *words)
        assert ended.returncode == 1 and ended.stdout == ""
        assert "real event" in ended.stderr and "--yes" in ended.stderr
    assert bridge.metric("deskbridge_webhooks_total") == 0
    ended = sample(bridge, "opened", "--post", "--yes")
    assert ended.returncode == 0 and ended.stdout.startswith("200 ")


def test_printing_needs_no_yes(bridge):
    bridge.configure({"klaviyo": {"url": None}})
    assert sample(bridge, "opened").returncode == 0


def test_one_real_account_among_several_needs_yes(bridge, sandbox):
    key = {"credential": "klaviyo-api-key"}
    bridge.config["klaviyo"] = {"accounts": {"a": {"api_key": key, "url": sandbox.url}, "b": {"api_key": key}}}
    bridge.configure({"sources": {"gladly": {"account": [{"when": {"Channel": "chat"}, "use": "b"}, {"use": "a"}]}}})
    assert "--yes" in sample(bridge, "opened", "--post").stderr
    bridge.configure({"sources": {"gladly": {"account": "a"}}})
    assert sample(bridge, "opened", "--post").returncode == 0


def test_the_api_token_is_never_shown(bridge):
    for words in (["opened"], ["opened", "--post"]):
        ended = sample(bridge, *words)
        assert GLADLY_TOKEN not in ended.stdout + ended.stderr


def test_the_status_shows_who_was_paused_by_a_sample(bridge):
    sample(bridge, "opened", "--post", "--conversation", "c-1")
    shown = wait_for(
        lambda: [
            person
            for person in json.loads(bridge.command("status", "--json", "--admin", bridge.admin).stdout)["paused"]
            if person["conversation"] == "c-1"
        ]
    )
    assert shown[0]["email"] == "sample@example.com"
