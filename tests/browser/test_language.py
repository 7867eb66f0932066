"""German: complete, with decimal commas."""

from __future__ import annotations

import re

from playwright.sync_api import Page, expect

from tests.browser.conftest import BLACK, BRIGHT, PASSWORD, choose, payload, row_of, sign_up

DECIMAL_POINT = re.compile(r"\d\.\d")
# Words of the English interface that have no place in the German one.
ENGLISH = re.compile(
    r"\b(the|of|and|with|not|no|file|class|size|box|boxes|lesion|lesions|sign|share|image|tumour)\b",
    re.IGNORECASE,
)


def assert_german(page: Page) -> None:
    text = page.locator("body").inner_text()
    assert DECIMAL_POINT.findall(text) == []
    assert ENGLISH.findall(text) == []
    labels = page.evaluate(
        "[...document.querySelectorAll('[aria-label], [aria-valuetext]')]"
        ".map(e => `${e.getAttribute('aria-label') ?? ''} ${e.getAttribute('aria-valuetext') ?? ''}`)"
    )
    assert [label for label in labels if ENGLISH.search(label) or DECIMAL_POINT.search(label)] == []


def test_the_chosen_language_is_kept(page: Page) -> None:
    page.goto("/")
    page.get_by_label("Language").select_option("de")
    expect(page.get_by_text("kein Medizinprodukt").first).to_be_visible()
    page.reload()
    expect(page.locator("html")).to_have_attribute("lang", "de")


def test_every_page_is_german_with_decimal_commas(page: Page) -> None:
    sign_up(page)
    page.get_by_label("Language").select_option("de")
    choose(page, payload("schicht.png", BRIGHT), payload("schwarz.png", BLACK))
    page.get_by_role("button", name="2 Bilder auswerten").click()
    expect(page.get_by_role("link", name="Öffnen")).to_have_count(2)
    assert_german(page)
    expect(row_of(page, "schicht.png")).to_contain_text(re.compile(r"Metastase0,\d\d"))

    row_of(page, "schicht.png").get_by_role("link", name="Öffnen").click()
    expect(page.locator(".verdict")).to_have_text(re.compile(r"Metastase, kalibrierte Wahrscheinlichkeit 0,\d\d"))
    expect(page.get_by_text(re.compile(r"Unsicherheit \d,\d\d nat"))).to_be_visible()
    expect(
        page.get_by_role("listitem").filter(has_text=re.compile(r"Läsion 1: Metastase, Score 0,\d\d"))
    ).to_have_count(1)
    assert_german(page)
    page.get_by_role("button", name="Als Text kopieren").click()
    copied = page.evaluate("navigator.clipboard.readText()")
    assert DECIMAL_POINT.findall(copied) == []
    assert ENGLISH.findall(copied) == []

    page.get_by_role("link", name="Auswerten").click()
    row_of(page, "schwarz.png").get_by_role("link", name="Öffnen").click()
    expect(page.locator(".verdict")).to_have_text(
        re.compile(r"Nicht auswertbar: .* \(Typikalität 0,\d\d, mindestens 0,50")
    )
    assert_german(page)

    page.get_by_role("link", name="Modelle").click()
    expect(page.get_by_role("heading", name="Klassifikation")).to_be_visible()
    assert_german(page)
    page.get_by_role("link", name="Hilfe").click()
    assert_german(page)
    page.get_by_role("link", name="Konto").click()
    expect(page.get_by_text("diese Sitzung")).to_be_visible()
    assert ENGLISH.findall(page.locator("body").inner_text()) == []
    page.get_by_role("button", name="Abmelden").click()
    expect(page.get_by_role("heading", name="Anmelden")).to_be_visible()
    assert_german(page)


def test_problems_and_invalid_fields_are_german(page: Page) -> None:
    page.goto("/sign-in")
    page.get_by_label("Language").select_option("de")
    alert = page.get_by_role("alert")
    page.get_by_label("E-Mail-Adresse").fill("nobody@example.org")
    page.get_by_label("Passwort").fill(PASSWORD)
    page.get_by_role("button", name="Anmelden").click()
    expect(alert).to_contain_text("Die Adresse oder das Passwort ist falsch")
    expect(alert).to_contain_text("Geben Sie beides erneut ein.")
    page.get_by_role("link", name="Registrieren").first.click()
    page.get_by_role("heading", name="Registrieren").wait_for()
    page.get_by_label("E-Mail-Adresse").fill("somebody@example.org")
    page.get_by_label("Passwort").fill("aaaaaaaaaaaaaaaa")
    page.get_by_role("button", name="Registrieren").click()
    expect(alert).to_contain_text("Das Passwort ist zu leicht zu erraten")
    expect(alert.get_by_role("listitem")).to_have_text(
        ["Passwort: ist weit verbreitet oder folgt einem bekannten Muster"]
    )
    page.get_by_label("Sprache").select_option("en")
    expect(alert).to_contain_text("The password is too easy to guess")
    expect(alert.get_by_role("listitem")).to_contain_text(["Password: "])
