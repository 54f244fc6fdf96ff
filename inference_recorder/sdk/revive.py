"""JSON -> the SDK's own objects: what its construction gives, at the price of one validation.

The SDK builds its answers with `construct_type`, which walks type annotations in Python. Strict validation in
pydantic-core gives the same object at a fraction of the cost wherever it succeeds, but for two things: it counts extra
fields as set, and it rounds an integer that no float is equal to. The SDK does neither, except below a union, which it
validates itself. A `Reviver` knows for its type where the SDK would construct; what validation refuses, or cannot give
in the SDK's way, the SDK builds.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import lru_cache, partial
from operator import eq
from types import UnionType
from typing import TYPE_CHECKING, Annotated, Any, Literal, Union, get_args, get_origin

from ..json_tree import JsonValue
from .internals import constructed, core_schema_of, forget_extra_fields, is_generic, validator_of

if TYPE_CHECKING:
    import pydantic

_Forget = Callable[[Any], None]
"""Takes the extra fields out of the fields set of one value and of all below it."""
_Compare = Callable[[Any, Any], bool]
"""(value, the JSON it was made of) -> whether the floats that the SDK would construct are equal in both."""


class NotValidatable(Exception):
    """The SDK's construction of this type cannot be had by validation."""


class Reviver:
    """Builds values of one type of the SDK from JSON; equal to the SDK's own in type, values and fields set."""

    def __init__(self, type_: Any) -> None:
        import pydantic

        self._validator: Any = None
        self._forget_extras: _Forget | None = None
        self.from_json: Callable[[bytes], Any] = _only_from_value
        """Returns the object that the SDK would build from JSON bytes, None where only `from_value` can."""
        self.from_value: Callable[[JsonValue], Any] = partial(constructed, type_)
        """Returns the object that the SDK would build from a parsed answer."""
        try:
            forget = _forgetter(type_, frozenset())
        except NotValidatable:
            return
        if inspect.isclass(type_) and issubclass(type_, pydantic.BaseModel):
            self._validator = validator_of(type_)
        else:
            self._validator = pydantic.TypeAdapter(type_).validator
        self._forget_extras = forget
        refused, is_exact = (pydantic.ValidationError, NotValidatable), _float_comparison(type_)
        validate_python = self._validator.validate_python
        if is_exact is None:
            self.from_json = _validating(self._validator.validate_json, forget, refused, _only_from_value)
        else:
            validate_python = _exactly(validate_python, is_exact)
        self.from_value = _validating(validate_python, forget, refused, self.from_value)


@lru_cache(maxsize=128)
def reviver(type_: Any) -> Reviver:
    """Return the one Reviver of a type; the types of an SDK that was imported again since are let go at last."""
    return Reviver(type_)


def _only_from_value(content: bytes) -> None:
    return None


def _validating(
    validate: Callable[..., Any],
    forget: _Forget | None,
    refused: tuple[type[Exception], ...],
    otherwise: Callable[[Any], Any],
) -> Callable[[Any], Any]:
    # A closure looks nothing up: it runs for each chunk.
    def validating(value: Any) -> Any:
        try:
            revived = validate(value, strict=True)
        except refused:
            return otherwise(value)
        if forget is not None:
            forget(revived)
        return revived

    return validating


def _exactly(validate: Callable[..., Any], is_exact: _Compare) -> Callable[..., Any]:
    def validating(value: JsonValue, *, strict: bool) -> Any:
        revived = validate(value, strict=strict)
        if not is_exact(revived, value):
            raise NotValidatable("it holds an integer that no float is equal to")
        return revived

    return validating


def _forgetter(type_: Any, above: frozenset[Any]) -> _Forget | None:
    """Return how to undo what validating a value of `type_` counts as set, None where there is nothing to undo.

    Raises NotValidatable where construction differs in more than that.
    """
    if type_ in above:
        raise NotValidatable(f"{type_} holds itself")
    import pydantic

    origin = get_origin(type_)
    if origin is Annotated:  # the SDK's marks, such as a discriminator; pydantic passes over them
        return _forgetter(get_args(type_)[0], above)
    if origin in (Union, UnionType):
        return None  # the SDK validates unions as pydantic does
    if origin is Literal or type_ in (str, int, float, bool, object):
        return None
    if origin is list:
        return _each(_forgetter(get_args(type_)[0], above), None)
    if origin is dict:
        return _each(_forgetter(get_args(type_)[1], above), dict.values)
    if inspect.isclass(type_) and issubclass(type_, pydantic.BaseModel):
        return _model_forgetter(type_, above | {type_})
    raise NotValidatable(f"{type_} is not known to validate as it is constructed")


def _model_forgetter(model: type[pydantic.BaseModel], above: frozenset[Any]) -> _Forget:
    if is_generic(model) or _has_typed_extras(model):
        raise NotValidatable(f"{model} is generic or types its extra fields")
    from pydantic_core import PydanticUndefined

    below: list[tuple[str, _Forget]] = []
    for name, field in model.model_fields.items():
        # The SDK leaves an aliased field's alias among the extras, and puts a default where the answer has a null.
        if field.alias is not None or field.default_factory is not None:
            raise NotValidatable(f"{model}.{name} has an alias or a made default")
        if field.default is not PydanticUndefined and field.default is not None:
            raise NotValidatable(f"{model}.{name} has a default that is not None")
        forget = _forgetter(field.annotation, above)
        if forget is not None:
            below.append((name, forget))

    if not below:
        return forget_extra_fields

    def forget_extras(value: Any) -> None:
        forget_extra_fields(value)
        fields = value.__dict__  # where pydantic keeps them
        for name, forget in below:
            forget(fields[name])

    return forget_extras


def _each(forget: _Forget | None, items_of: Callable[[Any], Any] | None) -> _Forget | None:
    if forget is None:
        return None

    def forget_in_each(items: Any) -> None:
        for item in items if items_of is None else items_of(items):
            forget(item)

    return forget_in_each


def _float_comparison(type_: Any) -> _Compare | None:
    """Return how to compare the floats of a value that was validated, None where the SDK constructs none there."""
    import pydantic

    if type_ is float:
        return eq
    origin, below = get_origin(type_), get_args(type_)
    if origin is Annotated:
        return _float_comparison(below[0])
    if origin in (list, dict):
        are_equal = _float_comparison(below[-1])
        if are_equal is None or are_equal is eq:
            return are_equal  # vectors at once
        items_of: Callable[[Any], Any] = iter if origin is list else dict.values
        return lambda value, source: all(map(are_equal, items_of(value), items_of(source)))
    if inspect.isclass(type_) and issubclass(type_, pydantic.BaseModel):
        compared = {name: _float_comparison(field.annotation) for name, field in type_.model_fields.items()}
        fields = [(name, are_equal) for name, are_equal in compared.items() if are_equal is not None]
        if fields:
            return lambda value, source: all(
                are_equal(value.__dict__[name], source[name]) for name, are_equal in fields if name in source
            )
    return None


def _has_typed_extras(model: type[pydantic.BaseModel]) -> bool:
    model.model_rebuild()
    schema: Any = core_schema_of(model)
    while schema.get("type") in ("definitions", "model"):
        schema = schema["schema"]
    return schema.get("type") != "model-fields" or "extras_schema" in schema
