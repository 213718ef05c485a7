"""Pages and who may open them: a route says which action it needs, or it cannot be built."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, cast
from urllib.parse import quote

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from polyceph.core.model.access import Action, Standing
from polyceph.core.model.sentence import said
from polyceph.errors import Denied, Invalid, Misconfigured, NotFound
from polyceph.web import csrf
from polyceph.web.cookies import Cookies
from polyceph.web.scope import FORM, ROUTE, principal_of, site_of

Handler = Callable[[Request], Response] | Callable[[Request], Awaitable[Response]]
_CHANGES = frozenset({"POST", "PUT", "PATCH", "DELETE"})
_FIELDS = 200


class Open(Enum):
    """What a page needs instead of an action: nothing, or only that somebody is signed in (her own things, lists that are filtered)."""

    ANYBODY = "anybody"
    SIGNED_IN = "signed in"


@dataclass(frozen=True)
class Rule:
    """Who may open a page: `domain_from` names the part of the path that says which domain it concerns.

    `hides`: who may not open it is told that it does not exist, for that it exists is not hers to know.
    """

    needs: Action | Open
    domain_from: str | None = None
    hides: bool = False
    about: Callable[[Request], Mapping[str, Any]] | None = None
    """Further facts for the question, such as the classification of the dataset that the path names."""
    has_token: bool = True
    """Whether a change carries the token of our forms; machines' doors (`/oauth2/token`) carry their own proof."""

    def decide(self, request: Request) -> Response | None:
        """Return None when the page may be opened, a way to sign in for somebody who is not known; raise otherwise."""
        if self.needs is Open.ANYBODY:
            return None
        who, site = principal_of(request), site_of(request)
        if who.standing is not Standing.ACTIVE:
            return _to_sign_in(request)
        if isinstance(self.needs, Open):
            return None
        facts = self.about(request) if self.about else {}
        decision = site.may(who, self.needs, domain=request.path_params[self.domain_from] if self.domain_from else None, **facts)
        if not decision.allowed:
            if self.hides:
                raise NotFound(said("there is no such page, or it is not yours to know of"), hint=said("look for it in the lists"))
            raise Denied(decision.reason, hint=decision.hint)
        return None


class Page(Route):
    """A route with its rule. Changes are forms: the token is checked and the form read before the handler is called."""

    def __init__(self, path: str, handler: Handler, rule: Rule, methods: Sequence[str]) -> None:
        if rule.domain_from is not None and f"{{{rule.domain_from}}}" not in path:
            raise Misconfigured(f"the path {path} has no part {rule.domain_from}")
        self.rule = rule
        self.handler = handler
        super().__init__(path, self._serve, methods=list(methods))

    async def _serve(self, request: Request) -> Response:
        request.scope[ROUTE] = self.path
        if self.rule.has_token and request.method in _CHANGES:
            await _read_form(request)
        refused = await run_in_threadpool(self.rule.decide, request)
        if refused is not None:
            return refused
        if inspect.iscoroutinefunction(self.handler):
            return cast("Response", await self.handler(request))
        return cast("Response", await run_in_threadpool(cast("Callable[[Request], Response]", self.handler), request))


def page(
    path: str, *, action: Action | Open, domain_from: str | None = None, methods: Sequence[str] = ("GET",), **more: Any
) -> Callable[[Handler], Page]:
    """Make a handler a page. `action` is what it needs: there is no page without. `more` are the other fields of `Rule`."""
    return lambda handler: Page(path, handler, Rule(action, domain_from, **more), methods)


def form_of(request: Request) -> Mapping[str, str]:
    """Return the fields of the form that was sent; its token was checked."""
    return cast("Mapping[str, str]", request.scope.get(FORM, {}))


def pages_in(routes: Sequence[BaseRoute]) -> Iterator[Page]:
    """Yield every page; raise `Misconfigured` for a route that says not who may open it."""
    for route in routes:
        if not isinstance(route, Page):
            raise Misconfigured(
                f"the route {getattr(route, 'path', route)} does not say who may open it", hint="make it with web.pages.page"
            )
        yield route


def is_local(target: str) -> bool:
    """Tell whether a path leads to a page of ours: one slash at its beginning, no scheme, no host, no sign that a browser rewrites."""
    return target.startswith("/") and not target.startswith(("//", "/\\")) and target.isprintable() and "\\" not in target


async def _read_form(request: Request) -> None:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in ("application/x-www-form-urlencoded", "multipart/form-data"):
        raise Invalid(said("this page takes forms alone"), hint=said("send it from the page"))
    form: FormData = await request.form(max_files=0, max_fields=_FIELDS)
    fields: dict[str, Any] = {key: value for key, value in form.multi_items() if isinstance(value, str)}
    csrf.check(request, fields.pop(csrf.FIELD, None), Cookies(site_of(request).is_https))
    request.scope[FORM] = fields


def _to_sign_in(request: Request) -> Response:
    if request.method not in ("GET", "HEAD") or "text/html" not in request.headers.get("accept", "text/html"):
        raise NotSignedIn(said("nobody is signed in"), hint=said("sign in and try again"))
    query = f"?{request.url.query}" if request.url.query else ""
    return RedirectResponse(f"/sign-in?next={quote(request.url.path + query, safe='')}", 303)


class NotSignedIn(Denied):
    """Whoever asks is not known."""
