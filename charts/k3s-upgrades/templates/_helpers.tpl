{{- define "k3s-upgrades.labels" -}}
app.kubernetes.io/name: k3s-upgrades
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/part-of: llmp
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end }}

{{/* What both plans do on a node: role of the nodes, deadline, and the root of the values. */}}
{{- define "k3s-upgrades.plan" -}}
concurrency: 1
jobActiveDeadlineSecs: {{ .deadline | int }}
serviceAccountName: {{ .root.Release.Name }}-node
# A node that is tainted runs k3s all the same.
tolerations:
  - operator: Exists
priorityClassName: system-node-critical
version: {{ .root.Values.version }}
upgrade:
  image: {{ .root.Values.upgradeImage }}
  # In a variable and not in an argument: the image's script finds k3s by the words of the processes
  # of the node, and would find this text among them.
  command: [/bin/sh, -eu, -c]
  args: ['eval "$STEPS"']
  envs:
    - name: ROLE
      value: {{ .role }}
    - name: DRAIN_TIMEOUT_SECONDS
      value: {{ .root.Values.drainTimeoutSeconds | int | quote }}
    - name: STEPS
      value: |
        {{- .root.Files.Get "files/upgrade.sh" | nindent 8 }}
{{- end }}
