"""Fixtures: Airflow's own pages in a real browser. Skipped where the machine has no Chromium."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from embedded.stack import Stack
    from playwright.sync_api import Browser, BrowserContext, Page

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
# Without these Chromium asks its maker's servers at every start.
QUIET = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip


# No longer than a module: until it stops, Playwright's loop runs in this thread, where no other
# test could run one of its own.
@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """The machine's own Chromium: Playwright would fetch another one."""
    if CHROMIUM is None:
        pytest.skip("there is no Chromium here (apt-get install chromium)")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        yield started
        started.close()


@pytest.fixture(scope="module")
def reader(chromium: Browser, stack: Stack) -> Iterator[BrowserContext]:
    """Somebody who has signed in to the stack's Airflow as people do; waits for 60 s at most."""
    with chromium.new_context(base_url=stack.airflow_url) as context:
        context.set_default_timeout(60_000)
        with context.new_page() as page:
            sign_in(page, *stack.airflow_login)
        yield context


@pytest.fixture
def page(reader: BrowserContext) -> Iterator[Page]:
    """A new page of the signed-in reader's browser."""
    with reader.new_page() as opened:
        yield opened


def sign_in(page: Page, username: str, password: str) -> None:
    """Fill in Airflow's login form."""
    page.goto("/")
    page.get_by_label("Username").fill(username)
    page.locator("input[type=password]").fill(password)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(lambda url: "login" not in url)
