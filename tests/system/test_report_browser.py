"""The report's page in Chromium: it requests nothing, runs only its own script, and everyone can use it.

Skipped where Chromium is missing. CI installs it (`.ci/run`).
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from jobferry.notices.view import ImportView
from jobferry.records.imports import Posting
from tests.unit.notices.cases import complete, results, view_of
from tests.unit.notices.report.given import history, hostile, many, of_case, page

CHROMIUM: Final = shutil.which("chromium")
#: Tests may run as root in a container, and the pages are our own.
FLAGS: Final = ("--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking")
FAILED: Final = 313

pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="Chromium is missing: apt-get install chromium"),
    pytest.mark.xdist_group("browser"),
]

#: The name of the focused element, after its tag.
FOCUS: Final = """(() => { const at = document.activeElement;
    return [at.tagName, (at.labels?.[0] ?? at).textContent.trim().split("\\n")[0].slice(0, 40)].join(" "); })()"""

type Open = Callable[..., Page]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        yield playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)


@pytest.fixture
def requests() -> list[str]:
    """Return the URLs that the open page requests, its own among them."""
    return []


@pytest.fixture
def complaints() -> list[str]:
    """Return the errors and warnings of scripts and of the Content-Security-Policy, and any dialogs."""
    return []


@pytest.fixture
def open_page(browser: Browser, tmp_path: Path, requests: list[str], complaints: list[str]) -> Iterator[Open]:
    """Open an import's report, 1,200 pixels wide and in light colors unless the test asks for something else."""
    contexts = []

    def open_page(
        given: ImportView, deletes: list[Posting] | None = None, *, script: bool = True, width: int = 1200
    ) -> Page:
        path = tmp_path / "report.html"
        path.write_text(page(given, deletes), encoding="utf-8")
        context = browser.new_context(
            java_script_enabled=script, viewport={"width": width, "height": 900}, is_mobile=width < 600
        )
        contexts.append(context)
        opened = context.new_page()
        opened.on("request", lambda request: requests.append(request.url))
        opened.on("console", lambda message: complaints.append(message.text))
        opened.on("pageerror", lambda error: complaints.append(str(error)))
        opened.on("dialog", lambda dialog: (complaints.append(dialog.message), dialog.dismiss()))
        opened.goto(path.as_uri())
        return opened

    yield open_page
    for context in contexts:
        context.close()


def failing(count: int = FAILED) -> ImportView:
    return view_of(complete(results(failed=count)), many(count), history=history(33))


def seen(at: Page, column: int = 0) -> list[str]:
    """Return the texts of one column in the visible rows."""
    return at.locator(f"#jobs tbody tr:visible > :nth-child({column + 1})").all_text_contents()


def require_status(at: Page, text: str) -> None:
    """Wait until the list says this about itself."""
    expect(at.locator("#jobs [role=status]")).to_have_text(text)


def tab_to(at: Page, name: str) -> None:
    """Press Tab until an element of that name has the focus."""
    for _ in range(200):
        at.keyboard.press("Tab")
        if name in at.evaluate(FOCUS):
            return
    raise AssertionError(f"{name} cannot be reached by Tab")


def accessible(at: Page) -> list[tuple[str, str]]:
    """Return the roles and names that Chromium tells a screen reader."""
    nodes = at.context.new_cdp_session(at).send("Accessibility.getFullAXTree")["nodes"]
    return [(each["role"]["value"], each.get("name", {}).get("value", "")) for each in nodes if not each["ignored"]]


@pytest.mark.parametrize("name", ["many", "hostile", "withheld-too-many", "blocked-feed-missing", "success"])
def test_it_asks_for_nothing_and_complains_of_nothing(
    name: str, open_page: Open, requests: list[str], complaints: list[str]
) -> None:
    given = {"many": failing, "hostile": hostile}.get(name, lambda: of_case(name, history(9)))()
    at = open_page(given)
    at.wait_for_timeout(300)
    assert [url for url in requests if not url.startswith("data:")] == [at.evaluate("location.href")]
    assert complaints == []


def test_hostile_text_is_shown_and_does_nothing(open_page: Open, complaints: list[str]) -> None:
    at = open_page(hostile())
    tags = at.evaluate(
        "[...new Set([...document.querySelectorAll('main *, header *, footer *')].map(each => each.localName))]"
    )
    assert not {"script", "img", "svg:svg", "base", "iframe", "meta", "link", "style"} & set(tags)
    assert at.evaluate("document.querySelectorAll('script').length") == 1
    attributes = at.evaluate(
        "[...document.querySelectorAll('*')].flatMap(each => [...each.attributes].map(one => one.name))"
    )
    assert not [each for each in attributes if each.startswith("on") or each == "autofocus"]
    assert "alert(2)" in at.evaluate("document.querySelector('#jobs').textContent")
    # The text of one cell stays in it, whatever its direction.
    assert at.evaluate("document.querySelector('#jobs tbody').rows[7].cells[0].textContent") == "gnp.exe right to left"
    assert complaints == []


