# SPDX-License-Identifier: MIT
"""`deskbridge check`: its output for a valid configuration, and with --key for Klaviyo's key. It has no effect."""

import http.server
import json
import os
import re
import threading

import pytest

from harness import GLADLY_TOKEN, KEY, WEBHOOK_PASSWORD

PAGE = "https://www.klaviyo.com/create-private-api-key?scopes="


@pytest.fixture
def checked(stage):
    """Writes a configuration and checks it: checked(sandbox, config, key=…, words=…) → the ended process."""

    def check(sandbox=None, config=None, key=KEY, words=()):
        daemon = stage.daemon(sandbox, config=config, key=key, start=False)
        ended = daemon.command("check", *words)
        assert not (daemon.dir / "deskbridge.db").exists(), "check made a store"
        return ended

    return check


@pytest.fixture
def asked(checked, sandbox):
    """Runs check --key against a sandbox. Returns (exit status, the lines about the account)."""

    def ask(key=KEY, config=None):
        ended = checked(sandbox, config, key, ["--key"])
        assert key not in ended.stdout + ended.stderr
        assert sandbox.all_events() == [] and sandbox.profiles() == {}
        return ended.returncode, [line for line in ended.stdout.splitlines() if line.startswith("account default: ")]

    return ask


# ---- without --key


def test_a_lookup_that_can_never_be_asked_is_told(checked):
    source = {"preset": "liveagent", "authenticate": {"secret": "a-secret-of-the-url"}}
    whole = {"base_url": "https://acme.example.com", "token": "a-token"}
    for missing in whole:
        lookup = {key: value for key, value in whole.items() if key != missing}
        ended = checked(config={"sources": {"gladly": None, "liveagent": {**source, "lookup": lookup}}})
        assert ended.returncode == 0 and f"without lookup.{missing} no lookup is sent" in ended.stderr
    for good in ({"lookup": whole}, {}):
        ended = checked(config={"sources": {"gladly": None, "liveagent": {**source, **good}}})
        assert ended.returncode == 0 and "no lookup is sent" not in ended.stderr


def test_a_state_folder_that_the_unit_will_make_is_no_warning(stage, tmp_path):
    """The folder does not exist before the first start of the package. Without the unit, or for another configuration
    file, an operator must create the folder."""
    name = f"deskbridge-test-{os.getpid()}"
    daemon = stage.daemon(config={"store": f"sqlite:/var/lib/{name}/deskbridge.db"}, start=False)
    unit = tmp_path / "deskbridge.service"
    run, env = f"[Service]\nExecStart=/usr/bin/deskbridge -c {daemon.file} serve\n", {"SYSTEMD_UNIT_PATH": str(tmp_path)}
    unit.write_text(f"{run}StateDirectory=other {name}\n")
    ended = daemon.command("check", env=env)
    assert ended.returncode == 0 and "store: warning" not in ended.stdout, ended.stdout
    for text in (f"{run}StateDirectory=other\n", f"[Service]\nStateDirectory={name}\n"):
        unit.write_text(text)
        assert f"store: warning: /var/lib/{name} is not there" in daemon.command("check", env=env).stdout
    unit.unlink()
    assert f"store: warning: /var/lib/{name} is not there" in daemon.command("check", env=env).stdout


def test_warnings_are_counted_where_it_says_good(stage):
    daemon = stage.daemon(start=False)
    missing = daemon.dir / "not-there"
    fixed = {"listen": "127.0.0.1:8085", "admin": "127.0.0.1:8086", "store": f"sqlite:{missing}/x.db"}
    daemon.configure(fixed)
    ended = daemon.command("check")
    assert ended.returncode == 0 and f"store: warning: {missing} is not there" in ended.stdout
    assert ended.stdout.splitlines()[-1].endswith("deskbridge.yaml: good, but for 1 warning (above)")
    daemon.configure({**fixed, "klaviyo": {"revision": "2020-01-01", "url": "https://a.klaviyo.com/api"}})
    ended = daemon.command("check")
    assert (ended.stdout + ended.stderr).count("warning: ") == 3
    assert ended.stdout.splitlines()[-1].endswith("deskbridge.yaml: good, but for 3 warnings (above)")


def test_a_port_that_nobody_can_know_is_warned_of(checked):
    """Port 0 means any free port; these tests use it."""
    ended = checked()
    assert ended.returncode == 0
    for place, who in (("listen", "helpdesk"), ("admin", "command")):
        assert f"{place}: warning: port 0 is any free one, another one at each start, which no {who} can know" in ended.stdout
    ended = checked(config={"listen": "127.0.0.1:8080", "admin": "unix:/run/admin:0"})
    assert "port 0" not in ended.stdout


