"""What authors of Python assets have besides the lake: sources, tokens, a language model. `phonex` is in `polyceph.sdk`."""

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dagster as dg
from pydantic import PrivateAttr

from polyceph.bootstrap.domain import connector_of, current_domain, source_of
from polyceph.core.source_ports import Explorer, SourceTable
from polyceph.errors import Denied, Invalid, Misconfigured, Unavailable
from polyceph.orchestrate.resources import Rows
from polyceph.sdk import secret

if TYPE_CHECKING:
    from openai import OpenAI

_ROWS = 100_000


class Sources(dg.ConfigurableResource[Any]):
    """The domain's declared sources, each read through its connector: a database, an API, files alike.

    ```python
    @dg.asset(key=["education", "bronze", "vacancies"])
    def vacancies(sources: Sources, lake: Lake) -> dg.MaterializeResult:
        found = sources.read("jobs", path="vacancies", records="items").to_polars()
        return lake.replace("bronze.vacancies", found)
    ```

    What has a contract is loaded by an `Ingest`, exactly once and checked; this is for looking, and for what never becomes a dataset.
    """

    def tables(self, source: str) -> list[SourceTable]:
        """Return what a source offers, with the options that read it."""
        return list(_explorer(source).tables())

    def read(self, source: str, *, rows: int = _ROWS, **options: Any) -> Rows:
        """Return at most so many rows of what the connector's options name.

        Raises:
            NotFound: the source is not declared, or has no such table.
            Denied, Unavailable, Misconfigured: it may not be read, does not answer, or a secret is not set.
        """
        import pyarrow as pa  # 50 MB that only a run needs

        with tempfile.TemporaryDirectory(prefix="polyceph-read-") as workspace:
            sample = _explorer(source).sample(options, rows=rows, workspace=Path(workspace))
            return Rows(pa.RecordBatchReader.from_stream(sample.rows).read_all())


def _explorer(source: str) -> Explorer:
    runtime = current_domain()
    connector: Any = connector_of(runtime, source)
    if not hasattr(connector, "sample"):
        kind = source_of(runtime, source).connector
        raise Misconfigured(f"connector {kind} cannot be read outside an Ingest", hint="its author has to add tables() and sample()")
    explorer: Explorer = connector
    return explorer


class OAuth2(dg.ConfigurableResource[Any]):
    """Access tokens of OAuth 2.0 for your own calls: client credentials, or a refresh token where one is named.

    ```python
    oauth = OAuth2(token_url="https://login.example.org/token", client_id="polyceph", client_secret_env="JOBS_SECRET")
    answer = httpx.get("https://jobs.example.org/api", headers=oauth.headers())
    ```

    A token is kept until shortly before it ends. What a connector `rest` can do needs none of this: its `auth` does the same.
    """

    token_url: str
    client_id: str
    client_secret_env: str
    """Name of the variable that holds the client's secret."""
    scope: str | None = None
    audience: str | None = None
    refresh_token_env: str | None = None
    client_in: str = "header"
    """Where the client shows its secret: `header` or `body`."""
    _client: Any = PrivateAttr(default=None)

    def token(self) -> str:
        """Return a valid access token: hand it to a request, never to a log.

        Raises:
            Misconfigured: a secret is not set, or the provider does not accept the client.
            Unavailable: the provider does not answer.
        """
        if self._client is None:
            from polyceph.bootstrap.web import token_client  # httpx and its friends: only what asks needs them

            names = ("token_url", "client_id", "client_secret_env", "scope", "audience", "refresh_token_env", "client_in")
            self._client = token_client({name: getattr(self, name) for name in names})
        return str(self._client.token().get_secret_value())

    def headers(self) -> dict[str, str]:
        """Return the header that shows the token (RFC 6750)."""
        return {"Authorization": f"Bearer {self.token()}"}


class LanguageModel(dg.ConfigurableResource[Any]):
    """A language model behind an OpenAI-compatible address: of a provider, or of a server in the house (vLLM, Ollama, llama.cpp).

    ```python
    model = LanguageModel(url="http://127.0.0.1:11434/v1", model="mistral")
    label = model.ask("Answer yes or no: is this an address?", text)
    ```

    Nothing of the answer or the question is logged. What is sent leaves the domain: send no personal data to a model outside the house.
    """

    url: str
    model: str
    key_env: str | None = None
    """Name of the variable that holds the key; none for a server that asks for none."""
    timeout_s: float = 60.0

    def ask(self, instruction: str, text: str = "", *, temperature: float = 0.0) -> str:
        """Return the model's answer to an instruction about a text.

        Raises:
            Denied: the key is refused.
            Invalid: the model refuses the question, too long for instance.
            Unavailable: it does not answer.
        """
        messages: Any = [{"role": "system", "content": instruction}, {"role": "user", "content": text or instruction}]
        answer = self._asked(lambda client: client.chat.completions.create(model=self.model, messages=messages, temperature=temperature))
        return str(answer.choices[0].message.content or "")

    def embed(self, texts: Sequence[str]) -> list[list[float]]:
        """Return one vector for each text; raises like `ask`."""
        if not texts:
            return []
        answer = self._asked(lambda client: client.embeddings.create(model=self.model, input=list(texts), encoding_format="float"))
        return [list(one.embedding) for one in sorted(answer.data, key=lambda one: one.index)]

    def _asked(self, question: Any) -> Any:
        client = self._client()
        import openai

        try:
            return question(client)
        except (openai.AuthenticationError, openai.PermissionDeniedError):
            raise Denied(f"the model at {self.url} refuses the key", hint=f"check {self.key_env or 'key_env'}") from None
        except (openai.APIConnectionError, openai.RateLimitError, openai.InternalServerError) as error:
            raise Unavailable(f"the model at {self.url} does not answer ({type(error).__name__})", hint="try later") from None
        except openai.APIStatusError as error:  # its text may quote the question
            raise Invalid(
                f"the model at {self.url} answers with status {error.status_code}", hint="check its name and the length"
            ) from None
        finally:
            client.close()

    def _client(self) -> "OpenAI":
        try:
            from openai import OpenAI  # the extra `model`
        except ImportError as error:
            raise Misconfigured("the library of language models is not installed", hint="install polyceph[model]") from error
        key = secret(self.key_env).get_secret_value() if self.key_env else "none"
        return OpenAI(base_url=self.url, api_key=key, timeout=self.timeout_s, max_retries=2)
