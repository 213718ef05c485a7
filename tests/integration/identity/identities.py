"""A federation with sign-in on a store of its own, and a provider that signs whatever a test wants."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from joserfc import jws
from joserfc.jwk import ECKey, RSAKey
from sqlalchemy import Engine

from polyceph.bootstrap.identity import Identity
from polyceph.bootstrap.services import ServiceDesk
from polyceph.bootstrap.sign_in import Returned, SignInDesk
from polyceph.core.model.event import EventFilter, JournalEntry
from polyceph.core.model.federation import Federation
from polyceph.core.model.sign_in import Provider, SignIn
from polyceph.settings import Settings
from polyceph.store.queries import PostgresQueries

ADDRESS = "http://127.0.0.1:3000"
SECRET = "a9f2c81e55d04b7c93e6"
CLIENT = "polyceph"
RSA, OTHER_RSA, SPARE_RSA = (RSAKey.generate_key(2048) for _ in range(3))
EC = ECKey.generate_key("P-256")


class Clock:
    """A clock that tests put forward, and stop where a slow machine must not count."""

    def __init__(self) -> None:
        self.ahead = timedelta()
        self.stopped: datetime | None = None

    def stop(self) -> None:
        self.stopped = datetime.now(UTC)

    def now(self) -> datetime:
        return (self.stopped or datetime.now(UTC)) + self.ahead


@dataclass
class World:
    """Sign-in on a store of its own. `federation` may be replaced: what is declared counts at once."""

    store: Engine
    federation: Federation
    settings: Settings
    address: str = ADDRESS
    clock: Clock = field(default_factory=Clock)
    environment: dict[str, str] = field(default_factory=lambda: {"SIGN_IN_SECRET": SECRET})
    identity: Identity = field(init=False)

    def __post_init__(self) -> None:
        self.identity = self.replica()

    def replica(self) -> Identity:
        """Return another process's idea of who is who, on the same store."""
        return Identity(self.settings, self.store, lambda: self.federation, self.address, self.clock, self.environment)

    @property
    def desk(self) -> SignInDesk:
        return SignInDesk(self.identity)

    @property
    def services(self) -> ServiceDesk:
        return ServiceDesk(self.identity)

    def declare(self, *providers: Provider, **limits: int) -> None:
        self.federation = replace(self.federation, sign_in=SignIn({one.name: one for one in providers}, **limits))

    def events(self, after: int = 0) -> list[JournalEntry]:
        return list(PostgresQueries(self.store).events(EventFilter(after=after, limit=100_000)))

    def last_number(self) -> int:
        found = self.events()
        return found[-1].number if found else 0


def provider(name: str, issuer: str, **changes: Any) -> Provider:
    return Provider(name, issuer, CLIENT, "SIGN_IN_SECRET", **changes)


Answer = Callable[[Mapping[str, Any]], Any]


class Signing:
    """A provider in this process: discovery, keys, token endpoint. `answer` makes the token response from the form and the last nonce."""

    def __init__(self) -> None:
        self.keys: list[dict[str, Any]] = [
            {**RSA.as_dict(private=False), "kid": "one", "use": "sig", "alg": "RS256"},
            {**EC.as_dict(private=False), "kid": "two", "use": "sig", "alg": "ES256"},
            {**SPARE_RSA.as_dict(private=False), "kid": "spare", "use": "sig"},
        ]
        self.metadata: dict[str, Any] = {}
        self.nonce = ""
        self.id_token: Any = None
        self.response: dict[str, Any] | None = None
        self.asked: list[str] = []
        self.forms: list[dict[str, str]] = []
        self.is_down = False
        self.userinfo: dict[str, Any] = {"sub": "u1"}
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.asked.append(self.path)
                path = urlsplit(self.path).path
                found = {"/.well-known/openid-configuration": outer.discovery, "/jwks": lambda: {"keys": outer.keys}, "/me": outer.me}.get(
                    path
                )
                self._answer(found() if found else {}, 200 if found else 404)

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"])).decode()
                outer.asked.append(self.path)
                outer.forms.append({key: values[0] for key, values in parse_qs(body).items()})
                given = {"token_type": "Bearer", "access_token": "x", "id_token": outer.id_token}
                self._answer(given if outer.response is None else outer.response, 200 if outer.id_token is not None else 400)

            def _answer(self, document: Any, status: int) -> None:
                data = json.dumps(document).encode()
                self.send_response(503 if outer.is_down else status)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.issuer = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def discovery(self) -> dict[str, Any]:
        at = {"authorization_endpoint": "/auth", "token_endpoint": "/token", "jwks_uri": "/jwks", "end_session_endpoint": "/end"}
        at |= {"userinfo_endpoint": "/me"}
        return {"issuer": self.issuer, **{name: self.issuer + path for name, path in at.items()}, **self.metadata}

    def me(self) -> dict[str, Any]:
        return self.userinfo

    def claims(self, **changes: Any) -> dict[str, Any]:
        now = int(time.time())
        plain = {"iss": self.issuer, "aud": CLIENT, "sub": "u1", "iat": now, "exp": now + 300, "nonce": self.nonce, "sid": "s1"}
        said = {"email": "anne.dupont@example.org", "email_verified": True, "name": "Anne", "locale": "fr-BE", "groups": ["staff"]}
        return {name: value for name, value in {**plain, **said, **changes}.items() if value is not ...}

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


def signed(claims: Any, key: Any = RSA, algorithm: str = "RS256", **header: Any) -> str:
    """Return a token as asked for, however wrong."""
    made = {"alg": algorithm, "typ": "JWT", "kid": "one" if algorithm.startswith("RS") else "two", **header}
    made = {name: value for name, value in made.items() if value is not ...}
    payload = claims if isinstance(claims, str) else json.dumps(claims)
    registry = jws.JWSRegistry(algorithms=[algorithm], strict_check_header=False)
    registry.max_header_length = 100_000
    return jws.serialize_compact(made, payload, key, registry=registry)


def began(world: World, name: str, at: Signing, target: str | None = None) -> Returned:
    """Begin a sign-in and return what an honest browser would bring back."""
    sent = world.desk.send_away(name, target=target)
    asked = parse_qs(urlsplit(sent.address).query)
    at.nonce = asked["nonce"][0]
    return Returned(state=asked["state"][0], code="a-code", browser=sent.browser.get_secret_value())
