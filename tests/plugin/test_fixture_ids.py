"""Fixtures that several tests share are distinguished by name, location and pytest's ids of their parameters."""

from __future__ import annotations

import textwrap

import pytest

from inference_recorder.fixture_ids import FixtureId, fixture_id, parsed_fixture_id

from .conftest import Suite
from .noting import noted, write_tests

RECORD = "--inference-mode=record"
SCOPES = pytest.mark.parametrize("scope", ["class", "module", "package", "session"])


@SCOPES
def test_fixtures_with_equal_requests_are_distinguished(scope: str, suite: Suite) -> None:
    """When only their order distinguished them, a test that ran alone got the other fixture's answer."""
    write_tests(
        suite,
        f"""
        @pytest.fixture(scope={scope!r})
        def one():
            first = ask()
            yield first
            assert first != ask()

        @pytest.fixture(scope={scope!r})
        def two(request): return ask()

        class TestIt:
            def test_one(self, one): note(one)
            def test_two(self, request): note(request.getfixturevalue("two"))
            def test_both(self, two, one): note(two, one)
        """,
    )
    suite.run(RECORD).assert_outcomes(passed=3)
    live = noted(suite)
    assert {"test_one": ["Hello 0!"], "test_two": ["Hello 1!"], "test_both": ["Hello 1!", "Hello 0!"]} == live

    for test in live:
        suite.run("-k", test).assert_outcomes(passed=1, deselected=2)
        assert {test: live[test]} == noted(suite)
    suite.run("-p", "randomly", "--randomly-seed=1").assert_outcomes(passed=3)
    assert live == noted(suite)
    assert 3 == suite.server.count


PARAMETERS = {
    "automatic": ('params=["a", "b"]', 'params=["new", "b", "a"]', ""),
    "explicit": ('params=[1, 2], ids=["a", "b"]', 'params=[3, 2, 1], ids=["new", "b", "a"]', ""),
    "callable": ("params=[1, 2], ids=lambda n: 'xab'[n]", "params=[0, 2, 1], ids=lambda n: ['new', 'a', 'b'][n]", ""),
    "pytest.param": (
        'params=[pytest.param(object(), id="a"), pytest.param(object(), id="b")]',
        'params=[pytest.param(object(), id="new"), pytest.param(object(), id="b"), pytest.param(object(), id="a")]',
        "",
    ),
    "indirect": (
        "",
        "",
        "@pytest.mark.parametrize('wide', {}, indirect=True)",
    ),
}


@pytest.mark.quick_cases(8)
@SCOPES
@pytest.mark.parametrize("kind", PARAMETERS)
def test_parameters_with_equal_requests_are_distinguished(kind: str, scope: str, suite: Suite) -> None:
    """By pytest's id, so that a parameter put before another does not move its recordings."""
    before, after, mark = PARAMETERS[kind]
    test = """
        @pytest.fixture(scope={scope!r}{parameters})
        def wide(request):
            yield ask()
            ask()

        class TestIt:
            {mark}
            def test_it(self, wide): note(wide)
    """

    def write(parameters: str, values: str) -> None:
        parameters = f", {parameters}" if parameters else ""
        write_tests(suite, textwrap.dedent(test).format(scope=scope, parameters=parameters, mark=mark.format(values)))

    write(before, "['a', 'b']")
    suite.run(RECORD).assert_outcomes(passed=2)
    live = noted(suite)
    assert 4 == suite.server.count == len(suite.files())

    suite.run("-k", "test_it[b]").assert_outcomes(passed=1, deselected=1)
    assert {"test_it[b]": live["test_it[b]"]} == noted(suite)
    write(after, "['new', 'b', 'a']")
    suite.run().assert_outcomes(passed=2, errors=1)
    assert live == noted(suite)
    assert 4 == suite.server.count


