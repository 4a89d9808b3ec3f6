# SPDX-License-Identifier: MIT
"""The operator's commands: their help, their errors about wrong words, their exit statuses."""

import os
import re
import subprocess

import pytest

from harness import GLADLY_TOKEN, HANG, KEY, PRESETS, PROGRAM, WEBHOOK_PASSWORD, gladly_webhook, listens, run

OPTIONS = {
    "check": {"--key", "--user"},
    "reload": {"--json", "--admin", "--token-file"},
    "explain": {"--header", "--query", "--customer"},
    "sample": {"--email", "--conversation", "--customer", "--url", "--post", "--yes"},
    "presets": {"--config", "--paste"},
    "status": {"--json", "--admin", "--token-file"},
    "queue": {"--state", "--limit", "--json", "--admin", "--token-file"},
}
# The words of each command are complete, so that only the configuration can be wrong.
COMPLETE = {
    "check": [],
    "explain": ["gladly"],
    "sample": ["gladly", "opened"],
    "status": [],
    "queue": ["list"],
    "serve": [],
}


@pytest.mark.parametrize("command", OPTIONS)
def test_help_explains_every_option_that_the_command_takes(command):
    text = run(command, "--help").stdout
    described = set(re.findall(r"^  (--[a-z-]+)", text, re.M))
    assert described == OPTIONS[command]
    usage = text.partition("\n\n")[0]
    for option in OPTIONS[command]:
        assert option in usage, f"{option} is not in the usage line"


@pytest.mark.parametrize("command", OPTIONS)
def test_help_fits_a_terminal(command):
    for line in run(command, "--help").stdout.splitlines():
        assert len(line) <= 110, line


@pytest.mark.parametrize("command", ["", *OPTIONS, "serve", "sandbox"])
def test_no_example_writes_over_a_configuration_or_a_secret(command):
    text = run(*command.split(), "--help").stdout
    assert not re.search(r"(>|\btee|\bcp|\bmv|\binstall) *\S*(/etc/|deskbridge\.yaml|credentials)", text), text


@pytest.mark.parametrize("words", [[], ["list"]])
def test_help_needs_no_configuration_and_ends_at_once(words):
    for place in ("/nonexistent.yaml", "/"):
        shown = run("-c", place, "queue", *words, "--help")
        assert shown.returncode == 0 and shown.stdout.startswith("Usage: deskbridge [-c FILE] queue list")
        assert shown.stderr == ""


ASKING = {"status", "queue"}  # they ask the daemon, without a configuration at its default address


@pytest.mark.parametrize("command", sorted(COMPLETE.keys() - ASKING))
def test_a_configuration_that_is_not_there_is_78_and_named(command):
    ended = run("-c", "/nonexistent/deskbridge.yaml", command, *COMPLETE[command])
    assert ended.returncode == 78
    assert "/nonexistent/deskbridge.yaml" in ended.stderr
    assert "cannot be read: No such file or directory; `deskbridge presets NAME --config` prints one" in ended.stderr
    assert "name another file with -c" not in ended.stderr


@pytest.mark.parametrize("command", sorted(ASKING))
def test_a_configuration_that_is_not_there_is_named_where_the_usual_address_does_not_answer(usual_ports, command):
    answers = listens(f"127.0.0.1:{usual_ports[1]}")  # a daemon of the developer's own
    ended = run("-c", "/nonexistent/deskbridge.yaml", command, *COMPLETE[command])
    assert ended.returncode == 78 or answers
    assert "/nonexistent/deskbridge.yaml" in ended.stderr
    assert "name another file with -c" not in ended.stderr


@pytest.mark.parametrize("command", COMPLETE)
def test_a_configuration_with_an_error_is_78_and_told(stage, command):
    daemon = stage.daemon(config={"klaviyo": {"api_kee": "x"}}, start=False)
    ended = daemon.command(command, *COMPLETE[command])
    assert ended.returncode == 78
    assert re.search(r"deskbridge\.yaml:\d+:\d+: klaviyo\.api_kee: .*api_key", ended.stderr)
    assert ended.stdout == ""


