# SPDX-License-Identifier: MIT
"""Every shipped definition is complete, states where its knowledge comes from, and works as `presets NAME --config`
prints it."""

import json
import pathlib
import re
import shlex

import pytest

from harness import KEY, PRESETS, run, wait_for

yaml = pytest.importorskip("yaml")


def load(text):
    """Reads YAML as deskbridge does: all values are text."""
    return yaml.load(text, Loader=yaml.BaseLoader)


# The names come from the files, so that the tests are named without a built program (scripts/test -k).
FILES = {path.stem: path.read_text(encoding="utf-8") for path in sorted(pathlib.Path(PRESETS).glob("*.yaml"))}
NAMES = list(FILES)
TREES = {name: load(text) for name, text in FILES.items()}
TRANSITIONS = ("opened", "reopened", "closed")
SECRET = "00112233445566778899aabbccddeeff"  # hexadecimal, base64 and text
PASTED = [name for name in NAMES if "paste" in TREES[name]]
every = pytest.mark.parametrize("name", NAMES)


def says(name):
    """Returns the transitions for which a definition has a matcher."""
    return [transition for transition in TRANSITIONS if transition in TREES[name]]


def filled(text):
    """Fills in the values that only the operator knows."""
    return text.replace("YOU@example.com", "bot@acme.com").replace("YOUR-", "acme-")


def configured(stage, name):
    """Returns a daemon that is not started, with the output of --config, filled in, and the secrets that it needs."""
    daemon = stage.daemon(start=False)
    text = daemon.command("presets", name, "--config").stdout
    for file in (daemon.dir / "credentials").iterdir():
        file.unlink()
    for credential in re.findall(r"^#   credentials/(\S+)$", text, re.M):
        daemon.credential(credential, KEY if credential == "klaviyo-api-key" else SECRET)
    daemon.write(filled(text))
    return daemon, text


# ---- the definitions


def test_the_program_lists_these_files():
    assert [line.split()[0] for line in run("presets").stdout.splitlines()[1:]] == NAMES


def test_there_are_eighteen_helpdesks_and_a_generic_one():
    assert len(NAMES) >= 19 and "generic" in NAMES
    assert {"gladly", "zendesk", "intercom", "gorgias", "helpscout", "freshdesk", "front"} <= set(NAMES)


@every
def test_a_definition_is_whole(name):
    tree = TREES[name]
    assert tree["label"] and re.match("https://" if name != "generic" else "man:", tree["documentation"])
    assert tree["verified"] in ("live", "documentation", "no"), "said, not left out"
    assert f"/webhooks/{name}" in tree["setup"] or name == "generic"
    for transition in says(name):
        assert transition in tree["samples"], "`sample` has something to send"
    if tree["verified"] == "no":
        assert tree.get("unconfirmed"), "what it is that nobody confirms"
    for step in tree.get("lookup", []):
        assert step["sample"], "what the answer looks like"
        json.loads(step["sample"]["body"] if isinstance(step["sample"], dict) else step["sample"])


@every
def test_each_sample_says_where_its_shape_comes_from(name):
    """SAMPLES in deskbridge-helpdesks(5) says what counts where a sample has several origins."""
    silent = [place for place, _, sample in samples_of(TREES[name]) if shape_in_words(sample) == "not said"]
    assert not silent, "shape_from: capture, vendor-code, vendor-documents, third-party or nobody"


@every
def test_samples_are_of_nobody(name):
    with open(f"{PRESETS}/{name}.yaml", encoding="utf-8") as file:
        text = file.read()
    for domain in re.findall(r"[\w.+-]+@([\w-]+(?:\.[\w-]+)+)", text.partition("\nsamples:")[2]):
        assert re.search(r"(^|\.)example(\.com|\.org|\.net)?$", domain.lower()), domain


@pytest.mark.parametrize("name", PASTED)
def test_a_body_to_paste_holds_no_free_text_and_is_json(name):
    for text in {run("presets", name, "--paste", transition).stdout for transition in says(name)}:
        assert text.endswith("\n")
        assert not re.search(r"subject|title|description|comment|[^_]name\b", text, re.I), text
        plain = re.sub(r"\{%.*?%\}", "", re.sub(r"\{\{.*?\}\}|#\{.*?\}|\{\$.*?\}", "x", text))
        json.loads(plain)


def test_a_body_to_paste_is_for_those_that_post_what_they_are_told():
    assert {"zendesktrigger", "freshdesk", "liveagent", "gorgias", "generic"} <= set(PASTED)


