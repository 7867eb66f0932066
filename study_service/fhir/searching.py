"""Searches for resources of results: which versions of studies match, which of their resources, and the page."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator, Mapping
from contextlib import aclosing
from dataclasses import dataclass

from study_service.documents import Caller
from study_service.fhir.errors import InvalidSearch, NoSuchResource
from study_service.fhir.parameters import SearchRequest, Token, dates_of, tokens_of
from study_service.fhir.references import FHIR_PATH, ResourceKey, parsed_id, parsed_reference, type_of
from study_service.fhir.results import PATIENT, ResultFilter, ResultStore
from study_service.outputs.fhir_resources import (
    REPORT_TITLE,
    ReportResources,
    ReportSource,
    Resource,
    instant,
    updated_at,
)

_COMMON = {
    "_id": "token",
    "_lastUpdated": "date",
    "identifier": "token",
}
_PATIENT = {"patient:identifier": "token", "patient.identifier": "token"}
_SUBJECT = {"subject:identifier": "token", "subject.identifier": "token"}
PARAMETERS: Mapping[str, Mapping[str, str]] = {
    "Device": _COMMON,
    "DiagnosticReport": _COMMON | _PATIENT | _SUBJECT | {"study": "reference"},
    "ImagingStudy": _COMMON | _PATIENT | _SUBJECT,
    "Observation": _COMMON | _PATIENT | _SUBJECT | {"derived-from": "reference"},
    "Provenance": {"_id": "token", "_lastUpdated": "date", "target": "reference", "entity": "reference"},
}
"""By type: the parameters that select, with their type. `study` is that of FHIR R5."""
_REFERENCES = {
    "study": ("ImagingStudy",),
    "derived-from": ("ImagingStudy",),
    "entity": ("ImagingStudy",),
    "target": ("DiagnosticReport", "Observation"),
}
_BATCH = 20
_EXAMINED_MAX = 200
"""Versions of a page: it may be shorter than `_count`, or empty, where many have no resource of the type."""
_REPORT, _LAST_NAME = "report", "provenance"


@dataclass(frozen=True)
class Found:
    """A resource with its address below the base."""

    key: ResourceKey
    resource: Resource


@dataclass(frozen=True)
class Page:
    """after: `_after` of the following page; None on the last."""

    found: list[Found]
    after: str | None


@dataclass(frozen=True)
class ResultSearch:
    """base: address of this server, without a slash at the end."""

    store: ResultStore
    base: str

    async def read(self, caller: Caller, resource_type: str, resource_id: str) -> Found:
        """Raises NoSuchResource."""
        key = parsed_id(resource_id)
        if key is None or key.type != resource_type:
            raise NoSuchResource
        source = await self.store.read(caller, key)
        for found in self._resources(source, resource_type):
            if found.key == key:
                return found
        raise NoSuchResource

    async def page(self, caller: Caller, resource_type: str, search: SearchRequest) -> Page:
        """Raises InvalidSearch; what is returned is recorded as read."""
        count, after = search.count, search.one("_after")
        cursor = _parsed_cursor(after) if after else None
        found, following, number = list[Found](), None, 0
        async with aclosing(self._matching(caller, resource_type, search, cursor)) as examined:
            async for end, items in examined:
                number, found = number + (end != cursor), found + items
                if len(found) > count:
                    following = found[count - 1].key
                elif number >= _EXAMINED_MAX:
                    following = end
                if following is not None:
                    break
        page = found[:count]
        versions = list(dict.fromkeys((item.key.study_id, item.key.version) for item in page))
        names = [name for name, _ in search.used if name != "_after"]
        await self.store.disclose(caller, resource_type, names, versions)
        return Page(page, following.id if following else None)

    async def _matching(
        self, caller: Caller, resource_type: str, search: SearchRequest, cursor: ResourceKey | None
    ) -> AsyncGenerator[tuple[ResourceKey, list[Found]], None]:
        """Of each version that may match, its last key and what matches, from the resource after the cursor on."""
        wanted, last = self._filter(resource_type, search), None
        if cursor is not None:
            last = (cursor.study_id, cursor.version)
            same = ResultFilter((*wanted.versions, frozenset({last})))
            for source in await self.store.page(caller, same, None, 1):
                items = self._matches_of(source, resource_type, search)
                keys = [item.key for item in items]
                yield cursor, items[keys.index(cursor) + 1 :] if cursor in keys else []
        while True:
            sources = await self.store.page(caller, wanted, last, _BATCH)
            for source in sources:
                end = ResourceKey(source.result.study_id, source.result.version, _LAST_NAME)
                yield end, self._matches_of(source, resource_type, search)
            if len(sources) < _BATCH:
                return
            last = (sources[-1].result.study_id, sources[-1].result.version)

    def _matches_of(self, source: ReportSource, resource_type: str, search: SearchRequest) -> list[Found]:
        return [item for item in self._resources(source, resource_type) if _matches(item, search)]

    def _resources(self, source: ReportSource, resource_type: str) -> Iterator[Found]:
        result = source.result
        document = f"{self.base}/v1/studies/{result.study_id}/files/report.pdf?version={result.version}"
        attachment = {
            "contentType": "application/pdf",
            "language": source.language,
            "url": document,
            "title": REPORT_TITLE,
            "creation": instant(source.created_at),
        }

        def link(kind: str, name: str) -> str:
            return f"{kind}/{ResourceKey(result.study_id, result.version, name).id}"

        for name, resource in ReportResources(source, link, attachment).all().items():
            if resource["resourceType"] == resource_type:
                yield Found(ResourceKey(result.study_id, result.version, name), resource | _meta(source, name))

    def _filter(self, resource_type: str, search: SearchRequest) -> ResultFilter:
        versions = [
            frozenset((key.study_id, key.version) for value in values if (key := parsed_id(value)) is not None)
            for _, values in search.alternatives("_id")
        ]
        for name, types in _REFERENCES.items():
            for _, values in search.alternatives(name) if name in PARAMETERS[resource_type] else ():
                keys = (parsed_reference(name, value, types, f"{self.base}{FHIR_PATH}") for value in values)
                versions.append(frozenset((key.study_id, key.version) for key in keys if key is not None))
        tokens = [self._hashes(resource_type, group) for group in tokens_of(search, "identifier")]
        tokens += [self._hashes(PATIENT, group) for group in tokens_of(search, *_PATIENT, *_SUBJECT)]
        updated = tuple(map(tuple, dates_of(search, "_lastUpdated")))
        return ResultFilter(
            tuple(versions), tuple(tokens), updated, corrections_update=resource_type == type_of(_REPORT)
        )

    def _hashes(self, kind: str, tokens: list[Token]) -> frozenset[str]:
        """Raises InvalidSearch for `system|`: identifiers are stored as hashes of the whole."""
        if any(not token.value for token in tokens):
            raise InvalidSearch.of("identifier", "a value is expected")
        return self.store.hashes(kind, tokens)


def _meta(source: ReportSource, name: str) -> Resource:
    """Of the report, corrections make a new version; the other resources state what the models answered."""
    reading = source.result.reading if name == _REPORT else None
    corrections = reading.summary.corrections if reading else 0
    return {"meta": {"versionId": str(corrections + 1), "lastUpdated": instant(updated_at(source, name))}}


def _matches(found: Found, search: SearchRequest) -> bool:
    """What the version of the study does not decide."""
    ids = all(found.key.id in values for _, values in search.alternatives("_id"))
    stated = [(item.get("system", ""), item["value"]) for item in found.resource.get("identifier", [])]
    return ids and all(
        any(token.value == value and token.system in (None, system) for token in group for system, value in stated)
        for group in tokens_of(search, "identifier")
    )


def _parsed_cursor(after: str) -> ResourceKey:
    key = parsed_id(after)
    if key is None:
        raise InvalidSearch.of("_after", "use the links of the Bundle")
    return key