@pytest.mark.parametrize(
    "words, said",
    [
        (["check", "extra"], '"extra" is one word too many'),
        (["check", "--keys"], "did you mean --key?"),
        (["explain"], "expected the name of a SOURCE"),
        (["explain", "a", "b", "c"], '"c" is one word too many'),
        (["explain", "a", "--custmer", "x"], "did you mean --customer?"),
        (["explain", "a", "--customer"], "--customer needs a value"),
        (["explain", "a", "--customer", ""], "--customer needs a file"),
        (["explain", "a", "--customer="], "--customer needs a file"),
        (["explain", "a", "--header", "X"], "--header 'X': expected 'NAME: VALUE'"),
        (["explain", "a", ""], "FILE is empty: name a file, or - for standard input"),
        (["sample"], "expected a SOURCE and a TRANSITION"),
        (["sample", "gladly"], "expected a SOURCE and a TRANSITION"),
        (["sample", "gladly", "open"], "open: expected opened, reopened or closed"),
        (["sample", "gladly", "opned"], "opned: expected opened, reopened or closed; did you mean opened?"),
        (["sample", "gladly", "Closed"], "did you mean closed?"),
        (["sample", "gladly", "expired"], "expected opened, reopened or closed"),
        (["sample", "gladly", "none"], "expected opened, reopened or closed"),
        (["sample", "gladly", "opened", "--post=yes"], "--post takes no value"),
        (["sample", "gladly", "opened", "--url", "127.0.0.1:8085"], "--url: expected a URL such as https://acme.example.com; did you mean http://127.0.0.1:8085?"),
        (["sample", "gladly", "opened", "--url", ""], "--url: expected a URL"),
        (["sample", "gladly", "opened", "--e-mail", "x"], "did you mean --email?"),
        (["presets", "--config"], "--config needs the NAME of a preset"),
        (["presets", "--paste"], "--paste needs the NAME of a preset"),
        (["presets", "a", "b"], "one word too many"),
        (["presets", "a", "b", "--config"], "one word too many"),
        (["presets", "a", "b", "c", "--paste"], "one word too many"),
        (["presets", "a", "--paste", "--config"], "--config and --paste: one of them"),
        (["presets", "a", "--paste", "open"], "open: expected opened, reopened or closed"),
        (["presets", "a", "--paste", "close"], "did you mean closed?"),
        (["queue"], "expected: list"),
        (["queue", "lst"], "expected: list"),
        (["queue", "list", "--state", "undead"], "--state undead: expected ready, delivered or dead"),
        (["queue", "list", "--state", "deade"], "did you mean dead?"),
        (["queue", "list", "--limit", "0"], "expected a whole number from 1"),
        (["queue", "list", "--limit", "many"], "expected a whole number from 1"),
        (["queue", "list", "--sate", "dead"], "did you mean --state?"),
        (["status", "now"], "one word too many"),
        (["status", "--jsno"], "did you mean --json?"),
        (["status", "--admin", "http://127.0.0.1:8086"], "--admin: this is a URL: write ADDRESS:PORT alone, such as 127.0.0.1:8086"),
        (["queue", "list", "--admin", "https://bridge.example.com/"], "this is a URL: write ADDRESS:PORT"),
        (["reload", "--admin", "127.0.0.1"], "--admin: the port is missing: write ADDRESS:PORT, such as 127.0.0.1:8086"),
        (["status", "--admin", "[::1]"], "the port is missing"),
        (["status", "--admin", "::1"], "an IPv6 address stands in brackets"),
        (["status", "--admin", "127.0.0.1:"], "the port is no number from 1 to 65535"),
        (["status", "--admin", "127.0.0.1:0"], "the port is no number from 1 to 65535"),
        (["status", "--admin", "127.0.0.1:80860"], "the port is no number from 1 to 65535"),
        (["status", "--admin", "127.0.0.1:8086/api"], "expected ADDRESS:PORT"),
        (["status", "--admin", "/run/deskbridge/admin.sock"], "expected ADDRESS:PORT, such as 127.0.0.1:8086, or unix:PATH"),
        (["status", "--admin", "unix:"], "this names no socket: write unix:PATH"),
        (["status", "--admin="], "the port is missing"),
        (["status", "--token-file", ""], "--token-file needs a file"),
        (["queue", "list", "--token-file="], "--token-file needs a file"),
        (["reload", "--token-file", ""], "--token-file needs a file"),
    ],
    ids=" ".join,
)
def test_wrong_words_are_2_before_anything_is_read(words, said):
    ended = run("-c", "/nonexistent.yaml", *words)
    assert ended.returncode == 2
    assert said in ended.stderr and f'Try "deskbridge {words[0]} --help"' in ended.stderr
    assert "/nonexistent.yaml" not in ended.stderr and ended.stdout == ""


def test_a_header_without_a_colon_is_wrong_usage(daemon):
    for header in ("Authorization", ": x", ""):
        ended = daemon.command("explain", "gladly", "--header", header, input="{}")
        assert ended.returncode == 2 and "expected 'NAME: VALUE'" in ended.stderr, header


