"""What authors of Python assets have besides the lake. The language model is a fake: it speaks the protocol, it does not think."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from polyceph.errors import Denied, Invalid, Misconfigured, Unavailable
from polyceph.orchestrate.library import LanguageModel, OAuth2


class FakeModel(BaseHTTPRequestHandler):
    """Chat completions and embeddings as https://platform.openai.com/docs/api-reference describes them."""

    def do_POST(self) -> None:
        given = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        status, answer = self._answer(given)
        text = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def _answer(self, given: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        if self.headers.get("Authorization") == "Bearer wrong-canary":
            return 401, {"error": {"message": "Incorrect API key provided: wrong-canary", "type": "x"}}
        if self.path == "/v1/embeddings":
            data = [{"object": "embedding", "index": i, "embedding": [float(len(t)), 1.0]} for i, t in enumerate(given["input"])]
            return 200, {"object": "list", "model": given["model"], "data": data[::-1], "usage": {"prompt_tokens": 1, "total_tokens": 1}}
        said = given["messages"][-1]["content"]
        if len(said) > 100:
            return 400, {"error": {"message": f"too long: {said}", "type": "x"}}
        choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": said.upper()}}
        return 200, {"id": "1", "object": "chat.completion", "created": 1, "model": given["model"], "choices": [choice]}

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def url() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), FakeModel)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/v1"
    server.shutdown()
    server.server_close()


class FakeProvider(BaseHTTPRequestHandler):
    """A token endpoint as RFC 6749 describes it (4.4, 5.1, 5.2). It counts the tokens it gives; each lives for `lives_s`."""

    given = 0
    lives_s = 3600

    def do_POST(self) -> None:
        form = self.rfile.read(int(self.headers["Content-Length"])).decode()
        is_known = self.headers.get("Authorization") == "Basic dXM6Y2FuYXJ5LTE=" and "grant_type=client_credentials" in form
        FakeProvider.given += is_known
        answer = (
            {"access_token": f"t{self.given}", "token_type": "Bearer", "expires_in": self.lives_s}
            if is_known
            else {"error": "invalid_client"}
        )
        text = json.dumps(answer).encode()
        self.send_response(200 if is_known else 401)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def test_a_token_is_kept_until_it_ends_and_a_refusal_quotes_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    FakeProvider.given = 0
    server = ThreadingHTTPServer(("127.0.0.1", 0), FakeProvider)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}/token"
    monkeypatch.setenv("CLIENT_SECRET", "canary-1")
    oauth = OAuth2(token_url=url, client_id="us", client_secret_env="CLIENT_SECRET")
    assert [oauth.headers(), oauth.headers()] == [{"Authorization": "Bearer t1"}] * 2
    monkeypatch.setenv("CLIENT_SECRET", "canary-2")
    with pytest.raises(Misconfigured) as caught:
        OAuth2(token_url=url, client_id="us", client_secret_env="CLIENT_SECRET").token()
    assert "canary" not in str(caught.value)
    server.shutdown()
    server.server_close()


def test_a_model_answers_and_embeds_in_order(url: str) -> None:
    model = LanguageModel(url=url, model="small")
    assert model.ask("Repeat loudly.", "bonjour") == "BONJOUR"
    assert model.embed(["a", "abc"]) == [[1.0, 1.0], [3.0, 1.0]]
    assert model.embed([]) == []


def test_refusals_quote_neither_key_nor_question(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODEL_KEY", "wrong-canary")
    with pytest.raises(Denied) as denied:
        LanguageModel(url=url, model="small", key_env="MODEL_KEY").ask("x")
    assert "canary" not in str(denied.value)
    with pytest.raises(Invalid) as invalid:
        LanguageModel(url=url, model="small").ask("x", "canary " * 30)
    assert "canary" not in str(invalid.value)
    with pytest.raises(Unavailable):
        LanguageModel(url="http://127.0.0.1:1/v1", model="small", timeout_s=1).ask("x")
    monkeypatch.delenv("MODEL_KEY")
    with pytest.raises(Misconfigured, match="secret MODEL_KEY is not set"):
        LanguageModel(url=url, model="small", key_env="MODEL_KEY").ask("x")
