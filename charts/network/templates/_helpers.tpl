{{- define "network.labels" -}}
app.kubernetes.io/name: network
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/part-of: llmp
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end }}

{{/*
One peer, as an item of `from` or `to`. Nothing at all stands for every address: that is what a policy
can say of the API server's and the nodes' own, because plugins do not match those by an address.
*/}}
{{- define "network.peer" -}}
{{- if eq .peer.kind "pods" -}}
- namespaceSelector:
    matchLabels:
      kubernetes.io/metadata.name: {{ .peer.namespace }}
  {{- with .peer.podLabels }}
  podSelector:
    matchLabels:
      {{- toYaml . | nindent 6 }}
  {{- end }}
{{- else if eq .peer.kind "internet" -}}
- ipBlock:
    cidr: 0.0.0.0/0
    # Besides private and link-local ones, those that are nobody's and that clouds give to clusters.
    except:
      - 10.0.0.0/8
      - 100.64.0.0/10
      - 127.0.0.0/8
      - 169.254.0.0/16
      - 172.16.0.0/12
      - 192.0.0.0/24
      - 192.168.0.0/16
      - 198.18.0.0/15
      - 240.0.0.0/4
{{- else if eq .peer.kind "metadata-server" -}}
- ipBlock:
    cidr: 169.254.169.252/32
- ipBlock:
    cidr: 169.254.169.254/32
{{- end }}
{{- end }}
