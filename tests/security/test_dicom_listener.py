"""The DICOM listener under attack: broken PDUs, wrong lengths, many associations. It goes on, its memory stays."""

from __future__ import annotations

import random
import socket
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
from pydicom.uid import ExplicitVRLittleEndian
from pynetdicom.pdu import A_ASSOCIATE_RQ
from pynetdicom.pdu_primitives import A_ASSOCIATE, ImplementationClassUIDNotification, MaximumLengthNotification
from pynetdicom.presentation import build_context

from hepar.imaging.hounsfield import CT_CLASSES
from tests.support.dicom_listener import AE_TITLE, PEER, VERIFICATION, RunningListener, dicom_listener
from tests.support.study_api import study_api
from tests.support.tokens import TokenAuthority

ASSOCIATIONS_MAX, IDLE_S, OBJECT_BYTES_MAX = 8, 2, 2_000_000
ACCEPTED, REJECTED = 2, 3
"""Types of PDUs (PS3.8 9.3)."""


@pytest.fixture(scope="module")
def listener(authority: TokenAuthority, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningListener]:
    folder = tmp_path_factory.mktemp("listener")
    bounds = {
        "listen_associations_max": ASSOCIATIONS_MAX,
        "listen_idle_s": IDLE_S,
        "listen_object_bytes_max": OBJECT_BYTES_MAX,
    }
    with (
        study_api(folder, authority) as api,
        dicom_listener(api.settings, folder / "log", **bounds) as running,
    ):
        yield running


def association_request() -> bytes:
    primitive = A_ASSOCIATE()
    primitive.application_context_name = "1.2.840.10008.3.1.1.1"
    primitive.calling_ae_title, primitive.called_ae_title = PEER, AE_TITLE
    length, implementation = MaximumLengthNotification(), ImplementationClassUIDNotification()
    length.maximum_length_received, implementation.implementation_class_uid = 16382, "1.2.3.4"
    primitive.user_information = [length, implementation]
    contexts = [build_context(VERIFICATION), build_context(CT_CLASSES[0], ExplicitVRLittleEndian)]
    for number, context in enumerate(contexts):
        context.context_id = 2 * number + 1
    primitive.presentation_context_definition_list = contexts
    pdu = A_ASSOCIATE_RQ()
    pdu.from_primitive(primitive)
    return bytes(pdu.encode())


def data_pdu(content: bytes, header: int, context: int = 3) -> bytes:
    """header: bit 0: command, bit 1: last fragment (PS3.8 E.2)."""
    item = struct.pack(">IBB", len(content) + 2, context, header) + content
    return struct.pack(">BBI", 4, 0, len(item)) + item


def store_command(data: bytes = b"\x00\x00") -> bytes:
    """A C-STORE-RQ in Implicit VR Little Endian. data: CommandDataSetType; 0000h: a data set follows."""

    def element(number: int, value: bytes) -> bytes:
        return struct.pack("<HHI", 0, number, len(value)) + value

    uid = CT_CLASSES[0].encode() + b"\x00" * (len(CT_CLASSES[0]) % 2)
    elements = [(0x0002, uid), (0x0100, b"\x01\x00"), (0x0110, b"\x01\x00"), (0x0700, b"\x00\x00")]
    body = b"".join(element(number, value) for number, value in [*elements, (0x0800, data), (0x1000, b"1.2.3\x00")])
    return element(0, struct.pack("<I", len(body))) + body


def connected(listener: RunningListener) -> socket.socket:
    return socket.create_connection(("127.0.0.1", listener.port), timeout=60)


def answer(connection: socket.socket) -> int | None:
    """The type of the next PDU, read to its end; None where the connection is closed."""
    try:
        head = connection.recv(6, socket.MSG_WAITALL)
        if len(head) < 6:
            return None
        connection.recv(struct.unpack(">BBI", head)[2], socket.MSG_WAITALL)
    except ConnectionError:
        return None
    return head[0]


def is_closed(connection: socket.socket) -> bool:
    """Whatever is sent before."""
    try:
        while connection.recv(65536):
            pass
    except ConnectionError:
        return True
    return True


def sent(listener: RunningListener, content: bytes, *, associated: bool) -> None:
    """Sends it and waits until the listener closes the connection, for instance because nothing more comes."""
    with connected(listener) as connection:
        if associated:
            connection.sendall(association_request())
            assert answer(connection) == ACCEPTED
        try:
            connection.sendall(content)
            connection.shutdown(socket.SHUT_WR)
        except ConnectionError:
            return
        assert is_closed(connection)


def wait_until(condition: Callable[[], bool]) -> None:
    ends_at = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < ends_at
        time.sleep(0.1)


