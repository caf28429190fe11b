package aggregate

import (
	"crypto/sha256"
	"encoding/json"
)

// Key names what is counted together: equal values, and only these, have equal keys.
type Key [sha256.Size]byte

// Key names the report that s is about.
func (s *Scope) Key() Key { return keyOf(s) }

// Key names the row.
func (r *Row) Key() Key { return keyOf(r) }

// keyOf hashes v's JSON, in which each field has its name, so no two values read the
// same.
func keyOf(v any) Key {
	data, err := json.Marshal(v)
	if err != nil { // these types have nothing that cannot be written
		panic(err)
	}
	return sha256.Sum256(data)
}
