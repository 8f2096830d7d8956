#!/bin/sh
# kubectl.sh: prints the path of a stock kubectl >= 1.29 (the oldest that needs no protobuf OpenAPI), or fails.
# $KUBECTL, else the one built from k8s.io/kubectl with Go >= 1.26 (kept in the cache, about 3 minutes once), else PATH's.
set -u
here=$(cd "$(dirname "$0")" && pwd)
version=$(sed -n 's|.*k8s.io/kubectl v0\.||p' "$here/kubectl/go.mod" | head -1)
cached=${XDG_CACHE_HOME:-$HOME/.cache}/spillway/kubectl-1.$version

recent() { # is this kubectl's client 1.29 or newer?
	minor=$("$1" version --client -o json 2>/dev/null | sed -n 's/.*"minor": *"\([0-9]*\).*/\1/p' | head -1)
	[ -n "$minor" ] && [ "$minor" -ge 29 ]
}

[ -n "${KUBECTL-}" ] && { echo "$KUBECTL"; exit 0; }
if [ ! -x "$cached" ] && command -v go >/dev/null; then
	gominor=$(go env GOVERSION | sed -n 's/^go1\.\([0-9]*\).*/\1/p')
	if [ "${gominor:-0}" -ge 26 ]; then
		echo "building kubectl 1.$version from its Go module (once; about 3 minutes on 2 cores) ..." >&2
		mkdir -p "$(dirname "$cached")"
		stamp=k8s.io/component-base/version
		(cd "$here/kubectl" && GOFLAGS=-mod=readonly go build -trimpath -o "$cached.new" \
			-ldflags "-s -w -X $stamp.gitVersion=v1.$version -X $stamp.gitMajor=1 -X $stamp.gitMinor=${version%%.*} -X $stamp.gitTreeState=clean" .) >&2 &&
			mv "$cached.new" "$cached"
	fi
fi
for k in "$cached" "$(command -v kubectl)"; do
	[ -n "$k" ] && [ -x "$k" ] && recent "$k" && { echo "$k"; exit 0; }
done
exit 1