def test_a_good_configuration_is_told_in_full(checked):
    ended = checked(config={"listen": "127.0.0.1:8085", "admin": "127.0.0.1:8086"})
    assert ended.returncode == 0 and ended.stderr == ""
    assert "source gladly: POST /webhooks/gladly, proof basic, definition gladly" in ended.stdout
    for line in (
        "opened    sends  started conversation in Gladly",
        "reopened  sends  reopened conversation in Gladly",
        "closed    sends  closed conversation in Gladly",
        "expired   sends  closed conversation in Gladly",
        'property  "In Gladly Conversation" true while a conversation is open',
        "revision 2026-07-15, key: credential klaviyo-api-key (",
        "listen 127.0.0.1:8085, admin 127.0.0.1:8086, store sqlite:",
    ):
        assert line in ended.stdout, line
    assert ended.stdout.splitlines()[-1].endswith("deskbridge.yaml: good")


def test_where_lookups_will_ask_is_shown(checked):
    base = "https://acme.gladly.com"
    gladly = {"lookup": {"base_url": base + "/"}}
    profile = f"    lookup    GET {base}/api/v1/customer-profiles/{{/content/customerId}}\n"
    agent = f"    lookup    GET {base}/api/v1/agents/{{/content/context/assignee/agentId}} (optional)\n"
    said = checked(config={"sources": {"gladly": gladly}}).stdout
    assert profile in said and agent not in said and "trusts" not in said
    said = checked(config={"sources": {"gladly": {**gladly, "with": {"names": "on"}}}}).stdout
    assert profile in said and agent in said
    liveagent = {"preset": "liveagent", "authenticate": {"secret": "s"}}
    assert "lookup    GET" not in checked(config={"sources": {"gladly": None, "liveagent": liveagent}}).stdout


def test_labels_flags_rules_and_paths_are_shown_as_they_will_be(checked):
    source = {
        "label": "Shop",
        "path": "/hooks/a",
        "flag": ["In {label} Conversation", "In Support Conversation"],
        "rules": ["default", {"on": "closed", "send": "closed refund in {label}"}],
    }
    said = checked(config={"sources": {"gladly": source}, "klaviyo": {"hold": True}}).stdout
    for line in (
        "POST /hooks/a",
        "started conversation in Shop",
        "closed    sends  closed refund in Shop",
        '"In Shop Conversation"',
        '"In Support Conversation"',
        "ON HOLD",
    ):
        assert line in said, line


def test_nobody_is_asked_without_key(checked, sandbox):
    assert checked(sandbox).returncode == 0
    assert sandbox.requests() == 0


def test_no_secret_is_shown(checked, sandbox):
    ended = checked(sandbox, words=["--key"])
    for secret in (KEY, WEBHOOK_PASSWORD, GLADLY_TOKEN):
        assert secret not in ended.stdout + ended.stderr


def test_a_plain_secret_in_an_open_file_is_warned_of_and_not_shown(stage):
    daemon = stage.daemon(config={"klaviyo": {"api_key": None}}, start=False)
    daemon.configure({"klaviyo": {"api_key": "pk_written_in_the_file"}})
    daemon.file.chmod(0o644)
    ended = daemon.command("check")
    assert ended.returncode == 0 and "klaviyo.api_key: warning: a secret stands in a file that others can read" in ended.stderr
    assert "pk_written_in_the_file" not in ended.stdout + ended.stderr
    daemon.file.chmod(0o600)
    assert daemon.command("check").stderr == ""


def test_the_group_of_the_daemons_user_may_read_a_plain_secret(stage):
    daemon = stage.daemon(config={"klaviyo": {"api_key": None}}, start=False)
    daemon.configure({"klaviyo": {"api_key": "pk_written_in_the_file"}})
    os.chown(daemon.file, -1, os.getegid())
    daemon.file.chmod(0o640)
    assert daemon.command("check").stderr == ""
    daemon.file.chmod(0o644)
    assert "others can read" in daemon.command("check").stderr


def test_systemds_credentials_are_found_and_their_restart_is_told(stage):
    daemon = stage.daemon(start=False)
    passed = daemon.dir / "passed"
    (daemon.dir / "credentials").rename(passed)
    assert daemon.command("check").returncode == 78
    ended = daemon.command("check", env={"CREDENTIALS_DIRECTORY": str(passed)})
    assert ended.returncode == 0, ended.stderr
    assert "systemd's credentials" in ended.stdout and "restart" in ended.stdout


