"""The page in a real browser, as a person and as a screen reader has it."""

import shutil

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import sync_playwright

from autoft.report.page.page import write_page

from .small_study import shown_of

CHROMIUM = shutil.which("chromium")
FIRST_SCREEN = 200_000
"""Bytes."""
OPEN_ALL = "document.querySelectorAll('details').forEach(each => each.open = true)"


@pytest.fixture(scope="module")
def browser():
    if CHROMIUM is None:
        pytest.skip("Chromium is not here: apt-get install chromium")
    with sync_playwright() as playwright:
        # CI's user is root, for whom Chromium has no sandbox.
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def path(study, folder):
    return write_page(study, shown_of(study, folder))


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_is_whole_quiet_and_readable_by_everybody_at_every_width(browser, path, scheme):
    said, asked = [], []
    page = browser.new_page(color_scheme=scheme)
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    page.goto(path.as_uri())
    paper = page.evaluate("getComputedStyle(document.body).backgroundColor")  # rgb(21, 23, 26)
    assert (sum(map(int, paper[4:-1].split(","))) < 150) == (scheme == "dark")
    for width in (1280, 768, 360):
        page.set_viewport_size({"width": width, "height": 800})
        for prepared in ("0", OPEN_ALL):
            page.evaluate(prepared)
            assert page.evaluate("document.documentElement.scrollWidth") <= width
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()
    assert len(found.response["passes"]) > 15
    assert (said, asked) == ([], [path.as_uri()])
    page.close()


def test_the_first_screen_is_small_and_all_else_is_closed(browser, path):
    first, _, rest = path.read_text().partition("<details>")
    assert 1_000 < len(first.encode()) < FIRST_SCREEN
    assert "<svg" in first
    page = browser.new_page()
    page.goto(path.as_uri())
    assert page.locator("details").count() == rest.count("<details>") + 1 > 5
    assert page.locator("details[open]").count() == 0
    assert not page.locator("details table").first.is_visible()
    page.close()


def test_the_keyboard_opens_a_section(browser, path):
    page = browser.new_page()
    page.goto(path.as_uri())
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert page.locator("details").first.get_attribute("open") is not None
    assert page.locator("details").first.locator("svg[role=img]").is_visible()
    page.close()


def test_a_label_that_is_a_script_is_text(browser, path):
    page = browser.new_page()
    page.on("dialog", lambda dialog: pytest.fail("a script of a row was run"))
    page.goto(path.as_uri())
    page.evaluate(OPEN_ALL)
    assert page.locator("script").count() == 0
    assert page.get_by_text("<script>alert(1)</script> & \\x1b[31m row 15").first.is_visible()
    page.close()
