package main

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
)

// sums count messages by words of ours, so there are few.
type sums map[string]int

func (s sums) count(words ...string) {
	for _, w := range words {
		s[w]++
	}
}

// print lists the sums, the largest first within each word's kind.
func (s sums) print(out io.Writer) error {
	words := slices.SortedFunc(maps.Keys(s), func(a, b string) int {
		return cmp.Or(cmp.Compare(kindOf(a), kindOf(b)), cmp.Compare(s[b], s[a]), cmp.Compare(a, b))
	})
	for _, w := range words {
		if _, err := fmt.Fprintf(out, "  %6d  %s\n", s[w], w); err != nil {
			return err
		}
	}
	return nil
}

// kindOf is what stands before the value of a word.
func kindOf(word string) string {
	for i := range len(word) {
		if word[i] == '=' || word[i] == ' ' || word[i] == ':' {
			return word[:i]
		}
	}
	return word
}
