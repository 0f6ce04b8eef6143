"""Checks of one record: verdict, columns, which errors are retried, and objects that change meanwhile."""

import os
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from sitejobs.errors import Transient
from sitejobs.jobs.job import PageSummary
from sitejobs.media.attributes import Attributes
from sitejobs.media.checking import Checker
from sitejobs.media.parser_host import ParserHost
from sitejobs.media.reading import ByteSource
from sitejobs.media.rules import read_rules
from tests.media.site import MediaSite, media_site
from tests.media.sources import content


@pytest.fixture
def site(site_url: str, parser: ParserHost) -> Iterator[MediaSite]:
    with media_site(site_url, parser) as made:
        yield made


def test_a_good_upload_is_ready_and_its_record_says_what_it_is(site: MediaSite) -> None:
    media_id = site.add("turned-90.mp4", "VIDEO", mime="video/mp4")
    summary = site.check(media_id)
    assert (summary.processed, summary.written, summary.failed, summary.skipped) == (1, 1, 0, 0)
    row = site.media(media_id)
    assert (row["status"], row["width"], row["height"], row["durationSec"]) == ("READY", 64, 96, 2.0)
    known = site.metadata(media_id)
    assert (known["verdict"], known["reasons"], known["storedWidth"], known["rotation"]) == ("READY", [], 96, 270)
    assert known["sizeBytes"] == len(content("turned-90.mp4"))


def test_every_broken_rule_is_told_at_once(site: MediaSite) -> None:
    media_id = site.add("wide.png", "VIDEO", mime="video/mp4")
    rules = read_rules({"MEDIA_FORMATS": "jpeg", "MEDIA_MAX_IMAGE_PIXELS": "1000"})
    strict = Checker(site.bucket, site.checker.parser, rules, "media/")
    summary = PageSummary()
    strict.check(site.resources.database.connection(), media_id, summary)
    assert site.media(media_id)["status"] == "REJECTED"
    assert site.codes(media_id) == ["format", "type", "mime-type", "dimensions"]
    # The rejected claim stays, so that another check rejects it again.
    assert site.media(media_id)["mimeType"] == "video/mp4"
    assert (summary.processed, summary.failed, sorted(summary.reasons)) == (
        1, 0, ["dimensions", "format", "mime-type", "type"],
    )  # fmt: skip


def test_an_unreadable_upload_fails_with_its_reason_and_keeps_what_is_known(site: MediaSite) -> None:
    media_id = site.add("truncated.jpg")
    site.connection.execute('UPDATE "Media" SET "width" = 7, "height" = 8, "mimeType" = \'image/jpeg\'')
    summary = site.check(media_id)
    assert (site.media(media_id)["status"], site.codes(media_id)) == ("FAILED_PROCESSING", ["damaged"])
    assert (site.media(media_id)["width"], site.media(media_id)["mimeType"]) == (7, "image/jpeg")
    assert (summary.failed, summary.reasons) == (1, {"damaged": 1})


def test_a_missing_object_is_told_and_found_once_it_is_there(site: MediaSite) -> None:
    media_id = site.add()
    site.check(media_id)
    assert (site.media(media_id)["status"], site.codes(media_id)) == ("FAILED_PROCESSING", ["gone"])
    assert site.check(media_id).reasons == {"unchanged": 1}
    site.bucket.put("media/none", content("plain.jpg"))
    site.check(media_id)
    assert (site.media(media_id)["status"], site.codes(media_id)) == ("READY", [])


@pytest.mark.parametrize("name", ["plain.jpg", "truncated.jpg", "plain.bmp"])
def test_the_same_object_is_not_looked_at_again_unless_forced(site: MediaSite, name: str) -> None:
    media_id = site.add(name)
    site.check(media_id)
    before = site.metadata(media_id)
    reads: list[int] = []
    site.bucket.on_read = lambda: reads.append(1)
    summary = site.check(media_id)
    assert (summary.written, summary.reasons, reads) == (0, {"unchanged": 1}, [])
    assert site.metadata(media_id) == before
    site.check(media_id, force=True)
    after = site.metadata(media_id)
    assert reads
    assert after["checks"] == 2
    changing = {"checks", "checkedAt"}
    assert {name: value for name, value in after.items() if name not in changing} == {
        name: value for name, value in before.items() if name not in changing
    }


