"""The files by which it is deployed say what the documents promise of them."""

import re
import subprocess

from hub.settings import ROOT

DEPLOY = ROOT / "deploy"


def test_the_proxy_writes_down_no_address_and_no_receipt() -> None:
    """Neither where TLS ends nor where it is only asked for; what a `server` does not say it has from `http`."""
    proxy = re.sub(r"#.*", "", (DEPLOY / "nginx.conf").read_text())
    (written,) = re.findall(r"log_format lianhu '([^']*)'", proxy)
    assert set(re.findall(r"\$(\w+)", written)) == {"time_iso8601", "request_method", "uri", "status", "request_time"}
    servers = re.split(r"^server \{", proxy, flags=re.MULTILINE)[1:]
    assert len(servers) == 2
    for server in servers:
        assert re.search(r"^    access_log (off|\S+ lianhu);", server, re.MULTILINE)
        assert re.search(r"^    error_log \S+ emerg;", server, re.MULTILINE)
    (reports,) = re.findall(r"location \^~ /v1/reports/ \{([^}]*)\}", proxy)
    assert "access_log off;" in reports


def test_every_package_is_locked_by_its_hash() -> None:
    """A package that was exchanged at the index is not installed (pip's hash-checking mode: all, or none at all)."""
    entries = re.split(r"^(?=[a-z])", (ROOT / "requirements.lock").read_text(), flags=re.MULTILINE)[1:]
    assert len(entries) > 50
    assert [entry.split()[0] for entry in entries if "--hash=sha256:" not in entry] == []


def test_the_settings_are_read_alike_by_all() -> None:
    """As an operator's bash sources them, and as systemd and podman read them, line by line."""
    example = DEPLOY / "hub.env.example"
    lines = [line for line in example.read_text().splitlines() if line and not line.startswith("#")]
    told = dict(line.split("=", 1) for line in lines)
    assert {"HUB_DATABASE_URL", "HUB_ISSUER", "HUB_SUITE"} <= told.keys()
    for name, value in told.items():
        done = subprocess.run(
            ["bash", "-c", f'set -a; . "$0"; printf %s "${name}"', example], capture_output=True, check=True
        )
        assert done.stdout.decode() == value, name
