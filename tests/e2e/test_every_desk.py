"""Every helpdesk from end to end: the script that shows it is a test too."""

import os
import pathlib
import re
import subprocess
import sys

from harness import PRESETS, PROGRAM, TIMEOUT, run

SCRIPT = pathlib.Path(__file__).resolve().parents[1] / "every-desk"
ENV = {**os.environ, "DESKBRIDGE": PROGRAM, "DESKBRIDGE_PRESETS": PRESETS}


def every_desk(*words):
    command = [sys.executable, str(SCRIPT), *words]
    return subprocess.run(command, capture_output=True, text=True, env=ENV, timeout=20 * TIMEOUT)


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
    # So long it waits in vain for the event; that much time its daemon and sandbox have to start.
    env = {**ENV, "DESKBRIDGE_PRESETS": str(presets), "DESKBRIDGE_TEST_TIMEOUT": str(max(2, TIMEOUT / 10))}
    ended = subprocess.run(command, capture_output=True, text=True, env=env, timeout=TIMEOUT * 2)
    assert ended.returncode == 1 and "FAILED" in ended.stdout and "waited in vain" in ended.stdout


def test_an_unknown_helpdesk_is_told():
    ended = every_desk("zendisk")
    assert ended.returncode == 1 and "no preset zendisk" in ended.stderr and "zendesk" in ended.stderr
