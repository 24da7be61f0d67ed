"""Turns the protobuf structures of the provider protocol into values and back.

Secrets and unknown values travel as marked structures and marker strings; the markers are part of
Pulumi's protocol (sdk/go/common/resource/plugin/rpc.go). Numbers are doubles on the wire: whole
ones come back as ``int``.
"""

from google.protobuf import struct_pb2

from sandbox.provider.values import UNKNOWN, Properties, Secret, Value, as_dict, as_list

_SIGNATURE = "4dabf18193072939515e22adb298388d"
_SECRET_SIGNATURE = "1b47061264138c4ac30d75fd1eb44270"  # noqa: S105 - a marker of the protocol
_OUTPUT = "d0e6a833031e9bbcd3f4e8bde6ca49a4"
_RESOURCE = "5cf8f73096256a8f31e491e813e4eb8e"
_UNKNOWN_STRING = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
_UNKNOWNS = frozenset(
    {
        _UNKNOWN_STRING,
        "1c4a061d-8072-4f0a-a4cb-0ff528b18fe7",
        "3eeb2bf0-c639-47a8-9e75-3b44932eb421",
        "6a19a0b0-7e62-4c92-b797-7f8e31da9cc2",
        "030794c1-ac77-496b-92df-f27374a8bd58",
        "e48ece36-62e2-4504-bad9-02848725956a",
        "dd056dcd-154b-4c76-9bd3-c8f88648b5ff",
    }
)
_LARGEST_EXACT = 2**53


def decode(struct: struct_pb2.Struct) -> Properties:
    """Read a property map from the wire."""
    return {key: _decode(value) for key, value in struct.fields.items()}


def _decode(value: struct_pb2.Value) -> Value:
    kind = value.WhichOneof("kind")
    if kind == "string_value":
        return UNKNOWN if value.string_value in _UNKNOWNS else value.string_value
    if kind == "number_value":
        number = value.number_value
        return int(number) if number.is_integer() and abs(number) <= _LARGEST_EXACT else number
    if kind == "bool_value":
        return value.bool_value
    if kind == "list_value":
        return [_decode(item) for item in value.list_value.values]
    if kind == "struct_value":
        return _decode_struct(value.struct_value)
    return None


def _decode_struct(struct: struct_pb2.Struct) -> Value:
    signature = struct.fields[_SIGNATURE].string_value if _SIGNATURE in struct.fields else ""
    if signature == _SECRET_SIGNATURE:
        return Secret(_decode(struct.fields["value"]))
    if signature == _OUTPUT:
        inner = _decode(struct.fields["value"]) if "value" in struct.fields else UNKNOWN
        secret = "secret" in struct.fields and struct.fields["secret"].bool_value
        return Secret(inner) if secret else inner
    if signature == _RESOURCE:
        return _decode(struct.fields["id"]) if "id" in struct.fields else None
    return decode(struct)


def encode(properties: Properties) -> struct_pb2.Struct:
    """Write a property map for the wire."""
    struct = struct_pb2.Struct()
    for key, value in properties.items():
        _encode(value, struct.fields[key])
    return struct


def _encode(value: Value, into: struct_pb2.Value) -> None:
    if isinstance(value, Secret):
        into.struct_value.fields[_SIGNATURE].string_value = _SECRET_SIGNATURE
        _encode(value.value, into.struct_value.fields["value"])
    elif (items := as_list(value)) is not None:
        into.list_value.SetInParent()
        for item in items:
            _encode(item, into.list_value.values.add())
    elif (fields := as_dict(value)) is not None:
        into.struct_value.SetInParent()
        for key, item in fields.items():
            _encode(item, into.struct_value.fields[key])
    else:
        _encode_scalar(value, into)


def _encode_scalar(value: Value, into: struct_pb2.Value) -> None:
    if value is None:
        into.null_value = struct_pb2.NULL_VALUE
    elif value is UNKNOWN:
        into.string_value = _UNKNOWN_STRING
    elif isinstance(value, bool):
        into.bool_value = value
    elif isinstance(value, int | float):
        into.number_value = float(value)
    elif isinstance(value, str):
        into.string_value = value
    else:
        raise TypeError(f"a {type(value).__name__} cannot be sent to the engine")


def is_asset(value: Value) -> bool:
    """Tell whether a value is a file or an archive in Pulumi's sense."""
    fields = as_dict(value)
    return fields is not None and fields.get(_SIGNATURE) in {
        "c44067f5952c0a294b673a41bacd8c17",
        "0def7320c3a5731c473e5ecbe6d01bc7",
    }
