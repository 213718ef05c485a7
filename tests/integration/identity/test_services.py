"""Service identities: made, used, rotated, revoked; short tokens; tokens of a provider."""

from __future__ import annotations

import re
import time
from dataclasses import replace
from datetime import date, timedelta

import pytest
from identities import OTHER_RSA, Signing, World, provider, signed
from sqlalchemy.exc import DBAPIError

from polyceph.bootstrap.services import Wish
from polyceph.core.model.access import FEDERATION, NOBODY, Action, Principal, Role, Standing
from polyceph.core.model.event import Actor, ActorKind
from polyceph.core.usecases.service_identities import ACCESS_LASTS
from polyceph.errors import Conflict, Denied, Invalid, NotFound
from polyceph.identity.secrets import ACCESS, LASTING, digest, is_token, new_token
from polyceph.store.connection import driver_of

TYPIST = Actor(ActorKind.PERSON, "root")
CI = Wish("education-ci", "anne.dupont", {"education": frozenset({Role.ENGINEER})}, frozenset({Action.RUN_LAUNCH, Action.RUN_VIEW}), 90)


def person(name: str, **roles: frozenset[Role]) -> Principal:
    return Principal(Actor(ActorKind.PERSON, name), Standing.ACTIVE, roles, name)


def made(world: World, wish: Wish = CI) -> str:
    token = world.services.create(wish, who=None, typist=TYPIST)
    assert token is not None
    return token.get_secret_value()


def test_a_token_is_recognised_by_form_and_checksum() -> None:
    for prefix in (LASTING, ACCESS):
        token = new_token(prefix).text.get_secret_value()
        assert re.fullmatch(r"pc[sa]_[0-9A-Za-z]{49}", token)
        assert is_token(token)
        assert not is_token(token[:-1])
        assert not is_token(token[:10] + ("a" if token[10] != "a" else "b") + token[11:])
        assert not is_token("pcx_" + token[4:])
    assert len({new_token(LASTING).text.get_secret_value() for _ in range(1000)}) == 1000


def test_a_service_identity_comes_in_with_its_token(world: World) -> None:
    token = made(world)
    who = world.identity.principal_of(None, token)
    assert (who.actor, who.standing, who.person) == (Actor(ActorKind.SERVICE, "education-ci"), Standing.ACTIVE, None)
    assert who.roles == CI.roles
    assert who.scopes == CI.scopes
    [known] = world.services.list(None)
    assert known.identity.last_used_at is not None
    assert known.secrets[0].last_used_at is not None


def test_no_token_stands_in_store_or_journal(world: World) -> None:
    token = made(world)
    short = world.services.issue("education-ci", token).token.get_secret_value()
    with world.store.begin() as connection:
        tables = [driver_of(connection).execute(f"SELECT * FROM polyceph.{name}").fetchall() for name in ("event", "service_secret")]
    for secret in (token, short):
        assert secret not in str(tables)
        assert secret[12:] not in str(tables)


def test_nobody_comes_in_with_what_is_kept(world: World) -> None:
    token = made(world)
    kept = digest(token).hex()
    label = world.services.list(None)[0].secrets[0].label
    for given in (kept, f"pcs_{kept}", label, token[:-1], token[:-1] + "~", token + "x", "pcs_", "", token.lower()):
        if given:
            assert world.identity.principal_of(None, given) == NOBODY


def test_a_foreign_token_is_refused_and_recorded(world: World) -> None:
    number = world.last_number()
    assert world.identity.principal_of(None, new_token(LASTING).text.get_secret_value()) == NOBODY
    [event] = [one.event for one in world.events(number)]
    assert (event.action, event.policy, event.subject_id) == ("identity.refused", "unknown token", "unknown")


def test_a_flood_of_foreign_tokens_does_not_flood_the_journal(world: World) -> None:
    number = world.last_number()
    for _ in range(200):
        world.identity.principal_of(None, new_token(LASTING).text.get_secret_value())
    assert 0 < len(world.events(number)) <= 31


