"""The page in a real browser: what a reviewer opens who got it attached to a pull request by a stranger."""

from __future__ import annotations

import re
import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from inference_recorder.views import report

from ....conftest import NEEDS_BROWSER
from .example import AGENT, GREETING, SEARCH, Example, chat_answer, chat_stream, travel_agency

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))), None)
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason=NEEDS_BROWSER)

HOSTILE = (
    "</script><script>window.ran = true</script><img src=x onerror='window.ran = true'>"
    '"><svg onload=window.ran=true>&lt;b&gt;<!--<script>\u2028<!--DATA--><a href="javascript:window.ran=true">x</a>'
)
Open = Callable[..., Any]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM)
        yield browser
        browser.close()


@pytest.fixture
def open_page(browser: Any, tmp_path: Path) -> Iterator[Open]:
    """Opens the page of a run; fails the test if it complains, shows a dialog or asks anybody for anything."""
    complaints: list[str] = []
    contexts: list[Any] = []

    def open_(run: Example | None = None, *, file: Path | None = None, **options: Any) -> Any:
        if file is None:
            assert run is not None
            file = tmp_path / "report.html"
            report.write(file, [run.directory], run.calls, run.misses, run.outcomes)
        context = browser.new_context(**{"viewport": {"width": 1400, "height": 900}} | options)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(10_000)
        page.on("console", lambda message: complaints.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("dialog", lambda dialog: (complaints.append(dialog.message), dialog.dismiss()))
        page.on("request", lambda request: request.url == file.as_uri() or complaints.append(request.url))
        page.goto(file.as_uri())
        return page

    yield open_
    for context in contexts:
        context.close()
    assert [] == complaints


@pytest.fixture
def travel(tmp_path: Path) -> Example:
    return travel_agency(tmp_path / "recordings")


def test_the_tree_lists_every_test_by_its_file(open_page: Open, travel: Example) -> None:
    """One looks for a test first, and knows its file."""
    page = open_page(travel)

    names = page.locator("#tree a .name").all_text_contents()
    assert len({call["test_id"] for call in travel.calls}) == len(names)
    assert "test_an_agent_finds_the_cheaper_train Lisbon-Porto" in names
    assert "tests/agents/test_trains.py" in page.locator("#tree summary .path").all_inner_texts()
    assert ["1 missed"] == page.locator("#tree .trouble").all_inner_texts()
    assert "8 calls in 7 tests" == page.locator("#found").inner_text()


def test_a_click_shows_the_conversation(open_page: Open, travel: Example) -> None:
    """Who wrote what, which tools with which arguments, what it cost: the reason to open the page."""
    page = open_page(travel)
    _look_at(page, "an_agent_finds")

    _expect(page, "h1", "test_an_agent_finds_the_cheaper_train")
    assert ["recorded"] * 2 == page.locator(".call .tag").all_inner_texts()
    first = page.locator(".call").first.inner_text()
    assert "I need to be in Porto for lunch on Friday." in first
    assert '{"origin":"Lisbon","destination":"Porto","day":"Friday"}' in first
    assert "214 tokens in, 31 out" in first.replace("\n", " ").replace("  ", " ")
    last = page.locator(".call").last.inner_text()
    assert "it leaves Lisbon at 09:39 and reaches Porto before lunch." in last
    assert "3 messages as in the call before and its answer" in last
    assert "I need to be in Porto" not in last  # the previous call's messages are folded away


def test_it_shows_how_tests_ended(open_page: Open, travel: Example) -> None:
    """After a red run one looks for the failed tests first; a word beside the sign is there for those who hear it."""
    page = open_page(travel)
    assert GREETING == page.locator(".failed-list").inner_text()
    signs = [(sign.inner_text(), sign.get_attribute("aria-label")) for sign in page.locator("#tree .result").all()]
    assert Counter({("✓", "passed"): 5, ("✗", "failed"): 1, ("–", "failed as expected"): 1}) == Counter(signs)

    page.get_by_role("button", name="failed tests 1").click()
    _expect(page, "#found", "Found 1 call in 1 test")
    _look_at(page, "test_a_guest")
    assert "failed" == page.locator(".sheet > .facts .tag").inner_text()


def test_a_test_and_a_call_have_an_address_that_stays(open_page: Open, travel: Example) -> None:
    """A link into the page of one run shows the same test in the page of the next, whatever else has run."""
    page = open_page(travel)
    _look_at(page, "an_agent_finds")
    link = page.locator(".crumb a")
    assert AGENT == link.inner_text()
    href, of_call = link.get_attribute("href"), page.locator(".call-head a").last.get_attribute("href")
    travel.calls = [call for call in travel.calls if call["test_id"] != SEARCH][:2]

    page = open_page(travel)
    page.evaluate(f"location.hash = {of_call!r}")
    _expect(page, "h1", "test_an_agent_finds")
    assert 1 == page.locator(f'#call-2 a[href="{of_call}"]').count()
    page.goto(f"{page.url.partition('#')[0]}#{AGENT}")
    _expect(page, ".crumb", AGENT)
    assert f"{href}.2" == of_call


@pytest.mark.slow
def test_what_is_searched_for_is_marked(open_page: Open, travel: Example) -> None:
    """In names too, which are in pieces so that they may be broken, and in a text that was folded."""
    long = "x " * 2000 + "needle"
    body = {"model": "m", "messages": [{"role": "user", "content": long}]}
    travel.call(AGENT, "/v1/chat/completions", body, chat_answer("A needle.", (1, 1)), outcome="recorded")
    page = open_page(travel)
    _look_at(page, "an_agent_finds")
    assert 1 == page.locator(".clamped").count()
    page.locator("#search").fill("NEEDLE agent_finds")
    _expect(page, "#found", "Found 1 call")

    marked = page.evaluate("[...CSS.highlights.get('found')].map((range) => range.toString())")
    assert Counter({"needle": 2, "agent_finds": 3}) == Counter(marked)
    assert 0 == page.locator(".clamped").count()


@pytest.mark.slow
def test_chunks_lie_on_a_time_line_or_in_their_order(open_page: Open, travel: Example) -> None:
    """A replay's chunks have no times; bars that look like times would be a lie."""
    page = open_page(travel)
    _look_at(page, "an_agent_finds")
    assert "23 chunks by time: the first after 380 ms" in page.locator(".stream").inner_text()
    assert "chunk 1, after 380 ms: 4 characters" == page.locator(".stream rect title").first.text_content()

    _look_at(page, "word_by_word")
    assert "17 chunks by order; the times were not recorded" in page.locator(".stream").inner_text()
    assert "chunk 1: 5 characters" == page.locator(".stream rect title").first.text_content()


@pytest.mark.slow
def test_a_miss_is_shown_once_with_its_explanation(open_page: Open, travel: Example) -> None:
    """The plugin tells of it twice, as a call and as a miss; its difference is what a reviewer wants to see."""
    page = open_page(travel)
    assert GREETING == page.locator(".missed-list").inner_text()
    page.locator(".missed-list a").click()
    _expect(page, "h1", "test_a_guest_is_greeted_by_name")

    assert 1 == page.locator(".call").count()
    assert "in the language of the guest" in page.locator(".explanation .come").inner_text()
    assert "- Greet the guest by first name." == page.locator(".explanation .gone").inner_text().strip()
    assert "Anna from Lyon is here." == page.locator(".turn.ask .what").inner_text()
    assert " ms" not in page.locator("main").inner_text()
    page.locator("#search").fill("Lyon")
    _expect(page, "#found", "Found 1 call in 1 test")


@pytest.mark.slow
def test_a_miss_outside_a_test_is_a_miss_too(open_page: Open, travel: Example) -> None:
    """A fixture wider than a test, or a script, asks as well."""
    travel.miss(None, "/v1/moderations", "omni", "Recording not found")
    page = open_page(travel)

    assert [GREETING, "Outside a test, /v1/moderations"] == page.locator(".missed-list a").all_inner_texts()
    assert ["1 missed", "1 missed"] == page.locator("#tree .trouble").all_inner_texts()


@pytest.mark.slow
def test_the_search_finds_all_that_is_on_the_page(open_page: Open, travel: Example) -> None:
    """Names, models, texts, tools, failures and misses, in any case; every word must be there."""
    page = open_page(travel)
    for words, expected in {
        "word_by_word": ["test_a_poem_arrives_word_by_word"],
        "gpt-5-mini": ["test_a_plan_is_reasoned_about"],
        "CLÉRIGOS tower": ["test_a_landmark_is_named"],
        "find_trains": ["test_an_agent_finds_the_cheaper_train Lisbon-Porto"],
        "maximum context": ["test_a_full_context_is_reported_to_the_user"],
        "concierge hotel": ["test_a_guest_is_greeted_by_name"],
        "concierge tower": [],
    }.items():
        page.locator("#search").fill("")
        _expect(page, "#found", re.compile("^8 calls"))
        page.locator("#search").fill(words)
        _expect(page, "#found", re.compile("^Found|^Nothing found"))

        assert expected == page.locator("#tree a .name").all_text_contents(), words


@pytest.mark.slow
def test_an_outcome_filters_the_tree(open_page: Open, travel: Example) -> None:
    """After a run in record-if-missing: what is new?"""
    page = open_page(travel)
    page.get_by_role("button", name="recorded 2").click()
    _expect(page, "#found", "Found 2 calls in 1 test")

    assert 1 == page.locator("#tree a").count()
    assert "true" == page.get_by_role("button", name="recorded 2").get_attribute("aria-pressed")


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_is_light_or_dark_as_the_system_until_one_chooses(open_page: Open, travel: Example, scheme: str) -> None:
    """And every text on it keeps the contrast that WCAG AA asks for, 4.5 to 1, in both."""
    page = open_page(travel, color_scheme=scheme)
    shown = {"light": "rgb(252, 251, 248)", "dark": "rgb(22, 21, 19)"}
    other = {"light": "dark", "dark": "light"}[scheme]
    assert shown[scheme] == _background(page)
    assert 4.5 <= page.evaluate(_LEAST_CONTRAST)

    page.locator("#theme").click()
    assert shown[other] == _background(page)
    page.reload()
    assert shown[other] == _background(page)


@pytest.mark.slow
def test_the_keyboard_is_enough(open_page: Open, travel: Example) -> None:
    """Those who read a hundred tests do not reach for the mouse a hundred times; some have none."""
    page = open_page(travel)
    page.keyboard.press("j")
    page.keyboard.press("j")
    _expect(page, "h1", "test_a_plan_is_reasoned_about")
    page.keyboard.press("k")
    _expect(page, "h1", "test_an_agent_finds")
    page.keyboard.press("/")
    page.keyboard.type("tower")
    page.keyboard.press("Enter")
    _expect(page, "h1", "test_a_landmark_is_named")
    page.keyboard.press("Escape")
    _expect(page, "#found", "8 calls in 7 tests")
    assert 7 == page.locator("#tree a").count()
    page.locator("#tree summary").first.focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    _expect(page, "h1", "test_an_agent_finds")


@pytest.mark.slow
def test_it_names_its_parts_for_those_who_hear_it(open_page: Open, travel: Example) -> None:
    """A screen reader jumps by landmarks and headings, and reads a control by its name."""
    page = open_page(travel)
    _look_at(page, "an_agent_finds")

    assert 1 == page.get_by_role("navigation", name="Tests").count()
    assert 1 == page.get_by_role("main").count()
    assert 1 == page.get_by_role("searchbox", name="Search tests, models and text").count()
    assert 1 == page.get_by_role("heading", level=1).count()
    assert 2 == page.get_by_role("heading", level=2).count()
    assert 1 == page.get_by_role("img", name="23 chunks by time").count()
    assert "true" == page.locator("#tree a", has_text="an_agent_finds").get_attribute("aria-current")
    assert 0 == page.locator("button:empty:not([aria-label]), a:not([href])").count()


@pytest.mark.slow
def test_it_is_readable_on_a_phone(open_page: Open, travel: Example) -> None:
    """A link to it is opened from a chat; nothing may hang over the edge."""
    page = open_page(travel, viewport={"width": 390, "height": 844})
    assert not page.get_by_role("main").is_visible()
    _look_at(page, "an_agent_finds")

    assert not page.get_by_role("navigation").is_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.get_by_role("link", name="All tests").click()
    page.get_by_role("navigation").wait_for(state="visible")
    assert not page.get_by_role("main").is_visible()


def test_a_hostile_recording_runs_nothing(open_page: Open, tmp_path: Path) -> None:
    """Recordings come from strangers' pull requests; one that runs a script could attack its reviewer."""
    run = Example(tmp_path / "recordings")
    call = {"id": HOSTILE, "type": "function", "function": {"name": HOSTILE, "arguments": HOSTILE}}
    tool = {"type": "function", "function": {"name": HOSTILE, "description": HOSTILE, "parameters": {HOSTILE: 1}}}
    body = {
        "model": HOSTILE,
        "messages": [{"role": HOSTILE, "content": HOSTILE}, {"role": "user", "content": [{"type": HOSTILE}]}],
        "tools": [tool],
        HOSTILE: HOSTILE,
    }
    answer = chat_answer(HOSTILE, (1, 1), HOSTILE, tool_calls=[call], refusal=HOSTILE, reasoning=HOSTILE)
    test_id = f"tests/{HOSTILE}.py::test_{HOSTILE}[{HOSTILE}]"
    run.call(test_id, f"/v1/chat/completions/{HOSTILE}", body, answer)
    run.call(test_id, "/v1/chat/completions", body, answer, outcome=HOSTILE)
    run.miss(test_id, HOSTILE, HOSTILE, HOSTILE)
    page = open_page(run)
    page.locator("#tree a").first.click()
    _expect(page, "h1", "window.ran")
    page.locator("#search").fill("window.ran")
    _expect(page, "#found", "Found 3 calls in 1 test")
    for summary in page.locator("main summary").all():
        summary.click()

    assert page.evaluate("window.ran === undefined")
    assert HOSTILE in page.locator(".call").nth(1).locator(".what").first.text_content()
    assert HOSTILE in page.locator(".aside p").first.text_content()
    assert (2, 1, 0) == tuple(
        page.evaluate("['script', 'style', 'main img, main a[href^=javascript], main svg'].map("
                      "one => document.querySelectorAll(one).length)")
    )  # fmt: skip


def test_a_script_that_got_in_all_the_same_would_not_run(browser: Any, travel: Example, tmp_path: Path) -> None:
    """The policy is the second lock: it lets our own script run, by its digest, and no other."""
    file = tmp_path / "report.html"
    report.write(file, [travel.directory], travel.calls, travel.misses)
    text = file.read_text(encoding="utf-8")
    file.write_text(text.replace("</body>", "<script>window.ran = true</script></body>"), encoding="utf-8")
    page = browser.new_page()
    page.add_init_script(
        "window.refused = [];"
        "addEventListener('securitypolicyviolation', event => refused.push(event.effectiveDirective));"
    )
    page.goto(file.as_uri())

    assert page.evaluate("window.ran === undefined")
    assert ["script-src-elem"] == page.evaluate("refused")
    assert 7 == page.locator("#tree a").count()
    page.close()


@pytest.mark.slow
def test_what_is_long_is_folded_and_what_was_cut_says_so(open_page: Open, tmp_path: Path) -> None:
    """A prompt of a megabyte is neither on the screen nor on the page, and the page does not claim that it is."""
    run = Example(tmp_path / "recordings")
    body = {"model": "m", "messages": [{"role": "user", "content": "abcdefghi " * 100_000}]}
    run.call(AGENT, "/v1/chat/completions", body, chat_answer("ok", (1, 1)))
    page = open_page(run)
    _look_at(page, "test_an_agent")

    assert "Cut here: the recording has 1,000,000 characters." in page.locator(".call").inner_text()
    assert page.locator(".text.clamped").bounding_box()["height"] < 400
    page.get_by_role("button", name="Show all 20,001 characters").click()
    assert 0 == page.locator(".clamped").count()


@pytest.mark.slow
def test_three_thousand_calls_open_in_a_moment(open_page: Open, tmp_path: Path, capsys: Any) -> None:
    """llama-stack's suite has 3,162 recordings. The figure is printed, not asserted."""
    run = Example(tmp_path / "recordings")
    for number in range(3000):
        test_id = f"tests/part_{number // 60}/test_{number // 20}.py::test_number_{number // 3}[{number % 3}]"
        text = " ".join(f"word{(number * 7 + position * 13) % 5000}" for position in range(400))
        body = {"model": "gpt-4o", "messages": [{"role": "user", "content": text}], "stream": True}
        deltas = [f"{number}-{position} " for position in range(100)]
        run.call(test_id, "/v1/chat/completions", body, chat_stream(deltas, (600, 100)))
    file = tmp_path / "report.html"
    begun = time.perf_counter()
    report.write(file, [run.directory], [], [])
    written = time.perf_counter()
    page = open_page(file=file)
    page.locator("#tree a").first.wait_for()
    opened = time.perf_counter()
    page.locator("#search").fill("2999-99")
    _expect(page, "#found", "Found 1 call in 1 test")
    found = time.perf_counter()
    with capsys.disabled():
        print(
            f"\n3,000 recordings: written in {written - begun:.2f} s, {file.stat().st_size / 1e6:.1f} MB, "
            f"opened in {opened - written:.2f} s, searched in {found - opened:.2f} s"
        )

    assert file.stat().st_size < 20_000_000
    _look_at(page, "test_number_999")
    assert "2999-0 2999-1 2999-2" in page.locator(".call").inner_text()


_LEAST_CONTRAST = """() => {
  const channels = (name) => {
    const probe = document.body.appendChild(document.createElement("i"));
    probe.style.color = `var(--${name})`;
    const found = getComputedStyle(probe).color.match(/[0-9.]+/g).map(Number);
    probe.remove();
    return found;
  };
  const light = (name) => {
    const linear = (one) => one <= 0.04045 ? one / 12.92 : ((one + 0.055) / 1.055) ** 2.4;
    const [r, g, b] = channels(name).map((one) => linear(one / 255));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const contrast = (one, other) => {
    const [low, high] = [light(one), light(other)].sort((a, b) => a - b);
    return (high + 0.05) / (low + 0.05);
  };
  const inks = ["ink", "soft", "accent", "ask", "tool", "think", "bad"];
  return Math.min(
    ...inks.flatMap((one) => [contrast(one, "paper"), contrast(one, "shade")]),
    contrast("accent", "wash"), contrast("bad", "bad-wash"), contrast("soft", "lift"), contrast("ink", "mark"));
}"""


def _look_at(page: Any, test: str) -> None:
    page.locator("#tree a", has_text=test).click()
    _expect(page, "h1", test)


def _expect(page: Any, position: str, text: str | re.Pattern[str]) -> None:
    from playwright.sync_api import expect

    expect(page.locator(position)).to_contain_text(text)


def _background(page: Any) -> str:
    colour: str = page.evaluate("getComputedStyle(document.body).backgroundColor")
    return colour
