"""The local account of an embedded platform: a one-time link, a password, a throttle; closed where it must not be."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import pytest
from identities import ADDRESS, SECRET, Signing, World, provider

from polyceph.bootstrap.accounts import first_link, reset
from polyceph.bootstrap.identity import check_sign_in
from polyceph.core.model.access import FEDERATION, Role, Standing
from polyceph.core.model.sign_in import LOCAL
from polyceph.errors import Conflict, Denied, Invalid, Misconfigured, NotFound
from polyceph.store.connection import driver_of

GOOD = "quatre mots sans rapport"


def link_of(world: World) -> str:
    link = first_link(world.settings, world.federation, world.store, ADDRESS)
    assert link is not None
    assert link.startswith(f"{ADDRESS}/sign-in/link/")
    return link.rpartition("/")[2]


def entered(world: World) -> World:
    world.desk.use_link(link_of(world), GOOD, cookie=None)
    return world


def test_the_first_link_sets_a_password_and_signs_in(world: World) -> None:
    link = link_of(world)
    assert world.desk.link_is_open(link)
    done = world.desk.use_link(link, GOOD, cookie=None)
    who = world.identity.principal_of(done.cookie.get_secret_value(), None)
    assert who.standing is Standing.ACTIVE
    assert who.roles[FEDERATION] == frozenset({Role.PLATFORM_ENGINEER})
    assert who.roles["education"] == frozenset({Role.ENGINEER})
    assert not world.desk.link_is_open(link)
    assert first_link(world.settings, world.federation, world.store, ADDRESS) is None
    assert world.desk.try_password(GOOD, target="/datasets", cookie=None).target == "/datasets"


def test_a_link_works_once_also_when_two_use_it_at_the_same_moment(world: World) -> None:
    link = link_of(world)

    def use(_: int) -> bool:
        try:
            world.desk.use_link(link, GOOD, cookie=None)
        except Denied:
            return False
        return True

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(use, range(4))) == [False, False, False, True]


def test_a_link_expires_and_a_new_start_prints_another(world: World) -> None:
    first = link_of(world)
    world.clock.ahead += timedelta(hours=1, seconds=1)
    with pytest.raises(Denied, match="not valid"):
        world.desk.use_link(first, GOOD, cookie=None)
    world.clock.ahead = timedelta()
    second = link_of(world)
    assert not world.desk.link_is_open(first)
    assert world.desk.link_is_open(second)


def test_the_store_holds_neither_link_nor_password(world: World) -> None:
    link = link_of(world)
    with world.store.begin() as connection:
        before = str(driver_of(connection).execute("SELECT * FROM polyceph.local_account").fetchall())
    world.desk.use_link(link, GOOD, cookie=None)
    with world.store.begin() as connection:
        after = str(driver_of(connection).execute("SELECT * FROM polyceph.local_account").fetchall())
        journal = str(driver_of(connection).execute("SELECT body FROM polyceph.event").fetchall())
    assert link not in before
    assert GOOD not in after + journal
    assert link not in journal
    assert "$argon2id$v=19$m=65536,t=3,p=4$" in after


@pytest.mark.parametrize(
    "password",
    [
        "short", "elevenchars", "password1234", "MotDePasse123", "aaaaaaaaaaaaaaaa", "abababababababab", "123456789012", "polyceph2026",
        "wallonia_demo1", "locallocallocal1", "x" * 201, "            ",
    ],
)  # fmt: skip
def test_a_weak_password_is_refused_and_the_link_stays(world: World, password: str) -> None:
    link = link_of(world)
    with pytest.raises(Invalid) as caught:
        world.desk.use_link(link, password, cookie=None)
    assert password.strip() not in str(caught.value) or not password.strip()
    assert world.desk.link_is_open(link)


@pytest.mark.parametrize("password", [GOOD, "correct horse battery", "Zèbre-éléphant-9", "ünï cödé pässwörd", "trombone lune 41 cactus"])
def test_a_long_password_is_taken_whatever_it_is_made_of(world: World, password: str) -> None:
    world.desk.use_link(link_of(world), password, cookie=None)
    assert world.desk.try_password(password, target=None, cookie=None)


def test_wrong_passwords_close_the_account_for_longer_and_longer(world: World) -> None:
    entered(world)
    world.clock.stop()
    for _ in range(5):
        with pytest.raises(Denied, match="account or password is wrong"):
            world.desk.try_password("not this one at all", target=None, cookie=None)
    for expected in (1, 2, 4):
        with pytest.raises(Denied, match="too many wrong passwords"):
            world.desk.try_password(GOOD, target=None, cookie=None)
        world.clock.ahead += timedelta(seconds=expected, milliseconds=1)
        with pytest.raises(Denied, match="account or password is wrong"):
            world.desk.try_password("not this one at all", target=None, cookie=None)
    world.clock.ahead += timedelta(minutes=16)
    assert world.desk.try_password(GOOD, target=None, cookie=None)
    refused = [one.event for one in world.events() if one.event.action == "session.refused"]
    assert {one.policy for one in refused} == {"password", "throttle"}
    assert len(refused) == 11


def test_guesses_at_the_same_moment_all_count(world: World) -> None:
    entered(world)
    world.clock.stop()

    def guess(_: int) -> str:
        with pytest.raises(Denied) as caught:
            world.desk.try_password("not this one at all", target=None, cookie=None)
        return caught.value.message

    with ThreadPoolExecutor(6) as pool:
        said = list(pool.map(guess, range(12)))
    assert said.count("account or password is wrong") == 5
    assert said.count("too many wrong passwords") == 7


def test_before_there_is_a_password_none_is_right(world: World) -> None:
    for _ in range(2):
        with pytest.raises(Denied):
            world.desk.try_password("", target=None, cookie=None)
        link_of(world)


def test_reset_makes_a_link_ends_the_password_and_can_name_a_person(world: World) -> None:
    entered(world)
    link = reset(world.settings, world.federation, world.store, ADDRESS, person="anne.dupont").rpartition("/")[2]
    with pytest.raises(Denied):
        world.desk.try_password(GOOD, target=None, cookie=None)
    before = world.identity.queries.open_sessions(provider=LOCAL)
    done = world.desk.use_link(link, "another good password", cookie=None)
    who = world.identity.principal_of(done.cookie.get_secret_value(), None)
    assert (who.person, who.actor.id) == ("anne.dupont", "anne.dupont")
    assert who.roles == {"education": frozenset({Role.OWNER})}
    assert before[0].id not in {one.id for one in world.identity.queries.open_sessions()}
    with pytest.raises(NotFound, match="did you mean"):
        reset(world.settings, world.federation, world.store, ADDRESS, person="anne.dupond")


def test_a_provider_closes_the_local_account(world: World, signing: Signing) -> None:
    entered(world)
    done = world.desk.try_password(GOOD, target=None, cookie=None)
    world.declare(provider("sso", signing.issuer))
    assert world.identity.principal_of(done.cookie.get_secret_value(), None).standing is Standing.EXPIRED
    with pytest.raises(NotFound):
        world.desk.try_password(GOOD, target=None, cookie=None)
    with pytest.raises(Conflict, match="providers are declared"):
        reset(world.settings, world.federation, world.store, ADDRESS)
    assert first_link(world.settings, world.federation, world.store, ADDRESS) is None


def test_a_site_behind_a_public_address_has_no_local_account(make_world: Callable[..., World]) -> None:
    world = make_world()
    link = link_of(world)
    world.address = "https://data.example.org"
    world.identity = world.replica()
    assert not world.identity.has_local_account()
    assert not world.desk.link_is_open(link)
    with pytest.raises(NotFound):
        world.desk.use_link(link, GOOD, cookie=None)
    with pytest.raises(Conflict):
        reset(world.settings, world.federation, world.store, world.address)
    assert first_link(world.settings, world.federation, world.store, world.address) is None


def test_serving_without_a_way_to_sign_in_is_refused(world: World) -> None:
    check_sign_in(world.federation, world.settings, ADDRESS, {})
    with pytest.raises(Misconfigured, match="nobody could sign in"):
        check_sign_in(world.federation, world.settings, "https://data.example.org", {})


@pytest.mark.parametrize(
    "secret", ["", "tiny-one", "changeme-changeme-changeme", "aaaaaaaaaaaaaaaaaaaaaaaa", "my-client-secret-1234", "xxxxxxxxyyyyyyyyzzzz"]
)
def test_a_default_or_short_secret_of_a_provider_stops_the_start(world: World, signing: Signing, secret: str) -> None:
    world.declare(provider("sso", signing.issuer))
    with pytest.raises(Misconfigured, match="SIGN_IN_SECRET") as caught:
        check_sign_in(world.federation, world.settings, ADDRESS, {"SIGN_IN_SECRET": secret} if secret else {})
    assert not secret or secret not in str(caught.value)
    world.environment["SIGN_IN_SECRET"] = secret
    world.identity = world.replica()
    with pytest.raises(Misconfigured):
        world.desk.send_away("sso", target=None)
    check_sign_in(world.federation, world.settings, ADDRESS, {"SIGN_IN_SECRET": SECRET})


def test_the_account_acts_as_nobody_when_its_person_has_left(world: World) -> None:
    link = reset(world.settings, world.federation, world.store, ADDRESS, person="eva.simon").rpartition("/")[2]
    done = world.desk.use_link(link, GOOD, cookie=None)
    people = {name: one for name, one in world.federation.people.items() if name != "eva.simon"}
    world.federation = replace(world.federation, people=people)
    who = world.identity.principal_of(done.cookie.get_secret_value(), None)
    assert who.roles == {}
    with pytest.raises(Denied):
        world.desk.try_password(GOOD, target=None, cookie=None)
