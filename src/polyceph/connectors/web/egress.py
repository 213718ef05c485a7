"""Where a connector may go: declared hosts only, checked by name before each request and by address when the name is resolved.

A redirect is a request like any other. A name that answers with an address of this machine, of the link (where clouds keep their
metadata) or of nobody is refused, so that a foreign DNS server cannot turn a declared host into a door to the inside.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterable
from typing import Any
from urllib.parse import urlsplit

import httpcore
import httpx

from polyceph.sdk import Denied

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
_METADATA = frozenset(map(ipaddress.ip_address, ("169.254.169.254", "100.100.100.200", "168.63.129.16", "fd00:ec2::254")))
"""Where clouds hand out a machine's credentials; not all of them are link-local."""
_NOBODY = ipaddress.ip_network("0.0.0.0/8")
_NAT64 = ipaddress.ip_network("64:ff9b::/96")


class Egress:
    """The hosts that one source may reach."""

    def __init__(self, hosts: Iterable[str]) -> None:
        self.hosts = frozenset(host.casefold().rstrip(".") for host in hosts)

    def check(self, url: str) -> None:
        """Raise `Denied` unless the address is of HTTP on a declared host."""
        try:
            parts = urlsplit(url)
            host, _ = (parts.hostname or "").casefold().rstrip("."), parts.port
        except ValueError as error:
            raise Denied("the source sends to what is no address", hint="check url, path and paging") from error
        if parts.scheme not in ("http", "https") or host not in self.hosts:
            known = ", ".join(sorted(self.hosts))
            raise Denied(f"the source sends to {host or 'nowhere'}, which is not declared", hint=f"declared are {known}; see hosts")

    def resolve(self, host: str, port: int) -> list[str]:
        """Return the addresses of a host, resolved once; raise `Denied` when one of them is none that a source may have."""
        found = dict.fromkeys(str(info[4][0]) for info in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
        for text in found:
            if not self._may_be(ipaddress.ip_address(text.split("%")[0]), host):
                raise Denied(f"{host} answers with an address of this machine or of its network's own services", hint="check its DNS entry")
        return list(found)

    def _may_be(self, address: Address, host: str) -> bool:
        address = _inner(address)
        if address.is_loopback and host in ("localhost", "127.0.0.1", "::1"):
            return host in self.hosts  # only who writes this machine's own address means it
        is_special = address.is_loopback or address.is_link_local or address.is_multicast or address.is_unspecified or address.is_reserved
        if is_special or address in _METADATA or address in _NOBODY:
            return _is_literally(host, address) and host in self.hosts
        return True


def _inner(address: Address) -> Address:
    """Return the IPv4 address that an IPv6 address stands for: mapped (RFC 4291), 6to4 (RFC 3056), NAT64 (RFC 6052)."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF)
    return address.ipv4_mapped or address.sixtofour or address


def _is_literally(host: str, address: Address) -> bool:
    try:
        return ipaddress.ip_address(host) == address
    except ValueError:
        return False


class CheckedBackend(httpcore.NetworkBackend):
    """Connects to the very address that was checked: a name that answers otherwise the second time gains nothing."""

    def __init__(self, egress: Egress) -> None:
        self._egress = egress
        self._inner = httpcore.SyncBackend()

    def connect_tcp(
        self, host: str, port: int, timeout: float | None = None, local_address: str | None = None, socket_options: Any = None
    ) -> httpcore.NetworkStream:
        """Resolve, check, connect to the first address that answers."""
        try:
            addresses = self._egress.resolve(host, port)
        except OSError as error:
            raise httpcore.ConnectError(f"{host} is not known") from error
        last: Exception = httpcore.ConnectError(f"{host} has no address")
        for address in addresses:
            try:
                return self._inner.connect_tcp(address, port, timeout, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                last = error
        raise last

    def connect_unix_socket(
        self,
        path: str,  # noqa: ARG002  httpcore's signature
        timeout: float | None = None,  # noqa: ARG002
        socket_options: Any = None,  # noqa: ARG002
    ) -> httpcore.NetworkStream:
        """Refuse: no source listens there."""
        raise httpcore.ConnectError("sources are not reached over sockets")

    def sleep(self, seconds: float) -> None:
        """Wait, between two attempts of httpcore itself."""
        self._inner.sleep(seconds)


def transport(egress: Egress, *, verify: Any) -> httpx.HTTPTransport:
    """Return httpx's transport whose connections are checked."""
    made = httpx.HTTPTransport(verify=verify, trust_env=False)
    # httpx has no parameter for a network backend; its pool is rebuilt with the one that checks.
    made._pool = httpcore.ConnectionPool(ssl_context=verify, network_backend=CheckedBackend(egress), keepalive_expiry=5.0)  # noqa: SLF001
    return made
