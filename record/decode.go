package record

import (
	"errors"
	"fmt"
	"time"

	"github.com/fxamacker/cbor/v2"
)

// ErrLater says that a record was written by a later version of the program: it
// has a schema version or a field that this one does not know. Nothing of it is
// read, as the unknown part may change what the rest means.
var ErrLater = errors.New("written by a later version of alignd")

var (
	// strict reads records of Version: a field without a number here is a later one.
	strict = must(decodeOptions(cbor.ExtraDecErrorUnknownField).DecMode())
	// lenient reads records of older versions. We know every field that came later,
	// so one without a number here is one that went; it is passed over.
	lenient = must(decodeOptions(cbor.ExtraDecErrorNone).DecMode())
)

func decodeOptions(unknown cbor.ExtraDecErrorCond) cbor.DecOptions {
	return cbor.DecOptions{
		DupMapKey:          cbor.DupMapKeyEnforcedAPF,
		MaxNestedLevels:    16, // a property of a result of an ARC Set is at 10
		MaxArrayElements:   maxEntries,
		IndefLength:        cbor.IndefLengthForbidden,
		TagsMd:             cbor.TagsForbidden,
		ExtraReturnErrors:  unknown,
		ByteStringToString: cbor.ByteStringToStringAllowed,
		NaN:                cbor.NaNDecodeForbidden,
		Inf:                cbor.InfDecodeForbidden,
	}
}

// Decode reads what Append wrote. It refuses, with an error that says what, more
// than MaxSize octets, octets after the record, values of another type, and what a
// later version wrote (ErrLater). It takes at most some 8 MiB of memory, for a
// record of nothing but empty entries. It is safe for concurrent use.
func Decode(b []byte) (*Record, error) {
	if len(b) > MaxSize {
		return nil, fmt.Errorf("record: %d octets, at most %d are allowed", len(b), MaxSize)
	}
	rec := new(Record)
	if err := decode(b, rec); err != nil {
		return nil, fmt.Errorf("record: %w", err)
	}
	return rec, nil
}

func decode(b []byte, rec *Record) error {
	version, err := readVersion(b)
	if err != nil {
		return err
	}
	if err := unmarshal(b[2:], version, rec); err != nil {
		return err
	}
	eachTime(rec, func(t *time.Time) { *t = keptTime(*t) }) // a float is not exact
	return checkIndexes(rec)
}

// readVersion reads the head of the pair and the version.
func readVersion(b []byte) (int, error) {
	switch {
	case len(b) < 3 || b[0] != pairHead:
		return 0, errors.New("no pair of version and map")
	case b[1] == 0 || b[1] > 0x1b: // above 23 the number itself follows, up to 0x1b
		return 0, errors.New("no schema version")
	case b[1] > Version:
		return 0, fmt.Errorf("schema version above %d: %w", Version, ErrLater)
	}
	return int(b[1]), nil
}

// unmarshal reads a struct that was written under a version.
func unmarshal(b []byte, version int, v any) error {
	mode := strict
	if version < Version {
		mode = lenient
	}
	err := mode.Unmarshal(b, v)
	if unknown := (*cbor.UnknownFieldError)(nil); errors.As(err, &unknown) {
		return fmt.Errorf("a field that is not known: %w", ErrLater)
	}
	return err
}

// checkIndexes refuses what points outside of its list.
func checkIndexes(rec *Record) error {
	ev := &rec.Evidence
	for i := range ev.DMARC {
		for _, k := range ev.DMARC[i].AlignedDKIM {
			if k < 0 || k >= len(ev.DKIM) {
				return fmt.Errorf("an aligned signature %d of %d", k, len(ev.DKIM))
			}
		}
	}
	return nil
}