@pytest.mark.parametrize("form", ["file", "env"])
def test_secrets_come_from_files_and_the_environment(stage, form):
    daemon = stage.daemon(start=False, config={"klaviyo": {"api_key": None}})
    (daemon.dir / "key").write_text(KEY + "\n")
    daemon.configure({"klaviyo": {"api_key": {"file": "key"} if form == "file" else {"env": "THE_KEY"}}})
    ended = daemon.command("check", env={"THE_KEY": KEY})
    assert ended.returncode == 0 and ended.stderr == "" and KEY not in ended.stdout


@pytest.mark.parametrize(
    "revision, said",
    [("2020-01-01", "has ended"), ("2024-12-15", "ends in "), ("2026-07-15", None)],
)
def test_the_end_of_a_revision_is_told_in_time(checked, revision, said):
    ended = checked(config={"klaviyo": {"revision": revision}})
    assert ended.returncode == 0
    warned = [line for line in ended.stdout.splitlines() if "warning: Klaviyo's revision" in line]
    assert len(warned) == (said is not None)
    if said:
        assert said in warned[0] and revision in warned[0] and "2026-07-15" in warned[0]


def test_an_unverified_definition_is_warned_of(checked):
    definition = {
        "label": "Mini",
        "authenticate": {"method": "none"},
        "opened": {"/kind": "opened"},
        "closed": {"/kind": "closed"},
        "conversation": "/id",
        "emails": "/email",
    }
    source = {"preset": None, "authenticate": None, "lookup": None, "definition": definition}
    ended = checked(config={"sources": {"gladly": source}})
    assert ended.returncode == 0, ended.stderr
    assert "warning: gladly: nobody has verified this definition" in ended.stderr
    assert "proof none, definition in place" in ended.stdout


MINI = {
    "label": "Mini",
    "verified": "live",
    "authenticate": {"method": "none"},
    "opened": {"/kind": "opened"},
    "closed": {"/kind": "closed"},
    "conversation": "/id",
    "samples": {"opened": {"kind": "opened", "id": 1}, "closed": {"kind": "closed", "id": 1}},
}


def mini(**changes):
    source = {"preset": None, "authenticate": None, "lookup": None, "definition": {**MINI, **changes}}
    return {"sources": {"gladly": source}}


@pytest.mark.parametrize("reports", ["change", "state"])
def test_where_a_reopening_comes_from_is_told(checked, reports):
    line = "    reopened  sends  reopened conversation in Mini"
    only = " (only where `opened` comes after a closing: the definition has no `reopened`)"
    assert f"{line}{only}\n" in checked(config=mini(reports=reports)).stdout
    samples = {**MINI["samples"], "reopened": {"kind": "again", "id": 1}}
    assert f"{line}\n" in checked(config=mini(reports=reports, reopened={"/kind": "again"}, samples=samples)).stdout


def test_a_value_that_a_map_does_not_name_is_a_warning(checked):
    ended = checked(config=mini(attributes={"Initiated By": {"/kind": {"opened": "customer"}}}))
    assert ended.returncode == 0 and len(ended.stderr.splitlines()) == 1
    said = '/kind is "closed", which the map of Initiated By does not name: it is left out; add it, or "*"'
    assert f"definition.samples.closed: warning: {said}" in ended.stderr
    assert checked(config=mini(attributes={"Initiated By": {"/kind": {"opened": "customer", "*": None}}})).stderr == ""


def test_one_mistake_is_one_error(checked):
    ended = checked(config=mini(conversation="/ids"))
    assert ended.returncode == 78 and len(ended.stderr.splitlines()) == 1, ended.stderr
    assert '.conversation: "/ids" finds nothing in any sample (opened, closed)' in ended.stderr
    said = checked(config=mini(time="/at", samples={})).stderr
    assert "no sample reads as opened" in said and "no sample reads as closed" in said and "finds nothing" not in said


def test_a_constant_is_told_how_to_be_written(checked):
    said = checked(config=mini(attributes={"Agent": "someone"})).stderr
    assert 'attributes.Agent: "someone" is no reference' in said and '{/some/reference: {"*": someone}}' in said


