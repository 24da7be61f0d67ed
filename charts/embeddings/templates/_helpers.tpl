{{- define "embeddings.selectorLabels" -}}
app.kubernetes.io/name: embeddings
app.kubernetes.io/instance: {{ .Release.Name }}
llmp.dev/model: {{ .Values.model }}
{{- end }}

{{- define "embeddings.labels" -}}
{{ include "embeddings.selectorLabels" . }}
app.kubernetes.io/component: inference
app.kubernetes.io/part-of: llmp
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end }}

{{- define "embeddings.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end }}
