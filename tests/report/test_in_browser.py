"""The page as people see it: in Debian's Chromium, driven by its own driver, with nothing to talk to."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from selenium.webdriver import Chrome, ChromeOptions, ChromeService
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

from sweeper.cli.main import main
from tests.support.needs import program

WIDE, NARROW = 1440, 360
LIGHT, DARK = "light", "dark"


@pytest.fixture(scope="module")
def browser() -> Iterator[Chrome]:
    options = ChromeOptions()
    options.binary_location = program("chromium")
    for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    chrome = Chrome(options=options, service=ChromeService(executable_path=program("chromedriver")))
    try:
        yield chrome
    finally:
        chrome.quit()


@pytest.fixture(scope="module")
def pages(studies: Path) -> dict[str, str]:
    """Addresses by study."""
    for study in ("checkout", "joint"):
        assert main(["report", study, "--studies-dir", str(studies)]) == 0
    return {study: (studies / study / "report.html").as_uri() for study in ("checkout", "joint")}


def shown(browser: Chrome, address: str, width: int = WIDE, scheme: str = LIGHT) -> None:
    """Open it anew on a screen of that width, in that colour scheme, and wait until all is drawn."""
    browser.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False},
    )
    browser.execute_cdp_cmd(
        "Emulation.setEmulatedMedia",
        {"features": [{"name": "prefers-color-scheme", "value": scheme}]},
    )
    browser.get(address)
    WebDriverWait(browser, 60).until(
        lambda page: page.execute_script("return document.documentElement.dataset.drawn === 'yes'")
    )


def requests(browser: Chrome) -> list[str]:
    """Addresses asked for since the last call."""
    messages = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    sent = [m["params"] for m in messages if m["method"] == "Network.requestWillBeSent"]
    return [request["request"]["url"] for request in sent]


def ask(browser: Chrome, script: str, *arguments: Any) -> Any:
    return browser.execute_script(f"return {script}", *arguments)


def luminance(colour: str) -> float:
    """Of `rgb(…)`, relative (WCAG 2.2)."""
    parts = [int(part) / 255 for part in colour[colour.index("(") + 1 : -1].split(",")[:3]]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("study", ["checkout", "joint"])
def test_it_opens_without_an_error_and_without_the_network(
    study: str, browser: Chrome, pages: dict[str, str]
) -> None:
    browser.get_log("browser")
    requests(browser)
    shown(browser, pages[study])
    assert browser.get_log("browser") == []
    asked = [address for address in requests(browser) if not address.startswith("data:")]
    assert asked == [pages[study]]
    heading = browser.find_element(By.TAG_NAME, "h1")
    assert (
        heading.is_displayed()
        and heading.text == {"checkout": "Set 8 workers", "joint": "Set 9 workers"}[study]
    )
    assert '"payload": ' in browser.find_element(By.CSS_SELECTOR, "#answer pre").text
    blank = ask(
        browser,
        "Array.from(document.querySelectorAll('.drawing')).filter(node => !node.closest('details')"
        " && !node.querySelector('.scatterlayer .trace, .barlayer .trace')).map(node => node.id)",
    )
    assert blank == []


def test_the_table_sorts_by_mouse_and_by_keyboard(browser: Chrome, pages: dict[str, str]) -> None:
    shown(browser, pages["checkout"])
    table = browser.find_element(By.ID, "runs-table")
    headings = table.find_elements(By.CSS_SELECTOR, "thead th")
    names = [heading.text.split()[0] for heading in headings]

    def column(name: str) -> list[str]:
        return ask(
            browser,
            "Array.from(arguments[0].tBodies[0].rows, row => row.cells[arguments[1]].textContent)",
            table,
            names.index(name),
        )

    before = column("requests/s")
    heading = headings[names.index("requests/s")]
    button = heading.find_element(By.TAG_NAME, "button")
    browser.execute_script("arguments[0].scrollIntoView({block: 'center', behavior: 'instant'})", button)
    button.click()
    rates = [float(text) for text in column("requests/s")]
    assert rates == sorted(rates) and sorted(rates) == sorted(map(float, before))
    assert heading.get_attribute("aria-sort") == "ascending"
    button.send_keys(Keys.ENTER)
    assert [float(text) for text in column("requests/s")] == rates[::-1]
    assert heading.get_attribute("aria-sort") == "descending"
    verdict = headings[names.index("verdict")]
    verdict.find_element(By.TAG_NAME, "button").send_keys(Keys.SPACE)
    assert column("verdict") == sorted(column("verdict"), key=["valid", "suspect", "failed"].index)
    assert heading.get_attribute("aria-sort") == "none"


@pytest.mark.parametrize(
    ("study", "width", "scheme"),
    [
        ("checkout", NARROW, LIGHT),
        ("joint", NARROW, DARK),
        ("joint", WIDE, LIGHT),
        ("checkout", WIDE, DARK),
    ],
)
def test_it_fits_and_can_be_read(
    study: str, width: int, scheme: str, browser: Chrome, pages: dict[str, str]
) -> None:
    shown(browser, pages[study], width, scheme)
    assert ask(browser, "window.innerWidth") == width
    assert ask(browser, "document.documentElement.scrollWidth") <= width
    drawn = "Array.from(document.querySelectorAll('.drawing svg.main-svg'), svg => svg.clientWidth)"
    widths = ask(browser, drawn)
    assert 200 < min(widths) <= max(widths) <= width
    style = "getComputedStyle(document.querySelector(arguments[0]))[arguments[1]]"
    ground = ask(browser, style, "#picture", "backgroundColor")
    assert (luminance(ground) < 0.1) == (scheme == DARK)
    assert contrast(ground, ask(browser, style, "#picture p", "color")) > 7
    assert contrast(ground, ask(browser, style, "#picture .xtick text", "fill")) > 7
    assert contrast(ground, ask(browser, style, "#environment .note", "color")) > 4.5


def test_colours_follow_the_scheme_and_paper_is_white(browser: Chrome, pages: dict[str, str]) -> None:
    shown(browser, pages["checkout"], scheme=DARK)
    fill = "getComputedStyle(document.querySelector('#picture .xtick text')).fill"
    assert luminance(ask(browser, fill)) > 0.5
    browser.execute_script("window.dispatchEvent(new Event('beforeprint'))")
    assert luminance(ask(browser, fill)) < 0.1
    assert ask(browser, "document.querySelector('#picture svg.main-svg').clientWidth") < 700
    browser.execute_script("window.dispatchEvent(new Event('afterprint'))")
    assert luminance(ask(browser, fill)) > 0.5
    browser.execute_cdp_cmd(
        "Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": LIGHT}]}
    )
    # The page is told of the change with its next frame.
    WebDriverWait(browser, 20).until(lambda page: luminance(ask(page, fill)) < 0.1)


def test_what_is_folded_is_drawn_when_it_opens(browser: Chrome, pages: dict[str, str]) -> None:
    shown(browser, pages["checkout"])
    folded = browser.find_element(By.CSS_SELECTOR, "details.folded .drawing")
    assert ask(browser, "arguments[0].querySelector('svg')", folded) is None
    browser.execute_script("arguments[0].closest('details').open = true", folded)
    WebDriverWait(browser, 20).until(
        lambda page: page.execute_script("return arguments[0].querySelector('.trace') !== null", folded)
    )
