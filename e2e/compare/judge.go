package main

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"alignd/e2e/cases"
	"alignd/resolver"
	"alignd/resolver/dnsserver"
)

// letter is one message with its envelope.
type letter struct {
	cases.Envelope
	name string // of its client, as the case has it
	text []byte
	zone string
}

// row is what all filters said of one message.
type row struct {
	name, folder string
	said         []result // as the filters
}

// judge has each filter judge each message. Messages of authenticated clients are left
// out: none of the filters judges them, or it depends on its configuration alone.
func judge(all []*cases.Case, filters []filter) ([]row, error) {
	dns, err := dnsserver.ServeZone(new(resolver.Zone), dnsAddr+":53")
	if err != nil {
		return nil, err
	}
	defer dns.Close()
	defer func() {
		for _, f := range filters {
			f.close()
		}
	}()
	slices.SortStableFunc(all, func(a, b *cases.Case) int { return cmp.Compare(number(a.Name), number(b.Name)) })
	var rows []row
	for _, c := range all {
		letters, err := lettersOf(c)
		if err != nil {
			return nil, err
		}
		if len(letters) == 0 {
			continue
		}
		file, err := os.Open(c.Zone)
		if err != nil {
			return nil, err
		}
		zone, err := resolver.ParseZone(file, c.Zone)
		file.Close()
		if err != nil {
			return nil, err
		}
		dns.Reload(zone)
		said, err := caseOf(c, letters, filters)
		if err != nil {
			return nil, err
		}
		rows = append(rows, said...)
	}
	return rows, nil
}

// number is that of a case, by its name.
func number(name string) int {
	digits, _, _ := strings.Cut(name, "-")
	n, _ := strconv.Atoi(digits) // a name without one comes first
	return n
}

// caseOf begins each filter anew where it remembers what DNS said, as another case has
// other records under the same names.
func caseOf(c *cases.Case, letters []letter, filters []filter) ([]row, error) {
	rows := make([]row, len(letters))
	for i := range letters {
		rows[i] = row{name: c.Name, folder: c.Name, said: make([]result, len(filters))}
		if len(letters) > 1 {
			rows[i].name += fmt.Sprintf(" (%d)", letters[i].Step.Message)
		}
		if c.Config != "" {
			rows[i].name += " *"
		}
	}
	for f, filter := range filters {
		began := time.Now()
		if err := filter.begin(); err != nil {
			return nil, fmt.Errorf("%s: %s: %w", c.Name, filter.name(), err)
		}
		for i, l := range letters {
			rows[i].said[f] = filter.judge(l)
		}
		if err := filter.end(); err != nil {
			return nil, fmt.Errorf("%s: %s: %w", c.Name, filter.name(), err)
		}
		if took := time.Since(began); took > 2*time.Second {
			fmt.Fprintf(os.Stderr, "%s: %s took %.1f s\n", c.Name, filter.name(), took.Seconds())
		}
	}
	return rows, nil
}

// lettersOf are the messages of a case that clients without login send.
func lettersOf(c *cases.Case) ([]letter, error) {
	var names, users []string
	name, user := "", ""
	for _, s := range c.Steps {
		switch s.Verb {
		case "connect":
			name, user = s.Name, s.User
		case "data":
			names, users = append(names, name), append(users, user)
		}
	}
	var all []letter
	for i, e := range c.Envelopes() {
		if users[i] != "" || len(e.Rcpts) == 0 {
			continue
		}
		text, err := c.Message(e.Step)
		if err != nil {
			return nil, err
		}
		all = append(all, letter{Envelope: e, name: names[i], text: text, zone: filepath.Join(c.Dir, "zone")})
	}
	return all, nil
}
