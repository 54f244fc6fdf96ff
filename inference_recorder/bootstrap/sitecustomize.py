"""Run by each Python process that starts with this directory on its PYTHONPATH, as while a session is open.

The process joins the session when it imports the SDK or an HTTP library. Nothing happens where this package cannot be
imported. A `sitecustomize` that is installed runs as usual.
"""

import os
import sys

_CALLERS = ("openai", "httpx", "httpx2", "httpcore", "httpcore2", "requests", "urllib3", "aiohttp", "websockets")


class _Finder:
    """Joins the session before a module that makes calls is found, then finds it as the others do."""

    def find_spec(self, name: str, path: object = None, target: object = None) -> object:
        if name not in _CALLERS:
            return None
        _join()
        finders = [getattr(finder, "find_spec", None) for finder in sys.meta_path]
        return next(filter(None, (find(name, path, target) for find in finders if find is not None)), None)


_finder = _Finder()


def _join() -> None:
    # A new list: another thread may be going through the old one, and would skip a finder.
    sys.meta_path = [finder for finder in sys.meta_path if id(finder) != id(_finder)]
    try:
        from inference_recorder.joined import join
    except ImportError:
        return
    join()


def _run_installed() -> None:
    """Run the `sitecustomize` that would have run without this directory."""
    here, own = os.path.dirname(os.path.abspath(__file__)), sys.modules.pop(__name__)
    sys.path[:] = [path for path in sys.path if os.path.abspath(path) != here]
    try:
        import sitecustomize  # type: ignore[import-not-found]  # noqa: F401
    except ImportError as error:
        if error.name != "sitecustomize":
            raise
    finally:
        sys.modules.setdefault(__name__, own)


if sys.version_info >= (3, 10) and os.environ.get("INFERENCE_RECORDER_SESSION"):
    if any(name in sys.modules for name in _CALLERS):
        _join()
    else:
        sys.meta_path.insert(0, _finder)  # type: ignore[arg-type]
_run_installed()
