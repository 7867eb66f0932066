"""The state of a running installation, for administrators."""

from typing import Literal

from pydantic import Field

from .base import Document, example_of, with_example

SYSTEM_PATH = "/v1/system"


class StudyQueue(Document):
    """Studies that wait or are analysed now, and how the last day went."""

    model_config = with_example(
        {"waiting": 3, "running": 2, "oldest_wait_s": 41.5, "finished_last_day": 57, "failed_last_day": 1}
    )

    waiting: int = Field(ge=0, description="studies that no worker has begun, or that wait for another try")
    running: int = Field(ge=0, description="studies that workers analyse")
    oldest_wait_s: float | None = Field(ge=0, description="how long the oldest has waited; null without one")
    finished_last_day: int = Field(ge=0, description="studies that were finished in the last 24 hours")
    failed_last_day: int = Field(ge=0, description="studies that failed in the last 24 hours")


class Disk(Document):
    """A file system that studies are stored on."""

    model_config = with_example({"purpose": "objects", "total_bytes": 1000204886016, "free_bytes": 731203571712})

    purpose: Literal["objects", "uploads"] = Field(
        description="`objects`: images, masks and results; `uploads`: what is received or read now"
    )
    total_bytes: int = Field(ge=0, description="size of the file system")
    free_bytes: int = Field(ge=0, description="free for this service")


class SystemState(Document):
    """What study_service works with."""

    model_config = with_example(
        {
            "software_version": "2.0.0",
            "database": "postgresql",
            "object_storage": "folder",
            "queue": example_of(StudyQueue),
            "disks": [example_of(Disk)],
        }
    )

    software_version: str = Field(description="of Hepar")
    database: Literal["postgresql", "sqlite"] = Field(description="where studies and jobs are kept")
    object_storage: Literal["folder", "cloud"] = Field(description="where images, masks and results are kept")
    queue: StudyQueue
    disks: list[Disk] = Field(description="none for object storage in a cloud, which has no such limit")
