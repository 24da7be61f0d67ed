{{- define "edge.labels" -}}
app.kubernetes.io/name: edge
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/part-of: llmp
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end }}

{{/* A local limit as agentgateway takes it. */}}
{{- define "edge.limit" -}}
- requests: {{ .requestsPerSecond | int }}
  unit: Seconds
  burst: {{ .burst | int }}
{{- end }}

{{/* One HTTPRoute: `root`, the `route` of the values, the route's `name` and its `paths`. */}}
{{- define "edge.route" -}}
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata:
  name: {{ .name }}
  namespace: {{ .root.Release.Namespace }}
  labels:
    {{- include "edge.labels" .root | nindent 4 }}
  annotations:
    # After its policy, and gone before it: a route whose policy is not there is open to everybody.
    argocd.argoproj.io/sync-wave: "1"
spec:
  parentRefs:
    - group: gateway.networking.k8s.io
      kind: Gateway
      name: {{ .root.Values.gatewayReference.name }}
      namespace: {{ .root.Values.gatewayReference.namespace }}
      sectionName: https-{{ .route.name }}
  hostnames:
    - {{ .route.hostname }}
  rules:
    - matches:
        {{- range .paths }}
        - path:
            type: PathPrefix
            value: {{ . }}
        {{- end }}
      backendRefs:
        - group: ""
          kind: Service
          name: {{ .route.service }}
          port: {{ .route.port | int }}
          weight: 1
{{- end }}