def test_what_has_no_body_to_paste_is_1():
    for words in ([], ["closed"]):
        ended = run("presets", "gladly", "--paste", *words)
        assert ended.returncode == 1 and ended.stdout == "" and "no body to paste" in ended.stderr


def test_a_body_for_each_transition_is_asked_for_by_name(stage):
    daemon = stage.daemon(start=False)
    (daemon.dir / "helpdesks").mkdir()
    head = "label: M\nauthenticate: {method: none}\nopened: {/t: o}\nclosed: {/t: c}\nconversation: /id\n"
    (daemon.dir / "helpdesks" / "one.yaml").write_text(head + "paste: '{\"one\": 1}'\n")
    (daemon.dir / "helpdesks" / "two.yaml").write_text(head + "paste: {opened: '{\"o\": 1}', closed: '{\"c\": 1}'}\n")
    for words in ([], ["opened"], ["closed"]):
        assert daemon.command("presets", "one", "--paste", *words).stdout == '{"one": 1}\n'
    assert daemon.command("presets", "two", "--paste", "closed").stdout == '{"c": 1}\n'
    ended = daemon.command("presets", "two", "--paste")
    assert ended.returncode == 2 and "a body for each transition" in ended.stderr and ended.stdout == ""
    ended = daemon.command("presets", "two", "--paste", "reopened")
    assert ended.returncode == 1 and "no body to paste for reopened" in ended.stderr
    shown = daemon.command("presets", "two", "--config").stdout
    assert "its rule for opened" in shown and "its rule for closed" in shown and '#   {"c": 1}' in shown


# ---- what `presets NAME` adds to the file


def unwrapped(comments):
    """Returns the words of YAML comments, joined into one line."""
    return " ".join(comments.replace("\n#", " ").split())


@every
def test_the_file_is_shown_as_it_is_with_what_it_rests_on_below(name):
    with open(f"{PRESETS}/{name}.yaml", encoding="utf-8") as file:
        text = file.read()
    shown = run("presets", name).stdout
    assert shown.startswith(text + "\n# ---- what this definition rests on ----\n")
    grounds = shown[len(text) :]
    assert all(line == "" or line.startswith("#") for line in grounds.splitlines())
    facts = TREES[name].get("unconfirmed", [])
    for number, fact in enumerate(facts, 1):
        assert f"{number}. {fact}" in unwrapped(grounds)
    assert max(len(line) for line in grounds.partition("# Its samples")[0].splitlines()) <= 110
    assert (f"# {len(facts)} fact" in grounds) == (len(facts) > 0)
    for place, says, sample in samples_of(TREES[name]):
        (row,) = [line for line in grounds.splitlines() if line.startswith(f"#   {place} ")]
        assert re.fullmatch(rf"#   {re.escape(place)} +{shape_in_words(sample)} +{re.escape(says)}", row), row


SHAPES = {
    "capture": "a capture",
    "vendor-code": "vendor's code",
    "vendor-documents": "vendor's documents",
    "third-party": "third party",
    "nobody": "nobody",
    None: "not said",
}


def shape_in_words(sample):
    return SHAPES[sample.get("shape_from") if isinstance(sample, dict) else None]


def samples_of(tree):
    """Yields (place, its title, the sample) of each sample, in the order of the file."""
    samples = tree["samples"]
    yield from ((name, name, samples[name]) for name in TRANSITIONS if name in samples)
    yield from ((f"also[{i}]", sample["says"], sample) for i, sample in enumerate(samples.get("also", [])))
    for i, step in enumerate(tree.get("lookup", [])):
        url = step["url"] if isinstance(step["url"], str) else step["url"][0]
        yield f"lookup[{i}]", f"the answer of {url}", step["sample"]


def test_a_copy_of_a_copy_tells_what_it_rests_on_once(stage):
    daemon = stage.daemon(start=False)
    (daemon.dir / "helpdesks").mkdir()
    first = daemon.command("presets", "zendesk").stdout
    (daemon.dir / "helpdesks" / "copy.yaml").write_text(first)
    assert daemon.command("presets", "copy").stdout == first
    (daemon.dir / "helpdesks" / "copy.yaml").write_text(first + "\n# mine\nparameters: {a: [b]}\n")
    assert daemon.command("presets", "copy").stdout.startswith(first + "\n# mine\nparameters: {a: [b]}\n\n# ---- what")


