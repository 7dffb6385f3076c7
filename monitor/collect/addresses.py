"""Which addresses a feed may lead us to: the public ones, as they are at the moment of connecting.

A name is resolved once and the connection goes to the address that was checked, so a name that means
something else a moment later (DNS rebinding) changes nothing. Whatever notation an address has in a URL
(``0x7f.1``, ``2130706433``, ``[::ffff:7f00:1]``), the resolver turns it into the one that is checked.
"""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import Any

import httpcore2

SocketOption = (
    tuple[int, int, int] | tuple[int, int, bytes | bytearray] | tuple[int, int, None, int]
)
Resolve = Callable[[str, int], Sequence[str]]

# Translated to IPv4 on the way, wherever the translator likes: 6to4, NAT64, IPv4-compatible.
_TRANSLATED = tuple(
    IPv6Network(text) for text in ("2002::/16", "64:ff9b::/96", "64:ff9b:1::/48", "::/96")
)


class Forbidden(httpcore2.ConnectError):
    """A name leads to an address that is not public."""


def is_public(address: str) -> bool:
    """Whether an IP address belongs to the public internet, and to one machine of it.

    `ipaddress` calls multicast, 6to4 and NAT64 addresses global; none of them is public here.

    Examples
    --------
    >>> [is_public(each) for each in ("93.184.215.14", "169.254.169.254", "224.0.0.1", "64:ff9b::7f00:1")]
    [True, False, False, False]
    """
    try:
        ip: IPv4Address | IPv6Address = ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(ip, IPv6Address):
        if ip.ipv4_mapped is not None:
            ip = ip.ipv4_mapped
        elif any(ip in network for network in _TRANSLATED):
            return False
    return ip.is_global and not (ip.is_multicast or ip.is_reserved or ip.is_unspecified)


def resolve(host: str, port: int) -> list[str]:
    """Return the addresses of a host, as the system's resolver gives them, each once.

    Raises
    ------
    OSError
        There are none.
    """
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


class Deadline(threading.local):
    """When the fetch of this thread must be over, whatever it is waiting for."""

    at_s: float | None = None  # on the monotonic clock

    @contextmanager
    def within(self, seconds: float) -> Iterator[None]:
        """Let the fetch in this block take so long."""
        self.at_s = time.monotonic() + seconds
        try:
            yield
        finally:
            self.at_s = None

    def left_s(self, most_s: float | None) -> float | None:
        """Return how long one step may wait; raises `httpcore2.ReadTimeout` when time is up."""
        if self.at_s is None:
            return most_s
        left = self.at_s - time.monotonic()
        if left <= 0:
            raise httpcore2.ReadTimeout("the time for the whole answer is over")
        return left if most_s is None else min(left, most_s)


class _Stream(httpcore2.NetworkStream):
    """A stream no step of which outlasts the deadline of its thread."""

    def __init__(self, stream: httpcore2.NetworkStream, deadline: Deadline) -> None:
        self._stream = stream
        self._deadline = deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, self._deadline.left_s(timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, self._deadline.left_s(timeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore2.NetworkStream:
        left = self._deadline.left_s(timeout)
        return _Stream(self._stream.start_tls(ssl_context, server_hostname, left), self._deadline)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


class CheckedBackend(httpcore2.NetworkBackend):
    """Connects to checked addresses only.

    Parameters
    ----------
    deadline
        Of the thread that asks.
    resolve
        Gives the addresses of a name.
    allowed
        Whether one of them may be connected to. A name with one that may not is refused as a whole.
    """

    def __init__(
        self, deadline: Deadline, resolve: Resolve, allowed: Callable[[str], bool]
    ) -> None:
        self._deadline = deadline
        self._resolve = resolve
        self._allowed = allowed
        self._sockets = httpcore2.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[SocketOption] | None = None,
    ) -> httpcore2.NetworkStream:
        try:
            addresses = self._resolve(host, port)
        except (OSError, UnicodeError) as error:
            raise httpcore2.ConnectError(f"{host} cannot be resolved ({error})") from error
        for address in addresses:
            if not self._allowed(address):
                raise Forbidden(f"{host} leads to {address}, which is not a public address")
        failed: Exception = httpcore2.ConnectError(f"{host} has no address")
        for address in addresses:
            try:
                left = self._deadline.left_s(timeout)
                stream = self._sockets.connect_tcp(
                    address, port, left, local_address, socket_options
                )
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as error:
                failed = error
            else:
                return _Stream(stream, self._deadline)
        raise failed
