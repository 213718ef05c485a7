"""FTP and FTPS with explicit TLS as a file system: certificates are checked, and files come in one stream."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from ftplib import FTP, FTP_TLS, Error
from typing import Any

from fsspec.implementations.ftp import FTPFileSystem


class _Tls(FTP_TLS):
    """FTPS whose data connections continue the TLS session of the commands, as careful servers demand."""

    def ntransfercmd(self, cmd: str, rest: int | str | None = None) -> tuple[Any, int | None]:
        """Open a data connection."""
        connection, size = FTP.ntransfercmd(self, cmd, rest)  # noqa: S321 - it is wrapped below
        if self._prot_p:  # type: ignore[attr-defined]
            session = self.sock.session if isinstance(self.sock, ssl.SSLSocket) else None
            connection = self.context.wrap_socket(connection, server_hostname=self.host, session=session)
        return connection, size


class FtpFiles(FTPFileSystem):  # type: ignore[misc]
    """fsspec's FTP with a checked certificate; `context` is None for FTP in the clear."""

    def __init__(self, host: str, *, context: ssl.SSLContext | None, **more: Any) -> None:
        self._context = context
        super().__init__(host, **more)

    def _connect(self) -> None:
        self.ftp: FTP
        if self._context is None:
            self.ftp = FTP(timeout=self.timeout, encoding=self.encoding)  # noqa: S321 - the declaration says ftp://
            self.ftp.connect(self.host, self.port)
            self.ftp.login(*self.cred)
            return
        secure = _Tls(timeout=self.timeout, encoding=self.encoding, context=self._context)
        self.ftp = secure
        secure.connect(self.host, self.port)
        secure.login(*self.cred)
        secure.prot_p()

    def receive(self, path: str, take: Callable[[bytes], object]) -> None:
        """Give a file's bytes to `take`; raise `FileNotFoundError` when the server does not have it."""
        try:
            self.ftp.retrbinary(f"RETR {self._strip_protocol(path)}", take, blocksize=1 << 16)
        except Error as error:
            if str(error).startswith("550"):
                raise FileNotFoundError(path) from error
            raise
