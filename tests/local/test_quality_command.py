"""`sitejobs quality`: the newest figures in a terminal, as JSON, and as a page that everybody can read."""

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from psycopg import Connection
from psycopg.types.json import Jsonb

from sitejobs.matching.learning.exposure import Exposure
from sitejobs.matching.learning.quality import evaluate, verdict
from sitejobs.postgres.connection import connect
from sitejobs_local.database.postgres import Server
from sitejobs_local.quality import words
from sitejobs_local.quality.page import STYLE, page
from sitejobs_local.quality.words import Report
from tests.databases import site_database
from tests.local.browser import browse, picture
from tests.local.command import environment, sitejobs
from tests.matching.learning.quality_cases import asked, plain

Json = dict[str, Any]


def figures() -> tuple[Json, bool, list[str]]:
    """Of a model that knows people's tastes, with a group of too few viewers."""
    known = asked(3, people=400)
    groups = {"gender": known.viewer % 2, "newcomer": (known.viewer % 40 == 0).astype(np.int64)}
    labels = {"gender": ("MALE", "FEMALE"), "newcomer": ("known", "newcomer")}
    lists = np.arange(2000).reshape(100, 20) % 400
    found = evaluate(
        replace(known, groups=groups, labels=labels), 1, Exposure(400, {"v1": lists, "v2": np.minimum(lists, 390)})
    )
    return json.loads(json.dumps(found.to_json())), *verdict(found)


def report(found: Json, active: bool, reasons: list[str]) -> Report:
    return Report(found, active, reasons, 3, "active", "match-model", 12, "2026-03-01 03:10 UTC")


KNOWING = figures()
EMPTY = evaluate(plain(*(np.zeros(0, dtype=kind) for kind in (int, bool, int, float, float))), 1, None).to_json()


def store_run(connection: Connection, job: str, quality: Json | None, status: str = "SUCCEEDED") -> int:
    row = connection.execute(
        """INSERT INTO "JobRun" ("job", "scope", "execution", "trigger", "options", "status", "context", "startedAt")
           VALUES (%s, 'all', gen_random_uuid()::text, 'test', '{}', %s, %s, '2026-03-01 03:10Z') RETURNING "id" """,
        [job, status, Jsonb({} if quality is None else {"quality": quality})],
    ).fetchone()
    assert row is not None
    return int(row[0])


def store_model(connection: Connection, status: str, found: Json, reasons: list[str]) -> int:
    row = connection.execute(
        """INSERT INTO "MatchModel" ("runId", "status", "trainedAt", "decisions", "parameters", "figures", "reasons")
           VALUES (0, %s, '2026-02-01 03:10Z', 9000, '{}', %s, %s) RETURNING "id" """,
        [status, Jsonb(found), reasons],
    ).fetchone()
    assert row is not None
    return int(row[0])


def quality(found: Json, model: int | None = None) -> Json:
    return {"figures": found, "active": True, "reasons": [], "model": model}


# The command -------------------------------------------------------------------------------------------------


def test_the_newest_run_with_figures_is_shown(postgres_server: Server, tmp_path: Path) -> None:
    found, active, reasons = KNOWING
    assert active, reasons
    with site_database(postgres_server) as url:
        env = environment(DATABASE_URL=url, COLUMNS="80")
        nothing = sitejobs("quality", env=env)
        assert (nothing.returncode, nothing.stdout) == (2, "")
        assert "no model was checked yet: `sitejobs match-model`" in nothing.stderr
        with connect(url) as connection:
            model = store_model(connection, "candidate", found, ["no-gain: match within viewer"])
            from_model = json.loads(sitejobs("quality", "--json", env=env).stdout)
            store_run(connection, "match-model", quality(EMPTY, model))
            run = store_run(connection, "match-quality", quality(found, model))
            store_run(connection, "match-quality", quality(EMPTY), status="FAILED")
            store_run(connection, "match-model", None)
        assert (from_model["run"], from_model["model"], from_model["mayBeActive"]) == (None, model, False)
        assert from_model["reasons"] == ["no-gain: match within viewer"]
        as_json = json.loads(sitejobs("quality", "--json", env=env).stdout)
        assert as_json == {
            "job": "match-quality",
            "run": run,
            "at": "2026-03-01 03:10 UTC",
            "model": model,
            "status": "candidate",
            "mayBeActive": True,
            "reasons": [],
            "figures": found,
        }
        shown = sitejobs("quality", env=env)
        assert shown.returncode == 0, shown.stderr
        assert_table(shown.stdout, run)
        target = tmp_path / "quality.html"
        written = sitejobs("quality", "--html", str(target), env=env)
        assert written.stdout.startswith(f"{target}: Of the first three shown, ")
        assert "<svg" in target.read_text(encoding="utf-8")
        both = sitejobs("quality", "--json", "--html", str(target), env=env)
        assert json.loads(both.stdout) == as_json
        refused = sitejobs("quality", "--html", str(tmp_path), env=env)
        assert refused.returncode == 2