def test_an_unknown_name_is_told_at_its_attribute(checked):
    said = checked(config=mini(attributes={"Team": "/kind", "Agent": "{agent}"})).stderr
    assert 'attributes.Agent: no parameter and no lookup\'s `take` is called "agent"; a pointer begins with "/"' in said


def test_facts_that_no_document_confirms_are_one_notice(checked):
    for facts, said in (
        ("Whether it\nsends twice.\n  Times.\n", "2 facts that no vendor document confirms"),
        (["Whether it sends twice. " * 30, "Times.", "Names"], "3 facts that no vendor document confirms"),
        (["Times."], "1 fact that no vendor document confirms"),
    ):
        ended = checked(config=mini(unconfirmed=facts))
        (line,) = ended.stderr.splitlines()
        assert ended.returncode == 0
        assert line.endswith(f"definition: notice: gladly: {said} (its `unconfirmed`)"), line
    assert checked(config=mini(unconfirmed=[])).stderr == ""


def test_several_sources_of_one_preset_tell_its_doubts_once(stage):
    daemon = stage.daemon(start=False)
    (daemon.dir / "helpdesks").mkdir()
    (daemon.dir / "helpdesks" / "mini.yaml").write_text(
        "label: M\nverified: no\nunconfirmed: [x, y]\nauthenticate: {method: none}\nopened: {/t: o}\nclosed: {/t: c}\n"
        "conversation: /id\n"
    )
    source = {"preset": "mini", "authenticate": {"method": "none"}}
    sure = {**source, "definition": {"verified": "live", "unconfirmed": []}}
    daemon.configure({"sources": {"gladly": None, "one": source, "two": source, "sure": sure}})
    said = daemon.command("check").stderr.splitlines()
    assert len(said) == 2 and all(": sources.one.preset: " in line for line in said), said
    assert ": warning: mini: nobody has verified this definition" in said[0]
    assert said[1].endswith("notice: mini: 2 facts that no vendor document confirms (deskbridge presets mini)")