def test_an_overwritten_object_is_looked_at_again(site: MediaSite) -> None:
    media_id = site.add("truncated.jpg", key="media/one")
    site.check(media_id)
    site.bucket.put("media/one", content("orientation-6.jpg"))
    site.check(media_id)
    assert site.media(media_id)["status"] == "READY"
    assert (site.metadata(media_id)["width"], site.codes(media_id)) == (40, [])


def test_a_record_given_another_object_is_looked_at_again(site: MediaSite) -> None:
    media_id = site.add("plain.jpg")
    site.check(media_id)
    site.bucket.put("media/other", content("plain.jpg"))
    site.connection.execute('UPDATE "Media" SET "storageKey" = %s', ["media/other"])
    assert site.check(media_id).written == 1


def test_a_record_set_back_to_uploaded_gets_its_verdict_back_without_a_look(site: MediaSite) -> None:
    media_id = site.add("plain.bmp")
    site.check(media_id)
    site.connection.execute('UPDATE "Media" SET "status" = \'UPLOADED\'')
    reads: list[int] = []
    site.bucket.on_read = lambda: reads.append(1)
    assert site.check(media_id).written == 1
    assert (site.media(media_id)["status"], reads) == ("REJECTED", [])


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ('UPDATE "Media" SET "deletedAt" = now()', "deleted"),
        ('UPDATE "Media" SET "status" = \'PENDING\'', "not-uploaded"),
        ('UPDATE "Media" SET "status" = \'PROCESSING\'', "not-uploaded"),
        ('UPDATE "Media" SET "type" = \'EMBED\'', "no-file"),
        ('UPDATE "Media" SET "storageKey" = NULL', "no-storage-key"),
        ('UPDATE "Media" SET "storageKey" = \'\'', "no-storage-key"),
        ('UPDATE "Media" SET "storageKey" = \'private/x\'', "outside-prefix"),
        ('DELETE FROM "Media"', "deleted"),
    ],
)
def test_what_is_no_upload_is_left_alone(site: MediaSite, change: str, reason: str) -> None:
    media_id = site.add("plain.jpg")
    site.connection.execute(change.encode())
    before = site.media(media_id)
    summary = site.check(media_id, force=True)
    assert (summary.skipped, summary.written, summary.reasons) == (1, 0, {reason: 1})
    assert site.media(media_id) == before
    assert site.metadata(media_id) == {}


def test_a_record_deleted_while_its_object_is_read_gets_no_verdict(site: MediaSite) -> None:
    media_id = site.add("plain.jpg")
    site.bucket.on_read = lambda: site.connection.execute('UPDATE "Media" SET "deletedAt" = now()')
    assert site.check(media_id).reasons == {"deleted": 1}
    assert site.metadata(media_id) == {}


def test_an_object_overwritten_while_it_is_read_is_read_anew(site: MediaSite) -> None:
    media_id = site.add("plain.jpg", key="media/one")
    changes = [content("orientation-6.jpg")]
    site.bucket.on_read = lambda: site.bucket.put("media/one", changes.pop()) if changes else None
    assert site.check(media_id).written == 1
    assert (site.media(media_id)["width"], site.metadata(media_id)["rotation"]) == (40, 90)


def test_an_object_deleted_while_it_is_read_is_gone(site: MediaSite) -> None:
    media_id = site.add("plain.jpg", key="media/one")
    todo = [lambda: site.bucket.delete("media/one")]
    site.bucket.on_read = lambda: todo.pop()() if todo else None
    site.check(media_id)
    assert (site.media(media_id)["status"], site.codes(media_id)) == ("FAILED_PROCESSING", ["gone"])


def test_an_object_that_changes_all_the_time_is_left_for_later(site: MediaSite) -> None:
    media_id = site.add("plain.jpg", key="media/one")
    contents = [content("plain.jpg") + bytes([at]) for at in range(100)]
    site.bucket.on_read = lambda: site.bucket.put("media/one", contents.pop())
    with pytest.raises(Transient):
        site.check(media_id)
    assert site.media(media_id)["status"] == "UPLOADED"


