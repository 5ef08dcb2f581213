"""Make a stack of template.yaml for tests: SAM's translator expands it, and each reference resolves to a readable name."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final, NamedTuple

from samtranslator.yaml_helper import yaml_parse

from local.aws_account import ACCOUNT, REGION
from local.template import Stack, expand

TEMPLATE: Final = Path(__file__).parent.parent / "template.yaml"
NAME: Final = "jobferry-dev"
NOTICES_KEY: Final = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/11111111-2222-3333-4444-555555555555"
CALLBACK_API: Final = "a1b2c3d4e5"
#: Every metric that the functions emit.
METRICS: Final = {
    "ImportsSubmitted",
    "ImportsCompleted",
    "JobsAdded",
    "JobsUpdated",
    "JobsUnchanged",
    "JobsFailed",
    "PostingsDeleted",
    "JobsInvalid",
    "DeletesWithheld",
    "SettledByPoll",
    "SecondsToResult",
    "FeedOverdue",
    "NoticesPublished",
}

#: A CloudWatch Metrics Insights query for one metric per feed. Without its last two clauses an alarm has no contributors.
#: https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Create_Metrics_Insights_Alarm.html
_QUERY: Final = re.compile(
    r"SELECT MAX\((?P<metric>\w+)\) FROM SCHEMA\((?P<namespace>\w+), (?P<group>\w+), (?P<dimension>\w+)\) "
    r"WHERE (?P=dimension) = '(?P<value>[^']+)' GROUP BY (?P=group) ORDER BY MAX\(\) DESC"
)


@cache
def expanded() -> dict[str, Any]:
    """Return the expanded template, which no stack changes."""
    return expand(TEMPLATE)


class Watched(NamedTuple):
    """A metric that an alarm watches or a widget shows.

    Attributes:
        each_by: the second dimension, if a query groups by it.
    """

    namespace: str
    metric: str
    dimension: str
    value: str
    each_by: str | None = None


def watched_by_alarm(properties: dict[str, Any]) -> Iterator[Watched]:
    """Yield the metrics that the alarm watches."""
    metrics = [properties]
    match properties.get("Metrics"):
        case [{"Expression": query, "ReturnData": True}]:
            yield _queried(query)
            return
        case [*parts, {"Expression": expression, "ReturnData": True}]:
            metrics = [part["MetricStat"]["Metric"] for part in parts]
            assert [part["Id"] for part in parts if not part["ReturnData"]] == re.findall(r"\b[a-z]+\b", expression)
    for metric in metrics:
        [dimension] = metric["Dimensions"]
        yield Watched(metric["Namespace"], metric["MetricName"], dimension["Name"], dimension["Value"])


def period_of_alarm(properties: dict[str, Any]) -> int:
    """Return how many seconds each of the alarm's data points covers."""
    [first, *_] = properties.get("Metrics", [properties])
    period: int = first.get("MetricStat", first)["Period"]
    return period


def shown_by_widget(widget: dict[str, Any]) -> Iterator[Watched]:
    """Yield the metrics that the dashboard's widget shows."""
    for metric in widget["properties"].get("metrics", []):
        if isinstance(metric[0], dict):
            yield _queried(metric[0]["expression"])
        else:
            yield Watched(*metric[:4])


def _queried(query: str) -> Watched:
    match = _QUERY.fullmatch(query)
    assert match, query
    return Watched(match["namespace"], match["metric"], match["dimension"], match["value"], match["group"])


class _Attributes(Mapping[str, str]):
    """The attributes of a resource: each is `{logical id}.{attribute}`."""

    def __init__(self, logical_id: str) -> None:
        self._logical_id = logical_id

    def __getitem__(self, attribute: str) -> str:
        return f"{self._logical_id}.{attribute}"

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return 0


def _name(_type: str, logical_id: str, _properties: dict[str, Any]) -> tuple[str, Mapping[str, str]]:
    return logical_id, _Attributes(logical_id)


_AWS: Final = f"{REGION}:{ACCOUNT}"


