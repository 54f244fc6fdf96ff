"""Every way of calling the SDK, by name: live, recorded and replayed results are equal, and replay sends nothing."""

import pytest

pytest.register_assert_rewrite("tests.sdk.ways.watching")
