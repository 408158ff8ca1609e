"""What the object store promises about Python values."""

from __future__ import annotations

import json
import random
import threading
from typing import Any

import pytest
from cas_store import (
    ContentStore,
    DamagedObject,
    LocalBackend,
    MemoryBackend,
    ObjectStore,
    Reference,
    UnloadableObject,
    UnserializableObject,
    UnsupportedFormat,
)
from hypothesis import given
from hypothesis import strategies as st

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner) | st.tuples(inner, inner),
    max_leaves=20,
)


@pytest.fixture(params=["local", "memory"])
def objects(request: pytest.FixtureRequest, tmp_path: Any) -> ObjectStore:
    return ObjectStore(ContentStore(LocalBackend(tmp_path) if request.param == "local" else MemoryBackend()))


@given(values)
def test_values_come_back_equal_through_references_in_json(value: Any) -> None:
    objects = ObjectStore(ContentStore(MemoryBackend()))
    reference = objects.save(value)
    assert objects.load(Reference.from_json(json.loads(json.dumps(reference.to_json())))) == value


@given(values)
def test_equal_encodings_have_equal_identities(value: Any) -> None:
    one, other = (ObjectStore(ContentStore(MemoryBackend())).save(value) for _ in range(2))
    assert one == other
    assert one.identity == other.identity


def test_a_small_value_travels_in_its_reference_and_a_larger_one_does_not(objects: ObjectStore) -> None:
    small, large = objects.save(42), objects.save("x" * 1000)
    assert small.is_inline
    assert small.digests() == ()
    assert not large.is_inline
    assert list(objects.store) == list(large.digests())
    assert len(json.dumps(small.to_json())) < len(json.dumps(large.to_json()))


