"""A real browser for tests of pages: Chromium, headless, driven by Selenium; both are packages of Debian."""

import os
import shutil
from pathlib import Path

import pytest

SCREENSHOTS = Path(os.environ.get("GRANARY_SCREENSHOTS", Path(__file__).parent.parent / "screenshots"))


def open_browser(width=1200, height=1000, scripts=True, downloads=None):
    """A browser with a profile of its own; the test is skipped where there is none."""
    webdriver = pytest.importorskip("selenium.webdriver", reason="needs python3-selenium")
    if not shutil.which("chromium") or not shutil.which("chromedriver"):
        pytest.skip("needs chromium and chromium-driver")
    options = webdriver.ChromeOptions()
    for word in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
                 f"--window-size={width},{height}"):
        options.add_argument(word)
    preferences = {}
    if not scripts:
        preferences["profile.managed_default_content_settings.javascript"] = 2
    if downloads:
        preferences["download.default_directory"] = str(downloads)
    options.add_experimental_option("prefs", preferences)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    service = webdriver.chrome.service.Service(shutil.which("chromedriver"))
    return webdriver.Chrome(service=service, options=options)


def shoot(browser, name):
    """Keep the whole page as a picture, for people to look at."""
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    size = browser.get_window_size()
    height = browser.execute_script("return document.documentElement.scrollHeight") + 140
    browser.set_window_size(size["width"], max(size["height"], min(height, 4000)))
    browser.save_screenshot(str(SCREENSHOTS / f"{name}.png"))
    browser.set_window_size(size["width"], size["height"])


def complaints(browser):
    """What the browser's console says is wrong."""
    return [entry["message"] for entry in browser.get_log("browser") if entry["level"] == "SEVERE"]
