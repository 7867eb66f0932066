"""Two studies of one patient in two panes that are scrolled together."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator

import httpx
import pydicom
import pytest
from playwright.sync_api import Locator, Page, expect

from hepar.imaging.volume import VolumeGeometry
from tests.browser.conftest import PASSWORD, sign_up
from tests.browser.test_accessibility import check
from tests.support.finished_studies import GEOMETRY
from tests.support.light_stack import LightStack, light_stack
from tests.support.pictures import dicom_bytes
from tests.support.study_api import ZIP, ct_files, zipped

# Both livers lie from 35 to 50 mm; the middle of the current one lies between two slices.
CURRENT, CURRENT_LIVER = GEOMETRY, (1, 4)
PRIOR, PRIOR_LIVER = VolumeGeometry((11, 32, 48), (2.5, 0.8, 0.7), (-20.0, -15.0, 30.0)), (2, 8)


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LightStack]:
    with light_stack(tmp_path_factory.mktemp("comparison")) as stack:
        yield stack


def dated(study_date: str) -> bytes:
    """A ZIP of a study of one patient at this date."""
    files = []
    for content in ct_files():
        dataset = pydicom.dcmread(io.BytesIO(content))
        dataset.StudyDate = study_date
        files.append(dicom_bytes(dataset))
    return zipped(files)


def send_both(web: LightStack, email: str) -> str:
    """Returns the id of the current study."""
    with httpx.Client(base_url=web.settings.gateway_url, timeout=60, trust_env=False) as client:
        token = client.post("/v1/token", data={"username": email, "password": PASSWORD}).json()["access_token"]
        headers = ZIP | {"authorization": f"Bearer {token}"}
        ids = [
            str(client.post("/v1/studies", content=dated(date), headers=headers).raise_for_status().json()["id"])
            for date in ("20260820", "20261120")
        ]
    web.finish_volume(ids[0], PRIOR, PRIOR_LIVER)
    web.finish_volume(ids[1], CURRENT, CURRENT_LIVER)
    return ids[1]


def place_mm(pane: Locator, geometry: VolumeGeometry) -> float:
    """Of the slice that a pane shows, along the patient's axis."""
    return geometry.origin_mm[2] + int(pane.get_attribute("data-index") or "") * geometry.spacing_mm[0]


def test_a_prior_study_is_scrolled_by_position_at_another_slice_spacing(page: Page, web: LightStack) -> None:
    study_id = send_both(web, sign_up(page))
    page.goto(f"/studies/{study_id}")
    expect(page.locator(".verdict")).to_be_visible()
    page.get_by_label("Layout").select_option("compare")
    page.get_by_label("Compare with").select_option(index=1)
    current, prior = page.locator("[data-plane=axial]").nth(0), page.locator("[data-plane=axial]").nth(1)
    expect(current.get_by_role("img")).to_have_accessible_name(re.compile("^Current, 20/11/2026, Axial"))
    expect(prior.get_by_role("img")).to_have_accessible_name(re.compile("^Prior, 20/08/2026, Axial"))
    check(page, "current and prior")

    for leader, follower, key, index in (
        (current, prior, "Home", 0),
        (current, prior, "End", 10),
        (prior, current, "Home", 0),
    ):
        leader.locator("canvas").focus()
        page.keyboard.press(key)
        expect(follower).to_have_attribute("data-index", str(index))
        assert place_mm(current, CURRENT) == place_mm(prior, PRIOR)
    current.locator("canvas").focus()
    page.keyboard.press("ArrowUp")
    expect(prior).to_have_attribute("data-index", "2")
    page.mouse.move(*centre_of(prior))
    page.mouse.wheel(0, -100)
    expect(prior).not_to_have_attribute("data-index", "2")
    assert abs(place_mm(current, CURRENT) - place_mm(prior, PRIOR)) <= CURRENT.spacing_mm[0] / 2

    page.get_by_label("Scroll together").uncheck()
    before = prior.get_attribute("data-index") or ""
    current.locator("canvas").focus()
    page.keyboard.press("End")
    expect(current).to_have_attribute("data-index", "5")
    expect(prior).to_have_attribute("data-index", before)


def centre_of(pane: Locator) -> tuple[float, float]:
    box = pane.locator("canvas").bounding_box()
    assert box is not None
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
