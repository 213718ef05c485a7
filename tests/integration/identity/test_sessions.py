"""Sessions: who somebody is, until when, and that ending one counts on every replica."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import date, timedelta

import psycopg
import pytest
from identities import OTHER_RSA, RSA, Signing, World, began, provider, signed
from sqlalchemy.exc import DBAPIError

from polyceph.bootstrap.sign_in import Returned, SignedIn
from polyceph.core.model.access import FEDERATION, NOBODY, Role, Standing
from polyceph.core.model.sign_in import SignIn
from polyceph.errors import Denied, Misconfigured, NotFound, Unavailable
from polyceph.store.connection import driver_of


def signed_in(world: World, at: Signing, *, cookie: str | None = None, target: str | None = None, **claims: object) -> SignedIn:
    back = began(world, "sso", at, target)
    at.id_token = signed(at.claims(**claims))
    return world.desk.finish("sso", replace(back, cookie=cookie))


def principal(world: World, done: SignedIn):
    return world.identity.principal_of(done.cookie.get_secret_value(), None)


def test_a_session_is_a_person_with_her_roles_and_language(asked_world: World, signing: Signing) -> None:
    done = signed_in(asked_world, signing, target="/datasets")
    who = principal(asked_world, done)
    assert (who.person, who.actor.id, who.name, who.language) == ("anne.dupont", "anne.dupont", "Anne Dupont", "fr")
    assert who.roles == {"education": frozenset({Role.OWNER})}
    assert who.standing is Standing.ACTIVE
    assert done.target == "/datasets"


def test_what_the_store_holds_opens_no_session(asked_world: World, signing: Signing) -> None:
    done = signed_in(asked_world, signing)
    with asked_world.store.begin() as connection:
        row = driver_of(connection).execute("SELECT key, id, id_token FROM polyceph.session").fetchone()
    assert row is not None
    key, public, _ = row
    for held in (key.hex(), public):
        assert asked_world.identity.principal_of(held, None) == NOBODY
    assert done.cookie.get_secret_value() not in str(row)


@pytest.mark.parametrize("cookie", ["", "x", "é" * 40, "a" * 43, "pcs_" + "a" * 49])
def test_a_cookie_that_nobody_gave_is_nobody(asked_world: World, cookie: str) -> None:
    assert asked_world.identity.principal_of(cookie, None) == NOBODY


def test_a_cookie_and_a_token_at_once_are_nobody(asked_world: World, signing: Signing) -> None:
    done = signed_in(asked_world, signing)
    assert asked_world.identity.principal_of(done.cookie.get_secret_value(), "pcs_x") == NOBODY


def test_a_planted_session_does_not_survive_signing_in(asked_world: World, signing: Signing) -> None:
    """Session fixation: the attacker's own session stands in the victim's browser when she signs in."""
    planted = signed_in(asked_world, signing, sub="mallory", email="marc.leroy@example.org")
    done = signed_in(asked_world, signing, cookie=planted.cookie.get_secret_value())
    assert done.cookie.get_secret_value() != planted.cookie.get_secret_value()
    assert principal(asked_world, planted).standing is Standing.EXPIRED
    assert [one.event.reason for one in asked_world.events() if one.event.action == "session.ended"] == ["signed in anew"]


@pytest.mark.parametrize(
    "claims",
    [
        {"email_verified": False},
        {"email_verified": "true"},
        {"email_verified": ...},
        {"email": "nobody@example.org"},
        {"email": ...},
        {"email": ["anne.dupont@example.org"]},
    ],
)
def test_an_address_that_is_not_verified_makes_nobody_a_person(asked_world: World, signing: Signing, claims: dict[str, object]) -> None:
    with pytest.raises(Denied, match="does not know this person"):
        signed_in(asked_world, signing, **claims)
    last = asked_world.events()[-1].event
    assert last.action == "session.refused"
    assert last.actor.id.startswith("sso:")
    assert "@" not in str(last)


def test_a_group_lets_somebody_in_whom_nobody_declared(asked_world: World, signing: Signing) -> None:
    who = principal(asked_world, signed_in(asked_world, signing, email="x@example.net", groups=["auditors"]))
    assert who.person is None
    assert who.roles == {FEDERATION: frozenset({Role.AUDITOR})}
    assert who.actor.id.startswith("sso:")


def test_another_claim_tells_the_person_when_it_is_declared(world: World, signing: Signing) -> None:
    world.declare(provider("sso", signing.issuer, person_claim="employee"))
    assert principal(world, signed_in(world, signing, employee="marc.leroy", email=...)).person == "marc.leroy"
    assert principal(world, signed_in(world, signing, employee="EVA.SIMON@example.org", email=...)).person == "eva.simon"


def test_claims_that_the_id_token_leaves_out_are_asked_for_and_change_nothing_in_it(asked_world: World, signing: Signing) -> None:
    signing.userinfo = {"sub": "u1", "email": "anne.dupont@example.org", "email_verified": True, "groups": ["auditors"], "name": "Other"}
    done = signed_in(asked_world, signing, email=..., email_verified=..., groups=...)
    assert (done.session.person, done.session.groups) == ("anne.dupont", frozenset({"auditors"}))
    signing.userinfo = {"sub": "u1", "email": "eva.simon@example.org", "email_verified": True}
    assert signed_in(asked_world, signing, groups=...).session.person == "anne.dupont"
    signing.userinfo = {"sub": "u1", "email": "eva.simon@example.org", "email_verified": True}
    with pytest.raises(Denied):
        signed_in(asked_world, signing, email_verified=..., groups=...)
    signing.userinfo = {"sub": "u1", "email": "eva.simon@example.org"}
    with pytest.raises(Denied):
        signed_in(asked_world, signing, email=..., email_verified=...)
    signing.userinfo = {"sub": "u1"}


def test_a_provider_without_its_secret_does_not_stop_the_others(asked_world: World, signing: Signing) -> None:
    other = provider("other", "http://127.0.0.1:9/x", audience="urn:x")
    asked_world.declare(provider("sso", signing.issuer, audience="urn:p"), replace(other, client_secret_env="NOT_SET"))
    assert principal(asked_world, signed_in(asked_world, signing)).person == "anne.dupont"
    assert asked_world.identity.principal_of(None, signed(signing.claims())) == NOBODY
    with pytest.raises(Misconfigured, match="NOT_SET"):
        asked_world.desk.send_away("other", target=None)


def test_groups_are_found_inside_a_claim(world: World, signing: Signing) -> None:
    world.declare(provider("sso", signing.issuer, groups_claim="realm_access.roles"))
    who = principal(world, signed_in(world, signing, email=..., realm_access={"roles": ["auditors"]}))
    assert FEDERATION in who.roles


def test_who_has_left_cannot_sign_in(asked_world: World, signing: Signing) -> None:
    with pytest.raises(Denied, match="has left"):
        signed_in(asked_world, signing, email="luc.petit@example.org")


def test_an_idle_session_ends(asked_world: World, signing: Signing) -> None:
    done = signed_in(asked_world, signing)
    asked_world.clock.ahead += timedelta(minutes=59)
    assert principal(asked_world, done).standing is Standing.ACTIVE
    asked_world.clock.ahead += timedelta(minutes=59)
    assert principal(asked_world, done).standing is Standing.ACTIVE, "using it kept it"
    asked_world.clock.ahead += timedelta(minutes=61)
    assert principal(asked_world, done).standing is Standing.EXPIRED
    assert asked_world.events()[-1].event.reason == "idle"


def test_no_session_lasts_longer_than_its_absolute_end(asked_world: World, signing: Signing) -> None:
    done = signed_in(asked_world, signing)
    for _ in range(12):
        asked_world.clock.ahead += timedelta(minutes=49)
        assert principal(asked_world, done).standing is Standing.ACTIVE
    asked_world.clock.ahead += timedelta(minutes=13)
    assert principal(asked_world, done).standing is Standing.EXPIRED
    assert asked_world.events()[-1].event.reason == "absolute"


def test_an_ended_session_is_ended_once_and_forgets_its_token(asked_world: World, signing: Signing) -> None:
    done = signed_in(asked_world, signing)
    asked_world.clock.ahead += timedelta(days=1)
    for _ in range(3):
        assert principal(asked_world, done).standing is Standing.EXPIRED
    assert sum(one.event.action == "session.ended" for one in asked_world.events()) == 1
    kept = asked_world.identity.queries.session_named(done.session.id)
    assert kept is not None
    assert kept.id_token is None


def test_signing_out_counts_on_every_replica_within_seconds(asked_world: World, signing: Signing) -> None:
    done, other = signed_in(asked_world, signing), asked_world.replica()
    cookie = done.cookie.get_secret_value()
    assert other.principal_of(cookie, None).standing is Standing.ACTIVE
    there = asked_world.desk.sign_out(cookie)
    assert there.startswith(f"{signing.issuer}/end?client_id=polyceph&post_logout_redirect_uri=http%3A%2F%2F127.0.0.1%3A3000%2Fsigned-out")
    assert asked_world.identity.principal_of(cookie, None).standing is Standing.EXPIRED, "here at once"
    end = time.monotonic() + 4  # one second of memory, and a slow machine
    while other.principal_of(cookie, None).standing is Standing.ACTIVE:
        assert time.monotonic() < end
        time.sleep(0.05)


def test_a_person_who_leaves_is_out_at_her_next_request(asked_world: World, signing: Signing) -> None:
    done = signed_in(asked_world, signing)
    people = dict(asked_world.federation.people)
    people["anne.dupont"] = replace(people["anne.dupont"], left=date(2020, 1, 1))
    asked_world.federation = replace(asked_world.federation, people=people)
    assert principal(asked_world, done).standing is Standing.LEFT
    assert asked_world.events()[-1].event.reason == "left"


def test_a_person_who_is_declared_no_more_is_out(asked_world: World, signing: Signing) -> None:
    done = signed_in(asked_world, signing)
    people = {name: one for name, one in asked_world.federation.people.items() if name != "anne.dupont"}
    asked_world.federation = replace(asked_world.federation, people=people)
    assert principal(asked_world, done).standing is Standing.LEFT


def test_who_had_only_a_group_is_out_when_it_has_no_role_any_more(asked_world: World, signing: Signing) -> None:
    done = signed_in(asked_world, signing, email="x@example.net", groups=["auditors"])
    asked_world.federation = replace(asked_world.federation, roles=())
    assert principal(asked_world, done).standing is Standing.EXPIRED


def test_a_provider_that_is_declared_no_more_opens_nothing(asked_world: World, signing: Signing) -> None:
    done = signed_in(asked_world, signing)
    asked_world.federation = replace(asked_world.federation, sign_in=SignIn())
    assert principal(asked_world, done).standing is Standing.EXPIRED


def test_a_role_that_is_taken_away_is_gone_at_the_next_request(asked_world: World, signing: Signing) -> None:
    done = signed_in(asked_world, signing, email="marc.leroy@example.org")
    assert FEDERATION in principal(asked_world, done).roles
    asked_world.federation = replace(asked_world.federation, roles=())
    assert FEDERATION not in principal(asked_world, done).roles


def test_somebody_sees_and_ends_her_own_sessions(asked_world: World, signing: Signing) -> None:
    here, there = signed_in(asked_world, signing), signed_in(asked_world, signing)
    who = principal(asked_world, here)
    assert {one.id for one in asked_world.desk.sessions(who)} == {here.session.id, there.session.id}
    assert asked_world.desk.end_session(who, there.session.id)
    assert principal(asked_world, there).standing is Standing.EXPIRED
    assert not asked_world.desk.end_session(who, there.session.id)


def test_nobody_ends_the_session_of_another_and_the_try_is_recorded(asked_world: World, signing: Signing) -> None:
    anne = signed_in(asked_world, signing)
    eva = principal(asked_world, signed_in(asked_world, signing, sub="u2", email="eva.simon@example.org"))
    with pytest.raises(Denied):
        asked_world.desk.end_session(eva, anne.session.id)
    assert asked_world.events()[-1].event.action == "session.refused"
    assert principal(asked_world, anne).standing is Standing.ACTIVE
    with pytest.raises(Denied):
        asked_world.desk.sessions(eva, of_everybody=True)
    with pytest.raises(NotFound):
        asked_world.desk.end_session(eva, "nothing")


def test_a_platform_engineer_ends_any_session(asked_world: World, signing: Signing) -> None:
    anne = signed_in(asked_world, signing)
    marc = principal(asked_world, signed_in(asked_world, signing, sub="u2", email="marc.leroy@example.org"))
    assert anne.session.id in {one.id for one in asked_world.desk.sessions(marc, of_everybody=True)}
    assert asked_world.desk.end_session(marc, anne.session.id)
    assert principal(asked_world, anne).standing is Standing.EXPIRED
    last = asked_world.events()[-1].event
    assert (last.action, last.actor.id, last.reason) == ("session.ended", "marc.leroy", "ended by a platform engineer")


def test_a_request_of_a_session_asks_the_store_once_and_writes_once_a_minute(asked_world: World, signing: Signing) -> None:
    done = signed_in(asked_world, signing)
    asked_world.clock.ahead += timedelta(seconds=61)
    principal(asked_world, done)
    before = asked_world.identity.queries.session_named(done.session.id)
    asked_world.clock.ahead += timedelta(seconds=30)
    principal(asked_world, done)
    assert asked_world.identity.queries.session_named(done.session.id) == before
    started = time.perf_counter()
    for _ in range(1000):
        principal(asked_world, done)
    assert time.perf_counter() - started < 1, "what is known for a second is not asked again"


def test_a_provider_that_is_down_lets_sessions_go_on(asked_world: World) -> None:
    at = Signing()
    asked_world.declare(provider("sso", at.issuer))
    done = signed_in(asked_world, at)
    pending = began(asked_world, "sso", at)
    at.id_token = signed(at.claims())
    at.is_down = True
    assert principal(asked_world, done).standing is Standing.ACTIVE
    number = asked_world.last_number()
    with pytest.raises((Unavailable, Denied)):
        asked_world.desk.finish("sso", pending)
    assert not [one for one in asked_world.events(number) if one.event.action == "session.opened"]
    asked_world.identity = asked_world.replica()
    with pytest.raises(Unavailable) as caught:
        asked_world.desk.send_away("sso", target=None)
    assert caught.value.hint
    at.close()
    with pytest.raises(Unavailable, match="does not answer"):
        asked_world.desk.send_away("sso", target=None)


def test_a_rotated_key_is_fetched_once_and_a_flood_of_unknown_ones_is_not(asked_world: World) -> None:
    at = Signing()
    asked_world.declare(provider("sso", at.issuer))
    signed_in(asked_world, at)
    at.keys = [{**OTHER_RSA.as_dict(private=False), "kid": "new", "use": "sig"}]
    asked_world.clock.ahead += timedelta(seconds=31)
    back = began(asked_world, "sso", at)
    at.id_token = signed(at.claims(iat=int(asked_world.clock.now().timestamp())), OTHER_RSA, kid="new")
    assert asked_world.desk.finish("sso", back).session.person == "anne.dupont"
    asked = at.asked.count("/jwks")
    for number in range(20):
        back = began(asked_world, "sso", at)
        at.id_token = signed(at.claims(), RSA, kid=f"unknown-{number}")
        with pytest.raises(Denied):
            asked_world.desk.finish("sso", back)
    assert at.asked.count("/jwks") == asked
    back = began(asked_world, "sso", at)
    asked_world.clock.ahead += timedelta(seconds=31)
    at.id_token = signed(at.claims(), RSA)
    with pytest.raises(Denied):
        asked_world.desk.finish("sso", back)
    at.close()


def test_a_provider_logs_somebody_out_everywhere(asked_world: World, signing: Signing) -> None:
    first, second = signed_in(asked_world, signing, sid="s1"), signed_in(asked_world, signing, sid="s2")
    events = {"http://schemas.openid.net/event/backchannel-logout": {}}
    one = signed(signing.claims(nonce=..., jti="l1", events=events, sid="s1"), typ="logout+jwt")
    assert asked_world.desk.hear_sign_out("sso", one) == 1
    assert principal(asked_world, first).standing is Standing.EXPIRED
    assert principal(asked_world, second).standing is Standing.ACTIVE
    everywhere = signed(signing.claims(nonce=..., jti="l2", events=events, sid=...), typ="logout+jwt")
    assert asked_world.desk.hear_sign_out("sso", everywhere) == 1
    assert principal(asked_world, second).standing is Standing.EXPIRED


def test_a_sign_in_under_way_is_kept_as_hashes_and_forgotten(asked_world: World, signing: Signing) -> None:
    back = began(asked_world, "sso", signing)
    with asked_world.store.begin() as connection:
        kept = str(driver_of(connection).execute("SELECT * FROM polyceph.pending_sign_in").fetchall())
    assert str(back.state) not in kept
    assert str(back.browser) not in kept
    asked_world.clock.ahead += timedelta(minutes=11)
    began(asked_world, "sso", signing)
    with asked_world.store.begin() as connection:
        assert driver_of(connection).execute("SELECT count(*) FROM polyceph.pending_sign_in").fetchone() == (1,)


def test_the_code_is_exchanged_with_its_verifier_and_the_exact_address(asked_world: World, signing: Signing) -> None:
    signed_in(asked_world, signing)
    form = signing.forms[-1]
    assert form["grant_type"] == "authorization_code"
    assert form["redirect_uri"] == "http://127.0.0.1:3000/sign-in/callback/sso"
    assert len(form["code_verifier"]) >= 43
    assert "client_secret" not in form


def test_a_provider_that_nobody_declared_is_not_found(asked_world: World) -> None:
    with pytest.raises(NotFound):
        asked_world.desk.send_away("nobody", target=None)
    with pytest.raises(NotFound):
        asked_world.desk.finish("nobody", Returned())


def test_sessions_of_closed_browsers_end_when_somebody_signs_in_and_are_removed_later(asked_world: World, signing: Signing) -> None:
    first = signed_in(asked_world, signing)
    for days, expected in ((1, "absolute"), (95, None)):
        asked_world.clock.ahead = timedelta(days=days)
        now = int(asked_world.clock.now().timestamp())
        signed_in(asked_world, signing, sub=f"u{days}", email="eva.simon@example.org", iat=now, exp=now + 300)
        found = asked_world.identity.queries.session_named(first.session.id)
        assert (found.end_reason if found else None) == expected
    assert "session.forgotten" in {one.event.action for one in asked_world.events()}


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM polyceph.session",
        "UPDATE polyceph.session SET actor = 'eva.simon'",
        "UPDATE polyceph.session SET ends_at = ends_at + interval '1 year'",
        "UPDATE polyceph.session SET ended_at = now(), end_reason = 'x', id_token = NULL",
        "TRUNCATE polyceph.session",
    ],
)
def test_the_store_itself_refuses_to_change_an_open_session_unseen(asked_world: World, signing: Signing, statement: str) -> None:
    done = signed_in(asked_world, signing)
    with pytest.raises((DBAPIError, psycopg.Error)), asked_world.store.begin() as connection:
        connection.exec_driver_sql(statement)
    assert principal(asked_world, done).standing is Standing.ACTIVE
