// Modules that bring custom resource definitions: read as data, never compiled, so their own
// requirements do not matter and `go mod tidy` would drop them all.
module llmp/tools/crds

go 1.26.0

require (
	github.com/argoproj/argo-cd/v3 v3.4.3
	github.com/cert-manager/cert-manager v1.20.2
	github.com/cert-manager/trust-manager v0.24.0
	github.com/cloudnative-pg/cloudnative-pg v1.29.1
	github.com/external-secrets/external-secrets v1.3.2
	github.com/kedacore/keda/v2 v2.20.1
	github.com/kgateway-dev/kgateway/v2 v2.2.0
	github.com/kserve/kserve v0.19.0
	github.com/kubernetes-csi/external-snapshotter/client/v8 v8.4.0
	github.com/kyverno/kyverno v1.18.1
	github.com/prometheus-operator/prometheus-operator v0.91.0
	github.com/rancher/system-upgrade-controller v0.19.2
	sigs.k8s.io/external-dns v0.21.0
	sigs.k8s.io/gateway-api v1.5.0
	sigs.k8s.io/gateway-api-inference-extension v1.5.0
	sigs.k8s.io/kueue v0.18.2
	sigs.k8s.io/lws v0.9.0
)
