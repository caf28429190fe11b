package config

import (
	"bytes"
	"strings"
)

// secretOption is the only option whose value is a secret; all others that need one name
// a file.
const secretOption = "sampling_secret"

// WithoutSecrets is the text of a configuration file without the values of secrets: a
// comment stands in their place. It is empty where they cannot be told from the rest, as
// in a file that is faulty.
func WithoutSecrets(text []byte) []byte {
	k := newChecker("", "")
	k.read("", configurationFile, text)
	at, written := k.cfg.places[secretOption]
	if len(k.problems) > 0 {
		return nil
	}
	if !written {
		return text
	}
	var kept bytes.Buffer
	number, inside := 0, false
	for line := range bytes.Lines(text) {
		number++
		switch {
		case number == at.Line:
			inside = true
			kept.WriteString("# " + secretOption + ": " + secretSet + "\n")
		case inside && (len(bytes.TrimSpace(line)) == 0 || strings.ContainsAny(string(line[:1]), " \t")): // goes on
		default:
			inside = false
			kept.Write(line)
		}
	}
	// What is left has to be right, and without it.
	without := newChecker("", "")
	without.read("", configurationFile, kept.Bytes())
	secret := k.cfg.SamplingSecret
	if len(without.problems) > 0 || without.written(secretOption) || len(secret) > 3 && bytes.Contains(kept.Bytes(), []byte(secret)) {
		return nil
	}
	return kept.Bytes()
}

func (k *checker) written(option string) bool { return k.cfg.written(option) }
