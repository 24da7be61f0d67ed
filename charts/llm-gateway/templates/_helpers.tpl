{{- define "llm-gateway.labels" -}}
app.kubernetes.io/name: llm-gateway
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/part-of: llmp
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end }}

{{/* The token of the pod's account, for the one container that calls the Kubernetes API. */}}
{{- define "llm-gateway.token" -}}
- name: token
  projected:
    sources:
      - serviceAccountToken:
          path: token
          expirationSeconds: 3600
      - configMap:
          name: kube-root-ca.crt
          items:
            - key: ca.crt
              path: ca.crt
{{- end }}

{{- define "llm-gateway.tokenMount" -}}
- name: token
  mountPath: /var/run/secrets/kubernetes.io/serviceaccount
  readOnly: true
{{- end }}

{{/* Where the bucket of an archive is, and how the database's pods prove themselves there. */}}
{{- define "llm-gateway.bucket" -}}
{{- if .s3 -}}
destinationPath: s3://{{ .bucket }}
endpointURL: https://{{ .s3.endpoint }}
s3Credentials:
  accessKeyId:
    name: {{ .s3.credentialsSecret }}
    key: access-key
  secretAccessKey:
    name: {{ .s3.credentialsSecret }}
    key: secret-key
  region:
    name: {{ .s3.credentialsSecret }}
    key: region
{{- else -}}
destinationPath: gs://{{ .bucket }}
googleCredentials:
  gkeEnvironment: true
{{- end }}
{{- end }}
