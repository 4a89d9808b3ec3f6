# SPDX-License-Identifier: MIT
"""The JSON Schema of the generic preset's body describes exactly what the preset reads.

Where python3-jsonschema is installed, it validates the bodies, too. The schema uses so few words that a validator of
its own is below.
"""

import json
import pathlib
import re

import pytest
import yaml

TOP = pathlib.Path(__file__).resolve().parents[2]
SCHEMA = json.loads((TOP / "etc" / "generic.schema.json").read_text(encoding="utf-8"))
PRESET = yaml.safe_load((TOP / "etc" / "helpdesks" / "generic.yaml").read_text(encoding="utf-8"))
GOLDEN = yaml.safe_load((TOP / "tests" / "data" / "helpdesks" / "generic.yaml").read_text(encoding="utf-8"))

TYPES = {
    "object": dict,
    "array": list,
    "string": str,
    "boolean": bool,
    "null": type(None),
}
PASSIVE = {"$schema", "$id", "$defs", "title", "description"}


def is_type(value, name):
    if name in ("integer", "number"):
        return isinstance(value, (int, float) if name == "number" else int) and not isinstance(value, bool)
    return isinstance(value, TYPES[name])


def check_ref(value, to):
    found = SCHEMA
    for part in to.removeprefix("#/").split("/"):
        found = found[part]
    return valid(value, found)


CHECKS = {
    "$ref": check_ref,
    "type": lambda v, names: any(is_type(v, n) for n in ([names] if isinstance(names, str) else names)),
    "enum": lambda v, all: v in all,
    "const": lambda v, other: v == other,
    "anyOf": lambda v, all: any(valid(v, s) for s in all),
    "required": lambda v, names: not isinstance(v, dict) or all(n in v for n in names),
    "properties": lambda v, all: not isinstance(v, dict) or all_valid(v, all),
    "additionalProperties": lambda v, allowed: allowed is True,
    "items": lambda v, s: not isinstance(v, list) or all(valid(one, s) for one in v),
    "maxItems": lambda v, n: not isinstance(v, list) or len(v) <= n,
    "minLength": lambda v, n: not isinstance(v, str) or len(v) >= n,
    "maxLength": lambda v, n: not isinstance(v, str) or len(v) <= n,
    "pattern": lambda v, p: not isinstance(v, str) or re.search(p, v) is not None,
}


def all_valid(value, properties):
    return all(valid(value[name], schema) for name, schema in properties.items() if name in value)


def valid(value, schema):
    """True where the schema accepts the value. Raises a KeyError on a word of JSON Schema that CHECKS does not have."""
    return all(CHECKS[word](value, says) for word, says in schema.items() if word not in PASSIVE)


def judges():
    yield "by hand", lambda body: valid(body, SCHEMA)
    try:
        import jsonschema
    except ImportError:
        return
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    judge = jsonschema.Draft202012Validator(SCHEMA)
    yield "jsonschema", judge.is_valid


def json_of(text):
    if not isinstance(text, str):
        return text
    try:
        return json.loads(text)
    except ValueError:
        return None  # a form, or broken on purpose


def bodies():
    """Yields (name, body, True where the preset reads it)."""
    samples = {k: v for k, v in PRESET["samples"].items() if k != "also"}
    for name, sample in samples.items():
        yield f"sample {name}", json_of(sample["body"]), True
    for sample in PRESET["samples"]["also"]:
        yield f"sample that says {sample['says']}", json_of(sample["body"]), sample["says"] != "ignored"
    yield "what is pasted", json_of(PRESET["paste"]), True
    for case in GOLDEN["cases"]:
        if case["proof"] == "good":
            yield case["name"], json_of(case["body"]), case["says"] not in ("ignored", "unreadable")


@pytest.mark.parametrize("judge", judges(), ids=lambda judge: judge[0])
def test_the_schema_allows_what_the_preset_reads_and_refuses_what_it_does_not(judge):
    seen = 0
    for name, body, good in bodies():
        if body is None:
            continue
        assert judge[1](body) == good, name
        seen += 1
    assert seen >= 20


@pytest.mark.parametrize("judge", judges(), ids=lambda judge: judge[0])
@pytest.mark.parametrize(
    "over",
    [
        {"transition": "solved"},
        {"transition": None},
        {"conversation": ""},
        {"conversation": None},
        {"conversation": {"id": 1}},
        {"email": {"address": "jo@example.com"}},
        {"emails": [["jo@example.com"]]},
        {"time": "yesterday"},
        {"time": {"ms": 1}},
        {"tags": {"a": True}},
        {"tags": ["a"] * 101},
        {"team": ["Returns"]},
        {"initiated_by": "robot"},
        {"url": "ftp://desk.example.com/1"},
    ],
    ids=json.dumps,
)
def test_the_schema_refuses(judge, over):
    body = {"transition": "opened", "conversation": "1", "email": "jo@example.com"}
    assert judge[1](body)
    assert not judge[1]({**body, **over})


def pointers(node):
    """Yields the names of the body's members that the preset's references name."""
    if isinstance(node, dict):
        for key, value in node.items():
            yield from pointers(key)
            yield from pointers(value)
    elif isinstance(node, list):
        for one in node:
            yield from pointers(one)
    elif isinstance(node, str):
        yield from re.findall(r"(?:^|\{)/([a-z_]+)", node)


def test_the_schema_names_what_the_preset_reads():
    told = ("documentation", "setup", "paste", "samples", "label", "unconfirmed")
    assert set(SCHEMA["properties"]) == set(pointers({k: v for k, v in PRESET.items() if k not in told}))