def test_a_fixture_is_distinguished_by_the_parameters_it_depends_on(suite: Suite) -> None:
    """It is set up once for each of them, with the same request each time."""
    write_tests(
        suite,
        """
        @pytest.fixture(scope="module", params=["a", "b"])
        def model(request): return request.param

        @pytest.fixture(scope="module")
        def client(model): return model

        @pytest.fixture(scope="module")
        def answer(client): return ask()

        @pytest.fixture(scope="module")
        def unrelated(): return ask("unrelated")

        def test_it(unrelated, answer, model): note(answer, unrelated)

        @pytest.mark.parametrize("name", ["x", "y"], scope="module")
        def test_direct(name, by_name): note(by_name)

        @pytest.fixture(scope="module")
        def by_name(name): return ask("by name")
        """,
    )
    suite.run(RECORD).assert_outcomes(passed=4)
    live = noted(suite)
    suite.run("test_it.py::test_direct[y]", "test_it.py::test_it[b]").assert_outcomes(passed=2)

    assert {name: live[name] for name in ("test_it[b]", "test_direct[y]")} == noted(suite)
    ids = ["answer[model=a]", "answer[model=b]", "by_name[name=x]", "by_name[name=y]", "unrelated"]
    assert [f"test_it.py@{fixture}" for fixture in ids] == suite.test_ids()


def test_parameters_have_the_ids_that_pytest_gives_them(suite: Suite) -> None:
    """The declaration does not matter: together, stacked, twice the same, by a hook, or with a hidden id."""
    write_tests(
        suite,
        """
        def pytest_generate_tests(metafunc):
            if "by_hook" in metafunc.fixturenames:
                metafunc.parametrize("by_hook", [None, 1.5], indirect=True)

        def fixture(name):
            @pytest.fixture(scope="module", name=name)
            def asking(request): ask(str(request.param))
            return asking

        one, two, twice, by_hook, hidden, with_dynamic_scope = map(
            fixture, ["one", "two", "twice", "by_hook", "hidden", "with_dynamic_scope"]
        )

        @pytest.mark.parametrize("two", ["x"], indirect=True)
        @pytest.mark.parametrize(["one", "twice"], [(1, "é"), (2, b"b")], indirect=True)
        def test_stacked(one, two, twice): pass

        @pytest.mark.parametrize("twice", [["a"], ["b"]], indirect=True, ids=["same", "other"])
        @pytest.mark.parametrize("number", [1])
        class TestIt:
            def test_method(self, twice, number): pass

        def test_hook(by_hook): pass

        HIDDEN = getattr(pytest, "HIDDEN_PARAM", "hidden")

        @pytest.mark.parametrize("hidden", [pytest.param(1, id=HIDDEN), pytest.param(2, id="shown")], indirect=True)
        @pytest.mark.parametrize("one", [3], indirect=True)
        def test_hidden(hidden, one): pass

        @pytest.fixture(scope=lambda fixture_name, config: "session", params=[{"a": 1}, {"a": 2}])
        def dynamic(request): ask(str(request.param))

        def test_dynamic(dynamic): pass
        """,
    )
    hidden = "" if hasattr(pytest, "HIDDEN_PARAM") else "hidden"

    suite.run(RECORD).assert_outcomes(passed=10)

    expected = [
        "by_hook[1.5]", "by_hook[None]", f"hidden[{hidden}]", "hidden[shown]", "one[1-\\xe9]", "one[2-b]", "one[3]",
        "twice[1-\\xe9]", "twice[2-b]", "twice[other]", "twice[same]", "two[x]",
    ]  # fmt: skip
    sessions = ["session@test_it.py::dynamic[dynamic0]", "session@test_it.py::dynamic[dynamic1]"]
    assert [*sessions, *(f"test_it.py@{fixture}" for fixture in expected)] == sorted(set(suite.test_ids()))


def test_a_fixture_that_overrides_another_is_distinguished_from_it(suite: Suite) -> None:
    """Both are in one module, have one name, and one requests the other."""
    suite.write("conftest.py", "@pytest.fixture(scope='module')\ndef wide(): return ask()\n")
    suite.write("tests/conftest.py", "@pytest.fixture(scope='module')\ndef wide(wide): return [ask(), wide]\n")
    write_tests(
        suite,
        """
        @pytest.fixture(scope="module")
        def wide(wide): return [ask(), *wide]

        def test_it(wide): note(*wide)
        """,
        "tests/test_it.py",
    )
    suite.run(RECORD).assert_outcomes(passed=1)
    live = noted(suite)
    suite.run().assert_outcomes(passed=1)

    assert ["Hello 2!", "Hello 1!", "Hello 0!"] == live["test_it"]
    assert live == noted(suite)
    start = "tests/test_it.py@"
    assert [f"{start}/wide", f"{start}tests/wide", f"{start}wide"] == suite.test_ids()


