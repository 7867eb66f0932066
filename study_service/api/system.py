"""The state of the service, for administrators."""

from __future__ import annotations

from fastapi import APIRouter

from hepar.contracts.system_state import SYSTEM_PATH, SystemState
from hepar.web.openapi import problems
from study_service.api.dependencies import ADMINISTRATOR, Dependencies

router = APIRouter(tags=["administration"], dependencies=[ADMINISTRATOR], responses=problems("unavailable"))


@router.get(SYSTEM_PATH, summary="Read the state of the system")
async def get_system(dependencies: Dependencies) -> SystemState:
    """The queue of studies, and the space on disks. Metrics for monitoring are on another port."""
    return await dependencies.system.read()
