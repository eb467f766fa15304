"""The rules for the bucket are taken by a server, and touch only what is on its way."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import boto3  # type: ignore[import-untyped]  # publishes no types
from tests.support.s3 import BUCKET, S3Server

from flyteplane.objects.keys import INCOMING, UPLOADS
from flyteplane.objects.sweeping import ABANDONED_AFTER_S

RULES = Path(__file__).resolve().parents[2] / "deploy" / "objects" / "lifecycle.json"


def test_rules_remove_what_was_given_up_and_nothing_else(s3_server: S3Server) -> None:
    given = json.loads(RULES.read_text())
    client: Any = boto3.client(
        "s3",
        endpoint_url=s3_server.endpoint,
        aws_access_key_id="any",
        aws_secret_access_key="any",
        region_name="us-east-1",
    )
    client.put_bucket_lifecycle_configuration(Bucket=BUCKET, LifecycleConfiguration=given)
    taken = client.get_bucket_lifecycle_configuration(Bucket=BUCKET)["Rules"]
    client.delete_bucket_lifecycle(Bucket=BUCKET)
    expiring = {rule["Filter"]["Prefix"]: rule["Expiration"]["Days"] for rule in taken if "Expiration" in rule}
    assert set(expiring) == {UPLOADS, INCOMING}
    assert all(days * 86400 >= ABANDONED_AFTER_S for days in expiring.values())
    (parts,) = [rule for rule in taken if "Expiration" not in rule]
    assert parts["AbortIncompleteMultipartUpload"] == {"DaysAfterInitiation": 2}
