"""Messages about created objects: shuffled, doubled, early, late, malformed, and without the database."""

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from random import Random

import psycopg
import pytest

from sitejobs.jobs.queues import Handled, Message, delay_seconds, failures, messages_of
from sitejobs.media.parser_host import ParserHost
from sitejobs.media.uploads import CALL_SECONDS, PATIENCE, handle_uploads
from sitejobs_local.places import TEMPLATE
from sitejobs_local.template.template import load_template
from tests.media.site import MediaSite, created, media_site
from tests.media.sources import content

ODD_KEYS = [
    "media/a b.jpg",
    "media/a+b.jpg",
    "media/100%.jpg",
    "media/%2B%20.jpg",
    "media/a#b?c=d&e.jpg",
    "media/Zürich/été 写真 😀.jpg",
    "media/'quoted\" \\ back.jpg",
    "media//double//slash.jpg",
]


@pytest.fixture
def site(site_url: str, parser: ParserHost) -> Iterator[MediaSite]:
    with media_site(site_url, parser) as made:
        yield made


@pytest.mark.parametrize("key", ODD_KEYS)
def test_a_key_of_any_characters_finds_its_record(site: MediaSite, key: str) -> None:
    media_id = site.add("plain.jpg", key=key)
    handled = site.handle(created(key))
    assert (handled.again, handled.summary.written) == ([], 1)
    assert site.media(media_id)["status"] == "READY"


def test_an_upload_whose_record_is_not_there_yet_comes_again(site: MediaSite) -> None:
    message = created("media/early")
    handled = site.handle(message)
    assert (handled.again, handled.summary.reasons) == ([message], {"no-record-yet": 1})
    media_id = site.add("plain.jpg", key="media/early")
    assert site.handle(message).again == []
    assert site.media(media_id)["status"] == "READY"


def test_an_upload_that_nobody_confirmed_comes_again_and_is_then_left_to_the_job(site: MediaSite) -> None:
    media_id = site.add("plain.jpg", status="PENDING")
    for receives in range(1, PATIENCE):
        assert len(site.handle(created("media/plain.jpg", receives)).again) == 1
    assert site.handle(created("media/plain.jpg", PATIENCE)).again == []
    assert site.media(media_id)["status"] == "PENDING"
    site.connection.execute('UPDATE "Media" SET "status" = \'UPLOADED\'')
    assert site.check(media_id).written == 1


def test_doubled_and_shuffled_messages_leave_what_one_each_leaves(site: MediaSite) -> None:
    names = ["plain.jpg", "plain.png", "truncated.jpg", "plain.bmp", "silent.mp4", "sound.flac"]
    types = {"mp4": "VIDEO", "flac": "AUDIO"}
    ids = {name: site.add(name, types.get(name.partition(".")[2], "IMAGE")) for name in names}
    messages = [created(f"media/{name}", receives) for name in names for receives in (1, 2, 3)]
    for _ in range(2):
        for message in Random(7).sample(messages, len(messages)):
            assert site.handle(message).again == []
    assert [site.media(ids[name])["status"] for name in names] == [
        "READY", "READY", "FAILED_PROCESSING", "REJECTED", "READY", "READY",
    ]  # fmt: skip
    assert {site.metadata(media_id)["checks"] for media_id in ids.values()} == {1}


def test_an_overwritten_object_gets_a_new_verdict_whatever_message_comes_last(site: MediaSite) -> None:
    media_id = site.add("truncated.jpg", key="media/one")
    first = created("media/one")
    site.handle(first)
    site.bucket.put("media/one", content("orientation-6.jpg"))
    site.handle(created("media/one", 2), first)
    assert (site.media(media_id)["status"], site.media(media_id)["width"]) == ("READY", 40)


def test_a_deleted_object_is_told_gone(site: MediaSite) -> None:
    media_id = site.add("plain.jpg", key="media/one")
    site.bucket.delete("media/one")
    assert site.handle(created("media/one")).again == []
    assert site.codes(media_id) == ["gone"]


def test_two_records_of_one_object_are_both_checked(site: MediaSite) -> None:
    ids = [site.add("plain.jpg", key="media/one"), site.add("plain.jpg", "VIDEO", key="media/one")]
    assert site.handle(created("media/one")).summary.written == 2
    assert [site.media(one)["status"] for one in ids] == ["READY", "REJECTED"]


