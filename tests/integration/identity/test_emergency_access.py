"""Emergency access counts in a session once it is opened, and no more from the moment it ends."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from identities import Signing, World, began, signed

from polyceph.core.model.access import Action, Principal, Question, Standing
from polyceph.core.model.classification import Classification
from polyceph.core.model.emergency import Opening
from polyceph.core.model.event import Actor, ActorKind
from polyceph.core.policies.authorisation import decide
from polyceph.core.policies.roles import roles_of
from polyceph.core.usecases import emergencies
from polyceph.core.usecases.federation import apply_federation
from polyceph.store.queries import PostgresQueries
from polyceph.store.unit_of_work import PostgresUnitOfWork


def test_emergency_access_counts_in_a_session_while_it_lasts(asked_world: World, signing: Signing, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("polyceph.bootstrap.identity._KEPT_S", 0.0)  # what is known of a session is not kept for a second
    world, today = asked_world, asked_world.identity.today()
    work, queries = PostgresUnitOfWork(world.store), PostgresQueries(world.store)
    marc = Actor(ActorKind.PERSON, "marc.leroy")
    apply_federation(work, queries, world.federation, actor=marc, commit="c")
    back = began(world, "sso", signing, None)
    signing.id_token = signed(signing.claims())
    cookie = world.desk.finish("sso", replace(back, cookie=None)).cookie.get_secret_value()

    def reads() -> bool:
        question = Question(Action.DATASET_READ, world.clock.now(), "data_office", "data_office.gold.x", Classification.SECRET)
        return decide(world.identity.principal_of(cookie, None), question).allowed

    assert not reads()
    who = Principal(marc, Standing.ACTIVE, roles_of(world.federation, person="marc.leroy", groups=(), today=today), "marc.leroy")
    around = emergencies.Circumstances(world.federation, decide, world.clock.now(), today, "web")
    asked = Opening("data_office", "anne.dupont", 1, "the nightly load fails on a row")
    emergencies.open_emergency(work, queries, asked, who=who, around=around)
    assert reads()
    for minutes, expected in ((20, True), (20, True), (19, True), (2, False)):
        world.clock.ahead += timedelta(minutes=minutes)
        assert reads() is expected
    assert world.identity.principal_of(cookie, None).standing is Standing.ACTIVE
