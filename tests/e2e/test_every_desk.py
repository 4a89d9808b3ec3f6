# SPDX-License-Identifier: MIT
"""Runs tests/every-desk: every helpdesk from end to end, and the orders in which its webhooks may come."""

import os
import pathlib
import re
import subprocess
import sys

import pytest

from harness import PRESETS, PROGRAM, TIMEOUT, run

SCRIPT = pathlib.Path(__file__).resolve().parents[1] / "every-desk"
ENV = {**os.environ, "DESKBRIDGE": PROGRAM, "DESKBRIDGE_PRESETS": PRESETS}


def every_desk(*words, **env):
    command = [sys.executable, str(SCRIPT), *words]
    return subprocess.run(command, capture_output=True, text=True, env={**ENV, **env}, timeout=20 * TIMEOUT)


def test_an_opening_and_a_closing_of_every_helpdesk_end_as_events():
    ended = every_desk()
    assert ended.returncode == 0, ended.stdout + ended.stderr
    lines = ended.stdout.splitlines()
    names = [line.split()[0] for line in run("presets").stdout.splitlines()[1:]]
    assert [line.split()[0] for line in lines[1:-1]] == names
    for line in lines[1:-1]:
        assert re.search(r"started conversation in .+, \S+@\S+ +closed conversation in .+, \S+@\S+ +\d+$", line)
    assert lines[-1] == f"{len(names)} helpdesks, {2 * len(names)} events"


def test_a_helpdesk_that_does_not_arrive_is_a_failure(tmp_path):
    presets = tmp_path / "presets"
    presets.mkdir()
    (presets / "mute.yaml").write_text(
        "label: Mute\ndocumentation: https://example.com/\nverified: no\nauthenticate: {method: bearer}\n"
        "opened: {/t: o}\nclosed: {/t: c}\nconversation: /id\nemails: /mail\n"
        "samples: {opened: {t: o, id: 1, mail: ''}, closed: {t: c, id: 1, mail: jo@example.com}}\n"
    )
    command = [sys.executable, str(SCRIPT), "mute"]
    # The script waits in vain for the event for this long. Its daemon and sandbox have the same time to start.
    env = {**ENV, "DESKBRIDGE_PRESETS": str(presets), "DESKBRIDGE_TEST_TIMEOUT": str(max(2, TIMEOUT / 10))}
    ended = subprocess.run(command, capture_output=True, text=True, env=env, timeout=TIMEOUT * 2)
    assert ended.returncode == 1 and "FAILED" in ended.stdout and "waited in vain" in ended.stdout


def test_an_unknown_helpdesk_is_told():
    ended = every_desk("zendisk")
    assert ended.returncode == 1 and "no preset zendisk" in ended.stderr and "zendesk" in ended.stderr


# ---- --orders

ROWS = ["chatwoot", "chatwoot-chat", "intercom", "intercom-outbound", "intercom-ticket", "zendesk", "helpscout"]
ROWS += ["front", "front-app", "gorgias"]
EACH_TWICE = 90  # orders of three webhooks that come twice each


def table(ended):
    """Returns the rows of --orders: {desk: {column: number}}."""
    head, *rows = [line.split() for line in ended.stdout.splitlines() if re.match(r"DESK |\S+ +\d+ +\d+ ", line)]
    return {row[0]: dict(zip(head[1:], map(int, row[1:]))) for row in rows}


def test_webhooks_of_six_desks_end_right_in_every_order_though_each_comes_twice():
    limit = EACH_TWICE + 20
    ended = every_desk("--orders", "--limit", str(limit))
    assert ended.returncode == 0, ended.stdout + ended.stderr
    rows = table(ended)
    assert list(rows) == ROWS
    for desk, row in rows.items():
        assert row["ORDERS"] == limit and row["WEBHOOKS"] > EACH_TWICE * 6 and row["EVENTS"] > limit, desk
        assert [row[name] for name in ("DOUBLED", "LOST", "ORDER", "FLAGS", "DEAD")] == [0, 0, 0, 0, 0], desk
    totals = [sum(row[name] for row in rows.values()) for name in ("ORDERS", "WEBHOOKS", "EVENTS")]
    assert ended.stdout.splitlines()[-1] == "{} rows, {} orders, {} webhooks, {} events".format(len(rows), *totals)


@pytest.mark.parametrize(
    "spoilt, wrong",
    [
        (("delivery: /id\n", "delivery: /detail/id\n"), "200 {.*duplicate.*}, not accepted"),
        (("time: [/time, /detail/updated_at]\n", ""), "expected .*\n.*Klaviyo has"),
    ],
    ids=["wrong delivery id", "no time"],
)
def test_what_goes_wrong_in_an_order_is_told_with_the_order(tmp_path, spoilt, wrong):
    for preset in pathlib.Path(PRESETS).glob("*.yaml"):
        text = preset.read_text(encoding="utf-8")
        (tmp_path / preset.name).write_text(text.replace(*spoilt) if preset.stem == "zendesk" else text, encoding="utf-8")
    ended = every_desk("--orders", "--limit", "12", "zendesk", DESKBRIDGE_PRESETS=str(tmp_path))
    assert ended.returncode == 1, ended.stdout + ended.stderr
    assert re.search(r"zendesk 71\d+: .*\(again\)", ended.stdout) and re.search(wrong, ended.stdout)


def test_orders_of_a_helpdesk_without_a_life_are_refused():
    ended = every_desk("--orders", "gladly")
    assert ended.returncode == 1 and "no orders of gladly" in ended.stderr and "chatwoot" in ended.stderr
    assert every_desk("--limit", "3").returncode == 2