def test_a_file_that_cannot_be_read_is_named_with_the_reason(daemon, tmp_path):
    for words in (["-", "--customer", tmp_path], [tmp_path]):
        ended = daemon.command("explain", "gladly", *words, input="{}")
        option = "--customer: " if words[0] == "-" else ""
        assert ended.returncode == 1 and ended.stdout == ""
        assert ended.stderr == f"deskbridge explain: {option}{tmp_path}: it cannot be read to its end: Is a directory\n"


@pytest.mark.parametrize("words", [["explain", "glady"], ["sample", "glady", "opened"]])
def test_an_unknown_source_is_1_and_the_known_ones_are_named(daemon, words):
    ended = daemon.command(*words, input="{}")
    assert ended.returncode == 1 and ended.stdout == ""
    assert 'no source "glady"' in ended.stderr and "did you mean gladly?" in ended.stderr and "gladly" in ended.stderr.split("there are:")[1]


@pytest.mark.parametrize("words", [["check"], ["check", "--key"], ["status"], ["queue", "list"], ["presets"]])
def test_an_output_that_cannot_be_written_is_a_failure(daemon, words):
    admin = ["--admin", daemon.admin] if words[0] in ("status", "queue") else []
    with open("/dev/full", "w") as full:
        ended = subprocess.run(
            [PROGRAM, "-c", str(daemon.file), *words, *admin],
            stdout=full,
            stderr=subprocess.PIPE,
            env={**os.environ, "DESKBRIDGE_PRESETS": PRESETS},
            timeout=HANG,
        )
    assert ended.returncode == 1


# ---- presets


def test_no_presets_at_all_is_a_failure(tmp_path):
    installed = re.search(r"definitions (.*)$", run("--version").stdout, re.M)[1]
    if os.path.exists(installed):
        pytest.skip(f"presets are installed in {installed}")
    ended = run("-c", tmp_path / "none.yaml", "presets", env={"DESKBRIDGE_PRESETS": str(tmp_path)})
    assert ended.returncode == 1 and ended.stdout == ""
    assert ended.stderr.startswith("deskbridge presets: there is no preset: are they installed (/")


def test_presets_are_listed_with_what_they_rest_on():
    lines = run("presets").stdout.splitlines()
    assert lines[0].split() == ["NAME", "HELPDESK", "PROOF", "VERIFIED", "UNCONFIRMED", "FILE"]
    rows = {line.split()[0]: line for line in lines[1:]}
    assert "Gladly" in rows["gladly"] and "basic" in rows["gladly"] and "hmac" in rows["zendesk"]
    assert "documentation" in rows["gladly"] and PRESETS in rows["gladly"]
    assert list(rows) == sorted(rows)


def test_a_preset_is_printed_as_its_file_stands_with_comments_below():
    shown = run("presets", "gladly")
    with open(f"{PRESETS}/gladly.yaml", encoding="utf-8") as file:
        text = file.read()
    assert shown.returncode == 0 and shown.stdout.startswith(text)
    assert all(line[:1] in ("", "#") for line in shown.stdout[len(text) :].splitlines())


def test_an_unknown_preset_is_1_and_names_the_nearest():
    ended = run("presets", "galdly")
    assert ended.returncode == 1 and "galdly" in ended.stderr and "gladly" in ended.stderr and ended.stdout == ""


@pytest.mark.parametrize("name", ["../gladly", "/etc/passwd", "gladly.yaml", ".", "", "a/b"])
def test_a_preset_is_a_name_and_no_path(name):
    ended = run("presets", name)
    assert ended.returncode == 1 and ended.stdout == "" and len(ended.stderr.splitlines()) == 1


def test_a_preset_beside_the_configuration_wins_and_a_broken_one_is_shown_as_such(stage):
    daemon = stage.daemon(start=False)
    folder = daemon.dir / "helpdesks"
    folder.mkdir()
    (folder / "gladly.yaml").write_text("label: Ours\nverified: live\n")
    (folder / "broken.yaml").write_text("label: [\n")
    rows = {line.split()[0]: line for line in daemon.command("presets").stdout.splitlines()[1:]}
    assert "Ours" in rows["gladly"] and "live" in rows["gladly"] and str(folder) in rows["gladly"]
    assert "does not read" in rows["broken"]
    assert daemon.command("presets", "gladly").stdout == "label: Ours\nverified: live\n"


def test_a_preset_that_does_not_compile_makes_no_configuration(stage):
    daemon = stage.daemon(start=False)
    folder = daemon.dir / "helpdesks"
    folder.mkdir()
    (folder / "half.yaml").write_text("label: Half\nopened: {/type: A}\n")
    ended = daemon.command("presets", "half", "--config")
    assert ended.returncode == 1 and ended.stdout == ""
    for missing in ("authenticate", "closed", "conversation"):
        assert missing in ended.stderr


