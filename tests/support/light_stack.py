"""Gateway with browser client, accounts and studies in this process, without models and workers: starts in seconds."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from auth_service.app import create_app as create_auth
from auth_service.settings import AuthSettings
from gateway.app import create_app as create_gateway
from gateway.settings import GatewaySettings
from hepar.imaging.volume import VolumeGeometry
from local_stack.demo import state_variables
from local_stack.settings import StackSettings
from study_service.app import create_app as create_study
from study_service.settings import StudySettings
from tests.support.finished_studies import GEOMETRY, begin_study, fail_study, finish_study, small_study
from tests.support.serving import serving
from tests.support.stack import Stack

_NOWHERE = "http://127.0.0.1:9"
SOP_UIDS = [f"1.2.3.{number}" for number in range(1, GEOMETRY.shape[0] + 1)]


@dataclass(frozen=True)
class LightStack(Stack):
    study: StudySettings

    def finish_study(self, study_id: str) -> None:
        """As a worker does, with the result of `small_study`. In a thread: Playwright's event loop runs in this one."""
        with ThreadPoolExecutor(1) as pool:
            pool.submit(finish_study, self.study, study_id, SOP_UIDS, **small_study()).result()

    def begin_study(self, study_id: str, slices_done: int, slices_total: int) -> None:
        with ThreadPoolExecutor(1) as pool:
            pool.submit(begin_study, self.study, study_id, slices_done, slices_total).result()

    def finish_volume(self, study_id: str, geometry: VolumeGeometry, liver: tuple[int, int]) -> None:
        """The same with another volume. liver: its first and last slice."""
        uids = [f"1.2.3.{number}" for number in range(1, geometry.shape[0] + 1)]
        changes = small_study(geometry, liver)
        with ThreadPoolExecutor(1) as pool:
            pool.submit(finish_study, self.study, study_id, uids, geometry=geometry, **changes).result()

    def fail_sends(self) -> None:
        """Those that wait, as a worker leaves them after the last attempt."""
        with sqlite3.connect(self.study.database_url.partition("///")[2]) as database:
            failed = "status = 'failed', attempts = 12, reason = 'the archive is away'"
            database.execute(f"UPDATE study_sends SET {failed} WHERE status = 'waiting'")  # noqa: S608  no input in it

    def fail_study(self, study_id: str) -> None:
        with ThreadPoolExecutor(1) as pool:
            pool.submit(fail_study, self.study, study_id).result()


@contextmanager
def light_stack(folder: Path, **study_settings: object) -> Iterator[LightStack]:
    state = state_variables(folder)
    with ExitStack() as stack:
        auth = AuthSettings(
            database_url=state["HEPAR_AUTH_DATABASE_URL"],
            keys_folder=Path(state["HEPAR_AUTH_KEYS_FOLDER"]),
            secret_key_file=Path(state["HEPAR_AUTH_SECRET_KEY_FILE"]),
            signup_burst=1000,
        )
        auth_url = stack.enter_context(serving(create_auth(auth)))
        own = {
            "database_url": state["HEPAR_STUDY_DATABASE_URL"],
            "objects_url": state["HEPAR_STUDY_OBJECTS_URL"],
            "key_file": state["HEPAR_STUDY_KEY_FILE"],
            "spool_folder": state["HEPAR_STUDY_SPOOL_FOLDER"],
            "auth_url": auth_url,
        }
        study = StudySettings.model_validate(own | study_settings)
        study_url = stack.enter_context(serving(create_study(study)))
        gateway = GatewaySettings(
            database_url=state["HEPAR_GATEWAY_DATABASE_URL"],
            auth_url=auth_url,
            study_url=study_url,
            classify_url=_NOWHERE,
            detect_url=_NOWHERE,
        )
        gateway_url = stack.enter_context(serving(create_gateway(gateway)))
        urls = {"gateway_port": gateway_url, "auth_port": auth_url, "study_port": study_url}
        settings = StackSettings().model_copy(update={name: _port(url) for name, url in urls.items()})
        yield LightStack(settings, folder, os.getpid(), study)


def _port(url: str) -> int:
    return int(url.rpartition(":")[2])
