"""Searches for AuditEvents: the access log of studies and the sign-ins of auth_service in one list, newest first."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from heapq import merge
from urllib.parse import urlencode

from sqlalchemy import ColumnElement, or_, select

from hepar.contracts.accounts import AuditEntry, Page
from hepar.core.deadlines import Deadline
from hepar.core.errors import BadUpstream, Forbidden, Unauthenticated
from hepar.storage.database import Database
from hepar.web.upstream import Upstream, UpstreamProblem
from study_service.accesses import record_access
from study_service.documents import Caller
from study_service.fhir.audit_events import ACCOUNT_SYSTEM, PSEUDONYM_SYSTEM, event_of_access, event_of_account
from study_service.fhir.audit_kinds import ACCOUNT_KINDS, STUDY_KINDS, AuditKind
from study_service.fhir.errors import InvalidSearch, NoSuchResource
from study_service.fhir.parameters import DateRange, SearchRequest, Token, dates_of, tokens_of
from study_service.fhir.results import PATIENT, ResultStore
from study_service.outputs.fhir_resources import Resource
from study_service.outputs.fhir_values import URI_SYSTEM
from study_service.tables import StoredAccess, StoredFhirToken, StoredStudy

AUDIT_PARAMETERS: Mapping[str, str] = {
    "_id": "token",
    "date": "date",
    "agent:identifier": "token",
    "patient:identifier": "token",
    "entity:identifier": "token",
    "type": "token",
    "subtype": "token",
}
_ID = re.compile(r"(study|account)-([1-9][0-9]{0,17})")
_ACCOUNT = re.compile("[0-9a-z-]{1,40}")
_CURSOR = re.compile(r"s([0-9]{1,18})\.a([0-9]{1,9})")
_END = 10**18
_CALL_S = 10.0


@dataclass(frozen=True)
class _Cursor:
    """The numbers that come next are below these."""

    study: int = _END
    account: int | None = None

    def text(self) -> str:
        return f"s{self.study}.a{self.account or 0}"


@dataclass(frozen=True)
class _Item:
    at: datetime
    study: int | None
    account: int | None
    event: Resource


@dataclass(frozen=True)
class AuditSearch:
    """store: for the search by patient.  auth: auth_service.  base: address of this server.

    authorization: the caller's, with which auth_service is asked.
    """

    store: ResultStore
    auth: Upstream
    base: str
    authorization: Mapping[str, str]

    @property
    def _database(self) -> Database:
        return self.store.database

    async def read(self, caller: Caller, event_id: str) -> Resource:
        """Raises NoSuchResource, and what calls of auth_service raise."""
        found = await self._by_id(event_id)
        if found is None:
            raise NoSuchResource
        await self._record(caller)
        return found

    async def page(self, caller: Caller, search: SearchRequest) -> tuple[list[Resource], str | None]:
        """Events, and `_after` of the following page. Raises InvalidSearch, and what calls of auth_service raise."""
        count = search.count
        ids = [value for _, values in search.alternatives("_id") for value in values]
        if ids:
            events = [event for event_id in dict.fromkeys(ids) if (event := await self._by_id(event_id)) is not None]
            await self._record(caller)
            return events, None
        cursor = _parsed_cursor(search.one("_after"))
        accesses = await self._accesses(search, cursor, count + 1)
        sign_ins = await self._sign_ins(search, cursor, count + 1)
        items = list(merge(accesses, sign_ins, key=lambda item: item.at, reverse=True))  # each keeps its own order
        await self._record(caller)
        page = items[:count]
        for item in page:
            cursor = replace(cursor, study=item.study or cursor.study, account=item.account or cursor.account)
        return [item.event for item in page], cursor.text() if len(items) > count else None

    async def _accesses(self, search: SearchRequest, cursor: _Cursor, limit: int) -> list[_Item]:
        wanted = select(StoredAccess).where(StoredAccess.number < cursor.study, *await self._conditions(search))
        async with self._database.reading() as session:
            rows = (await session.scalars(wanted.order_by(StoredAccess.number.desc()).limit(limit))).all()
        return [_Item(row.at, row.number, None, event_of_access(row, self.base)) for row in rows]

    async def _conditions(self, search: SearchRequest) -> list[ColumnElement[bool]]:
        conditions = [or_(*(item.condition(StoredAccess.at) for item in ranges)) for ranges in dates_of(search, "date")]
        conditions += [
            StoredAccess.actor.in_(_values(agents, ACCOUNT_SYSTEM)) for agents in tokens_of(search, "agent:identifier")
        ]
        conditions += [
            StoredAccess.study_id.in_([value.removeprefix("urn:uuid:") for value in _values(studies, URI_SYSTEM)])
            for studies in tokens_of(search, "entity:identifier")
        ]
        conditions += [
            StoredAccess.patient.in_(await self._pseudonyms(patients))
            for patients in tokens_of(search, "patient:identifier")
        ]
        events = _events(search, STUDY_KINDS)
        return conditions if events is None else [*conditions, StoredAccess.event.in_(events)]

    async def _pseudonyms(self, patients: Sequence[Token]) -> set[str]:
        """Those that were given, and those of the studies of a patient that the hospital's identifier was given of."""
        await self.store.store_tokens()
        known = select(StoredStudy.patient_pseudonym).where(
            StoredStudy.id == StoredFhirToken.study_id, StoredFhirToken.token.in_(self.store.hashes(PATIENT, patients))
        )
        async with self._database.reading() as session:
            found = set((await session.scalars(known.distinct())).all())
        return {pseudonym for pseudonym in found if pseudonym} | set(_values(patients, PSEUDONYM_SYSTEM))

    async def _sign_ins(self, search: SearchRequest, cursor: _Cursor, limit: int) -> list[_Item]:
        """None where the search is for patients or studies."""
        if any(True for _ in search.alternatives("patient:identifier", "entity:identifier")):
            return []
        events = _events(search, {event: kind for event, (kind, _) in ACCOUNT_KINDS.items()})
        agents = [_values(group, ACCOUNT_SYSTEM) for group in tokens_of(search, "agent:identifier")]
        if events == [] or len(agents) > 1 or (agents and len(agents[0]) != 1):
            return []
        if agents and not _ACCOUNT.fullmatch(agents[0][0]):
            return []
        query = [("order", "newest"), ("limit", str(limit))]
        query += [("event", event) for event in events or ACCOUNT_KINDS]
        query += [("account", agent) for group in agents for agent in group]
        query += _bounds(dates_of(search, "date"))
        query += [("after", str(cursor.account))] if cursor.account else []
        entries = await self._audit(query)
        return [_Item(entry.at, None, entry.number, event_of_account(entry)) for entry in entries]

    async def _by_id(self, event_id: str) -> Resource | None:
        match = _ID.fullmatch(event_id)
        if match is None:
            return None
        number = int(match[2])
        if match[1] == "study":
            async with self._database.reading() as session:
                entry = await session.get(StoredAccess, number)
            return None if entry is None else event_of_access(entry, self.base)
        if number >= 2**31:
            return None
        entries = await self._audit([("after", str(number - 1)), ("limit", "1")])
        found = [entry for entry in entries if entry.number == number and entry.event in ACCOUNT_KINDS]
        return event_of_account(found[0]) if found else None

    async def _audit(self, query: list[tuple[str, str]]) -> list[AuditEntry]:
        path = f"/v1/audit?{urlencode(query)}"
        deadline = Deadline.after(_CALL_S)
        try:
            page = await self.auth.call(Page[AuditEntry], "GET", path, deadline, headers=self.authorization)
        except UpstreamProblem as error:  # a token that was revoked is refused there at once
            refusal = {401: Unauthenticated, 403: Forbidden}.get(error.problem.status)
            raise BadUpstream("sign-in gave a wrong answer") if refusal is None else refusal(error.detail) from error
        return page.items

    async def _record(self, caller: Caller) -> None:
        async with self._database.writing() as session:
            await record_access(session, "accesses_read", caller, "", self.store.now())


