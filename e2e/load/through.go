package main

import (
	"errors"
	"fmt"

	"alignd/e2e/latency"
	"alignd/e2e/loadgen"
)

// measureThrough prints how long messages take through a real MTA, a line for
// each size and socket.
func measureThrough(name, binary string, messages int) (err error) {
	var lab *latency.Lab
	switch name {
	case "postfix":
		lab, err = latency.WithPostfix(binary)
	case "sendmail":
		lab, err = latency.WithSendmail(binary, "build/sendmail")
	default:
		return fmt.Errorf("-through %q is neither postfix nor sendmail", name)
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, lab.Stop()) }()
	for _, size := range []int{4e3, 1e5} {
		took, err := lab.Measure(messages, size)
		if err != nil {
			return err
		}
		for _, socket := range latency.Sockets {
			p50 := latency.Median(took[socket])
			fmt.Printf("%-10s %7d octets  %-10s message p50 %7.3f p99 %7.3f ms\n",
				name, size, socket, ms(p50), ms(loadgen.Quantile(took[socket], 0.99)))
		}
	}
	return nil
}