def test_an_older_objects_verdict_never_replaces_a_newer_ones(site: MediaSite) -> None:
    """While one check reads the old object, it is overwritten, and another check of the new one ends first."""
    media_id = site.add("truncated.png", key="media/one")
    with ParserHost() as other_parser:
        other = Checker(site.bucket, other_parser, site.checker.rules, "media/")
        place = site.environment()
        todo = [1]

        def overtake() -> None:
            if todo:
                todo.pop()
                site.bucket.put("media/one", content("plain.png"))
                summary = PageSummary()
                other.check(place.database.connection(), media_id, summary)
                assert summary.written == 1

        site.bucket.on_read = overtake
        assert site.check(media_id).reasons == {"unchanged": 1}
        place.database.close()
    assert site.media(media_id)["status"] == "READY"
    assert site.metadata(media_id)["checks"] == 1


class Overtaken(ParserHost):
    """A parser that calls something after its work, before the result is stored."""

    then: Callable[[], object] = staticmethod(lambda: None)

    def extract(self, source: ByteSource, size: int) -> Attributes:
        found = super().extract(source, size)
        self.then()
        return found


def test_an_object_overwritten_after_it_was_read_is_read_anew(site: MediaSite) -> None:
    """Between the last read and the lock another check stores the new object's verdict."""
    media_id = site.add("plain.jpg", key="media/one")
    place, news = site.environment(), [content("orientation-6.jpg")]

    def overtake() -> None:
        if news:
            site.bucket.put("media/one", news.pop())
            site.checker.check(place.database.connection(), media_id, PageSummary())

    with Overtaken() as parser:
        parser.then = overtake
        slow = Checker(site.bucket, parser, site.checker.rules, "media/")
        slow.check(site.resources.database.connection(), media_id, PageSummary())
    place.database.close()
    assert (site.media(media_id)["width"], site.metadata(media_id)["rotation"]) == (40, 90)
    assert site.metadata(media_id)["etag"] == site.bucket.head("media/one").etag


def test_checks_side_by_side_agree(site: MediaSite) -> None:
    media_id = site.add("plain.jpg")

    def check(_: int) -> int:
        place = site.environment()
        with ParserHost() as parser:
            checker, summary = Checker(site.bucket, parser, site.checker.rules, "media/"), PageSummary()
            checker.check(place.database.connection(), media_id, summary)
        place.database.close()
        return summary.written

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(check, range(8))) >= 1
    assert site.media(media_id)["status"] == "READY"


def test_one_file_that_breaks_the_parser_costs_only_itself(site: MediaSite) -> None:
    ids = [site.add(name) for name in ("plain.png", "plain.jpg", "lossy.webp")]
    victims = [ids[1]]

    def crash() -> None:
        if victims and site.checked == victims[0]:
            victims.clear()
            assert site.checker.parser.pid is not None
            os.kill(site.checker.parser.pid, signal.SIGKILL)

    site.bucket.on_read = crash
    for media_id in ids:
        site.checked = media_id
        site.check(media_id)
    assert [site.media(one)["status"] for one in ids] == ["READY", "FAILED_PROCESSING", "READY"]
    assert site.codes(ids[1]) == ["parser-crashed"]


def test_a_value_that_the_sites_own_column_cannot_hold_fails_that_record_alone(site: MediaSite) -> None:
    site.connection.execute('ALTER TABLE "Media" ALTER "durationSec" TYPE numeric(2, 0)')
    long, short = site.add("long.mp4", "VIDEO"), site.add("silent.mp4", "VIDEO")
    assert site.check(long).reasons == {"not-stored": 1}
    assert site.metadata(long) == {}
    assert site.check(short).written == 1


def test_texts_instead_of_enums_and_zoned_times_do(site: MediaSite) -> None:
    site.connection.execute('ALTER TABLE "Media" ALTER "type" TYPE text, ALTER "createdAt" TYPE timestamptz(3)')
    site.connection.execute('ALTER TABLE "Media" ALTER "status" DROP DEFAULT, ALTER "status" TYPE text')
    media_id = site.add("plain.jpg")
    site.check(media_id)
    assert site.media(media_id)["status"] == "READY"
