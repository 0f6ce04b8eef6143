"""The statements as files, one for each module that sends some."""

from pathlib import Path

from tests.sql.statements import Statement

HERE = Path(__file__).parent


def rendered(statements: list[Statement]) -> dict[Path, str]:
    """Path -> text of each file."""
    files: dict[Path, list[str]] = {}
    for statement in statements:
        path = HERE.joinpath(*statement.module.split(".")[1:]).with_suffix(".sql")
        files.setdefault(path, []).append(f"-- {statement.name}\n{_plain(statement.text)};\n")
    return {path: "\n".join(parts) for path, parts in files.items()}


def stored() -> dict[Path, str]:
    """What the files say now."""
    return {path: path.read_text() for path in HERE.rglob("*.sql")}


def write(files: dict[Path, str]) -> None:
    """Make the files those, and no others."""
    for path in stored().keys() - files.keys():
        path.unlink()
    for path, text in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def _plain(text: str) -> str:
    lines = (line.rstrip() for line in text.strip("\n").splitlines())
    return "\n".join(line for line in lines if line)
