"""What receives the platform's messages: mail over SMTP, a Teams webhook, an ntfy topic. Each keeps what it gets in `received/`.

Documentation followed: RFC 5321 and RFC 4954 (SMTP with authentication), Microsoft's page on Teams workflows that start from a webhook
(a message with Adaptive Cards, at most 28 KB, answered 202), ntfy's pages "Publishing" (PUT or POST to a topic, or JSON to the root; at
most 4,096 bytes) and "Subscribe via API" (`<topic>/json?poll=1`). Everything received can be asked for at `/-/received/<channel>` too.
"""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response

from polyceph.errors import Invalid
from polyceph.testing.federation.servers.addresses import HOST, Remembered, SourceAddress
from polyceph.testing.federation.servers.tokens import Client, basic, bearer, equal
from polyceph.testing.federation.servers.web import read_body, read_json

MAIL, TEAMS, NTFY = "mail", "teams", "ntfy"
CHANNELS = (MAIL, TEAMS, NTFY)
_CARD = "application/vnd.microsoft.card.adaptive"
_LARGEST_CARD, _LONGEST_NTFY, _LARGEST_MAIL = 28 * 1024, 4_096, 10 << 20
_PRIORITIES = {"min": 1, "low": 2, "default": 3, "high": 4, "urgent": 5, "max": 5}
_KEPT_SECONDS = 12 * 3600


@dataclass
class Kept:
    """The messages of one channel, oldest first: files whose names rise."""

    folder: Path
    ending: str
    lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, content: bytes) -> None:
        """Keep a message."""
        with self.lock:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            path = self.folder / f"{len(self.paths()) + 1:06d}.{self.ending}"
            with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as out:  # noqa: PTH123
                out.write(content)

    def paths(self) -> list[Path]:
        """Return the messages' files."""
        return sorted(self.folder.glob(f"*.{self.ending}"))

    def messages(self) -> list[dict[str, Any]]:
        """Return the messages; of a mail its headers, text and recipients."""
        return [_as_json(path.read_bytes(), self.ending) for path in self.paths()]


class Receivers:
    """All three receivers. SMTP has a port of its own; the others are answered by the HTTP server."""

    def __init__(self, folder: Path, remembered: Remembered) -> None:
        self._remembered = remembered
        self.kept = {name: Kept(folder / name, "eml" if name == MAIL else "json") for name in CHANNELS}
        self._mail = Client("polyceph", remembered.word(MAIL))
        self._webhook = remembered.word(TEAMS)
        self._topics = Client("polyceph", f"tk_{remembered.word(NTFY)}")
        self._port = 0
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Listen for mail."""
        self._port = self._remembered.port(MAIL)
        self._server = await asyncio.get_running_loop().create_server(self._smtp, HOST, self._port)

    async def sync(self) -> dict[str, SourceAddress]:
        """Return nothing: receivers are no sources. Their addresses are in `addresses`."""
        return {}

    async def stop(self) -> None:
        """Stop listening."""
        if self._server is not None:
            self._server.close()

    def addresses(self, url: str) -> dict[str, SourceAddress]:
        """Return the addresses by channel; `url` is that of the HTTP server."""
        mail = {"HOST": HOST, "PORT": str(self._port), "USER": self._mail.id, "PASSWORD": self._mail.secret}
        return {
            MAIL: SourceAddress("smtp", mail),
            TEAMS: SourceAddress(TEAMS, {"URL": f"{url}/{TEAMS}/workflows/{self._webhook}/triggers/manual/paths/invoke"}),
            NTFY: SourceAddress(NTFY, {"URL": f"{url}/{NTFY}", "TOKEN": self._topics.secret, "USER": self._topics.id}),
        }

    async def teams(self, request: Request) -> Response:
        """Take a message with an Adaptive Card at the webhook, whose address is its secret."""
        parts = request.url.path.strip("/").split("/")
        if request.method != "POST" or len(parts) < 3 or parts[1] != "workflows" or not equal(parts[2], self._webhook):
            return _teams_error(404, "WorkflowNotFound", "The workflow could not be found.")
        try:
            message = await read_json(request, _LARGEST_CARD)
        except Invalid as error:
            return _teams_error(400, "InvalidRequestContent", error.message)
        cards = message.get("attachments")
        if message.get("type") != "message" or not isinstance(cards, list) or not cards or not all(map(_is_card, cards)):
            return _teams_error(400, "TriggerInputSchemaMismatch", f"A message has attachments of the type {_CARD}.")
        self.kept[TEAMS].add(_json(message))
        return Response(status_code=202)

    async def ntfy(self, request: Request) -> Response:
        """Take a message for a topic, or show a topic's messages."""
        if not (equal(bearer(request) or "", self._topics.secret) or self._topics.is_(basic(request))):
            return JSONResponse({"code": 40101, "http": 401, "error": "unauthorized"}, 401)
        parts = [part for part in request.url.path.strip("/").split("/")[1:] if part]
        if request.method == "GET" and len(parts) == 2 and parts[1] == "json" and request.query_params.get("poll") == "1":
            lines = (json.dumps(one, ensure_ascii=False) + "\n" for one in self.kept[NTFY].messages() if one["topic"] == parts[0])
            return PlainTextResponse("".join(lines), media_type="application/x-ndjson")
        if request.method not in ("POST", "PUT") or len(parts) > 1:
            return JSONResponse({"code": 40401, "http": 404, "error": "page not found"}, 404)
        try:
            message = await _ntfy_message(request, parts[0] if parts else None)
        except Invalid as error:
            return JSONResponse({"code": 40001, "http": 400, "error": error.message}, 400)
        self.kept[NTFY].add(_json(message))
        return JSONResponse(message)

    def _smtp(self) -> SMTP:
        def check(server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: object) -> AuthResult:  # noqa: ARG001
            good = isinstance(data, LoginPassword) and self._mail.is_(
                (data.login.decode(errors="replace"), data.password.decode(errors="replace"))
            )
            return AuthResult(success=good, handled=False)

        # Loopback only: there is no certificate to speak TLS with, and nobody in between.
        return SMTP(
            self,
            data_size_limit=_LARGEST_MAIL,
            enable_SMTPUTF8=True,
            auth_required=True,
            auth_require_tls=False,
            authenticator=check,
            hostname="mail.federation.example",
            ident="SMTP of the synthetic federation",
        )

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: ARG002, N802 -- the library's name
        """Keep a mail, with its real recipients in a header of its own."""
        content = envelope.content if isinstance(envelope.content, bytes) else (envelope.content or "").encode()
        recipients = ", ".join(one.replace("\n", "") for one in envelope.rcpt_tos)
        await asyncio.to_thread(self.kept[MAIL].add, f"X-Envelope-To: {recipients}\r\n".encode() + content)
        return "250 OK"


