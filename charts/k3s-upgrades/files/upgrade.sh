# shellcheck shell=sh
# Brings one node to the release that its plan names. Runs in the image k3s-upgrade, whose own
# script replaces the binary and ends the process for systemd to start it anew; containers stay.
# It may be started over at any point; an API server that does not answer ends it.
kubectl() { /opt/k3s kubectl "$@"; }
node="$SYSTEM_UPGRADE_NODE_NAME"
wanted="$SYSTEM_UPGRADE_PLAN_LATEST_VERSION"
mark=llmp.dev/cordoned-for-upgrade

of_node() { kubectl get node "$node" --output="jsonpath=$1"; }
release() {
  found="$(of_node '{.status.nodeInfo.kubeletVersion}')" && [ -n "$found" ] && echo "$found" | tr + -
}
ready() { of_node '{.status.conditions[?(@.type=="Ready")].status}'; }
releases_of_servers() {
  kubectl get nodes --selector=node-role.kubernetes.io/control-plane \
    --output='jsonpath={range .items[*]}{.status.nodeInfo.kubeletVersion}{"\n"}{end}' | tr + - | sort -u
}

running="$(release)"
echo "$node runs $running, $wanted is wanted"
if [ "$running" != "$wanted" ]; then
  # A kubelet must never be newer than the API server that it asks.
  if [ "$ROLE" = worker ]; then
    until [ "$(releases_of_servers)" = "$wanted" ]; do
      echo "waiting for the control plane"
      sleep 10
    done
  fi
  # What people cordoned stays so.
  unschedulable="$(of_node '{.spec.unschedulable}')"
  if [ "$unschedulable" != true ]; then
    kubectl annotate node "$node" --overwrite "$mark=true"
  fi
  if [ "$ROLE" = worker ]; then
    kubectl drain "$node" --ignore-daemonsets --delete-emptydir-data \
      --pod-selector='!upgrade.cattle.io/controller' \
      --skip-wait-for-delete-timeout=60 --timeout="${DRAIN_TIMEOUT_SECONDS}s"
  else
    kubectl cordon "$node"
  fi
  /bin/upgrade.sh upgrade
fi

# The next node has its turn when this one was well for half a minute. While the API server of a
# control plane of one starts, nobody answers.
steady=0
while [ "$steady" -lt 6 ]; do
  if [ "$(release || true)" = "$wanted" ] && [ "$(ready || true)" = True ]; then
    steady=$((steady + 1))
  else
    steady=0
  fi
  sleep 5
done
marked="$(of_node '{.metadata.annotations.llmp\.dev/cordoned-for-upgrade}')"
if [ "$marked" = true ]; then
  kubectl uncordon "$node"
  kubectl annotate node "$node" "$mark-"
fi
echo "$node runs $wanted"
