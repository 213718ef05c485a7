"""The whole web application: every layer around the pages and the mounted apps, in the one order that is right.

From outside to inside: id and access log, security headers, error pages, own host and origin, plain path, rate of sign-in, who asks,
rate of requests, size of bodies, then the mounted apps and the pages. A layer never relies on what stands further in.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from starlette.routing import BaseRoute, Router
from starlette.types import ASGIApp, Receive, Scope, Send

from polyceph.bootstrap.site import Site
from polyceph.core.model.sentence import said
from polyceph.errors import Misconfigured, NotFound
from polyceph.web.canonical import PlainPath
from polyceph.web.cookies import Cookies
from polyceph.web.error_pages import ErrorPages
from polyceph.web.headers import SecurityHeaders
from polyceph.web.limits import BodyLimit, Rates, RequestRate, SignInRate
from polyceph.web.origin import OwnOrigin, names_of
from polyceph.web.pages import Page, pages_in
from polyceph.web.preferences import preferences
from polyceph.web.principal import WhoAsks
from polyceph.web.request_log import RequestLog
from polyceph.web.scope import ROUTE, SITE
from polyceph.web.static import static_file

OWN_PAGES: Sequence[Page] = (static_file, preferences)
_MOUNTED_BYTES = 16 * 1024 * 1024


def application(
    site: Site, *, routes: Sequence[BaseRoute], mounts: Mapping[str, ASGIApp], links: Sequence[tuple[str, str]] = ()
) -> ASGIApp:
    """Return the application.

    Args:
        site: what the pages work with.
        routes: pages, each made by `web.pages.page`.
        mounts: whole apps by the path that they begin with; they get full paths and look after their own rights.
        links: the main navigation: paths and English texts.

    Raises:
        Misconfigured: a route does not say who may open it, or a mount's path is not one.
    """
    settings = site.settings.web
    rates = Rates(settings)
    app: ASGIApp = _Inside(site, list(pages_in([*OWN_PAGES, *routes])), mounts, settings.body_kib * 1024)
    app = RequestRate(app, rates=rates)
    app = WhoAsks(app, principal_of=site.principal_of, cookies=Cookies(site.is_https))
    app = SignInRate(app, rates=rates)
    app = PlainPath(app)
    app = OwnOrigin(app, names=names_of(settings))
    app = _Given(ErrorPages(app), {SITE: site, "polyceph.links": tuple(links)})
    app = SecurityHeaders(app, is_https=site.is_https, form_targets=site.form_targets)
    return RequestLog(app)


class _Given:
    """Put what does not change into every scope."""

    def __init__(self, app: ASGIApp, values: Mapping[str, object]) -> None:
        self._app = app
        self._values = values

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope.update(self._values)
        await self._app(scope, receive, send)


class _Inside:
    """Choose between the mounted apps and the pages."""

    def __init__(self, site: Site, pages: Sequence[Page], mounts: Mapping[str, ASGIApp], page_bytes: int) -> None:
        for path in mounts:
            if not path.startswith("/") or path.endswith("/"):
                raise Misconfigured(f"an app is mounted at {path}", hint="a path begins with a slash and does not end with one")
        self._mounts = {path: BodyLimit(app, most_bytes=_MOUNTED_BYTES) for path, app in mounts.items()}
        self._pages = BodyLimit(Router(list(pages), redirect_slashes=False, default=_nothing), most_bytes=page_bytes)
        self._site = site

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._pages(scope, receive, send)
            return
        path = scope["path"]
        found = next((mount for mount in self._mounts if path == mount or path.startswith(f"{mount}/")), None)
        if found is None:
            scope["app"] = self  # the router then raises what an error page explains, instead of answering in plain text
            await self._pages(scope, receive, send)
            return
        scope[ROUTE] = f"{found}/*"
        await self._mounts[found](scope, receive, send)


async def _nothing(_scope: Scope, _receive: Receive, _send: Send) -> None:
    raise NotFound(said("there is no such page"), hint=said("begin at the home page"))
