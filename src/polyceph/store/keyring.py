"""A domain's secrets in one encrypted file, for a machine without a vault: names and values, readable with the passphrase only.

The key is made from the passphrase by scrypt (RFC 7914) and the content sealed by Fernet (AES-128-CBC with HMAC-SHA256), so a file that
was changed or another passphrase is refused. The passphrase comes from whoever starts the platform, never from this folder.
"""

from __future__ import annotations

import base64
import json
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt
from pydantic import SecretStr

from polyceph.errors import Invalid, Misconfigured, NotFound
from polyceph.store.private_file import locked, read_private, write_private

_FORMAT = "polyceph-keyring-1"
_COST, _BLOCK, _LANES = 2**15, 8, 1
"""scrypt's N, r and p: 32 MB and a tenth of a second for each guess of a passphrase."""
SHORTEST_PASSPHRASE = 12


@dataclass(frozen=True)
class Keyring:
    """The encrypted secrets of one domain."""

    path: Path
    passphrase: SecretStr

    def read(self) -> Mapping[str, SecretStr]:
        """Return every secret by name; none when there is no file.

        Raises:
            Misconfigured: the passphrase is another one, or the file was changed, damaged or is open to others.
        """
        if not self.path.exists():
            return {}
        return {name: SecretStr(value) for name, value in self._content().items()}

    def set(self, name: str, value: SecretStr) -> None:
        """Keep a secret, in place of a former one."""
        if not value.get_secret_value():
            raise Invalid(f"secret {name} is empty", hint="give a value, or remove the secret")
        with self._changed() as content:
            content[name] = value.get_secret_value()

    def remove(self, name: str) -> None:
        """Forget a secret; raise `NotFound` when there is none."""
        with self._changed() as content:
            if name not in content:
                raise NotFound(f"there is no secret {name}", hint=f"there are: {', '.join(sorted(content)) or 'none'}")
            del content[name]

    @contextmanager
    def _changed(self) -> Iterator[dict[str, str]]:
        if len(self.passphrase.get_secret_value()) < SHORTEST_PASSPHRASE:
            raise Misconfigured("the passphrase of the keyring is too short", hint=f"take at least {SHORTEST_PASSPHRASE} characters")
        with locked(self.path.parent / "lock"):
            content = self._content() if self.path.exists() else {}
            yield content
            # A new salt each time, so that no two files tell that a passphrase is the same.
            salt = secrets.token_bytes(16)
            sealed = Fernet(self._key(salt)).encrypt(json.dumps(content, sort_keys=True).encode()).decode()
            document = {"format": _FORMAT, "salt": base64.b64encode(salt).decode(), "sealed": sealed}
            write_private(self.path, json.dumps(document, indent=1))

    def _content(self) -> dict[str, str]:
        try:
            document = json.loads(read_private(self.path))
            if document["format"] != _FORMAT:
                raise Misconfigured(f"{self.path} is of another format", hint=f"this version reads {_FORMAT}")
            salt = base64.b64decode(document["salt"], validate=True)
            content: dict[str, str] = json.loads(Fernet(self._key(salt)).decrypt(document["sealed"].encode()))
        except InvalidToken:
            raise Misconfigured(f"{self.path} does not open", hint="the passphrase is another one, or the file was changed") from None
        except (ValueError, KeyError, TypeError, AttributeError, UnsupportedAlgorithm):
            raise Misconfigured(f"{self.path} is damaged", hint="restore it from a backup") from None
        return content

    def _key(self, salt: bytes) -> bytes:
        kdf = Scrypt(salt=salt, length=32, n=_COST, r=_BLOCK, p=_LANES)
        return base64.urlsafe_b64encode(kdf.derive(self.passphrase.get_secret_value().encode()))
