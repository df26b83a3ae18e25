# SPDX-License-Identifier: MIT
"""google.protobuf as the oracle: message classes from a few lines of schema, without protoc."""

from __future__ import annotations

from google.protobuf import descriptor_pb2, descriptor_pool, message, message_factory

Field = descriptor_pb2.FieldDescriptorProto


def message_classes(schema: str, package: str = "t") -> dict[str, type[message.Message]]:
    """Each line of `schema` is a message: `Name: field=1 string, other=2 *Message, labels=3 map, n=4 int64`; a
    star repeats. Types are protobuf's, a message of the schema, or map for map<string, string>."""
    file = descriptor_pb2.FileDescriptorProto(name=f"{package}.proto", package=package, syntax="proto3")
    names = []
    for line in filter(None, map(str.strip, schema.splitlines())):
        name, _, fields = line.partition(":")
        names.append(name)
        descriptor = file.message_type.add(name=name)
        for part in filter(None, map(str.strip, fields.split(","))):
            _add_field(descriptor, part, package)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return {name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{package}.{name}")) for name in names}


def _add_field(descriptor: descriptor_pb2.DescriptorProto, part: str, package: str) -> None:
    head, kind = part.split()
    name, _, number = head.partition("=")
    label = Field.LABEL_REPEATED if kind.startswith("*") or kind == "map" else Field.LABEL_OPTIONAL
    kind = kind.removeprefix("*")
    if kind == "map":
        entry = descriptor.nested_type.add(name=f"{name.title().replace('_', '')}Entry")
        entry.options.map_entry = True
        for key, position in (("key", 1), ("value", 2)):
            entry.field.add(name=key, number=position, type=Field.TYPE_STRING, label=Field.LABEL_OPTIONAL)
        kind = f"{descriptor.name}.{entry.name}"
    scalar = Field.Type.DESCRIPTOR.values_by_name.get(f"TYPE_{kind.upper()}")
    if scalar is not None:
        descriptor.field.add(name=name, number=int(number), type=scalar.number, label=label)
    else:
        whole = f".{package}.{kind}"
        descriptor.field.add(name=name, number=int(number), type=Field.TYPE_MESSAGE, label=label, type_name=whole)
