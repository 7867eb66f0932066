"""Results sent to archives, and studies fetched from them, by the Python client and the command line."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from hepar_client import AsyncHepar, Hepar, HeparProblem
from hepar_client.contracts.destinations import SendRequest

from tests.support.dicomweb import STUDY_UID, analysed_study, dicomweb_server
from tests.support.hepar_command import PASSWORD, HeparCommand
from tests.support.light_stack import LightStack, light_stack
from tests.support.study_api import SCOPE, ct_files, zipped
from tests.support.tokens import TokenAuthority


@dataclass(frozen=True)
class Sender:
    """command: of a signed-in user with a finished study."""

    stack: LightStack
    command: HeparCommand
    study_id: str


@pytest.fixture(scope="module")
def sender(authority: TokenAuthority, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sender]:
    """`archive` is another DICOMweb server, `away` does not answer."""
    folder = tmp_path_factory.mktemp("sends")
    with dicomweb_server(tmp_path_factory.mktemp("archive"), authority) as archive:
        analysed_study(archive)
        token = authority.issuer.issue("ann", SCOPE)
        there = {"kind": "dicomweb", "name": "archive", "url": f"{archive.url}/dicom-web", "token": token}
        away = {"kind": "dicomweb", "name": "away", "title": "Old archive", "url": "http://127.0.0.1:9/dicom-web"}
        with light_stack(folder, destinations=[there | {"fetch_for": ["*"]}, away]) as stack:
            command = HeparCommand(stack.settings.gateway_url, folder / "config")
            (folder / "study.zip").write_bytes(zipped(ct_files()))
            with Hepar(stack.settings.gateway_url) as hepar:
                hepar.sign_up(command.email, PASSWORD)
                hepar.sign_in(command.email, PASSWORD)
                study_id = hepar.studies.send(folder / "study.zip").id
            stack.finish_study(study_id)
            assert command("login", command.email).returncode == 0
            yield Sender(stack, command, study_id)


def test_the_command_sends_a_result_and_lists_its_sends(sender: Sender) -> None:
    command = sender.command
    listed = command("study", "destinations").stdout.splitlines()
    assert listed == ["archive  dicomweb  archive", "away  dicomweb  Old archive"]
    wishes = ("--language", "de", "--key-slice", "2", "--key-slice", "1", "--version", "1", "--json")
    queued = command("study", "send-to", sender.study_id, "away", *wishes)
    assert queued.returncode == 0, queued.stderr
    send = json.loads(queued.stdout)
    assert (send["status"], send["language"], send["key_slices"]) == ("waiting", "de", [2, 1])
    (line,) = command("study", "sends", sender.study_id).stdout.splitlines()
    assert line.startswith(f"{send['id']}  away  waiting  version 1  ")


def test_the_command_fetches_a_study_from_an_archive(sender: Sender) -> None:
    fetched = sender.command("study", "fetch", "archive", STUDY_UID, "--json")
    assert fetched.returncode == 0, fetched.stderr
    study = json.loads(fetched.stdout)
    assert (study["status"], study["accession_number"]) == ("queued", "A-1042")


def test_asynchronous_clients_send_and_fetch(sender: Sender) -> None:
    async def work() -> None:
        async with AsyncHepar(sender.stack.settings.gateway_url) as hepar:
            await hepar.sign_in(sender.command.email, PASSWORD)
            names = [item.name for item in (await hepar.studies.destinations()).items]
            assert names == ["archive", "away"]
            send = await hepar.studies.send_to(sender.study_id, SendRequest(destination="away"))
            assert (send.language, send.key_slices) == (None, None)
            assert send.id in [item.id for item in (await hepar.studies.sends(sender.study_id)).items]
            assert (await hepar.studies.fetch("archive", STUDY_UID)).accession_number == "A-1042"
            with pytest.raises(HeparProblem) as refused:
                await hepar.studies.fetch("away", STUDY_UID)
            assert refused.value.problem.type == "/problems/forbidden"

    asyncio.run(work())
