"""The reviewed classification of every route of Dagster's webserver, and the one decision about a path, however it is written."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum

from starlette.routing import BaseRoute, Mount, Route, WebSocketRoute

from polyceph.errors import Misconfigured

PREFIX = "/dagster"


class Access(StrEnum):
    """What a route needs."""

    PAGE = "page"
    """Somebody with a role: `platform.view`."""
    FIELDS = "fields"
    """The same, and each field is decided for itself."""
    RUN_LOGS = "run.logs"
    """The right to the logs of the run that the path names."""
    CLOSED = "closed"
    """Nobody; what would change something is recorded as refused."""


ROUTES: Mapping[str, tuple[Access, str]] = {
    "/server_info": (Access.CLOSED, "tells releases to whoever looks for holes"),
    "/dagit_info": (Access.CLOSED, "tells releases to whoever looks for holes"),
    "/graphql": (Access.FIELDS, "POST of JSON, GET of queries, websocket of subscriptions"),
    "/logs/{path:path}": (Access.RUN_LOGS, "output of a step of a run"),
    "/notebook": (Access.CLOSED, "reads any path that a code server reads"),
    "/dagit/notebook": (Access.CLOSED, "reads any path that a code server reads"),
    "/download_debug/{run_id:str}": (Access.RUN_LOGS, "the whole log of a run"),
    "/report_asset_materialization/{asset_key:path}": (Access.CLOSED, "polyceph records what is made"),
    "/report_asset_check/{asset_key:path}": (Access.CLOSED, "polyceph records what is checked"),
    "/report_asset_observation/{asset_key:path}": (Access.CLOSED, "polyceph records what is observed"),
    "/{path:path}": (Access.PAGE, "Dagster's page, the same for everybody"),
    "/": (Access.PAGE, "Dagster's page, the same for everybody"),
}
STATIC = frozenset({
    "/404.html", "/Dagster_world.mp4", "/_next", "/csp-header.txt", "/favicon-run-failed.svg", "/favicon-run-pending.svg",
    "/favicon-run-success.svg", "/favicon.ico", "/favicon.png", "/favicon.svg", "/index.html", "/manifest.json", "/robots.txt", "/vendor",
})  # fmt: skip
"""Files of Dagster's page, the same for everybody: they need a role too."""
_SUSPECT = ("\\", "\0", "//", "/./", "/../", ";", "%")
"""What no path of Dagster has once it is decoded: a path with it is refused before any route is looked for."""


def check_routes(routes: Iterable[BaseRoute]) -> None:
    """Refuse to start when the webserver has a route that is not classified, or lacks one that is.

    Raises:
        Misconfigured: it names the routes.
    """
    found = {path for route in routes if (path := path_of(route)) is not None}
    known = ROUTES.keys() | STATIC
    if found != known:
        said = [f"not classified: {', '.join(sorted(found - known))}", f"does not exist: {', '.join(sorted(known - found))}"]
        raise Misconfigured(f"the classification of Dagster's routes does not fit: {'; '.join(said)}", hint="mend gateway/routes.py")


def path_of(route: BaseRoute) -> str | None:
    """Return the path of a route."""
    return route.path if isinstance(route, Route | WebSocketRoute | Mount) else None


def access_of(path: str) -> Access | None:
    """Return what the path needs, None when it is written in a way that no page of Dagster writes it.

    `path` is decoded once, as the server hands it over, and carries the prefix.
    """
    if not path.startswith(PREFIX) or path[len(PREFIX) :][:1] not in {"", "/"}:
        return None
    rest = path[len(PREFIX) :] or "/"
    whole = rest if rest.endswith("/") else f"{rest}/"
    if any(one in whole for one in _SUSPECT) or any(ord(one) < ord(" ") for one in rest):
        return None
    first = "/" + rest.split("/")[1]
    for route, (access, _) in ROUTES.items():
        named = route.split("{")[0].rstrip("/") or "/"
        if named == "/":
            continue
        if rest.lower().rstrip("/") == named.lower() or (route != named and rest.lower().startswith(f"{named.lower()}/")):
            return access if rest.startswith(named) else Access.CLOSED
    return Access.CLOSED if first.lower() in {"/logs", "/download_debug", "/graphql"} and first != first.lower() else Access.PAGE
