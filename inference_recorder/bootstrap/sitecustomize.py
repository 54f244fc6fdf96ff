"""Run by each Python process that starts with this directory on its PYTHONPATH, as while a session is open.

The process joins the session when it imports the SDK. Nothing happens where this package cannot be imported. A
`sitecustomize` that is installed runs as usual.
"""

import os
import sys


class _Finder:
    """Finds nothing; joins the session before the SDK is loaded."""

    def find_spec(self, name: str, path: object = None, target: object = None) -> None:
        if name == "openai":
            _join()


_finder = _Finder()


def _join() -> None:
    if _finder in sys.meta_path:
        sys.meta_path.remove(_finder)
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
    if "openai" in sys.modules:
        _join()
    else:
        sys.meta_path.insert(0, _finder)
_run_installed()
