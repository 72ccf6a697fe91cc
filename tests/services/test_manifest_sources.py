"""Which files a name stands for, and what becomes of those that cannot be read."""

import os
from pathlib import Path

from celsched.manifest.source import read_sources


def test_a_folder_stands_for_its_yaml_files_at_any_depth_sorted_and_each_once(tmp_path: Path) -> None:
    for name in ("b.yaml", "a.yml", "sub/c.yaml", "notes.txt", ".hidden.yaml", ".git/d.yaml"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(f"# {name}")
    sources = read_sources([str(tmp_path), str(tmp_path / "b.yaml"), "-"], stdin="# گزارش".encode())
    assert [(source.file, source.text) for source in sources] == [
        (str(tmp_path / "a.yml"), "# a.yml"),
        (str(tmp_path / "b.yaml"), "# b.yaml"),
        (str(tmp_path / "sub/c.yaml"), "# sub/c.yaml"),
        ("<stdin>", "# گزارش"),
    ]


def test_what_cannot_be_read_is_a_problem_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    good = tmp_path / "good.txt"
    good.write_text("version: 1")
    sources = read_sources([str(tmp_path / "none.yaml"), str(tmp_path / "empty"), str(good)])
    assert [source.problem and source.problem.head for source in sources] == [
        f"{tmp_path}/none.yaml: cannot be read: No such file or directory",
        f"{tmp_path}/empty: this folder holds no *.yaml or *.yml file",
        None,
    ]


def test_a_pipe_is_read_like_a_file() -> None:
    reading, writing = os.pipe()
    os.write(writing, b"version: 1")
    os.close(writing)
    (source,) = read_sources([f"/dev/fd/{reading}"])
    os.close(reading)
    assert source.text == "version: 1"
