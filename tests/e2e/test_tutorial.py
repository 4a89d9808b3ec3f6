# SPDX-License-Identifier: MIT
"""The tutorial of deskbridge-helpdesks(5) and the README's rehearsal: their commands, as printed, do what the text
says. They do not touch a deskbridge that runs on this machine with the default ports and store, and the tutorial needs
no installed presets."""

import json
import os
import pathlib
import re
import shutil
import socket
import subprocess

import pytest

from harness import PRESETS, PROGRAM, TIMEOUT, wait_for

TREE = pathlib.Path(os.environ.get("TEST_SRCDIR", pathlib.Path(__file__).resolve().parents[1])).resolve().parent
PAGE, README = TREE / "man/deskbridge-helpdesks.5", TREE / "README.md"
PORTS, REHEARSAL_PORTS = ("8095", "8096", "8097"), ("18085", "18086", "18087")

pytestmark = [
    pytest.mark.skipif(not PAGE.is_file() or not README.is_file(), reason="needs the manual page and the README of the source tree"),
    pytest.mark.skipif(not shutil.which("bash") or not shutil.which("curl"), reason="needs bash and curl"),
]


def commands():
    """Returns the tutorial's blocks, as the page shows them."""
    page = PAGE.read_text(encoding="utf-8")
    tutorial = page[page.index(".SH TUTORIAL\n") :]
    tutorial = tutorial[: tutorial.index("\n.SH ", 1)]
    blocks = re.findall(r"^\.EX\n(.*?)^\.EE$", tutorial, re.MULTILINE | re.DOTALL)
    for code, text in ((r"\-", "-"), (r"\(aq", "'"), (r"\(dq", '"'), (r"\&", ""), (r"\e", "\\")):
        blocks = [block.replace(code, text) for block in blocks]
    return blocks


def rehearsal():
    """Returns the blocks of the README's section, as they are shown."""
    section = README.read_text(encoding="utf-8")
    section = section[section.index("### Rehearse without production\n") :]
    section = section[: section.index("\n### ", 1)]
    blocks = re.findall(r"^```yaml\n(.*?)^```$|((?:^    [^\n]*\n)+)", section, re.MULTILINE | re.DOTALL)
    return [fenced or re.sub("^    ", "", indented, flags=re.MULTILINE) for fenced, indented in blocks]


def free_ports(count):
    held = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [str(one.getsockname()[1]) for one in held]
    for one in held:
        one.close()
    return ports


def answers(port):
    try:
        socket.create_connection(("127.0.0.1", int(port)), 1).close()
    except OSError:
        return False
    return True


