package mta

import "fmt"

// Set changes a parameter of main.cf, "name=value", for new processes.
func (p *Postfix) Set(parameter string) error {
	for _, args := range [][]string{{"postconf", "-e", parameter}, {"postfix", "reload"}} {
		if out, err := p.run(args[0], args[1:]...); err != nil {
			return fmt.Errorf("setting %s: %w: %s", parameter, err, out)
		}
	}
	return nil
}
