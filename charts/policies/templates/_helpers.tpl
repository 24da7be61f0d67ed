{{- define "policies.labels" -}}
app.kubernetes.io/name: policies
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/part-of: llmp
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end }}

{{/* Tenants' namespaces: the webhook is called for no other one. */}}
{{- define "policies.tenants" -}}
namespaceSelector:
  matchExpressions:
    - key: llmp.dev/tenant
      operator: Exists
{{- end }}

{{/* Pods, and what makes pods; `podSpec` and `podLabels` below find the pod in each. */}}
{{- define "policies.workloads" -}}
resourceRules:
  - apiGroups: [""]
    apiVersions: [v1]
    resources: [pods]
    operations: [CREATE]
  - apiGroups: [apps]
    apiVersions: [v1]
    resources: [deployments, statefulsets, daemonsets, replicasets]
    operations: [CREATE, UPDATE]
  - apiGroups: [batch]
    apiVersions: [v1]
    resources: [jobs, cronjobs]
    operations: [CREATE, UPDATE]
{{- end }}

{{- define "policies.pods" -}}
resourceRules:
  - apiGroups: [""]
    apiVersions: [v1]
    resources: [pods]
    operations: [CREATE, UPDATE]
{{- end }}

{{- define "policies.workloadVariables" -}}
- name: podSpec
  expression: >-
    object.kind == 'Pod' ? object.spec
    : object.kind == 'CronJob' ? object.spec.jobTemplate.spec.template.spec
    : object.spec.template.spec
{{- include "policies.containers" "variables.podSpec" }}
{{- end }}

{{/* All containers of a pod's spec, and whether one of them asks for a GPU. */}}
{{- define "policies.containers" }}
- name: containers
  expression: >-
    {{ . }}.containers + {{ . }}.?initContainers.orValue([])
- name: asksForGpu
  expression: >-
    variables.containers.exists(container,
    container.?resources.?limits[?'nvidia.com/gpu'].hasValue()
    || container.?resources.?requests[?'nvidia.com/gpu'].hasValue())
{{- end }}

{{/* The name of an image at the mirror of its registry; `.` is the expression of the name. Tag and digest stay. */}}
{{- define "policies.mirrored" -}}
[string({{ . }})].map(name,
name.contains('/') && name.split('/')[0].matches('[.:]|^localhost$')
? {'host': name.split('/')[0], 'path': name.substring(name.indexOf('/') + 1)}
: {'host': 'docker.io', 'path': name}
).map(part, !(part.host in variables.mirrors) ? string({{ . }}) : string(variables.mirrors[part.host])
+ (part.host == 'docker.io' && !part.path.contains('/') ? '/library/' : '/') + part.path)[0]
{{- end }}
