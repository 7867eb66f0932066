"""All DICOM objects of a study that the caller may read: those that were sent, and those of its newest result."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass

from hepar.core.errors import NotFound
from hepar.imaging.dicom_json import JsonHeader
from study_service.dicomweb.derived_objects import DerivedObjects
from study_service.dicomweb.objects import DicomEntry, DicomObjectStore, ObjectGroup
from study_service.dicomweb.source_objects import SourceObjects
from study_service.dicomweb.studies import FoundStudy


class NoSuchObject(NotFound):
    """The study has no such series or instance."""


@dataclass(frozen=True)
class CataloguedObject:
    group: ObjectGroup
    entry: DicomEntry


@dataclass(frozen=True)
class Catalogue:
    """An instance that was sent twice is there once."""

    store: DicomObjectStore
    groups: tuple[ObjectGroup, ...]
    study_uid: str

    def objects(self, series_uid: str | None = None, instance_uid: str | None = None) -> list[CataloguedObject]:
        """Of the study, of a series, or one. Raises NoSuchObject where there is none."""
        found = [
            item
            for item in self._all()
            if (series_uid is None or item.entry.series_uid == series_uid)
            and (instance_uid is None or item.entry.sop_instance_uid == instance_uid)
        ]
        if not found:
            raise NoSuchObject("the study has no such series or instance")
        return found

    async def content(self, item: CataloguedObject) -> bytes:
        """The DICOM file."""
        return await self.store.content(item.group, item.entry)

    def stream(self, item: CataloguedObject) -> AsyncIterator[bytes]:
        """The DICOM file in pieces."""
        return self.store.stream(item.group, item.entry)

    async def headers(self, wanted: Sequence[CataloguedObject]) -> list[JsonHeader]:
        """In the same order."""
        known: dict[str, JsonHeader] = {}
        for group in dict.fromkeys(item.group.prefix for item in wanted):
            whole = next(found for found in self.groups if found.prefix == group)
            for entry, header in zip(whole.entries, await self.store.headers(whole), strict=True):
                known.setdefault(entry.sop_instance_uid, header)
        return [known[item.entry.sop_instance_uid] for item in wanted]

    def _all(self) -> Iterator[CataloguedObject]:
        """Without objects that state another study, which a ZIP may hold."""
        seen: set[str] = set()
        for group in self.groups:
            for entry in group.entries:
                if entry.study_uid == self.study_uid and entry.sop_instance_uid not in seen:
                    seen.add(entry.sop_instance_uid)
                    yield CataloguedObject(group, entry)


@dataclass(frozen=True)
class Catalogues:
    store: DicomObjectStore
    sources: SourceObjects
    derived: DerivedObjects

    async def of(self, study: FoundStudy) -> Catalogue:
        """Raises what UploadReader does, and Unavailable."""
        groups = await self.sources.groups(study.files)
        if groups and study.analysed is not None and study.result is not None:
            groups.append(await self.derived.group(study.files.study_id, study.analysed, study.result))
        return Catalogue(self.store, tuple(groups), study.study_uid)
