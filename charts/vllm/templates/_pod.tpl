{{/* The pod of an engine. Takes `root` and `role`: single, leader or worker. A worker of a replica on
several nodes computes for its leader and answers nobody. */}}
{{- define "vllm.pod" -}}
{{- $root := .root }}
{{- $role := .role }}
{{- with $root }}
{{- $hub := eq .Values.weights.source "hub" }}
{{- $staged := include "vllm.staged" . | fromJsonArray }}
{{- $volumes := include "vllm.stagedVolumes" . | fromJsonArray }}
metadata:
  labels:
    {{- include "vllm.labels" . | nindent 4 }}
  annotations:
    llmp.dev/scripts: {{ printf "%s%s" (.Files.Get "files/stage_weights.py") (.Files.Get "files/warm_up.py") | sha256sum }}
spec:
  serviceAccountName: {{ .Release.Name }}
  automountServiceAccountToken: false
  # A Service called vllm would hand the engine a VLLM_PORT that it takes for its own setting.
  enableServiceLinks: false
  terminationGracePeriodSeconds: {{ add (int .Values.lifecycle.unroutingSeconds) (int .Values.lifecycle.longestRequestSeconds) 15 }}
  {{- with .Values.gpu.runtimeClass }}
  runtimeClassName: {{ . }}
  {{- end }}
  {{- with .Values.gpu.nodeSelector }}
  nodeSelector:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.gpu.tolerations }}
  tolerations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- if eq $role "single" }}
  topologySpreadConstraints:
    {{- range list "topology.kubernetes.io/zone" "kubernetes.io/hostname" }}
    - maxSkew: 1
      topologyKey: {{ . }}
      whenUnsatisfiable: ScheduleAnyway
      labelSelector:
        matchLabels:
          {{- include "vllm.selectorLabels" $root | nindent 10 }}
      matchLabelKeys: [pod-template-hash]
    {{- end }}
  {{- end }}
  securityContext:
    runAsNonRoot: true
    runAsUser: 65532
    runAsGroup: 65532
    fsGroup: 65532
    fsGroupChangePolicy: OnRootMismatch
    seccompProfile:
      type: RuntimeDefault
  {{- if $staged }}
  initContainers:
    - name: stage-weights
      image: {{ .Values.image }}
      imagePullPolicy: IfNotPresent
      command: [python3, -B, /scripts/stage_weights.py]
      args:
        {{- toYaml $staged | nindent 8 }}
      env:
        - name: HOME
          value: /tmp
        - name: HF_HOME
          value: /tmp/huggingface
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
          ephemeral-storage: {{ mul (len $volumes) (int .Values.weights.diskGib) }}Gi
        limits:
          memory: {{ .Values.host.memoryGib | int }}Gi
      securityContext:
        {{- include "vllm.containerSecurity" . | nindent 8 }}
      volumeMounts:
        {{- range $volumes }}
        - name: {{ (split ":" .)._0 }}
          mountPath: {{ (split ":" .)._1 }}
        {{- end }}
        - name: scripts
          mountPath: /scripts
          readOnly: true
        - name: tmp
          mountPath: /tmp
  {{- end }}
  containers:
    - name: vllm
      image: {{ .Values.image }}
      imagePullPolicy: IfNotPresent
      command: [vllm, serve, {{ include "vllm.weightsPath" . }}]
      args:
        - --served-model-name={{ .Values.servedName }}
        - --host=0.0.0.0
        - --port=8000
        - --max-model-len={{ .Values.engine.maxModelLen | int64 }}
        - --gpu-memory-utilization={{ .Values.engine.gpuMemoryUtilization }}
        - --tensor-parallel-size={{ .Values.gpu.count | int }}
        {{- if ne $role "single" }}
        - --pipeline-parallel-size={{ .Values.gpu.nodes | int }}
        # The engine's own processes on every node; the operator of groups says who leads and who is which.
        - --distributed-executor-backend=mp
        - --nnodes={{ .Values.gpu.nodes | int }}
        - --node-rank=$(LWS_WORKER_INDEX)
        - --master-addr=$(LWS_LEADER_ADDRESS)
        - --master-port=29501
        {{- end }}
        {{- if eq $role "worker" }}
        - --headless
        {{- end }}
        - --dtype={{ .Values.engine.dtype }}
        - --kv-cache-dtype={{ .Values.engine.kvCacheDtype }}
        # Written out: what the engine does by itself has changed between versions and models.
        - {{ ternary "--enable-prefix-caching" "--no-enable-prefix-caching" .Values.engine.prefixCaching }}
        {{- with .Values.engine.maxNumSeqs }}
        - --max-num-seqs={{ . | int }}
        {{- end }}
        {{- with .Values.engine.quantization }}
        - --quantization={{ . }}
        {{- end }}
        {{- with .Values.engine.speculation }}
        - {{ printf "--speculative-config=%s" (include "vllm.speculation" .) | quote }}
        {{- end }}
        {{- with .Values.engine.adapters }}
        - --enable-lora
        - --max-lora-rank={{ $root.Values.engine.maxAdapterRank | int }}
        # How many adapters one batch may mix: each costs GPU memory, so not all of a long list.
        - --max-loras={{ min 8 (len .) }}
        - --max-cpu-loras={{ len . }}
        {{- if ne $role "worker" }}
        - --lora-modules
        {{- range . }}
        - {{ .name }}=/adapters/{{ .name }}
        {{- end }}
        {{- end }}
        {{- end }}
        {{- with .Values.engine.toolCallParser }}
        - --enable-auto-tool-choice
        - --tool-call-parser={{ . }}
        {{- end }}
        {{- if and .Values.spansUrl (ne $role "worker") }}
        - --otlp-traces-endpoint={{ .Values.spansUrl }}
        {{- end }}
        # After SIGTERM: refuse what is new, let what runs finish.
        - --shutdown-timeout={{ .Values.lifecycle.longestRequestSeconds | int }}
        {{- range .Values.engine.extraArgs }}
        - {{ . | quote }}
        {{- end }}
      env:
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
        {{- if and .Values.spansUrl (ne $role "worker") }}
        - name: OTEL_SERVICE_NAME
          value: {{ .Release.Name }}
        {{- end }}
        # The root filesystem is read-only and the user has no home and no passwd entry.
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
      {{- if ne $role "worker" }}
      ports:
        - name: http
          containerPort: 8000
          protocol: TCP
      # Healthy is not warm: the first request compiles kernels, and may take a minute. The probe sends
      # it, from inside, where the key is; it passes once and is never run again.
      startupProbe:
        exec:
          command: [python3, -B, /scripts/warm_up.py, "http://127.0.0.1:8000", {{ .Values.servedName }}]
        periodSeconds: 10
        timeoutSeconds: {{ .Values.lifecycle.warmUpSeconds | int }}
        failureThreshold: {{ div (add (int .Values.lifecycle.startupSeconds) 9) 10 }}
      readinessProbe:
        httpGet:
          path: /health
          port: http
        periodSeconds: 10
        timeoutSeconds: 5
        failureThreshold: 3
      livenessProbe:
        httpGet:
          path: /health
          port: http
        periodSeconds: 20
        timeoutSeconds: 10
        failureThreshold: 3
      lifecycle:
        preStop:
          # Routers learn that the pod goes while the engine still answers.
          sleep:
            seconds: {{ .Values.lifecycle.unroutingSeconds | int }}
      {{- else }}
      lifecycle:
        preStop:
          # It computes for its leader, which lets its streams end first.
          sleep:
            seconds: {{ add (int .Values.lifecycle.unroutingSeconds) (int .Values.lifecycle.longestRequestSeconds) }}
      {{- end }}
      resources:
        requests:
          cpu: {{ .Values.host.cpu | quote }}
          memory: {{ .Values.host.memoryGib | int }}Gi
        limits:
          memory: {{ .Values.host.memoryGib | int }}Gi
          nvidia.com/gpu: {{ .Values.gpu.count | int }}
      securityContext:
        {{- include "vllm.containerSecurity" . | nindent 8 }}
      volumeMounts:
        - name: weights
          mountPath: /models
          readOnly: true
        {{- range $volumes }}
        {{- if ne . "weights:/models" }}
        - name: {{ (split ":" .)._0 }}
          mountPath: {{ (split ":" .)._1 }}
          readOnly: true
        {{- end }}
        {{- end }}
        - name: scripts
          mountPath: /scripts
          readOnly: true
        - name: tmp
          mountPath: /tmp
        - name: shared-memory
          mountPath: /dev/shm
  volumes:
    {{- range $volumes }}
    - name: {{ (split ":" .)._0 }}
      emptyDir:
        sizeLimit: {{ $root.Values.weights.diskGib | int }}Gi
    {{- end }}
    {{- if not $hub }}
    - name: weights
      image:
        reference: {{ .Values.weights.reference }}
        pullPolicy: IfNotPresent
    {{- end }}
    - name: scripts
      configMap:
        name: {{ .Release.Name }}-scripts
    - name: tmp
      emptyDir:
        sizeLimit: 10Gi
    - name: shared-memory
      emptyDir:
        medium: Memory
        sizeLimit: {{ .Values.host.sharedMemoryGib | int }}Gi
{{- end }}
{{- end }}
