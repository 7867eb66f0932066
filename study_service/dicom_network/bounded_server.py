"""pynetdicom's server with bounds: on peers' addresses, connections, TLS handshakes, PDUs, messages and time.

pynetdicom reads as many bytes as a PDU announces, waits without end for them, and accepts the TLS handshake of one
connection after the other. A peer that is wrong or hostile must cost a thread for a time at most.
"""

from __future__ import annotations

import logging
import socket
import ssl
import time
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any

from pynetdicom import AE, evt
from pynetdicom.association import Association
from pynetdicom.events import Event
from pynetdicom.presentation import PresentationContext
from pynetdicom.transport import AssociationSocket, RequestHandler, ThreadedAssociationServer

from hepar.core.networks import Network

_log = logging.getLogger(__name__)
PDU_BYTES = 64 * 1024
"""That we announce, of P-DATA."""
_PDU_BYTES_MAX = 128 * 1024
"""Of any PDU: an association request with all contexts has some ten thousand bytes."""
_READ_BYTES = 64 * 1024
_CONNECTIONS_MORE = 16
_MESSAGES_WAITING_MAX = 2
"""Without an asynchronous operations window (PS3.7 D.3.3.3), a peer waits for each answer."""


@dataclass(frozen=True)
class Bounds:
    """networks: of all peers.  object_bytes_max: of one message.  idle_s: of a peer, also within a PDU."""

    networks: Sequence[Network]
    associations_max: int
    association_s: float
    idle_s: float
    object_bytes_max: int

    def knows(self, address: str) -> bool:
        parsed = ip_address(address.partition("%")[0])
        plain = getattr(parsed, "ipv4_mapped", None) or parsed
        return any(plain in network for network in self.networks)


class _BoundedSocket(AssociationSocket):
    """Read by the thread of its association only. Errors end the connection."""

    def __init__(self, association: Association, client_socket: socket.socket, bounds: Bounds) -> None:
        super().__init__(association, client_socket=client_socket)
        self._bounds = bounds
        self._ends_at = time.monotonic() + bounds.association_s
        self._message_bytes = 0

    def recv(self, nr_bytes: int) -> bytearray:
        """Fewer bytes where the peer closed the connection. Raises OSError where a bound is exceeded."""
        connection = self.socket
        if connection is None:
            raise OSError("the connection is closed")
        self._check(nr_bytes)
        until = min(time.monotonic() + self._bounds.idle_s, self._ends_at)
        found = bytearray()
        while len(found) < nr_bytes:
            left_s = until - time.monotonic()
            if left_s <= 0:
                raise TimeoutError("the peer is too slow")
            connection.settimeout(left_s)
            piece = connection.recv(min(nr_bytes - len(found), _READ_BYTES))
            if not piece:
                break
            found += piece
        connection.settimeout(self._bounds.idle_s)  # of the next answer
        return found

    def _check(self, nr_bytes: int) -> None:
        if nr_bytes > _PDU_BYTES_MAX:
            raise OSError("the PDU is too long")
        if self.assoc.dimse.message is None:
            self._message_bytes = 0
        self._message_bytes += nr_bytes
        if self._message_bytes > self._bounds.object_bytes_max + _PDU_BYTES_MAX:
            raise OSError("the message is too long")
        if self.assoc.dimse.msg_queue.qsize() > _MESSAGES_WAITING_MAX:
            raise OSError("the peer does not wait for answers")


class _BoundedHandler(RequestHandler):
    """In a thread of its own for each connection, until the association has one."""

    def handle(self) -> None:
        try:
            tls = self._own_server().tls
            if tls is not None:
                self.request = tls.wrap_socket(self.request, server_side=True)
            super().handle()
        except OSError as error:  # of the handshake
            _log.warning("a DICOM connection was refused", extra={"reason": type(error).__name__})
            self.server.shutdown_request(self.request)

    def _create_association(self) -> Association:
        association = super()._create_association()
        association.dul.event_queue.get_nowait()  # the connection is indicated by the socket that is replaced
        association.dul.socket = None
        association.set_socket(_BoundedSocket(association, self.request, self._own_server().bounds))
        association.bind(evt.EVT_CONN_CLOSE, _end_wait_for_request)
        return association

    def _own_server(self) -> BoundedServer:
        assert isinstance(self.server, BoundedServer)  # noqa: S101  it made this handler
        return self.server


def _end_wait_for_request(event: Event) -> None:
    """A connection that was closed before its association counts until the time for a request is over, otherwise."""
    if event.assoc.requestor.primitive is None:
        primitives: Any = event.assoc.dul.to_user_queue  # None ends the wait, but is not in the library's type
        primitives.put(None)


class BoundedServer(ThreadedAssociationServer):
    """tls: for the server's side of connections; None for plain TCP. Created by `AE.make_server`."""

    daemon_threads = True
    request_queue_size = 256

    def __init__(
        self,
        ae: AE,
        address: tuple[str, int],
        ae_title: str,
        contexts: list[PresentationContext],
        ssl_context: ssl.SSLContext | None = None,
        evt_handlers: list[Any] | None = None,
        *,
        bounds: Bounds,
        tls: ssl.SSLContext | None,
    ) -> None:
        self.bounds = bounds
        self.tls = tls
        super().__init__(ae, address, ae_title, contexts, ssl_context, evt_handlers, _BoundedHandler)

    def get_request(self) -> tuple[socket.socket, tuple[str, int]]:
        """Without the TLS handshake, which would hold up all other connections."""
        connection, address = super().get_request()
        connection.settimeout(self.bounds.idle_s)
        return connection, address

    def verify_request(self, request: Any, client_address: Any) -> bool:  # noqa: ANN401, ARG002
        """Some more connections than associations: those above get an answer that says so."""
        if not self.bounds.knows(client_address[0]):
            _log.warning("a DICOM connection from an address that is not allowed was closed")
            return False
        return len(self.active_associations) < 2 * self.bounds.associations_max + _CONNECTIONS_MORE

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ANN401, ARG002
        """Without the traceback that the library prints."""
        _log.warning("a DICOM connection broke off", exc_info=False)