def test_a_definition_that_does_not_compile_is_shown_as_it_is(stage):
    daemon = stage.daemon(start=False)
    (daemon.dir / "helpdesks").mkdir()
    for text in ("label: [\n", "label: Bad\nclosd: {/a: b}\n"):
        (daemon.dir / "helpdesks" / "bad.yaml").write_text(text)
        ended = daemon.command("presets", "bad")
        assert (ended.returncode, ended.stdout, ended.stderr) == (0, text, "")
    (row,) = [line for line in daemon.command("presets").stdout.splitlines() if line.startswith("bad ")]
    assert " ? " in row


def test_the_list_counts_what_nobody_confirms():
    head, *rows = run("presets").stdout.splitlines()
    at = head.index("UNCONFIRMED")
    for name, row in zip(NAMES, rows):
        open_samples = sum(shape_in_words(s) in ("nobody", "not said") for _, _, s in samples_of(TREES[name]))
        counts = (len(TREES[name].get("unconfirmed", [])), "fact"), (open_samples, "sample")
        said = ", ".join(f"{n} {word}{'' if n == 1 else 's'}" for n, word in counts if n) or "-"
        assert row[at:].split("  ")[0].split(" /")[0] == said, row


# ---- the output of --config


@every
def test_the_configuration_passes_check_once_its_secrets_exist(stage, name):
    daemon, _ = configured(stage, name)
    checked = daemon.command("check")
    assert checked.returncode == 0, checked.stderr
    assert f"source {name}: POST /webhooks/{name}, proof {TREES[name]['authenticate']['method']}" in checked.stdout
    said = checked.stderr.splitlines()
    warned = [line for line in said if f"preset: warning: {name}: nobody has verified" in line]
    facts = TREES[name].get("unconfirmed", [])
    count = f"{len(facts)} fact{'' if len(facts) == 1 else 's'}"
    noted = [line for line in said if line.endswith(
        f"preset: notice: {name}: {count} that no vendor document confirms (deskbridge presets {name})")]
    assert len(warned) == (TREES[name]["verified"] == "no") and len(noted) == (len(facts) > 0)
    assert len(said) == len(warned) + len(noted)


@every
def test_what_is_left_to_fill_in_is_told_at_its_place(stage, name):
    daemon, text = configured(stage, name)
    daemon.write(text)
    settings = text.partition("\n\n")[0].splitlines()
    left = [n for n, line in enumerate(settings, 1) if re.match(r" [^#]*\bYOU(R-|@)", line)]
    checked = daemon.command("check")
    told = re.findall(r":(\d+):\d+: sources\.\S+: warning: fill in YOU[A-Z@-]", checked.stderr)
    assert sorted(int(line) for line in told) == left
    assert checked.returncode == 0


@every
def test_the_configuration_shows_all_that_the_helpdesk_needs(stage, name):
    daemon, text = configured(stage, name)
    tree, source = TREES[name], load(text)["sources"][name]
    for line in tree["setup"].splitlines():
        assert line.rstrip() in text
    for number, fact in enumerate(tree.get("unconfirmed", []), 1):
        assert f"{number}. {fact}" in unwrapped(text)
    assert tree["documentation"] in text and f"https://YOUR-HOST/webhooks/{name}" in text
    assert ("public_url" in source) == ("{url}" in str(tree["authenticate"].get("signed")))
    assert set(source.get("with", {})) == set(tree.get("parameters", {}))
    needed = any(step.get("optional") != "true" for step in tree.get("lookup", []))
    assert ("lookup" in source) == needed
    if needed:
        assert ("base_url" in source["lookup"]) == ("base_url" not in tree)
    asked = "query:transition" in json.dumps({transition: tree[transition] for transition in says(name)})
    assert ("transition=closed\n" in text.partition("# In the helpdesk")[0]) == asked
    for transition in says(name) if name in PASTED else []:
        for line in run("presets", name, "--paste", transition).stdout.splitlines():
            assert f"#   {line}" in text


def test_an_empty_name_is_shown_as_one():
    ended = run("presets", "")
    assert ended.returncode == 1 and 'there is no preset ""; there are: chatwoot, ' in ended.stderr


