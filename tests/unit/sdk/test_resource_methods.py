"""What a resource method builds faster than the SDK equals what the SDK builds."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from inference_recorder.recording.answer import Recording, Value
from inference_recorder.recording.body import typed
from inference_recorder.sdk.internals import constructed
from inference_recorder.sdk.methods import method_for
from inference_recorder.sdk.replay import revived_answer

from ...support.differences import differences

EMBEDDINGS = method_for("/v1/embeddings")
_WRONG = st.sampled_from([None, 1, "x", [], {}, {"embedding": "AAAA"}, [1, 2.5]])
_VECTORS = (
    st.sampled_from(["", "AACAPwAAAEA=", "no base64", "é"]) | st.lists(st.integers(0, 3) | st.floats(0, 1)) | _WRONG
)
_ITEMS = st.fixed_dictionaries(
    {}, optional={"object": st.just("embedding") | _WRONG, "embedding": _VECTORS, "index": st.integers() | _WRONG,
                  "extra": _WRONG},
)  # fmt: skip
_ANSWERS = st.fixed_dictionaries(
    {"data": st.lists(_ITEMS, max_size=3) | st.lists(_ITEMS | _WRONG, max_size=3)},
    optional={"object": st.just("list") | _WRONG, "model": st.just("m") | _WRONG, "extra": _WRONG,
              "usage": st.just({"prompt_tokens": 1, "total_tokens": 1}) | _WRONG},
)  # fmt: skip


@given(data=_ANSWERS, is_usual=st.booleans())
def test_encoded_embeddings_are_the_ones_that_the_sdk_constructs(data: Any, is_usual: bool) -> None:
    """Strings where its type has numbers, whatever else is in the answer; they are put in afterwards."""
    assert EMBEDDINGS is not None
    if is_usual:
        whole = {"object": "embedding", "embedding": "AACAPwAAAEA=", "index": 0}
        usage = {"prompt_tokens": 1, "total_tokens": 1}
        items = [{**whole, **item} for item in data["data"] if isinstance(item, dict)]
        data = {"object": "list", "model": "m", "usage": usage, **data, "data": items}
    expected = constructed(EMBEDDINGS.answer_type, data)

    recording = Recording("file.json", Value(typed("a.B", data)))
    actual = revived_answer(EMBEDDINGS, recording, None, is_async=False)

    assert actual.__dict__.pop("_request_id") is None  # what the client adds to every answer
    assert [] == differences(expected, actual)
