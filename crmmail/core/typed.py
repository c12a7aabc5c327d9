"""`NamedTuple`, `Any` and `IO` of `typing`, for a process that lives for one mail.

Such a process defines seventy values and makes a few each of thirty of them.  `typing` checks each annotation of each
field, and `collections.namedtuple` compiles a constructor for each class: together 3 x `python -c pass`, and 0.4 for
the import of `typing`.  mypy has checked the annotations already, so here none is looked at, and a constructor is
compiled when the first value is made; from then on making one costs what it costs with `namedtuple`.

For a type checker these are the very names of `typing`.
"""

from __future__ import annotations

from collections import _tuplegetter  # type: ignore[attr-defined]  # reads a place of a tuple, as in `namedtuple`

TYPE_CHECKING = False  # type checkers take it for True, as they do `typing.TYPE_CHECKING`

if TYPE_CHECKING:
    from typing import IO as IO
    from typing import Any as Any
    from typing import NamedTuple as NamedTuple
else:
    IO = Any = object  # in annotations only, which nobody evaluates

    class _Fields(type):
        """Makes places of a tuple of the fields of a class."""

        def __new__(cls, name, bases, namespace):
            if bases != (tuple,) and bases[0] is NamedTuple:
                fields = tuple(namespace.get("__annotations__", ()))
                namespace["_field_defaults"] = {field: namespace[field] for field in fields if field in namespace}
                namespace["_fields"] = namespace["__match_args__"] = fields
                namespace.update((field, _tuplegetter(place, "")) for place, field in enumerate(fields))
            namespace.setdefault("__slots__", ())
            return super().__new__(cls, name, bases, namespace)

    class NamedTuple(tuple, metaclass=_Fields):
        """A tuple whose places have names: `class Place(NamedTuple)`, then `name: type` or `name: type = default`."""

        _fields = ()
        _field_defaults = {}  # noqa: RUF012

        def __new__(cls, /, *values, **named):
            """Compiles the constructor of this class, and uses it."""
            words = "".join(f"{field}, " for field in cls._fields)
            new = eval(f"lambda _cls, {words}: _new(_cls, ({words}))", {"_new": tuple.__new__})
            new.__defaults__ = tuple(cls._field_defaults.values())
            cls.__new__ = staticmethod(new)
            return new(cls, *values, **named)

        @classmethod
        def _make(cls, values):
            made = tuple.__new__(cls, values)
            if len(made) != len(cls._fields):
                raise TypeError(f"{cls.__name__} has {len(cls._fields)} fields, not {len(made)}")
            return made

        def _replace(self, /, **changes):
            made = self._make(map(changes.pop, self._fields, self))
            if changes:
                raise ValueError(f"{type(self).__name__} has no field {', '.join(changes)}")
            return made

        def _asdict(self):
            return dict(zip(self._fields, self, strict=True))

        def __getnewargs__(self):  # for pickle and copy
            return tuple(self)

        def __repr__(self):
            places = zip(self._fields, self, strict=True)
            return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in places)})"
