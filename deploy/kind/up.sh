#!/usr/bin/env bash
# deploy/kind/up.sh [ipv4|ipv6|dual] [iptables|nftables|none] [canal|no-canal]
# A kind cluster called "canal" with the image of dist/canal-image.tar (npm run image) and, unless told not to, canal.
set -euo pipefail
cd "$(dirname "$0")"
family=${1:-ipv4} kube_proxy=${2:-iptables} install=${3:-canal} image=../../dist/canal-image.tar
[ -f "$family/cluster.yaml" ] || { echo "up.sh: no family \"$family\": ipv4, ipv6 or dual" >&2; exit 2; }
[ -f "$image" ] || { echo "up.sh: $image is missing: run \"npm run image\" first" >&2; exit 1; }
sed "s/kubeProxyMode: .*/kubeProxyMode: $kube_proxy/" "$family/cluster.yaml" | kind create cluster --name canal --config -
kind load image-archive "$image" --name canal
[ "$install" = canal ] || exit 0
kubectl --context kind-canal apply -k "$family"
kubectl --context kind-canal wait --for condition=Ready nodes --all --timeout 120s
kubectl --context kind-canal get nodes,pods --all-namespaces --output wide
