package milter

import "syscall"

// setQuickAck sets TCP_QUICKACK (tcp(7)).
var setQuickAck = func(fd uintptr) {
	_ = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, syscall.TCP_QUICKACK, 1)
}