@pytest.mark.parametrize(
    ("wish", "says"),
    [
        (replace(CI, name="Education CI"), "cannot name"),
        (replace(CI, name="x" * 64), "cannot name"),
        (replace(CI, owner="nobody"), "nobody has the id"),
        (replace(CI, owner="luc.petit"), "has left"),
        (replace(CI, roles={}), "has no role"),
        (replace(CI, roles={"educaton": frozenset({Role.ENGINEER})}), "did you mean education"),
        (replace(CI, roles={"education": frozenset({Role.OWNER})}), "decisions are people's"),
        (replace(CI, roles={FEDERATION: frozenset({Role.PLATFORM_ENGINEER})}), "decisions are people's"),
        (replace(CI, scopes=frozenset()), "has no scope"),
        (replace(CI, scopes=frozenset({Action.IDENTITY_CREATE})), "cannot do identity.create"),
        (replace(CI, days=367), "within 366 days"),
        (replace(CI, days=0), "within 366 days"),
    ],
)
def test_what_cannot_be_a_service_identity_is_refused_with_what_can(world: World, wish: Wish, says: str) -> None:
    with pytest.raises(Invalid, match=says):
        world.services.create(wish, who=None, typist=TYPIST)
    assert not world.services.list(None)


def test_a_name_is_never_used_twice(world: World) -> None:
    made(world)
    world.services.revoke("education-ci", reason="test", who=None, typist=TYPIST)
    with pytest.raises(Conflict, match="never used twice"):
        made(world)


def test_who_may_create_in_a_domain_does_so_there_alone(world: World) -> None:
    anne = person("anne.dupont", education=frozenset({Role.OWNER}))
    assert world.services.create(CI, who=anne) is not None
    both = replace(CI, name="both", roles={**CI.roles, "data_office": frozenset({Role.ENGINEER})})
    with pytest.raises(Denied):
        world.services.create(both, who=anne)
    last = world.events()[-1].event
    assert (last.action, last.subject_id, last.actor.id) == ("identity.refused", "both", "anne.dupont")
    with pytest.raises(Denied):
        world.services.create(replace(CI, name="analyst-made"), who=person("eva.simon", education=frozenset({Role.ANALYST})))
    with pytest.raises(Denied):
        world.services.create(replace(CI, name="nobody-made"), who=NOBODY)


def test_a_service_identity_creates_no_other(world: World) -> None:
    service = world.identity.principal_of(None, made(world))
    with pytest.raises(Denied):
        world.services.create(replace(CI, name="offspring"), who=service)
    with pytest.raises(Denied):
        world.services.rotate("education-ci", overlap=timedelta(), days=90, who=service)


def test_lists_show_to_each_what_is_hers(world: World) -> None:
    made(world)
    assert world.services.list(person("anne.dupont", education=frozenset({Role.OWNER})))
    assert world.services.list(person("anne.dupont"))
    assert not world.services.list(person("eva.simon", data_office=frozenset({Role.OWNER})))
    assert not world.services.list(NOBODY)


def test_a_rotated_secret_overlaps_and_then_ends(world: World) -> None:
    old = made(world)
    new = world.services.rotate("education-ci", overlap=timedelta(hours=24), days=90, who=None, typist=TYPIST).get_secret_value()
    assert {world.identity.principal_of(None, one).standing for one in (old, new)} == {Standing.ACTIVE}
    world.clock.ahead += timedelta(hours=24, seconds=1)
    assert world.identity.principal_of(None, old).standing is Standing.EXPIRED
    assert world.identity.principal_of(None, new).standing is Standing.ACTIVE
    assert world.events()[-1].event.policy == "expired"


def test_rotating_without_overlap_ends_the_former_secret_at_once(world: World) -> None:
    old = made(world)
    world.services.rotate("education-ci", overlap=timedelta(), days=90, who=None, typist=TYPIST)
    assert world.identity.principal_of(None, old).standing is Standing.EXPIRED