def _arn(type_: str, logical_id: str, properties: dict[str, Any], stack: str) -> tuple[str, dict[str, str]]:
    """Name a resource as AWS does. CloudFormation adds a random part to the names that the template does not give."""
    name = f"{stack}-{logical_id}-A1B2C3D4E5F6"
    match type_:
        case "AWS::S3::Bucket":
            return name.lower(), {"Arn": f"arn:aws:s3:::{name.lower()}"}
        case "AWS::DynamoDB::Table":
            arn = f"arn:aws:dynamodb:{_AWS}:table/{name}"
            return name, {"Arn": arn, "StreamArn": f"{arn}/stream/2026-11-26T00:00:00.000"}
        case "AWS::SecretsManager::Secret":
            arn = f"arn:aws:secretsmanager:{_AWS}:secret:{properties['Name']}-AbCdEf"
            return arn, {"Arn": arn}
        case "AWS::Lambda::Function":
            name = properties["FunctionName"]
            return name, {"Arn": f"arn:aws:lambda:{_AWS}:function:{name}"}
        case "AWS::Lambda::LayerVersion":
            arn = f"arn:aws:lambda:{_AWS}:layer:{properties['LayerName']}:1"
            return arn, {"Arn": arn}
        case "AWS::Lambda::EventSourceMapping":
            return name, {"Arn": f"arn:aws:lambda:{_AWS}:event-source-mapping:{name}"}
        case "AWS::Lambda::Permission" | "AWS::Lambda::EventInvokeConfig":
            function = properties["FunctionName"].rpartition(":")[2]
            return name, {"Arn": f"arn:aws:lambda:{_AWS}:function:{function}"}
        case "AWS::IAM::Role":
            return name, {"Arn": f"arn:aws:iam::{ACCOUNT}:role/{name}"}
        case "AWS::IAM::ManagedPolicy":
            arn = f"arn:aws:iam::{ACCOUNT}:policy/{name}"
            return arn, {"Arn": arn}
        case "AWS::Logs::LogGroup":
            name = properties["LogGroupName"]
            return name, {"Arn": f"arn:aws:logs:{_AWS}:log-group:{name}:*"}
        case "AWS::SNS::Topic":
            arn = f"arn:aws:sns:{_AWS}:{name}"
            return arn, {"Arn": arn}
        case "AWS::SNS::Subscription":
            return f"{properties['TopicArn']}:1", {"Arn": properties["TopicArn"]}
        case "AWS::SNS::TopicPolicy":
            return name, {"Arn": properties["Topics"][0]}
        case "AWS::KMS::Key":
            return name, {"Arn": NOTICES_KEY}
        case "AWS::SQS::Queue":
            url = f"https://sqs.{REGION}.amazonaws.com/{ACCOUNT}/{name}"
            return url, {"Arn": f"arn:aws:sqs:{_AWS}:{name}", "QueueName": name}
        case "AWS::SQS::QueuePolicy":
            return name, {"Arn": f"arn:aws:sqs:{_AWS}:{properties['Queues'][0].rpartition('/')[2]}"}
        case "AWS::S3::BucketPolicy":
            return name, {"Arn": f"arn:aws:s3:::{properties['Bucket']}"}
        case "AWS::ApiGatewayV2::Api":
            attributes = {"Arn": f"arn:aws:apigateway:{REGION}::/apis/{CALLBACK_API}", "ApiEndpoint": "https://board"}
            return CALLBACK_API, attributes
        case "AWS::ApiGatewayV2::Stage":
            return name, {"Arn": f"arn:aws:apigateway:{REGION}::/apis/{properties['ApiId']}/stages/$default"}
        case "AWS::Events::Rule":
            return name, {"Arn": f"arn:aws:events:{_AWS}:rule/{name}"}
        case "AWS::Scheduler::ScheduleGroup":
            return properties["Name"], {"Arn": f"arn:aws:scheduler:{_AWS}:schedule-group/{properties['Name']}"}
        case "AWS::Scheduler::Schedule":
            arn = f"arn:aws:scheduler:{_AWS}:schedule/{properties['GroupName']}/{properties['Name']}"
            return properties["Name"], {"Arn": arn}
        case "AWS::CloudWatch::Alarm":
            return properties["AlarmName"], {"Arn": f"arn:aws:cloudwatch:{_AWS}:alarm:{properties['AlarmName']}"}
        case "AWS::CloudWatch::Dashboard":
            name = properties["DashboardName"]
            return name, {"Arn": f"arn:aws:cloudwatch::{ACCOUNT}:dashboard/{name}"}
    raise ValueError(f"{logical_id}: the ARN of {type_} is not known here")


def make_named_stack(name: str, **parameters: str) -> Stack:
    """Make the stack with names and ARNs of the form that AWS gives them. Every resource has an attribute `Arn`."""
    return Stack(name, expanded(), parameters, lambda *made: _arn(*made, name))


def make_deploy_role(name: str) -> Stack:
    """Make the stack of .github/deploy-role.yaml for the stack with this name."""
    template = yaml_parse((TEMPLATE.parent / ".github/deploy-role.yaml").read_text())
    parameters = {
        "Repository": "agency/jobferry",
        "GitHubEnvironment": "prod",
        "StackName": name,
        "NoticesKeyArn": NOTICES_KEY,
        "CallbackApi": CALLBACK_API,
        "ProviderArn": f"arn:aws:iam::{ACCOUNT}:oidc-provider/token.actions.githubusercontent.com",
    }
    return Stack(f"github-{name}", template, parameters, lambda *made: _arn(*made, f"github-{name}"))


def make_stack(name: str = NAME, /, **parameters: str) -> Stack:
    """Make the stack with these parameters. `Ref` of a resource is its logical id; an attribute is `{logical id}.{name}`."""
    return Stack(name, expanded(), parameters, _name)
