{{- define "kserve-models.labels" -}}
app.kubernetes.io/name: kserve-models
app.kubernetes.io/instance: {{ .Release.Name }}
llmp.dev/model: {{ .Values.model }}
app.kubernetes.io/part-of: llmp
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end }}

{{- define "kserve-models.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end }}

{{/* No user of a container is named: KServe sets its own where it reads weights of an image through /proc. */}}
{{- define "kserve-models.podSecurity" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
fsGroup: 65532
fsGroupChangePolicy: OnRootMismatch
seccompProfile:
  type: RuntimeDefault
{{- end }}

{{- define "kserve-models.placement" -}}
{{- with .Values.gpu.runtimeClass }}
runtimeClassName: {{ . }}
{{- end }}
{{- with .Values.gpu.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.gpu.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* Where the engine finds the weights. */}}
{{- define "kserve-models.weightsPath" -}}
{{- if eq .Values.weights.source "image" }}/mnt/models{{ else }}/weights{{ end }}
{{- end }}

{{- define "kserve-models.stageWeights" -}}
- name: stage-weights
  image: {{ .Values.image }}
  imagePullPolicy: IfNotPresent
  command: [python3, -B, /scripts/stage_weights.py]
  args:
    - /weights={{ .Values.weights.reference }}@{{ required "weights.revision is required for weights from the hub" .Values.weights.revision }}
  env:
    - name: HOME
      value: /staging
    - name: HF_HOME
      value: /staging/huggingface
    - name: HF_HUB_DISABLE_TELEMETRY
      value: "1"
    {{- with .Values.weights.token }}
    - name: HF_TOKEN
      valueFrom:
        secretKeyRef:
          name: {{ .name }}
          key: {{ .key }}
    {{- end }}
  resources:
    requests:
      cpu: {{ .Values.host.cpu | quote }}
      memory: {{ .Values.host.memoryGib | int }}Gi
      ephemeral-storage: {{ .Values.weights.diskGib | int }}Gi
    limits:
      cpu: {{ .Values.host.cpuLimit | quote }}
      memory: {{ .Values.host.memoryGib | int }}Gi
  securityContext:
    {{- include "kserve-models.containerSecurity" . | nindent 4 }}
  volumeMounts:
    - name: weights
      mountPath: /weights
    - name: scripts
      mountPath: /scripts
      readOnly: true
    - name: staging
      mountPath: /staging
{{- end }}

{{- define "kserve-models.stagedVolumes" -}}
- name: weights
  emptyDir:
    sizeLimit: {{ .Values.weights.diskGib | int }}Gi
- name: scripts
  configMap:
    name: {{ .Release.Name }}-stage-weights
- name: staging
  emptyDir:
    sizeLimit: 1Gi
{{- end }}

{{- define "kserve-models.arguments" -}}
- --served-model-name={{ .Values.model }}
- --host=0.0.0.0
- --tensor-parallel-size={{ .Values.gpu.count | int }}
# After SIGTERM: refuse what is new, let what runs finish.
- --shutdown-timeout={{ .Values.lifecycle.longestRequestSeconds | int }}
{{- with .Values.spansUrl }}
- --otlp-traces-endpoint={{ . }}
{{- end }}
{{- range .Values.arguments }}
- {{ . | quote }}
{{- end }}
{{- end }}

{{- define "kserve-models.environment" -}}
- name: VLLM_API_KEY
  valueFrom:
    secretKeyRef:
      name: {{ .Values.apiKey.name }}
      key: {{ .Values.apiKey.key }}
- name: HF_HUB_OFFLINE
  value: "1"
- name: TRANSFORMERS_OFFLINE
  value: "1"
- name: VLLM_NO_USAGE_STATS
  value: "1"
{{- if .Values.spansUrl }}
- name: OTEL_SERVICE_NAME
  value: {{ .Release.Name }}
{{- end }}
# The root filesystem is read-only, and no user that the pod runs as has a home or a passwd entry.
- name: USER
  value: vllm
- name: HOME
  value: /tmp
- name: XDG_CACHE_HOME
  value: /tmp/.cache
- name: XDG_CONFIG_HOME
  value: /tmp/.config
- name: HF_HOME
  value: /tmp/huggingface
- name: TRITON_CACHE_DIR
  value: /tmp/.triton
- name: TORCHINDUCTOR_CACHE_DIR
  value: /tmp/.inductor
{{- end }}

{{- define "kserve-models.resources" -}}
requests:
  cpu: {{ .Values.host.cpu | quote }}
  memory: {{ .Values.host.memoryGib | int }}Gi
limits:
  # KServe gives a container without one a limit of one CPU, and then refuses a larger request.
  cpu: {{ .Values.host.cpuLimit | quote }}
  memory: {{ .Values.host.memoryGib | int }}Gi
  nvidia.com/gpu: {{ .Values.gpu.count | int }}
{{- end }}

{{/* Takes a list: the release's context, the container's port. */}}
{{- define "kserve-models.probes" -}}
{{- $root := index . 0 }}{{- $port := index . 1 }}
startupProbe:
  httpGet:
    path: /health
    port: {{ $port }}
    scheme: HTTP
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: {{ div (add (int $root.Values.lifecycle.startupSeconds) 9) 10 }}
readinessProbe:
  httpGet:
    path: /health
    port: {{ $port }}
    scheme: HTTP
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 3
livenessProbe:
  httpGet:
    path: /health
    port: {{ $port }}
    scheme: HTTP
  periodSeconds: 20
  timeoutSeconds: 10
  failureThreshold: 3
{{- end }}
