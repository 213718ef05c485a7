"""Secrets of a HashiCorp Vault or OpenBao: one document of a key/value engine, version 2, read at each use so that rotation works."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from polyceph.sdk import Denied, Misconfigured, Unavailable


class HashiCorpVault:
    """Reads the document `VAULT_PATH` (`mount/path`) of the vault at `VAULT_ADDR`; its keys are the secrets' names.

    Signs in with `VAULT_ROLE_ID` and `VAULT_SECRET_ID` (AppRole), else with `VAULT_TOKEN`; `VAULT_NAMESPACE` and `VAULT_CACERT`
    where they are needed. The names are the vault's own.
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment
        mount, slash, path = environment.get("VAULT_PATH", "").strip("/").partition("/")
        if not environment.get("VAULT_ADDR") or not slash:
            raise Misconfigured("the vault is not named", hint="set VAULT_ADDR to its address and VAULT_PATH to mount/path of the document")
        self._mount, self._path = mount, path

    def get(self, name: str) -> str | None:
        """Return a secret, None when the document has no such key.

        Raises:
            Denied: the vault does not let this domain in, or not read the document.
            Unavailable: it does not answer.
        """
        value = self._document().get(name)
        return None if value is None else str(value)

    def _document(self) -> Mapping[str, Any]:
        try:
            import hvac  # the extra `vault`
            from hvac import exceptions
            from requests.exceptions import RequestException
        except ImportError as error:
            raise Misconfigured("the library of the vault is not installed", hint="install polyceph[vault]") from error
        try:
            client = hvac.Client(
                url=self._environment["VAULT_ADDR"],
                namespace=self._environment.get("VAULT_NAMESPACE") or None,
                verify=self._environment.get("VAULT_CACERT") or True,
                timeout=10,
            )
            self._sign_in(client)
            answer = client.secrets.kv.v2.read_secret_version(path=self._path, mount_point=self._mount, raise_on_deleted_version=True)
        except (exceptions.Forbidden, exceptions.Unauthorized, exceptions.InvalidRequest):
            hint = "check the role or token of this domain and its policy"
            raise Denied(f"the vault does not let this domain read {self._mount}/{self._path}", hint=hint) from None
        except exceptions.InvalidPath:
            raise Misconfigured(f"the vault has no document {self._mount}/{self._path}", hint="check VAULT_PATH") from None
        except (exceptions.VaultError, RequestException) as error:
            # Their texts may hold addresses with tokens.
            raise Unavailable(f"the vault does not answer ({type(error).__name__})", hint="check VAULT_ADDR and the network") from None
        found: Mapping[str, Any] = answer["data"]["data"]
        return found

    def _sign_in(self, client: Any) -> None:
        role, word = self._environment.get("VAULT_ROLE_ID"), self._environment.get("VAULT_SECRET_ID")
        if role and word:
            client.auth.approle.login(role_id=role, secret_id=word)
        elif self._environment.get("VAULT_TOKEN"):
            client.token = self._environment["VAULT_TOKEN"]
        else:
            raise Misconfigured("nothing to enter the vault with", hint="set VAULT_ROLE_ID and VAULT_SECRET_ID, or VAULT_TOKEN")
