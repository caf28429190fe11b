// Command faulty builds an alignd whose functions can be made to fail and whose clock
// can be set, for make faults: the tests run as root, who may have no Go.
//
//	faulty DIRECTORY
package main

import (
	"fmt"
	"os"

	"alignd/e2e/instrument"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: faulty DIRECTORY")
		os.Exit(2)
	}
	if err := instrument.BuildAll(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "faulty:", err)
		os.Exit(1)
	}
}
