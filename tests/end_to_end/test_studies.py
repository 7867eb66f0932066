"""A study through the whole stack: sent with the command line, analysed by the worker, read, and announced."""

from __future__ import annotations

import asyncio
import gzip
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path

import nibabel as nib
import pytest
from hepar_client import AsyncHepar, ExportOptions, Hepar, HeparProblem, NoStudy, StudyFilter, StudyOptions
from hepar_client.contracts.findings import CorrectionForm, NewFinding

from tests.support.hepar_command import PASSWORD, HeparCommand
from tests.support.stack import Stack, tiny_stack
from tests.support.study_api import ct_files
from tests.support.tiny_models import write_segmenter
from tests.support.webhook_receiver import WebhookReceiver, webhook_receiver

SAMPLE = Path("samples/study.zip")


@pytest.fixture(scope="module")
def receiver() -> Iterator[WebhookReceiver]:
    with webhook_receiver() as running:
        yield running


@pytest.fixture(scope="module")
def studies(tmp_path_factory: pytest.TempPathFactory, receiver: WebhookReceiver) -> Iterator[Stack]:
    """With a segmenter, for which dark parts are the liver, and an allowed webhook."""
    folder = tmp_path_factory.mktemp("stack")
    write_segmenter(folder / "models", "segment_dark", in_the_dark=True)
    hosts = json.dumps([receiver.url.removeprefix("http://")])
    settings = {"HEPAR_STUDY_WEBHOOK_HOSTS": hosts, "HEPAR_STUDY_WEBHOOK_NETWORKS": '["127.0.0.0/8"]'}
    with tiny_stack(folder, **settings) as stack:
        yield stack


@pytest.fixture
def command(studies: Stack, tmp_path: Path) -> HeparCommand:
    ready = HeparCommand(studies.settings.gateway_url, tmp_path / "config")
    with Hepar(studies.settings.gateway_url) as hepar:
        hepar.sign_up(ready.email, PASSWORD)
    assert ready("login", ready.email).returncode == 0
    return ready


def exported(folder: Path, count: int = 8) -> Path:
    """As from a PACS, with a viewer among the images."""
    (folder / "IMAGES").mkdir(parents=True)
    for number, content in enumerate(ct_files(count)):
        (folder / "IMAGES" / f"IM{number:04}").write_bytes(content)
    (folder / "README.txt").write_text("This disc has a viewer.")
    return folder


def test_a_folder_is_sent_waited_for_shown_and_downloaded(command: HeparCommand, tmp_path: Path) -> None:
    sent = command("study", "send", exported(tmp_path / "disc"), "--name", "Follow-up 3", "--wait")
    assert sent.returncode == 0, sent.stderr
    assert "1 files are not DICOM" in sent.stderr
    assert "not a medical device" in sent.stdout
    (listed,) = command("study", "list", "--search", "follow-up 3", "--json").stdout.splitlines()
    study = json.loads(listed)
    assert (study["status"], study["images"], study["name"]) == ("finished", 8, "Follow-up 3")
    assert command("study", "list", "--status", "failed").stdout == ""
    assert sent.stdout.startswith(f"{study['id']}  finished  Follow-up 3")
    result = json.loads(command("study", "show", study["id"], "--json").stdout)
    assert (result["study_id"], result["version"]) == (study["id"], 1)
    assert {model["model"] for model in result["models"]} >= {"classify_tiny", "detect_tiny", "segment_dark"}
    folder = tmp_path / "result"
    downloaded = command("study", "download", study["id"], "--to", folder)
    assert downloaded.returncode == 0, downloaded.stderr
    assert json.loads((folder / "result.json").read_text()) == result
    masks = nib.Nifti1Image.from_bytes(gzip.decompress((folder / "masks.nii.gz").read_bytes()))
    volume = result["volume"]
    assert masks.shape == (volume["columns"], volume["rows"], volume["slices"])
    assert {f"slice-{key['slice']}.png" for key in result["key_slices"]} <= {file.name for file in folder.iterdir()}
    _files_and_export(command, study["id"], tmp_path)


def _files_and_export(command: HeparCommand, study_id: str, folder: Path) -> None:
    named = ("--file", "report.pdf", "--file", "lesions.csv", "--to", folder / "files")
    files = command("study", "download", study_id, *named)
    assert files.returncode == 0, files.stderr
    assert sorted(file.name for file in (folder / "files").iterdir()) == ["lesions.csv", "report.pdf"]
    assert command("study", "export", study_id).returncode == 2
    target = folder / "export.zip"
    done = command("study", "export", study_id, "--deidentified", "--shifted-dates", "--to", target)
    assert (done.returncode, done.stdout) == (0, f"{target}\n"), done.stderr
    with zipfile.ZipFile(target) as archive:
        assert sum(name.startswith("images/") for name in archive.namelist()) == 8
        assert json.loads(archive.read("export.json"))["dates"] == "shifted"
        assert not any(b"Curie" in archive.read(name) for name in archive.namelist())


