"""Associations that we request (PS3.8): with time limits, over TLS where the archive is configured so."""

from __future__ import annotations

import ssl
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from pydicom.uid import UID, ExplicitVRLittleEndian, ImplicitVRLittleEndian
from pynetdicom import AE
from pynetdicom.association import Association

from study_service.destinations.client_tls import client_tls
from study_service.destinations.configuration import DicomDestination
from study_service.dicom_network.silence import silence_pynetdicom

CONNECT_S = 10.0
ASSOCIATE_S = 15.0
ANSWER_S = 60.0
_PDU_BYTES = 64 * 1024


class AssociationRefused(Exception):
    """The archive cannot be reached or does not let us in; the message says which, without addresses."""


@dataclass(frozen=True)
class Peer:
    """An archive. ae_title: its title.  calling_ae_title: ours.  tls: None for plain TCP.

    answer_s: its longest silence when it is to answer.
    """

    host: str
    port: int
    ae_title: str
    calling_ae_title: str
    tls: ssl.SSLContext | None = None
    answer_s: float = ANSWER_S


def peer_of(destination: DicomDestination) -> Peer:
    """Raises OSError for certificates that cannot be used."""
    given = (destination.ca_file, destination.certificate_file, destination.key_file)
    tls = client_tls(*given) if destination.tls else None
    return Peer(destination.host, destination.port, destination.ae_title, destination.calling_ae_title, tls)


@contextmanager
def associated(peer: Peer, sop_classes: Iterable[UID]) -> Iterator[Association]:
    """Released at the end of the block, or aborted after an exception. Raises AssociationRefused."""
    silence_pynetdicom()
    entity = AE(ae_title=peer.calling_ae_title)
    entity.maximum_pdu_size = _PDU_BYTES
    entity.connection_timeout, entity.acse_timeout = CONNECT_S, ASSOCIATE_S
    entity.dimse_timeout = entity.network_timeout = peer.answer_s
    for sop_class in sop_classes:
        entity.add_requested_context(sop_class, [ExplicitVRLittleEndian, ImplicitVRLittleEndian])
    try:
        association = entity.associate(
            peer.host, peer.port, ae_title=peer.ae_title, tls_args=(peer.tls, peer.host) if peer.tls else None
        )
    except OSError as error:  # the name cannot be resolved
        raise AssociationRefused("the archive's address is not known") from error
    if not association.is_established:
        raise AssociationRefused(_refusal(association))
    try:
        yield association
    except BaseException:
        association.abort()
        raise
    if association.is_established:
        association.release()


def _refusal(association: Association) -> str:
    if association.is_rejected:
        answer = association.acceptor.primitive
        reason = answer.reason_str if answer is not None else "no reason"
        return f"the archive rejects the association: {reason}"
    if association.is_aborted and association.acceptor.primitive is not None:
        return "the archive supports none of the kinds of objects"
    return "the archive does not answer, or ends the connection"
