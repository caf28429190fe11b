package config

import (
	"crypto/sha256"
	"encoding/json"
)

// Hash is the SHA-256 of the configuration in force, included files and all, without
// secrets: records name by it what they were judged with. It is the same for files
// that say the same in another way.
func (c *Config) Hash() [sha256.Size]byte {
	plain := *c
	plain.SamplingSecret, plain.Rules, plain.Warnings, plain.Files = "", nil, nil, nil
	text, err := json.Marshal(&plain)
	if err != nil {
		panic("a configuration that cannot be written as JSON: " + err.Error()) // a fault of the binary; its test shows it
	}
	return sha256.Sum256(text)
}