def test_session_fixtures_of_one_name_in_several_files_are_distinguished(suite: Suite) -> None:
    """Each file has its own `client`; before, only their order distinguished them."""
    for name in "ab":
        fixture = "@pytest.fixture(scope='session', autouse=True)\ndef wide(): return ask()\n"
        write_tests(suite, f"{fixture}\ndef test_it(wide): note(wide)\n", f"test_{name}.py")
    suite.run(RECORD).assert_outcomes(passed=2)
    live = noted(suite)["test_it"]
    suite.run("test_b.py", "test_a.py").assert_outcomes(passed=2)

    assert live[::-1] == noted(suite)["test_it"]
    assert ["session@test_a.py::wide", "session@test_b.py::wide"] == suite.test_ids()


def test_a_class_fixture_outside_a_class_is_the_tests_own(suite: Suite) -> None:
    """pytest sets it up for each such test; another id would only be longer."""
    write_tests(suite, "@pytest.fixture(scope='class')\ndef wide(): ask()\n\ndef test_it(wide): ask()\n")

    suite.run(RECORD).assert_outcomes(passed=1)

    assert ["test_it.py::test_it"] * 2 == suite.test_ids()


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        (("session", "", "answer", None, ()), "session@answer"),
        (("session", ".", "answer", None, ()), "session@answer"),
        (("session", "tests", "answer", "gpt-4o", ()), "session@tests/answer[gpt-4o]"),
        (("session", "a/test_a.py", "answer", None, ()), "session@a/test_a.py::answer"),
        (("a/", "a", "answer", None, ()), "a/@answer"),
        (("a@b/[c]/test_a.py", "a@b/[c]/test_a.py", "answer", "x@y[1]", ()), "a@b/[c]/test_a.py@answer[x@y[1]]"),
        (("test_a.py", "", "answer", "", ()), "test_a.py@/answer[]"),
        (("a.py::TestB::TestC", "a.py::TestB", "answer", None, ()), "a.py::TestB::TestC@a.py::TestB::answer"),
        (("a.py", "a.py", "answer", "a\nb::c", (("z", "1"), ("b", "2"))), "a.py@answer[a\nb::c][b=2][z=1]"),
        (("test_a.py", "test_a.py", "_xunit_setup_module_fixture_tests.test_a", None, ()), "test_a.py@setup_module"),
        (("test_a.py::T", "test_a.py::T", "_unittest_setUpClass_fixture_T", None, ()), "test_a.py::T@setUpClass"),
    ],
)  # fmt: skip
def test_an_id_says_whose_fixture_it_is(
    parts: tuple[str, str, str, str | None, list[tuple[str, str]]], expected: str
) -> None:
    """The id shows what it belongs to, in a list and when a file is renamed."""
    made = fixture_id(*parts)

    assert expected == str(made)
    assert made == parsed_fixture_id(expected)


@pytest.mark.parametrize(
    "test_id",
    [
        "tests/test_a.py::test_b",
        "tests/test_a.py::test_b[me@example]",
        "tests/test_a.py::test_b[x@y[1]]",
        "tests/test_a.py::TestC::test_b[a.py@answer]",
        "tests/a@b/test_a.py::test_b",
        "tests/a.b@c/test_a.py::test_b",
        "README.md::[1]",
        "session",
        "",
    ],
)
def test_a_tests_id_is_not_taken_for_a_fixtures(test_id: str) -> None:
    """`check` would ask for a file of that name, find none, and call the recording an orphan."""
    assert parsed_fixture_id(test_id) is None


def test_the_parts_of_an_id_are_named() -> None:
    """`node_id` is what pytest calls the scope."""
    fixture = parsed_fixture_id("pkg/@pkg/conftest/answer[x]")

    assert fixture == FixtureId("pkg/", "pkg/conftest/", "answer", "[x]")
    assert "pkg" == fixture.node_id
