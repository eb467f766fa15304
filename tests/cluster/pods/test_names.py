"""Names that Kubernetes accepts, whatever worker, project and domain are called."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flyteplane.cluster.pods import namespace_of, pod_name, shares_namespaces
from flyteplane.cluster.pods.names import is_dns_label, is_label_value, label_value
from flyteplane.foundation.errors import InvalidArgument


@given(st.text())
def test_every_worker_has_a_pod_name_that_kubernetes_accepts(worker: str) -> None:
    assert re.fullmatch(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", pod_name(worker))
    assert pod_name(worker) == pod_name(worker)


@given(st.text(), st.text())
def test_two_workers_never_share_a_pod_name(one: str, other: str) -> None:
    assert (pod_name(one) == pod_name(other)) == (one == other)


def test_a_pod_name_stays_as_it_is_over_releases() -> None:
    assert pod_name("run-1.a0.1.77") == "run-1-a0-1-77-" + pod_name("run-1.a0.1.77")[-12:]
    assert pod_name("Run_1") != pod_name("run-1")
    assert pod_name("run-1") == "run-1-n9stamfzkesw"


@given(st.text())
def test_every_text_becomes_a_label_value(text: str) -> None:
    value = label_value(text)
    assert re.fullmatch(r"([A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?)?", value)
    assert (value == text) == is_label_value(text)


@pytest.mark.parametrize(
    ("template", "namespace"),
    [("flyte", "flyte"), ("flyte-{project}-{domain}", "flyte-shop-dev"), ("{domain}", "dev"), ("{project}", "shop")],
)
def test_a_namespace_is_made_of_project_and_domain(template: str, namespace: str) -> None:
    assert namespace_of(template, project="shop", domain="dev") == namespace


@pytest.mark.parametrize(
    "template",
    [
        *("", "Flyte", "flyte_{project}", "-{project}", "{project}/{domain}", "kube-system", "kube-{project}"),
        *("{", "{}", "{0}", "{org}", "{project!r}", "{project:>90}", "{project.upper}", "x" * 64, "{project}" * 20),
    ],
)
def test_a_namespace_that_kubernetes_refuses_is_refused_with_its_mend(template: str) -> None:
    with pytest.raises(InvalidArgument) as refused:
        namespace_of(template, project="shop", domain="dev")
    assert refused.value.field == "namespace"
    assert refused.value.mend


@given(st.text(), st.text(), st.text())
def test_a_namespace_is_a_dns_label_or_refused(template: str, project: str, domain: str) -> None:
    try:
        namespace = namespace_of(template, project=project, domain=domain)
    except InvalidArgument:
        return
    assert is_dns_label(namespace)


def test_projects_share_namespaces_unless_the_template_tells_them_apart() -> None:
    assert shares_namespaces("flyte")
    assert shares_namespaces("flyte-{domain}")
    assert not shares_namespaces("{project}-{domain}")
