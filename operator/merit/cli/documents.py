"""Reads YAML as Kubernetes does, with the line of every field."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import yaml

from merit.cli.scalars import as_key, plain

_PART = re.compile(r"([^.\[\]]+)|\[([0-9]+)\]")
_TAG = "tag:yaml.org,2002:"
_TAGS = {bool: "bool", type(None): "null", int: "int", float: "float", str: "str"}


class _Loader(yaml.SafeLoader):
    """Resolves scalars without quotes as Kubernetes does."""

    def resolve(self, kind: type[yaml.Node], value: Any, implicit: Any) -> str:
        if kind is yaml.ScalarNode and implicit[0]:
            return _TAG + ("merge" if value == "<<" else _TAGS[type(plain(value))])
        return str(super().resolve(kind, value, implicit))  # type: ignore[no-untyped-call]

    def construct_scalar_plainly(self, node: yaml.ScalarNode) -> Any:
        """The value, which JSON must have."""
        value = plain(node.value)
        if isinstance(value, float) and not math.isfinite(value):
            message = f"{node.value} is not a number that JSON has"
            raise yaml.constructor.ConstructorError(None, None, message, node.start_mark)
        return value

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        return {as_key(k): value for k, value in super().construct_mapping(node, deep).items()}


for _name in ("bool", "null", "int", "float"):
    _Loader.add_constructor(_TAG + _name, _Loader.construct_scalar_plainly)


class NotYaml(ValueError):
    """The text is not valid YAML. The message is one line."""


@dataclass(frozen=True, slots=True)
class Document:
    """One document: its content, and the node tree that has the lines."""

    content: Any
    node: yaml.Node

    def line(self, field: str = "") -> int:
        """The line, from 1, of the field, or of its nearest parent that exists."""
        node, line = self.node, self.node.start_mark.line + 1
        for key, index in _PART.findall(field):
            child = _child(node, key, index)
            if child is None:
                break
            mark, node = child
            line = mark.line + 1
        return line


def documents(text: str) -> Iterator[Document]:
    """The documents of a file without empty ones; each item of a List is one.

    Raises NotYaml, also for a duplicate key, which Kubernetes refuses.
    """
    loader = _Loader(text)
    try:
        while loader.check_node():
            node = loader.get_node()
            assert node is not None
            _no_duplicates(node)
            content = loader.construct_document(node)
            yield from _items(content, node)
    except yaml.YAMLError as error:
        raise NotYaml(" ".join(str(error).split())) from error
    except RecursionError as error:
        raise NotYaml("nested too deep") from error
    finally:
        loader.dispose()


def _items(content: Any, node: yaml.Node) -> Iterator[Document]:
    if content is None:
        return
    if not isinstance(content, dict) or content.get("kind") != "List":
        yield Document(content, node)
        return
    listed = _child(node, "items", "")
    nodes = listed[1].value if listed and isinstance(listed[1], yaml.SequenceNode) else []
    for item, child in zip(content.get("items") or (), nodes, strict=False):
        yield from _items(item, child)


def _child(node: yaml.Node, key: str, index: str) -> tuple[yaml.Mark, yaml.Node] | None:
    if isinstance(node, yaml.SequenceNode) and index and int(index) < len(node.value):
        child = node.value[int(index)]
        return child.start_mark, child
    for name, value in node.value if isinstance(node, yaml.MappingNode) else ():
        if key and name.value == key:
            return name.start_mark, value
    return None


def _no_duplicates(root: yaml.Node) -> None:
    pending, seen = [root], set()
    while pending:
        node = pending.pop()
        if id(node) in seen:
            continue  # an alias may refer to its own parent
        seen.add(id(node))
        if isinstance(node, yaml.SequenceNode):
            pending += node.value
        if isinstance(node, yaml.MappingNode):
            names = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
            duplicate = next((n for i, n in enumerate(names) if n in names[:i] and n != "<<"), None)
            if duplicate is not None:
                line = node.start_mark.line + 1
                raise NotYaml(f"{duplicate!r} is there twice in the map at line {line}")
            pending += [child for pair in node.value for child in pair]
