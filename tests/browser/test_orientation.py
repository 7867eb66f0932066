"""However an image lies in its file: the viewer shows it upright and undistorted, and each box covers its lesion."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pydicom
import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, Route, expect

from tests.browser.conftest import TIMEOUT_MS, analyse, open_activation_map, payload, row_of, sign_up, wait_until_drawn
from tests.end_to_end.conftest import Stack
from tests.support.orientations import EXIF_ORIENTATIONS, IMAGE_ORIENTATIONS, PATIENT_ORIENTATIONS, Turn
from tests.support.pictures import ct_dataset, dicom_bytes, encoded

SIDE = 160
METASTASIS, CHOLANGIOCARCINOMA = 170, 230
"""Grey levels of the lesions, where the two detectors of the stack find one in a square image."""
UPRIGHT = np.zeros((SIDE, SIDE), dtype=np.uint8)
UPRIGHT[:, 14:-14] = 90  # as wide as the organs of a patient: a picture that looks enlarged or shrunk is shown to scale
UPRIGHT[40:80, 40:80] = METASTASIS
UPRIGHT[48:80, 96:128] = CHOLANGIOCARCINOMA
NEAR_PX = 6
"""On the screen: the width of a line, and what scaling smooths."""


def dicom(turn: Turn, image: list[str] | None, patient: list[str] | None = None, rows: int = 1) -> bytes:
    """rows: every how manyth row as sent is kept."""
    dataset = ct_dataset(np.ascontiguousarray(turn(UPRIGHT)[::rows]).astype(np.int32) * 250 // 255)
    dataset.PixelSpacing = [str(0.8 * rows), "0.8"]
    del dataset.ImageOrientationPatient
    if image is not None:
        dataset.ImageOrientationPatient = image
    if patient is not None:
        dataset.PatientOrientation = patient
    return dicom_bytes(dataset)


def picture(form: str, value: int) -> bytes:
    stored = np.ascontiguousarray(EXIF_ORIENTATIONS[value](UPRIGHT))
    if form == "TIFF":
        return encoded(stored, form, tiffinfo={274: value})
    exif = Image.Exif()
    exif[0x0112] = value
    return encoded(stored, form, exif=exif, quality=95)


def _files() -> dict[str, bytes]:
    standard, _ = IMAGE_ORIENTATIONS["as displayed"]
    lying, turn = IMAGE_ORIENTATIONS["decubitus left"]
    files = {f"{name}.dcm": dicom(turn, values) for name, (values, turn) in IMAGE_ORIENTATIONS.items()}
    files["patient orientation.dcm"] = dicom(PATIENT_ORIENTATIONS["A\\L"][1], None, ["A", "L"])
    files["high pixels.dcm"] = dicom(np.asarray, standard, rows=2)
    files["wide and turned.dcm"] = dicom(turn, lying, rows=2)
    files["unknown.dcm"] = dicom(np.asarray, None)
    files |= {f"exif {value}.jpg": picture("JPEG", value) for value in EXIF_ORIENTATIONS}
    return files | {f"exif 6.{form.lower()}": picture(form, 6) for form in ("PNG", "WEBP", "TIFF")}


FILES = _files()


@pytest.fixture(scope="module")
def results(browser: Browser, web: Stack) -> Iterator[Page]:
    """All files are analysed. The activation map of each is replaced by the metastasis, in the file's pixels, and the
    outline of the metastasis by a rhombus between the middles of its edges.
    """
    context = browser.new_context(
        base_url=web.settings.gateway_url, viewport={"width": 1280, "height": 900}, locale="en-GB"
    )
    context.set_default_timeout(TIMEOUT_MS)
    page = context.new_page()
    page.route("**/v1/analyses*", _with_outline)
    page.route("**/v1/classifications*", _with_map)
    sign_up(page)
    analyse(page, *(payload(name, content) for name, content in FILES.items()))
    expect(page.get_by_role("link", name="Open")).to_have_count(len(FILES))
    yield page
    context.close()


def _with_map(route: Route) -> None:
    response = route.fetch()
    document = response.json()
    image = document["image"]
    stored = np.asarray(_raster(route.request.post_data_buffer or b""))
    rows = ((np.arange(64) + 0.5) / 64 * image["height"]).astype(int)
    columns = ((np.arange(64) + 0.5) / 64 * image["width"]).astype(int)
    near = np.abs(stored[rows][:, columns].astype(int) - METASTASIS) < 8
    document["explanation"]["activation_map"] = near.astype(float).tolist()
    route.fulfill(response=response, json=document)


def _with_outline(route: Route) -> None:
    response = route.fetch()
    document = response.json()
    (box,) = (box for box in document["detection"]["boxes"] if box["label"] == "metastasis")
    x, y = (box["x_min"] + box["x_max"]) / 2, (box["y_min"] + box["y_max"]) / 2
    rhombus = [(x, box["y_min"]), (box["x_max"], y), (x, box["y_max"]), (box["x_min"], y), (x, box["y_min"])]
    box["outline"] = [[rhombus]]
    route.fulfill(response=response, json=document)


def _raster(content: bytes) -> np.ndarray:
    """Grey levels as the file stores them."""
    if content[128:132] == b"DICM":
        dataset = pydicom.dcmread(io.BytesIO(content))
        return np.asarray((dataset.pixel_array.astype(int) - 1024) * 255 // 250)
    with Image.open(io.BytesIO(content)) as opened:
        value = opened.getexif().get(0x0112, 1)
        loaded = np.asarray(opened.convert("L"))
    return np.ascontiguousarray(EXIF_ORIENTATIONS[value](loaded)) if opened.format == "TIFF" else loaded


@dataclass(frozen=True)
class Canvas:
    """(rows, columns, 3) on the screen."""

    pixels: np.ndarray

    def extent(self, near: np.ndarray, count: int) -> list[int]:
        """Left, top, right and bottom of the rows and columns in which at least `count` pixels are `near`."""
        columns = np.flatnonzero(near.sum(axis=0) >= count)
        rows = np.flatnonzero(near.sum(axis=1) >= count)
        return [columns[0], rows[0], columns[-1] + 1, rows[-1] + 1]

    def near(self, colour: list[int], tolerance: int, count: int) -> list[int]:
        distance = np.abs(self.pixels.astype(int) - np.array(colour)).max(axis=2)
        return self.extent(np.asarray(distance < tolerance), count)

    def grey(self, level: int) -> list[int]:
        return self.near([level] * 3, 6, 20)

    def outline(self, red: int, green: int, blue: int) -> list[int]:
        return self.near([red, green, blue], 50, 30)

    def warm(self) -> list[int]:
        red, green, blue = np.moveaxis(self.pixels.astype(int), 2, 0)
        return self.extent((np.abs(red - green) < 12) & (red - blue > 60), 20)

    def letters(self) -> list[bool]:
        """Whether something white stands at the left, upper, right and lower edge."""
        white = (self.pixels == 255).all(axis=2)
        y, x = white.shape[0] // 2, white.shape[1] // 2
        places = (white[y - 9 : y + 9, 6:26], white[6:26, x - 9 : x + 9], white[y - 9 : y + 9, -26:-6])
        return [bool(place.any()) for place in (*places, white[-26:-6, x - 9 : x + 9])]


def canvas_of(page: Page) -> Canvas:
    wait_until_drawn(page)
    data = page.evaluate("() => document.querySelector('canvas[role=img]').toDataURL().split(',')[1]")
    return Canvas(np.asarray(Image.open(io.BytesIO(base64.b64decode(data))).convert("RGB")))


@pytest.mark.parametrize("name", FILES)
def test_the_image_is_shown_upright_and_undistorted_and_each_box_covers_its_lesion(results: Page, name: str) -> None:
    results.get_by_role("link", name="Analyse").click()
    row_of(results, name).get_by_role("link", name="Open").click()
    expect(results.locator(".verdict")).to_be_visible()
    results.get_by_label("Activation map").select_option("")
    canvas = canvas_of(results)
    metastasis, cholangiocarcinoma = canvas.grey(METASTASIS), canvas.grey(CHOLANGIOCARCINOMA)
    zoom = min(canvas.pixels.shape[:2]) / SIDE
    left, top = ((side - SIDE * zoom) / 2 for side in (canvas.pixels.shape[1], canvas.pixels.shape[0]))
    assert metastasis == pytest.approx(np.array([40, 40, 80, 80]) * zoom + [left, top, left, top], abs=NEAR_PX)
    assert cholangiocarcinoma == pytest.approx(np.array([96, 48, 128, 80]) * zoom + [left, top, left, top], abs=NEAR_PX)
    assert canvas.outline(0x5A, 0xD1, 0xFF) == pytest.approx(metastasis, abs=NEAR_PX)
    left, top, right, bottom = metastasis
    edge = canvas.pixels[top + (bottom - top) // 4 - 2 :, left + (right - left) // 4 - 2 :][:5, :5].astype(int)
    assert (np.abs(edge - [0x5A, 0xD1, 0xFF]).max(axis=2) < 90).any(), "the rhombus"
    assert canvas.outline(0xFF, 0xB4, 0x54) == pytest.approx(cholangiocarcinoma, abs=NEAR_PX)
    assert canvas.letters() == [name.endswith(".dcm") and name != "unknown.dcm"] * 4
    open_activation_map(results, "ensemble")
    assert canvas_of(results).warm() == pytest.approx(metastasis, abs=3 * zoom + NEAR_PX)