def test_a_foreign_script_would_not_run(open_page: Open, complaints: list[str]) -> None:
    """The policy holds even if the escaping did not."""
    at = open_page(failing(3))
    at.evaluate(
        "document.body.append(Object.assign(document.createElement('script'), {textContent: 'window.ran = 1'}))"
    )
    at.evaluate("document.body.insertAdjacentHTML('beforeend', '<img src=x onerror=\"window.ran = 1\">')")
    at.evaluate("document.body.insertAdjacentHTML('beforeend', '<img src=https://evil.example/x.png>')")
    at.wait_for_timeout(200)
    assert at.evaluate("window.ran ?? 'no'") == "no"
    assert len(complaints) == 4
    assert all("Content Security Policy" in each or "Content-Security-Policy" in each for each in complaints)


class TestByKeyboard:
    def test_a_column_is_sorted_up_down_and_as_it_was(self, open_page: Open) -> None:
        at = open_page(failing())
        assert seen(at)[:3] == ["LT-10001", "LT-10002", "LT-10003"]
        tab_to(at, "Reference number")
        sorting = "document.querySelector('#jobs th').getAttribute('aria-sort')"
        at.keyboard.press("Enter")
        assert (seen(at)[:2], at.evaluate(sorting)) == (["LT-10000", "LT-10001"], "ascending")
        at.keyboard.press(" ")
        assert (seen(at)[:2], at.evaluate(sorting)) == (["LT-10312", "LT-10311"], "descending")
        at.keyboard.press("Enter")
        assert (seen(at)[:2], at.evaluate(sorting)) == (["LT-10001", "LT-10002"], None)
        tab_to(at, "Since")
        at.keyboard.press("Enter")
        since = seen(at, 4)
        assert since[0] == "November 13, 2026"
        assert at.evaluate("document.querySelectorAll('#jobs [aria-sort]').length") == 1

    def test_rows_are_sorted_as_numbers(self, open_page: Open) -> None:
        at = open_page(failing())
        tab_to(at, "Where")
        at.keyboard.press("Enter")
        at.keyboard.press("Enter")
        assert seen(at, 2)[:2] == ["jobs.csv row 314", "jobs.csv row 313"]

    def test_a_search_narrows_the_list_and_says_so(self, open_page: Open) -> None:
        at = open_page(failing())
        require_status(at, "Showing 50 of 313.")
        tab_to(at, "Search")
        at.keyboard.insert_text("erie  zip")
        require_status(at, "Nothing matches.")
        for _ in range(4):
            at.keyboard.press("Backspace")
        require_status(at, "Showing 50 of 104 that match.")
        assert set(seen(at, 1)) == {"Emergency Medicine, Erie"}
        at.keyboard.press("Enter")  # sends nothing anywhere
        assert "report.html" in at.evaluate("location.href")
        assert "?" not in at.evaluate("location.href")

    def test_new_ones_and_a_reason_can_be_chosen(self, open_page: Open) -> None:
        at = open_page(failing())
        tab_to(at, "SELECT Show")
        at.keyboard.press("ArrowDown")
        at.keyboard.press("ArrowDown")
        require_status(at, "Showing 50 of 63 that match.")
        assert "New" not in seen(at, 4)
        at.keyboard.press("Home")
        require_status(at, "Showing 50 of 313.")

    def test_a_reason_leads_to_its_jobs(self, open_page: Open) -> None:
        at = open_page(failing())
        tab_to(at, "Show jobs")
        tab_to(at, "Show jobs")
        at.keyboard.press("Enter")
        require_status(at, "Showing 50 of 105 that match.")
        assert set(seen(at, 3)) == {"Zip is invalid. Value passed was: 0"}
        assert at.evaluate("document.activeElement.name") == "reason"

    def test_more_rows_come_and_the_reading_goes_on_where_it_was(self, open_page: Open) -> None:
        at = open_page(failing())
        tab_to(at, "Show 50 more")
        at.keyboard.press("Enter")
        require_status(at, "Showing 100 of 313.")
        assert len(seen(at)) == 100
        assert at.evaluate("document.activeElement.cells[0].textContent") == seen(at)[50]
        tab_to(at, "Show all")
        at.keyboard.press("Enter")
        assert len(seen(at)) == FAILED
        assert at.evaluate("document.querySelector('#jobs .pages').hidden") is True

    def test_the_first_stop_leads_past_the_navigation(self, open_page: Open) -> None:
        at = open_page(failing())
        at.keyboard.press("Tab")
        assert at.evaluate(FOCUS) == "A Skip to the report"
        assert at.evaluate("document.activeElement.getBoundingClientRect().left") >= 0
        at.keyboard.press("Enter")
        assert at.evaluate("document.activeElement.id") == "main"

    def test_what_has_the_focus_is_seen(self, open_page: Open) -> None:
        at = open_page(failing())
        for name in ("What to do", "Search", "Reference number", "Show 50 more"):
            tab_to(at, name)
            outline = at.evaluate(
                "getComputedStyle(document.activeElement).outlineStyle + getComputedStyle(document.activeElement).outlineWidth"
            )
            assert outline == "solid3px", name


