{{- define "simulator.selectorLabels" -}}
app.kubernetes.io/name: simulator
app.kubernetes.io/instance: {{ .Release.Name }}
llmp.dev/model: {{ .Values.model }}
{{- end }}

{{- define "simulator.labels" -}}
{{ include "simulator.selectorLabels" . }}
app.kubernetes.io/component: inference
app.kubernetes.io/part-of: llmp
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end }}

{{- define "simulator.config" -}}
# The simulator loads the tokenizer of a model that the hub knows; it asks at start. No repository is called so.
model: simulated:{{ .Values.model }}
served-model-name: [{{ .Values.model }}]
port: 8000
max-model-len: {{ .Values.maxModelLen | int64 }}
max-num-seqs: {{ .Values.maxConcurrentRequests | int }}
time-to-first-token: {{ .Values.timeToFirstToken | int }}ms
inter-token-latency: {{ .Values.interTokenLatency | int }}ms
{{- end }}
