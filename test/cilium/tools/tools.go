//go:build tools

// The Cilium binaries that the tests run, by the versions in go.mod: scripts/setup builds them with Go's ordinary client.
package tools

import (
	_ "github.com/cilium/cilium/cilium-dbg"
	_ "github.com/cilium/cilium/daemon"
	_ "github.com/cilium/cilium/plugins/cilium-cni"
)
