"""The few S3 requests that fill a bucket, signed with AWS Signature Version 4. Serves nothing.

Documentation followed: "AWS Signature Version 4 for API requests" and the S3 API reference (CreateBucket, PutObject, DeleteObject).
"""

from __future__ import annotations

import hashlib
import hmac
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from urllib.parse import quote, urlsplit

from polyceph.errors import Unavailable

_REGION = "us-east-1"
_SECONDS = 60.0
_OK, _EXISTS = 200, 409


@dataclass(frozen=True)
class Credentials:
    """An access key and its secret."""

    key_id: str
    secret: str = field(repr=False)


@dataclass(frozen=True)
class Bucket:
    """A bucket that its administrator fills."""

    endpoint: str
    name: str
    credentials: Credentials

    def make(self) -> None:
        """Make the bucket; nothing happens when it is there."""
        self._send("PUT", "", b"", good=(_OK, _EXISTS))

    def put(self, key: str, path: Path) -> None:
        """Upload a file."""
        self._send("PUT", "/" + quote(key, safe="/~"), path.read_bytes(), good=(_OK,))

    def remove(self, key: str) -> None:
        """Remove an object."""
        self._send("DELETE", "/" + quote(key, safe="/~"), b"", good=(_OK, 204, 404))

    def _send(self, method: str, path: str, content: bytes, *, good: tuple[int, ...]) -> None:
        try:
            status, answer = _asked(method, f"{self.endpoint}/{self.name}{path}", content, self.credentials)
        except (OSError, HTTPException) as error:
            raise Unavailable(f"the S3 server of bucket {self.name} does not answer: {error}") from error
        if status not in good:
            raise Unavailable(
                f"{method} {path or '/'} on bucket {self.name} was answered {status}", hint=answer[:300].decode(errors="replace")
            )


def answers(endpoint: str, credentials: Credentials) -> bool:
    """Tell whether the server lists its buckets."""
    try:
        return _asked("GET", f"{endpoint}/", b"", credentials)[0] == _OK
    except (OSError, HTTPException):
        return False


def _asked(method: str, url: str, content: bytes, credentials: Credentials) -> tuple[int, bytes]:
    address = urlsplit(url)
    with closing(HTTPConnection(address.netloc, timeout=_SECONDS)) as connection:
        connection.request(method, address.path, body=content, headers=signed(method, url, content, credentials))
        response = connection.getresponse()
        return response.status, response.read()


def signed(method: str, url: str, content: bytes, credentials: Credentials) -> dict[str, str]:
    """Return the headers that sign a request without a query; `url` has its path percent-encoded."""
    address = urlsplit(url)
    moment = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    digest = hashlib.sha256(content).hexdigest()
    headers = {"host": address.netloc, "x-amz-content-sha256": digest, "x-amz-date": moment}
    names = ";".join(headers)
    request = "\n".join([method, address.path, "", *(f"{name}:{value}" for name, value in headers.items()), "", names, digest])
    scope = f"{moment[:8]}/{_REGION}/s3/aws4_request"
    text = "\n".join(["AWS4-HMAC-SHA256", moment, scope, hashlib.sha256(request.encode()).hexdigest()])
    key = f"AWS4{credentials.secret}".encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    signature = hmac.digest(key, text.encode(), "sha256").hex()
    authorization = f"AWS4-HMAC-SHA256 Credential={credentials.key_id}/{scope}, SignedHeaders={names}, Signature={signature}"
    return headers | {"authorization": authorization}
