"""Expands the real template.yaml with SAM's own translator and resolves it as CloudFormation would.

moto's CloudFormation cannot do this: it silently ignores types that it does not support (schedules, HTTP APIs, alarms,
invoke configurations), and runs each function in a container. Here an unsupported type or function is an error, and every
property of every resource is resolved, so that a wrong reference fails on this machine.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import boto3
from samtranslator.model.exceptions import InvalidDocumentException
from samtranslator.parser.parser import Parser
from samtranslator.translator.translator import Translator
from samtranslator.yaml_helper import yaml_parse

from local.aws_account import ACCOUNT, PARTITION, REGION

type Properties = dict[str, Any]

_CODE: Final = "s3://local/"
_VARIABLE: Final = re.compile(r"\$\{([^}]*)\}")
_ABSENT: Final = object()
logging.getLogger("samtranslator").setLevel(logging.ERROR)  # otherwise it warns that it cannot report its usage


class TemplateError(Exception):
    """The template cannot be used. The message names the resource or the parameter."""


@dataclass(frozen=True)
class Resource:
    """A resource of the stack.

    Attributes:
        properties: with every intrinsic function resolved.
        ref: what `Ref` gives.
        attributes: what `Fn::GetAtt` gives.
    """

    logical_id: str
    type: str
    properties: Properties
    ref: str
    attributes: Mapping[str, str]

    @property
    def arn(self) -> str:
        return self.attributes["Arn"]


#: Makes a resource from its type, logical id and properties; returns its Ref and attributes.
type Maker = Callable[[str, str, Properties], tuple[str, Mapping[str, str]]]


def expand(path: Path) -> dict[str, Any]:
    """Expand the template as CloudFormation receives it. `Code.S3Key` is the code's folder, relative to the template.

    Raises TemplateError with the translator's message.
    """
    template = yaml_parse(path.read_text())
    shared = template.get("Globals", {}).values()
    for properties in [*shared, *(resource.get("Properties", {}) for resource in template["Resources"].values())]:
        for name in ("CodeUri", "ContentUri"):
            # The translator accepts only code in S3, where `sam package` would have put it.
            if name in properties:
                properties[name] = _CODE + properties[name]
    # The translator asks the session only for the region, so this needs no credentials and no network.
    translator = Translator({}, Parser(), boto_session=boto3.Session(region_name=REGION))
    try:
        expanded: dict[str, Any] = translator.translate(template, {})
    except InvalidDocumentException as error:
        raise TemplateError("; ".join(cause.message for cause in error.causes)) from error
    return expanded


class Stack:
    """A stack made from an expanded template.

    It makes every resource whose condition holds, after the resources that it refers to. Raises TemplateError.
    """

    def __init__(self, name: str, template: Mapping[str, Any], parameters: Mapping[str, str], make: Maker) -> None:
        self.name = name
        self._template = template
        self._make = make
        self.parameters = _parameters(template.get("Parameters", {}), parameters)
        self._conditions = template.get("Conditions", {})
        self._pseudo = {
            "AWS::StackName": name,
            "AWS::Region": REGION,
            "AWS::AccountId": ACCOUNT,
            "AWS::Partition": PARTITION,
            "AWS::URLSuffix": "amazonaws.com",
            "AWS::StackId": f"arn:{PARTITION}:cloudformation:{REGION}:{ACCOUNT}:stack/{name}/local",
            "AWS::NoValue": _ABSENT,
        }
        self.resources: dict[str, Resource] = {}
        self._under_way: list[str] = []
        for logical_id, declared in template["Resources"].items():
            if self._holds(declared.get("Condition")):
                self.resource(logical_id)
        self.outputs: dict[str, Any] = {
            key: self.resolve(output["Value"], f"output {key}")
            for key, output in template.get("Outputs", {}).items()
            if self._holds(output.get("Condition"))
        }

    def of_type(self, type_: str) -> list[Resource]:
        return [resource for resource in self.resources.values() if resource.type == type_]

    def by_arn(self, arn: str) -> Resource:
        """Return the resource with this ARN. Raises KeyError."""
        for resource in self.resources.values():
            if resource.attributes.get("Arn", resource.ref) == arn:
                return resource
        raise KeyError(arn)

    def resource(self, logical_id: str) -> Resource:
        """Return the resource. Make it first if necessary."""
        if logical_id not in self.resources:
            if logical_id in self._under_way:
                raise TemplateError(f"{' needs '.join([*self._under_way, logical_id])}: a cycle")
            self._under_way.append(logical_id)
            declared = self._template["Resources"][logical_id]
            properties = self.resolve(declared.get("Properties", {}), logical_id)
            ref, attributes = self._make(declared["Type"], logical_id, properties)
            self.resources[logical_id] = Resource(logical_id, declared["Type"], properties, ref, attributes)
            self._under_way.pop()
        return self.resources[logical_id]

    def resolve(self, value: Any, place: str) -> Any:
        """Resolve the intrinsic functions in a value. Errors name `place`, where the value is."""
        if isinstance(value, list):
            items = [self.resolve(item, place) for item in value]
            return [item for item in items if item is not _ABSENT]
        if not isinstance(value, dict):
            return value
        if len(value) == 1:
            name, argument = next(iter(value.items()))
            if name == "Ref" or name == "Condition" or name.startswith("Fn::"):
                return self._call(name, argument, place)
        members = {key: self.resolve(member, place) for key, member in value.items()}
        return {key: member for key, member in members.items() if member is not _ABSENT}

    def _call(self, name: str, argument: Any, place: str) -> Any:
        match name, argument:
            case "Ref", str():
                return self._ref(argument, place)
            case "Fn::GetAtt", list():
                return self._attribute(".".join(argument), place)
            case "Fn::GetAtt", str():
                return self._attribute(argument, place)
            case "Fn::Sub", str():
                return self._substitute(argument, {}, place)
            case "Fn::Sub", [text, variables]:
                return self._substitute(text, self.resolve(variables, place), place)
            case "Fn::Join", [separator, parts]:
                return separator.join(self.resolve(parts, place))
            case "Fn::If", [condition, yes, no]:
                return self.resolve(yes if self._holds(condition) else no, place)
            case "Fn::Equals", [one, other]:
                return self.resolve(one, place) == self.resolve(other, place)
            case "Fn::Not", [one]:
                return not self.resolve(one, place)
            case "Fn::And", list():
                return all(self.resolve(argument, place))
            case "Fn::Or", list():
                return any(self.resolve(argument, place))
            case "Condition", str() if argument in self._conditions:
                return self._holds(argument)
            case "Condition", _:  # for instance of a policy's statement
                return {name: self.resolve(argument, place)}
        raise TemplateError(f"{place}: {name} is not supported here")

    def _holds(self, condition: str | None) -> bool:
        if condition is None:
            return True
        if condition not in self._conditions:
            raise TemplateError(f"there is no condition {condition}")
        return bool(self.resolve(self._conditions[condition], f"condition {condition}"))

    def _ref(self, name: str, place: str) -> Any:
        if name in self.parameters:
            return self.parameters[name]
        if name in self._pseudo:
            return self._pseudo[name]
        return self._existing(name, place).ref

    def _attribute(self, name: str, place: str) -> str:
        """Return an attribute, such as `FeedsBucket.Arn`."""
        logical_id, _, attribute = name.partition(".")
        attributes = self._existing(logical_id, place).attributes
        if attribute not in attributes:
            raise TemplateError(
                f"{place}: {logical_id} has no {attribute}. It has: {', '.join(attributes) or 'nothing'}"
            )
        return attributes[attribute]

    def _existing(self, logical_id: str, place: str) -> Resource:
        declared = self._template["Resources"].get(logical_id)
        if declared is None or not self._holds(declared.get("Condition")):
            raise TemplateError(f"{place}: there is no {logical_id}")
        return self.resource(logical_id)

    def _substitute(self, text: str, variables: Mapping[str, Any], place: str) -> str:
        def value(match: re.Match[str]) -> str:
            name = match[1]
            if name.startswith("!"):
                return "${" + name[1:] + "}"
            if name in variables:
                return str(variables[name])
            if "." in name:
                return self._attribute(name, place)
            return str(self._ref(name, place))

        return _VARIABLE.sub(value, text)


def _parameters(declared: Mapping[str, Any], given: Mapping[str, str]) -> dict[str, str]:
    """Check the parameters' values as CloudFormation does, and fill in defaults."""
    if unknown := given.keys() - declared.keys():
        raise TemplateError(f"there is no parameter {', '.join(sorted(unknown))}. There are: {', '.join(declared)}")
    values = {}
    for name, rule in declared.items():
        if name not in given and "Default" not in rule:
            raise TemplateError(f"parameter {name} has no value")
        value = values[name] = str(given.get(name, rule.get("Default")))
        allowed = rule.get("AllowedValues")
        if allowed and value not in map(str, allowed):
            raise TemplateError(f"parameter {name} must be one of {', '.join(map(str, allowed))}, not {value!r}")
        if "AllowedPattern" in rule and not re.fullmatch(rule["AllowedPattern"], value):
            raise TemplateError(
                f"parameter {name} is {value!r}: must be {rule.get('ConstraintDescription', rule['AllowedPattern'])}"
            )
        if rule["Type"] == "Number" and not rule.get("MinValue", float(value)) <= float(value) <= rule.get(
            "MaxValue", float(value)
        ):
            raise TemplateError(f"parameter {name} is out of range: {value}")
    return values
