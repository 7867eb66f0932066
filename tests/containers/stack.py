"""docker-compose.yml as it stands, started for real with podman-compose.

podman 4.3 without systemd neither runs health checks nor waits for them, so `up` walks the order of the file's
`depends_on` and runs each check itself.
"""

from __future__ import annotations

import json
import os
import signal
import ssl
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
SECRETS = ROOT / "deploy" / "secrets"
FILE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
CORE = [name for name, service in FILE["services"].items() if not service.get("profiles")]
URL = "https://localhost:8443"


def needed_first(service: str) -> dict[str, str]:
    """The services that must have come before, with the condition."""
    return {name: how["condition"] for name, how in FILE["services"][service].get("depends_on", {}).items()}


def in_order(services: list[str]) -> list[str]:
    """Each after all that it depends on."""
    ordered: list[str] = []
    while len(ordered) < len(services):
        ready = [one for one in services if one not in ordered and needed_first(one).keys() <= set(ordered)]
        if not ready:
            raise ValueError(f"depends_on goes in a circle: {set(services) - set(ordered)}")
        ordered += ready
    return ordered


@dataclass
class Containers:
    """The stack under test. environment: for podman-compose."""

    environment: dict[str, str] = field(default_factory=dict)

    def compose(self, *arguments: str, given: bytes | None = None, check: bool = True) -> str:
        done = subprocess.run(
            ["podman-compose", *arguments],
            input=given,
            capture_output=True,
            cwd=ROOT,
            env=os.environ | self.environment,
            timeout=180,
            check=False,
        )
        if check and done.returncode:
            raise AssertionError(f"podman-compose {' '.join(arguments)}: {done.stderr.decode()[-2000:]}")
        return done.stdout.decode()

    def up(self, services: list[str] | None = None) -> None:
        for service in in_order(services or CORE):
            for name, condition in needed_first(service).items():
                if condition == "service_completed_successfully":
                    self.wait_until_done(name)
                else:
                    self.wait_until_healthy(name)
            self.compose("up", "-d", "--no-build", "--no-deps", service)
        for service in services or CORE:
            if needed_health(service):
                self.wait_until_healthy(service)

    def down(self, *, volumes: bool = True) -> None:
        self.compose("--profile", "observability", "down", *(["-v"] if volumes else []), check=False)

    def wait_until_done(self, service: str) -> None:
        status = podman("wait", container(service)).strip()
        assert status == "0", self.logs(service)

    def wait_until_healthy(self, service: str, seconds: float = 120) -> None:
        ends = time.monotonic() + seconds
        while time.monotonic() < ends:
            done = subprocess.run(
                ["podman", "healthcheck", "run", container(service)], capture_output=True, timeout=30, check=False
            )
            if done.returncode == 0:
                return
            time.sleep(0.5)
        raise AssertionError(f"{service} is not healthy: {self.logs(service)}")

    def kill(self, service: str) -> None:
        """SIGKILL to the first process, as the kernel sends it when memory runs out."""
        pid = int(inspected(service)["State"]["Pid"])
        assert pid > 1, f"{service} does not run: {self.logs(service)}"
        os.kill(pid, signal.SIGKILL)

    def logs(self, service: str) -> str:
        done = subprocess.run(
            ["podman", "logs", "--tail", "40", container(service)], capture_output=True, timeout=30, check=False
        )
        return (done.stdout + done.stderr).decode()[-4000:]

    def inside(self, service: str, code: str) -> str:
        """What Python code prints inside a container."""
        return podman("exec", container(service), "python3", "-c", code)


def needed_health(service: str) -> bool:
    return not FILE["services"][service].get("healthcheck", {}).get("disable", False)


def container(service: str) -> str:
    return f"hepar_{service}_1"


def podman(*arguments: str) -> str:
    done = subprocess.run(["podman", *arguments], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def inspected(service: str) -> dict[str, Any]:
    found: list[dict[str, Any]] = json.loads(podman("inspect", container(service)))
    return found[0]


def trusting_our_certificate() -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(SECRETS / "tls.crt"))
