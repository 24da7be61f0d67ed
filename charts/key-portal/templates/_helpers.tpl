{{- define "key-portal.labels" -}}
app.kubernetes.io/name: key-portal
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/part-of: llmp
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end }}

{{- define "key-portal.selectorLabels" -}}
app.kubernetes.io/name: key-portal
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}
