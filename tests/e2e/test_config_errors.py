# SPDX-License-Identifier: MIT
"""The errors of a wrong configuration: each names the place, what was expected and what to do. One reading reports all
of them.

In the texts below « marks the wrong place. It is removed, and the error must name that line and column."""

import re

import pytest

from harness import run

BASE = """\
version: 1
klaviyo:
  api_key: {credential: klaviyo-api-key}
sources:
  gladly:
    preset: gladly
    authenticate: {user: deskbridge, password: {credential: gladly-webhook}}
    lookup: {base_url: "https://acme.gladly.com", user: bot@acme.com, password: {credential: gladly-api-token}}
"""


def top(lines):
    return BASE + lines + "\n"


def klaviyo(lines):
    return BASE.replace("sources:", "".join(f"  {line}\n" for line in lines.splitlines()) + "sources:", 1)


def source(lines):
    return BASE + "".join(f"    {line}\n" for line in lines.splitlines())


def swap(old, new):
    assert BASE.count(old) == 1
    return BASE.replace(old, new)


KEY = "{credential: klaviyo-api-key}"
AUTHENTICATE = "{user: deskbridge, password: {credential: gladly-webhook}}"
TWO_ACCOUNTS = swap(f"  api_key: {KEY}\n", f"  accounts: {{a: {{api_key: {KEY}}}, b: {{api_key: {KEY}}}}}\n")


@pytest.fixture
def check(tmp_path):
    """check(text) → (exit status, the lines of the output, without the file's folder)."""
    (tmp_path / "credentials").mkdir()
    for name in ("klaviyo-api-key", "gladly-webhook", "gladly-api-token"):
        (tmp_path / "credentials" / name).write_text("pk_0123456789\n")

    def check(text):
        if isinstance(text, str):
            text = text.encode()
        (tmp_path / "x.yaml").write_bytes(text)
        (tmp_path / "x.yaml").chmod(0o600)
        ended = run("-c", tmp_path / "x.yaml", "check")
        return ended.returncode, ended.stderr.replace(str(tmp_path) + "/", "").splitlines()

    check.folder = tmp_path
    return check


def places(text):
    """Returns the text without its marks, and line:column of each mark."""
    found = []
    while "«" in text:
        before, _, after = text.partition("«")
        found.append(f"{before.count(chr(10)) + 1}:{len(before) - before.rfind(chr(10))}")
        text = before + after
    return text, found


