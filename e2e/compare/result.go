package main

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"alignd/authres"
)

// What is done with a message.
const (
	delivered = "delivered"
	marked    = "marked"
	held      = "held"
	refused   = "refused"
	putOff    = "put off"
	failed    = "failed"
)

// methods are the columns of a result, in order.
var methods = []string{"spf", "dkim", "arc", "dmarc"}

// result is what a filter said of a message.
type result struct {
	words map[string]string // method to words; missing where it told nothing
	done  string
}

// resultsOf reads Authentication-Results fields.
func resultsOf(fields []string) result {
	said := map[string][]string{}
	for _, f := range fields {
		ar, err := authres.Parse([]byte(f))
		if err != nil {
			continue
		}
		for _, r := range ar.Results {
			method := strings.ToLower(r.Method)
			said[method] = append(said[method], strings.ToLower(string(r.Result)))
		}
	}
	r := result{words: map[string]string{}}
	for method, words := range said {
		r.words[method] = counted(words)
	}
	return r
}

// counted writes several words in an order that does not depend on that of the fields.
func counted(words []string) string {
	slices.Sort(words)
	var parts []string
	for _, w := range slices.Compact(slices.Clone(words)) {
		n := 0
		for _, other := range words {
			if other == w {
				n++
			}
		}
		if n > 1 {
			w = fmt.Sprintf("%d %s", n, w)
		}
		parts = append(parts, w)
	}
	return strings.Join(parts, ", ")
}

// header is a message up to its body.
func header(message []byte) []byte {
	text := bytes.ReplaceAll(message, []byte("\r\n"), []byte("\n"))
	before, _, _ := bytes.Cut(text, []byte("\n\n"))
	return before
}

// fieldsOf are the Authentication-Results fields of a message.
func fieldsOf(message []byte) []string {
	var all []string
	in := false
	for line := range strings.Lines(string(header(message))) {
		line = strings.TrimRight(line, "\n")
		switch {
		case line != "" && (line[0] == ' ' || line[0] == '\t'):
			if in {
				all[len(all)-1] += " " + strings.TrimSpace(line)
			}
		default:
			name, value, _ := strings.Cut(line, ":")
			if in = strings.EqualFold(name, authres.FieldName); in {
				all = append(all, strings.TrimSpace(value))
			}
		}
	}
	return all
}

// added are the fields that were not there before.
func added(before, after []byte) []string {
	old := fieldsOf(before)
	var all []string
	for _, f := range fieldsOf(after) {
		if i := slices.Index(old, f); i >= 0 {
			old = slices.Delete(old, i, i+1)
			continue
		}
		all = append(all, f)
	}
	return all
}
