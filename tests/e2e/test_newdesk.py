# SPDX-License-Identifier: MIT
"""A desk without a preset. tests/data/newdesk.md says what must come of its three captured webhooks. The definition
tests/data/newdesk.yaml was written with the manual page alone."""

import os
import pathlib
import re
import subprocess

import pytest

from harness import HANG, PROGRAM

DATA = pathlib.Path(__file__).resolve().parent.parent / "data"
WRITTEN = (DATA / "newdesk.md").read_text()
CAPTURES = list(zip(
    re.findall(r"\(`(\w+)`\)\n", WRITTEN),
    re.findall(r"^    (X-Parlour-Signature: .*)$", WRITTEN, re.MULTILINE),
    re.findall(r"^```json\n(.*)\n```$", WRITTEN, re.MULTILINE),
))
SECRET = re.search(r"has the key `(\S+)`", WRITTEN)[1]
CONFIG = f"""\
version: 1
klaviyo: {{url: "http://127.0.0.1:9", api_key: pk_test}}
store: sqlite:parlour.db
sources:
  parlour: {{preset: parlour, authenticate: {{secret: {SECRET}}}}}
"""
EXPECTED = {
    "opened": {"metric": "started conversation in Parlour Cases", "Channel": "webchat", "Team": "Orders",
               "Initiated By": "customer"},
    "closed": {"metric": "closed conversation in Parlour Cases", "Agent": "Sanna Berg", "Rating": "5", "Initiated By": "agent"},
    "reopened": {"metric": "reopened conversation in Parlour Cases", "Agent": "Sanna Berg", "Initiated By": "customer"},
}
TIMES = {"opened": "2026-11-20T08:45:02Z", "closed": "2026-11-20T09:57:01Z", "reopened": "2026-11-20T11:01:20Z"}


@pytest.fixture
def deskbridge(tmp_path):
    """Runs a command on a configuration with the definition next to it."""
    (tmp_path / "helpdesks").mkdir()
    (tmp_path / "helpdesks" / "parlour.yaml").write_bytes((DATA / "newdesk.yaml").read_bytes())
    (tmp_path / "deskbridge.yaml").write_text(CONFIG)
    os.chmod(tmp_path / "deskbridge.yaml", 0o600)

    def run(*arguments, stdin=None):
        return subprocess.run([PROGRAM, "-c", tmp_path / "deskbridge.yaml", *arguments], input=stdin, capture_output=True,
                              timeout=HANG, check=False, cwd=tmp_path)

    return run


def test_check_says_nothing_against_it(deskbridge):
    ended = deskbridge("check")
    assert (ended.returncode, ended.stderr) == (0, b"")


def test_there_are_three_captures_and_none_is_missed():
    assert [capture[0] for capture in CAPTURES] == ["opened", "closed", "reopened"]


@pytest.mark.parametrize("transition, header, body", CAPTURES, ids=[capture[0] for capture in CAPTURES])
def test_explain_says_what_the_table_promises(deskbridge, transition, header, body):
    ended = deskbridge("explain", "parlour", "--header", header, stdin=body.encode())
    said = ended.stdout.decode()
    assert ended.returncode == 0, ended.stderr
    assert "stale: the signature is right" in said
    assert f"{transition}: yes" in said
    event = said[said.index("\nEvent: "):]
    assert f"Event: {EXPECTED[transition]['metric']} for ida.holm@example.com" in event
    for name, value in EXPECTED[transition].items():
        if name != "metric":
            assert re.search(rf'"{name}": ?"?{re.escape(value)}"?', event), name
    assert f'"time": "{TIMES[transition]}"' in event or f'"time":"{TIMES[transition]}"' in event
    assert "https://northwind.parlour.example/cases/NW-20417" in event.replace("\\/", "/")


def test_a_flipped_letter_is_a_wrong_proof(deskbridge):
    _, header, body = CAPTURES[0]
    ended = deskbridge("explain", "parlour", "--header", header, stdin=body.replace("NW-20417", "NW-20418").encode())
    assert "wrong" in ended.stdout.decode()
