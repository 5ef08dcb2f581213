"""Makes the template's resources: in moto those that hold data, and for all others only a name and an ARN."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from local.aws_account import ACCOUNT, PARTITION, REGION
from local.cloud import Cloud
from local.template import Properties, TemplateError

type Made = tuple[str, Mapping[str, str]]


class Resources:
    """Makes the resources of one stack. `make` is a Maker of `local.template`.

    `callback_origin` is the origin of the HTTP API, which `local.http_api` serves.
    """

    def __init__(self, cloud: Cloud, stack: str, callback_origin: str) -> None:
        self._cloud = cloud
        self._stack = stack
        self._callback_origin = callback_origin
        self._makers: Mapping[str, Callable[[str, Properties], Made]] = {
            "AWS::S3::Bucket": self._bucket,
            "AWS::DynamoDB::Table": self._table,
            "AWS::SecretsManager::Secret": self._secret,
            "AWS::SNS::Topic": self._topic,
            "AWS::SQS::Queue": self._queue,
            "AWS::KMS::Key": self._key,
            "AWS::ApiGatewayV2::Api": self._api,
        }

    def make(self, type_: str, logical_id: str, properties: Properties) -> Made:
        """Make a resource; return its Ref and attributes. Raises TemplateError for an unsupported type."""
        if type_ in self._makers:
            return self._makers[type_](logical_id, properties)
        if type_ not in _NAMED:
            raise TemplateError(f"{logical_id}: {type_} is not supported here; see local/resources.py")
        property_, arn = _NAMED[type_]
        name = str(properties.get(property_) or self._name(logical_id))
        if arn is None:
            return name, {}
        arn = arn.format(name=name, place=f"{REGION}:{ACCOUNT}", account=ACCOUNT)
        # The Ref of a layer's version is its ARN.
        return (arn, {}) if type_ == "AWS::Lambda::LayerVersion" else (name, {"Arn": arn})

    def _name(self, logical_id: str) -> str:
        """Make a name as CloudFormation does, but the same each time."""
        suffix = hashlib.sha256(f"{self._stack}/{logical_id}".encode()).hexdigest()[:12].upper()
        return f"{self._stack}-{logical_id}-{suffix}"

    def _bucket(self, logical_id: str, properties: Properties) -> Made:
        s3 = self._cloud.client("s3")
        name = properties.get("BucketName", self._name(logical_id).lower())
        s3.create_bucket(Bucket=name)
        if versioning := properties.get("VersioningConfiguration"):
            s3.put_bucket_versioning(Bucket=name, VersioningConfiguration=versioning)
        if rules := properties.get("LifecycleConfiguration"):
            s3.put_bucket_lifecycle_configuration(Bucket=name, LifecycleConfiguration=_lifecycle(rules))
        if (
            properties.get("NotificationConfiguration", {})
            .get("EventBridgeConfiguration", {})
            .get("EventBridgeEnabled")
        ):
            s3.put_bucket_notification_configuration(
                Bucket=name, NotificationConfiguration={"EventBridgeConfiguration": {}}
            )
        return name, {"Arn": f"arn:{PARTITION}:s3:::{name}"}

    def _table(self, logical_id: str, properties: Properties) -> Made:
        dynamodb = self._cloud.client("dynamodb")
        name = properties.get("TableName", self._name(logical_id))
        wanted = ("BillingMode", "KeySchema", "AttributeDefinitions", "GlobalSecondaryIndexes", "LocalSecondaryIndexes")
        given = {key: properties[key] for key in wanted if key in properties}
        if stream := properties.get("StreamSpecification"):
            given["StreamSpecification"] = {"StreamEnabled": True, **stream}
        table = dynamodb.create_table(TableName=name, **given)["TableDescription"]
        if ttl := properties.get("TimeToLiveSpecification"):
            dynamodb.update_time_to_live(TableName=name, TimeToLiveSpecification=ttl)
        attributes = {"Arn": table["TableArn"]}
        if stream:
            attributes["StreamArn"] = table["LatestStreamArn"]
        return name, attributes

    def _secret(self, logical_id: str, properties: Properties) -> Made:
        secrets = self._cloud.client("secretsmanager")
        given = {"Name": properties.get("Name", self._name(logical_id))}
        if generate := properties.get("GenerateSecretString"):
            given["SecretString"] = secrets.get_random_password(**generate)["RandomPassword"]
        elif "SecretString" in properties:
            given["SecretString"] = properties["SecretString"]
        return secrets.create_secret(**given)["ARN"], {}

    def _topic(self, logical_id: str, properties: Properties) -> Made:
        attributes = {name: properties[name] for name in ("DisplayName", "KmsMasterKeyId") if name in properties}
        name = properties.get("TopicName", self._name(logical_id))
        arn = self._cloud.client("sns").create_topic(Name=name, Attributes=attributes)["TopicArn"]
        return arn, {"TopicName": name, "TopicArn": arn}

    def _queue(self, logical_id: str, properties: Properties) -> Made:
        name = properties.get("QueueName", self._name(logical_id))
        attributes = {
            key: json.dumps(value)
            for key, value in properties.items()
            if key in ("MessageRetentionPeriod", "SqsManagedSseEnabled", "VisibilityTimeout")
        }
        url = self._cloud.client("sqs").create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]
        return url, {"Arn": f"arn:{PARTITION}:sqs:{REGION}:{ACCOUNT}:{name}", "QueueName": name, "QueueUrl": url}

    def _key(self, logical_id: str, properties: Properties) -> Made:
        key = self._cloud.client("kms").create_key(
            Description=properties.get("Description", logical_id), Policy=json.dumps(properties["KeyPolicy"])
        )["KeyMetadata"]
        return key["KeyId"], {"Arn": key["Arn"], "KeyId": key["KeyId"]}

    def _api(self, logical_id: str, _properties: Properties) -> Made:
        api_id = hashlib.sha256(f"{self._stack}/{logical_id}".encode()).hexdigest()[:10]
        return api_id, {"ApiId": api_id, "ApiEndpoint": self._callback_origin}


#: Types that only need a name, because they hold no data here or because `local` implements them itself: the property
#: with the name (CloudFormation generates one if it is missing), and the ARN.
_NAMED: Final[Mapping[str, tuple[str, str | None]]] = {
    "AWS::IAM::Role": ("RoleName", "arn:aws:iam::{account}:role/{name}"),
    "AWS::Logs::LogGroup": ("LogGroupName", "arn:aws:logs:{place}:log-group:{name}:*"),
    "AWS::Lambda::Function": ("FunctionName", "arn:aws:lambda:{place}:function:{name}"),
    "AWS::Lambda::LayerVersion": ("LayerName", "arn:aws:lambda:{place}:layer:{name}:1"),
    "AWS::Lambda::Permission": ("Id", None),
    "AWS::Lambda::EventInvokeConfig": ("Id", None),
    "AWS::Lambda::EventSourceMapping": ("Id", None),
    "AWS::Events::Rule": ("Name", "arn:aws:events:{place}:rule/{name}"),
    "AWS::Scheduler::ScheduleGroup": ("Name", "arn:aws:scheduler:{place}:schedule-group/{name}"),
    "AWS::Scheduler::Schedule": ("Name", "arn:aws:scheduler:{place}:schedule/{name}"),
    "AWS::CloudWatch::Alarm": ("AlarmName", "arn:aws:cloudwatch:{place}:alarm:{name}"),
    "AWS::CloudWatch::Dashboard": ("DashboardName", None),
    "AWS::ApiGatewayV2::Stage": ("StageName", None),
    "AWS::S3::BucketPolicy": ("Bucket", None),
    "AWS::SNS::TopicPolicy": ("Id", None),
    "AWS::SNS::Subscription": ("Id", None),
    "AWS::SQS::QueuePolicy": ("Id", None),
}


def _lifecycle(configuration: Properties) -> dict[str, Any]:
    """Convert CloudFormation's lifecycle rules to those of the API."""
    rules = []
    for rule in configuration["Rules"]:
        rule = dict(rule)
        if (id_ := rule.pop("Id", None)) is not None:
            rule["ID"] = id_
        rule["Filter"] = {"Prefix": rule.pop("Prefix", "")}
        expiration = {}
        if "ExpirationInDays" in rule:
            expiration["Days"] = rule.pop("ExpirationInDays")
        if "ExpiredObjectDeleteMarker" in rule:
            expiration["ExpiredObjectDeleteMarker"] = rule.pop("ExpiredObjectDeleteMarker")
        if expiration:
            rule["Expiration"] = expiration
        rules.append(rule)
    return {"Rules": rules}


def short_name(logical_id: str) -> str:
    """Return a function's short name: SubmitImport for SubmitImportFunction."""
    return re.sub("Function$", "", logical_id)
