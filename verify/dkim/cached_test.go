package dkim_test

import (
	"context"
	"sync"

	"alignd/resolver"
	"alignd/verify/internal/testsign"
)

// cached keeps answers, as the resolver does.
type cached struct {
	testsign.DNS
	answers sync.Map
}

func (c *cached) Lookup(ctx context.Context, name string, qtype uint16) (*resolver.Answer, error) {
	if a, ok := c.answers.Load(name); ok {
		return a.(*resolver.Answer), nil
	}
	a, err := c.DNS.Lookup(ctx, name, qtype)
	if err == nil {
		c.answers.Store(name, a)
	}
	return a, err
}
