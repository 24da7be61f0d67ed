{{- define "guardrails.labels" -}}
app.kubernetes.io/name: guardrails
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/part-of: llmp
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end }}

{{- define "guardrails.selectorLabels" -}}
app.kubernetes.io/name: guardrails
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}