def test_a_secret_never_outlives_its_identity(world: World) -> None:
    made(world, replace(CI, days=10))
    token = world.services.rotate("education-ci", overlap=timedelta(), days=300, who=None, typist=TYPIST).get_secret_value()
    world.clock.ahead += timedelta(days=10, seconds=1)
    assert world.identity.principal_of(None, token).standing is Standing.EXPIRED
    with pytest.raises(Conflict, match="has ended"):
        world.services.rotate("education-ci", overlap=timedelta(), days=300, who=None, typist=TYPIST)


def test_revoking_ends_everything_on_every_replica_within_seconds(world: World) -> None:
    token, other = made(world), world.replica()
    short = world.services.issue("education-ci", token).token.get_secret_value()
    assert other.principal_of(None, token).standing is Standing.ACTIVE
    assert other.principal_of(None, short).standing is Standing.ACTIVE
    assert world.services.revoke("education-ci", reason="leaked", who=None, typist=TYPIST)
    assert not world.services.revoke("education-ci", reason="leaked", who=None, typist=TYPIST)
    end = time.monotonic() + 4  # one second of memory, and a slow machine
    while any(other.principal_of(None, one).standing is Standing.ACTIVE for one in (token, short)):
        assert time.monotonic() < end
        time.sleep(0.05)
    assert sum(one.event.action == "identity.revoked" for one in world.events()) == 1


def test_its_owner_may_revoke_it_and_a_stranger_may_not(world: World) -> None:
    made(world)
    with pytest.raises(Denied):
        world.services.revoke("education-ci", reason="no", who=person("eva.simon", data_office=frozenset({Role.OWNER})))
    assert world.services.revoke("education-ci", reason="mine", who=person("anne.dupont"))
    with pytest.raises(NotFound):
        world.services.revoke("nothing", reason="x", who=None, typist=TYPIST)


def test_it_ends_when_its_owner_leaves(world: World) -> None:
    token = made(world)
    assert world.identity.principal_of(None, token).standing is Standing.ACTIVE
    people = dict(world.federation.people)
    people["anne.dupont"] = replace(people["anne.dupont"], left=date(2020, 1, 1))
    world.federation = replace(world.federation, people=people)
    assert world.identity.principal_of(None, token).standing is Standing.LEFT
    assert world.events()[-1].event.policy == "left"


def test_a_domain_that_is_gone_takes_its_roles_along(world: World) -> None:
    token = made(world)
    domains = {name: one for name, one in world.federation.domains.items() if name != "education"}
    world.federation = replace(world.federation, domains=domains)
    assert world.identity.principal_of(None, token).roles == {}


def test_client_credentials_give_a_short_token(world: World) -> None:
    token = made(world)
    issued = world.services.issue("education-ci", token)
    short = issued.token.get_secret_value()
    assert short.startswith("pca_")
    assert 0 < issued.seconds <= ACCESS_LASTS.total_seconds()
    assert world.identity.principal_of(None, short).scopes == CI.scopes
    world.clock.ahead += ACCESS_LASTS
    assert world.identity.principal_of(None, short).standing is Standing.EXPIRED
    assert world.identity.principal_of(None, token).standing is Standing.ACTIVE


def test_old_access_tokens_are_removed_and_what_counts_never_is(world: World) -> None:
    token = made(world)
    world.clock.ahead -= timedelta(days=3)
    world.services.issue("education-ci", token)
    world.clock.ahead = timedelta()
    short = world.services.issue("education-ci", token).token.get_secret_value()
    assert world.events()[-1].event.after["removed"] == 1  # type: ignore[index]
    with pytest.raises(DBAPIError), world.store.begin() as connection:
        connection.exec_driver_sql("DELETE FROM polyceph.service_secret")
    assert {world.identity.principal_of(None, one).standing for one in (token, short)} == {Standing.ACTIVE}


