package config

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"reflect"
	"time"

	"alignd/policy"
)

// Hash is the SHA-256 of Text: records name by it what they were judged with. It is the
// same for files that say the same in another way.
func (c *Config) Hash() [sha256.Size]byte { return sha256.Sum256(c.Text()) }

// Text is the configuration in force, included files and all, without secrets, in the
// form that FromText reads. Where something stands in the files is not in it.
func (c *Config) Text() []byte {
	plain := *c
	plain.Rules, plain.Warnings, plain.Files = nil, nil, nil
	blankSecrets(reflect.ValueOf(&plain).Elem())
	text, err := json.Marshal(&plain)
	if err != nil {
		panic("a configuration that cannot be written as JSON: " + err.Error()) // a fault of the binary; its test shows it
	}
	return text
}

// blankSecrets sets each secret option of a section to its zero value.
func blankSecrets(section reflect.Value) {
	for _, o := range optionsIn(section.Type()) {
		switch f := section.FieldByIndex(o.index); {
		case o.secret:
			f.SetZero()
		case isSection(f.Type()):
			blankSecrets(f)
		}
	}
}

// FromText reads what Text wrote, maybe that of another version: options that were
// not known there have their defaults. Its Rules decide as those did that the text is
// of, but know no place in a file. Secrets are empty.
func FromText(text []byte) (*Config, error) {
	cfg := newChecker("", "").cfg
	if err := json.Unmarshal(text, cfg); err != nil {
		return nil, fmt.Errorf("a kept configuration: %w", err)
	}
	var err error
	if cfg.Rules, err = policy.Compile(cfg.spec()); err != nil {
		return nil, fmt.Errorf("a kept configuration: %w", err)
	}
	return cfg, nil
}

// UnmarshalJSON reads what Text wrote, in place of UnmarshalText.
func (d *Duration) UnmarshalJSON(text []byte) error {
	var plain struct{ Duration int64 }
	err := json.Unmarshal(text, &plain)
	d.Duration = time.Duration(plain.Duration)
	return err
}

// UnmarshalJSON reads what Text wrote, in place of UnmarshalText.
func (s *Size) UnmarshalJSON(text []byte) error { return json.Unmarshal(text, (*int64)(s)) }

// UnmarshalJSON reads what Text wrote, in place of UnmarshalText.
func (m *FileMode) UnmarshalJSON(text []byte) error { return json.Unmarshal(text, (*uint32)(m)) }
