"""Turn on EventBridge for a bucket that a site has already, so that its uploads reach the stack."""

import click


@click.command("bucket-events", short_help="turn on EventBridge for a bucket that you have")
@click.argument("bucket")
def bucket_events(bucket: str) -> None:
    """Turn on EventBridge for BUCKET on AWS. Its notifications to queues, topics and functions stay as they are.

    S3 replaces the whole configuration with what it is given, so it is read first and written back with one key more.
    Needs s3:GetBucketNotification and s3:PutBucketNotification.
    """
    import boto3

    from sitejobs_local.runs.deployed import told

    with told("s3:GetBucketNotification"):
        client = boto3.client("s3")
        found = client.get_bucket_notification_configuration(Bucket=bucket)
    found.pop("ResponseMetadata")
    others = sum(len(configurations) for kind, configurations in found.items() if kind != "EventBridgeConfiguration")
    with told("s3:PutBucketNotification"):
        client.put_bucket_notification_configuration(
            Bucket=bucket, NotificationConfiguration={**found, "EventBridgeConfiguration": {}}
        )
    click.echo(f"EventBridge is on; the bucket keeps its {others} other notifications")
