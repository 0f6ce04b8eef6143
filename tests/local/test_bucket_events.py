"""A bucket that notifies others already: the command adds EventBridge and takes nothing away."""

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from moto.s3.models import s3_backends
from moto.server import ThreadedMotoServer

from tests.local.command import environment, sitejobs

BUCKET, QUEUE = "uploads-of-the-site", "thumbnails"


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, str]]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    variables = {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_ACCESS_KEY_ID": "x",
        "AWS_SECRET_ACCESS_KEY": "x",
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    yield environment(**variables)
    # moto keeps them for the whole process, where other tests have machines of their own.
    for queue in boto3.client("sqs").list_queues(QueueNamePrefix=QUEUE).get("QueueUrls", ()):
        boto3.client("sqs").delete_queue(QueueUrl=queue)
    for bucket in boto3.client("s3").list_buckets()["Buckets"]:
        if bucket["Name"] == BUCKET:
            boto3.client("s3").delete_bucket(Bucket=BUCKET)
    server.stop()


def configuration() -> dict[str, Any]:
    found: dict[str, Any] = boto3.client("s3").get_bucket_notification_configuration(Bucket=BUCKET)
    found.pop("ResponseMetadata")
    return found


def test_a_buckets_other_notifications_stay(aws: dict[str, str]) -> None:
    boto3.client("s3").create_bucket(Bucket=BUCKET)
    queue = boto3.client("sqs").create_queue(QueueName=QUEUE)["QueueUrl"]
    arn = "arn:aws:sqs:us-east-1:123456789012:" + queue.rpartition("/")[2]
    to_queue = {
        "Id": "thumbnails",
        "QueueArn": arn,
        "Events": ["s3:ObjectCreated:*"],
        "Filter": {"Key": {"FilterRules": [{"Name": "prefix", "Value": "photos/"}]}},
    }
    before = {"QueueConfigurations": [to_queue]}
    boto3.client("s3").put_bucket_notification_configuration(Bucket=BUCKET, NotificationConfiguration=before)
    before = configuration()
    for _ in range(2):
        done = sitejobs("bucket-events", BUCKET, env=aws)
        assert done.returncode == 0, done.stderr
        assert done.stdout == "EventBridge is on; the bucket keeps its 1 other notifications\n"
        assert configuration() == before
        # moto's answer leaves it out.
        kept = s3_backends["123456789012"]["aws"].buckets[BUCKET].notification_configuration
        assert kept is not None
        assert kept.event_bridge == {}


def test_a_bucket_that_does_not_exist_is_refused_in_one_line(aws: dict[str, str]) -> None:
    done = sitejobs("bucket-events", "nowhere", env=aws)
    assert done.returncode == 1
    assert "AWS refuses s3:GetBucketNotification: NoSuchBucket" in done.stderr
    assert done.stderr.count("\n") == 1
