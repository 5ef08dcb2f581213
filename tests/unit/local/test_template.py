"""The template's expansion and its intrinsic functions."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from local.template import Properties, Stack, TemplateError, expand

ROOT = Path(__file__).parents[3]


def make(_type: str, logical_id: str, _properties: Properties) -> tuple[str, Mapping[str, str]]:
    return f"the-{logical_id}", {"Arn": f"arn:{logical_id}"}


def stack(resources: Mapping[str, Any], parameters: Mapping[str, str] | None = None, **sections: Any) -> Stack:
    whole = {name: {"Type": "T", **resource} for name, resource in resources.items()}
    return Stack("s", {"Resources": whole, **sections}, parameters or {}, make)


def resolved(value: Any, **sections: Any) -> Any:
    return (
        stack({"A": {}, "B": {"Properties": {"Value": value}}}, **sections)
        .resource("B")
        .properties.get("Value", "gone")
    )


@pytest.mark.parametrize(
    ("value", "result"),
    [
        ({"Ref": "A"}, "the-A"),
        ({"Ref": "AWS::StackName"}, "s"),
        ({"Ref": "P"}, "p"),
        ({"Fn::GetAtt": ["A", "Arn"]}, "arn:A"),
        ({"Fn::GetAtt": "A.Arn"}, "arn:A"),
        ({"Fn::Sub": "${A}/${A.Arn}/${AWS::Region}/${P}/${!Kept}"}, "the-A/arn:A/us-east-1/p/${Kept}"),
        ({"Fn::Sub": ["${X}/${P}", {"X": {"Ref": "A"}}]}, "the-A/p"),
        ({"Fn::Join": ["-", ["a", {"Ref": "A"}]]}, "a-the-A"),
        ({"Fn::If": ["Yes", 1, 2]}, 1),
        ({"Fn::If": ["No", 1, 2]}, 2),
        ({"Fn::If": ["Both", 1, 2]}, 2),
        ({"Fn::If": ["Either", 1, 2]}, 1),
        ([1, {"Ref": "AWS::NoValue"}], [1]),
        ({"Fn::If": ["No", 1, {"Ref": "AWS::NoValue"}]}, "gone"),
        ({"Condition": {"Bool": {"x": "y"}}}, {"Condition": {"Bool": {"x": "y"}}}),
    ],
)
def test_intrinsic_functions(value: Any, result: Any) -> None:
    conditions = {
        "Yes": {"Fn::Equals": [{"Ref": "P"}, "p"]},
        "No": {"Fn::Not": [{"Condition": "Yes"}]},
        "Both": {"Fn::And": [{"Condition": "Yes"}, {"Condition": "No"}]},
        "Either": {"Fn::Or": [{"Condition": "Yes"}, {"Condition": "No"}]},
    }
    parameters = {"P": {"Type": "String", "Default": "p"}}
    assert resolved(value, Parameters=parameters, Conditions=conditions) == result


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ({"Ref": "C"}, "B: there is no C"),
        ({"Fn::GetAtt": ["A", "Name"]}, "B: A has no Name. It has: Arn"),
        ({"Fn::Sub": "${C.Arn}"}, "B: there is no C"),
        ({"Fn::Cidr": []}, "B: Fn::Cidr is not supported here"),
        ({"Ref": "B"}, "B needs B: a cycle"),
        ({"Fn::If": ["Perhaps", 1, 2]}, "there is no condition Perhaps"),
    ],
)
def test_a_wrong_reference_is_an_error(value: Any, words: str) -> None:
    with pytest.raises(TemplateError) as raised:
        resolved(value)
    assert str(raised.value) == words


def test_a_resource_with_a_false_condition_is_not_made() -> None:
    conditions = {"No": {"Fn::Equals": [1, 2]}}
    assert list(stack({"A": {}, "B": {"Condition": "No"}}, Conditions=conditions).resources) == ["A"]
    with pytest.raises(TemplateError, match="there is no B"):
        stack({"A": {"Properties": {"B": {"Ref": "B"}}}, "B": {"Condition": "No"}}, Conditions=conditions)


@pytest.mark.parametrize(
    ("rule", "value", "words"),
    [
        ({"AllowedValues": ["a", "b"]}, "c", "must be one of a, b, not 'c'"),
        ({"AllowedPattern": "[a-z]+", "ConstraintDescription": "small"}, "ab1", "is 'ab1': must be small"),
        ({"Type": "Number", "MinValue": 1, "MaxValue": 9}, "10", "out of range: 10"),
    ],
)
def test_parameters_are_checked(rule: Mapping[str, Any], value: str, words: str) -> None:
    with pytest.raises(TemplateError) as raised:
        stack({}, {"P": value}, Parameters={"P": {"Type": "String", **rule}})
    assert words in str(raised.value)


def test_parameters_that_are_missing_or_unknown() -> None:
    with pytest.raises(TemplateError, match="parameter P has no value"):
        stack({}, Parameters={"P": {"Type": "String"}})
    with pytest.raises(TemplateError, match="there is no parameter Q"):
        stack({}, {"Q": "q"}, Parameters={"P": {"Type": "String"}})


def test_the_real_template_is_expanded() -> None:
    resources = expand(ROOT / "template.yaml")["Resources"]
    function = resources["SubmitImportFunction"]
    assert function["Type"] == "AWS::Lambda::Function"
    assert function["Properties"]["Code"]["S3Key"] == "functions/submit_import"
    assert "/callbacks/{importId}" in resources["CallbackApi"]["Properties"]["Body"]["paths"]


def test_a_template_that_sam_refuses_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "template.yaml"
    path.write_text("Resources: {F: {Type: AWS::Serverless::Function, Properties: {Handler: a.b}}}")
    with pytest.raises(TemplateError, match=r"\[F\] is invalid"):
        expand(path)
