package read

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
)

// maxHeld is how many octets of records wait in memory until their report's head
// is complete, as elements come in any order; more wait in a temporary file. Ours.
const maxHeld = 4 << 20

// Records are those of one report, in its order.
type Records = Spool[Record]

// Spool keeps values in order, as lines of JSON, in bounded memory. They can be had
// once.
type Spool[T any] struct {
	n    int
	held bytes.Buffer
	file *os.File // what went before held; unlinked
	enc  *json.Encoder
}

// Len is their number.
func (r *Spool[T]) Len() int { return r.n }

// Add puts v at the end.
func (r *Spool[T]) Add(v *T) error {
	if r.enc == nil {
		r.enc = json.NewEncoder(&r.held)
		r.enc.SetEscapeHTML(false)
	}
	if err := r.enc.Encode(v); err != nil {
		return fmt.Errorf("keeping a value aside: %w", err)
	}
	if r.n++; r.held.Len() < maxHeld {
		return nil
	}
	return r.spill()
}

func (r *Spool[T]) spill() error {
	if r.file == nil {
		f, err := os.CreateTemp("", "alignd-report-")
		if err != nil {
			return fmt.Errorf("keeping values aside: %w", err)
		}
		r.file = f
		_ = os.Remove(f.Name()) // it lives as long as it is open
	}
	if _, err := r.held.WriteTo(r.file); err != nil {
		return fmt.Errorf("keeping values aside: %w", err)
	}
	return nil
}

// lines yields the values as JSON, each valid until the next.
func (r *Spool[T]) lines() iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		var from io.Reader = &r.held
		if r.file != nil {
			if _, err := r.file.Seek(0, io.SeekStart); err != nil {
				yield(nil, fmt.Errorf("reading values back: %w", err))
				return
			}
			from = io.MultiReader(r.file, &r.held)
		}
		for in := bufio.NewReaderSize(from, 64<<10); ; {
			line, err := in.ReadBytes('\n')
			if errors.Is(err, io.EOF) {
				return
			}
			if !yield(bytes.TrimSuffix(line, []byte("\n")), err) || err != nil {
				return
			}
		}
	}
}

// WriteJSON writes them as one JSON array.
func (r *Spool[T]) WriteJSON(w io.Writer) error {
	sep := []byte("[")
	for line, err := range r.lines() {
		if err != nil {
			return err
		}
		if _, err := w.Write(append(sep, line...)); err != nil {
			return err
		}
		sep = append(sep[:0], ',')
	}
	end := "]"
	if r.n == 0 {
		end = "[]"
	}
	_, err := io.WriteString(w, end)
	return err
}

// All yields them.
func (r *Spool[T]) All() iter.Seq2[*T, error] {
	return func(yield func(*T, error) bool) {
		for line, err := range r.lines() {
			v := new(T)
			if err == nil {
				err = json.Unmarshal(line, v)
			}
			if !yield(v, err) || err != nil {
				return
			}
		}
	}
}

// Close lets go of the temporary file, if there is one.
func (r *Spool[T]) Close() {
	if r.file != nil {
		r.file.Close()
	}
}