@pytest.mark.parametrize(
    "changes, place, said",
    [
        ({"closed": {"/kind": "shut"}}, "samples.closed", 'no matcher holds (closed: /kind: there is "closed")'),
        ({"closed": {"/kind": "opened"}}, "samples.opened", "should read as opened, but reads as closed"),
        ({"reopened": {"/kind": "reopened"}}, "samples", "no sample reads as reopened"),
        ({"time": "/at"}, "time", '"/at" finds nothing in any sample (opened, closed)'),
        ({"attributes": {"Team": "/knd"}}, "attributes.Team", 'is "kind" meant, instead of "knd"?'),
        ({"attributes": {"Team": {"/team": {"A": "b"}}}}, "attributes.Team./team", '"/team" finds nothing'),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_the_samples_of_a_definition_are_its_tests(checked, changes, place, said):
    ended = checked(config=mini(**changes))
    assert ended.returncode == 78
    place = re.escape(f"sources.gladly.definition.{place}")
    assert re.search(rf"\.yaml:\d+:\d+: {place}: .*{re.escape(said)}", ended.stderr), ended.stderr


def test_laid_over_a_preset_they_are_a_warning(checked):
    over = {"samples": {"closed": json.dumps({"type": "CONVERSATION/CREATED", "content": {"conversationId": "c"}})}}
    ended = checked(config={"sources": {"gladly": {"definition": over}}})
    assert ended.returncode == 0
    assert "sources.gladly.definition.samples.closed: warning: this sample should read as closed" in ended.stderr


@pytest.mark.parametrize(
    "over, key, kept",
    [
        ({"closed": {"/content/reason": "done"}}, "closed", "/type: CONVERSATION/CLOSED"),
        ({"ping": {"/kind": "PING"}}, "ping", "/type: PING"),
        ({"closed": [{"/type": "done"}]}, None, None),
        ({"closed": {"/type": "done"}}, None, None),
        ({"attributes": {"Team": "/content/context/assignee/inboxId", "Agent": None}}, None, None),
        ({"reopened": None, "ping": None, "samples": None}, None, None),
    ],
    ids=lambda value: json.dumps(value) if isinstance(value, dict) else "",
)
def test_conditions_of_a_presets_matcher_that_stay_are_noticed(checked, over, key, kept):
    ended = checked(config={"sources": {"gladly": {"definition": over}}})
    assert ended.returncode == 0, ended.stderr
    told = [line for line in ended.stderr.splitlines() if " stay beside these" in line]
    if not key:
        assert told == []
        return
    place = rf"sources\.gladly\.definition\.{key}: notice: "
    said = f"conditions of the preset's `{key}` stay beside these, and all must hold: {kept}. To replace them, write a list: {key}: [{{…}}]"
    assert len(told) == 1 and re.search(rf"\.yaml:\d+:\d+: {place}{re.escape(said)}$", told[0]), ended.stderr


@pytest.mark.parametrize(
    "states, place, said",
    [
        ({"/ticket/state": {"parked": "opne"}}, "./ticket/state.parked", "no matcher of this definition asks for {means: opne}"),
        ({"/ticket/state": ["parked"]}, "./ticket/state", "expected a mapping from states to what they mean"),
        ({"/ticket/status": {"parked": "open"}}, "./ticket/status", 'no matcher of this definition looks at "/ticket/status": they look at /ticket/state'),
        ({"/ticket/state": {"Open": "open"}}, "./ticket/state.Open", "stands here twice"),
        (["parked"], "", "expected a mapping from references to states"),
    ],
)
def test_mistakes_in_states_are_told_at_their_place(checked, states, place, said):
    source = {"preset": "zammad", "authenticate": {"secret": "abcdef"}, "definition": {"states": states}}
    ended = checked(config={"sources": {"zammad": source}})
    assert ended.returncode == 78
    place = re.escape(f"sources.zammad.definition.states{place}")
    assert re.search(rf"deskbridge\.yaml:\d+:\d+: {place}: .*{re.escape(said)}", ended.stderr), ended.stderr


def test_a_folder_of_the_store_that_is_not_there_is_warned_of(stage):
    daemon = stage.daemon(start=False)
    folder = daemon.dir / "not" / "there"
    daemon.configure({"store": f"sqlite:{folder}/deskbridge.db"})
    ended = daemon.command("check")
    assert ended.returncode == 0 and not folder.exists()
    assert f"store: warning: {folder} is not there: mkdir -p {folder}; serve will not start" in ended.stdout
    folder.mkdir(parents=True)
    assert "store: warning" not in daemon.command("check").stdout
    if os.geteuid() != 0:
        folder.chmod(0o500)
        assert f"store: warning: {folder} is not writable" in daemon.command("check").stdout


@pytest.mark.parametrize("key", ["pk_\u2026", "pk_0123 4567", "'pk_0123'", '"pk_0123"'])
@pytest.mark.parametrize("words", [[], ["--key"]])
def test_a_key_with_a_character_that_no_key_has_is_told(checked, sandbox, key, words):
    ended = checked(sandbox, key=key, words=words)
    assert ended.returncode == 1 and sandbox.requests() == 0
    assert "account default: the key holds a character that no key has: paste it whole" in ended.stdout
    assert "credentials/klaviyo-api-key" in ended.stdout and "pk_0" not in ended.stdout + ended.stderr


# ---- --key


def test_a_key_that_may_send_and_no_more_is_good(asked):
    status, said = asked("pk_only_events-write_0123")
    assert status == 0 and "account default: the key may send events" in said
    assert not any("warning" in line for line in said)
    assert said[-1].endswith(PAGE + "events:write")


def test_a_key_that_may_do_more_is_good_with_a_warning(asked):
    status, said = asked(KEY)
    assert status == 0 and "account default: the key may send events" in said
    warned = [line for line in said if "warning: the key may do more than it needs" in line]
    assert len(warned) == 1
    for scope in ("profiles:read", "events:read", "metrics:read", "accounts:read"):
        assert scope in warned[0]


def test_only_the_scopes_that_are_too_many_are_named(asked):
    warned = [line for line in asked("pk_only_events-write+metrics-read_0123")[1] if "warning" in line]
    assert len(warned) == 1 and "(metrics:read)" in warned[0]


@pytest.mark.parametrize("key", ["pk_bad_0123", "pk_revoked_0123", "not-a-key"])
def test_a_key_that_klaviyo_does_not_know_is_1(asked, key):
    status, said = asked(key)
    assert status == 1 and "does not know this key (401)" in said[1] and "credentials/klaviyo-api-key" in said[1]
    assert not any("may send" in line for line in said)


def test_a_key_that_may_not_send_is_1_and_gets_a_page_for_a_new_one(asked):
    status, said = asked("pk_only_profiles-read_0123")
    assert status == 1 and "may not send events (403)" in said[1] and "events:write" in said[1]
    assert said[-1].endswith(PAGE + "events:write")


@pytest.mark.parametrize(
    "setting, said",
    [
        ({"create_profiles": False}, "klaviyo.create_profiles: expected true, found"),
        ({"lane": "bulk"}, "klaviyo.lane: expected single, found"),
        ({"quota": {"bulk": {"second": 10}}}, "klaviyo.quota.bulk: unknown key"),
    ],
)
def test_what_no_code_obeys_is_not_taken(checked, setting, said):
    ended = checked(config={"klaviyo": setting})
    assert ended.returncode == 78 and said in ended.stderr, ended.stderr


def test_what_says_the_same_as_is_done_is_taken(checked):
    ended = checked(config={"klaviyo": {"create_profiles": True, "lane": "single"}})
    assert ended.returncode == 0 and "klaviyo" not in ended.stderr
    ended = checked(config={"klaviyo": {"lane": "auto"}})
    assert ended.returncode == 0 and "warning: auto is taken as single" in ended.stderr


def test_a_revision_that_klaviyo_does_not_know_is_told(asked):
    status, said = asked("pk_only_events-write_0123", {"klaviyo": {"revision": "2031-01-01"}})
    assert status == 1 and "refuses every request" in said[1] and "2031-01-01" in said[1]


@pytest.mark.parametrize(
    "fault, said",
    [
        ("status=503", "cannot say now (status 503)"),
        ("status=429,retry-after=7", "cannot say now (status 429)"),
        ("status=410", "has ended revision 2026-07-15 (410)"),
        ("status=404", "is klaviyo.url right?"),
        ("status=202", "is klaviyo.url right?"),
        ("status=400,html", "is klaviyo.url right?"),
        ("challenge", "cannot say now (status 403)"),
        ("reset", "does not answer at http://127.0.0.1"),
    ],
)
def test_what_is_no_verdict_on_the_key_is_no_good_one(asked, sandbox, fault, said):
    sandbox.fault(fault)
    status, lines = asked()
    assert status == 1 and said in lines[1], lines
    assert not any("may send" in line for line in lines)


def test_nobody_there_is_1(checked):
    ended = checked(words=["--key"])
    assert ended.returncode == 1 and "Klaviyo does not answer at http://127.0.0.1:9" in ended.stdout
    assert "good" not in ended.stdout.splitlines()[-1]


def test_every_account_is_asked_and_one_bad_key_is_1(stage, sandbox):
    accounts = {
        "shop": {"api_key": {"credential": "shop"}, "url": sandbox.url},
        "b2b": {"api_key": {"credential": "b2b"}, "url": sandbox.url},
    }
    daemon = stage.daemon(sandbox, start=False)
    daemon.config["klaviyo"] = {"accounts": accounts}
    daemon.configure({"sources": {"gladly": {"account": "shop"}}})
    daemon.credential("shop", "pk_only_events-write_shop_1")
    daemon.credential("b2b", "pk_bad")
    ended = daemon.command("check", "--key")
    assert ended.returncode == 1
    assert "account shop: the key may send events" in ended.stdout
    assert "account b2b: Klaviyo does not know this key (401)" in ended.stdout
    daemon.credential("b2b", "pk_only_events-write_b2b_1")
    assert daemon.command("check", "--key").returncode == 0
    assert sandbox.all_events() == []


class Recorder(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.asked.append((self.command, self.path, dict(self.headers), body))
        self.answer(400, b'{"errors":[{"source":{"pointer":"/data/attributes"}}]}')

    def do_GET(self):
        self.server.asked.append((self.command, self.path, dict(self.headers), b""))
        self.answer(403, b'{"errors":[]}')

    def answer(self, status, body):
        self.send_response(status)
        self.send_header("Content-Type", "application/vnd.api+json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


def test_the_probe_is_an_event_that_no_klaviyo_can_take(stage):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Recorder)
    server.asked = []
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        url = "http://127.0.0.1:%d" % server.server_address[1]
        daemon = stage.daemon(start=False, config={"klaviyo": {"url": url}})
        assert daemon.command("check", "--key").returncode == 0
    finally:
        server.shutdown()
        server.server_close()
    sent = [asked for asked in server.asked if asked[0] == "POST"]
    assert len(sent) == 1
    _, path, headers, body = sent[0]
    assert path == "/api/events" and headers["Authorization"] == f"Klaviyo-API-Key {KEY}"
    assert headers["revision"] == "2026-07-15"
    attributes = json.loads(body)["data"]["attributes"]
    assert "metric" not in attributes and "data" not in attributes["profile"]
    assert all(method in ("GET", "POST") for method, *_ in server.asked)
