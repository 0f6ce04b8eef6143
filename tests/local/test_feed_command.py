"""`sitejobs feed`: cards in a terminal, and a page that a real browser shows as it should."""

import json
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from psycopg import Connection

from sitejobs.feed import feed_presort
from sitejobs.postgres.connection import connect
from sitejobs_local.database.postgres import Server
from sitejobs_local.feed_page import STYLE, page, policy
from tests.databases import site_database
from tests.feed.feed_sites import FeedSite, Person, Quiz
from tests.feed.running import run
from tests.feed.sites import NOW, Media, Post
from tests.local.browser import browse, chromium, picture, rendered
from tests.local.command import environment, sitejobs
from tests.local.conftest import HOSTILE
from tests.local.test_quality_command import luminance
from tools.browser import browser

EVIL = "</p><script>document.title='broken'</script><img src=x onerror=\"alert(1)\">&amp;<!-- {{ }} \x1b[31m"


def nasty_site() -> FeedSite:
    return FeedSite(
        people={
            1: Person(),
            2: Person(name=EVIL),
            3: Person(name="[red]Zoë[/red]", bio=EVIL),
            4: Person(name=None),
            5: Person(deleted=True),
        },
        posts={
            20: Post(20, 2, True, EVIL, NOW, False, (Media(200, "IMAGE", "READY", False),)),
            40: Post(40, 4, True, "Guten Tag", NOW, False),
        },
        scores={1: [(3, 0.9)]},
        quizzes=[Quiz(1, True, NOW, ((100, 1, "Tea or <b>coffee</b>?"),))],
    )


@pytest.fixture(scope="module")
def presorted(postgres_server: Server) -> Iterator[str]:
    """A site whose texts would break out of a page."""
    with site_database(postgres_server) as url:
        with connect(url) as connection:
            nasty_site().store(connection)
        run(url, feed_presort.JOB, NOW)
        yield url


@pytest.fixture
def connection(presorted: str) -> Iterator[Connection]:
    with connect(presorted) as connection:
        yield connection


