"""No secret stands in a declaration: declarations name environment variables and never hold the value."""

from __future__ import annotations

import re
from functools import lru_cache

from polyceph.core.model.decision import Decision

_SECRET_KEY = re.compile(
    r"(^|_)(password|passwd|pwd|passphrase|pass|token|secret|secrets|credential|credentials|authorization|bearer|connection_string)$"
    r"|(^|_)(api|access|private|secret|account|storage|shared|signing|encryption|master|ssh)_?key$|(^|_)sas(_token|_key)?$"
)
_ENV_NAME = re.compile(r"^[A-Z][A-Z0-9_]*$")
_REFERENCE = re.compile(r"^\s*(\{\{.*\}\}|\$\{[A-Za-z_][A-Za-z0-9_]*\})\s*$")
_PLAIN_WORD = re.compile(r"^[A-Za-z_][a-z0-9_.]*$")
_URL_WITH_PASSWORD = re.compile(r"[a-z][a-z0-9+.-]*://[^\s/:@]*:(?!\{\{|\$\{)[^\s/@]+@", re.IGNORECASE)
_KNOWN_SHAPES = re.compile(
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----|\bAKIA[0-9A-Z]{16}\b|\bglpat-[\w-]{20,}|\bgh[pousr]_\w{30,}|\bAccountKey=[^;\s]+"
    r"|\b(?:password|pwd)\s*=\s*(?!\{\{|\$\{)[^\s;]+",
    re.IGNORECASE,
)


@lru_cache(maxsize=4096)
def is_secret_key(key: str) -> bool:
    """Tell whether a key's name says that its value is a secret (password, api_key, clientSecret …)."""
    snake = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", key).replace("-", "_").lower()
    return bool(_SECRET_KEY.search(snake))


def holds_no_secret(key: str, value: object) -> Decision:
    """Refuse a literal secret; the reason never repeats the value.

    A key named like a secret must hold `{env: NAME}` or a template; a key ending with `_env` must hold a variable's name;
    no text may carry a password in a URL, a private key or a well-known token.
    """
    if isinstance(value, bool) or value is None or isinstance(value, dict | list):
        return Decision(True, "secret", f"{key} holds no literal")
    text = str(value)
    if key.endswith("_env"):
        return _named_variable(key, text)
    if _URL_WITH_PASSWORD.search(text):
        return _refused(
            key, "holds an address with a password in it", hint="leave user:password@ out and give the password by a variable's name"
        )
    if _KNOWN_SHAPES.search(text) or _is_literal_secret(key, text):
        name = re.sub(r"[^A-Z0-9]+", "_", key.upper()).strip("_") or "SECRET"
        return _refused(
            key, "holds a literal secret", hint=f"write {key}_env: NAME_OF_A_VARIABLE (for example {name}) and set that variable"
        )
    return Decision(True, "secret", f"{key} holds no secret")


def _is_literal_secret(key: str, text: str) -> bool:
    if _REFERENCE.match(text) or not text:
        return False
    if key.lower() == "key":  # often a column's name; a secret looks otherwise
        return len(text) >= 16 and not _PLAIN_WORD.match(text)
    return is_secret_key(key)


def _named_variable(key: str, text: str) -> Decision:
    if _ENV_NAME.fullmatch(text):
        return Decision(True, "secret", f"{key} names a variable")
    return _refused(
        key, "must be the name of an environment variable", hint="write capitals, digits and _ only, for example EDUCATION_PASSWORD"
    )


def _refused(key: str, what: str, *, hint: str) -> Decision:
    return Decision(False, "secret", f"{key!r} {what} (value not shown)", hint=hint)
