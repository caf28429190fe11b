package config

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
)

// Nearest is the word of allowed, in the spelling of options, that s is a slip of;
// empty when none is near.
func Nearest(s string, allowed []string) string {
	const longest = 40 // no word of ours is
	if s == "" || len(s) > longest {
		return ""
	}
	plain := strings.ToLower(strings.ReplaceAll(s, "-", "_"))
	best, fewest := "", 1+min(3, (len(plain)+2)/4)
	for _, word := range allowed {
		if d := distance(plain, word); d < fewest && d < len(word) {
			best, fewest = word, d
		}
	}
	return best
}

// distance counts the letters to insert, delete or change, and the neighbours to
// swap, that make b of a.
func distance(a, b string) int {
	rows := [3][]int{make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)}
	for j := range rows[1] {
		rows[1][j] = j
	}
	for i := 1; i <= len(a); i++ {
		before, above, row := rows[0], rows[1], rows[2]
		row[0] = i
		for j := 1; j <= len(b); j++ {
			change := 1
			if a[i-1] == b[j-1] {
				change = 0
			}
			row[j] = min(above[j]+1, row[j-1]+1, above[j-1]+change)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		rows = [3][]int{above, row, before}
	}
	return rows[1][len(b)]
}

// elsewhere are the paths of options of typ and its sections that have the name key.
func elsewhere(typ reflect.Type, key string) []string {
	var found []string
	for _, path := range optionsOf(typ) {
		if path == key || strings.HasSuffix(path, "."+key) {
			found = append(found, path)
		}
	}
	return found
}

var optionsCache sync.Map // reflect.Type -> []string

// optionsOf lists the options of a struct and of its sections, not those of
// entries of lists.
func optionsOf(typ reflect.Type) []string {
	if known, ok := optionsCache.Load(typ); ok {
		return known.([]string)
	}
	var paths []string
	for key, f := range fieldsOf(typ) {
		paths = append(paths, key)
		if isSection(f.Type) {
			for _, below := range optionsOf(f.Type) {
				paths = append(paths, join(key, below))
			}
		}
	}
	slices.Sort(paths)
	optionsCache.Store(typ, paths)
	return paths
}

// alternatives spells a question of what was meant, and where; empty when there is nothing to
// ask, or too much.
func alternatives(words []string, place string) string {
	if len(words) == 0 || len(words) > 3 {
		return ""
	}
	quoted := make([]string, len(words))
	for i, w := range words {
		quoted[i] = fmt.Sprintf("%q", w)
	}
	return ", did you mean " + strings.Join(quoted, " or ") + place + "?"
}

// notAllowed is the fault of a word that is none of those allowed.
func notAllowed(s string, words []string) error {
	var guess []string
	if near := Nearest(s, words); near != "" {
		guess = append(guess, near)
	}
	text := fmt.Sprintf("%q is not allowed", s)
	if mayHoldPassword(s) {
		text = "what stands here is not allowed"
	}
	if asked := alternatives(guess, ""); asked != "" {
		return fmt.Errorf("%s%s allowed: %s", text, asked, strings.Join(words, ", "))
	}
	return fmt.Errorf("%s; allowed: %s", text, strings.Join(words, ", "))
}

// noBool says what to write for a word that is neither true nor false.
func noBool(s string) error {
	switch strings.ToLower(s) {
	case "true", "false":
		return fmt.Errorf("%q is a text; write %s without quotes", s, strings.ToLower(s))
	case "yes", "on", "y", "1", "enabled":
		return fmt.Errorf("%q is neither true nor false, did you mean true?", s)
	case "no", "off", "n", "0", "disabled":
		return fmt.Errorf("%q is neither true nor false, did you mean false?", s)
	}
	return fmt.Errorf("%q is neither true nor false", s)
}
