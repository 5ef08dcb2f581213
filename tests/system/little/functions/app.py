"""The functions of the little stack."""

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import boto3
import shared

invocations = 0


def handler(event: dict[str, Any], context: Any) -> Any:
    global invocations
    invocations += 1
    print(f"handling {json.dumps(event)}")
    match event:
        case {"fail": message}:
            raise ValueError(message)
        case {"failUntil": path}:  # creates it, and fails if it was not there
            if not Path(path).exists():
                Path(path).touch()
                raise ValueError("not yet")
            return context.aws_request_id
        case {"sleep": seconds}:
            time.sleep(seconds)
        case {"exit": status}:
            os._exit(status)
        case {"publish": message}:
            boto3.client("sns").publish(
                TopicArn=os.environ["TOPIC"], Subject="S", Message=message, MessageStructure="json"
            )
        case {"put": key}:
            boto3.client("s3").put_object(Bucket=os.environ["BUCKET"], Key=key, Body=b"")
        case {"invoke": payload}:
            boto3.client("lambda").invoke(
                FunctionName=context.function_name, InvocationType="Event", Payload=json.dumps(payload)
            )
        case {"about": _}:
            return {
                "environment": dict(os.environ),
                "path": sys.path,
                "layer": shared.WORD,
                "invocations": invocations,
                "context": [context.aws_request_id, context.function_name, context.memory_limit_in_mb],
                "remaining": context.get_remaining_time_in_millis(),
            }
    return event


def hook(event: dict[str, Any], context: Any) -> Any:
    body = event.get("body", "")
    if body == "fail":
        raise ValueError("told to")
    return {"statusCode": 202, "headers": {"X-Name": event["pathParameters"]["name"]}, "body": json.dumps(event)}


def read(event: dict[str, Any], context: Any) -> Any:
    names = [record["dynamodb"]["NewImage"]["importId"]["S"] for record in event["Records"]]
    print("read", *names)
    if "breaks" in names:
        raise ValueError("a record breaks this function")
    numbers = [record["dynamodb"]["SequenceNumber"] for record in event["Records"]]
    failed = [number for number, name in zip(numbers, names, strict=True) if name == "fails"]
    return {"batchItemFailures": [{"itemIdentifier": number} for number in failed]}