@pytest.mark.parametrize("size", [1000, 100_000, 1_000_000])
def test_arrays_come_back_equal_and_writable_and_changes_never_reach_the_store(objects: ObjectStore, size: int) -> None:
    numpy = pytest.importorskip("numpy")
    array = numpy.random.default_rng(size).normal(size=size)
    reference = objects.save({"x": array, "y": array[: size // 2]})
    loaded = objects.load(reference)
    assert (loaded["x"] == array).all()
    loaded["x"][:] = 0
    assert (objects.load(reference)["x"] == array).all()


def test_a_value_that_did_not_change_keeps_its_very_reference(objects: ObjectStore) -> None:
    numpy = pytest.importorskip("numpy")
    value = {"array": numpy.arange(600_000, dtype=float), "set": {"a", "b", "c"}, "text": "t" * 300}
    reference = objects.save(value)
    loaded = objects.load(reference)
    assert objects.save(loaded, previous=reference) is reference
    loaded["array"][-1] += 1
    changed = objects.save(loaded, previous=reference)
    assert changed != reference
    assert objects.load(changed)["array"][-1] == 600_000


def test_an_encoding_that_only_varies_keeps_its_reference(objects: ObjectStore) -> None:
    text = "".join(["shared", "text"]) * 30
    reference = objects.save([text, text])  # the pickle memoises the second
    equal_but_not_shared = [str(text.encode(), "ascii"), str(text.encode(), "ascii")]
    assert objects.save(equal_but_not_shared, previous=reference) != reference
    assert objects.save(objects.load(reference), previous=reference) is reference


def test_an_inline_value_that_did_not_change_keeps_its_very_reference(objects: ObjectStore) -> None:
    reference = objects.save(7)
    assert objects.save(7, previous=reference) is reference
    assert objects.save(8, previous=reference) is not reference


class _Model:
    def __init__(self) -> None:
        self.name = "m"
        self.parts = {"lock": [1, threading.Lock()]}


def test_what_cannot_be_stored_is_named_by_its_path(objects: ObjectStore) -> None:
    with pytest.raises(UnserializableObject) as caught:
        objects.save({"model": _Model()})
    assert caught.value.path == "value['model'].parts['lock'][1]"
    assert caught.value.type_name == "_thread.lock"
    assert caught.value.__cause__ is not None


class _Celsius(float):
    pass


class _CelsiusSerializer:
    name = "celsius"

    def handles(self, value: object) -> bool:
        return isinstance(value, _Celsius)

    def encode(self, value: Any) -> Any:
        from cas_store import Encoded

        return Encoded(repr(float(value)).encode())

    def decode(self, head: Any, buffers: Any) -> Any:
        return _Celsius(bytes(head))


class _Refusing:
    def __init__(self) -> None:
        self.me, self.lock = self, threading.Lock()

    def __getstate__(self) -> Any:
        raise TypeError("keep its name instead")


class _Choosing(_Model):
    def __getstate__(self) -> Any:
        return {"kept": self.parts}


@pytest.mark.parametrize(
    ("value", "path", "reason"),
    [(_Refusing(), "value[0]", "keep its name"), (_Choosing(), "value[0].kept['lock'][1]", "lock")],
)
def test_what_an_object_says_of_its_state_counts_and_not_its_other_attributes(
    objects: ObjectStore, value: Any, path: str, reason: str
) -> None:
    with pytest.raises(UnserializableObject) as caught:
        objects.save([value])
    assert caught.value.path == path
    assert reason in caught.value.reason


def test_a_serializer_of_ones_own_is_used_for_its_type_and_needed_to_load() -> None:
    store = ContentStore(MemoryBackend())
    reference = ObjectStore(store, [_CelsiusSerializer()]).save(_Celsius(21.5))
    assert type(ObjectStore(store, [_CelsiusSerializer()]).load(reference)) is _Celsius
    with pytest.raises(UnloadableObject, match="celsius"):
        ObjectStore(store).load(reference)


@pytest.mark.parametrize(
    "data",
    [None, 1, [], {}, {"v": 1}, {"v": 1, "as": "pickle", "head": "x", "size": 1}, {"v": 1, "as": "p", "inline": "*"}],
)
def test_what_is_no_reference_is_refused(data: Any) -> None:
    with pytest.raises(DamagedObject):
        Reference.from_json(data)


def test_a_reference_of_a_later_version_names_what_to_do() -> None:
    with pytest.raises(UnsupportedFormat, match="upgrade"):
        Reference.from_json({"v": 2})


def test_large_byte_strings_come_back_as_what_they_were(objects: ObjectStore) -> None:
    for value in (b"x" * 100_000, bytearray(b"y" * 100_000), b"z" * 3_000_000):
        loaded = objects.load(objects.save(value))
        assert loaded == value
        assert type(loaded) is type(value)


def test_long_texts_come_back_whatever_is_in_them(objects: ObjectStore) -> None:
    for value in ("x" * 100_000, "\N{SNOWMAN}" * 30_000, "lone \ud800 surrogate" * 2000, "line\r\nline\0" * 200_000):
        reference = objects.save(value)
        loaded = objects.load(reference)
        assert loaded == value
        assert type(loaded) is str
        assert objects.save(loaded, previous=reference) is reference


def test_pages_are_kept_raw_where_they_are_mapped_and_compressed_where_they_are_not(objects: ObjectStore) -> None:
    pages = (
        bytearray(bytes(range(256)) * 16 + random.Random(0).randbytes(1024)) * 900
    )  # shrinks to about a fifth a page
    zeros = bytearray(5_000_000)
    for value, kept_raw in ((pages, isinstance(objects.store.backend, LocalBackend)), (zeros, False)):
        digest = objects.store.put_buffer(value)
        pieces = [objects.store.stat(one) for one in objects.store if one.algorithm == "sha256"]
        assert all((one.stored_bytes == one.size_bytes) == kept_raw for one in pieces)
        assert objects.store.load(digest) == value
        for one in list(objects.store):
            objects.store.delete(one)
