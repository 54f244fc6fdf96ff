"""Embeddings, model lists, moderations, images and sound: what there is to read of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ..json_tree import JsonObject, JsonValue
from .parts import Part, Turn, content_parts, described_media, objects_in, pretty, size_of, text_in
from .reply import Reply

_FLOAT_BYTES = 4


def request_input(body: JsonObject) -> Iterator[Turn]:
    """Yield the input of a request for embeddings, a moderation or speech; tokens are counted."""
    given = body.get("input")
    items = given if isinstance(given, list) else []
    lengths = [len(item) for item in items if isinstance(item, list)]
    if items and all(isinstance(item, int) for item in items):
        yield Turn("input", (Part("attachment", f"{len(items):,} tokens"),))
    elif items and len(lengths) == len(items):
        yield Turn("input", (Part("attachment", f"{len(items):,} inputs of {sum(lengths):,} tokens together"),))
    elif given is not None:
        yield Turn("input", tuple(content_parts(given)))


def request_prompt(body: JsonObject) -> Iterator[Turn]:
    """Yield the prompt and the files of a request for an image, a transcription or a translation."""
    prompt = text_in(body, "prompt")
    parts = [Part("text", prompt)] if prompt else []
    files = body.get("files")
    for file in files if isinstance(files, list) else ():
        words = [word for word in file if isinstance(word, str)] if isinstance(file, list) else [pretty(file)]
        parts.append(Part("attachment", ", ".join(words)))
    if parts:
        yield Turn("prompt", tuple(parts))


def no_request_turns(body: JsonObject) -> Iterator[Turn]:
    """Yield nothing: all that such a request says are its settings."""
    yield from ()


def request_json(body: JsonObject) -> Iterator[Turn]:
    """Yield any request as its JSON."""
    if body:
        yield Turn("request", (Part("json", pretty(body)),))


def embeddings_reply(answer: JsonValue) -> Reply:
    """Return how many vectors there are, and of how many numbers."""
    items = objects_in(answer, "data")
    lengths = sorted({_dimensions(item.get("embedding")) for item in items})
    noun = "vector" if len(items) == 1 else "vectors"
    text = f"{len(items):,} {noun} of {' or '.join(str(length) for length in lengths) or 'nothing'}"
    return Reply((Turn("embeddings", (Part("attachment", text),)),))


def listed_models(items: Sequence[JsonValue]) -> Reply:
    """Return the names of the models of a list, each on a line."""
    names = [text_in(item, "id") or pretty(item) for item in items]
    text = f"{len(names):,} model{'' if len(names) == 1 else 's'}"
    parts = [Part("attachment", text)]
    return Reply((Turn("models", tuple(parts + [Part("text", "\n".join(names))] * bool(names))),))


def models_reply(answer: JsonValue) -> Reply:
    """Return the same of a page, as older recordings hold it."""
    return listed_models(objects_in(answer, "data"))


def moderation_reply(answer: JsonValue) -> Reply:
    """Return what was flagged, with the scores."""
    return Reply(tuple(Turn("moderation", (_verdict(one),)) for one in objects_in(answer, "results")))


def images_reply(answer: JsonValue) -> Reply:
    """Return what each image is, and how its prompt was revised."""
    return Reply(tuple(_image_turn(image) for image in objects_in(answer, "data")))


def joined_images(events: Sequence[JsonValue]) -> Reply:
    """Return the images of a stream, with a note on the unfinished ones."""
    turns = []
    for event in events:
        note = text_in(event, "type").rpartition(".")[2]
        if isinstance(event, dict):
            turns.append(_image_turn(event, note))
    return Reply(tuple(turns))


def audio_reply(answer: JsonValue) -> Reply:
    """Return the text of a transcription or a translation; what else it says is left to its JSON."""
    if text := text_in(answer, "text"):
        return Reply((Turn("transcript", (Part("text", text),)),))
    return json_reply(answer)


def joined_audio(events: Sequence[JsonValue]) -> Reply:
    """Return the text of a transcription that was streamed."""
    text = "".join(text_in(event, "delta") for event in events if text_in(event, "type").endswith("text.delta"))
    return Reply((Turn("transcript", (Part("text", text),)),)) if text else joined_json(events)


def json_reply(answer: JsonValue) -> Reply:
    """Return any answer as its JSON."""
    return Reply((Turn("answer", (Part("json", pretty(answer)),)),)) if answer is not None else Reply(())


def joined_json(chunks: Sequence[JsonValue]) -> Reply:
    """Return the items of any list, a JSON text for each."""
    return Reply((Turn("answer", tuple(Part("json", pretty(chunk)) for chunk in chunks)),)) if chunks else Reply(())


def bytes_reply(kind: str, data: JsonValue, media_type: str) -> Reply:
    """Return an answer that is not JSON: a text, or the kind and the number of its bytes."""
    if kind == "text" and isinstance(data, str):
        return Reply((Turn("answer", (Part("text", data),)),))
    name = media_type or "binary answer"
    size = f", {size_of(len(data) * 3 // 4)}" if kind == "base64" and isinstance(data, str) else ", in a file beside"
    return Reply((Turn("answer", (Part("attachment", name + size),)),))


def delta_characters(event: JsonValue) -> int:
    """Return how many characters an event of any kind adds, 0 where that is not known."""
    return len(text_in(event, "delta"))


def _dimensions(embedding: JsonValue) -> int:
    if isinstance(embedding, str):
        return (len(embedding) * 3 // 4 - embedding[-2:].count("=")) // _FLOAT_BYTES
    return len(embedding) if isinstance(embedding, list) else 0


def _verdict(result: JsonObject) -> Part:
    categories, scores = result.get("categories"), result.get("category_scores")
    if not isinstance(categories, dict):
        return Part("json", pretty(result))
    flagged = [name for name, is_so in categories.items() if is_so is True]
    known = scores if isinstance(scores, dict) else {}
    words = [f"{name} {known[name]:.2f}" if isinstance(known.get(name), float) else name for name in flagged]
    return Part("text", f"flagged: {', '.join(words) or 'yes'}" if result.get("flagged") or words else "not flagged")


def _image_turn(image: JsonObject, note: str = "") -> Turn:
    parts = [Part("attachment", described_media(image, "image"))]
    if revised := text_in(image, "revised_prompt"):
        parts.append(Part("text", revised))
    return Turn("image", tuple(parts), note)
