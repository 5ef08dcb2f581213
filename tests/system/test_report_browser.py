"""The page of a report in a real browser: it asks for nothing, runs nothing but its own, and can be used by everybody.

Skipped where no Chromium is installed; CI does not need one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from jobferry.notices.findings import Findings
from jobferry.records.imports import Posting
from tests.browser import CHROMIUM, Browser, browser
from tests.unit.notices.cases import complete, results
from tests.unit.notices.report.given import findings, history, hostile, many, of_case, page

pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium here: apt install chromium"),
    pytest.mark.xdist_group("browser"),
]

FAILED = 313

#: The rows that are to be seen, by the text of one column.
SEEN = """(column) => [...document.querySelectorAll("#jobs tbody tr")]
    .filter(row => row.getClientRects().length).map(row => row.cells[column].textContent)"""
#: What has the focus, by its accessible name and state.
FOCUS = """(() => { const at = document.activeElement;
    return [at.tagName, (at.labels?.[0] ?? at).textContent.trim().split("\\n")[0].slice(0, 40)].join(" "); })()"""


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with browser(tmp_path_factory.mktemp("profile")) as opened:
        yield opened


type Open = Callable[..., Browser]


@pytest.fixture
def open_page(opened: Browser, tmp_path: Path) -> Open:
    """Opens the page of an import, with 1,200 pixels and light colours unless it is told otherwise."""

    def open_page(
        given: Findings, deletes: list[Posting] | None = None, *, script: bool = True, width: int = 1200
    ) -> Browser:
        path = tmp_path / "report.html"
        path.write_text(page(given, deletes), encoding="utf-8")
        opened.size(width, 900)
        opened.media(prefers_color_scheme="light")
        opened.script(allowed=script)
        opened.open(path)
        return opened

    return open_page


def failing(count: int = FAILED) -> Findings:
    return findings(complete(results(failed=count)), many(count), history=history(33))


def seen(at: Browser, column: int = 0) -> list[str]:
    found: list[str] = at.run(f"({SEEN})({column})")
    return found


def status(at: Browser) -> str:
    return str(at.run("document.querySelector('#jobs [role=status]').textContent"))


def tab_to(at: Browser, name: str) -> None:
    """Goes on by Tab until something of that name has the focus."""
    for _ in range(200):
        at.press("Tab")
        if name in at.run(FOCUS):
            return
    raise AssertionError(f"{name} cannot be reached by Tab")


@pytest.mark.parametrize("name", ["many", "hostile", "withheld-too-many", "blocked-feed-missing", "success"])
def test_it_asks_for_nothing_and_complains_of_nothing(name: str, open_page: Open) -> None:
    given = {"many": failing, "hostile": hostile}.get(name, lambda: of_case(name, history(9)))()
    at = open_page(given)
    at.run("new Promise(done => setTimeout(done, 300))")
    assert [url for url in at.requests if not url.startswith("data:")] == [at.run("location.href")]
    assert at.complaints == []


def test_hostile_text_is_shown_and_does_nothing(open_page: Open) -> None:
    at = open_page(hostile())
    tags = at.run(
        "[...new Set([...document.querySelectorAll('main *, header *, footer *')].map(each => each.localName))]"
    )
    assert not {"script", "img", "svg:svg", "base", "iframe", "meta", "link", "style"} & set(tags)
    assert at.run("document.querySelectorAll('script').length") == 1
    attributes = at.run(
        "[...document.querySelectorAll('*')].flatMap(each => [...each.attributes].map(one => one.name))"
    )
    assert not [each for each in attributes if each.startswith("on") or each == "autofocus"]
    assert "alert(2)" in at.run("document.querySelector('#jobs').textContent")
    # The text of one cell stays in it, whatever its direction.
    assert at.run("document.querySelector('#jobs tbody').rows[7].cells[0].textContent") == "gnp.exe right to left"
    assert at.complaints == []


def test_a_foreign_script_would_not_run(open_page: Open) -> None:
    """The policy holds even if the escaping did not."""
    at = open_page(failing(3))
    at.run("document.body.append(Object.assign(document.createElement('script'), {textContent: 'window.ran = 1'}))")
    at.run("document.body.insertAdjacentHTML('beforeend', '<img src=x onerror=\"window.ran = 1\">')")
    at.run("document.body.insertAdjacentHTML('beforeend', '<img src=https://evil.example/x.png>')")
    at.run("new Promise(done => setTimeout(done, 200))")
    assert at.run("window.ran ?? 'no'") == "no"
    assert len(at.complaints) == 4
    assert all("Content Security Policy" in each or "Content-Security-Policy" in each for each in at.complaints)


class TestByKeyboard:
    def test_a_column_is_sorted_up_down_and_as_it_was(self, open_page: Open) -> None:
        at = open_page(failing())
        assert seen(at)[:3] == ["LT-10001", "LT-10002", "LT-10003"]
        tab_to(at, "Reference number")
        sorting = "document.querySelector('#jobs th').getAttribute('aria-sort')"
        at.press("Enter")
        assert (seen(at)[:2], at.run(sorting)) == (["LT-10000", "LT-10001"], "ascending")
        at.press(" ")
        assert (seen(at)[:2], at.run(sorting)) == (["LT-10312", "LT-10311"], "descending")
        at.press("Enter")
        assert (seen(at)[:2], at.run(sorting)) == (["LT-10001", "LT-10002"], None)
        tab_to(at, "Since")
        at.press("Enter")
        since = seen(at, 4)
        assert since[0] == "13 November 2026"
        assert at.run("document.querySelectorAll('#jobs [aria-sort]').length") == 1

    def test_rows_are_sorted_as_numbers(self, open_page: Open) -> None:
        at = open_page(failing())
        tab_to(at, "Where")
        at.press("Enter", "Enter")
        assert seen(at, 2)[:2] == ["jobs.csv row 314", "jobs.csv row 313"]

    def test_a_search_narrows_the_list_and_says_so(self, open_page: Open) -> None:
        at = open_page(failing())
        assert status(at) == "Showing 50 of 313."
        tab_to(at, "Search")
        at.write("erie  zip")
        assert status(at) == "Nothing matches."
        at.press(*["Backspace"] * 4)
        at.run("new Promise(done => setTimeout(done, 250))")
        assert status(at) == "Showing 50 of 104 that match."
        assert set(seen(at, 1)) == {"Emergency Medicine, Erie"}
        at.press("Enter")  # sends nothing anywhere
        assert "report.html" in at.run("location.href")
        assert "?" not in at.run("location.href")

    def test_new_ones_and_a_reason_can_be_chosen(self, open_page: Open) -> None:
        at = open_page(failing())
        tab_to(at, "SELECT Show")
        at.press("ArrowDown", "ArrowDown")
        assert status(at) == "Showing 50 of 63 that match."
        assert "New" not in seen(at, 4)
        at.press("Home")
        assert status(at) == "Showing 50 of 313."

    def test_a_reason_leads_to_its_jobs(self, open_page: Open) -> None:
        at = open_page(failing())
        tab_to(at, "Show jobs")
        tab_to(at, "Show jobs")
        at.press("Enter")
        assert status(at) == "Showing 50 of 105 that match."
        assert set(seen(at, 3)) == {"Zip is invalid. Value passed was: 0"}
        assert at.run("document.activeElement.name") == "reason"

    def test_more_rows_come_and_the_reading_goes_on_where_it_was(self, open_page: Open) -> None:
        at = open_page(failing())
        tab_to(at, "Show 50 more")
        at.press("Enter")
        assert (status(at), len(seen(at))) == ("Showing 100 of 313.", 100)
        assert at.run("document.activeElement.cells[0].textContent") == seen(at)[50]
        tab_to(at, "Show all")
        at.press("Enter")
        assert len(seen(at)) == FAILED
        assert at.run("document.querySelector('#jobs .pages').hidden") is True

    def test_the_first_stop_leads_past_the_navigation(self, open_page: Open) -> None:
        at = open_page(failing())
        at.press("Tab")
        assert at.run(FOCUS) == "A Skip to the report"
        assert at.run("document.activeElement.getBoundingClientRect().left") >= 0
        at.press("Enter")
        assert at.run("document.activeElement.id") == "main"

    def test_what_has_the_focus_is_seen(self, open_page: Open) -> None:
        at = open_page(failing())
        for name in ("What to do", "Search", "Reference number", "Show 50 more"):
            tab_to(at, name)
            outline = at.run(
                "getComputedStyle(document.activeElement).outlineStyle + getComputedStyle(document.activeElement).outlineWidth"
            )
            assert outline == "solid3px", name


def test_without_script_all_is_there_and_nothing_is_dead(open_page: Open) -> None:
    at = open_page(failing(), script=False)
    at.script(allowed=True)
    assert len(seen(at)) == FAILED
    assert (
        at.run(
            "[...document.querySelectorAll('button, input, select')].filter(each => each.getClientRects().length).length"
        )
        == 0
    )


def test_a_screen_reader_finds_its_way(open_page: Open) -> None:
    at = open_page(failing(60))
    nodes = at.call("Accessibility.getFullAXTree")["nodes"]
    found = [(each["role"]["value"], each.get("name", {}).get("value", "")) for each in nodes if not each["ignored"]]
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
    nodes = at.call("Accessibility.getFullAXTree")["nodes"]
    roles = [each["role"]["value"] for each in nodes if not each["ignored"]]
    assert roles.count("cell") >= 12 * 5
    assert "columnheader" in roles


@pytest.mark.parametrize("width", [320, 360, 768, 1200])
@pytest.mark.parametrize("name", ["many", "hostile", "withheld-too-many", "expired", "found-and-refused"])
def test_nothing_is_wider_than_the_screen(name: str, width: int, open_page: Open) -> None:
    given = {"many": failing, "hostile": hostile}.get(name, lambda: of_case(name, history(40)))()
    at = open_page(given, width=width)
    at.run("document.querySelectorAll('details').forEach(each => each.open = true)")
    assert at.run("document.documentElement.scrollWidth") <= width
    narrow = "[...document.querySelectorAll('p, td, dd, h1, h2')].filter(each => each.textContent.length > 12 && each.getClientRects().length && each.getBoundingClientRect().width < 60).map(each => each.outerHTML.slice(0, 99))"
    assert at.run(narrow) == []


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
        at.media(prefers_color_scheme=scheme)
        at.run("document.querySelectorAll('details').forEach(each => each.open = true)")
        colours: list[list[Any]] = at.run(COLOURS)
        assert len(colours) > 20
        for what, text, behind in colours:
            assert contrast(text, behind) >= 4.5, (name, what, text, behind)
        background = at.run("getComputedStyle(document.body).backgroundColor")
        assert (contrast(background, "rgb(255, 255, 255)") < 1.1) == (scheme == "light")


def test_on_paper_all_rows_are_there_and_no_controls(open_page: Open) -> None:
    at = open_page(failing())
    at.media("print", prefers_color_scheme="dark")
    assert len(seen(at)) == FAILED
    assert at.run("document.querySelector('#jobs .controls').getClientRects().length") == 0
    assert at.run("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert at.run("getComputedStyle(document.body).color") == "rgb(0, 0, 0)"


def test_thousands_of_jobs_stay_usable(open_page: Open) -> None:
    at = open_page(findings(complete(results(failed=20_000)), many(20_000)))
    assert status(at) == "Showing 50 of 5,000."
    took = at.run(
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
    assert "All of them are in the table" in at.run("document.querySelector('#jobs').textContent")