@pytest.mark.parametrize(
    "body",
    [
        "",
        "no json",
        "[]",
        "null",
        json.dumps({"detail-type": "Object Deleted", "detail": {"object": {"key": "media/x"}}}),
        json.dumps({"detail-type": "Object Created"}),
        json.dumps({"detail-type": "Object Created", "detail": {"object": {"key": 5}}}),
        json.dumps({"detail-type": "Object Created", "detail": {"object": {"key": "private/x"}}}),
    ],
)
def test_a_message_that_tells_of_no_upload_is_done_with(site: MediaSite, body: str) -> None:
    handled = site.handle(Message("odd", body))
    assert (handled.again, handled.summary.reasons) == ([], {"no-upload": 1})


def test_a_message_that_fails_never_stops_the_others(site: MediaSite) -> None:
    site.connection.execute("CREATE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'no'; END $$")
    site.connection.execute(
        'CREATE TRIGGER no BEFORE UPDATE ON "Media" FOR EACH ROW WHEN (OLD."storageKey" = \'media/bad\')'
        " EXECUTE FUNCTION no()"
    )
    site.add("plain.jpg", key="media/bad")
    good = [site.add("plain.jpg", key=f"media/{at}") for at in range(3)]
    messages = [created("media/0"), created("media/bad"), created("media/1"), created("media/2")]
    handled = site.handle(*messages)
    assert handled.again == [messages[1]]
    assert handled.summary.reasons == {"error-DatabaseFailure": 1}
    assert {site.media(one)["status"] for one in good} == {"READY"}


def test_without_a_database_all_that_is_left_comes_again(site: MediaSite) -> None:
    ids = [site.add("plain.jpg", key=f"media/{at}") for at in range(4)]
    messages = [created(f"media/{at}") for at in range(4)]
    done: list[int] = []

    def cut() -> None:
        if site.media(ids[0])["status"] == "READY" and not done:
            done.append(1)
            end_sessions(site)

    site.bucket.on_read = cut
    handled = site.handle(*messages)
    assert handled.again == messages[1:]
    assert handled.summary.reasons == {"not-available": 3}
    assert site.handle(*handled.again).again == []
    assert {site.media(one)["status"] for one in ids} == {"READY"}


def end_sessions(site: MediaSite) -> None:
    with psycopg.connect(site.url, autocommit=True) as administrator:
        mine = site.connection.info.backend_pid
        administrator.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid NOT IN (pg_backend_pid(), %s)",
            [mine],
        )


def test_a_call_ends_in_time_and_hands_the_rest_back(site: MediaSite) -> None:
    messages = [created(f"media/{at}") for at in range(3)]
    site.add("plain.jpg", key="media/0")
    times = iter([0.0, 1.0, CALL_SECONDS + 1.0])
    handled = handle_uploads(site.resources, messages, clock=lambda: next(times))
    assert handled.again == messages[1:]
    assert handled.summary.reasons == {"out-of-time": 2}


def test_what_lambda_is_told_names_the_messages_that_stay() -> None:
    record = {"messageId": "m", "body": "b", "receiptHandle": "r", "attributes": {"ApproximateReceiveCount": "3"}}
    [message] = messages_of({"Records": [record]})
    assert message == Message("m", "b", "r", 3)
    assert failures(Handled([message])) == {"batchItemFailures": [{"itemIdentifier": "m"}]}
    assert failures(Handled()) == {"batchItemFailures": []}


def test_pauses_grow_and_have_an_end() -> None:
    random = Random(1)
    longest = [max(delay_seconds(receives, 10, random) for _ in range(200)) for receives in range(1, 12)]
    assert longest[:5] == sorted(longest[:5])
    assert longest[0] <= 10
    assert max(longest) <= 900
    assert min(delay_seconds(50, 10, random) for _ in range(200)) >= 450


class Shortest(Random):
    """Every pause at its shortest."""

    def random(self) -> float:
        return 0.0


def test_no_message_is_given_up_within_a_quarter_of_an_hour() -> None:
    """The queue counts every delivery of a message, also while the database is unavailable."""
    template = load_template(TEMPLATE)
    queue = template.queues["MediaQueue"]
    first = float(template.functions["MediaUploadedFunction"].environment["QUEUE_RETRY_SECONDS"])
    tries = queue.max_receive_count
    assert tries is not None
    assert sum(delay_seconds(receives, first, Shortest()) for receives in range(1, tries)) > 15 * 60
    # If a pause cannot be set, the queue's visibility timeout applies.
    assert queue.visibility_timeout * (tries - 1) > 15 * 60


def test_the_event_that_is_shipped_is_understood(site: MediaSite) -> None:
    from tools.bundle import ROOT

    [message] = messages_of(json.loads((ROOT / "events" / "media-uploaded.json").read_text()))
    [key] = re.findall(r'"key":"(.*?)"', message.body)
    media_id = site.add("moov-first.mp4", "VIDEO", key=key)
    assert site.handle(replace(message, receives=1)).again == []
    assert site.media(media_id)["status"] == "READY"
