"""The pages of signing in and out. What they do is in `bootstrap.sign_in`; the token endpoint of services is in `service_tokens`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response

from polyceph.bootstrap.identity import Identity
from polyceph.bootstrap.sign_in import Choice, Returned, SignedIn, SignInDesk
from polyceph.core.model.sentence import said
from polyceph.core.policies.passwords import SHORTEST
from polyceph.core.policies.sessions import safe_target
from polyceph.errors import Denied, Invalid, Misconfigured
from polyceph.web.cookies import Cookies
from polyceph.web.languages import language_of
from polyceph.web.pages import Open, Page, form_of, page
from polyceph.web.principal import cookie_in
from polyceph.web.render import render
from polyceph.web.scope import site_of

_BROWSER = "sign-in"
"""Purpose of the cookie that binds a sign-in under way to the browser that began it."""
_BROWSER_S = 600


@dataclass(frozen=True)
class SignInPage:
    """The page with the ways to sign in; `problem` and `hint` say why the last try was refused."""

    choices: Sequence[Choice]
    has_account: bool
    next: str
    problem: str = ""
    hint: str = ""


@dataclass(frozen=True)
class LinkPage:
    """The page behind a one-time link."""

    is_open: bool
    shortest: int
    problem: str = ""
    hint: str = ""


@dataclass(frozen=True)
class SignedOutPage:
    """The page after signing out."""


def desk_of(request: Request) -> SignInDesk:
    """Return what the pages of sign-in work with."""
    identity = site_of(request).identity
    if not isinstance(identity, Identity):
        raise Misconfigured("this site has no sign-in", hint="serve it with bootstrap.identity.Identity")
    return SignInDesk(identity)


@page("/sign-in", action=Open.ANYBODY)
def sign_in(request: Request) -> Response:
    """Show the ways to sign in."""
    desk = desk_of(request)
    return render(request, "web/sign_in.html", _page(desk, request.query_params.get("next")))


@page("/sign-in", action=Open.ANYBODY, methods=("POST",))
def try_password(request: Request) -> Response:
    """Sign in with the local account."""
    desk, form = desk_of(request), form_of(request)
    target = form.get("next")
    try:
        done = desk.try_password(form.get("password", ""), target=target, cookie=_session(request), agent=_agent(request))
    except Denied as error:
        return render(request, "web/sign_in.html", _page(desk, target, error), status=403)
    return _entered(request, done)


@page("/sign-in/{provider}", action=Open.ANYBODY)
def send_away(request: Request) -> Response:
    """Send the browser to a provider."""
    cookies = Cookies(site_of(request).is_https)
    spoken = language_of(request, cookies).code
    sent = desk_of(request).send_away(request.path_params["provider"], target=request.query_params.get("next"), language=spoken)
    response = RedirectResponse(sent.address, 303)
    cookies.put(response, _BROWSER, sent.browser.get_secret_value(), seconds=_BROWSER_S)
    return response


@page("/sign-in/callback/{provider}", action=Open.ANYBODY)
def come_back(request: Request) -> Response:
    """Finish a sign-in with what the provider sent along."""
    asked, cookies = request.query_params, Cookies(site_of(request).is_https)
    if any(len(asked.getlist(name)) > 1 for name in ("state", "code", "iss", "error")):
        raise Invalid(said("the answer of the provider says something twice"), hint=said("begin again at the sign-in page"))
    sent = {"state": asked.get("state"), "code": asked.get("code"), "issuer": asked.get("iss"), "error": asked.get("error")}
    browser = cookie_in(request.scope, cookies.name(_BROWSER))
    back = Returned(**sent, browser=browser, cookie=_session(request), agent=_agent(request))
    return _entered(request, desk_of(request).finish(request.path_params["provider"], back))


@page("/sign-in/link/{link}", action=Open.ANYBODY)
def show_link(request: Request) -> Response:
    """Show the form that sets a password; opening it uses nothing up, for mail scanners and previews open links too."""
    is_open = desk_of(request).link_is_open(request.path_params["link"])
    return render(request, "web/sign_in_link.html", LinkPage(is_open, SHORTEST), status=200 if is_open else 403)


@page("/sign-in/link/{link}", action=Open.ANYBODY, methods=("POST",))
def use_link(request: Request) -> Response:
    """Set the password and sign in."""
    desk, form, link = desk_of(request), form_of(request), request.path_params["link"]
    try:
        done = desk.use_link(link, _new_password(form), cookie=_session(request), agent=_agent(request))
    except (Invalid, Denied) as error:
        context = LinkPage(desk.link_is_open(link), SHORTEST, error.message, error.hint or "")
        return render(request, "web/sign_in_link.html", context, status=403)
    return _entered(request, done)


@page("/sign-out", action=Open.ANYBODY, methods=("POST",))
def sign_out(request: Request) -> Response:
    """End the session here, then at the provider."""
    response = RedirectResponse(desk_of(request).sign_out(_session(request)), 303)
    Cookies(site_of(request).is_https).drop(response, "session")
    response.headers["clear-site-data"] = '"cache", "storage"'
    return response


@page("/signed-out", action=Open.ANYBODY)
def signed_out(request: Request) -> Response:
    """Say that nobody is signed in any more."""
    return render(request, "web/signed_out.html", SignedOutPage())


@page("/sign-out/provider/{provider}", action=Open.ANYBODY, methods=("POST",), has_token=False)
async def hear_sign_out(request: Request) -> Response:
    """Take a provider's logout token (OpenID Connect Back-Channel Logout 1.0): the token itself is the proof."""
    from starlette.concurrency import run_in_threadpool  # the only page that waits for a body and for the store

    form = await request.form(max_files=0, max_fields=10)
    token = form.get("logout_token")
    desk, provider = desk_of(request), request.path_params["provider"]
    try:
        await run_in_threadpool(desk.hear_sign_out, provider, token if isinstance(token, str) else None)
    except Denied as error:
        raise Invalid(error.message) from error  # the standard asks for 400
    return PlainTextResponse("", 200)


PAGES: Sequence[Page] = (
    sign_in,
    try_password,
    send_away,
    come_back,
    show_link,
    use_link,
    sign_out,
    signed_out,
    hear_sign_out,
)
"""The pages of this module, for `web.app.application`."""


def _page(desk: SignInDesk, target: str | None, error: Denied | None = None) -> SignInPage:
    problem, hint = (error.message, error.hint or "") if error else ("", "")
    return SignInPage(desk.choices(), desk.identity.has_local_account(), safe_target(target), problem, hint)


def _entered(request: Request, done: SignedIn) -> Response:
    response, cookies = RedirectResponse(done.target, 303), Cookies(site_of(request).is_https)
    cookies.put(response, "session", done.cookie.get_secret_value())
    cookies.drop(response, _BROWSER)
    cookies.drop(response, "form")  # the mark of before belongs to nobody's session
    return response


def _new_password(form: Mapping[str, str]) -> str:
    password = form.get("password", "")
    if password != form.get("again", ""):
        raise Invalid(said("the two passwords are not the same"), hint=said("type the same one twice"))
    return password


def _session(request: Request) -> str | None:
    return cookie_in(request.scope, Cookies(site_of(request).is_https).name("session"))


def _agent(request: Request) -> str:
    return request.headers.get("user-agent", "")
