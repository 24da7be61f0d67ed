# `make help` lists what there is. Everything sets itself up: .venv, the engine and tools in ~/.cache/llmp.

MAKEFLAGS += --no-print-directory --no-builtin-rules
.DEFAULT_GOAL := help
.SUFFIXES:

# The Python that starts the set-up; everything else runs in .venv.
PYTHON ?= python3
STACK_GIVEN := $(STACK)
STACK ?= gke
SETUP := $(PYTHON) -m tools.bootstrap

.PHONY: help demo show test lint format preview up destroy bench generate check render sandbox-preview clean \
	python stack-file stack-named lab kind kind-delete plan smoke

help: ## list the commands
	@echo "make COMMAND [VARIABLE=value ...]"; echo
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)$$/  \1|\2/p' $(firstword $(MAKEFILE_LIST)) \
		| awk -F'|' '{ printf "%-18s %s\n", $$1, $$2 }'
	@echo
	@echo "STACK is the <name> of a Pulumi.<name>.yaml: $(patsubst Pulumi.%.yaml,%,$(sort $(wildcard Pulumi.*.yaml)))"
	@echo "ARGS are handed on to pulumi (preview, up, destroy)."

# With JSON=1 the command answers itself, so that a script gets its document in every case.
demo: python $(if $(filter-out 0,$(JSON)),,stack-file) ## bring a stack up against the built-in sandbox, no account (STACK=gke, JSON=1, CONFIG=path, POLICIES=0)
	@$(SETUP) engine -- python -m sandbox demo --stack '$(STACK)' \
		$(if $(filter-out 0,$(JSON)),--json) $(if $(CONFIG),--config '$(CONFIG)') \
		$(if $(filter 0,$(POLICIES)),--no-policies)

test: python ## run everything that tests the project without a cloud
	@$(SETUP) -- python -m tools.run_tests

lint: python ## run the linters and the type checker alone
	@$(SETUP) -- python -m tools.run_tests --lint

format: python ## format the Python code and fix what the linter can fix
	@$(SETUP) -- sh -c 'ruff check --fix-only --quiet . && ruff format --quiet .'

preview up destroy: python stack-named stack-file
	@$(SETUP) engine -- python -m tools.stack_command $@ '$(STACK_GIVEN)' $(ARGS)

preview: ## pulumi preview of a real stack, under the policies (STACK=name, ARGS=..., POLICIES=0)
up: ## pulumi up of a real stack, under the policies (STACK=name, ARGS=..., POLICIES=teardown)
destroy: ## pulumi destroy of a real stack (STACK=name, ARGS=...)

sandbox-preview: python stack-file ## preview a stack against the sandbox and print it as JSON (STACK=gke, CONFIG=path)
	@$(SETUP) engine -- python -m sandbox preview --stack '$(STACK)' --json $(if $(CONFIG),--config '$(CONFIG)') \
		$(if $(filter 0,$(POLICIES)),--no-policies)

show: python ## list what the sandbox's cluster keeps, or print it (STACK=gke, OBJECT=Application/litellm)
	@$(SETUP) -- python -m sandbox show --stack '$(STACK)' $(if $(OBJECT),'$(OBJECT)',--list)

bench: python ## measure program, preview and up for 1, 10 and 100 models (JSON=1)
	@$(SETUP) engine -- python -m sandbox bench $(if $(filter-out 0,$(JSON)),--json)

# What each command of the lab starts. LAB_UPSTREAM=1 takes charts of others from the network.
LAB ?= converge
LAB_PARTS := helm kustomize crds etcd kube-apiserver kube-controller-manager kube-scheduler kwok argocd
LAB_PARTS_reachability := helm netpol-analyzer
LAB_PARTS_refusals := helm crds etcd kube-apiserver kube-controller-manager argocd kyverno-admission-controller
LAB_PARTS_scheduling := helm etcd kube-apiserver kube-controller-manager kube-scheduler kwok kueue
LAB_PARTS_scaling := helm crds etcd kube-apiserver kube-controller-manager kube-scheduler kwok prometheus keda-operator keda-adapter
# Real ones beside make lab LAB=up, with commas between.
LAB_WITH_kueue := kueue
LAB_WITH_kyverno := kyverno-admission-controller
LAB_WITH_keda := keda-operator keda-adapter
LAB_WITH_prometheus := prometheus
comma := ,
LAB_PARTS_up := $(LAB_PARTS) $(foreach part,$(subst $(comma), ,$(LAB_WITH)),$(LAB_WITH_$(part)))

