{{- define "secrets.labels" -}}
app.kubernetes.io/name: secrets
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/part-of: llmp
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end }}

{{/* The key under which the kubernetes provider keeps a value; Secret Manager knows no keys. */}}
{{- define "secrets.property" -}}
{{- if eq .Values.reference.provider "kubernetes" }}
property: value
{{- end }}
{{- end }}

{{/* The interval as Kubernetes writes durations, so that live and git are the same text. */}}
{{- define "secrets.interval" -}}
{{- $minutes := int .Values.refreshMinutes -}}
{{- if ge $minutes 60 }}{{ div $minutes 60 }}h{{ end }}{{ mod $minutes 60 }}m0s
{{- end }}
