//go:build tools

// Package tools pins the server that this folder builds.
package tools

import (
	_ "sigs.k8s.io/kueue/cmd/kueue"
)