def assert_table(shown: str, run: int) -> None:
    found = KNOWING[0]
    assert max(map(len, shown.splitlines())) <= 80
    assert f"run {run} of match-quality, 2026-03-01 03:10 UTC" in shown
    assert words.headline(found) in " ".join(shown.split())
    for outcome in ("like", "match"):
        for name in ("v1", "v2", "popularity", "chance"):
            assert f"{found[outcome]['rankings'][name]['auc'][0]:.3f}" in shown
    assert words.interval(found["match"]["differences"]["v1"]["auc"]) in shown
    assert "gender: FEMALE" in shown
    assert "never shown" in shown


# Words -------------------------------------------------------------------------------------------------------


def test_the_headline_says_what_becomes_of_the_first_three() -> None:
    rankings = {
        name: {"precision3": [share, None, None]} for name, share in (("v2", 0.254), ("v1", 0.19), ("chance", 0.17))
    }
    said = words.headline({"match": {"rankings": rankings}})
    assert said == "Of the first three shown, 25 of 100 end in a match (v1: 19, chance: 17)."
    assert words.headline(EMPTY).startswith("Too few decisions")


def test_whose_chances_are_judged_is_said() -> None:
    assert words.judged(KNOWING[0]) == words.judged(EMPTY) == "A calibration error below 0.05 is asked for."
    following = words.judged({"answeredLikes": 0.6, "answeredDislikes": 0.1})
    assert "Of likes 60.0 % are answered, of dislikes 10.0 %" in following


def test_what_says_nothing_is_a_dash() -> None:
    assert words.number(None) == words.percent(None) == words.interval(None) == words.interval([None] * 3) == "—"
    assert words.interval([0.1, None, None]) == "+0.100"
    assert words.interval([0.1, 0.05, 0.15]) == "+0.100 (+0.050 to +0.150)"


# The page ----------------------------------------------------------------------------------------------------

PAGES = {"figures": page(report(*KNOWING)), "none": page(report(EMPTY, False, ["too-few-viewers: <b>0</b> & none"]))}


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_well_formed_and_fetches_and_runs_nothing(name: str) -> None:
    text = PAGES[name].replace("<!doctype html>", "").replace('<meta charset="utf-8">', "")
    document = ElementTree.fromstring(re.sub(r"(<meta [^>]*[^/])>", r"\1/>", text))
    tags = {element.tag for element in document.iter()}
    assert not tags & {"script", "img", "link", "iframe", "form", "object"}
    attributes = {(key, value) for element in document.iter() for key, value in element.attrib.items()}
    assert not [key for key, _ in attributes if key in ("src", "href", "style") or key.startswith("on")]
    assert not any("NaN" in value or "None" in value for _, value in attributes)
    assert all(element.get("role") == "img" and element.get("aria-label") for element in document.iter("svg"))
    assert all(element.get("tabindex") == "0" for element in document.iter("div") if element.get("class") == "scroll")


def test_a_page_shows_all_pictures_with_their_numbers() -> None:
    text = PAGES["figures"]
    assert text.count("<svg") == 8
    for outcome in ("like", "match"):
        assert words.interval(KNOWING[0][outcome]["differences"]["v1"]["ndcg10"]) in text
    assert "&lt;b&gt;0&lt;/b&gt; &amp; none" in PAGES["none"]
    assert "<b>" not in PAGES["none"]


def luminance(colour: str) -> float:
    digits = colour if len(colour) == 6 else "".join(2 * digit for digit in colour)
    shares = [int(digits[at : at + 2], 16) / 255 for at in (0, 2, 4)]
    linear = [share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4 for share in shares]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
def test_every_colour_stands_out_from_the_paper(scheme: int) -> None:
    """By WCAG 2: 4.5 to 1 for text, and marks are in the colours of text; lines need 3 to 1."""
    block = re.findall(r":root \{([^}]*)\}", STYLE)[scheme]
    colours = {name: luminance(value) for name, value in re.findall(r"--(\w+): #(\w+)", block)}
    for name, found in colours.items():
        if name not in ("paper", "soft"):
            light, dark = max(found, colours["paper"]), min(found, colours["paper"])
            assert (light + 0.05) / (dark + 0.05) >= (3 if name == "line" else 4.5), name


@pytest.mark.parametrize("width", [320, 1100])
def test_a_browser_shows_the_page(tmp_path: Path, width: int) -> None:
    target = tmp_path / "quality.html"
    target.write_text(PAGES["figures"], encoding="utf-8")
    picture(target, tmp_path / "page.png", tmp_path, width, 2000)
    assert (tmp_path / "page.png").stat().st_size > 20_000
    assert "Of the first three shown" in browse(tmp_path, "--dump-dom", target.as_uri())