def filled_in(daemon, text):
    """Writes the file that `presets --config` printed, with its placeholders filled in and its secrets next to it."""
    for name in re.findall(r"^#   credentials/(\S+)$", text, re.M):
        daemon.credential(name, KEY if name == "klaviyo-api-key" else "a secret")
    assert "YOUR-COMPANY" in text and "YOU@example.com" in text
    text = text.replace("https://YOUR-COMPANY.example", "https://acme.gladly.com")
    daemon.write(text.replace("YOU@example.com", "bot@acme.com"))


def test_the_configuration_of_a_preset_needs_only_filling_in(stage):
    daemon = stage.daemon(start=False)
    shown = daemon.command("presets", "gladly", "--config")
    assert shown.returncode == 0 and shown.stderr == ""
    for file in (daemon.dir / "credentials").iterdir():
        file.unlink()
    filled_in(daemon, shown.stdout)
    checked = daemon.command("check")
    assert checked.returncode == 0, checked.stderr
    assert "warning" not in checked.stderr
    assert "source gladly: POST /webhooks/gladly, proof basic" in checked.stdout


def test_the_configuration_of_a_preset_is_yaml(stage):
    yaml = pytest.importorskip("yaml")
    made = yaml.safe_load(run("presets", "gladly", "--config").stdout)
    assert set(made) == {"version", "klaviyo", "sources"}
    assert made["klaviyo"] == {"api_key": {"credential": "klaviyo-api-key"}}
    assert set(made["sources"]["gladly"]) == {"preset", "authenticate", "with", "lookup"}


def test_the_configuration_tells_where_secrets_go_and_what_to_click():
    text = run("presets", "gladly", "--config").stdout
    assert re.findall(r"^#   credentials/(\S+)$", text, re.M) == ["klaviyo-api-key", "gladly-webhook", "gladly-api-token"]
    assert "https://www.klaviyo.com/create-private-api-key?scopes=events:write" in text
    for click in ("CONVERSATION/CREATED", "CONVERSATION/REOPENED", "CONVERSATION/CLOSED", "API token"):
        assert click in text
    assert "documentation" in text


DEFINITION = """
label: Minidesk
authenticate: {method: %s}
opened: {/kind: opened}
closed: {/kind: closed}
conversation: /conversation
emails: /email
"""


@pytest.mark.parametrize(
    "method, secrets, authenticate",
    [
        ("bearer", ["klaviyo-api-key", "mini-webhook"], "{secret: {credential: mini-webhook}}"),
        ("header, name: X-Token", ["klaviyo-api-key", "mini-webhook"], "{secret: {credential: mini-webhook}}"),
        ("none", ["klaviyo-api-key"], "{method: none}"),
    ],
)
def test_the_configuration_follows_the_definitions_proof(stage, method, secrets, authenticate):
    daemon = stage.daemon(start=False)
    (daemon.dir / "helpdesks").mkdir()
    (daemon.dir / "helpdesks" / "mini.yaml").write_text(DEFINITION % method)
    text = daemon.command("presets", "mini", "--config").stdout
    assert re.findall(r"^#   credentials/(\S+)$", text, re.M) == secrets
    assert re.search(r"authenticate: (\{.*\})", text).group(1) == authenticate
    assert "lookup" not in text.partition("\n\n")[0]
    for name in secrets[1:]:
        daemon.credential(name, "a secret")
    daemon.write(text)
    checked = daemon.command("check")
    assert checked.returncode == 0, checked.stderr


def test_commands_show_no_secret(daemon, gladly, sandbox):
    gladly.customers["cust-1"] = ["jo@example.com"]
    daemon.accepted("gladly", gladly_webhook("opened"))
    sandbox.wait_events(1)
    secrets = [WEBHOOK_PASSWORD, GLADLY_TOKEN, KEY]
    for words in (
        ["check", "--key"],
        ["explain", "gladly"],
        ["presets", "gladly", "--config"],
        ["status", "--admin", daemon.admin],
        ["status", "--json", "--admin", daemon.admin],
        ["queue", "list", "--admin", daemon.admin],
        ["queue", "list", "--json", "--admin", daemon.admin],
        ["sample", "gladly", "opened", "--post", "--url", f"http://{daemon.address}"],
    ):
        ended = daemon.command(*words, input='{"type":"CONVERSATION/CLOSED"}')
        assert ended.returncode == 0, (words, ended.stderr)
        for secret in secrets:
            assert secret not in ended.stdout + ended.stderr, words
