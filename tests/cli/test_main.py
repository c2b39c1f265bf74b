"""The command line."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

import merit
from merit.__main__ import main, parser


def test_the_crd_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["crd"]) == 0
    printed = yaml.safe_load(capsys.readouterr().out)
    assert printed["metadata"]["name"] == "modeldeployments.merit.dev"


def test_the_version_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert ended.value.code == 0
    assert capsys.readouterr().out == f"merit {merit.__version__}\n"


def test_a_wrong_configuration_is_one_sentence_and_exit_code_1(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "config.yaml"
    path.write_text("tock: {}\n")
    assert main(["run", "--config", str(path)]) == 1
    told = capsys.readouterr().err
    assert told == f"merit: {path}: tock is not a field of the configuration.\n"


def test_where_to_listen_is_a_host_and_a_port() -> None:
    assert parser().parse_args(["run", "--config", "x"]).listen == ("0.0.0.0", 8080)
    chosen = parser().parse_args(["run", "--config", "x", "--listen", "[::1]:9000"])
    assert chosen.listen == ("::1", 9000)
    with pytest.raises(SystemExit):
        parser().parse_args(["run", "--config", "x", "--listen", "nowhere"])
