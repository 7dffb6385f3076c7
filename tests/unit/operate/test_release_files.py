"""Notices, citation and changelog fit what is pinned and named elsewhere."""

from __future__ import annotations

import re
import tomllib
from importlib.metadata import distributions
from typing import Any

import yaml
from packaging.utils import canonicalize_name

from deploy.release import notices, sources

PROJECT: dict[str, Any] = tomllib.loads((sources.ROOT / "pyproject.toml").read_text("utf-8"))[
    "project"
]
ROW = re.compile(r"^\| ([a-z0-9-]+) \| (\d[^ |]*) \| ([^|]*) \| ([a-z, ]+) \|$", re.MULTILINE)
STALE = "run `python -m deploy.release.notices`"


def pins() -> dict[str, str]:
    lines = (sources.ROOT / "deploy" / "constraints.txt").read_text("utf-8").splitlines()
    found = dict(line.split(";")[0].strip().split("==") for line in lines if "==" in line)
    return {str(canonicalize_name(name)): version for name, version in found.items()}


def rows() -> dict[str, tuple[str, str, str]]:
    found = ROW.findall(notices.FILE.read_text("utf-8"))
    return {name: (version, licence, groups) for name, version, licence, groups in found}


def test_the_notices_name_what_is_pinned_with_its_licence() -> None:
    pinned = pins()
    for name, (version, licence, _) in rows().items():
        assert version == pinned.get(name), f"{name} {version}: {STALE}"
        assert licence.strip(), f"{name}: state its licence in deploy.release.notices.STATED"


def test_the_notices_miss_nothing_that_is_asked_for_or_installed_with_it() -> None:
    told, installed = rows(), notices.by_name(distributions())
    for group, wanted in notices.requirements().items():
        asked = {str(canonicalize_name(requirement.name)) for requirement in wanted}
        assert asked <= told.keys(), f"{sorted(asked - told.keys())}: {STALE}"
        if group == notices.BASE:
            assert all(told[name][2] == notices.BASE for name in asked)
            led_to = notices.by_name(notices.reached(wanted, installed))
            assert len(led_to) > len(asked)
            missing = sorted(name for name in led_to if told.get(name, ("", "", ""))[2] != group)
            assert missing == [], STALE


def test_the_bundle_and_its_data_are_in_the_notices() -> None:
    told = notices.FILE.read_text("utf-8")
    for what, where, origin, licence in notices._in_the_package():
        assert f"| {what} | {where} | {origin} | {licence} |" in told, STALE


def test_version_and_licence_are_the_same_everywhere() -> None:
    citation = yaml.safe_load((sources.ROOT / "CITATION.cff").read_text("utf-8"))
    assert citation["cff-version"] == "1.2.0"
    assert (citation["version"], citation["license"]) == (PROJECT["version"], PROJECT["license"])
    changelog = (sources.ROOT / "CHANGELOG.md").read_text("utf-8")
    versions = re.findall(r"^## \[([^]]+)\]", changelog, re.MULTILINE)
    assert versions[0] == "Unreleased" and versions[1] == PROJECT["version"]
