"""Task paths against real modules, real Celery tasks and a real child process."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from celsched.callables.allow import allowed, require_allowed
from celsched.callables.probe import ProbeRequest, ProbeResult, Variant, probe
from celsched.callables.resolve import Kind, prepare_imports, resolve
from celsched.callables.schema import check_schema
from celsched.callables.signature import check_params
from celsched.errors import InvalidDefinition, InvalidParams, NotPermitted, SettingsError

TASKS = """
import functools, os
from celery import Celery, shared_task

app = Celery("user", set_as_current=False)

def cleanup(hours=24, *, dry_run=False): ...
def need(path, hours: int): ...
def positional(path, /): ...
def anything(**params): ...
async def fetch(url): ...
def rows():
    yield 1
class Cleaner:
    def run(self, hours): ...
    async def __call__(self, hours): ...
cleaner = Cleaner()
LIMIT = 5
part = functools.partial(need, hours=1)
@shared_task
def shared(hours): ...
@app.task(bind=True, autoretry_for=(OSError,))
def bound(self, hours): ...
@app.task
async def later(hours): ...
class Based(app.Task):
    name = "based"
    def run(self, hours): ...
based = app.register_task(Based())
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with user code, importable; one for all, since Celery keeps shared tasks for ever."""
    folder = tmp_path_factory.mktemp("project")
    package = folder / "userpkg"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "tasks.py").write_text(TASKS)
    (package / "wants.py").write_text("\nimport not_there_at_all\n")
    (package / "broken.py").write_text("def f(:\n")
    (package / "fails.py").write_text("def g():\n    raise RuntimeError('no database')\n\ng()\n")
    (package / "exits.py").write_text("import sys\nsys.exit(3)\n")
    (package / "dies.py").write_text("import os\nos._exit(7)\n")
    (package / "killed.py").write_text("import os, signal\nos.kill(os.getpid(), signal.SIGKILL)\n")
    (package / "hangs.py").write_text("import threading\nthreading.Event().wait()\n")
    (package / "talks.py").write_text(
        "import atexit, os, threading\nprint('hello from user code')\n"
        "atexit.register(lambda: threading.Event().wait())\n"
        "threading.Thread(target=threading.Event().wait).start()\ndef f(): ...\n"
    )
    (package / "ready.py").write_text("import userpkg\nuserpkg.setup = True\n")
    (package / "needs_setup.py").write_text("import userpkg\nassert userpkg.setup\ndef f(): ...\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "path", [str(folder), *sys.path])
        yield folder


def run(
    project: Path, *requests: ProbeRequest, preload: tuple[str, ...] = (), timeout: float = 30.0
) -> list[ProbeResult]:
    return probe(
        requests,
        python=sys.executable,
        folder=str(project),
        python_path=[str(project)],
        preload=preload,
        timeout=timeout,
    )


@pytest.mark.parametrize(
    ("path", "patterns", "answer"),
    [
        ("files.tasks.cleanup", ["files.tasks.*"], True),
        ("files.tasks.sub.cleanup", ["files.tasks.*"], True),
        ("files.tasks:cleanup", ["files.tasks.*"], True),
        ("files.tasks.cleanup", ["files.tasks.cleanup"], True),
        ("files.tasks.cleanup", ["files.tasks"], False),
        ("files.tasks_evil.cleanup", ["files.tasks.*"], False),
        ("Files.tasks.cleanup", ["files.tasks.*"], False),
        ("files.tasks.cleanup", [], False),
        ("os.system", ["files.*"], False),
    ],
)
def test_patterns(path: str, patterns: list[str], answer: bool) -> None:
    assert allowed(path, patterns) is answer


def test_a_refused_path_is_told_how_to_be_allowed() -> None:
    with pytest.raises(NotPermitted) as caught:
        require_allowed("files.tasks:cleanup", ["other.*"])
    assert caught.value.message == "`files.tasks:cleanup` is outside `task_modules` (`other.*`)"
    assert caught.value.hint == 'add "files.tasks.*" to `task_modules` in celsched.toml if it may run'


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("cleanup", Kind.FUNCTION),
        ("fetch", Kind.COROUTINE),
        ("cleaner", Kind.COROUTINE),
        ("cleaner.run", Kind.FUNCTION),
        ("part", Kind.FUNCTION),
        ("shared", Kind.CELERY_TASK),
        ("bound", Kind.CELERY_TASK),
        ("later", Kind.CELERY_TASK),
        ("based", Kind.CELERY_TASK),
    ],
)
def test_what_a_path_can_name(project: Path, name: str, kind: Kind) -> None:
    assert resolve(f"userpkg.tasks.{name}").kind is kind
    assert resolve(f"userpkg.tasks:{name}").kind is kind


@pytest.mark.parametrize(
    ("path", "message", "hint"),
    [
        ("userpkg", "'userpkg' is not the path of a function", "write package.module.function"),
        ("userpkg.tasks.clenup", "`userpkg.tasks` has no `clenup`", "did you mean `cleanup`?"),
        ("userpkg.tasks.Cleaner", "`userpkg.tasks.Cleaner` is a class", "name a function"),
        ("userpkg.tasks.LIMIT", "`userpkg.tasks.LIMIT` is not callable but an int", "name a function"),
        ("userpkg.tasks.rows", "`userpkg.tasks.rows` is a generator", "loops over it"),
        ("userpkg.tasks.os.system", "`userpkg.tasks.os` is the module `os`", "name a function in its own module"),
        ("nopackage.tasks.f", "`nopackage.tasks` cannot be imported: ModuleNotFoundError", "python_path"),
        ("userpkg.nothing.f", "`userpkg` has no `nothing`", None),
        ("userpkg.nothing:f", "`userpkg.nothing` cannot be imported: ModuleNotFoundError", "python_path"),
        ("userpkg.wants.f", "No module named 'not_there_at_all' (", "install `not_there_at_all`"),
        ("userpkg.wants.f", "userpkg/wants.py:2)", None),
        ("userpkg.broken.f", "userpkg/broken.py:1)", None),
        ("userpkg.fails.f", "`userpkg.fails` cannot be imported: RuntimeError: no database (", None),
        ("userpkg.fails.f", "userpkg/fails.py:2)", None),
        ("userpkg.exits.f", "`userpkg.exits` cannot be imported: SystemExit: 3", None),
    ],
)
def test_what_cannot_be_resolved_says_why(project: Path, path: str, message: str, hint: str | None) -> None:
    with pytest.raises(InvalidDefinition) as caught:
        resolve(path)
    assert message in caught.value.message
    assert caught.value.key == "task_path"
    if hint:
        assert hint in (caught.value.hint or "")


@pytest.mark.parametrize(
    ("name", "params", "misfits"),
    [
        ("cleanup", {}, None),
        ("cleanup", {"hours": 1, "dry_run": True}, None),
        ("cleanup", {"huors": 1}, "`huors` is not one of its parameters"),
        ("need", {}, "`path` is missing; `hours` is missing"),
        ("need", {"path": "x", "hour": 1}, "`hours` is missing; `hour` is not one of its parameters"),
        ("part", {"path": "x"}, None),
        ("positional", {}, "`path` is positional only"),
        ("anything", {"a": 1}, None),
        ("fetch", {}, "`url` is missing"),
        ("cleaner.run", {"hours": 1}, None),
        ("shared", {"hours": 1}, None),
        ("bound", {"hours": 1}, None),
        ("bound", {"self": 1, "hours": 1}, "`self` is not one of its parameters"),
        ("bound", {}, "`hours` is missing"),
        ("based", {"hours": 1}, None),
        ("later", {"hours": 1}, None),
    ],
)
def test_signatures(project: Path, name: str, params: dict[str, Any], misfits: str | None) -> None:
    resolved = resolve(f"userpkg.tasks.{name}")
    if misfits is None:
        check_params(resolved, params, None)
        return
    with pytest.raises(InvalidParams) as caught:
        check_params(resolved, params, None)
    assert caught.value.message == f"the parameters do not fit `userpkg.tasks.{name}`: {misfits}"


SCHEMA = {
    "type": "object",
    "required": ["hours"],
    "properties": {"hours": {"type": "integer", "minimum": 1}, "paths": {"items": {"type": "string"}}},
}


def test_all_misfits_of_schema_and_signature_are_named(project: Path) -> None:
    with pytest.raises(InvalidParams) as caught:
        check_params(resolve("userpkg.tasks.cleanup"), {"hours": 0, "paths": ["a", 5]}, SCHEMA)
    assert "`paths` is not one of its parameters" in caught.value.message
    assert "`hours`: 0 is less than the minimum of 1" in caught.value.message
    assert "`paths[1]`: 5 is not of type 'string'" in caught.value.message


def test_partial_parameters_miss_nothing_but_may_not_be_wrong(project: Path) -> None:
    resolved = resolve("userpkg.tasks.need")
    check_params(resolved, {}, SCHEMA, partial=True)
    with pytest.raises(InvalidParams, match="minimum"):
        check_params(resolved, {"hours": 0}, SCHEMA, partial=True)
    with pytest.raises(InvalidParams, match="'x' was unexpected"):
        check_params(resolve("userpkg.tasks.anything"), {"x": 0}, {"additionalProperties": False}, partial=True)


@pytest.mark.parametrize(
    ("schema", "key"),
    [
        ({"type": "objekt"}, "params_schema.type"),
        ({"properties": {"a": {"minimum": "x"}}}, "params_schema.properties.a.minimum"),
        ({"$ref": "https://example.com/schema.json"}, "params_schema"),
    ],
)
def test_bad_schemas(schema: dict[str, Any], key: str) -> None:
    with pytest.raises(InvalidDefinition) as caught:
        check_schema(schema)
    assert caught.value.key == key


def test_a_schema_that_points_to_nothing_is_the_definitions_fault(project: Path) -> None:
    with pytest.raises(InvalidDefinition, match="refers to nothing"):
        check_params(resolve("userpkg.tasks.anything"), {"a": 1}, {"$ref": "#/definitions/none"})


def test_preload_comes_first_and_is_named_when_it_fails(project: Path) -> None:
    prepare_imports([], ["userpkg.ready"])
    assert resolve("userpkg.needs_setup.f").kind is Kind.FUNCTION
    with pytest.raises(SettingsError, match=r"`preload`: `userpkg.fails` cannot be imported: RuntimeError"):
        prepare_imports([], ["userpkg.fails"])


def test_one_child_checks_all_and_the_culprits_do_not_keep_it_from_the_rest(
    project: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    variants = (
        Variant("default_params", {"hours": 1}, partial=True),
        Variant("nightly", {"hours": 0}),
        Variant("weekly", {"hours": 1, "dry": True}),
    )
    results = run(
        project,
        ProbeRequest("talks", "userpkg.talks.f"),
        ProbeRequest("dies", "userpkg.dies.f"),
        ProbeRequest("also dies", "userpkg.dies.g"),
        ProbeRequest("killed", "userpkg.killed:f"),
        ProbeRequest("exits", "userpkg.exits.f"),
        ProbeRequest("پاکسازی", "userpkg.tasks.cleanup", SCHEMA, variants),
        ProbeRequest("schema", "userpkg.tasks.cleanup", {"type": "objekt"}),
    )
    errors = {result.name: result.error for result in results}
    assert list(errors) == ["talks", "dies", "also dies", "killed", "exits", "پاکسازی", "schema"]
    assert errors["talks"] is None
    assert errors["dies"] == "importing `userpkg.dies` ended the interpreter with exit code 7"
    assert errors["also dies"] == errors["dies"]
    assert errors["killed"] == "importing `userpkg.killed` crashed the interpreter (SIGKILL)"
    assert "SystemExit: 3" in (errors["exits"] or "")
    assert errors["پاکسازی"] is None
    assert [(misfit.label, misfit.hint) for misfit in results[5].misfits] == [
        ("nightly", None),
        ("weekly", "did you mean `dry_run`?"),
    ]
    assert (results[6].key, "not a JSON Schema" in (errors["schema"] or "")) == ("params_schema.type", True)
    out, err = capfd.readouterr()
    assert out == ""
    assert "hello from user code" in err
    assert "userpkg.talks" not in sys.modules


def test_a_hang_is_the_problem_of_its_task(project: Path) -> None:
    hangs, fine = run(
        project,
        ProbeRequest("hangs", "userpkg.hangs.f"),
        ProbeRequest("fine", "userpkg.tasks.cleanup"),
        timeout=4.0,
    )
    assert hangs.error == "importing `userpkg.hangs` took longer than 4 s"
    assert fine.error is None


def test_preload_runs_in_the_child(project: Path) -> None:
    (result,) = run(project, ProbeRequest("x", "userpkg.needs_setup.f"), preload=("userpkg.ready",))
    assert result.error is None
    for module, said in [("userpkg.fails", "RuntimeError: no database"), ("userpkg.dies", "exit code 7")]:
        with pytest.raises(SettingsError, match=said):
            run(project, ProbeRequest("x", "userpkg.tasks.cleanup"), preload=(module,))


def test_an_interpreter_that_is_not_there(project: Path) -> None:
    request = ProbeRequest("x", "userpkg.tasks.cleanup")
    with pytest.raises(SettingsError, match="cannot be started"):
        probe([request], python="/nowhere/python", folder=str(project), python_path=[], preload=[])


def test_the_working_folder_is_not_importable_by_itself(project: Path) -> None:
    request = ProbeRequest("x", "userpkg.tasks.cleanup")
    (result,) = probe([request], python=sys.executable, folder=str(project), python_path=[], preload=[])
    assert "No module named 'userpkg'" in (result.error or "")
