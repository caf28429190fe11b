// Package port finds ports on loopback for the servers of tests.
package port

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
)

// Ports below 32768 are not taken for outgoing connections (Linux,
// ip_local_port_range), so one that is free now is free when the server comes.
const (
	lowest  = 10_000
	highest = 32_767
)

var given sync.Map // port -> taken by this process

// Free returns "127.0.0.1:PORT" with a port that nobody listens on. Each port
// is given once. It is safe for concurrent use.
func Free() (string, error) {
	for range 1000 {
		n := lowest + rand.IntN(highest-lowest+1)
		if _, taken := given.LoadOrStore(n, true); taken {
			continue
		}
		addr := fmt.Sprintf("127.0.0.1:%d", n)
		if ln, err := net.Listen("tcp", addr); err == nil {
			return addr, ln.Close()
		}
	}
	return "", errors.New("no free port on loopback")
}
