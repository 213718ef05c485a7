"""What a serving process has: declarations as applied, the key of forms, and how it goes on when something does not answer."""

from __future__ import annotations

import stat
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from pydantic import SecretStr

from planted_site import Planted
from polyceph.bootstrap import site as module
from polyceph.bootstrap.declared import Usable
from polyceph.bootstrap.site import Site, form_key
from polyceph.core.model.dataset import DatasetId, Zone
from polyceph.core.model.event import Actor, ActorKind
from polyceph.core.model.federation import Federation
from polyceph.core.model.sign_in import Provider, SignIn
from polyceph.core.usecases.federation import apply_federation
from polyceph.errors import Invalid, Misconfigured
from polyceph.settings import Settings, WebSettings

ANNE = Actor(ActorKind.PERSON, "anne")


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the site look at every call whether other declarations were applied."""
    monkeypatch.setattr(module, "_LOOK_S", -1.0)


@pytest.fixture
def own(planted: Planted) -> Site:
    """A site of the test's own on the planted store."""
    site = planted.site
    return Site(site.settings, site.engine, site.addresses, b"k" * 32, load=lambda _: Usable(planted.federation, {}))


def applied(site: Site, federation: Federation, digest: str) -> Federation:
    made = replace(federation, digest=digest)
    apply_federation(site.work(), site.queries(), made, actor=ANNE, commit="c")
    return made


@pytest.mark.usefixtures("at_once")
def test_declarations_are_read_again_when_others_were_applied_and_not_before(own: Site, planted: Planted) -> None:
    reads = []

    def load(_: Settings) -> Usable:
        reads.append(1)
        return Usable(replace(planted.federation, title={"en": f"Read {len(reads)}"}), {})

    own.load = load
    assert [own.title()["en"] for _ in range(3)] == ["Read 1"] * 3
    applied(own, planted.federation, "another")
    assert [own.title()["en"] for _ in range(3)] == ["Read 2"] * 3
    applied(own, planted.federation, "d1")


@pytest.mark.usefixtures("at_once")
def test_what_was_read_goes_on_when_the_files_are_wrong(own: Site, planted: Planted) -> None:
    before = own.federation

    def broken(_: Settings) -> Usable:
        raise Invalid("the files are wrong")

    own.load = broken
    applied(own, planted.federation, "broken")
    assert own.federation is before
    applied(own, planted.federation, "d1")


@pytest.mark.usefixtures("at_once")
def test_whoever_comes_while_declarations_are_read_does_not_wait(own: Site, planted: Planted) -> None:
    before, may_go_on = own.federation, threading.Event()

    def slow(_: Settings) -> Usable:
        assert may_go_on.wait(20)
        return Usable(replace(planted.federation, name="read late"), {})

    own.load = slow
    applied(own, planted.federation, "slow")
    reader = threading.Thread(target=lambda: own.federation)
    reader.start()
    while not own._reading.locked():
        pass
    assert own.federation is before
    may_go_on.set()
    reader.join(20)
    assert own.federation.name == "read late"
    applied(own, planted.federation, "d1")


def test_a_lake_that_cannot_be_asked_has_no_facts_and_pages_go_on(own: Site) -> None:
    own.addresses = replace(own.addresses, domains={name: SecretStr("wrong") for name in own.addresses.domains})
    assert own.states("education") == {}
    assert own.row_counts(DatasetId("education", Zone.GOLD, "schools")) == ()


def test_what_providers_need_of_the_content_policy_is_known(own: Site, planted: Planted) -> None:
    assert own.form_targets() == ()
    provider = Provider("sso", "https://id.example.org/realms/x", "polyceph", "SSO_SECRET", hosts=("login.example.net",))
    signed = replace(planted.federation, sign_in=SignIn({"sso": provider}))
    own.load = lambda _: Usable(signed, {})
    assert own.federation is signed
    assert own.form_targets() == ("https://id.example.org", "https://login.example.net")


def test_the_key_of_forms_is_made_once_and_is_nobody_elses_to_read(tmp_path: Path) -> None:
    settings = Settings(federation=tmp_path, home=tmp_path / "state")
    first, second = form_key(settings), form_key(settings)
    file = tmp_path / "state" / "secrets" / "web.key"
    assert first == second
    assert len(first) == 32
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    file.chmod(0o644)
    with pytest.raises(Misconfigured, match="chmod 600"):
        form_key(settings)


def test_replicas_are_given_the_same_key(tmp_path: Path) -> None:
    settings = Settings(federation=tmp_path, home=tmp_path / "state", web=WebSettings(form_key=SecretStr("x" * 32)))
    assert form_key(settings) == b"x" * 32
    assert not (tmp_path / "state").exists()
    with pytest.raises(ValueError, match="at least 32"):
        WebSettings(form_key=SecretStr("short"))