BROKEN = {
    "nothing": b"",
    "one byte": b"\x01",
    "cut header": association_request()[:5],
    "cut request": association_request()[:-7],
    "unknown type": b"\x77\x00\x00\x00\x00\x04abcd",
    "length of 4 GiB": b"\x01\x00\xff\xff\xff\xff" + b"x" * 100,
    "length of zero": b"\x01\x00\x00\x00\x00\x00",
    "data first": data_pdu(store_command(), 3),
    "http": b"GET / HTTP/1.1\r\nHost: hepar\r\n\r\n",
}
BROKEN_DATA = {
    "length of 4 GiB": b"\x04\x00\xff\xff\xff\xff" + b"x" * 100,
    "item longer than its PDU": b"\x04\x00\x00\x00\x00\x0a" + struct.pack(">IBB", 10**9, 3, 3) + b"abcd",
    "item of length zero": b"\x04\x00\x00\x00\x00\x04" + struct.pack(">I", 0),
    "unknown context": data_pdu(store_command(), 3, context=99),
    "command that is none": data_pdu(b"\xff" * 200, 3),
    "unknown command": data_pdu(struct.pack("<HHIH", 0, 0x0100, 2, 0x7777), 3),
    "object that is none": data_pdu(store_command(), 3) + data_pdu(b"\xff" * 5000, 2),
    "nothing as object": data_pdu(store_command(), 3) + data_pdu(b"", 2),
    "object cut": data_pdu(store_command(), 3) + data_pdu(b"\x08\x00" * 500, 0),
    "a second request": association_request(),
    "store without object": data_pdu(store_command(b"\x01\x01"), 3),
}


@pytest.mark.parametrize("content", BROKEN.values(), ids=BROKEN.keys())
def test_broken_requests_end_their_connection_only(listener: RunningListener, content: bytes) -> None:
    sent(listener, content, associated=False)
    assert listener.answers()


@pytest.mark.parametrize("content", BROKEN_DATA.values(), ids=BROKEN_DATA.keys())
def test_broken_messages_end_their_connection_only(listener: RunningListener, content: bytes) -> None:
    sent(listener, content, associated=True)
    assert listener.answers()


def test_changed_bytes_end_no_process(listener: RunningListener) -> None:
    """The same changes each time."""
    chance = random.Random(20261126)  # noqa: S311
    whole = association_request()
    for _ in range(60):
        content = bytearray(whole + data_pdu(store_command(), 3))
        for _ in range(chance.randrange(1, 8)):
            content[chance.randrange(len(content))] = chance.randrange(256)
        sent(listener, bytes(content[: chance.randrange(1, len(content) + 1)]), associated=False)
    assert listener.answers()


def test_an_object_that_never_ends_is_cut_off_and_memory_stays(listener: RunningListener) -> None:
    assert listener.answers()
    before = listener.memory_bytes()
    piece = data_pdu(b"\x00" * 16000, 0)
    for _ in range(3):
        with connected(listener) as connection:
            connection.sendall(association_request())
            assert answer(connection) == ACCEPTED
            connection.sendall(data_pdu(store_command(), 3))
            count = 0
            try:
                while count < 50 * OBJECT_BYTES_MAX // len(piece):
                    connection.sendall(piece)
                    count += 1
            except (ConnectionError, TimeoutError):
                pass
            assert count * len(piece) < 10 * OBJECT_BYTES_MAX  # some megabytes wait in the buffers of the system
    assert listener.answers()
    assert listener.memory_bytes() - before < 20 * OBJECT_BYTES_MAX


def test_two_hundred_associations_leave_room_for_nobody_else_and_nothing_behind(listener: RunningListener) -> None:
    assert listener.answers()
    before, threads = listener.memory_bytes(), listener.threads()
    request, answers, start = association_request(), [], time.monotonic()
    with ExitStack() as stack:
        connections = [stack.enter_context(connected(listener)) for _ in range(200)]
        for connection in connections:
            try:
                connection.sendall(request)
            except ConnectionError:
                continue
        answers = [answer(connection) for connection in connections]
    replaced = (time.monotonic() - start) // IDLE_S  # times that silent associations made room for others
    assert 1 <= answers.count(ACCEPTED) <= ASSOCIATIONS_MAX * (1 + replaced)
    assert set(answers) <= {ACCEPTED, REJECTED, None}
    wait_until(listener.answers)
    wait_until(lambda: listener.threads() <= threads + 2)
    assert listener.memory_bytes() - before < 50_000_000


def test_silent_peers_are_disconnected(listener: RunningListener) -> None:
    """Before a request, in the middle of one, and in an association."""
    request = association_request()
    with ExitStack() as stack:
        silent = [stack.enter_context(connected(listener)) for _ in range(3)]
        silent[1].sendall(request[:20])
        silent[2].sendall(request)
        assert all(is_closed(connection) for connection in silent)
    assert listener.answers()
