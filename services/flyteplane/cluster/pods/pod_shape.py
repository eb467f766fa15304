"""The shape of a pod's spec, as an allow-list: a field that is not here is refused, even if Kubernetes may know it.

That a field is here says how it is written, not that a template may use it: that is decided in `security`. What
concerns only the scheduler of Kubernetes or the cluster's storage is checked in outline; the cluster judges the rest.
"""

from __future__ import annotations

from typing import Final

from flyteplane.cluster.pods.shape import (
    Check,
    absolute_path,
    anything,
    dns_label,
    env_name,
    filled,
    flag,
    labels,
    list_of,
    mapping,
    mapping_of,
    one_of,
    port,
    quantity,
    record,
    subdomain,
    text,
    whole,
)

_SECURITY: Final[dict[str, Check]] = {
    "runAsUser": whole,
    "runAsGroup": whole,
    "runAsNonRoot": flag,
    "seLinuxOptions": mapping_of(text),
    "seccompProfile": record({"type": filled, "localhostProfile": text}, required=("type",)),
    "appArmorProfile": record({"type": filled, "localhostProfile": text}, required=("type",)),
}

_CONTAINER_SECURITY: Final = record(
    {
        **_SECURITY,
        "allowPrivilegeEscalation": flag,
        "capabilities": record({"add": list_of(filled), "drop": list_of(filled)}),
        "privileged": flag,
        "procMount": text,
        "readOnlyRootFilesystem": flag,
    }
)

_POD_SECURITY: Final = record(
    {
        **_SECURITY,
        "fsGroup": whole,
        "fsGroupChangePolicy": text,
        "supplementalGroups": list_of(whole),
        "supplementalGroupsPolicy": text,
        "seLinuxChangePolicy": text,
        "sysctls": list_of(record({"name": filled, "value": text}, required=("name", "value"))),
    }
)

_REFERENCE: Final = record({"name": filled, "optional": flag}, required=("name",))
_KEY_REFERENCE: Final = record({"name": filled, "key": filled, "optional": flag}, required=("name", "key"))

ENV: Final = record(
    {
        "name": env_name,
        "value": text,
        "valueFrom": record(
            {
                "configMapKeyRef": _KEY_REFERENCE,
                "fieldRef": record({"apiVersion": text, "fieldPath": filled}, required=("fieldPath",)),
                "resourceFieldRef": record(
                    {"containerName": text, "divisor": quantity, "resource": filled}, required=("resource",)
                ),
                "secretKeyRef": _KEY_REFERENCE,
            }
        ),
    },
    required=("name",),
)

_HTTP_GET: Final = record(
    {"host": text, "httpHeaders": list_of(mapping_of(text)), "path": text, "port": anything, "scheme": text}
)
_HANDLER: Final[dict[str, Check]] = {
    "exec": record({"command": list_of(text)}),
    "httpGet": _HTTP_GET,
    "tcpSocket": record({"host": text, "port": anything}),
}
_PROBE: Final = record(
    {
        **_HANDLER,
        "grpc": mapping,
        "failureThreshold": whole,
        "initialDelaySeconds": whole,
        "periodSeconds": whole,
        "successThreshold": whole,
        "terminationGracePeriodSeconds": whole,
        "timeoutSeconds": whole,
    }
)
_LIFECYCLE_HANDLER: Final = record({**_HANDLER, "sleep": mapping})

CONTAINER: Final = record(
    {
        "name": dns_label,
        "image": text,
        "imagePullPolicy": one_of("Always", "IfNotPresent", "Never"),
        "command": list_of(text),
        "args": list_of(text),
        "workingDir": text,
        "env": list_of(ENV),
        "envFrom": list_of(record({"configMapRef": _REFERENCE, "prefix": text, "secretRef": _REFERENCE})),
        "ports": list_of(
            record(
                {
                    "containerPort": port,
                    "hostIP": text,
                    "hostPort": whole,
                    "name": text,
                    "protocol": one_of("TCP", "UDP", "SCTP"),
                },
                required=("containerPort",),
            )
        ),
        "resources": record(
            {"limits": mapping_of(quantity), "requests": mapping_of(quantity), "claims": list_of(mapping)}
        ),
        "resizePolicy": list_of(mapping),
        "restartPolicy": text,
        "lifecycle": record({"postStart": _LIFECYCLE_HANDLER, "preStop": _LIFECYCLE_HANDLER, "stopSignal": text}),
        "livenessProbe": _PROBE,
        "readinessProbe": _PROBE,
        "startupProbe": _PROBE,
        "securityContext": _CONTAINER_SECURITY,
        "stdin": flag,
        "stdinOnce": flag,
        "tty": flag,
        "terminationMessagePath": text,
        "terminationMessagePolicy": one_of("File", "FallbackToLogsOnError"),
        "volumeDevices": list_of(record({"devicePath": filled, "name": dns_label}, required=("devicePath", "name"))),
        "volumeMounts": list_of(
            record(
                {
                    "mountPath": absolute_path,
                    "mountPropagation": one_of("None", "HostToContainer", "Bidirectional"),
                    "name": dns_label,
                    "readOnly": flag,
                    "recursiveReadOnly": text,
                    "subPath": text,
                    "subPathExpr": text,
                },
                required=("mountPath", "name"),
            )
        ),
    },
    required=("name",),
)

