# SPDX-License-Identifier: MIT
"""`lookup.ca`: a self-hosted helpdesk whose certificate is not signed by a public authority."""

import os
import re
import shutil
import ssl
import subprocess

import pytest

from harness import gladly_webhook, wait_for

pytestmark = pytest.mark.skipif(not shutil.which("openssl"), reason="without the command openssl there is no authority")


class Authority:
    """An authority of the test's own. `file` is its certificate; server() returns a context with a certificate for
    127.0.0.1."""

    def __init__(self, folder):
        self._folder = folder
        folder.mkdir()
        self.file = folder / "ca.pem"
        self._openssl("req", "-x509", "-keyout", "ca.key", "-out", "ca.pem", "-subj", f"/CN={folder.name}", "-days", "2")

    def _openssl(self, command, *args):
        new = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"] if command == "req" else []
        subprocess.run(["openssl", command, *new, *args], cwd=self._folder, check=True, capture_output=True)

    def server(self, host="IP:127.0.0.1", end="21000101000000Z"):
        (self._folder / "san").write_text(f"subjectAltName={host}\n")
        (self._folder / "index").write_text("")
        (self._folder / "ca.cnf").write_text(
            "[ca]\ndefault_ca = own\n"
            "[own]\ndatabase = index\nnew_certs_dir = .\npolicy = any\ndefault_md = sha256\nrand_serial = yes\n"
            "[any]\ncommonName = supplied\n")
        self._openssl("req", "-keyout", "desk.key", "-out", "desk.csr", "-subj", "/CN=desk")
        self._openssl("ca", "-batch", "-notext", "-config", "ca.cnf", "-cert", "ca.pem", "-keyfile", "ca.key",
                      "-in", "desk.csr", "-extfile", "san", "-startdate", "20200101000000Z", "-enddate", end,
                      "-out", "desk.pem")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self._folder / "desk.pem", self._folder / "desk.key")
        return context


@pytest.fixture
def authority(tmp_path):
    return Authority(tmp_path / "authority")


@pytest.fixture
def another(tmp_path):
    return Authority(tmp_path / "another")


@pytest.fixture
def desk(stage, authority):
    desk = stage.gladly(tls=authority.server())
    desk.customers.update({f"cust-{n}": [f"p{n}@example.com"] for n in range(4)})
    return desk


def trusting(file):
    return {"sources": {"gladly": {"lookup": {"ca": str(file)}}}}


def test_lookups_trust_the_authority_that_is_named(stage, sandbox, desk, authority):
    daemon = stage.daemon(sandbox, desk, config=trusting(authority.file))
    daemon.accepted("gladly", gladly_webhook("opened", customer="cust-1"))
    sandbox.wait_events(1, email="p1@example.com")


def test_check_names_the_file_below_what_lookups_ask(stage, authority):
    daemon = stage.daemon(start=False)
    shutil.copy(authority.file, daemon.dir / "own.pem")
    daemon.configure({"sources": {"gladly": {"lookup": {"base_url": "https://acme.gladly.com", "ca": "own.pem"}}}})
    said = daemon.command("check").stdout
    assert re.search(rf"^    lookup    GET https://\S+\n    lookup    trusts the certificates in {daemon.dir}/own.pem$", said, re.M), said


def test_without_it_the_desk_is_not_trusted_and_a_reload_mends_that(stage, sandbox, desk, authority, another):
    daemon = stage.daemon(sandbox, desk)
    daemon.accepted("gladly", gladly_webhook("opened", customer="cust-1"))
    wait_for(lambda: "certificate" in (daemon.webhooks()[0].get("reason") or daemon.webhooks()[0].get("wait") or ""))
    assert desk.asked() == 0
    # The file has another certificate now under the same path: a reload reads it.
    file = daemon.dir / "desk-ca.pem"
    shutil.copy(another.file, file)
    daemon.configure(trusting("desk-ca.pem"))
    assert daemon.ask("reload").returncode == 0
    os.replace(shutil.copy(authority.file, daemon.dir / "new.pem"), file)
    assert daemon.ask("reload").returncode == 0
    sandbox.wait_events(1, email="p1@example.com")


