"""Waits until the gateway reports that every component is ready."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

import httpx

from local_stack.settings import StackSettings

_STATES = {True: "ready", False: "starting"}


class NotReady(Exception):
    """The stack did not become ready; the message names the component."""


def wait_until_ready(settings: StackSettings, timeout_s: float, alive: Callable[[], bool], show: bool = True) -> float:
    """Polls /readyz until it returns 200; returns the seconds waited.

    alive: the wait ends when it returns False.  Raises NotReady.
    """
    started = time.monotonic()
    parts: dict[str, bool] = {}
    with httpx.Client(trust_env=False, timeout=3) as client:
        while (waited := time.monotonic() - started) < timeout_s:
            if not alive():
                raise NotReady("a process ended while the stack was starting")
            try:
                answer = client.get(f"{settings.gateway_url}/readyz")
                parts = answer.json()["parts"]
                ready = answer.status_code == 200
            except httpx.HTTPError:
                ready = False
            if show:
                _show(parts, waited, last=ready)
            if ready:
                return waited
            time.sleep(0.2)
    missing = ", ".join(name for name, ready in parts.items() if not ready) or "gateway"
    raise NotReady(f"not ready after {timeout_s:.0f} s: {missing}")


def _show(parts: dict[str, bool], waited: float, *, last: bool) -> None:
    line = "  ".join(f"{name} {_STATES[ready]}" for name, ready in parts.items()) or "gateway starting"
    if sys.stderr.isatty():
        print(f"\r{waited:5.1f} s  {line}\033[K", end="\n" if last else "", file=sys.stderr, flush=True)
    elif last:
        print(f"{waited:5.1f} s  {line}", file=sys.stderr, flush=True)
