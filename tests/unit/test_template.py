"""Hold the template to the project's rules, after SAM's translator has expanded it, so they also cover what SAM adds."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any, Final
from zoneinfo import ZoneInfo

import boto3
import pytest
from samtranslator.yaml_helper import yaml_parse

from local.template import Resource, Stack, TemplateError
from tests.stack import METRICS, NAME, TEMPLATE, Watched, make_stack, period_of_alarm, shown_by_widget, watched_by_alarm

ROOT: Final = TEMPLATE.parent
DAYS_7: Final = 7 * 24 * 3600
HOURS_3: Final = 3 * 3600

FUNCTIONS: Final = {"SubmitImportFunction", "ReceiveCallbackFunction", "PollImportsFunction", "PublishNoticeFunction"}
#: Parameters that people set by name, and their defaults.
PARAMETERS: Final = {
    "Environment": "dev",
    "Architecture": "arm64",
    "BoardUrl": "https://www.locumjobsonline.com/api/v2.0",
    "Schedule": "cron(30 3 * * ? *)",
    "ScheduleTimezone": "America/New_York",
    "DefaultFeed": "default",
    "ImportOnUpload": "false",
    "NoticeEmail": "",
    "LogRetentionDays": 90,
    "AlarmAfterHours": 26,
    "RunbookUrl": "https://github.com/jobferry/jobferry/blob/main/docs/runbook.md",
    "PermissionsBoundary": "",
}
RESOURCES: Final = FUNCTIONS | {
    "FeedsBucket",
    "ImportsTable",
    "NoticesTopic",
    "BoardApiKey",
    "CallbackSigningKey",
    "CallbackApi",
    "DeadLetterQueue",
    "JobferryLayer",
}
#: Metrics that AWS emits for the template's services, and the dimension of each service's metrics.
AWS_METRICS: Final = {
    "AWS/Lambda": ("FunctionName", {"Errors", "Throttles", "Invocations", "Duration", "IteratorAge"}),
    "AWS/SQS": ("QueueName", {"ApproximateNumberOfMessagesVisible"}),
    "AWS/ApiGateway": ("ApiId", {"Count", "4xx", "5xx"}),  # for an HTTP API; a REST API uses other names
}
#: Resources with a wildcard that a role may name, and why.
WIDE: Final = {
    "FeedsBucket.Arn/feeds/*": "the objects of every feed",
    "FeedsBucket.Arn/feeds/*/feed.json": "the settings of every feed",
    "FeedsBucket.Arn/archive/*": "the archives of every feed",
    f"arn:aws:secretsmanager:us-east-1:123456789012:secret:{NAME}/accounts/*": "each feed names the secret of its account",
    "*": "ListStreams has no resources",
}


@pytest.fixture(scope="module")
def stack() -> Stack:
    return make_stack(NoticeEmail="jobs@example.com")


@pytest.fixture(scope="module")
def source() -> dict[str, Any]:
    """Return the template as written, before SAM expands it."""
    template: dict[str, Any] = yaml_parse(TEMPLATE.read_text())
    return template


# The interface


def test_every_parameter_is_described_and_grouped(source: dict[str, Any]) -> None:
    declared = source["Parameters"]
    assert {name: rule["Default"] for name, rule in declared.items()} == PARAMETERS
    assert all(rule["Description"].endswith(".") for rule in declared.values())
    groups = source["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"]
    assert sorted(name for group in groups for name in group["Parameters"]) == sorted(PARAMETERS)


def test_resources_that_others_name_exist(source: dict[str, Any]) -> None:
    assert set(source["Resources"]) >= RESOURCES


def test_every_output_is_described_and_the_docs_name_no_others(source: dict[str, Any]) -> None:
    assert all(output["Description"].endswith(".") for output in source["Outputs"].values())
    text = "".join((ROOT / page).read_text() for page in ("README.md", "docs/runbook.md"))
    named = set(re.findall(r"\$\(output (\w+)\)|`(\w+)` in the stack's outputs", text))
    names = {first or second for first, second in named}
    assert {"FeedsBucket", "ImportsTable", "SubmitImportFunction"} <= names <= set(source["Outputs"])


@pytest.mark.parametrize(
    "url",
    [
        "https://www.travelnursesource.com/api/v2.0",
        "https://board.example.com",
        "http://127.0.0.1:8080/api/v2.0",
        "http://localhost:8080",
    ],
)
def test_a_board_url_may_be_https_or_loopback(url: str) -> None:
    function = make_stack(BoardUrl=url).resources["SubmitImportFunction"]
    assert function.properties["Environment"]["Variables"]["BOARD_URL"] == url


@pytest.mark.parametrize(
    "url",
    [
        "http://www.locumjobsonline.com/api/v2.0",
        "https://www.locumjobsonline.com/api/v2.0/",
        "http://localhost.example.com/api",
        "http://127.0.0.1@example.com/api",
        "http://127.0.0.1.example.com",
        "https://user:password@example.com/api",
        "https://example.com/api?key=1",
        "",
    ],
)
def test_a_board_url_that_could_leak_the_key_is_refused(url: str) -> None:
    with pytest.raises(TemplateError, match="BoardUrl"):
        make_stack(BoardUrl=url)


def test_the_production_table_cannot_be_deleted_by_mistake(stack: Stack, source: dict[str, Any]) -> None:
    assert stack.resources["ImportsTable"].properties["DeletionProtectionEnabled"] is False
    assert make_stack(Environment="prod").resources["ImportsTable"].properties["DeletionProtectionEnabled"] is True
    for name in ("ImportsTable", "FeedsBucket"):
        # "Retain" would also keep what a failed first deployment created, and the next attempt would create more.
        assert source["Resources"][name]["DeletionPolicy"] == "RetainExceptOnCreate"
        assert source["Resources"][name]["UpdateReplacePolicy"] == "Retain"


def test_an_address_is_subscribed_only_if_given(stack: Stack) -> None:
    assert make_stack().of_type("AWS::SNS::Subscription") == []
    [subscription] = stack.of_type("AWS::SNS::Subscription")
    assert subscription.properties == {"TopicArn": "NoticesTopic", "Protocol": "email", "Endpoint": "jobs@example.com"}


@pytest.mark.parametrize("zone", ["America/New_York", "America/Chicago", "America/Denver", "America/Los_Angeles"])
def test_the_default_schedule_runs_every_night_also_when_clocks_change(zone: str) -> None:
    match = re.fullmatch(r"cron\((\d+) (\d+) \* \* \? \*\)", PARAMETERS["Schedule"])
    assert match
    minute, hour = map(int, match.groups())
    # EventBridge Scheduler skips a local time that does not exist.
    nights = [datetime(2026, 1, 1, hour, minute, tzinfo=ZoneInfo(zone)) + timedelta(days=day) for day in range(3 * 365)]
    assert [night for night in nights if night.astimezone(UTC).astimezone(night.tzinfo) != night] == []
    longest = max(after.astimezone(UTC) - before.astimezone(UTC) for before, after in pairwise(nights))
    # One hour is left for the import itself.
    assert longest + timedelta(hours=1) <= timedelta(hours=PARAMETERS["AlarmAfterHours"])


def test_names_fit_if_the_stacks_name_has_20_characters() -> None:
    given = {  # the longest names that the services' own APIs accept
        "AWS::Lambda::Function": ("FunctionName", 64),
        "AWS::Lambda::LayerVersion": ("LayerName", 140),
        "AWS::Scheduler::Schedule": ("Name", 64),
        "AWS::Scheduler::ScheduleGroup": ("Name", 64),
        "AWS::ApiGatewayV2::Api": ("Name", 128),
        "AWS::CloudWatch::Alarm": ("AlarmName", 255),
        "AWS::CloudWatch::Dashboard": ("DashboardName", 255),
        "AWS::SecretsManager::Secret": ("Name", 512),
        "AWS::Logs::LogGroup": ("LogGroupName", 512),
    }
    made = {  # CloudFormation names these {stack}-{logical id}-{up to 13 characters}, and shortens a name that is longer
        "AWS::IAM::Role": 64,
        "AWS::Events::Rule": 64,
        "AWS::S3::Bucket": 63,
        "AWS::SQS::Queue": 80,
        "AWS::DynamoDB::Table": 255,
        "AWS::SNS::Topic": 256,
    }
    for resource in make_stack("s" * 20).resources.values():
        name, limit = given.get(resource.type, ("", 0))
        assert len(resource.properties.get(name, "")) <= limit, resource.logical_id
        if resource.type in made:
            assert 20 + len(f"-{resource.logical_id}-") + 13 <= made[resource.type], resource.logical_id


def test_uploads_start_imports_only_if_enabled(stack: Stack) -> None:
    assert stack.resources["SubmitImportFunctionUpload"].properties["State"] == "DISABLED"
    assert make_stack(ImportOnUpload="true").resources["SubmitImportFunctionUpload"].properties["State"] == "ENABLED"


def test_everything_that_costs_money_is_tagged(stack: Stack) -> None:
    types = {"AWS::S3::Bucket", "AWS::DynamoDB::Table", "AWS::SNS::Topic", "AWS::SQS::Queue", "AWS::Lambda::Function"}
    for resource in stack.resources.values():
        if resource.type in types:
            tags = {tag["Key"]: tag["Value"] for tag in resource.properties["Tags"]}
            assert (tags["application"], tags["environment"]) == ("jobferry", "dev"), resource.logical_id


# Functions and their permissions


def functions(stack: Stack) -> list[Resource]:
    return stack.of_type("AWS::Lambda::Function")


def statements(role: Resource) -> list[dict[str, Any]]:
    return [each for policy in role.properties["Policies"] for each in policy["PolicyDocument"]["Statement"]]


def listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def test_functions_follow_one_pattern(stack: Stack) -> None:
    assert {function.logical_id for function in functions(stack)} == FUNCTIONS
    for function in functions(stack):
        properties = function.properties
        assert properties["Runtime"] == "python3.13"
        assert properties["Architectures"] == ["arm64"]
        assert [layer[: len("JobferryLayer")] for layer in properties["Layers"]] == ["JobferryLayer"]
        folder = ROOT / properties["Code"]["S3Key"]
        assert folder.parent == ROOT / "functions"
        assert properties["Handler"] == "app.handler"
        assert properties["FunctionName"] == f"{NAME}-{function.logical_id.removesuffix('Function')}"


def test_each_function_has_its_own_log_group_with_retention(stack: Stack) -> None:
    groups = {group.logical_id: group for group in stack.of_type("AWS::Logs::LogGroup")}
    assert all(group.properties["RetentionInDays"] == "90" for group in groups.values())
    used = [function.properties["LoggingConfig"]["LogGroup"] for function in functions(stack)]
    assert len(set(used)) == len(used) == len(FUNCTIONS)
    assert set(used) <= set(groups)


def test_each_function_has_its_own_role(stack: Stack, source: dict[str, Any]) -> None:
    roles = [function.properties["Role"] for function in functions(stack)]
    assert len(set(roles)) == len(roles)
    # SAM creates a broad role for every function without one.
    assert {role.logical_id for role in stack.of_type("AWS::IAM::Role")} <= set(source["Resources"])
    for function in functions(stack):
        role = stack.by_arn(function.properties["Role"])
        assert "ManagedPolicyArns" not in role.properties
        [trust] = role.properties["AssumeRolePolicyDocument"]["Statement"]
        assert trust["Principal"] == {"Service": "lambda.amazonaws.com"}
        logs = next(each for each in statements(role) if each["Sid"] == "Logs")
        assert logs["Resource"] == f"{function.properties['LoggingConfig']['LogGroup']}.Arn"


def test_roles_allow_exact_actions_on_exact_resources(stack: Stack) -> None:
    wide = set()
    for role in stack.of_type("AWS::IAM::Role"):
        for statement in statements(role):
            assert statement["Effect"] == "Allow"
            for action in listed(statement["Action"]):
                assert re.fullmatch(r"[a-z0-9-]+:[A-Za-z]+", action), f"{role.logical_id} {statement['Sid']}: {action}"
            for resource in listed(statement["Resource"]):
                if "*" in resource:
                    assert resource in WIDE, f"{role.logical_id} {statement['Sid']}: {resource} is not explained"
                    wide.add(resource)
    assert wide == set(WIDE)


def test_only_this_accounts_scheduler_may_assume_the_schedule_role(stack: Stack) -> None:
    [trust] = stack.resources["ScheduleRole"].properties["AssumeRolePolicyDocument"]["Statement"]
    assert trust["Principal"] == {"Service": "scheduler.amazonaws.com"}
    assert trust["Condition"] == {"StringEquals": {"aws:SourceAccount": "123456789012"}}


def test_each_function_gets_exactly_the_variables_that_it_reads(stack: Stack) -> None:
    for function in functions(stack):
        given = set(function.properties["Environment"]["Variables"])
        app = (ROOT / function.properties["Code"]["S3Key"] / "app.py").read_text()
        read = set(re.findall(r"""os\.environ\["(\w+)"\]""", app))
        assert app.count("environ") == app.count("os.environ[")
        # Powertools reads its own variables, and boto3 its endpoints.
        libraries = ("POWERTOOLS_", "AWS_ENDPOINT_URL")
        assert read | {name for name in given if name.startswith(libraries)} == given


def test_the_endpoints_are_declared_for_sam_local_and_do_nothing_on_aws(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    for function in functions(stack):
        endpoints = {"AWS_ENDPOINT_URL"}
        if "SUBMIT_IMPORT_FUNCTION" in function.properties["Environment"]["Variables"]:
            endpoints.add("AWS_ENDPOINT_URL_LAMBDA")  # it calls Lambda, which is another server of the local system
        declared = function.properties["Environment"]["Variables"].items()
        assert {name: value for name, value in declared if name.startswith("AWS_")} == dict.fromkeys(endpoints, "")
        for name in endpoints:
            monkeypatch.setenv(name, "")
    session = boto3.Session("id", "secret", region_name="us-east-1")
    for service in ("lambda", "dynamodb", "s3"):
        assert session.client(service).meta.endpoint_url.endswith(".amazonaws.com")


# Dead letters


def may_send(stack: Stack, role: str) -> bool:
    return any(
        "sqs:SendMessage" in listed(statement["Action"]) and statement["Resource"] == "DeadLetterQueue.Arn"
        for statement in statements(stack.by_arn(role))
    )


def test_asynchronous_functions_have_a_failure_destination(stack: Stack) -> None:
    targets = [target["Arn"] for rule in stack.of_type("AWS::Events::Rule") for target in rule.properties["Targets"]]
    targets += [schedule.properties["Target"]["Arn"] for schedule in stack.of_type("AWS::Scheduler::Schedule")]
    targets.append("SubmitImportFunction.Arn")  # the poller invokes it too
    configs = {
        each.properties["FunctionName"]: each.properties for each in stack.of_type("AWS::Lambda::EventInvokeConfig")
    }
    asynchronous = {stack.by_arn(target).logical_id for target in targets}
    # Lambda uses a failure destination only for asynchronous invocations.
    assert set(configs) == asynchronous == {"SubmitImportFunction", "PollImportsFunction"}
    for name, config in configs.items():
        assert config["DestinationConfig"]["OnFailure"]["Destination"] == "DeadLetterQueue.Arn"
        assert {"MaximumRetryAttempts", "MaximumEventAgeInSeconds"} <= set(config)
        assert may_send(stack, stack.resources[name].properties["Role"])


def test_a_failed_delivery_leaves_a_dead_letter(stack: Stack) -> None:
    [schedule] = stack.of_type("AWS::Scheduler::Schedule")
    upload = stack.resources["SubmitImportFunctionUpload"].properties["Targets"][0]
    for target in (schedule.properties["Target"], upload):
        assert target["DeadLetterConfig"] == {"Arn": "DeadLetterQueue.Arn"}
        assert target["RetryPolicy"]["MaximumRetryAttempts"] > 0
    assert may_send(stack, schedule.properties["Target"]["RoleArn"])
    # The poller's rule has none: the next run does the same work, and an alarm reports if no run comes.
    others = {rule.logical_id for rule in stack.of_type("AWS::Events::Rule")} - {"SubmitImportFunctionUpload"}
    assert others == {"PollImportsFunctionPoll"}


def test_a_poison_record_leaves_the_stream(stack: Stack) -> None:
    [mapping] = stack.of_type("AWS::Lambda::EventSourceMapping")
    properties = mapping.properties
    assert properties["DestinationConfig"]["OnFailure"]["Destination"] == "DeadLetterQueue.Arn"
    assert properties["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert properties["BisectBatchOnFunctionError"] is True
    assert 1 <= properties["MaximumRetryAttempts"] <= 10
    assert properties["StartingPosition"] == "TRIM_HORIZON"
    assert may_send(stack, stack.resources[properties["FunctionName"]].properties["Role"])


def test_functions_time_out_before_their_callers(stack: Stack) -> None:
    timeout = {function.logical_id: function.properties["Timeout"] for function in functions(stack)}
    assert timeout["ReceiveCallbackFunction"] < 30  # an HTTP API waits for 30 s
    assert timeout["PollImportsFunction"] < 300  # the next run starts then
    assert max(timeout.values()) <= 900
    rule = stack.resources["PollImportsFunctionPoll"].properties
    assert rule["ScheduleExpression"] == "rate(5 minutes)"


# Alarms and the dashboard


def alarms(stack: Stack) -> list[Resource]:
    return stack.of_type("AWS::CloudWatch::Alarm")


def check_metric(stack: Stack, watched: Watched) -> None:
    """Fail if the metric or its dimension does not exist: an alarm on it would stay silent or never end."""
    namespace, metric, name, value, _ = watched
    if namespace == "jobferry":
        assert metric in METRICS
        for function in functions(stack):
            variables = function.properties["Environment"]["Variables"]
            assert variables["POWERTOOLS_METRICS_NAMESPACE"] == namespace
            assert (name, value) == ("service", variables["POWERTOOLS_SERVICE_NAME"])
        return
    dimension, metrics = AWS_METRICS[namespace]
    assert metric in metrics
    assert name == dimension
    match name:
        case "FunctionName":
            assert stack.resources[value].type == "AWS::Lambda::Function"
        case "QueueName":
            logical_id, attribute = value.split(".")
            assert (stack.resources[logical_id].type, attribute) == ("AWS::SQS::Queue", "QueueName")
        case "ApiId":
            assert stack.resources[value].type == "AWS::ApiGatewayV2::Api"
    if metric == "IteratorAge":
        mappings = stack.of_type("AWS::Lambda::EventSourceMapping")
        assert value in [mapping.properties["FunctionName"] for mapping in mappings]


def test_alarms_watch_metrics_that_exist(stack: Stack) -> None:
    for alarm in alarms(stack):
        for watched in watched_by_alarm(alarm.properties):
            check_metric(stack, watched)


@pytest.mark.parametrize("hours", ["1", "26", "168"])
def test_alarms_stay_within_cloudwatchs_evaluation_limits(hours: str) -> None:
    # https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html, EvaluationPeriods
    for alarm in alarms(make_stack(AlarmAfterHours=hours)):
        period = period_of_alarm(alarm.properties)
        assert period in (10, 30) or period % 60 == 0
        # https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarm-limits.html for Metrics Insights queries
        queried = any(each.each_by for each in watched_by_alarm(alarm.properties))
        most = HOURS_3 if queried else DAYS_7 if period >= 3600 else DAYS_7 // 7
        assert period * int(alarm.properties["EvaluationPeriods"]) <= most, alarm.logical_id
    assert make_stack().resources["NoCompletedImport"].properties["EvaluationPeriods"] == "26"


@pytest.mark.parametrize("hours", ["0", "169"])
def test_alarm_hours_that_cloudwatch_would_refuse_are_refused(hours: str) -> None:
    with pytest.raises(TemplateError, match="AlarmAfterHours"):
        make_stack(AlarmAfterHours=hours)


def test_missing_data_is_a_fault_only_where_something_must_happen(stack: Stack) -> None:
    silent = {"NoCompletedImport", "PollerSilent"}
    for alarm in alarms(stack):
        less = alarm.properties["ComparisonOperator"].startswith("LessThan")
        assert less == (alarm.logical_id in silent), alarm.logical_id
        # Without data nothing went wrong, unless something had to happen.
        assert alarm.properties["TreatMissingData"] == ("breaching" if less else "notBreaching"), alarm.logical_id
        # Without FILL, an alarm uses older data points instead of missing ones.
        # https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html
        assert (", 0)" in str(alarm.properties)) == less, alarm.logical_id
    assert silent <= {alarm.logical_id for alarm in alarms(stack)}


def test_every_function_queue_and_api_has_an_alarm(stack: Stack) -> None:
    watched = {(each.metric, each.value) for alarm in alarms(stack) for each in watched_by_alarm(alarm.properties)}
    for function in functions(stack):
        assert {("Errors", function.logical_id), ("Throttles", function.logical_id)} <= watched
    assert {
        ("ApproximateNumberOfMessagesVisible", "DeadLetterQueue.QueueName"),
        ("5xx", "CallbackApi"),
        ("IteratorAge", "PublishNoticeFunction"),
        ("ImportsCompleted", NAME),
        ("FeedOverdue", NAME),
    } <= watched


def test_notices_are_silent_if_none_follows_an_import_for_hours(stack: Stack) -> None:
    alarm = stack.resources["NoticesSilent"].properties
    assert list(watched_by_alarm(alarm)) == [
        ("jobferry", "ImportsCompleted", "service", NAME, None),
        ("AWS/Lambda", "Invocations", "FunctionName", "PublishNoticeFunction", None),
    ]
    imports, invocations, silent = alarm["Metrics"]
    assert imports["MetricStat"]["Period"] == invocations["MetricStat"]["Period"] == 3600
    # Each comparison counts a missing value as 0, so a function without any metric counts as not invoked.
    # https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/using-metric-math.html
    assert silent["Expression"] == "FILL((imports > 0) > (invocations > 0), REPEAT)"
    assert (alarm["ComparisonOperator"], alarm["Threshold"]) == ("GreaterThanThreshold", 0)
    # The window slides, and metrics arrive at different times. So one value is not enough, but six are.
    assert alarm["EvaluationPeriods"] == 6
    assert "DatapointsToAlarm" not in alarm


def test_a_feed_is_overdue_after_the_same_hours_as_the_stack() -> None:
    stack = make_stack(AlarmAfterHours="30")
    assert stack.resources["PollImportsFunction"].properties["Environment"]["Variables"]["ALARM_AFTER_HOURS"] == "30"
    alarm = stack.resources["FeedOverdue"].properties
    assert "within 30 hours" in alarm["AlarmDescription"]
    # The query groups by feed, so each feed has a state and a message of its own.
    assert list(watched_by_alarm(alarm)) == [("jobferry", "FeedOverdue", "service", NAME, "feed")]
    # The poller checks once an hour, so each period has a check, and one failed check does not end the alarm.
    assert alarm["Metrics"][0]["Period"] == 3600
    assert (alarm["Threshold"], alarm["EvaluationPeriods"], alarm["DatapointsToAlarm"]) == (0, 3, 1)
    # A failed check leaves a dead letter.
    config = stack.resources["PollImportsFunctionEventInvokeConfig"].properties
    assert config["DestinationConfig"]["OnFailure"]["Destination"] == "DeadLetterQueue.Arn"


def test_alarms_reach_the_topic(stack: Stack) -> None:
    for alarm in alarms(stack):
        assert alarm.properties["AlarmActions"] == ["NoticesTopic"], alarm.logical_id
    # https://repost.aws/knowledge-center/cloudwatch-receive-sns-for-alarm-trigger: no condition is known to work for the key.
    only_this_account = {"StringEquals": {"aws:SourceAccount": "123456789012"}}
    for policy, condition in (
        ("NoticesTopicPolicy.PolicyDocument", only_this_account),
        ("NoticesKey.KeyPolicy", None),
    ):
        name, document = policy.split(".")
        [statement] = [
            each
            for each in stack.resources[name].properties[document]["Statement"]
            if each["Principal"] == {"Service": "cloudwatch.amazonaws.com"}
        ]
        assert statement["Effect"] == "Allow"
        assert statement.get("Condition") == condition


def test_each_alarm_names_its_section_of_the_runbook(stack: Stack) -> None:
    for alarm in alarms(stack):
        assert re.search(r"\. See docs/runbook\.md#[a-z0-9-]+$", alarm.properties["AlarmDescription"]), alarm.logical_id


def widgets(stack: Stack) -> Iterator[dict[str, Any]]:
    body = json.loads(stack.resources["Dashboard"].properties["DashboardBody"])
    yield from body["widgets"]


def test_the_dashboard_shows_metrics_that_exist(stack: Stack) -> None:
    shown = set()
    for widget in widgets(stack):
        if widget["type"] != "metric":
            continue
        for watched in shown_by_widget(widget):
            check_metric(stack, watched)
            shown.add(watched.metric)
    assert shown >= METRICS


def test_the_dashboard_shows_every_alarm(stack: Stack) -> None:
    [shown] = [widget["properties"]["alarms"] for widget in widgets(stack) if widget["type"] == "alarm"]
    assert sorted(shown) == sorted(f"{alarm.logical_id}.Arn" for alarm in alarms(stack))


def test_the_dashboards_widgets_do_not_overlap(stack: Stack) -> None:
    taken: set[tuple[int, int]] = set()
    for widget in widgets(stack):
        cells = {
            (x, y)
            for x in range(widget["x"], widget["x"] + widget["width"])
            for y in range(widget["y"], widget["y"] + widget["height"])
        }
        assert not cells & taken, widget["properties"]["title"]
        assert widget["x"] + widget["width"] <= 24
        taken |= cells


# Access, encryption and retention


def denies_plain_http(document: dict[str, Any], action: str) -> list[Any]:
    """Return the resources for which the policy denies requests without TLS."""
    [statement] = [each for each in document["Statement"] if each["Effect"] == "Deny"]
    assert statement["Principal"] == "*"
    assert statement["Action"] == action
    assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    return listed(statement["Resource"])


def test_bucket_topic_and_queue_require_tls(stack: Stack) -> None:
    bucket = stack.resources["FeedsBucketPolicy"].properties
    assert bucket["Bucket"] == "FeedsBucket"
    assert denies_plain_http(bucket["PolicyDocument"], "s3:*") == ["FeedsBucket.Arn", "FeedsBucket.Arn/*"]
    topic = stack.resources["NoticesTopicPolicy"].properties
    assert topic["Topics"] == ["NoticesTopic"]
    assert denies_plain_http(topic["PolicyDocument"], "sns:Publish") == ["NoticesTopic"]
    queue = stack.resources["DeadLetterQueuePolicy"].properties
    assert queue["Queues"] == ["DeadLetterQueue"]
    assert denies_plain_http(queue["PolicyDocument"], "sqs:*") == ["DeadLetterQueue.Arn"]


def test_every_bucket_topic_and_queue_has_its_policy(stack: Stack) -> None:
    for type_, policy, key in (
        ("AWS::S3::Bucket", "AWS::S3::BucketPolicy", "Bucket"),
        ("AWS::SNS::Topic", "AWS::SNS::TopicPolicy", "Topics"),
        ("AWS::SQS::Queue", "AWS::SQS::QueuePolicy", "Queues"),
    ):
        covered = [name for each in stack.of_type(policy) for name in listed(each.properties[key])]
        assert sorted(covered) == sorted(resource.logical_id for resource in stack.of_type(type_))


def test_only_this_stacks_rules_may_send_to_the_queue(stack: Stack) -> None:
    document = stack.resources["DeadLetterQueuePolicy"].properties["PolicyDocument"]
    [allowed] = [each for each in document["Statement"] if each["Effect"] == "Allow"]
    assert allowed["Action"] == "sqs:SendMessage"
    assert allowed["Principal"] == {"Service": "events.amazonaws.com"}
    assert allowed["Condition"] == {
        "ArnLike": {"aws:SourceArn": f"arn:aws:events:us-east-1:123456789012:rule/{NAME}-SubmitImportFunctionUpload-*"}
    }


def test_the_bucket_is_encrypted_and_expires_the_archive_but_no_feed(stack: Stack) -> None:
    bucket = stack.resources["FeedsBucket"].properties
    [rule] = bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    assert rule["ServerSideEncryptionByDefault"] == {"SSEAlgorithm": "AES256"}
    assert bucket["OwnershipControls"]["Rules"] == [{"ObjectOwnership": "BucketOwnerEnforced"}]
    assert bucket["NotificationConfiguration"]["EventBridgeConfiguration"] == {"EventBridgeEnabled": True}
    rules = {rule["Id"]: rule for rule in bucket["LifecycleConfiguration"]["Rules"]}
    expiring = {rule["Prefix"]: rule["ExpirationInDays"] for rule in rules.values() if "ExpirationInDays" in rule}
    assert expiring == {"archive/": 90}
    # An expired object becomes an old version. Without this rule it would be billed for another 90 days.
    assert rules["archive"]["NoncurrentVersionExpiration"] == {"NoncurrentDays": 1}
    assert rules["old-versions"]["NoncurrentVersionExpiration"] == {"NoncurrentDays": 90}
    assert "AbortIncompleteMultipartUpload" in rules["old-versions"]


def test_the_table_is_encrypted_and_expires_old_records(stack: Stack) -> None:
    table = stack.resources["ImportsTable"].properties
    assert table["TimeToLiveSpecification"] == {"AttributeName": "expiresAt", "Enabled": True}
    assert table["SSESpecification"] == {"SSEEnabled": True}


def test_the_queue_is_encrypted_and_keeps_dead_letters_as_long_as_possible(stack: Stack) -> None:
    queue = stack.resources["DeadLetterQueue"].properties
    assert queue["SqsManagedSseEnabled"] is True
    assert queue["MessageRetentionPeriod"] == 14 * 24 * 3600


def test_secrets_have_no_value_in_the_template(stack: Stack) -> None:
    secrets = {secret.logical_id: secret.properties for secret in stack.of_type("AWS::SecretsManager::Secret")}
    assert set(secrets) == {"BoardApiKey", "CallbackSigningKey"}
    assert not any("SecretString" in properties for properties in secrets.values())
    assert "GenerateSecretString" not in secrets["BoardApiKey"]
    assert secrets["CallbackSigningKey"]["GenerateSecretString"]["PasswordLength"] == 64
    # No feed's settings can name the signing key as its account.
    assert not secrets["CallbackSigningKey"]["Name"].startswith(f"{NAME}/accounts/")
    for function in functions(stack):
        variables = function.properties["Environment"]["Variables"]
        if "SECRETS_PREFIX" in variables:
            assert secrets["BoardApiKey"]["Name"] == f"{variables['SECRETS_PREFIX']}BoardApiKey"


def test_the_api_has_one_throttled_route_and_logs_no_tokens(stack: Stack) -> None:
    [api] = stack.of_type("AWS::ApiGatewayV2::Api")
    assert {path: list(methods) for path, methods in api.properties["Body"]["paths"].items()} == {
        "/callbacks/{importId}": ["post"]
    }
    [stage] = stack.of_type("AWS::ApiGatewayV2::Stage")
    assert stage.properties["DefaultRouteSettings"] == {"ThrottlingRateLimit": 20, "ThrottlingBurstLimit": 40}
    log = json.loads(stage.properties["AccessLogSettings"]["Format"])
    # None of these variables holds a query string, header or body.
    assert set(log.values()) <= {
        "$context.requestId",
        "$context.requestTime",
        "$context.identity.sourceIp",
        "$context.httpMethod",
        "$context.path",
        "$context.status",
        "$context.responseLength",
        "$context.responseLatency",
        "$context.integrationErrorMessage",
    }
    group = stage.properties["AccessLogSettings"]["DestinationArn"].removesuffix(".Arn")
    assert stack.resources[group].type == "AWS::Logs::LogGroup"
    url = stack.resources["SubmitImportFunction"].properties["Environment"]["Variables"]["CALLBACK_URL"]
    assert url == "CallbackApi.ApiEndpoint/callbacks"