def test_wrong_client_credentials_are_refused(world: World) -> None:
    token = made(world)
    other = made(world, replace(CI, name="other-ci"))
    short = world.services.issue("education-ci", token).token.get_secret_value()
    for client, secret in (("education-ci", other), ("other-ci", token), ("education-ci", short), ("education-ci", "x"), ("", token)):
        with pytest.raises(Denied):
            world.services.issue(client, secret)
        assert world.events()[-1].event.action == "identity.refused"


def asked(world: World, at: Signing, **more: object) -> Wish:
    world.declare(provider("sso", at.issuer, audience="urn:polyceph", **more))
    return replace(CI, provider="sso", client="reports")


def access(at: Signing, **changes: object) -> dict[str, object]:
    now = int(time.time())
    plain = {"iss": at.issuer, "aud": "urn:polyceph", "sub": "reports", "client_id": "reports", "iat": now, "exp": now + 300}
    return {name: value for name, value in {**plain, **changes}.items() if value is not ...}


def test_a_token_of_the_provider_is_taken_for_a_declared_client(world: World, signing: Signing) -> None:
    assert world.services.create(asked(world, signing), who=None, typist=TYPIST) is None
    for named in ({}, {"client_id": ..., "azp": "reports"}, {"client_id": ..., "appid": "reports"}):
        who = world.identity.principal_of(None, signed(access(signing, **named), typ="at+jwt"))
        assert (who.actor.id, who.standing) == ("education-ci", Standing.ACTIVE)
    with pytest.raises(Conflict, match="comes with tokens of sso"):
        world.services.rotate("education-ci", overlap=timedelta(), days=9, who=None, typist=TYPIST)
    world.services.revoke("education-ci", reason="x", who=None, typist=TYPIST)
    assert world.identity.principal_of(None, signed(access(signing))) == NOBODY


@pytest.mark.parametrize(
    ("rule", "changes", "key"),
    [
        ("audience", {"aud": "polyceph"}, None),
        ("audience", {"aud": ...}, None),
        ("client", {"client_id": "stranger"}, None),
        ("client", {"client_id": ...}, None),
        ("client", {"azp": "another"}, None),
        ("expiry", {"exp": int(time.time()) - 100}, None),
        ("issuer", {"iss": "http://127.0.0.1:1"}, None),
        ("signature", {}, OTHER_RSA),
        ("kind", {"nonce": "n"}, None),
    ],
)
def test_another_token_of_the_provider_is_nobodys(
    world: World, signing: Signing, rule: str, changes: dict[str, object], key: object
) -> None:
    world.services.create(asked(world, signing), who=None, typist=TYPIST)
    token = signed(access(signing, **changes), **({"key": key} if key else {}))
    assert world.identity.principal_of(None, token) == NOBODY
    last = world.events()[-1].event
    assert (last.action, last.policy) == ("identity.refused", rule)


def test_an_id_token_is_no_key_for_a_service(world: World, signing: Signing) -> None:
    world.services.create(asked(world, signing), who=None, typist=TYPIST)
    signing.nonce = "n"
    token = signed(signing.claims(aud=["polyceph", "urn:polyceph"], azp="reports"))
    assert world.identity.principal_of(None, token) == NOBODY


def test_a_provider_without_audience_sends_no_services(world: World, signing: Signing) -> None:
    wish = asked(world, signing)
    world.declare(provider("sso", signing.issuer))
    with pytest.raises(NotFound, match="no provider 'sso' sends tokens"):
        world.services.create(wish, who=None, typist=TYPIST)
    assert world.identity.principal_of(None, signed(access(signing))) == NOBODY


@pytest.mark.parametrize("token", ["x", "a.b.c", "eyJhbGciOiJub25lIn0.e30.", ".", "..", "é", "Basic abc", "null", "pcs_é"])
def test_nonsense_is_nobody(world: World, token: str) -> None:
    assert world.identity.principal_of(None, token) == NOBODY
