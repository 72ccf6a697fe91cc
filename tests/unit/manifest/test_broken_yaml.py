"""What is wrong with the YAML itself is refused at its place, with a sentence and a next step."""

import pytest

from celsched.manifest.problem import Problem
from celsched.manifest.source import MAX_BYTES, source_of
from tests.unit.manifest.reading import read

DEEP = "a: " + "[" * 70


@pytest.mark.parametrize(
    ("text", "place", "message", "hint"),
    [
        ("cron: * * * * *\n", "1:7", "an unquoted `*` begins a YAML alias", 'quote it: cron: "* * * * *"'),
        ("cron: */5 * * * *\n", "1:7", "an unquoted `*` begins a YAML alias", 'quote it: cron: "* * * * *"'),
        ("version: 1\nset: *x\n", "2:6", "YAML aliases are not allowed (`*x`)", "text that begins with `*` is quoted"),
        ("version: 1\nset: &x a\n", "2:6", "YAML anchors are not allowed (`&x`)", "use `defaults`"),
        ("a:\n\tb: 1\n", "2:1", "a tab stands where YAML allows spaces only", "indent with spaces"),
        ("cron: @daily\n", "1:7", "text that begins with `@` must be quoted", 'cron: "@daily"'),
        ("a: 'x\nb: 2\n", "1:4", "this quote is not closed", "close it"),
        ('a: "\\q"\n', "1:6", "an unknown escape in double quotes", "write a backslash as"),
        ("a: [1, 2\nb: 3\n", "1:4", "this bracket is not closed", "close it"),
        ("a: b: c\n", "1:5", "a `:` stands where no key can be", "quote text that holds `: `"),
        ("a: 1\nfoo\n", "2:1", "a key without its `:`", "write `key: value`"),
        ("a:\n  b: 1\n c: 2\n", "3:2", "the indentation does not fit", "same column"),
        ("version: 1\nversion: 1\n", "2:1", "`version` stands here twice, first at f.yaml:1:1", "remove one"),
        ("tasks: {x: {}, y: {}, x: {}}\n", "1:23", "`x` stands here twice, first at f.yaml:1:9", "remove one"),
        ("1: x\n", "1:1", "a key must be text, not `1`", 'quote it: "1":'),
        ("true: x\n", "1:1", "a key must be text, not `true`", 'quote it: "true":'),
        ("? [a]\n: b\n", "1:3", "a key must be plain text", None),
        (
            "set: !!python/object/apply:os.system [x]\n",
            "1:6",
            "the YAML tag `!!python/object/apply:os.system`",
            "remove",
        ),
        ("set: !secret x\n", "1:6", "the YAML tag `!secret` is not allowed", "remove it"),
        ("set: .inf\n", "1:6", ".inf is no number that JSON can hold", "quote it"),
        ("set: 1e999\n", "1:6", "1e999 is too large a number", "quote it"),
        (f"set: {'9' * 301}\n", "1:6", "a number of 301 characters is too long", "quote it"),
        ('set: "a\\0"\n', "1:6", "this text holds U+0000", "remove it"),
        ("set: a\x07b\n", "1:7", "the character U+0007 is not allowed in YAML", "remove it"),
        (DEEP, "1:68", "nested more than 64 levels deep", None),
        ("", "1:1", "this file holds no manifest", "begin it with `version: 1`"),
        ("# only\n---\n# remarks\n", "1:1", "this file holds no manifest", "begin it with `version: 1`"),
        ("- a\n", "1:1", "a manifest is a mapping, not a list", "begin it with `version: 1`"),
        ("پاکسازی: * *\n", "1:10", "an unquoted `*` begins a YAML alias", "quote it"),
    ],
)
def test_the_place_the_sentence_and_the_hint(text: str, place: str, message: str, hint: str | None) -> None:
    problems = read(text).problems
    found = [
        problem for problem in problems if f"{problem.line}:{problem.column}" == place and message in problem.message
    ]
    assert found, [problem.render() for problem in problems]
    if hint:
        assert hint in (found[0].hint or "")


def test_a_bomb_is_refused_without_being_built() -> None:
    text = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
        f"{next_}: &{next_} [{', '.join([f'*{last}'] * 9)}]\n"
        for last, next_ in zip("abcdefgh", "bcdefghi", strict=True)
    )
    assert any("YAML aliases are not allowed" in problem.message for problem in read(text).problems)


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("on", "on"),
        ("yes", "yes"),
        ("012", "012"),
        ("1:30", "1:30"),
        ("2026-12-01", "2026-12-01"),
        ("1_000", "1_000"),
        ("~", None),
        ("true", True),
        ("-7", -7),
        ("0o17", 15),
        ("0x1F", 31),
        ("1e3", 1000.0),
        (".5", 0.5),
        ("'5'", "5"),
        ("!!str 5", "5"),
        ("=", "="),
    ],
)
def test_scalars_are_read_without_guesses(written: str, value: object) -> None:
    loaded = read(f"version: 1\ntasks: {{t: {{task_path: a.b, default_params: {{x: {written}}}}}}}\n")
    assert loaded.problems == ()
    (task,) = loaded.definitions.tasks
    assert task.default_params == {"x": value}
    assert type(task.default_params["x"]) is type(value)


def test_a_file_that_breaks_off_does_not_make_its_tasks_unknown() -> None:
    loaded = read("version: 1\nschedules: {s: {task: elsewhere, every: 5m}}\n", "version: 1\ntasks: {elsewhere: {\n")
    assert [problem.head for problem in loaded.problems] == [
        "g.yaml:3:1: this bracket is not closed, or a comma is missing"
    ]


def test_bytes_that_are_not_utf_8_and_files_too_large() -> None:
    source = source_of("f.yaml", "version: 1\nset: ä".encode("latin-1"))
    assert source.problem is not None
    assert source.problem.head == "f.yaml:2:6: byte 0xe4 is not UTF-8"
    large = source_of("f.yaml", b" " * (MAX_BYTES + 1))
    assert large.problem is not None
    assert large.problem.head == "f.yaml: larger than 4 MiB"
    assert source_of("f.yaml", b"\xef\xbb\xbfversion: 1").text == "version: 1"


def test_a_problem_shows_the_line_the_caret_and_the_hint() -> None:
    (problem,) = read("version: 1\ntasks:\n  پاکسازی فایل‌ها: {task_path: a.b, queue_nmae: x}\n").problems
    assert problem.render().splitlines() == [
        "f.yaml:3:37: tasks.پاکسازی فایل‌ها.queue_nmae: unknown key `queue_nmae`",
        "      پاکسازی فایل‌ها: {task_path: a.b, queue_nmae: x}",
        # one less than column 37: the non-joiner takes no cell
        "    " + " " * 35 + "^",
        "  hint: did you mean `queue_name`?",
    ]


def test_a_long_line_is_cut_around_the_place_and_shows_no_control_characters() -> None:
    line = "x" * 200 + "\x1b[31m" + "y" * 200
    shown = Problem("f", 1, 201, "a", "bad", None, line).render().splitlines()
    assert shown[1].startswith("    …xxx")
    assert "\x1b" not in shown[1]
    assert shown[1][shown[2].index("^") + 1 :].startswith("[31m")
    assert Problem("f", None, None, "", "cannot be read").render() == "f: cannot be read"


def test_a_key_cannot_send_anything_to_a_terminal() -> None:
    (problem,) = read('version: 1\n"\\e[31m": x\n').problems
    assert "\x1b" not in problem.render()
