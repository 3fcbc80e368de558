"""The base classes of models, outcomes and events, which can be written as JSON."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, ClassVar

from newsleopard_async.plain.converter import (
    LATER,
    PRESIGNED,
    PlainData,
    from_plain,
    redact_url,
    to_plain,
)

__all__ = [
    "LATER",
    "PRESIGNED",
    "OfAKind",
    "Plain",
    "PlainData",
    "Tabular",
    "from_plain",
    "redact_url",
    "to_plain",
]


class Plain:
    """A base for classes that can be written as JSON."""

    __slots__ = ()

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as JSON-safe data, with presigned URLs without their query."""
        data: dict[str, Any] = to_plain(self)
        return data

    def keys(self) -> Iterable[str]:
        """Return the keys of ``to_dict()``, so that ``dict(model)`` gives the same data."""
        return self.to_dict().keys()

    def __getitem__(self, key: str) -> Any:
        return self.to_dict()[key]

    if not TYPE_CHECKING:
        # With ``__getitem__`` alone, ``iter()`` would treat it as a sequence and read item 0.
        __iter__ = None

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> Any:
        """Return the schema by which pydantic validates and writes a model."""
        from newsleopard_async.plain import schema

        return schema.core_schema_of(cls, handler)

    @classmethod
    def __get_pydantic_json_schema__(cls, core_schema: Any, handler: Any) -> Any:
        """Return the JSON schema of ``to_dict()``, for pydantic."""
        from newsleopard_async.plain import schema

        return schema.json_schema_of(cls, core_schema, handler)

    @property
    def __pydantic_serializer__(self) -> Any:
        """The serializer that pydantic uses for a model if a field or return type is ``Any``."""
        from newsleopard_async.plain import schema

        return schema.SERIALIZER

    def __html_rows__(self) -> Iterable[tuple[str, object]]:
        """Yield the names and values that a table can show; see `Tabular`."""
        from newsleopard_async.plain import html

        return html.rows_of(self)


class Tabular(Plain):
    """A base for models that notebooks show as a table, like the ``repr`` and without addresses."""

    __slots__ = ()

    def _repr_html_(self) -> str:
        from newsleopard_async.plain import html

        return html.table_of(type(self).__name__, self.__html_rows__())


class OfAKind(Plain):
    """A base for the members of a union; their kind distinguishes them."""

    __slots__ = ()

    plain_kind: ClassVar[str]

    @property
    def kind(self) -> str:
        """The kind, as in the data; pydantic's ``Field(discriminator="kind")`` reads it."""
        return self.plain_kind