_PROJECTED: Final = record(
    {
        "defaultMode": whole,
        "sources": list_of(
            record(
                {
                    "clusterTrustBundle": mapping,
                    "configMap": mapping,
                    "downwardAPI": mapping,
                    "secret": mapping,
                    "serviceAccountToken": mapping,
                }
            )
        ),
    }
)

_VOLUME_SOURCES: Final = (
    *("awsElasticBlockStore", "azureDisk", "azureFile", "cephfs", "cinder", "configMap", "csi", "downwardAPI"),
    *("ephemeral", "fc", "flexVolume", "flocker", "gcePersistentDisk", "gitRepo", "glusterfs", "hostPath", "image"),
    *("iscsi", "nfs", "persistentVolumeClaim", "photonPersistentDisk", "portworxVolume", "quobyte", "rbd"),
    *("scaleIO", "secret", "storageos", "vsphereVolume"),
)

VOLUME: Final = record(
    {
        **dict.fromkeys(_VOLUME_SOURCES, mapping),
        "name": dns_label,
        "emptyDir": record({"medium": text, "sizeLimit": quantity}),
        "projected": _PROJECTED,
    },
    required=("name",),
)

TOLERATION: Final = record(
    {
        "effect": one_of("", "NoExecute", "NoSchedule", "PreferNoSchedule"),
        "key": text,
        "operator": one_of("", "Equal", "Exists"),
        "tolerationSeconds": whole,
        "value": text,
    }
)

_NAMED: Final = record({"name": subdomain}, required=("name",))

POD_SPEC: Final = record(
    {
        "activeDeadlineSeconds": whole,
        "affinity": record({"nodeAffinity": mapping, "podAffinity": mapping, "podAntiAffinity": mapping}),
        "automountServiceAccountToken": flag,
        "containers": list_of(CONTAINER),
        "dnsConfig": record(
            {"nameservers": list_of(text), "options": list_of(mapping), "searches": list_of(text)},
        ),
        "dnsPolicy": one_of("ClusterFirst", "ClusterFirstWithHostNet", "Default", "None"),
        "enableServiceLinks": flag,
        "ephemeralContainers": list_of(mapping),
        "hostAliases": list_of(record({"hostnames": list_of(text), "ip": filled})),
        "hostIPC": flag,
        "hostNetwork": flag,
        "hostPID": flag,
        "hostUsers": flag,
        "hostname": text,
        "imagePullSecrets": list_of(_NAMED),
        "initContainers": list_of(CONTAINER),
        "nodeName": text,
        "nodeSelector": labels,
        "os": _NAMED,
        "preemptionPolicy": text,
        "priority": whole,
        "priorityClassName": text,
        "readinessGates": list_of(mapping),
        "resourceClaims": list_of(mapping),
        "restartPolicy": text,
        "runtimeClassName": text,
        "schedulerName": text,
        "schedulingGates": list_of(mapping),
        "securityContext": _POD_SECURITY,
        "serviceAccount": subdomain,
        "serviceAccountName": subdomain,
        "setHostnameAsFQDN": flag,
        "shareProcessNamespace": flag,
        "subdomain": text,
        "terminationGracePeriodSeconds": whole,
        "tolerations": list_of(TOLERATION),
        "topologySpreadConstraints": list_of(mapping),
        "volumes": list_of(VOLUME),
    }
)

TEMPLATE_SHAPE: Final = record(
    {"metadata": record({"labels": mapping, "annotations": mapping}), "spec": POD_SPEC},
)
