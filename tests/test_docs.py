"""What the documents say is so: commands, options, make targets, the Python example, generated pages."""

import importlib
import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

import lookalike
from lookalike.faces.cli.main import cli

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_names_that_the_package_promises_are_there():
    for name in lookalike.__all__:
        assert getattr(lookalike, name)


def blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def commands_shown():
    """Every `lookalike …` line of the README, as words."""
    lines = "\n".join(blocks("console") + blocks("")).splitlines()
    shown = [line.removeprefix("$ ") for line in lines if re.match(r"(\$ )?lookalike ", line)]
    return [shlex.split(line) for line in shown]


def test_there_are_commands_to_check():
    assert {words[1] for words in commands_shown()} >= {"add", "search"}


@pytest.mark.parametrize("words", commands_shown(), ids=" ".join)
def test_a_shown_command_is_understood(words):
    command, given = cli.commands[words[1]], words[2:]
    while hasattr(command, "commands") and given:
        command, given = command.commands[given[0]], given[1:]
    command.make_context(words[1], given)  # raises for an unknown option or a missing argument


def test_every_command_is_in_the_readme_and_the_other_way_round():
    table = set(re.findall(r"^\| `lookalike (\w+)", README, re.MULTILINE))
    assert table == set(cli.commands)


def all_commands(group=cli):
    """Every command, those below others too."""
    for command in group.commands.values():
        yield command
        yield from all_commands(command) if hasattr(command, "commands") else ()


def test_options_named_in_the_text_exist():
    options = [option for command in all_commands() for option in command.params]
    known = {name for option in options for name in (*option.opts, *option.secondary_opts)}
    named = set(re.findall(r"`(--?[a-z][a-z-]*)", README))
    assert named - {"--help"} <= known


def test_make_targets_named_in_the_text_exist():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in set(re.findall(r"make (demo|test|check|bench|[a-z-]+)\b", README)) - {"sure"}:
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


def test_the_json_shown_has_the_shape_of_the_contract():
    (shown,) = blocks("json")
    result = json.loads(shown)
    assert list(result) == ["query", "space", "recall", "hits", "reranked", "background"]
    assert list(result["hits"][0]) == ["id", "uri", "content", "score", "metadata", "closer_than"]


def run_python(script, home):
    return subprocess.run(
        [sys.executable, "-c", script],
        cwd=home,
        env={"HOME": str(home), "PATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.slow
def test_the_python_example_runs(tmp_path, make_photo):
    example = blocks("python")[0]
    for seed in range(18):
        make_photo(tmp_path / "Pictures" / f"{seed}.jpg", seed)
    make_photo(tmp_path / "holiday.jpg", 3)
    script = example.replace('where=["taken>=2019"]', 'where=["width>=10"]')
    done = run_python(script, tmp_path)
    assert done.stderr == ""
    lines = done.stdout.splitlines()
    assert lines[0] == "18 0"
    assert lines[1].split()[1].endswith("Pictures/3.jpg")
    assert lines[-1].endswith("True")


@pytest.mark.slow
def test_the_second_python_example_runs(tmp_path, make_photo):
    """As in a notebook, where one may await; with photos and ids that are there."""
    example = blocks("python")[1]
    for name in ("holiday", "a", "b", *map(str, range(24))):
        make_photo(tmp_path / f"{name}.jpg", len(name) + ord(name[0]))
    body = "".join(f"    {line}\n" for line in example.splitlines() if "import" not in line)
    script = f"""
import asyncio, lookalike
from lookalike import Collection, Example
with Collection("photos.lookalike") as photos:
    photos.add(".")
async def main():
{body}
asyncio.run(main())
"""
    done = run_python(script, tmp_path)
    assert (done.stderr, done.returncode) == ("", 0)


@pytest.mark.parametrize(("name", "module"), [("benchmarks", "report"), ("quality", "evaluating")])
def test_a_page_of_figures_is_what_the_figures_give(name, module, monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "bench"))
    render = importlib.import_module(module).render
    figures = json.loads((ROOT / "docs" / f"{name}.json").read_text(encoding="utf-8"))
    assert (ROOT / "docs" / f"{name}.md").read_text(encoding="utf-8") == render(figures)


@pytest.mark.parametrize(
    "name",
    [
        *("README.md", "ARCHITECTURE.md"),
        *(f"docs/{name}.md" for name in ("models", "benchmarks", "quality", "formats")),
    ],
)
def test_links_lead_somewhere(name):
    text = (ROOT / name).read_text(encoding="utf-8")
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", text):
        assert (ROOT / name).parent.joinpath(target).exists(), target
