"""The operator's configuration: complete examples are read, mistakes are one sentence."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from merit.config import Config, load

EXAMPLE = """
watch: {namespaces: []}
gatewayAPI: true
metrics:
  default: contour
  sources:
    contour:
      prometheus: {url: http://prometheus.monitoring:9090, bearerTokenFile: "", caFile: "",
                   headers: {}, timeout: 5s}
      preset: contour-envoy
      matchers: {job: envoy}
      namespaces: [team-a]
prices:
  default: {currency: USD, cpuHour: "0.032", memoryGiBHour: "0.0043",
            resources: {nvidia.com/gpu: "2.50"}}
judgement: {tolerance: 10%, slack: 0.1%, patience: 30s, warmup: 30s, promoteConfidence: 95%,
            guardMark: 20}
tick: {fast: 5s, live: 15s}
log: {level: info, format: json}
"""


def read(tmp_path: Path, text: str) -> Config:
    path = tmp_path / "config.yaml"
    path.write_text(text)
    return load(path)


def test_the_example_is_read(tmp_path: Path) -> None:
    config = read(tmp_path, EXAMPLE)
    book = config.price_book()
    assert book is not None and book.resources == {"nvidia.com/gpu": Decimal("2.50")}
    assert config.constants().tolerance == 0.1
    assert config.constants().patience == 30.0
    assert config.source("team-a") is not None
    assert config.source("team-b") is None
    assert config.tick.fast == 5.0


def test_an_empty_file_means_the_defaults(tmp_path: Path) -> None:
    assert read(tmp_path, "") == Config()
    assert Config().source("anywhere") is None


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("wacth: {}", "wacth is not a field of the configuration."),
        ("tick: {fast: 5 seconds}", 'tick.fast: "5 seconds" is not a duration.'),
        ("judgement: {slack: lots}", 'judgement.slack: "lots" is not a share.'),
        ("log: {level: loud}", "log.level: input should be 'debug', 'info', 'warning' or 'error'."),
        ("metrics: {default: x}", "metrics: default names no source: 'x' is not in sources."),
        (
            "metrics: {sources: {a: {preset: p}}}",
            "metrics.sources.a.prometheus is required.",
        ),
        ("[1, 2]", "must hold a mapping, as `watch: {namespaces: []}`."),
        ("a: [", "is not YAML"),
    ],
    ids=lambda value: value[:30],
)
def test_a_mistake_is_one_sentence_that_names_the_field(
    tmp_path: Path, text: str, sentence: str
) -> None:
    with pytest.raises(ValueError) as caught:
        read(tmp_path, text)
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="cannot be read: No such file"):
        load(tmp_path / "absent.yaml")


def test_the_operators_own_image_reads_reports_where_none_is_named() -> None:
    config = Config.model_validate({"images": {"tools": "example.com/tools:1"}})
    filled = config.with_report_image("example.com/merit:1")
    assert (filled.images.report, filled.images.tools) == (
        "example.com/merit:1",
        "example.com/tools:1",
    )
    assert filled.with_report_image("example.com/another:1") == filled
