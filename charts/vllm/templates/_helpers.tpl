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

{{/* A replica on one node is a Deployment's pod, one on several nodes a group of pods. The operator
of groups makes a headless Service of the group's name, so it cannot be the name of ours. */}}
{{- define "vllm.workload" -}}
{{- if gt (int .Values.gpu.nodes) 1 }}{{ .Release.Name }}-nodes{{ else }}{{ .Release.Name }}{{ end }}
{{- end }}

{{/* The pods that answer HTTP. */}}
{{- define "vllm.serverLabels" -}}
{{ include "vllm.selectorLabels" . }}
{{- if gt (int .Values.gpu.nodes) 1 }}
leaderworkerset.sigs.k8s.io/worker-index: "0"
{{- end }}
{{- end }}

{{/* What the init container fetches, as `<folder>=<repository>@<commit>`. */}}
{{- define "vllm.staged" -}}
{{- $staged := list }}
{{- if eq .Values.weights.source "hub" }}
{{- $revision := required "weights.revision is required for weights from the hub" .Values.weights.revision }}
{{- $staged = append $staged (printf "/models=%s@%s" .Values.weights.reference $revision) }}
{{- end }}
{{- range .Values.engine.adapters }}
{{- $staged = append $staged (printf "/adapters/%s=%s@%s" .name .repository .revision) }}
{{- end }}
{{- with .Values.engine.speculation }}
{{- with .draft }}
{{- $staged = append $staged (printf "/draft=%s@%s" .repository .revision) }}
{{- end }}
{{- end }}
{{- toJson $staged }}
{{- end }}

{{/* Volumes of staged files; the weights of an image are mounted, not staged. */}}
{{- define "vllm.stagedVolumes" -}}
{{- $volumes := list }}
{{- if eq .Values.weights.source "hub" }}{{ $volumes = append $volumes "weights:/models" }}{{ end }}
{{- if .Values.engine.adapters }}{{ $volumes = append $volumes "adapters:/adapters" }}{{ end }}
{{- with .Values.engine.speculation }}{{ if .draft }}{{ $volumes = append $volumes "draft:/draft" }}{{ end }}{{ end }}
{{- toJson $volumes }}
{{- end }}

{{- define "vllm.speculation" -}}
{{- $config := dict "method" .method "num_speculative_tokens" (int .tokens) }}
{{- if eq .method "ngram" }}
{{- $config = set $config "prompt_lookup_max" (int .promptLookupMax) }}
{{- else }}
{{- $config = set $config "model" "/draft" }}
{{- end }}
{{- toJson $config }}
{{- end }}
