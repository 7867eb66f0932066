"""nginx with the shipped configuration, in front of a gateway on this machine."""

from __future__ import annotations

import os
import re
import shutil
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.raw_http import LOOPBACK, connect

ROOT = Path(__file__).parents[2]
EDGE = ROOT / "deploy" / "edge"
NGINX = shutil.which("nginx")


def configuration(folder: Path, port: int, gateway_port: int) -> str:
    """deploy/edge/nginx.conf with the addresses and folders of this machine."""
    text = re.sub(r" /tmp/", f" {folder}/", (EDGE / "nginx.conf").read_text())
    for shipped, here in (
        ("/etc/nginx/mime.types", str(folder / "mime.types")),
        ("/usr/share/nginx/problems", str(EDGE / "problems")),
        ("/run/secrets/", f"{folder}/"),
        ("172.30.250.3:8080", f"{LOOPBACK}:{gateway_port}"),
        ("listen 8443 ", f"listen {LOOPBACK}:{port} "),
        ("worker_processes auto", "worker_processes 1"),
    ):
        assert shipped in text, shipped
        text = text.replace(shipped, here)
    return f"user root;\n{text}" if os.geteuid() == 0 else text


@contextmanager
def running_edge(folder: Path, gateway_port: int) -> Iterator[int]:
    """Yields its port."""
    assert NGINX is not None
    with socket.socket() as free:
        free.bind((LOOPBACK, 0))
        port: int = free.getsockname()[1]
    (folder / "mime.types").write_text("types { application/json json; }\n")
    request = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=localhost"]
    subprocess.run(
        [*request, "-keyout", folder / "tls.key", "-out", folder / "tls.crt"], check=True, capture_output=True
    )
    (folder / "nginx.conf").write_text(configuration(folder, port, gateway_port))
    shutil.copy(EDGE / "gateway.conf", folder)
    with (folder / "nginx.log").open("wb") as log:
        process = subprocess.Popen(
            [NGINX, "-p", folder, "-e", "stderr", "-c", folder / "nginx.conf", "-g", "daemon off;"],
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    try:
        ends_at = time.monotonic() + 30
        while True:
            try:
                connect(port).close()
                break
            except ConnectionError:
                assert process.poll() is None, (folder / "nginx.log").read_text()
                assert time.monotonic() < ends_at
                time.sleep(0.1)
        yield port
    finally:
        process.terminate()
        process.wait(30)


def over_tls(connection: socket.socket) -> ssl.SSLSocket:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context.wrap_socket(connection)