lab: python $(if $(filter-out 0,$(JSON)),,stack-file) ## the emitted platform on a real control plane (LAB=converge/order/faults/refusals/scheduling/scaling/reachability/up, LAB_WITH=kueue,kyverno,keda,prometheus, STACK=gke, CONFIG=path, JSON=1, ARGS=...)
	$(if $(and $(filter faults scheduling scaling,$(LAB)),$(STACK_GIVEN)$(CONFIG)),$(error LAB=$(LAB) brings a stack of its own; leave STACK and CONFIG out))
	@$(SETUP) $(or $(LAB_PARTS_$(LAB)),$(LAB_PARTS)) -- python -m lab $(LAB) \
		$(if $(or $(filter converge order up,$(LAB)),$(if $(filter refusals reachability,$(LAB)),$(STACK_GIVEN)$(CONFIG))),--file '$(or $(CONFIG),Pulumi.$(STACK).yaml)') \
		$(if $(and $(filter up,$(LAB)),$(LAB_WITH)),--with '$(LAB_WITH)') \
		$(if $(filter-out 0,$(JSON)),--json) $(ARGS)

generate: python ## write all generated files again
	@$(SETUP) -- python -m tools.generate

render: python stack-file ## write all manifests of a stack for review (STACK=gke, CONFIG=path, OUT=folder, OWN=1)
	@$(SETUP) helm -- python -m tools.render_manifests '$(if $(CONFIG),$(CONFIG),Pulumi.$(STACK).yaml)' \
		--output '$(or $(OUT),.llmp/manifests/$(STACK))' \
		$(if $(filter-out 0,$(OWN)),--own-charts) $(if $(filter-out 0,$(JSON)),--json)

kind: python ## a kind cluster with the platform on it, without a GPU; needs Docker, nothing else does
	@$(SETUP) engine kind -- python -m tools.kind_cluster create

kind-delete: python ## delete that cluster
	@$(SETUP) kind -- python -m tools.kind_cluster delete

smoke: python ## ask each started model a first question (STACK=name; without it, on the cluster of make kind)
	@./llmp smoke '$(or $(STACK_GIVEN),examples/kind.yaml)' $(ARGS)

plan: python ## say what fits, serves and costs what (STACK=gke, ARGS=--simulate; any model on any GPU: ./llmp plan --help)
	@./llmp plan '$(STACK)' $(ARGS)

check: python stack-file ## say whether a stack file is valid (STACK=gke, CONFIG=path)
	@$(SETUP) -- python -m stacks.check '$(if $(CONFIG),$(CONFIG),Pulumi.$(STACK).yaml)'

clean: ## remove what was made in this folder (the cache of built tools stays)
	@rm -rf .venv .llmp .pytest_cache .ruff_cache .hypothesis
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

# What the commands above need first, quickest first: nothing is built for a command that can't run.
python:
	@command -v '$(PYTHON)' >/dev/null 2>&1 || { \
		echo "setup: $(PYTHON) is not on PATH." >&2; \
		echo "fix: install Python 3.11 or newer (Debian, Ubuntu: apt-get install python3 python3-venv)." >&2; \
		exit 1; }

stack-file:
	@$(if $(CONFIG)$(wildcard Pulumi.$(STACK).yaml),:,echo "there is no Pulumi.$(STACK).yaml; \
		STACK can be: $(patsubst Pulumi.%.yaml,%,$(sort $(wildcard Pulumi.*.yaml)))" >&2; exit 2)

# What costs money or deletes is not done to a stack that was not named.
stack-named:
	@$(if $(CONFIG),echo "a real stack reads Pulumi.<name>.yaml and no CONFIG; \
		copy the file there and name it by STACK=<name>" >&2; exit 2,:)
	@$(if $(STACK_GIVEN),:,echo "no stack was named; \
		add STACK=<name>: $(patsubst Pulumi.%.yaml,%,$(sort $(wildcard Pulumi.*.yaml)))" >&2; exit 2)
