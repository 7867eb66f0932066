"""The DICOM listener: a Storage SCP for CT images and a Verification SCP (PS3.4 A and B)."""

from __future__ import annotations

import errno
import logging
import ssl
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from ipaddress import ip_address
from typing import Any

from pydicom.uid import UID
from pynetdicom import AE, evt
from pynetdicom.association import Association
from pynetdicom.events import Event

from hepar.core.metrics import DICOM_OBJECTS
from hepar.core.networks import parsed_networks
from hepar.imaging.dicom_file import COMPRESSED, UNCOMPRESSED, read_header
from hepar.imaging.errors import ImageError
from hepar.imaging.hounsfield import CT_CLASSES
from study_service.dicom_network.bounded_server import PDU_BYTES, BoundedServer, Bounds
from study_service.dicom_network.incoming import IncomingStudies, NoRoom, Sender
from study_service.dicom_network.silence import silence_pynetdicom
from study_service.dicom_settings import ListenPeer
from study_service.settings import StudySettings

_log = logging.getLogger(__name__)
_VERIFICATION = UID("1.2.840.10008.1.1")
_SUCCESS, _OUT_OF_RESOURCES, _CANNOT_UNDERSTAND = 0x0000, 0xA700, 0xC000
_CALLING_TITLE_NOT_RECOGNISED = (0x01, 0x01, 0x03)
"""Result, source and reason of an A-ASSOCIATE-RJ (PS3.8 9.3.4): for good, by the user."""
_LOCAL_LIMIT_EXCEEDED = (0x02, 0x03, 0x02)
"""For now, by the provider."""
_ASSOCIATE_S = 15.0
_UNLIMITED = 1_000_000


class Listener:
    """Its methods run in the threads of associations."""

    def __init__(self, peers: Sequence[ListenPeer], incoming: IncomingStudies, associations_max: int) -> None:
        self._associations_max = associations_max
        self._accepted: set[Association] = set()
        self._lock = threading.Lock()
        self._networks = {peer.ae_title: parsed_networks(peer.networks) for peer in peers}
        self._incoming = incoming

    def requested(self, event: Event) -> None:
        """Rejects a peer with a wrong title or with the title of a peer elsewhere, and one association too many."""
        if not self._is_known(event.assoc.requestor):
            _reject(event.assoc, _CALLING_TITLE_NOT_RECOGNISED, "its peer is not allowed")
            return
        with self._lock:
            self._accepted = {one for one in self._accepted if one.is_alive()}
            is_full = len(self._accepted) >= self._associations_max
            if not is_full:
                self._accepted.add(event.assoc)
        if is_full:
            _reject(event.assoc, _LOCAL_LIMIT_EXCEEDED, "there are too many")

    def echo(self, _: Event) -> int:
        return _SUCCESS

    def store(self, event: Event) -> int:
        """The status of the answer: success once the object is on disk."""
        status = self._store(event)
        DICOM_OBJECTS.labels("stored" if status == _SUCCESS else "refused").inc()
        return status

    def _store(self, event: Event) -> int:
        requestor = event.assoc.requestor
        try:
            content = event.encoded_dataset()
            study_uid = str(read_header(content).dataset.get("StudyInstanceUID") or "")
        except ImageError as error:
            _log.warning("a DICOM object was refused", extra={"reason": type(error).__name__})
            return _CANNOT_UNDERSTAND
        except Exception as error:  # noqa: BLE001  an object may hold anything
            _log.warning("a DICOM object cannot be read", extra={"reason": type(error).__name__})
            return _CANNOT_UNDERSTAND
        if not study_uid:
            return _CANNOT_UNDERSTAND
        try:
            self._incoming.add(Sender(requestor.ae_title, requestor.address), study_uid, content)
        except NoRoom:
            _log.error("no DICOM object is accepted: as much waits as HEPAR_STUDY_LISTEN_STORED_BYTES_MAX allows")
            return _OUT_OF_RESOURCES
        except OSError as error:
            _log.error("a DICOM object was not stored", extra={"reason": errno.errorcode.get(error.errno or 0)})
            return _OUT_OF_RESOURCES
        return _SUCCESS

    def _is_known(self, requestor: Any) -> bool:  # noqa: ANN401
        address = ip_address(requestor.address.partition("%")[0])
        plain = getattr(address, "ipv4_mapped", None) or address
        return any(plain in network for network in self._networks.get(requestor.primitive.calling_ae_title, ()))


def _reject(association: Association, answer: tuple[int, int, int], reason: str) -> None:
    _log.warning("a DICOM association was rejected", extra={"reason": reason})
    association.acse.send_reject(*answer)
    association.kill()


def server_tls(settings: StudySettings) -> ssl.SSLContext | None:
    """None without a certificate. Raises OSError for files that do not fit."""
    if settings.listen_certificate_file is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(settings.listen_certificate_file, settings.listen_key_file)
    if settings.listen_ca_file is not None:
        context.load_verify_locations(settings.listen_ca_file)
        context.verify_mode = ssl.CERT_REQUIRED
    return context


@contextmanager
def listening(settings: StudySettings, incoming: IncomingStudies) -> Iterator[int]:
    """Yields the port. At the end, associations are aborted: what was not acknowledged is sent again."""
    silence_pynetdicom()
    entity = AE(ae_title=settings.listen_ae_title)
    entity.maximum_pdu_size = PDU_BYTES
    entity.maximum_associations = _UNLIMITED  # the library counts connections without an association, too
    entity.acse_timeout = min(_ASSOCIATE_S, settings.listen_idle_s)
    entity.dimse_timeout = entity.network_timeout = settings.listen_idle_s
    entity.require_called_aet = True
    entity.add_supported_context(_VERIFICATION)
    for sop_class in CT_CLASSES:
        entity.add_supported_context(sop_class, [*UNCOMPRESSED, *COMPRESSED])
    listener = Listener(settings.listen_peers, incoming, settings.listen_associations_max)
    handlers = [
        (evt.EVT_REQUESTED, listener.requested),
        (evt.EVT_C_ECHO, listener.echo),
        (evt.EVT_C_STORE, listener.store),
    ]
    networks = [network for peer in settings.listen_peers for network in parsed_networks(peer.networks)]
    bounds = Bounds(
        networks,
        settings.listen_associations_max,
        settings.listen_association_s,
        settings.listen_idle_s,
        settings.listen_object_bytes_max,
    )
    server = entity.make_server(
        (settings.listen_host, settings.listen_port),
        evt_handlers=handlers,  # type: ignore[arg-type]
        server_class=BoundedServer,
        bounds=bounds,
        tls=server_tls(settings),
    )
    entity._servers.append(server)  # noqa: SLF001  as AE.start_server does; its shutdown removes it
    thread = threading.Thread(target=server.serve_forever, name="dicom listener")
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        thread.join()
        for association in entity.active_associations:
            association.abort()
