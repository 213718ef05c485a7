"""Language and theme: two forms in the foot of every page, kept in a cookie of this browser, whoever is signed in."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from polyceph.core.model.sentence import said
from polyceph.errors import Invalid
from polyceph.web.cookies import Cookies
from polyceph.web.languages import LANGUAGES
from polyceph.web.pages import Open, form_of, is_local, page
from polyceph.web.render import THEMES
from polyceph.web.scope import site_of

_YEAR = 365 * 24 * 3600


@page("/preferences", action=Open.ANYBODY, methods=("POST",))
def preferences(request: Request) -> Response:
    """Keep a choice and go back to where it was made."""
    form = form_of(request)
    back = form.get("back", "/")
    response = RedirectResponse(back if is_local(back) else "/", 303)
    cookies, chosen = Cookies(site_of(request).is_https), False
    for purpose, good in (("language", tuple(LANGUAGES)), ("theme", THEMES)):
        if form.get(purpose) in good:
            cookies.put(response, purpose, form[purpose], seconds=_YEAR)
            chosen = True
    if not chosen:
        hint = said("languages: {languages}; themes: {themes}", languages=", ".join(LANGUAGES), themes=", ".join(THEMES))
        raise Invalid(said("nothing of what was chosen is on offer"), hint=hint)
    return response
