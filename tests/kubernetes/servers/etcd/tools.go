//go:build tools

// Package tools pins the server that this folder builds.
package tools

import (
	_ "go.etcd.io/etcd/server/v3"
)