# (text, for each mark: the key's path and words that the error must hold)
WRONG = {
    # ---- the file
    "empty": ("«", [("", "begins with `version: 1`, found nothing")]),
    "a list": ("«- a\n", [("", "found a list")]),
    "text": ("«hello\n", [("", "found text")]),
    "no version": ("«" + BASE.replace("version: 1\n", ""), [("", "version is missing: write `version: 1`")]),
    "another version": (swap("version: 1", "version: «2"), [("version", "must be 1")]),
    "a word as version": (swap("version: 1", "version: «one"), [("version", 'expected a whole number, found "one"')]),
    "a typo": (top("«klavio: {}"), [("klavio", "did you mean klaviyo?")]),
    "a foreign key": (top("«colour: red"), [("colour", "unknown key; known here: version, listen, admin")]),
    "a key of elsewhere": (top("«person_gap: 2s"), [("person_gap", "did you mean klaviyo.person_gap?")]),
    "a duplicate": (top("«version: 1"), [("version", "given twice (first in line 1)")]),
    "a tab": (BASE + "«\tlisten: 127.0.0.1:1\n", [("", "a tab may not stand here")]),
    "an anchor": (top("log: «&a {level: info}"), [("log", "anchors (&a) are not known here")]),
    "a tag": (top("log: «!x {level: info}"), [("log", "tags (!x) are not known here")]),
    "a second document": (BASE + "«---\nversion: 1\n", [("", "one file is one document")]),
    "an unquoted pattern": (source("ignore_emails: [*«@acme.com]"), [("", "put it in quotes")]),
    "an unquoted brace": (swap('"https://acme.gladly.com"', "{base_url}«/x"), [("", "put it in quotes")]),
    "a control character": (BASE + "x: «\x01\n", [("", "control characters are not allowed")]),
    # ---- listen, admin
    "listen: a port alone": (top("listen: «8085"), [("listen", "expected ADDRESS:PORT like 127.0.0.1:8085")]),
    "listen: a name": (top("listen: «example.com:80"), [("listen", '"example.com" is no numeric address')]),
    "listen: a port too high": (top("listen: «127.0.0.1:99999"), [("listen", '"99999" is no port (0 to 65535)')]),
    "listen: a list": (top("listen: «[a]"), [("listen", "expected a mapping such as {address: 127.0.0.1:8085")]),
    "listen: a wrong unit": (top("listen: {max_body: «1MB}"), [("listen.max_body", "512KiB, 1MiB or 4GiB")]),
    "listen: all wrong": (
        top("listen: {max_body: «0B, max_connections: «0, timeout: «1, «adress: x}"),
        [
            ("listen.max_body", "must be 1KiB to 64MiB"),
            ("listen.max_connections", "must be 4 to 65536"),
            ("listen.timeout", "expected a duration such as 500ms, 10s, 5m or 7d"),
            ("listen.adress", "did you mean address?"),
        ],
    ),
    "listen: a body larger than one address may hold": (
        top("listen: {max_memory: 32MiB, max_body: «8MiB}"),
        [("listen.max_body", "raise max_memory to at least 43MiB, or lower max_body")],
    ),
    "listen: too little memory for the body that there is": (
        top("listen: {max_memory: «4MiB}"),
        [("listen.max_memory", "raise max_memory to at least 6MiB")],
    ),
    "listen: memory out of range": (top("listen: {max_memory: «1KiB}"), [("listen.max_memory", "must be 1MiB to 64GiB")]),
    "listen: a number too long": (
        top("listen: {max_connections: «99999999999999999999}"),
        [("listen.max_connections", "must be 4 to 65536")],
    ),
    "listen: proxies": (
        top("listen: {trusted_proxies: [«10.0.0.0/40, «nix]}"),
        [("listen.trusted_proxies[0]", "a network such as 10.0.0.0/8"), ("listen.trusted_proxies[1]", "such as 10.0.0.1")],
    ),
    "listen, admin: relative unix sockets": (
        top("listen: «unix:in.sock\nadmin: {address: «unix:run/admin.sock}"),
        [
            ("listen", "relative: write an absolute path, like unix:/run/deskbridge/admin.sock"),
            ("admin.address", "relative: write an absolute path"),
        ],
    ),
    "an escape that POSIX does not know": (
        source("account: [{when: {Channel: {matches: «'^\\d+$'}}, use: none}, {use: default}]"),
        [("sources.gladly.account[0].when.Channel.matches", "do not know \\d: write [0-9]")],
    ),
    "a wish for small and capital letters": (
        source("account: [{when: {Channel: {matches: «'(?i)chat'}}, use: none}, {use: default}]"),
        [("sources.gladly.account[0].when.Channel.matches", "case is ignored anyway: leave it out")],
    ),
    "admin: hosts": (
        top("admin: {hosts: [bridge.example.com, «https://bridge.example.com]}"),
        [("admin.hosts[1]", "what stands in a Host header: a name or address such as bridge.example.com")],
    ),
    "admin: an empty token": (
        top("admin: {token: «{}}"),
        [("admin.token", "{credential: NAME}, {file: PATH}, {env: NAME}")],
    ),
    "admin: a token that is not there": (
        top("admin: {token: «{credential: nix}}"),
        [("admin.token", "credentials/nix is not there: put the secret into it")],
    ),
    # ---- store, log
    "store: a path": (top("store: «/var/x"), [("store", "like sqlite:/var/lib/deskbridge/deskbridge.db")]),
    "store: all wrong": (
        top("store: {url: «postgres://x, retention: «7, remember: «-1d, max_size: «big}"),
        [
            ("store.url", "expected sqlite:PATH"),
            ("store.retention", "expected a duration"),
            ("store.remember", 'found "-1d"'),
            ("store.max_size", "expected a size"),
        ],
    ),
    "log: all wrong": (
        top("log: {level: «loud, format: «xml, personal_data: «maybe}"),
        [
            ("log.level", "expected error, warning, notice, info or debug"),
            ("log.format", "expected auto, text, json or journal"),
            ("log.personal_data", "expected true or false"),
        ],
    ),
    "log: a text": (top("log: «debug"), [("log", "expected a mapping such as {level: info")]),
    # ---- klaviyo
    "klaviyo: none": (
        "«" + swap(f"klaviyo:\n  api_key: {KEY}\n", ""),
        [("", "klaviyo is missing: write `klaviyo: {api_key: {credential: klaviyo-api-key}}`")],
    ),
    "klaviyo: no key": (swap(f"  api_key: {KEY}\n", "  «hold: true\n"), [("klaviyo", "api_key is missing")]),
    "klaviyo: plain http": (
        klaviyo("url: «http://a.klaviyo.com"),
        [("klaviyo.url", "plain http is for loopback only, write https")],
    ),
    "klaviyo: all wrong": (
        klaviyo("url: «a.klaviyo.com\nrevision: «soon\nlane: «both\nquota_share: «1.5\nperson_gap: «2\nhold: «2\n«hodl: 1"),
        [
            ("klaviyo.url", "expected a URL such as https://"),
            ("klaviyo.revision", "a date such as 2026-07-15"),
            ("klaviyo.lane", "expected single, found \"both\""),
            ("klaviyo.quota_share", "must be 0.01 to 1"),
            ("klaviyo.person_gap", "expected a duration"),
            ("klaviyo.hold", "expected true or false"),
            ("klaviyo.hodl", "did you mean hold?"),
        ],
    ),
    "klaviyo: quota": (
        klaviyo("quota: {single: {second: «0, minute: «x}, «bulk: 3}"),
        [
            ("klaviyo.quota.single.second", "must be 1 to"),
            ("klaviyo.quota.single.minute", "expected a whole number"),
            ("klaviyo.quota.bulk", "unknown key; known here: single"),
        ],
    ),
    "klaviyo: late": (
        klaviyo("late: {opened: «15, «closd: 1h}\nmax_age: «1y"),
        [
            ("klaviyo.late.opened", "or never"),
            ("klaviyo.late.closd", "did you mean closed?"),
            ("klaviyo.max_age", "expected a duration"),
        ],
    ),
    "klaviyo: key and accounts": (
        klaviyo("accounts: {a: {api_key: {env: HOME}}}").replace("  api_key", "  «api_key", 1),
        [("klaviyo.api_key", "cannot be next to `accounts`")],
    ),
    "account: names": (
        swap(f"  api_key: {KEY}\n", "  accounts: {«a b: {}, c: «1}\n"),
        [("klaviyo.accounts.a b", "a name is 1 to 63 of a-z"), ("klaviyo.accounts.c", "expected a mapping such as {api_key:")],
    ),
    # ---- secrets
    "secret: a path as credential": (
        swap(KEY, "{credential: «../x}"),
        [("klaviyo.api_key.credential", "file's name without folder")],
    ),
    "secret: no file": (swap(KEY, "«{file: /nonexistent}"), [("klaviyo.api_key", "/nonexistent is not there")]),
    "secret: no variable": (swap(KEY, "«{env: NIX_DA}"), [("klaviyo.api_key", "variable NIX_DA is not set")]),
    "secret: a typo": (swap(KEY, "{«crdential: x}"), [("klaviyo.api_key.crdential", "did you mean credential?")]),
    "secret: a list where one is sent": (swap(KEY, f"«[{KEY}, {KEY}]"), [("klaviyo.api_key", "expected one secret")]),
    # ---- sources
    "sources: none": (
        "«version: 1\nklaviyo: {api_key: {credential: klaviyo-api-key}}\n",
        [("", "sources is missing: write the helpdesks, such as `sources: {gladly:")],
    ),
    "sources: empty": (
        "version: 1\nklaviyo: {api_key: {credential: klaviyo-api-key}}\nsources: «{}\n",
        [("sources", "expected 1 to 256 helpdesks by name")],
    ),
    "source: a name": (swap("  gladly:\n", "  «Glad ly:\n"), [("sources.Glad ly", "a name is 1 to 63 of a-z")]),
    "source: a typo": (source("«presset: x"), [("sources.gladly.presset", "did you mean preset?")]),
    "source: a preset's typo": (
        swap("preset: gladly", "preset: «galdly"),
        [("sources.gladly.preset", "did you mean gladly?")],
    ),
    "source: a preset in capitals": (
        swap("preset: gladly", "preset: «Gladly"),
        [("sources.gladly.preset", "there is no preset Gladly; did you mean gladly? there are: ")],
    ),
    "source: a preset with an s too many": (
        swap("preset: gladly", "preset: «zendesks"),
        [("sources.gladly.preset", "did you mean zendesk?")],
    ),
    "source: a preset as the helpdesk is called": (
        swap("preset: gladly", "preset: «Help Scout"),
        [("sources.gladly.preset", "did you mean helpscout?")],
    ),
    "source: a name in capitals": (
        swap("  gladly:\n", "  «Help Desk:\n"),
        [("sources.Help Desk", "a name is 1 to 63 of a-z, 0-9, - and _, beginning with a letter or digit; did you mean help-desk?")],
    ),
    "source: a parameter's typo": (
        source("with: {nmaes: «on}"),
        [("sources.gladly.with.nmaes", 'no parameter "nmaes"; did you mean names?')],
    ),
    "source: a parameter's value": (
        source("with: {names: «onn}"),
        [("sources.gladly.with.names", 'did you mean "on"?')],
    ),
    "lookup: no scheme": (
        swap('"https://acme.gladly.com"', "«acme.gladly.com"),
        [("sources.gladly.lookup.base_url", "did you mean https://acme.gladly.com?")],
    ),
    "lookup: a scheme in capitals": (
        swap('"https://acme.gladly.com"', "«HTTPS://acme.gladly.com"),
        [("sources.gladly.lookup.base_url", "did you mean https://acme.gladly.com?")],
    ),
    "lookup: no scheme before a path": (
        swap('"https://acme.gladly.com"', "«acme.gladly.com:8443/token/s3cret"),
        [("sources.gladly.lookup.base_url", "did you mean https://acme.gladly.com:8443/...?")],
    ),
    "lookup: another scheme": (
        swap('"https://acme.gladly.com"', "«ftp://acme.gladly.com"),
        [("sources.gladly.lookup.base_url", "expected a URL such as https://acme.example.com")],
    ),
    "lookup: a query": (
        swap('"https://acme.gladly.com"', "«https://acme.gladly.com/?x=1"),
        [("sources.gladly.lookup.base_url", "without a ?query")],
    ),
    "lookup: a fragment": (
        swap('"https://acme.gladly.com"', "«https://acme.gladly.com/#inbox"),
        [("sources.gladly.lookup.base_url", "no #fragment")],
    ),
    "source: no preset": (
        swap("    preset: gladly\n    auth", "    «auth"),
        [("sources.gladly", "preset is missing: write the helpdesk's name")],
    ),
    "source: paths": (source("path: «webhooks"), [("sources.gladly.path", "a path begins with /")]),
    "source: a path with a query": (source("path: «/webhooks/gl?adly"), [("sources.gladly.path", "holds no blanks")]),
    "source: two of one path": (
        BASE + BASE.partition("sources:\n")[2].replace("gladly:", "two:", 1) + "    path: «/webhooks/gladly\n",
        [("sources.two.path", "/webhooks/gladly is the path of the source gladly too")],
    ),
    "source: all wrong": (
        source("expire_after: «30\nsettle: {open: «5, «shut: 1s}\nemails: «some\nkeep: «none\nflag: «''\nlabel: «''\npublic_url: «nix"),
        [
            ("sources.gladly.expire_after", "10s, 5m or 7d, or never"),
            ("sources.gladly.settle.open", "expected a duration"),
            ("sources.gladly.settle.shut", "known here: open, close"),
            ("sources.gladly.emails", "expected all or primary"),
            ("sources.gladly.keep", "expected matched or all"),
            ("sources.gladly.flag", "is empty"),
            ("sources.gladly.label", "is empty"),
            ("sources.gladly.public_url", "expected a URL"),
        ],
    ),
    "source: addresses": (
        source("ignore_emails: [«'a b', «'@']\ntest_emails: «5"),
        [
            ("sources.gladly.ignore_emails[0]", 'expected an address, "noreply@*"'),
            ("sources.gladly.ignore_emails[1]", "a domain such as acme.com"),
            ("sources.gladly.test_emails", "expected an address"),
        ],
    ),
    "source: an account that is not": (
        TWO_ACCOUNTS + "    account: «c\n",
        [("sources.gladly.account", "there is: a, b")],
    ),
    "source: no account of two": (
        TWO_ACCOUNTS.replace("    preset", "    «preset"),
        [("sources.gladly", "account is missing")],
    ),
    "source: choices of accounts": (
        source("account: [«{use: default}, {when: {Channel: x}, use: «nix}, «{wen: {}}]"),
        [
            ("sources.gladly.account[0]", "put it last"),
            ("sources.gladly.account[1].use", "there is: default, or none"),
            ("sources.gladly.account[2]", "expected {when: MATCHER, use: NAME or none}"),
        ],
    ),
    "source: an unknown parameter": (
        source("with: {region: «eu}"),
        [("sources.gladly.with.region", 'no parameter "region"')],
    ),
    # ---- proof and lookup
    "proof: none given": (
        swap(f"    preset: gladly\n    authenticate: {AUTHENTICATE}\n", "    ««preset: gladly\n"),
        [("sources.gladly", "authenticate.user is missing"), ("sources.gladly", "authenticate.password is missing")],
    ),
    "proof: a secret for basic": (
        swap(AUTHENTICATE, "{user: deskbridge, secret: «{credential: gladly-webhook}}"),
        [("sources.gladly.authenticate.secret", "the method basic takes no secret: write it as password")],
    ),
    "proof: a method": (
        swap(AUTHENTICATE, "{method: «magic}"),
        [("sources.gladly.authenticate.method", 'unknown method "magic"')],
    ),
    "lookup: no address": (
        swap('{base_url: "https://acme.gladly.com", ', "«{"),
        [("sources.gladly.lookup", "lookup.base_url is missing")],
    ),
    "lookup: no credentials": (
        swap('{base_url: "https://acme.gladly.com", user: bot@acme.com, password: {credential: gladly-api-token}}', '««{base_url: "https://acme.gladly.com"}'),
        [("sources.gladly.lookup", "lookup.user is missing"), ("sources.gladly.lookup", "lookup.password is missing")],
    ),
    # ---- definitions
    "definition: what every one needs": (
        f"version: 1\nklaviyo: {{api_key: {KEY}}}\nsources:\n  mine:\n    definition: ««««{{label: Mine}}\n",
        [("sources.mine.definition", f"expected `{key}`") for key in ("authenticate", "opened", "closed", "conversation")],
    ),
    "definition: typos": (
        source("definition: {opened: {type: «X}, conversation: «nopointer}"),
        [
            ("sources.gladly.definition.opened.type", "expected a JSON Pointer"),
            ("sources.gladly.definition.conversation", "expected a JSON Pointer"),
        ],
    ),
    # ---- rules
    "rules: none": (
        source("rules: ««[]"),
        [("sources.gladly.rules", "no event can come of an opened"), ("sources.gladly.rules", "no event can come of a closed")],
    ),
    "rules: all dropped": (top("rules: «[{drop: all}]"), [("rules", "no event can come of an opened conversation")]),
    "rules: a mapping": (top("rules: «{a: b}"), [("rules", "expected a list of rules")]),
    "rules: a typo": (source("rules: [«defult]"), [("sources.gladly.rules[0]", "expected `default` or a mapping")]),
    "rules: a transition": (
        source("rules: [default, {on: «opend, send: x}]"),
        [("sources.gladly.rules[1].on", 'did you mean "opened"?')],
    ),
    "rules: a pattern": (
        source("rules: [default, {on: opened, when: {/x: {matches: «'('}}, send: x}]"),
        [("sources.gladly.rules[1].when./x.matches", "not a POSIX extended regular expression")],
    ),
    "a pattern: a back-reference in rules": (
        source("rules: [default, {when: {/x: {matches: «'(.*)(.*)\\1'}}, drop: x}]"),
        [("sources.gladly.rules[1].when./x.matches", "back-reference")],
    ),
    "a pattern: a back-reference in the choice of an account": (
        source("account:\n  - {when: {/x: {matches: «'(a)\\1'}}, use: none}\n  - {use: default}"),
        [("sources.gladly.account[0].when./x.matches", "back-reference")],
    ),
    "a pattern: a back-reference in a definition": (
        source("definition: {opened: {/type: {matches: «'(a)\\1'}}}"),
        [("sources.gladly.definition.opened./type.matches", "back-reference")],
    ),
    "a pattern: repetitions of repetitions": (
        source("rules: [default, {when: {/x: {matches: «'(a{1,255}){1,255}'}}, drop: x}]"),
        [("sources.gladly.rules[1].when./x.matches", "at most 600 parts")],
    ),
    "a pattern: too long": (
        source("rules: [default, {when: {/x: {matches: «'" + "[abc]" * 201 + "'}}, drop: x}]"),
        [("sources.gladly.rules[1].when./x.matches", "at most 1000 bytes")],
    ),
    "rules: sends and drops, and nothing": (
        source("rules: [default, {drop: «x, send: y}, «{on: closed}]"),
        [("sources.gladly.rules[1].drop", "either sends or drops"), ("sources.gladly.rules[2]", "a rule that does nothing")],
    ),
    "rules: values": (
        source("rules: [default, {on: opened, send: «'', late: «5, value: «'{'}]"),
        [
            ("sources.gladly.rules[1].send", "empty"),
            ("sources.gladly.rules[1].late", "a duration with its unit"),
            ("sources.gladly.rules[1].value", 'without its "}"'),
        ],
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_an_error_names_its_place_what_was_expected_and_what_to_do(check, name):
    text, expected = WRONG[name]
    text, at = places(text)
    status, said = check(text)
    assert status == 78
    for place, (path, words) in zip(at or ["1:1"], expected):
        begin = f"x.yaml:{place}: {path}: " if path else f"x.yaml:{place}: "
        assert any(line.startswith(begin) and words in line for line in said), (begin, words, said)
    assert len(expected) <= len(at or ["1:1"]) + 1


@pytest.mark.parametrize("name", WRONG)
def test_no_error_is_repeated(check, name):
    said = check(places(WRONG[name][0])[0])[1]
    assert len(said) == len(set(said))


def test_all_errors_of_a_file_come_at_once_in_their_order(check):
    text, at = places(
        """\
version: «2
listen: {max_body: «1MB}
admin: «0.0.0.0:8086
store: «nowhere
log: {level: «loud}
klaviyo:
  api_key: «{credential: missing}
  url: «http://a.klaviyo.com
sources:
  gladly:
    preset: «galdly
    «pth: /x
rules: [«defult]
"""
    )
    status, said = check(text)
    assert status == 78
    assert [line.split(": ")[0] for line in said] == [f"x.yaml:{place}" for place in at]


def test_a_definitions_typo_names_the_key_that_was_meant(check):
    status, said = check(source("definition: {closd: {/type: X}}"))
    assert status == 78 and len(said) == 1 and said[0].startswith("x.yaml:9:")
    assert "sources.gladly.definition.closd: " in said[0] and 'did you mean "closed"?' in said[0]


def test_a_thousand_errors_are_bounded_and_counted(check):
    status, said = check(BASE + "".join(f"wrong{i}: 1\n" for i in range(1000)))
    assert status == 78 and len(said) == 201 and said[-1] == "and 800 more"


@pytest.mark.parametrize("secret", ["eyJhbGciOiJI.eyJzdWIiOiIx.SflKxwRJSMeKKF2Q", "jo:s3cret@acme.gladly.com", "acme.gladly.com/?token=s3cret"])
def test_a_secret_in_place_of_a_url_is_in_no_suggestion(check, secret):
    status, said = check(swap('"https://acme.gladly.com"', f"'{secret}'"))
    (line,) = said
    assert status == 78 and "expected a URL such as" in line
    assert not any(part in line for part in ("s3cret", "eyJ", "SflK"))


def test_the_daemon_says_the_same_and_does_not_start(stage):
    daemon = stage.daemon(start=False, text=places(source("«presset: x"))[0])
    for name in ("klaviyo-api-key", "gladly-webhook", "gladly-api-token"):
        daemon.credential(name, "pk_0")
    daemon.start(ready=False)
    assert daemon.wait_exit() == 78
    assert re.search(r"deskbridge\.yaml:9:5: sources\.gladly\.presset: .*did you mean preset", daemon.report())


@pytest.mark.parametrize(
    "text, words",
    [
        (b"\xff\xfe\x00", "UTF-8"),
        (b"version: 1\nklaviyo: \xc3\x28\n", "UTF-8"),
        (b"version: 1\x00\n", "control characters"),
        (b"[" * 100000, "more than 32 levels deep"),
        (b"a: " * 5000, "x.yaml:1:"),
        (b"x" * (2 << 20), "larger than 1024 KiB"),
        (b"rules: [" + b"1," * 200000 + b"]", "more than"),
        (b"? [a]\n: b\n", "x.yaml:1:"),
        (b"'", "x.yaml:"),
        (b"%YAML 9.9\n---\na", "x.yaml:1:"),
    ],
    ids=lambda value: repr(value)[:20],
)
def test_what_is_no_configuration_at_all_is_refused_with_a_place(check, text, words):
    status, said = check(text)
    assert status == 78 and said and any(words in line for line in said), said
    assert all(len(line) < 600 for line in said) and len(said) < 220


def test_a_folder_is_no_file(tmp_path):
    ended = run("-c", tmp_path, "check")
    assert ended.returncode == 78 and "Is a directory" in ended.stderr


@pytest.mark.parametrize(
    "secret, words",
    [
        (b"", "is empty"),
        (b"\n", "is empty"),
        (b"a\nb\n", "a secret is one line"),
        (b"pk\x00x", "a secret is one line"),
        (b" pk_x\n", "a blank before or behind it"),
        (b"pk_x \n", "a blank before or behind it"),
        (b"pk_x\t", "a blank before or behind it"),
        (b"pk_x\r\n \n", "a blank before or behind it"),
        (b"\xef\xbb\xbf pk_x\n", "a blank before or behind it"),
        (b" \n", "a blank before or behind it"),
        (b"x" * 70000, "longer than 64 KiB"),
    ],
    ids=["empty", "a line end", "two lines", "nul", "before", "behind", "tab", "blank line", "bom", "only blank", "long"],
)
def test_a_secret_that_can_be_none_is_told_without_being_shown(check, secret, words):
    (check.folder / "credentials" / "klaviyo-api-key").write_bytes(secret)
    status, said = check(BASE)
    assert status == 78 and len(said) == 1
    assert said[0].startswith("x.yaml:3:12: klaviyo.api_key: credentials/klaviyo-api-key") and words in said[0]


def test_a_secret_with_blanks_around_it_is_told_at_its_place(check):
    place = "password: {credential: gladly-webhook}"
    for secret in ('" hush"', '"hush "', "'hush\t'", '[hush, "hush "]'):
        status, said = check(swap(place, f"password: {secret}"))
        assert status == 78 and len(said) == 1, said
        assert "sources.gladly.authenticate.password" in said[0] and "a blank before or behind it" in said[0]
        assert said[0].startswith("x.yaml:") and "hush" not in said[0]
    assert check(swap(place, 'password: "hush hush"'))[0] == 0
    assert check(swap(place, "password: hush   "))[0] == 0  # YAML removes them


def test_more_connections_for_one_address_than_for_all_are_warned_of(check):
    status, said = check(top("listen: {max_connections: 1024, per_address: 4096}"))
    assert status == 0 and len(said) == 1
    at = "x.yaml:9:46: listen.per_address: warning: is more than max_connections"
    assert said[0].startswith(at) and "write less than 1024" in said[0]
    for quiet in ("{max_connections: 1024, per_address: 1024}", "{max_connections: 64}"):
        assert check(top(f"listen: {quiet}")) == (0, [])


@pytest.mark.parametrize(
    "listen, key, words",
    [
        ("{idle: «60s}", "idle", "such as 150s"),
        ("{idle: «5s}", "idle", "lose a webhook on one that is closed just then"),
        ("{timeout: 10m, idle: «5m}", "idle", "idle is less than timeout"),
        ("{timeout: «10m}", "timeout", "idle is less than timeout"),
        ("{timeout: «4s}", "timeout", "cut off: write 5s or more"),
        ("{max_body: «63KiB}", "max_body", "refused with 413 and lost then: write 64KiB or more"),
        ("{per_address: «7}", "per_address", "write 8 or more"),
        ("{trusted_proxies: [10.0.0.0/8, «0.0.0.0/0]}", "trusted_proxies[1]", "write the addresses of your proxies"),
        ("{trusted_proxies: «'::/0'}", "trusted_proxies", "every address"),
    ],
)
def test_what_can_hardly_be_meant_of_listen_is_warned_of(check, listen, key, words):
    text, ((place),) = places(top(f"listen: {listen}"))
    status, said = check(text)
    assert status == 0 and len(said) == 1, said
    assert said[0].startswith(f"x.yaml:{place}: listen.{key}: warning: ") and words in said[0], said[0]


@pytest.mark.parametrize(
    "listen",
    ["{idle: 61s}", "{idle: 2m, timeout: 2m}", "{timeout: 5s}", "{max_body: 64KiB, max_memory: 1MiB}", "{per_address: 8}",
     "{trusted_proxies: [10.0.0.0/8, '2001:db8::/32', unix]}"],
)
def test_what_may_be_meant_of_listen_is_no_warning(check, listen):
    assert check(top(f"listen: {listen}")) == (0, [])


ASKED = "/customer-profiles/{/content/customerId}"


@pytest.mark.parametrize(
    "text, place, words",
    [
        (
            swap("https://acme.gladly.com", "https://acme.gladly.com/api/v1"),
            "8:24: sources.gladly.lookup.base_url",
            f"asks https://acme.gladly.com/api/v1/api/v1{ASKED}, in which /api/v1 stands twice: write https://acme.gladly.com",
        ),
        (
            swap("https://acme.gladly.com", "https://desk.acme.com/gladly/api/"),
            "8:24: sources.gladly.lookup.base_url",
            f"asks https://desk.acme.com/gladly/api/api/v1{ASKED}, in which /api stands twice: write https://desk.acme.com/gladly",
        ),
        (
            swap("https://acme.gladly.com", "https://acme.gladly.com/agent"),
            "8:24: sources.gladly.lookup.base_url",
            f"asks https://acme.gladly.com/agent/api/v1{ASKED}: write https://acme.gladly.com, unless the helpdesk's API",
        ),
        (
            BASE + "  chatwoot: {preset: chatwoot, authenticate: {secret: x}, lookup: {base_url: https://chat.acme.com/app}}\n",
            "9:78: sources.chatwoot.lookup.base_url",
            "events show https://chat.acme.com/app/app/accounts/{/account/id}",
        ),
        (klaviyo("url: https://a.klaviyo.com/api"), "4:8: klaviyo.url", "/api/api/events, in which /api stands twice: write https://a.klaviyo.com"),
        (klaviyo("url: https://out.acme.com/k"), "4:8: klaviyo.url", "sends to https://out.acme.com/k/api/events: write https://out.acme.com, unless"),
    ],
    ids=["twice", "once more", "a page of the desk", "a link", "klaviyo", "a proxy"],
)
def test_a_url_with_a_path_of_its_own_is_warned_of_with_what_it_leads_to(check, text, place, words):
    status, said = check(text)
    said = [line for line in said if "url: " in line]
    assert status == 0 and len(said) == 1, said
    assert said[0].startswith(f"x.yaml:{place}: warning: with this path ") and words in said[0], said[0]


@pytest.mark.parametrize(
    "text",
    [
        swap("https://acme.gladly.com", "https://acme.gladly.com/"),
        swap("https://acme.gladly.com", "https://acme.gladly.com:8443"),
        klaviyo("url: https://a.klaviyo.com/"),
        BASE + "  zammad: {preset: zammad, authenticate: {secret: x}, lookup: {base_url: https://acme.com/zammad}}\n",
    ],
    ids=["slash", "port", "klaviyo", "links below a path"],
)
def test_a_url_that_paths_are_put_behind_is_no_warning(check, text):
    status, said = check(text)
    assert status == 0 and not any("url: " in line for line in said), said


@pytest.mark.parametrize("change", ["\r\n", "bom", "comments"])
def test_what_editors_do_to_a_file_does_no_harm(check, change):
    text = {"\r\n": BASE.replace("\n", "\r\n"), "bom": "\ufeff" + BASE, "comments": BASE.replace("\n", "   # x\n")}[change]
    assert check(text) == (0, [])


@pytest.mark.parametrize(
    "text",
    [
        top("listen:\nadmin:\nstore:\nlog:"),
        top("listen: unix:/run/x.sock\nadmin: unix:/run/y.sock"),
        top("listen: ':8085'\nadmin: '[::1]:8086'"),
        top("admin: {token: {credential: gladly-webhook}, hosts: [bridge.example.com, '[2001:db8::1]:8086', '2001:db8::2']}"),
        klaviyo("url: http://localhost:8181\nlate: {opened: never}"),
        source("expire_after: never\nflag: [a, b]\ntest_emails: jo@example.com\nignore_emails: acme.com"),
        swap("password: {credential: gladly-webhook}", "password: [{credential: gladly-webhook}, {credential: gladly-api-token}]"),
        swap(AUTHENTICATE, "{method: none}"),
        swap(AUTHENTICATE, "{method: header, name: X-Token, secret: {credential: gladly-webhook}}"),
        TWO_ACCOUNTS + "    account: [{when: {Channel: chat}, use: a}, {use: none}]\n",
        top("rules: [{when: {Initiated By: agent}, drop: outbound}, default]"),
    ],
)
def test_what_the_manual_allows_is_allowed_without_a_word(check, text):
    assert check(text) == (0, [])