class Reader:
    """A reader who types the blocks one after the other. The text's ports are replaced, as other tests may use them."""

    def __init__(self, folder):
        self.folder, self.jobs = folder, []
        known = PORTS + REHEARSAL_PORTS
        self.ports = dict(zip(known, free_ports(len(known))))
        (folder / "bin").mkdir()
        (folder / "bin/deskbridge").symlink_to(os.path.realpath(shutil.which(PROGRAM)))
        self.env = {"PATH": f"{folder / 'bin'}:{os.environ['PATH']}", "HOME": str(folder), "NO_PROXY": "127.0.0.1"}
        self.at = folder

    def here(self, text):
        return re.sub(r"\b(?:" + "|".join(self.ports) + r")\b", lambda port: self.ports[port[0]], text)

    def types(self, block, pastes=""):
        ended = subprocess.run(
            ["bash", "-ec", self.here(block)],
            cwd=self.at,
            env=self.env,
            input=pastes,
            capture_output=True,
            text=True,
            timeout=TIMEOUT,
            check=False,
        )
        assert ended.returncode == 0, f"{block}\n{ended.stdout}\n{ended.stderr}"
        return ended

    def pastes(self, *blocks):
        """Pastes all lines at once into a shell with jobs. Returns the output of the shell and its jobs."""
        ended = subprocess.run(
            ["bash", "-c", self.here("\n".join(blocks))],
            cwd=self.at,
            env=self.env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=max(TIMEOUT, 30),
            check=False,
        )
        assert ended.returncode == 0, f"{blocks}\n{ended.stdout}"
        return ended.stdout

    def starts(self, line, port):
        log = open(self.folder / f"{port}.log", "wb")  # pylint: disable=consider-using-with
        self.jobs.append(
            subprocess.Popen(self.here(line).rstrip("& ").split(), cwd=self.at, env=self.env, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        )
        log.close()
        wait_for(lambda: answers(self.ports[port]), what=line)

    def stops(self):
        for job in self.jobs:
            job.terminate()
        ended = [job.wait(max(TIMEOUT, 15)) for job in self.jobs]
        self.jobs = []
        return ended


@pytest.fixture
def reader(tmp_path):
    made = Reader(tmp_path)
    yield made
    made.stops()


def test_the_commands_do_what_the_page_says(reader):
    captures, definition, config, secret, check, explain, missing, samples, whole, end = commands()
    reader.types(captures)
    reader.at = reader.folder / "lumen"
    assert json.loads((reader.at / "opened.json").read_text())["event"] == "ticket.created"
    reader.types(definition)
    reader.types(config)
    reader.types(secret, pastes="lumen-secret\n")
    assert "deskbridge.yaml: good" in reader.types(check).stdout

    said = reader.types(explain).stdout
    assert re.search(r"^Proof: hmac\n  good$", said, re.MULTILINE), said
    assert "Event: started conversation in Lumen for jo@example.com" in said
    reader.types(missing)
    checked = reader.types(samples)
    assert "deskbridge.yaml: good" in checked.stdout and checked.stderr == ""

    lines = whole.splitlines()
    assert [line.endswith("&") for line in lines] == [True, True, False, False, False, False, False]
    reader.starts(lines[0], "8097")
    reader.starts(lines[1], "8095")
    assert json.loads(reader.types(lines[2]).stdout) == {"status": "ready"}
    assert '"accepted"' in reader.types(lines[3]).stdout
    assert '"accepted"' in reader.types(lines[4]).stdout
    assert "default" in reader.types(lines[5]).stdout
    events = wait_for(lambda: (found := json.loads(reader.types(lines[6]).stdout)) and len(found) == 2 and found)
    assert [event["metric"] for event in events] == ["started conversation in Lumen", "closed conversation in Lumen"]
    assert events[1]["received_at"] - events[0]["received_at"] >= 2000

    kill, remove = end.splitlines()
    assert kill == "kill %1 %2"
    assert reader.stops()[1] == 0
    reader.types(remove)
    assert sorted(path.name for path in reader.at.iterdir()) == [
        "closed.json", "credentials", "deskbridge.yaml", "helpdesks", "opened.json", "reopened.json",
    ]


def test_the_commands_can_be_pasted_at_once(reader):
    *blocks, whole, end = commands()
    reader.types(blocks[0])
    reader.at = reader.folder / "lumen"
    for block in blocks[1:]:
        reader.types(block, pastes="lumen-secret\n")
    ask = whole.splitlines()[-1]
    told = reader.pastes(whole, f"until {ask} | grep -q closed; do :; done", end)
    assert told.count('"accepted"') == 2, told


def test_no_block_gives_its_other_lines_to_a_command_that_waits_for_a_secret():
    blocks = commands() + re.findall(r"((?:^    [^\n]*\n)+)", README.read_text(encoding="utf-8"), re.MULTILINE)
    waiting = [block.strip().splitlines() for block in blocks if "/dev/stdin" in block]
    assert waiting
    for lines in waiting:
        assert all("/dev/stdin" in line for line in lines[1:]), lines


def test_they_touch_no_deskbridge_that_runs_here():
    text = "\n".join(commands())
    assert set(re.findall(r"127\.0\.0\.1:(\d+)", text)) == set(PORTS)
    for place in ("listen: 127.0.0.1:8095\n", "admin: 127.0.0.1:8096\n", "store: sqlite:lumen.db\n", "url: http://127.0.0.1:8097\n"):
        assert place in text
    for command in re.findall(r"^deskbridge .*$", text, re.MULTILINE):
        assert command.startswith(("deskbridge -c deskbridge.yaml ", "deskbridge sandbox --listen 127.0.0.1:8097 ")), command
    assert "/etc/" not in text and "/var/" not in text


# ---- the README's rehearsal


def test_the_rehearsal_runs_as_it_is_written_and_leaves_nothing(reader):
    make, config, run, end, _ = rehearsal()
    reader.env["DESKBRIDGE_PRESETS"] = PRESETS
    reader.types(make)
    (reader.folder / "rehearsal/deskbridge.yaml").write_text(reader.here(config), encoding="utf-8")
    for line in run.splitlines():
        if line.endswith("&"):
            reader.starts(line, "18087" if " sandbox " in line else "18085")
            continue
        told = reader.types(line)
        if "/readyz" in line:
            assert json.loads(told.stdout) == {"status": "ready"}
        elif " check" in line:
            assert "deskbridge.yaml: good" in told.stdout and told.stderr == ""
        elif "--post" in line:
            assert '"accepted"' in told.stdout
        elif " status" in line:
            wait_for(lambda again=line: "jo@example.com  In Gladly Conversation  r-1" in reader.types(again).stdout)
        elif "/sandbox/" in line:
            flag = "/profiles" in line
            answer = wait_for(lambda again=line: (found := json.loads(reader.types(again).stdout)) and len(found) == (1 if flag else 2) and found)
            if flag:
                assert answer[0]["email"] == "jo@example.com" and answer[0]["properties"] == {"In Gladly Conversation": True}
            else:
                metrics = ["started conversation in Gladly", "closed conversation in Gladly"]
                assert [event["metric"] for event in answer] == metrics
    kill, remove = end.splitlines()
    assert kill == "kill %1 %2"
    assert reader.stops()[1] == 0
    reader.types(remove)
    assert not (reader.folder / "rehearsal").exists()


def test_the_rehearsal_can_be_pasted_at_once(reader):
    make, config, run, end, _ = rehearsal()
    reader.env["DESKBRIDGE_PRESETS"] = PRESETS
    reader.types(make)
    (reader.folder / "rehearsal/deskbridge.yaml").write_text(reader.here(config), encoding="utf-8")
    ask = run.splitlines()[-1]
    told = reader.pastes(run, f"until {ask} | grep -q closed; do :; done", end)
    assert told.count('"accepted"') == 2, told
    assert not (reader.folder / "rehearsal").exists()


def test_the_rehearsal_touches_no_deskbridge_that_runs_here():
    make, config, run, end, _ = rehearsal()
    text = "\n".join((make, config, run, end))
    assert set(re.findall(r"127\.0\.0\.1:(\d+)", text)) == set(REHEARSAL_PORTS)
    for place in ("listen: 127.0.0.1:18085\n", "admin: 127.0.0.1:18086\n", "store: sqlite:rehearsal.db\n", "url: http://127.0.0.1:18087\n"):
        assert place in config
    for command in re.findall(r"^deskbridge .*$", run, re.MULTILINE):
        assert command.startswith(("deskbridge -c rehearsal/deskbridge.yaml ", "deskbridge sandbox --listen 127.0.0.1:18087 ")), command
    assert "/etc/" not in text and "/var/" not in text
