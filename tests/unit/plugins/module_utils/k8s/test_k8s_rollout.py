# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How far a rollout is, and why it does not get further."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.sluice.release.plugins.module_utils.k8s import _patch, _pods, _prune
from ansible_collections.sluice.release.plugins.module_utils.k8s._objects import BASE, HELD, REPLICAS, REVISION
from ansible_collections.sluice.release.plugins.module_utils.k8s._plan import choose_slot
from ansible_collections.sluice.release.plugins.module_utils.k8s._pods import Pod, Unit, pod, unit
from ansible_collections.sluice.release.plugins.module_utils.k8s._watch import Leaving


def waiting(reason: str, **more: Any) -> dict[str, Any]:
    return {"name": "web", "state": {"waiting": {"reason": reason, "message": "said"}}, **more}


RUNNING: dict[str, Any] = {"name": "web", "state": {"running": {"startedAt": "x"}}}
CRASHED = {"lastState": {"terminated": {"exitCode": 3, "reason": "Error"}}, "restartCount": 2}


def thing(*statuses: dict[str, Any], **changed: Any) -> dict[str, Any]:
    return {
        "metadata": {"name": "web-1", "annotations": {"sluice.release/release": "1"}, **changed.pop("metadata", {})},
        "spec": {"containers": [{"name": "web"}], "terminationGracePeriodSeconds": 20},
        "status": {"phase": "Running", "containerStatuses": list(statuses), **changed},
    }


@pytest.mark.parametrize(
    ("status", "text", "lasting"),
    [
        (waiting("ContainerCreating"), None, None),
        (RUNNING, None, None),
        (waiting("CrashLoopBackOff", **CRASHED), "container web: CrashLoopBackOff, it ended with 3 (Error)", True),
        (waiting("ErrImageNeverPull"), "container web: ErrImageNeverPull, said", True),
        (waiting("ImagePullBackOff"), "container web: ImagePullBackOff, said", False),
        (waiting("CreateContainerConfigError"), "container web: CreateContainerConfigError, said", False),
    ],
)
def test_trouble_of_a_container(status: dict[str, Any], text: str | None, lasting: bool | None) -> None:
    found = pod(thing(status), "web").trouble
    assert (found.text if found else None, found.lasting if found else None) == (text, lasting)


def test_trouble_of_a_pod() -> None:
    condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/1 nodes"}
    found = pod(thing(phase="Pending", conditions=[condition]), "web").trouble
    assert (found.text, found.lasting) == ("unschedulable, 0/1 nodes", False) if found else False
    found = pod(thing(phase="Failed", reason="Evicted"), "web").trouble
    assert (found.text, found.lasting) == ("failed, Evicted", True) if found else False


@pytest.mark.parametrize(
    ("leaving", "status", "ended"),
    [
        (False, {"name": "web", "state": {"terminated": {"exitCode": 0}}}, False),
        (True, RUNNING, False),
        (True, {"name": "web", "state": {"terminated": {"exitCode": 0}}}, True),
        # What the container has said was never heard.
        (True, waiting("ContainerCreating"), True),
    ],
)
def test_a_pod_has_ended_with_its_containers(leaving: bool, status: dict[str, Any], ended: bool) -> None:
    metadata = {"deletionTimestamp": "now"} if leaving else {}
    assert pod(thing(status, metadata=metadata), "web").ended is ended


def deployment(replicas: int = 2, generation: int = 1, revision: str = "2", **status: Any) -> dict[str, Any]:
    return {
        "metadata": {"name": "web", "uid": "d", "generation": generation, "annotations": {REVISION: revision}},
        "spec": {"replicas": replicas, "template": {"metadata": {"annotations": {"sluice.release/release": "new"}}}},
        "status": {"observedGeneration": 1, **status},
    }


def replica_set(uid: str, revision: str, available: int = 0) -> dict[str, Any]:
    labels = {"app": "web", "pod-template-hash": uid}
    notes = {"sluice.release/release": uid}
    return {
        "metadata": {
            "name": uid,
            "uid": uid,
            "annotations": {REVISION: revision},
            "ownerReferences": [{"controller": True, "uid": "d"}],
        },
        "spec": {"template": {"metadata": {"labels": labels, "annotations": notes}}},
        "status": {"availableReplicas": available},
    }


def of_set(called: str, uid: str) -> dict[str, Any]:
    owner = [{"controller": True, "uid": uid}]
    return thing(RUNNING, metadata={"name": called, "ownerReferences": owner})


def seen(available_old: int, available_new: int, generation: int = 1) -> Unit:
    sets = [replica_set("old", "1", available_old), replica_set("new", "2", available_new)]
    pods = [of_set("old-1", "old"), of_set("new-1", "new"), of_set("foreign", "x")]
    return unit(deployment(generation=generation), sets, pods)


