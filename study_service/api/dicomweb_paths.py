"""Parts of paths of DICOMweb. What is no UID names nothing."""

from __future__ import annotations

import re
from typing import Annotated

from fastapi import Depends, Path

from hepar.core.errors import NotFound
from study_service.dicomweb.matching import InvalidDicomWebRequest

_UID = re.compile(r"[0-9.]{1,64}")
_FRAMES = re.compile(r"[1-9][0-9]{0,5}(,[1-9][0-9]{0,5})*")
_TAG = re.compile("[0-9A-Fa-f]{8}")
_FRAMES_MAX = 1000


def _uid(value: str) -> str:
    if not _UID.fullmatch(value):
        raise NotFound("this is not a UID")
    return value


def _study_uid(study_uid: Annotated[str, Path()]) -> str:
    return _uid(study_uid)


def _series_uid(series_uid: Annotated[str, Path()]) -> str:
    return _uid(series_uid)


def _instance_uid(instance_uid: Annotated[str, Path()]) -> str:
    return _uid(instance_uid)


def _frame_numbers(frames: Annotated[str, Path()]) -> list[int]:
    """From 1. Raises InvalidDicomWebRequest."""
    if not _FRAMES.fullmatch(frames) or frames.count(",") >= _FRAMES_MAX:
        raise InvalidDicomWebRequest("frames: send numbers from 1, separated by commas")
    return [int(number) for number in frames.split(",")]


def _tag(tag: Annotated[str, Path()]) -> str:
    if not _TAG.fullmatch(tag):
        raise NotFound("there is no such bulk data")
    return tag.upper()


StudyUid = Annotated[str, Depends(_study_uid)]
SeriesUid = Annotated[str, Depends(_series_uid)]
InstanceUid = Annotated[str, Depends(_instance_uid)]
FrameNumbers = Annotated[list[int], Depends(_frame_numbers)]
Tag = Annotated[str, Depends(_tag)]
