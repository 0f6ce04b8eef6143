"""`sitejobs studio` in a real browser: every view, by keys, on a narrow screen, with texts that would break out."""

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from urllib.parse import quote

import numpy as np
import pytest
from psycopg import Connection
from psycopg.types.json import Jsonb

from sitejobs.matching.learning.quality import evaluate
from sitejobs.postgres.connection import connect
from sitejobs_local.commands.studio.reader import Reader
from sitejobs_local.commands.studio.server import Server, serve
from sitejobs_local.database.target import Target
from tests.local.browser import chromium
from tests.local.conftest import HOSTILE
from tests.local.test_explain import MATCHED, first
from tests.matching.learning.quality_cases import plain
from tools.browser import Page, browser

PHONE = 390
VIEWS = ("/runs", "/user/{id}", "/search?text=evil", "/uploads", "/quality")


@contextmanager
def serving(url: str) -> Iterator[Server]:
    """The page's server over a database."""
    with Reader(Target(url, embedded=False, search_path=None)) as reader:
        server = serve(0, reader)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            server.server_close()
            thread.join()


@pytest.fixture(scope="module")
def server(hostile_site: str) -> Iterator[Server]:
    with connect(hostile_site) as connection:
        figures = evaluate(plain(*(np.zeros(0, dtype=kind) for kind in (int, bool, int, float, float))), 1, None)
        store_run(connection, "SUCCEEDED", {"quality": {"figures": figures.to_json(), "active": False,
                                                        "reasons": [HOSTILE], "model": None}})  # fmt: skip
        connection.execute(
            """INSERT INTO "MediaMetadata" ("mediaId", "storageKey", "verdict", "reasons", "checkedAt", "checks",
               "format") VALUES (7, 'x', 'REJECTED', %s, '2026-03-01', 1, %s)""",
            [Jsonb([{"code": "too-large", "detail": HOSTILE}]), HOSTILE],
        )
    with serving(hostile_site) as server:
        yield server


@pytest.fixture(scope="module")
def page(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    with browser(chromium(), tmp_path_factory.mktemp("chromium")) as page:
        page.resize(PHONE)
        yield page
        assert page.problems == []
        assert {address.partition("/api/")[0].rstrip("/") for address in page.asked if "127.0.0.1" not in address} <= {
            "about:blank", "about:srcdoc", "data:,"}  # fmt: skip


def store_run(connection: Connection, status: str, context: dict[str, object]) -> int:
    row = connection.execute(
        """INSERT INTO "JobRun" ("job", "scope", "execution", "trigger", "options", "status", "context", "finishedAt")
           VALUES ('match-quality', 'all', gen_random_uuid()::text, 'test', '{}', %s, %s,
                   CASE WHEN %s <> 'RUNNING' THEN now() END) RETURNING "id" """,
        [status, Jsonb(context), status],
    ).fetchone()
    assert row is not None
    return int(row[0])


def visit(page: Page, server: Server, view: str) -> None:
    page.open("about:blank")
    page.open(f"{server.address}&at={quote(view, safe='')}")
    page.until("document.querySelector('main h1')")


@pytest.fixture(scope="module")
def user_id(hostile_site: str) -> int:
    with connect(hostile_site) as connection:
        return first(connection, MATCHED)


@pytest.mark.parametrize("view", VIEWS)
def test_a_view_shows_texts_as_texts_and_fits_a_phone(page: Page, server: Server, user_id: int, view: str) -> None:
    visit(page, server, view.format(id=user_id))
    assert page.run("document.title").endswith(" - sitejobs studio")
    assert page.run("document.querySelectorAll('main script, main img, main b').length") == 0
    assert page.run("document.documentElement.scrollWidth") <= PHONE
    assert page.run("document.querySelectorAll('nav a[aria-current]').length") == 1
    assert page.run("document.querySelector('main [role=alert]')") is None
    levels = page.run("[...document.querySelectorAll('h1, h2, h3')].map((it) => Number(it.tagName[1]))")
    assert levels[0] == 1
    assert all(below <= above + 1 for above, below in pairwise(levels)), "no level of headings is left out"
    assert page.run("[...document.querySelectorAll('input, select')].every((it) => it.labels.length === 1)")
    if view != "/quality" and view != "/runs":
        assert "</p><script>document.title='broken'</script>" in page.run("document.querySelector('main').textContent")
        outside = """[...document.querySelectorAll('main *')].filter((it) => !it.closest('bdi, .text')
            && [...it.childNodes].some((child) => child.nodeType === 3 && child.data.includes('\u202e'))).length"""
        assert page.run(outside) == 0, "what turns a line around is isolated"


def test_a_user_is_found_by_keys_alone(page: Page, server: Server, user_id: int) -> None:
    visit(page, server, "/runs")
    page.press("Tab")
    assert page.run("document.activeElement.textContent") == "Skip to the content"
    page.press("Tab", "Tab", "Enter")
    page.until("document.querySelector('#userId')")
    page.run("document.querySelector('#userId').focus()")
    page.press(*str(user_id), "Enter")
    page.until("document.querySelectorAll('main section').length === 3")
    assert page.run("location.hash") == f"#/user/{user_id}"
    assert page.run("document.activeElement.id") == "main", "a screen reader begins with the new view"
    told = page.run("document.querySelector('main').textContent")
    assert "may be found" in told or "may not be found" in told
    assert "tier " in told
    assert page.run("document.querySelector('main section:nth-of-type(2) li a').getAttribute('href')").startswith(
        "#/user/"
    )


def test_a_run_appears_while_it_is_at_work(page: Page, server: Server, hostile_site: str) -> None:
    visit(page, server, "/runs")
    with connect(hostile_site) as connection:
        run = store_run(connection, "RUNNING", {})
        page.until(f"document.querySelector('[data-key=\"{run}\"] progress')")
        connection.execute("""UPDATE "JobRun" SET "status" = 'ABORTED', "finishedAt" = now() WHERE "id" = %s""", [run])
    page.until(f"document.querySelector('[data-key=\"{run}\"]').textContent.includes('aborted')")
    assert page.run(f"document.querySelector('[data-key=\"{run}\"] progress')") is None


def test_the_figures_stand_in_a_frame_that_runs_nothing(page: Page, server: Server) -> None:
    visit(page, server, "/quality")
    assert page.run("document.querySelector('iframe').getAttribute('sandbox')") == ""
    assert "Quality of matches" in page.run("document.querySelector('iframe').srcdoc")


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_day_and_night_have_colours_of_their_own(page: Page, server: Server, tmp_path: Path, dark: bool) -> None:
    page.resize(PHONE, dark=dark)
    visit(page, server, "/runs")
    paper = page.run("getComputedStyle(document.body).backgroundColor")
    assert paper == ("rgb(22, 22, 22)" if dark else "rgb(255, 255, 255)")
    page.picture(tmp_path / "page.png")
    assert (tmp_path / "page.png").stat().st_size > 10_000


def test_no_string_becomes_markup() -> None:
    script = (Path(__file__).parents[2] / "local/sitejobs_local/commands/studio/page/studio.js").read_text()
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|new Function", script)
    assert script.count("srcdoc = frames.createHTML(html)") == 1
