"""What template.yaml promises of uploads: buckets, queue, alarms, limits and rules."""

import json

from sitejobs.handlers.tuning import tuned
from sitejobs.media.rules import Rules, read_rules
from sitejobs.media.unchecked import PAGE_SECONDS
from sitejobs.media.uploads import CALL_SECONDS
from sitejobs_local.template.template import load_template
from tests.bundle.resources import AS_READ, TEMPLATE, of_type
from tests.bundle.test_template import OF_COMMANDS
from tests.bundle.test_template_logins import resolver


def test_buckets_are_private_and_encrypted_and_the_work_bucket_empties_itself() -> None:
    policies = {it["Bucket"]["Ref"]: it["PolicyDocument"] for it in of_type("AWS::S3::BucketPolicy").values()}
    for name, properties in of_type("AWS::S3::Bucket").items():
        block = properties["PublicAccessBlockConfiguration"]
        assert len(block) == 4
        assert all(block.values())
        assert properties["BucketEncryption"]["ServerSideEncryptionConfiguration"]
        rules = properties["LifecycleConfiguration"]["Rules"]
        # Uploads are never deleted.
        expiring = {"Ref": "WorkFileDays"} if name == "WorkBucket" else None
        assert expiring in [rule.get("ExpirationInDays") for rule in rules]
        assert name == "WorkBucket" or not [rule for rule in rules if "ExpirationInDays" in rule]
        assert any("AbortIncompleteMultipartUpload" in rule for rule in rules)
        [statement] = policies[name]["Statement"]
        assert (statement["Effect"], statement["Principal"], statement["Action"]) == ("Deny", "*", "s3:*")
        assert statement["Condition"] == {"Bool": {"aws:SecureTransport": False}}
        assert statement["Resource"] == [{"Fn::GetAtt": [name, "Arn"]}, {"Fn::Sub": f"${{{name}.Arn}}/*"}]


def test_an_upload_goes_from_the_bucket_over_the_rule_and_the_queue_to_the_function() -> None:
    [source] = AS_READ.queue_sources
    [rule] = [rule for rule in AS_READ.rules if rule.pattern["source"] == ["aws.s3"]]
    queue = AS_READ.queues["MediaQueue"]
    bucket = AS_READ.buckets["MediaBucket"]
    assert bucket.sends_events
    assert rule.pattern["detail"] == {"bucket": {"name": [bucket.name]}, "object": {"key": [{"prefix": "media/"}]}}
    assert (rule.target_arns, source.queue_arn) == ((queue.arn,), queue.arn)
    assert (source.function, source.report_item_failures) == ("MediaUploadedFunction", True)
    assert source.max_concurrency == 5
    assert queue.dead_letter_arn == AS_READ.queues["MediaDeadLetterQueue"].arn
    assert AS_READ.functions[source.function].environment["QUEUE_URL"] == queue.url
    [policy] = of_type("AWS::SQS::QueuePolicy").values()
    [_, statement] = policy["PolicyDocument"]["Statement"]
    assert statement["Principal"] == {"Service": "events.amazonaws.com"}
    assert {"Fn::GetAtt": ["MediaUploadedRule", "Arn"]} in statement["Condition"]["ArnEquals"]["aws:SourceArn"]
    assert {"Fn::GetAtt": ["MediaQueue", "Arn"]} in statement["Resource"]


def test_a_bucket_of_the_sites_own_takes_the_place_of_the_stacks() -> None:
    other = load_template(TEMPLATE, {"MediaBucketName": "the-sites-own"})
    assert "MediaBucket" not in other.buckets
    assert other.rules[0].pattern["detail"]["bucket"] == {"name": ["the-sites-own"]}
    for name, function in other.functions.items():
        reads = name.startswith("Media") or name in OF_COMMANDS
        assert function.environment.get("MEDIA_BUCKET") == ("the-sites-own" if reads else None)


def test_whoever_reads_uploads_may_decrypt_with_the_key_of_their_bucket_if_it_has_one() -> None:
    decrypt = {"Effect": "Allow", "Action": "kms:Decrypt", "Resource": {"Ref": "MediaBucketKeyArn"}}
    if_it_has_one = {"Fn::If": ["MediaHasOwnKey", decrypt, {"Ref": "AWS::NoValue"}]}
    [reading] = [it for it in of_type("AWS::IAM::Policy").values() if "MediaPrefix" in json.dumps(it)]
    assert if_it_has_one in reading["PolicyDocument"]["Statement"]
    assert len(reading["Roles"]) == 5


def test_the_work_bucket_has_a_key_of_its_own_if_one_is_given_and_who_writes_there_may_use_it() -> None:
    use = {"Effect": "Allow", "Action": ["kms:Decrypt", "kms:GenerateDataKey"], "Resource": {"Ref": "WorkBucketKeyArn"}}
    writing = of_type("AWS::IAM::Policy")["SnapshotsPolicy"]
    assert {"Fn::If": ["WorkHasOwnKey", use, {"Ref": "AWS::NoValue"}]} in writing["PolicyDocument"]["Statement"]
    encryption = of_type("AWS::S3::Bucket")["WorkBucket"]["BucketEncryption"]
    for key, algorithm in (("", "AES256"), ("arn:aws:kms:us-east-1:123456789012:key/k", "aws:kms")):
        [rule] = resolver(WorkBucketKeyArn=key).value(encryption, "")["ServerSideEncryptionConfiguration"]
        by = rule["ServerSideEncryptionByDefault"]
        assert (by["SSEAlgorithm"], by.get("KMSMasterKeyID", "")) == (algorithm, key)


def test_alarms_watch_the_dead_letter_queue_and_the_age_of_uploads() -> None:
    watched = {
        (alarm["Dimensions"][0]["Value"]["Fn::GetAtt"][0], alarm["MetricName"])
        for alarm in of_type("AWS::CloudWatch::Alarm").values()
        if alarm["Namespace"] == "AWS/SQS"
    }
    assert watched >= {
        ("MediaDeadLetterQueue", "ApproximateNumberOfMessagesVisible"),
        ("MediaQueue", "ApproximateAgeOfOldestMessage"),
    }


def test_a_call_for_uploads_and_a_page_of_them_end_before_their_function() -> None:
    longest = read_rules(AS_READ.functions["MediaUploadedFunction"].environment).parser_seconds
    assert CALL_SECONDS + 3 * longest < AS_READ.functions["MediaUploadedFunction"].timeout
    for name in ("MediaMetadataAllFunction", "MediaMetadataBatchFunction"):
        assert PAGE_SECONDS + 3 * longest < AS_READ.functions[name].timeout


def test_every_media_function_has_the_same_rules_and_they_are_the_defaults() -> None:
    for settings, longest in (("{}", 180), ('{"MEDIA_MAX_SECONDS": 60}', 60)):
        template = load_template(TEMPLATE, {"Settings": settings})
        environments = [tuned(it.environment) for name, it in template.functions.items() if name.startswith("Media")]
        assert len(environments) == 4
        assert [read_rules(environment).max_seconds for environment in environments] == [longest] * 4
        assert not any(
            info.alias in it for info in Rules.model_fields.values() for it in environments if longest == 180
        )