def test_parameters_are_shown_with_what_can_be_chosen(stage):
    daemon = stage.daemon(start=False)
    (daemon.dir / "helpdesks").mkdir()
    (daemon.dir / "helpdesks" / "mini.yaml").write_text(
        "label: M\nauthenticate: {method: header, name: X-T}\nopened: {/t: o}\nclosed: {/t: c}\nconversation: /id\n"
        "emails: /mail\nparameters:\n  region: {us: {api: a}, eu: {api: b}, au: {api: c}}\n  names: ['off', 'on']\n"
        "  tenant:\n  size: 'a \"b\"'\n"
        "lookup: [{url: '{base_url}/{/id}', authenticate: {method: basic, suffix: /token}, optional: true, emails: /e}]\n"
    )
    text = daemon.command("presets", "mini", "--config").stdout
    assert '      region: "us"   # or eu, au\n      names: "off"   # or on\n      tenant: "YOUR-TENANT"\n' in text
    assert load(text)["sources"]["mini"]["with"]["size"] == 'a "b"'
    assert "    # Can be left out" in text and "    #   user: YOU@example.com\n" in text
    daemon.credential("mini-webhook", SECRET)
    daemon.write(filled(text))
    checked = daemon.command("check")
    assert checked.returncode == 0, checked.stderr


def test_a_lookup_that_can_be_left_out_is_whole_once_it_is_uncommented(stage):
    """Without its base_url there would be no lookup, and no error."""
    for name in NAMES:
        text = run("presets", name, "--config").stdout
        if "# Can be left out" not in text:
            continue
        source = load(re.sub(r"^    # (  |lookup:)", r"    \1", text, flags=re.M))["sources"][name]
        assert ("base_url" in source["lookup"]) == ("base_url" not in TREES[name]), name
        assert "token" in source["lookup"] or {"user", "password"} <= set(source["lookup"]), name


# ---- the webhooks of `sample`


def test_every_sample_is_proven_and_accepted(stage, sandbox):
    """One daemon gets each transition of each desk from `sample --post`."""
    sources, credentials = {}, set()
    for name in NAMES:
        text = filled(run("presets", name, "--config").stdout)
        sources[name] = load(text)["sources"][name]
        credentials |= set(re.findall(r"^#   credentials/(\S+)$", text, re.M)) - {"klaviyo-api-key"}
        if "lookup" in sources[name]:
            sources[name]["lookup"]["base_url"] = "http://127.0.0.1:9"  # no server: accepted webhooks are committed first
    daemon = stage.daemon(sandbox, config={"sources": {"gladly": None, **sources}}, start=False)
    for credential in credentials:
        daemon.credential(credential, SECRET)
    daemon.start()
    for name in NAMES:
        for transition in TRANSITIONS:
            words = ["sample", name, transition, "--conversation", "4711", "--url", f"http://{daemon.address}"]
            ended = daemon.command(*words, "--post")
            if transition not in TREES[name]["samples"]:
                assert ended.returncode == 1 and "no sample for" in ended.stderr
                continue
            assert ended.returncode == 0 and '"accepted"' in ended.stdout, (name, transition, ended.stdout, ended.stderr)
    wait_for(lambda: daemon.metric("deskbridge_webhooks_total", result="accepted") >= 2 * len(NAMES))
    for result in ("missing proof", "wrong proof", "stale proof"):
        assert daemon.metric("deskbridge_webhooks_total", result=result) == 0


@every
def test_the_email_takes_its_place_or_it_is_told_why_not(stage, name):
    daemon, _ = configured(stage, name)
    for transition in TRANSITIONS:
        if transition not in TREES[name]["samples"]:
            continue
        shown = daemon.command("sample", name, transition, "--email", "somebody.else@example.org")
        assert shown.returncode == 0, shown.stderr
        command = shlex.split(shown.stdout)
        body = command[command.index("--data-binary") + 1]
        there = "somebody.else@example.org" in body or "somebody.else%40example.org" in body
        assert there != ("hold no address, so --email has no place" in shown.stderr), (transition, shown.stderr)


@every
def test_the_printed_command_says_what_kind_of_body_it_sends(stage, name):
    daemon, _ = configured(stage, name)
    command = shlex.split(daemon.command("sample", name, "opened").stdout)
    headers = [command[i + 1] for i, word in enumerate(command) if word == "-H"]
    body = command[command.index("--data-binary") + 1]
    form = "form" in str(TREES[name].get("body", "json")) and not body.startswith("{")
    kind = "application/x-www-form-urlencoded" if form else "application/json"
    assert [h for h in headers if h.lower().startswith("content-type:")] == [f"Content-Type: {kind}"]
    assert "\n" not in body
    assert len({h.partition(":")[0].lower() for h in headers}) == len(headers), "no header twice"
