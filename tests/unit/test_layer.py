"""What is made of botocore's models for the layer: they say the same, but for their texts."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import boto3
import botocore.loaders
import botocore.session
import pytest

from service_models import SERVICES, main, without_text
from tests.stack import TEMPLATE

DATA = Path(botocore.loaders.__file__).parent / "data"


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Packages as the layer's makefile installs them, as far as they are of interest here."""
    folder = tmp_path_factory.mktemp("layer")
    for service in SERVICES:
        shutil.copytree(DATA / service, folder / "botocore/data" / service)
    main(folder)
    return folder


def client(service: str, *data: Path) -> Any:
    session = botocore.session.Session()
    loader = botocore.loaders.Loader(
        extra_search_paths=[str(each) for each in data], include_default_search_paths=False
    )
    session.register_component("data_loader", loader)
    keys = {"aws_access_key_id": "none", "aws_secret_access_key": "none"}
    return boto3.Session(botocore_session=session, region_name="us-east-1", **keys).client(service)


def texts(model: Any) -> Iterator[str]:
    if isinstance(model, dict):
        if isinstance(model.get("documentation"), str):
            yield model["documentation"]
        model = list(model.values())
    if isinstance(model, list):
        for each in model:
            yield from texts(each)


def emptied(model: Any) -> Any:
    """The model, its texts empty."""
    if isinstance(model, dict):
        return {
            name: "" if name == "documentation" and isinstance(each, str) else emptied(each)
            for name, each in model.items()
        }
    return [emptied(each) for each in model] if isinstance(model, list) else model


def test_every_service_that_a_function_uses_has_its_model_made(packages: Path) -> None:
    apps = "".join(path.read_text() for path in TEMPLATE.parent.glob("functions/*/app.py"))
    assert set(re.findall(r'(?:boto3\.client|on_demand)\("(\w+)"', apps)) == set(SERVICES)
    for service in SERVICES:
        versions = list((packages / "botocore/data" / service).iterdir())
        assert versions
        assert not list((packages / "botocore/data" / service).glob("*/*.gz"))


@pytest.mark.parametrize("service", SERVICES)
def test_a_model_says_the_same_without_its_texts(packages: Path, service: str) -> None:
    made, own = client(service, packages / "botocore/data", DATA), client(service, DATA)
    assert set(texts(made.meta.service_model._service_description)) == {""}
    assert set(texts(own.meta.service_model._service_description)) != {""}
    assert made.meta.service_model._service_description == emptied(own.meta.service_model._service_description)
    assert made.meta.service_model.operation_names == own.meta.service_model.operation_names
    assert made.meta.endpoint_url == own.meta.endpoint_url


#: What a function asks of the service, such as it is.
CALLS: Final[dict[str, tuple[str, dict[str, Any]]]] = {
    "dynamodb": ("get_item", {"TableName": "imports", "Key": {"importId": {"S": "default"}}}),
    "lambda": ("invoke", {"FunctionName": "submit"}),
    "s3": ("get_object", {"Bucket": "feeds", "Key": "feeds/default/jobs.csv"}),
    "secretsmanager": ("get_secret_value", {"SecretId": "key"}),
    "sns": ("publish", {"TopicArn": "arn:aws:sns:us-east-1:123456789012:notices", "Message": "said"}),
}


@pytest.mark.parametrize("service", SERVICES)
def test_a_request_is_the_same_with_it(packages: Path, service: str) -> None:
    assert sent(client(service, packages / "botocore/data", DATA), *CALLS[service]) == sent(
        client(service, DATA), *CALLS[service]
    )


class Sent(Exception):  # noqa: N818
    """Instead of an answer."""


def sent(asked: Any, operation: str, arguments: dict[str, Any]) -> tuple[str, str, Any]:
    """The request, of which nothing leaves this machine."""

    def stop(request: Any, **_: Any) -> None:
        raise Sent(request.method, request.url, request.body)

    asked.meta.events.register("before-send", stop)
    with pytest.raises(Sent) as stopped:
        getattr(asked, operation)(**arguments)
    method, url, body = stopped.value.args
    return method, url, body


def test_a_member_that_is_called_documentation_stays() -> None:
    model = '{"documentation": "A.", "members": {"documentation": {"shape": "String", "documentation": "B."}}}'
    assert json.loads(model, object_hook=without_text) == {
        "documentation": "",
        "members": {"documentation": {"shape": "String", "documentation": ""}},
    }


def test_models_that_are_no_longer_compressed_are_told(tmp_path: Path) -> None:
    (tmp_path / "botocore/data/dynamodb/2012-08-10").mkdir(parents=True)
    (tmp_path / "botocore/data/dynamodb/2012-08-10/service-2.json").write_text(json.dumps({}))
    with pytest.raises(SystemExit, match="dynamodb"):
        main(tmp_path)
