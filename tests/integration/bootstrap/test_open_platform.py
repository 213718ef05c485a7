"""What starting the platform writes into the journal about the declarations it finds."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from polyceph.bootstrap.platform import open_platform
from polyceph.core.model.event import EventFilter
from polyceph.errors import Misconfigured
from polyceph.scaffold.domain import write_domain
from polyceph.scaffold.federation import write_federation
from polyceph.settings import Settings


@pytest.fixture
def folder() -> Iterator[Path]:
    """A scaffolded federation of two domains, in a folder that the database's account may enter."""
    made = Path(tempfile.mkdtemp(prefix="polyceph-test-"))
    made.chmod(0o711)
    write_federation(made, "started", ("en",))
    for name in ("library", "museum"):
        write_domain(made, name, name.title())
    yield made
    shutil.rmtree(made, ignore_errors=True)


def started(folder: Path) -> list[tuple[str, str]]:
    """Start the platform, stop it, and return action and subject of all events about its domains."""
    platform = open_platform(Settings(federation=folder, home=folder / ".polyceph"))
    try:
        events = [one.event for one in platform.queries().events(EventFilter())]
    finally:
        platform.close()
    return [(one.action, one.subject_id) for one in events if one.subject_kind == "domain"]


def test_a_domain_that_breaks_rules_is_refused_in_the_journal_once(folder: Path) -> None:
    file = folder / "domains" / "museum" / "domain.yaml"
    good = file.read_text()
    file.write_text(good + "\nunknown_key: 1\n")
    assert started(folder) == [("domain.refused", "museum"), ("domain.added", "library")]
    assert started(folder) == [("domain.refused", "museum"), ("domain.added", "library")]
    file.write_text(good)
    assert started(folder)[2:] == [("domain.added", "museum")]
    file.write_text(good + "\nunknown_key: 1\n")
    assert started(folder)[3:] == [("domain.refused", "museum")]


SIGN_IN = """
sign_in:
  providers:
    sso: {issuer: "https://sso.example.org", client_id: polyceph, client_secret_env: SIGN_IN_SECRET_OF_A_TEST}
"""


@pytest.mark.parametrize("secret", [None, "short", "changeme-changeme-changeme"])
def test_a_start_whose_sign_in_is_not_safe_is_refused_before_anything_starts(
    folder: Path, monkeypatch: pytest.MonkeyPatch, secret: str | None
) -> None:
    (folder / "federation.yaml").write_text((folder / "federation.yaml").read_text() + SIGN_IN)
    monkeypatch.delenv("SIGN_IN_SECRET_OF_A_TEST", raising=False)
    if secret is not None:
        monkeypatch.setenv("SIGN_IN_SECRET_OF_A_TEST", secret)
    with pytest.raises(Misconfigured, match="SIGN_IN_SECRET_OF_A_TEST"):
        open_platform(Settings(federation=folder, home=folder / ".polyceph"))
    assert not (folder / ".polyceph" / "postgres").exists()
