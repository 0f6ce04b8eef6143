"""The pages of media-metadata-all and -batch: their records, their order, and large numbers of records."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from sitejobs.errors import InvalidInput
from sitejobs.jobs.job import Chapter, PagedJob, Run
from sitejobs.media.media_metadata import JOB as ONE
from sitejobs.media.media_metadata_all import JOB as ALL
from sitejobs.media.media_metadata_all import PAGE_SIZE as ALL_PAGE_SIZE
from sitejobs.media.media_metadata_batch import JOB as RECENT
from sitejobs.media.parser_host import ParserHost
from sitejobs.options import parse_options
from tests.media.site import USER, MediaSite, media_site

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
_MANY = """
INSERT INTO "Media" ("ownerUserId", "type", "status", "storageKey", "createdAt")
SELECT %s, 'IMAGE', 'UPLOADED', 'media/' || n, TIMESTAMP '2026-06-01 11:00' - (n / 7) * INTERVAL '1 minute'
FROM generate_series(1, %s) AS n
"""


@pytest.fixture
def site(site_url: str, parser: ParserHost) -> Iterator[MediaSite]:
    with media_site(site_url, parser) as made:
        yield made


def planned(site: MediaSite, job: PagedJob, **given: Any) -> list[Chapter]:
    options, run = parse_options(job.options, given), Run("1", job.entry.name, NOW)
    chapters = [job.plan(site.resources, run, options, None)]
    while chapters[-1].cursor is not None:
        chapters.append(job.plan(site.resources, run, options, chapters[-1].cursor))
    return chapters


def ran(site: MediaSite, job: PagedJob, **given: Any) -> dict[str, int]:
    options, run = parse_options(job.options, given), Run("1", job.entry.name, NOW)
    counts = {"processed": 0, "written": 0, "failed": 0}
    for chapter in planned(site, job, **given):
        for page in chapter.pages:
            summary = job.batch(site.resources, run, options, page)
            for name in counts:
                counts[name] += getattr(summary, name)
    return counts


def test_every_unchecked_record_is_in_one_page_whatever_shares_its_moment(site: MediaSite) -> None:
    site.connection.execute(_MANY, [USER, 1_000])
    [chapter] = planned(site, ALL)
    assert len(chapter.pages) == 1_000 / ALL_PAGE_SIZE
    assert (chapter.planned_pages, chapter.planned_users) == (len(chapter.pages), 1_000)
    assert ran(site, ALL) == {"processed": 1_000, "written": 1_000, "failed": 1_000}
    assert ran(site, ALL) == {"processed": 0, "written": 0, "failed": 0}


def test_more_than_a_chapter_holds_goes_into_the_next(site: MediaSite) -> None:
    site.connection.execute(_MANY, [USER, 1_234])
    chapters = planned(site, RECENT, batchSize=1, maxAgeHours=1000)
    assert [len(chapter.pages) for chapter in chapters] == [500, 500, 234]
    assert chapters[0].planned_pages == 1_234
    assert len({page["page"] for chapter in chapters for page in chapter.pages}) == 1_234


def test_the_batch_takes_the_recent_ones_only(site: MediaSite) -> None:
    young = site.add(created=NOW.replace(tzinfo=None) - timedelta(hours=23, minutes=59))
    old = site.add(created=NOW.replace(tzinfo=None) - timedelta(hours=24, minutes=1))
    assert ran(site, RECENT)["processed"] == 1
    assert (site.media(young)["status"], site.media(old)["status"]) == ("FAILED_PROCESSING", "UPLOADED")
    assert ran(site, RECENT, maxAgeHours=25)["processed"] == 1
    assert ran(site, ALL)["processed"] == 0


def test_all_takes_the_old_ones_too(site: MediaSite) -> None:
    site.add(created=datetime(1999, 1, 1, tzinfo=UTC))
    assert ran(site, ALL)["processed"] == 1


def test_only_uploads_are_in_pages(site: MediaSite) -> None:
    site.add(status="PENDING")
    site.add(status="READY")
    site.add(type_="EMBED")
    site.add(key="")
    site.connection.execute('UPDATE "Media" SET "deletedAt" = now() WHERE "id" = %s', [site.add()])
    [chapter] = planned(site, ALL)
    assert (chapter.pages, chapter.message) == ([], "there is no unchecked upload")


def test_a_page_that_is_called_again_goes_on_where_it_was(site: MediaSite) -> None:
    ids = [site.add(name) for name in ("plain.jpg", "plain.png", "lossy.webp")]
    [chapter] = planned(site, ALL)
    options, run = parse_options(ALL.options, {}), Run("1", ALL.entry.name, NOW)
    site.check(ids[0])
    site.checker.parser.close()
    summary = ALL.batch(site.resources, run, options, chapter.pages[0])
    assert (summary.processed, summary.skipped) == (2, 0)
    assert {site.media(one)["status"] for one in ids} == {"READY"}


def test_a_record_that_does_not_exist_is_named(site: MediaSite) -> None:
    with pytest.raises(InvalidInput, match="there is no 77"):
        planned(site, ONE, mediaId=77)


def test_the_pages_are_found_by_index(site: MediaSite) -> None:
    from sitejobs.media import records

    site.connection.execute(_MANY, [USER, 5_000])
    site.connection.execute('UPDATE "Media" SET "status" = \'READY\' WHERE "id" % 50 <> 0')
    site.connection.execute('ANALYZE "Media"')
    for statement, values in (
        (records._NEXT, {"at": "2026-06-01 10:00", "id": 5, "limit": 100}),
        (records._BETWEEN, {"at": "2026-06-01 10:00", "id": 5, "upto_at": "2026-06-01 10:10", "upto_id": 9}),
        (records._BY_KEY, {"key": "media/5"}),
    ):
        plan = "\n".join(str(line[0]) for line in site.connection.execute("EXPLAIN " + statement, values))
        assert "Seq Scan" not in plan, plan
