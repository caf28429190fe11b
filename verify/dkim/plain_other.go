//go:build !amd64

package dkim

func plainAVX2([]byte) int { panic("no AVX2") }
