"""What the media functions make from their environment."""

import pytest

from sitejobs.errors import InvalidInput
from sitejobs.handlers.media import make_checker
from sitejobs.jobs.job import Memory
from sitejobs.media.attributes import IMAGE
from sitejobs.media.objects import S3Objects

_BUCKET = {"MEDIA_BUCKET": "uploads"}


@pytest.fixture(autouse=True)
def _region(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")


def test_a_checker_has_the_bucket_the_prefix_and_the_rules_of_the_environment() -> None:
    checker = make_checker(
        {**_BUCKET, "MEDIA_PREFIX": "media/", "MEDIA_MAX_IMAGE_MB": "3", "MEDIA_PARSER_SECONDS": "7"}
    )
    assert isinstance(checker.objects, S3Objects)
    assert checker.prefix == "media/"
    assert checker.rules.max_bytes(IMAGE) == 3 << 20
    assert (checker.parser.limits.seconds, checker.parser.limits.max_image_bytes) == (7, 3 << 20)


@pytest.mark.parametrize("bucket", [{}, {"MEDIA_BUCKET": ""}])
def test_without_a_bucket_nothing_can_be_checked(bucket: dict[str, str]) -> None:
    with pytest.raises(InvalidInput, match="set MEDIA_BUCKET"):
        make_checker(bucket)


def test_a_wrong_rule_is_named() -> None:
    with pytest.raises(InvalidInput, match="MEDIA_MAX_SECONDS must be a whole number"):
        make_checker({**_BUCKET, "MEDIA_MAX_SECONDS": "2m"})


def test_what_is_promised_is_made_when_it_is_first_asked_for_and_once() -> None:
    made: list[Memory] = []

    def make() -> Memory:
        made.append(Memory())
        return made[-1]

    memory = Memory()
    memory.promise(Memory, make)
    assert not made
    assert memory.promised(Memory) is memory.promised(Memory) is made[0]
    assert len(made) == 1
