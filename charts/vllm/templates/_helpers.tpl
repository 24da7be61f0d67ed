{{- define "vllm.selectorLabels" -}}
app.kubernetes.io/name: vllm
app.kubernetes.io/instance: {{ .Release.Name }}
llmp.dev/model: {{ .Values.model }}
{{- end }}

{{- define "vllm.labels" -}}
{{ include "vllm.selectorLabels" . }}
app.kubernetes.io/component: inference
app.kubernetes.io/part-of: llmp
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end }}

{{- define "vllm.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end }}

{{/* Where the engine finds the weights: an image volume holds the image's whole tree. */}}
{{- define "vllm.weightsPath" -}}
{{- if eq .Values.weights.source "image" }}/models/models{{ else }}/models{{ end }}
{{- end }}
