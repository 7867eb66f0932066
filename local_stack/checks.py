"""Checks before the start, each with a one-line error message."""

from __future__ import annotations

import socket
from typing import get_args

from hepar.contracts.cards import Task
from hepar.inference.model_cards import BrokenCard, read_cards
from local_stack.settings import LOOPBACK, StackSettings
from triton_runtime.machine import UnsuitableMachine, check_machine, find_package

_REMEDY = "`git checkout -- {}` or `make export`"


class CannotStart(Exception):
    """The stack cannot start; the message is one line for the user."""


def check_all(settings: StackSettings) -> None:
    """Raises CannotStart for the first failed check."""
    _check_models(settings)
    _check_triton(settings)
    for variable, port in settings.ports().items():
        _check_port(variable, port)


def _check_port(variable: str, port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError as error:
            raise CannotStart(f"port {port} is in use; stop what uses it or choose another with {variable}") from error


def _check_models(settings: StackSettings) -> None:
    repository = settings.triton_model_repository
    try:
        cards = {name: card for task in get_args(Task) for name, card in read_cards(repository, task).items()}
        tasks = {card.task for card in cards.values()}
    except BrokenCard as error:
        raise CannotStart(str(error).splitlines()[0]) from error
    for task in ("classification", "detection"):
        if task not in tasks:
            raise CannotStart(f"{repository} has no model for {task}: {_REMEDY.format(repository)}")
    for name in cards:
        for file in ("config.pbtxt", "1/model.onnx"):
            if not (repository / name / file).is_file():
                raise CannotStart(f"the model {name} lacks {repository / name / file}: {_REMEDY.format(repository)}")


def _check_triton(settings: StackSettings) -> None:
    try:
        check_machine()
        find_package(settings.triton_environment)
    except UnsuitableMachine as error:
        raise CannotStart(str(error)) from error