def test_the_command_says_what_is_wrong(command: HeparCommand, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    empty = command("study", "send", tmp_path / "empty")
    assert (empty.returncode, "has no DICOM file" in empty.stderr) == (2, True)
    assert command("study", "send", tmp_path / "nowhere").returncode == 2
    (tmp_path / "text.zip").write_text("no archive")
    refused = command("study", "send", tmp_path / "text.zip")
    assert (refused.returncode, "not" in refused.stderr) == (1, True)
    unknown = command("study", "show", "0b0e7f0a-5d4e-4c8a-9a5e-0d7f6b3f7c11")
    assert (unknown.returncode, "There is no such study" in unknown.stderr) == (1, True)
    command("logout")
    assert command("study", "list").returncode == 4


def test_the_sample_study_with_the_python_client_and_a_webhook(
    studies: Stack, command: HeparCommand, receiver: WebhookReceiver
) -> None:
    read_bytes: list[int] = []
    with Hepar(studies.settings.gateway_url) as hepar:
        hepar.sign_in(command.email, PASSWORD)
        webhook = hepar.studies.register_webhook(f"{receiver.url}/ris", ("finished",))
        assert webhook.secret is not None
        study = hepar.studies.send(SAMPLE, StudyOptions(name="Sample", urgent=True), read_bytes.append)
        assert (study.status, study.priority) == ("queued", "urgent")
        assert sum(read_bytes) == SAMPLE.stat().st_size
        stages = [step.progress.stage for step in hepar.studies.follow(study.id)]
        assert stages[-1] == "done"
        result = hepar.studies.result(study.id)
        first, last = result.volume.liver_slices or (0, 0)
        assert len(result.slices) == last - first + 1
        assert hepar.studies.slice_png(study.id, first, center_hu=40, width_hu=400).startswith(b"\x89PNG")
        assert hepar.studies.mask_png(study.id, first).startswith(b"\x89PNG")
        again = hepar.studies.send(SAMPLE)
        assert (again.id, again.status, again.version) == (study.id, "finished", 1)
        with_a_client(hepar, study.id)
        (call,) = receiver.wait_for(1)
        assert call.is_signed_with(webhook.secret)
        assert json.loads(call.body)["study_id"] == study.id
        hepar.studies.delete_webhook(webhook.id)
        assert hepar.studies.webhooks().items == []


def with_a_client(hepar: Hepar, study_id: str) -> None:
    """A lesion is added and rejected; a late correction is refused."""
    new = NewFinding.model_validate({"outlines": [{"slice": 1, "polygon": [[9, 9], [30, 9], [30, 30]]}]})
    added = hepar.studies.add_finding(hepar.studies.findings(study_id), new)
    rejected = hepar.studies.correct(study_id, added, CorrectionForm(action="reject"))
    assert (rejected.id, rejected.status, rejected.history[0].author_role) == ("R1", "rejected", "researcher")
    with pytest.raises(HeparProblem, match="changed meanwhile"):
        hepar.studies.correct(study_id, added, CorrectionForm(action="accept"))
    records = hepar.studies.corrections()
    assert [(record.study_id, record.action) for record in records] == [(study_id, "add"), (study_id, "reject")]
    assert len(hepar.studies.corrections(records[1].at)) == 1


def test_the_asynchronous_client_sees_what_the_other_one_sees(
    studies: Stack, command: HeparCommand, tmp_path: Path
) -> None:
    async def check() -> None:
        async with AsyncHepar(studies.settings.gateway_url) as hepar:
            await hepar.sign_in(command.email, PASSWORD)
            with pytest.raises(NoStudy):
                await hepar.studies.send(tmp_path / "nowhere")
            sent = await hepar.studies.send(exported(tmp_path / "disc", 6), StudyOptions(name="Async"))
            study = await hepar.studies.wait(sent.id)
            assert (study.id, study.status) == (sent.id, "finished")
            assert [item.id async for item in hepar.studies.all(StudyFilter(search="async"))] == [sent.id]
            new = NewFinding.model_validate({"outlines": [{"slice": 1, "polygon": [[9, 9], [30, 9], [30, 30]]}]})
            added = await hepar.studies.add_finding(await hepar.studies.findings(sent.id), new)
            corrected = await hepar.studies.correct(sent.id, added, CorrectionForm(action="retype", label="cyst"))
            assert (corrected.label, len(await hepar.studies.corrections(corrected.history[1].at))) == ("cyst", 1)
            version = (await hepar.studies.analyse_again(sent.id)).version
            await hepar.studies.wait(sent.id)
            assert ((await hepar.studies.result(sent.id)).version, version) == (2, 2)
            assert (await hepar.studies.file(sent.id, "report.pdf", language="de")).startswith(b"%PDF-")
            await hepar.studies.export(sent.id, tmp_path / "a.zip", ExportOptions(characteristics=True))
            assert zipfile.ZipFile(tmp_path / "a.zip").testzip() is None
            with pytest.raises(HeparProblem, match="There is no result yet"):
                await hepar.studies.export(sent.id, tmp_path / "b.zip", ExportOptions(version=9))
            await hepar.studies.delete(sent.id)
            with pytest.raises(HeparProblem, match="There is no such study"):
                await hepar.studies.get(sent.id)

    asyncio.run(check())
    assert {file.name for file in tmp_path.iterdir() if ".zip" in file.name} == {"a.zip"}