def test_without_script_all_is_there_and_nothing_is_dead(open_page: Open) -> None:
    at = open_page(failing(), script=False)
    assert len(seen(at)) == FAILED
    assert (
        at.evaluate(
            "[...document.querySelectorAll('button, input, select')].filter(each => each.getClientRects().length).length"
        )
        == 0
    )


def test_a_screen_reader_finds_its_way(open_page: Open) -> None:
    at = open_page(failing(60))
    found = accessible(at)
    for expected in (
        ("banner", ""),
        ("navigation", "On this page"),
        ("main", ""),
        ("contentinfo", ""),
        ("search", "Search the jobs"),
        ("searchbox", "Search"),
        ("table", "Jobs that failed"),
        ("region", "What to do"),
        ("region", "Jobs that failed (60)"),
        ("image", "30 imports: 60 jobs failed now, 60 at most; 1 without a result."),
        ("status", ""),
    ):
        assert expected in found, expected
    headings = [name for role, name in found if role == "heading"]
    assert headings[1:4] == ["What to do", "What happened", "History of the feed"]
    assert [name for role, name in found if role == "combobox"] == ["Show", "Reason"]
    columns = [name for role, name in found if role == "columnheader"]
    assert columns[-5:] == ["Reference number", "Title", "Where", "Why, says the board", "Since"]
    assert len([role for role, _ in found if role == "row"]) >= 50
    assert [name for role, name in found if role == "button" and not name] == []


def test_on_a_phone_it_is_still_a_table_to_a_screen_reader(open_page: Open) -> None:
    at = open_page(failing(12), width=360)
    roles = [role for role, _ in accessible(at)]
    assert roles.count("cell") >= 12 * 5
    assert "columnheader" in roles


@pytest.mark.parametrize("width", [320, 360, 768, 1200])
@pytest.mark.parametrize("name", ["many", "hostile", "withheld-too-many", "expired", "found-and-refused"])
def test_nothing_is_wider_than_the_screen(name: str, width: int, open_page: Open) -> None:
    given = {"many": failing, "hostile": hostile}.get(name, lambda: of_case(name, history(40)))()
    at = open_page(given, width=width)
    at.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")
    assert at.evaluate("document.documentElement.scrollWidth") <= width
    narrow = "[...document.querySelectorAll('p, td, dd, h1, h2')].filter(each => each.textContent.length > 12 && each.getClientRects().length && each.getBoundingClientRect().width < 60).map(each => each.outerHTML.slice(0, 99))"
    assert at.evaluate(narrow) == []


def contrast(one: str, other: str) -> float:
    """Of two colours, as WCAG 2 has it."""

    def luminance(colour: str) -> float:
        parts = [int(each) / 255 for each in re.findall(r"\d+", colour)[:3]]
        red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


#: The colours of each text on the page, and what is behind it.
COLOURS = """[...document.querySelectorAll("body *")].filter(each => each.getClientRects().length
    && [...each.childNodes].some(node => node.nodeType === 3 && node.data.trim())).map(each => {
    let behind = each;
    while (/rgba\\(0, 0, 0, 0\\)/.test(getComputedStyle(behind).backgroundColor)) behind = behind.parentElement;
    return [each.outerHTML.slice(0, 60), getComputedStyle(each).color, getComputedStyle(behind).backgroundColor]; })"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_can_be_read_in_light_and_dark(scheme: str, open_page: Open) -> None:
    for name in ("many", "withheld-too-many", "expired", "success"):
        at = open_page(failing() if name == "many" else of_case(name, history(9)))
        at.emulate_media(color_scheme=scheme)
        at.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")
        colours: list[list[Any]] = at.evaluate(COLOURS)
        assert len(colours) > 20
        for what, text, behind in colours:
            assert contrast(text, behind) >= 4.5, (name, what, text, behind)
        background = at.evaluate("getComputedStyle(document.body).backgroundColor")
        assert (contrast(background, "rgb(255, 255, 255)") < 1.1) == (scheme == "light")


def test_on_paper_all_rows_are_there_and_no_controls(open_page: Open) -> None:
    at = open_page(failing())
    at.emulate_media(media="print", color_scheme="dark")
    assert len(seen(at)) == FAILED
    assert at.evaluate("document.querySelector('#jobs .controls').getClientRects().length") == 0
    assert at.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert at.evaluate("getComputedStyle(document.body).color") == "rgb(0, 0, 0)"


def test_thousands_of_jobs_stay_usable(open_page: Open) -> None:
    at = open_page(view_of(complete(results(failed=20_000)), many(20_000)))
    require_status(at, "Showing 50 of 5,000.")
    took = at.evaluate(
        """(async () => { const begun = performance.now();
        document.querySelector("#jobs th button").click();
        const search = document.querySelector("#jobs input");
        search.value = "LT-14999"; search.dispatchEvent(new Event("input"));
        while (!document.querySelector("#jobs [role=status]").textContent.startsWith("Showing 1 of 1 "))
            await new Promise(done => setTimeout(done, 10));
        return performance.now() - begun; })()"""
    )
    assert seen(at) == ["LT-14999"]
    assert took < 5000, f"{took:.0f} ms for sorting and searching"
    assert "All of them are in the table" in at.evaluate("document.querySelector('#jobs').textContent")