def test_new_and_old_pods_of_a_deployment() -> None:
    found = seen(2, 0)
    assert [one.name for one in found.fresh] == ["new-1"]
    assert [one.name for one in found.old] == ["old-1"]
    # The revision is the old one's until the cluster has seen the change.
    early = seen(2, 0, generation=2)
    assert (early.fresh, early.old) == ((), ())


@pytest.mark.parametrize(("old", "new", "release"), [(2, 0, "old"), (0, 2, "new"), (0, 0, "new"), (1, 1, "new")])
def test_what_served_is_what_was_available(old: int, new: int, release: str) -> None:
    template = _pods.served_template(seen(old, new))
    assert template is not None
    assert template["metadata"]["annotations"]["sluice.release/release"] == release
    assert "pod-template-hash" not in template["metadata"].get("labels", {})


@pytest.mark.parametrize(
    ("status", "done"),
    [
        ({"replicas": 2, "updatedReplicas": 2, "availableReplicas": 2}, True),
        ({"replicas": 3, "updatedReplicas": 2, "availableReplicas": 2}, False),
        ({"replicas": 2, "updatedReplicas": 1, "availableReplicas": 2}, False),
        ({"replicas": 2, "updatedReplicas": 2, "availableReplicas": 1}, False),
        ({"replicas": 2, "updatedReplicas": 2, "availableReplicas": 2, "observedGeneration": 0}, False),
        ({}, False),
    ],
)
def test_rolled_out(status: dict[str, Any], done: bool) -> None:
    assert unit(deployment(**status), [], []).rolled_out is done


@pytest.mark.parametrize(
    ("conditions", "said"),
    [
        ([], None),
        ([{"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": "quota"}], "quota"),
        ([{"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded"}], "progress deadline"),
    ],
)
def test_trouble_of_a_deployment(conditions: list[dict[str, Any]], said: str | None) -> None:
    found = unit(deployment(conditions=conditions), [], []).trouble
    assert said in found.text if said and found else found is None


@pytest.mark.parametrize(
    ("replicas", "surge", "pods"), [(1, "25%", 1), (4, "25%", 1), (5, "25%", 2), (3, "100%", 3), (3, 2, 2)]
)
def test_surge(replicas: int, surge: Any, pods: int) -> None:
    assert _pods.surge({"spec": {"strategy": {"rollingUpdate": {"maxSurge": surge}}}}, replicas) == pods


@pytest.mark.parametrize(
    ("replicas", "percent", "pods"), [(1, 10, 1), (9, 10, 1), (18, 10, 2), (2, 50, 2), (3, 25, 1), (4, 100, 4)]
)
def test_share(replicas: int, percent: float, pods: int) -> None:
    assert _pods.share(replicas, percent) == pods


def sleeping(*command: str) -> dict[str, Any]:
    return {"lifecycle": {"preStop": {"exec": {"command": list(command)}}}}


@pytest.mark.parametrize(
    ("container", "grace", "said"),
    [
        ({"ports": [{}]}, 30, ["no preStop hook"]),
        ({}, 30, []),
        ({"ports": [{}], **sleeping("sleep", "15")}, 30, []),
        ({"ports": [{}], **sleeping("/bin/sh", "-c", "sleep 15s; nginx -s quit")}, 20, ["may need 25 s (preStop 15"]),
        ({"lifecycle": {"preStop": {"sleep": {"seconds": 25}}}}, 30, ["may need 35 s"]),
        ({"ports": [{}], "lifecycle": {"preStop": {"httpGet": {"path": "/drain"}}}}, 9, ["may need 10 s"]),
    ],
)
def test_what_cannot_drain_is_said(container: dict[str, Any], grace: int, said: list[str]) -> None:
    template = {"spec": {"terminationGracePeriodSeconds": grace, "containers": [{"name": "web", **container}]}}
    found = _pods.drain_problems(template, 10)
    assert len(found) == len(said)
    assert all(part in text for part, text in zip(said, found, strict=True))


@pytest.mark.parametrize(
    ("live", "blue", "green", "slot"),
    [
        (None, False, False, "blue"),
        (None, False, True, "green"),
        ("blue", False, False, "green"),
        ("green", False, False, "blue"),
        ("blue", True, False, "blue"),
        ("blue", False, True, "green"),
    ],
)
def test_choose_slot(live: str | None, blue: bool, green: bool, slot: str) -> None:
    assert choose_slot(live, {"blue": blue, "green": green}) == slot


def applied(live: dict[str, Any], operations: list[dict[str, Any]]) -> dict[str, Any]:
    """Apply the few kinds of JSON patch that are used."""
    import copy

    found = copy.deepcopy(live)
    for one in operations:
        *way, last = [part.replace("~1", "/").replace("~0", "~") for part in one["path"].split("/")[1:]]
        place = found
        for part in way:
            place = place[part]
        if one["op"] == "add":
            place[last] = one["value"]
        else:
            del place[last]
    return found


