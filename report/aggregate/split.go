package aggregate

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"encoding/base64"
	"slices"
)

// Bounds of a report; ours, the size that of RFC 7489 section 8. What is above is
// divided into reports with ids of their own, and what is above MaxParts is left out
// and counted.
const (
	MaxRows  = 100_000
	MaxSize  = 10 << 20 // octets of the attachment, compressed and in base64
	MaxParts = 4        // a Policy Domain and day
)

// Part is a report that is ready to be sent.
type Part struct {
	Report *Report
	GZIP   []byte // the XML, compressed
	// Messages is how many are counted in it.
	Messages int64
}

// Split makes reports of r that are within the bounds. Rows with most messages go first,
// so that what is left out is the least. id gives the id of each part.
func Split(r *Report, schema Schema, id func(part int) string) ([]Part, error) {
	return split(r, schema, id, bounds{MaxRows, MaxSize, MaxParts})
}

type bounds struct{ rows, size, parts int }

func split(r *Report, schema Schema, id func(part int) string, b bounds) (parts []Part, err error) {
	rest := slices.Clone(r.Rows)
	slices.SortFunc(rest, func(x, y Counted) int {
		kx, ky := x.Key(), y.Key()
		return cmp.Or(cmp.Compare(y.Count, x.Count), bytes.Compare(kx[:], ky[:]))
	})
	for n := b.rows; len(rest) > 0 && len(parts) < b.parts; {
		part := *r
		part.ID, part.Rows = id(len(parts)), rest[:min(n, len(rest))]
		if len(parts) == b.parts-1 {
			part.Dropped += total(rest[len(part.Rows):])
		}
		data, err := compress(&part, schema)
		if err != nil {
			return nil, err
		}
		if size := base64.StdEncoding.EncodedLen(len(data)); size > b.size && len(part.Rows) > 1 {
			n = max(1, min(len(part.Rows)-1, int(float64(len(part.Rows))*float64(b.size)/float64(size)*0.9)))
			continue
		}
		parts = append(parts, Part{Report: &part, GZIP: data, Messages: total(part.Rows)})
		rest = rest[len(part.Rows):]
	}
	return parts, nil
}

func total(rows []Counted) (n int64) {
	for i := range rows {
		n += rows[i].Count
	}
	return n
}

func compress(r *Report, schema Schema) ([]byte, error) {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if err := Encode(z, r, schema); err != nil {
		return nil, err
	}
	if err := z.Close(); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}
