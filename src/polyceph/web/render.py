"""Templates into answers: `render(request, "portal/home.html", HomePage(...))`. Each package keeps its own `templates` folder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FunctionLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from polyceph.core.model.access import Standing
from polyceph.web import csrf
from polyceph.web.cookies import Cookies
from polyceph.web.languages import LANGUAGES, Language, language, language_of
from polyceph.web.principal import cookie_in
from polyceph.web.scope import principal_of, request_id, site_of
from polyceph.web.sentences import told_in_markup
from polyceph.web.static import static_path
from polyceph.web.words import word

_PACKAGES = Path(__file__).parents[1]
THEMES = ("auto", "light", "dark")
_YEAR = 365 * 24 * 3600


@dataclass(frozen=True)
class Link:
    """A link of the main navigation; `text` is English."""

    path: str
    text: str


@dataclass(frozen=True)
class Layout:
    """What every page shows around its own content."""

    federation: str
    language: str
    languages: Sequence[tuple[str, str]]
    theme: str
    person: str
    is_signed_in: bool
    links: Sequence[Link]
    path: str
    here: str
    """Path and query: where a change of language or theme comes back to."""
    form_token: str
    request: str


def render(request: Request, template: str, context: object, *, status: int = 200) -> Response:
    """Return the page of a template with its context, a frozen dataclass that the template sees as `page`."""
    cookies = Cookies(site_of(request).is_https)
    spoken = language_of(request, cookies)
    layout = _layout(request, cookies, spoken)
    text = environment(spoken.code).get_template(template).render(page=context, layout=layout, now=site_of(request).now())
    response = HTMLResponse(text, status, headers={"content-language": spoken.code, "vary": "Accept-Language, Cookie"})
    if cookie_in(request.scope, cookies.name(csrf.PURPOSE)) is None:
        cookies.put(response, csrf.PURPOSE, csrf.browser_mark(request, cookies), same_site="lax")
    return response


@cache
def environment(code: str) -> Environment:
    """Return the templates in one language. An unknown name in a template is an error, never an empty text."""
    spoken = language(code)
    made = Environment(
        loader=FunctionLoader(_source),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n"],
    )
    translations: Any = spoken.translations
    made.install_gettext_translations(translations, newstyle=True)  # type: ignore[attr-defined]
    made.filters.update(
        number=spoken.number, moment=spoken.moment, day=spoken.day, pick=spoken.pick, word=lambda value: word(spoken, value)
    )
    made.filters.update(ago=spoken.ago, size=spoken.size, told=lambda text: told_in_markup(spoken, text))
    made.globals["static"] = static_path
    return made


def _layout(request: Request, cookies: Cookies, spoken: Language) -> Layout:
    site, who = site_of(request), principal_of(request)
    theme = cookie_in(request.scope, cookies.name("theme")) or THEMES[0]
    is_signed_in = who.standing is Standing.ACTIVE
    query = f"?{request.url.query}" if request.url.query else ""
    return Layout(
        federation=spoken.pick(site.title()),
        language=spoken.code,
        languages=tuple(LANGUAGES.items()),
        theme=theme if theme in THEMES else THEMES[0],
        person=who.name or who.actor.id if is_signed_in else "",
        is_signed_in=is_signed_in,
        links=[Link(path, text) for path, text in request.scope.get("polyceph.links", ())] if is_signed_in else [],
        path=request.url.path,
        here=request.url.path + query if request.method == "GET" else "/",
        form_token=csrf.token(request, cookies),
        request=request_id(request.scope),
    )


def _source(name: str) -> tuple[str, str, Any] | None:
    package, _, rest = name.partition("/")
    file = _PACKAGES / package / "templates" / rest
    if not package.isidentifier() or not file.is_file():
        return None
    written = file.stat().st_mtime
    return file.read_text(encoding="utf-8"), str(file), lambda: file.stat().st_mtime == written
