"""The folder that `make docs` makes its site from: docs/, README, and what is written from the code.

.venv/bin/python tools/docs_pages.py FOLDER

Commands come from the command line's own help, errors from the places that raise them, the API (by
mkdocstrings) from docstrings. Links out of docs/ lead to copies beside the pages.
"""

from __future__ import annotations

import ast
import re
import shutil
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from typer import Context
from typer.cli import get_docs_for_click
from typer.main import get_command

from shopsight import errors
from shopsight.cli.commands import app

ROOT = Path(__file__).parents[1]
#: Pages at the root of the project, by their name in the site.
PAGES = {
    "README.md": "index.md",
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "SECURITY.md": "security.md",
}
#: What pages link to beside pages.
COPIED = ("samples", "deploy", "compose.yaml", "LICENSE")
#: Pages that link to a folder mean this page of it.
FOLDERS = {"adr": "adr/index.md", "samples/mongo": "samples/mongo/role.js", "deploy": "operations.md"}
API = {
    "Reading what is published": ["shopsight.reader"],
    "An insight of your own": ["shopsight.marts.insights.insight", "shopsight.audit.identities"],
    "Settings": ["shopsight.settings.load_settings"],
    "A run and its record": ["shopsight.pipeline.run.run", "shopsight.record"],
    "Errors": ["shopsight.errors"],
}

ERRORS_HEAD = """\
# Errors by message

What commands and runs say when something is wrong, with the remedy that they give. `‹where›` stands for a
name or a figure, `…` for any text. Exit codes: 1 failed, 2 wrong usage or settings, 3 refused.
"""


def main(folder: Path) -> None:
    """Write the folder anew."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(ROOT / "docs", folder)
    for name in COPIED:
        source = ROOT / name
        (shutil.copytree if source.is_dir() else shutil.copy)(source, folder / name)
    for name, page in PAGES.items():
        (folder / page).write_text((ROOT / name).read_text())
    (folder / "commands.md").write_text(commands_page())
    (folder / "errors.md").write_text(errors_page())
    (folder / "api.md").write_text(api_page())
    (folder / "adr" / "index.md").write_text(decisions_page())
    for path in folder.glob("*.md"):
        path.write_text(
            re.sub(r"\]\((?![a-z]+://|#)(?:\.\./|docs/)?([^)#\s]+?)/?(?=[#)])", _link, path.read_text())
        )


def _link(found: re.Match[str]) -> str:
    """A link of a page at the site's root, which was at the project's or in docs/."""
    return f"]({FOLDERS.get(found[1], PAGES.get(found[1], found[1]))}"


def commands_page() -> str:
    """Every command for people, with its options and examples."""
    command = get_command(app)
    command.commands = {name: one for name, one in command.commands.items() if not one.hidden}  # type: ignore[attr-defined]
    text = get_docs_for_click(
        obj=command, ctx=Context(command, info_name="shopsight"), name="shopsight", title="Commands"
    )
    # Its lists of commands cut each sentence short; the headings that follow list them whole.
    return re.sub(r"\*\*Commands\*\*:\n\n(?:\*.*\n)+\n", "", text)


def errors_page() -> str:
    """Every message, by its error."""
    kinds = {kind.__name__: kind for kind in errors._tree(errors.ShopsightError)}
    found: dict[str, dict[str, str]] = {name: {} for name in kinds}
    for path in sorted((ROOT / "src" / "shopsight").rglob("*.py")):
        for name, message, remedy in raised(ast.parse(path.read_text()), set(kinds)):
            found[name].setdefault(message, remedy)
    page = ERRORS_HEAD
    for name, messages in found.items():
        if messages:
            kind = kinds[name]
            doc = (kind.__doc__ or "").partition("\n\n")[0]
            page += f"\n## {name}\n\n{doc} Exit code {kind.exit_code.value}.\n\n"
            page += "| message | remedy |\n| --- | --- |\n"
            page += "".join(f"| {message} | {remedy} |\n" for message, remedy in sorted(messages.items()))
    return page


def raised(tree: ast.Module, kinds: set[str]) -> Iterator[tuple[str, str, str]]:
    """Each error that is made with a literal message: its kind, its message and its remedy."""
    constants = {
        target.id: node.value
        for node in tree.body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    for owner in tree.body:
        if isinstance(owner, ast.ClassDef) and owner.name in kinds:
            for made in ast.walk(owner):
                if isinstance(made, ast.Name) and made.id == "cls":
                    made.id = owner.name  # a classmethod that makes its own kind
    for call in ast.walk(tree):
        if (
            isinstance(call, ast.Call)
            and isinstance(call.func, ast.Name)
            and call.func.id in kinds
            and call.args
        ):
            message = literal(call.args[0], constants)
            remedy = next(
                (literal(word.value, constants) for word in call.keywords if word.arg == "remedy"), ""
            )
            if re.search(r"\w{3}", message):
                yield call.func.id, message, remedy if re.search(r"\w{3}", remedy) else ""


def literal(node: ast.expr, constants: Mapping[str, ast.expr]) -> str:
    """A text in the code, for a cell of a table; what is put into it is its name, or an ellipsis."""
    match node:
        case ast.Constant(value=str(text)):
            shown = re.sub(r"\s+", " ", text).replace("|", "\\|").replace("<", "&lt;")
        case ast.JoinedStr(values=parts):
            shown = "".join(literal(part, constants) for part in parts)
        case ast.BinOp(left=left, right=right):
            shown = literal(left, constants) + literal(right, constants)
        case ast.Name(id=name) | ast.FormattedValue(value=ast.Name(id=name)) if name in constants:
            shown = literal(constants[name], {})
        case ast.FormattedValue(value=ast.Name(id=name) | ast.Attribute(attr=name)):
            shown = f"‹{name.replace('_', ' ').strip()}›"
        case _:
            shown = "…"
    return shown


def api_page() -> str:
    """What other programs may import."""
    page = "# API\n\nWhat programs of your own may import.\n"
    for title, names in API.items():
        page += f"\n## {title}\n\n" + "".join(f"::: {name}\n\n" for name in names)
    return page


def decisions_page() -> str:
    """The list of decisions."""
    titles = [(path.name, path.read_text().partition("\n")[0].removeprefix("# ")) for path in decisions()]
    listed = "\n".join(f"- [{title}]({name})" for name, title in titles)
    return f"# Decisions\n\nChoices that someone might undo, with what was tried and why.\n\n{listed}\n"


def decisions() -> list[Path]:
    """The decisions' files in order."""
    return sorted((ROOT / "docs" / "adr").glob("0*.md"))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
