"""Tokens and answers that must not let anybody in: each is refused by its rule, opens no session, and stands in the journal."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pytest
from identities import CLIENT, EC, OTHER_RSA, RSA, Signing, World, began, provider, signed

from polyceph.bootstrap.sign_in import Returned
from polyceph.core.policies.sessions import safe_target
from polyceph.errors import Denied

Token = Callable[[Signing], Any]


def _b64(value: object) -> str:
    data = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _unsigned(at: Signing, algorithm: str, signature: str = "") -> str:
    return f"{_b64({'alg': algorithm, 'typ': 'JWT', 'kid': 'one'})}.{_b64(at.claims())}.{signature}"


def _mangled(token: str) -> str:
    head, body, signature = token.split(".")
    claims = json.loads(base64.urlsafe_b64decode(body + "=="))
    return f"{head}.{_b64({**claims, 'email': 'eva.simon@example.org'})}.{signature}"


def _hmac(at: Signing, key: bytes) -> str:
    """Sign with a shared secret, by hand: the library refuses to do it with a public key."""
    text = f"{_b64({'alg': 'HS256', 'typ': 'JWT', 'kid': 'one'})}.{_b64(at.claims())}"
    return f"{text}.{_b64(hmac.new(key, text.encode(), hashlib.sha256).digest())}"


NOW = time.time
TOKENS: dict[str, tuple[str, Token]] = {
    "alg none": ("form", lambda at: _unsigned(at, "none")),
    "alg none with a signature": ("algorithm", lambda at: _unsigned(at, "none", "AAAA")),
    "alg NoNe": ("algorithm", lambda at: _unsigned(at, "NoNe", "AAAA")),
    "alg missing": ("algorithm", lambda at: f"{_b64({'typ': 'JWT'})}.{_b64(at.claims())}.AAAA"),
    "alg a list": ("algorithm", lambda at: f"{_b64({'alg': ['RS256'], 'kid': 'one'})}.{_b64(at.claims())}.AAAA"),
    "HS256 keyed with the public key (PEM)": (
        "algorithm",
        lambda at: _hmac(at, RSA.as_pem(private=False)),
    ),
    "HS256 keyed with the public key (DER)": (
        "algorithm",
        lambda at: _hmac(at, RSA.as_der(private=False)),
    ),
    "HS256 keyed with the client secret": (
        "algorithm",
        lambda at: _hmac(at, b"a9f2c81e55d04b7c93e6"),
    ),
    "RS512, which is not declared": ("algorithm", lambda at: signed(at.claims(), RSA, "RS512")),
    "ES256 under the id of an RSA key": ("key", lambda at: signed(at.claims(), EC, "ES256", kid="one")),
    "foreign key under a known id": ("signature", lambda at: signed(at.claims(), OTHER_RSA)),
    "foreign key under an unknown id": ("key", lambda at: signed(at.claims(), OTHER_RSA, kid="three")),
    "no key id, several keys": ("key", lambda at: signed(at.claims(), OTHER_RSA, kid=...)),
    "key id that is a path": ("key", lambda at: signed(at.claims(), OTHER_RSA, kid="../../../../dev/null")),
    "key id that is SQL": ("key", lambda at: signed(at.claims(), OTHER_RSA, kid="one' OR '1'='1")),
    "key id that is no text": ("key", lambda at: f"{_b64({'alg': 'RS256', 'kid': {'$ne': 1}})}.{_b64(at.claims())}.AAAA"),
    "jku header": ("header", lambda at: signed(at.claims(), OTHER_RSA, jku="http://127.0.0.1:1/keys")),
    "jwk header": ("header", lambda at: signed(at.claims(), OTHER_RSA, jwk=OTHER_RSA.as_dict(private=False))),
    "x5u header": ("header", lambda at: signed(at.claims(), OTHER_RSA, x5u="http://127.0.0.1:1/chain")),
    "crit header": ("header", lambda at: f"{_b64({'alg': 'RS256', 'kid': 'one', 'crit': ['exp']})}.{_b64(at.claims())}.AAAA"),
    "claims changed after signing": ("signature", lambda at: _mangled(signed(at.claims()))),
    "signature cut off": ("signature", lambda at: signed(at.claims())[:-40]),
    "signature left out": ("form", lambda at: signed(at.claims()).rpartition(".")[0] + "."),
    "two parts": ("form", lambda at: signed(at.claims()).rpartition(".")[0]),
    "encrypted token's five parts": ("form", lambda at: "a.b.c.d.e"),
    "no token at all": ("form", lambda at: {"not": "a token"}),
    "an enormous token": ("form", lambda at: signed(at.claims(filler="x" * 60_000))),
    "claims that are a list": ("signature", lambda at: signed("[1, 2]")),
    "wrong issuer": ("issuer", lambda at: signed(at.claims(iss="http://127.0.0.1:1"))),
    "issuer with a slash more": ("issuer", lambda at: signed(at.claims(iss=at.issuer + "/"))),
    "issuer missing": ("issuer", lambda at: signed(at.claims(iss=...))),
    "wrong audience": ("audience", lambda at: signed(at.claims(aud="another"))),
    "audience missing": ("audience", lambda at: signed(at.claims(aud=...))),
    "audience of several": ("audience", lambda at: signed(at.claims(aud=[CLIENT, "another"], azp=CLIENT))),
    "audience that only begins alike": ("audience", lambda at: signed(at.claims(aud=CLIENT + "-test"))),
    "wrong azp": ("authorized party", lambda at: signed(at.claims(azp="another"))),
    "wrong nonce": ("nonce", lambda at: signed(at.claims(nonce="another"))),
    "nonce missing": ("nonce", lambda at: signed(at.claims(nonce=...))),
    "expired": ("expiry", lambda at: signed(at.claims(exp=int(NOW()) - 120))),
    "without an end": ("times", lambda at: signed(at.claims(exp=...))),
    "end that is text": ("times", lambda at: signed(at.claims(exp="tomorrow"))),
    "not valid yet": ("not before", lambda at: signed(at.claims(nbf=int(NOW()) + 300))),
    "issued in the future": ("issued at", lambda at: signed(at.claims(iat=int(NOW()) + 300))),
    "issued before the sign-in began": ("issued at", lambda at: signed(at.claims(iat=int(NOW()) - 3600))),
    "subject missing": ("subject", lambda at: signed(at.claims(sub=...))),
    "subject that is no text": ("subject", lambda at: signed(at.claims(sub=17))),
    "access token for another ID token": ("access token hash", lambda at: signed(at.claims(at_hash="AAAAAAAAAAAAAAAAAAAAAA"))),
    "access token as ID token": ("kind", lambda at: signed(at.claims(), typ="at+jwt")),
    "logout token as ID token": ("kind", lambda at: signed(at.claims(), typ="logout+jwt")),
    "logout token as ID token, of plain kind": (
        "kind",
        lambda at: signed(at.claims(events={"http://schemas.openid.net/event/backchannel-logout": {}})),
    ),
    "groups that are elsewhere": ("groups", lambda at: signed(at.claims(groups=..., _claim_names={"groups": "src1"}))),
}


@dataclass
class Flow:
    """What a hostile flow has at hand: the world, both providers, and an honest answer to start from."""

    world: World
    at: Signing
    other: Signing

    def begin(self, name: str = "sso") -> Returned:
        back = began(self.world, name, self.at if name == "sso" else self.other)
        source = self.at if name == "sso" else self.other
        source.id_token = signed(source.claims())
        return back

    def finish(self, back: Returned, name: str = "sso") -> object:
        return self.world.desk.finish(name, back)


def _replay(flow: Flow) -> None:
    back = flow.begin()
    flow.finish(back)
    flow.finish(back)


def _old_token(flow: Flow) -> None:
    flow.begin()
    kept = flow.at.id_token
    back = flow.begin()
    flow.at.id_token = kept
    flow.finish(back)


def _too_late(flow: Flow) -> None:
    back = flow.begin()
    flow.world.clock.ahead += timedelta(minutes=11)
    try:
        flow.finish(back)
    finally:
        flow.world.clock.ahead -= timedelta(minutes=11)


def _refused_exchange(flow: Flow) -> None:
    back = flow.begin()
    flow.at.id_token = None
    flow.finish(back)


def _token_of_another(flow: Flow) -> None:
    back = flow.begin()
    flow.other.nonce = flow.at.nonce
    flow.at.id_token = signed(flow.other.claims(), OTHER_RSA)
    flow.finish(back)


def _userinfo_of_another(flow: Flow) -> None:
    back = flow.begin()
    flow.at.id_token = signed(flow.at.claims(email=..., email_verified=...))
    flow.at.userinfo = {"sub": "u2", "email": "anne.dupont@example.org", "email_verified": True}
    flow.finish(back)


def _silent_issuer(flow: Flow) -> None:
    flow.finish(flow.begin("loud"), "loud")


FLOWS: dict[str, tuple[str, Callable[[Flow], object]]] = {
    "replay of state and code": ("state", _replay),
    "no state": ("state", lambda f: f.finish(replace(f.begin(), state=None))),
    "state that nobody gave": ("state", lambda f: f.finish(replace(f.begin(), state="made-up"))),
    "login CSRF: the attacker's answer in the victim's browser": ("browser", lambda f: f.finish(replace(f.begin(), browser=None))),
    "login CSRF: the victim has a sign-in of her own": (
        "browser",
        lambda f: f.finish(replace(f.begin(), browser=f.begin().browser)),
    ),
    "state after its time": ("state", _too_late),
    "token of an earlier sign-in": ("nonce", _old_token),
    "mix-up: the answer names another issuer": ("mix-up", lambda f: f.finish(replace(f.begin(), issuer=f.other.issuer))),
    "mix-up: state of one provider, callback of another": ("mix-up", lambda f: f.finish(f.begin(), "loud")),
    "mix-up: the provider names its issuer always, and now not": ("mix-up", _silent_issuer),
    "token of another provider": ("signature", _token_of_another),
    "userinfo about somebody else": ("subject", _userinfo_of_another),
    "error of the provider": ("provider", lambda f: f.finish(replace(f.begin(), error="access_denied"))),
    "no code": ("provider", lambda f: f.finish(replace(f.begin(), code=None))),
    "code of enormous length": ("provider", lambda f: f.finish(replace(f.begin(), code="c" * 5000))),
    "code that the provider does not know": ("code", _refused_exchange),
}


@pytest.fixture(scope="module")
def flow(make_world: Callable[..., World], signing: Signing) -> Any:
    other = Signing()
    other.metadata = {"authorization_response_iss_parameter_supported": True}
    other.keys = [{**OTHER_RSA.as_dict(private=False), "kid": "one", "use": "sig"}]
    world = make_world()
    world.declare(provider("sso", signing.issuer), provider("loud", other.issuer))
    yield Flow(world, signing, other)
    other.close()


def refused(flow: Flow, act: Callable[[], object], rule: str) -> None:
    """Run what must be refused; hold rule, journal and sessions against it."""
    number, before = flow.world.last_number(), len(flow.world.identity.queries.open_sessions())
    with pytest.raises(Denied) as caught:
        act()
    assert caught.value.problems[0].rule == rule, str(caught.value)
    last = flow.world.events(number)[-1].event
    assert (last.action, last.allowed, last.policy) == ("session.refused", False, rule)
    opened = sum(one.event.action == "session.opened" for one in flow.world.events(number))
    assert len(flow.world.identity.queries.open_sessions()) == before + opened
    for secret in (flow.at.nonce, flow.at.id_token, "anne.dupont@"):
        assert not isinstance(secret, str) or not secret or secret not in str(last), "the journal holds what it may not"


@pytest.mark.parametrize("name", TOKENS)
def test_a_hostile_token_is_refused(flow: Flow, name: str) -> None:
    rule, make = TOKENS[name]
    back = flow.begin()
    flow.at.id_token = make(flow.at)
    refused(flow, lambda: flow.finish(back), rule)


@pytest.mark.parametrize("name", FLOWS)
def test_a_hostile_flow_is_refused(flow: Flow, name: str) -> None:
    rule, act = FLOWS[name]
    refused(flow, lambda: act(flow), rule)


def test_the_honest_token_beside_them_opens_a_session(flow: Flow) -> None:
    done = flow.finish(flow.begin())
    assert done.session.person == "anne.dupont"  # type: ignore[attr-defined]


def test_tokens_with_an_elliptic_curve_key_are_taken_too(flow: Flow) -> None:
    back = flow.begin()
    flow.at.id_token = signed(flow.at.claims(), EC, "ES256")
    assert flow.finish(back).session.person == "anne.dupont"  # type: ignore[attr-defined]


LOGOUT = {"http://schemas.openid.net/event/backchannel-logout": {}}
LOGOUTS: dict[str, tuple[str, Token]] = {
    "ID token as logout token": ("kind", lambda at: signed(at.claims(nonce="n", jti="j1"))),
    "logout token with a nonce": ("nonce", lambda at: signed(at.claims(nonce="n", jti="j2", events=LOGOUT))),
    "logout token without an id": ("token id", lambda at: signed(at.claims(nonce=..., events=LOGOUT))),
    "logout token that names nobody": ("subject", lambda at: signed(at.claims(nonce=..., jti="j3", events=LOGOUT, sub=..., sid=...))),
    "old logout token": ("issued at", lambda at: signed(at.claims(nonce=..., jti="j4", events=LOGOUT, iat=int(NOW()) - 1000))),
    "logout token of a foreign key": ("signature", lambda at: signed(at.claims(nonce=..., jti="j5", events=LOGOUT), OTHER_RSA)),
    "logout token for somebody else": ("audience", lambda at: signed(at.claims(nonce=..., jti="j6", events=LOGOUT, aud="x"))),
    "unsigned logout token": ("form", lambda at: _unsigned(at, "none")),
}


@pytest.mark.parametrize("name", LOGOUTS)
def test_a_hostile_logout_token_ends_nothing(flow: Flow, name: str) -> None:
    rule, make = LOGOUTS[name]
    flow.finish(flow.begin())
    refused(flow, lambda: flow.world.desk.hear_sign_out("sso", make(flow.at)), rule)


def test_a_logout_token_counts_once(flow: Flow) -> None:
    flow.finish(flow.begin())
    token = signed(flow.at.claims(nonce=..., jti="once", events=LOGOUT), typ="logout+jwt")
    assert flow.world.desk.hear_sign_out("sso", token) > 0
    assert not flow.world.identity.queries.open_sessions(provider="sso", subject="u1")
    refused(flow, lambda: flow.world.desk.hear_sign_out("sso", token), "replay")


@pytest.mark.parametrize(
    "target",
    [
        "https://evil.example", "//evil.example", "/\\evil.example", "\\\\evil.example", "/%2f%2fevil.example/..", "/%5cevil.example",
        "javascript:alert(1)", "/\t/evil.example", "/\n//evil.example", "/%0d%0aLocation:x", "evil.example", "", " /", "/sign-out",
        "/sign-in?next=/",         "/%252fevil.example", "/" + "a" * 3000, "///evil.example", "/;@evil.example\\x",
    ],
)  # fmt: skip
def test_no_target_leads_away(target: str) -> None:
    found = safe_target(target)
    assert found == "/" or (target == found and not found.startswith(("//", "/\\")) and "\\" not in found)
    if "%2f" in target.lower() or "evil" in target or not target.strip():
        assert found == "/"


@pytest.mark.parametrize("target", ["/", "/datasets?q=a%20b&page=2", "/dagster/runs/abc", "/datasets/education/gold/x"])
def test_a_page_of_ours_is_kept_as_target(target: str) -> None:
    assert safe_target(target) == target


def test_what_a_discovery_document_names_elsewhere_is_not_asked(world: World, signing: Signing) -> None:
    from polyceph.errors import Misconfigured

    for name, address in (("token_endpoint", "http://127.0.0.1:1/token"), ("jwks_uri", "http://example.org/keys"), ("issuer", "https://x")):
        hostile = Signing()
        hostile.metadata = {name: address}
        world.declare(provider("sso", hostile.issuer))
        with pytest.raises(Misconfigured):
            world.desk.send_away("sso", target=None)
        hostile.close()


def test_so_many_hostile_tokens_and_flows_are_tried(capsys: pytest.CaptureFixture[str]) -> None:
    count = len(TOKENS) + len(FLOWS) + len(LOGOUTS)
    with capsys.disabled():
        sys.stdout.write(f"\n{count} hostile answers: {len(TOKENS)} tokens, {len(FLOWS)} flows, {len(LOGOUTS)} logout tokens\n")
    assert count >= 60
