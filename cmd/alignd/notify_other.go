//go:build !linux

package main

import sd "github.com/coreos/go-systemd/v22/daemon"

// reloading is what systemd, which other systems do not have, would be told.
func reloading() string { return sd.SdNotifyReloading }
