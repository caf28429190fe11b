package dkim

// plainAVX2 returns where plain stops first in p, line ends not regarded, or, if
// that is nowhere or within the last avx2Ahead octets, how far it has looked. The
// processor must have AVX2.
//
//go:noescape
func plainAVX2(p []byte) int