class Document(HTMLParser):
    """A document's tags and text, by the rules of HTML."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.text = ""
        self.urls: list[str | None] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.urls += [value for name, value in attrs if name in ("src", "href", "action") or name.startswith("on")]

    def handle_data(self, data: str) -> None:
        self.text += data


def made_page(url: str, tmp_path: Path) -> Path:
    target = tmp_path / "feed.html"
    env = environment(DATABASE_URL=url, SITEJOBS_HOME=str(tmp_path / "home"))
    done = sitejobs("feed", "--userId=1", "--html", str(target), env=env)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"{target}: 4 cards of 2026-11-23 12:00 UTC")
    return target


def assert_harmless(text: str) -> None:
    document = Document(text)
    assert not {"script", "img", "b", "link", "iframe"} & set(document.tags)
    assert document.urls == []
    assert "</p><script>document.title='broken'</script>" in document.text
    assert "Tea or <b>coffee</b>?" in document.text
    assert document.tags.count("article") == 4
    assert f'content="{policy()}"' in text.replace("&#x27;", "'")


def test_the_page_shows_markup_as_text_and_fetches_nothing(presorted: str, tmp_path: Path) -> None:
    assert_harmless(made_page(presorted, tmp_path).read_text())


def test_a_browser_shows_the_page_and_runs_nothing_of_it(presorted: str, tmp_path: Path) -> None:
    made = made_page(presorted, tmp_path)
    shown = rendered(made, tmp_path)
    assert_harmless(shown)
    assert "<title>Feed of user 1</title>" in shown
    screenshot = tmp_path / "feed.png"
    picture(made, screenshot, tmp_path, 800, 900)
    assert screenshot.read_bytes().startswith(b"\x89PNG")
    assert screenshot.stat().st_size > 10_000, "an empty picture is smaller"


def test_the_first_cards_stay_data_inside_a_script_in_a_browser(connection: Connection, tmp_path: Path) -> None:
    row = connection.execute('SELECT "phase1Json" FROM "FeedPresorted" WHERE "userId" = 1').fetchone()
    assert row is not None
    host = tmp_path / "host.html"
    host.write_text(
        f"""<!doctype html><meta charset="utf-8"><title>whole</title><script>const cards = {row[0]};
        window.addEventListener("load", () => {{ document.body.textContent = JSON.stringify(cards); }});</script><p>"""
    )
    document = Document(browse(tmp_path, "--dump-dom", host.as_uri()))
    assert document.tags.count("script") == 1
    assert "img" not in document.tags
    shown = json.loads(document.text[document.text.rindex("[{") :].strip())
    assert shown == json.loads(row[0])
    assert EVIL.replace(" \x1b", " ") in {card["preview"] for card in shown}


def test_the_terminal_shows_cards_and_obeys_none(presorted: str, tmp_path: Path) -> None:
    env = environment(DATABASE_URL=presorted, SITEJOBS_HOME=str(tmp_path))
    done = sitejobs("feed", "--userId=1", env=env)
    assert done.returncode == 0, done.stderr
    assert "\x1b" not in done.stdout
    for text in ("[red]Zoë[/red]", "</p><script>", "Tea or <b>coffee</b>?", "(no name)", "Guten Tag", "match 0.90"):
        assert text in done.stdout


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--userId=5"], "user 5 has no feed"),
        (["--userId=99"], "there is no user 99"),
        (["--userId=1", "--html", "/nowhere/x.html"], "--html: /nowhere/x.html cannot be written"),
        ([], "userId"),
    ],
)
def test_what_cannot_be_shown_is_said(presorted: str, tmp_path: Path, arguments: list[str], told: str) -> None:
    done = sitejobs("feed", *arguments, env=environment(DATABASE_URL=presorted, SITEJOBS_HOME=str(tmp_path)))
    assert (done.returncode, done.stdout) == (2, "")
    assert told in done.stderr


def test_a_feed_that_was_cleaned_up_or_is_empty_says_so(presorted: str, connection: Connection, tmp_path: Path) -> None:
    env = environment(DATABASE_URL=presorted, SITEJOBS_HOME=str(tmp_path))
    connection.execute('DELETE FROM "FeedSegment" WHERE "userId" = 4')
    assert "has been cleaned up" in sitejobs("feed", "--userId=4", env=env).stderr
    connection.execute("""UPDATE "FeedPresortedUser" SET "skipped" = 'nothing-to-show' WHERE "userId" = 4""")
    assert "as of 2026-11-23 12:00 UTC: nothing-to-show" in sitejobs("feed", "--userId=4", env=env).stderr


def cards(*presentations: str, name: str | None = None) -> list[dict[str, Any]]:
    card = {
        "kind": "suggestion",
        "id": 1,
        "author": {"id": 1, "name": name},
        "preview": name,
        "score": 0.1,
        "parts": {},
    }
    return [{**card, "presentation": presentation} for presentation in presentations]


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
def test_every_colour_stands_out_from_the_paper(scheme: int) -> None:
    """By WCAG 2: 4.5 to 1 for text, on the avatar's ground too; 3 to 1 for lines."""
    block = re.findall(r":root \{([^}]*)\}", STYLE)[scheme]
    colours = {name: luminance(value) for name, value in re.findall(r"--(\w+): #(\w+)", block)}
    grounds = colours.pop("paper"), colours.pop("soft")
    for name, found in colours.items():
        for ground in grounds[: 2 if name == "ink" else 1]:
            light, dark = max(found, ground), min(found, ground)
            assert (light + 0.05) / (dark + 0.05) >= (3 if name == "line" else 4.5), name


def test_a_narrow_screen_shows_all_and_no_name_turns_its_neighbours_around(tmp_path: Path) -> None:
    target = tmp_path / "feed.html"
    target.write_text(page(1, cards("highlight", "grid", "grid", "grid", name=HOSTILE + "x" * 80), "now"), "utf-8")
    with browser(chromium(), tmp_path) as shown:
        shown.resize(390)
        shown.open(target.as_uri())
        assert shown.run("document.documentElement.scrollWidth") <= 390
        assert shown.run("getComputedStyle(document.querySelector('.who bdi')).unicodeBidi") == "isolate"
        assert shown.run("document.querySelector('.avatar').textContent") == "E"
        assert shown.run("document.querySelectorAll('bdi').length") == 4
        widths = shown.run("[...document.querySelectorAll('section article')].map((it) => it.clientWidth)")
        assert min(widths) > 120, "three beside each other are too narrow to be read"


def test_a_grid_stands_side_by_side() -> None:
    text = page(1, cards("suggestion", "grid", "grid", "grid", "suggestion"), "now")
    assert text.count("<section>") == 1
    inside = text.partition("<section>")[2].partition("</section>")[0]
    assert inside.count("<article") == 3