def _parsed_cursor(after: str | None) -> _Cursor:
    if after is None:
        return _Cursor()
    match = _CURSOR.fullmatch(after)
    if match is None:
        raise InvalidSearch.of("_after", "use the links of the Bundle")
    return _Cursor(int(match[1]), int(match[2]) or None)


def _values(tokens: Iterable[Token], system: str) -> list[str]:
    """Of the tokens that may mean this system."""
    return [token.value for token in tokens if token.system in (None, system)]


def _events(search: SearchRequest, kinds: Mapping[str, AuditKind]) -> list[str] | None:
    """The events of the searched types and subtypes; None where neither is searched for."""
    types, subtypes = tokens_of(search, "type"), tokens_of(search, "subtype")
    if not types and not subtypes:
        return None
    return [
        event
        for event, kind in kinds.items()
        if all(_has(group, (kind.type,)) for group in types) and all(_has(group, kind.subtypes) for group in subtypes)
    ]


def _has(tokens: Sequence[Token], codings: Iterable[Mapping[str, str]]) -> bool:
    return any(
        token.value == coding["code"] and token.system in (None, coding["system"])
        for coding in codings
        for token in tokens
    )


def _bounds(groups: Sequence[Sequence[DateRange]]) -> list[tuple[str, str]]:
    """As parameters of auth_service, which knows one interval. Raises InvalidSearch for what is none."""
    starts, ends = list[datetime](), list[datetime]()
    for group in groups:
        if len(group) != 1 or group[0].prefix == "ne":
            raise InvalidSearch.of("date", "one interval is expected: ge and lt, or a day")
        wanted = group[0]
        if wanted.prefix in ("eq", "ge", "gt"):
            starts.append(wanted.end if wanted.prefix == "gt" else wanted.start)
        if wanted.prefix in ("eq", "lt", "le"):
            ends.append(wanted.start if wanted.prefix == "lt" else wanted.end)
    bounds = [("at_from", max(starts).isoformat())] if starts else []
    return [*bounds, ("at_to", min(ends).isoformat())] if ends else bounds
