"""Files that pages load: style, the one script, pictures. Each is served under the digest of its bytes: a browser may keep it."""

from __future__ import annotations

import hashlib
import mimetypes
from functools import cache
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response

from polyceph.core.model.sentence import said
from polyceph.errors import NotFound
from polyceph.web.pages import Open, page

FOLDER = Path(__file__).parent / "static"


@cache
def _file(name: str) -> tuple[bytes, str, str]:
    """Return bytes, digest and kind of a file of the folder."""
    known = {path.name: path for path in FOLDER.iterdir() if path.is_file()}
    if name not in known:
        raise NotFound(said("there is no file {name}", name=name))
    content = known[name].read_bytes()
    return content, hashlib.sha256(content).hexdigest()[:16], mimetypes.guess_type(name)[0] or "application/octet-stream"


def static_path(name: str) -> str:
    """Return the path of a file, with the digest of what it holds now."""
    return f"/static/{_file(name)[1]}/{name}"


@page("/static/{digest}/{name}", action=Open.ANYBODY)
def static_file(request: Request) -> Response:
    """Serve a file under the digest it has."""
    content, digest, kind = _file(request.path_params["name"])
    if digest != request.path_params["digest"]:
        raise NotFound(said("this file has changed"), hint=said("load the page again"))
    return Response(content, media_type=kind, headers={"cache-control": "public, max-age=31536000, immutable"})
