# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One application in a namespace of a real Kubernetes, its releases, and what can be seen of it."""

from __future__ import annotations

import contextlib
import io
import itertools
import json
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from ansible.module_utils.testing import patch_module_args

from ansible_collections.sluice.release.plugins.modules import k8s_switch

SECRET = "planted-4f6b1d0c-secret"
ROOT = Path(__file__).parents[3]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT / "collections")}
PROGRAM = (
    "import sys, json\n"
    "from ansible.module_utils.testing import patch_module_args\n"
    "from ansible_collections.sluice.release.plugins.modules.k8s_switch import main\n"
    "with patch_module_args(json.load(sys.stdin)): main()\n"
)


@dataclass
class Result:
    values: dict[str, Any]
    output: str

    def __getitem__(self, key: str) -> Any:
        return self.values[key]

    @property
    def failed(self) -> bool:
        return bool(self.values.get("failed"))

    @property
    def warnings(self) -> str:
        return json.dumps(self.values.get("warnings", []))


@dataclass
class Site:
    """One application in a namespace of its own, and its release directories."""

    root: Path
    kubeconfig: str
    namespace: str
    name: str = "shop"
    names: list[str] = field(default_factory=lambda: ["web"])
    builds: Iterator[int] = field(default_factory=itertools.count)

    def kubectl(self, *words: str, stdin: str | None = None, check: bool = True) -> str:
        done = subprocess.run(
            ["kubectl", "--kubeconfig", self.kubeconfig, "-n", self.namespace, *words],
            input=stdin, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0 or not check, done.stderr
        return done.stdout

    def get(self, kind: str, name: str | None = None) -> Any:
        found = json.loads(self.kubectl("get", kind, *([name] if name else []), "-o", "json"))
        return found if name else found["items"]

    def deployment(self, name: str, version: str, **changed: Any) -> dict[str, Any]:
        container = {
            "name": name,
            "image": f"sluice/test-app:{changed.get('image', version)}",
            "imagePullPolicy": "Never",
            "ports": [{"containerPort": 3000}],
            "envFrom": [{"secretRef": {"name": f"{self.name}-config"}}],
            # Idle connections of the API server's proxy would keep a pod for five seconds.
            "env": [{"name": "KEEP_ALIVE", "value": changed.get("keep_alive", "500")}, *changed.get("env", [])],
            "readinessProbe": {"httpGet": {"path": "/ready", "port": 3000}, "periodSeconds": 1},
            "lifecycle": {"preStop": {"exec": {"command": ["sleep", str(changed.get("drain", 0))]}}},
            "resources": changed.get("resources", {}),
        }
        return {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": name},
            "spec": {
                "replicas": changed.get("replicas", 1),
                "selector": {"matchLabels": {"app": name}},
                "template": {
                    "metadata": {"labels": {"app": name}},
                    "spec": {
                        "automountServiceAccountToken": False,
                        "terminationGracePeriodSeconds": changed.get("grace", 20),
                        "containers": [container],
                    },
                },
            },
        }

    def service(self, name: str) -> dict[str, Any]:
        spec = {"type": "NodePort", "selector": {"app": name}, "ports": [{"port": 80, "targetPort": 3000}]}
        return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": spec}

    def release(self, version: str, *more: dict[str, Any], bad: dict[str, Any] | None = None, **changed: Any) -> Path:
        """Lay a release of every name; `bad` changes the last one alone."""
        path = self.root / "releases" / f"{version}-{next(self.builds):012x}"
        path.mkdir(parents=True)
        objects: list[dict[str, Any]] = []
        for name in self.names:
            special = bad if bad and name == self.names[-1] else {}
            objects += [self.service(name), self.deployment(name, version, **{**changed, **special})]
        directory = path / "k8s"
        directory.mkdir()
        (directory / "app.yaml").write_text(yaml.safe_dump_all([*more, *objects]))
        return path

    def config(self, number: int = 1, **variables: str) -> Path:
        path = self.root / "config" / str(number) / "env.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({"GREETING": SECRET, **variables}))
        return path

    def options(self, release: Path, **changed: Any) -> dict[str, Any]:
        ready = {
            "url": "http://{pod}:3000/ready",
            "version_url": "http://{pod}:3000/version",
            "version": release.name.split("-")[0],
            "timeout": 8,
            "interval": 0.1,
            **changed.pop("ready", {}),
        }
        return {
            "name": self.name,
            "release": release.name,
            "path": str(release),
            "config": str(self.root / "config" / "1" / "env.json"),
            "kubeconfig": self.kubeconfig,
            "namespace": self.namespace,
            "ready": ready,
            "timeout": 60,
            "patience": 3,
            "drain_timeout": 5,
            **changed,
        }

    def run(self, *, check_mode: bool = False, apart: bool = False, **options: Any) -> Result:
        """Run the module; `apart`, as Ansible does, in a process of its own with its options on standard input."""
        arguments = {**options, "_ansible_check_mode": check_mode, "_ansible_diff": True, "_ansible_remote_tmp": "/tmp"}
        if apart:
            done = subprocess.run(
                [sys.executable, "-c", PROGRAM],
                input=json.dumps(arguments), capture_output=True, text=True, timeout=120, check=False, env=ENVIRONMENT,
            )  # fmt: skip
            said = done.stdout, done.stderr
        else:
            with (
                patch_module_args(arguments),
                contextlib.redirect_stdout(io.StringIO()) as out,
                contextlib.redirect_stderr(io.StringIO()) as err,
                contextlib.suppress(SystemExit),
            ):
                k8s_switch.main()
            said = out.getvalue(), err.getvalue()
        assert said[0].strip(), said
        assert SECRET not in "".join(said)
        return Result(json.loads(said[0].strip().splitlines()[-1]), "".join(said))

    @contextlib.contextmanager
    def started(self, **options: Any) -> Iterator[subprocess.Popen[str]]:
        """Run the module, and do not wait for it."""
        process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM],
            stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True, env=ENVIRONMENT,
        )  # fmt: skip
        assert process.stdin
        process.stdin.write(json.dumps({**options, "_ansible_remote_tmp": "/tmp"}))
        process.stdin.close()
        try:
            yield process
        finally:
            process.kill()
            process.wait()

    def narrow_user(self, directory: Path, *verbs: str) -> str:
        """Path of a kubeconfig of a user who may do no more than this."""
        rule = {"apiGroups": ["", "apps"], "resources": ["*"], "verbs": list(verbs)}
        subject = {"kind": "ServiceAccount", "name": "narrow", "namespace": self.namespace}
        metadata = {"name": "narrow"}
        objects = [
            {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata},
            {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": metadata, "rules": [rule]},
            {
                "apiVersion": "rbac.authorization.k8s.io/v1",
                "kind": "RoleBinding",
                "metadata": metadata,
                "subjects": [subject],
                "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "narrow"},
            },
        ]
        self.kubectl("apply", "-f", "-", stdin=yaml.safe_dump_all(objects))
        path = f"/api/v1/namespaces/{self.namespace}/serviceaccounts/narrow/token"
        request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
        token = json.loads(self.kubectl("create", "--raw", path, "-f", "-", stdin=json.dumps(request)))
        config = yaml.safe_load(Path(self.kubeconfig).read_text())
        config["users"] = [{**user, "user": {"token": token["status"]["token"]}} for user in config["users"]]
        file = directory / "narrow"
        file.write_text(yaml.safe_dump(config))
        return str(file)

    def switch(self, release: Path, **changed: Any) -> Result:
        how = {key: changed.pop(key, False) for key in ("check_mode", "apart")}
        return self.run(**how, **self.options(release, **changed))

    def url(self, name: str = "web") -> str:
        gateway = subprocess.run(
            ["docker", "network", "inspect", "bridge", "-f", "{{(index .IPAM.Config 0).Gateway}}"],
            capture_output=True, text=True, check=True,
        ).stdout.strip()  # fmt: skip
        return f"http://{gateway}:{self.get('service', name)['spec']['ports'][0]['nodePort']}"

    def greeting(self, name: str = "web") -> str:
        """What the pods behind a Service say of their configuration.

        It waits for the first answer: kube-proxy sends nothing to a new Service until it gets to it, however ready
        the pods are. So whoever counts lost requests asks here first.
        """
        found: list[str] = []

        def ask() -> bool:
            with (
                contextlib.suppress(OSError),
                urllib.request.urlopen(f"{self.url(name)}/config", timeout=5) as answer,
            ):
                found.append(json.load(answer)["greeting"])
            return bool(found)

        wait(ask, "an answer")
        return found[0]

    def pods(self) -> list[tuple[str, str]]:
        """Release and name of every pod that has not been told to end."""
        found = [pod["metadata"] for pod in self.get("pods")]
        return sorted(
            (pod["annotations"]["sluice.release/release"], pod["name"])
            for pod in found
            if "deletionTimestamp" not in pod
        )


def wait(done: Callable[[], bool], what: str, timeout: float = 120.0) -> None:
    deadline = time.monotonic() + timeout
    while not done():
        assert time.monotonic() < deadline, f"{what} did not come"
        time.sleep(0.1)