async def _ntfy_message(request: Request, topic: str | None) -> dict[str, Any]:
    """Return the message of a request as ntfy shows it: a topic's path with headers, or JSON that names its topic."""
    if topic is None:
        given = await read_json(request, _LONGEST_NTFY)
        topic = str(given.get("topic", ""))
    else:
        body = (await read_body(request, _LONGEST_NTFY)).decode(errors="replace")
        given = {"message": body} | {name: value for name in ("title", "priority", "tags", "click") if (value := _parameter(request, name))}
    if not topic.replace("-", "").replace("_", "").isalnum() or len(topic) > 64:
        raise Invalid("invalid request: topic invalid")
    now = int(time.time())
    message = {"id": secrets.token_urlsafe(9), "time": now, "expires": now + _KEPT_SECONDS, "event": "message", "topic": topic}
    shown = {name: given[name] for name in ("title", "click") if given.get(name)}
    tags = given.get("tags")
    if tags:
        shown["tags"] = tags if isinstance(tags, list) else [one.strip() for one in str(tags).split(",")]
    if given.get("priority"):
        shown["priority"] = _priority(str(given["priority"]))
    return message | shown | {"message": given.get("message") or "triggered"}


def _parameter(request: Request, name: str) -> str | None:
    """Return a header of ntfy's, also by its longer name and as a parameter of the address."""
    found = request.headers.get(name) or request.headers.get(f"x-{name}") or request.query_params.get(name)
    # Headers are Latin-1 on the wire; ntfy's clients send UTF-8 in them.
    return found.encode("latin-1", errors="replace").decode("utf-8", errors="replace") if found else None


def _priority(text: str) -> int:
    found = _PRIORITIES.get(text.lower()) or (int(text) if text in "12345" else 0)
    if not found:
        raise Invalid("invalid request: priority invalid")
    return found


def _is_card(attachment: object) -> bool:
    if not isinstance(attachment, dict) or attachment.get("contentType") != _CARD:
        return False
    card = attachment.get("content")
    return isinstance(card, dict) and card.get("type") == "AdaptiveCard" and isinstance(card.get("body"), list) and "version" in card


def _teams_error(status: int, code: str, message: str) -> Response:
    return JSONResponse({"error": {"code": code, "message": message}}, status)


def _json(message: Mapping[str, Any]) -> bytes:
    return (json.dumps(message, ensure_ascii=False, indent=1) + "\n").encode()


def _as_json(content: bytes, ending: str) -> dict[str, Any]:
    if ending == "json":
        found: dict[str, Any] = json.loads(content)
        return found
    mail = message_from_bytes(content, policy=policy.default)
    body = mail.get_body(("plain", "html"))
    headers = {name.lower().replace("-", "_"): str(mail[name]) for name in ("From", "To", "Subject", "Date", "X-Envelope-To") if mail[name]}
    return headers | {"text": body.get_content() if body is not None else ""}
