//go:build !linux && !freebsd

package spool

func freeSpace(string) (free, all int64, err error) { return 0, 0, errNoFree }