UNTRUSTED = r"certificate.*\(no authority that is trusted signed it: name .*`lookup\.ca`.*system's store"
NOT_BY_CA = r"certificate.*\(no authority in the source's `lookup\.ca` signed it"
EXPIRED = r"certificate.*\(it is not valid at this time.*new one.*clock"
OTHER_HOST = r"\(the certificate is for other hosts.*URL"
NO_TLS = r"\(the port speaks no TLS.*URL"


@pytest.mark.parametrize(
    "ca, server, why",
    [
        (None, {}, UNTRUSTED),
        ("another", {}, NOT_BY_CA),
        ("authority", {"end": "20200201000000Z"}, EXPIRED),
        ("authority", {"host": "DNS:desk.example.com"}, OTHER_HOST),
    ],
    ids=["no ca", "another ca", "expired", "other host"],
)
def test_a_certificate_that_is_refused_tells_what_to_mend(stage, authority, another, ca, server, why):
    config = trusting({"authority": authority, "another": another}[ca].file) if ca else {}
    daemon = stage.daemon(None, stage.gladly(tls=authority.server(**server)), config=config)
    for n in range(10):
        daemon.accepted("gladly", gladly_webhook("opened", f"conv-{n}", f"cust-{n}"))
    said = daemon.wait_log("answers no lookup.*").group(0)
    assert re.search(why, said), said
    assert "base_url" not in said
    wait_for(lambda: re.search(why, daemon.ask("status").stdout))


def test_a_port_without_tls_is_called_so(stage):
    plain = stage.gladly()
    plain.url = plain.url.replace("http:", "https:")
    daemon = stage.daemon(None, plain)
    for n in range(10):
        daemon.accepted("gladly", gladly_webhook("opened", f"conv-{n}", f"cust-{n}"))
    said = daemon.wait_log("answers no lookup.*").group(0)
    assert re.search(NO_TLS, said), said


def test_klaviyo_behind_an_unknown_authority_names_the_systems_store(stage, gladly, authority):
    tls = stage.gladly(tls=authority.server())
    daemon = stage.daemon(None, gladly, config={"klaviyo": {"url": tls.url}})
    why = "certificate.*a proxy that inspects TLS.*system's store"
    said = daemon.command("check", "--key")
    assert said.returncode == 1 and re.search(why, said.stdout), said
    gladly.customers["cust-1"] = ["p1@example.com"]
    daemon.accepted("gladly", gladly_webhook("opened", customer="cust-1"))
    wait_for(lambda: re.search(why, daemon.ask("status").stdout))


def test_a_source_does_not_use_a_connection_that_anothers_authority_made(stage, sandbox, desk, authority, another):
    daemon = stage.daemon(sandbox, desk, config=trusting(authority.file))
    second = dict(daemon.config["sources"]["gladly"])
    second["lookup"] = {**second["lookup"], "ca": str(another.file)}
    daemon.configure({"sources": {"second": second}})
    assert daemon.ask("reload").returncode == 0
    daemon.accepted("gladly", gladly_webhook("opened", "conv-1", customer="cust-1"))
    sandbox.wait_events(1, email="p1@example.com")
    daemon.accepted("second", gladly_webhook("opened", "conv-2", customer="cust-2"))
    wait_for(lambda: "certificate" in str([w for w in daemon.webhooks() if w["source"] == "second"]))
    daemon.accepted("gladly", gladly_webhook("opened", "conv-3", customer="cust-3"))
    sandbox.wait_events(1, email="p3@example.com")
    assert desk.asked("cust-2") == 0


def test_check_says_what_is_wrong_with_the_file(stage, authority):
    daemon = stage.daemon(start=False)
    os.mkfifo(daemon.dir / "pipe")
    wrong = {"missing.pem": "No such file", "pipe": "not a regular file", "deskbridge.yaml": "holds no certificate"}
    for file, words in wrong.items():
        daemon.configure({"sources": {"gladly": {"lookup": {"ca": file, "base_url": "https://desk.example.com"}}}})
        said = daemon.command("check")
        assert said.returncode == 78 and "sources.gladly.lookup.ca: " in said.stderr and words in said.stderr, said
    daemon.configure({"sources": {"gladly": {"lookup": {"ca": str(authority.file), "base_url": "http://127.0.0.1:9"}}}})
    said = daemon.command("check")
    assert said.returncode == 78 and "plain http" in said.stderr, said
    daemon.configure({"sources": {"gladly": {"lookup": {"base_url": "https://desk.example.com"}}}})
    assert daemon.command("check").returncode == 0
