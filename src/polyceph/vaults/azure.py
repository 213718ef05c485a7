"""Secrets of an Azure Key Vault, read at each use so that rotation works."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from polyceph.sdk import Denied, Misconfigured, Unavailable


class AzureKeyVault:
    """Reads secrets of the vault at `AZURE_KEYVAULT_URL`; a name's underscores are hyphens there, for Azure allows no underscore.

    Signs in as Azure's own libraries do: managed identity, workload identity, or `AZURE_CLIENT_ID`, `AZURE_TENANT_ID` and
    `AZURE_CLIENT_SECRET`. `AZURE_CA_BUNDLE` names another authority.
    """

    def __init__(self, environment: Mapping[str, str], credential: Any = None) -> None:
        url = environment.get("AZURE_KEYVAULT_URL", "")
        if not url.startswith("https://"):
            raise Misconfigured("the key vault is not named", hint="set AZURE_KEYVAULT_URL to https://NAME.vault.azure.net")
        self._url, self._authority, self._credential = url, environment.get("AZURE_CA_BUNDLE"), credential

    def get(self, name: str) -> str | None:
        """Return a secret, None when the vault has none of this name.

        Raises:
            Denied: the identity may not read it.
            Unavailable: vault or identity does not answer.
        """
        try:
            from azure.core import exceptions  # the extra `vault`
        except ImportError as error:
            raise Misconfigured("the library of the key vault is not installed", hint="install polyceph[vault]") from error
        try:
            with self._client() as client:
                value: str | None = client.get_secret(name.replace("_", "-")).value
        except exceptions.ResourceNotFoundError:
            return None
        except exceptions.ClientAuthenticationError:
            raise Denied("the key vault does not accept this domain's identity", hint="check the identity of its process") from None
        except exceptions.HttpResponseError as error:
            if error.status_code in (401, 403):
                raise Denied(f"the identity may not read {name} in the key vault", hint="give it the right to get secrets") from None
            raise Unavailable(f"the key vault answers with status {error.status_code}", hint="try later") from None
        except exceptions.AzureError as error:
            raise Unavailable(f"the key vault does not answer ({type(error).__name__})", hint="check AZURE_KEYVAULT_URL") from None
        except ValueError as error:  # the library's own check that a challenge comes from where the vault is
            raise Denied("the key vault is not what it says it is", hint="check AZURE_KEYVAULT_URL") from error
        return value

    def _client(self) -> Any:
        from azure.identity import DefaultAzureCredential
        from azure.keyvault.secrets import SecretClient

        more: dict[str, Any] = {"connection_verify": self._authority} if self._authority else {}
        credential = self._credential or DefaultAzureCredential(exclude_interactive_browser_credential=True)
        return SecretClient(self._url, credential, retry_total=2, connection_timeout=10, read_timeout=10, **more)