def test_a_deployment_is_held_let_go_and_taken_back() -> None:
    live = {
        "metadata": {"name": "web", "annotations": {REVISION: "1", "own": "stays"}},
        "spec": {"replicas": 5, "template": {"old": 1}, "progressDeadlineSeconds": 77},
    }
    wanted = {"metadata": {"name": "web", "labels": {"a": "b"}}, "spec": {"replicas": 1, "template": {"new": 1}}}
    operations = _patch.to_manifest(live, wanted)
    done = applied(live, operations)
    assert done["spec"] == {
        "replicas": 5,
        "template": {"new": 1},
        "minReadySeconds": 0,
        "progressDeadlineSeconds": 600,
        "revisionHistoryLimit": 10,
    }
    held = applied(live, _patch.held(live, operations))
    assert held["spec"]["minReadySeconds"] > 10**9
    assert HELD in held["metadata"]["annotations"]
    assert applied(held, _patch.let_go(held)) == done
    assert _patch.let_go(done) == []
    # The next run finds what a killed one has held, and means the same when it is through.
    again = _patch.held(held, _patch.to_manifest(held, wanted))
    assert applied(applied(held, again), _patch.let_go(applied(held, again))) == done
    back = applied(held, _patch.back(live, live["spec"]["template"], held, replicas=False))
    assert (back["spec"]["template"], back["spec"]["progressDeadlineSeconds"]) == ({"old": 1}, 77)
    assert (back["spec"]["minReadySeconds"], back["spec"]["replicas"]) == (0, 5)
    assert back["metadata"]["annotations"] == live["metadata"]["annotations"]


def test_what_was_taken_is_remembered() -> None:
    live: dict[str, Any] = {"metadata": {"name": "web"}, "spec": {"replicas": 3, "template": {}}}
    stopped = applied(live, _patch.scaled(live, 0, remember=True))
    assert (stopped["spec"]["replicas"], stopped["metadata"]["annotations"][REPLICAS]) == (0, "3")
    resumed = applied(stopped, _patch.to_manifest(stopped, {"metadata": {}, "spec": {"template": {}}}, 3))
    assert (resumed["spec"]["replicas"], resumed["metadata"]["annotations"]) == (3, {})


def test_a_diff_shows_no_secret() -> None:
    secret = {"kind": "Secret", "metadata": {"name": "a", "uid": "1"}, "data": {"KEY": "cGxhbnRlZA=="}, "status": {}}
    shown = _patch.shown(secret, [])
    assert shown == {
        "kind": "Secret",
        "metadata": {"name": "a", "annotations": {}, "labels": {}},
        "data": {"KEY": "********"},
    }
    other = {"kind": "ConfigMap", "metadata": {"name": "a"}, "data": {"x": ["planted-secret", 1]}}
    assert _patch.shown(other, ["planted-secret"])["data"] == {"x": ["********", 1]}
    assert _patch.shown(None, []) == {}


def test_what_nothing_can_go_back_to_goes() -> None:
    def config(number: int, base: str = "cfg") -> dict[str, Any]:
        metadata = {"name": f"{base}-{number}", "creationTimestamp": f"2026-01-0{number}", "labels": {BASE: base}}
        return {"kind": "Secret", "metadata": metadata}

    user = {"kind": "Pod", "metadata": {}, "spec": {"containers": [{"envFrom": [{"secretRef": {"name": "cfg-1"}}]}]}}
    needed = _prune.in_use([user])
    found = [config(1), config(2), config(3), config(4), config(1, "other"), {"kind": "Secret", "metadata": {}}]
    assert [one["metadata"]["name"] for one in _prune.superfluous(found, needed, 2)] == ["cfg-2"]


def leaver(called: str, **changed: Any) -> Pod:
    values = {
        "release": "1",
        "ip": "",
        "phase": "Running",
        "ready": False,
        "running": True,
        "alive": True,
        "restarts": 0,
    }
    more = {"leaving": True, "grace": 20.0, "exit_codes": (), "containers": ("web",), "trouble": None}
    return Pod(name=called, deployment="web", **{**values, **more, **changed})


def test_pods_that_leave_are_counted_once() -> None:
    leaving = Leaving()
    leaving.expect([leaver("a"), leaver("b"), leaver("c", alive=False)])
    assert not leaving.look([leaver("a"), leaver("b", leaving=False)])
    assert not leaving.look([leaver("a", alive=False, exit_codes=(137,)), leaver("b")])
    leaving.expect([leaver("a")])
    assert leaving.look([leaver("a", alive=False)])
    assert [(one["id"], one["killed"]) for one in leaving.done] == [("a", True), ("b", False)]


def test_a_pod_of_a_node_that_does_not_answer_is_not_waited_for() -> None:
    leaving = Leaving()
    leaving.expect([leaver("a", grace=-20.0)])
    assert leaving.look([leaver("a", grace=-20.0)])
    assert [(one["id"], one["killed"]) for one in leaving.done] == [("a", True)]
