"""Decisions about sign-in: where it leads, who somebody is, which passwords are good."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from urllib.parse import unquote, urljoin, urlsplit

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from polyceph.core.model.person import Person
from polyceph.core.model.sign_in import Claims, Provider, Session
from polyceph.core.policies.passwords import password_is_good
from polyceph.core.policies.sessions import actor_name, end_reason, may_sign_in, person_of, safe_target

SITE = "https://data.example.org"
NOW = datetime(2026, 11, 22, 9, tzinfo=UTC)
ANNE = Person("anne.dupont", "Anne Dupont", "anne.dupont@example.org")
SSO = Provider("sso", "https://sso.example.org", "polyceph", "SIGN_IN_SECRET")
TRICKS = st.sampled_from(
    ["/", "\\", "//", "%2f", "%5c", "%252f", ":", "@", "evil.example", "https:", "\t", "\n", "?", "#", ".", "..", ";", "é", "\x00"]
)


def as_browsers_read(target: str) -> str:
    """Return an address as a browser completes it (WHATWG): tabs and line ends go, backslashes are slashes."""
    return urljoin(SITE, "".join(letter for letter in target if letter not in "\t\r\n").replace("\\", "/"))


@given(
    st.one_of(st.text(), st.lists(TRICKS, max_size=8).map("".join), st.lists(TRICKS, max_size=8).map(lambda parts: "/" + "".join(parts)))
)
def test_no_target_ever_leads_to_another_site(text: str) -> None:
    target = safe_target(text)
    assert target in ("/", text)
    for form in (target, unquote(target), unquote(unquote(target))):
        if form == target or form.partition("?")[0] == unquote(target.partition("?")[0]):
            assert urlsplit(as_browsers_read(form.partition("?")[0])).netloc == "data.example.org"
    assert "\n" not in target
    assert "\r" not in target


@pytest.mark.parametrize("target", ["/", "/datasets", "/datasets?q=//x", "/dagster/assets/education/gold/x?view=lineage", "/a%20b"])
def test_paths_of_this_site_are_kept(target: str) -> None:
    assert safe_target(target) == target


@pytest.mark.parametrize("value", ["anne.dupont@example.org", "ANNE.dupont@Example.org", " anne.dupont@example.org "])
def test_an_address_is_compared_as_addresses_are(value: str) -> None:
    assert person_of(Claims("sso", "u", person_value=value), SSO, [ANNE]) == ANNE


@pytest.mark.parametrize("value", [None, "", "anne.dupont", "x@example.org", "anne.dupont@example.org.evil.example"])
def test_an_address_that_is_nobodys_is_nobody(value: str | None) -> None:
    assert person_of(Claims("sso", "u", person_value=value), SSO, [ANNE]) is None


def test_an_address_of_two_people_is_nobody() -> None:
    twin = Person("anne.other", "Anne Other", ANNE.email)
    assert person_of(Claims("sso", "u", person_value=ANNE.email), SSO, [ANNE, twin]) is None


def test_whom_nobody_declared_is_named_without_her_address() -> None:
    name = actor_name(Claims("sso", "someone@example.org", "Some One", "someone@example.org"), None)
    assert name.startswith("sso:")
    assert "@" not in name
    assert name != actor_name(Claims("sso", "another"), None)


def test_without_roles_only_declared_people_come_in() -> None:
    today = date(2026, 11, 22)
    assert may_sign_in(ANNE, has_roles=False, today=today).allowed
    assert may_sign_in(None, has_roles=True, today=today).allowed
    assert not may_sign_in(None, has_roles=False, today=today).allowed
    left = Person(ANNE.id, ANNE.name, ANNE.email, left=today)
    assert not may_sign_in(left, has_roles=True, today=today).allowed


@given(st.integers(0, 2000), st.integers(0, 2000))
def test_a_session_counts_exactly_until_it_is_idle_or_over(used: int, asked: int) -> None:
    touched, now = NOW + timedelta(minutes=used), NOW + timedelta(minutes=used + asked)
    session = Session(b"k", "s", "sso", "u", "anne", NOW, touched, NOW + timedelta(minutes=600), timedelta(minutes=60))
    assert (end_reason(session, now) is None) == (asked < 60 and used + asked < 600)


@given(st.text(max_size=11))
def test_no_short_password_is_good(password: str) -> None:
    assert not password_is_good(password).allowed


@example("0123\n", 3)
@given(st.text(min_size=1, max_size=6), st.integers(2, 40))
def test_no_repetition_is_good(part: str, times: int) -> None:
    assert not password_is_good(part * times).allowed or len(set((part * times).strip().lower())) > 5


@given(st.text(min_size=8, max_size=40))
def test_no_refusal_repeats_the_password(password: str) -> None:
    verdict = password_is_good(password)
    assert verdict.allowed or len(password.split()) > 1 or password not in f"{verdict.reason} {verdict.hint}"
